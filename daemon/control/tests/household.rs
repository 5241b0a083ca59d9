//! Several speakers and the lines between them: who hears whom, whatever anybody asks for.

mod house;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use control::Speaker;
use control::action::{Action, History, LineAction, SoundAction};
use control::call::{CallId, EndReason};
use control::dialplan::Uri;
use control::house::{HouseEvent, Room};
use control::input::{Command, Input, LineEvent};
use control::time::Time;
use proptest::prelude::*;

const ROOMS: [&str; 4] = ["bedroom", "kitchen", "nursery", "study"];

/// One speaker, and what its sound engine has been told.
struct Place {
    speaker: Speaker,
    microphone: BTreeSet<CallId>,
    heard: BTreeSet<CallId>,
    bridged: BTreeSet<CallId>,
    has_power: bool,
}

/// The other end of a call.
#[derive(Clone, Debug, PartialEq)]
enum Far {
    /// Somebody with a telephone, who answers at once or is busy.
    Phone(String),
    Room(usize, CallId),
}

struct Household {
    places: Vec<Place>,
    /// The other end of each call that is not over, and whether both can talk.
    ends: BTreeMap<(usize, CallId), (Far, bool)>,
    letters: VecDeque<(usize, LineEvent)>,
    now: Time,
    callers: u32,
}

impl Household {
    fn new() -> Household {
        let place = |slug: &str| {
            let mut settings = house::settings();
            settings.room = slug.into();
            settings.house.slug = slug.into();
            settings.house.drop_in.from = vec!["house".into()];
            settings.house.listen_in.from = vec!["house".into()];
            settings.house.quiet.clear();
            let speaker = Speaker::new(settings, house::contacts(), house::phrases("en"), History::default());
            Place { speaker, microphone: BTreeSet::new(), heard: BTreeSet::new(), bridged: BTreeSet::new(), has_power: true }
        };
        let places = ROOMS.map(place).into();
        let mut it = Household { places, ends: BTreeMap::new(), letters: VecDeque::new(), now: Time::ZERO, callers: 0 };
        for (n, slug) in ROOMS.iter().enumerate() {
            let room = |slug: &&str| Room { slug: (*slug).into(), name: (*slug).into(), floor: None, groups: vec![], up: true };
            let others = ROOMS.iter().filter(|it| *it != slug).map(room).collect();
            it.happens(n, Input::House(HouseEvent::Rooms(others)));
        }
        it
    }

    fn at(room: &str) -> usize {
        ROOMS.iter().position(|it| *it == room).unwrap()
    }

    fn ask(&mut self, room: &str, command: Command) {
        self.happens(Household::at(room), Input::Command(command));
    }

    fn happens(&mut self, room: usize, input: Input) {
        if self.places[room].has_power {
            self.places[room].speaker.handle(self.now, input);
            self.act(room);
        }
        while let Some((room, event)) = self.letters.pop_front() {
            if self.places[room].has_power {
                self.places[room].speaker.handle(self.now, Input::Line(event));
                self.act(room);
            }
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        for room in 0..ROOMS.len() {
            while self.places[room].speaker.poll_timeout().is_some_and(|it| it <= self.now) {
                self.places[room].speaker.handle_timeout(self.now);
                self.act(room);
            }
        }
        self.happens(0, Input::House(HouseEvent::Clock { weekday: 0, minute: 720 }));
    }

    fn act(&mut self, room: usize) {
        while let Some(action) = self.places[room].speaker.poll_action() {
            let place = &mut self.places[room];
            match action {
                Action::Line(action) => self.line(room, action),
                Action::Sound(SoundAction::OpenMic(call)) => _ = place.microphone.insert(call),
                Action::Sound(SoundAction::CloseMic(call)) => _ = place.microphone.remove(&call),
                Action::Sound(SoundAction::Unsilence(call)) => _ = place.heard.insert(call),
                Action::Sound(SoundAction::Silence(call)) => _ = place.heard.remove(&call),
                Action::Sound(SoundAction::Bridge(call)) => _ = place.bridged.insert(call),
                Action::Sound(SoundAction::Unbridge(call)) => _ = place.bridged.remove(&call),
                _ => (),
            }
        }
    }

    fn line(&mut self, room: usize, action: LineAction) {
        if let LineAction::Dial { call, to, how, .. } = action {
            let Some(there) = to.room_name().map(Household::at) else {
                let phone = Far::Phone(to.user().unwrap_or_default().into());
                if self.ends.values().any(|(far, _)| *far == phone) {
                    return self.letters.push_back((room, LineEvent::Ended(call, EndReason::Busy)));
                }
                self.ends.insert((room, call), (phone, true));
                return self.letters.push_back((room, LineEvent::Answered(call)));
            };
            self.callers += 1;
            let incoming = CallId::In(self.callers);
            self.ends.insert((room, call), (Far::Room(there, incoming), false));
            self.ends.insert((there, incoming), (Far::Room(room, call), false));
            let (line, from) = (control::dialplan::ROOMS.into(), Uri::room(ROOMS[room]));
            let event = LineEvent::Incoming { call: incoming, line, from, display: String::new(), how };
            return self.letters.push_back((there, event));
        }
        let call = action.call();
        let Some((far, up)) = self.ends.get(&(room, call)).cloned() else { return };
        let tell = |tell: fn(CallId) -> LineEvent| match far {
            Far::Room(there, theirs) => Some((there, tell(theirs))),
            Far::Phone(_) => None,
        };
        match action {
            LineAction::Accept(_) => {
                self.letters.extend(tell(LineEvent::Answered));
                self.letters.push_back((room, LineEvent::Answered(call)));
                self.ends.insert((room, call), (far.clone(), true));
                if let Far::Room(there, theirs) = far {
                    self.ends.insert((there, theirs), (Far::Room(room, call), true));
                }
            }
            LineAction::HangUp(_) => self.over(room, call, EndReason::WeHungUp, up),
            LineAction::Reject(_, reason) => self.over(room, call, reason, up),
            LineAction::Alert(_) => self.letters.extend(tell(LineEvent::Alerting)),
            LineAction::Hold(_) => self.letters.extend(tell(LineEvent::HeldByThem)),
            LineAction::Resume(_) => self.letters.extend(tell(LineEvent::ResumedByThem)),
            LineAction::Ask(_, ask) => {
                if let Far::Room(there, theirs) = far {
                    self.letters.push_back((there, LineEvent::Asked(theirs, ask)));
                }
            }
            LineAction::Dial { .. } | LineAction::Dtmf(..) => (),
        }
    }

    fn over(&mut self, room: usize, call: CallId, reason: EndReason, up: bool) {
        let Some((far, _)) = self.ends.remove(&(room, call)) else { return };
        self.letters.push_back((room, LineEvent::Ended(call, reason)));
        let Far::Room(there, theirs) = far else { return };
        let told = match (reason, up) {
            (EndReason::WeHungUp, true) => EndReason::TheyHungUp,
            (EndReason::WeHungUp, false) => EndReason::Cancelled,
            (reason, _) => reason,
        };
        if self.ends.remove(&(there, theirs)).is_some() {
            self.letters.push_back((there, LineEvent::Ended(theirs, told)));
        }
    }

    /// A telephone is hung up.
    fn phone_hangs_up(&mut self, name: &str) {
        let end = self.ends.iter().find(|(_, (far, _))| *far == Far::Phone(name.into())).map(|(end, _)| *end);
        let Some((room, call)) = end else { return };
        self.ends.remove(&(room, call));
        self.happens(room, Input::Line(LineEvent::Ended(call, EndReason::TheyHungUp)));
    }

    fn power_cut(&mut self, room: &str) {
        let dark = Household::at(room);
        self.places[dark].has_power = false;
        let gone: Vec<_> = self.ends.keys().filter(|(room, _)| *room == dark).copied().collect();
        for end in gone {
            if let Some((Far::Room(there, theirs), _)) = self.ends.remove(&end) {
                self.ends.remove(&(there, theirs));
                self.happens(there, Input::Line(LineEvent::Ended(theirs, EndReason::MediaLost)));
            }
        }
        let place = &mut self.places[dark];
        place.microphone.clear();
        place.heard.clear();
        place.bridged.clear();
    }

    /// Who hears whom, and over how many ways.
    fn ways(&self) -> BTreeMap<(String, String), u32> {
        let mut ways = BTreeMap::new();
        for (room, place) in self.places.iter().enumerate() {
            for call in &place.microphone {
                self.leaves(ROOMS[room], room, *call, &mut ways, 0);
            }
        }
        for ((room, call), (far, up)) in &self.ends {
            if let (Far::Phone(name), true) = (far, up) {
                self.enters(name, *room, *call, &mut ways, 0);
            }
        }
        ways
    }

    fn leaves(&self, from: &str, room: usize, call: CallId, ways: &mut BTreeMap<(String, String), u32>, hops: u32) {
        match self.ends.get(&(room, call)) {
            Some((Far::Phone(name), true)) => *ways.entry((from.into(), name.clone())).or_default() += 1,
            Some((Far::Room(there, theirs), true)) => self.enters(from, *there, *theirs, ways, hops + 1),
            _ => (),
        }
    }

    fn enters(&self, from: &str, room: usize, call: CallId, ways: &mut BTreeMap<(String, String), u32>, hops: u32) {
        assert!(hops < 8, "the sound of {from} goes round in circles");
        let place = &self.places[room];
        if place.heard.contains(&call) {
            *ways.entry((from.into(), ROOMS[room].into())).or_default() += 1;
        }
        for other in place.bridged.iter().filter(|it| place.bridged.contains(&call) && **it != call) {
            self.leaves(from, room, *other, ways, hops);
        }
    }

    /// Each hears all others exactly once, and nobody else hears anything. `from>to` for one direction.
    fn check(&self, together: &[&str]) {
        let mut expected = BTreeMap::new();
        for names in together {
            if let Some((from, to)) = names.split_once('>') {
                expected.insert((from.to_string(), to.to_string()), 1);
                continue;
            }
            for (from, to) in names.split(' ').flat_map(|a| names.split(' ').map(move |b| (a, b))).filter(|(a, b)| a != b) {
                expected.insert((from.to_string(), to.to_string()), 1);
            }
        }
        assert_eq!(self.ways(), expected);
    }
}

fn talking_to_mom() -> Household {
    let mut house = Household::new();
    house.ask("kitchen", Command::Dial("mom".into()));
    house.check(&["kitchen mom"]);
    house
}

#[test]
fn a_call_goes_from_room_to_room_and_back() {
    let mut house = talking_to_mom();
    house.ask("kitchen", Command::Move("bedroom".into()));
    house.check(&["bedroom mom"]);
    house.ask("bedroom", Command::Move("nursery".into()));
    house.check(&["nursery mom"]);
    house.ask("kitchen", Command::Move("study".into()));
    house.check(&["study mom"]);
    house.ask("study", Command::Move("kitchen".into()));
    house.check(&["kitchen mom"]);
    house.ask("kitchen", Command::Move("bedroom".into()));
    house.ask("kitchen", Command::TakeBack);
    house.check(&["kitchen mom"]);
    house.ask("kitchen", Command::Move("bedroom".into()));
    house.ask("bedroom", Command::HangUp);
    house.check(&[]);
    assert!(house.ends.is_empty());
}

#[test]
fn the_other_end_hangs_up_wherever_the_call_is() {
    let mut house = talking_to_mom();
    house.ask("kitchen", Command::Move("bedroom".into()));
    house.phone_hangs_up("mom");
    house.check(&[]);
    assert!(house.ends.is_empty());
}

#[test]
fn a_call_comes_back_from_a_room_without_power() {
    let mut house = talking_to_mom();
    house.ask("kitchen", Command::Move("bedroom".into()));
    house.power_cut("bedroom");
    house.check(&["kitchen mom"]);
}

#[test]
fn a_call_between_rooms_moves_too() {
    let mut house = Household::new();
    house.ask("kitchen", Command::Dial("bedroom".into()));
    house.ask("bedroom", Command::Answer);
    house.check(&["kitchen bedroom"]);
    house.ask("bedroom", Command::Move("nursery".into()));
    house.check(&["kitchen nursery"]);
    house.ask("kitchen", Command::Move("study".into()));
    house.check(&["study nursery"]);
    house.ask("nursery", Command::HangUp);
    house.check(&[]);
    assert!(house.ends.is_empty());
}

#[test]
fn several_talk_and_go_to_another_room_together() {
    let mut house = talking_to_mom();
    house.ask("kitchen", Command::Add("dad".into()));
    house.check(&["kitchen mom dad"]);
    house.ask("kitchen", Command::Add("study".into()));
    house.ask("study", Command::Answer);
    house.check(&["kitchen mom dad study"]);
    house.ask("kitchen", Command::Move("bedroom".into()));
    house.check(&["bedroom mom dad study"]);
    house.ask("bedroom", Command::Add("bob".into()));
    house.check(&["bedroom mom dad study bob"]);
    house.phone_hangs_up("mom");
    house.check(&["bedroom dad study bob"]);
    // Here somebody else is talked to meanwhile.
    house.ask("kitchen", Command::Dial("rob".into()));
    house.check(&["bedroom dad study bob", "kitchen rob"]);
    house.ask("study", Command::HangUp);
    house.power_cut("bedroom");
    house.check(&["dad bob", "kitchen rob"]);
    house.ask("kitchen", Command::HangUp);
    house.ask("kitchen", Command::Resume);
    house.check(&["kitchen dad bob"]);
    house.ask("kitchen", Command::HangUp);
    house.check(&[]);
    assert!(house.ends.is_empty());
}

#[test]
fn who_drops_in_is_heard_first_and_who_listens_never_is() {
    let mut house = Household::new();
    house.ask("kitchen", Command::DropIn("nursery".into()));
    house.check(&["kitchen>nursery"]);
    house.ask("nursery", Command::Unmute);
    house.check(&["kitchen nursery"]);
    house.wait(700);
    house.check(&[]);
    house.ask("kitchen", Command::Listen("nursery".into()));
    house.check(&["nursery>kitchen"]);
    house.ask("kitchen", Command::DropIn("nursery".into()));
    house.check(&["kitchen>nursery"]);
    house.ask("nursery", Command::HangUp);
    house.check(&[]);
    assert!(house.ends.is_empty());
}

#[test]
fn two_rooms_that_call_each_other_at_once_talk_once() {
    for (first, second) in [("bedroom", "study"), ("study", "bedroom")] {
        let mut house = Household::new();
        let (one, other) = (Household::at(first), Household::at(second));
        house.places[one].speaker.handle(house.now, Input::Command(Command::Dial(second.into())));
        house.places[other].speaker.handle(house.now, Input::Command(Command::Dial(first.into())));
        house.act(one);
        house.act(other);
        house.wait(1);
        house.check(&["bedroom study"]);
        assert_eq!(house.ends.len(), 2, "{:?}", house.ends);
    }
}

fn anything() -> impl Strategy<Value = (usize, u8, usize)> {
    (0..ROOMS.len(), 0..21u8, 0..ROOMS.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_hears_anybody_twice_or_himself(steps in prop::collection::vec(anything(), 1..40)) {
        let mut house = Household::new();
        for (room, what, other) in steps {
            let (there, person) = (ROOMS[other].to_string(), ["mom", "dad", "bob", "rob"][other].to_string());
            let command = match what {
                0..=2 => Command::Dial(person),
                3 | 4 => Command::Dial(there),
                5 | 6 => Command::Add(person),
                7 => Command::Add(there),
                8..=11 => Command::Move(there),
                12 => Command::TakeBack,
                13 => Command::Answer,
                14 => Command::Hold,
                15 => Command::Resume,
                16 => Command::DropIn(there),
                17 => Command::HangUp,
                19 => Command::Listen(there),
                18 => {
                    house.phone_hangs_up(&person);
                    continue;
                }
                _ => {
                    house.wait(3);
                    continue;
                }
            };
            house.happens(room, Input::Command(command));
            for ((from, to), n) in house.ways() {
                prop_assert!(from != to, "{} hears himself", from);
                prop_assert_eq!(n, 1, "{} hears {} over {} ways", to, from, n);
            }
        }
    }
}
