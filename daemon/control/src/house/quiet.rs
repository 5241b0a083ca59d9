//! When nobody wants to be disturbed, and who may nevertheless.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Quiet;
use crate::time::Time;

/// Whoever calls again within this rings, whatever the hour: it matters.
const AGAIN_WITHIN: Duration = Duration::from_secs(180);

/// How many callers are remembered; the one that called longest ago makes room.
const MAX_CALLERS: usize = 32;

/// The clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Days since Monday.
    pub weekday: u8,
    /// Minutes since midnight.
    pub minute: u16,
}

impl Quiet {
    /// Whether the hours are now.
    pub fn is_at(&self, clock: Clock) -> bool {
        let today = usize::from(clock.weekday) % 7;
        let (begun, not_over) = (clock.minute >= self.from, clock.minute < self.to);
        match self.from < self.to {
            true => self.days[today] && begun && not_over,
            false => (self.days[today] && begun) || (self.days[(today + 6) % 7] && not_over),
        }
    }
}

/// The hours that are now and count in a room: its own, and those of the people in it. Before the time is known there are none.
pub fn now(all: &[Quiet], clock: Option<Clock>, is_here: impl Fn(&str) -> bool) -> Vec<&Quiet> {
    let here = |it: &&Quiet| it.person.as_deref().is_none_or(&is_here);
    clock.map_or(Vec::new(), |clock| all.iter().filter(|it| it.is_at(clock)).filter(here).collect())
}

/// Who was turned away of late.
#[derive(Debug, Default)]
pub struct TurnedAway {
    callers: BTreeMap<String, Time>,
}

impl TurnedAway {
    /// Somebody calls in quiet hours; tells whether it is the second time.
    pub fn again(&mut self, now: Time, caller: &str) -> bool {
        let again = self.callers.get(caller).is_some_and(|it| now.since(*it) <= AGAIN_WITHIN);
        self.callers.insert(caller.into(), now);
        if self.callers.len() > MAX_CALLERS {
            let oldest = self.callers.iter().min_by_key(|(_, at)| **at).map(|(caller, _)| caller.clone());
            oldest.and_then(|it| self.callers.remove(&it));
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: u16, to: u16, days: [bool; 7]) -> Quiet {
        Quiet { from, to, days, except: Vec::new(), person: None }
    }

    fn check(quiet: &Quiet, weekday: u8, minute: u16, expected: bool) {
        assert_eq!(quiet.is_at(Clock { weekday, minute }), expected, "{quiet:?} on day {weekday} at {minute}");
    }

    #[test]
    fn hours_begin_on_their_days_and_may_end_on_the_next() {
        let noon = hours(720, 780, [true; 7]);
        check(&noon, 0, 719, false);
        check(&noon, 0, 720, true);
        check(&noon, 0, 780, false);
        let sunday = hours(1320, 420, [false, false, false, false, false, false, true]);
        check(&sunday, 6, 1319, false);
        check(&sunday, 6, 1320, true);
        check(&sunday, 0, 419, true);
        check(&sunday, 0, 420, false);
        check(&sunday, 6, 60, false);
        check(&sunday, 0, 1320, false);
        // From one time to the same is a whole day.
        let monday = hours(480, 480, [true, false, false, false, false, false, false]);
        check(&monday, 0, 479, false);
        check(&monday, 0, 480, true);
        check(&monday, 1, 479, true);
        check(&monday, 1, 480, false);
    }

    #[test]
    fn the_hours_of_a_person_count_where_the_person_is() {
        let all = [Quiet { person: Some("Mom".into()), ..hours(0, 1439, [true; 7]) }];
        let clock = Some(Clock { weekday: 0, minute: 60 });
        assert_eq!(now(&all, clock, |person| person == "Mom").len(), 1);
        assert_eq!(now(&all, clock, |_| false).len(), 0);
        assert_eq!(now(&all, None, |_| true).len(), 0);
    }

    #[test]
    fn the_second_call_within_three_minutes_matters() {
        let at = |s| Time::from_start(Duration::from_secs(s));
        let mut it = TurnedAway::default();
        assert!(!it.again(at(0), "a"));
        assert!(!it.again(at(1), "b"));
        assert!(it.again(at(180), "a"));
        assert!(!it.again(at(182), "b"));
        for n in 0..100 {
            assert!(!it.again(at(200 + n), &n.to_string()));
        }
        assert_eq!(it.callers.len(), MAX_CALLERS);
    }
}
