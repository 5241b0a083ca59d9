//! Why calls end: SIP status code (RFC 3261, section 21) and back. The sentence for each is in phrases/*.yaml under the name given by `key`.

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// We hung up.
    WeHungUp,
    /// They hung up.
    TheyHungUp,
    /// The caller gave up before we answered.
    Cancelled,
    /// It was answered at another phone (SIP 200 elsewhere, Reason header).
    AnsweredElsewhere,
    /// 486, 600.
    Busy,
    /// 603, and 403 of a phone that turns calls away.
    Declined,
    /// It rang and nobody came: our time limit, 408, 480, 487.
    NoAnswer,
    /// There is no such number or person: 404, 410, 484, 604.
    NotFound,
    /// No way to the other end: no route, no reply, 502, 503.
    Unreachable,
    /// No codec or encryption in common: 488, 606.
    NoCommonMedia,
    /// The account or password was refused: 401, 407 again and again.
    NotAllowed,
    /// The line that it needs is down.
    LineDown,
    /// No media came for too long.
    MediaLost,
    /// Any other SIP code.
    Failed(u16),
}
