//! What the engine tells about itself. Written by the sound thread, read by anybody.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::engine::PARTIES;
use crate::jitter::JitterStats;
use crate::meter::AtomicF32;
use crate::party::PartyId;

/// Figures of the sound thread. All levels are in dBFS, all delays in ms.
#[derive(Debug, Default)]
pub struct Stats {
    /// Frames of 10 ms processed so far; when it stands still, the engine hangs.
    pub frames: AtomicU64,
    /// Of those, frames that the card did not pace, because it is away.
    pub frames_without_card: AtomicU64,
    /// Buffers that the card missed, in or out.
    pub xruns: AtomicU32,
    /// Whether the thread runs with real-time priority.
    pub realtime: AtomicBool,
    /// The microphone.
    pub capture_level: AtomicF32,
    /// The loudspeaker.
    pub render_level: AtomicF32,
    /// What the recognizer hears.
    pub ears_level: AtomicF32,
    /// What parties hear.
    pub uplink_level: AtomicF32,
    /// Echo return loss enhancement in dB, of calls.
    pub erle_db: AtomicF32,
    /// How much reference waits beside the microphone.
    pub stream_delay_ms: AtomicF32,
    /// How often capture and reference had to be aligned anew.
    pub resyncs: AtomicU32,
    /// Frames of reference with holes, because playback was late.
    pub reference_holes: AtomicU32,
    /// How much faster the loudspeaker's clock is than the microphone's, in parts per million.
    pub drift_ppm: AtomicF32,
    /// Microphone callback (of the first sample) to packet in the ring, the last one.
    pub uplink_delay_ms: AtomicF32,
    /// The same, slowly averaged.
    pub uplink_delay_mean_ms: AtomicF32,
    /// Packet in the ring to loudspeaker callback, the last one: jitter buffer and render ring.
    pub downlink_delay_ms: AtomicF32,
    /// The same, slowly averaged.
    pub downlink_delay_mean_ms: AtomicF32,
    /// How long the mix waits for the playback callback.
    pub render_wait_ms: AtomicF32,
    /// Time that the last frame took, in microseconds.
    pub frame_us: AtomicF32,
    /// The longest frame so far.
    pub frame_us_max: AtomicF32,
    /// Parties in the engine.
    pub parties: AtomicU32,
    /// How loud each of them is; see [`Stats::level_of`].
    pub voices: [Voice; PARTIES],
    /// Packets taken in, of all parties.
    pub packets_received: AtomicU32,
    /// Packets handed to the lines.
    pub packets_sent: AtomicU32,
    /// Packets that never came, of all parties.
    pub packets_lost: AtomicU32,
    /// Packets that FEC brought back.
    pub packets_recovered: AtomicU32,
    /// Packets that came too late.
    pub packets_late: AtomicU32,
    /// Packets that made no sense.
    pub packets_garbage: AtomicU32,
    /// Packets that a line did not fetch in time.
    pub packets_unsent: AtomicU32,
    /// Frames that were invented, of all parties.
    pub frames_concealed: AtomicU32,
    /// How long the newest packet waits in the jitter buffer, the worst of all parties.
    pub jitter_delay_ms: AtomicF32,
    /// Samples for the recognizer that it did not fetch in time.
    pub ears_lost: AtomicU32,
}

/// How loud a party is.
#[derive(Debug, Default)]
pub struct Voice {
    party: AtomicU64,
    level: AtomicF32,
}

impl Voice {
    /// Says whose level this is, and what it is.
    pub fn set(&self, party: Option<PartyId>, level: f32) {
        self.party.store(party.map_or(0, |it| it.0), Relaxed);
        self.level.set(level);
    }
}

impl Stats {
    /// How loud a party is: who talks.
    pub fn level_of(&self, party: PartyId) -> Option<f32> {
        self.voices.iter().find(|it| it.party.load(Relaxed) == party.0).map(|it| it.level.get())
    }

    /// Adds what happened to a party since `before`.
    pub fn add(&self, before: &JitterStats, now: &JitterStats) {
        let add = |to: &AtomicU32, before: u32, now: u32| {
            to.fetch_add(now.wrapping_sub(before), Relaxed);
        };
        add(&self.packets_received, before.received, now.received);
        add(&self.packets_lost, before.lost, now.lost);
        add(&self.packets_recovered, before.recovered, now.recovered);
        add(&self.packets_late, before.late, now.late);
        add(&self.packets_garbage, before.garbage, now.garbage);
        add(&self.frames_concealed, before.concealed, now.concealed);
    }
}

/// Moves a slow average a little towards a value.
pub fn average(mean: &AtomicF32, value: f32) {
    let was = mean.get();
    mean.set(if was == 0.0 { value } else { was + (value - was) * 0.02 });
}
