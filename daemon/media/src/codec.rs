//! Codecs: 48 kHz frames to payloads and back.
//!
//! Opus and G.711. G.722 is left out: no maintained crate has it.

use opus::{Application, Bitrate, Channels};

use crate::FRAME;
use crate::g711;
use crate::party::CodecKind;
use crate::resample::{Decimator, Interpolator};

/// Samples at 48 kHz in one packet that we send: 20 ms, the ptime that everybody takes.
pub const PACKET: usize = 2 * FRAME;
/// The longest packet that is decoded, in samples at 48 kHz: 120 ms (RFC 7587).
pub const LONGEST: usize = 5760;
/// What Opus spends per second.
const BITS: i32 = 28_000;
/// How hard it searches, 0 to 10.
const COMPLEXITY: i32 = 5;
/// G.711 runs at a sixth of the engine's rate.
const NARROW: usize = 6;

/// Why a codec could not be made: out of memory, or a library without it.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare the {kind:?} codec: {why}")]
pub struct CodecError {
    kind: CodecKind,
    why: opus::Error,
}

/// How a codec counts time in RTP, per second.
pub fn clock_hz(kind: CodecKind) -> u32 {
    match kind {
        CodecKind::Opus => 48_000,
        CodecKind::Pcma | CodecKind::Pcmu => 8_000,
    }
}

/// 48 kHz samples per tick of the codec's RTP clock.
pub fn samples_per_tick(kind: CodecKind) -> usize {
    48_000 / clock_hz(kind) as usize
}

/// Makes payloads. No heap once made.
pub struct Encoder {
    kind: CodecKind,
    opus: Option<opus::Encoder>,
    narrow: Decimator,
}

impl Encoder {
    /// An encoder; Opus at 28 kb/s with in-band FEC.
    ///
    /// # Errors
    /// When libopus has no memory.
    pub fn new(kind: CodecKind) -> Result<Encoder, CodecError> {
        let opus = || {
            let mut it = opus::Encoder::new(48_000, Channels::Mono, Application::Voip)?;
            it.set_bitrate(Bitrate::Bits(BITS))?;
            it.set_complexity(COMPLEXITY)?;
            it.set_inband_fec(true)?;
            it.set_packet_loss_perc(10)?;
            it.set_signal(opus::Signal::Voice)?;
            Ok(it)
        };
        let opus = match kind {
            CodecKind::Opus => Some(opus().map_err(|why| CodecError { kind, why })?),
            CodecKind::Pcma | CodecKind::Pcmu => None,
        };
        Ok(Encoder { kind, opus, narrow: Decimator::new(NARROW) })
    }

    /// Spends bandwidth in place of work, or lets it be: 40 kb/s without search sound as 28 kb/s with it, for half of the work.
    pub fn economise(&mut self, on: bool) {
        let Some(opus) = &mut self.opus else { return };
        let (bits, complexity) = if on { (40_000, 1) } else { (BITS, COMPLEXITY) };
        // An encoder that cannot be told goes on as it is.
        let _ = opus.set_bitrate(Bitrate::Bits(bits));
        let _ = opus.set_complexity(complexity);
    }

    /// Encodes 20 ms into `payload`; returns its length, 0 when the encoder failed.
    pub fn encode(&mut self, samples: &[f32; PACKET], payload: &mut [u8]) -> usize {
        let law = match self.kind {
            CodecKind::Opus => {
                return self.opus.as_mut().and_then(|it| it.encode_float(samples, payload).ok()).unwrap_or(0);
            }
            CodecKind::Pcma => g711::encode_a,
            CodecKind::Pcmu => g711::encode_u,
        };
        let mut narrow = [0.0; PACKET / NARROW];
        self.narrow.process(samples, &mut narrow);
        for (byte, sample) in payload.iter_mut().zip(narrow) {
            *byte = law((sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16);
        }
        narrow.len().min(payload.len())
    }
}

/// Reads payloads. No heap once made.
pub struct Decoder {
    kind: CodecKind,
    opus: Option<opus::Decoder>,
    wide: Interpolator,
}

impl Decoder {
    /// A decoder.
    ///
    /// # Errors
    /// When libopus has no memory.
    pub fn new(kind: CodecKind) -> Result<Decoder, CodecError> {
        let opus = match kind {
            CodecKind::Opus => Some(opus::Decoder::new(48_000, Channels::Mono).map_err(|why| CodecError { kind, why })?),
            CodecKind::Pcma | CodecKind::Pcmu => None,
        };
        Ok(Decoder { kind, opus, wide: Interpolator::new(NARROW) })
    }

    /// How many samples at 48 kHz a payload holds; 0 for what cannot be decoded.
    pub fn duration(&self, payload: &[u8]) -> usize {
        let n = match self.kind {
            CodecKind::Opus => opus::packet::get_nb_samples(payload, 48_000).unwrap_or(0),
            CodecKind::Pcma | CodecKind::Pcmu => payload.len() * NARROW,
        };
        if n > LONGEST { 0 } else { n }
    }

    /// Decodes a payload to the front of `out`; returns how many samples, 0 for garbage.
    pub fn decode(&mut self, payload: &[u8], out: &mut [f32; LONGEST]) -> usize {
        let law = match self.kind {
            CodecKind::Opus => {
                if payload.is_empty() {
                    return 0;
                }
                let n = self.opus.as_mut().and_then(|it| it.decode_float(payload, out, false).ok()).unwrap_or(0);
                tame(&mut out[..n]);
                return n;
            }
            CodecKind::Pcma => g711::decode_a,
            CodecKind::Pcmu => g711::decode_u,
        };
        let mut narrow = [0.0; LONGEST / NARROW];
        let n = payload.len().min(narrow.len());
        for (sample, byte) in narrow.iter_mut().zip(payload) {
            *sample = law(*byte) as f32 / 32_768.0;
        }
        for (input, output) in narrow[..n].chunks(80).zip(out.chunks_mut(80 * NARROW)) {
            self.wide.process(input, &mut output[..input.len() * NARROW]);
        }
        n * NARROW
    }

    /// Rebuilds the `n` samples before a payload from the copy of them that it carries (Opus in-band FEC); 0 when it carries none.
    pub fn recover(&mut self, next_payload: &[u8], n: usize, out: &mut [f32; LONGEST]) -> usize {
        let Some(opus) = &mut self.opus else { return 0 };
        if next_payload.is_empty() || n == 0 || !n.is_multiple_of(120) || n > LONGEST {
            return 0;
        }
        let n = opus.decode_float(next_payload, &mut out[..n], true).unwrap_or(0);
        tame(&mut out[..n]);
        n
    }

    /// Invents 10 ms as the decoder would go on; 0 when the codec cannot.
    pub fn conceal(&mut self, out: &mut [f32; LONGEST]) -> usize {
        let Some(opus) = &mut self.opus else { return 0 };
        let n = opus.decode_float(&[], &mut out[..FRAME], false).unwrap_or(0);
        tame(&mut out[..n]);
        n
    }

    /// Forgets the past, for a stream that begins anew.
    pub fn reset(&mut self) {
        if let Some(opus) = &mut self.opus {
            // A decoder that cannot be reset keeps its past: a click, nothing more.
            let _ = opus.reset_state();
        }
    }
}

/// Garbage may decode to anything; what leaves here is finite and at most a little over full scale.
fn tame(samples: &mut [f32]) {
    for sample in samples {
        *sample = if sample.is_finite() { sample.clamp(-2.0, 2.0) } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter;

    fn tone(n: usize) -> Vec<f32> {
        (0..n).map(|it| 0.3 * (std::f32::consts::TAU * 500.0 * it as f32 / 48_000.0).sin()).collect()
    }

    #[test]
    fn a_tone_survives_every_codec() {
        for kind in [CodecKind::Opus, CodecKind::Pcma, CodecKind::Pcmu] {
            let (mut encoder, mut decoder) = (Encoder::new(kind).unwrap(), Decoder::new(kind).unwrap());
            let (mut heard, mut out) = (Vec::new(), [0.0; LONGEST]);
            for frame in tone(48_000).chunks_exact(PACKET) {
                let mut payload = [0; 1280];
                let n = encoder.encode(frame.try_into().unwrap(), &mut payload);
                assert!(n > 0 && decoder.duration(&payload[..n]) == PACKET);
                let n = decoder.decode(&payload[..n], &mut out);
                heard.extend_from_slice(&out[..n]);
            }
            assert_eq!(heard.len(), 48_000);
            let (level, wanted) = (meter::dbfs(meter::power(&heard[9600..])), meter::dbfs(0.045));
            assert!((level - wanted).abs() < 1.0, "{kind:?} {level} {wanted}");
        }
    }

    #[test]
    fn garbage_never_panics_and_never_deafens() {
        let mut seed = 1u32;
        for kind in [CodecKind::Opus, CodecKind::Pcma, CodecKind::Pcmu] {
            let (mut decoder, mut out) = (Decoder::new(kind).unwrap(), [0.0; LONGEST]);
            for length in (0..1280).step_by(3) {
                let payload: Vec<u8> = (0..length)
                    .map(|_| {
                        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (seed >> 24) as u8
                    })
                    .collect();
                let said = decoder.duration(&payload);
                assert!(said <= LONGEST);
                let n = decoder.decode(&payload, &mut out);
                assert!(n <= LONGEST && out[..n].iter().all(|it| it.abs() <= 2.0));
                decoder.recover(&payload, 960, &mut out);
                decoder.conceal(&mut out);
            }
            decoder.reset();
        }
    }
}
