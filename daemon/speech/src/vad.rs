//! Whether somebody talks, frame by frame, so that silence costs nothing.

/// Samples in one frame: 16 ms, what earshot decides upon.
pub const FRAME: usize = 256;

/// Score from which a frame is voice; earshot's own recommendation.
const VOICE_SCORE: f32 = 0.5;
/// Below this level (dBFS) nothing is voice: rounding noise of a silent card must not open the gate.
const SILENT_DB: f32 = -72.0;
/// A frame this far below the loudest recent ones is a pause, whatever the slow score says: earshot needs 70 to 200 ms to fall after a word.
const PAUSE_BELOW_PEAK_DB: f32 = 21.0;
/// A frame this close to the noise of the room is a pause.
const PAUSE_ABOVE_FLOOR_DB: f32 = 5.0;
/// How fast the remembered loudness falls per frame: 20 dB in 2 s, so that the last words count, not the loudest one of a minute ago.
const PEAK_FALL_DB: f32 = 0.16;
/// How fast the remembered noise of the room rises per frame: 6 dB in 2 s; it falls at once (smoothed).
const FLOOR_RISE_DB: f32 = 0.048;

/// What one frame is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Somebody talks.
    pub voice: bool,
    /// A gap: no voice, or much softer than the words just said.
    pub pause: bool,
    /// Level, dBFS.
    pub level_db: f32,
}

/// Voice activity detector with the loudness that it has seen.
pub struct Vad {
    earshot: Box<earshot::Detector>,
    peak_db: f32,
    floor_db: f32,
}

impl Default for Vad {
    fn default() -> Self {
        Self { earshot: earshot::Detector::default_boxed(), peak_db: -90.0, floor_db: -60.0 }
    }
}

impl Vad {
    /// Judges exactly [`FRAME`] samples.
    pub fn judge(&mut self, samples: &[f32]) -> Frame {
        let level_db = level_db(samples);
        let score = self.earshot.predict_f32(samples);
        let voice = score >= VOICE_SCORE && level_db > SILENT_DB;
        self.peak_db = (self.peak_db - PEAK_FALL_DB).max(if score >= VOICE_SCORE { level_db } else { -90.0 });
        self.floor_db = if level_db < self.floor_db {
            0.7 * self.floor_db + 0.3 * level_db.max(-90.0)
        } else {
            self.floor_db + FLOOR_RISE_DB
        };
        let pause = !voice || level_db < self.peak_db - PAUSE_BELOW_PEAK_DB || level_db < self.floor_db + PAUSE_ABOVE_FLOOR_DB;
        Frame { voice, pause, level_db }
    }
}

/// Root mean square in dBFS, -100 for silence.
pub fn level_db(samples: &[f32]) -> f32 {
    let power = samples.iter().map(|it| it * it).sum::<f32>() / samples.len().max(1) as f32;
    10.0 * (power + 1e-10).log10()
}
