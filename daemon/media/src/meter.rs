//! How loud: levels in dBFS, and how much echo is gone.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The level of digital silence, in dBFS.
pub const SILENCE_DBFS: f32 = -120.0;

/// A float that one thread writes and others read.
#[derive(Debug, Default)]
pub struct AtomicF32(AtomicU32);

impl AtomicF32 {
    /// The last value.
    pub fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Relaxed))
    }

    /// Replaces the value.
    pub fn set(&self, value: f32) {
        self.0.store(value.to_bits(), Relaxed);
    }
}

/// Mean of the squares; 0 for nothing.
pub fn power(samples: &[f32]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    samples.iter().map(|it| it * it).sum::<f32>() / samples.len() as f32
}

/// A power as dBFS (a full-scale square wave is 0 dBFS).
pub fn dbfs(power: f32) -> f32 {
    if power <= 1e-12 { SILENCE_DBFS } else { 10.0 * power.log10() }
}

/// A gain in dB as a factor.
pub fn gain(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// A level that rises fast and falls slowly, as a needle does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Level {
    power: f32,
}

impl Level {
    /// Takes in a frame; returns the level in dBFS.
    pub fn feed(&mut self, frame: &[f32]) -> f32 {
        let now = power(frame);
        self.power += (now - self.power) * if now > self.power { 0.5 } else { 0.05 };
        self.dbfs()
    }

    /// The level now.
    pub fn dbfs(&self) -> f32 {
        dbfs(self.power)
    }
}

/// Echo return loss enhancement: how much quieter the canceller makes what the loudspeaker played.
#[derive(Clone, Copy, Debug, Default)]
pub struct Erle {
    before: f32,
    after: f32,
    hangover: u32,
}

impl Erle {
    /// Far-end frames quieter than this do not count.
    const ACTIVE: f32 = 1e-6;
    /// How long an echo may follow what caused it, in frames.
    const HANGOVER: u32 = 20;

    /// Takes in one frame of reference, microphone and cancelled microphone; returns dB, 0 until something was played.
    pub fn feed(&mut self, reference: &[f32], microphone: &[f32], clean: &[f32]) -> f32 {
        self.hangover = if power(reference) > Self::ACTIVE { Self::HANGOVER } else { self.hangover.saturating_sub(1) };
        if self.hangover > 0 {
            self.before += (power(microphone) - self.before) * 0.01;
            self.after += (power(clean) - self.after) * 0.01;
        }
        if self.before <= 1e-10 { 0.0 } else { 10.0 * (self.before / self.after.max(1e-12)).log10() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_and_full_scale_have_their_levels() {
        assert_eq!(dbfs(power(&[])), SILENCE_DBFS);
        assert_eq!(dbfs(power(&[0.0; 10])), SILENCE_DBFS);
        assert!(dbfs(power(&[1.0, -1.0])).abs() < 1e-6);
        assert!((gain(-6.0206) - 0.5).abs() < 1e-4);
    }

    #[test]
    fn erle_is_the_ratio_while_the_far_end_talks() {
        let mut erle = Erle::default();
        let mut last = 0.0;
        for _ in 0..1000 {
            last = erle.feed(&[0.1; 480], &[0.1; 480], &[0.01; 480]);
        }
        assert!((last - 20.0).abs() < 0.1, "{last}");
        assert_eq!(Erle::default().feed(&[0.0; 480], &[0.1; 480], &[0.1; 480]), 0.0);
    }
}
