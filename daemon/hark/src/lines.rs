//! A line is a way to reach people. One task per line; actions in, events out.

use std::time::Instant;

use control::call::CallId;
use control::input::LineEvent;

/// What lines tell the app, on one bounded channel; a full one makes the line wait.
pub enum FromLine {
    /// For the decisions.
    Event(LineEvent),
    /// Media of a call is agreed: the app hands the party to the engine. Comes before `Answered` or `EarlyMedia`; again after a change.
    Media(CallId, media::party::Party),
    /// The call's INVITE went to the socket at this moment (for measuring).
    Invited(CallId, Instant),
}
