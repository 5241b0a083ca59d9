//! Lets the real ears hear one thing after the other, and tells what came of each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use speech::recognizer::Recognizer;
use speech::{Heard, Hearing, Listen, Model, Notice};

use crate::house::settings;
use crate::mix::MS;

/// How long a window stays open, as in hark.yaml.
pub const LISTEN_FOR: Duration = Duration::from_secs(6);

/// The model under test, opened once for each choice of languages.
pub struct Ears {
    path: PathBuf,
    open: Mutex<BTreeMap<String, Arc<Model>>>,
}

impl Ears {
    pub fn new(path: PathBuf) -> Self {
        Self { path, open: Mutex::default() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// With these languages, such as "en de".
    pub fn model(&self, languages: &str) -> Arc<Model> {
        let mut open = self.open.lock().expect("no other panicked");
        open.entry(languages.to_owned()).or_insert_with(|| Arc::new(self.fresh(languages))).clone()
    }

    /// One that nobody has taught anything yet.
    pub fn fresh(&self, languages: &str) -> Model {
        let languages: Vec<String> = languages.split(' ').map(str::to_owned).collect();
        Model::with(&self.path, &languages).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// What was heard of one utterance.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The sentences that counted.
    pub sentences: Vec<String>,
    /// What was heard in the window and did not count.
    pub rejected: Vec<String>,
    /// Times that the wake phrase was heard.
    pub wakes: usize,
    /// From the end of what was said to the decision, ms.
    pub after_ms: Option<f64>,
    /// And from the end of the wake phrase, as the ears place it, to the notice of it.
    pub wake_after_ms: Option<f64>,
}

/// Real ears that listen for what a house knows.
pub struct Listening {
    hearing: Hearing,
    listen: Listen,
    fed: u64,
}

impl Listening {
    /// `None` where the model does not know the wake phrase.
    pub fn new(model: &Model, wake: &str, listen: Listen) -> Option<Self> {
        let mut hearing = Hearing::new(model, settings(&[wake.to_owned()], LISTEN_FOR)).ok()?;
        hearing.listen(listen.clone());
        Some(Self { hearing, listen, fed: 0 })
    }

    pub fn feed(&mut self, ears: &[f32], notices: &mut Vec<Notice>) {
        let pairs: Vec<f32> = ears.iter().flat_map(|it| [*it, 0.0]).collect();
        pairs.chunks(2 * 10 * MS).for_each(|it| self.hearing.feed(it, notices));
        self.fed += (ears.len() / MS) as u64;
    }

    /// Tells what is weighed.
    pub fn watch(&mut self, watch: speech::hearing::Watch) {
        self.hearing.watch(watch);
    }

    /// Opens a window as a question of the speaker does.
    pub fn open(&mut self) {
        self.hearing.listen(Listen { open_for: Some(LISTEN_FOR), ..self.listen.clone() });
    }

    pub fn close(&mut self) {
        self.hearing.listen(self.listen.clone());
    }

    /// Hears something that ends `end_ms` after its begin, and then quiet until nothing is open any more.
    pub fn hear(&mut self, sound: &[f32], end_ms: f64) -> Answer {
        let (mut notices, begin) = (Vec::new(), self.fed as f64);
        self.feed(sound, &mut notices);
        let quiet = quiet(300);
        while self.hearing.is_open() {
            self.feed(&quiet, &mut notices);
        }
        self.feed(&quiet, &mut notices);
        let mut answer = Answer::default();
        for notice in notices {
            match notice.kind {
                Heard::Wake { .. } => {
                    answer.wakes += 1;
                    answer.wake_after_ms = Some(notice.at_ms as f64 - notice.said_until_ms as f64);
                }
                Heard::Sentence { text, .. } | Heard::Open { text, .. } => {
                    answer.sentences.push(text);
                    answer.after_ms = Some(notice.at_ms as f64 - begin - end_ms);
                }
                Heard::Rejected { text } => answer.rejected.push(format!("{text} {:.2}", notice.confidence)),
                Heard::Nothing => answer.rejected.push("nothing".into()),
                _ => (),
            }
        }
        answer
    }
}

/// As the recognizer alone hears it, without gate and endpoint.
pub fn recognized(recognizer: &mut Recognizer, sound: &[f32]) -> String {
    recognizer.feed(sound);
    let words: Vec<String> = recognizer.finish().into_iter().map(|it| it.text).collect();
    words.join(" ").split("[unk]").collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Quiet as a microphone hears it.
pub fn quiet(ms: usize) -> Vec<f32> {
    let mut random = crate::mix::Random::new("quiet");
    (0..ms * MS).map(|_| 2e-4 * (random.part() - 0.5)).collect()
}
