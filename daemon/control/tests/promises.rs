//! What holds for every sequence of inputs, sensible or not.

mod house;
#[path = "promises/steps.rs"]
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use control::Speaker;
use control::action::{Action, CallState, Event, LineAction, Report, Scope, SettingReport, SoundAction, Tone};
use control::call::{CallId, EndReason, How};
use control::house::{AnnouncementId, HouseAction, HouseEvent};
use control::input::{Bus, Command, Input, LineEvent};
use control::time::Time;
use proptest::prelude::*;
use steps::{CALLERS, Step, how, step};

/// A call as its line knows it, from what it has told and what was asked of it.
#[derive(Clone, Debug, Default)]
struct OnTheLine {
    how: How,
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
    microphone: BTreeSet<CallId>,
    heard: BTreeSet<CallId>,
    bridged: BTreeSet<CallId>,
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
            microphone: BTreeSet::new(),
            heard: BTreeSet::new(),
            bridged: BTreeSet::new(),
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
        world.input(Input::House(steps::rooms(u8::MAX)));
        world
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(wait) => self.pass_time(self.now + wait),
            Step::Incoming(caller, how_it_comes) => {
                self.callers += 1;
                let call = CallId::In(self.callers);
                let from = CALLERS[caller].parse().unwrap();
                let how = if caller < 4 { How::Ring } else { how(how_it_comes) };
                self.live.insert(call, OnTheLine { how: how.clone(), ..OnTheLine::default() });
                self.input(Input::Line(LineEvent::Incoming { call, line: "direct".into(), from, display: String::new(), how }));
            }
            Step::Ask(nth, ask) => {
                let leg = self.live.iter().find(|(_, it)| matches!(it.how, How::Carry { .. }) && it.connected).map(|(id, _)| *id);
                let call = leg.filter(|_| nth > 0).or(self.nth(nth));
                call.into_iter().for_each(|it| self.input(Input::Line(LineEvent::Asked(it, ask.clone()))));
            }
            Step::Reach(command) => {
                let before: BTreeSet<CallId> = self.live.keys().copied().collect();
                self.input(Input::Command(command));
                let dialled: Vec<CallId> = self.live.keys().filter(|it| !before.contains(it)).copied().collect();
                dialled.into_iter().for_each(|it| self.input(Input::Line(LineEvent::Answered(it))));
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
            let two = ["tone ", "duck ", "house ", "earcon ", "report "].iter().any(|it| line.starts_with(it));
            let what = line.split(' ').take(1 + usize::from(two) + usize::from(line.starts_with("report call ")));
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
        if let LineAction::Dial { call, how, .. } = action {
            let line = OnTheLine { how, ..OnTheLine::default() };
            assert!(self.live.insert(call, line).is_none(), "{call} is dialled twice");
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
            SoundAction::OpenMic(call) => assert!(self.microphone.insert(call), "{call}: its microphone is open already"),
            SoundAction::CloseMic(call) => assert!(self.microphone.remove(&call), "{call}: its microphone is not open"),
            SoundAction::Unsilence(call) => assert!(self.heard.insert(call), "{call} is heard already"),
            SoundAction::Silence(call) => assert!(self.heard.remove(&call), "{call} is not heard"),
            SoundAction::Bridge(call) => assert!(self.bridged.insert(call), "{call} is bridged already"),
            SoundAction::Unbridge(call) => assert!(self.bridged.remove(&call), "{call} is not bridged"),
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
        let open = |it: &OnTheLine| it.connected && !it.held_by_us && !it.held_by_them && !it.ending;
        let talking: BTreeSet<CallId> = self.live.iter().filter(|(_, it)| open(it)).map(|(id, _)| *id).collect();
        let alone: BTreeSet<CallId> = talking.difference(&self.bridged).copied().collect();
        assert!(alone.len() <= 1, "{alone:?} are talked in at once");
        assert!(self.bridged.is_subset(&talking), "{:?} of {talking:?} are bridged", self.bridged);
        let in_room = match self.state {
            CallState::Connected if alone.is_empty() => self.bridged.clone(),
            _ => alone,
        };
        let is = |id: &CallId, how: &How| self.live.get(id).is_some_and(|it| it.how == *how);
        let we_listen = |id: &CallId| matches!(id, CallId::Out(_)) && is(id, &How::Listen);
        let expected: BTreeSet<CallId> = in_room.iter().filter(|it| !self.muted && !we_listen(it)).copied().collect();
        let why =
            "the microphone is open exactly while connected in this room, not muted, not held, and not for those we listen to";
        assert_eq!(self.microphone, expected, "{why}");
        let they_listen = |id: &CallId| matches!(id, CallId::In(_)) && is(id, &How::Listen);
        let unheard: Vec<_> = in_room.iter().filter(|it| !self.heard.contains(it) && !they_listen(it)).collect();
        assert!(unheard.is_empty(), "{unheard:?} are connected in this room and not heard");
        assert!(!self.heard.iter().any(they_listen), "who listens to us is heard");
        let gone = |calls: &BTreeSet<CallId>| calls.iter().any(|it| !self.live.contains_key(it));
        assert!(!gone(&self.microphone) && !gone(&self.heard) && !gone(&self.bridged), "a call that is over has sound");
        let leg = |it: &OnTheLine| matches!(it.how, How::Carry { .. }) && it.connected && !it.ending;
        let legs = self.live.iter().filter(|(id, it)| matches!(id, CallId::Out(_)) && leg(it)).count();
        assert!(legs <= 1, "the call is in {legs} other rooms");
        if self.state == CallState::Carried {
            assert_eq!((legs, self.microphone.len(), self.heard.len()), (1, 0, 0), "the call is in one other room, and not here");
        }
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
        assert_eq!(self.tone, None);
        assert_eq!((self.microphone.len(), self.heard.len(), self.bridged.len(), self.ducked.len()), (0, 0, 0, 0));
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
                Step::Incoming(n, way) => {
                    let from = CALLERS[n].parse().unwrap();
                    Input::Line(LineEvent::Incoming { call: CallId::In(n as u32), line: "a b".into(), from, display: "\"x\\ \n".into(), how: how(way) })
                }
                Step::Reach(command) => Input::Command(command),
                Step::Ask(nth, ask) => Input::Line(LineEvent::Asked(CallId::Out(nth as u32), ask)),
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
        "bridge",
        "ask",
        "report moved",
        "report call carried",
        "report drop-in",
        "earcon joined",
        "earcon left",
    ] {
        assert!(seen.get(what).is_some_and(|n| *n >= 5), "`{what}` too seldom: {seen:#?}");
    }
}
