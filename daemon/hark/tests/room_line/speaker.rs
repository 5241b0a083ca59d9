//! Two lines in one house: driven as the app drives them, with a tone generator and a tone meter in place of the engine.

use std::f32::consts::TAU;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use control::action::LineAction;
use control::call::{CallId, EndReason, How};
use control::dialplan::{ROOMS, Uri};
use control::house::Room;
use control::input::LineEvent;
use hark::house::{Clocks, Delivered, Letter, Post, Posted, To, Undelivered};
use hark::lines::FromLine;
use hark::lines::room::RoomLine;
use media::codec::{Decoder, Encoder, LONGEST, PACKET};
use media::party::{Packet, Party};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

/// What happens to letters on their way.
type Carrier = Box<dyn Fn(&mut Letter) -> bool + Send>;

/// Who is at the other end of a post.
pub struct Road {
    to: Mutex<Option<mpsc::Sender<Delivered>>>,
    /// Nothing arrives any more.
    pub cut: AtomicBool,
    /// Looks at letters, and changes or loses (false) them.
    pub carrier: Mutex<Option<Carrier>>,
    /// The kinds of all letters so far.
    pub kinds: Mutex<Vec<String>>,
}

/// Frames of sound and when they came.
type Heard = Arc<Mutex<Vec<(Instant, Vec<f32>)>>>;

/// A room of the house.
pub struct Speaker {
    runtime: Option<Runtime>,
    actions: mpsc::Sender<LineAction>,
    seen: Receiver<(Instant, LineEvent)>,
    heard: Heard,
    last_out: u32,
    /// Letters that leave here.
    pub road: Arc<Road>,
    /// For letters that somebody forges.
    pub mailbox: mpsc::Sender<Delivered>,
}

/// The kitchen and the bedroom; whoever is there hums.
pub fn house() -> (Speaker, Speaker) {
    furnished(hummer(440.0), hummer(700.0))
}

/// What becomes of the party of a call, and of the sound that it is heard by.
pub type Engine = Box<dyn FnMut(Party, Arc<Mutex<Vec<(Instant, Vec<f32>)>>>) + Send>;

fn hummer(hz: f32) -> Engine {
    Box::new(move |party, ears| drop(std::thread::spawn(move || hum(party, hz, &ears))))
}

/// The kitchen and the bedroom with these engines.
pub fn furnished(kitchen: Engine, bedroom: Engine) -> (Speaker, Speaker) {
    let (kitchen, bedroom) = (Speaker::start("kitchen", "bedroom", kitchen), Speaker::start("bedroom", "kitchen", bedroom));
    *kitchen.road.to.lock().unwrap() = Some(bedroom.mailbox.clone());
    *bedroom.road.to.lock().unwrap() = Some(kitchen.mailbox.clone());
    (kitchen, bedroom)
}

fn room(slug: &str) -> Room {
    Room { slug: slug.into(), name: format!("the {slug}"), floor: None, groups: vec![], up: true }
}

impl Speaker {
    fn start(name: &str, other: &str, mut engine: Engine) -> Speaker {
        let runtime = Runtime::new().unwrap();
        let (letters_in, letters) = mpsc::channel::<Posted>(64);
        let (rooms_in, rooms) = watch::channel(Arc::new(vec![room(other)]));
        let (mailbox, arrived) = mpsc::channel(64);
        let (actions, inbox) = mpsc::channel(64);
        let (events, mut from_line) = mpsc::channel(64);
        let road = Arc::new(Road {
            to: Mutex::default(),
            cut: AtomicBool::new(false),
            carrier: Mutex::default(),
            kinds: Mutex::default(),
        });
        runtime.spawn(carry(letters, road.clone(), name.to_owned(), other.to_owned(), rooms_in));
        runtime.spawn(RoomLine::new(Post::new(letters_in, rooms, Clocks::new(Instant::now())), arrived, inbox, events).run());
        let (to_test, seen) = channel();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = heard.clone();
        runtime.spawn(async move {
            while let Some(it) = from_line.recv().await {
                match it {
                    FromLine::Event(event) => drop(to_test.send((Instant::now(), event))),
                    FromLine::Invited(..) => (),
                    FromLine::Media(_, party) => engine(party, ears.clone()),
                }
            }
        });
        let speaker = Speaker { runtime: Some(runtime), actions, seen, heard, last_out: 0, road, mailbox };
        speaker.until("the line", |it| *it == LineEvent::Up(ROOMS.into()));
        speaker
    }

    pub fn act(&self, action: LineAction) {
        self.actions.blocking_send(action).unwrap();
    }

    pub fn dial(&mut self, room: &str, how: How) -> CallId {
        self.last_out += 1;
        let call = CallId::Out(self.last_out);
        self.act(LineAction::Dial { call, line: ROOMS.into(), to: Uri::room(room), how });
        call
    }

    /// The next event that fits; others are passed over.
    #[track_caller]
    pub fn until(&self, what: &str, fits: impl Fn(&LineEvent) -> bool) -> (Instant, LineEvent) {
        let start = Instant::now();
        loop {
            let left = Duration::from_secs(10).saturating_sub(start.elapsed());
            let (at, event) = self.seen.recv_timeout(left).unwrap_or_else(|_| panic!("waited in vain for {what}"));
            if fits(&event) {
                return (at, event);
            }
        }
    }

    #[track_caller]
    pub fn told(&self, event: &LineEvent) -> Instant {
        self.until(&format!("{event:?}"), |it| it == event).0
    }

    /// Waits for a call.
    #[track_caller]
    pub fn rung(&self) -> (CallId, How) {
        let (_, event) = self.until("a call", |it| matches!(it, LineEvent::Incoming { .. }));
        let LineEvent::Incoming { call, how, .. } = event else { unreachable!() };
        (call, how)
    }

    #[track_caller]
    pub fn ended(&self, call: CallId) -> (Instant, EndReason) {
        let (at, event) = self.until("the end", |it| matches!(it, LineEvent::Ended(of, _) if *of == call));
        let LineEvent::Ended(_, reason) = event else { unreachable!() };
        (at, reason)
    }

    /// When the first sound came since `from`.
    #[track_caller]
    pub fn sound_since(&self, from: Instant) -> Duration {
        let start = Instant::now();
        loop {
            let heard = self.heard.lock().unwrap();
            let first = heard.iter().find(|(at, samples)| *at >= from && samples.iter().any(|it| it.abs() > 0.05));
            if let Some((at, _)) = first {
                return *at - from;
            }
            drop(heard);
            assert!(start.elapsed() < Duration::from_secs(5), "waited in vain for sound");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What comes in a while.
    pub fn listen(&self, time: Duration) -> Vec<f32> {
        self.heard.lock().unwrap().clear();
        std::thread::sleep(time);
        self.heard()
    }

    /// What has come since it was last listened.
    pub fn heard(&self) -> Vec<f32> {
        self.heard.lock().unwrap().iter().flat_map(|it| it.1.clone()).collect()
    }

    /// The power is cut.
    pub fn vanish(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
        self.road.cut.store(true, Relaxed);
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Carries letters as the house does: acknowledged, or given up.
async fn carry(
    mut letters: mpsc::Receiver<Posted>,
    road: Arc<Road>,
    from: String,
    other: String,
    _rooms: watch::Sender<Arc<Vec<Room>>>,
) {
    while let Some((mut letter, tell)) = letters.recv().await {
        road.kinds.lock().unwrap().push(letter.kind.clone());
        let To::Room(to) = letter.to.clone() else { panic!("letters about calls are for one room") };
        if to != other {
            tell.map(|it| it.send(Err(Undelivered::Unknown(to))));
            continue;
        }
        let carried = road.carrier.lock().unwrap().as_ref().is_none_or(|it| it(&mut letter));
        if !carried || road.cut.load(Relaxed) {
            tokio::spawn(async move {
                tokio::time::sleep(letter.keep_trying_for).await;
                tell.map(|it| it.send(Err(Undelivered::NoAnswer(to))));
            });
            continue;
        }
        let Letter { kind, call, body, blob, .. } = letter;
        let receiver = road.to.lock().unwrap().clone().expect("somebody");
        receiver.send(Delivered { from: from.clone(), kind, call, body, blob, sent: Instant::now() }).await.ok();
        tell.map(|it| it.send(Ok(())));
    }
}

/// Stands in for the engine: 20 ms packets of a tone up, everything decoded down.
fn hum(mut party: Party, hz: f32, ears: &Mutex<Vec<(Instant, Vec<f32>)>>) {
    let mut encoder = Encoder::new(party.codec).unwrap();
    let mut decoder = Decoder::new(party.codec).unwrap();
    let start = Instant::now();
    for n in 0u32.. {
        if party.uplink.is_abandoned() {
            return;
        }
        let samples: [f32; PACKET] =
            std::array::from_fn(|i| 0.4 * (TAU * hz * (n as usize * PACKET + i) as f32 / 48_000.0).sin());
        let mut packet =
            Packet { sequence: n as u16, timestamp: n * PACKET as u32, marker: n == 0, len: 0, data: [0; Packet::MAX] };
        packet.len = encoder.encode(&samples, &mut packet.data) as u16;
        if party.uplink.push(packet).is_ok() {
            party.wake.ring();
        }
        for _ in 0..10 {
            while let Ok(packet) = party.downlink.pop() {
                let mut out = [0.0; LONGEST];
                let n = decoder.decode(packet.payload(), &mut out);
                ears.lock().unwrap().push((Instant::now(), out[..n].to_vec()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep((start + Duration::from_millis(20) * (n + 1)).saturating_duration_since(Instant::now()));
    }
}

/// How much of the sound is a tone, 0 to 1.
pub fn tone_share(samples: &[f32], hz: f32) -> f32 {
    let power: f32 = samples.iter().map(|it| it * it).sum();
    let mut share = 0.0;
    // In pieces of 100 ms: a lost packet moves the phase.
    for piece in samples.chunks_exact(4_800) {
        let (mut cos, mut sin) = (0.0f64, 0.0f64);
        for (i, it) in piece.iter().enumerate() {
            let angle = f64::from(TAU * hz / 48_000.0) * i as f64;
            cos += f64::from(*it) * angle.cos();
            sin += f64::from(*it) * angle.sin();
        }
        share += (cos * cos + sin * sin) * 2.0 / piece.len() as f64;
    }
    if power > 1e-3 { share as f32 / power } else { 0.0 }
}
