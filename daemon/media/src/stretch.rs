//! Time stretching: leaves out or repeats one pitch period, so that speech is faster or slower but not higher or lower.
//!
//! Also continues a signal by its last pitch period, for codecs that cannot conceal a loss themselves.

/// Pitch periods looked for: 400 Hz to 100 Hz.
const SHORTEST: usize = 120;
/// The longest pitch period.
pub const LONGEST: usize = 480;
/// Similarity is measured over this many samples.
const WINDOW: usize = 480;
/// How many samples must be there for a pitch search.
pub const NEEDED: usize = LONGEST + WINDOW;
/// Every so many samples are compared; speech has its pitch far below the rate that this leaves.
const STRIDE: usize = 6;
/// Quieter than this (power), any period will do.
const QUIET: f32 = 2e-6;

/// The lag in samples at which `samples` resembles itself best, and how much (1 = exactly).
fn period(samples: &[f32]) -> (usize, f32) {
    let similarity = |lag: usize| {
        let (mut xy, mut xx, mut yy) = (0.0f32, 1e-9f32, 1e-9f32);
        for n in (0..WINDOW).step_by(STRIDE) {
            let (x, y) = (samples[n], samples[n + lag]);
            xy += x * y;
            xx += x * x;
            yy += y * y;
        }
        xy / (xx * yy).sqrt()
    };
    let coarse = (SHORTEST..=LONGEST).step_by(STRIDE).map(|lag| (lag, similarity(lag)));
    let (best, _) = coarse.fold((LONGEST, -1.0), |best, it| if it.1 > best.1 { it } else { best });
    let around = best.saturating_sub(STRIDE).max(SHORTEST)..=(best + STRIDE).min(LONGEST);
    around.map(|lag| (lag, similarity(lag))).fold((best, -1.0), |best, it| if it.1 > best.1 { it } else { best })
}

fn is_quiet(samples: &[f32]) -> bool {
    samples.iter().step_by(STRIDE).map(|it| it * it).sum::<f32>() * STRIDE as f32 / (samples.len() as f32) < QUIET
}

/// Leaves one period out of the front of `samples` and returns how many samples shorter it is now; 0 when nothing fits
/// well enough to go unnoticed. At least [`NEEDED`] samples.
pub fn shorten(samples: &mut [f32]) -> usize {
    if samples.len() < NEEDED {
        return 0;
    }
    let (lag, similarity) = match is_quiet(&samples[..NEEDED]) {
        true => (LONGEST, 1.0),
        false => period(samples),
    };
    if similarity < 0.6 {
        return 0;
    }
    for n in 0..lag {
        let fade = (n as f32 + 0.5) / lag as f32;
        samples[n] = samples[n] * (1.0 - fade) + samples[n + lag] * fade;
    }
    let end = samples.len();
    samples.copy_within(2 * lag..end, lag);
    lag
}

/// Repeats one period at the front of `samples[..len]`, which has room behind it; returns how many samples longer it is now.
pub fn lengthen(samples: &mut [f32], len: usize) -> usize {
    if len < NEEDED || samples.len() < len + LONGEST {
        return 0;
    }
    let (lag, similarity) = match is_quiet(&samples[..NEEDED]) {
        true => (LONGEST, 1.0),
        false => period(samples),
    };
    if similarity < 0.5 {
        return 0;
    }
    // x[0..lag], then x[lag..2 lag] fading into x[0..lag], then x[lag..] again.
    samples.copy_within(lag..len, 2 * lag);
    for n in 0..lag {
        let fade = (n as f32 + 0.5) / lag as f32;
        let next = samples[2 * lag + n];
        samples[lag + n] = next * (1.0 - fade) + samples[n] * fade;
    }
    lag
}

/// Fills `out` with the last period of `past` (at least [`NEEDED`] samples), again and again.
pub fn carry_on(past: &[f32], out: &mut [f32]) {
    let Some(recent) = past.len().checked_sub(NEEDED).map(|start| &past[start..]) else {
        out.fill(0.0);
        return;
    };
    let (lag, _) = period(recent);
    let last = &past[past.len() - lag..];
    for (n, sample) in out.iter_mut().enumerate() {
        *sample = last[n % lag];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vowel(n: usize) -> Vec<f32> {
        let wave = |t: f32, hz: f32| (std::f32::consts::TAU * hz * t / 48_000.0).sin();
        (0..n).map(|it| it as f32).map(|t| 0.2 * wave(t, 140.0) + 0.1 * wave(t, 280.0) + 0.05 * wave(t, 700.0)).collect()
    }

    fn roughest(samples: &[f32]) -> f32 {
        samples.windows(2).map(|it| (it[1] - it[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_vowel_gets_a_period_shorter_without_a_click() {
        let mut samples = vowel(2000);
        let smooth = roughest(&samples);
        let cut = shorten(&mut samples);
        assert!(cut > 330 && cut < 360, "{cut}: 48000 / 140 = 343");
        assert!(roughest(&samples[..2000 - cut]) < smooth * 1.3);
    }

    #[test]
    fn a_vowel_gets_a_period_longer_without_a_click() {
        let mut samples = vowel(1200);
        samples.resize(2000, 9.0);
        let more = lengthen(&mut samples, 1200);
        assert!(more > 330 && more < 360, "{more}");
        assert!(roughest(&samples[..1200 + more]) < roughest(&vowel(1200)) * 1.3);
        assert_eq!(samples[1200 + more - 1], vowel(1200)[1199], "the end is the same as before");
    }

    #[test]
    fn noise_is_left_alone_and_silence_is_not() {
        let mut seed = 7u32;
        let mut noise: Vec<f32> = (0..1000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / 16_777_216.0 - 0.5
            })
            .collect();
        assert_eq!(shorten(&mut noise), 0);
        assert_eq!(shorten(&mut [0.0; 1000]), LONGEST);
        assert_eq!(shorten(&mut [0.0; 100]), 0);
    }

    #[test]
    fn a_vowel_goes_on() {
        let past = vowel(1500);
        let mut more = [0.0; 480];
        carry_on(&past, &mut more);
        let going_on = vowel(1980);
        let error: f32 = more.iter().zip(&going_on[1500..]).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / 480.0;
        assert!(error < 0.001, "{error}");
    }
}
