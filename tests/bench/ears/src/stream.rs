//! Minutes of recordings one after the other under one condition, and what spotters found in them.

use std::collections::BTreeMap;

use crate::data::{self, Recording};
use crate::mix::{Condition, MS, Random, Scenery, from_db, level_db, trimmed};
use crate::voices;

/// Before the first recording of a stream that our loudspeaker talks over: the canceller learns the room.
const SETTLE: usize = 8_000 * MS;
/// How loud people are over our own loudspeaker, dBFS.
const OVER_PLAYBACK_DB: f32 = -32.0;
/// How long after its end a wake phrase may still be found, and how long before.
const LATE_MS: u64 = 1500;
const EARLY_MS: u64 = 200;

/// Something that is said in a stream.
#[derive(Clone)]
pub struct Item {
    pub label: String,
    pub source: Source,
    /// Not a wake phrase of anybody.
    pub talk: bool,
}

#[derive(Clone)]
pub enum Source {
    Recording(Recording),
    Voice(voices::Voice),
}

/// One stretch, in which every item comes once.
#[derive(Clone, Copy)]
pub struct Plan {
    pub condition: Condition,
    pub round: usize,
    pub part: usize,
    /// How much of the other talk is heard.
    pub talk: f32,
}

/// A stretch of sound, and what was said in it.
pub struct Stream {
    pub plan: Plan,
    pub ears: Vec<f32>,
    pub reference: Vec<f32>,
    pub said: Vec<Said>,
    pub hours: f64,
}

/// Words with their place, ms.
pub struct Said {
    pub from: u64,
    pub to: u64,
    pub label: String,
}

/// A wake phrase was found.
#[derive(Clone, Debug)]
pub struct Event {
    pub at_ms: u64,
    pub phrase: String,
    pub score: f32,
}

/// What a spotter did with one phrase.
#[derive(Clone, Default)]
pub struct Outcome {
    /// For each condition, the best score of each time that it was said; minus infinity where there was none.
    pub hits: BTreeMap<Condition, Vec<f32>>,
    /// Scores where nobody said it.
    pub false_hits: Vec<f32>,
    pub hours: f64,
}

/// In how many stretches a round is cut, for as many cores.
pub const PARTS: usize = 4;

impl Stream {
    /// The same for the same plan and items, in every run.
    pub fn new(plan: Plan, items: &[Item], scenery: &Scenery) -> Self {
        let name = format!("{} {}", plan.condition.name(), plan.round);
        let mut chance = Random::new(&name);
        let mut order: Vec<&Item> = items.iter().filter(|it| !it.talk || chance.part() < plan.talk).collect();
        chance.shuffle(&mut order);
        let mut random = Random::new(&format!("{name} {}", plan.part));
        let (mut ears, mut said) = (Vec::new(), Vec::new());
        if matches!(plan.condition, Condition::Playback(_)) {
            ears.resize(SETTLE, 0.0);
        }
        for item in order.iter().skip(plan.part).step_by(PARTS) {
            let Some(mut voice) = item.voice() else { continue };
            if matches!(plan.condition, Condition::Playback(_)) {
                let gain = from_db(OVER_PLAYBACK_DB - level_db(&voice));
                voice.iter_mut().for_each(|it| *it *= gain);
            }
            let (before, after) = if item.talk { (150 * MS, 250 * MS) } else { (600 * MS, 900 * MS) };
            let from = ((ears.len() + before) / MS) as u64;
            ears.extend(scenery.around(&voice, plan.condition, before, after, &mut random));
            said.push(Said { from, to: from + (voice.len() / MS) as u64, label: item.label.clone() });
        }
        ears.iter_mut().for_each(|it| *it = it.clamp(-1.0, 1.0));
        let (ears, reference) = match plan.condition {
            Condition::Playback(db) => scenery.beside_playback(&ears, OVER_PLAYBACK_DB, db, &mut random),
            _ => {
                let silence = vec![0.0; ears.len()];
                (ears, silence)
            }
        };
        let hours = ears.len() as f64 / MS as f64 / 3_600_000.0;
        Self { plan, ears, reference, said, hours }
    }

    /// Tells what was found where.
    pub fn judge(&self, phrase: &str, events: &[Event], outcome: &mut Outcome) {
        let inside = |said: &Said, at: u64| at + EARLY_MS >= said.from && at <= said.to + LATE_MS;
        let ours: Vec<&Event> = events.iter().filter(|it| it.phrase == phrase).collect();
        for said in self.said.iter().filter(|it| it.label == phrase) {
            let best = ours.iter().filter(|it| inside(said, it.at_ms)).map(|it| it.score).fold(f32::NEG_INFINITY, f32::max);
            outcome.hits.entry(self.plan.condition).or_default().push(best);
        }
        let words = format!(" {phrase} ");
        let has: Vec<&Said> = self.said.iter().filter(|it| format!(" {} ", it.label).contains(&words)).collect();
        outcome.false_hits.extend(ours.iter().filter(|it| !has.iter().any(|said| inside(said, it.at_ms))).map(|it| it.score));
        let own_ms: u64 = has.iter().map(|it| it.to + LATE_MS + EARLY_MS - it.from).sum();
        outcome.hours += self.hours - own_ms as f64 / 3_600_000.0;
    }
}

impl Item {
    fn voice(&self) -> Option<Vec<f32>> {
        match &self.source {
            Source::Recording(it) => Some(trimmed(&data::samples(&it.file))),
            Source::Voice(it) => it.says(&self.label),
        }
    }
}

impl Outcome {
    /// The part of those said that a threshold misses.
    pub fn missed(&self, condition: Condition, threshold: f32) -> f64 {
        let hits = self.hits.get(&condition).map_or(&[][..], Vec::as_slice);
        hits.iter().filter(|it| **it < threshold).count() as f64 / hits.len().max(1) as f64
    }

    /// False accepts per hour.
    pub fn per_hour(&self, threshold: f32) -> f64 {
        self.false_hits.iter().filter(|it| **it >= threshold).count() as f64 / self.hours.max(1e-9)
    }

    /// The highest score of all: more can no threshold ask for.
    pub fn highest(&self) -> f32 {
        self.hits.values().flatten().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    /// The lowest threshold with no more than this many false accepts per hour.
    pub fn threshold_for(&self, per_hour: f64) -> f32 {
        let mut scores = self.false_hits.clone();
        scores.sort_by(|a, b| b.total_cmp(a));
        let n = (per_hour * self.hours) as usize;
        scores.get(n).map_or(f32::MIN, |it| it.next_up())
    }

    pub fn add(&mut self, other: Self) {
        for (condition, hits) in other.hits {
            self.hits.entry(condition).or_default().extend(hits);
        }
        self.false_hits.extend(other.false_hits);
        self.hours += other.hours;
    }
}

/// The best of what stands within a second.
pub fn peaks(events: Vec<Event>) -> Vec<Event> {
    let mut best: Vec<(Event, u64)> = Vec::new();
    for event in events {
        match best.iter_mut().rev().find(|it| it.0.phrase == event.phrase).filter(|it| event.at_ms <= it.1 + 1000) {
            Some((kept, last)) => {
                *last = event.at_ms;
                if event.score > kept.score {
                    *kept = event;
                }
            }
            None => best.push((event.clone(), event.at_ms)),
        }
    }
    best.into_iter().map(|it| it.0).collect()
}
