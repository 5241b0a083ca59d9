//! People talk of other things: what is done although nobody asked for it.

use control::intent::Intent;
use speech::{Heard, Notice};

use crate::data::{self, Recording};
use crate::house::House;
use crate::listening::{Ears, Listening, quiet};
use crate::mix::{Condition, MS, Random, Scenery, trimmed};
use crate::report::Table;
use crate::work;

/// Each piece of talk is heard so, in turn.
const CONDITIONS: [Condition; 4] = [Condition::Clean, Condition::Noise(10), Condition::Room(10), Condition::Noise(20)];

const FOLDERS: [&str; 10] = [
    "clips",
    "commands_coffee",
    "digits",
    "echo_synthetic",
    "speech_english",
    "speech_mandarin",
    "wake_community",
    "wake_custom",
    "wake_keywords",
    "words_mandarin",
];

/// What came of some talk.
#[derive(Default)]
struct Heedless {
    hours: f64,
    wakes: usize,
    /// What was done, with whether it is a call.
    done: Vec<(String, bool)>,
}

pub fn measure(ears: &Ears, hours: f64) -> Table {
    let mut table = Table::new("Other talk");
    let talk: Vec<Recording> = FOLDERS
        .iter()
        .flat_map(|it| data::recordings(it))
        .filter(|it| it.scores && (it.folder != "echo_synthetic" || it.label.contains("clean")))
        .collect();
    if talk.is_empty() {
        table.figure("calls placed", "skipped: no recordings");
        return table;
    }
    let scenery = Scenery::new();
    let rounds = |n: usize| -> Vec<(usize, &[Recording])> {
        (0..n).flat_map(|round| talk.chunks(talk.len().div_ceil(4)).map(move |it| (round, it))).collect()
    };
    let add = |all: Vec<Heedless>| {
        all.into_iter().fold(Heedless::default(), |mut sum, it| {
            sum.hours += it.hours;
            sum.wakes += it.wakes;
            sum.done.extend(it.done);
            sum
        })
    };
    // A round lasts some 50 minutes.
    let n_rounds = (hours / 0.8).ceil().max(1.0) as usize;
    let asleep = add(work::all("other talk", &rounds(n_rounds), |(round, some)| hear(ears, some, *round, false, &scenery)));
    table.at_most("calls placed", 0.0, asleep.done.iter().filter(|it| it.1).count() as f64, "");
    table.figure("anything else done", asleep.done.iter().filter(|it| !it.1).count().to_string());
    table.figure(
        "wake phrase heard where nobody said it",
        format!("{}, {:.2} per hour", asleep.wakes, asleep.wakes as f64 / asleep.hours),
    );
    table.figure("hours of other talk", format!("{:.1}", asleep.hours));
    let open = add(work::all("after a wake", &rounds(1), |(round, some)| hear(ears, some, *round, true, &scenery)));
    table.at_most("false commands per hour of talk after a wake", 1.0, open.done.len() as f64 / open.hours, "");
    table.figure("hours of it", format!("{:.2}", open.hours));
    let list = |it: &Heedless| it.done.iter().map(|it| it.0.as_str()).collect::<Vec<_>>().join("; ");
    table.note(format!("Done: {}. After a wake: {}.", list(&asleep), list(&open)));
    table.note(
        "Recordings of people kept from training, one after the other, as recorded and with noise and rooms in turn; English, wake phrase `hello operator`, the contacts of the household. \
After a wake: the window is open all the time, as if somebody had just said the wake phrase before each sentence that is meant for somebody else; those that hold a command word for word are not left out.",
    );
    table
}

fn hear(ears: &Ears, talk: &[Recording], round: usize, open: bool, scenery: &Scenery) -> Heedless {
    let (house, model) = (House::new("en"), ears.model("en"));
    let mut result = Heedless::default();
    let Some(mut listening) = Listening::new(&model, &house.household.wake, house.listen(&model, None)) else { return result };
    let mut random = Random::new(&format!("talk {round} {open} {}", talk[0].file.display()));
    for (i, it) in talk.iter().enumerate() {
        let condition = CONDITIONS[(i + round) % CONDITIONS.len()];
        let (before, after) = if open { (300 * MS, 700 * MS) } else { (100 * MS, 300 * MS) };
        let sound = scenery.around(&trimmed(&data::samples(&it.file)), condition, before, after, &mut random);
        let mut notices: Vec<Notice> = Vec::new();
        if open {
            listening.open();
        }
        listening.feed(&sound, &mut notices);
        if open {
            listening.close();
            listening.feed(&quiet(200), &mut notices);
        }
        result.hours += sound.len() as f64 / MS as f64 / 3_600_000.0;
        for notice in notices {
            match notice.kind {
                Heard::Wake { .. } => result.wakes += 1,
                Heard::Sentence { text, .. } | Heard::Open { text, .. } => {
                    let calls = matches!(
                        house.meaning(&text),
                        Some(
                            Intent::Dial { .. }
                                | Intent::DialGroup(_)
                                | Intent::DialNumber(_)
                                | Intent::Emergency
                                | Intent::Redial
                                | Intent::CallBack
                        )
                    );
                    result.done.push((format!("`{text}` in {}/{}", it.folder, it.label.replace('"', "")), calls));
                }
                _ => (),
            }
        }
    }
    result
}
