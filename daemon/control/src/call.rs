//! One call, from the first ring to the last word.

pub mod end;

pub use end::EndReason;

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::action::{CallState, LineAction, Peer};
use crate::dialplan::Rung;
use crate::time::Time;

/// How long an answered call may take until media flows.
const MEDIA_WITHIN: Duration = Duration::from_secs(10);

/// How long a line may take to tell that a call is over that we ended; then it is over for us (RFC 3261, 17.1.2.2: 64 T1 is too long for people).
const END_WITHIN: Duration = Duration::from_secs(3);

/// How a call wants to be taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// It rings, and somebody answers.
    #[default]
    Ring,
    /// It connects at once, if the room's rules allow it.
    DropIn,
    /// As `DropIn`, and only the caller hears.
    Listen,
    /// The other room has a call with somebody and carries its sound here: it connects at once.
    Carry {
        /// With whom, as shown.
        with: String,
    },
}

/// What one end of a call between rooms asks of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Moves the call that you carry here to that room.
    Move(crate::house::RoomName),
    /// Adds somebody, by name, number or room, to the call that you carry here.
    Add(String),
    /// Lets the call that you carry here follow the person who is in it, or lets it be.
    FollowMe(bool),
    /// What you asked for has not come about: whom it was about, and why.
    Cannot(String, EndReason),
}

/// Names a call for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallId {
    /// Placed by us; numbered by `control`.
    Out(u32),
    /// Received; numbered by the lines.
    In(u32),
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallId::Out(n) => write!(f, "out-{n}"),
            CallId::In(n) => write!(f, "in-{n}"),
        }
    }
}

impl FromStr for CallId {
    type Err = ();
    fn from_str(text: &str) -> Result<CallId, ()> {
        match text.split_once('-') {
            Some(("out", n)) => n.parse().map(CallId::Out).map_err(|_| ()),
            Some(("in", n)) => n.parse().map(CallId::In).map_err(|_| ()),
            _ => Err(()),
        }
    }
}

/// One call with one other party.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name.
    pub id: CallId,
    /// With whom.
    pub peer: Peer,
    /// How far it has come.
    pub state: State,
    /// What is left to try if nobody answers here.
    pub rest: VecDeque<Rung>,
    /// Contacts who could have been meant instead.
    pub others: Vec<String>,
    /// The group whose members are called together with this one.
    pub group: Option<String>,
    /// How the caller wants it to be taken.
    pub how: How,
    /// Whether it is on its own.
    pub seat: Seat,
    /// How long both may talk, where there is a limit.
    pub at_most: Option<Duration>,
}

/// Whether a call is on its own, or one of several that hear one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seat {
    /// On its own.
    #[default]
    Alone,
    /// Comes to the others once it is connected.
    Invited {
        /// Whether the room that the others are carried to has asked for it.
        asked: bool,
    },
    /// One of several, or of one who waits for those who are invited.
    Joined,
    /// Was one of them and is being ended while they talk in another room: here nobody need hear of it.
    Elsewhere,
}

/// How far a call has come. `until` is when the state ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// We call; nothing heard yet.
    Dialing {
        /// Nobody answers.
        until: Time,
    },
    /// The other end rings.
    Ringback {
        /// Nobody answers.
        until: Time,
    },
    /// The other end sends sound before it answers.
    EarlyMedia {
        /// Nobody answers.
        until: Time,
    },
    /// We are called.
    Ringing {
        /// It counts as missed.
        until: Time,
    },
    /// We have answered; media is on its way.
    Accepted {
        /// It is not coming.
        until: Time,
    },
    /// Both can talk.
    Connected {
        /// Since the call was answered.
        since: Time,
    },
    /// On hold.
    Held {
        /// Since the call was answered.
        since: Time,
        /// Who put it there.
        by: Side,
    },
    /// We have ended it; the line has yet to confirm.
    Ending {
        /// Why.
        reason: EndReason,
        /// Since when both could talk.
        since: Option<Time>,
        /// We stop waiting for the line.
        until: Time,
    },
    /// Over.
    Ended {
        /// Why.
        reason: EndReason,
        /// How long both could talk; `None` if never.
        talked: Option<Duration>,
    },
}

/// Who holds a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// We.
    Us,
    /// The other end.
    Them,
    /// Both ends.
    Both,
}

/// What happens to a call: first what the line tells, then what we want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The other end rings.
    Alerting,
    /// The other end sends sound.
    EarlyMedia,
    /// Answered, and media flows.
    Answered,
    /// The other end put us on hold.
    HeldByThem,
    /// The other end took us back.
    ResumedByThem,
    /// The line says that it is over.
    Ended(EndReason),
    /// We answer.
    Accept,
    /// We turn the caller away.
    Reject(EndReason),
    /// We put it on hold.
    Hold,
    /// We take it back.
    Resume,
    /// We end it.
    HangUp,
    /// The state's time is over.
    TimeUp,
}

use State::*;

impl Call {
    /// Takes the call on. What makes no sense in its state is late or crossed on the wire: it changes nothing.
    pub fn handle(&mut self, now: Time, event: Event, actions: &mut Vec<LineAction>) {
        let id = self.id;
        let ending = |reason, since| Ending { reason, since, until: now + END_WITHIN };
        self.state = match (self.state, event) {
            (Dialing { until }, Event::Alerting) => Ringback { until },
            (Dialing { until } | Ringback { until }, Event::EarlyMedia) => EarlyMedia { until },
            (Dialing { .. } | Ringback { .. } | EarlyMedia { .. }, Event::Answered) => Connected { since: now },
            (Dialing { .. } | Ringback { .. } | EarlyMedia { .. }, Event::TimeUp) => {
                actions.push(LineAction::HangUp(id));
                ending(EndReason::NoAnswer, None)
            }
            (Dialing { .. } | Ringback { .. } | EarlyMedia { .. } | Accepted { .. }, Event::HangUp) => {
                actions.push(LineAction::HangUp(id));
                ending(EndReason::WeHungUp, None)
            }

            (Ringing { .. }, Event::Accept) => {
                actions.push(LineAction::Accept(id));
                Accepted { until: now + MEDIA_WITHIN }
            }
            (Ringing { .. }, Event::Reject(reason)) => {
                actions.push(LineAction::Reject(id, reason));
                ending(reason, None)
            }
            (Ringing { .. }, Event::HangUp) => {
                actions.push(LineAction::Reject(id, EndReason::Declined));
                ending(EndReason::Declined, None)
            }
            (Ringing { .. }, Event::TimeUp) => {
                actions.push(LineAction::Reject(id, EndReason::NoAnswer));
                ending(EndReason::NoAnswer, None)
            }
            (Accepted { .. }, Event::Answered) => Connected { since: now },
            (Accepted { .. }, Event::TimeUp) => {
                actions.push(LineAction::HangUp(id));
                ending(EndReason::MediaLost, None)
            }

            (Connected { since }, Event::Hold) => {
                actions.push(LineAction::Hold(id));
                Held { since, by: Side::Us }
            }
            (Held { since, by: Side::Them }, Event::Hold) => {
                actions.push(LineAction::Hold(id));
                Held { since, by: Side::Both }
            }
            (Held { since, by: Side::Us }, Event::Resume) => {
                actions.push(LineAction::Resume(id));
                Connected { since }
            }
            (Held { since, by: Side::Both }, Event::Resume) => {
                actions.push(LineAction::Resume(id));
                Held { since, by: Side::Them }
            }
            (Connected { since }, Event::HeldByThem) => Held { since, by: Side::Them },
            (Held { since, by: Side::Us }, Event::HeldByThem) => Held { since, by: Side::Both },
            (Held { since, by: Side::Both }, Event::ResumedByThem) => Held { since, by: Side::Us },
            (Held { since, by: Side::Them }, Event::ResumedByThem) => Connected { since },
            (Connected { since } | Held { since, .. }, Event::HangUp) => {
                actions.push(LineAction::HangUp(id));
                ending(EndReason::WeHungUp, Some(since))
            }
            (Connected { since } | Held { since, .. }, Event::TimeUp) => {
                actions.push(LineAction::HangUp(id));
                ending(EndReason::TimeIsUp, Some(since))
            }

            // Said while the next address is about to be tried: now nobody is.
            (Ending { since, until, .. }, Event::HangUp) => Ending { reason: EndReason::WeHungUp, since, until },
            (Ending { reason, since, .. }, Event::Ended(_) | Event::TimeUp) => {
                Ended { reason, talked: since.map(|it| now.since(it)) }
            }
            (Connected { since } | Held { since, .. }, Event::Ended(reason)) => Ended { reason, talked: Some(now.since(since)) },
            (Dialing { .. } | Ringback { .. } | EarlyMedia { .. } | Ringing { .. } | Accepted { .. }, Event::Ended(reason)) => {
                Ended { reason, talked: None }
            }
            (state, _) => state,
        };
    }

    /// When its state ends by itself.
    pub fn deadline(&self) -> Option<Time> {
        match self.state {
            Dialing { until } | Ringback { until } | EarlyMedia { until } => Some(until),
            Ringing { until } | Accepted { until } | Ending { until, .. } => Some(until),
            Connected { since } | Held { since, .. } => self.at_most.map(|it| since + it),
            Ended { .. } => None,
        }
    }

    /// Whether we placed it.
    pub fn is_outgoing(&self) -> bool {
        matches!(self.id, CallId::Out(_))
    }

    /// Whether both can talk, or could if nobody had put it on hold.
    pub fn is_up(&self) -> bool {
        matches!(self.state, Connected { .. } | Held { .. })
    }

    /// Whether it comes to the others once it is connected.
    pub fn is_invited(&self) -> bool {
        matches!(self.seat, Seat::Invited { .. })
    }

    /// Whether it is the leg to another room that carries our call there.
    pub fn is_leg(&self) -> bool {
        self.is_outgoing() && matches!(self.how, How::Carry { .. })
    }

    /// Whether the call is another room's, and only carried here.
    pub fn is_carried_here(&self) -> bool {
        !self.is_outgoing() && matches!(self.how, How::Carry { .. })
    }

    /// Whether another room came in without anybody answering.
    pub fn is_visit(&self) -> bool {
        !self.is_outgoing() && matches!(self.how, How::DropIn | How::Listen)
    }

    /// Whether somebody waits for the other end to answer, at this address or the next.
    pub fn is_ring_out(&self) -> bool {
        match self.state {
            Dialing { .. } | Ringback { .. } | EarlyMedia { .. } => true,
            Ending { reason, since: None, .. } => reason.leaves_hope() && self.is_outgoing() && !self.rest.is_empty(),
            _ => false,
        }
    }

    /// Whether we are called by it.
    pub fn is_ringing(&self) -> bool {
        matches!(self.state, Ringing { .. })
    }

    /// Whether its caller found us busy.
    pub fn is_turned_away(&self) -> bool {
        !self.is_outgoing() && matches!(self.state, Ending { reason: EndReason::Busy | EndReason::NotAllowed, .. })
    }

    /// Whether it is the one that is being talked in, or would be if the other end had not put us on hold.
    pub fn is_active(&self) -> bool {
        matches!(self.state, Accepted { .. } | Connected { .. } | Held { by: Side::Them, .. })
    }

    /// Whether we have put it on hold.
    pub fn is_parked(&self) -> bool {
        matches!(self.state, Held { by: Side::Us | Side::Both, .. })
    }

    /// As the outside sees it.
    pub fn seen(&self) -> CallState {
        match self.state {
            Dialing { .. } => CallState::Dialing,
            Ringback { .. } | EarlyMedia { .. } => CallState::Ringback,
            Ringing { .. } | Accepted { .. } => CallState::Ringing,
            Connected { .. } => CallState::Connected,
            Held { .. } => CallState::Held,
            Ending { .. } if self.is_ring_out() => CallState::Dialing,
            Ending { .. } => CallState::Ending,
            Ended { .. } => CallState::Idle,
        }
    }
}
