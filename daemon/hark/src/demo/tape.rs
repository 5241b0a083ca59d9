//! Recordings of what passes through the engine, taken off its rings by a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use media::RATE_HZ;
use media::ring::monotonic_ns;

/// How often the rings are emptied; they hold ten times as much.
const EVERY: Duration = Duration::from_millis(100);

/// A tape that runs.
pub struct Tape {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Track>>,
}

/// One recording at 48 kHz.
#[derive(Default)]
pub struct Track {
    /// The samples.
    pub samples: Vec<f32>,
    /// When the first one passed, in ns of the monotonic clock; right to some ten milliseconds.
    pub start_ns: u64,
}

impl Track {
    /// The piece from one moment of the monotonic clock to another, as far as it was recorded.
    pub fn piece(&self, from_ns: u64, to_ns: u64) -> &[f32] {
        let at = |ns: u64| (self.index(ns).max(0) as usize).min(self.samples.len());
        &self.samples[at(from_ns)..at(to_ns).max(at(from_ns))]
    }

    /// Which sample passed at that moment; may lie outside of the recording.
    pub fn index(&self, at_ns: u64) -> i64 {
        (at_ns as i64 - self.start_ns as i64) * i64::from(RATE_HZ) / 1_000_000_000
    }
}

impl Tape {
    /// Starts to record `n` tracks; the producers are for the engine's taps.
    ///
    /// # Errors
    /// When the system lets us start no thread.
    pub fn start(n: usize) -> anyhow::Result<(Tape, Vec<rtrb::Producer<f32>>)> {
        let (producers, mut consumers): (Vec<_>, Vec<_>) = (0..n).map(|_| rtrb::RingBuffer::new(RATE_HZ as usize)).unzip();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let run = move || {
            let mut tracks: Vec<Track> = (0..n).map(|_| Track::default()).collect();
            loop {
                let last = stopped.load(Relaxed);
                for (track, ring) in tracks.iter_mut().zip(&mut consumers) {
                    take(track, ring);
                }
                if last {
                    return tracks;
                }
                std::thread::sleep(EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("tape".into()).spawn(run).context("starting the tape")?;
        Ok((Tape { stop, thread }, producers))
    }

    /// Stops and gives the tracks, in the order of the producers.
    ///
    /// # Errors
    /// When its thread died.
    pub fn stop(self) -> anyhow::Result<Vec<Track>> {
        self.stop.store(true, Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the tape's thread died"))
    }
}

fn take(track: &mut Track, ring: &mut rtrb::Consumer<f32>) {
    let n = ring.slots();
    let Ok(chunk) = ring.read_chunk(n) else { return };
    if track.samples.is_empty() && n > 0 {
        track.start_ns = monotonic_ns().saturating_sub(n as u64 * 1_000_000_000 / u64::from(RATE_HZ));
    }
    let (a, b) = chunk.as_slices();
    track.samples.extend_from_slice(a);
    track.samples.extend_from_slice(b);
    chunk.commit_all();
}
