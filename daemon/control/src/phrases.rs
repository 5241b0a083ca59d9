//! All that is said and heard in one language, as data: read from configs/phrases/<language>.yaml by `hark`.

use std::collections::BTreeMap;

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
    /// Spoken digits: word -> digit or symbol (`oh` -> `0`, `star` -> `*`), and `double` -> `x2`, `triple` -> `x3`.
    pub digits: BTreeMap<String, String>,
    /// Number words up to a hundred: word -> value. For volumes.
    pub numbers: BTreeMap<String, u8>,
    /// Labels of addresses: spoken -> as in contacts.yaml (`cell phone` -> `mobile`).
    pub labels: BTreeMap<String, String>,
}
