//! The same words under other conditions: noise, rooms, other talk, our own loudspeaker.

use media::room::Convolver;
use media::{EARS_FRAME, FRAME};
use speech::RATE_HZ;

use crate::data::{self, Recording, hash};

/// Samples per millisecond.
pub const MS: usize = RATE_HZ as usize / 1000;

/// Under which something is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// As recorded.
    Clean,
    /// Household noise, so many dB below the voice.
    Noise(u8),
    /// Through a measured room, and then household noise.
    Room(u8),
    /// Somebody else reads aloud, so many dB below the voice.
    Talker(u8),
    /// Our own loudspeaker talks, as loud in the microphone as the voice plus so many dB, and the canceller takes it away.
    Playback(u8),
}

impl Condition {
    pub fn name(self) -> String {
        match self {
            Self::Clean => "clean".into(),
            Self::Noise(db) => format!("noise, {db} dB"),
            Self::Room(db) => format!("room and noise, {db} dB"),
            Self::Talker(db) => format!("another talker, {db} dB"),
            Self::Playback(db) => format!("own loudspeaker, {db} dB louder"),
        }
    }
}

/// Repeatable chance.
pub struct Random(u64);

impl Random {
    pub fn new(seed: &str) -> Self {
        let mut it = Self(u64::from(hash(seed)) << 16 | 0x5deb);
        (0..4).for_each(|_| {
            it.next();
        });
        it
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to below 1.
    pub fn part(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 16_777_216.0
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.part() * n as f32) as usize
    }

    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for i in (1..all.len()).rev() {
            all.swap(i, self.below(i + 1));
        }
    }
}

/// Noises, rooms and readers that nothing was trained with.
pub struct Scenery {
    noises: Vec<Vec<f32>>,
    rooms: Vec<Vec<f32>>,
    readers: Vec<Vec<f32>>,
}

impl Scenery {
    pub fn new() -> Self {
        let of = |folder: &str, keep: &dyn Fn(&Recording) -> bool| -> Vec<Vec<f32>> {
            let all = data::recordings(folder).into_iter().filter(|it| it.scores && keep(it));
            all.map(|it| data::samples(&it.file)).collect()
        };
        Self {
            noises: of("noise", &|_| true),
            rooms: of("room_responses", &|_| true).iter().map(|it| response(it)).collect(),
            readers: of("speech_english", &|_| true).iter().map(|it| trimmed(it)).collect(),
        }
    }

    /// The voice (no silence around it) under a condition, with some of the same before and after it. Not for `Playback`, which needs time to settle.
    pub fn around(&self, voice: &[f32], condition: Condition, before: usize, after: usize, random: &mut Random) -> Vec<f32> {
        let level = level_db(voice);
        let mut heard = vec![0.0; before];
        heard.extend(voice);
        heard.extend(vec![0.0; after]);
        match condition {
            Condition::Clean | Condition::Playback(_) => (),
            Condition::Noise(db) => self.add_noise(&mut heard, level - f32::from(db), random),
            Condition::Room(db) => {
                heard = through(&heard, random.of::<Vec<f32>>(&self.rooms));
                let gain = from_db(level - level_db(&heard));
                heard.iter_mut().for_each(|it| *it *= gain);
                self.add_noise(&mut heard, level - f32::from(db), random);
            }
            Condition::Talker(db) => {
                let reader = random.of(&self.readers);
                let gain = from_db(level - f32::from(db) - level_db(reader));
                let from = random.below(reader.len());
                heard.iter_mut().zip(reader.iter().cycle().skip(from)).for_each(|(it, other)| *it += gain * other);
            }
        }
        // No microphone is quite silent.
        heard.iter_mut().for_each(|it| *it += 2e-4 * (random.part() - 0.5));
        heard
    }

    fn add_noise(&self, heard: &mut [f32], rms_db: f32, random: &mut Random) {
        let noise = random.of(&self.noises);
        let from = random.below(noise.len());
        let noise: Vec<f32> = noise.iter().cycle().skip(from).take(heard.len()).copied().collect();
        let gain = from_db(rms_db - rms(&noise));
        heard.iter_mut().zip(noise).for_each(|(it, noise)| *it += (gain * noise).clamp(-0.5, 0.5));
    }

    /// The whole of a stream with our loudspeaker reading aloud meanwhile, after the canceller, and what it played. `voice_db` is the level of the voices.
    pub fn beside_playback(&self, stream: &[f32], voice_db: f32, louder_db: u8, random: &mut Random) -> (Vec<f32>, Vec<f32>) {
        let mut played = Vec::with_capacity(stream.len());
        while played.len() < stream.len() {
            let reader = random.of(&self.readers);
            let gain = from_db(-26.0 - level_db(reader));
            played.extend(reader.iter().map(|it| gain * it));
            played.extend(vec![0.0; 400 * MS]);
        }
        played.truncate(stream.len());
        let mut late = vec![0.0; 40 * MS];
        late.extend(&played);
        let mut echo = through(&late, random.of::<Vec<f32>>(&self.rooms));
        let gain = from_db(voice_db + f32::from(louder_db) - level_db(&echo));
        echo.iter_mut().for_each(|it| *it *= gain);
        let microphone: Vec<f32> = stream.iter().zip(&echo).map(|(a, b)| a + b).collect();
        (cancelled(&microphone, &played), played)
    }
}

/// The canceller as the ears have it, frame by frame.
fn cancelled(microphone: &[f32], played: &[f32]) -> Vec<f32> {
    let convert = |samples: &[f32]| media::resample::convert(samples, RATE_HZ, media::RATE_HZ);
    let (loud, far) = (convert(microphone), convert(played));
    let mut canceller = media::echo::ForEars::new(Default::default()).expect("memory");
    let mut all = Vec::with_capacity(microphone.len());
    for (mic, far) in loud.as_chunks::<FRAME>().0.iter().zip(far.as_chunks::<FRAME>().0) {
        let (mut ears, mut reference) = ([0.0; EARS_FRAME], [0.0; EARS_FRAME]);
        canceller.process(mic, far, &mut ears, &mut reference);
        all.extend(ears);
    }
    all.resize(microphone.len(), 0.0);
    all
}

pub fn from_db(db: f32) -> f32 {
    10_f32.powf(db / 20.0)
}

fn rms(samples: &[f32]) -> f32 {
    10.0 * (samples.iter().map(|it| it * it).sum::<f32>() / samples.len().max(1) as f32 + 1e-12).log10()
}

/// A measured response from its first sound on.
fn response(samples: &[f32]) -> Vec<f32> {
    let top = samples.iter().fold(0.0_f32, |top, it| top.max(it.abs()));
    let first = samples.iter().position(|it| it.abs() > 0.3 * top).unwrap_or(0);
    samples[first.saturating_sub(2 * MS)..].to_vec()
}

fn through(samples: &[f32], response: &[f32]) -> Vec<f32> {
    let mut walls = Convolver::new(response);
    let mut out = Vec::with_capacity(samples.len() + FRAME);
    for part in samples.chunks(FRAME) {
        let (mut input, mut heard) = ([0.0; FRAME], [0.0; FRAME]);
        input[..part.len()].copy_from_slice(part);
        walls.process(&input, &mut heard);
        out.extend(heard);
    }
    out.truncate(samples.len());
    out
}

/// The level of its loud frames, dBFS.
pub fn level_db(samples: &[f32]) -> f32 {
    let powers: Vec<f32> = samples.chunks(20 * MS).map(|it| it.iter().map(|it| it * it).sum::<f32>() / it.len() as f32).collect();
    let top = powers.iter().copied().fold(0.0, f32::max);
    let loud: Vec<f32> = powers.into_iter().filter(|it| *it > 0.003 * top).collect();
    10.0 * (loud.iter().sum::<f32>() / loud.len().max(1) as f32 + 1e-12).log10()
}

/// Without the quiet at both ends: what is 35 dB below the loudest 10 ms.
pub fn trimmed(samples: &[f32]) -> Vec<f32> {
    let power = |it: &[f32]| it.iter().map(|it| it * it).sum::<f32>();
    let frames: Vec<&[f32]> = samples.chunks(10 * MS).collect();
    let top = frames.iter().map(|it| power(it)).fold(0.0, f32::max);
    let loud = |it: &&[f32]| power(it) > 0.000_316 * top;
    match (frames.iter().position(loud), frames.iter().rposition(loud)) {
        (Some(first), Some(last)) => frames[first.saturating_sub(2)..=(last + 2).min(frames.len() - 1)].concat(),
        _ => samples.to_vec(),
    }
}
