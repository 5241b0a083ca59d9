//! What the second look at sentences weighs, with whether it was right: for models/train/sentence.py, which fits the weights. Only voices and people that
//! the model was trained with: those that decide are kept from it.

use std::io::Write;
use std::sync::{Arc, Mutex};

use control::intent::{Intent, Said};
use speech::hearing::Weighed;

use crate::data::{self, Recording};
use crate::house::{House, project};
use crate::listening::{Ears, Listening};
use crate::mix::{Condition, MS, Random, Scenery, trimmed};
use crate::voices::{Voice, trained};
use crate::work;

const CONDITIONS: [Condition; 5] =
    [Condition::Clean, Condition::Noise(10), Condition::Room(10), Condition::Noise(20), Condition::Clean];
/// Sentences for each language.
const SENTENCES: [(&str, usize); 2] = [("en", 200), ("de", 60)];
/// Sounds of other talk, each of so many samples at most.
const OTHERS: usize = 240;
const LONGEST: usize = 5_000 * MS;
/// What was not said to the speaker. Digits and Mandarin words are never tuned with.
const OTHER_TALK: [&str; 7] =
    ["clips", "commands_coffee", "speech_english", "speech_mandarin", "wake_community", "wake_custom", "wake_keywords"];

/// What was weighed while something was heard.
#[derive(Default)]
struct Heard {
    what: String,
    /// Whether it was meant for the speaker, and what came of it was right.
    said: bool,
    right: bool,
    weighed: Vec<(Weighed, bool)>,
    told: String,
}

/// Writes one line for everything that was weighed: the number of the sound, whether it was said to the speaker, whether it is right, and the evidence.
pub fn write(ears: &Ears, file: &str) {
    let scenery = Scenery::new();
    let mut jobs: Vec<(&str, usize, Vec<Recording>)> = Vec::new();
    for (language, n) in SENTENCES {
        jobs.extend((0..n / 20).map(|part| (language, part, Vec::new())));
    }
    let talk = OTHER_TALK.iter().flat_map(|it| data::recordings(it)).filter(|it| !it.scores).collect::<Vec<_>>();
    let talk: Vec<Recording> = talk.iter().step_by(talk.len() / OTHERS).cloned().collect();
    jobs.extend(talk.chunks(20).enumerate().map(|(part, it)| ("en", part, it.to_vec())));
    let heard = work::all("evidence", &jobs, |(language, part, talk)| match talk.is_empty() {
        true => commands(ears, language, *part, &scenery),
        false => others(ears, talk, *part, &scenery),
    });
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).expect("a file for the evidence"));
    for (n, it) in heard.iter().flatten().enumerate() {
        for (weighed, right) in &it.weighed {
            let values: Vec<String> = weighed.evidence.iter().map(|it| format!("{it:.4}")).collect();
            let (said, right) = (u8::from(it.said), u8::from(*right));
            writeln!(out, "{n}\t{said}\t{right}\t{}\t{}\t{}", values.join("\t"), it.what, weighed.text)
                .expect("room for the evidence");
        }
        if it.said != it.right {
            eprintln!("{}: {}", it.what, it.told);
        }
    }
    for (_, condition) in CONDITIONS.iter().enumerate().take(4) {
        let of = |it: &&Heard| it.said && it.what.starts_with(&format!("{} ", condition.name()));
        let all: Vec<&Heard> = heard.iter().flatten().filter(of).collect();
        let right = all.iter().filter(|it| it.right).count();
        eprintln!("{}: {right} of {} understood", condition.name(), all.len());
    }
    let others: Vec<&Heard> = heard.iter().flatten().filter(|it| !it.said).collect();
    eprintln!("{} of {} others taken for commands", others.iter().filter(|it| it.right).count(), others.len());
}

/// Any sentence that can be said.
fn sentence(house: &House, random: &mut Random) -> Option<String> {
    let wholes = house.grammar.wholes();
    let language = &wholes.languages[0];
    let mut words: Vec<String> = Vec::new();
    for lead in language.leads.iter().filter(|_| random.below(6) == 0).collect::<Vec<_>>() {
        words.extend((!lead.is_empty()).then(|| random.of(lead).clone()));
    }
    for part in random.of(&language.sentences) {
        match part {
            Said::Word(word) => words.push(word.clone()),
            Said::Any(class) => {
                let class = &wholes.classes[*class];
                let n = if class.repeats { 2 + random.below(7) } else { 1 };
                (0..n).for_each(|_| words.push(random.of(&class.texts).clone()));
            }
        }
    }
    words.extend((random.below(6) == 0 && !language.trails.is_empty()).then(|| random.of(&language.trails).clone()));
    let text = words.join(" ");
    house.meaning(&text).map(|_| text)
}

/// Names of 60 people.
fn some_names(random: &mut Random) -> Vec<String> {
    let file = std::fs::read_to_string(project("tests/bench/ears/names.txt")).expect("a list of names");
    let mut names: Vec<&str> = file.lines().filter(|it| !it.starts_with('#')).flat_map(str::split_whitespace).collect();
    random.shuffle(&mut names);
    names.into_iter().take(60).map(str::to_owned).collect()
}

fn commands(ears: &Ears, language: &str, part: usize, scenery: &Scenery) -> Vec<Heard> {
    let mut random = Random::new(&format!("evidence {language} {part}"));
    let model = ears.model(language);
    let house = match (language, part % 2) {
        ("en", 1) => House::of_people_alike(language, &some_names(&mut random), &model),
        _ => House::new(language),
    };
    let Some(mut listening) = Listening::new(&model, &house.household.wake, house.listen(&model, None)) else {
        return Vec::new();
    };
    let seen = watch(&mut listening);
    let voices = trained(language);
    let mut all = Vec::new();
    while all.len() < 20 {
        let Some(text) = sentence(&house, &mut random) else { continue };
        let condition = *random.of(&CONDITIONS);
        let voice: Voice = *random.of(&voices);
        let Some(sound) = voice.says(&format!("{}, {text}", house.household.wake)) else { continue };
        let sound = scenery.around(&sound, condition, 500 * MS, 1500 * MS, &mut random);
        let answer = listening.hear(&sound, 500.0);
        let meant = house.meaning(&text);
        let same = |it: &str| same(house.meaning(it), meant.as_ref());
        let weighed = std::mem::take(&mut *seen.lock().expect("no other panicked"));
        all.push(Heard {
            what: format!("{} {}, {text}", condition.name(), voice.name()),
            said: true,
            right: matches!(answer.sentences.as_slice(), [one] if same(one)),
            told: format!(
                "{:?} {:?} {:?}",
                answer.sentences,
                answer.rejected,
                weighed.iter().map(|it| format!("{} {:.2} ({})", it.text, it.confidence, it.recognized)).collect::<Vec<_>>()
            ),
            weighed: weighed
                .into_iter()
                .map(|it| {
                    let right = same(&it.text);
                    (it, right)
                })
                .collect(),
        });
    }
    all
}

fn others(ears: &Ears, talk: &[Recording], part: usize, scenery: &Scenery) -> Vec<Heard> {
    let mut random = Random::new(&format!("evidence of others {part}"));
    let (house, model) = (House::new("en"), ears.model("en"));
    let Some(mut listening) = Listening::new(&model, &house.household.wake, house.listen(&model, None)) else {
        return Vec::new();
    };
    let seen = watch(&mut listening);
    let mut all = Vec::new();
    for it in talk {
        let condition = *random.of(&CONDITIONS);
        let sound = trimmed(&data::samples(&it.file));
        let sound = scenery.around(&sound[..sound.len().min(LONGEST)], condition, 300 * MS, 700 * MS, &mut random);
        listening.open();
        let mut notices = Vec::new();
        listening.feed(&sound, &mut notices);
        listening.close();
        listening.feed(&crate::listening::quiet(200), &mut notices);
        let done: Vec<String> = notices
            .iter()
            .filter(|it| matches!(it.kind, speech::Heard::Sentence { .. } | speech::Heard::Open { .. }))
            .map(|it| it.text.clone())
            .collect();
        let weighed = std::mem::take(&mut *seen.lock().expect("no other panicked"));
        all.push(Heard {
            what: format!("{} {}/{}", condition.name(), it.folder, it.label.replace('"', "")),
            said: false,
            right: !done.is_empty(),
            told: format!("{done:?}"),
            weighed: weighed.into_iter().map(|it| (it, false)).collect(),
        });
    }
    all
}

fn watch(listening: &mut Listening) -> Arc<Mutex<Vec<Weighed>>> {
    let seen: Arc<Mutex<Vec<Weighed>>> = Arc::default();
    let into = seen.clone();
    listening.watch(Box::new(move |it| into.lock().expect("no other panicked").push(it.clone())));
    seen
}

fn same(heard: Option<Intent>, meant: Option<&Intent>) -> bool {
    heard.is_some() && heard.as_ref() == meant
}
