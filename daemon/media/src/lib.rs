//! What the speaker hears and plays. Real time: once running, no heap, lock or log on the sound thread.

pub mod card;
pub mod room;

pub mod ring;

pub mod engine;
pub mod order;
mod playout;
mod seat;
mod slack;
pub mod stats;

pub mod apm;
pub mod drift;
pub mod echo;

pub mod clip;
pub mod mixer;
pub mod tone;

pub mod codec;
pub mod g711;
pub mod jitter;
pub mod party;
pub mod stretch;

pub mod meter;
pub mod resample;
pub mod wav;

/// The one sample rate of the engine.
pub const RATE_HZ: u32 = 48_000;
/// Samples in 10 ms, the one frame of the engine.
pub const FRAME: usize = 480;
/// The sample rate of the recognizer.
pub const EARS_RATE_HZ: u32 = 16_000;
/// Samples in 10 ms for the recognizer.
pub const EARS_FRAME: usize = 160;
