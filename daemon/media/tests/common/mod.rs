//! Measures, and where the recordings are.
#![allow(dead_code, reason = "each test uses some of it")]

use std::path::PathBuf;

/// The recordings beside the workspace, if they are there.
pub fn recordings(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(folder);
    if !path.is_dir() {
        println!("skipped: no recordings");
        return None;
    }
    Some(path)
}

pub fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|it| (*it as f64).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

pub fn db(ratio: f64) -> f64 {
    10.0 * ratio.max(1e-12).log10()
}

/// Scale-invariant signal-to-distortion ratio in dB, at the best delay of `it` behind `wanted` (up to 60 ms).
pub fn si_sdr(wanted: &[f32], it: &[f32], rate_hz: usize) -> f64 {
    (0..rate_hz * 60 / 1000)
        .step_by((rate_hz / 16_000).max(1))
        .map(|delay| {
            let n = wanted.len().min(it.len().saturating_sub(delay));
            let (w, x) = (&wanted[..n], &it[delay..delay + n]);
            let dot: f64 = w.iter().zip(x).map(|(a, b)| *a as f64 * *b as f64).sum();
            let energy: f64 = w.iter().map(|a| (*a as f64).powi(2)).sum();
            let gain = dot / energy.max(1e-12);
            let (mut signal, mut rest) = (0.0, 0.0);
            for (a, b) in w.iter().zip(x) {
                let target = gain * *a as f64;
                signal += target * target;
                rest += (*b as f64 - target).powi(2);
            }
            db(signal / rest.max(1e-20))
        })
        .fold(f64::MIN, f64::max)
}

/// Speech-like sound that never ends: vowels of changing pitch, hisses and pauses. The same for the same seed.
pub fn babble(seed: u32, seconds: f32, rate_hz: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32
    };
    let total = (seconds * rate_hz as f32) as usize;
    let mut out = Vec::with_capacity(total);
    while out.len() < total {
        let length = ((0.08 + 0.2 * random()) * rate_hz as f32) as usize;
        let kind = random();
        let pitch = 90.0 + 130.0 * random();
        let formants = [300.0 + 500.0 * random(), 900.0 + 1400.0 * random(), 2400.0 + 900.0 * random()];
        let loud = 0.3 + 0.7 * random();
        let mut phase = 0.0f32;
        for n in 0..length {
            let t = n as f32 / length as f32;
            let envelope = (std::f32::consts::PI * t).sin().sqrt();
            let sample = if kind < 0.65 {
                phase += pitch * (1.0 + 0.1 * t) / rate_hz as f32;
                (1..28)
                    .map(|k| {
                        let hz = k as f32 * pitch;
                        let gain: f32 = formants.iter().map(|f| 1.0 / (1.0 + ((hz - f) / 90.0).powi(2))).sum();
                        (0.03 + gain) * (std::f32::consts::TAU * (phase * k as f32).fract()).sin()
                    })
                    .sum::<f32>()
                    * 0.16
            } else if kind < 0.8 {
                0.12 * (random() * 2.0 - 1.0)
            } else {
                0.0
            };
            out.push(sample * envelope * loud * 0.5);
        }
    }
    out.truncate(total);
    out
}

/// Extended short-time objective intelligibility (Jensen and Taal, 2016) at 16 kHz, 1 = perfect, at the best delay up to 40 ms.
pub fn estoi(wanted: &[f32], it: &[f32]) -> f64 {
    let clean = bands(wanted);
    let scores = (0..40).step_by(4).map(|ms| score(&clean, &bands(&it[ms * 16..])));
    scores.fold(f64::MIN, f64::max)
}

const BANDS: usize = 15;
const SEGMENT: usize = 24;

/// Levels in third octaves from 150 Hz, every 16 ms.
fn bands(samples: &[f32]) -> Vec<[f64; BANDS]> {
    let mut planner = realfft::RealFftPlanner::<f32>::new();
    let fft = planner.plan_fft_forward(512);
    let mut bins = fft.make_output_vec();
    let frames = samples.windows(512).step_by(256).map(|window| {
        let hann = |n: usize| 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / 512.0).cos();
        let mut block: Vec<f32> = window.iter().enumerate().map(|(n, x)| x * hann(n)).collect();
        fft.process(&mut block, &mut bins).unwrap();
        std::array::from_fn(|band| {
            let middle = 150.0 * 2f64.powf(band as f64 / 3.0);
            let (low, high) = (middle / 2f64.powf(1.0 / 6.0), middle * 2f64.powf(1.0 / 6.0));
            let inside = |n: &usize| (low..high).contains(&(*n as f64 * 31.25));
            (0..257).filter(inside).map(|n| bins[n].norm_sqr() as f64).sum::<f64>().sqrt()
        })
    });
    frames.collect()
}

fn score(clean: &[[f64; BANDS]], other: &[[f64; BANDS]]) -> f64 {
    let loudest = clean.iter().map(|it| it.iter().map(|x| x * x).sum::<f64>()).fold(0.0, f64::max);
    // Frames 40 dB below the loudest do not count.
    let heard: Vec<usize> =
        (0..clean.len().min(other.len())).filter(|n| clean[*n].iter().map(|x| x * x).sum::<f64>() > loudest * 1e-4).collect();
    let scores: Vec<f64> = heard
        .windows(SEGMENT)
        .step_by(4)
        .map(|segment| {
            let (x, y) = (normal(segment, clean), normal(segment, other));
            x.iter().zip(&y).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>()).sum::<f64>() / SEGMENT as f64
        })
        .collect();
    scores.iter().sum::<f64>() / scores.len().max(1) as f64
}

/// A segment with its rows (bands over time), then its columns (spectra), brought to zero mean and unit length.
fn normal(segment: &[usize], levels: &[[f64; BANDS]]) -> Vec<Vec<f64>> {
    let mut columns: Vec<Vec<f64>> = segment.iter().map(|n| levels[*n].to_vec()).collect();
    for band in 0..BANDS {
        let mut row: Vec<f64> = columns.iter().map(|it| it[band]).collect();
        unit(&mut row);
        columns.iter_mut().zip(row).for_each(|(column, x)| column[band] = x);
    }
    columns.iter_mut().for_each(|it| unit(it));
    columns
}

fn unit(values: &mut [f64]) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|it| *it -= mean);
    let length = values.iter().map(|it| it * it).sum::<f64>().sqrt().max(1e-12);
    values.iter_mut().for_each(|it| *it /= length);
}
