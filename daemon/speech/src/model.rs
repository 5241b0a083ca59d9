//! A Vosk model on disk: checked before libvosk sees it, because libvosk only prints why it failed, or crashes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use crate::check;
use crate::homophones::Spelling;
use crate::lexicon::{Lexicon, Spoken};
use crate::pronounce::PronounceError;
use crate::recognizer::UNKNOWN;
use crate::tailored::{self, Tailored};

/// An acoustic model with its words; clones share it.
#[derive(Clone)]
pub struct Model {
    kind: Kind,
    path: PathBuf,
}

#[derive(Clone)]
enum Kind {
    /// Without a graph: it understands any word.
    Ours(Arc<Tailored>),
    /// An official Vosk model with the words that it has. `find_word` of the crate wants `&mut`, although libvosk only reads.
    Official(Arc<RwLock<vosk::Model>>),
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// There is no such folder.
    #[error(
        "speech model `{0}` is not there; set `speech.model` in hark.yaml to the folder of a Vosk model, or leave it out for the built-in one"
    )]
    NoFolder(PathBuf),
    /// The path is a file.
    #[error(
        "speech model `{0}` is not a folder; unpack the model and set `speech.model` in hark.yaml to the folder that holds `am` and `graph`"
    )]
    NotFolder(PathBuf),
    /// A file is not there.
    #[error("speech model `{model}` has no file `{file}`; unpack or install the model again")]
    Missing {
        /// The model's folder.
        model: PathBuf,
        /// The file in it.
        file: String,
    },
    /// A file is not what it should be.
    #[error("speech model file `{file}` {what}; unpack or install the model again")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A line of a text file is not what it should be.
    #[error("speech model file `{file}`, line {line}, column {column}: {what}; correct it or install the model again")]
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// A file cannot be read.
    #[error("speech model file `{file}` cannot be read: {source}; check its owner and permissions")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The model has one big graph and cannot be told what to listen for.
    #[error(
        "speech model `{0}` has a fixed graph (HCLG.fst) and takes no grammar; use one of the small models, they have HCLr.fst and Gr.fst"
    )]
    FixedGraph(PathBuf),
    /// The graph cannot be written.
    #[error(
        "cannot write the graph of the speech model into `{folder}`: {source}; make room there, or set TMPDIR to another folder"
    )]
    NotWritten {
        /// Where.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// libvosk did not take it.
    #[error(
        "libvosk does not take speech model `{0}` although its files look whole; its reason is on standard error; try another model or install it again"
    )]
    Refused(PathBuf),
}

impl Model {
    /// Opens the model in a folder, with all its files checked first; one that can learn words listens for English.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Self::with(path, &["en".to_owned()])
    }

    /// Opens the model in a folder for these languages (BCP 47), the speaker's first. An official model has its own.
    pub fn with(path: &Path, languages: &[String]) -> Result<Self, ModelError> {
        let kind = if path.join("phones.txt").exists() {
            Kind::Ours(Arc::new(Tailored::open(path, languages)?))
        } else {
            check::folder(path)?;
            let vosk = tailored::open(path).ok_or_else(|| ModelError::Refused(path.into()))?;
            Kind::Official(Arc::new(RwLock::new(vosk)))
        };
        Ok(Self { kind, path: path.into() })
    }

    /// The folder it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it says words; `None` for an official model, which has only the words that it has.
    pub fn lexicon(&self) -> Option<&Lexicon> {
        match &self.kind {
            Kind::Ours(it) => Some(it.lexicon()),
            Kind::Official(_) => None,
        }
    }

    /// Learns all that will have to be understood, where the model can; together that is quicker than later, one by one. `unknown_words` tells what
    /// could not be learned, the error why.
    pub fn learn(&self, texts: &[Spoken]) -> Result<(), PronounceError> {
        match &self.kind {
            Kind::Ours(it) => it.learn(texts),
            Kind::Official(_) => Ok(()),
        }
    }

    /// Tells whether the model can hear this word (lower case, as in its words.txt).
    pub fn knows(&self, word: &str) -> bool {
        if word.is_empty() || word.contains('\0') {
            return false;
        }
        match &self.kind {
            Kind::Ours(it) => word == UNKNOWN || it.lexicon().can_say(word),
            // Number 0 is no word, and libvosk crashes on it.
            Kind::Official(it) => it.write().unwrap_or_else(|it| it.into_inner()).find_word(word).is_some_and(|id| id != 0),
        }
    }

    /// The words of these sentences that the model cannot hear.
    pub fn unknown_words<S: AsRef<str>>(&self, sentences: impl IntoIterator<Item = S>) -> BTreeSet<String> {
        let mut words = BTreeSet::new();
        for sentence in sentences {
            words.extend(tidy(sentence.as_ref()).split(' ').filter(|it| !it.is_empty()).map(str::to_owned));
        }
        if let Kind::Ours(it) = &self.kind {
            // Why a word cannot be said is told by `learn`.
            let _ = it.lexicon().learn(&words.iter().map(Spoken::plain).collect::<Vec<_>>());
        }
        words.retain(|it| !self.knows(it));
        words
    }

    /// The sentence as the grammar may have it: lower case, single spaces, nothing that breaks JSON; empty when a word of it is unknown.
    pub(crate) fn sayable(&self, sentence: &str) -> String {
        let text = tidy(sentence);
        // A sentence that lost a word would be another sentence: "call zzyzx" would become "call".
        if text.split(' ').all(|it| it != UNKNOWN && self.knows(it)) { text } else { String::new() }
    }

    /// Writes the model with a graph of these words into a folder, as official models are: for programs that know only such. One that is official already
    /// writes nothing.
    pub fn write_official(&self, folder: &Path, words: &BTreeSet<String>) -> Result<(), ModelError> {
        match &self.kind {
            Kind::Ours(it) => it.write(folder, words).map(drop),
            Kind::Official(_) => Ok(()),
        }
    }

    pub(crate) fn recognizer(&self, grammar: &[String]) -> Option<(vosk::Recognizer, Spelling)> {
        match &self.kind {
            Kind::Ours(it) => it.recognizer(grammar).ok().flatten(),
            Kind::Official(it) => {
                let vosk = it.read().unwrap_or_else(|it| it.into_inner());
                let recognizer = vosk::Recognizer::new_with_grammar(&vosk, crate::RATE_HZ as f32, grammar)?;
                Some((recognizer, Spelling::default()))
            }
        }
    }

    /// Changes when recognizers should be made anew, because the words that they were made from are no longer the newest.
    pub(crate) fn generation(&self) -> u64 {
        match &self.kind {
            Kind::Ours(it) => it.generation(),
            Kind::Official(_) => 0,
        }
    }
}

/// Lower case, single spaces, without what JSON would choke on.
pub(crate) fn tidy(sentence: &str) -> String {
    let clean: String = sentence
        .chars()
        .map(|it| if matches!(it, '"' | '\\' | '/') || it.is_control() { ' ' } else { it })
        .flat_map(char::to_lowercase)
        .collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}
