//! What is listened for now, in all languages that are understood, and what a text is to it.

use std::collections::BTreeSet;

use super::{Intent, Sentences};

/// What the listener needs: sentences in the model's words, lower case, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grammar {
    /// Sentences that count after the wake phrase, or while a window is open: enough of them to teach a recognizer which word may follow which.
    /// There are more, and `judge` knows them.
    pub after_wake: Vec<String>,
    /// Sentences that count without it.
    pub at_once: Vec<String>,
    /// Sentences after which people say what they like; they count after the wake phrase, and what follows is recorded.
    pub open: Vec<String>,
    /// Sentences with as many digits as one likes; they count after the wake phrase.
    pub loops: Vec<Loop>,
    /// Words that cannot be heard.
    pub unknown: BTreeSet<String>,
    /// All that can be said, in each language.
    pub languages: Vec<Sentences>,
}

/// Sentences that begin with `prefix` and go on with one or more of `words`, in any order, as often as one likes. For a bigram grammar
/// such as Vosk's: add `prefix` followed by each word, and each pair of words that may follow one another, or simply each word, as entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loop {
    /// The words before the digits, such as `dial`.
    pub prefix: String,
    /// The words behind them; in some languages the verb comes last.
    pub suffix: String,
    /// The words for digits.
    pub words: Vec<String>,
    /// Those of them that cannot come last, such as `double`.
    pub never_last: Vec<String>,
    /// What is said for several digits at once, such as `forty two`; rarer, so it is enough to add each alone.
    pub numbers: Vec<String>,
}

/// What a text is to a grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// No sentence, nor the beginning of one.
    NotASentence,
    /// The beginning of one.
    Prefix,
    /// A sentence, and no longer one begins with it: nothing is left to wait for.
    Complete,
    /// A sentence, and a longer one begins with it.
    CompleteButExtendable,
}

impl Grammar {
    /// What a text is after the wake phrase (`woken`) or in an open window, or else to what counts at once.
    pub fn judge(&self, text: &str, woken: bool) -> Judgement {
        let words: Vec<&str> = text.split(' ').filter(|it| !it.is_empty()).collect();
        if words.iter().any(|it| self.unknown.contains(*it)) {
            return Judgement::NotASentence;
        }
        let begun = format!("{text} ");
        let mut whole = self.at_once.binary_search_by(|it| it.as_str().cmp(text)).is_ok();
        let mut next =
            self.at_once.iter().skip(self.at_once.partition_point(|it| it < &begun)).take_while(|it| it.starts_with(&begun));
        // For more words that mean the same nobody need wait.
        let mut longer = match whole {
            true => next.any(|it| self.means(it) != self.means(text)),
            false => next.next().is_some() || (text.is_empty() && !self.at_once.is_empty()),
        };
        for language in self.languages.iter().filter(|_| woken) {
            let (found, _) = language.find(&words);
            whole |= found.whole.is_some();
            longer |= found.goes_on();
        }
        match (whole, longer) {
            (false, false) => Judgement::NotASentence,
            (false, true) => Judgement::Prefix,
            (true, false) => Judgement::Complete,
            (true, true) => Judgement::CompleteButExtendable,
        }
    }

    fn means(&self, text: &str) -> Option<Intent> {
        self.languages.iter().find_map(|it| it.meaning(text)).map(|it| it.intent)
    }

    /// Every word in it, for the model to say which it does not know.
    pub fn words(&self) -> BTreeSet<&str> {
        let loops = self.loops.iter().flat_map(|it| it.words.iter().chain(&it.numbers).chain([&it.prefix, &it.suffix]));
        let lists = self.after_wake.iter().chain(&self.at_once).chain(&self.open).chain(loops);
        lists.flat_map(|it| it.split(' ')).filter(|it| !it.is_empty()).collect()
    }

    /// The same without the sentences that have one of these words in them: a recognizer would drop the word and hear another sentence.
    pub fn without(mut self, unknown: &BTreeSet<String>) -> Grammar {
        let known = |text: &String| !text.split(' ').any(|word| unknown.contains(word));
        self.after_wake.retain(known);
        self.at_once.retain(known);
        self.open.retain(known);
        for it in &mut self.loops {
            it.words.retain(known);
            it.numbers.retain(known);
        }
        self.loops.retain(|it| known(&it.prefix) && known(&it.suffix) && !it.words.is_empty());
        self.unknown.extend(unknown.iter().cloned());
        self
    }

    /// The same, and what another language says.
    pub fn with(mut self, other: Grammar) -> Grammar {
        let merge = |ours: &mut Vec<String>, others: Vec<String>| {
            let all: BTreeSet<String> = ours.drain(..).chain(others).collect();
            ours.extend(all);
        };
        merge(&mut self.after_wake, other.after_wake);
        merge(&mut self.at_once, other.at_once);
        merge(&mut self.open, other.open);
        self.loops.extend(other.loops);
        self.unknown.extend(other.unknown);
        self.languages.extend(other.languages);
        self
    }
}
