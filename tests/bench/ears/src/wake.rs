//! Wake phrases: missed against found where nobody said them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use speech::{Heard, Hearing, Model};

use crate::data::{self, Recording};
use crate::house::{households, project, settings};
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

/// What may be missed in each, %.
const BARS: [(Condition, f64); 4] =
    [(Condition::Clean, 1.0), (Condition::Noise(10), 3.0), (Condition::Room(10), 12.0), (Condition::Talker(5), 10.0)];

/// False accepts per hour that a phrase may have, and one of four syllables or more.
const PER_HOUR: f64 = 0.5;
const LONG_PER_HOUR: f64 = 0.1;

/// What the spotter's own threshold is with the default setting.
const DEFAULT: f32 = 0.5;

/// Folders with other talk.
const TALK: [&str; 7] =
    ["clips", "commands_coffee", "digits", "echo_synthetic", "speech_english", "speech_mandarin", "words_mandarin"];

pub fn measure(ears: &Ears, hours: f64) -> Table {
    let mut table = Table::new("Wake phrases");
    if data::folder().is_none() {
        table.figure("wake phrases", "skipped: no recordings");
        return table;
    }
    let (items, phrases) = items();
    let scenery = Scenery::new();
    let plan = |(round, condition): (usize, Condition)| (0..PARTS).map(move |part| Plan { condition, round, part });
    // A round of all conditions has some six hours.
    let n_rounds = (hours / 6.0).ceil().max(1.0) as usize;
    let model = ears.model("en de zh");
    let plans: Vec<Plan> = (0..n_rounds).flat_map(|round| CONDITIONS.map(|it| (round, it))).flat_map(plan).collect();
    let keywords: Vec<String> = phrases.iter().filter(|it| it.1.starts_with("wake_keywords")).map(|it| it.0.clone()).collect();
    let ours: Mutex<BTreeMap<String, Outcome>> = Mutex::default();
    let names: Vec<String> = phrases.iter().map(|it| it.0.clone()).collect();
    let jobs = work::all("wake phrases", &plans, |plan| {
        let stream = Stream::new(*plan, &items, &scenery);
        let events = spot(&model, &names, &stream);
        let mut ours = ours.lock().expect("no other panicked");
        for name in &names {
            stream.judge(name, &events, ours.entry(name.clone()).or_default());
        }
        drop(ours);
        Job::new(stream)
    });
    let ours = ours.into_inner().expect("no other panicked");
    let peers = peers::hear(&jobs, &keywords);
    bars(&mut table, &ours, &phrases, &keywords);
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
    let item = |it: Recording, talk: bool| Item { label: it.label.to_lowercase(), talk, source: Source::Recording(it) };
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
            phrases.insert(phrase, format!("synthetic voices ({language})"));
        }
    }
    (items, phrases.into_iter().collect())
}

/// What our ears find in a stream.
fn spot(model: &Model, phrases: &[String], stream: &Stream) -> Vec<Event> {
    let mut settings = settings(phrases, Duration::from_millis(100));
    settings.min_confidence = 0.0;
    let Ok(mut hearing) = Hearing::new(model, settings) else { return Vec::new() };
    let mut notices = Vec::new();
    let pairs: Vec<f32> = stream.ears.iter().zip(&stream.reference).flat_map(|(a, b)| [*a, *b]).collect();
    for part in pairs.chunks(2 * 10 * MS) {
        hearing.feed(part, &mut notices);
    }
    let wakes = notices.into_iter().filter(|it| matches!(it.kind, Heard::Wake { .. }));
    peaks(wakes.map(|it| Event { at_ms: it.said_until_ms, phrase: it.text, score: it.confidence }).collect())
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
    table.figure(format!("the same, worst phrase ({})", worst.1), format!("{:.1}", worst.0));
    for (phrase, _) in phrases.iter().filter(|it| it.1.starts_with("synthetic")) {
        let it = &ours[phrase];
        table.at_most(format!("false wakes per hour of \u{201c}{phrase}\u{201d}"), LONG_PER_HOUR, it.per_hour(DEFAULT), "");
        let missed: Vec<String> =
            CONDITIONS.iter().map(|condition| format!("{:.0}", 100.0 * it.missed(*condition, DEFAULT))).collect();
        table.figure(
            format!(
                "missed of it, in the order of the conditions below ({} times each)",
                it.hits.get(&Condition::Clean).map_or(0, Vec::len)
            ),
            format!("{} %", missed.join(", ")),
        );
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
        row(&format!("{engine}, at {PER_HOUR} per hour"), &cost, it, it.threshold_for(PER_HOUR));
        if engine == "microWakeWord" {
            row("microWakeWord, its own threshold of 0.9", "", it, 0.9);
        }
    }
    table.note(text);
}

/// What the setting means, for all phrases together and for each.
fn sweep(table: &mut Table, ours: &BTreeMap<String, Outcome>, phrases: &[(String, String)], keywords: &[String]) {
    let mut all = Outcome::default();
    keywords.iter().for_each(|it| all.add(ours[it].clone()));
    let mut text = "Threshold against misses, all phrases of wake_keywords:\n\n| threshold |".to_owned();
    CONDITIONS.iter().for_each(|it| text += &format!(" {} |", it.name()));
    text += &format!(" false per hour | per day of talk |\n|---|{}---|---|", "---|".repeat(CONDITIONS.len()));
    for threshold in [0.1_f32, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98] {
        text += &format!("\n| {threshold} |");
        CONDITIONS.iter().for_each(|it| text += &format!(" {:.1} % |", 100.0 * all.missed(*it, threshold)));
        text += &format!(" {:.2} | {:.0} |", all.per_hour(threshold), 24.0 * all.per_hour(threshold));
    }
    table.note(text);
    let mut text = "Each phrase at the default:\n\n| phrase | recordings |".to_owned();
    CONDITIONS.iter().for_each(|it| text += &format!(" {} |", it.name()));
    text += &format!(" false per hour |\n|---|---|{}---|", "---|".repeat(CONDITIONS.len()));
    for (phrase, folder) in phrases {
        let it = &ours[phrase];
        let n = it.hits.get(&Condition::Clean).map_or(0, Vec::len);
        text += &format!("\n| {phrase} | {n}, {folder} |");
        CONDITIONS.iter().for_each(|condition| text += &format!(" {:.0} % |", 100.0 * it.missed(*condition, DEFAULT)));
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
