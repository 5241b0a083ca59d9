//! Records what people say after "announce": from their first word to a long pause. Pure.

use crate::RATE_HZ;
use crate::vad::{FRAME, Frame};

const MS: u64 = RATE_HZ as u64 / 1000;
const FRAME_MS: u32 = FRAME as u32 / MS as u32;

/// A pause that ends it: people who look for their words make pauses of up to a second.
const PAUSE: u32 = 1104 / FRAME_MS;
/// Nothing that is said takes longer.
const LONGEST: u64 = 30_000 * MS;
/// What is kept from before the words: the soft beginning that the detector did not take for voice.
const BEFORE: u64 = 240 * MS;
/// The same where it goes on in one breath: no more than the recognizer's idea of where a word ends may be wrong.
const BEFORE_IN_ONE_BREATH: u64 = 60 * MS;
/// What is kept from after the last loud frame.
const AFTER: u64 = 200 * MS;
/// Frames of voice in a row with which it begins.
const BEGINS_AFTER: u32 = 3;
/// With fewer frames of voice than this it was a cough or a door.
const WORDS: u32 = 128 / FRAME_MS;
/// How long what we played is heard in the room after its end.
const FADES: u64 = 160 * MS;
/// While we play, only who is about as loud as that counts as a voice: the rest of it that the canceller leaves sounds like one.
const OVER_OURS_DB: f32 = 6.0;

/// What came of another frame.
#[derive(Debug, PartialEq)]
pub enum Progress {
    /// It goes on.
    On,
    /// All that was said.
    Over(Vec<f32>),
    /// Nothing was said.
    Nothing,
}

/// See the top. Samples are counted as in `History`.
pub struct Recording {
    samples: Vec<f32>,
    /// Number of the first of them.
    start: u64,
    /// What is kept begins here; `None` until somebody speaks.
    first: Option<u64>,
    /// The end of the last loud frame.
    last: u64,
    voiced: u32,
    voiced_in_row: u32,
    quiet: u32,
    /// Until when somebody must have begun, and how long that is after our own sounds.
    until: u64,
    patience: u64,
    /// When we last played something.
    ours_end: u64,
    confirmed: bool,
}

impl Recording {
    /// Begins behind words that ended at `end`; `samples` are all from there to now.
    pub fn behind(end: u64, samples: Vec<f32>, goes_on: bool, patience: u64) -> Self {
        let now = end + samples.len() as u64;
        Self {
            samples,
            start: end,
            first: goes_on.then_some(end),
            last: now,
            voiced: if goes_on { (now - end) as u32 / FRAME as u32 } else { 0 },
            voiced_in_row: 0,
            quiet: 0,
            until: now + patience,
            patience,
            ours_end: 0,
            confirmed: false,
        }
    }

    /// From where on samples are wanted when words ended there.
    pub fn wanted_from(end: u64, goes_on: bool) -> u64 {
        if goes_on { end.saturating_sub(BEFORE_IN_ONE_BREATH) } else { end }
    }

    /// Whether whoever listens still wants it: `false` says that it is given up.
    pub fn confirm(&mut self, wanted: bool) -> bool {
        self.confirmed |= wanted;
        wanted || !self.confirmed
    }

    /// Takes the next frame; `played_db` is the level of what we played meanwhile, if anything.
    pub fn feed(&mut self, samples: &[f32], frame: Frame, played_db: Option<f32>) -> Progress {
        self.samples.extend_from_slice(samples);
        let now = self.start + self.samples.len() as u64;
        if played_db.is_some() {
            self.ours_end = now;
        }
        let drowned = played_db.is_some_and(|it| frame.level_db < it - OVER_OURS_DB);
        self.voiced_in_row = if frame.voice && !drowned { self.voiced_in_row + 1 } else { 0 };
        self.quiet = if frame.pause { self.quiet + 1 } else { 0 };
        let Some(first) = self.first else {
            let (faded, ours) = (self.ours_end + FADES, self.ours_end > 0);
            if self.voiced_in_row >= BEGINS_AFTER && (!ours || now == self.ours_end || now >= faded) {
                self.begin(now);
            } else if now >= self.until && (!ours || now >= faded + self.patience) {
                return Progress::Nothing;
            }
            return Progress::On;
        };
        self.voiced += u32::from(frame.voice);
        if !frame.pause {
            self.last = now;
        }
        if self.quiet < PAUSE && now - first < LONGEST {
            return Progress::On;
        }
        if self.voiced < WORDS {
            self.first = None;
            self.voiced = 0;
            return Progress::On;
        }
        let end = (self.last + AFTER).min(now);
        Progress::Over(self.samples[(first - self.start) as usize..(end - self.start) as usize].to_vec())
    }

    fn begin(&mut self, now: u64) {
        let spoken = now - u64::from(self.voiced_in_row) * FRAME as u64;
        // What we played is not in it, unless somebody spoke over it.
        let from = if spoken >= self.ours_end { self.start.max(self.ours_end) } else { self.start };
        self.first = Some(spoken.saturating_sub(BEFORE).max(from));
        self.last = now;
        self.voiced = self.voiced_in_row;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: Frame = Frame { voice: true, pause: false, level_db: -26.0 };
    const QUIET: Frame = Frame { voice: false, pause: true, level_db: -60.0 };

    /// Frames by letter: `v` voice, `.` none, `c` our chime with what the canceller leaves of it, `b` voice over the chime. Milliseconds from where to where, or why not.
    fn check(goes_on: bool, frames: &[(char, usize)], expected: &str) {
        let mut it = Recording::behind(1000, Vec::new(), goes_on, 5_000 * MS);
        let mut said = Progress::On;
        for (n, letter) in frames.iter().flat_map(|(letter, n)| std::iter::repeat_n(*letter, *n)).enumerate() {
            let (frame, played) = match letter {
                'v' => (LOUD, None),
                'c' => (Frame { level_db: -45.0, ..LOUD }, Some(-20.0)),
                'b' => (LOUD, Some(-30.0)),
                _ => (QUIET, None),
            };
            said = it.feed(&[n as f32; FRAME], frame, played);
            if said != Progress::On {
                break;
            }
        }
        let told = match said {
            Progress::On => "on".to_owned(),
            Progress::Nothing => "nothing".to_owned(),
            Progress::Over(samples) => format!("{} to {}", samples[0] * 16.0, (samples[samples.len() - 1] + 1.0) * 16.0),
        };
        assert_eq!(told, expected, "{frames:?}");
    }

    #[test]
    fn what_is_said_is_kept_without_the_silence_around_it() {
        check(true, &[('v', 50), ('.', 69)], "0 to 1008");
        check(true, &[('v', 50), ('.', 68)], "on");
        check(true, &[('v', 50), ('.', 60), ('v', 20), ('.', 80)], "0 to 2288");
        check(false, &[('.', 100), ('v', 50), ('.', 80)], "1360 to 2608");
    }

    #[test]
    fn a_cough_is_nothing() {
        check(false, &[('.', 50), ('v', 4), ('.', 260)], "nothing");
        check(false, &[('.', 310)], "on");
        check(false, &[('.', 320)], "nothing");
        check(true, &[('v', 4), ('.', 320)], "nothing");
    }

    #[test]
    fn our_chime_is_not_in_it_and_one_may_speak_over_it() {
        check(false, &[('c', 20), ('.', 5), ('v', 30), ('.', 80)], "320 to 1088");
        check(false, &[('c', 20), ('.', 20), ('v', 30), ('.', 80)], "400 to 1328");
        check(false, &[('c', 20), ('v', 6), ('.', 310)], "on");
        check(false, &[('c', 10), ('b', 20), ('v', 30), ('.', 80)], "0 to 1168");
        check(false, &[('c', 20), ('.', 320)], "on");
        check(false, &[('c', 20), ('.', 330)], "nothing");
    }

    #[test]
    fn nobody_talks_for_ever() {
        check(true, &[('v', 2000)], "0 to 30000");
    }
}
