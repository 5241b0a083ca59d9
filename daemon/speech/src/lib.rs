//! What the speaker understands. Samples in, words out; text in, samples out. Plain threads, no network.

#![deny(missing_docs)]

pub mod acoustics;
pub mod alike;
pub mod background;
mod check;
mod decoder;
pub mod endpoint;
mod graph;
pub mod hearing;
mod history;
mod homophones;
pub mod lexicon;
pub mod listener;
mod matrix;
pub mod mfcc;
pub mod model;
pub mod nearest;
pub mod net;
pub mod network;
mod nnet3;
pub mod notice;
pub mod passing;
pub mod phone_loop;
pub mod phones;
mod pinyin;
mod pronounce;
pub mod recognizer;
mod recording;
pub mod say;
mod score;
pub mod second;
mod sensitivity;
pub mod sentences;
pub mod spot;
pub mod spotter;
mod tailored;
pub mod vad;
pub mod verdict;
mod wake;
pub mod ways;
pub mod weigh;
pub mod weights;

pub use hearing::Hearing;
pub use lexicon::{Lexicon, Spoken};
pub use listener::Listener;
pub use model::{Model, ModelError};
pub use notice::{Heard, HearingError, HearingSettings, Listen, Notice};
pub use pronounce::PronounceError;
pub use second::SecondLook;
pub use sensitivity::{SENSITIVITIES, threshold as wake_threshold, tune};
pub use sentences::{Fit, Meaning, Sentences};
pub use spotter::{Spotted, Spotter};
pub use ways::Ways;

/// The rate of all samples here, in Hz.
pub const RATE_HZ: u32 = 16_000;
