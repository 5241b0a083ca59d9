//! What the speaker decides. Pure: time and inputs come in, actions go out; nothing here waits, reads a clock, touches a file or logs.

#![deny(missing_docs)]

pub mod speaker;

pub mod action;
pub mod input;
pub mod time;

pub mod call;
pub mod switchboard;

pub mod conversation;
pub mod intent;

pub mod contacts;
pub mod dialplan;
pub mod house;

pub mod focus;
pub mod phrases;
pub mod prompts;

pub mod transcript;

pub use speaker::Speaker;
