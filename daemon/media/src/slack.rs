//! What a bridged party says comes by the microphone's clock and is played by the loudspeaker's: this waits in between.
//!
//! It keeps no more than the jitter of the two clocks needs: a little is read faster or slower, by interpolation.

use crate::FRAME;

/// Room for loudspeakers that take much at once.
const ROOM: usize = 8 * FRAME;
/// What is left after each read should not always be more than this, or it is needless delay.
const HIGH: usize = 96;
/// Nor less, or a late frame leaves a hole.
const LOW: usize = 24;
/// Decisions are taken over this many frames.
const WINDOW: u32 = 100;
/// How many samples a frame may be longer or shorter.
const STEP: usize = 2;
/// Holes begin and end with a fade of so many samples.
const FADE: usize = 96;

/// See the module. No heap once made.
pub struct Slack {
    samples: Box<[f32; ROOM]>,
    len: usize,
    lowest: usize,
    frames: u32,
    /// Frames that shall be longer (or, if negative, shorter) than they were said.
    due: i32,
    last: f32,
    in_hole: bool,
}

impl Default for Slack {
    fn default() -> Self {
        Slack { samples: Box::new([0.0; ROOM]), len: 0, lowest: usize::MAX, frames: 0, due: 0, last: 0.0, in_hole: false }
    }
}

impl Slack {
    /// How many samples wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds a frame; when there is no room, nobody plays, and the oldest is forgotten.
    pub fn put(&mut self, frame: &[f32; FRAME]) {
        if self.len + FRAME > ROOM {
            self.forget(FRAME);
        }
        self.samples[self.len..self.len + FRAME].copy_from_slice(frame);
        self.len += FRAME;
    }

    /// Fills `out` with what is to be played next: a hole, without clicks, when it has not come yet.
    pub fn take(&mut self, out: &mut [f32; FRAME]) {
        let wanted = (FRAME as i32 - self.due.signum() * STEP as i32) as usize;
        let n = if wanted <= self.len { wanted } else { FRAME };
        if self.len < n {
            fade_out(self.last, out);
            self.last = 0.0;
            self.in_hole = true;
            return;
        }
        self.due -= self.due.signum();
        for (at, sample) in out.iter_mut().enumerate() {
            let place = at * n;
            let (whole, rest) = (place / FRAME, (place % FRAME) as f32 / FRAME as f32);
            let next = self.samples[(whole + 1).min(n - 1)];
            *sample = self.samples[whole] * (1.0 - rest) + next * rest;
        }
        if std::mem::take(&mut self.in_hole) {
            out.iter_mut().take(FADE).enumerate().for_each(|(n, it)| *it *= n as f32 / FADE as f32);
        }
        self.last = out[FRAME - 1];
        self.forget(n);
        self.steer();
    }

    fn forget(&mut self, n: usize) {
        self.samples.copy_within(n..self.len, 0);
        self.len -= n;
    }

    fn steer(&mut self) {
        self.lowest = self.lowest.min(self.len);
        self.frames += 1;
        if self.frames < WINDOW {
            return;
        }
        let step = STEP as i32;
        self.due = match self.lowest {
            it if it > HIGH => -((it - LOW) as i32 / step),
            it if it < LOW => (LOW - it) as i32 / step + 1,
            _ => 0,
        };
        (self.frames, self.lowest) = (0, usize::MAX);
    }
}

/// Fills `out` with what follows when a signal ends at `last`.
pub fn fade_out(last: f32, out: &mut [f32; FRAME]) {
    out.fill(0.0);
    out.iter_mut().take(FADE).enumerate().for_each(|(n, it)| *it = last * (1.0 - n as f32 / FADE as f32));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts and takes as `pattern` says (+ and -), over and over; returns what was heard of a tone.
    fn heard(pattern: &str, times: usize) -> (Vec<f32>, Slack) {
        let (mut slack, mut heard, mut n) = (Slack::default(), Vec::new(), 0);
        for step in pattern.chars().cycle().take(pattern.len() * times) {
            let mut frame = [0.0; FRAME];
            if step == '+' {
                for sample in &mut frame {
                    *sample = 0.5 * (std::f32::consts::TAU * 300.0 * n as f32 / 48_000.0).sin();
                    n += 1;
                }
                slack.put(&frame);
            } else {
                slack.take(&mut frame);
                heard.extend_from_slice(&frame);
            }
        }
        (heard, slack)
    }

    fn clicks(heard: &[f32]) -> usize {
        heard.windows(2).filter(|it| (it[1] - it[0]).abs() > 0.04).count()
    }

    fn silent_frames(heard: &[f32]) -> usize {
        heard.chunks(FRAME).filter(|it| crate::meter::power(it) < 0.01).count()
    }

    #[test]
    fn two_equal_clocks_leave_nothing_waiting_and_no_hole() {
        let (heard, slack) = heard("+-", 2000);
        assert_eq!((clicks(&heard), silent_frames(&heard)), (0, 0));
        assert!(slack.len() <= HIGH, "{}", slack.len());
    }

    #[test]
    fn a_loudspeaker_that_takes_two_at_once_costs_one_hole_and_one_frame() {
        let (heard, slack) = heard("++--+-+--+", 1000);
        assert_eq!(clicks(&heard), 0);
        assert!(silent_frames(&heard) <= 1, "{}", silent_frames(&heard));
        assert!(slack.len() <= 2 * FRAME + HIGH, "{}", slack.len());
    }

    #[test]
    fn clocks_that_differ_leave_no_holes_after_a_while() {
        // 300 ppm, either way.
        for pattern in [format!("{}+", "+-".repeat(3333)), format!("{}-", "+-".repeat(3333))] {
            let (heard, slack) = heard(&pattern, 4);
            assert_eq!(clicks(&heard), 0);
            assert!(silent_frames(&heard) <= 4, "{}", silent_frames(&heard));
            assert!(slack.len() <= 2 * FRAME, "{}", slack.len());
        }
    }

    #[test]
    fn when_nobody_plays_the_oldest_is_forgotten() {
        let (_, slack) = heard("+", 1000);
        assert!(slack.len() <= ROOM);
    }
}
