//! Clips: sounds of a known length, ready in memory, so that playing them costs the sound thread nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rodio::{ChannelCount, SampleRate, Source};

use crate::{RATE_HZ, resample, wav};

/// Anything that the engine plays: 48 kHz, mono, and its `next` must not allocate, lock or wait.
pub type Sound = Box<dyn Source<Item = f32> + Send>;

/// Clips end here, whatever the source says.
const LONGEST_S: usize = 600;

/// Samples in memory. Cheap to clone: the samples are shared.
#[derive(Clone)]
pub struct Clip {
    samples: Arc<[f32]>,
    next: usize,
}

impl Clip {
    /// A clip of mono samples at any rate.
    pub fn new(samples: &[f32], rate_hz: u32) -> Clip {
        let mut samples = resample::convert(samples, rate_hz, RATE_HZ);
        samples.truncate(LONGEST_S * RATE_HZ as usize);
        Clip { samples: samples.into(), next: 0 }
    }

    /// A decoded sound file.
    ///
    /// # Errors
    /// When the file is missing or broken.
    pub fn open(file: &Path) -> Result<Clip, wav::WavError> {
        let (samples, rate_hz) = wav::read_as_is(file)?;
        Ok(Clip::new(&samples, rate_hz))
    }

    /// The samples at 48 kHz.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// As something to play.
    pub fn sound(&self) -> Sound {
        Box::new(self.clone())
    }
}

/// Makes any rodio source of limited length into something that the sound thread may play.
pub fn prepare(source: impl Source<Item = f32>) -> Sound {
    let (n_channels, rate_hz) = (source.channels().get() as usize, source.sample_rate().get());
    let interleaved: Vec<f32> = source.take(LONGEST_S * rate_hz as usize * n_channels).collect();
    let mono: Vec<f32> = interleaved.chunks(n_channels).map(|it| it.iter().sum::<f32>() / n_channels as f32).collect();
    Clip::new(&mono, rate_hz).sound()
}

/// Makes mono samples at any rate into something to play.
pub fn from_samples(samples: &[f32], rate_hz: u32) -> Sound {
    Clip::new(samples, rate_hz).sound()
}

impl Iterator for Clip {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        let sample = self.samples.get(self.next).copied();
        self.next += 1;
        sample
    }
}

impl Source for Clip {
    fn current_span_len(&self) -> Option<usize> {
        None
    }

    fn channels(&self) -> ChannelCount {
        ChannelCount::MIN
    }

    fn sample_rate(&self) -> SampleRate {
        const { SampleRate::new(RATE_HZ).expect("48 kHz is not zero") }
    }

    fn total_duration(&self) -> Option<Duration> {
        Some(Duration::from_secs_f64(self.samples.len() as f64 / RATE_HZ as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_source_becomes_48_khz_mono() {
        let stereo = rodio::buffer::SamplesBuffer::new(
            ChannelCount::new(2).unwrap(),
            SampleRate::new(22_050).unwrap(),
            [0.5f32, -0.1].repeat(22_050),
        );
        let sound = prepare(stereo);
        assert_eq!((sound.channels().get(), sound.sample_rate().get()), (1, 48_000));
        let samples: Vec<f32> = sound.collect();
        assert!(samples.len().abs_diff(48_000) < 5);
        assert!((samples[24_000] - 0.2).abs() < 0.01);
    }
}
