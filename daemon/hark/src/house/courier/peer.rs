//! What the courier knows of one other speaker.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::house::ClockOffset;
use crate::house::fresh::{Epoch, Windows};
use crate::house::identity::{Identity, Key, Shared};

/// A speaker that answers is asked again after this.
pub const ASK_EVERY: Duration = Duration::from_secs(5);
/// One that has just become silent is asked again after this.
const ASK_SILENT: Duration = Duration::from_secs(1);
/// And this long after the question it counts as gone.
const SILENT_FOR: Duration = Duration::from_secs(3);
/// One that is gone is looked for this often.
const ASK_GONE: Duration = Duration::from_secs(10);
/// A speaker to which we wrote lately is asked how it is, however large the house is.
const IN_USE: Duration = Duration::from_secs(300);
/// Answers later than this tell too little of its clock.
pub const LATEST_ANSWER: Duration = Duration::from_secs(3);
/// So fast may clocks drift apart, in parts of a million: an old good measurement is worth less than a new one.
const DRIFT_PPM: u32 = 100;
/// Addresses that are remembered; the newest first.
const MOST_ADDRESSES: usize = 6;

/// One other speaker.
#[derive(Default)]
pub struct Peer {
    /// What we share with it, once it was needed.
    pub(super) shared: Option<Shared>,
    /// The number of the next letter.
    pub next: u64,
    /// Its life and clock, once it has answered.
    pub life: Option<Life>,
    /// Which of its letters have come.
    pub windows: Windows,
    /// Which of its words to everyone have come.
    pub shouted: Windows,
    /// Questions that are not answered yet, the last ones.
    pub asked: Vec<(u64, Instant)>,
    /// When it was asked last.
    pub asked_at: Option<Instant>,
    /// When something that it wrote in answer to us came last.
    pub heard: Option<Instant>,
    /// Where it may be reached.
    pub addresses: Vec<SocketAddr>,
    /// The straight link on which it answered last.
    pub link: Option<u64>,
    /// What the broker says of it.
    pub online: Option<bool>,
    /// When we last wrote to it.
    pub used: Option<Instant>,
    /// When it was last sent the list of members.
    pub list_sent: Option<Instant>,
}

/// The present life of another speaker.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// Its name.
    pub epoch: Epoch,
    /// Its clock.
    pub clock: ClockOffset,
    measured: Instant,
}

impl Peer {
    /// What we share with it; computed when it is first needed.
    pub fn shared(&mut self, us: &Identity, key: &Key) -> Option<Shared> {
        if self.shared.is_none() {
            self.shared = us.shared(key);
        }
        self.shared.clone()
    }

    /// It may be reached there.
    pub fn seen_at(&mut self, address: SocketAddr) {
        self.addresses.retain(|it| *it != address);
        self.addresses.insert(0, address);
        self.addresses.truncate(MOST_ADDRESSES);
    }

    /// It has answered: this is its life, and its clock if this measurement is the best.
    pub fn answered(&mut self, epoch: Epoch, clock: ClockOffset, now: Instant) {
        let better = match &self.life {
            Some(life) if life.epoch == epoch => {
                let age = now.saturating_duration_since(life.measured);
                clock.within <= life.clock.within + age * DRIFT_PPM / 1_000_000
            }
            _ => true,
        };
        if better {
            self.life = Some(Life { epoch, clock, measured: now });
        }
        self.asked.clear();
        self.heard = Some(now);
    }

    /// Whether it is asked regularly how it is.
    pub fn is_asked(&self, small_house: bool, now: Instant) -> bool {
        small_house || self.used.is_some_and(|used| now.saturating_duration_since(used) < IN_USE)
    }

    /// Whether it can be reached, as far as we know.
    pub fn is_up(&self, is_asked: bool, now: Instant) -> bool {
        let heard = self.heard.is_some_and(|heard| now.saturating_duration_since(heard) < ASK_EVERY + SILENT_FOR);
        heard || (!is_asked && self.online == Some(true))
    }

    /// When it is to be asked next.
    pub fn ask_at(&self, now: Instant) -> Instant {
        match (self.heard, self.asked_at) {
            (_, None) => now,
            (Some(heard), Some(_)) if now < heard + ASK_EVERY => heard + ASK_EVERY,
            (Some(heard), Some(asked)) if now < heard + ASK_EVERY + SILENT_FOR => asked + ASK_SILENT,
            // Perhaps it is just being started.
            (None, Some(asked)) if self.asked.len() < 4 => asked + ASK_SILENT,
            (_, Some(asked)) => asked + ASK_GONE,
        }
    }
}
