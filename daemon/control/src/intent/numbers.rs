//! Spoken digits: "oh three oh double four" is 03044, and "forty two" is 42.

use std::collections::BTreeMap;

use crate::phrases::Phrases;

/// No number is spoken in more words.
const MOST_WORDS: usize = 4;

/// What words are as digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// These digits.
    Whole(String),
    /// The beginning of some: another word must follow.
    Begun,
    /// No digits.
    Not,
}

/// The words for digits of a language -> the digits: one each, and numbers that are spoken in one piece.
pub fn dictionary(phrases: &Phrases) -> BTreeMap<String, String> {
    let spoken = |n: u8| n.to_string();
    let numbers = phrases.numbers.iter().filter(|(_, n)| **n > 9).map(|(word, n)| (word.clone(), spoken(*n)));
    numbers.chain(phrases.digits.clone()).collect()
}

/// The digits that words stand for; where several pieces fit, the longest.
pub fn digits(words: &[&str], dictionary: &BTreeMap<String, String>) -> Said {
    let mut said = String::new();
    let mut times = None;
    let mut at = 0;
    while at < words.len() {
        let most = MOST_WORDS.min(words.len() - at);
        let piece = (1..=most).rev().find_map(|n| Some((n, dictionary.get(&words[at..at + n].join(" "))?)));
        let Some((n, digit)) = piece else {
            let begun = format!("{} ", words[at..].join(" "));
            let longer = dictionary.range(begun.clone()..).next().is_some_and(|(it, _)| it.starts_with(&begun));
            return if longer { Said::Begun } else { Said::Not };
        };
        match (digit.as_str(), times) {
            ("x2", None) => times = Some(2),
            ("x3", None) => times = Some(3),
            ("x2" | "x3", Some(_)) => return Said::Not,
            ("+", _) if !said.is_empty() || times.is_some() => return Said::Not,
            (digit, Some(_)) if digit.len() > 1 => return Said::Not,
            (digit, n) => {
                said.push_str(&digit.repeat(n.unwrap_or(1)));
                times = None;
            }
        }
        at += n;
    }
    match times.is_none() && said.chars().any(|c| c != '+') {
        true => Said::Whole(said),
        false => Said::Begun,
    }
}

/// The words of a number, one for each digit, if the language has them all.
pub fn words(number: &str, phrases: &Phrases) -> Option<String> {
    let word = |digit: char| phrases.digits.iter().find(|(_, it)| it.chars().eq([digit])).map(|(word, _)| word.as_str());
    number.chars().map(word).collect::<Option<Vec<_>>>().map(|it| it.join(" "))
}
