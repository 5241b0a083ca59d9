//! The only loop: what happened goes into the decisions, what they decide goes out to whoever does it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use control::Speaker;
use control::action::{Action, Event, LineAction, Report};
use control::call::CallId;
use control::house::{HouseAction, HouseEvent, Room};
use control::input::{Heard, Input, LineEvent, PromptId, SoundNotice};
use media::party::PartyId;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{sleep_until, timeout_at};
use tracing::{debug, info};

use crate::clock::Clock;
use crate::config::WakeSettings;
use crate::config::watch::Reload;
use crate::ears::Ears;
use crate::house::courier::HouseStatus;
use crate::house::desk::Counter;
use crate::lines::FromLine;
use crate::lines::sip::{self, Known};
use crate::mqtt::{Metrics, Outgoing};
use crate::near_misses::{NearMiss, NearMisses};
use crate::recorder::Recorder;
use crate::request::Request;
use crate::run::hearing_settings;
use crate::sound::Sound;
use crate::status::{self, Measured, Status};
use crate::store::Store;
use crate::switch::Switch;
use crate::voice::Spoken;

/// How often the engine is asked while something plays of which the end matters.
const SOUND_TICK: Duration = Duration::from_millis(20);

/// How often the state of card, lines and memory is looked at.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How often the house is told figures (docs/mqtt.md).
const METRICS: Duration = Duration::from_secs(30);

/// Something that happened, for whoever follows along: the demo, tests.
#[derive(Clone, Debug)]
pub struct Happened {
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// See [`Happened`].
#[derive(Clone, Debug)]
pub enum What {
    /// The decisions reported it.
    Report(Report),
    /// The speaker says it.
    Says(String),
    /// The call's INVITE went out.
    Invited(CallId),
    /// The chime or another sign was asked for.
    Sign(control::action::Earcon),
    /// A call's media goes over this party of the engine.
    Party(CallId, PartyId),
}

/// What can be asked of the app.
pub enum Question {
    /// The state of everything.
    Status(oneshot::Sender<Status>),
    /// The last minutes as a transcript.
    Transcript(oneshot::Sender<String>),
}

/// Everything that comes in.
pub struct Inbox {
    /// From the lines; a full channel makes them wait.
    pub lines: mpsc::Receiver<FromLine>,
    /// From the listener, each with the moment it arrived.
    pub heard: mpsc::Receiver<(Instant, speech::Notice)>,
    /// From other speakers and the desk; a full channel makes them wait.
    pub house: mpsc::Receiver<HouseEvent>,
    /// From MQTT and the control socket.
    pub requests: mpsc::Receiver<Request>,
    /// Questions.
    pub questions: mpsc::Receiver<Question>,
    /// For the engine, from whoever records what passes through it.
    pub engine: mpsc::Receiver<media::order::Command>,
    /// Sentences that have been spoken into samples.
    pub spoken: mpsc::Receiver<Spoken<PromptId>>,
    /// Configuration read anew.
    pub reloads: mpsc::Receiver<Reload>,
}

/// Everything that actions go to.
pub struct Parts {
    /// The decisions.
    pub speaker: Speaker,
    /// The engine.
    pub sound: Sound,
    /// The listener.
    pub ears: Ears,
    /// The lines.
    pub switch: Switch,
    /// The desk: what goes to other speakers.
    pub desk: Counter,
    /// Whose calls ring without an account.
    pub known: watch::Sender<Arc<Known>>,
    /// What survives a restart.
    pub store: Store,
    /// What was almost the wake phrase, where the settings say that it is kept.
    pub near_misses: NearMisses,
    /// How readily the wake phrase is heard.
    pub wake: WakeSettings,
    /// The broker; a full channel drops, the connection catches up with retained state.
    pub mqtt: mpsc::Sender<Outgoing>,
    /// Those who follow along.
    pub followers: broadcast::Sender<Happened>,
    /// The last minutes, for the person who looks for a defect.
    pub recorder: Recorder,
    /// What of the status does not change by itself.
    pub status: Status,
    /// Whether the card is open.
    pub card: CardState,
    /// Tells systemd that all is well.
    pub watchdog: Option<crate::systemd::Watchdog>,
    /// Whether the broker answers.
    pub connected: Arc<AtomicBool>,
    /// What people see of the house.
    pub house: watch::Receiver<HouseStatus>,
}

/// Asks whether the card is open, and what it is called.
pub type CardState = Box<dyn Fn() -> String + Send>;

/// The app, ready to run.
pub struct App {
    clock: Clock,
    parts: Parts,
    measured: Measured,
    /// When the words of the last command ended.
    command_end: Option<Instant>,
    invited: BTreeMap<CallId, Instant>,
    connected_since: Option<Instant>,
    lines: BTreeMap<String, status::Line>,
    started: Instant,
    frames_before: u64,
    card_was_open: bool,
    metrics_at: Instant,
    cpu_before: f64,
    wakes: u64,
    /// Other rooms of the house.
    rooms: Vec<Room>,
    /// Contacts and rooms as they were published.
    callable: (Vec<String>, Vec<String>),
    /// What was refused in the turn that is being handled.
    denied: Option<String>,
}

impl App {
    /// Puts it together.
    pub fn new(clock: Clock, parts: Parts) -> App {
        App {
            clock,
            parts,
            measured: Measured::default(),
            command_end: None,
            invited: BTreeMap::new(),
            connected_since: None,
            lines: BTreeMap::new(),
            started: Instant::now(),
            frames_before: 0,
            card_was_open: true,
            metrics_at: Instant::now(),
            cpu_before: status::cpu_seconds(),
            wakes: 0,
            rooms: Vec::new(),
            callable: Default::default(),
            denied: None,
        }
    }

    /// Runs until `stop` is told, then hangs up what is up and gives the lines a moment to say so.
    pub async fn run(mut self, mut inbox: Inbox, mut stop: oneshot::Receiver<()>) {
        self.act();
        self.publish_callable();
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        loop {
            let deadline = self.parts.speaker.poll_timeout().map(|at| self.clock.instant(at));
            let busy = self.parts.sound.is_busy();
            tokio::select! {
                Some(from_line) = inbox.lines.recv() => self.line_told(from_line),
                Some((at, notice)) = inbox.heard.recv() => self.heard(at, notice),
                Some(event) = inbox.house.recv() => self.house(event),
                Some(request) = inbox.requests.recv() => self.request(request),
                Some(question) = inbox.questions.recv() => self.answer(question),
                Some(command) = inbox.engine.recv() => self.parts.sound.send(command),
                Some((prompt, samples)) = inbox.spoken.recv() => self.parts.sound.spoken(prompt, samples),
                Some(reload) = inbox.reloads.recv() => self.reload(reload),
                () = sleep_until(deadline.unwrap_or_else(far).into()), if deadline.is_some() => self.timeout(),
                () = tokio::time::sleep(SOUND_TICK), if busy => (),
                _ = housekeeping.tick() => self.housekeeping(),
                _ = &mut stop => break,
            }
            while let Some(notice) = self.parts.sound.poll() {
                self.handle(Input::Sound(notice));
            }
            while let Some(sound) = self.parts.sound.poll_desk() {
                self.parts.desk.played(sound);
            }
        }
        self.stop(inbox).await;
    }

    /// One thing happened: the decisions hear of it, and what they decide is done.
    fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        self.parts.recorder.input(now, &input);
        self.parts.speaker.handle(now, input);
        self.act();
    }

    fn timeout(&mut self) {
        self.parts.speaker.handle_timeout(self.clock.now());
        self.act();
    }

    /// Does all that was decided.
    fn act(&mut self) {
        while let Some(action) = self.parts.speaker.poll_action() {
            self.parts.recorder.action(self.clock.now(), &action);
            match action {
                Action::Line(action) => self.line(action),
                Action::Sound(action) => {
                    match &action {
                        control::action::SoundAction::Say { text, .. } => self.tell(What::Says(text.clone())),
                        control::action::SoundAction::Earcon(sign) => self.tell(What::Sign(*sign)),
                        _ => (),
                    }
                    self.parts.sound.act(action);
                }
                Action::House(HouseAction::Publish(message)) => self.publish(Outgoing::Publish(message)),
                Action::House(action) => self.parts.desk.act(action),
                Action::Listen(scope) => self.parts.ears.listen(scope, self.parts.speaker.grammar(scope)),
                Action::Report(report) => self.report(report),
            }
        }
    }

    fn line(&mut self, action: LineAction) {
        if let Some(event) = self.parts.switch.act(action) {
            self.handle(Input::Line(event));
        }
    }

    fn report(&mut self, report: Report) {
        match &report {
            Report::Event(Event::Denied(text)) => self.denied = Some(text.clone()),
            Report::Event(Event::Answered(call, _)) => {
                self.connected_since = Some(Instant::now());
                if let Some(invited) = self.invited.get(call) {
                    self.measured.setup_ms = Some(milliseconds(invited.elapsed()));
                }
            }
            Report::Event(Event::Ended { call, reason, talked, outgoing, .. }) => {
                self.connected_since = None;
                self.invited.remove(call);
                debug!(%call, ?reason, ?talked, outgoing, "call over");
            }
            Report::Line { line, up } => {
                let why = up.as_ref().err().cloned();
                match &why {
                    None => info!(line, "line is up"),
                    Some(why) => tracing::warn!(line, why, "line is down"),
                }
                self.lines.insert(line.clone(), status::Line { up: why.is_none(), why });
            }
            _ => (),
        }
        self.parts.store.keep(&report);
        self.publish(Outgoing::Report(report.clone(), SystemTime::now()));
        self.tell(What::Report(report));
    }

    /// The broker's task never waits for long; what it cannot take now is lost to the house, not to the call.
    fn publish(&self, outgoing: Outgoing) {
        if self.parts.mqtt.try_send(outgoing).is_err() {
            debug!("something for the broker was dropped");
        }
    }

    /// Tells whom one may choose to call, where that has changed.
    fn publish_callable(&mut self) {
        let contacts = self.parts.speaker.contacts().people.iter().map(|it| it.name.clone()).collect();
        let rooms = self.rooms.iter().map(|it| it.name.clone()).collect();
        let callable = (contacts, rooms);
        if self.callable != callable {
            self.callable.clone_from(&callable);
            self.publish(Outgoing::Callable { contacts: callable.0, rooms: callable.1 });
        }
    }

    fn house(&mut self, event: HouseEvent) {
        if let HouseEvent::Rooms(rooms) = &event {
            self.parts.ears.in_company(rooms.iter().any(|it| it.up));
            self.rooms.clone_from(rooms);
        }
        self.handle(Input::House(event));
        self.publish_callable();
    }

    fn tell(&self, what: What) {
        // Nobody follows along most of the time.
        let _ = self.parts.followers.send(Happened { at: Instant::now(), what });
    }

    fn line_told(&mut self, from_line: FromLine) {
        match from_line {
            FromLine::Event(event) => {
                let over = match &event {
                    LineEvent::Ended(call, _) => Some(*call),
                    _ => None,
                };
                if let LineEvent::Incoming { call, line, .. } = &event {
                    self.parts.switch.incoming(*call, line);
                }
                self.handle(Input::Line(event));
                if let Some(call) = over {
                    self.parts.sound.leave(call);
                    self.parts.switch.forget(call);
                }
            }
            FromLine::Media(call, party) => {
                let id = self.parts.sound.join(call, party);
                self.tell(What::Party(call, id));
            }
            FromLine::Invited(call, at) => {
                self.invited.insert(call, at);
                if let Some(end) = self.command_end.take() {
                    self.measured.command_end_to_invite_ms = Some(milliseconds(at.saturating_duration_since(end)));
                }
                self.tell(What::Invited(call));
            }
        }
    }

    fn heard(&mut self, at: Instant, notice: speech::Notice) {
        let since_end = Duration::from_millis(notice.at_ms.saturating_sub(notice.said_until_ms));
        let end = at.checked_sub(since_end).unwrap_or(at);
        let heard = match notice.kind {
            speech::Heard::Wake { score } => {
                self.wakes += 1;
                self.parts.near_misses.woken(SystemTime::now());
                self.measured.wake_to_chime_ms = Some(milliseconds(end.elapsed()));
                Heard::Wake { score }
            }
            speech::Heard::Sentence { text, confidence, woken } => {
                self.command_end = Some(end);
                Heard::Sentence { text, confidence, woken }
            }
            speech::Heard::Open { text, confidence, goes_on } => Heard::Open { text, confidence, goes_on },
            speech::Heard::Recorded { samples } => Heard::Recorded(self.parts.desk.keep(samples.into())),
            speech::Heard::Rejected { text } => {
                debug!(text, "not understood");
                Heard::Rejected
            }
            speech::Heard::Nothing => Heard::Nothing,
            speech::Heard::NearMiss { samples } => {
                let (phrase, score) = (notice.text, notice.confidence);
                self.parts.near_misses.keep(NearMiss { at: SystemTime::now(), phrase, score, samples });
                return;
            }
        };
        self.handle(Input::Heard(heard));
    }

    fn request(&mut self, request: Request) {
        self.denied = None;
        self.command_end = None;
        self.handle(Input::Command(request.command));
        let Some(reply) = request.reply else { return };
        // Whoever asked may have gone away.
        let _ = reply.send(match self.denied.take() {
            Some(why) => Err(why),
            None => Ok(()),
        });
    }

    fn answer(&self, question: Question) {
        // Whoever asked may have gone away.
        let _ = match question {
            Question::Status(reply) => reply.send(self.status()).is_ok(),
            Question::Transcript(reply) => reply.send(self.parts.recorder.to_string()).is_ok(),
        };
    }

    fn reload(&mut self, reload: Reload) {
        if let Reload::Fresh(loaded) = &reload {
            self.parts.status.ears.heard_as = loaded.heard_as.clone();
            if self.parts.wake != loaded.settings.wake {
                self.parts.wake = loaded.settings.wake;
                self.parts.ears.settings(hearing_settings(&loaded.settings));
            }
        }
        for input in reload.inputs() {
            self.handle(input);
        }
        self.parts.known.send_replace(sip::known(self.parts.speaker.contacts()));
        self.publish_callable();
    }

    fn housekeeping(&mut self) {
        let card_is_open = (self.parts.card)() != "lost";
        if card_is_open != self.card_was_open {
            self.card_was_open = card_is_open;
            self.handle(Input::Sound(if card_is_open { SoundNotice::CardBack } else { SoundNotice::CardLost }));
        }
        if self.metrics_at.elapsed() >= METRICS {
            self.send_metrics();
        }
        let frames = self.parts.sound.frames();
        let sound_flows = frames != self.frames_before;
        self.frames_before = frames;
        if let Some(watchdog) = &mut self.parts.watchdog {
            // A card that went away is being looked for: that is a state, not a hang.
            watchdog.turn(sound_flows || !card_is_open);
        }
    }

    fn send_metrics(&mut self) {
        let cpu = status::cpu_seconds();
        let passed = self.metrics_at.elapsed().as_secs_f64();
        let metrics = Metrics {
            uptime_s: self.started.elapsed().as_secs(),
            cpu_percent: Some((100.0 * (cpu - self.cpu_before) / passed) as f32),
            memory_mb: Some(status::memory_mb() as f32),
            wakes: self.wakes,
            ..self.parts.sound.metrics()
        };
        self.metrics_at = Instant::now();
        self.cpu_before = cpu;
        self.publish(Outgoing::Metrics(metrics));
    }

    /// The whole state.
    fn status(&self) -> Status {
        let speaker = &self.parts.speaker;
        let report = speaker.call_report();
        let volumes = speaker.volumes();
        Status {
            uptime_s: self.started.elapsed().as_secs(),
            call: status::Call {
                state: crate::mqtt::payload::state(report.state).into(),
                id: report.call.map(|call| call.to_string()),
                peer: report.peer.as_ref().map(|peer| peer.name.clone()),
                connected_s: self.connected_since.map(|since| since.elapsed().as_secs()),
            },
            lines: self.lines.clone(),
            audio: self.parts.sound.audio((self.parts.card)()),
            volume: status::Volume { call: volumes[0], ring: volumes[1], announce: volumes[2] },
            muted: report.muted,
            do_not_disturb: speaker.do_not_disturb(),
            contacts: speaker.contacts().people.len(),
            measured: self.measured,
            memory_mb: status::memory_mb(),
            cpu_percent: status::cpu_percent(self.started),
            house: self.parts.house.borrow().clone(),
            problems: self.problems(),
            mqtt: status::Mqtt { connected: self.parts.connected.load(Relaxed), ..self.parts.status.mqtt.clone() },
            ears: status::Ears {
                unknown_words: self.parts.ears.unknown_words(),
                sound_alike: speaker.contacts().sounds_alike().iter().map(|it| it.iter().cloned().collect()).collect(),
                ..self.parts.status.ears.clone()
            },
            ..self.parts.status.clone()
        }
    }

    /// What is wrong now, and how to mend it.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if (self.parts.card)() == "lost" {
            problems.push("the sound card is not there; plug it in, or choose another one under `audio` in hark.yaml (`hark devices` lists them)".into());
        }
        let down = self.lines.iter().filter_map(|(name, line)| Some(format!("line {name} is down: {}", line.why.as_ref()?)));
        problems.extend(down);
        let unknown = self.parts.ears.unknown_words();
        if !unknown.is_empty() {
            problems.push(format!(
                "the speech model does not know: {}; `hark check` tells where they are and how to mend it",
                unknown.join(", ")
            ));
        }
        problems.extend(self.parts.house.borrow().problems.iter().cloned());
        problems
    }

    /// Ends the calls that are up; lines get two seconds to say goodbye.
    async fn stop(mut self, mut inbox: Inbox) {
        if self.parts.speaker.call_report().call.is_some() {
            self.handle(Input::Command(control::input::Command::HangUp));
        }
        let until = tokio::time::Instant::now() + Duration::from_secs(2);
        while self.parts.speaker.call_report().call.is_some() {
            match timeout_at(until, inbox.lines.recv()).await {
                Ok(Some(from_line)) => self.line_told(from_line),
                Ok(None) | Err(_) => break,
            }
        }
        self.parts.store.close();
    }
}

fn milliseconds(d: Duration) -> f64 {
    (d.as_secs_f64() * 10_000.0).round() / 10.0
}

/// A deadline for those who have none; its branch is switched off.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
