//! Listens for the wake phrases in a stream of sound, with a model of ours: features, network, search, in steps as they come.

use std::sync::Arc;

use crate::acoustics::{Acoustics, file};
use crate::background::{APART, Background};
use crate::history::History;
use crate::mfcc::{self, Mfcc};
use crate::model::{Model, ModelError, tidy};
use crate::net::{Run, SUBSAMPLING};
use crate::phone_loop::Bigram;
use crate::spot::{Phrase, Said, Searches, Sighting};
use crate::weigh::Weights;

/// Samples of one output of the network: 30 ms.
const STEP: u64 = SUBSAMPLING as u64 * mfcc::SHIFT as u64;
/// Frames of the network that are computed at once: 120 ms, so that its matrices are fetched eight times a second and not every time.
const BATCH: usize = 4;
/// Once it was said, a phrase may seem a little surer with the next frames; after so many without, it is over.
const SETTLES: i64 = 2;
/// What is less sure than this was never meant.
const LEAST: f32 = 0.01;

/// A phrase that seems to have been said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spotted {
    /// Number of the phrase.
    pub phrase: usize,
    /// First sample.
    pub start: u64,
    /// The one after the last.
    pub end: u64,
    /// 0 to 1.
    pub confidence: f32,
}

/// What does not change while listening.
struct Fixed {
    acoustics: Arc<Acoustics>,
    bigram: Bigram,
    phrases: Vec<Phrase>,
    weights: Weights,
    /// Of each phrase, the score from which on it counts.
    thresholds: Vec<f32>,
}

/// What has been heard.
#[derive(Clone)]
struct Stream {
    run: Run,
    searches: Searches,
}

/// See the top.
pub struct Spotter {
    fixed: Arc<Fixed>,
    mfcc: Mfcc,
    stream: Stream,
    /// What the network has not yet taken.
    features: Vec<f32>,
    /// First sample fed, and the next one to be.
    at: Option<(u64, u64)>,
    best: Option<Sure>,
    /// The newest frame of the network.
    newest: i64,
}

#[derive(Clone, Copy)]
struct Sure {
    sighting: Sighting,
    confidence: f32,
}

impl Spotter {
    /// Listens for these phrases; `None` if the model is none of ours.
    pub fn new(model: &Model, phrases: &[String]) -> Result<Option<Self>, ModelError> {
        let (Some(lexicon), Some(acoustics)) = (model.lexicon(), Acoustics::open(model)?) else { return Ok(None) };
        let damaged = |name: &str| {
            let file = model.path().join(name);
            move |what: String| ModelError::Damaged { file: file.clone(), what }
        };
        let weights = match model.path().join("wake.txt").exists() {
            true => Weights::read(&String::from_utf8_lossy(&file(model, "wake.txt")?)).map_err(damaged("wake.txt"))?,
            false => Weights::default(),
        };
        // In any language: a house may speak others than the speaker listens for.
        let bigram = Bigram::new(&lexicon.all_talk()?, lexicon.phones().len());
        let said = |phrase: &String| tidy(phrase).split(' ').map(|word| lexicon.pronounce(word)).collect::<Said>();
        let phrases: Vec<Phrase> = phrases.iter().map(|it| Phrase::new(&said(it), &bigram)).collect();
        let thresholds = match model.path().join("background.bin").exists() {
            true => {
                let bytes = file(model, "background.bin")?;
                let talk = Background::read(&bytes, acoustics.net.n_outputs()).map_err(damaged("background.bin"))?;
                let (hours, scores) = (talk.hours(), talk.scores(&bigram, &phrases, &weights));
                let threshold = |(mut it, phrase): (Vec<f32>, &Phrase)| weights.threshold(&mut it, hours, phrase.length());
                scores.into_iter().zip(&phrases).map(threshold).collect()
            }
            false => vec![weights.floor(); phrases.len()],
        };
        let stream = Stream { run: Run::new(acoustics.net.clone()), searches: Searches::new(&bigram, &phrases) };
        Ok(Some(Self {
            fixed: Arc::new(Fixed { acoustics, bigram, phrases, weights, thresholds }),
            mfcc: Mfcc::default(),
            stream,
            features: Vec::new(),
            at: None,
            best: None,
            newest: 0,
        }))
    }

    /// What it knows of sounds.
    pub fn acoustics(&self) -> Arc<Acoustics> {
        self.fixed.acoustics.clone()
    }

    /// Forgets everything.
    pub fn stop(&mut self) {
        self.mfcc.reset();
        self.stream.run.reset();
        self.stream.searches.reset();
        self.features.clear();
        (self.at, self.best, self.newest) = (None, None, 0);
    }

    /// Takes what came since; begins at `from` if it had not begun. Tells the surest sighting once it is over.
    pub fn follow(&mut self, from: u64, ears: &History) -> Option<Spotted> {
        let (start, at) = self.at.unwrap_or((from.max(ears.start()), from.max(ears.start())));
        self.at = Some((start, ears.end()));
        ears.each(at, ears.end(), |part| self.mfcc.feed(part, &mut self.features));
        if self.features.len() < BATCH * SUBSAMPLING as usize * mfcc::DIM {
            return None;
        }
        let (mut outputs, mut best) = (Vec::new(), self.best);
        self.stream.run.feed(&self.features, &mut outputs);
        self.features.clear();
        let fixed = &self.fixed;
        self.stream.searches.feed(&fixed.bigram, &fixed.phrases, &outputs, |it| surer(&mut best, it, fixed));
        self.newest += (outputs.len() / self.fixed.acoustics.net.n_outputs()) as i64;
        self.best = best;
        let over = self.best.take_if(|it| self.newest - it.sighting.end >= SETTLES)?;
        Some(spotted(over, start))
    }

    /// Tells the surest sighting as if nothing more came: for a pause, in which the network need not look ahead.
    pub fn peek(&self) -> Option<Spotted> {
        let (start, _) = self.at?;
        let (mut stream, mut outputs, mut best) = (self.stream.clone(), Vec::new(), self.best);
        stream.run.feed(&self.features, &mut outputs);
        stream.run.flush(&mut outputs);
        let fixed = &self.fixed;
        stream.searches.feed(&fixed.bigram, &fixed.phrases, &outputs, |it| surer(&mut best, it, fixed));
        best.map(|it| spotted(it, start))
    }

    /// How sure it is that a phrase is in these samples; `None` stands for any phrase.
    pub fn confidence_in(&self, samples: &[f32], phrase: Option<usize>) -> f32 {
        let all = self.sightings(samples).into_iter();
        all.filter(|it| phrase.is_none_or(|phrase| it.phrase == phrase)).map(|it| it.confidence).fold(0.0, f32::max)
    }

    /// Every place of a recording where a phrase may have been said, at most one a second for each phrase, however unsure.
    pub fn sightings(&self, samples: &[f32]) -> Vec<Spotted> {
        let mut features = Vec::new();
        Mfcc::default().feed(samples, &mut features);
        let mut run = Run::new(self.fixed.acoustics.net.clone());
        let mut outputs = Vec::new();
        features.chunks(SUBSAMPLING as usize * 4 * BATCH * mfcc::DIM).for_each(|it| run.feed(it, &mut outputs));
        run.flush(&mut outputs);
        let mut best: Vec<Option<Sure>> = vec![None; self.fixed.phrases.len()];
        let mut all = Vec::new();
        let mut searches = Searches::new(&self.fixed.bigram, &self.fixed.phrases);
        searches.feed(&self.fixed.bigram, &self.fixed.phrases, &outputs, |it| {
            let best = &mut best[it.phrase];
            if let Some(over) = best.take_if(|old| it.end >= old.sighting.end + APART) {
                all.push(spotted(over, 0));
            }
            surer(best, it, &self.fixed);
        });
        all.extend(best.into_iter().flatten().map(|it| spotted(it, 0)));
        all
    }
}

fn surer(best: &mut Option<Sure>, sighting: Sighting, fixed: &Fixed) {
    let score = fixed.weights.score(&sighting.evidence) - fixed.thresholds[sighting.phrase];
    let confidence = 1.0 / (1.0 + (-score).exp());
    if confidence >= best.map_or(LEAST, |it| it.confidence) {
        *best = Some(Sure { sighting, confidence });
    }
}

fn spotted(it: Sure, from: u64) -> Spotted {
    let sample = |frame: i64| from + frame.max(0) as u64 * STEP;
    let (start, end) = (sample(it.sighting.start), sample(it.sighting.end));
    Spotted { phrase: it.sighting.phrase, start, end, confidence: it.confidence }
}
