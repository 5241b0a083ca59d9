//! Text to values.

use std::str::FromStr;
use std::time::Duration;

use super::ReadError;
use super::house;
use super::write::{BUSES, CALL_STATES, EARCONS, SCOPES, TONES};
use crate::action::{Action, CallReport, Event, History, LineAction, Peer, Report, SettingReport, SoundAction, Waiting};
use crate::call::CallId;
use crate::contacts::{Address, Contact, Contacts};
use crate::dialplan::Uri;
use crate::house::{HouseSettings, RecordingId};
use crate::input::{Bus, Command, Heard, Input, LineEvent, PromptId, SoundNotice, VolumeChange, VolumeTo};
use crate::intent::grammar::INTENTS;
use crate::speaker::{LineSettings, Settings};

pub(super) type Read<T> = Result<T, ReadError>;

/// What is left of a line.
pub(super) struct Words {
    words: std::iter::Peekable<std::vec::IntoIter<String>>,
}

/// Reads a line to its end.
pub(super) fn whole<T>(line: &str, read: fn(&mut Words) -> Read<T>) -> Read<T> {
    let mut words = Words { words: split(line)?.into_iter().peekable() };
    let value = read(&mut words)?;
    match words.words.next() {
        None => Ok(value),
        Some(found) => Err(ReadError::Wrong { found, wanted: "the end of the line" }),
    }
}

/// Words and quoted texts.
fn split(line: &str) -> Read<Vec<String>> {
    let mut words = Vec::new();
    let mut chars = line.trim().chars().peekable();
    while let Some(c) = chars.next() {
        let mut word = String::new();
        match c {
            ' ' => continue,
            '"' => loop {
                match chars.next().ok_or(ReadError::Unquoted)? {
                    '"' => break,
                    '\\' => match chars.next().ok_or(ReadError::Unquoted)? {
                        'n' => word.push('\n'),
                        'r' => word.push('\r'),
                        c => word.push(c),
                    },
                    c => word.push(c),
                }
            },
            c => {
                word.push(c);
                while let Some(c) = chars.next_if(|c| *c != ' ') {
                    word.push(c);
                }
            }
        }
        words.push(word);
    }
    Ok(words)
}

impl Words {
    pub(super) fn text(&mut self, wanted: &'static str) -> Read<String> {
        self.words.next().ok_or(ReadError::Missing(wanted))
    }

    pub(super) fn parsed<T: FromStr>(&mut self, wanted: &'static str) -> Read<T> {
        let found = self.text(wanted)?;
        found.parse().map_err(|_| ReadError::Wrong { found, wanted })
    }

    pub(super) fn of<T: Copy>(&mut self, table: &[(T, &str)], wanted: &'static str) -> Read<T> {
        let found = self.text(wanted)?;
        table.iter().find(|(_, word)| *word == found).map(|(it, _)| *it).ok_or(ReadError::Wrong { found, wanted })
    }

    /// Takes the word if it comes next.
    pub(super) fn next_is(&mut self, word: &str) -> bool {
        self.words.next_if(|it| it == word).is_some()
    }

    pub(super) fn is_over(&mut self) -> bool {
        self.words.peek().is_none()
    }

    fn call(&mut self) -> Read<CallId> {
        self.parsed("a call such as `in-1`")
    }

    fn address(&mut self) -> Read<Uri> {
        self.parsed("an address")
    }

    pub(super) fn name(&mut self) -> Read<String> {
        self.text("a name")
    }

    pub(super) fn seconds(&mut self) -> Read<Duration> {
        let wanted = "a number of seconds";
        let found = self.text(wanted)?;
        let (whole, part) = found.split_once('.').unwrap_or((&found, ""));
        let nanos = format!("{part:0<9}").parse().ok().filter(|_| part.len() <= 9 && !part.starts_with(['+', '-']));
        match (whole.parse(), nanos) {
            (Ok(seconds), Some(nanos)) => Ok(Duration::new(seconds, nanos)),
            _ => Err(ReadError::Wrong { found, wanted }),
        }
    }

    pub(super) fn on(&mut self) -> Read<bool> {
        self.of(&[(true, "on"), (false, "off")], "`on` or `off`")
    }

    fn bus(&mut self) -> Read<Bus> {
        self.of(&BUSES, "`call`, `ring` or `announce`")
    }

    pub(super) fn peer(&mut self) -> Read<Peer> {
        let (name, address) = (self.name()?, self.address()?);
        Ok(Peer { name, address, known: self.of(&[(true, "known"), (false, "unknown")], "`known` or `unknown`")? })
    }

    pub(super) fn wrong<T>(found: String, wanted: &'static str) -> Read<T> {
        Err(ReadError::Wrong { found, wanted })
    }
}

pub(super) fn input(it: &mut Words) -> Read<Input> {
    let wanted = "something that happens";
    let verb = it.text(wanted)?;
    let command = match verb.as_str() {
        "dial" => Command::Dial(it.text("whom")?),
        "answer" => Command::Answer,
        "decline" => Command::Decline,
        "hang-up" => Command::HangUp,
        "redial" => Command::Redial,
        "call-back" => Command::CallBack,
        "hold" => Command::Hold,
        "resume" => Command::Resume,
        "mute" => Command::Mute,
        "unmute" => Command::Unmute,
        "volume" => Command::Volume(volume(it)?),
        "do-not-disturb" => Command::DoNotDisturb(it.on()?),
        "dtmf" => Command::Dtmf(it.text("keys")?),
        "who-is-calling" => Command::WhoIsCalling,
        "repeat" => Command::Repeat,
        "cancel" => Command::Cancel,
        "say" => Command::Say(it.text("a text")?),
        "announce" => {
            let (text, urgent) = (it.text("a text")?, it.next_is("urgent"));
            Command::Announce { text, to: if it.next_is("to") { Some(it.name()?) } else { None }, urgent }
        }
        "who-called" => Command::WhoCalled,
        "clear-missed" => Command::ClearMissed,
        "drop-in" => Command::DropIn(it.text("a room")?),
        "listen-in" => Command::Listen(it.text("a room")?),
        "move" => Command::Move(it.text("a room")?),
        "take-back" => Command::TakeBack,
        "add" => Command::Add(it.text("whom")?),
        "follow-me" => Command::FollowMe(it.on()?),
        "wake" => {
            let score = if it.is_over() { 0.0 } else { it.parsed("a score")? };
            return Ok(Input::Heard(Heard::Wake { score }));
        }
        "open" => {
            let (text, confidence) = (it.text("a sentence")?, it.parsed("a confidence")?);
            return Ok(Input::Heard(Heard::Open { text, confidence, goes_on: it.next_is("goes-on") }));
        }
        "recorded" => return Ok(Input::Heard(Heard::Recorded(RecordingId(it.parsed("a recording's number")?)))),
        "house" => return house::read_event(it).map(Input::House),
        "rejected" => return Ok(Input::Heard(Heard::Rejected)),
        "nothing" => return Ok(Input::Heard(Heard::Nothing)),
        "heard" => {
            let (text, confidence) = (it.text("a sentence")?, it.parsed("a confidence")?);
            return Ok(Input::Heard(Heard::Sentence { text, confidence, woken: it.next_is("woken") }));
        }
        "said" => return Ok(Input::Sound(SoundNotice::Said(PromptId(it.parsed("a prompt's number")?)))),
        "card-lost" => return Ok(Input::Sound(SoundNotice::CardLost)),
        "card-back" => return Ok(Input::Sound(SoundNotice::CardBack)),
        "contacts" => return contacts(it).map(Input::Contacts),
        "settings" => return settings(it).map(|it| Input::Settings(Box::new(it))),
        _ => return line(it, verb, wanted).map(Input::Line),
    };
    Ok(Input::Command(command))
}

fn volume(it: &mut Words) -> Read<VolumeChange> {
    let bus = if it.next_is("here") { None } else { Some(it.bus()?) };
    let to = match (it.next_is("up"), it.next_is("down")) {
        (true, _) => VolumeTo::Up,
        (_, true) => VolumeTo::Down,
        _ => VolumeTo::Percent(it.parsed("`up`, `down` or a number up to 100")?),
    };
    Ok(VolumeChange { bus, to })
}

fn line(it: &mut Words, verb: String, wanted: &'static str) -> Read<LineEvent> {
    Ok(match verb.as_str() {
        "line" => match (it.name()?, it.of(&[(true, "up"), (false, "down")], "`up` or `down`")?) {
            (line, true) => LineEvent::Up(line),
            (line, false) => LineEvent::Down(line, it.text("why")?),
        },
        "incoming" => {
            let (call, line, from) = (it.call()?, it.name()?, it.address()?);
            let display = if it.is_over() { String::new() } else { it.name()? };
            LineEvent::Incoming { call, line, from, display, how: house::read_how(it)? }
        }
        "alerting" => LineEvent::Alerting(it.call()?),
        "early-media" => LineEvent::EarlyMedia(it.call()?),
        "answered" => LineEvent::Answered(it.call()?),
        "held-by-them" => LineEvent::HeldByThem(it.call()?),
        "resumed-by-them" => LineEvent::ResumedByThem(it.call()?),
        "pressed" => LineEvent::Dtmf(it.call()?, it.parsed("a key")?),
        "asked" => LineEvent::Asked(it.call()?, house::read_ask(it)?),
        "ended" => LineEvent::Ended(it.call()?, it.parsed("a reason")?),
        _ => return Words::wrong(verb, wanted),
    })
}

fn contacts(it: &mut Words) -> Read<Contacts> {
    let mut people: Vec<Contact> = Vec::new();
    let mut alike: Vec<Vec<String>> = Vec::new();
    while !it.is_over() {
        let wanted = "`person`, or more about one, or `alike`";
        let word = it.text(wanted)?;
        if word == "alike" {
            let n: u8 = it.parsed("how many names sound alike")?;
            alike.push((0..n).map(|_| it.name()).collect::<Read<_>>()?);
            continue;
        }
        if word == "person" {
            let (name, none) = (it.name()?, Vec::new);
            people.push(Contact {
                name,
                aliases: none(),
                sounds_like: none(),
                language: None,
                addresses: Vec::new(),
                groups: none(),
            });
            continue;
        }
        let Some(person) = people.last_mut() else { return Words::wrong(word, "`person`") };
        match (word.as_str(), person.addresses.last_mut()) {
            ("alias", _) => person.aliases.push(it.name()?),
            ("sounds-like", _) => person.sounds_like.push(it.name()?),
            ("language", _) => person.language = Some(it.name()?),
            ("group", _) => person.groups.push(it.name()?),
            ("at", _) => person.addresses.push(Address { label: None, to: it.address()?, line: None, ring_for: None }),
            ("label", Some(address)) => address.label = Some(it.name()?),
            ("on", Some(address)) => address.line = Some(it.name()?),
            ("for", Some(address)) => address.ring_for = Some(it.seconds()?),
            _ => return Words::wrong(word, wanted),
        }
    }
    let mut contacts = Contacts::of(people);
    contacts.set_sounds_alike(&alike);
    Ok(contacts)
}

fn settings(it: &mut Words) -> Read<Settings> {
    let mut settings = Settings {
        room: it.name()?,
        language: it.name()?,
        ring_for: it.seconds()?,
        listen_for: it.seconds()?,
        min_confidence: it.parsed("a confidence")?,
        sure_confidence: it.parsed("a confidence")?,
        volumes: [it.parsed("a volume")?, it.parsed("a volume")?, it.parsed("a volume")?],
        do_not_disturb: it.on()?,
        wake_phrases: Vec::new(),
        lines: Vec::new(),
        house: HouseSettings::default(),
    };
    while !it.is_over() {
        let wanted = "`wake`, `line`, more about a line, or `house`";
        let word = it.text(wanted)?;
        match (word.as_str(), settings.lines.last_mut()) {
            ("wake", _) => settings.wake_phrases.push(it.name()?),
            ("line", _) => {
                let line = LineSettings { name: it.name()?, domain: None, country_code: None, emergency: Vec::new() };
                settings.lines.push(line);
            }
            ("domain", Some(line)) => line.domain = Some(it.name()?),
            ("country-code", Some(line)) => line.country_code = Some(it.name()?),
            ("emergency", Some(line)) => line.emergency.push(it.name()?),
            ("house", _) => settings.house = house::read_settings(it)?,
            _ => return Words::wrong(word, wanted),
        }
    }
    Ok(settings)
}

pub(super) fn action(it: &mut Words) -> Read<Action> {
    let wanted = "something to do";
    let verb = it.text(wanted)?;
    Ok(match verb.as_str() {
        "dial" => {
            Action::Line(LineAction::Dial { call: it.call()?, line: it.name()?, to: it.address()?, how: house::read_how(it)? })
        }
        "alert" => Action::Line(LineAction::Alert(it.call()?)),
        "accept" => Action::Line(LineAction::Accept(it.call()?)),
        "reject" => Action::Line(LineAction::Reject(it.call()?, it.parsed("a reason")?)),
        "hang-up" => Action::Line(LineAction::HangUp(it.call()?)),
        "hold" => Action::Line(LineAction::Hold(it.call()?)),
        "resume" => Action::Line(LineAction::Resume(it.call()?)),
        "dtmf" => Action::Line(LineAction::Dtmf(it.call()?, it.text("keys")?)),
        "ask" => Action::Line(LineAction::Ask(it.call()?, house::read_ask(it)?)),
        "house" => Action::House(house::read_action(it)?),
        "tone" => Action::Sound(SoundAction::Tone(it.of(&TONES, "a tone")?)),
        "stop-tone" => Action::Sound(SoundAction::StopTone),
        "earcon" => Action::Sound(SoundAction::Earcon(it.of(&EARCONS, "an earcon")?)),
        "say" => {
            let prompt = PromptId(it.parsed("a prompt's number")?);
            Action::Sound(SoundAction::Say { prompt, text: it.text("a text")?, language: it.text("a language")? })
        }
        "stop-saying" => Action::Sound(SoundAction::StopSaying),
        "open-mic" => Action::Sound(SoundAction::OpenMic(it.call()?)),
        "close-mic" => Action::Sound(SoundAction::CloseMic(it.call()?)),
        "unsilence" => Action::Sound(SoundAction::Unsilence(it.call()?)),
        "silence" => Action::Sound(SoundAction::Silence(it.call()?)),
        "bridge" => Action::Sound(SoundAction::Bridge(it.call()?)),
        "unbridge" => Action::Sound(SoundAction::Unbridge(it.call()?)),
        "duck" => Action::Sound(SoundAction::Duck(it.bus()?)),
        "unduck" => Action::Sound(SoundAction::Unduck(it.bus()?)),
        "volume" => Action::Sound(SoundAction::Volume(it.bus()?, it.parsed("a volume")?)),
        "listen" => Action::Listen(it.of(&SCOPES, "a scope")?),
        "report" => Action::Report(report(it)?),
        _ => return Words::wrong(verb, wanted),
    })
}

fn report(it: &mut Words) -> Read<Report> {
    let wanted = "something to report";
    let what = it.text(wanted)?;
    let event = match what.as_str() {
        "call" => return call_report(it).map(Report::Call),
        "volume" => return Ok(Report::Setting(SettingReport::Volume(it.bus()?, it.parsed("a volume")?))),
        "do-not-disturb" => return Ok(Report::Setting(SettingReport::DoNotDisturb(it.on()?))),
        "muted" => return Ok(Report::Setting(SettingReport::Muted(it.on()?))),
        "quiet" => return Ok(Report::Setting(SettingReport::Quiet(it.on()?))),
        "history" => return history(it).map(Report::History),
        "waiting" => {
            let announcements = it.parsed("how many announcements")?;
            return Ok(Report::Waiting(Waiting { announcements, missed: house::read_missed(it)? }));
        }
        "line" => {
            let (line, up) = (it.name()?, it.of(&[(true, "up"), (false, "down")], "`up` or `down`")?);
            return Ok(Report::Line { line, up: if up { Ok(()) } else { Err(it.text("why")?) } });
        }
        "wake" => Event::Wake,
        "heard" => {
            let (text, intent, confidence) = (it.text("a sentence")?, intent(it)?, it.parsed("a confidence")?);
            Event::Heard { text, intent, contact: if it.is_over() { None } else { Some(it.name()?) }, confidence }
        }
        "rejected" => Event::Rejected,
        "ringing" => Event::Ringing(it.call()?, it.peer()?),
        "answered" => Event::Answered(it.call()?, it.peer()?),
        "missed" => Event::Missed(it.call()?, it.peer()?),
        "ended" => {
            let (call, peer, reason, talked) = (it.call()?, it.peer()?, it.parsed("a reason")?, it.seconds()?);
            let outgoing = it.of(&[(true, "outgoing"), (false, "incoming")], "`outgoing` or `incoming`")?;
            Event::Ended { call, peer, reason, talked, outgoing }
        }
        "pressed" => Event::Dtmf(it.call()?, it.parsed("a key")?),
        "drop-in" => Event::DropIn { call: it.call()?, peer: it.peer()?, listens: it.next_is("listens") },
        "moved" => Event::Moved { call: it.call()?, peer: it.peer()?, to: it.text("a room")? },
        "denied" => Event::Denied(it.text("a sentence")?),
        "announcement" => house::read_announcement(it)?,
        _ => return Words::wrong(what, wanted),
    };
    Ok(Report::Event(event))
}

fn intent(it: &mut Words) -> Read<&'static str> {
    let wanted = "an intent";
    let found = it.text(wanted)?;
    INTENTS.iter().map(|(name, _)| *name).find(|name| *name == found).ok_or(ReadError::Wrong { found, wanted })
}

fn call_report(it: &mut Words) -> Read<CallReport> {
    let state = it.of(&CALL_STATES, "the state of a call")?;
    let muted = it.next_is("muted");
    let call = if it.is_over() { None } else { Some(it.call()?) };
    let peer = if it.is_over() { None } else { Some(it.peer()?) };
    let mut parties: Vec<Peer> = peer.iter().cloned().collect();
    while it.next_is("and") {
        parties.push(it.peer()?);
    }
    Ok(CallReport { state, call, peer, parties, muted })
}

fn history(it: &mut Words) -> Read<History> {
    let last_dialled = if it.next_is("dialled") { Some(it.peer()?) } else { None };
    let last_missed = if it.next_is("missed") { Some(it.peer()?) } else { None };
    let last_caller = if it.next_is("caller") { Some(it.peer()?) } else { None };
    Ok(History { last_dialled, last_missed, last_caller, missed: house::read_missed(it)? })
}
