//! The household of the tests, and the phrases as they ship.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::Path;

use control::action::History;
use control::contacts::Contacts;
use control::input::Input;
use control::phrases::Phrases;
use control::speaker::{Settings, Speaker};
use serde::Deserialize;

/// As a speaker in a kitchen has it: one account, direct calls, the echo test.
pub const SETTINGS: &str = r#"settings kitchen en 30 6 0.5 0.75 50 60 70 off wake "hello operator"
    line fritzbox domain fritz.box country-code 49 emergency 112 emergency 110 line direct line builtin
    house kitchen s1 floor "ground floor" group downstairs
        drop-in bedroom listen-in "living room"
        quiet 1320 420 except Mom quiet 780 840 on sun of Dad"#;

pub const CONTACTS: &str = r#"contacts
    person Mom alias Mum at sip:mom@home.example label home for 20 at tel:030123456 label mobile for 25 group family
    person Dad at sip:dad@example.org group family
    person "Anna Smith" at sip:anna.smith@fritz.box
    person "Anna Jones" at sip:anna@jones.example
    person Bob alias Bobby at sip:bob@example.org
    person Rob at sip:rob@example.org
    person Siobhan sounds-like "she vaughn" language ga at sip:siobhan@example.org
    person "Aunt Mary" at tel:089555666 at sip:mary@example.org group family"#;

/// A file of phrases as written; `hark` has a reader of its own that tells the line of each mistake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    language: String,
    intents: BTreeMap<String, Vec<String>>,
    prompts: BTreeMap<String, String>,
    digits: BTreeMap<String, String>,
    numbers: BTreeMap<String, u8>,
    around: BTreeMap<String, Vec<String>>,
    labels: BTreeMap<String, String>,
    names: BTreeMap<String, Vec<String>>,
}

pub fn phrases(language: &str) -> Phrases {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../configs/phrases/{language}.yaml"));
    let text = std::fs::read_to_string(&path).unwrap();
    let it: File = serde_saphyr::from_str(&text).unwrap_or_else(|err| panic!("{language}.yaml: {err}"));
    let File { language, intents, prompts, digits, numbers, around, labels, names } = it;
    Phrases { language, intents, prompts, digits, numbers, around, labels, names }
}

pub fn settings() -> Settings {
    match SETTINGS.replace('\n', " ").parse() {
        Ok(Input::Settings(settings)) => *settings,
        other => panic!("{other:?}"),
    }
}

pub fn contacts() -> Contacts {
    contacts_from(CONTACTS)
}

pub fn contacts_from(text: &str) -> Contacts {
    match text.replace('\n', " ").parse() {
        Ok(Input::Contacts(contacts)) => contacts,
        other => panic!("{other:?}"),
    }
}

/// `en`, or `en zh` for one that is spoken to in both.
pub fn speaker(languages: &str) -> Speaker {
    let mut languages = languages.split(' ').map(phrases);
    let primary = languages.next().unwrap();
    Speaker::of_languages(settings(), contacts(), primary, languages.collect(), History::default())
}
