//! Speakers in one process: letters that take a while, get lost or come twice, clocks that disagree, and sound cards of their own.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use control::house::{AnnouncementId, HouseAction, HouseEvent, Room};
use hark::house::desk::{Desk, DeskSettings, Errand, Group, Trays};
use hark::house::{ClockOffset, Clocks, Delivered, Post, Posted, To, Undelivered};
use media::engine::{Engine, EngineSettings};
use media::order::{Command, Notice};
use speech::say::Voice;
use tokio::sync::{mpsc, watch};

/// What one speaker's clock is wrong by, compared with another's, since they last looked: 50 ppm in 20 s.
const DRIFT: Duration = Duration::from_millis(1);

/// Periods of silence before a new sound; a shorter hole is a machine that was too busy to play on.
const GAP: u32 = 20;

/// The network between the speakers.
#[derive(Clone)]
pub struct Air {
    rooms: Arc<Mutex<BTreeMap<String, mpsc::Sender<Delivered>>>>,
    down: Arc<Mutex<Vec<String>>>,
    /// Whether every letter arrives twice.
    pub twice: Arc<AtomicBool>,
    start: Instant,
}

impl Air {
    pub fn new() -> Air {
        let start = Instant::now() - Duration::from_secs(20);
        Air { rooms: Arc::default(), down: Arc::default(), twice: Arc::default(), start }
    }

    pub fn cut(&self, room: &str) {
        self.down.lock().unwrap().push(room.into());
    }

    pub fn mend(&self, room: &str) {
        self.down.lock().unwrap().retain(|it| it != room);
    }

    fn is_up(&self, room: &str) -> bool {
        !self.down.lock().unwrap().iter().any(|it| it == room)
    }

    fn slot(&self, room: &str) -> Option<mpsc::Sender<Delivered>> {
        self.rooms.lock().unwrap().get(room).cloned()
    }

    /// Brings one letter to one room, as long as it is worth it.
    async fn bring(&self, room: &str, letter: Delivered, keep_trying_for: Duration) -> Result<(), Undelivered> {
        let until = Instant::now() + keep_trying_for;
        tokio::time::sleep(Duration::from_millis(3)).await;
        while !self.is_up(room) {
            if Instant::now() > until {
                return Err(Undelivered::NoAnswer(room.into()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let slot = self.slot(room).ok_or(Undelivered::Unknown(room.into()))?;
        if self.twice.load(Relaxed) {
            slot.send(letter.clone()).await.unwrap();
        }
        slot.send(letter).await.unwrap();
        Ok(())
    }

    async fn carry(self, from: String, mut letters: mpsc::Receiver<Posted>) {
        while let Some((letter, tell)) = letters.recv().await {
            let delivered = Delivered {
                from: from.clone(),
                kind: letter.kind,
                call: letter.call,
                body: letter.body,
                blob: letter.blob,
                sent: Instant::now(),
            };
            let air = self.clone();
            let everyone: Vec<String> = self.rooms.lock().unwrap().keys().filter(|it| **it != from).cloned().collect();
            tokio::spawn(async move {
                let mut arrived = Ok(());
                match letter.to {
                    To::Room(room) => arrived = air.bring(&room, delivered, letter.keep_trying_for).await,
                    To::Everyone => {
                        for room in everyone {
                            air.bring(&room, delivered.clone(), Duration::ZERO).await.ok();
                        }
                    }
                }
                tell.map(|it| it.send(arrived));
            });
        }
    }
}

/// What a speaker plays on.
pub enum Card {
    /// None: the commands are for the test.
    None,
    /// One that takes so long from callback to loudspeaker.
    Latency(Duration),
}

/// One speaker: its desk, and instead of the decisions somebody who plays whatever arrives.
pub struct Speaker {
    pub errands: mpsc::Sender<Errand>,
    /// What the desk told, in order.
    pub events: mpsc::Receiver<HouseEvent>,
    /// Commands for the engine, where there is no card.
    pub commands: mpsc::Receiver<Command>,
    /// When the first loud sample of each sound left the loudspeaker.
    pub began: mpsc::Receiver<Instant>,
    stop: Arc<AtomicBool>,
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

impl Speaker {
    /// Its clock began `older` before the others'; `others` are all rooms, with how much older their clocks are.
    pub fn start(air: &Air, room: &str, others: &[(&str, u64)], card: Card, voice: Voice, groups: Vec<Group>) -> Speaker {
        let older = |name: &str| Duration::from_secs(others.iter().find(|it| it.0 == name).map_or(0, |it| it.1));
        let clocks = Clocks::new(air.start - older(room));
        let looked = air.start;
        for (n, (name, _)) in others.iter().enumerate() {
            // Looked at 20 s ago: since then it has drifted, this way or that.
            let there = looked.duration_since(air.start - older(name)) + DRIFT * n as u32;
            clocks.set(name, Some(ClockOffset::new(looked, there, Duration::ZERO)));
        }
        let known = others.iter().filter(|it| it.0 != room).map(|(name, _)| Room {
            slug: (*name).into(),
            name: (*name).into(),
            floor: None,
            groups: Vec::new(),
            up: air.is_up(name),
        });
        let (rooms_in, rooms) = watch::channel(Arc::new(known.collect()));
        let (posted, unsent) = mpsc::channel(64);
        let (slot, letters) = mpsc::channel(64);
        air.rooms.lock().unwrap().insert(room.into(), slot);
        let (errands, errands_out) = mpsc::channel(64);
        let (events_in, told) = mpsc::channel(64);
        let (engine, commands_out) = mpsc::channel(64);
        let trays = Trays { errands: errands_out, letters, events: events_in, engine, post: Post::new(posted, rooms, clocks) };
        let settings =
            DeskSettings { room: room.into(), language: "en".into(), voice, groups, interface: Some(Ipv4Addr::LOCALHOST) };
        tokio::spawn(Desk::new(settings, trays).run());
        let carrier = air.clone().carry(room.into(), unsent);
        tokio::spawn(async move {
            let _keep = rooms_in;
            carrier.await;
        });
        let (events_out, events) = mpsc::channel(256);
        tokio::spawn(play_all(told, errands.clone(), events_out));
        let stop = Arc::new(AtomicBool::new(false));
        let (began_in, began) = mpsc::channel(16);
        let (unplayed, commands) = mpsc::channel(64);
        match card {
            Card::None => drop(tokio::spawn(forward(commands_out, unplayed))),
            Card::Latency(latency) => engine_on_card(latency, commands_out, errands.clone(), began_in, stop.clone()),
        }
        Speaker { errands, events, commands, began, stop }
    }

    pub async fn act(&self, action: HouseAction, recording: Option<Arc<[f32]>>) {
        self.errands.send(Errand::Do { action, recording }).await.unwrap();
    }

    /// The next event that `wanted` takes.
    pub async fn event<T>(&mut self, seconds: u64, wanted: impl Fn(HouseEvent) -> Option<T>) -> Option<T> {
        tokio::time::timeout(Duration::from_secs(seconds), async {
            loop {
                if let Some(it) = wanted(self.events.recv().await?) {
                    return Some(it);
                }
            }
        })
        .await
        .ok()?
    }

    /// When our announcement was delivered: whom it missed.
    pub async fn missed(&mut self, id: &AnnouncementId) -> Vec<String> {
        let wanted = |it| if let HouseEvent::Delivered(of, missed) = it { (of == *id).then_some(missed) } else { None };
        self.event(15, wanted).await.unwrap()
    }
}

/// As the decisions of a room where nothing else goes on.
async fn play_all(mut told: mpsc::Receiver<HouseEvent>, errands: mpsc::Sender<Errand>, events: mpsc::Sender<HouseEvent>) {
    while let Some(event) = told.recv().await {
        if let HouseEvent::Announced(it) = &event {
            errands.send(Errand::Do { action: HouseAction::Play(it.id.clone()), recording: None }).await.ok();
        }
        if events.send(event).await.is_err() {
            return;
        }
    }
}

async fn forward(mut from: mpsc::Receiver<Command>, to: mpsc::Sender<Command>) {
    while let Some(it) = from.recv().await {
        to.send(it).await.ok();
    }
}

/// A real engine on a card that plays evenly, though its callbacks come whenever their thread gets to run.
fn engine_on_card(
    latency: Duration,
    mut commands: mpsc::Receiver<Command>,
    errands: mpsc::Sender<Errand>,
    began: mpsc::Sender<Instant>,
    stop: Arc<AtomicBool>,
) {
    let (rings, mut capture, mut playback) = media::ring::card(48_000, 48_000).unwrap();
    let settings = EngineSettings { echo_cancellation: false, ..EngineSettings::default() };
    let (mut engine, mut ears) = Engine::start(rings, settings).unwrap();
    std::thread::spawn(move || {
        let (mut due, mut quiet_for) = (Instant::now(), GAP);
        while !stop.load(Relaxed) {
            due += Duration::from_millis(10);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let mut out = [0.0; 480];
            playback.leaves_at(media::ring::monotonic_ns() + latency.as_nanos() as u64);
            playback.fill(&mut out);
            capture.push(out.iter().map(|_| 0.0));
            let first = out.iter().position(|it| it.abs() > 0.1);
            if let Some(n) = first
                && quiet_for >= GAP
            {
                began.blocking_send(due + latency + Duration::from_micros(n as u64 * 1_000 / 48)).ok();
            }
            quiet_for = if first.is_some() { 0 } else { quiet_for + 1 };
            while let Ok(command) = commands.try_recv() {
                engine.send(command).ok().unwrap();
            }
            while let Some(notice) = engine.poll() {
                if let Notice::Finished(id) = notice {
                    errands.blocking_send(Errand::Played(id)).ok();
                }
            }
            let ready = ears.slots();
            ears.read_chunk(ready).unwrap().commit_all();
        }
    });
}
