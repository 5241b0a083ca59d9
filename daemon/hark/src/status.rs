//! What `hark status` and the metrics tell.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::house::courier::HouseStatus;

/// The whole state of a running speaker, as JSON and for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The version of the program.
    pub version: String,
    /// The room's name.
    pub room: String,
    /// How long the process runs.
    pub uptime_s: u64,
    /// The foremost call.
    pub call: Call,
    /// Each line, and whether it can call.
    pub lines: BTreeMap<String, Line>,
    /// The sound card and what is done to its sound.
    pub audio: Audio,
    /// The listener.
    pub ears: Ears,
    /// The broker's address, and whether we are connected.
    pub mqtt: Mqtt,
    /// 0 to 100: call, ring, announce.
    pub volume: Volume,
    /// Muted by the user.
    pub muted: bool,
    /// Calls are turned away.
    pub do_not_disturb: bool,
    /// How many contacts can be called.
    pub contacts: usize,
    /// What was measured last.
    pub measured: Measured,
    /// Resident memory.
    pub memory_mb: f64,
    /// Processor time since the start, of one core.
    pub cpu_percent: f64,
    /// Other speakers.
    #[serde(default)]
    pub house: HouseStatus,
    /// What is wrong now, and how to mend it.
    pub problems: Vec<String>,
}

/// See [`Status::call`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// idle, dialing, ringing, ringback, connected, held, ending.
    pub state: String,
    /// The call's name, such as `out-1`.
    pub id: Option<String>,
    /// The party's name.
    pub peer: Option<String>,
    /// Since when it is connected.
    pub connected_s: Option<u64>,
}

/// See [`Status::lines`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Whether calls can be placed.
    pub up: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

/// See [`Status::audio`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audio {
    /// `open`, `lost`, or `simulated`.
    pub card: String,
    /// Gaps and overruns since the start.
    pub xruns: u64,
    /// The microphone's level, dBFS.
    pub microphone_dbfs: f32,
    /// The loudspeaker's level, dBFS.
    pub loudspeaker_dbfs: f32,
    /// How much echo is taken away, dB; of the last seconds in which the other side talked.
    pub erle_db: f32,
    /// From the microphone's callback to the packet, ms.
    pub capture_to_packet_ms: f32,
    /// From the packet to the loudspeaker's callback, ms.
    pub packet_to_render_ms: f32,
}

/// See [`Status::ears`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ears {
    /// The folder of the model.
    pub model: String,
    /// The wake phrases.
    pub wake_phrases: Vec<String>,
    /// Words of contacts that the model does not know.
    pub unknown_words: Vec<String>,
    /// Names that an official model does not have, and the words of it that are listened for in their place.
    #[serde(default)]
    pub heard_as: BTreeMap<String, String>,
    /// Names of different contacts that nobody can tell apart by ear: who is meant is asked.
    #[serde(default)]
    pub sound_alike: Vec<Vec<String>>,
}

/// See [`Status::mqtt`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mqtt {
    /// `off`, `embedded HOST:PORT` or `HOST:PORT`.
    pub broker: String,
    /// Whether we are connected.
    pub connected: bool,
}

/// See [`Status::volume`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The other parties.
    pub call: u8,
    /// Ringing and tones.
    pub ring: u8,
    /// Prompts.
    pub announce: u8,
}

/// Times of the last call, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// From the end of the wake phrase to the chime's start.
    pub wake_to_chime_ms: Option<f64>,
    /// From the end of the spoken command to the INVITE on the wire.
    pub command_end_to_invite_ms: Option<f64>,
    /// From the INVITE to the answer.
    pub setup_ms: Option<f64>,
}

/// Resident memory of this process in MB, from /proc/self/statm.
pub fn memory_mb() -> f64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/statm") else { return 0.0 };
    let pages: f64 = text.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0.0);
    // SAFETY: sysconf takes no pointers.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64;
    pages * page / 1e6
}

/// Processor time of this process since its start, seconds (getrusage(2)).
pub fn cpu_seconds() -> f64 {
    // SAFETY: an all-zero rusage is valid, and getrusage only fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Processor time since `start`, of one core, in percent.
pub fn cpu_percent(start: Instant) -> f64 {
    100.0 * cpu_seconds() / start.elapsed().as_secs_f64().max(0.001)
}
