//! Tones: what a telephone says without words, how it rings, and short earcons.
//!
//! Cadences and frequencies are those of ITU-T E.180 Supplement 2.

use std::f32::consts::TAU;
use std::time::Duration;

use rodio::{ChannelCount, SampleRate, Source};

use crate::RATE_HZ;
use crate::clip::{Clip, Sound};

/// Whose telephone tones are played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Region {
    /// One tone of 425 Hz with the cadences that most of Europe uses.
    #[default]
    Europe,
    /// Two tones, as in the United States and Canada.
    America,
    /// The double ring of the United Kingdom and Ireland.
    Britain,
}

/// Loudness of call progress tones.
const LEVEL: f32 = 0.12;
/// How long a tone takes to come and go, so that it does not click.
const RAMP_S: f32 = 0.008;

/// The other side is ringing.
pub fn ringback(region: Region) -> Sound {
    match region {
        Region::Europe => Tone::sound(&[425.0], &[(1.0, 4.0)]),
        Region::America => Tone::sound(&[440.0, 480.0], &[(2.0, 4.0)]),
        Region::Britain => Tone::sound(&[400.0, 450.0], &[(0.4, 0.2), (0.4, 2.0)]),
    }
}

/// The other side is busy.
pub fn busy(region: Region) -> Sound {
    match region {
        Region::Europe => Tone::sound(&[425.0], &[(0.5, 0.5)]),
        Region::America => Tone::sound(&[480.0, 620.0], &[(0.5, 0.5)]),
        Region::Britain => Tone::sound(&[400.0], &[(0.375, 0.375)]),
    }
}

/// The call could not be made (congestion).
pub fn congestion(region: Region) -> Sound {
    match region {
        Region::Europe => Tone::sound(&[425.0], &[(0.2, 0.2)]),
        Region::America => Tone::sound(&[480.0, 620.0], &[(0.25, 0.25)]),
        Region::Britain => Tone::sound(&[400.0], &[(0.4, 0.35), (0.225, 0.525)]),
    }
}

/// Somebody else calls during a call.
pub fn call_waiting(region: Region) -> Sound {
    match region {
        Region::Europe => Tone::sound(&[425.0], &[(0.2, 0.2), (0.2, 9.0)]),
        Region::America => Tone::sound(&[440.0], &[(0.3, 9.7)]),
        Region::Britain => Tone::sound(&[400.0], &[(0.1, 3.0)]),
    }
}

/// One DTMF digit of 150 ms (ITU-T Q.23), for the ear of who dials; `None` for anything but `0-9*#A-D`.
pub fn dtmf(digit: char) -> Option<Sound> {
    const ROWS: [(&str, f32); 4] = [("123A", 697.0), ("456B", 770.0), ("789C", 852.0), ("*0#D", 941.0)];
    let (keys, low) = ROWS.into_iter().find(|(keys, _)| keys.contains(digit.to_ascii_uppercase()))?;
    let high = [1209.0, 1336.0, 1477.0, 1633.0][keys.find(digit.to_ascii_uppercase())?];
    let samples: Vec<f32> = Tone::new(&[low, high], &[(0.15, 0.05)]).take(RATE_HZ as usize / 5).collect();
    Some(Clip::new(&samples, RATE_HZ).sound())
}

/// Somebody calls: a soft rising broken chord, twice, then a pause; for ever.
pub fn ring() -> Sound {
    let notes = [(0.0, 659.26), (0.16, 830.61), (0.32, 987.77), (0.48, 1318.51)];
    let twice: Vec<(f32, f32)> = notes.iter().chain(&notes.map(|(at, hz)| (at + 0.9, hz))).copied().collect();
    Box::new(Loop::of(&Clip::new(&chime(&twice, 0.55, 4.0, 0.22), RATE_HZ)))
}

/// The wake phrase was heard: speak now.
pub fn earcon_wake() -> Sound {
    earcon(&[(0.0, 880.0), (0.07, 1318.51)], 0.24)
}

/// Understood and done.
pub fn earcon_done() -> Sound {
    earcon(&[(0.0, 1318.51), (0.08, 1760.0)], 0.26)
}

/// Not understood, or it cannot be done.
pub fn earcon_sorry() -> Sound {
    earcon(&[(0.0, 440.0), (0.12, 349.23)], 0.36)
}

/// The other side answered.
pub fn earcon_connected() -> Sound {
    earcon(&[(0.0, 987.77), (0.06, 1318.51)], 0.22)
}

/// The call is over.
pub fn earcon_ended() -> Sound {
    earcon(&[(0.0, 659.26), (0.11, 493.88)], 0.36)
}

/// Another room is in the room: longer than the others, so that nobody misses it.
pub fn earcon_drop_in() -> Sound {
    earcon(&[(0.0, 523.25), (0.18, 659.26), (0.36, 783.99), (0.54, 1046.5)], 1.1)
}

/// Somebody came into the call.
pub fn earcon_joined() -> Sound {
    earcon(&[(0.0, 587.33), (0.08, 880.0)], 0.26)
}

/// Somebody left the call.
pub fn earcon_left() -> Sound {
    earcon(&[(0.0, 880.0), (0.08, 587.33)], 0.26)
}

fn earcon(notes: &[(f32, f32)], seconds: f32) -> Sound {
    Clip::new(&chime(notes, 0.12, seconds, 0.2), RATE_HZ).sound()
}

/// Bell-like notes: (start in s, Hz), how long they ring, the whole length, and the peak.
fn chime(notes: &[(f32, f32)], decay_s: f32, seconds: f32, level: f32) -> Vec<f32> {
    let rate = RATE_HZ as f32;
    let mut out = vec![0.0; (seconds * rate) as usize];
    for &(start, hz) in notes {
        let first = (start * rate) as usize;
        for (n, sample) in out.iter_mut().skip(first).enumerate() {
            let t = n as f32 / rate;
            let envelope = (t / 0.006).min(1.0) * (-t * 3.0 / decay_s).exp();
            let wave = (TAU * hz * t).sin() + 0.25 * (TAU * 2.0 * hz * t).sin() + 0.08 * (TAU * 3.01 * hz * t).sin();
            *sample += envelope * wave * level * 0.75;
        }
    }
    let fade = out.len().min(480);
    for (n, sample) in out.iter_mut().rev().take(fade).enumerate() {
        *sample *= n as f32 / fade as f32;
    }
    out
}

/// Up to two frequencies with a cadence, for ever.
#[derive(Clone)]
pub struct Tone {
    frequencies: [f32; 2],
    level: f32,
    cadence: [(f32, f32); 2],
    n_parts: usize,
    part: usize,
    at: u32,
}

impl Tone {
    /// A tone of these frequencies (the first two count) that is (on, off) for so many seconds (the first two pairs count).
    pub fn new(frequencies: &[f32], cadence: &[(f32, f32)]) -> Tone {
        let mut two = [0.0; 2];
        two.iter_mut().zip(frequencies).for_each(|(to, from)| *to = *from);
        let mut pairs = [(1.0, 0.0); 2];
        pairs.iter_mut().zip(cadence).for_each(|(to, from)| *to = *from);
        let level = LEVEL / (frequencies.len().clamp(1, 2) as f32).sqrt();
        Tone { frequencies: two, level, cadence: pairs, n_parts: cadence.len().clamp(1, 2), part: 0, at: 0 }
    }

    fn sound(frequencies: &[f32], cadence: &[(f32, f32)]) -> Sound {
        Box::new(Tone::new(frequencies, cadence))
    }
}

impl Iterator for Tone {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        let t = self.at as f32 / RATE_HZ as f32;
        let (on, off) = self.cadence[self.part];
        self.at += 1;
        if t >= on + off {
            self.at = 1;
            self.part = (self.part + 1) % self.n_parts;
            return Some(0.0);
        }
        if t >= on {
            return Some(0.0);
        }
        let envelope = (t / RAMP_S).min((on - t) / RAMP_S).clamp(0.0, 1.0);
        let wave: f32 = self.frequencies.iter().map(|hz| (TAU * (hz * t).fract()).sin()).sum();
        Some(envelope * wave * self.level)
    }
}

/// A clip, again and again.
struct Loop {
    clip: Clip,
    next: usize,
}

impl Loop {
    fn of(clip: &Clip) -> Loop {
        Loop { clip: clip.clone(), next: 0 }
    }
}

impl Iterator for Loop {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        let samples = self.clip.samples();
        let sample = *samples.get(self.next)?;
        self.next = (self.next + 1) % samples.len();
        Some(sample)
    }
}

macro_rules! endless_source {
    ($name:ty) => {
        impl Source for $name {
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
                None
            }
        }
    };
}
endless_source!(Tone);
endless_source!(Loop);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter;

    /// How strong `hz` is in the samples.
    fn strength(samples: &[f32], hz: f32) -> f32 {
        let (mut s, mut c) = (0.0, 0.0);
        for (n, x) in samples.iter().enumerate() {
            let w = TAU * (hz * n as f32 / RATE_HZ as f32).fract();
            s += x * w.sin();
            c += x * w.cos();
        }
        2.0 * (s * s + c * c).sqrt() / samples.len() as f32
    }

    fn seconds(sound: Sound, s: f32) -> Vec<f32> {
        sound.take((s * RATE_HZ as f32) as usize).collect()
    }

    #[test]
    fn ringback_has_the_frequency_and_the_cadence_of_its_region() {
        let tone = seconds(ringback(Region::Europe), 10.0);
        assert!(strength(&tone[4_800..43_200], 425.0) > 0.9 * LEVEL);
        assert!(meter::power(&tone[48_100..239_900]) == 0.0, "four seconds of silence");
        assert!(meter::power(&tone[245_000..280_000]) > 0.001, "and again");
        let tone = seconds(ringback(Region::America), 6.0);
        assert!(strength(&tone[..96_000], 440.0) > 0.6 * LEVEL && strength(&tone[..96_000], 480.0) > 0.6 * LEVEL);
    }

    #[test]
    fn call_waiting_beeps_twice_in_europe() {
        let tone = seconds(call_waiting(Region::Europe), 2.0);
        let loud: Vec<bool> = tone.chunks(4800).map(|it| meter::power(it) > 1e-4).collect();
        assert_eq!(loud[..8], [true, true, false, false, true, true, false, false]);
    }

    #[test]
    fn no_sound_starts_or_ends_with_a_click_or_is_too_loud() {
        let sounds = [
            ring(),
            busy(Region::America),
            congestion(Region::Europe),
            earcon_wake(),
            earcon_done(),
            earcon_sorry(),
            earcon_connected(),
            earcon_ended(),
            earcon_drop_in(),
            earcon_joined(),
            earcon_left(),
            dtmf('5').unwrap(),
        ];
        for (n, sound) in sounds.into_iter().enumerate() {
            let samples = seconds(sound, 4.5);
            assert!(samples.iter().all(|it| it.abs() < 0.6), "{n}");
            let steepest = samples.windows(2).map(|it| (it[1] - it[0]).abs()).fold(0.0, f32::max);
            assert!(steepest < 0.1, "{n}: {steepest}");
            assert!(meter::power(&samples) > 1e-5, "{n}");
        }
    }

    #[test]
    fn dtmf_is_two_tones_and_only_for_keys() {
        let digit: Vec<f32> = dtmf('5').unwrap().take(6_000).collect();
        assert!(strength(&digit, 770.0) > 0.05 && strength(&digit, 1336.0) > 0.05);
        assert!(dtmf('x').is_none());
    }
}
