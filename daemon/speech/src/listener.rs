//! The thread that listens: sound in by a ring, notices out by a bounded channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::hearing::Hearing;
use crate::model::Model;
use crate::notice::{HearingError, HearingSettings, Listen, Notice};

/// How long the thread rests when the ring has less than a frame: one engine frame.
const REST: Duration = Duration::from_millis(10);
/// Orders that may wait; more than ever are given in 10 ms.
const ORDERS: usize = 64;
/// Samples taken from the ring at once.
const AT_ONCE: usize = 2 * 1600;

enum Order {
    Listen(Listen),
    Settings(HearingSettings),
    InCompany(bool),
}

/// Counters of the listener.
#[derive(Debug, Default)]
pub struct Stats {
    /// Frames of 16 ms heard.
    pub frames: AtomicU64,
    /// Those of them in which the gate was open, because somebody talked.
    pub open: AtomicU64,
    /// Notices that nobody took in time.
    pub dropped: AtomicU64,
    /// Times that the thread ran; stands still when it is stuck (for the watchdog).
    pub turns: AtomicU64,
}

/// The running thread; dropping it ends it.
pub struct Listener {
    orders: SyncSender<Order>,
    stats: Arc<Stats>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Starts to listen. `ears` holds interleaved pairs (ears, reference) at 16 kHz. A full `notices` drops the notice and counts it: sound does not wait.
pub fn start(
    model: Model,
    settings: HearingSettings,
    ears: rtrb::Consumer<f32>,
    notices: SyncSender<Notice>,
) -> Result<Listener, HearingError> {
    let hearing = Hearing::new(&model, settings)?;
    let (orders, from_orders) = sync_channel(ORDERS);
    let (stats, stop) = (Arc::new(Stats::default()), Arc::new(AtomicBool::new(false)));
    let run = Run { hearing, ears, notices, orders: from_orders, stats: stats.clone(), stop: stop.clone() };
    let thread = std::thread::Builder::new().name("listener".into()).spawn(move || run.run()).expect("a thread can be started");
    Ok(Listener { orders, stats, stop, thread: Some(thread) })
}

impl Listener {
    /// Listens for something else from now on. Waits in the rare case that 64 orders are waiting already.
    pub fn listen(&self, listen: Listen) {
        // An error means that the thread ended, which `is_running` tells.
        let _ = self.orders.send(Order::Listen(listen));
    }

    /// Takes other settings; those without a wake phrase that the model knows are ignored, so check them before.
    pub fn settings(&self, settings: HearingSettings) {
        let _ = self.orders.send(Order::Settings(settings));
    }

    /// Whether other speakers of the house may hear the same.
    pub fn in_company(&self, in_company: bool) {
        let _ = self.orders.send(Order::InCompany(in_company));
    }

    /// The counters.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// Whether the thread runs; it ends when the ring's other end is gone.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|it| !it.is_finished())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Run {
    hearing: Hearing,
    ears: rtrb::Consumer<f32>,
    notices: SyncSender<Notice>,
    orders: Receiver<Order>,
    stats: Arc<Stats>,
    stop: Arc<AtomicBool>,
}

impl Run {
    fn run(mut self) {
        let mut heard = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            self.stats.turns.fetch_add(1, Ordering::Relaxed);
            while let Ok(order) = self.orders.try_recv() {
                match order {
                    Order::Listen(listen) => self.hearing.listen(listen),
                    // Whoever sends settings has checked them with Hearing::new.
                    Order::Settings(settings) => drop(self.hearing.set(settings)),
                    Order::InCompany(in_company) => self.hearing.in_company(in_company),
                }
            }
            // Whole pairs only, so that ears and reference cannot change places.
            let n = self.ears.slots().min(AT_ONCE) & !1;
            if n == 0 {
                if self.ears.is_abandoned() {
                    return;
                }
                std::thread::sleep(REST);
                continue;
            }
            let Ok(chunk) = self.ears.read_chunk(n) else { continue };
            let (a, b) = chunk.as_slices();
            // A ring of odd size may split a pair.
            match a.len() % 2 {
                0 => {
                    self.hearing.feed(a, &mut heard);
                    self.hearing.feed(b, &mut heard);
                }
                _ => self.hearing.feed(&[a, b].concat(), &mut heard),
            }
            chunk.commit_all();
            let work = self.hearing.work();
            self.stats.frames.store(work.frames, Ordering::Relaxed);
            self.stats.open.store(work.open, Ordering::Relaxed);
            for notice in heard.drain(..) {
                match self.notices.try_send(notice) {
                    Ok(()) => (),
                    Err(TrySendError::Full(_)) => drop(self.stats.dropped.fetch_add(1, Ordering::Relaxed)),
                    Err(TrySendError::Disconnected(_)) => return,
                }
            }
        }
    }
}
