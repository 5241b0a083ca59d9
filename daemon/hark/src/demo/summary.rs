//! What came of the demo: figures, and the files that can be kept.

use std::path::Path;

use anyhow::Context;
use media::RATE_HZ;
use serde::Serialize;

use super::measure;
use super::picture::{self, Band, Lane, Mark};
use super::tape::Track;

/// `summary.json`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The sentences that were understood.
    pub heard: Vec<String>,
    /// What the first one meant.
    pub intent: Option<String>,
    /// Who was meant.
    pub contact: Option<String>,
    /// From the end of the spoken command to the INVITE on the wire.
    pub command_end_to_invite_ms: Option<f64>,
    /// From the INVITE to the answer; mom lets it ring for two seconds.
    pub setup_ms: Option<f64>,
    /// From the person's mouth to mom's ear.
    pub mouth_to_ear_ms: Option<f64>,
    /// Echo return loss enhancement while only mom talked, after the canceller settled.
    pub erle_db: Option<f64>,
    /// Gaps and overruns of the simulated card.
    pub xruns: u64,
    /// Resident memory of the speaker's process.
    pub memory_mb: f64,
    /// Processor time of the speaker's process, of one core; the room's simulation included.
    pub cpu_percent: f64,
    /// `complete`, or what was missing.
    pub result: String,
}

/// The recordings of a scene.
pub struct Recordings {
    /// The microphone, echo and all.
    pub microphone: Track,
    /// After the canceller: what goes to mom.
    pub clean: Track,
    /// What the loudspeaker played.
    pub room_heard: Track,
    /// What mom heard.
    pub mom_heard: Track,
}

/// A piece of the scene, in ns of the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// From here.
    pub from_ns: u64,
    /// To here.
    pub to_ns: u64,
}

impl Recordings {
    /// ERLE over the second half of the piece in which only mom talked: the first half is the canceller's to settle in.
    pub fn erle_db(&self, only_mom: Span) -> Option<f64> {
        let from = only_mom.from_ns + (only_mom.to_ns - only_mom.from_ns) / 2;
        let before = self.microphone.piece(from, only_mom.to_ns);
        let after = self.clean.piece(from, only_mom.to_ns);
        (!before.is_empty() && !after.is_empty()).then(|| measure::erle_db(before, after))
    }

    /// How long after `said_ns` the clip arrived in mom's ear; `None` where it is not found there.
    pub fn mouth_to_ear_ms(&self, clip: &[f32], said_ns: u64) -> Option<f64> {
        // Two seconds of the clip are plenty to find it by.
        let clip = &clip[..clip.len().min(2 * RATE_HZ as usize)];
        let from = usize::try_from(self.mom_heard.index(said_ns)).ok()?;
        let (at, how_well) = measure::find(&self.mom_heard.samples, clip, from, from + RATE_HZ as usize)?;
        (how_well > 0.3).then(|| (at - from) as f64 * 1000.0 / f64::from(RATE_HZ))
    }

    /// Writes the four recordings.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let all = [
            ("microphone.wav", &self.microphone),
            ("microphone-clean.wav", &self.clean),
            ("room-heard.wav", &self.room_heard),
            ("mom-heard.wav", &self.mom_heard),
        ];
        for (name, track) in all {
            media::wav::write(&folder.join(name), &track.samples, RATE_HZ)?;
        }
        Ok(())
    }

    /// The scene as a picture; times are counted from `start_ns`.
    pub fn picture(&self, title: &str, start_ns: u64, bands: &[Band], marks: &[Mark]) -> String {
        let lane = |title: &'static str, colour: &'static str, track: &'_ Track| -> (&'static str, &'static str, f64) {
            (title, colour, (track.start_ns as i64 - start_ns as i64) as f64 / 1e9)
        };
        let all = [
            (lane("microphone", "#8d99ae", &self.microphone), &self.microphone),
            (lane("without echo", "#2a6f97", &self.clean), &self.clean),
            (lane("loudspeaker", "#bc6c25", &self.room_heard), &self.room_heard),
            (lane("mom hears", "#588157", &self.mom_heard), &self.mom_heard),
        ];
        let lanes: Vec<Lane<'_>> = all
            .iter()
            .map(|((title, colour, start_s), track)| Lane { title, colour, samples: &track.samples, start_s: *start_s })
            .collect();
        let seconds = bands.iter().map(|band| band.to_s).fold(1.0, f64::max);
        picture::draw(title, seconds, &lanes, bands, marks)
    }
}

impl Summary {
    /// Writes `summary.json`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(folder.join("summary.json"), text + "\n").context("writing summary.json")
    }

    /// The summary for people.
    pub fn print(&self) {
        let ms = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.0} ms"));
        println!("\nsummary");
        println!("  heard                      {}", self.heard.join(" | "));
        println!("  end of command to INVITE   {}", ms(self.command_end_to_invite_ms));
        println!("  INVITE to answer           {}", ms(self.setup_ms));
        println!("  mouth to ear               {}", ms(self.mouth_to_ear_ms));
        println!("  echo taken away            {}", self.erle_db.map_or("-".to_owned(), |db| format!("{db:.0} dB")));
        println!("  xruns                      {}", self.xruns);
        println!("  memory, processor          {:.0} MB, {:.1} % of a core", self.memory_mb, self.cpu_percent);
        println!("  result                     {}", self.result);
    }
}
