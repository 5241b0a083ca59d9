//! The house's broker: tells it what happens here, and does what is asked for there (docs/mqtt.md).

pub mod broker;
pub mod connection;
pub mod discovery;
pub mod letters;
pub mod outbox;
pub mod payload;
pub mod topics;
pub mod verbs;
pub mod watched;

pub use payload::{About, Metrics, SettingsNow};

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use control::action::{CallReport, CallState, Report};
use control::call::CallId;
use control::house::{HouseEvent, Message};
use rumqttc::{AsyncClient, Publish, QoS};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use crate::config::house::Watched;
use crate::config::{Broker, MqttSettings};
use crate::house::air::FromBroker;
use crate::request::Request;
use connection::{Connection, Notice};
use outbox::Outbox;
use payload::{Call, Dated, Done, Line, json};
use topics::Topics;

/// How many answered requests are remembered, so that the same id twice acts once.
const MAX_SEEN: usize = 256;
/// Requests that may wait for the app at once.
const MAX_OPEN: usize = 32;
/// The app answers at once or is stuck.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long we wait at the end for the broker to take our goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// Notices of the connection that may wait; a full channel makes the broker wait.
const NOTICES: usize = 32;
/// Complaints about messages are logged at most this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// What the app tells the house.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// What the decisions report, and when it was so.
    Report(Report, SystemTime),
    /// Something for another device.
    Publish(Message),
    /// Whom a person may want to call, and the rooms that a call can be moved to, as they are now; by their names.
    Callable {
        /// The contacts.
        contacts: Vec<String>,
        /// The rooms.
        rooms: Vec<String>,
    },
    /// All settings at once, as at start.
    Settings(SettingsNow),
    /// Figures; sent each 30 s.
    Metrics(Metrics),
}

/// The task that speaks MQTT.
pub struct Mqtt {
    settings: MqttSettings,
    room: String,
    topics: Topics,
    about: About,
    publish_words: bool,
    now: SettingsNow,
    /// Which call is in which state, and since when.
    call: (Option<CallId>, CallState, Option<SystemTime>),
    /// Contacts and rooms, for those who choose from a list.
    callable: [Vec<String>; 2],
    /// Topics of others that are read.
    watched: Vec<Watched>,
    /// What they tell. Bounded; when it is full it is lost, and told again with the next change.
    tidings: Option<mpsc::Sender<HouseEvent>>,
    /// The house, whose letters we carry.
    house: Option<letters::Wires>,
    /// Closed when the app is at its end: then we say goodbye.
    outgoing: mpsc::Receiver<Outgoing>,
    /// Bounded; when it is full the request is answered with "busy".
    requests: mpsc::Sender<Request>,
    client: Option<AsyncClient>,
    connected: Arc<AtomicBool>,
    outbox: Outbox,
    /// Requests that the app has yet to answer.
    open: JoinSet<(Option<String>, Result<(), String>)>,
    seen: Seen,
    complained: Option<Instant>,
    leave_at: Option<Instant>,
}

impl Mqtt {
    /// The task for the speaker in `room`, a slug; words heard are told only if `publish_words`.
    pub fn new(
        settings: MqttSettings,
        room: String,
        about: About,
        publish_words: bool,
        outgoing: mpsc::Receiver<Outgoing>,
        requests: mpsc::Sender<Request>,
    ) -> Mqtt {
        Mqtt {
            topics: Topics::new(&settings.base, &room),
            settings,
            room,
            about,
            publish_words,
            now: SettingsNow::default(),
            call: (None, CallState::Idle, None),
            callable: Default::default(),
            watched: Vec::new(),
            tidings: None,
            house: None,
            outgoing,
            requests,
            client: None,
            connected: Arc::default(),
            outbox: Outbox::default(),
            open: JoinSet::new(),
            seen: Seen::default(),
            complained: None,
            leave_at: None,
        }
    }

    /// Reads topics of others too, and tells what they say.
    #[must_use]
    pub fn watching(self, watched: Vec<Watched>, tidings: mpsc::Sender<HouseEvent>) -> Mqtt {
        Mqtt { watched, tidings: Some(tidings), ..self }
    }

    /// Tells at any time whether the broker is there.
    pub fn connected(&self) -> Arc<AtomicBool> {
        self.connected.clone()
    }

    /// Runs until the app drops its end of `outgoing`; then tells the house that we are gone.
    pub async fn run(mut self) {
        if self.settings.broker == Broker::Off {
            while self.outgoing.recv().await.is_some() {}
            return;
        }
        let (tell, mut notices) = mpsc::channel(NOTICES);
        let mut connection = JoinSet::new();
        connection.spawn(Connection::new(self.settings.clone(), self.room.clone(), tell).run());
        self.introduce();
        loop {
            let leave_at = self.leave_at;
            tokio::select! {
                notice = notices.recv() => match notice {
                    Some(Notice::Down) if leave_at.is_some() => return,
                    Some(notice) => self.notice(notice),
                    None => return,
                },
                outgoing = self.outgoing.recv(), if leave_at.is_none() => match outgoing {
                    Some(outgoing) => self.tell(outgoing),
                    None => self.say_goodbye(),
                },
                Some(letter) = letters::next(&mut self.house) => self.carry(letter),
                Some(answer) = self.open.join_next() => match answer {
                    Ok((id, result)) => self.answered(id, result),
                    Err(error) => debug!(%error, "a request was given up"),
                },
                () = sleep_until(leave_at.unwrap_or_else(Instant::now)), if leave_at.is_some() => return,
            }
            self.send();
        }
    }

    /// What is retained, in the order in which it is published; the status comes last, for then all of it is true.
    fn introduce(&mut self) {
        self.outbox.keep(self.topics.about(), json(&self.about));
        self.outbox.keep(self.topics.settings(), json(&self.now));
        self.outbox.keep(self.topics.call(), json(&Call::idle()));
        self.outbox.keep(self.topics.waiting(), json(&payload::Waiting::default()));
        self.describe();
        self.outbox.keep(self.topics.status(), b"online".to_vec());
    }

    /// Describes this speaker to Home Assistant.
    fn describe(&mut self) {
        if let Some(prefix) = &self.settings.discovery_prefix {
            let [contacts, rooms] = &self.callable;
            let message = discovery::message(&self.about, &self.room, &self.topics, contacts, rooms);
            self.outbox.keep(discovery::topic(prefix, &self.room), json(&message));
        }
    }

    fn tell(&mut self, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Report(Report::Call(report), at) => self.call(&report, at),
            Outgoing::Report(Report::Event(event), at) => {
                self.outbox.push(self.topics.event(), json(&Dated::new(&event, at, self.publish_words)));
            }
            Outgoing::Report(Report::Setting(setting), _) => {
                self.now.change(setting);
                self.outbox.keep(self.topics.settings(), json(&self.now));
            }
            Outgoing::Report(Report::Line { line, up }, _) => {
                self.about.lines.insert(line, Line { up: up.is_ok(), why: up.err() });
                self.outbox.keep(self.topics.about(), json(&self.about));
            }
            // Whom redial means is for the store of this speaker alone.
            Outgoing::Report(Report::History(_), _) => (),
            Outgoing::Report(Report::Waiting(waiting), _) => {
                self.outbox.keep(self.topics.waiting(), json(&payload::Waiting::new(&waiting)));
            }
            Outgoing::Publish(message) => self.outbox.push(message.topic, message.payload.into_bytes()),
            Outgoing::Callable { contacts, rooms } => {
                self.callable = [contacts, rooms];
                self.describe();
            }
            Outgoing::Settings(now) => {
                self.now = now;
                self.outbox.keep(self.topics.settings(), json(&self.now));
            }
            Outgoing::Metrics(metrics) => self.metrics(metrics),
        }
    }

    fn call(&mut self, report: &CallReport, at: SystemTime) {
        let since = match self.call {
            (call, state, Some(since)) if (call, state) == (report.call, report.state) => since,
            _ => at,
        };
        self.call = (report.call, report.state, Some(since));
        self.outbox.keep(self.topics.call(), json(&Call::new(report, since)));
    }

    /// Figures are worth nothing later: without a broker they are dropped.
    fn metrics(&mut self, metrics: Metrics) {
        let Some(client) = &self.client else { return };
        let metrics = Metrics { mqtt_dropped: self.outbox.dropped(), ..metrics };
        if let Err(error) = client.try_publish(self.topics.metrics(), QoS::AtMostOnce, false, json(&metrics)) {
            debug!(%error, "metrics dropped");
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Up(client) => {
                self.subscribe(&client);
                self.client = Some(client);
                self.connected.store(true, Relaxed);
                self.tell_house(FromBroker::Up);
                self.outbox.repeat();
            }
            Notice::Received(message) => self.received(&message),
            Notice::Acknowledged => self.outbox.acknowledged(),
            Notice::Down => {
                self.client = None;
                self.connected.store(false, Relaxed);
                self.tell_house(FromBroker::Down);
                self.outbox.lost();
            }
        }
    }

    fn subscribe(&self, client: &AsyncClient) {
        let birth = self.settings.discovery_prefix.as_deref().map(discovery::birth_topic);
        let watched: BTreeSet<String> = self.watched.iter().map(|it| it.topic.clone()).collect();
        for topic in [self.topics.all_verbs(), self.topics.status()].into_iter().chain(birth).chain(watched) {
            if let Err(error) = client.try_subscribe(topic, QoS::AtLeastOnce) {
                debug!(%error, "subscribing; the connection is gone again");
            }
        }
        self.subscribe_for_house(client);
    }

    /// Publishes the next message, if it is time for one.
    fn send(&mut self) {
        let Some(client) = &self.client else { return };
        if let Some(message) = self.outbox.take_next() {
            let sent = client.try_publish(message.topic.clone(), QoS::AtLeastOnce, message.retain, message.payload.clone());
            if let Err(error) = sent {
                debug!(%error, "not published yet");
                self.outbox.lost();
            }
        } else if self.leave_at.is_some() && self.outbox.is_empty() {
            let _ = client.try_disconnect();
        }
    }

    fn say_goodbye(&mut self) {
        self.outbox.keep(self.topics.status(), b"offline".to_vec());
        self.leave_at = Some(Instant::now() + GOODBYE);
        if self.client.is_none() {
            self.leave_at = Some(Instant::now());
        }
    }

    fn received(&mut self, message: &Publish) {
        self.read(message);
        self.read_for_house(message);
        if self.settings.discovery_prefix.as_deref().map(discovery::birth_topic).as_deref() == Some(&message.topic) {
            if message.payload.as_ref() == b"online" {
                self.outbox.repeat();
            }
        } else if message.topic == self.topics.status() {
            // The last will of a connection that died unnoticed comes late, when we are long back.
            if !message.retain && message.payload.as_ref() != b"online" && self.leave_at.is_none() {
                self.outbox.again(&message.topic);
            }
        } else if let Some(verb) = self.topics.verb_of(&message.topic) {
            if message.retain {
                debug!(verb, "a retained request is old: ignored");
            } else {
                self.asked(verb, &message.payload);
            }
        }
    }

    /// What others tell is true for as long as they do not tell otherwise: what is retained counts.
    fn read(&self, message: &Publish) {
        let Some(tidings) = &self.tidings else { return };
        for watched in self.watched.iter().filter(|it| it.topic == message.topic) {
            let Some(event) = watched::event(watched, &message.payload) else {
                debug!(topic = message.topic, "nothing of use is told there");
                continue;
            };
            if tidings.try_send(event).is_err() {
                debug!(topic = message.topic, "too much is told at once");
            }
        }
    }

    fn asked(&mut self, verb: &str, payload: &[u8]) {
        let verbs::Do { id, command } = verbs::read(verb, payload);
        let command = match command {
            Ok(command) => command,
            Err(complaint) => return self.refuse(id, complaint),
        };
        if let Some(id) = &id {
            match self.seen.find(id) {
                Some(Some(answer)) => return self.done(id, answer.clone()),
                Some(None) => return debug!("the same request again while it is being done"),
                None => (),
            }
        }
        if self.open.len() >= MAX_OPEN {
            return self.refuse(id, "too many requests at once; try again".into());
        }
        let (reply, answer) = oneshot::channel();
        if self.requests.try_send(Request { command, reply: Some(reply) }).is_err() {
            return self.refuse(id, "too busy; try again".into());
        }
        if let Some(id) = &id {
            self.seen.begin(id.clone());
        }
        self.open.spawn(async move {
            let result = match timeout(ANSWER_WITHIN, answer).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err("not done: the speaker is stopping".into()),
                Err(_) => Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
            };
            (id, result)
        });
    }

    fn answered(&mut self, id: Option<String>, result: Result<(), String>) {
        match (id, result) {
            (Some(id), result) => {
                self.seen.end(&id, result.clone());
                self.done(&id, result);
            }
            (None, Err(why)) => debug!(why, "a request by MQTT was not done"),
            (None, Ok(())) => (),
        }
    }

    /// Tells the sender what is wrong, or else the log, where a flood of junk must not end.
    fn refuse(&mut self, id: Option<String>, complaint: String) {
        match id {
            Some(id) => self.done(&id, Err(complaint)),
            None if self.complained.is_some_and(|at| at.elapsed() < COMPLAIN_EVERY) => debug!(complaint, "bad request by MQTT"),
            None => {
                warn!(complaint, "bad request by MQTT; send an `id` to be told");
                self.complained = Some(Instant::now());
            }
        }
    }

    fn done(&mut self, id: &str, result: Result<(), String>) {
        self.outbox.push(self.topics.done(id), json(&Done::from(result)));
    }
}

/// The requests of late, with their answers once there are any.
#[derive(Default)]
struct Seen(VecDeque<(String, Option<Result<(), String>>)>);

impl Seen {
    fn find(&self, id: &str) -> Option<&Option<Result<(), String>>> {
        self.0.iter().find(|(seen, _)| seen == id).map(|(_, answer)| answer)
    }

    fn begin(&mut self, id: String) {
        if self.0.len() >= MAX_SEEN {
            self.0.pop_front();
        }
        self.0.push_back((id, None));
    }

    fn end(&mut self, id: &str, result: Result<(), String>) {
        if let Some((_, answer)) = self.0.iter_mut().find(|(seen, _)| seen == id) {
            *answer = Some(result);
        }
    }
}
