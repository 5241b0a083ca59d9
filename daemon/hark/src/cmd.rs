//! The commands of `hark` that do their work themselves, without asking the running speaker.

pub mod check;
pub mod devices;
pub mod echo;
