//! Sound files: any WAV, FLAC or Ogg Vorbis in, at any rate; WAV out.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use rodio::{Decoder, Source};

use crate::resample;

/// Longer files are refused: they would fill the memory.
const LONGEST_S: u64 = 4 * 3600;

/// Why a sound file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// Cannot be opened.
    #[error("cannot open sound file `{}`: {source}; check the path and that the file may be read", file.display())]
    Open {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Is no sound file, or a broken one.
    #[error("`{}` is not a sound file that can be read: {why}; give a WAV, FLAC or Ogg Vorbis file", file.display())]
    Format {
        /// Which.
        file: PathBuf,
        /// What the decoder said.
        why: String,
    },
    /// Holds no sound.
    #[error("sound file `{}` holds no sound; is it cut off?", file.display())]
    Empty {
        /// Which.
        file: PathBuf,
    },
    /// Too long.
    #[error("sound file `{}` is longer than {} hours; cut it into parts", file.display(), LONGEST_S / 3600)]
    TooLong {
        /// Which.
        file: PathBuf,
    },
    /// Cannot be written.
    #[error("cannot write sound file `{}`: {why}; check that the folder exists and has room", file.display())]
    Write {
        /// Which.
        file: PathBuf,
        /// Why.
        why: String,
    },
}

/// Reads a sound file as mono at its own rate: samples and rate.
///
/// # Errors
/// When the file is missing, broken, empty or absurdly long.
pub fn read_as_is(file: &Path) -> Result<(Vec<f32>, u32), WavError> {
    let opened = File::open(file).map_err(|source| WavError::Open { file: file.into(), source })?;
    let length = opened.metadata().map(|it| it.len()).unwrap_or(0);
    let why = |why: String| WavError::Format { file: file.into(), why };
    if length == 0 {
        return Err(why("it is empty".into()));
    }
    let decoder = Decoder::builder()
        .with_data(BufReader::new(opened))
        .with_byte_len(length)
        .with_seekable(true)
        .with_gapless(true)
        .build()
        .map_err(|it| why(it.to_string()))?;
    let (n_channels, rate_hz) = (decoder.channels().get() as usize, decoder.sample_rate().get());
    let most = LONGEST_S as usize * rate_hz as usize;
    let (mut mono, mut sum, mut n) = (Vec::new(), 0.0, 0);
    for sample in decoder {
        sum += if sample.is_finite() { sample } else { 0.0 };
        n += 1;
        if n == n_channels {
            mono.push(sum / n_channels as f32);
            (sum, n) = (0.0, 0);
            if mono.len() > most {
                return Err(WavError::TooLong { file: file.into() });
            }
        }
    }
    if mono.is_empty() { Err(WavError::Empty { file: file.into() }) } else { Ok((mono, rate_hz)) }
}

/// Reads a sound file as mono at `rate_hz`.
///
/// # Errors
/// When the file is missing, broken, empty or absurdly long.
pub fn read(file: &Path, rate_hz: u32) -> Result<Vec<f32>, WavError> {
    let (samples, from_hz) = read_as_is(file)?;
    Ok(resample::convert(&samples, from_hz, rate_hz))
}

/// Writes mono samples as a 16-bit WAV file.
///
/// # Errors
/// When the file cannot be created or the disk is full.
pub fn write(file: &Path, samples: &[f32], rate_hz: u32) -> Result<(), WavError> {
    let spec = hound::WavSpec { channels: 1, sample_rate: rate_hz, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let written = || {
        let mut writer = hound::WavWriter::create(file, spec)?;
        for sample in samples {
            writer.write_sample((sample * 32767.0).round().clamp(-32768.0, 32767.0) as i16)?;
        }
        writer.finalize()
    };
    written().map_err(|it| WavError::Write { file: file.into(), why: it.to_string() })
}
