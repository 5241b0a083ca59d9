//! The mixer: everything that is played, with gains, ramps and ducking, and a soft limiter at the end.
//!
//! rodio's own mixer locks and allocates, so its sources are pulled here, on the sound thread.

use crate::clip::Sound;
use crate::{FRAME, RATE_HZ};

/// Names a sound that is being played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SoundId(pub u32);

/// What a sound is for; each bus has its own gain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// The voices of calls, and their progress tones.
    Call,
    /// Ringing.
    Ring,
    /// Prompts and earcons.
    Announce,
}

impl Bus {
    const ALL: usize = 3;
}

/// How many sounds may play at once.
pub const SOUNDS: usize = 16;
/// How long a gain takes to change, in samples; short enough for barge-in, long enough not to click.
const RAMP: f32 = 960.0;
/// Below this the limiter does nothing.
const KNEE: f32 = 0.7;

/// A gain that moves smoothly.
#[derive(Clone, Copy, Debug)]
pub struct Ramp {
    now: f32,
    wanted: f32,
}

impl Ramp {
    /// Starts at `gain`.
    pub fn at(gain: f32) -> Ramp {
        Ramp { now: gain, wanted: gain }
    }

    /// Moves towards `gain` from now on.
    pub fn towards(&mut self, gain: f32) {
        self.wanted = gain;
    }

    /// The gain of the next sample.
    pub fn step(&mut self) -> f32 {
        let step = 1.0 / RAMP;
        self.now += (self.wanted - self.now).clamp(-step, step);
        self.now
    }

    /// Whether it is at zero, to stay.
    pub fn is_silent(&self) -> bool {
        self.now == 0.0 && self.wanted == 0.0
    }
}

struct Playing {
    id: SoundId,
    bus: Bus,
    source: Sound,
    ramp: Ramp,
    /// Waits for this moment, in ns of the monotonic clock; 0 once it plays.
    waits_for_ns: u64,
    over: bool,
}

impl Playing {
    fn stop(&mut self) {
        match self.waits_for_ns {
            0 => self.ramp.towards(0.0),
            _ => self.over = true,
        }
    }
}

/// A bus: its volume, and how far it is pulled down for the moment.
struct BusGain {
    volume: f32,
    ducked: f32,
    ramp: Ramp,
}

/// Mixes what is played. Knows nothing of rings: sounds that are over are taken out by [`Mixer::take_over`].
pub struct Mixer {
    playing: [Option<Playing>; SOUNDS],
    buses: [BusGain; Bus::ALL],
    gains: [[f32; FRAME]; Bus::ALL],
}

impl Default for Mixer {
    fn default() -> Self {
        let bus = || BusGain { volume: 1.0, ducked: 1.0, ramp: Ramp::at(1.0) };
        Mixer { playing: Default::default(), buses: [bus(), bus(), bus()], gains: [[1.0; FRAME]; Bus::ALL] }
    }
}

impl Mixer {
    /// Starts a sound; gives it back when there is no room for it.
    pub fn play(&mut self, id: SoundId, bus: Bus, source: Sound) -> Result<(), Sound> {
        self.play_at(id, bus, source, 0)
    }

    /// Starts a sound at that moment of the monotonic clock; gives it back when there is no room for it.
    pub fn play_at(&mut self, id: SoundId, bus: Bus, source: Sound, waits_for_ns: u64) -> Result<(), Sound> {
        match self.playing.iter_mut().find(|it| it.is_none()) {
            Some(slot) => {
                *slot = Some(Playing { id, bus, source, ramp: Ramp::at(1.0), waits_for_ns, over: false });
                Ok(())
            }
            None => Err(source),
        }
    }

    /// Fades a sound out.
    pub fn stop(&mut self, id: SoundId) {
        self.playing.iter_mut().flatten().filter(|it| it.id == id).for_each(Playing::stop);
    }

    /// Fades out everything on a bus.
    pub fn stop_bus(&mut self, bus: Bus) {
        self.playing.iter_mut().flatten().filter(|it| it.bus == bus).for_each(Playing::stop);
    }

    /// Sets the volume of a bus.
    pub fn volume(&mut self, bus: Bus, gain: f32) {
        self.buses[bus as usize].volume = gain.clamp(0.0, 4.0);
    }

    /// Pulls a bus down to `gain` times its volume; 1 lets it come back.
    pub fn duck(&mut self, bus: Bus, gain: f32) {
        self.buses[bus as usize].ducked = gain.clamp(0.0, 1.0);
    }

    /// Starts a frame: moves the gains, and fills `out` with the sounds. `leaves_ns` is when its first sample leaves the loudspeaker.
    pub fn mix(&mut self, out: &mut [f32; FRAME], leaves_ns: u64) {
        for (bus, gains) in self.buses.iter_mut().zip(&mut self.gains) {
            bus.ramp.towards(bus.volume * bus.ducked);
            gains.iter_mut().for_each(|it| *it = bus.ramp.step());
        }
        out.fill(0.0);
        for sound in self.playing.iter_mut().flatten().filter(|it| !it.over) {
            let gains = &self.gains[sound.bus as usize];
            let until = samples(sound.waits_for_ns.saturating_sub(leaves_ns));
            if until >= FRAME as u64 {
                continue;
            }
            sound.waits_for_ns = 0;
            for (sample, gain) in out.iter_mut().zip(gains).skip(until as usize) {
                let Some(next) = sound.source.next() else {
                    sound.over = true;
                    break;
                };
                *sample += next * gain * sound.ramp.step();
            }
            sound.over |= sound.ramp.is_silent();
        }
    }

    /// Adds a party's voice to the frame that `mix` began.
    pub fn add_call(&self, out: &mut [f32; FRAME], voice: &[f32; FRAME]) {
        for ((sample, voice), gain) in out.iter_mut().zip(voice).zip(&self.gains[Bus::Call as usize]) {
            *sample += voice * gain;
        }
    }

    /// Whether any sound is playing.
    pub fn is_playing(&self) -> bool {
        self.playing.iter().flatten().any(|it| !it.over)
    }

    /// Hands over one sound that is over, if `accept` takes it; call until it returns false.
    pub fn take_over(&mut self, mut accept: impl FnMut(SoundId, Sound) -> Result<(), Sound>) -> bool {
        let Some(slot) = self.playing.iter_mut().find(|it| it.as_ref().is_some_and(|it| it.over)) else { return false };
        let Some(mut playing) = slot.take() else { return false };
        match accept(playing.id, playing.source) {
            Ok(()) => true,
            Err(source) => {
                playing.source = source;
                *slot = Some(playing);
                false
            }
        }
    }
}

/// How many samples a time holds.
fn samples(ns: u64) -> u64 {
    ns / 1_000 * u64::from(RATE_HZ) / 1_000_000
}

/// Keeps the mix inside full scale: linear up to the knee, then bent, never beyond 1.
pub fn limit(frame: &mut [f32]) {
    for sample in frame {
        let size = sample.abs();
        if size > KNEE {
            let over = (size - KNEE) / (1.0 - KNEE);
            *sample = sample.signum() * (KNEE + (1.0 - KNEE) * over.tanh());
        } else if !size.is_finite() {
            *sample = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::from_samples;

    fn mixed(mixer: &mut Mixer, frames: usize) -> Vec<f32> {
        let mut all = Vec::new();
        for _ in 0..frames {
            let mut out = [0.0; FRAME];
            mixer.mix(&mut out, 0);
            all.extend_from_slice(&out);
        }
        all
    }

    #[test]
    fn sounds_add_up_and_end() {
        let mut mixer = Mixer::default();
        mixer.play(SoundId(1), Bus::Announce, from_samples(&[0.25; 600], 48_000)).ok().unwrap();
        mixer.play(SoundId(2), Bus::Ring, from_samples(&[0.25; 2000], 48_000)).ok().unwrap();
        let out = mixed(&mut mixer, 2);
        assert_eq!((out[599], out[601]), (0.5, 0.25));
        let mut over = Vec::new();
        while mixer.take_over(|id, _| {
            over.push(id);
            Ok(())
        }) {}
        assert_eq!(over, [SoundId(1)]);
        assert!(mixer.is_playing());
    }

    #[test]
    fn a_stopped_sound_fades_and_does_not_click() {
        let mut mixer = Mixer::default();
        mixer.play(SoundId(1), Bus::Call, from_samples(&[0.5; 48_000], 48_000)).ok().unwrap();
        let before = mixed(&mut mixer, 1);
        mixer.stop(SoundId(1));
        let after = mixed(&mut mixer, 4);
        let all: Vec<f32> = before.into_iter().chain(after).collect();
        assert!(all.windows(2).all(|it| (it[1] - it[0]).abs() < 0.001));
        assert_eq!(*all.last().unwrap(), 0.0);
        assert!(!mixer.is_playing());
    }

    #[test]
    fn a_sound_waits_for_its_moment_to_the_sample() {
        let mut mixer = Mixer::default();
        let second = 1_000_000_000;
        let frame = |mixer: &mut Mixer, ms: u64| {
            let mut out = [0.0; FRAME];
            mixer.mix(&mut out, second + ms * 1_000_000);
            out.iter().position(|it| *it != 0.0)
        };
        let sound = || from_samples(&[0.25; 4800], 48_000);
        mixer.play_at(SoundId(1), Bus::Announce, sound(), second + 12_500_000).ok().unwrap();
        assert_eq!((frame(&mut mixer, 0), frame(&mut mixer, 10), frame(&mut mixer, 20)), (None, Some(120), Some(0)));
        mixer.stop(SoundId(1));
        frame(&mut mixer, 30);
        frame(&mut mixer, 40);
        mixer.play_at(SoundId(2), Bus::Announce, sound(), second + 99_000_000).ok().unwrap();
        assert_eq!(frame(&mut mixer, 50), None);
        mixer.stop(SoundId(2));
        assert!(!mixer.is_playing(), "what was stopped before its moment is never heard");
        mixer.play_at(SoundId(3), Bus::Announce, sound(), second).ok().unwrap();
        assert_eq!(frame(&mut mixer, 60), Some(0), "what comes late starts at once");
    }

    #[test]
    fn ducking_pulls_one_bus_down_and_lets_it_come_back() {
        let mut mixer = Mixer::default();
        mixer.play(SoundId(1), Bus::Call, from_samples(&[0.5; 480_000], 48_000)).ok().unwrap();
        mixer.volume(Bus::Call, 0.8);
        mixer.duck(Bus::Call, 0.25);
        assert!((mixed(&mut mixer, 10).last().unwrap() - 0.1).abs() < 1e-4);
        mixer.duck(Bus::Call, 1.0);
        assert!((mixed(&mut mixer, 10).last().unwrap() - 0.4).abs() < 1e-4);
        let mut out = [0.0; FRAME];
        mixer.add_call(&mut out, &[0.5; FRAME]);
        assert!((out[479] - 0.4).abs() < 1e-4, "voices have the gain of their bus");
    }

    #[test]
    fn a_full_mixer_gives_the_sound_back_and_keeps_what_nobody_takes() {
        let mut mixer = Mixer::default();
        for n in 0..SOUNDS {
            assert!(mixer.play(SoundId(n as u32), Bus::Ring, from_samples(&[0.1; 10], 48_000)).is_ok());
        }
        assert!(mixer.play(SoundId(99), Bus::Ring, from_samples(&[0.1; 10], 48_000)).is_err());
        mixed(&mut mixer, 1);
        assert!(!mixer.take_over(|_, source| Err(source)));
        let mut n = 0;
        while mixer.take_over(|_, _| Ok(())) {
            n += 1;
        }
        assert_eq!(n, SOUNDS);
    }

    #[test]
    fn the_limiter_bends_and_never_breaks() {
        let mut frame = [0.5, 0.9, 2.0, -50.0, f32::NAN, f32::INFINITY, 0.0];
        limit(&mut frame);
        assert_eq!(frame[0], 0.5);
        assert!(frame[1] > 0.8 && frame[1] < 0.9 && frame[2] <= 1.0 && frame[3] >= -1.0);
        assert!(frame.iter().all(|it| it.is_finite()));
    }
}
