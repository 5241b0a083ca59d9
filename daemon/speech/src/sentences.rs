//! What may be said: phrases for the recognizer, and a judge for what it made of them.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use crate::model::tidy;

/// How a text fits what may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is no sentence, and cannot become one.
    Not,
    /// It is the beginning of a sentence.
    Begun,
    /// It is a sentence.
    Whole {
        /// It is also the beginning of a longer one.
        may_go_on: bool,
    },
}

/// Judges a text: lower case words, single spaces.
pub type Judge = Arc<dyn Fn(&str) -> Fit + Send + Sync>;

/// Tells what a text means: two that mean the same have the same of it.
#[derive(Clone)]
pub struct Meaning(pub Arc<dyn Fn(&str) -> String + Send + Sync>);

impl Default for Meaning {
    fn default() -> Self {
        Self(Arc::new(str::to_owned))
    }
}

impl fmt::Debug for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meaning")
    }
}

/// The sentences that count; clones share them.
#[derive(Clone)]
pub struct Sentences {
    phrases: Arc<[String]>,
    judge: Judge,
}

impl Sentences {
    /// Exactly these sentences.
    pub fn list<S: AsRef<str>>(sentences: impl IntoIterator<Item = S>) -> Self {
        let list: BTreeSet<String> = sentences.into_iter().map(|it| tidy(it.as_ref())).filter(|it| !it.is_empty()).collect();
        let phrases = list.iter().cloned().collect();
        Self { phrases, judge: Arc::new(move |text| fit(&list, text)) }
    }

    /// Sentences that a list cannot hold, such as numbers of any length: `phrases` teach the recognizer which word may follow which, `judge` has the last word.
    pub fn judged(phrases: Arc<[String]>, judge: Judge) -> Self {
        Self { phrases, judge }
    }

    /// None at all.
    pub fn none() -> Self {
        Self::list::<&str>([])
    }

    /// What the recognizer is made from.
    pub fn phrases(&self) -> &[String] {
        &self.phrases
    }

    /// How a text fits.
    pub fn fit(&self, text: &str) -> Fit {
        if self.phrases.is_empty() { Fit::Not } else { (self.judge)(text) }
    }

    /// Whether the recognizer would be made from the same phrases.
    pub fn same_phrases(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.phrases, &other.phrases) || self.phrases == other.phrases
    }
}

impl fmt::Debug for Sentences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sentences").field(&self.phrases.len()).finish()
    }
}

impl Default for Sentences {
    fn default() -> Self {
        Self::none()
    }
}

fn fit(list: &BTreeSet<String>, text: &str) -> Fit {
    let longer = format!("{text} ");
    let may_go_on = list
        .range::<str, _>((Bound::Included(longer.as_str()), Bound::Unbounded))
        .next()
        .is_some_and(|it| it.starts_with(&longer));
    match list.contains(text) {
        true => Fit::Whole { may_go_on },
        false if may_go_on || text.is_empty() => Fit::Begun,
        false => Fit::Not,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Fit) {
        let it = Sentences::list(["call mom", "call Mom on her mobile", "hang up", "call anna", "call ann"]);
        assert_eq!(it.fit(text), expected, "{text}");
    }

    #[test]
    fn a_sentence_may_be_the_beginning_of_a_longer_one() {
        check("call mom", Fit::Whole { may_go_on: true });
        check("call mom on her mobile", Fit::Whole { may_go_on: false });
        check("call ann", Fit::Whole { may_go_on: false });
        check("hang", Fit::Begun);
        check("", Fit::Begun);
        check("ha", Fit::Not);
        check("call mom on", Fit::Begun);
        check("mom call", Fit::Not);
    }

    #[test]
    fn without_sentences_nothing_fits() {
        assert_eq!(Sentences::none().fit(""), Fit::Not);
        assert_eq!(Sentences::none().fit("call mom"), Fit::Not);
    }
}
