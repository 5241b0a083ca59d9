//! When what is rendered now leaves the loudspeaker, by the monotonic clock.
//!
//! The card's callbacks come early and late by milliseconds, but the card plays evenly: what they tell is averaged.

use std::sync::atomic::Ordering::Relaxed;

use crate::ring::{Counters, Outlet, monotonic_ns};

/// How many looks are averaged, 10 ms each: long enough for callbacks that jitter, short enough for clocks that drift.
const LOOKS: i64 = 64;
/// Farther off than this is no jitter: the card stood still, or another latency was chosen.
const FAR_NS: i64 = 5_000_000;
/// So many looks in a row are believed.
const BELIEVED: u32 = 10;

/// Follows one card.
#[derive(Debug, Default)]
pub struct Playout {
    /// When the card's very first sample left the loudspeaker, averaged; 0 before anything is known.
    first_left_ns: u64,
    looks: i64,
    far: u32,
}

impl Playout {
    /// Looks at what the card tells; once for each frame.
    pub fn observe(&mut self, counters: &Counters) {
        let seen = counters.first_left_ns.load(Relaxed);
        if seen == 0 {
            return;
        }
        let off = seen.wrapping_sub(self.first_left_ns) as i64;
        if off.abs() > FAR_NS {
            self.far += 1;
        } else {
            self.far = 0;
        }
        if self.first_left_ns == 0 || self.far > BELIEVED {
            *self = Playout { first_left_ns: seen, looks: 1, far: 0 };
            return;
        }
        self.looks = (self.looks + 1).min(LOOKS);
        self.first_left_ns = self.first_left_ns.wrapping_add_signed(off.clamp(-FAR_NS, FAR_NS) / self.looks);
    }

    /// When the next sample that is written leaves the loudspeaker. A card that tells nothing is taken to have no latency.
    pub fn leaves_ns(&self, outlet: &Outlet, counters: &Counters) -> u64 {
        if self.first_left_ns == 0 {
            return monotonic_ns() + outlet.waiting() as u64 * 1_000_000 / 48;
        }
        let before = outlet.before_next() + counters.silence.load(Relaxed);
        self.first_left_ns + (u128::from(before) * 1_000_000_000 / u128::from(outlet.rate_hz())) as u64
    }
}
