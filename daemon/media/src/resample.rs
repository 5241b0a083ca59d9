//! Sample rates: cheap whole-number steps for the engine, any rate for cards and files.

use std::f64::consts::PI;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

/// Filter taps per output phase; stop band below -70 dB.
const TAPS_PER_PHASE: usize = 24;

/// Divides the rate by `factor`, with a low-pass filter. No heap once made.
pub struct Decimator {
    factor: usize,
    taps: Vec<f32>,
    line: Vec<f32>,
}

impl Decimator {
    /// The longest input of one call.
    const LONGEST: usize = 960;

    /// A decimator by `factor`.
    pub fn new(factor: usize) -> Decimator {
        let taps = low_pass(TAPS_PER_PHASE * factor, factor, 1.0);
        Decimator { factor, line: vec![0.0; taps.len() + Self::LONGEST], taps }
    }

    /// Fills `out`, which is `factor` times shorter than `input`.
    pub fn process(&mut self, input: &[f32], out: &mut [f32]) {
        debug_assert!(input.len() <= Self::LONGEST && input.len() == out.len() * self.factor);
        let kept = self.taps.len();
        self.line[kept..kept + input.len()].copy_from_slice(input);
        for (n, sample) in out.iter_mut().enumerate() {
            let start = (n + 1) * self.factor;
            *sample = dot(&self.taps, &self.line[start..start + kept]);
        }
        self.line.copy_within(input.len()..input.len() + kept, 0);
    }
}

/// Multiplies the rate by `factor`, with a low-pass filter. No heap once made.
pub struct Interpolator {
    factor: usize,
    phases: Vec<f32>,
    line: Vec<f32>,
}

impl Interpolator {
    const LONGEST: usize = 480;

    /// An interpolator by `factor`.
    pub fn new(factor: usize) -> Interpolator {
        let taps = low_pass(TAPS_PER_PHASE * factor, factor, factor as f64);
        // Phase p takes every factor-th tap, newest sample last.
        let phases =
            (0..factor).flat_map(|p| (0..TAPS_PER_PHASE).rev().map(move |k| (k, p))).map(|(k, p)| taps[k * factor + p]).collect();
        Interpolator { factor, phases, line: vec![0.0; TAPS_PER_PHASE + Self::LONGEST] }
    }

    /// Fills `out`, which is `factor` times longer than `input`.
    pub fn process(&mut self, input: &[f32], out: &mut [f32]) {
        debug_assert!(input.len() <= Self::LONGEST && input.len() * self.factor == out.len());
        self.line[TAPS_PER_PHASE..TAPS_PER_PHASE + input.len()].copy_from_slice(input);
        for (n, group) in out.chunks_exact_mut(self.factor).enumerate() {
            let window = &self.line[n + 1..n + 1 + TAPS_PER_PHASE];
            for (sample, phase) in group.iter_mut().zip(self.phases.chunks_exact(TAPS_PER_PHASE)) {
                *sample = dot(phase, window);
            }
        }
        self.line.copy_within(input.len()..input.len() + TAPS_PER_PHASE, 0);
    }
}

/// Changes any rate into any other, a little at a time. No heap once made.
pub struct Converter {
    fft: Fft<f32>,
    input: Vec<f32>,
    filled: usize,
    chunk: Vec<f32>,
    ratio: f64,
}

impl Converter {
    /// A converter, or `None` for rates that make no sense.
    pub fn new(from_hz: u32, to_hz: u32) -> Option<Converter> {
        let frame = (from_hz as usize / 100).max(1);
        let fft = Fft::new(from_hz as usize, to_hz as usize, frame, 1, FixedSync::Input).ok()?;
        let (input, chunk) = (vec![0.0; fft.input_frames_max()], vec![0.0; fft.output_frames_max()]);
        Some(Converter { fft, input, filled: 0, chunk, ratio: f64::from(to_hz) / f64::from(from_hz) })
    }

    /// How many samples are still to come out before the one that goes in next.
    pub fn before_next(&self) -> usize {
        self.fft.output_delay() + (self.filled as f64 * self.ratio) as usize
    }

    /// Takes one sample in; hands out a run of samples whenever one is complete.
    pub fn push(&mut self, sample: f32) -> &[f32] {
        self.input[self.filled] = sample;
        self.filled += 1;
        let wanted = self.fft.input_frames_next();
        if self.filled < wanted {
            return &[];
        }
        self.filled = 0;
        let room = self.chunk.len();
        let (Ok(input), Ok(mut output)) =
            (InterleavedSlice::new(&self.input[..wanted], 1, wanted), InterleavedSlice::new_mut(&mut self.chunk, 1, room))
        else {
            return &[];
        };
        match self.fft.process_into_buffer(&input, &mut output, None) {
            Ok((_, n)) => &self.chunk[..n],
            Err(_) => &[],
        }
    }
}

/// Changes the rate of a whole clip, without delay.
pub fn convert(samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    if from_hz == to_hz || samples.is_empty() || from_hz == 0 || to_hz == 0 {
        return samples.to_vec();
    }
    let whole = || {
        let mut fft = Fft::<f32>::new(from_hz as usize, to_hz as usize, 1024, 1, FixedSync::Input).ok()?;
        let input = InterleavedSlice::new(samples, 1, samples.len()).ok()?;
        Some(fft.process_all(&input, samples.len(), None).ok()?.take_data())
    };
    let mut out = whole().unwrap_or_default();
    out.truncate((samples.len() as u64 * to_hz as u64).div_ceil(from_hz as u64) as usize);
    out
}

/// A Kaiser-windowed sinc that cuts a little below the lower of both Nyquist frequencies.
fn low_pass(n_taps: usize, factor: usize, gain: f64) -> Vec<f32> {
    const BETA: f64 = 7.0;
    let cutoff = 0.5 / factor as f64 * 0.90;
    let middle = (n_taps - 1) as f64 / 2.0;
    let mut taps: Vec<f64> = (0..n_taps)
        .map(|n| {
            let x = n as f64 - middle;
            let sinc = if x == 0.0 { 2.0 * cutoff } else { (2.0 * PI * cutoff * x).sin() / (PI * x) };
            let w = 1.0 - (x / (middle + 0.5)).powi(2);
            sinc * bessel_i0(BETA * w.max(0.0).sqrt()) / bessel_i0(BETA)
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.iter_mut().for_each(|it| *it *= gain / sum);
    taps.into_iter().map(|it| it as f32).collect()
}

/// Modified Bessel function of the first kind, order 0.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > 1e-12 * sum {
        term *= (x / (2.0 * k)).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

/// Inner product, in eight lanes so that the compiler uses vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a8.zip(b8) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += x * y;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter;

    fn sine(hz: f32, rate_hz: u32, n: usize) -> Vec<f32> {
        (0..n).map(|it| (std::f32::consts::TAU * hz * it as f32 / rate_hz as f32).sin()).collect()
    }

    fn level(samples: &[f32]) -> f32 {
        meter::dbfs(2.0 * meter::power(&samples[samples.len() / 2..]))
    }

    fn decimate(hz: f32, factor: usize) -> f32 {
        let (mut it, mut all) = (Decimator::new(factor), Vec::new());
        for frame in sine(hz, 48_000, 48_000).chunks(480) {
            let mut out = vec![0.0; 480 / factor];
            it.process(frame, &mut out);
            all.extend(out);
        }
        level(&all)
    }

    #[test]
    fn a_decimator_keeps_speech_and_drops_what_would_alias() {
        assert!(decimate(1000.0, 3).abs() < 0.1);
        assert!(decimate(6000.0, 3).abs() < 0.5);
        assert!(decimate(9500.0, 3) < -60.0, "{}", decimate(9500.0, 3));
        assert!(decimate(3000.0, 6).abs() < 0.5);
        assert!(decimate(5000.0, 6) < -60.0);
    }

    #[test]
    fn an_interpolator_keeps_the_tone_and_adds_no_image() {
        let (mut it, mut all) = (Interpolator::new(6), Vec::new());
        for frame in sine(1000.0, 8_000, 8_000).chunks(80) {
            let mut out = vec![0.0; 480];
            it.process(frame, &mut out);
            all.extend(out);
        }
        assert!(level(&all).abs() < 0.1);
        // What is left after the best fitting sine is taken away.
        let tail = &all[24_000..];
        let (mut s, mut c) = (0.0f64, 0.0f64);
        for (n, x) in tail.iter().enumerate() {
            let w = std::f64::consts::TAU * 1000.0 * n as f64 / 48_000.0;
            s += *x as f64 * w.sin();
            c += *x as f64 * w.cos();
        }
        let found = 2.0 * (s * s + c * c) / (tail.len() as f64).powi(2);
        let total = tail.iter().map(|it| (*it as f64).powi(2)).sum::<f64>() / tail.len() as f64;
        let rest = total - found;
        assert!(10.0 * (rest.abs() / found).log10() < -55.0, "{}", 10.0 * (rest.abs() / found).log10());
    }

    #[test]
    fn any_rate_becomes_any_other() {
        for from in [8_000, 11_025, 22_050, 44_100, 96_000] {
            let out = convert(&sine(440.0, from, from as usize), from, 48_000);
            assert!(out.len().abs_diff(48_000) < 5, "{from}: {}", out.len());
            assert!(level(&out[..40_000]).abs() < 0.1, "{from}");
        }
    }

    #[test]
    fn a_converter_does_it_a_little_at_a_time() {
        let mut it = Converter::new(44_100, 48_000).unwrap();
        let mut out = Vec::new();
        for sample in sine(440.0, 44_100, 44_100) {
            out.extend_from_slice(it.push(sample));
        }
        assert!(out.len() > 46_000 && out.len() <= 48_100, "{}", out.len());
        assert!(level(&out).abs() < 0.1);
        assert!(Converter::new(0, 48_000).is_none());
    }
}
