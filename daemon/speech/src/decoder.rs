//! A recognizer with its place in the sound: it can be begun anywhere in what is remembered, follow, finish, and begin again.

use crate::history::History;
use crate::model::Model;
use crate::recognizer::{Recognizer, UNKNOWN, Word};
use crate::tailored::give_back;

/// Words in the sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// First sample.
    pub start: u64,
    /// The one after the last.
    pub end: u64,
    /// The words.
    pub text: String,
    /// Of the least sure word.
    pub confidence: f32,
}

impl Span {
    /// These words, one after the other.
    pub fn of(words: &[Word]) -> Self {
        Self {
            start: words.first().map_or(0, |it| it.start),
            end: words.last().map_or(0, |it| it.end),
            text: words.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" "),
            confidence: words.iter().map(|it| it.confidence).fold(1.0, f32::min),
        }
    }
}

/// See the top.
pub struct Decoder {
    recognizer: Recognizer,
    /// First sample fed, and the next one to be; `None` when it does not follow.
    at: Option<(u64, u64)>,
    text: String,
    /// When the text became what it is.
    since: u64,
}

impl Decoder {
    /// A decoder for these phrases; `None` if the model knows none of them.
    pub fn new(model: &Model, phrases: &[String]) -> Option<Self> {
        Some(Self { recognizer: Recognizer::new(model, phrases)?, at: None, text: String::new(), since: 0 })
    }

    /// Takes over another one's grammar, keeping the place: what was fed is fed anew.
    pub fn replace(&mut self, other: Self) {
        self.recognizer = other.recognizer;
        // The old one may have been the last that kept an old graph.
        give_back();
        self.at = self.at.map(|(start, _)| (start, start));
    }

    /// Begins at a sample.
    pub fn begin(&mut self, start: u64) {
        self.stop();
        self.at = Some((start, start));
        self.since = start;
    }

    /// Begins where it had begun, and decodes everything since.
    pub fn again(&mut self, ears: &History) {
        let since = self.since;
        let text = std::mem::take(&mut self.text);
        if let Some((start, _)) = self.at {
            self.begin(start);
            self.follow(start, ears);
        }
        if self.text == text {
            self.since = since;
        }
    }

    /// Forgets everything.
    pub fn stop(&mut self) {
        self.recognizer.reset();
        self.text.clear();
        self.at = None;
    }

    /// Decodes up to the newest sample; begins at `from` if it had not begun.
    pub fn follow(&mut self, from: u64, ears: &History) {
        let (start, at) = match self.at {
            Some(it) => it,
            None => {
                self.since = from;
                (from.max(ears.start()), from.max(ears.start()))
            }
        };
        ears.each(at, ears.end(), |part| self.recognizer.feed(part));
        self.at = Some((start, ears.end()));
        let text = self.recognizer.partial();
        if text != self.text {
            self.text = text;
            self.since = ears.end();
        }
    }

    /// Ends the utterance without waiting for the look-ahead: all words, by their place in the sound. `again` or `begin` goes on.
    pub fn finish(&mut self) -> Vec<Word> {
        let Some((start, _)) = self.at else { return Vec::new() };
        let mut words = self.recognizer.finish();
        for word in &mut words {
            word.start += start;
            word.end += start;
        }
        words
    }

    /// What it makes of another signal; to be called after `finish`.
    pub fn text_of(&mut self, signal: &History, from: u64, to: u64) -> String {
        self.recognizer.reset();
        signal.each(from, to, |part| self.recognizer.feed(part));
        let words = self.recognizer.finish();
        words.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The words so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// When the words became what they are.
    pub fn since(&self) -> u64 {
        self.since
    }

    /// Where it began.
    pub fn start(&self) -> u64 {
        self.at.map_or(u64::MAX, |it| it.0)
    }
}

/// The words without unknown ones at both ends.
pub fn plain(text: &str) -> &str {
    let mut text = text;
    while let Some(rest) = text.strip_prefix(UNKNOWN) {
        text = rest.trim_start();
    }
    while let Some(rest) = text.strip_suffix(UNKNOWN) {
        text = rest.trim_end();
    }
    text
}

/// Whether the sentence is part of the text, word by word.
pub fn contains(text: &str, sentence: &str) -> bool {
    format!(" {text} ").contains(&format!(" {sentence} "))
}
