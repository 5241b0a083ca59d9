//! A party's place in the engine: its jitter buffer, its codec, its gates.

use std::sync::atomic::Ordering::Relaxed;

use rtrb::Producer;

use crate::FRAME;
use crate::codec::{self, CodecError, Encoder, PACKET};
use crate::jitter::{Jitter, JitterStats};
use crate::meter::Level;
use crate::mixer::{Ramp, limit};
use crate::party::{Packet, Party, PartyId};
use crate::slack::{Slack, fade_out};
use crate::stats::{Stats, average};

/// Made before it joins, so that the sound thread need not allocate.
pub struct Seat {
    party: Party,
    jitter: Jitter,
    encoder: Encoder,
    /// Follows the gates, so that neither clicks.
    microphone: Ramp,
    voice: Ramp,
    /// What other bridged parties hear of it, and it of them.
    to_others: Ramp,
    from_others: Ramp,
    /// Whether it says this frame to them.
    converses: bool,
    /// The last 10 ms that it said.
    said: Box<[f32; FRAME]>,
    /// The part of them that the others hear.
    shared: Box<[f32; FRAME]>,
    /// What it said to them and the loudspeaker has yet to play.
    slack: Slack,
    talks: bool,
    level: Level,
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
            to_others: Ramp::at(0.0),
            from_others: Ramp::at(0.0),
            converses: false,
            said: Box::new([0.0; FRAME]),
            shared: Box::new([0.0; FRAME]),
            slack: Slack::default(),
            talks: false,
            level: Level::default(),
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

    pub fn bridge(&mut self) {
        self.to_others.towards(1.0);
        self.from_others.towards(1.0);
    }

    pub fn unbridge(&mut self) {
        self.to_others.towards(0.0);
        self.from_others.towards(0.0);
    }

    /// Whether other parties hear anything of it.
    pub fn is_bridged(&self) -> bool {
        !self.to_others.is_silent()
    }

    /// How loud it is, in dBFS.
    pub fn level(&self) -> f32 {
        self.level.dbfs()
    }

    /// Takes less work, or as much as is good.
    pub fn economise(&mut self, on: bool) {
        self.encoder.economise(on);
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

    /// Takes the 10 ms that a bridged party says now, by the microphone's clock, and adds them to what the others hear.
    pub fn say_to_others(&mut self, everybody: &mut [f32; FRAME]) {
        self.converses = self.is_bridged();
        if !self.converses {
            self.shared.fill(0.0);
            return;
        }
        self.pull();
        self.slack.put(&self.said);
        for ((everybody, shared), said) in everybody.iter_mut().zip(self.shared.iter_mut()).zip(self.said.iter()) {
            *shared = said * self.to_others.step();
            *everybody += *shared;
        }
    }

    /// What the others hear in the 10 ms after it has left.
    pub fn say_goodbye(&self, everybody: &mut [f32; FRAME]) {
        let mut end = [0.0; FRAME];
        fade_out(self.shared[FRAME - 1], &mut end);
        everybody.iter_mut().zip(end).for_each(|(it, end)| *it += end);
    }

    /// Fills `out` with the next 10 ms of the party's voice for the loudspeaker; false when it is silent.
    pub fn speak(&mut self, out: &mut [f32; FRAME], render_wait_ms: f32, stats: &Stats) -> bool {
        // What has waited since it was bridged comes first.
        let waits = self.converses || self.slack.len() > 0;
        if !self.converses {
            self.pull();
        }
        match (waits, self.converses) {
            (false, _) => *out = *self.said,
            (true, false) => {
                self.slack.put(&self.said);
                self.slack.take(out);
            }
            (true, true) => self.slack.take(out),
        }
        out.iter_mut().for_each(|it| *it *= self.voice.step());
        let now = self.jitter.stats();
        stats.add(&self.told, &now);
        if now.received != self.told.received {
            // Packets wait half a frame on average until the engine looks.
            let delay_ms = now.delay_ms + self.slack.len() as f32 / 48.0 + render_wait_ms + 5.0;
            stats.downlink_delay_ms.set(delay_ms);
            average(&stats.downlink_delay_mean_ms, delay_ms);
        }
        self.told = now;
        self.talks || waits
    }

    fn pull(&mut self) {
        self.talks = self.jitter.pull(&mut self.said);
        self.level.feed(&*self.said);
        if let Some(tap) = &mut self.tap {
            let _ = tap.push_partial_slice(&*self.said);
        }
    }

    /// How long the newest packet waits.
    pub fn jitter_delay_ms(&self) -> f32 {
        self.told.delay_ms
    }

    /// Sends 10 ms of the near end and, while it is bridged, of all others; every other time a packet leaves. `everybody` is
    /// what all bridged parties say, this one too; `captured_ns` is when the card delivered the near end.
    pub fn hear(
        &mut self,
        near_end: &[f32; FRAME],
        everybody: &[f32; FRAME],
        captured_ns: u64,
        now_ns: impl Fn() -> u64,
        stats: &Stats,
    ) {
        let at = if self.half.is_some() { FRAME } else { 0 };
        let samples = &mut self.samples[at..at + FRAME];
        for (sample, near) in samples.iter_mut().zip(near_end) {
            *sample = near * self.microphone.step();
        }
        if !self.from_others.is_silent() {
            for ((sample, everybody), shared) in samples.iter_mut().zip(everybody).zip(self.shared.iter()) {
                *sample += (everybody - shared) * self.from_others.step();
            }
            limit(samples);
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
