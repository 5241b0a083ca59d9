//! The second look at a sentence: follows the sound beside the recognizer, with whole sentences only, and tells which of them may have been said.

use std::sync::Arc;

use crate::acoustics::{Acoustics, file};
use crate::history::History;
use crate::mfcc::{self, Mfcc};
use crate::model::{Model, ModelError, tidy};
use crate::net::{Run, SUBSAMPLING};
use crate::network::Network;
use crate::passing::{Candidate, Passing};
use crate::phone_loop::PhoneLoop;
use crate::phones::Pronunciation;
use crate::verdict::{EVIDENCE, Verdict, Weights};
use crate::ways::Ways;

/// Samples of one output of the network: 30 ms.
const STEP: u64 = SUBSAMPLING as u64 * mfcc::SHIFT as u64;
/// Frames of the network that are computed at once.
const BATCH: usize = 4;
/// A sentence may begin so many frames before the end of the wake phrase, for that is not known better, and so many after it: rooms go on for a while.
const BEFORE: i64 = 6;
const BEHIND: i64 = 14;
/// What each frame after it costs.
const LATE_COSTS: f32 = 0.15;

/// See the top.
pub struct SecondLook {
    acoustics: Arc<Acoustics>,
    network: Arc<Network>,
    weights: Weights,
    mfcc: Mfcc,
    /// What the network has not yet taken.
    features: Vec<f32>,
    /// First sample fed, and the next one to be.
    at: Option<(u64, u64)>,
    stream: Stream,
}

/// What has been heard.
#[derive(Clone)]
struct Stream {
    run: Run,
    everything: PhoneLoop,
    passing: Passing,
    /// The frame that comes next.
    next: i64,
    /// Where the sentence may begin; the search does so with the first.
    begins: (i64, i64),
    /// Frames since then, and by how much the likelihood of everything grew with each.
    outputs: Vec<f32>,
    grown: Vec<f32>,
}

/// What was seen up to some moment.
pub struct Seen {
    /// The likeliest first.
    pub candidates: Vec<Candidate>,
    /// Frames since the sentence may have begun.
    n_frames: i64,
    first: i64,
    n_outputs: usize,
    outputs: Vec<f32>,
    grown: Vec<f32>,
}

/// How well the phones of a sentence fit what was heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phones {
    /// For each phone by how much likelier it was than everything else, per frame of its time, from the worst.
    pub means: Vec<f32>,
    /// The same for its whole time, of the worst.
    pub worst_sum: f32,
    /// Of all of them together.
    pub sum: f32,
    /// Frames before the first one.
    pub lead: i64,
}

impl SecondLook {
    /// For these ways, perhaps after one of the wake phrases; `None` if the model is none of ours or nothing can be said.
    pub fn new(model: &Model, ways: &Ways, wakes: &[String]) -> Result<Option<Self>, ModelError> {
        let Some(acoustics) = Acoustics::open(model)? else { return Ok(None) };
        Self::with(model, acoustics, ways, wakes)
    }

    /// The same with what was read of the model already.
    pub fn with(model: &Model, acoustics: Arc<Acoustics>, ways: &Ways, wakes: &[String]) -> Result<Option<Self>, ModelError> {
        let (Some(lexicon), false) = (model.lexicon(), ways.is_empty()) else { return Ok(None) };
        let damaged = |what: String| ModelError::Damaged { file: model.path().join("sentence.txt"), what };
        let weights = match model.path().join("sentence.txt").exists() {
            true => Weights::read(&String::from_utf8_lossy(&file(model, "sentence.txt")?), &EVIDENCE).map_err(damaged)?,
            false => Weights::default(),
        };
        let wakes: Vec<String> = wakes.iter().map(|it| tidy(it)).collect();
        let network = Arc::new(Network::new(ways, &wakes, |word| lexicon.pronounce(word)));
        let stream = Stream {
            run: Run::new(acoustics.net.clone()),
            everything: PhoneLoop::new(acoustics.bigram.n_phones()),
            passing: Passing::new(network.clone()),
            next: 0,
            begins: (0, 0),
            outputs: Vec::new(),
            grown: Vec::new(),
        };
        Ok(Some(Self { acoustics, network, weights, mfcc: Mfcc::default(), features: Vec::new(), at: None, stream }))
    }

    /// Forgets everything.
    pub fn stop(&mut self) {
        self.mfcc.reset();
        self.features.clear();
        self.at = None;
        let stream = &mut self.stream;
        stream.run.reset();
        stream.next = 0;
        stream.begin((0, 0));
    }

    /// Begins at `from`, with a sentence that begins about `to`.
    pub fn begin(&mut self, from: u64, to: u64) {
        self.stop();
        self.at = Some((from, from));
        let about = (to.saturating_sub(from) / STEP) as i64;
        self.stream.begins = if from == to { (0, 0) } else { ((about - BEFORE).max(0), about + BEHIND) };
    }

    /// Looks for a sentence that begins at `from`, where nobody has said anything yet.
    pub fn begin_again(&mut self, from: u64) {
        match self.at {
            Some((start, _)) if from >= start => {
                let at = ((from - start) / STEP) as i64;
                self.stream.begin((at.max(self.stream.next), at.max(self.stream.next)));
            }
            _ => self.begin(from, from),
        }
    }

    /// Takes what came since; begins at `from` if it had not begun.
    pub fn follow(&mut self, from: u64, ears: &History) {
        let from = from.max(ears.start());
        let (start, at) = self.at.unwrap_or((from, from));
        self.at = Some((start, ears.end()));
        ears.each(at, ears.end(), |part| self.mfcc.feed(part, &mut self.features));
        if self.features.len() >= BATCH * SUBSAMPLING as usize * mfcc::DIM {
            self.stream.feed(&self.acoustics, &self.features, false);
            self.features.clear();
        }
    }

    /// What a recording holds, from its first sample to its last.
    pub fn hear(&mut self, samples: &[f32]) -> Seen {
        self.stop();
        Mfcc::default().feed(samples, &mut self.features);
        let features = std::mem::take(&mut self.features);
        features.chunks(SUBSAMPLING as usize * 4 * BATCH * mfcc::DIM).for_each(|it| self.stream.feed(&self.acoustics, it, false));
        self.stream.feed(&self.acoustics, &[], true);
        let seen = self.stream.clone().seen(self.acoustics.net.n_outputs());
        self.stop();
        seen
    }

    /// What may have been said, as if nothing more came: for a pause, in which the network need not look ahead.
    pub fn peek(&self) -> Seen {
        let mut stream = self.stream.clone();
        stream.feed(&self.acoustics, &self.features, true);
        stream.seen(self.acoustics.net.n_outputs())
    }

    /// How sure a verdict is, 0 to 1.
    pub fn confidence(&self, verdict: &Verdict) -> f32 {
        self.weights.confidence(&verdict.evidence)
    }

    /// For how many frames nothing was said after the likeliest sentence, as far as the network has looked.
    pub fn rests(&self) -> i64 {
        let best = self.stream.passing.likeliest_end();
        best.map_or(0, |it| self.stream.next - it)
    }

    /// The sample with which a frame begins.
    pub fn sample(&self, frame: i64) -> u64 {
        self.at.map_or(0, |it| it.0) + frame.max(0) as u64 * STEP
    }

    /// How many phones and places the net of sentences has.
    pub fn size(&self) -> (usize, usize) {
        (self.network.n_nodes(), self.network.n_places())
    }
}

impl Stream {
    fn begin(&mut self, begins: (i64, i64)) {
        self.passing.reset();
        self.everything.reset();
        self.begins = begins;
        self.outputs.clear();
        self.grown.clear();
    }

    fn feed(&mut self, acoustics: &Acoustics, features: &[f32], last: bool) {
        let mut outputs = Vec::new();
        if !features.is_empty() {
            self.run.feed(features, &mut outputs);
        }
        if last {
            self.run.flush(&mut outputs);
        }
        for frame in outputs.chunks_exact(acoustics.net.n_outputs()) {
            let (at, (first, to)) = (self.next, self.begins);
            self.next += 1;
            if at < first {
                continue;
            }
            let worth = self.everything.step(&acoustics.bigram, frame);
            let late = (at - (to - BEHIND)).max(0) as f32;
            self.passing.step(at, frame, worth.grown, (at <= to).then_some(if to > first { LATE_COSTS * late } else { 0.0 }));
            self.outputs.extend_from_slice(frame);
            self.grown.push(worth.grown);
        }
    }

    fn seen(self, n_outputs: usize) -> Seen {
        let candidates = self.passing.candidates();
        let first = self.begins.0;
        Seen { candidates, n_frames: self.next - first, first, n_outputs, outputs: self.outputs, grown: self.grown }
    }
}

impl Seen {
    /// The frame with which a sentence may have begun.
    pub fn first(&self) -> i64 {
        self.first
    }

    /// For how many frames nothing was said after a sentence.
    pub fn rests(&self, it: &Candidate) -> i64 {
        self.first + self.n_frames - it.end
    }

    /// How well the phones of these words fit.
    pub fn phones(&self, words: &[Pronunciation], end: i64) -> Phones {
        let n = ((end - self.first).max(0) as usize).min(self.grown.len());
        align(words, n, |frame, pdf| self.outputs[frame * self.n_outputs + pdf] - self.grown[frame])
    }
}

/// The best times for the phones of words, with or without pauses between them, that end with frame `n`; `gain` tells of an output at a frame by how much
/// likelier it is than everything else.
fn align(words: &[Pronunciation], n: usize, gain: impl Fn(usize, usize) -> f32) -> Phones {
    // Silence before each word.
    let states: Vec<(usize, bool)> =
        words.iter().flat_map(|word| std::iter::once((0, true)).chain(word.iter().map(|it| (usize::from(*it), false)))).collect();
    let (m, worst) = (states.len(), f32::NEG_INFINITY);
    if m < 2 || n == 0 {
        return Phones::default();
    }
    let mut now = vec![worst; m];
    // From which state each came: itself, the one before, or the one before that.
    let mut from: Vec<u8> = vec![0; n * m];
    for frame in 0..n {
        for at in (0..m).rev() {
            let (phone, pause) = states[at];
            let stays = now[at] + gain(frame, 2 * phone + 1);
            let one = if at > 0 { now[at - 1] } else { worst };
            let over = if !pause && at > 1 && states[at - 1].1 { now[at - 2] } else { worst };
            // It may begin at any time.
            let begins = if at < 2 { 0.0 } else { worst };
            let entered = one.max(over).max(begins) + gain(frame, 2 * phone);
            from[frame * m + at] = match (stays >= entered, over > one && over > begins, begins >= one) {
                (true, ..) => 0,
                (_, true, _) => 2,
                (.., true) if at < 2 => 3,
                _ => 1,
            };
            now[at] = stays.max(entered);
        }
    }
    let (mut at, mut frame) = (m - 1, n);
    let mut it = Phones { sum: now[m - 1], ..Phones::default() };
    let mut total = 0.0;
    let mut frames = 0;
    while frame > 0 {
        frame -= 1;
        let how = from[frame * m + at];
        let (phone, pause) = states[at];
        total += gain(frame, 2 * phone + usize::from(how == 0));
        frames += 1;
        if how == 0 && frame > 0 {
            continue;
        }
        if !pause {
            it.means.push(total / frames as f32);
            it.worst_sum = it.worst_sum.min(total);
        }
        (total, frames) = (0.0, 0);
        it.lead = frame as i64;
        match how {
            1 => at -= 1,
            2 => at -= 2,
            _ => break,
        }
    }
    it.means.sort_by(f32::total_cmp);
    it
}
