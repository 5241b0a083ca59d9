//! The rings between a sound card, real or simulated, and the engine. Nothing here waits: what does not fit is counted.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use crate::RATE_HZ;
use crate::party::Waker;
use crate::resample::Converter;

/// How much a ring holds.
const RING_MS: usize = 500;

/// What a card gives the engine.
pub struct CardRings {
    /// The microphone.
    pub capture: Inlet,
    /// The loudspeaker.
    pub render: Outlet,
    /// What was really played, silence included.
    pub reference: Inlet,
    /// What went wrong, and when the card was last seen.
    pub counters: Arc<Counters>,
    /// Rings when the microphone delivered.
    pub bell: Bell,
}

/// What a card counts. Written by its callbacks.
#[derive(Debug, Default)]
pub struct Counters {
    /// Playback callbacks that found too little to play.
    pub underruns: AtomicU32,
    /// Captured or reference samples that found no room.
    pub overruns: AtomicU32,
    /// Errors that the card itself reported.
    pub card_xruns: AtomicU32,
    /// When the microphone last delivered, in ns of the monotonic clock.
    pub captured_at_ns: AtomicU64,
    /// Samples captured so far.
    pub captured: AtomicU64,
    /// Samples played so far.
    pub played: AtomicU64,
    /// The longest playback callback so far, in samples.
    pub period: AtomicU32,
    /// When the very first sample left the loudspeaker, or would have at today's pace, in ns of the monotonic clock, as the last playback callback saw it;
    /// 0 before the first.
    pub first_left_ns: AtomicU64,
    /// Samples of silence that were played because there was no mix.
    pub silence: AtomicU64,
}

impl Counters {
    /// All xruns together.
    pub fn xruns(&self) -> u32 {
        self.underruns.load(Relaxed) + self.overruns.load(Relaxed) + self.card_xruns.load(Relaxed)
    }
}

/// The card's side of the microphone.
pub struct CaptureEnd {
    ring: Producer<f32>,
    waker: Waker,
    counters: Arc<Counters>,
    /// A frame of the engine at this card's rate, and how much of one came since the last bell.
    frame: usize,
    since_bell: usize,
}

impl CaptureEnd {
    /// Hands over what the microphone heard. For the capture callback: no heap, no lock, no waiting.
    pub fn push(&mut self, samples: impl ExactSizeIterator<Item = f32>) {
        let n = samples.len();
        let room = self.ring.slots().min(n);
        if room < n {
            self.counters.overruns.fetch_add(1, Relaxed);
        }
        if let Ok(chunk) = self.ring.write_chunk_uninit(room) {
            chunk.fill_from_iter(samples);
        }
        self.counters.captured.fetch_add(n as u64, Relaxed);
        self.counters.captured_at_ns.store(monotonic_ns(), Relaxed);
        // Some sound servers deliver crumbs; the engine wakes for whole frames only.
        self.since_bell += n;
        if self.since_bell >= self.frame {
            self.since_bell %= self.frame;
            self.waker.ring();
        }
    }
}

/// The card's side of the loudspeaker.
pub struct PlaybackEnd {
    render: Consumer<f32>,
    reference: Producer<f32>,
    counters: Arc<Counters>,
    started: bool,
    rate_hz: u64,
}

impl PlaybackEnd {
    /// The next sample of [`PlaybackEnd::fill`] leaves the loudspeaker at this moment of the monotonic clock, as far as the card knows.
    pub fn leaves_at(&mut self, ns: u64) {
        let before_ns = (u128::from(self.counters.played.load(Relaxed)) * 1_000_000_000 / u128::from(self.rate_hz)) as u64;
        self.counters.first_left_ns.store(ns.saturating_sub(before_ns).max(1), Relaxed);
    }

    /// Fills `out` with the mix, or with silence where there is none yet, and copies what it was to the reference.
    /// For the playback callback: no heap, no lock, no waiting.
    pub fn fill(&mut self, out: &mut [f32]) {
        let (played, missing) = self.render.pop_partial_slice(out);
        self.started |= !played.is_empty();
        if !missing.is_empty() {
            missing.fill(0.0);
            self.counters.silence.fetch_add(missing.len() as u64, Relaxed);
            // Before the engine's first frame there is nothing to miss.
            if self.started {
                self.counters.underruns.fetch_add(1, Relaxed);
            }
        }
        self.counters.period.fetch_max(out.len() as u32, Relaxed);
        self.counters.played.fetch_add(out.len() as u64, Relaxed);
        // A full reference ring means that the engine stalled: it will resynchronize, we must not wait.
        let (_, lost) = self.reference.push_partial_slice(out);
        if !lost.is_empty() {
            self.counters.overruns.fetch_add(1, Relaxed);
        }
    }
}

/// Rings, card side and engine side, for a card that captures and renders at these rates.
///
/// # Errors
/// When the process has no file descriptors left, or a rate makes no sense.
pub fn card(capture_hz: u32, render_hz: u32) -> io::Result<(CardRings, CaptureEnd, PlaybackEnd)> {
    let counters = Arc::new(Counters::default());
    let (waker, fd) = Waker::pair()?;
    let (capture_in, capture_out) = RingBuffer::new(capture_hz as usize * RING_MS / 1000);
    let (render_in, render_out) = RingBuffer::new(render_hz as usize * RING_MS / 1000);
    let (reference_in, reference_out) = RingBuffer::new(render_hz as usize * RING_MS / 1000);
    let rings = CardRings {
        capture: Inlet::new(capture_out, capture_hz)?,
        render: Outlet::new(render_in, render_hz)?,
        reference: Inlet::new(reference_out, render_hz)?,
        counters: counters.clone(),
        bell: Bell(fd),
    };
    let frame = (capture_hz as usize / 100).max(1);
    let capture = CaptureEnd { ring: capture_in, waker, counters: counters.clone(), frame, since_bell: 0 };
    Ok((
        rings,
        capture,
        PlaybackEnd { render: render_out, reference: reference_in, counters, started: false, rate_hz: render_hz.into() },
    ))
}

/// Samples from the card at 48 kHz, whatever the card's rate.
pub struct Inlet {
    ring: Consumer<f32>,
    converted: Option<Box<Converted>>,
}

/// A converter, and what it made.
struct Converted {
    converter: Converter,
    push: Producer<f32>,
    pop: Consumer<f32>,
}

impl Inlet {
    fn new(ring: Consumer<f32>, rate_hz: u32) -> io::Result<Inlet> {
        if rate_hz == RATE_HZ {
            return Ok(Inlet { ring, converted: None });
        }
        let converter = Converter::new(rate_hz, RATE_HZ).ok_or(io::ErrorKind::InvalidInput)?;
        let (push, pop) = RingBuffer::new(RATE_HZ as usize * RING_MS / 1000);
        Ok(Inlet { ring, converted: Some(Box::new(Converted { converter, push, pop })) })
    }

    /// How many samples can be read now.
    pub fn ready(&mut self) -> usize {
        let Some(converted) = &mut self.converted else { return self.ring.slots() };
        let Converted { converter, push, pop } = converted.as_mut();
        while push.slots() > RATE_HZ as usize / 20 {
            let Ok(sample) = self.ring.pop() else { break };
            // There is room for what one sample can bring, see above.
            let _ = push.push_partial_slice(converter.push(sample));
        }
        pop.slots()
    }

    /// Reads up to `out.len()` samples; returns how many.
    pub fn read(&mut self, out: &mut [f32]) -> usize {
        self.ready();
        let ring = self.converted.as_mut().map_or(&mut self.ring, |it| &mut it.pop);
        ring.pop_partial_slice(out).0.len()
    }

    /// Throws up to `n` samples away.
    pub fn skip(&mut self, n: usize) {
        self.ready();
        let ring = self.converted.as_mut().map_or(&mut self.ring, |it| &mut it.pop);
        if let Ok(chunk) = ring.read_chunk(n.min(ring.slots())) {
            chunk.commit_all();
        }
    }
}

/// Samples to the card at 48 kHz, whatever the card's rate.
pub struct Outlet {
    ring: Producer<f32>,
    capacity: usize,
    rate_hz: u32,
    converter: Option<Box<Converter>>,
    /// Samples written so far, at the card's rate.
    written: u64,
}

impl Outlet {
    fn new(ring: Producer<f32>, rate_hz: u32) -> io::Result<Outlet> {
        let capacity = ring.buffer().capacity();
        let converter = match rate_hz {
            RATE_HZ => None,
            other => Some(Box::new(Converter::new(RATE_HZ, other).ok_or(io::ErrorKind::InvalidInput)?)),
        };
        Ok(Outlet { ring, capacity, rate_hz, converter, written: 0 })
    }

    /// How much waits to be played, in samples at 48 kHz.
    pub fn waiting(&self) -> usize {
        (self.capacity - self.ring.slots()) * RATE_HZ as usize / self.rate_hz as usize
    }

    /// The card's rate.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// How many samples of ours the card plays, at its rate, before the next one that is written.
    pub fn before_next(&self) -> u64 {
        let converting = self.converter.as_ref().map_or(0, |it| it.before_next());
        self.written + converting as u64
    }

    /// Hands samples over; returns false when they did not all fit.
    pub fn write(&mut self, samples: &[f32]) -> bool {
        match &mut self.converter {
            None => {
                let (written, lost) = self.ring.push_partial_slice(samples);
                self.written += written.len() as u64;
                lost.is_empty()
            }
            Some(converter) => {
                let mut fits = true;
                for sample in samples {
                    let (written, lost) = self.ring.push_partial_slice(converter.push(*sample));
                    self.written += written.len() as u64;
                    fits &= lost.is_empty();
                }
                fits
            }
        }
    }
}

/// Waits for a [`Waker`].
pub struct Bell(OwnedFd);

impl Bell {
    /// Returns once the bell rang, or after `limit`. Several rings count as one.
    pub fn wait(&self, limit: Duration) {
        let mut poll = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let mut drained = [0u8; 8];
        // SAFETY: the descriptor is open as long as `self` lives; both buffers outlive the calls.
        unsafe {
            if libc::poll(&mut poll, 1, limit.as_millis() as i32) > 0 {
                libc::read(poll.fd, drained.as_mut_ptr().cast(), drained.len());
            }
        }
    }
}

/// The monotonic clock in nanoseconds; a system call without the system (vDSO), so that callbacks may use it.
pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux and `now` outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_played_comes_back_as_reference_silence_included() {
        let (mut rings, _, mut playback) = card(48_000, 48_000).unwrap();
        assert!(rings.render.write(&[0.5; 300]));
        let mut out = [9.0; 480];
        playback.fill(&mut out);
        assert_eq!((out[299], out[300]), (0.5, 0.0));
        let mut reference = [9.0; 480];
        assert_eq!(rings.reference.read(&mut reference), 480);
        assert_eq!(reference, out);
        assert_eq!(rings.counters.underruns.load(Relaxed), 1);
    }

    #[test]
    fn a_stalled_engine_costs_samples_and_is_counted() {
        let (mut rings, mut capture, mut playback) = card(48_000, 48_000).unwrap();
        for _ in 0..100 {
            capture.push([0.1f32; 480].into_iter());
            playback.fill(&mut [0.0; 480]);
        }
        assert_eq!(rings.capture.ready(), 24_000);
        assert!(rings.counters.overruns.load(Relaxed) > 90);
        assert_eq!(rings.counters.underruns.load(Relaxed), 0, "nothing was ever rendered, so nothing is missing");
        rings.bell.wait(Duration::from_secs(1));
    }

    #[test]
    fn a_card_at_44100_hz_looks_like_one_at_48000() {
        let (mut rings, mut capture, mut playback) = card(44_100, 44_100).unwrap();
        let mut heard = 0;
        for _ in 0..100 {
            capture.push([0.1f32; 441].into_iter());
            let ready = rings.capture.ready();
            rings.capture.skip(ready);
            heard += ready;
            rings.render.write(&[0.1; 480]);
            playback.fill(&mut [0.0; 441]);
        }
        assert!(heard > 47_000 && heard <= 48_000, "{heard}");
        assert!(rings.counters.underruns.load(Relaxed) <= 3, "only while the converter fills");
        assert!(rings.render.waiting() < 960);
    }
}
