//! What the clocks of other speakers show. None of them tells the time of day: each counts from its own start.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use control::house::RoomName;

/// How to read the clock of another speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// At this moment of ours ...
    here: Instant,
    /// ... theirs showed this.
    there: Duration,
    /// By how much it may be wrong.
    pub within: Duration,
}

impl ClockOffset {
    /// Their clock showed `there` at our `here`, or `within` that.
    pub fn new(here: Instant, there: Duration, within: Duration) -> ClockOffset {
        ClockOffset { here, there, within }
    }

    /// A moment of theirs, as we see it. One from before our machine was started becomes the earliest that we know.
    pub fn here(&self, there: Duration) -> Instant {
        match there.checked_sub(self.there) {
            Some(later) => self.here.checked_add(later).unwrap_or(self.here),
            None => self.here.checked_sub(self.there.saturating_sub(there)).unwrap_or(self.here),
        }
    }

    /// A moment of ours, as they see it. One from before their start is their start.
    pub fn there(&self, here: Instant) -> Duration {
        match here.checked_duration_since(self.here) {
            Some(later) => self.there.saturating_add(later),
            None => self.there.saturating_sub(self.here.saturating_duration_since(here)),
        }
    }
}

/// The clocks of all speakers that have answered, and ours.
#[derive(Clone, Debug)]
pub struct Clocks {
    start: Instant,
    others: Arc<RwLock<BTreeMap<RoomName, ClockOffset>>>,
}

impl Clocks {
    /// Ours counts from `start`.
    pub fn new(start: Instant) -> Clocks {
        Clocks { start, others: Arc::default() }
    }

    /// A moment by our clock.
    pub fn ours(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start)
    }

    /// The clock of another speaker, if it is known.
    pub fn of(&self, room: &str) -> Option<ClockOffset> {
        self.others.read().unwrap_or_else(PoisonError::into_inner).get(room).copied()
    }

    /// The clock of another speaker is now known, or better known, or (it was started anew and has not answered yet) no more.
    pub fn set(&self, room: &str, clock: Option<ClockOffset>) {
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        match clock {
            Some(clock) => others.insert(room.to_owned(), clock),
            None => others.remove(room),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_goes_there_and_back() {
        let ms = Duration::from_millis;
        let here = Instant::now() + ms(10_000);
        let clock = ClockOffset::new(here, ms(5_000), ms(1));
        for (ours, theirs) in [(here, 5_000), (here + ms(7), 5_007), (here - ms(7), 4_993), (here - ms(5_000), 0)] {
            assert_eq!(clock.there(ours), ms(theirs));
            assert_eq!(clock.here(ms(theirs)), ours);
        }
        assert_eq!(clock.there(here - ms(6_000)), ms(0));
        assert_eq!(clock.here(Duration::MAX), here, "nonsense changes nothing");
    }
}
