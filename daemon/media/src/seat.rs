//! A party's place in the engine: its jitter buffer, its codec, its gates.

use std::sync::atomic::Ordering::Relaxed;

use rtrb::Producer;

use crate::FRAME;
use crate::codec::{self, CodecError, Encoder, PACKET};
use crate::jitter::{Jitter, JitterStats};
use crate::mixer::Ramp;
use crate::party::{Packet, Party, PartyId};
use crate::stats::{Stats, average};

/// Made before it joins, so that the sound thread need not allocate.
pub struct Seat {
    party: Party,
    jitter: Jitter,
    encoder: Encoder,
    /// Follows the gates, so that neither clicks.
    microphone: Ramp,
    voice: Ramp,
    /// Half a packet waits for its other half.
    half: Option<u64>,
    samples: Box<[f32; PACKET]>,
    sequence: u16,
    timestamp: u32,
    first: bool,
    told: JitterStats,
    pub tap: Option<Producer<f32>>,
}

impl Seat {
    pub fn new(party: Party) -> Result<Box<Seat>, (Party, CodecError)> {
        let (jitter, encoder) = match Jitter::new(party.codec).and_then(|jitter| Ok((jitter, Encoder::new(party.codec)?))) {
            Ok(made) => made,
            Err(error) => return Err((party, error)),
        };
        // RFC 3550: both start at random. The party's name and the clock are random enough beside SRTP.
        let seed = (party.id.0 ^ crate::ring::monotonic_ns()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Ok(Box::new(Seat {
            party,
            jitter,
            encoder,
            microphone: Ramp::at(0.0),
            voice: Ramp::at(1.0),
            half: None,
            samples: Box::new([0.0; PACKET]),
            sequence: (seed >> 48) as u16,
            timestamp: (seed >> 8) as u32,
            first: true,
            told: JitterStats::default(),
            tap: None,
        }))
    }

    pub fn id(&self) -> PartyId {
        self.party.id
    }

    pub fn open_microphone(&mut self) {
        self.microphone.towards(1.0);
    }

    pub fn close_microphone(&mut self) {
        self.microphone.towards(0.0);
    }

    pub fn silence(&mut self) {
        self.voice.towards(0.0);
    }

    pub fn unsilence(&mut self) {
        self.voice.towards(1.0);
    }

    /// Whether the party hears anything of the microphone.
    pub fn hears(&self) -> bool {
        !self.microphone.is_silent()
    }

    /// Takes in what came from the line.
    pub fn receive(&mut self) {
        while let Ok(packet) = self.party.downlink.pop() {
            if packet.len as usize <= Packet::MAX {
                self.jitter.insert(&packet);
            }
        }
    }

    /// Fills `out` with the next 10 ms of the party's voice; false when it is silent.
    pub fn speak(&mut self, out: &mut [f32; FRAME], render_wait_ms: f32, stats: &Stats) -> bool {
        let talks = self.jitter.pull(out);
        if let Some(tap) = &mut self.tap {
            let _ = tap.push_partial_slice(out);
        }
        out.iter_mut().for_each(|it| *it *= self.voice.step());
        let now = self.jitter.stats();
        stats.add(&self.told, &now);
        if now.received != self.told.received {
            // Packets wait half a frame on average until the engine looks.
            let delay_ms = now.delay_ms + render_wait_ms + 5.0;
            stats.downlink_delay_ms.set(delay_ms);
            average(&stats.downlink_delay_mean_ms, delay_ms);
        }
        self.told = now;
        talks
    }

    /// How long the newest packet waits.
    pub fn jitter_delay_ms(&self) -> f32 {
        self.told.delay_ms
    }

    /// Sends 10 ms of the near end; every other time a packet leaves. `captured_ns` is when the card delivered it.
    pub fn hear(&mut self, near_end: &[f32; FRAME], captured_ns: u64, now_ns: impl Fn() -> u64, stats: &Stats) {
        let at = if self.half.is_some() { FRAME } else { 0 };
        for (sample, near) in self.samples[at..at + FRAME].iter_mut().zip(near_end) {
            *sample = near * self.microphone.step();
        }
        let Some(first_ns) = self.half.take() else {
            self.half = Some(captured_ns);
            return;
        };
        let mut packet =
            Packet { sequence: self.sequence, timestamp: self.timestamp, marker: self.first, len: 0, data: [0; Packet::MAX] };
        packet.len = self.encoder.encode(&self.samples, &mut packet.data) as u16;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add((PACKET / codec::samples_per_tick(self.party.codec)) as u32);
        self.first = false;
        if packet.len == 0 {
            return;
        }
        match self.party.uplink.push(packet) {
            Ok(()) => {
                stats.packets_sent.fetch_add(1, Relaxed);
                self.party.wake.ring();
                let delay_ms = now_ns().saturating_sub(first_ns) as f32 / 1e6;
                stats.uplink_delay_ms.set(delay_ms);
                average(&stats.uplink_delay_mean_ms, delay_ms);
            }
            Err(_) => {
                stats.packets_unsent.fetch_add(1, Relaxed);
            }
        }
    }
}
