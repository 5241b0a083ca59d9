//! Time as decisions see it: it can be received and compared, never read.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A moment, counted from the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

impl Time {
    /// The start of the process.
    pub const ZERO: Time = Time(Duration::ZERO);

    /// The moment that lies `since_start` after the start of the process.
    pub const fn from_start(since_start: Duration) -> Time {
        Time(since_start)
    }

    /// How long after the start of the process this moment is.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// How long ago `earlier` was; zero when it was not earlier.
    pub fn since(self, earlier: Time) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, wait: Duration) -> Time {
        Time(self.0.saturating_add(wait))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}
