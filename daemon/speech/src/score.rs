//! How well a wake phrase was heard, to be compared between speakers that heard the same one. Pure.
//!
//! The greater part is how loud the voice was, with the noise of the room taken off: speakers of one kind hear whoever is nearer louder. Level says nothing
//! of a microphone that is more sensitive than another, so what distance and walls do to the shape of a voice counts as well:
//! reverberation fills the gaps between syllables (the depth of slow modulation) and rounds their beginnings (the steepness of attacks).

use std::f32::consts::{PI, SQRT_2, TAU};
use std::ops::Range;

use crate::RATE_HZ;

const MS: usize = RATE_HZ as usize / 1000;
/// Frames in which level and attacks are measured: 8 ms.
const FRAME: usize = 8 * MS;
/// Frames of the envelope whose modulation is measured: 4 ms.
const FINE: usize = 4 * MS;
/// How far apart two frames of an attack are: 32 ms.
const ATTACK: usize = 4;
/// How many attacks count, the steepest ones.
const ATTACKS: usize = 6;
/// Attacks in what is softer than this below the loudest frame are noise.
const ATTACK_BELOW_TOP_DB: f32 = 20.0;
/// No attack is steeper than this: a gate or digital silence is no room.
const ATTACK_FROM_TOP_DB: f32 = 40.0;
/// Syllables: what a voice is modulated with, Hz.
const SYLLABLES_HZ: Range<u32> = 3..17;
/// What modulation and attacks weigh against level, dB for dB; fitted to pairs of places of measured rooms, with microphones that differ by some decibels.
const MODULATION_WEIGHS: f32 = 1.1;
const ATTACK_WEIGHS: f32 = 0.85;
/// What full confidence is worth against none, dB.
const CONFIDENCE_WEIGHS_DB: f32 = 10.0;
/// The worst and the best there is: a whisper behind a door, a voice at the microphone.
const WORST: f32 = -70.0;
const BEST: f32 = 30.0;

/// From this score on nobody waits.
const HEARD_WELL: f32 = 0.34;
/// How much longer for each 1.0 below, and at most.
const HOLD_MS: f32 = 4_000.0;
const HOLD_AT_MOST_MS: f32 = 500.0;

/// 0 to 1. `sound` is the room before the phrase, the phrase (`phrase`, in samples) and a little more.
pub fn score(sound: &[f32], phrase: Range<usize>, confidence: f32, gain_db: f32) -> f32 {
    let phrase = phrase.start.min(sound.len())..phrase.end.min(sound.len());
    let all = filtered(sound, &[Filter::high(120.0)]);
    let voice = filtered(sound, &[Filter::high(300.0), Filter::low(4000.0)]);
    let noise = floor(&powers(&all[..phrase.start], FRAME));
    let total = mean(&powers(&all[phrase.clone()], FRAME));
    let level_db = db((total - noise).max(0.05 * noise)) + gain_db;
    let voice_noise = floor(&powers(&voice[..phrase.start], FRAME));
    let attack_db = attack_db(&powers(&voice[phrase.start..], FRAME), voice_noise);
    let modulation_db = modulation_db(&powers(&voice[phrase.start..], FINE));
    let sum =
        level_db + MODULATION_WEIGHS * modulation_db + ATTACK_WEIGHS * attack_db + CONFIDENCE_WEIGHS_DB * (confidence - 1.0);
    ((sum - WORST) / (BEST - WORST)).clamp(0.0, 1.0)
}

/// How long who heard a wake phrase so waits for others before it tells. A voice from far away loses its soft ends in noise, so that the phrase seems to be
/// over up to 400 ms sooner than where it is heard well.
pub fn hold_ms(score: f32) -> u64 {
    ((HEARD_WELL - score) * HOLD_MS).clamp(0.0, HOLD_AT_MOST_MS) as u64
}

/// The mean power of the room when nobody speaks: what a quarter of the frames stays below.
fn floor(powers: &[f32]) -> f32 {
    let mut sorted = powers.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len() / 4).copied().unwrap_or(0.0)
}

/// How steeply the steepest syllables begin, dB in 32 ms.
fn attack_db(powers: &[f32], noise: f32) -> f32 {
    let levels: Vec<f32> = powers.iter().map(|it| db((it - noise).max(0.1 * noise))).collect();
    let top = levels.iter().copied().fold(-120.0, f32::max);
    let levels: Vec<f32> = levels.into_iter().map(|it| it.max(top - ATTACK_FROM_TOP_DB)).collect();
    let pairs = levels.iter().zip(levels.iter().skip(ATTACK));
    let mut rises: Vec<f32> = pairs.filter(|(_, to)| **to > top - ATTACK_BELOW_TOP_DB).map(|(from, to)| to - from).collect();
    rises.sort_by(|a, b| b.total_cmp(a));
    rises.truncate(ATTACKS);
    mean(&rises)
}

/// How deep the envelope is modulated by syllables, dB against its mean.
fn modulation_db(powers: &[f32]) -> f32 {
    let n = powers.len().max(1) as f32;
    let envelope: Vec<f32> = powers.iter().map(|it| it.sqrt()).collect();
    let mean = mean(&envelope).max(1e-6);
    let rate_hz = RATE_HZ as f32 / FINE as f32;
    let energy: f32 = SYLLABLES_HZ
        .map(|hz| {
            let step = TAU * hz as f32 / rate_hz;
            let (mut real, mut imaginary) = (0.0, 0.0);
            for (i, it) in envelope.iter().enumerate() {
                let window = 0.5 - 0.5 * (TAU * i as f32 / n).cos();
                let (sin, cos) = (step * i as f32).sin_cos();
                real += window * (it / mean - 1.0) * cos;
                imaginary += window * (it / mean - 1.0) * sin;
            }
            (real * real + imaginary * imaginary) / (n * n)
        })
        .sum();
    db(energy)
}

fn powers(samples: &[f32], frame: usize) -> Vec<f32> {
    samples.chunks_exact(frame).map(|it| it.iter().map(|it| it * it).sum::<f32>() / frame as f32).collect()
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len().max(1) as f32
}

fn db(power: f32) -> f32 {
    10.0 * (power + 1e-12).log10()
}

fn filtered(samples: &[f32], filters: &[Filter]) -> Vec<f32> {
    let mut out = samples.to_vec();
    for filter in filters {
        filter.clone().run(&mut out);
    }
    out
}

/// A Butterworth filter of the second order, direct form 1.
#[derive(Clone)]
struct Filter {
    b: [f32; 3],
    a: [f32; 2],
}

impl Filter {
    fn low(hz: f32) -> Self {
        Self::new(hz, |cos| [(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0])
    }

    fn high(hz: f32) -> Self {
        Self::new(hz, |cos| [f32::midpoint(1.0, cos), -1.0 - cos, f32::midpoint(1.0, cos)])
    }

    fn new(hz: f32, b: impl Fn(f32) -> [f32; 3]) -> Self {
        let w = 2.0 * PI * hz / RATE_HZ as f32;
        let (alpha, cos) = (w.sin() / SQRT_2, w.cos());
        let a0 = 1.0 + alpha;
        Self { b: b(cos).map(|it| it / a0), a: [-2.0 * cos / a0, (1.0 - alpha) / a0] }
    }

    fn run(&self, samples: &mut [f32]) {
        let ([mut x1, mut x2], [mut y1, mut y2]) = ([0.0; 2], [0.0; 2]);
        for it in samples {
            let y = self.b[0] * *it + self.b[1] * x1 + self.b[2] * x2 - self.a[0] * y1 - self.a[1] * y2;
            (x2, x1, y2, y1) = (x1, *it, y1, y);
            *it = y;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a second of a room, then five syllables: bursts of noise of which `tail` is the time in which they fall by 20 dB.
    fn said(gain: f32, tail_ms: f32, noise: f32) -> f32 {
        let mut seed = 1_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let mut level = 0.0_f32;
        let mut sound = Vec::new();
        for i in 0..1600 * MS {
            let speaks = i >= 500 * MS && i % (200 * MS) > 100 * MS;
            level = if speaks { level + (1.0 - level) * 0.01 } else { level * 0.1_f32.powf(1.0 / (tail_ms * MS as f32)) };
            sound.push(gain * level * random() + noise * random());
        }
        score(&sound, 500 * MS..1500 * MS, 1.0, 0.0)
    }

    #[test]
    fn who_is_nearer_is_heard_better() {
        let near = said(0.2, 20.0, 0.001);
        assert!(near > said(0.05, 20.0, 0.001), "softer");
        assert!(near > said(0.2, 200.0, 0.001), "more reverberant");
        assert!(near > said(0.1, 80.0, 0.001) && said(0.1, 80.0, 0.001) > said(0.05, 200.0, 0.001), "farther");
        assert!(near > said(0.05, 200.0, 0.02), "noise is no voice");
        assert!((0.3..0.95).contains(&near), "{near}");
    }

    #[test]
    fn calibration_and_confidence_count() {
        let sound: Vec<f32> =
            (0..16_000).map(|i| if i > 8_000 && i % 3_200 > 1_600 { (i as f32).sin() * 0.3 } else { 0.0 }).collect();
        let it = |confidence, gain_db| score(&sound, 8_000..15_000, confidence, gain_db);
        assert!(it(1.0, 6.0) > it(1.0, 0.0) && it(1.0, 0.0) > it(0.7, 0.0));
    }

    #[test]
    fn who_hears_badly_waits() {
        assert_eq!([0.5, 0.34, 0.215, 0.0].map(hold_ms), [0, 0, 500, 500]);
        assert!((190..=210).contains(&hold_ms(0.29)));
    }

    #[test]
    fn nothing_at_all_has_the_least_score() {
        for sound in [vec![], vec![0.0; 100], vec![0.0; 16_000]] {
            let it = score(&sound, 0..sound.len(), 0.0, 0.0);
            assert!((0.0..0.1).contains(&it), "{it}");
        }
    }
}
