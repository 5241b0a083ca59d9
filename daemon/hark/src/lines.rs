//! A line is a way to reach people. One task per line; actions in, events out.

pub mod bell;
pub mod echo;
pub mod room;
pub mod sip;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use control::call::CallId;
use control::input::LineEvent;
use media::party::PartyId;

/// What lines tell the app, on one bounded channel; a full one makes the line wait.
pub enum FromLine {
    /// For the decisions.
    Event(LineEvent),
    /// Media of a call is agreed: the app hands the party to the engine. Comes before `Answered` or `EarlyMedia`; again after a change.
    Media(CallId, media::party::Party),
    /// The call's INVITE went to the socket at this moment (for measuring).
    Invited(CallId, Instant),
}

/// A name for a party that no other has had in this process.
pub fn new_party_id() -> PartyId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    PartyId(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A name for a call that has come in, which no other has had in this process.
pub fn new_incoming() -> CallId {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    CallId::In(NEXT.fetch_add(1, Ordering::Relaxed))
}
