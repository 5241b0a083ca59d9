//! A simulated living room as a sound card: loudspeaker, microphone, a person, and walls that throw sound back.
//!
//! The impulse responses are computed here with image sources (Allen and Berkley, 1979).

mod convolve;
mod images;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use convolve::Convolver;
pub use images::{Place, Shape, response};

use crate::ring::{self, CaptureEnd, CardRings, PlaybackEnd};
use crate::{FRAME, RATE_HZ};

/// The room and who is in it.
#[derive(Clone, Copy, Debug)]
pub struct RoomSettings {
    /// Walls.
    pub shape: Shape,
    /// The loudspeaker.
    pub loudspeaker: Place,
    /// The microphone.
    pub microphone: Place,
    /// The person.
    pub person: Place,
    /// How much of what is played the microphone hears from a hand's width away, as a factor.
    pub loudspeaker_gain: f32,
    /// The level of the noise in the room, in dBFS.
    pub noise_dbfs: f32,
    /// What the sound card's own buffers add to the way of the echo.
    pub card_delay: Duration,
}

impl Default for RoomSettings {
    fn default() -> Self {
        RoomSettings {
            shape: Shape { size: [4.6, 3.8, 2.5], reverberation_s: 0.35 },
            loudspeaker: Place([2.30, 0.60, 0.90]),
            microphone: Place([2.30, 0.68, 0.98]),
            person: Place([2.9, 2.3, 1.5]),
            loudspeaker_gain: 0.5,
            noise_dbfs: -68.0,
            card_delay: Duration::from_millis(15),
        }
    }
}

/// What somebody says in the room.
struct Saying {
    /// As it arrives at the microphone.
    samples: Vec<f32>,
}

/// A room that is stepped by hand, as fast as one likes.
pub struct SteppedRoom {
    capture: CaptureEnd,
    playback: PlaybackEnd,
    echo: Convolver,
    person: Arc<PersonPath>,
    sayings: mpsc::Receiver<Saying>,
    saying: Option<(Saying, usize)>,
    /// Samples that were asked to be said and are not yet over.
    left: Arc<AtomicU64>,
    noise: Noise,
    noise_gain: f32,
    card_delay: Duration,
}

/// The way from the person to the microphone.
struct PersonPath {
    response: Vec<f32>,
}

impl SteppedRoom {
    /// A silent room.
    ///
    /// # Errors
    /// When the process has no file descriptors left.
    pub fn new(settings: RoomSettings) -> io::Result<(SteppedRoom, Person, CardRings)> {
        let (rings, capture, playback) = ring::card(RATE_HZ, RATE_HZ)?;
        let mut echo = response(settings.shape, settings.loudspeaker, settings.microphone);
        echo.iter_mut().for_each(|it| *it *= settings.loudspeaker_gain);
        let delay = settings.card_delay.as_millis() as usize * RATE_HZ as usize / 1000;
        echo.splice(0..0, std::iter::repeat_n(0.0, delay));
        // The person is heard at their own level: what counts is how the room colours them.
        let mut response = response(settings.shape, settings.person, settings.microphone);
        let energy: f32 = response.iter().map(|it| it * it).sum();
        response.iter_mut().for_each(|it| *it /= energy.sqrt());
        // Who queues more sentences than these waits until one has been spoken.
        let (say, sayings) = mpsc::sync_channel(64);
        let (path, left) = (Arc::new(PersonPath { response }), Arc::new(AtomicU64::new(0)));
        let person = Person { path: path.clone(), say, left: left.clone() };
        let room = SteppedRoom {
            capture,
            playback,
            echo: Convolver::new(&echo),
            person: path,
            sayings,
            saying: None,
            left,
            noise: Noise { state: 0x1234_5678, low: 0.0 },
            noise_gain: crate::meter::gain(settings.noise_dbfs),
            card_delay: settings.card_delay,
        };
        Ok((room, person, rings))
    }

    /// The room's own copy of how the person sounds, for tests.
    pub fn person_response(&self) -> &[f32] {
        &self.person.response
    }

    /// 10 ms pass: the card plays, the air carries, the microphone hears.
    pub fn step(&mut self) {
        let (mut played, mut heard) = ([0.0; FRAME], [0.0; FRAME]);
        self.playback.leaves_at(ring::monotonic_ns() + self.card_delay.as_nanos() as u64);
        self.playback.fill(&mut played);
        self.echo.process(&played, &mut heard);
        for sample in &mut heard {
            *sample += self.noise.next() * self.noise_gain;
        }
        let mut at = 0;
        while at < FRAME {
            if self.saying.is_none() {
                self.saying = self.sayings.try_recv().ok().map(|it| (it, 0));
            }
            let Some((saying, next)) = &mut self.saying else { break };
            let n = (saying.samples.len() - *next).min(FRAME - at);
            for (sample, said) in heard[at..at + n].iter_mut().zip(&saying.samples[*next..]) {
                *sample += said;
            }
            (*next, at) = (*next + n, at + n);
            self.left.fetch_sub(n as u64, Relaxed);
            if *next == saying.samples.len() {
                self.saying = None;
            }
        }
        self.capture.push(heard.into_iter().map(|it| it.clamp(-1.0, 1.0)));
    }
}

/// The person in the room.
#[derive(Clone)]
pub struct Person {
    path: Arc<PersonPath>,
    say: mpsc::SyncSender<Saying>,
    left: Arc<AtomicU64>,
}

impl Person {
    /// Says something, mono at 48 kHz, after what is still to be said. `gain` 1 means: as loud at the microphone as in the clip.
    pub fn say(&self, clip: Vec<f32>, gain: f32) {
        let mut samples = convolve::whole(&clip, &self.path.response);
        samples.iter_mut().for_each(|it| *it *= gain);
        self.left.fetch_add(samples.len() as u64, Relaxed);
        // Nobody listens when the room is gone.
        let _ = self.say.send(Saying { samples });
    }

    /// Says nothing for a while, after what is still to be said.
    pub fn pause(&self, pause: Duration) {
        let samples = vec![0.0; (pause.as_secs_f64() * RATE_HZ as f64) as usize];
        self.left.fetch_add(samples.len() as u64, Relaxed);
        let _ = self.say.send(Saying { samples });
    }

    /// How long it takes until everything is said.
    pub fn left_to_say(&self) -> Duration {
        Duration::from_secs_f64(self.left.load(Relaxed) as f64 / RATE_HZ as f64)
    }
}

/// A room in real time, on a thread of its own. Dropping it ends the thread.
pub struct Room {
    person: Person,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Room {
    /// Opens the room. Recordings are taken by the engine's taps.
    ///
    /// # Errors
    /// When the process has no file descriptors or threads left.
    pub fn start(settings: RoomSettings) -> io::Result<(Room, CardRings)> {
        let (mut room, person, rings) = SteppedRoom::new(settings)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("room".into()).spawn(move || {
            let (frame, mut next) = (Duration::from_millis(10), Instant::now());
            while !stopped.load(Relaxed) {
                next += frame;
                let now = Instant::now();
                match next.checked_duration_since(now) {
                    Some(early) => std::thread::sleep(early),
                    // A machine that stood still: a card would have stood still too.
                    None if now - next > 10 * frame => next = now,
                    None => (),
                }
                room.step();
            }
        })?;
        Ok((Room { person, stop, thread: Some(thread) }, rings))
    }

    /// Says something, mono at 48 kHz, after what is still to be said. `gain` 1 means: as loud at the microphone as in the clip.
    pub fn say(&self, clip: Vec<f32>, gain: f32) {
        self.person.say(clip, gain);
    }

    /// Who can say things, to be moved to another thread.
    pub fn person(&self) -> Person {
        self.person.clone()
    }

    /// How long it takes until everything is said.
    pub fn left_to_say(&self) -> Duration {
        self.person.left_to_say()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the room was reported already.
            let _ = thread.join();
        }
    }
}

/// The murmur of a quiet room: noise that gets weaker towards high frequencies. The same in every run.
struct Noise {
    state: u32,
    low: f32,
}

impl Noise {
    fn next(&mut self) -> f32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        let white = self.state as f32 / u32::MAX as f32 * 2.0 - 1.0;
        self.low += (white - self.low) * 0.1;
        // Brought back to a power of one.
        (self.low * 0.9 + white * 0.1) * 5.4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter;

    #[test]
    fn the_room_murmurs_echoes_and_talks() {
        let (mut room, person, mut rings) = SteppedRoom::new(RoomSettings::default()).unwrap();
        let mut hear = |room: &mut SteppedRoom, played: f32, frames: usize| {
            let mut all = Vec::new();
            for n in 0..frames {
                let wave: Vec<f32> = (0..FRAME).map(|it| played * ((n * FRAME + it) as f32 * 0.05).sin()).collect();
                rings.render.write(&wave);
                room.step();
                let mut frame = [0.0; FRAME];
                rings.capture.read(&mut frame);
                all.extend_from_slice(&frame);
            }
            meter::dbfs(meter::power(&all[all.len() / 2..]))
        };
        let quiet = hear(&mut room, 0.0, 50);
        assert!((quiet + 68.0).abs() < 3.0, "{quiet}");
        let echo = hear(&mut room, 0.3, 50);
        assert!(echo > -40.0, "{echo}");
        hear(&mut room, 0.0, 50);
        person.say((0..48_000).map(|it| 0.1 * (it as f32 * 0.05).sin()).collect(), 1.0);
        assert!(person.left_to_say() > Duration::from_secs(1));
        let voice = hear(&mut room, 0.0, 90);
        assert!(voice > -32.0 && voice < -12.0, "{voice}");
        hear(&mut room, 0.0, 100);
        assert_eq!(person.left_to_say(), Duration::ZERO);
    }
}
