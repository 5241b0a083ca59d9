//! A telephone's handset as a sound card: plays into an ear, hears only the mouth, no echo. Paced in real time by a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use media::ring::{self, CardRings};
use media::{FRAME, RATE_HZ};

/// A handset that is held.
pub struct Handset {
    mouth: mpsc::Sender<Vec<f32>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Ear>,
}

/// What the ear heard.
pub struct Ear {
    /// Samples at 48 kHz.
    pub samples: Vec<f32>,
    /// When the first of them was played, in ns of the monotonic clock.
    pub start_ns: u64,
}

impl Handset {
    /// Starts to play and record.
    ///
    /// # Errors
    /// When the system has no descriptors or threads left.
    pub fn start() -> anyhow::Result<(Handset, CardRings)> {
        let (rings, mut capture, mut playback) = ring::card(RATE_HZ, RATE_HZ).context("making the handset's rings")?;
        let (mouth, said) = mpsc::channel::<Vec<f32>>();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let run = move || {
            let mut ear = Ear { samples: Vec::with_capacity(RATE_HZ as usize * 60), start_ns: ring::monotonic_ns() };
            let mut words: Vec<f32> = Vec::new();
            let mut at = 0;
            let mut next = Instant::now();
            while !stopped.load(Relaxed) {
                if let Ok(more) = said.try_recv() {
                    words.drain(..at);
                    at = 0;
                    words.extend(more);
                }
                let piece = &words[at..words.len().min(at + FRAME)];
                at += piece.len();
                let silence = std::iter::repeat_n(0.0, FRAME - piece.len());
                let frame: Vec<f32> = piece.iter().copied().chain(silence).collect();
                capture.push(frame.into_iter());
                let mut out = [0.0; FRAME];
                playback.fill(&mut out);
                ear.samples.extend_from_slice(&out);
                next += Duration::from_millis(10);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            ear
        };
        let thread = std::thread::Builder::new().name("handset".into()).spawn(run).context("starting the handset")?;
        Ok((Handset { mouth, stop, thread }, rings))
    }

    /// Says it, after what is being said already.
    pub fn say(&self, samples: Vec<f32>) {
        // A handset that was put down says nothing.
        let _ = self.mouth.send(samples);
    }

    /// Puts it down.
    ///
    /// # Errors
    /// When its thread died.
    pub fn put_down(self) -> anyhow::Result<Ear> {
        self.stop.store(true, Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the handset's thread died"))
    }
}
