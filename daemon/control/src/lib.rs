//! What the speaker decides. Pure: time and inputs come in, actions go out; nothing here waits, reads a clock, touches a file or logs.

#![deny(missing_docs)]

pub mod action;
pub mod call;
pub mod contacts;
pub mod dialplan;
pub mod input;
pub mod phrases;
pub mod speaker;
pub mod time;
