//! Everything that can happen to the speaker.

use crate::call::{Ask, CallId, EndReason, How};
use crate::contacts::Contacts;
use crate::dialplan::{LineName, Uri};
use crate::house::{HouseEvent, RecordingId};
use crate::speaker::Settings;

/// Something that happened; the only way into [`crate::Speaker`].
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Somebody asked for something by MQTT, command line, button or page.
    Command(Command),
    /// Something was said into our microphone.
    Heard(Heard),
    /// Something happened on a line.
    Line(LineEvent),
    /// Something happened in the house.
    House(HouseEvent),
    /// Something that was to be played has been.
    Sound(SoundNotice),
    /// The contacts were read anew; calls that are up stay up.
    Contacts(Contacts),
    /// The settings were read anew.
    Settings(Box<Settings>),
}

/// What can be asked for; voice, MQTT, command line and buttons share this one vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Calls a contact by name or alias, a number or a URI, as a person would type it.
    Dial(String),
    /// Answers the call that rings.
    Answer,
    /// Declines the call that rings.
    Decline,
    /// Ends what is going on: the call, the ring-out, or declines what rings.
    HangUp,
    /// Calls the last called party again.
    Redial,
    /// Calls the last caller back.
    CallBack,
    /// Puts the call on hold.
    Hold,
    /// Takes the held call back.
    Resume,
    /// Closes the microphone of the call until `Unmute`.
    Mute,
    /// Opens the microphone of the call again.
    Unmute,
    /// Changes a volume.
    Volume(VolumeChange),
    /// Do not disturb: incoming calls are turned away as busy, silently.
    DoNotDisturb(bool),
    /// Sends touch tones (RFC 4733) into the call: `0`-`9`, `*`, `#`, `A`-`D`.
    Dtmf(String),
    /// Says who is calling.
    WhoIsCalling,
    /// Says the last sentence again.
    Repeat,
    /// Stops a dialogue or a ring-out.
    Cancel,
    /// Speaks a text in this room.
    Say(String),
    /// Speaks a text in other rooms.
    Announce {
        /// What.
        text: String,
        /// To a room, floor, group or person by name; `None`: to the whole house.
        to: Option<String>,
        /// Whether it is heard over calls and in quiet hours.
        urgent: bool,
    },
    /// Says whose calls were missed.
    WhoCalled,
    /// Forgets whose calls were missed.
    ClearMissed,
    /// Connects to a room at once, by its name or slug, if its rules allow it.
    DropIn(String),
    /// Listens to a room, by its name or slug, if its rules allow it.
    Listen(String),
    /// Moves the call to a room, by its name or slug; the other end notices nothing.
    Move(String),
    /// Moves the call back to this room.
    TakeBack,
    /// Adds somebody to the call: a contact, number, address or room.
    Add(String),
    /// The call goes with the person who is in it, from room to room, or stays again.
    FollowMe(bool),
}

/// What a volume is changed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeChange {
    /// Which volume; `None` is the one that matters now (call volume in a call, else all of them).
    pub bus: Option<Bus>,
    /// The change.
    pub to: VolumeTo,
}

/// A volume, or a step from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeTo {
    /// One step (10 points) louder.
    Up,
    /// One step (10 points) softer.
    Down,
    /// 0 to 100.
    Percent(u8),
}

/// What is played belongs to one of these, each with a volume of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bus {
    /// The other parties.
    Call,
    /// Ringing, ringback and other tones.
    Ring,
    /// Spoken prompts, earcons, announcements.
    Announce,
}

/// What the listener heard; the texts are as in the grammar that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The wake phrase.
    Wake {
        /// How well, 0 to 1, to be compared with other speakers of the house.
        score: f32,
    },
    /// A whole sentence of the grammar in force. `woken` tells whether the wake phrase was said before it.
    Sentence {
        /// The words, as in the grammar.
        text: String,
        /// 0 to 1: the least sure word of the sentence.
        confidence: f32,
        /// Whether the wake phrase came first.
        woken: bool,
    },
    /// Words after which people say what they like, such as "announce"; what follows is recorded.
    Open {
        /// The words, as in the grammar.
        text: String,
        /// 0 to 1.
        confidence: f32,
        /// Whether it goes on in the same breath: then no sign is due.
        goes_on: bool,
    },
    /// What followed an `Open` was recorded to its end.
    Recorded(RecordingId),
    /// After the wake phrase something was said that is no sentence of the grammar.
    Rejected,
    /// After the wake phrase nothing was said.
    Nothing,
}

/// What a line tells of its calls and of itself.
#[derive(Clone, Debug, PartialEq)]
pub enum LineEvent {
    /// The line can place and receive calls.
    Up(LineName),
    /// The line cannot, and why (for people; already in plain words of the log's language).
    Down(LineName, String),
    /// Somebody calls us.
    Incoming {
        /// Named by the line: `CallId::In`.
        call: CallId,
        /// On which line.
        line: LineName,
        /// The caller's address.
        from: Uri,
        /// The name that the caller sent, empty if none.
        display: String,
        /// How it wants to be taken; other rooms only, everybody else rings.
        how: How,
    },
    /// The other end rings (SIP 180 without media).
    Alerting(CallId),
    /// The other end sends sound before it answers (SIP 183 with media): no ringback of ours.
    EarlyMedia(CallId),
    /// The call is answered, by them or (after `Accept`) by us, and media flows.
    Answered(CallId),
    /// The other end put us on hold.
    HeldByThem(CallId),
    /// The other end took us back.
    ResumedByThem(CallId),
    /// The other end pressed a key.
    Dtmf(CallId, char),
    /// The other end, a room of ours, asks for something.
    Asked(CallId, Ask),
    /// The call is over, whoever ended it (after our `HangUp` and `Reject` too); nothing follows about it.
    Ended(CallId, EndReason),
}

/// What the sound engine tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoundNotice {
    /// A prompt was spoken to its end, or was stopped.
    Said(PromptId),
    /// The card went away; it is being looked for.
    CardLost,
    /// The card is back.
    CardBack,
}

/// Names one spoken prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PromptId(pub u32);
