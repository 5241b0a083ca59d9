//! Why calls end: SIP status code (RFC 3261, section 21) and back. The sentence for each is in phrases/*.yaml under the name given by `key`.

use std::fmt;
use std::str::FromStr;

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
    /// It has lasted as long as it may.
    TimeIsUp,
    /// Any other SIP code.
    Failed(u16),
}

use EndReason::*;

/// All reasons but `Failed`.
const ALL: [EndReason; 14] = [
    WeHungUp,
    TheyHungUp,
    Cancelled,
    AnsweredElsewhere,
    Busy,
    Declined,
    NoAnswer,
    NotFound,
    Unreachable,
    NoCommonMedia,
    NotAllowed,
    LineDown,
    MediaLost,
    TimeIsUp,
];

impl EndReason {
    /// The status code that tells a caller this reason when we turn the call away.
    pub fn sip_code(self) -> u16 {
        match self {
            Busy | AnsweredElsewhere => 486,
            Declined | WeHungUp | TheyHungUp | TimeIsUp => 603,
            NoAnswer => 480,
            Cancelled => 487,
            NotFound => 404,
            Unreachable | LineDown => 503,
            NoCommonMedia => 488,
            NotAllowed => 403,
            MediaLost => 500,
            Failed(code) => code,
        }
    }

    /// What a final status code of the other end means.
    pub fn from_sip(code: u16) -> EndReason {
        match code {
            486 | 600 => Busy,
            403 | 603 | 607 => Declined,
            408 | 480 | 487 => NoAnswer,
            404 | 410 | 484 | 604 => NotFound,
            502..=504 => Unreachable,
            415 | 488 | 606 => NoCommonMedia,
            401 | 407 => NotAllowed,
            _ => Failed(code),
        }
    }

    /// Its name in phrases/*.yaml and on MQTT.
    pub fn key(self) -> &'static str {
        match self {
            WeHungUp => "we_hung_up",
            TheyHungUp => "they_hung_up",
            Cancelled => "cancelled",
            AnsweredElsewhere => "answered_elsewhere",
            Busy => "busy",
            Declined => "declined",
            NoAnswer => "no_answer",
            NotFound => "not_found",
            Unreachable => "unreachable",
            NoCommonMedia => "no_common_media",
            NotAllowed => "not_allowed",
            LineDown => "line_down",
            MediaLost => "media_lost",
            TimeIsUp => "time_is_up",
            Failed(_) => "failed",
        }
    }

    /// Whether the next address of the ladder is worth a try: this one could not be reached, but nobody has said no.
    pub fn leaves_hope(self) -> bool {
        matches!(self, Busy | NoAnswer | NotFound | Unreachable | NoCommonMedia | NotAllowed | LineDown | MediaLost | Failed(_))
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed(code) => write!(f, "failed_{code}"),
            reason => f.write_str(reason.key()),
        }
    }
}

impl FromStr for EndReason {
    type Err = ();
    fn from_str(text: &str) -> Result<EndReason, ()> {
        if let Some(code) = text.strip_prefix("failed_") {
            return code.parse().map(Failed).map_err(|_| ());
        }
        ALL.into_iter().find(|it| it.key() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_tell_a_caller_means_the_same_to_another_speaker_of_ours() {
        for reason in [Busy, Declined, NoAnswer, NotFound, Unreachable, NoCommonMedia] {
            assert_eq!(EndReason::from_sip(reason.sip_code()), reason);
        }
    }

    #[test]
    fn every_reason_is_read_back_from_its_text() {
        for reason in ALL.into_iter().chain([Failed(500), Failed(699)]) {
            assert_eq!(reason.to_string().parse(), Ok(reason));
        }
        assert_eq!("failed_".parse::<EndReason>(), Err(()));
        assert_eq!("bored".parse::<EndReason>(), Err(()));
    }
}
