//! Spoken digits: "oh three oh double four" is 03044.

use crate::phrases::Phrases;

/// The digits that words stand for, or `None` where one of them is no digit, or a `double` has nothing to double.
pub fn digits<'a>(words: impl Iterator<Item = &'a str>, phrases: &Phrases) -> Option<String> {
    let mut said = String::new();
    let mut times = None;
    for word in words {
        match (phrases.digits.get(word)?.as_str(), times) {
            ("x2", None) => times = Some(2),
            ("x3", None) => times = Some(3),
            ("x2" | "x3", Some(_)) => return None,
            ("+", _) if !said.is_empty() || times.is_some() => return None,
            (digit, n) => {
                said.push_str(&digit.repeat(n.unwrap_or(1)));
                times = None;
            }
        }
    }
    (times.is_none() && said.chars().any(|c| c != '+')).then_some(said)
}

/// The words of a number, one for each digit, if the language has them all.
pub fn words(number: &str, phrases: &Phrases) -> Option<String> {
    let word = |digit: char| phrases.digits.iter().find(|(_, it)| it.chars().eq([digit])).map(|(word, _)| word.as_str());
    number.chars().map(word).collect::<Option<Vec<_>>>().map(|it| it.join(" "))
}
