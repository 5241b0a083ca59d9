//! Keeps the reference beside the capture: for every frame that the microphone heard, the frame that was played then.
//!
//! Capture and playback may run on two clocks. How much reference waits tells which one is faster; a little is
//! read faster or slower, by interpolation, so that the echo path seems to stand still. After a stall it starts over.

use crate::FRAME;
use crate::ring::Inlet;

/// What waits after a read must not fall below this, or a late callback leaves a hole.
const LOW: std::ops::Range<usize> = 24..96;
/// When more than this always waits, the canceller sees the echo before its cause.
const HIGH: std::ops::Range<usize> = 240..600;
/// When this much waits, the engine stalled: start over.
const STALLED: usize = 6 * FRAME;
/// Positions between samples are counted in so many steps.
const ONE: u64 = 1 << 32;
/// How much faster or slower the reference may be read: 250 parts per million.
const STEP: u64 = ONE / 4000;
/// Decisions are taken over this many frames.
const WINDOW: u32 = 200;

/// See the module.
pub struct Drift {
    /// How many samples of the source make one of the result.
    ratio: u64,
    /// Where the next result lies between two samples of the source.
    phase: u64,
    /// The last samples that were read.
    line: [f32; 4],
    lowest: usize,
    frames: u32,
    resyncs: u32,
    holes: u32,
}

impl Default for Drift {
    fn default() -> Self {
        Drift { ratio: ONE, phase: 0, line: [0.0; 4], lowest: usize::MAX, frames: 0, resyncs: 0, holes: 0 }
    }
}

impl Drift {
    /// Fills `out` with what was played while the microphone heard its newest frame.
    pub fn read(&mut self, source: &mut Inlet, out: &mut [f32; FRAME]) {
        let waiting = source.ready();
        if waiting > STALLED {
            source.skip(waiting - FRAME);
            self.resyncs += 1;
            self.start_over();
        }
        let n = self.wanted();
        let mut fresh = [0.0; FRAME + 2];
        let got = source.read(&mut fresh[..n]);
        if got < n {
            self.holes += 1;
        }
        self.interpolate(&fresh[..n], out);
        self.steer(source.ready());
    }

    /// How often it had to start over.
    pub fn resyncs(&self) -> u32 {
        self.resyncs
    }

    /// How many frames had holes, because playback was late.
    pub fn holes(&self) -> u32 {
        self.holes
    }

    /// How much faster than the microphone the loudspeaker seems to run, in parts per million.
    pub fn ppm(&self) -> f32 {
        ((self.ratio as f64 / ONE as f64 - 1.0) * 1e6) as f32
    }

    /// How many samples of the source the next frame needs.
    fn wanted(&self) -> usize {
        ((self.phase + self.ratio * FRAME as u64) / ONE) as usize
    }

    fn interpolate(&mut self, fresh: &[f32], out: &mut [f32; FRAME]) {
        if self.ratio == ONE && self.phase == 0 {
            // Three samples late, as the interpolation is, so that going over to it makes no jump.
            let start = [self.line[1], self.line[2], self.line[3]];
            out[..3].copy_from_slice(&start);
            out[3..].copy_from_slice(&fresh[..FRAME - 3]);
            self.line.copy_from_slice(&fresh[FRAME - 4..]);
            return;
        }
        let mut next = fresh.iter();
        for sample in out {
            *sample = cubic(&self.line, self.phase as f32 / ONE as f32);
            self.phase += self.ratio;
            while self.phase >= ONE {
                self.phase -= ONE;
                self.line.rotate_left(1);
                self.line[3] = next.next().copied().unwrap_or(0.0);
            }
        }
    }

    fn steer(&mut self, waiting: usize) {
        self.lowest = self.lowest.min(waiting);
        self.frames += 1;
        if self.frames < WINDOW {
            return;
        }
        let was = self.ratio;
        self.ratio = match self.lowest {
            it if it > HIGH.end => ONE + STEP,
            it if it < LOW.start => ONE - STEP,
            // Go on until it is well inside, then rest.
            it if was > ONE && it > HIGH.start => was,
            it if was < ONE && it < LOW.end => was,
            _ => ONE,
        };
        (self.frames, self.lowest) = (0, usize::MAX);
    }

    fn start_over(&mut self) {
        *self = Drift { resyncs: self.resyncs, holes: self.holes, ..Drift::default() };
    }
}

/// Catmull-Rom between the second and the third of four samples.
fn cubic(line: &[f32; 4], t: f32) -> f32 {
    let [a, b, c, d] = *line;
    b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{self, CardRings, PlaybackEnd};

    /// Plays a sawtooth whose value is the sample's number, so that a reference tells when it was played.
    struct Player {
        rings: CardRings,
        playback: PlaybackEnd,
        next: usize,
    }

    impl Player {
        fn new() -> Player {
            let (rings, _, playback) = ring::card(48_000, 48_000).unwrap();
            Player { rings, playback, next: 0 }
        }

        fn play(&mut self, n: usize) {
            let block: Vec<f32> = (self.next..self.next + n).map(|it| it as f32).collect();
            self.next += n;
            self.rings.render.write(&block);
            self.playback.fill(&mut vec![0.0; n]);
        }
    }

    #[test]
    fn on_one_clock_the_reference_passes_untouched() {
        let (mut player, mut drift) = (Player::new(), Drift::default());
        player.play(FRAME);
        let mut all = Vec::new();
        for _ in 0..1000 {
            player.play(FRAME);
            let mut out = [0.0; FRAME];
            drift.read(&mut player.rings.reference, &mut out);
            all.extend_from_slice(&out);
        }
        assert!(all[3..].windows(2).all(|it| it[1] - it[0] == 1.0));
        assert_eq!((drift.holes(), drift.resyncs(), drift.ppm()), (0, 0, 0.0));
    }

    /// How far the reference lags behind what was played, at the end, when playback is `ppm` faster than capture.
    fn lag(ppm: f64) -> (f32, u32, f32) {
        let (mut player, mut drift) = (Player::new(), Drift::default());
        player.play(FRAME);
        let (mut owed, mut out, mut worst_jump) = (0.0, [0.0; FRAME], 0.0f32);
        // Numbers beyond this are too coarse for a float.
        for n in 0..4_000 {
            owed += FRAME as f64 * (1.0 + ppm * 1e-6);
            // The card asks for whole samples.
            player.play(owed as usize);
            owed -= owed.floor();
            let before = out[FRAME - 1];
            drift.read(&mut player.rings.reference, &mut out);
            if n > 10 {
                worst_jump = worst_jump.max((out[0] - before - 1.0).abs());
            }
        }
        (player.next as f32 - out[FRAME - 1], drift.holes(), worst_jump)
    }

    #[test]
    fn two_clocks_do_not_move_the_echo_path() {
        for ppm in [-150.0, -100.0, 0.0, 100.0, 150.0] {
            let (lag, holes, jump) = lag(ppm);
            assert!(lag > 0.0 && lag < 700.0, "{ppm} ppm: {lag} samples behind");
            assert_eq!(holes, 0, "{ppm} ppm");
            assert!(jump < 1.0, "{ppm} ppm: jumped by {jump}");
        }
    }

    #[test]
    fn after_a_stall_it_starts_over() {
        let (mut player, mut drift) = (Player::new(), Drift::default());
        let mut out = [0.0; FRAME];
        for _ in 0..20 {
            player.play(FRAME);
        }
        drift.read(&mut player.rings.reference, &mut out);
        assert_eq!(drift.resyncs(), 1);
        assert!(player.next as f32 - out[FRAME - 1] < FRAME as f32);
    }

    #[test]
    fn a_late_callback_leaves_one_hole_and_then_some_slack() {
        let (mut player, mut drift) = (Player::new(), Drift::default());
        let mut out = [0.0; FRAME];
        for n in 0..100 {
            match n {
                50 => (),
                51 => player.play(2 * FRAME),
                _ => player.play(FRAME),
            }
            drift.read(&mut player.rings.reference, &mut out);
        }
        assert_eq!(drift.holes(), 1);
        assert!(player.rings.reference.ready() >= FRAME);
    }
}
