//! What holds for every sequence of inputs, sensible or not.

mod house;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use control::Speaker;
use control::action::{Action, CallState, Event, LineAction, Report, Scope, SoundAction, Tone};
use control::call::{CallId, EndReason};
use control::input::{Bus, Command, Heard, Input, LineEvent, PromptId, SoundNotice, VolumeChange, VolumeTo};
use control::time::Time;
use proptest::prelude::*;

/// What happens next: an input, or time passes.
#[derive(Clone, Debug)]
enum Step {
    Input(Input),
    /// A new call comes in, from one of our contacts or a stranger.
    Incoming(usize),
    Wait(Duration),
}

const SENTENCES: [&str; 30] = [
    "call mom",
    "call dad",
    "call anna",
    "call bob",
    "call the echo test",
    "call mom on her mobile",
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
    "do not disturb",
    "do not disturb off",
    "who is calling",
    "repeat",
    "cancel",
    "yes",
    "no",
    "no the other anna",
    "the first one",
    "anna smith",
];

const CALLERS: [&str; 4] =
    ["sip:mom@home.example", "sip:dad@example.org", "sip:0301234567@fritz.box", "sip:anonymous@anonymous.invalid"];

const REASONS: [EndReason; 8] = [
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
        prop_oneof![Just("mom"), Just("dad"), Just("anna"), Just("nobody"), Just("112"), Just("sip:x@y.example"), Just("")]
            .prop_map(|it| Command::Dial(it.to_string())),
        Just(Command::Answer),
        Just(Command::Decline),
        Just(Command::HangUp),
        Just(Command::Redial),
        Just(Command::CallBack),
        Just(Command::Hold),
        Just(Command::Resume),
        Just(Command::Mute),
        Just(Command::Unmute),
        volume.prop_map(Command::Volume),
        any::<bool>().prop_map(Command::DoNotDisturb),
        "[0-9*#x]{0,3}".prop_map(Command::Dtmf),
        Just(Command::WhoIsCalling),
        Just(Command::Repeat),
        Just(Command::Cancel),
        ".{0,8}".prop_map(Command::Say),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let heard = (0..SENTENCES.len(), 0.3f32..1.0, any::<bool>()).prop_map(|(n, confidence, woken)| Heard::Sentence {
        text: SENTENCES[n].into(),
        confidence,
        woken,
    });
    prop_oneof![
        6 => line_event().prop_map(|it| Step::Input(Input::Line(it))),
        4 => command().prop_map(|it| Step::Input(Input::Command(it))),
        4 => heard.prop_map(|it| Step::Input(Input::Heard(it))),
        1 => Just(Step::Input(Input::Heard(Heard::Wake))),
        1 => Just(Step::Input(Input::Heard(Heard::Rejected))),
        1 => Just(Step::Input(Input::Heard(Heard::Nothing))),
        2 => (1u32..30).prop_map(|it| Step::Input(Input::Sound(SoundNotice::Said(PromptId(it))))),
        1 => Just(Step::Input(Input::Contacts(house::contacts_from("contacts person Dad at sip:dad@example.org")))),
        1 => Just(Step::Input(Input::Contacts(house::contacts()))),
        1 => Just(Step::Input(Input::Settings(house::settings()))),
        3 => (0..CALLERS.len()).prop_map(Step::Incoming),
        3 => (0u64..40_000).prop_map(|it| Step::Wait(Duration::from_millis(it))),
    ]
}

/// The world as the actions have made it, and whether they kept the promises.
struct World {
    speaker: Speaker,
    now: Time,
    callers: u32,
    /// Calls that are not over, and whether the line may still tell of them.
    live: BTreeSet<CallId>,
    ended: BTreeMap<CallId, u32>,
    microphone: Option<CallId>,
    heard: Option<CallId>,
    tone: Option<Tone>,
    ducked: BTreeSet<Bus>,
    state: CallState,
    foremost: Option<CallId>,
    muted: bool,
    scope: Option<Scope>,
}

impl World {
    fn new() -> World {
        let mut world = World {
            speaker: house::speaker("en"),
            now: Time::ZERO,
            callers: 0,
            live: BTreeSet::new(),
            ended: BTreeMap::new(),
            microphone: None,
            heard: None,
            tone: None,
            ducked: BTreeSet::new(),
            state: CallState::Idle,
            foremost: None,
            muted: false,
            scope: None,
        };
        world.act();
        world
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(wait) => self.pass_time(self.now + wait),
            Step::Incoming(caller) => {
                self.callers += 1;
                let call = CallId::In(self.callers);
                self.live.insert(call);
                let from = CALLERS[caller].parse().unwrap();
                self.input(Input::Line(LineEvent::Incoming { call, line: "direct".into(), from, display: String::new() }));
            }
            Step::Input(input) => self.input(input),
        }
    }

    fn input(&mut self, input: Input) {
        self.speaker.handle(self.now, input);
        self.act();
    }

    fn pass_time(&mut self, until: Time) {
        while let Some(due) = self.speaker.poll_timeout().filter(|it| *it <= until) {
            self.now = self.now.max(due);
            self.speaker.handle_timeout(self.now);
            self.act();
            assert!(self.speaker.poll_timeout().is_none_or(|it| it > self.now), "a deadline that is over stays");
        }
        self.now = until;
    }

    fn act(&mut self) {
        while let Some(action) = self.speaker.poll_action() {
            match action {
                Action::Line(action) => self.line(action),
                Action::Sound(action) => self.sound(action),
                Action::Listen(scope) => self.scope = Some(scope),
                Action::Report(Report::Call(report)) => {
                    (self.state, self.foremost, self.muted) = (report.state, report.call, report.muted);
                }
                Action::Report(Report::Event(Event::Ended { call, .. })) => {
                    assert!(self.live.remove(&call), "{call} ended and was not live");
                    *self.ended.entry(call).or_default() += 1;
                }
                Action::Report(_) => (),
            }
        }
        self.check();
    }

    fn line(&mut self, action: LineAction) {
        let call = match action {
            LineAction::Dial { call, .. } => {
                assert!(self.live.insert(call), "{call} is dialled twice");
                call
            }
            LineAction::Alert(call) | LineAction::Accept(call) | LineAction::HangUp(call) => call,
            LineAction::Reject(call, _) | LineAction::Dtmf(call, _) => call,
            LineAction::Hold(call) | LineAction::Resume(call) => call,
        };
        assert!(self.live.contains(&call), "{call} is over and something is asked of its line");
    }

    fn sound(&mut self, action: SoundAction) {
        match action {
            SoundAction::OpenMic(call) => assert_eq!(self.microphone.replace(call), None, "two microphones are open"),
            SoundAction::CloseMic(call) => assert_eq!(self.microphone.take(), Some(call)),
            SoundAction::Unsilence(call) => assert_eq!(self.heard.replace(call), None, "two calls are heard"),
            SoundAction::Silence(call) => assert_eq!(self.heard.take(), Some(call)),
            SoundAction::Tone(tone) => assert_ne!(self.tone.replace(tone), Some(tone), "the tone plays already"),
            SoundAction::StopTone => assert!(self.tone.take().is_some(), "no tone plays"),
            SoundAction::Duck(bus) => assert!(self.ducked.insert(bus), "ducked twice"),
            SoundAction::Unduck(bus) => assert!(self.ducked.remove(&bus), "not ducked"),
            SoundAction::Volume(_, volume) => assert!(volume <= 100),
            SoundAction::Say { text, .. } => assert!(!text.trim().is_empty(), "nothing is said"),
            SoundAction::StopSaying | SoundAction::Earcon(_) => (),
        }
    }

    /// What must be true whenever nothing is left to be done.
    fn check(&self) {
        let connected = self.foremost.filter(|_| self.state == CallState::Connected && !self.muted);
        assert_eq!(self.microphone, connected, "the microphone is open exactly while connected, not muted and not held");
        let gone = |call: &Option<CallId>| call.is_some_and(|it| !self.live.contains(&it));
        assert!(!gone(&self.microphone) && !gone(&self.heard), "a call that is over has sound");
        if self.live.is_empty() {
            assert!(matches!(self.tone, None | Some(Tone::Busy)), "{:?} outlives its call", self.tone);
            assert_eq!((self.state, self.foremost, self.muted), (CallState::Idle, None, false));
        }
        assert!(self.ended.values().all(|n| *n == 1), "a call has ended twice");
        assert_eq!(self.speaker.call_report().call, self.foremost);
    }

    /// Everything is let run out: lines confirm what was asked of them.
    fn finish(mut self) {
        self.input(Input::Command(Command::DoNotDisturb(true)));
        for _ in 0..20 {
            for call in self.live.clone() {
                self.input(Input::Line(LineEvent::Ended(call, EndReason::TheyHungUp)));
            }
            self.pass_time(self.now + Duration::from_secs(60));
        }
        assert_eq!(self.live, BTreeSet::new(), "calls are left over");
        assert_eq!((self.tone, self.microphone, self.heard, self.ducked.len()), (None, None, None, 0));
        assert_eq!(self.scope, Some(Scope::Asleep));
        assert_eq!(self.speaker.poll_timeout(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_promises_are_kept_whatever_happens(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.finish();
    }

    #[test]
    fn inputs_and_actions_are_read_back_from_their_lines(steps in prop::collection::vec(step(), 1..30)) {
        let mut speaker = house::speaker("en");
        for (n, step) in steps.into_iter().enumerate() {
            let input = match step {
                Step::Input(input) => input,
                Step::Incoming(n) => {
                    let from = CALLERS[n].parse().unwrap();
                    Input::Line(LineEvent::Incoming { call: CallId::In(n as u32), line: "a b".into(), from, display: "\"x\\ \n".into() })
                }
                Step::Wait(_) => continue,
            };
            prop_assert_eq!(input.to_string().parse::<Input>(), Ok(input.clone()));
            prop_assert!(!input.to_string().contains('\n'));
            speaker.handle(Time::from_start(Duration::from_millis(1234 * n as u64)), input);
            while let Some(action) = speaker.poll_action() {
                prop_assert_eq!(action.to_string().parse::<Action>(), Ok(action.clone()));
            }
        }
    }

    #[test]
    fn no_line_of_text_makes_the_readers_panic(line in "\\PC{0,60}", words in "((dial|heard|settings|contacts|person|at|report|call|\"|in-1|0.5|sip:a@b|\\\\) ?){0,8}") {
        let _ = (line.parse::<Input>(), line.parse::<Action>(), words.parse::<Input>(), words.parse::<Action>());
        let _ = control::dialplan::Uri::parse(&line);
        let _ = control::intent::pattern::expand(&line.chars().take(20).collect::<String>());
        let speaker = house::speaker("en");
        let _ = (speaker.understand(&line), speaker.grammar(Scope::Asleep).judge(&line, true));
    }

    #[test]
    fn an_address_that_was_read_is_read_the_same_again(line in "(sip:|sips:|tel:|)[a-z0-9+@.:;\\[\\]*# -]{1,20}") {
        if let Ok(uri) = control::dialplan::Uri::parse(&line) {
            prop_assert_eq!(control::dialplan::Uri::parse(uri.as_str()), Ok(uri.clone()));
            prop_assert!(uri.user().is_some() || uri.host().is_some() || uri.as_str() == "hark:echo");
        }
    }
}
