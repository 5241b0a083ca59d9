//! Who answers: all speakers that hear the wake phrase bid, and the best answers, everywhere the same one.
//!
//! Whoever hears bids at once and decides [`WINDOW`] later. A bid that comes too late for that is still answered by the winner's word, which
//! reaches the late one before its own window closes, as long as letters take less than half a window. So nobody need agree on a time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Bid, RoomName};
use crate::time::Time;

/// How long bids of others are waited for.
pub const WINDOW: Duration = Duration::from_millis(130);

/// Speakers that hear the wake phrase within this of one another have heard the same one.
const SAME: Duration = Duration::from_millis(1500);

/// What a speaker with an open dialogue or a call of its own has ahead of others.
pub const BUSY_BONUS: f32 = 1.0;

/// Decides for one speaker.
#[derive(Debug, Default)]
pub struct Arbiter {
    ours: Option<Ours>,
    others: BTreeMap<RoomName, Told>,
}

#[derive(Clone, Copy, Debug)]
struct Ours {
    at: Time,
    score: f32,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Standing {
    Bidding,
    Won,
    Lost,
}

/// What another speaker has told of one wake phrase.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Time,
    score: f32,
    won: bool,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Nothing.
    Nothing,
    /// The others are told our score; until it is decided, nothing is done.
    Bid(f32),
    /// We answer, and tell the others.
    Answer(f32),
    /// Another answers: what is said next is not for us.
    Lose,
    /// Another answers too, and better: we fall silent.
    Yield,
    /// Another may not have heard that we answer: we say it again.
    Insist(f32),
}

impl Arbiter {
    /// We have heard the wake phrase. `room` is ours; `alone`: no other speaker is there.
    pub fn heard(&mut self, now: Time, score: f32, room: &str, alone: bool) -> Verdict {
        let score = sane(score);
        if self.is_bidding() {
            return Verdict::Nothing;
        }
        self.others.retain(|_, it| now.since(it.at) <= SAME);
        let taken = self.others.iter().any(|(other, it)| it.won && other != room);
        let (standing, verdict) = match (alone, taken) {
            (_, true) => (Standing::Lost, Verdict::Lose),
            (true, false) => (Standing::Won, Verdict::Answer(score)),
            (false, false) => (Standing::Bidding, Verdict::Bid(score)),
        };
        self.ours = Some(Ours { at: now, score, standing });
        verdict
    }

    /// Another speaker has told how well it heard the wake phrase, and perhaps that it answers.
    pub fn told(&mut self, now: Time, bid: &Bid, won: bool, room: &str) -> Verdict {
        if bid.room == room || bid.age > SAME {
            return Verdict::Nothing;
        }
        let at = Time::from_start(now.since_start().saturating_sub(bid.age));
        let mut told = Told { at, score: sane(bid.score), won };
        match self.others.get(&bid.room) {
            // The same again, by another way, or the word that follows the bid.
            Some(before) if apart(before.at, at) <= WINDOW => {
                told = Told { at: before.at.min(at), score: told.score.max(before.score), won: won || before.won };
            }
            Some(before) if before.at > at => return Verdict::Nothing,
            _ => (),
        }
        self.others.insert(bid.room.clone(), told);
        let Some(ours) = self.ours.as_mut().filter(|it| apart(it.at, told.at) <= SAME) else { return Verdict::Nothing };
        match (ours.standing, won) {
            (Standing::Bidding, true) => {
                ours.standing = Standing::Lost;
                Verdict::Lose
            }
            (Standing::Won, true) if beats(told.score, &bid.room, ours.score, room) => {
                ours.standing = Standing::Lost;
                Verdict::Yield
            }
            (Standing::Won, _) => Verdict::Insist(ours.score),
            (Standing::Bidding, false) | (Standing::Lost, _) => Verdict::Nothing,
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time, room: &str) -> Verdict {
        let due = self.deadline().is_some_and(|it| it <= now);
        let Some(ours) = self.ours.as_mut().filter(|_| due) else { return Verdict::Nothing };
        let (at, score) = (ours.at, ours.score);
        let better = |(other, it): (&RoomName, &Told)| apart(it.at, at) <= SAME && beats(it.score, other, score, room);
        if self.others.iter().any(better) {
            ours.standing = Standing::Lost;
            return Verdict::Lose;
        }
        ours.standing = Standing::Won;
        Verdict::Answer(score)
    }

    /// When it is decided.
    pub fn deadline(&self) -> Option<Time> {
        self.ours.filter(|it| it.standing == Standing::Bidding).map(|it| it.at + WINDOW)
    }

    /// Whether it is not decided yet.
    pub fn is_bidding(&self) -> bool {
        self.ours.is_some_and(|it| it.standing == Standing::Bidding)
    }

    /// Whether what follows the wake phrase is for another speaker; asked once for what does. After `within` nothing follows any more.
    pub fn is_for_another(&mut self, now: Time, within: Duration) -> bool {
        self.ours.take_if(|it| it.standing == Standing::Lost).is_some_and(|it| now.since(it.at) <= within)
    }
}

/// Whether one bid goes before another.
fn beats(score: f32, room: &str, than: f32, other: &str) -> bool {
    than.total_cmp(&score).then_with(|| room.cmp(other)).is_lt()
}

/// A score that can be compared: other speakers may tell anything.
fn sane(score: f32) -> f32 {
    // Adding zero makes -0 into 0: they are equal, and must tie.
    if score.is_finite() { score.clamp(0.0, 1.0 + BUSY_BONUS) + 0.0 } else { 0.0 }
}

fn apart(a: Time, b: Time) -> Duration {
    a.since(b).max(b.since(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_start(Duration::from_millis(ms))
    }

    fn bid(room: &str, score: f32, age_ms: u64) -> Bid {
        Bid { room: room.into(), score, age: Duration::from_millis(age_ms) }
    }

    fn bidding(score: f32) -> Arbiter {
        let mut it = Arbiter::default();
        assert_eq!(it.heard(at(10_000), score, "kitchen", false), Verdict::Bid(score));
        it
    }

    #[test]
    fn alone_there_is_no_delay() {
        assert_eq!(Arbiter::default().heard(at(0), 0.1, "kitchen", true), Verdict::Answer(0.1));
    }

    #[test]
    fn the_best_answers_and_among_equals_the_first_by_name() {
        for (room, score, verdict) in [
            ("bedroom", 0.6, Verdict::Lose),
            ("bedroom", 0.5, Verdict::Lose),
            ("study", 0.5, Verdict::Answer(0.5)),
            ("study", 0.4, Verdict::Answer(0.5)),
            ("study", f32::NAN, Verdict::Answer(0.5)),
            ("study", f32::INFINITY, Verdict::Answer(0.5)),
            ("bedroom", -0.0, Verdict::Answer(0.5)),
            // Our own bid comes back by another way.
            ("kitchen", 0.9, Verdict::Answer(0.5)),
        ] {
            let mut it = bidding(0.5);
            assert_eq!(it.told(at(10_050), &bid(room, score, 5), false, "kitchen"), Verdict::Nothing);
            assert_eq!(it.handle_timeout(at(10_129), "kitchen"), Verdict::Nothing);
            assert_eq!(it.handle_timeout(at(10_130), "kitchen"), verdict, "{room} {score}");
            assert_eq!(it.deadline(), None);
        }
    }

    #[test]
    fn a_bid_of_another_time_does_not_count() {
        let mut it = bidding(0.5);
        // An hour old, by a clock that is wrong or a letter that was kept somewhere.
        assert_eq!(it.told(at(10_050), &bid("bedroom", 0.9, 3_600_000), false, "kitchen"), Verdict::Nothing);
        assert_eq!(it.told(at(10_060), &bid("study", 0.9, u64::MAX), true, "kitchen"), Verdict::Nothing);
        assert_eq!(it.handle_timeout(at(10_130), "kitchen"), Verdict::Answer(0.5));
        // The next phrase, two seconds later.
        assert_eq!(it.told(at(12_000), &bid("bedroom", 0.9, 10), true, "kitchen"), Verdict::Nothing);
        assert!(!it.is_for_another(at(12_000), Duration::from_secs(10)));
    }

    #[test]
    fn whoever_hears_late_is_told_who_answers() {
        let mut it = Arbiter::default();
        assert_eq!(it.told(at(10_000), &bid("bedroom", 0.3, 140), true, "kitchen"), Verdict::Nothing);
        assert_eq!(it.heard(at(10_010), 0.9, "kitchen", false), Verdict::Lose);
        assert!(it.is_for_another(at(11_000), Duration::from_secs(10)));
        assert!(!it.is_for_another(at(11_000), Duration::from_secs(10)), "one sentence only");
        let mut it = bidding(0.9);
        assert_eq!(it.told(at(10_090), &bid("bedroom", 0.3, 190), true, "kitchen"), Verdict::Lose);
        assert_eq!(it.handle_timeout(at(10_130), "kitchen"), Verdict::Nothing);
    }

    #[test]
    fn of_two_that_answer_the_lesser_falls_silent() {
        let mut it = bidding(0.5);
        assert_eq!(it.handle_timeout(at(10_130), "kitchen"), Verdict::Answer(0.5));
        assert_eq!(it.told(at(10_140), &bid("study", 0.4, 140), true, "kitchen"), Verdict::Insist(0.5));
        assert_eq!(it.told(at(10_150), &bid("bedroom", 0.6, 140), true, "kitchen"), Verdict::Yield);
        assert_eq!(it.told(at(10_151), &bid("bedroom", 0.6, 141), true, "kitchen"), Verdict::Nothing, "told twice");
    }
}
