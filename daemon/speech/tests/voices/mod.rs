//! People for the tests: espeak-ng and flite voices, a room, and the ears that hear them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use speech::{Heard, Hearing, HearingSettings, Listen, Model, Notice, RATE_HZ, Sentences, Ways};

/// The built-in model.
pub fn model() -> Model {
    Model::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/hark")).unwrap()
}

pub const SENTENCES: [&str; 16] = [
    "call mom",
    "call mom on her mobile",
    "call dad",
    "call the kitchen",
    "call anna smith",
    "call the echo test",
    "hang up",
    "volume up",
    "volume down",
    "answer",
    "decline",
    "redial",
    "call back",
    "who is calling",
    "cancel",
    "do not disturb",
];

/// These sentences after the wake phrase, with a second look at them.
pub fn sentences(sentences: &[&str]) -> Listen {
    let list: Vec<String> = sentences.iter().map(|it| (*it).to_owned()).collect();
    Listen { after_wake: Sentences::list(sentences), ways: Arc::new(Ways::list(&list)), ..Listen::default() }
}

/// Hears "hello operator" and these sentences.
pub fn hearing(model: &Model) -> Hearing {
    hearing_of(model, &["hello operator"], 0.5, false)
}

/// Hears these wake phrases and the sentences.
pub fn hearing_of(model: &Model, wake_phrases: &[&str], sensitivity: f32, keep_near_misses: bool) -> Hearing {
    let settings = HearingSettings {
        wake_phrases: wake_phrases.iter().map(|it| (*it).into()).collect(),
        min_confidence: 0.5,
        sensitivity,
        keep_near_misses,
        listen_for: Duration::from_secs(5),
        gain_db: 0.0,
    };
    let mut hearing = Hearing::new(model, settings).unwrap();
    hearing.listen(sentences(&SENTENCES));
    hearing
}

/// Speaks with a voice: `flite:rms`, or one of espeak-ng's. 16 kHz.
pub fn say(voice: &str, text: &str) -> Vec<f32> {
    let file = temporary();
    let mut command = match voice.strip_prefix("flite:") {
        Some(voice) => {
            let mut it = Command::new("flite");
            it.args(["-voice", voice, "-t", text, "-o"]).arg(&file);
            it
        }
        None => {
            let mut it = Command::new("espeak-ng");
            it.args(["-v", voice, "-w"]).arg(&file).arg(text);
            it
        }
    };
    assert!(command.status().expect("espeak-ng and flite are installed (make test does)").success());
    let mut reader = hound::WavReader::open(&file).unwrap();
    let rate = reader.spec().sample_rate;
    let samples: Vec<f32> = reader.samples::<i16>().map(|it| f32::from(it.unwrap()) / 32768.0).collect();
    std::fs::remove_file(&file).unwrap();
    resample(&samples, rate)
}

fn temporary() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static N: AtomicU32 = AtomicU32::new(0);
    let n = N.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("hark-speech-test-{}-{n}.wav", std::process::id()))
}

/// By windowed sinc; good enough for speech.
fn resample(samples: &[f32], rate: u32) -> Vec<f32> {
    let ratio = f64::from(rate) / f64::from(RATE_HZ);
    let cut = (1.0 / ratio).min(1.0) * 0.95;
    let n = (samples.len() as f64 / ratio) as usize;
    (0..n)
        .map(|i| {
            let at = i as f64 * ratio;
            let (from, to) = ((at as i64 - 24).max(0), (at as i64 + 25).min(samples.len() as i64));
            (from..to).fold(0.0, |sum, j| {
                let x = at - j as f64;
                let sinc =
                    if x.abs() < 1e-9 { 1.0 } else { (std::f64::consts::PI * x * cut).sin() / (std::f64::consts::PI * x * cut) };
                let window = 0.5 + 0.5 * (std::f64::consts::PI * x / 25.0).cos();
                sum + f64::from(samples[j as usize]) * sinc * window * cut
            }) as f32
        })
        .collect()
}

/// What reaches the ears: clips one after the other with gaps, in a quiet room; and what is played meanwhile.
pub struct Scene {
    pub ears: Vec<f32>,
    pub reference: Vec<f32>,
    seed: u32,
}

impl Scene {
    pub fn new() -> Self {
        Self { ears: Vec::new(), reference: Vec::new(), seed: 1 }
    }

    pub fn silence(mut self, ms: usize) -> Self {
        self.ears.extend(std::iter::repeat_n(0.0, ms * 16));
        self
    }

    pub fn say(mut self, voice: &str, text: &str) -> Self {
        self.ears.extend(say(voice, text));
        self
    }

    /// Plays from `at_ms` on; the ears get `echo` times that.
    pub fn play(mut self, at_ms: usize, clip: &[f32], echo: f32) -> Self {
        self.reference.resize(self.reference.len().max(at_ms * 16 + clip.len()), 0.0);
        self.ears.resize(self.ears.len().max(self.reference.len()), 0.0);
        for (i, sample) in clip.iter().enumerate() {
            self.reference[at_ms * 16 + i] += sample;
            if let Some(ear) = self.ears.get_mut(at_ms * 16 + i + 480) {
                *ear += echo * sample;
            }
        }
        self
    }

    /// The sound of a living room: sparse echoes that die away within 0.3 s.
    pub fn in_room(mut self) -> Self {
        let mut seed = 7;
        let taps: Vec<(usize, f32)> = (1..400)
            .map(|i| {
                (i * 12 + (random(&mut seed).abs() * 11.0) as usize, random(&mut seed) * 0.12 * 0.5f32.powf(i as f32 / 40.0))
            })
            .collect();
        let dry = self.ears.clone();
        for (delay, gain) in taps {
            for i in delay..dry.len() {
                self.ears[i] += gain * dry[i - delay];
            }
        }
        self
    }

    /// White noise of this level.
    pub fn noise(mut self, rms: f32) -> Self {
        let mut seed = self.seed;
        self.ears.iter_mut().for_each(|it| *it += random(&mut seed) * rms * 1.7);
        self.seed = seed;
        self
    }

    pub fn pairs(&self) -> Vec<f32> {
        let played = self.reference.iter().copied().chain(std::iter::repeat(0.0));
        self.ears.iter().copied().zip(played).flat_map(|(a, b)| [a, b]).collect()
    }

    /// What is heard of it.
    pub fn heard(&self, hearing: &mut Hearing) -> Vec<Notice> {
        let mut notices = Vec::new();
        hearing.feed(&self.pairs(), &mut notices);
        notices
    }
}

fn random(seed: &mut u32) -> f32 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*seed >> 8) as f32 / 8_388_608.0 - 1.0
}

/// In short: `wake`, `=call mom` (woken), `~answer` (not woken), `?` rejected, `-` nothing.
pub fn short(notices: &[Notice]) -> Vec<String> {
    notices
        .iter()
        .map(|it| match &it.kind {
            Heard::Wake { .. } => "wake".into(),
            Heard::Sentence { text, woken: true, .. } => format!("={text}"),
            Heard::Sentence { text, woken: false, .. } => format!("~{text}"),
            Heard::Open { text, goes_on: true, .. } => format!("{text}..."),
            Heard::Open { text, goes_on: false, .. } => format!("{text}:"),
            Heard::Recorded { .. } => "recorded".into(),
            Heard::Rejected { .. } => "?".into(),
            Heard::Nothing => "-".into(),
            Heard::NearMiss { .. } => "almost".into(),
        })
        .collect()
}
