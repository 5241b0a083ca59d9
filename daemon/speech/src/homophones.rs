//! Words that sound the same. The graph has one of them for all: several would share the probability, and none would be sure. Which one was meant is told
//! by the words beside it.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Words;
use crate::phones::Pronunciation;
use crate::recognizer::Word;

/// Which word stands for which others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Homophones {
    /// A word -> the one that stands for it, where that is another.
    stands: BTreeMap<String, String>,
}

impl Homophones {
    /// Finds the words that share a pronunciation, and leaves one of each in `words`, with the pronunciations of all.
    pub fn join(words: &mut Words) -> Self {
        let mut first: BTreeMap<&Pronunciation, &String> = BTreeMap::new();
        let mut stands: BTreeMap<String, String> = BTreeMap::new();
        for (word, variants) in &*words {
            for variant in variants {
                let other = *first.entry(variant).or_insert(word);
                let (a, b) = (root(&stands, word), root(&stands, other));
                if a != b {
                    let (keeps, goes) = if a < b { (a, b) } else { (b, a) };
                    stands.insert(goes, keeps);
                }
            }
        }
        let others: Vec<String> = stands.keys().cloned().collect();
        let stands: BTreeMap<String, String> = others.iter().map(|it| (it.clone(), root(&stands, it))).collect();
        for (word, keeps) in &stands {
            let variants = words.remove(word).unwrap_or_default();
            let kept = words.entry(keeps.clone()).or_default();
            for variant in variants {
                if !kept.contains(&variant) {
                    kept.push(variant);
                }
            }
        }
        Self { stands }
    }

    /// The word of the graph.
    pub fn of<'a>(&'a self, word: &'a str) -> &'a str {
        self.stands.get(word).map_or(word, String::as_str)
    }

    /// The sentence in words of the graph.
    pub fn sentence(&self, text: &str) -> String {
        text.split(' ').map(|it| self.of(it)).collect::<Vec<_>>().join(" ")
    }

    /// For turning what was recognized back into words of these sentences.
    pub fn spelling(&self, sentences: &[String]) -> Spelling {
        let mut it = Spelling::default();
        for word in sentences.iter().flat_map(|it| it.split(' ')) {
            let all = it.words.entry(self.of(word).to_owned()).or_default();
            if !all.iter().any(|it| it == word) {
                all.push(word.to_owned());
            }
        }
        it.words.retain(|stands, all| all.len() > 1 || all[0] != *stands);
        let doubtful: BTreeSet<&str> = it.words.values().filter(|it| it.len() > 1).flatten().map(String::as_str).collect();
        let mut pairs: BTreeSet<(&str, &str)> = BTreeSet::new();
        for sentence in sentences {
            let words: Vec<&str> = std::iter::once("").chain(sentence.split(' ')).chain([""]).collect();
            let beside = words.windows(2).filter(|it| doubtful.contains(it[0]) || doubtful.contains(it[1]));
            pairs.extend(beside.map(|it| (it[0], it[1])));
        }
        let beside: BTreeSet<&str> = pairs.iter().flat_map(|it| [it.0, it.1]).collect();
        it.beside = beside.iter().map(|it| (*it).into()).collect();
        let number = |word: &str| it.number(word).unwrap_or_default();
        it.pairs = pairs.iter().map(|(last, next)| (number(last), number(next))).collect();
        it
    }
}

fn root(stands: &BTreeMap<String, String>, word: &str) -> String {
    let mut word = word;
    while let Some(next) = stands.get(word) {
        word = next;
    }
    word.to_owned()
}

/// See [`Homophones::spelling`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Spelling {
    /// A word of the graph -> the words of the sentences that it stands for.
    words: BTreeMap<String, Vec<String>>,
    /// Those and the words beside them, sorted; `""` is the beginning and the end.
    beside: Vec<Box<str>>,
    /// Which of them follow which, by their places there, sorted: with many names there are thousands.
    pairs: Vec<(u32, u32)>,
}

impl Spelling {
    /// Whether nothing would be changed.
    pub fn is_plain(&self) -> bool {
        self.words.is_empty()
    }

    /// The words as the sentences have them.
    pub fn words(&self, words: &mut [Word]) {
        let texts: Vec<&str> = words.iter().map(|it| it.text.as_str()).collect();
        let Some(best) = self.best(&texts) else { return };
        for (word, text) in words.iter_mut().zip(best) {
            word.text = text;
        }
    }

    /// The text as the sentences have it.
    pub fn text(&self, text: String) -> String {
        let texts: Vec<&str> = text.split(' ').collect();
        self.best(&texts).map_or(text, |it| it.join(" "))
    }

    /// The words of which most follow one another in some sentence; the earlier ones of the grammar where several do. `None`: as they are.
    fn best(&self, texts: &[&str]) -> Option<Vec<String>> {
        if !texts.iter().any(|it| self.words.contains_key(*it)) {
            return None;
        }
        // Before each word: the best ways to get there, one for each word that it may be.
        let mut ways: Vec<(usize, Vec<String>)> = vec![(0, Vec::new())];
        for text in texts {
            let plain = [(*text).to_owned()];
            let choices = self.words.get(*text).map_or(&plain[..], Vec::as_slice);
            ways = choices
                .iter()
                .filter_map(|word| {
                    best_way(&ways, |last| self.follows(last, word)).map(|(score, way)| {
                        let mut way = way.clone();
                        way.push(word.clone());
                        (score, way)
                    })
                })
                .collect();
        }
        best_way(&ways, |last| self.follows(last, "")).map(|(_, way)| way.clone())
    }

    fn follows(&self, last: &str, next: &str) -> usize {
        let (Some(last), Some(next)) = (self.number(last), self.number(next)) else { return 0 };
        usize::from(self.pairs.binary_search(&(last, next)).is_ok())
    }

    fn number(&self, word: &str) -> Option<u32> {
        self.beside.binary_search_by(|it| (**it).cmp(word)).ok().map(|it| it as u32)
    }
}

/// The first of those with the highest score after one more step.
fn best_way(ways: &[(usize, Vec<String>)], step: impl Fn(&str) -> usize) -> Option<(usize, &Vec<String>)> {
    let mut best: Option<(usize, &Vec<String>)> = None;
    for (score, way) in ways {
        let score = score + step(way.last().map_or("", String::as_str));
        if best.is_none_or(|(highest, _)| score > highest) {
            best = Some((score, way));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let table: [(&str, &[&[u8]]); 8] = [
            ("call", &[&[1]]),
            ("john", &[&[2, 3]]),
            ("jon", &[&[2, 3]]),
            ("smith", &[&[4]]),
            ("baker", &[&[5]]),
            ("to", &[&[6, 7], &[6, 8]]),
            ("two", &[&[6, 7]]),
            ("dial", &[&[9]]),
        ];
        table.into_iter().map(|(word, variants)| (word.to_owned(), variants.iter().map(|it| it.to_vec()).collect())).collect()
    }

    #[test]
    fn what_sounds_the_same_is_one_word_and_its_neighbours_tell_which() {
        let mut graph = words();
        let homophones = Homophones::join(&mut graph);
        assert_eq!(graph.keys().map(String::as_str).collect::<Vec<_>>(), ["baker", "call", "dial", "john", "smith", "to"]);
        assert_eq!(graph["to"].len(), 2);
        let sentences = ["call john smith", "call jon baker", "dial two", "call jon to"].map(str::to_owned);
        assert_eq!(homophones.sentence(&sentences[1]), "call john baker");
        let spelling = homophones.spelling(&sentences);
        for (heard, meant) in [
            ("call john smith", "call john smith"),
            ("call john baker", "call jon baker"),
            ("[unk] call john baker [unk]", "[unk] call jon baker [unk]"),
            ("dial to", "dial two"),
            ("call john to", "call jon to"),
            ("call", "call"),
            ("", ""),
        ] {
            assert_eq!(spelling.text(heard.into()), meant);
        }
    }
}
