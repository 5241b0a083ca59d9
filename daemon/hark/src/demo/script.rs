//! The scene as written in configs/demo/*.yaml, and its voices.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use speech::say::{self, Voice};

/// The scene that is built in.
const ENGLISH: &str = include_str!("../../../../configs/demo/en.yaml");

/// Who says what.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The contact that is called.
    pub contact: String,
    /// espeak-ng voice of the person in the room.
    pub person_voice: String,
    /// espeak-ng voice of the one who is called.
    pub mom_voice: String,
    /// Wake phrase and command.
    pub dial: String,
    /// Wake phrase and command.
    pub hang_up: String,
    /// How long it rings, seconds.
    pub answer_after: f64,
    /// Mom alone.
    pub mom: String,
    /// The person alone.
    pub person: String,
    /// Mom, while the person talks.
    pub both_mom: String,
    /// The person, while mom talks.
    pub both_person: String,
}

impl Script {
    /// The built-in scene, or the one in `path`.
    ///
    /// # Errors
    /// When the file cannot be read or is no scene.
    pub fn read(path: Option<&Path>) -> anyhow::Result<Script> {
        let (text, name) = match path {
            None => (ENGLISH.to_owned(), "configs/demo/en.yaml".to_owned()),
            Some(path) => (
                std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?,
                path.display().to_string(),
            ),
        };
        serde_saphyr::from_str(&text).with_context(|| format!("{name} is no scene"))
    }
}

/// All that is said, as samples at 48 kHz without silence around it.
pub struct Clips {
    /// See [`Script::dial`].
    pub dial: Vec<f32>,
    /// See [`Script::hang_up`].
    pub hang_up: Vec<f32>,
    /// See [`Script::mom`].
    pub mom: Vec<f32>,
    /// See [`Script::person`].
    pub person: Vec<f32>,
    /// See [`Script::both_mom`].
    pub both_mom: Vec<f32>,
    /// See [`Script::both_person`].
    pub both_person: Vec<f32>,
}

impl Clips {
    /// Speaks them with espeak-ng.
    ///
    /// # Errors
    /// When espeak-ng is missing or fails.
    pub fn speak(script: &Script) -> anyhow::Result<Clips> {
        let person = |text: &str| clip(&script.person_voice, text);
        let mom = |text: &str| clip(&script.mom_voice, text);
        Ok(Clips {
            dial: person(&script.dial)?,
            hang_up: person(&script.hang_up)?,
            mom: mom(&script.mom)?,
            person: person(&script.person)?,
            both_mom: mom(&script.both_mom)?,
            both_person: person(&script.both_person)?,
        })
    }

    /// Where the parts of the talk begin, counted from the moment both are connected.
    pub fn plan(&self) -> Plan {
        let mom = Duration::from_millis(500);
        let person = mom + length(&self.mom) + Duration::from_millis(600);
        let both = person + length(&self.person) + Duration::from_millis(600);
        let end = both + length(&self.both_mom).max(length(&self.both_person)) + Duration::from_millis(900);
        Plan { mom, person, both, end }
    }
}

/// See [`Clips::plan`].
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Mom begins.
    pub mom: Duration,
    /// The person begins.
    pub person: Duration,
    /// Both begin.
    pub both: Duration,
    /// The person hangs up.
    pub end: Duration,
}

/// How long a clip at 48 kHz lasts.
pub fn length(clip: &[f32]) -> Duration {
    Duration::from_secs_f64(clip.len() as f64 / f64::from(media::RATE_HZ))
}

fn clip(voice: &str, text: &str) -> anyhow::Result<Vec<f32>> {
    let voice = Voice { command: ["espeak-ng", "-v", voice, "-s", "155", "--stdout"].map(String::from).to_vec() };
    let (samples, rate_hz) = say::speak(&voice, text, "en").context("speaking the demo's voices")?;
    let mut samples = media::resample::convert(&samples, rate_hz, media::RATE_HZ);
    trim(&mut samples);
    let peak = samples.iter().fold(0.0f32, |peak, s| peak.max(s.abs())).max(1e-6);
    samples.iter_mut().for_each(|s| *s *= 0.5 / peak);
    Ok(samples)
}

/// Cuts what is softer than 1 % of full scale at both ends, so that the end of a clip is the end of the words.
fn trim(samples: &mut Vec<f32>) {
    let loud = |s: &f32| s.abs() > 0.01;
    samples.truncate(samples.iter().rposition(loud).map_or(0, |last| last + 1));
    let first = samples.iter().position(loud).unwrap_or(0);
    samples.drain(..first);
}
