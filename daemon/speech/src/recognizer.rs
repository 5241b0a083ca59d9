//! Vosk behind one small struct: samples in, words with times and confidences out.

use crate::homophones::Spelling;
use crate::model::Model;

/// The word that stands for everything the grammar does not have.
pub const UNKNOWN: &str = "[unk]";

/// A word that was heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// As in the grammar.
    pub text: String,
    /// First sample, counted from the first one that was fed after the start or the last result.
    pub start: u64,
    /// The sample after the last one.
    pub end: u64,
    /// 0 to 1: how much likelier it was than what else the grammar allows there.
    pub confidence: f32,
}

/// A decoder for one grammar.
pub struct Recognizer {
    model: Model,
    /// A sentence in each line: thousands of strings would take twice the memory.
    grammar: String,
    vosk: vosk::Recognizer,
    spelling: Spelling,
    /// Of the model's words.
    generation: u64,
    samples: Vec<i16>,
    /// Samples since the start or the last result.
    fed: u64,
    /// Samples before those; libvosk counts its times from its making.
    before: u64,
}

/// libvosk writes seconds with six digits and counts on for ever: after this many samples (15 minutes) it is made anew, or times would become coarse.
const RENEW_AFTER: u64 = 900 * 16_000;

impl Recognizer {
    /// Makes a recognizer for `phrases`; those with words that the model does not know are left out, and `None` is returned
    /// when nothing is left. A phrase that comes several times is so much likelier.
    pub fn new(model: &Model, phrases: &[String]) -> Option<Self> {
        let mut grammar: Vec<String> = phrases.iter().map(|it| model.sayable(it)).filter(|it| !it.is_empty()).collect();
        // libvosk crashes on an empty grammar.
        if grammar.is_empty() {
            return None;
        }
        if model.knows(UNKNOWN) {
            grammar.push(UNKNOWN.into());
        }
        let (vosk, spelling) = make(model, &grammar)?;
        let generation = model.generation();
        let grammar = grammar.join("\n");
        Some(Self { model: model.clone(), grammar, vosk, spelling, generation, samples: Vec::new(), fed: 0, before: 0 })
    }

    /// Decodes 16 kHz samples between -1 and 1.
    pub fn feed(&mut self, samples: &[f32]) {
        // libvosk tells here whether it sees an endpoint by its own rules; ours are in endpoint.rs.
        for part in samples.chunks(16_000) {
            self.samples.clear();
            self.samples.extend(part.iter().map(|it| (it * 32767.0).clamp(-32768.0, 32767.0) as i16));
            let _ = self.vosk.accept_waveform(&self.samples);
        }
        self.fed += samples.len() as u64;
    }

    /// Samples fed since the start or the last `finish`.
    pub fn fed(&self) -> u64 {
        self.fed
    }

    /// The words so far. Lags the sound by the look-ahead of the model (250 ms or so).
    pub fn partial(&mut self) -> String {
        let text = self.vosk.partial_result().partial.to_owned();
        if self.spelling.is_plain() { text } else { self.spelling.text(text) }
    }

    /// The words so far with their times, and with confidences that are still moving; dearer than [`Recognizer::partial`].
    pub fn partial_words(&mut self) -> Vec<Word> {
        self.vosk.set_partial_words(true);
        let mut words = words(&self.vosk.partial_result().partial_result, self.before);
        self.vosk.set_partial_words(false);
        self.spelling.words(&mut words);
        words
    }

    /// Decodes what the look-ahead held back and gives all words; the next `feed` starts a new utterance at time 0.
    pub fn finish(&mut self) -> Vec<Word> {
        if self.fed == 0 {
            return Vec::new();
        }
        let mut words = match self.vosk.final_result() {
            vosk::CompleteResult::Single(result) => words(&result.result, self.before),
            vosk::CompleteResult::Multiple(_) => Vec::new(),
        };
        self.spelling.words(&mut words);
        self.reset();
        words
    }

    /// Forgets what was fed.
    pub fn reset(&mut self) {
        if self.fed == 0 {
            return;
        }
        self.vosk.reset();
        self.before += self.fed;
        self.fed = 0;
        // One that keeps to words which the model has replaced keeps a second model in memory.
        if (self.before > RENEW_AFTER || self.generation != self.model.generation())
            && let Some((vosk, spelling)) = make(&self.model, &self.grammar.lines().map(str::to_owned).collect::<Vec<_>>())
        {
            self.vosk = vosk;
            self.spelling = spelling;
            self.generation = self.model.generation();
            self.before = 0;
        }
    }
}

fn make(model: &Model, grammar: &[String]) -> Option<(vosk::Recognizer, Spelling)> {
    let (mut vosk, spelling) = model.recognizer(grammar)?;
    vosk.set_words(true);
    vosk.set_partial_words(false);
    Some((vosk, spelling))
}

fn words(from: &[vosk::Word<'_>], before: u64) -> Vec<Word> {
    let sample = |seconds: f32| ((f64::from(seconds) * f64::from(crate::RATE_HZ)).round() as u64).saturating_sub(before);
    from.iter()
        .map(|it| Word {
            text: it.word.to_owned(),
            start: sample(it.start),
            end: sample(it.end),
            confidence: it.conf.clamp(0.0, 1.0),
        })
        .collect()
}
