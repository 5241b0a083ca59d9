//! Convolution with a long impulse response, frame by frame, by fast Fourier transforms (uniform partitions, overlap-save).

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::FRAME;

const BLOCK: usize = 2 * FRAME;
const BINS: usize = FRAME + 1;

/// Convolves frames of 10 ms with an impulse response of any length.
pub struct Convolver {
    forward: Arc<dyn RealToComplex<f32>>,
    backward: Arc<dyn ComplexToReal<f32>>,
    /// The response, a frame at a time, transformed.
    parts: Vec<Vec<Complex<f32>>>,
    /// The last inputs, transformed; `newest` is the place of the newest.
    past: Vec<Vec<Complex<f32>>>,
    newest: usize,
    input: Vec<f32>,
    block: Vec<f32>,
    sum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl Convolver {
    /// A convolver that has heard nothing yet.
    pub fn new(response: &[f32]) -> Convolver {
        let mut planner = RealFftPlanner::new();
        let (forward, backward) = (planner.plan_fft_forward(BLOCK), planner.plan_fft_inverse(BLOCK));
        let scratch_len = forward.get_scratch_len().max(backward.get_scratch_len());
        let mut it = Convolver {
            forward,
            backward,
            parts: Vec::new(),
            past: Vec::new(),
            newest: 0,
            input: vec![0.0; BLOCK],
            block: vec![0.0; BLOCK],
            sum: vec![Complex::default(); BINS],
            scratch: vec![Complex::default(); scratch_len],
        };
        for part in response.chunks(FRAME).chain(response.is_empty().then_some(&[0.0][..])) {
            it.block.fill(0.0);
            it.block[..part.len()].copy_from_slice(part);
            let mut bins = vec![Complex::default(); BINS];
            it.transform(&mut bins);
            it.parts.push(bins);
            it.past.push(vec![Complex::default(); BINS]);
        }
        it
    }

    /// Transforms `block` into `bins`.
    fn transform(&mut self, bins: &mut [Complex<f32>]) {
        let needed = self.forward.get_scratch_len();
        self.forward
            .process_with_scratch(&mut self.block, bins, &mut self.scratch[..needed])
            .expect("the lengths are those of the plan");
    }

    /// Fills `out` with the response to everything heard so far, `frame` included.
    pub fn process(&mut self, frame: &[f32; FRAME], out: &mut [f32; FRAME]) {
        self.input.copy_within(FRAME.., 0);
        self.input[FRAME..].copy_from_slice(frame);
        self.block.copy_from_slice(&self.input);
        self.newest = (self.newest + self.past.len() - 1) % self.past.len();
        let mut bins = std::mem::take(&mut self.past[self.newest]);
        self.transform(&mut bins);
        self.past[self.newest] = bins;
        self.sum.fill(Complex::default());
        for (n, part) in self.parts.iter().enumerate() {
            let past = &self.past[(self.newest + n) % self.past.len()];
            for (sum, (a, b)) in self.sum.iter_mut().zip(part.iter().zip(past)) {
                *sum += a * b;
            }
        }
        // The transform of a real signal is real at both ends.
        self.sum[0].im = 0.0;
        self.sum[BINS - 1].im = 0.0;
        let needed = self.backward.get_scratch_len();
        self.backward
            .process_with_scratch(&mut self.sum, &mut self.block, &mut self.scratch[..needed])
            .expect("the lengths are those of the plan");
        for (sample, value) in out.iter_mut().zip(&self.block[FRAME..]) {
            *sample = value / BLOCK as f32;
        }
    }
}

/// The whole response to a clip, its reverberation included.
pub fn whole(clip: &[f32], response: &[f32]) -> Vec<f32> {
    let mut convolver = Convolver::new(response);
    let length = clip.len() + response.len();
    let mut all = Vec::with_capacity(length + FRAME);
    let mut frames = clip.chunks(FRAME);
    while all.len() < length {
        let (mut frame, mut out) = ([0.0; FRAME], [0.0; FRAME]);
        if let Some(next) = frames.next() {
            frame[..next.len()].copy_from_slice(next);
        }
        convolver.process(&frame, &mut out);
        all.extend_from_slice(&out);
    }
    all.truncate(length);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_what_plain_convolution_does() {
        let response: Vec<f32> = (0..1100).map(|it| ((it * 37 % 101) as f32 / 50.0 - 1.0) / (1.0 + it as f32 / 100.0)).collect();
        let clip: Vec<f32> = (0..2000).map(|it| (it * 53 % 97) as f32 / 48.0 - 1.0).collect();
        let fast = whole(&clip, &response);
        for n in [0, 1, 479, 480, 481, 1500, 2500, 3000] {
            let plain: f32 =
                (0..=n).filter(|k| *k < clip.len() && n - k < response.len()).map(|k| clip[k] * response[n - k]).sum();
            assert!((plain - fast[n]).abs() < 1e-2, "{n}: {plain} {}", fast[n]);
        }
    }
}
