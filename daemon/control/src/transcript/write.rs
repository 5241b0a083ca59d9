//! Values to text.

use std::fmt::{Display, Formatter, Result, Write};
use std::time::Duration;

use super::house;
use crate::action::{
    Action, CallReport, CallState, Earcon, Event, History, LineAction, Peer, Report, Scope, SettingReport, SoundAction, Tone,
};
use crate::contacts::{Address, Contact};
use crate::input::{Bus, Command, Heard, Input, LineEvent, SoundNotice, VolumeTo};
use crate::speaker::{LineSettings, Settings};

pub(super) const TONES: [(Tone, &str); 4] =
    [(Tone::Ring, "ring"), (Tone::Ringback, "ringback"), (Tone::Busy, "busy"), (Tone::CallWaiting, "call-waiting")];
pub(super) const EARCONS: [(Earcon, &str); 9] = [
    (Earcon::Awake, "awake"),
    (Earcon::Understood, "understood"),
    (Earcon::Rejected, "rejected"),
    (Earcon::Connected, "connected"),
    (Earcon::Ended, "ended"),
    (Earcon::Recording, "recording"),
    (Earcon::DropIn, "drop-in"),
    (Earcon::Joined, "joined"),
    (Earcon::Left, "left"),
];
pub(super) const BUSES: [(Bus, &str); 3] = [(Bus::Call, "call"), (Bus::Ring, "ring"), (Bus::Announce, "announce")];
pub(super) const SCOPES: [(Scope, &str); 7] = [
    (Scope::Asleep, "asleep"),
    (Scope::Command, "command"),
    (Scope::Ringing, "ringing"),
    (Scope::RingOut, "ring-out"),
    (Scope::InCall, "in-call"),
    (Scope::Recording, "recording"),
    (Scope::Confirming, "confirming"),
];
pub(super) const CALL_STATES: [(CallState, &str); 8] = [
    (CallState::Idle, "idle"),
    (CallState::Dialing, "dialing"),
    (CallState::Ringing, "ringing"),
    (CallState::Ringback, "ringback"),
    (CallState::Connected, "connected"),
    (CallState::Held, "held"),
    (CallState::Carried, "carried"),
    (CallState::Ending, "ending"),
];

/// The word for a value of one of the tables above.
pub(super) fn word<T: PartialEq>(table: &[(T, &'static str)], value: &T) -> &'static str {
    table.iter().find(|(it, _)| it == value).map_or("?", |(_, word)| word)
}

/// A text in quotes.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Seconds, exact.
pub(super) struct Seconds(pub(super) Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let text = format!("{}.{:09}", self.0.as_secs(), self.0.subsec_nanos());
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

pub(super) fn input(f: &mut Formatter<'_>, input: &Input) -> Result {
    match input {
        Input::Command(it) => command(f, it),
        Input::Heard(Heard::Wake { score: 0.0 }) => f.write_str("wake"),
        Input::Heard(Heard::Wake { score }) => write!(f, "wake {score}"),
        Input::Heard(Heard::Open { text, confidence, goes_on }) => {
            write!(f, "open {} {confidence}{}", Quoted(text), if *goes_on { " goes-on" } else { "" })
        }
        Input::Heard(Heard::Recorded(id)) => write!(f, "recorded {}", id.0),
        Input::Heard(Heard::Sentence { text, confidence, woken }) => {
            write!(f, "heard {} {confidence}{}", Quoted(text), if *woken { " woken" } else { "" })
        }
        Input::Heard(Heard::Rejected) => f.write_str("rejected"),
        Input::Heard(Heard::Nothing) => f.write_str("nothing"),
        Input::Line(it) => line(f, it),
        Input::House(it) => {
            f.write_str("house ")?;
            house::write_event(f, it)
        }
        Input::Sound(SoundNotice::Said(prompt)) => write!(f, "said {}", prompt.0),
        Input::Sound(SoundNotice::CardLost) => f.write_str("card-lost"),
        Input::Sound(SoundNotice::CardBack) => f.write_str("card-back"),
        Input::Contacts(contacts) => {
            f.write_str("contacts")?;
            contacts.people.iter().try_for_each(|it| contact(f, it))?;
            contacts.sounds_alike().iter().try_for_each(|set| {
                write!(f, " alike {}", set.len())?;
                set.iter().try_for_each(|it| write!(f, " {}", Quoted(it)))
            })
        }
        Input::Settings(it) => settings(f, it),
    }
}

fn command(f: &mut Formatter<'_>, command: &Command) -> Result {
    match command {
        Command::Dial(whom) => write!(f, "dial {}", Quoted(whom)),
        Command::Answer => f.write_str("answer"),
        Command::Decline => f.write_str("decline"),
        Command::HangUp => f.write_str("hang-up"),
        Command::Redial => f.write_str("redial"),
        Command::CallBack => f.write_str("call-back"),
        Command::Hold => f.write_str("hold"),
        Command::Resume => f.write_str("resume"),
        Command::Mute => f.write_str("mute"),
        Command::Unmute => f.write_str("unmute"),
        Command::Volume(change) => {
            write!(f, "volume {} ", change.bus.map_or("here", |bus| word(&BUSES, &bus)))?;
            match change.to {
                VolumeTo::Up => f.write_str("up"),
                VolumeTo::Down => f.write_str("down"),
                VolumeTo::Percent(percent) => write!(f, "{percent}"),
            }
        }
        Command::DoNotDisturb(on) => write!(f, "do-not-disturb {}", on_or_off(*on)),
        Command::Dtmf(keys) => write!(f, "dtmf {}", Quoted(keys)),
        Command::WhoIsCalling => f.write_str("who-is-calling"),
        Command::Repeat => f.write_str("repeat"),
        Command::Cancel => f.write_str("cancel"),
        Command::Say(text) => write!(f, "say {}", Quoted(text)),
        Command::Announce { text, to, urgent } => {
            write!(f, "announce {}{}", Quoted(text), if *urgent { " urgent" } else { "" })?;
            to.iter().try_for_each(|it| write!(f, " to {}", Quoted(it)))
        }
        Command::WhoCalled => f.write_str("who-called"),
        Command::ClearMissed => f.write_str("clear-missed"),
        Command::DropIn(room) => write!(f, "drop-in {}", Quoted(room)),
        Command::Listen(room) => write!(f, "listen-in {}", Quoted(room)),
        Command::Move(room) => write!(f, "move {}", Quoted(room)),
        Command::TakeBack => f.write_str("take-back"),
        Command::Add(whom) => write!(f, "add {}", Quoted(whom)),
        Command::FollowMe(on) => write!(f, "follow-me {}", on_or_off(*on)),
    }
}

pub(super) fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn line(f: &mut Formatter<'_>, event: &LineEvent) -> Result {
    match event {
        LineEvent::Up(line) => write!(f, "line {} up", Quoted(line)),
        LineEvent::Down(line, why) => write!(f, "line {} down {}", Quoted(line), Quoted(why)),
        LineEvent::Incoming { call, line, from, display, how } => {
            write!(f, "incoming {call} {} {from} {}", Quoted(line), Quoted(display))?;
            house::write_how(f, how)
        }
        LineEvent::Alerting(call) => write!(f, "alerting {call}"),
        LineEvent::EarlyMedia(call) => write!(f, "early-media {call}"),
        LineEvent::Answered(call) => write!(f, "answered {call}"),
        LineEvent::HeldByThem(call) => write!(f, "held-by-them {call}"),
        LineEvent::ResumedByThem(call) => write!(f, "resumed-by-them {call}"),
        LineEvent::Dtmf(call, key) => write!(f, "pressed {call} {}", Quoted(key.encode_utf8(&mut [0; 4]))),
        LineEvent::Asked(call, ask) => {
            write!(f, "asked {call} ")?;
            house::write_ask(f, ask)
        }
        LineEvent::Ended(call, reason) => write!(f, "ended {call} {reason}"),
    }
}

fn contact(f: &mut Formatter<'_>, contact: &Contact) -> Result {
    write!(f, " person {}", Quoted(&contact.name))?;
    contact.aliases.iter().try_for_each(|it| write!(f, " alias {}", Quoted(it)))?;
    contact.sounds_like.iter().try_for_each(|it| write!(f, " sounds-like {}", Quoted(it)))?;
    contact.language.iter().try_for_each(|it| write!(f, " language {}", Quoted(it)))?;
    contact.groups.iter().try_for_each(|it| write!(f, " group {}", Quoted(it)))?;
    contact.addresses.iter().try_for_each(|it| address(f, it))
}

fn address(f: &mut Formatter<'_>, address: &Address) -> Result {
    write!(f, " at {}", address.to)?;
    address.label.iter().try_for_each(|it| write!(f, " label {}", Quoted(it)))?;
    address.line.iter().try_for_each(|it| write!(f, " on {}", Quoted(it)))?;
    address.ring_for.iter().try_for_each(|it| write!(f, " for {}", Seconds(*it)))
}

fn settings(f: &mut Formatter<'_>, it: &Settings) -> Result {
    write!(f, "settings {} {}", Quoted(&it.room), Quoted(&it.language))?;
    write!(f, " {} {} {} {}", Seconds(it.ring_for), Seconds(it.listen_for), it.min_confidence, it.sure_confidence)?;
    write!(f, " {} {} {} {}", it.volumes[0], it.volumes[1], it.volumes[2], on_or_off(it.do_not_disturb))?;
    it.wake_phrases.iter().try_for_each(|it| write!(f, " wake {}", Quoted(it)))?;
    it.lines.iter().try_for_each(|it| line_settings(f, it))?;
    house::write_settings(f, &it.house)
}

fn line_settings(f: &mut Formatter<'_>, line: &LineSettings) -> Result {
    write!(f, " line {}", Quoted(&line.name))?;
    line.domain.iter().try_for_each(|it| write!(f, " domain {}", Quoted(it)))?;
    line.country_code.iter().try_for_each(|it| write!(f, " country-code {}", Quoted(it)))?;
    line.emergency.iter().try_for_each(|it| write!(f, " emergency {}", Quoted(it)))
}

pub(super) fn action(f: &mut Formatter<'_>, action: &Action) -> Result {
    match action {
        Action::Line(it) => line_action(f, it),
        Action::House(it) => {
            f.write_str("house ")?;
            house::write_action(f, it)
        }
        Action::Sound(it) => sound_action(f, it),
        Action::Listen(scope) => write!(f, "listen {}", word(&SCOPES, scope)),
        Action::Report(it) => {
            f.write_str("report ")?;
            report(f, it)
        }
    }
}

fn line_action(f: &mut Formatter<'_>, action: &LineAction) -> Result {
    match action {
        LineAction::Dial { call, line, to, how } => {
            write!(f, "dial {call} {} {to}", Quoted(line))?;
            house::write_how(f, how)
        }
        LineAction::Alert(call) => write!(f, "alert {call}"),
        LineAction::Accept(call) => write!(f, "accept {call}"),
        LineAction::Reject(call, reason) => write!(f, "reject {call} {reason}"),
        LineAction::HangUp(call) => write!(f, "hang-up {call}"),
        LineAction::Hold(call) => write!(f, "hold {call}"),
        LineAction::Resume(call) => write!(f, "resume {call}"),
        LineAction::Dtmf(call, keys) => write!(f, "dtmf {call} {}", Quoted(keys)),
        LineAction::Ask(call, ask) => {
            write!(f, "ask {call} ")?;
            house::write_ask(f, ask)
        }
    }
}

fn sound_action(f: &mut Formatter<'_>, action: &SoundAction) -> Result {
    match action {
        SoundAction::Tone(tone) => write!(f, "tone {}", word(&TONES, tone)),
        SoundAction::StopTone => f.write_str("stop-tone"),
        SoundAction::Earcon(earcon) => write!(f, "earcon {}", word(&EARCONS, earcon)),
        SoundAction::Say { prompt, text, language } => write!(f, "say {} {} {}", prompt.0, Quoted(text), Quoted(language)),
        SoundAction::StopSaying => f.write_str("stop-saying"),
        SoundAction::OpenMic(call) => write!(f, "open-mic {call}"),
        SoundAction::CloseMic(call) => write!(f, "close-mic {call}"),
        SoundAction::Unsilence(call) => write!(f, "unsilence {call}"),
        SoundAction::Silence(call) => write!(f, "silence {call}"),
        SoundAction::Bridge(call) => write!(f, "bridge {call}"),
        SoundAction::Unbridge(call) => write!(f, "unbridge {call}"),
        SoundAction::Duck(bus) => write!(f, "duck {}", word(&BUSES, bus)),
        SoundAction::Unduck(bus) => write!(f, "unduck {}", word(&BUSES, bus)),
        SoundAction::Volume(bus, volume) => write!(f, "volume {} {volume}", word(&BUSES, bus)),
    }
}

fn report(f: &mut Formatter<'_>, report: &Report) -> Result {
    match report {
        Report::Call(it) => call_report(f, it),
        Report::Event(it) => event(f, it),
        Report::Setting(SettingReport::Volume(bus, volume)) => write!(f, "volume {} {volume}", word(&BUSES, bus)),
        Report::Setting(SettingReport::DoNotDisturb(on)) => write!(f, "do-not-disturb {}", on_or_off(*on)),
        Report::Setting(SettingReport::Muted(on)) => write!(f, "muted {}", on_or_off(*on)),
        Report::Setting(SettingReport::Quiet(on)) => write!(f, "quiet {}", on_or_off(*on)),
        Report::History(it) => history(f, it),
        Report::Waiting(it) => {
            write!(f, "waiting {}", it.announcements)?;
            house::write_missed(f, &it.missed)
        }
        Report::Line { line, up: Ok(()) } => write!(f, "line {} up", Quoted(line)),
        Report::Line { line, up: Err(why) } => write!(f, "line {} down {}", Quoted(line), Quoted(why)),
    }
}

pub(super) fn peer(f: &mut Formatter<'_>, peer: &Peer) -> Result {
    write!(f, " {} {} {}", Quoted(&peer.name), peer.address, if peer.known { "known" } else { "unknown" })
}

fn call_report(f: &mut Formatter<'_>, it: &CallReport) -> Result {
    write!(f, "call {}{}", word(&CALL_STATES, &it.state), if it.muted { " muted" } else { "" })?;
    it.call.iter().try_for_each(|call| write!(f, " {call}"))?;
    it.peer.iter().try_for_each(|it| peer(f, it))?;
    it.parties.iter().skip(1).try_for_each(|it| {
        f.write_str(" and")?;
        peer(f, it)
    })
}

fn history(f: &mut Formatter<'_>, it: &History) -> Result {
    f.write_str("history")?;
    for (word, of) in [("dialled", &it.last_dialled), ("missed", &it.last_missed), ("caller", &it.last_caller)] {
        let Some(of) = of else { continue };
        write!(f, " {word}")?;
        peer(f, of)?;
    }
    house::write_missed(f, &it.missed)
}

fn event(f: &mut Formatter<'_>, event: &Event) -> Result {
    match event {
        Event::Wake => f.write_str("wake"),
        Event::Heard { text, intent, contact, confidence } => {
            write!(f, "heard {} {intent} {confidence}", Quoted(text))?;
            contact.iter().try_for_each(|it| write!(f, " {}", Quoted(it)))
        }
        Event::Rejected => f.write_str("rejected"),
        Event::Ringing(call, of) => {
            write!(f, "ringing {call}")?;
            peer(f, of)
        }
        Event::Answered(call, of) => {
            write!(f, "answered {call}")?;
            peer(f, of)
        }
        Event::Missed(call, of) => {
            write!(f, "missed {call}")?;
            peer(f, of)
        }
        Event::Ended { call, peer: of, reason, talked, outgoing } => {
            write!(f, "ended {call}")?;
            peer(f, of)?;
            write!(f, " {reason} {} {}", Seconds(*talked), if *outgoing { "outgoing" } else { "incoming" })
        }
        Event::Dtmf(call, key) => write!(f, "pressed {call} {}", Quoted(key.encode_utf8(&mut [0; 4]))),
        Event::DropIn { call, peer: of, listens } => {
            write!(f, "drop-in {call}")?;
            peer(f, of)?;
            f.write_str(if *listens { " listens" } else { "" })
        }
        Event::Moved { call, peer: of, to } => {
            write!(f, "moved {call}")?;
            peer(f, of)?;
            write!(f, " {to}")
        }
        Event::Denied(text) => write!(f, "denied {}", Quoted(text)),
        Event::Announcement { id, from, progress } => house::write_announcement(f, id, from, progress),
    }
}
