//! All that is said and heard in one language, as data: read from `configs/phrases/<language>.yaml` by `hark`.

use std::collections::{BTreeMap, BTreeSet};

use crate::intent::{grammar, pattern};
use crate::prompts;

/// What is named in `names`.
const NAMES: [&str; 3] = ["echo_test", "rooms", "titles"];

/// One language.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phrases {
    /// BCP 47: `en`, `de`, `zh`.
    pub language: String,
    /// For each intent (`dial`, `answer`, ... see `intent.rs`), the ways to say it. `{contact}`, `{label}`, `{digits}`, `{percent}`
    /// are slots; `[words]` may be left out; `(a|b)` is either.
    pub intents: BTreeMap<String, Vec<String>>,
    /// For each prompt (see `prompts.rs`), what the speaker says; `{name}` and such are filled in.
    pub prompts: BTreeMap<String, String>,
    /// Spoken digits: word -> digit or symbol (`oh` -> `0`, `star` -> `*`), several digits (`hundred` -> `00`), and `double` -> `x2`, `triple` -> `x3`.
    pub digits: BTreeMap<String, String>,
    /// Number words up to a hundred: word -> value. For volumes and, from ten on, for telephone numbers.
    pub numbers: BTreeMap<String, u8>,
    /// Labels of addresses: spoken -> as in contacts.yaml (`cell phone` -> `mobile`).
    pub labels: BTreeMap<String, String>,
    /// What may be said around commands: `before` and `after` change nothing, `correct` says that what was understood was wrong.
    pub around: BTreeMap<String, Vec<String>>,
    /// Names: `echo_test` (the first is the one shown and spoken) and `titles` (first words of names that nobody is called by alone: `aunt`).
    pub names: BTreeMap<String, Vec<String>>,
}

impl Phrases {
    /// What is missing or malformed, each as a sentence for the person who wrote the file. Empty when all is well.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (intent, slots) in grammar::INTENTS {
            match self.intents.get(*intent) {
                None => problems.push(format!("intent `{intent}` is missing; add at least one way to say it")),
                Some(ways) if ways.is_empty() => {
                    problems.push(format!("intent `{intent}` is empty; add at least one way to say it"))
                }
                Some(ways) => {
                    for way in ways {
                        problems.extend(pattern::problem(way, slots).map(|what| format!("intent `{intent}`, \"{way}\": {what}")));
                    }
                }
            }
        }
        let known: BTreeSet<_> = grammar::INTENTS.iter().map(|(name, _)| *name).collect();
        problems
            .extend(self.intents.keys().filter(|it| !known.contains(it.as_str())).map(|it| format!("there is no intent `{it}`")));
        for (prompt, slots) in prompts::KEYS {
            match self.prompts.get(*prompt) {
                None => problems.push(format!("prompt `{prompt}` is missing")),
                Some(text) => {
                    problems.extend(prompts::problem(text, slots).map(|what| format!("prompt `{prompt}`, \"{text}\": {what}")))
                }
            }
        }
        let known: BTreeSet<_> = prompts::KEYS.iter().map(|(name, _)| *name).collect();
        problems
            .extend(self.prompts.keys().filter(|it| !known.contains(it.as_str())).map(|it| format!("there is no prompt `{it}`")));
        for (word, digit) in &self.digits {
            let is_key = digit.len() == 1 && digit.contains(|c: char| "0123456789*#+".contains(c));
            let are_keys = (2..=3).contains(&digit.len()) && digit.bytes().all(|it| it.is_ascii_digit());
            if !is_key && !are_keys && !matches!(digit.as_str(), "x2" | "x3") {
                problems
                    .push(format!("digit \"{word}\": `{digit}` is none of 0 to 9, *, #, +, x2, x3, and no two or three digits"));
            }
        }
        problems.extend(
            self.numbers.iter().filter(|(_, n)| **n > 100).map(|(word, n)| format!("number \"{word}\": {n} is above 100")),
        );
        for key in self.around.keys().filter(|it| !grammar::AROUND.contains(&it.as_str())) {
            problems.push(format!("around `{key}`: there is no such place; write one of {}", grammar::AROUND.join(", ")));
        }
        for key in self.names.keys().filter(|it| !NAMES.contains(&it.as_str())) {
            problems.push(format!("name `{key}`: nothing is called by it; write one of {}", NAMES.join(", ")));
        }
        problems.extend(self.ambiguous());
        if self.names.get("echo_test").is_none_or(Vec::is_empty) {
            problems.push("names: `echo_test` is missing; give the built-in contact at least one name".into());
        }
        problems
    }

    /// Sentences that are ways to say two things.
    fn ambiguous(&self) -> Vec<String> {
        let mut said: BTreeMap<Vec<pattern::Piece>, &str> = BTreeMap::new();
        let mut told = BTreeSet::new();
        let mut problems = Vec::new();
        // In writing there are only names.
        for (intent, _) in grammar::INTENTS.iter().filter(|(name, _)| *name != "typed") {
            for way in self.ways(intent) {
                for pieces in pattern::expand(way) {
                    let Some(other) = said.insert(pieces.clone(), intent).filter(|it| it != intent) else { continue };
                    if told.insert((*intent, other, way)) {
                        let text = grammar::shown(&pieces);
                        let what = format!("\"{text}\" is also said for `{other}`, and nobody knows which is meant");
                        problems.push(format!("intent `{intent}`, \"{way}\": {what}; leave it with one of them"));
                    }
                }
            }
        }
        problems
    }

    /// How a label of contacts.yaml is spoken in this language.
    pub(crate) fn spoken_label(&self, label: &str) -> String {
        let known = |(spoken, of): &(&String, &String)| of.eq_ignore_ascii_case(label) && !spoken.eq_ignore_ascii_case(label);
        match self.labels.contains_key(label) {
            true => label.into(),
            false => self.labels.iter().find(known).map_or(label, |(spoken, _)| spoken).into(),
        }
    }

    /// The ways to say an intent, as written.
    pub(crate) fn ways(&self, intent: &str) -> &[String] {
        self.intents.get(intent).map_or(&[], Vec::as_slice)
    }

    /// The names under a key.
    pub(crate) fn names_of(&self, key: &str) -> &[String] {
        self.names.get(key).map_or(&[], Vec::as_slice)
    }
}
