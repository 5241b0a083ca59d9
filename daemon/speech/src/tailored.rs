//! A model of ours: it comes without a graph, and gets one for the words that are needed.

use std::collections::BTreeSet;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once};

use crate::graph::Words;
use crate::homophones::{Homophones, Spelling};
use crate::lexicon::{Lexicon, Spoken};
use crate::model::{ModelError, tidy};
use crate::pronounce::PronounceError;
use crate::recognizer::UNKNOWN;
use crate::{check, graph};

/// See the top.
pub(crate) struct Tailored {
    folder: PathBuf,
    lexicon: Lexicon,
    state: Mutex<State>,
    /// Counts the graphs.
    generation: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Words that the next graph is to have.
    needed: BTreeSet<String>,
    /// The newest graph. Recognizers keep the one that they were made with.
    made: Option<Made>,
}

struct Made {
    vosk: vosk::Model,
    words: BTreeSet<String>,
    homophones: Homophones,
}

impl Tailored {
    /// Checks all files. The graph is made when the first recognizer needs it.
    pub fn open(folder: &Path, languages: &[String]) -> Result<Self, ModelError> {
        let lexicon = Lexicon::open(folder, languages)?;
        check::acoustics(folder, lexicon.phones().len())?;
        Ok(Self { folder: folder.into(), lexicon, state: Mutex::default(), generation: AtomicU64::new(0) })
    }

    pub fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Learns these texts; the next graph has all their words.
    pub fn learn(&self, texts: &[Spoken]) -> Result<(), PronounceError> {
        let result = self.lexicon.learn(texts);
        let mut state = self.state();
        for text in texts.iter().flat_map(|it| std::iter::once(&it.text).chain(&it.sounds_like)) {
            state.needed.extend(tidy(text).split(' ').filter(|it| self.lexicon.can_say(it)).map(str::to_owned));
        }
        result
    }

    /// A recognizer for a grammar of words that can be said, and how its words are written there. Makes a graph where the present one has not all of them.
    pub fn recognizer(&self, grammar: &[String]) -> Result<Option<(vosk::Recognizer, Spelling)>, ModelError> {
        let words: BTreeSet<&str> = grammar.iter().flat_map(|it| it.split(' ')).filter(|it| *it != UNKNOWN).collect();
        let mut state = self.state();
        if !state.made.as_ref().is_some_and(|made| words.iter().all(|it| made.words.contains(*it))) {
            // Nothing is taken away: the recognizers of other grammars are made anew from the same graph.
            state.needed.extend(words.iter().map(|it| (*it).to_owned()));
            // The old one goes first: two at once would take twice the memory.
            state.made = None;
            state.made = Some(self.make(state.needed.clone())?);
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
        let Some(made) = &state.made else { return Ok(None) };
        let sentences: Vec<String> = grammar.iter().map(|it| made.homophones.sentence(it)).collect();
        let vosk = vosk::Recognizer::new_with_grammar(&made.vosk, crate::RATE_HZ as f32, &sentences);
        let made = vosk.map(|it| (it, made.homophones.spelling(grammar)));
        give_back();
        Ok(made)
    }

    fn make(&self, words: BTreeSet<String>) -> Result<Made, ModelError> {
        let folder = Private::new().map_err(|source| ModelError::NotWritten { folder: std::env::temp_dir(), source })?;
        let homophones = self.write(&folder.0, &words)?;
        let vosk = open(&folder.0).ok_or_else(|| ModelError::Refused(self.folder.clone()))?;
        Ok(Made { vosk, words, homophones })
    }

    /// Writes the model with a graph of these words as libvosk reads it; what does not change is linked.
    pub fn write(&self, folder: &Path, words: &BTreeSet<String>) -> Result<Homophones, ModelError> {
        let not_written = |source| ModelError::NotWritten { folder: folder.into(), source };
        let pronounced = words.iter().map(|it| (it.clone(), self.lexicon.pronounce(it)));
        let mut in_graph: Words = pronounced.filter(|it| !it.1.is_empty()).collect();
        let homophones = Homophones::join(&mut in_graph);
        graph::write(&folder.join("graph"), &in_graph, self.lexicon.phones(), self.lexicon.filler()).map_err(not_written)?;
        let model = self.folder.canonicalize().map_err(not_written)?;
        for part in ["am", "conf"] {
            std::os::unix::fs::symlink(model.join(part), folder.join(part)).map_err(not_written)?;
        }
        Ok(homophones)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|it| it.into_inner())
    }
}

/// Opens what was checked. libvosk would tell much on standard error otherwise.
pub(crate) fn open(folder: &Path) -> Option<vosk::Model> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| vosk::set_log_level(vosk::LogLevel::Error));
    vosk::Model::new(folder.to_str()?)
}

/// Gives memory back that only the making of graphs and grammars took; glibc would keep it.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: it takes no pointer and keeps what is in use.
        unsafe { malloc_trim(0) };
    }
}

/// A folder that nobody else can read; it goes when it is dropped.
struct Private(PathBuf);

impl Private {
    fn new() -> std::io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let name = format!("hark-words-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                // Left by a process of that number that was ended; it may be anybody's.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => (),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // What cannot be removed is in a folder that the system empties.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
