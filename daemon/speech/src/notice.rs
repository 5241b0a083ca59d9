//! What can be listened for, and what was heard.

use std::sync::Arc;
use std::time::Duration;

use crate::model::ModelError;
use crate::sentences::{Meaning, Sentences};
use crate::ways::Ways;

/// What to listen for from now on.
#[derive(Clone, Debug, Default)]
pub struct Listen {
    /// Sentences that count after the wake phrase, or while a window is open.
    pub after_wake: Sentences,
    /// Sentences that count without the wake phrase, whenever they are said alone.
    pub at_once: Sentences,
    /// Words after which people say what they like; they count where `after_wake` does, and what follows them is recorded.
    pub open: Sentences,
    /// `after_wake` and `at_once` as what they are made of: for a second look at what the recognizer heard, with whole sentences only. Nothing: none.
    pub ways: Arc<Ways>,
    /// What sentences mean.
    pub meaning: Meaning,
    /// Whether a recording goes on. One that has gone on is given up when this is no longer set.
    pub recording: bool,
    /// Opens a window for this long: sentences of both kinds count now. `None` closes a window that was opened so; one that the wake phrase opened stays.
    pub open_for: Option<Duration>,
}

/// What stays the same until it is set anew.
#[derive(Clone, Debug, PartialEq)]
pub struct HearingSettings {
    /// The wake phrases; words that the model knows.
    pub wake_phrases: Vec<String>,
    /// 0 to 1: a sentence that is less sure than this is rejected.
    pub min_confidence: f32,
    /// 0 to 1: how readily the wake phrase is heard; see `SENSITIVITIES`.
    pub sensitivity: f32,
    /// Whether to tell what was almost the wake phrase.
    pub keep_near_misses: bool,
    /// How long the window stays open after the wake phrase.
    pub listen_for: Duration,
    /// Added to the level of what this microphone hears before it is compared with other speakers, dB.
    pub gain_db: f32,
}

/// Something was heard. Times count from the first sample fed.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// When it was decided.
    pub at_ms: u64,
    /// When the words ended.
    pub said_until_ms: u64,
    /// The words: the wake phrase, the sentence, or what the recognizer made of it.
    pub text: String,
    /// 0 to 1: the least sure word.
    pub confidence: f32,
    /// What.
    pub kind: Heard,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The wake phrase.
    Wake {
        /// How well, 0 to 1, to be compared with other speakers of the house.
        score: f32,
    },
    /// A whole sentence.
    Sentence {
        /// As in the grammar.
        text: String,
        /// 0 to 1: the least sure word.
        confidence: f32,
        /// Whether the wake phrase opened the window in which it was said.
        woken: bool,
    },
    /// Words after which people say what they like; what follows is being recorded.
    Open {
        /// As in the grammar.
        text: String,
        /// 0 to 1: the least sure word.
        confidence: f32,
        /// Whether it goes on in the same breath: then no sign is due.
        goes_on: bool,
    },
    /// What followed an `Open`, to its end; `Nothing` comes in its place where nothing did.
    Recorded {
        /// At 16 kHz, without the silence at both ends.
        samples: Vec<f32>,
    },
    /// In an open window something was said that is no sentence.
    Rejected {
        /// What the recognizer made of it; `[unk]` for what is not in the grammar.
        text: String,
    },
    /// In an open window, or after an `Open`, nothing was said.
    Nothing,
    /// Something was almost the wake phrase; told only where `HearingSettings::keep_near_misses` asks for it, and not often.
    NearMiss {
        /// It, with what was heard around it, at 16 kHz.
        samples: Vec<f32>,
    },
}

/// Why there can be no hearing.
#[derive(Debug, thiserror::Error)]
pub enum HearingError {
    /// No wake phrase can be heard.
    #[error(
        "no wake phrase can be heard: the speech model does not know {0}; choose other words for `speech.wake_phrases` in hark.yaml"
    )]
    NoWakePhrase(String),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
}
