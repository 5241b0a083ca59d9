//! One simulated speaker: the real decisions, the real house and the real MQTT, without sound.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use control::Speaker;
use control::action::{Action, CallState, Event, LineAction, Report, SoundAction};
use control::call::CallId;
use control::dialplan::ROOMS;
use control::house::HouseEvent;
use control::input::{Command, Input, LineEvent, SoundNotice};
use control::speaker::LineSettings;
use hark::clock::Clock;
use hark::config::{Broker, MqttSettings, Settings};
use hark::house::{self, Connections, House, HouseSettings, Post, Posted};
use hark::lines::FromLine;
use hark::lines::room::RoomLine;
use hark::mqtt::{About, Mqtt, Outgoing};
use hark::request::Request;
use media::party::Party;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

/// What all speakers count together.
#[derive(Default)]
pub struct Counts {
    /// Letters that lines handed in, by and by.
    pub letters: AtomicU64,
    /// Calls that the caller saw answered.
    pub answered: AtomicU64,
    /// Calls that ended without that.
    pub failed: AtomicU64,
}

/// What a speaker is told to do.
pub enum Order {
    /// Calls a room, and hangs up some time after the answer.
    Call(String),
}

/// The outside of a simulated speaker.
pub struct Room {
    pub slug: String,
    pub orders: mpsc::Sender<Order>,
    /// How many other rooms it knows to be up.
    pub n_up: watch::Receiver<usize>,
    /// How long each call took from the order to the answer.
    pub setups: mpsc::UnboundedReceiver<Duration>,
}

/// How long a call lasts.
const TALK: Duration = Duration::from_millis(400);

/// The inside.
struct Inside {
    clock: Clock,
    speaker: Speaker,
    line: mpsc::Sender<LineAction>,
    mqtt: mpsc::Sender<Outgoing>,
    /// Kept while a call is up, as the engine does.
    parties: BTreeMap<CallId, Party>,
    counts: Arc<Counts>,
    called: Option<Instant>,
    setups: mpsc::UnboundedSender<Duration>,
    hang_up_at: Option<Instant>,
    answer: bool,
}

impl Room {
    /// Switches a speaker on; its key and its list of members are in `folder`.
    pub async fn start(
        mut settings: Settings,
        phrases: &control::phrases::Phrases,
        folder: &Path,
        (slug, broker): (&str, u16),
        counts: Arc<Counts>,
    ) -> Self {
        let name = slug.replace('-', " ");
        settings.control.room.clone_from(&name);
        settings.control.house.slug = slug.to_owned();
        settings.control.lines = vec![LineSettings { name: ROOMS.into(), domain: None, country_code: None, emergency: vec![] }];
        let house = HouseSettings {
            room: slug.to_owned(),
            name: name.clone(),
            floor: None,
            groups: Vec::new(),
            folder: folder.to_owned(),
            base: settings.mqtt.base.clone(),
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            multicast: None,
            interface: None,
            mdns: false,
        };
        let (to_house, from_broker) = mpsc::channel(8192);
        let (to_broker, from_house) = mpsc::channel(256);
        let (speak, _) = mpsc::channel(4);
        let connections = Connections { from_broker, to_broker, speak };
        let House { post, calls, tasks, .. } = house::start(house, connections).await.expect("a house");
        let (lines_in, mut lines) = mpsc::channel(256);
        let (line, actions) = mpsc::channel(256);
        let counted = count(post.clone(), counts.clone());
        tokio::spawn(RoomLine::new(counted, calls, actions, lines_in).run());
        let (house_in, mut events) = mpsc::channel(64);
        tokio::spawn(house::tell_rooms(post.watch(), house_in));
        let (outgoing, inbox) = mpsc::channel(1024);
        let (requests_in, mut requests) = mpsc::channel::<Request>(64);
        let mqtt = MqttSettings {
            broker: Broker::At { host: "127.0.0.1".to_owned(), port: broker, tls: None },
            discovery_prefix: None,
            ..settings.mqtt.clone()
        };
        let about = About { name, version: "0".to_owned(), ..About::default() };
        let mqtt = Mqtt::new(mqtt, slug.to_owned(), about, false, inbox, requests_in).with_house(to_house, from_house);
        tokio::spawn(mqtt.run());
        let (orders_in, mut orders) = mpsc::channel(64);
        let (n_up_in, n_up) = watch::channel(0);
        let (setups_in, setups) = mpsc::unbounded_channel();
        let speaker = Speaker::new(settings.control, control::contacts::Contacts::default(), phrases.clone(), Default::default());
        let mut inside = Inside {
            clock: Clock::start(),
            speaker,
            line,
            mqtt: outgoing,
            parties: BTreeMap::new(),
            counts,
            called: None,
            setups: setups_in,
            hang_up_at: None,
            answer: false,
        };
        tokio::spawn(async move {
            let _house_lives_as_long = tasks;
            inside.act();
            loop {
                let deadline = inside.speaker.poll_timeout().map(|at| inside.clock.instant(at));
                let due = deadline.into_iter().chain(inside.hang_up_at).min();
                tokio::select! {
                    Some(told) = lines.recv() => inside.line_told(told),
                    Some(event) = events.recv() => {
                        if let HouseEvent::Rooms(rooms) = &event {
                            n_up_in.send_replace(rooms.iter().filter(|room| room.up).count());
                        }
                        inside.handle(Input::House(event));
                    }
                    Some(request) = requests.recv() => inside.handle(Input::Command(request.command)),
                    order = orders.recv() => match order {
                        Some(Order::Call(room)) => inside.call(room),
                        None => return,
                    },
                    () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => inside.time(),
                }
            }
        });
        Self { slug: slug.to_owned(), orders: orders_in, n_up, setups }
    }
}

impl Inside {
    fn call(&mut self, room: String) {
        self.called = Some(Instant::now());
        self.handle(Input::Command(Command::Dial(room)));
    }

    fn time(&mut self) {
        if self.hang_up_at.is_some_and(|at| at <= Instant::now()) {
            self.hang_up_at = None;
            self.handle(Input::Command(Command::HangUp));
        }
        self.speaker.handle_timeout(self.clock.now());
        self.act();
    }

    fn handle(&mut self, input: Input) {
        self.speaker.handle(self.clock.now(), input);
        self.act();
    }

    fn line_told(&mut self, told: FromLine) {
        match told {
            FromLine::Event(event) => {
                if let LineEvent::Ended(call, _) = &event {
                    self.parties.remove(call);
                }
                self.handle(Input::Line(event));
            }
            FromLine::Media(call, party) => drop(self.parties.insert(call, party)),
            FromLine::Invited(..) => (),
        }
        // Somebody in the room answers at once.
        if std::mem::take(&mut self.answer) {
            self.handle(Input::Command(Command::Answer));
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.speaker.poll_action() {
            match action {
                Action::Line(action) => {
                    // Its channel holds more than one call needs.
                    let _ = self.line.try_send(action);
                }
                // What would be said has been said.
                Action::Sound(SoundAction::Say { prompt, .. }) => {
                    self.speaker.handle(self.clock.now(), Input::Sound(SoundNotice::Said(prompt)));
                }
                Action::Sound(_) | Action::Listen(_) | Action::House(_) => (),
                Action::Report(report) => self.report(report),
            }
        }
    }

    fn report(&mut self, report: Report) {
        match &report {
            Report::Call(call) => self.answer |= call.state == CallState::Ringing,
            Report::Event(Event::Answered(..)) => {
                if let Some(called) = self.called.take() {
                    self.counts.answered.fetch_add(1, Relaxed);
                    // Who asks has not gone away before the end.
                    let _ = self.setups.send(called.elapsed());
                    self.hang_up_at = Some(Instant::now() + TALK);
                }
            }
            Report::Event(Event::Ended { .. } | Event::Denied(_)) => {
                let failed = u64::from(self.called.take().is_some());
                self.counts.failed.fetch_add(failed, Relaxed);
            }
            _ => (),
        }
        // As in the app: what the broker's task cannot take now is dropped.
        let _ = self.mqtt.try_send(Outgoing::Report(report, SystemTime::now()));
    }
}

/// The same post, whose letters are counted.
fn count(post: Post, counts: Arc<Counts>) -> Post {
    let (letters_in, mut letters) = mpsc::channel::<Posted>(256);
    let counted = Post::new(letters_in, post.watch(), hark::house::Clocks::new(Instant::now()));
    tokio::spawn(async move {
        while let Some((letter, tell)) = letters.recv().await {
            counts.letters.fetch_add(1, Relaxed);
            let post = post.clone();
            match tell {
                None => post.drop_in_box(letter),
                Some(tell) => drop(tokio::spawn(async move { tell.send(post.send(letter).await) })),
            }
        }
    });
    counted
}
