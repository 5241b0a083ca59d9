//! Words -> intent. What people say is a closed set of sentences (see `grammar`) and a few with digits in them.

pub mod grammar;
pub mod heard;
pub mod open;
pub mod pattern;
pub mod slots;
pub mod ways;
pub mod wholes;

pub mod numbers;

pub use grammar::{Meant, Sentences};
pub use heard::{Grammar, Judgement, Loop};
pub use wholes::{Said, Wholes};

use crate::action::Scope;
use crate::contacts::as_heard;
use crate::house::RoomName;
use crate::input::VolumeTo;

/// What a sentence asks for. Contacts are named as they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Calls somebody. More than one name: it is not clear whom.
    Dial {
        /// Who can be meant, in the order of the contacts.
        who: Vec<String>,
        /// At which of the addresses; `None`: in ringing order.
        label: Option<String>,
    },
    /// Calls all of a group.
    DialGroup(String),
    /// Calls a number that was said digit by digit.
    DialNumber(String),
    /// Calls the first emergency number.
    Emergency,
    /// Answers the call that rings.
    Answer,
    /// Declines the call that rings.
    Decline,
    /// Ends the call, the ring-out, or declines.
    HangUp,
    /// Calls the last called party again.
    Redial,
    /// Calls the last caller back.
    CallBack,
    /// Changes a volume.
    Volume(VolumeTo),
    /// Closes the microphone of the call.
    Mute,
    /// Opens it again.
    Unmute,
    /// Puts the call on hold.
    Hold,
    /// Takes it back.
    Resume,
    /// Sends touch tones.
    Dtmf(String),
    /// Do not disturb.
    DoNotDisturb(bool),
    /// Connects to a room at once; rooms are named as in addresses.
    DropIn(RoomName),
    /// Listens to a room.
    Listen(RoomName),
    /// Moves the call to a room.
    Move(RoomName),
    /// Moves the call back to this room.
    TakeBack,
    /// Adds somebody to the call; more than one name: it is not clear whom.
    Add(Vec<String>),
    /// The call goes with the person, or stays.
    FollowMe(bool),
    /// Who rings, or whom we talk to.
    WhoIsCalling,
    /// Whose calls were missed.
    WhoCalled,
    /// Forgets whose calls were missed.
    ClearMissed,
    /// Says the last sentence again.
    Repeat,
    /// Stops a dialogue or a ring-out.
    Cancel,
    /// Yes.
    Yes,
    /// No.
    No,
    /// "No, the other Anna": not the one offered or being called; of these, or of those with a like name where empty.
    Other(Vec<String>),
    /// "No, Dad": not the one offered or being called but this one.
    Rather(Vec<String>),
    /// The first, second or third of those offered, counted from 0.
    Choose(usize),
}

impl Intent {
    /// Its name, as in phrases/*.yaml, on MQTT and on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Intent::Dial { .. } => "dial",
            Intent::DialGroup(_) => "dial_group",
            Intent::DialNumber(_) => "dial_number",
            Intent::Emergency => "emergency",
            Intent::Answer => "answer",
            Intent::Decline => "decline",
            Intent::HangUp => "hang_up",
            Intent::Redial => "redial",
            Intent::CallBack => "call_back",
            Intent::Volume(VolumeTo::Up) => "volume_up",
            Intent::Volume(VolumeTo::Down) => "volume_down",
            Intent::Volume(VolumeTo::Percent(_)) => "volume_percent",
            Intent::Mute => "mute",
            Intent::Unmute => "unmute",
            Intent::Hold => "hold",
            Intent::Resume => "resume",
            Intent::Dtmf(_) => "dtmf",
            Intent::DoNotDisturb(true) => "do_not_disturb_on",
            Intent::DoNotDisturb(false) => "do_not_disturb_off",
            Intent::DropIn(_) => "drop_in",
            Intent::Listen(_) => "listen_in",
            Intent::Move(_) => "move",
            Intent::TakeBack => "take_back",
            Intent::Add(_) => "add",
            Intent::FollowMe(true) => "follow_me",
            Intent::FollowMe(false) => "follow_me_off",
            Intent::WhoIsCalling => "who_is_calling",
            Intent::WhoCalled => "who_called",
            Intent::ClearMissed => "clear_missed",
            Intent::Repeat => "repeat",
            Intent::Cancel => "cancel",
            Intent::Yes => "yes",
            Intent::No => "no",
            Intent::Other(_) => "other",
            Intent::Rather(_) => "rather",
            Intent::Choose(0) => "first",
            Intent::Choose(1) => "second",
            Intent::Choose(_) => "third",
        }
    }

    /// Whether it counts without the wake phrase while no question is open.
    pub fn counts_at_once(&self, scope: Scope) -> bool {
        match scope {
            Scope::Asleep | Scope::Command | Scope::InCall | Scope::Recording | Scope::Confirming => false,
            Scope::Ringing => matches!(self, Intent::Answer | Intent::Decline),
            Scope::RingOut => {
                matches!(self, Intent::No | Intent::Cancel | Intent::HangUp | Intent::Other(_) | Intent::Rather(_))
            }
        }
    }

    /// The contact's name, if it is clear who is meant.
    pub fn contact(&self) -> Option<&str> {
        match self {
            Intent::Dial { who, .. } | Intent::Other(who) | Intent::Rather(who) | Intent::Add(who) => match who.as_slice() {
                [one] => Some(one),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What a sentence means; `None` where it is none of ours.
pub fn parse(text: &str, sentences: &Sentences) -> Option<Intent> {
    sentences.meaning(&as_heard(text)).map(|it| it.intent)
}
