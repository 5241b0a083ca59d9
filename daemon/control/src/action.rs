//! Everything that can be asked of the world, grouped by who does it.

use std::time::Duration;

use crate::call::{Ask, CallId, EndReason, How};
use crate::dialplan::{LineName, Uri};
use crate::house::{AnnouncementId, HouseAction, Progress, RoomName};
use crate::input::{Bus, PromptId};

/// Something to do; taken from [`crate::Speaker::poll_action`] in order. What one input leads to comes as lines, sound, listening, reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// For the lines.
    Line(LineAction),
    /// For the house.
    House(HouseAction),
    /// For the sound engine.
    Sound(SoundAction),
    /// For the listener.
    Listen(Scope),
    /// For whoever wants to know: MQTT, status, store.
    Report(Report),
}

/// What a line does with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineAction {
    /// Places a call.
    Dial {
        /// Named by us: `CallId::Out`.
        call: CallId,
        /// On which line.
        line: LineName,
        /// To whom.
        to: Uri,
        /// How it wants to be taken.
        how: How,
    },
    /// Tells the caller that it rings here (SIP 180).
    Alert(CallId),
    /// Answers (SIP 200); [`crate::input::LineEvent::Answered`] follows when media flows.
    Accept(CallId),
    /// Turns the caller away with the SIP code of the reason.
    Reject(CallId, EndReason),
    /// Ends a call in whatever state it is: CANCEL, BYE.
    HangUp(CallId),
    /// Puts the other end on hold (re-INVITE, sendonly).
    Hold(CallId),
    /// Takes it back (re-INVITE, sendrecv).
    Resume(CallId),
    /// Sends touch tones (RFC 4733).
    Dtmf(CallId, String),
    /// Asks something of the other end, a room of ours.
    Ask(CallId, Ask),
}

impl LineAction {
    /// The call that it is about.
    pub fn call(&self) -> CallId {
        match self {
            LineAction::Dial { call, .. } => *call,
            LineAction::Alert(call)
            | LineAction::Accept(call)
            | LineAction::Reject(call, _)
            | LineAction::HangUp(call)
            | LineAction::Hold(call)
            | LineAction::Resume(call)
            | LineAction::Dtmf(call, _)
            | LineAction::Ask(call, _) => *call,
        }
    }
}

/// What the sound engine does.
#[derive(Clone, Debug, PartialEq)]
pub enum SoundAction {
    /// Plays a tone over and over, in place of the one before.
    Tone(Tone),
    /// Ends the tone.
    StopTone,
    /// Plays a short sign.
    Earcon(Earcon),
    /// Speaks a sentence; reported as [`crate::input::SoundNotice::Said`] when done. Sentences queue.
    Say {
        /// Names it.
        prompt: PromptId,
        /// The words.
        text: String,
        /// BCP 47 language of the words.
        language: String,
    },
    /// Stops speaking and forgets what is queued.
    StopSaying,
    /// Lets the call's party hear our microphone.
    OpenMic(CallId),
    /// The party hears silence.
    CloseMic(CallId),
    /// Lets us hear the party: its sound goes to the loudspeaker.
    Unsilence(CallId),
    /// We do not hear the party.
    Silence(CallId),
    /// Lets the call's party hear, and be heard by, all others that are bridged, whatever its microphone gate and silence.
    Bridge(CallId),
    /// Takes it out.
    Unbridge(CallId),
    /// Lowers everything on the bus while somebody commands or a prompt speaks.
    Duck(Bus),
    /// Back to normal.
    Unduck(Bus),
    /// Sets the volume of a bus, 0 to 100.
    Volume(Bus, u8),
}

/// Endless tones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// We are called.
    Ring,
    /// The other end rings.
    Ringback,
    /// Busy (ends by itself after some seconds by a deadline here).
    Busy,
    /// Another caller knocks while we talk.
    CallWaiting,
}

/// Short signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earcon {
    /// The chime: the wake phrase was heard, say on.
    Awake,
    /// Understood; it is being done.
    Understood,
    /// Not understood, or dialogue over.
    Rejected,
    /// The call is connected.
    Connected,
    /// The call is over.
    Ended,
    /// Say on: it is being recorded.
    Recording,
    /// Another room has dropped in, or listens: this room is no longer by itself.
    DropIn,
    /// Somebody has come into the call.
    Joined,
    /// Somebody has left it, and others are still there.
    Left,
}

/// What the listener listens for. Each scope's sentences come from [`crate::Speaker::grammar`]: get them anew with every `Listen`, as the
/// same scope comes again when contacts or settings have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The wake phrase; a command may follow it in one breath. Nothing else counts.
    Asleep,
    /// The wake phrase was just heard, or a question was asked: a command is due within the listening time.
    Command,
    /// As `Asleep`, and the answers to ringing ("answer", "decline") without the wake phrase.
    Ringing,
    /// As `Asleep`, and "no", "cancel", "stop" without the wake phrase.
    RingOut,
    /// As `Asleep`, during a call: only sentences that follow the wake phrase count.
    InCall,
    /// What follows an open sentence is being recorded; nothing else counts until it ends.
    Recording,
    /// A question was asked: yes, no, one of the names offered; within the listening time. Comes when the question begins, so that it can be
    /// interrupted, and again when it has been spoken, so that the listening time counts from there.
    Confirming,
}

/// What is told to MQTT, `hark status` and the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The state of the speaker's foremost call, whenever it changes.
    Call(CallReport),
    /// Something happened once.
    Event(Event),
    /// A setting that must survive a restart.
    Setting(SettingReport),
    /// Whom "redial" and "call back" mean from now on; must survive a restart too.
    History(History),
    /// What waits for whoever comes into the room, whenever it changes; at start only if there is something.
    Waiting(Waiting),
    /// A line went up or down.
    Line {
        /// Which.
        line: LineName,
        /// `Ok` or why not.
        up: Result<(), String>,
    },
}

/// The state of a call as the outside sees it (docs/mqtt.md).
#[derive(Clone, Debug, PartialEq)]
pub struct CallReport {
    /// idle, dialing, ringing, ringback, connected, held, ending.
    pub state: CallState,
    /// Which call; `None` when idle.
    pub call: Option<CallId>,
    /// With whom.
    pub peer: Option<Peer>,
    /// All who are in it, `peer` first.
    pub parties: Vec<Peer>,
    /// Whether our microphone is muted by the user.
    pub muted: bool,
}

/// See [`CallReport`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// No call.
    Idle,
    /// We call, nothing heard yet.
    Dialing,
    /// We are called.
    Ringing,
    /// The other end rings.
    Ringback,
    /// Both can talk.
    Connected,
    /// On hold by one side.
    Held,
    /// Both can talk, in another room: only the line is here.
    Carried,
    /// Being ended.
    Ending,
}

/// The other party, as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The contact's name, or what the caller sent, or the address.
    pub name: String,
    /// The address.
    pub address: Uri,
    /// Whether it is one of our contacts.
    pub known: bool,
}

/// Whom "redial" and "call back" mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Whom we called last; no emergency numbers.
    pub last_dialled: Option<Peer>,
    /// Whose call was missed last and has not been called back.
    pub last_missed: Option<Peer>,
    /// Who called last.
    pub last_caller: Option<Peer>,
    /// Whose calls were missed and neither called back nor cleared; the last one last.
    pub missed: Vec<Missed>,
}

/// Calls of one person that were missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Who called.
    pub peer: Peer,
    /// How often.
    pub n: u32,
}

/// What waits for whoever comes into the room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// See [`History::missed`].
    pub missed: Vec<Missed>,
    /// How many announcements wait for quiet hours to end.
    pub announcements: u32,
}

/// Things that happen once.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The wake phrase was heard.
    Wake,
    /// A sentence was understood; the words are published only if `privacy.publish_words`.
    Heard {
        /// The words.
        text: String,
        /// The name of the intent, such as `dial`.
        intent: &'static str,
        /// The contact's name if there is one in it.
        contact: Option<String>,
        /// 0 to 1.
        confidence: f32,
    },
    /// Something was said and not understood.
    Rejected,
    /// We are called.
    Ringing(CallId, Peer),
    /// A call was answered by us or by them.
    Answered(CallId, Peer),
    /// Nobody answered here.
    Missed(CallId, Peer),
    /// A call is over.
    Ended {
        /// Which.
        call: CallId,
        /// With whom.
        peer: Peer,
        /// Why.
        reason: EndReason,
        /// How long both could talk; zero if never.
        talked: Duration,
        /// Whether we placed it.
        outgoing: bool,
    },
    /// The other end pressed a key.
    Dtmf(CallId, char),
    /// Another room was let in without anybody answering.
    DropIn {
        /// Which call.
        call: CallId,
        /// Which room.
        peer: Peer,
        /// Whether it only listens.
        listens: bool,
    },
    /// A call that we hold the line of went to another room, or came back to ours.
    Moved {
        /// Which call.
        call: CallId,
        /// With whom.
        peer: Peer,
        /// Where it is now.
        to: RoomName,
    },
    /// A command could not be done; the sentence that the room hears.
    Denied(String),
    /// An announcement has come further.
    Announcement {
        /// Which.
        id: AnnouncementId,
        /// The room that it is from.
        from: RoomName,
        /// How far.
        progress: Progress,
    },
}

/// A setting that changed by voice, MQTT or command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingReport {
    /// The volume of a bus, 0 to 100.
    Volume(Bus, u8),
    /// Do not disturb.
    DoNotDisturb(bool),
    /// Whether quiet hours are now; not to be kept.
    Quiet(bool),
    /// Muted by the user.
    Muted(bool),
}
