//! The root machine: where the parts meet.

use std::time::Duration;

use crate::dialplan::LineName;

/// What the decisions depend on; read from hark.yaml by `hark`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The room's name as people say it.
    pub room: String,
    /// BCP 47 language of the speaker: which phrases are in force.
    pub language: String,
    /// The wake phrases, lower case words; at least one.
    pub wake_phrases: Vec<String>,
    /// The lines in order of preference; `direct` and `builtin` included where they exist.
    pub lines: Vec<LineSettings>,
    /// How long a call rings, ours or theirs, where nothing else is said.
    pub ring_for: Duration,
    /// How long we wait for a command after the chime, or for an answer to a question.
    pub listen_for: Duration,
    /// Sentences with a lower confidence are not acted on.
    pub min_confidence: f32,
    /// Calls that a sentence of lower confidence than this would start are confirmed first.
    pub sure_confidence: f32,
    /// Volumes at start, 0 to 100: call, ring, announce.
    pub volumes: [u8; 3],
    /// Do not disturb at start.
    pub do_not_disturb: bool,
}

/// What the dial plan must know of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct LineSettings {
    /// Its name.
    pub name: LineName,
    /// The domain that numbers are called at (`sip:NUMBER@domain`); `None` where the line cannot call numbers.
    pub domain: Option<String>,
    /// Country code that local numbers (leading 0) get, such as `49`; `None` leaves numbers as they are.
    pub country_code: Option<String>,
    /// Emergency numbers that always go out at once, on this line.
    pub emergency: Vec<String>,
}
