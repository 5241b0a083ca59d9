//! The only clock that decisions ever see.

use std::time::Instant;

use control::time::Time;

/// Counts from the moment it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts to count.
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Now, as decisions see it.
    pub fn now(&self) -> Time {
        self.time(Instant::now())
    }

    /// A moment, as decisions see it.
    pub fn time(&self, at: Instant) -> Time {
        Time::from_start(at.saturating_duration_since(self.start))
    }

    /// A moment of theirs, as the runtime sees it.
    pub fn instant(&self, at: Time) -> Instant {
        self.start + at.since_start()
    }
}
