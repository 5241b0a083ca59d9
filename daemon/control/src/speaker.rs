//! The root machine: where the parts meet.

mod announcements;
mod calling;
mod commands;
mod conference;
mod events;
mod group;
mod handover;
mod house;
mod rooms;
mod visits;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::action::{Action, CallReport, CallState, Earcon, Event, History, LineAction, Report, Scope, SoundAction};
use crate::call::{How, Seat, State};
use crate::contacts::{Contacts, as_heard};
use crate::conversation::Dialogue;
use crate::dialplan::LineName;
use crate::focus::{self, Focus};
use crate::house::{HouseSettings, RoomName};
use crate::input::{Bus, Input, PromptId};
use crate::intent::{Grammar, Intent, Meant, Sentences, grammar};
use crate::phrases::Phrases;
use crate::prompts::Prompt;
use crate::switchboard::Switchboard;
use crate::time::Time;
use house::House;

/// A prompt that has not been told as spoken after this long never will be.
const SPOKEN_WITHIN: Duration = Duration::from_secs(20);

/// How long the busy tone sounds.
const BUSY_FOR: Duration = Duration::from_secs(3);

/// What the decisions depend on; read from hark.yaml by `hark`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The room's name as people say it.
    pub room: String,
    /// BCP 47 language of the speaker: which phrases are in force.
    pub language: String,
    /// The wake phrases, lower case words; at least one.
    pub wake_phrases: Vec<String>,
    /// The lines in order of preference; `direct` and `builtin` included where they exist.
    pub lines: Vec<LineSettings>,
    /// How long a call rings, ours or theirs, where nothing else is said.
    pub ring_for: Duration,
    /// How long we wait for a command after the chime, or for an answer to a question.
    pub listen_for: Duration,
    /// Sentences with a lower confidence are not acted on.
    pub min_confidence: f32,
    /// Calls that a sentence of lower confidence than this would start are confirmed first.
    pub sure_confidence: f32,
    /// Volumes at start, 0 to 100: call, ring, announce.
    pub volumes: [u8; 3],
    /// Do not disturb at start.
    pub do_not_disturb: bool,
    /// Our place in the house.
    pub house: HouseSettings,
}

/// What the dial plan must know of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct LineSettings {
    /// Its name.
    pub name: LineName,
    /// The domain that numbers are called at (`sip:NUMBER@domain`); `None` where the line cannot call numbers.
    pub domain: Option<String>,
    /// Country code that local numbers (leading 0) get, such as `49`; `None` leaves numbers as they are.
    pub country_code: Option<String>,
    /// Emergency numbers that always go out at once, on this line.
    pub emergency: Vec<String>,
}

/// One speaker in one room. Give it what happens, take what is to be done.
#[derive(Debug)]
pub struct Speaker {
    settings: Settings,
    /// As contacts.yaml has them.
    people: Contacts,
    /// They, the echo test, and the rooms.
    contacts: Contacts,
    /// Where people were last.
    whereabouts: BTreeMap<String, Option<RoomName>>,
    /// Whether the call goes with the person.
    following: bool,
    /// Our own language.
    phrases: Phrases,
    /// The others in which we may be spoken to.
    also_understood: Vec<Phrases>,
    /// Those of all these languages, ours first.
    sentences: Vec<Sentences>,
    /// In which of them we were spoken to last, and answer.
    speaks: usize,
    history: History,

    calls: Switchboard,
    dialogue: Dialogue,
    focus: Focus,
    scope: Option<Scope>,
    muted: bool,
    do_not_disturb: bool,
    volumes: [u8; 3],
    /// Lines that cannot be used, and why.
    down: BTreeMap<LineName, String>,
    house: House,
    busy_until: Option<Time>,

    n_prompts: u32,
    /// Prompts that are being spoken or wait for it, and until when.
    speaking: BTreeMap<PromptId, Time>,
    /// And in which language.
    last_said: (String, usize),
    told: CallReport,

    now: Time,
    lines: Vec<LineAction>,
    sounds: Vec<SoundAction>,
    reports: Vec<Report>,
    actions: VecDeque<Action>,
}

impl Speaker {
    /// A speaker without calls. Its first actions set the volumes and begin to listen.
    pub fn new(settings: Settings, contacts: Contacts, phrases: Phrases, history: History) -> Speaker {
        Speaker::of_languages(settings, contacts, phrases, Vec::new(), history)
    }

    /// One that is spoken to in other languages too. It answers in the language in which it was spoken to, and speaks its own of its own accord.
    pub fn of_languages(
        settings: Settings,
        contacts: Contacts,
        phrases: Phrases,
        also_understood: Vec<Phrases>,
        history: History,
    ) -> Speaker {
        let mut it = Speaker {
            sentences: Vec::new(),
            also_understood,
            speaks: 0,
            people: Contacts::default(),
            contacts: Contacts::default(),
            whereabouts: BTreeMap::new(),
            following: false,
            phrases,
            history,
            calls: Switchboard::default(),
            dialogue: Dialogue::default(),
            focus: Focus::default(),
            scope: None,
            muted: false,
            do_not_disturb: settings.do_not_disturb,
            volumes: settings.volumes.map(|it| it.min(100)),
            down: BTreeMap::new(),
            house: House::default(),
            busy_until: None,
            n_prompts: 0,
            speaking: BTreeMap::new(),
            last_said: (String::new(), 0),
            told: IDLE,
            now: Time::ZERO,
            lines: Vec::new(),
            sounds: Vec::new(),
            reports: Vec::new(),
            actions: VecDeque::new(),
            settings,
        };
        it.learn(contacts);
        for (bus, volume) in [Bus::Call, Bus::Ring, Bus::Announce].into_iter().zip(it.volumes) {
            it.sounds.push(SoundAction::Volume(bus, volume));
        }
        it.settle();
        it
    }

    /// Something happened.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Command(command) => {
                self.speaks = 0;
                self.command(command);
            }
            Input::Heard(heard) => self.heard(heard),
            Input::Line(event) => self.line(event),
            Input::House(event) => self.house(event),
            Input::Sound(notice) => self.sound(notice),
            Input::Contacts(contacts) => self.learn(contacts),
            Input::Settings(settings) => {
                self.release_devices(&settings.house.devices);
                let start = std::mem::take(&mut self.settings.house.start);
                self.settings = *settings;
                self.settings.house.start = start;
                self.learn(self.people.clone());
            }
        }
        self.settle();
    }

    /// The time that `poll_timeout` told has come; at any other time nothing happens.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        let now = self.now;
        self.wake_timeout();
        self.announcements_timeout();
        self.calls.handle_timeout(now, &mut self.lines);
        self.calls_ended();
        self.speaking.retain(|_, until| *until > now);
        self.busy_until = self.busy_until.filter(|it| *it > now);
        if self.dialogue.deadline().is_some_and(|it| it <= now) {
            self.dialogue = Dialogue::Asleep;
            self.sounds.push(SoundAction::Earcon(Earcon::Rejected));
        }
        self.settle();
    }

    /// What is to be done next, in order.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call `handle_timeout` if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Time> {
        let speaking = self.speaking.values().min().copied();
        let house = self.house.poll_timeout();
        [self.calls.poll_timeout(), self.dialogue.deadline(), speaking, self.busy_until, house].into_iter().flatten().min()
    }

    /// What is to be listened for in a scope, now.
    pub fn grammar(&self, scope: Scope) -> Grammar {
        let offered = self.dialogue.question().map_or(&[][..], |it| it.offered());
        let all = self.sentences.iter().map(|it| it.grammar(scope, offered)).reduce(Grammar::with);
        Grammar { open: self.open_sentences(), ..all.unwrap_or_default() }
    }

    /// What a sentence means, whether or not it would count now.
    pub fn understand(&self, text: &str) -> Option<Intent> {
        self.meant(text).map(|(it, _)| it.intent)
    }

    /// The same, and in which of our languages it was said.
    fn meant(&self, text: &str) -> Option<(Meant, usize)> {
        let text = as_heard(text);
        // Whoever speaks goes on in the same language.
        let first = self.speaks.min(self.sentences.len().saturating_sub(1));
        let order = std::iter::once(first).chain((0..self.sentences.len()).filter(|it| *it != first));
        order.filter_map(|n| Some((self.sentences[n].meaning(&text)?, n))).next()
    }

    /// Whom somebody has typed, in any of our languages.
    fn typed(&self, text: &str) -> Option<Intent> {
        self.sentences.iter().find_map(|it| it.typed(text))
    }

    /// The language in which we answer.
    fn spoken(&self) -> &Phrases {
        self.speaks.checked_sub(1).and_then(|n| self.also_understood.get(n)).unwrap_or(&self.phrases)
    }

    /// The state of the foremost call.
    pub fn call_report(&self) -> CallReport {
        let Some(call) = self.calls.foremost() else { return IDLE };
        let others = self.calls.parties().filter(|it| call.seat == Seat::Joined && it.id != call.id);
        CallReport {
            state: self.calls.seen(call),
            call: Some(call.id),
            peer: Some(call.peer.clone()),
            parties: [call].into_iter().chain(others).map(|it| it.peer.clone()).collect(),
            muted: self.muted,
        }
    }

    /// Since when both can talk in the foremost call.
    pub fn connected_since(&self) -> Option<Time> {
        match self.calls.foremost()?.state {
            State::Connected { since } | State::Held { since, .. } => Some(since),
            _ => None,
        }
    }

    /// Volumes, 0 to 100: call, ring, announce.
    pub fn volumes(&self) -> [u8; 3] {
        self.volumes
    }

    /// Whether callers are turned away.
    pub fn do_not_disturb(&self) -> bool {
        self.do_not_disturb
    }

    /// Whether the user has muted the microphone of the call.
    pub fn muted(&self) -> bool {
        self.muted
    }

    /// Everybody who can be called, the echo test included.
    pub fn contacts(&self) -> &Contacts {
        &self.contacts
    }

    /// Whom "redial" and "call back" mean.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The lines that are down, and why.
    pub fn lines_down(&self) -> &BTreeMap<LineName, String> {
        &self.down
    }

    /// Takes contacts over, and makes the ears learn their names.
    fn learn(&mut self, contacts: Contacts) {
        let emergency: BTreeSet<String> = self.settings.lines.iter().flat_map(|it| it.emergency.clone()).collect();
        let emergency: Vec<String> = emergency.into_iter().collect();
        self.people = contacts.clone();
        let rooms = self.rooms_heard();
        let mut contacts = contacts.with_echo_test(&self.phrases).with_rooms(rooms.iter().copied(), &self.phrases);
        for phrases in &self.also_understood {
            contacts = contacts.with_names_in(phrases, &rooms);
        }
        let sentences = |it: &Phrases| grammar::with_rooms(it, &contacts, &emergency, &rooms);
        let sentences = std::iter::once(&self.phrases).chain(&self.also_understood).map(sentences).collect();
        (self.contacts, self.sentences) = (contacts, sentences);
        let gone = |name: &String| self.contacts.get(name).is_none();
        if self.dialogue.question().is_some_and(|it| it.offered().iter().any(gone)) {
            self.dialogue = Dialogue::Asleep;
        }
        self.learn_open();
        self.scope = None;
    }

    /// Speaks a sentence, after those that wait.
    fn say(&mut self, prompt: &Prompt) -> Option<PromptId> {
        let text = prompt.render(self.spoken());
        if text.trim().is_empty() {
            return None;
        }
        let language = self.spoken().language.clone();
        self.n_prompts = self.n_prompts.wrapping_add(1);
        let prompt = PromptId(self.n_prompts);
        self.speaking.insert(prompt, self.now + SPOKEN_WITHIN);
        self.last_said = (text.clone(), self.speaks);
        self.sounds.push(SoundAction::Say { prompt, text, language });
        Some(prompt)
    }

    /// Stops speaking.
    fn hush(&mut self) {
        if !self.speaking.is_empty() {
            self.speaking.clear();
            self.sounds.push(SoundAction::StopSaying);
        }
    }

    /// Says that something cannot be done, to the room and to whoever asked.
    fn deny(&mut self, prompt: &Prompt) {
        self.say(prompt);
        self.report(Event::Denied(prompt.render(self.spoken())));
    }

    fn report(&mut self, event: Event) {
        self.reports.push(Report::Event(event));
    }

    /// What is listened for, given the dialogue and the calls.
    fn scope(&self) -> Scope {
        match (&self.dialogue, self.calls.ringing(), self.calls.active(), self.calls.ring_out(), self.calls.parked()) {
            (Dialogue::Recording { .. }, ..) => Scope::Recording,
            (Dialogue::Listening { .. }, ..) => Scope::Command,
            (Dialogue::Asking { .. }, ..) => Scope::Confirming,
            // In a call the far end may say "answer"; our own words are not safe enough from that.
            (_, Some(_), None, _, _) => Scope::Ringing,
            (_, Some(_), Some(call), _, _) if call.how == How::Listen && call.is_outgoing() => Scope::Ringing,
            (_, _, Some(_), _, _) => Scope::InCall,
            (_, _, None, Some(_), _) => Scope::RingOut,
            (_, _, None, None, Some(_)) => Scope::InCall,
            _ => Scope::Asleep,
        }
    }

    /// Hands out what one input has led to: lines first, as they take longest, then sound, listening, reports.
    fn settle(&mut self) {
        self.tend();
        if self.calls.is_idle() {
            self.following = false;
            // The talk is over: whoever speaks next may speak another language.
            if !self.dialogue.is_open() && self.speaking.is_empty() {
                self.speaks = 0;
            }
            if self.muted {
                self.set_muted(false);
            }
        }
        let report = self.call_report();
        self.settle_house(report.state);
        let quiet = self.dialogue.is_open() || !self.speaking.is_empty() || self.house.queue.playing().is_some();
        let wanted = focus::wanted(&self.calls, self.muted, quiet, self.busy_until.is_some());
        self.actions.extend(self.lines.drain(..).map(Action::Line));
        self.actions.extend(self.house.actions.drain(..).map(Action::House));
        let mut sounds = Vec::new();
        self.focus.settle(wanted, &mut sounds);
        self.actions.extend(sounds.into_iter().chain(self.sounds.drain(..)).map(Action::Sound));
        let scope = self.scope();
        if self.scope != Some(scope) {
            self.scope = Some(scope);
            self.actions.push_back(Action::Listen(scope));
        }
        self.actions.extend(self.reports.drain(..).map(Action::Report));
        if self.told != report {
            self.told = report.clone();
            self.actions.push_back(Action::Report(Report::Call(report)));
        }
    }
}

const IDLE: CallReport = CallReport { state: CallState::Idle, call: None, peer: None, parties: Vec::new(), muted: false };
