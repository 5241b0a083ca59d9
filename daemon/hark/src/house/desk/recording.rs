//! What was said here as it travels: levelled, in Opus, each packet of 20 ms after its length in two bytes.

use media::codec::{Decoder, Encoder, LONGEST, PACKET};
use media::party::CodecKind;
use media::{EARS_RATE_HZ, RATE_HZ, meter, mixer, resample};

/// No announcement is longer.
pub const LONGEST_S: usize = 60;
/// The loudness of speech that prompts have too.
const WANTED_DBFS: f32 = -20.0;
/// A whisper becomes no shout.
const GAIN_AT_MOST_DB: f32 = 24.0;
/// The longest Opus packet (RFC 6716, section 3.4).
const LONGEST_PACKET: usize = 1275;
/// Pauses do not count for the loudness.
const PAUSE_DB: f32 = 20.0;

/// Why a recording cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Junk {
    /// The lengths do not add up.
    #[error("its packets are cut short")]
    CutShort,
    /// Some packet is not Opus.
    #[error("it is not Opus")]
    NotOpus,
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// Too much in it.
    #[error("it is longer than {LONGEST_S} s")]
    TooLong,
    /// The library has no memory.
    #[error("the codec cannot be made: {0}")]
    NoCodec(String),
}

/// Encodes what was recorded, mono at 16 kHz.
///
/// # Errors
/// When nothing was recorded, or there is no memory.
pub fn encode(recorded: &[f32]) -> Result<Vec<u8>, Junk> {
    let recorded = &recorded[..recorded.len().min(LONGEST_S * EARS_RATE_HZ as usize)];
    if recorded.is_empty() {
        return Err(Junk::Empty);
    }
    let mut samples = resample::convert(recorded, EARS_RATE_HZ, RATE_HZ);
    level(&mut samples);
    let mut encoder = Encoder::new(CodecKind::Opus).map_err(|it| Junk::NoCodec(it.to_string()))?;
    let mut out = Vec::new();
    for chunk in samples.chunks(PACKET) {
        let (mut frame, mut packet) = ([0.0; PACKET], [0; LONGEST_PACKET]);
        frame[..chunk.len()].copy_from_slice(chunk);
        let n = encoder.encode(&frame, &mut packet);
        out.extend((n as u16).to_be_bytes());
        out.extend(&packet[..n]);
    }
    Ok(out)
}

/// Decodes a recording from another speaker to 48 kHz.
///
/// # Errors
/// When it is none.
pub fn decode(blob: &[u8]) -> Result<Vec<f32>, Junk> {
    let mut decoder = Decoder::new(CodecKind::Opus).map_err(|it| Junk::NoCodec(it.to_string()))?;
    let (mut samples, mut out, mut rest) = (Vec::new(), [0.0; LONGEST], blob);
    while !rest.is_empty() {
        let (length, after) = rest.split_at_checked(2).ok_or(Junk::CutShort)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let (packet, after) = after.split_at_checked(length).ok_or(Junk::CutShort)?;
        if length > LONGEST_PACKET || decoder.duration(packet) == 0 {
            return Err(Junk::NotOpus);
        }
        let n = decoder.decode(packet, &mut out);
        if n == 0 {
            return Err(Junk::NotOpus);
        }
        samples.extend_from_slice(&out[..n]);
        if samples.len() > LONGEST_S * RATE_HZ as usize + PACKET {
            return Err(Junk::TooLong);
        }
        rest = after;
    }
    if samples.is_empty() { Err(Junk::Empty) } else { Ok(samples) }
}

/// Brings speech to the loudness that people expect of the speaker, never beyond full scale.
fn level(samples: &mut [f32]) {
    let powers: Vec<f32> = samples.chunks(PACKET).map(meter::power).collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    let spoken = powers.iter().filter(|it| **it >= loudest * meter::gain(-PAUSE_DB).powi(2));
    let (n, sum) = spoken.fold((0, 0.0), |(n, sum), it| (n + 1, sum + it));
    let now_dbfs = meter::dbfs(sum / n.max(1) as f32);
    let gain = meter::gain((WANTED_DBFS - now_dbfs).min(GAIN_AT_MOST_DB));
    samples.iter_mut().for_each(|it| *it *= gain);
    mixer::limit(samples);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(gain: f32, seconds: f32) -> Vec<f32> {
        let n = (seconds * EARS_RATE_HZ as f32) as usize;
        let wave = |it: usize| gain * (it as f32 * 0.12).sin() * (it as f32 * 0.0011).sin();
        (0..n).map(wave).collect()
    }

    #[test]
    fn what_was_said_arrives_as_loud_as_a_prompt() {
        for gain in [0.02, 0.2, 0.9] {
            let heard = decode(&encode(&said(gain, 2.0)).unwrap()).unwrap();
            assert_eq!(heard.len(), 96_000);
            let level = meter::dbfs(meter::power(&heard[9_600..]));
            assert!((level - WANTED_DBFS).abs() < 3.0, "{gain}: {level}");
        }
        let whisper = decode(&encode(&said(0.0001, 1.0)).unwrap()).unwrap();
        assert!(meter::dbfs(meter::power(&whisper)) < -40.0, "silence stays silence");
    }

    #[test]
    fn a_minute_is_the_most() {
        let blob = encode(&said(0.2, 70.0)).unwrap();
        assert_eq!(decode(&blob).unwrap().len(), 60 * 48_000);
        assert_eq!(decode(&[&blob[..], &blob[..]].concat()), Err(Junk::TooLong));
        assert!(blob.len() < 300_000, "{}", blob.len());
    }

    #[test]
    fn junk_is_refused() {
        let blob = encode(&said(0.2, 0.2)).unwrap();
        assert_eq!(encode(&[]), Err(Junk::Empty));
        assert_eq!(decode(&[]), Err(Junk::Empty));
        assert_eq!(decode(&blob[..blob.len() - 1]), Err(Junk::CutShort));
        assert_eq!(decode(&[9]), Err(Junk::CutShort));
        assert_eq!(decode(&[0, 0, 0, 0]), Err(Junk::NotOpus));
        assert_eq!(decode(&[0, 3, 255, 255, 255]), Err(Junk::NotOpus));
        let mut seed = 7u32;
        for n in 0..500 {
            let junk: Vec<u8> = (0..n)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            // Whatever it is, nothing breaks.
            let _ = decode(&junk);
        }
    }
}
