//! Whom the speaker knows and what it listens for, as the daemon would set it up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use control::action::Scope;
use control::input::Input;
use control::intent::grammar::sentences;
use control::intent::{Grammar, Intent, Judgement, Loop, Said, Wholes, parse};
use control::phrases::Phrases;
use serde::Deserialize;
use speech::verdict::verdict;
use speech::ways::{Class, Framed, Part};
use speech::{Fit, HearingSettings, Listen, Meaning, Model, SecondLook, Sentences, Ways};

/// A path of the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize().expect("the project is there").join(path)
}

/// A folder for what is kept from run to run.
pub fn cache(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project("target"), PathBuf::from);
    let folder = target.join("ears").join(name);
    std::fs::create_dir_all(&folder).expect("a folder beside the build");
    folder
}

/// A file of phrases as written.
#[derive(Deserialize)]
struct PhrasesFile {
    language: String,
    intents: BTreeMap<String, Vec<String>>,
    prompts: BTreeMap<String, String>,
    digits: BTreeMap<String, String>,
    numbers: BTreeMap<String, u8>,
    around: BTreeMap<String, Vec<String>>,
    labels: BTreeMap<String, String>,
    names: BTreeMap<String, Vec<String>>,
}

/// household.yaml, for one language.
#[derive(Clone, Deserialize)]
pub struct Household {
    pub wake: String,
    pub long: Vec<String>,
    pub contacts: String,
}

/// One language of a house.
pub struct House {
    pub household: Household,
    pub grammar: Grammar,
    sentences: control::intent::Sentences,
}

/// household.yaml.
pub fn households() -> BTreeMap<String, Household> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("household.yaml");
    let text = std::fs::read_to_string(file).expect("household.yaml");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("household.yaml: {error}"))
}

impl House {
    pub fn new(language: &str) -> Self {
        let household = households()[language].clone();
        Self::with(language, household, &[])
    }

    /// With exactly these people, each a name.
    pub fn of_people(language: &str, names: &[String]) -> Self {
        Self::of_some(language, names, &[])
    }

    /// The same; those that sound alike to the model are asked about, as the daemon does.
    pub fn of_people_alike(language: &str, names: &[String], model: &Model) -> Self {
        let spoken: BTreeSet<String> = names.iter().map(|it| it.to_lowercase()).collect();
        Self::of_some(language, names, &model.lexicon().map(|it| speech::alike::sets(it, &spoken)).unwrap_or_default())
    }

    fn of_some(language: &str, names: &[String], alike: &[Vec<String>]) -> Self {
        let person = |(i, name): (usize, &String)| format!("person \"{name}\" at sip:p{i}@192.0.2.1");
        let people: Vec<String> = names.iter().enumerate().map(person).collect();
        let contacts = format!("contacts {}", people.join(" "));
        Self::with(language, Household { contacts, ..households()[language].clone() }, alike)
    }

    fn with(language: &str, household: Household, alike: &[Vec<String>]) -> Self {
        let mut contacts = match household.contacts.parse() {
            Ok(Input::Contacts(contacts)) => contacts,
            other => panic!("household.yaml, contacts: {other:?}"),
        };
        contacts.set_sounds_alike(alike);
        let sentences = sentences(&phrases(language), &contacts, &["112".into()]);
        let grammar = sentences.grammar(Scope::Asleep, &[]);
        Self { household, grammar, sentences }
    }

    pub fn meaning(&self, text: &str) -> Option<Intent> {
        parse(text, &self.sentences)
    }

    /// What the listener is told.
    pub fn listen(&self, model: &Model, open_for: Option<Duration>) -> Listen {
        listen(self.known(model), open_for)
    }

    /// What the second look alone makes of a sound: the likeliest text that means something, however unsure.
    pub fn seen(&self, look: &mut SecondLook, sound: &[f32]) -> String {
        let means = |text: &str| self.meaning(text).map(|it| format!("{it:?}"));
        verdict(&look.hear(sound), "", means).map(|it| it.text).unwrap_or_default()
    }

    /// What is left of the grammar with this model.
    pub fn known(&self, model: &Model) -> Grammar {
        self.grammar.clone().without(&model.unknown_words(self.grammar.words()))
    }
}

/// Settings as hark.yaml has them.
pub fn settings(wake_phrases: &[String], listen_for: Duration) -> HearingSettings {
    HearingSettings {
        wake_phrases: wake_phrases.to_vec(),
        min_confidence: 0.5,
        sensitivity: 0.5,
        keep_near_misses: false,
        listen_for,
        gain_db: 0.0,
    }
}

fn phrases(language: &str) -> Phrases {
    let file = project(&format!("configs/phrases/{language}.yaml"));
    let text = std::fs::read_to_string(&file).expect("configs/phrases");
    let it: PhrasesFile = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let PhrasesFile { language, intents, prompts, digits, numbers, around, labels, names } = it;
    Phrases { language, intents, prompts, digits, numbers, around, labels, names }
}

/// As the daemon makes it of a grammar.
fn listen(grammar: Grammar, open_for: Option<Duration>) -> Listen {
    let after_wake = phrases_of(&grammar);
    let at_once: Arc<[String]> = grammar.at_once.clone().into();
    let open = Sentences::list(&grammar.open);
    let ways = Arc::new(ways(grammar.wholes()));
    let grammar = Arc::new(grammar);
    let meant = grammar.clone();
    let judge = |woken: bool| {
        let grammar = grammar.clone();
        Arc::new(move |text: &str| fit(grammar.judge(text, woken)))
    };
    Listen {
        after_wake: Sentences::judged(after_wake, judge(true)),
        at_once: Sentences::judged(at_once, judge(false)),
        open,
        ways,
        meaning: Meaning(Arc::new(move |text: &str| meant.meaning(text))),
        recording: false,
        open_for,
    }
}

/// What a recognizer is made from.
pub fn phrases_of(grammar: &Grammar) -> Arc<[String]> {
    let pairs = |it: &Loop| -> Vec<String> {
        let first = it.words.iter().map(|word| format!("{} {word}", it.prefix));
        let next = it.words.iter().flat_map(|word| it.words.iter().map(move |other| format!("{word} {other}")));
        let last = it.words.iter().filter(|_| !it.suffix.is_empty()).map(|word| format!("{word} {}", it.suffix));
        first.chain(next).chain(last).chain(it.numbers.iter().cloned()).map(|it| it.trim().to_owned()).collect()
    };
    grammar.after_wake.iter().cloned().chain(grammar.loops.iter().flat_map(pairs)).collect()
}

/// What sentences are made of, as the listener has it.
fn ways(wholes: Wholes) -> Ways {
    let part = |it: Said| match it {
        Said::Word(word) => Part::Word(word),
        Said::Any(class) => Part::Class(class),
    };
    let framed = wholes.languages.into_iter().map(|it| Framed {
        leads: it.leads,
        sentences: it.sentences.into_iter().map(|it| it.into_iter().map(part).collect()).collect(),
        trails: it.trails,
    });
    let classes = wholes.classes.into_iter().map(|it| Class { texts: it.texts, repeats: it.repeats });
    Ways { classes: classes.collect(), framed: framed.collect() }
}

fn fit(judgement: Judgement) -> Fit {
    match judgement {
        Judgement::NotASentence => Fit::Not,
        Judgement::Prefix => Fit::Begun,
        Judgement::Complete => Fit::Whole { may_go_on: false },
        Judgement::CompleteButExtendable => Fit::Whole { may_go_on: true },
    }
}
