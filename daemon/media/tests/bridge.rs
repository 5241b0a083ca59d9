//! Parties that hear one another through the speaker that holds their calls.

mod common;

use std::f32::consts::TAU;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::babble;
use media::FRAME;
use media::codec::{Decoder, Encoder, LONGEST, PACKET, samples_per_tick};
use media::engine::{Control, Core, EngineSettings};
use media::order::Command;
use media::party::{CodecKind, Packet, PartyEnd, PartyId, party};

/// Somebody at the far end: says something, and keeps what it hears.
struct Guest {
    kind: CodecKind,
    end: PartyEnd,
    encoder: Encoder,
    decoder: Decoder,
    says: Vec<f32>,
    at: usize,
    sequence: u16,
    heard: Vec<f32>,
    /// Frames are numbered from its join; packets leave in every second one.
    frame: usize,
}

struct Table {
    core: Core,
    control: Control,
    guests: Vec<(PartyId, Guest)>,
    near: Vec<f32>,
    played: Vec<f32>,
    at: usize,
    /// How often the loudspeaker takes in each frame, over and over.
    renders: &'static [usize],
    /// What the core used of the processor.
    cost: Duration,
}

impl Table {
    fn new() -> Table {
        let settings =
            EngineSettings { echo_cancellation: false, noise_suppression: false, gain_control: false, realtime: false };
        let (core, control, _) = Core::new(settings).unwrap();
        Table {
            core,
            control,
            guests: vec![],
            near: vec![0.0; FRAME],
            played: vec![],
            at: 0,
            renders: &[1],
            cost: Duration::ZERO,
        }
    }

    fn join(&mut self, kind: CodecKind, says: Vec<f32>) -> PartyId {
        let id = PartyId(self.guests.len() as u64 + 1);
        let (ours, end) = party(id, kind).unwrap();
        self.send(Command::Join(ours));
        let (encoder, decoder) = (Encoder::new(kind).unwrap(), Decoder::new(kind).unwrap());
        self.guests.push((id, Guest { kind, end, encoder, decoder, says, at: 0, sequence: 0, heard: vec![], frame: 0 }));
        id
    }

    fn send(&mut self, command: Command) {
        self.control.send(command).ok().unwrap();
    }

    fn bridge_silently(&mut self, id: PartyId) {
        self.send(Command::Silence(id));
        self.send(Command::Bridge(id));
    }

    fn guest(&mut self, id: PartyId) -> &mut Guest {
        &mut self.guests.iter_mut().find(|it| it.0 == id).unwrap().1
    }

    fn live(&mut self, ms: usize) {
        for _ in 0..ms / 10 {
            self.guests.iter_mut().for_each(|it| it.1.speak());
            let start = worked();
            self.core.receive();
            let mut out = [0.0; FRAME];
            for _ in 0..self.renders[self.at / FRAME % self.renders.len()] {
                self.core.render(&mut out);
                self.played.extend_from_slice(&out);
            }
            let near = std::array::from_fn(|n| self.near[(self.at + n) % self.near.len()]);
            self.core.capture(&near, &out, 0);
            self.cost += worked() - start;
            self.at += FRAME;
            self.guests.iter_mut().for_each(|it| it.1.listen());
            while self.control.poll().is_some() {}
        }
    }

    /// Forgets what was heard, lives, and says what this party heard meanwhile.
    fn hears(&mut self, ms: usize) -> Vec<Vec<f32>> {
        self.played.clear();
        self.guests.iter_mut().for_each(|it| it.1.heard.clear());
        self.live(ms);
        self.guests.iter_mut().map(|it| std::mem::take(&mut it.1.heard)).collect()
    }
}

impl Guest {
    fn speak(&mut self) {
        self.frame += 1;
        if !self.frame.is_multiple_of(2) {
            return;
        }
        let samples: [f32; PACKET] = std::array::from_fn(|n| self.says[(self.at + n) % self.says.len()]);
        self.at += PACKET;
        let mut packet = Packet {
            sequence: self.sequence,
            timestamp: self.sequence as u32 * (PACKET / samples_per_tick(self.kind)) as u32,
            marker: false,
            len: 0,
            data: [0; Packet::MAX],
        };
        packet.len = self.encoder.encode(&samples, &mut packet.data) as u16;
        self.sequence += 1;
        // Whoever has left is heard by nobody.
        let _ = self.end.downlink.push(packet);
    }

    fn listen(&mut self) {
        let mut out = [0.0; LONGEST];
        while let Ok(packet) = self.end.uplink.pop() {
            let n = self.decoder.decode(packet.payload(), &mut out);
            self.heard.extend_from_slice(&out[..n]);
        }
    }
}

fn tone(hz: f32) -> Vec<f32> {
    (0..48_000).map(|n| 0.2 * (TAU * hz * n as f32 / 48_000.0).sin()).collect()
}

/// How strong a tone is in a sound, as an amplitude.
fn strength(samples: &[f32], hz: f32) -> f32 {
    let pieces = samples.chunks_exact(4800).map(|piece| {
        let (mut re, mut im) = (0.0f32, 0.0f32);
        for (n, sample) in piece.iter().enumerate() {
            let angle = TAU * hz * n as f32 / 48_000.0;
            re += sample * angle.cos();
            im += sample * angle.sin();
        }
        2.0 * (re * re + im * im).sqrt() / piece.len() as f32
    });
    pieces.sum::<f32>() / (samples.len() / 4800).max(1) as f32
}

const TONES: [f32; 4] = [440.0, 620.0, 910.0, 1330.0];

#[test]
fn each_hears_all_others_and_never_himself() {
    let kinds = [CodecKind::Opus, CodecKind::Pcma, CodecKind::Opus, CodecKind::Pcmu];
    let mut table = Table::new();
    table.near = tone(2000.0);
    let ids: Vec<PartyId> = kinds.iter().zip(TONES).map(|(kind, hz)| table.join(*kind, tone(hz))).collect();
    ids.iter().for_each(|it| table.bridge_silently(*it));
    table.live(500);
    let heard = table.hears(1000);
    for (n, heard) in heard.iter().enumerate() {
        for (m, hz) in TONES.into_iter().enumerate() {
            let strength = strength(heard, hz);
            if n == m {
                assert!(strength < 0.01, "party {n} hears himself: {strength}");
            } else {
                assert!(strength > 0.1, "party {n} does not hear {m}: {strength}");
            }
        }
        assert!(strength(heard, 2000.0) < 0.01, "the room is not heard: its microphone is closed");
    }
    assert!(table.played.iter().all(|it| *it == 0.0), "all are silenced here");
    // The room joins in; the second party leaves.
    for id in &ids {
        table.send(Command::OpenMic(*id));
        table.send(Command::Unsilence(*id));
    }
    table.send(Command::Leave(ids[1]));
    table.live(500);
    let heard = table.hears(1000);
    assert!(strength(&heard[0], 2000.0) > 0.1 && strength(&heard[0], TONES[2]) > 0.1);
    assert!(strength(&heard[0], TONES[1]) < 0.01, "gone");
    for n in [0, 2, 3] {
        assert!(strength(&table.played, TONES[n]) > 0.1, "the room hears {n}");
    }
    // The first is taken out: the others go on.
    table.send(Command::Unbridge(ids[0]));
    table.live(500);
    let heard = table.hears(1000);
    assert!(strength(&heard[0], TONES[2]) < 0.01 && strength(&heard[0], 2000.0) > 0.1);
    assert!(strength(&heard[2], TONES[0]) < 0.01 && strength(&heard[2], TONES[3]) > 0.1);
    assert!(strength(&table.played, TONES[0]) > 0.1);
}

#[test]
fn the_loudspeaker_may_take_two_at_once() {
    let mut table = Table::new();
    table.renders = &[0, 2, 1, 1, 2, 0, 1];
    let one = table.join(CodecKind::Opus, tone(TONES[0]));
    let two = table.join(CodecKind::Opus, tone(TONES[1]));
    table.send(Command::Bridge(one));
    table.send(Command::Bridge(two));
    table.live(1000);
    table.hears(4000);
    for hz in [TONES[0], TONES[1]] {
        assert!(strength(&table.played, hz) > 0.17, "{}", strength(&table.played, hz));
    }
    let jumps = table.played.windows(2).filter(|it| (it[1] - it[0]).abs() > 0.06).count();
    assert_eq!(jumps, 0, "nothing clicks");
}

/// The processor time of this thread.
fn worked() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists, and the time outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The longest stretch of (nearly) nothing, in ms.
fn longest_gap(heard: &[f32]) -> usize {
    let quiet: Vec<bool> = heard.chunks(48).map(|it| it.iter().all(|it| it.abs() < 0.02)).collect();
    quiet.split(|it| !it).map(|it| it.len()).max().unwrap_or(0)
}

#[test]
fn a_call_that_is_moved_to_another_room_has_no_gap() {
    let mut table = Table::new();
    table.near = tone(500.0);
    let mom = table.join(CodecKind::Pcma, tone(TONES[0]));
    let kitchen = table.join(CodecKind::Opus, tone(TONES[1]));
    table.send(Command::OpenMic(mom));
    table.live(1000);
    table.hears(500);
    table.guests.iter_mut().for_each(|it| it.1.heard.clear());
    table.live(500);
    for id in [mom, kitchen] {
        table.send(Command::Bridge(id));
        table.send(Command::CloseMic(id));
        table.send(Command::Silence(id));
    }
    table.live(500);
    let heard = table.guest(mom).heard.clone();
    assert!(longest_gap(&heard) <= 10, "{} ms", longest_gap(&heard));
    assert!(strength(&heard[..19_200], 500.0) > 0.1 && strength(&heard[28_800..], TONES[1]) > 0.1);
    assert!(strength(&heard[28_800..], 500.0) < 0.01, "the first room is not heard any more");
    let jump = heard.windows(2).map(|it| (it[1] - it[0]).abs()).fold(0.0, f32::max);
    assert!(jump < 0.12, "it clicks: {jump}");
    assert!(strength(&table.guest(kitchen).heard[28_800..], TONES[0]) > 0.1);
}

#[test]
fn the_bridge_adds_no_delay_of_its_own() {
    let mut table = Table::new();
    // A second of silence, then a tone.
    let mut says = vec![0.0; 48_000];
    says.extend(tone(TONES[0]));
    let one = table.join(CodecKind::Pcma, says);
    let two = table.join(CodecKind::Pcma, vec![0.0; 48_000]);
    table.bridge_silently(one);
    table.bridge_silently(two);
    table.live(1500);
    let from = table.guest(two).heard.iter().position(|it| it.abs() > 0.05).unwrap();
    let late_ms = (from as f32 - 48_000.0) / 48.0;
    let jitter_ms = table.control.stats().jitter_delay_ms.get();
    println!("{late_ms:.1} ms after it was said; the jitter buffer holds {jitter_ms:.1} ms");
    // Its own packet, the jitter buffer, and at most a frame until the next packet leaves.
    assert!(late_ms < 20.0 + jitter_ms + 10.0, "{late_ms} {jitter_ms}");
}

#[test]
fn the_figures_tell_who_talks() {
    let mut table = Table::new();
    let loud = table.join(CodecKind::Opus, tone(TONES[0]));
    let quiet = table.join(CodecKind::Opus, vec![0.0; 48_000]);
    table.send(Command::Bridge(loud));
    table.live(1000);
    let stats = table.control.stats();
    assert!(stats.level_of(loud).unwrap() > -25.0 && stats.level_of(quiet).unwrap() < -60.0);
    table.send(Command::Leave(loud));
    table.live(10);
    assert_eq!(stats.level_of(loud), None);
}

#[test]
fn ten_parties_cost_little_and_never_overdrive() {
    let mut table = Table::new();
    for n in 0..10 {
        let id = table.join(CodecKind::Opus, babble(n as u32 + 1, 3.0, 48_000).iter().map(|it| it * 2.0).collect());
        table.send(Command::Bridge(id));
        table.send(Command::OpenMic(id));
    }
    table.near = babble(99, 3.0, 48_000);
    let heard = table.hears(3000);
    println!("{:.1} % of a core, the far ends' codecs left out", 100.0 * table.cost.as_secs_f64() / 3.0);
    assert!(heard.iter().flatten().all(|it| it.abs() < 1.3), "limited before the codec");
    assert_eq!(table.control.stats().parties.load(Relaxed), 10);
    assert!(heard.iter().all(|it| it.len() > 48_000 * 5 / 2));
}
