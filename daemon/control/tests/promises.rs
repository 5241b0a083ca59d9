//! What holds for every sequence of inputs, sensible or not.

mod house;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use control::Speaker;
use control::action::{Action, CallState, Event, LineAction, Report, Scope, SettingReport, SoundAction, Tone};
use control::call::{CallId, EndReason, How};
use control::house::{Announced, AnnouncementId, Bid, HouseAction, HouseEvent, Priority, RecordingId, Room};
use control::input::{Bus, Command, Heard, Input, LineEvent, PromptId, SoundNotice, VolumeChange, VolumeTo};
use control::time::Time;
use proptest::prelude::*;

/// What happens next: an input, or time passes.
#[derive(Clone, Debug)]
enum Step {
    Input(Input),
    /// A new call comes in, from one of our contacts or a stranger.
    Incoming(usize),
    /// A line tells something of one of the calls that are live.
    Tell(usize, fn(CallId) -> LineEvent),
    /// A line tells that one of them is over.
    End(usize, EndReason),
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
];

const CALLERS: [&str; 4] =
    ["sip:mom@home.example", "sip:dad@example.org", "sip:0301234567@fritz.box", "sip:anonymous@anonymous.invalid"];

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
        5 => prop_oneof![Just("mom"), Just("dad"), Just("anna"), Just("nobody"), Just("112"), Just("sip:x@y.example"), Just("")]
            .prop_map(|it| Command::Dial(it.to_string())),
        3 => Just(Command::Answer),
        1 => Just(Command::Decline),
        1 => Just(Command::HangUp),
        1 => Just(Command::Redial),
        1 => Just(Command::CallBack),
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

fn rooms(up: bool) -> HouseEvent {
    let room = |name: &str| Room { slug: name.into(), name: name.into(), floor: None, groups: vec!["upstairs".into()], up };
    HouseEvent::Rooms(vec![room("bedroom"), room("study")])
}

fn house_event() -> impl Strategy<Value = HouseEvent> {
    let id = || (0u8..20).prop_map(|it| AnnouncementId(it.to_string()));
    let room = || prop_oneof![Just("bedroom"), Just("study"), Just("kitchen")].prop_map(String::from);
    let bid =
        || (room(), -0.5f32..2.5, 0u64..2000).prop_map(|(room, score, age)| Bid { room, score, age: Duration::from_millis(age) });
    let priority = any::<bool>().prop_map(|it| if it { Priority::Urgent } else { Priority::Normal });
    prop_oneof![
        3 => any::<bool>().prop_map(rooms),
        2 => bid().prop_map(HouseEvent::Bid),
        2 => bid().prop_map(HouseEvent::Won),
        3 => (id(), room(), priority).prop_map(|(id, from, priority)| HouseEvent::Announced(Announced { id, from, priority })),
        2 => id().prop_map(HouseEvent::AnnouncementOver),
        1 => (0..4u32, room()).prop_map(|(n, room)| HouseEvent::Delivered(AnnouncementId(format!("kitchen-s1-{n}")), vec![room])),
        1 => prop::option::of(room()).prop_map(|room| HouseEvent::Presence { person: "mom".into(), room }),
        1 => (0u8..7, 0u16..1440).prop_map(|(weekday, minute)| HouseEvent::Clock { weekday, minute }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
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
        1 => Just(Step::Input(Input::Settings(house::settings()))),
        3 => (0..CALLERS.len()).prop_map(Step::Incoming),
        3 => (0u64..40_000).prop_map(|it| Step::Wait(Duration::from_millis(it))),
    ]
}

/// A call as its line knows it, from what it has told and what was asked of it.
#[derive(Clone, Copy, Debug, Default)]
struct OnTheLine {
    accepted: bool,
    connected: bool,
    held_by_us: bool,
    held_by_them: bool,
    ending: bool,
}

/// The world as the actions have made it, and whether they kept the promises.
struct World {
    speaker: Speaker,
    now: Time,
    callers: u32,
    /// Calls that are not over, as the lines see them.
    live: BTreeMap<CallId, OnTheLine>,
    ended: BTreeMap<CallId, u32>,
    microphone: Option<CallId>,
    heard: Option<CallId>,
    tone: Option<Tone>,
    ducked: BTreeSet<Bus>,
    state: CallState,
    foremost: Option<CallId>,
    muted: bool,
    scope: Option<Scope>,
    /// Announcements that have arrived and are not over, and the one that plays.
    announced: BTreeSet<AnnouncementId>,
    playing: Option<AnnouncementId>,
    /// How often what was done, by its first words.
    seen: BTreeMap<String, u32>,
}

impl World {
    fn new() -> World {
        let mut world = World {
            speaker: house::speaker("en"),
            now: Time::ZERO,
            callers: 0,
            live: BTreeMap::new(),
            ended: BTreeMap::new(),
            microphone: None,
            heard: None,
            tone: None,
            ducked: BTreeSet::new(),
            state: CallState::Idle,
            foremost: None,
            muted: false,
            scope: None,
            announced: BTreeSet::new(),
            playing: None,
            seen: BTreeMap::new(),
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
                self.live.insert(call, OnTheLine::default());
                let from = CALLERS[caller].parse().unwrap();
                self.input(Input::Line(LineEvent::Incoming {
                    call,
                    line: "direct".into(),
                    from,
                    display: String::new(),
                    how: How::Ring,
                }));
            }
            Step::Tell(nth, event) => {
                let call = self.nth(nth);
                call.into_iter().for_each(|it| self.input(Input::Line(event(it))));
            }
            Step::End(nth, reason) => {
                let call = self.nth(nth);
                call.into_iter().for_each(|it| self.input(Input::Line(LineEvent::Ended(it, reason))));
            }
            Step::Input(input) => self.input(input),
        }
    }

    fn nth(&self, nth: usize) -> Option<CallId> {
        self.live.keys().copied().nth(nth % self.live.len().max(1))
    }

    fn input(&mut self, input: Input) {
        match &input {
            Input::House(HouseEvent::Announced(it)) => drop(self.announced.insert(it.id.clone())),
            Input::House(HouseEvent::AnnouncementOver(id)) => self.announcement_over(id),
            _ => (),
        }
        if let Input::Line(event) = &input {
            self.told(event);
        }
        self.speaker.handle(self.now, input);
        self.act();
    }

    fn told(&mut self, event: &LineEvent) {
        let mut on = |id: &CallId, tell: fn(&mut OnTheLine)| {
            let is_ours = matches!(id, CallId::Out(_));
            let live = self.live.get_mut(id).filter(|it| !it.ending && (is_ours || it.accepted));
            live.into_iter().for_each(tell);
        };
        match event {
            LineEvent::Answered(id) => on(id, |it| it.connected = true),
            LineEvent::HeldByThem(id) => on(id, |it| it.held_by_them = it.connected),
            LineEvent::ResumedByThem(id) => on(id, |it| it.held_by_them = false),
            LineEvent::Ended(id, _) => on(id, |it| it.ending = true),
            _ => (),
        }
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
        let before = self.playing.clone();
        while let Some(action) = self.speaker.poll_action() {
            let line = action.to_string();
            let what = line.split(' ').take(1 + usize::from(["tone ", "duck ", "house "].iter().any(|it| line.starts_with(it))));
            *self.seen.entry(what.collect::<Vec<_>>().join(" ")).or_default() += 1;
            match action {
                Action::Line(action) => self.line(action),
                Action::Sound(action) => self.sound(action),
                Action::Listen(scope) => self.scope = Some(scope),
                Action::Report(Report::Call(report)) => {
                    (self.state, self.foremost) = (report.state, report.call);
                }
                Action::Report(Report::Setting(SettingReport::Muted(on))) => self.muted = on,
                Action::Report(Report::Event(Event::Ended { call, .. })) => {
                    assert!(self.live.remove(&call).is_some(), "{call} ended and was not live");
                    *self.ended.entry(call).or_default() += 1;
                }
                Action::House(action) => self.house(action),
                Action::Report(_) => (),
            }
        }
        let begun = self.playing.is_some() && self.playing != before;
        assert!(!begun || self.scope != Some(Scope::Recording), "an announcement begins in a recording");
        self.check();
    }

    fn announcement_over(&mut self, id: &AnnouncementId) {
        self.playing.take_if(|it| *it == *id);
        self.announced.remove(id);
    }

    fn house(&mut self, action: HouseAction) {
        match action {
            HouseAction::Play(id) => {
                assert!(self.announced.contains(&id), "{id} plays and has not arrived");
                assert_eq!(self.playing.replace(id), None, "two announcements play");
            }
            HouseAction::Drop(id) => self.announcement_over(&id),
            HouseAction::Announce(it) => assert!(!it.to.is_empty(), "an announcement to nobody"),
            HouseAction::Bid { score } | HouseAction::Won { score } => assert!((0.0..=2.0).contains(&score)),
            HouseAction::Publish(_) => (),
        }
    }

    fn line(&mut self, action: LineAction) {
        if let LineAction::Dial { call, .. } = action {
            assert!(self.live.insert(call, OnTheLine::default()).is_none(), "{call} is dialled twice");
            return;
        }
        let on = |id: CallId, ask: fn(&mut OnTheLine), live: &mut BTreeMap<CallId, OnTheLine>| match live.get_mut(&id) {
            Some(call) => {
                assert!(!call.ending, "{id} is over or being ended, and more is asked of its line");
                ask(call);
            }
            None => panic!("{id} is over and something is asked of its line"),
        };
        let live = &mut self.live;
        match action {
            LineAction::Dial { .. } => (),
            LineAction::Alert(id) => on(id, |it| assert!(!it.accepted), live),
            LineAction::Accept(id) => on(id, |it| it.accepted = true, live),
            LineAction::HangUp(id) => on(id, |it| it.ending = true, live),
            LineAction::Reject(id, _) => on(id, |it| (assert!(!it.accepted), it.ending = true).1, live),
            LineAction::Hold(id) => on(id, |it| (assert!(it.connected && !it.held_by_us), it.held_by_us = true).1, live),
            LineAction::Resume(id) => on(id, |it| (assert!(it.connected && it.held_by_us), it.held_by_us = false).1, live),
            LineAction::Dtmf(id, _) | LineAction::Ask(id, _) => on(id, |it| assert!(it.connected), live),
        }
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
            SoundAction::Bridge(_) | SoundAction::Unbridge(_) | SoundAction::StopSaying | SoundAction::Earcon(_) => (),
        }
    }

    /// What must be true whenever nothing is left to be done.
    fn check(&self) {
        let open = |it: &OnTheLine| it.connected && !it.held_by_us && !it.held_by_them && !it.ending;
        let talking: Vec<CallId> = self.live.iter().filter(|(_, it)| open(it)).map(|(id, _)| *id).collect();
        assert!(talking.len() <= 1, "{talking:?} are talked in at once");
        let expected = talking.first().copied().filter(|_| !self.muted);
        assert_eq!(self.microphone, expected, "the microphone is open exactly while connected, not muted and not held");
        let gone = |call: &Option<CallId>| call.is_some_and(|it| !self.live.contains_key(&it));
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
            for call in self.live.keys().copied().collect::<Vec<_>>() {
                self.input(Input::Line(LineEvent::Ended(call, EndReason::TheyHungUp)));
            }
            self.pass_time(self.now + Duration::from_secs(60));
        }
        assert!(self.live.is_empty(), "calls are left over: {:?}", self.live);
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
                    Input::Line(LineEvent::Incoming { call: CallId::In(n as u32), line: "a b".into(), from, display: "\"x\\ \n".into(), how: How::Ring })
                }
                Step::Tell(nth, event) => Input::Line(event(CallId::Out(nth as u32))),
                Step::End(nth, reason) => Input::Line(LineEvent::Ended(CallId::Out(nth as u32), reason)),
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

/// Promises are worth nothing where nothing happens.
#[test]
fn the_steps_reach_what_matters() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..256 {
        let steps = prop::collection::vec(step(), 80).new_tree(&mut runner).unwrap().current();
        let mut world = World::new();
        steps.into_iter().for_each(|it| world.step(it));
        for (what, n) in world.seen {
            *seen.entry(what).or_default() += n;
        }
    }
    for what in [
        "open-mic",
        "hold",
        "resume",
        "accept",
        "tone busy",
        "tone ringback",
        "tone call-waiting",
        "dtmf",
        "duck call",
        "reject",
        "hang-up",
        "house play",
        "house announce",
        "house bid",
        "house won",
    ] {
        assert!(seen.get(what).is_some_and(|n| *n >= 5), "`{what}` too seldom: {seen:#?}");
    }
}
