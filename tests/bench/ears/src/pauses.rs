//! How long people pause while they speak: what the constants of the endpoint are taken from.

use speech::RATE_HZ;
use speech::recognizer::Recognizer;
use speech::vad::{FRAME, Vad};

use crate::data::{self, Recording};
use crate::listening::Ears;
use crate::people::Coffee;
use crate::report::{Table, percentile};
use crate::work;

/// How far the recognizer's idea of where words begin and end may be off, samples.
const OFF: u64 = RATE_HZ as u64 * 60 / 1000;

/// Pauses by where they are, ms.
#[derive(Default)]
struct Pauses {
    /// Inside of words.
    within: Vec<f64>,
    /// Between two words of an order, none where there is no order yet.
    between: Vec<f64>,
    /// Between an order that could end there and what it goes on with.
    after_whole: Vec<f64>,
}

pub fn measure(ears: &Ears, _: f64) -> Table {
    let mut table = Table::new("Pauses of people who go on");
    let recordings: Vec<Recording> = data::recordings("commands_coffee").into_iter().filter(|it| !it.scores).collect();
    let Some(coffee) = Coffee::new().filter(|_| !recordings.is_empty()) else {
        table.figure("pauses", "skipped: no recordings");
        return table;
    };
    let model = ears.model("en");
    let jobs: Vec<&[Recording]> = recordings.chunks(20).collect();
    let found = work::all("pauses", &jobs, |job| {
        let mut pauses = Pauses::default();
        let Some(mut recognizer) = Recognizer::new(&model, &coffee.sentences) else { return pauses };
        job.iter().for_each(|it| pauses.of_order(&data::samples(&it.file), &coffee, &mut recognizer));
        pauses
    });
    let read: Vec<Recording> = data::recordings("speech_english").into_iter().filter(|it| !it.scores).collect();
    let read: Vec<f64> = work::all("pauses", &read, |it| inner(&runs(&data::samples(&it.file)))).into_iter().flatten().collect();
    let mut all = Pauses::default();
    for it in found {
        all.within.extend(it.within);
        all.between.extend(it.between);
        all.after_whole.extend(it.after_whole);
    }
    let mut text = "| pause | places | 50 % | 90 % | 95 % | 98 % | 99 % | longer than 112, 160, 208, 304, 400, 496 ms |\n|---|---|---|---|---|---|---|---|".to_owned();
    for (name, of) in [
        ("inside of words", &all.within),
        ("between words of an order", &all.between),
        ("after what could be a whole order", &all.after_whole),
        ("reading aloud, every pause", &read),
    ] {
        text += &format!("\n| {name} | {} |", of.len());
        [0.5, 0.9, 0.95, 0.98, 0.99].iter().for_each(|it| text += &format!(" {:.0} |", percentile(of, *it)));
        let longer = |ms: f64| 100.0 * of.iter().filter(|it| **it > ms).count() as f64 / of.len().max(1) as f64;
        let all: Vec<String> =
            [112.0, 160.0, 208.0, 304.0, 400.0, 496.0].iter().map(|it| format!("{:.1}", longer(*it))).collect();
        text += &format!(" {} % |", all.join(", "));
    }
    table.figure(
        "recordings of coffee orders and of reading",
        format!("{} and {}", recordings.len(), data::recordings("speech_english").len()),
    );
    table.note(text);
    table.note("Frames of 16 ms that the detector of the ears calls a pause, on recordings of people from the training half; words and their places are the recognizer's. The constants of speech/src/endpoint.rs are taken from here.");
    table
}

impl Pauses {
    fn of_order(&mut self, samples: &[f32], coffee: &Coffee, recognizer: &mut Recognizer) {
        recognizer.feed(samples);
        let words = recognizer.finish();
        let runs = runs(samples);
        let longest = |from: u64, to: u64| {
            let inside = runs.iter().filter(|it| it.0 < to && it.1 > from);
            inside.map(|it| (it.1 - it.0) as f64 * 1000.0 / f64::from(RATE_HZ)).fold(0.0, f64::max)
        };
        let text: Vec<&str> = words.iter().map(|it| it.text.as_str()).collect();
        // What was not understood has its words in wrong places.
        if coffee.meaning(&text.join(" ")).is_none() {
            return;
        }
        for (i, pair) in words.windows(2).enumerate() {
            let pause = longest(pair[0].end.saturating_sub(OFF), pair[1].start + OFF);
            match coffee.meaning(&text[..=i].join(" ")) {
                Some(_) => self.after_whole.push(pause),
                None => self.between.push(pause),
            }
        }
        for word in &words {
            let (from, to) = (word.start + 2 * OFF, word.end.saturating_sub(2 * OFF));
            let inside = runs.iter().filter(|it| it.0 > from && it.1 < to);
            self.within.extend(inside.map(|it| (it.1 - it.0) as f64 * 1000.0 / f64::from(RATE_HZ)));
        }
    }
}

/// First and last sample of every pause.
fn runs(samples: &[f32]) -> Vec<(u64, u64)> {
    let mut vad = Vad::default();
    let (mut runs, mut since) = (Vec::new(), None);
    for (i, frame) in samples.chunks_exact(FRAME).enumerate() {
        let at = (i * FRAME) as u64;
        match (vad.judge(frame).pause, since) {
            (true, None) => since = Some(at),
            (false, Some(from)) => {
                runs.push((from, at));
                since = None;
            }
            _ => (),
        }
    }
    runs
}

/// Lengths of those with speech before and after them, ms.
fn inner(runs: &[(u64, u64)]) -> Vec<f64> {
    runs.iter().skip(1).map(|it| (it.1 - it.0) as f64 * 1000.0 / f64::from(RATE_HZ)).collect()
}
