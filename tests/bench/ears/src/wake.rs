//! Wake phrases: missed against found where nobody said them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use speech::{Model, Spotted, Spotter};

use crate::data::{self, Recording};
use crate::house::{households, project};
use crate::listening::Ears;
use crate::mix::{Condition, MS, Scenery};
use crate::peers::{self, Job, PEERS, Peers};
use crate::plot::{Curve, Plot};
use crate::report::Table;
use crate::stream::{Event, Item, Outcome, PARTS, Plan, Source, Stream, peaks};
use crate::{voices, work};

const CONDITIONS: [Condition; 6] = [
    Condition::Clean,
    Condition::Noise(10),
    Condition::Noise(5),
    Condition::Room(10),
    Condition::Talker(5),
    Condition::Playback(10),
];

/// Those in which phrases of other languages than English are looked for.
const FEW: [Condition; 2] = [Condition::Clean, Condition::Noise(10)];

/// What may be missed in each, %.
const BARS: [(Condition, f64); 4] =
    [(Condition::Clean, 1.0), (Condition::Noise(10), 3.0), (Condition::Room(10), 12.0), (Condition::Talker(5), 10.0)];

/// False accepts per hour that a phrase may have, and one of four syllables or more.
const PER_HOUR: f64 = 0.5;
const LONG_PER_HOUR: f64 = 0.1;

/// What the spotter's own threshold is with the default setting.
const DEFAULT: f32 = 0.5;

/// Hours of a round of all conditions.
const ROUND_H: f64 = 6.0;

/// Folders with other talk.
const TALK: [&str; 7] =
    ["clips", "commands_coffee", "digits", "echo_synthetic", "speech_english", "speech_mandarin", "words_mandarin"];

/// What is said in recordings beside their labels: all three spotters are as sure of it as they can be, in the same place.
const ALSO_SAID: [(&str, &str); 1] = [("porcupine_multi_en.flac", "alexa")];

pub fn measure(ears: &Ears, hours: f64) -> Table {
    let mut table = Table::new("Wake phrases");
    if data::folder().is_none() {
        table.figure("wake phrases", "skipped: no recordings");
        return table;
    }
    let (items, phrases) = items();
    let scenery = Scenery::new();
    let n_rounds = (hours / ROUND_H).ceil().max(1.0);
    let talk = (hours / n_rounds / ROUND_H) as f32;
    let plan = |(round, condition)| (0..PARTS).map(move |part| Plan { condition, round, part, talk });
    let plans: Vec<Plan> = (0..n_rounds as usize).flat_map(|round| CONDITIONS.map(|it| (round, it))).flat_map(plan).collect();
    let keywords: Vec<String> = phrases.iter().filter(|it| it.1.starts_with("wake_keywords")).map(|it| it.0.clone()).collect();
    let ours: Mutex<BTreeMap<String, Outcome>> = Mutex::default();
    let of = |language: &str| -> Vec<String> {
        phrases.iter().filter(|it| language_of(&it.1) == language).map(|it| it.0.clone()).collect()
    };
    let languages = ["en", "de", "zh"].map(|it| (it, ears.model(it), of(it)));
    let jobs = work::all("wake phrases", &plans, |plan| {
        let stream = Stream::new(*plan, &items, &scenery);
        for (language, model, names) in &languages {
            if *language != "en" && !FEW.contains(&plan.condition) {
                continue;
            }
            let events = spot(model, names, &stream);
            let mut ours = ours.lock().expect("no other panicked");
            names.iter().for_each(|it| stream.judge(it, &events, ours.entry(it.clone()).or_default()));
        }
        Job::new(stream)
    });
    let ours = ours.into_inner().expect("no other panicked");
    let peers = peers::hear(&jobs, &keywords);
    bars(&mut table, &ours, &phrases, &keywords);
    let one = |n: usize| {
        let begin = Instant::now();
        drop(Spotter::new(&languages[0].1, &keywords[..n]));
        begin.elapsed().as_secs_f64()
    };
    table.figure("to be ready at start for one phrase, and for three", format!("{:.2} s and {:.2} s", one(1), one(3)));
    compare(&mut table, &ours, peers.as_ref());
    sweep(&mut table, &ours, &phrases, &keywords);
    plots(&mut table, &ours, &keywords, peers.as_ref());
    notes(&mut table, &items, &ours);
    table
}

/// All that is said in a round, and the phrases with where they come from.
fn items() -> (Vec<Item>, Vec<(String, String)>) {
    let mut items = Vec::new();
    let mut phrases: BTreeMap<String, String> = BTreeMap::new();
    let item = |it: Recording, talk: bool| {
        let also = ALSO_SAID.iter().find(|also| it.file.ends_with(also.0)).map_or("", |also| also.1);
        Item { label: format!("{} {also}", it.label.to_lowercase()).trim_end().to_owned(), talk, source: Source::Recording(it) }
    };
    for folder in ["wake_keywords", "wake_custom", "wake_community"] {
        for it in data::recordings(folder).into_iter().filter(|it| it.scores) {
            if !it.near_miss {
                phrases.entry(it.label.to_lowercase()).or_insert(folder.into());
            }
            items.push(item(it.clone(), it.near_miss));
        }
    }
    for it in TALK.iter().flat_map(|it| data::recordings(it)).filter(|it| it.scores) {
        // Of the pairs of the canceller's recordings, the near end is talk.
        if it.folder != "echo_synthetic" || it.label.contains("clean") {
            items.push(item(it, true));
        }
    }
    for (language, household) in households() {
        for phrase in household.long {
            for voice in voices::of(&language) {
                items.push(Item { label: phrase.clone(), talk: false, source: Source::Voice(voice) });
            }
            phrases.insert(phrase, format!("synthetic voices, {language}"));
        }
    }
    (items, phrases.into_iter().collect())
}

/// The language of a phrase, by where it comes from.
fn language_of(source: &str) -> &str {
    source.strip_prefix("synthetic voices, ").unwrap_or("en")
}

/// What our spotter finds in a stream, however unsure.
fn spot(model: &Model, phrases: &[String], stream: &Stream) -> Vec<Event> {
    let spotter = Spotter::new(model, phrases).unwrap_or_else(|error| panic!("{error}")).expect("a model of ours");
    let event = |it: Spotted| Event { at_ms: it.end / MS as u64, phrase: phrases[it.phrase].clone(), score: it.confidence };
    peaks(spotter.sightings(&stream.ears).into_iter().map(event).collect())
}

fn bars(table: &mut Table, ours: &BTreeMap<String, Outcome>, phrases: &[(String, String)], keywords: &[String]) {
    let mut all = Outcome::default();
    let mut worst = (0.0, "");
    for phrase in keywords {
        all.add(ours[phrase].clone());
        let per_hour = ours[phrase].per_hour(DEFAULT);
        if per_hour >= worst.0 {
            worst = (per_hour, phrase);
        }
    }
    for (condition, bar) in BARS {
        let what = format!("missed of {}: {}", list(keywords), condition.name());
        table.at_most(what, bar, 100.0 * all.missed(condition, DEFAULT), "%");
    }
    for condition in CONDITIONS.iter().filter(|it| BARS.iter().all(|bar| bar.0 != **it)) {
        table.figure(format!("the same: {}", condition.name()), format!("{:.1} %", 100.0 * all.missed(*condition, DEFAULT)));
    }
    table.at_most("false wakes per hour of other talk, mean of these phrases", PER_HOUR, all.per_hour(DEFAULT), "");
    table.at_most(format!("the same, worst phrase ({})", worst.1), PER_HOUR, worst.0, "");
    for (phrase, _) in phrases.iter().filter(|it| it.1.starts_with("synthetic")) {
        let it = &ours[phrase];
        table.at_most(format!("false wakes per hour of \u{201c}{phrase}\u{201d}"), LONG_PER_HOUR, it.per_hour(DEFAULT), "");
    }
}

/// "alexa" beside the others, each with the threshold that allows it the same.
fn compare(table: &mut Table, ours: &BTreeMap<String, Outcome>, peers: Option<&Peers>) {
    let Some(peers) = peers else {
        table.note("PocketSphinx and microWakeWord: skipped, not installed (`make bench-ears` installs them into .deps/ears).");
        return;
    };
    let mut text = format!(
        "Missed of \u{201c}alexa\u{201d} with the threshold set so that each wakes falsely {PER_HOUR} times per hour or less, and at its default:\n\n| | processor |"
    );
    CONDITIONS.iter().for_each(|it| text += &format!(" {} |", it.name()));
    text += " false per hour |\n|---|---|";
    text += &"---|".repeat(CONDITIONS.len() + 1);
    let mut row = |name: &str, cost: &str, it: &Outcome, threshold: f32| {
        text += &format!("\n| {name} | {cost} |");
        CONDITIONS.iter().for_each(|condition| text += &format!(" {:.1} % |", 100.0 * it.missed(*condition, threshold)));
        text += &format!(" {:.2} |", it.per_hour(threshold));
    };
    let own = &ours["alexa"];
    row("Hark, same threshold for all phrases", "see below", own, DEFAULT);
    row(&format!("Hark, at {PER_HOUR} per hour"), "", own, own.threshold_for(PER_HOUR));
    for (engine, _) in PEERS {
        let Some(it) = peers.outcomes.get(&(engine, "alexa".into())) else { continue };
        let cost = format!("{:.2} %", peers.percent[engine]);
        let threshold = it.threshold_for(PER_HOUR);
        if threshold <= it.highest() {
            row(&format!("{engine}, at {PER_HOUR} per hour"), &cost, it, threshold);
        } else {
            row(&format!("{engine}, as strict as it can be"), &cost, it, it.highest());
        }
        if engine == "microWakeWord" {
            row("microWakeWord, its own threshold of 0.9", "", it, 0.9);
        }
    }
    for (engine, _) in PEERS {
        let Some(it) = peers.outcomes.get(&(engine, "alexa".into())) else { continue };
        let rate = it.per_hour(it.threshold_for(PER_HOUR).min(it.highest())).max(PER_HOUR);
        row(&format!("Hark, as often falsely as {engine} there"), "", own, own.threshold_for(rate));
    }
    table.note(text);
    for (engine, _) in PEERS {
        let Some(it) = peers.outcomes.get(&(engine, "alexa".into())) else { continue };
        let threshold = it.threshold_for(PER_HOUR).min(it.highest());
        let same = own.threshold_for(it.per_hour(threshold).max(PER_HOUR));
        let ahead = CONDITIONS.iter().filter(|condition| own.missed(**condition, same) <= it.missed(**condition, threshold));
        let what = format!("conditions in which {engine} misses \u{201c}alexa\u{201d} no less often, with as many false wakes");
        table.at_least(what, CONDITIONS.len() as f64, ahead.count() as f64, "");
    }
}

/// What the setting means, for all phrases together and for each.
fn sweep(table: &mut Table, ours: &BTreeMap<String, Outcome>, phrases: &[(String, String)], keywords: &[String]) {
    let mut all = Outcome::default();
    keywords.iter().for_each(|it| all.add(ours[it].clone()));
    let mut text = "What `sensitivity` means, all phrases of wake_keywords:\n\n| sensitivity |".to_owned();
    CONDITIONS.iter().for_each(|it| text += &format!(" {} |", it.name()));
    text += &format!(" false per hour | per day of 16 hours of talk |\n|---|{}---|---|", "---|".repeat(CONDITIONS.len()));
    for sensitivity in [0.0_f32, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0] {
        let threshold = speech::wake_threshold(sensitivity);
        text += &format!("\n| {sensitivity} |");
        CONDITIONS.iter().for_each(|it| text += &format!(" {:.1} % |", 100.0 * all.missed(*it, threshold)));
        text += &format!(" {:.2} | {:.0} |", all.per_hour(threshold), 16.0 * all.per_hour(threshold));
    }
    table.note(text);
    // What `hark tune` shows.
    let row = |it: f32| {
        let threshold = speech::wake_threshold(it);
        format!("({it:.1}, {:.3}, {:.1})", all.missed(Condition::Clean, threshold), 16.0 * all.per_hour(threshold))
    };
    eprintln!("   SENSITIVITIES of speech/src/sensitivity.rs: [{}]", [0.1, 0.3, 0.5, 0.7, 0.9].map(row).join(", "));
    let mut text = "Each phrase at the default:\n\n| phrase | recordings |".to_owned();
    CONDITIONS.iter().for_each(|it| text += &format!(" {} |", it.name()));
    text += &format!(" false per hour |\n|---|---|{}---|", "---|".repeat(CONDITIONS.len()));
    for (phrase, folder) in phrases {
        let it = &ours[phrase];
        let n = it.hits.get(&Condition::Clean).map_or(0, Vec::len);
        text += &format!("\n| {phrase} | {n}, {folder} |");
        for condition in CONDITIONS {
            let missed = format!(" {:.0} % |", 100.0 * it.missed(condition, DEFAULT));
            text += if it.hits.contains_key(&condition) { &missed } else { " |" };
        }
        text += &format!(" {:.2} |", it.per_hour(DEFAULT));
    }
    table.note(text);
}

fn plots(table: &mut Table, ours: &BTreeMap<String, Outcome>, keywords: &[String], peers: Option<&Peers>) {
    let mut all = Outcome::default();
    keywords.iter().for_each(|it| all.add(ours[it].clone()));
    let curves = CONDITIONS.iter().map(|it| curve(&all, *it, &it.name())).collect();
    Plot { title: "Hark, all phrases of wake_keywords".into(), curves }.write(&project("docs/plots/wake.svg"));
    table.note("![Missed over false accepts per hour, all phrases](plots/wake.svg)");
    let Some(peers) = peers else { return };
    for (condition, file) in [(Condition::Noise(10), "alexa-noise"), (Condition::Room(10), "alexa-room")] {
        let mut curves = vec![curve(&ours["alexa"], condition, "Hark")];
        let others = PEERS.iter().filter_map(|(engine, _)| Some((engine, peers.outcomes.get(&(*engine, "alexa".into()))?)));
        curves.extend(others.map(|(engine, it)| curve(it, condition, engine)));
        Plot { title: format!("\u{201c}alexa\u{201d}: {}", condition.name()), curves }
            .write(&project(&format!("docs/plots/{file}.svg")));
        table.note(format!("![Missed over false accepts per hour, alexa, {}](plots/{file}.svg)", condition.name()));
    }
}

fn curve(outcome: &Outcome, condition: Condition, name: &str) -> Curve {
    let mut thresholds: Vec<f32> = outcome.false_hits.clone();
    thresholds.extend(outcome.hits.get(&condition).into_iter().flatten().filter(|it| it.is_finite()));
    thresholds.sort_by(f32::total_cmp);
    let step = (thresholds.len() / 200).max(1);
    let point = |it: &f32| (outcome.per_hour(*it), 100.0 * outcome.missed(condition, *it));
    let mut points: Vec<(f64, f64)> = thresholds.iter().step_by(step).map(point).collect();
    points.dedup();
    Curve { name: name.to_owned(), points }
}

fn notes(table: &mut Table, items: &[Item], ours: &BTreeMap<String, Outcome>) {
    let hours = ours.values().map(|it| it.hours).fold(0.0, f64::max);
    let n_said = items.iter().filter(|it| !it.talk).count();
    table.note(format!(
        "Only recordings of people with whom nothing was trained or tuned: {n_said} wake phrases and {} pieces of other talk, each heard in every condition, {hours:.1} h in all; \
wake phrases are other talk for one another. Noise: household noises of ESC-10 that were kept apart, by their power against the loud parts of the voice; rooms: measured responses; the other talker reads \
from a book; our own loudspeaker reads as well, through a measured room and the real canceller. The same samples go to every spotter.",
        items.len() - n_said
    ));
}

fn list(phrases: &[String]) -> String {
    phrases.join(", ")
}
