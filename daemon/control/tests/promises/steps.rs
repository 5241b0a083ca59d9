//! What may happen, sensible or not.

use std::time::Duration;

use control::call::{Ask, CallId, EndReason, How};
use control::house::{Announced, AnnouncementId, Bid, HouseEvent, Priority, RecordingId, Room};
use control::input::{Bus, Command, Heard, Input, LineEvent, PromptId, SoundNotice, VolumeChange, VolumeTo};
use proptest::prelude::*;

use crate::house;

/// What happens next: an input, or time passes.
#[derive(Clone, Debug)]
pub enum Step {
    Input(Input),
    /// A new call comes in, from one of our contacts or a stranger.
    Incoming(usize, usize),
    /// Somebody is called for something, and answers.
    Reach(Command),
    /// The room at the other end of one of them asks for something.
    Ask(usize, Ask),
    /// A line tells something of one of the calls that are live.
    Tell(usize, fn(CallId) -> LineEvent),
    /// A line tells that one of them is over.
    End(usize, EndReason),
    Wait(Duration),
}

const SENTENCES: [&str; 41] = [
    "call mom",
    "call dad",
    "call anna",
    "call bob",
    "call the echo test",
    "call mom on her mobile",
    "call the family",
    "no call dad",
    "no bob",
    "dial one two three",
    "call one one two",
    "answer",
    "decline",
    "hang up",
    "redial",
    "call back",
    "louder",
    "volume fifty",
    "mute",
    "unmute",
    "hold",
    "resume",
    "press five",
    "do not disturb off",
    "call rob",
    "who is calling",
    "repeat",
    "cancel",
    "yes",
    "no",
    "no the other anna",
    "the first one",
    "anna smith",
    "call the bedroom",
    "drop in on the nursery",
    "listen to the nursery",
    "move the call to the bedroom",
    "move the call to the bedroom",
    "take the call back",
    "add dad",
    "follow me",
];

pub const CALLERS: [&str; 7] = [
    "sip:mom@home.example",
    "sip:dad@example.org",
    "sip:0301234567@fritz.box",
    "sip:anonymous@anonymous.invalid",
    "hark:room/bedroom",
    "hark:room/living-room",
    "hark:room/attic",
];

/// How the callers come; those that are no rooms ring whatever they want.
pub fn how(n: usize) -> How {
    [How::Ring, How::Ring, How::DropIn, How::Listen, How::Carry { with: "Mom".into() }][n % 5].clone()
}

fn asked() -> impl Strategy<Value = Ask> {
    prop_oneof![
        3 => prop_oneof![Just("bedroom"), Just("nursery"), Just("kitchen"), Just("attic")].prop_map(|it| Ask::Move(it.into())),
        2 => prop_oneof![Just("dad"), Just("bob"), Just("nobody"), Just("nursery")].prop_map(|it| Ask::Add(it.into())),
        1 => any::<bool>().prop_map(Ask::FollowMe),
        1 => Just(Ask::Cannot("nursery".into(), EndReason::Busy)),
    ]
}

const REASONS: [EndReason; 9] = [
    EndReason::Busy,
    EndReason::Busy,
    EndReason::Declined,
    EndReason::NoAnswer,
    EndReason::TheyHungUp,
    EndReason::WeHungUp,
    EndReason::Cancelled,
    EndReason::Unreachable,
    EndReason::Failed(500),
];

fn call() -> impl Strategy<Value = CallId> {
    prop_oneof![(1u32..6).prop_map(CallId::Out), (1u32..6).prop_map(CallId::In)]
}

fn line_event() -> impl Strategy<Value = LineEvent> {
    prop_oneof![
        3 => call().prop_map(LineEvent::Alerting),
        1 => call().prop_map(LineEvent::EarlyMedia),
        6 => call().prop_map(LineEvent::Answered),
        1 => call().prop_map(LineEvent::HeldByThem),
        1 => call().prop_map(LineEvent::ResumedByThem),
        1 => call().prop_map(|it| LineEvent::Dtmf(it, '5')),
        4 => (call(), 0..REASONS.len()).prop_map(|(it, n)| LineEvent::Ended(it, REASONS[n])),
        1 => Just(LineEvent::Down("fritzbox".into(), "no reply".into())),
        1 => Just(LineEvent::Up("fritzbox".into())),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let volume = (0..4u8, any::<u8>()).prop_map(|(bus, n)| {
        let bus = [None, Some(Bus::Call), Some(Bus::Ring), Some(Bus::Announce)][usize::from(bus)];
        VolumeChange { bus, to: [VolumeTo::Up, VolumeTo::Down, VolumeTo::Percent(n)][usize::from(n % 3)] }
    });
    prop_oneof![
        8 => prop_oneof![Just("mom"), Just("dad"), Just("mom"), Just("dad"), Just("family"), Just("anna"), Just("nobody"), Just("112"), Just("sip:x@y.example"), Just("")]
            .prop_map(|it| Command::Dial(it.to_string())),
        3 => Just(Command::Answer),
        1 => Just(Command::Decline),
        1 => Just(Command::HangUp),
        1 => Just(Command::Redial),
        1 => Just(Command::CallBack),
        2 => prop_oneof![Just("nursery"), Just("bedroom"), Just("attic")].prop_map(|it| Command::DropIn(it.into())),
        1 => Just(Command::Listen("nursery".into())),
        6 => prop_oneof![Just("bedroom"), Just("living room"), Just("kitchen"), Just("attic")].prop_map(|it| Command::Move(it.into())),
        2 => Just(Command::TakeBack),
        5 => prop_oneof![Just("dad"), Just("bob"), Just("mom"), Just("nursery"), Just("nobody")].prop_map(|it| Command::Add(it.into())),
        1 => any::<bool>().prop_map(Command::FollowMe),
        5 => Just(Command::Hold),
        6 => Just(Command::Resume),
        2 => Just(Command::Mute),
        1 => Just(Command::Unmute),
        1 => volume.prop_map(Command::Volume),
        1 => prop::bool::weighted(0.2).prop_map(Command::DoNotDisturb),
        4 => "[0-9*#]{1,2}".prop_map(Command::Dtmf),
        1 => Just(Command::WhoIsCalling),
        1 => Just(Command::Repeat),
        1 => Just(Command::Cancel),
        1 => ".{0,8}".prop_map(Command::Say),
        1 => (".{0,8}", prop::option::of(Just("bedroom".to_string())), any::<bool>())
            .prop_map(|(text, to, urgent)| Command::Announce { text, to, urgent }),
        1 => Just(Command::WhoCalled),
        1 => Just(Command::ClearMissed),
    ]
}

fn reached() -> impl Strategy<Value = Command> {
    prop_oneof![
        2 => prop_oneof![Just("mom"), Just("dad"), Just("nursery")].prop_map(|it| Command::Dial(it.into())),
        3 => prop_oneof![Just("dad"), Just("bob"), Just("rob"), Just("nursery")].prop_map(|it| Command::Add(it.into())),
        3 => prop_oneof![Just("bedroom"), Just("nursery"), Just("living-room")].prop_map(|it| Command::Move(it.into())),
    ]
}

/// What lines tell in the course of a call; the likely more often.
const TOLD: [fn(CallId) -> LineEvent; 9] = [
    LineEvent::Answered,
    LineEvent::Answered,
    LineEvent::Answered,
    LineEvent::Answered,
    LineEvent::Alerting,
    LineEvent::EarlyMedia,
    LineEvent::HeldByThem,
    LineEvent::ResumedByThem,
    |call| LineEvent::Dtmf(call, '5'),
];

/// The other rooms; those of `up` are.
pub fn rooms(up: u8) -> HouseEvent {
    let room = |(n, slug): (u8, &str)| Room {
        slug: slug.into(),
        name: slug.replace('-', " "),
        floor: None,
        groups: vec!["upstairs".into()],
        up: up & (1 << n) != 0,
    };
    HouseEvent::Rooms((0..).zip(["bedroom", "living-room", "nursery", "study"]).map(room).collect())
}

fn house_event() -> impl Strategy<Value = HouseEvent> {
    let id = || (0u8..20).prop_map(|it| AnnouncementId(it.to_string()));
    let room = || prop_oneof![Just("bedroom"), Just("study"), Just("nursery"), Just("kitchen")].prop_map(String::from);
    let bid =
        || (room(), -0.5f32..2.5, 0u64..2000).prop_map(|(room, score, age)| Bid { room, score, age: Duration::from_millis(age) });
    let priority = any::<bool>().prop_map(|it| if it { Priority::Urgent } else { Priority::Normal });
    prop_oneof![
        3 => prop_oneof![3 => Just(u8::MAX), 1 => Just(0), 1 => any::<u8>()].prop_map(rooms),
        2 => bid().prop_map(HouseEvent::Bid),
        2 => bid().prop_map(HouseEvent::Won),
        3 => (id(), room(), priority).prop_map(|(id, from, priority)| HouseEvent::Announced(Announced { id, from, priority })),
        2 => id().prop_map(HouseEvent::AnnouncementOver),
        1 => (0..4u32, room()).prop_map(|(n, room)| HouseEvent::Delivered(AnnouncementId(format!("kitchen-s1-{n}")), vec![room])),
        3 => prop::option::of(room()).prop_map(|room| HouseEvent::Presence { person: "mom".into(), room }),
        1 => (0u8..7, 0u16..1440).prop_map(|(weekday, minute)| HouseEvent::Clock { weekday, minute }),
    ]
}

pub fn step() -> impl Strategy<Value = Step> {
    let heard = (0..SENTENCES.len(), 0.3f32..1.0, any::<bool>()).prop_map(|(n, confidence, woken)| Heard::Sentence {
        text: SENTENCES[n].into(),
        confidence,
        woken,
    });
    prop_oneof![
        1 => line_event().prop_map(|it| Step::Input(Input::Line(it))),
        9 => (0..4usize, 0..TOLD.len()).prop_map(|(nth, n)| Step::Tell(nth, TOLD[n])),
        3 => (0..4usize, 0..REASONS.len()).prop_map(|(nth, n)| Step::End(nth, REASONS[n])),
        6 => command().prop_map(|it| Step::Input(Input::Command(it))),
        6 => heard.prop_map(|it| Step::Input(Input::Heard(it))),
        1 => Just(Step::Input(Input::Heard(Heard::Wake { score: 0.0 }))),
        4 => house_event().prop_map(|it| Step::Input(Input::House(it))),
        1 => (0..4usize, any::<bool>()).prop_map(|(n, goes_on)| {
            let text = ["announce", "tell mom", "tell upstairs", "reply"][n].into();
            Step::Input(Input::Heard(Heard::Open { text, confidence: 0.9, goes_on }))
        }),
        1 => (0u32..9).prop_map(|it| Step::Input(Input::Heard(Heard::Recorded(RecordingId(it))))),
        1 => Just(Step::Input(Input::Heard(Heard::Rejected))),
        1 => Just(Step::Input(Input::Heard(Heard::Nothing))),
        2 => (1u32..30).prop_map(|it| Step::Input(Input::Sound(SoundNotice::Said(PromptId(it))))),
        1 => Just(Step::Input(Input::Contacts(house::contacts_from("contacts person Dad at sip:dad@example.org")))),
        1 => Just(Step::Input(Input::Contacts(house::contacts()))),
        1 => Just(Step::Input(Input::Settings(Box::new(house::settings())))),
        4 => (0..CALLERS.len(), 0usize..5).prop_map(|(caller, how)| Step::Incoming(caller, how)),
        7 => reached().prop_map(Step::Reach),
        2 => (0..4usize, asked()).prop_map(|(nth, ask)| Step::Ask(nth, ask)),
        3 => (0u64..40_000).prop_map(|it| Step::Wait(Duration::from_millis(it))),
    ]
}
