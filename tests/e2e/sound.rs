//! Clips of sound, and how to tell whether one is in another.

use std::path::Path;
use std::time::Duration;

/// The rate of every clip.
pub const RATE_HZ: u32 = 48_000;

/// Mono sound.
#[derive(Clone, Debug, Default)]
pub struct Clip {
    pub samples: Vec<f32>,
}

impl Clip {
    pub fn silence(length: Duration) -> Self {
        Self { samples: vec![0.0; n_samples(length)] }
    }

    /// Samples at any rate.
    pub fn at(samples: &[f32], rate_hz: u32) -> Self {
        Self { samples: at_rate(samples, rate_hz, RATE_HZ) }
    }

    /// Reads a mono or stereo 16-bit WAV at any rate; a file whose writer was killed has a header that claims no sound, and is read as well.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let find = |tag: &[u8]| bytes.windows(4).position(|window| window == tag);
        let (Some(format), Some(data)) = (find(b"fmt "), find(b"data")) else {
            return Self::default();
        };
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let n_channels = usize::from(u16_at(format + 10));
        let rate_hz = u32::from(u16_at(format + 12)) | u32::from(u16_at(format + 14)) << 16;
        let frames = bytes[data + 8..].chunks_exact(2 * n_channels);
        let mono: Vec<f32> = frames
            .map(|frame| {
                frame.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0).sum::<f32>()
                    / n_channels as f32
            })
            .collect();
        Self::at(&mono, rate_hz)
    }

    /// Writes a 16-bit WAV.
    pub fn write(&self, path: &Path) {
        let format =
            hound::WavSpec { channels: 1, sample_rate: RATE_HZ, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut file = hound::WavWriter::create(path, format).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for sample in &self.samples {
            file.write_sample((sample * 32767.0).clamp(-32768.0, 32767.0) as i16).expect("WAV");
        }
        file.finalize().expect("WAV");
    }

    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(RATE_HZ))
    }

    /// This, then silence.
    pub fn then_silence(mut self, length: Duration) -> Self {
        self.samples.extend(Self::silence(length).samples);
        self
    }

    /// This, then another.
    pub fn then(mut self, next: &Self) -> Self {
        self.samples.extend(&next.samples);
        self
    }

    /// Louder or softer.
    pub fn gain(mut self, gain: f32) -> Self {
        self.samples.iter_mut().for_each(|it| *it *= gain);
        self
    }

    /// With even noise of this RMS over it, the same at every call.
    pub fn with_noise(mut self, rms: f32) -> Self {
        let mut seed = 1_u32;
        for it in &mut self.samples {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *it += (seed as f32 / u32::MAX as f32 - 0.5) * rms * 12_f32.sqrt();
        }
        self
    }

    pub fn part(&self, from: Duration, to: Duration) -> Self {
        let end = n_samples(to).min(self.samples.len());
        Self { samples: self.samples[n_samples(from).min(end)..end].to_vec() }
    }

    /// Level of the whole clip in dB below full scale.
    pub fn level_db(&self) -> f32 {
        let power = self.samples.iter().map(|it| it * it).sum::<f32>() / self.samples.len().max(1) as f32;
        10.0 * (power + 1e-10).log10()
    }

    /// From where to where it is louder than `above_db`, judged in steps of 5 ms; `None` if nowhere.
    pub fn spoken(&self, above_db: f32) -> Option<(Duration, Duration)> {
        const STEP: usize = RATE_HZ as usize / 200;
        let loud: Vec<bool> =
            self.samples.chunks(STEP).map(|step| Self { samples: step.to_vec() }.level_db() > above_db).collect();
        let first = loud.iter().position(|it| *it)?;
        let last = loud.iter().rposition(|it| *it)?;
        let at = |step: usize| Duration::from_secs_f64((step * STEP) as f64 / f64::from(RATE_HZ));
        Some((at(first), at(last + 1)))
    }

    /// Where `other` is most likely in this, and how alike the two are there: 1 is the same, other talk gives about 0.3.
    ///
    /// Compares how the energy moves in the bands of speech, so that codecs, gain and echo cancellation on the way do not matter.
    pub fn find(&self, other: &Self) -> (f32, Duration) {
        let (here, wanted) = (bands(self), bands(other));
        let mut best = (0.0, 0);
        for lag in 0..=here.len().saturating_sub(wanted.len() * 9 / 10) {
            let n = wanted.len().min(here.len() - lag);
            let alike = correlation(&here[lag..lag + n], &wanted[..n]);
            if alike > best.0 {
                best = (alike, lag);
            }
        }
        (best.0, Duration::from_millis(best.1 as u64 * 10))
    }
}

fn n_samples(length: Duration) -> usize {
    (length.as_secs_f64() * f64::from(RATE_HZ)).round() as usize
}

/// Linear interpolation: good enough for what is only compared, never played.
fn at_rate(samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    if from_hz == to_hz || samples.is_empty() {
        return samples.to_vec();
    }
    let step = f64::from(from_hz) / f64::from(to_hz);
    let n = (samples.len() as f64 / step) as usize;
    (0..n)
        .map(|i| {
            let at = i as f64 * step;
            let (first, part) = (at as usize, at.fract() as f32);
            let next = samples[(first + 1).min(samples.len() - 1)];
            samples[first] * (1.0 - part) + next * part
        })
        .collect()
}

/// Bands from 150 Hz to 3.6 kHz, on about the scale that ears use, as edges in bins of 46.9 Hz.
const EDGES: [usize; 13] = [3, 6, 9, 12, 16, 20, 25, 31, 38, 46, 55, 65, 77];
const N_BANDS: usize = EDGES.len() - 1;

/// The energy in each band every 10 ms, in dB above a floor that hides what is far below speech.
fn bands(clip: &Clip) -> Vec<[f32; N_BANDS]> {
    const N: usize = 1024;
    let mut frames = Vec::new();
    let mut at = 0;
    while at + N <= clip.samples.len() {
        let mut real: Vec<f32> =
            (0..N).map(|i| clip.samples[at + i] * (std::f32::consts::PI * i as f32 / N as f32).sin()).collect();
        let mut imaginary = vec![0.0; N];
        fourier(&mut real, &mut imaginary);
        frames.push(std::array::from_fn(|band| {
            let energy: f32 =
                (EDGES[band]..EDGES[band + 1]).map(|bin| real[bin] * real[bin] + imaginary[bin] * imaginary[bin]).sum();
            10.0 * energy.max(1e-12).log10()
        }));
        at += RATE_HZ as usize / 100;
    }
    let loudest = frames.iter().flatten().fold(f32::MIN, |a: f32, b| a.max(*b));
    for it in frames.iter_mut().flatten() {
        *it = (*it - (loudest - 45.0)).max(0.0);
    }
    frames
}

/// Pearson's, band by band around the band's mean, all bands together.
fn correlation(a: &[[f32; N_BANDS]], b: &[[f32; N_BANDS]]) -> f32 {
    let n = a.len().min(b.len());
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for band in 0..N_BANDS {
        let mean = |of: &[[f32; N_BANDS]]| of[..n].iter().map(|frame| frame[band]).sum::<f32>() / n as f32;
        let (mean_a, mean_b) = (mean(a), mean(b));
        for i in 0..n {
            let (x, y) = (a[i][band] - mean_a, b[i][band] - mean_b);
            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
    }
    if aa * bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

/// The Fourier transform in place; the length is a power of two.
fn fourier(real: &mut [f32], imaginary: &mut [f32]) {
    let n = real.len();
    let mut j = 0;
    for i in 1..n {
        let mut bit = n >> 1;
        while j & bit != 0 {
            j ^= bit;
            bit >>= 1;
        }
        j |= bit;
        if i < j {
            real.swap(i, j);
            imaginary.swap(i, j);
        }
    }
    let mut length = 2;
    while length <= n {
        let angle = -2.0 * std::f32::consts::PI / length as f32;
        let twiddles: Vec<(f32, f32)> = (0..length / 2).map(|k| ((angle * k as f32).cos(), (angle * k as f32).sin())).collect();
        for start in (0..n).step_by(length) {
            for (k, (cos, sin)) in twiddles.iter().enumerate() {
                let (a, b) = (start + k, start + k + length / 2);
                let (x, y) = (real[b] * cos - imaginary[b] * sin, real[b] * sin + imaginary[b] * cos);
                (real[b], imaginary[b]) = (real[a] - x, imaginary[a] - y);
                real[a] += x;
                imaginary[a] += y;
            }
        }
        length *= 2;
    }
}
