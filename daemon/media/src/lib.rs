//! What the speaker hears and plays. Real time: once running, no heap, lock or log on the sound thread.

pub mod party;
