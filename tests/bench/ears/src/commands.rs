//! Commands of the house by voices that the model does not know.

use std::collections::BTreeMap;

use control::intent::Intent;
use speech::recognizer::Recognizer;

use crate::house::{House, phrases_of};
use crate::listening::{Ears, Listening, recognized};
use crate::mix::{Condition, MS, Random, Scenery};
use crate::report::{Table, percentile};
use crate::voices::{self, Voice};
use crate::work;

/// Not Mandarin: Debian's espeak-ng cannot read its characters aloud.
const LANGUAGES: [(&str, &str); 2] = [("en", "English"), ("de", "German")];

/// Under which commands are said, and how many of 100 are to be understood.
const CONDITIONS: [(Condition, f64); 3] = [(Condition::Clean, 99.0), (Condition::Noise(10), 96.0), (Condition::Room(10), 90.0)];

/// Sentences of each intent, and of the one that calls people.
const OF_EACH: usize = 2;
const OF_DIAL: usize = 16;
/// Numbers that are dialled.
const NUMBERS: usize = 6;
/// Voices for each sentence: of English, and of German.
const VOICES: usize = 3;
const FEWER: usize = 2;

/// What is said by whom.
pub struct Job {
    pub language: &'static str,
    pub condition: Condition,
    /// Sentence and voice.
    pub said: Vec<(String, Voice)>,
}

/// What came of one sentence.
pub struct Result {
    pub language: &'static str,
    pub condition: Condition,
    pub voice: Voice,
    pub text: String,
    /// By the recognizer alone.
    pub recognized: String,
    pub recognized_right: bool,
    /// By all of the ears, after the wake phrase.
    pub heard: Vec<String>,
    pub right: bool,
    pub rejected: Vec<String>,
    pub woken: bool,
    pub after_ms: Option<f64>,
    pub wake_after_ms: Option<f64>,
}

pub fn measure(ears: &Ears, _: f64) -> Table {
    let jobs: Vec<Job> = LANGUAGES
        .iter()
        .flat_map(|(language, _)| {
            let said = sentences(&House::new(language), language);
            CONDITIONS.iter().flat_map(move |(condition, _)| {
                said.chunks(24).map(|it| Job { language, condition: *condition, said: it.to_vec() }).collect::<Vec<_>>()
            })
        })
        .collect();
    let scenery = Scenery::new();
    let results: Vec<Result> = work::all("commands", &jobs, |job| run(ears, job, &scenery)).into_iter().flatten().collect();
    let mut table = Table::new("Commands by unheard voices");
    for (language, name) in LANGUAGES {
        for (condition, bar) in CONDITIONS {
            let of: Vec<&Result> = results.iter().filter(|it| it.language == language && it.condition == condition).collect();
            let part =
                |right: &dyn Fn(&&&Result) -> bool| 100.0 * of.iter().filter(right).count() as f64 / of.len().max(1) as f64;
            let what = format!("{name}, {}: {} after the wake phrase", condition.name(), of.len());
            match language {
                "en" => table.at_least(what, bar, part(&|it| it.right), "%"),
                _ => table.figure(what, format!("{:.1} %", part(&|it| it.right))),
            }
            let alone = format!("{:.1} %; wake phrase heard {:.1} %", part(&|it| it.recognized_right), part(&|it| it.woken));
            table.figure("the same by the recognizer alone, without the wake phrase", alone);
        }
    }
    delays(&mut table, &results);
    by_voice(&mut table, &results);
    wrong(&mut table, &results);
    table.note(format!(
        "Sentences of configs/phrases with the contacts of tests/bench/ears/household.yaml, {VOICES} voices each ({FEWER} in German): ten variants of espeak-ng, and in English flite rms and festival ked, all kept from training. \
Right is what means the same. Noise and rooms as above; the wake phrase is said in the same breath. \
Speech ends where the voice falls 35 dB below its loudest, in the clip before anything was mixed; sound card and player are not in the delays."
    ));
    table
}

/// From the end of commands to the decision.
fn delays(table: &mut Table, results: &[Result]) {
    for (condition, _) in CONDITIONS {
        let of = results.iter().filter(|it| it.right && it.language == "en" && it.condition == condition);
        let after: Vec<f64> = of.clone().filter_map(|it| it.after_ms).collect();
        let (middle, late) = (percentile(&after, 0.5), percentile(&after, 0.95));
        let name = condition.name();
        match condition {
            Condition::Clean => {
                table.at_most("end of speech to decision, English, clean: median", 200.0, middle, "ms");
                table.at_most("the same: 95th percentile", 500.0, late, "ms");
            }
            _ => table.figure(
                format!("end of speech to decision, {name}: median, 95th percentile"),
                format!("{middle:.0} ms, {late:.0} ms"),
            ),
        }
        let wake: Vec<f64> = of.filter_map(|it| it.wake_after_ms).collect();
        let both = format!("{:.0} ms, {:.0} ms", percentile(&wake, 0.5), percentile(&wake, 0.95));
        table.figure(format!("wake phrase to its notice, {name}: median, 95th percentile"), both);
    }
}

/// What is said: some sentences of every intent, people and numbers, each by a few voices.
fn sentences(house: &House, language: &'static str) -> Vec<(String, Voice)> {
    let mut random = Random::new(language);
    let mut by_intent: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for text in &house.grammar.after_wake {
        if let Some(intent) = house.meaning(text) {
            by_intent.entry(intent.name()).or_default().push(text);
        }
    }
    let mut texts: Vec<String> = Vec::new();
    for (name, mut ways) in by_intent {
        random.shuffle(&mut ways);
        texts.extend(ways.into_iter().take(if name == "dial" { OF_DIAL } else { OF_EACH }).cloned());
    }
    for i in 0..NUMBERS {
        let loops = &house.grammar.loops;
        if loops.is_empty() {
            break;
        }
        let it = &loops[i % loops.len()];
        let words: Vec<&String> = it.words.iter().filter(|word| !it.never_last.contains(word)).collect();
        let digits: Vec<&str> = (0..3 + i).map(|_| random.of(&words).as_str()).collect();
        texts.push(format!("{} {}", it.prefix, digits.join(" ")));
    }
    texts.retain(|it| house.meaning(it).is_some());
    let voices = voices::of(language);
    let mut n = 0;
    let mut by_voices = |text: String| {
        let by = |_| {
            n += 1;
            (text.clone(), voices[n % voices.len()])
        };
        (0..if language == "en" { VOICES } else { FEWER }).map(by).collect::<Vec<_>>()
    };
    texts.into_iter().flat_map(&mut by_voices).collect()
}

fn run(ears: &Ears, job: &Job, scenery: &Scenery) -> Vec<Result> {
    let (house, model) = (House::new(job.language), ears.model(job.language));
    let known = house.known(&model);
    let mut recognizer = Recognizer::new(&model, &phrases_of(&known));
    let mut listening = Listening::new(&model, &house.household.wake, house.listen(&model, None));
    let mut random = Random::new(&format!("{} {:?}", job.language, job.condition));
    let mut results = Vec::new();
    for (text, voice) in &job.said {
        let meant = house.meaning(text);
        let alone = voice.says(text);
        let both = voice.says(&format!("{}, {text}", house.household.wake));
        let (Some(alone), Some(both)) = (alone, both) else { continue };
        let sound = scenery.around(&alone, job.condition, 300 * MS, 500 * MS, &mut random);
        let recognized = recognizer.as_mut().map_or_else(String::new, |it| recognized(it, &sound));
        let sound = scenery.around(&both, job.condition, 500 * MS, 1500 * MS, &mut random);
        let answer = listening.as_mut().map(|it| it.hear(&sound, 500.0 + (both.len() / MS) as f64)).unwrap_or_default();
        let same = |it: &str| same(house.meaning(it), meant.as_ref());
        results.push(Result {
            language: job.language,
            condition: job.condition,
            voice: *voice,
            text: text.clone(),
            recognized_right: same(&recognized),
            recognized,
            right: matches!(answer.sentences.as_slice(), [one] if same(one)),
            heard: answer.sentences,
            rejected: answer.rejected,
            woken: answer.wakes > 0,
            after_ms: answer.after_ms,
            wake_after_ms: answer.wake_after_ms,
        });
    }
    results
}

fn same(heard: Option<Intent>, meant: Option<&Intent>) -> bool {
    heard.is_some() && heard.as_ref() == meant
}

fn by_voice(table: &mut Table, results: &[Result]) {
    let mut text = "Understood by voice, clean, after the wake phrase:\n\n| voice | understood |\n|---|---|".to_owned();
    let mut of: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for it in results.iter().filter(|it| it.condition == Condition::Clean) {
        let (right, all) = of.entry(it.voice.name()).or_default();
        *right += usize::from(it.right);
        *all += 1;
    }
    of.iter().for_each(|(voice, (right, all))| text += &format!("\n| {voice} | {right} of {all} |"));
    table.note(text);
}

fn wrong(table: &mut Table, results: &[Result]) {
    let wrong = results.iter().filter(|it| it.condition == Condition::Clean && !it.right);
    let list: Vec<String> = wrong
        .map(|it| {
            let heard = if it.woken { it.heard.join(" / ") } else { "not woken".into() };
            let rejected = it.rejected.join(" / ");
            format!("{} “{}”: {heard} (rejected: {rejected}; alone: {})", it.voice.name(), it.text, it.recognized)
        })
        .collect();
    if !list.is_empty() {
        table.note(format!("Not understood, clean: {}.", list.join("; ")));
    }
}
