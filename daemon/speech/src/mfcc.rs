//! What the network hears: Kaldi's "high resolution" MFCC, 40 values every 10 ms (conf/mfcc.conf), without dither.

use std::f32::consts::PI;
use std::sync::Arc;

use realfft::RealToComplex;
use realfft::num_complex::Complex32;

use crate::RATE_HZ;

/// Values per frame.
pub const DIM: usize = 40;
/// Samples from one frame to the next: 10 ms.
pub const SHIFT: usize = RATE_HZ as usize / 100;
/// Samples in a frame: 25 ms.
const WINDOW: usize = RATE_HZ as usize / 40;
const FFT: usize = 512;
const PREEMPHASIS: f32 = 0.97;
const LIFTER: f32 = 22.0;
const LOW_HZ: f32 = 20.0;
const HIGH_HZ: f32 = 7_600.0;
/// Kaldi reads 16-bit numbers.
const SCALE: f32 = 32_768.0;

/// Computes frames from a stream of samples (±1).
pub struct Mfcc {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Box<[f32]>,
    /// Per mel band: the first bin and the weights.
    bands: Vec<(usize, Vec<f32>)>,
    /// Cosines and lifter, row by row.
    cosines: Box<[f32]>,
    /// Samples from the start of the next frame on.
    waiting: Vec<f32>,
    frame: Box<[f32]>,
    spectrum: Box<[Complex32]>,
    scratch: Box<[Complex32]>,
}

impl Default for Mfcc {
    fn default() -> Self {
        let fft = realfft::RealFftPlanner::<f32>::new().plan_fft_forward(FFT);
        let hann = |i| 0.5 - 0.5 * (2.0 * PI * i as f32 / (WINDOW - 1) as f32).cos();
        let cosine = |row: usize, i: usize| {
            let norm = (if row == 0 { 1.0 } else { 2.0 } / DIM as f32).sqrt();
            let lifter = 1.0 + 0.5 * LIFTER * (PI * row as f32 / LIFTER).sin();
            lifter * norm * (PI / DIM as f32 * (i as f32 + 0.5) * row as f32).cos()
        };
        Self {
            window: (0..WINDOW).map(|i| hann(i).powf(0.85)).collect(),
            bands: bands(),
            cosines: (0..DIM * DIM).map(|at| cosine(at / DIM, at % DIM)).collect(),
            waiting: Vec::with_capacity(2 * WINDOW),
            frame: vec![0.0; FFT].into(),
            spectrum: vec![Complex32::default(); FFT / 2 + 1].into(),
            scratch: fft.make_scratch_vec().into(),
            fft,
        }
    }
}

/// Triangles of equal width on the mel scale.
fn bands() -> Vec<(usize, Vec<f32>)> {
    let mel = |hz: f32| 1127.0 * (1.0 + hz / 700.0).ln();
    let (low, high) = (mel(LOW_HZ), mel(HIGH_HZ));
    let step = (high - low) / (DIM + 1) as f32;
    let weights = |band: usize| {
        let (left, center, right) = (low + band as f32 * step, low + (band + 1) as f32 * step, low + (band + 2) as f32 * step);
        let weight = |bin: usize| {
            let it = mel(bin as f32 * RATE_HZ as f32 / FFT as f32);
            if it <= left || it >= right {
                0.0
            } else if it <= center {
                (it - left) / (center - left)
            } else {
                (right - it) / (right - center)
            }
        };
        let first = (0..FFT / 2).position(|bin| weight(bin) > 0.0).unwrap_or(0);
        (first, (first..FFT / 2).map(weight).take_while(|it| *it > 0.0).collect())
    };
    (0..DIM).map(weights).collect()
}

impl Mfcc {
    /// Forgets what was fed.
    pub fn reset(&mut self) {
        self.waiting.clear();
    }

    /// Takes samples and adds the frames that they complete, `DIM` values each.
    pub fn feed(&mut self, samples: &[f32], frames: &mut Vec<f32>) {
        self.waiting.extend_from_slice(samples);
        let mut at = 0;
        while at + WINDOW <= self.waiting.len() {
            self.compute(at, frames);
            at += SHIFT;
        }
        self.waiting.drain(..at);
    }

    fn compute(&mut self, at: usize, frames: &mut Vec<f32>) {
        let samples = &self.waiting[at..at + WINDOW];
        let mean = samples.iter().sum::<f32>() / WINDOW as f32;
        let mut last = samples[0] - mean;
        for ((out, it), window) in self.frame.iter_mut().zip(samples).zip(&self.window) {
            let now = it - mean;
            *out = (now - PREEMPHASIS * last) * SCALE * window;
            last = now;
        }
        self.frame[WINDOW..].fill(0.0);
        self.fft
            .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers have the sizes of the plan");
        let mut mel = [0.0_f32; DIM];
        for (out, (first, weights)) in mel.iter_mut().zip(&self.bands) {
            let energy: f32 = self.spectrum[*first..].iter().zip(weights).map(|(bin, weight)| bin.norm_sqr() * weight).sum();
            *out = energy.max(f32::EPSILON).ln();
        }
        let row = |row: &[f32]| row.iter().zip(&mel).map(|(a, b)| a * b).sum::<f32>();
        frames.extend(self.cosines.chunks_exact(DIM).map(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames 0 and 2 of the signal below, from kaldi-native-fbank with dither 0.
    const KALDI: [[f32; DIM]; 2] = [
        [
            110.7206, -2.2880, 42.9394, 33.3070, 25.3965, 7.1593, -15.6855, -35.2302, -40.7954, -32.2386, -17.3752, -11.5752,
            -6.4609, 3.1982, 8.9003, -6.6679, 3.8836, -9.9707, -7.2806, 0.6605, 2.2426, -0.3556, -0.1526, 0.2035, 0.1460, 1.0153,
            -0.9474, -4.5610, 5.1776, 2.6085, 4.6437, -3.5330, -4.5660, 1.1771, 0.1129, 0.5648, 0.7762, 0.5099, 2.5471, -2.3103,
        ],
        [
            112.4028, -7.7107, 10.1229, -31.7836, -73.5186, -89.3994, -57.1069, -12.4056, 12.1926, 28.8219, 28.7090, -6.7224,
            -5.4244, -7.3691, -1.1329, 7.5786, 6.3232, 1.2024, -3.2198, 1.3277, -0.7435, 0.7503, 0.0216, 0.0112, -1.2735,
            -0.5174, 1.5774, 1.1978, -2.3473, -3.8433, 1.8277, 1.5992, -2.2240, -0.6261, 1.4090, 2.4799, -3.2723, -0.7675,
            1.6072, -0.1715,
        ],
    ];

    #[test]
    fn the_values_are_those_of_kaldi() {
        let mut seed = 1_u32;
        let mut signal = Vec::new();
        for i in 0..720 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(seed >> 8) / 8_388_608.0 - 1.0;
            signal.push((0.3 * (f64::from(i * i) * 2e-4).sin() + 0.01 * noise + 0.05) as f32);
        }
        let mut frames = Vec::new();
        let mut mfcc = Mfcc::default();
        for part in signal.chunks(77) {
            mfcc.feed(part, &mut frames);
        }
        assert_eq!(frames.len(), 3 * DIM);
        for (at, expected) in [0, 2].into_iter().zip(KALDI) {
            let worst = frames[at * DIM..].iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 2e-3, "frame {at} differs by {worst}");
        }
    }
}
