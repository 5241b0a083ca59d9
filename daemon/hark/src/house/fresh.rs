//! What is new, and what was only recorded and played again. No clock on a wall is asked: one may be an hour wrong, or be set wrong.
//!
//! Each process has an epoch, a random name, and a clock that counts from its start. A letter names its reader's epoch, so that one from an earlier life of
//! the reader is refused; it bears a number that counts up, so that none is read twice; and it says, in its reader's clock, when it is too old.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// No letter is worth reading for longer.
pub const LONGEST_LIFE: Duration = Duration::from_secs(600);
/// Lives of one other speaker of which numbers are remembered. Within `LONGEST_LIFE` nobody restarts more often unless he is ill.
const MOST_EPOCHS: usize = 64;
/// So far may letters of one writer overtake one another.
const WIDTH: u64 = 1024;

/// The random name of one life of one speaker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Epoch(pub u128);

impl Epoch {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new() -> anyhow::Result<Epoch> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Epoch(u128::from_be_bytes(bytes)))
    }
}

impl TryFrom<String> for Epoch {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Epoch, &'static str> {
        let hex = text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit());
        u128::from_str_radix(&text, 16).ok().filter(|_| hex).map(Epoch).ok_or("not an epoch")
    }
}

impl From<Epoch> for String {
    fn from(it: Epoch) -> String {
        it.to_string()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Which numbers have been seen.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// One more than the highest.
    top: u64,
    seen: [u64; (WIDTH / 64) as usize],
}

impl Window {
    /// Whether this number was not seen yet, and is not too far behind to know.
    pub fn is_new(&self, n: u64) -> bool {
        if n >= self.top {
            return n < u64::MAX;
        }
        n + WIDTH >= self.top && self.seen[slot(n)] & bit(n) == 0
    }

    /// It is seen now.
    pub fn see(&mut self, n: u64) {
        if !self.is_new(n) {
            return;
        }
        if n >= self.top {
            if n - self.top >= WIDTH {
                self.seen = Default::default();
            } else {
                (self.top..n).for_each(|skipped| self.seen[slot(skipped)] &= !bit(skipped));
            }
            self.top = n + 1;
        }
        self.seen[slot(n)] |= bit(n);
    }
}

fn slot(n: u64) -> usize {
    (n % WIDTH / 64) as usize
}

fn bit(n: u64) -> u64 {
    1 << (n % 64)
}

/// The windows of one other speaker, one for each of its lives.
#[derive(Clone, Debug, Default)]
pub struct Windows(BTreeMap<Epoch, (Window, Option<Instant>)>);

impl Windows {
    /// Whether nothing with this number came from that life yet.
    pub fn is_new(&self, epoch: Epoch, n: u64) -> bool {
        match self.0.get(&epoch) {
            Some((window, _)) => window.is_new(n),
            None => true,
        }
    }

    /// It has come now. Says no, and remembers nothing, where too many lives would have to be remembered.
    pub fn see(&mut self, epoch: Epoch, n: u64, now: Instant) -> bool {
        if self.0.len() >= MOST_EPOCHS && !self.0.contains_key(&epoch) {
            // What came in a life that was silent for so long is too old by its own words.
            self.0.retain(|_, (_, used)| used.is_some_and(|used| now.saturating_duration_since(used) <= LONGEST_LIFE));
            if self.0.len() >= MOST_EPOCHS {
                return false;
            }
        }
        let (window, used) = self.0.entry(epoch).or_default();
        window.see(n);
        *used = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn epochs_are_32_digits() {
        let epoch = Epoch::new().unwrap();
        assert_eq!(Epoch::try_from(String::from(epoch)), Ok(epoch));
        for junk in ["", "+1", "g", &"+".repeat(32), &"0".repeat(33)] {
            assert!(Epoch::try_from(junk.to_owned()).is_err(), "{junk}");
        }
    }

    #[test]
    fn a_speaker_that_restarts_all_the_time_costs_little_and_opens_no_door() {
        let now = Instant::now();
        let mut windows = Windows::default();
        for n in 0..MOST_EPOCHS as u128 {
            assert!(windows.see(Epoch(n), 0, now));
        }
        assert!(!windows.see(Epoch(1 << 90), 0, now));
        assert!(!windows.is_new(Epoch(0), 0), "nothing was forgotten for it");
        let later = now + LONGEST_LIFE + Duration::from_secs(1);
        assert!(windows.see(Epoch(1 << 90), 0, later));
        assert_eq!(windows.0.len(), 1);
    }

    proptest! {
        #[test]
        fn no_number_is_new_twice(numbers in prop::collection::vec(0_u64..5000, 1..400)) {
            let mut window = Window::default();
            let mut seen = BTreeSet::new();
            for n in numbers {
                let highest = seen.last().copied().unwrap_or(0);
                let new = window.is_new(n);
                prop_assert!(!(new && seen.contains(&n)));
                if !seen.contains(&n) && n + WIDTH > highest {
                    prop_assert!(new, "{n} after {highest}");
                }
                if new {
                    window.see(n);
                    seen.insert(n);
                }
            }
        }
    }
}
