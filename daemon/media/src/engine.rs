//! The engine: one loop of 10 ms on a thread of its own, paced by the microphone.
//!
//! [`Core`] is what happens in a frame, without thread, card or clock; the loop around it is at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use crate::apm::ApmError;
use crate::clip::Sound;
use crate::drift::Drift;
use crate::echo::{EchoSettings, ForCall, ForEars};
use crate::meter::{Level, SILENCE_DBFS};
use crate::mixer::{Mixer, limit};
use crate::order::{Bus, Command, Notice, SoundId, Tap};
use crate::party::PartyId;
use crate::playout::Playout;
use crate::ring::{CardRings, monotonic_ns};
use crate::seat::Seat;
use crate::stats::Stats;
use crate::{EARS_FRAME, FRAME};

/// Pairs (ears, reference) at 16 kHz, 160 pairs per 10 ms.
pub type EarsRing = Consumer<f32>;

/// How many parties may take part at once.
pub const PARTIES: usize = 12;
/// With more than these the encoders are told to take less work.
const FEW: usize = 3;
/// How many seconds the recognizer may lag behind.
const EARS_RING_S: usize = 4;
/// Orders and notices under way.
const RING: usize = 256;
/// What one frame may throw away at most; orders wait until there is room for it.
const THROWN_AT_MOST: usize = 40;
/// How much of the mix waits for the playback callback: what it takes, and as much again for when it comes early.
const AHEAD: usize = 2 * FRAME;
/// Ahead at most, after underruns.
const AHEAD_AT_MOST: usize = 6 * FRAME;
/// When the card delivers nothing for so long, the clock takes over.
const CARD_GONE: Duration = Duration::from_millis(60);

/// How the engine works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineSettings {
    /// Cancel echo.
    pub echo_cancellation: bool,
    /// Suppress steady noise, for calls only.
    pub noise_suppression: bool,
    /// Level the voice, for calls only.
    pub gain_control: bool,
    /// Ask for real-time priority.
    pub realtime: bool,
}

impl Default for EngineSettings {
    fn default() -> Self {
        EngineSettings { echo_cancellation: true, noise_suppression: true, gain_control: true, realtime: true }
    }
}

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No canceller.
    #[error(transparent)]
    Apm(#[from] ApmError),
    /// No thread.
    #[error("cannot start the sound thread: {0}; is a limit on threads or memory reached?")]
    Thread(std::io::Error),
}

/// An order as it travels: everything that needs the heap is made already.
enum Order {
    Plain(Command),
    Join(Box<Seat>),
    Card(Box<CardRings>),
}

/// What comes back from the sound thread.
enum News {
    Notice(Notice),
    Thrown(Thrown),
}

/// What the sound thread is done with; it is dropped by whoever polls.
#[allow(dead_code, reason = "only there to be dropped")]
enum Thrown {
    Sound(Sound),
    Seat(Box<Seat>),
    Tap(Producer<f32>),
    Card(Box<CardRings>),
    Order(Order),
}

/// The other side of a [`Core`]: gives orders, gets notices.
pub struct Control {
    orders: Producer<Order>,
    news: Consumer<News>,
    stats: Arc<Stats>,
}

impl Control {
    /// Gives an order. Never waits.
    ///
    /// # Errors
    /// The command comes back when too many are under way, or a party's codec cannot be made.
    #[allow(clippy::result_large_err, reason = "it is the command itself that comes back")]
    pub fn send(&mut self, command: Command) -> Result<(), Command> {
        if self.orders.is_full() {
            return Err(command);
        }
        let order = match command {
            Command::Join(party) => Order::Join(Seat::new(party).map_err(|(party, _)| Command::Join(party))?),
            Command::Card(rings) => Order::Card(Box::new(rings)),
            plain => Order::Plain(plain),
        };
        match self.orders.push(order) {
            Ok(()) => Ok(()),
            Err(_) => unreachable!("there was room, and only we push"),
        }
    }

    /// The next notice, if there is one. Also drops what the sound thread is done with, so call it often.
    pub fn poll(&mut self) -> Option<Notice> {
        loop {
            match self.news.pop() {
                Ok(News::Notice(notice)) => return Some(notice),
                Ok(News::Thrown(_)) => (),
                Err(_) => return None,
            }
        }
    }

    /// The figures.
    pub fn stats(&self) -> Arc<Stats> {
        self.stats.clone()
    }
}

/// Everything that happens in a frame. Each method is one step of it; none allocates, locks, logs or waits.
pub struct Core {
    orders: Consumer<Order>,
    news: Producer<News>,
    ears: Producer<f32>,
    stats: Arc<Stats>,
    mixer: Mixer,
    seats: [Option<Box<Seat>>; PARTIES],
    for_call: ForCall,
    for_ears: ForEars,
    /// What all bridged parties say in this frame.
    everybody: [f32; FRAME],
    taps: Taps,
    card: Option<Box<CardRings>>,
    levels: [Level; 4],
    render_wait_ms: f32,
    /// When the next frame leaves the loudspeaker.
    leaves_ns: u64,
}

#[derive(Default)]
struct Taps {
    microphone: Option<Producer<f32>>,
    clean: Option<Producer<f32>>,
    render: Option<Producer<f32>>,
}

impl Core {
    /// A core and its other side, and the ring for the recognizer.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(settings: EngineSettings) -> Result<(Core, Control, EarsRing), EngineError> {
        let echo = EchoSettings {
            echo_cancellation: settings.echo_cancellation,
            noise_suppression: settings.noise_suppression,
            gain_control: settings.gain_control,
        };
        let (order_in, order_out) = RingBuffer::new(RING);
        let (news_in, news_out) = RingBuffer::new(RING);
        let (ears_in, ears_out) = RingBuffer::new(EARS_RING_S * 100 * EARS_FRAME * 2);
        let stats = Arc::new(Stats::default());
        let core = Core {
            orders: order_out,
            news: news_in,
            ears: ears_in,
            stats: stats.clone(),
            mixer: Mixer::default(),
            seats: Default::default(),
            for_call: ForCall::new(echo)?,
            for_ears: ForEars::new(echo)?,
            everybody: [0.0; FRAME],
            taps: Taps::default(),
            card: None,
            levels: Default::default(),
            render_wait_ms: 0.0,
            leaves_ns: 0,
        };
        Ok((core, Control { orders: order_in, news: news_out, stats }, ears_out))
    }

    /// Takes the orders that came, and the packets, and lets bridged parties speak.
    pub fn receive(&mut self) {
        self.everybody.fill(0.0);
        while self.news.slots() > THROWN_AT_MOST {
            let Ok(order) = self.orders.pop() else { break };
            self.obey(order);
        }
        for (seat, voice) in self.seats.iter_mut().zip(&self.stats.voices) {
            let Some(seat) = seat else { continue };
            seat.receive();
            seat.say_to_others(&mut self.everybody);
            voice.set(Some(seat.id()), seat.level());
        }
    }

    /// Fills `out` with the next 10 ms to play.
    pub fn render(&mut self, out: &mut [f32; FRAME]) {
        self.mixer.mix(out, self.leaves_ns);
        let mut worst_ms = 0.0f32;
        for seat in self.seats.iter_mut().flatten() {
            let mut voice = [0.0; FRAME];
            if seat.speak(&mut voice, self.render_wait_ms, &self.stats) {
                self.mixer.add_call(out, &voice);
            }
            worst_ms = worst_ms.max(seat.jitter_delay_ms());
        }
        self.stats.jitter_delay_ms.set(worst_ms);
        limit(out);
        self.stats.render_level.set(self.levels[1].feed(out));
        copy(&mut self.taps.render, out);
        let news = &mut self.news;
        while news.slots() >= 2
            && self.mixer.take_over(|id, source| {
                tell(news, Notice::Finished(id));
                throw(news, Thrown::Sound(source));
                Ok(())
            })
        {}
    }

    /// Takes the 10 ms that the microphone heard, and what was played meanwhile. `captured_ns` is when the card delivered them.
    pub fn capture(&mut self, microphone: &[f32; FRAME], reference: &[f32; FRAME], captured_ns: u64) {
        copy(&mut self.taps.microphone, microphone);
        self.stats.capture_level.set(self.levels[0].feed(microphone));
        // Parties first: they wait for nobody.
        let mut clean = [0.0; FRAME];
        if self.taps.clean.is_some() || self.seats.iter().flatten().any(|it| it.hears()) {
            self.for_call.process(microphone, reference, &mut clean);
            copy(&mut self.taps.clean, &clean);
            self.stats.uplink_level.set(self.levels[3].feed(&clean));
            self.stats.erle_db.set(self.for_call.erle_db());
        }
        for seat in self.seats.iter_mut().flatten() {
            seat.hear(&clean, &self.everybody, captured_ns, monotonic_ns, &self.stats);
        }
        let (mut ears, mut played) = ([0.0; EARS_FRAME], [0.0; EARS_FRAME]);
        self.for_ears.process(microphone, reference, &mut ears, &mut played);
        self.stats.ears_level.set(self.levels[2].feed(&ears));
        match self.ears.write_chunk_uninit(2 * EARS_FRAME) {
            Ok(chunk) => {
                chunk.fill_from_iter(ears.into_iter().zip(played).flat_map(|(ears, played)| [ears, played]));
            }
            Err(_) => {
                self.stats.ears_lost.fetch_add(EARS_FRAME as u32, Relaxed);
            }
        }
        self.stats.frames.fetch_add(1, Relaxed);
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Plain(command) => self.obey_plain(command),
            Order::Join(seat) => {
                let id = seat.id();
                match self.seats.iter_mut().find(|it| it.is_none()) {
                    Some(place) => *place = Some(seat),
                    None => {
                        throw(&mut self.news, Thrown::Seat(seat));
                        tell(&mut self.news, Notice::Left(id));
                    }
                }
                self.count_parties();
            }
            Order::Card(rings) => {
                if let Some(unused) = self.card.replace(rings) {
                    throw(&mut self.news, Thrown::Card(unused));
                }
            }
        }
    }

    fn obey_plain(&mut self, command: Command) {
        match command {
            Command::Play { id, bus, source } => self.play(id, bus, source, 0),
            Command::PlayAt { id, bus, source, at_ns } => self.play(id, bus, source, at_ns),
            Command::Stop(id) => self.mixer.stop(id),
            Command::StopBus(bus) => self.mixer.stop_bus(bus),
            Command::Leave(id) => {
                let mut places = self.seats.iter_mut().zip(&self.stats.voices);
                if let Some((place, voice)) = places.find(|(it, _)| it.as_ref().is_some_and(|it| it.id() == id))
                    && let Some(seat) = place.take()
                {
                    voice.set(None, SILENCE_DBFS);
                    seat.say_goodbye(&mut self.everybody);
                    throw(&mut self.news, Thrown::Seat(seat));
                    tell(&mut self.news, Notice::Left(id));
                }
                self.count_parties();
            }
            Command::OpenMic(id) => self.with_seat(id, Seat::open_microphone),
            Command::CloseMic(id) => self.with_seat(id, Seat::close_microphone),
            Command::Silence(id) => self.with_seat(id, Seat::silence),
            Command::Unsilence(id) => self.with_seat(id, Seat::unsilence),
            Command::Bridge(id) => self.with_seat(id, Seat::bridge),
            Command::Unbridge(id) => self.with_seat(id, Seat::unbridge),
            Command::Gain(bus, gain) => self.mixer.volume(bus, gain),
            Command::Duck(bus, gain) => self.mixer.duck(bus, gain),
            Command::Unduck(bus) => self.mixer.duck(bus, 1.0),
            Command::Tap(tap, to) => {
                let place = match tap {
                    Tap::Microphone => Some(&mut self.taps.microphone),
                    Tap::Clean => Some(&mut self.taps.clean),
                    Tap::Render => Some(&mut self.taps.render),
                    Tap::PartyDown(id) => self.seats.iter_mut().flatten().find(|it| it.id() == id).map(|seat| &mut seat.tap),
                };
                let old = match place {
                    Some(place) => std::mem::replace(place, to),
                    None => to,
                };
                if let Some(old) = old {
                    throw(&mut self.news, Thrown::Tap(old));
                }
            }
            // These two travel as orders of their own.
            Command::Join(_) | Command::Card(_) => throw(&mut self.news, Thrown::Order(Order::Plain(command))),
        }
    }

    fn play(&mut self, id: SoundId, bus: Bus, source: Sound, at_ns: u64) {
        if let Err(source) = self.mixer.play_at(id, bus, source, at_ns) {
            throw(&mut self.news, Thrown::Sound(source));
            tell(&mut self.news, Notice::Refused(id));
        }
    }

    fn with_seat(&mut self, id: PartyId, act: impl FnOnce(&mut Seat)) {
        if let Some(seat) = self.seats.iter_mut().flatten().find(|it| it.id() == id) {
            act(seat);
        }
    }

    fn count_parties(&mut self) {
        let n = self.seats.iter().flatten().count();
        self.stats.parties.store(n as u32, Relaxed);
        self.seats.iter_mut().flatten().for_each(|it| it.economise(n > FEW));
    }
}

fn copy(tap: &mut Option<Producer<f32>>, frame: &[f32; FRAME]) {
    if let Some(tap) = tap {
        let _ = tap.push_partial_slice(frame);
    }
}

fn tell(news: &mut Producer<News>, notice: Notice) {
    // There is room: orders are only taken while there is, and sounds end only while there is.
    let _ = news.push(News::Notice(notice));
}

fn throw(news: &mut Producer<News>, thrown: Thrown) {
    if let Err(rtrb::PushError::Full(News::Thrown(thrown))) = news.push(News::Thrown(thrown)) {
        // Cannot happen, see `tell`. Leaking is better than freeing memory on this thread.
        std::mem::forget(thrown);
    }
}

/// The engine at work. Dropping it stops the thread.
pub struct Engine {
    control: Control,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the sound thread on a card.
    ///
    /// # Errors
    /// When there is no memory, or no thread.
    pub fn start(rings: CardRings, settings: EngineSettings) -> Result<(Engine, EarsRing), EngineError> {
        let (core, control, ears) = Core::new(settings)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, realtime) = (stop.clone(), settings.realtime);
        let runner = Runner::new(core);
        let thread = std::thread::Builder::new()
            .name("hark-sound".into())
            .spawn(move || runner.run(Box::new(rings), &stopped, realtime))
            .map_err(EngineError::Thread)?;
        Ok((Engine { control, stop, thread: Some(thread) }, ears))
    }

    /// Gives an order. Never waits.
    ///
    /// # Errors
    /// The command comes back when too many are under way, or a party's codec cannot be made.
    #[allow(clippy::result_large_err, reason = "it is the command itself that comes back")]
    pub fn send(&mut self, command: Command) -> Result<(), Command> {
        self.control.send(command)
    }

    /// The next notice, if there is one. Also drops what the sound thread is done with, so call it often.
    pub fn poll(&mut self) -> Option<Notice> {
        self.control.poll()
    }

    /// The figures.
    pub fn stats(&self) -> Arc<Stats> {
        self.control.stats()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the sound thread was reported already.
            let _ = thread.join();
        }
        while self.control.poll().is_some() {}
    }
}

/// A core on a card.
pub struct Runner {
    core: Core,
    drift: Drift,
    playout: Playout,
    /// How much of the mix shall wait for the card.
    ahead: usize,
    underruns: u32,
    steady_for: u32,
}

impl Runner {
    /// A core that is driven by hand, on a card that is driven by hand, for tests and measurements.
    pub fn new(core: Core) -> Runner {
        Runner { core, drift: Drift::default(), playout: Playout::default(), ahead: AHEAD, underruns: 0, steady_for: 0 }
    }

    fn run(mut self, mut rings: Box<CardRings>, stop: &AtomicBool, realtime: bool) {
        self.core.stats.realtime.store(realtime && ask_for_realtime(), Relaxed);
        let mut alive_ns = monotonic_ns();
        while !stop.load(Relaxed) {
            rings.bell.wait(Duration::from_millis(20));
            if self.turn(&mut rings) {
                alive_ns = monotonic_ns();
            }
            while monotonic_ns().saturating_sub(alive_ns) > CARD_GONE.as_nanos() as u64 {
                self.without_card(&mut rings);
                alive_ns += 10_000_000;
            }
            if let Some(new) = self.core.card.take() {
                let old = std::mem::replace(&mut rings, new);
                throw(&mut self.core.news, Thrown::Card(old));
                self.drift = Drift::default();
                self.playout = Playout::default();
                self.underruns = 0;
            }
        }
    }

    /// Does all frames for which the microphone delivered. Returns false when it delivered none.
    pub fn turn(&mut self, rings: &mut CardRings) -> bool {
        let mut turned = false;
        while rings.capture.ready() >= FRAME {
            let start_ns = monotonic_ns();
            let (mut microphone, mut reference) = ([0.0; FRAME], [0.0; FRAME]);
            rings.capture.read(&mut microphone);
            self.drift.read(&mut rings.reference, &mut reference);
            self.core.receive();
            self.top_up(rings);
            self.core.capture(&microphone, &reference, rings.counters.captured_at_ns.load(Relaxed));
            self.tell(rings, start_ns);
            turned = true;
        }
        turned
    }

    /// Renders as many frames as the playback callback used up: that is how two clocks are kept together.
    fn top_up(&mut self, rings: &mut CardRings) {
        let underruns = rings.counters.underruns.load(Relaxed);
        if underruns != self.underruns {
            self.underruns = underruns;
            self.steady_for = 0;
            self.ahead = (self.ahead + FRAME / 2).min(AHEAD_AT_MOST);
        }
        self.steady_for += 1;
        if self.steady_for > 3000 && self.ahead > AHEAD {
            self.ahead -= FRAME / 2;
            self.steady_for = 0;
        }
        // Cards whose callbacks take more at once need more ahead.
        let period = rings.counters.period.load(Relaxed) as usize;
        let ahead = self.ahead.max(if period > FRAME { 2 * period } else { 0 }).min(rings_at_most());
        self.playout.observe(&rings.counters);
        while rings.render.waiting() < ahead {
            let mut out = [0.0; FRAME];
            let waiting = rings.render.waiting();
            self.core.render_wait_ms = waiting as f32 / 48.0;
            self.core.leaves_ns = self.playout.leaves_ns(&rings.render, &rings.counters);
            self.core.render(&mut out);
            if !rings.render.write(&out) {
                break;
            }
        }
        self.core.stats.render_wait_ms.set(self.core.render_wait_ms);
    }

    /// A frame while the card is away: calls go on, with a silent microphone and nobody listening.
    fn without_card(&mut self, rings: &mut CardRings) {
        self.core.receive();
        let mut out = [0.0; FRAME];
        self.core.leaves_ns = monotonic_ns();
        self.core.render(&mut out);
        self.core.capture(&[0.0; FRAME], &[0.0; FRAME], monotonic_ns());
        self.core.stats.frames_without_card.fetch_add(1, Relaxed);
        let waiting = rings.reference.ready();
        rings.reference.skip(waiting);
    }

    fn tell(&mut self, rings: &mut CardRings, start_ns: u64) {
        let stats = &self.core.stats;
        stats.xruns.store(rings.counters.xruns(), Relaxed);
        stats.resyncs.store(self.drift.resyncs(), Relaxed);
        stats.reference_holes.store(self.drift.holes(), Relaxed);
        stats.drift_ppm.set(self.drift.ppm());
        stats.stream_delay_ms.set(rings.reference.ready() as f32 / 48.0);
        let us = (monotonic_ns() - start_ns) as f32 / 1000.0;
        stats.frame_us.set(us);
        stats.frame_us_max.set(stats.frame_us_max.get().max(us));
    }
}

/// Never ask for more than the render ring holds.
fn rings_at_most() -> usize {
    16 * FRAME
}

/// SCHED_FIFO, if the system lets us (systemd's LimitRTPRIO, or root).
pub(crate) fn ask_for_realtime() -> bool {
    let wanted = libc::sched_param { sched_priority: 20 };
    // SAFETY: our own thread, and a parameter that outlives the call.
    unsafe { libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_FIFO, &wanted) == 0 }
}
