//! Where the wake phrase is in what was recognized. Pure.

use std::collections::BTreeSet;
use std::ops::Range;

/// How often a command after the wake phrase stands in the grammar: who says the phrase most likely goes on with a command, and not with `[unk]`.
const COMMAND_WEIGHT: usize = 8;

/// The last wake phrase in these words.
pub fn find<'a>(wakes: &[Vec<String>], words: impl IntoIterator<Item = &'a str>) -> Option<Range<usize>> {
    let words: Vec<&str> = words.into_iter().collect();
    wakes
        .iter()
        .filter_map(|wake| {
            let at = words.windows(wake.len()).rposition(|it| it.iter().zip(wake).all(|(a, b)| a == b))?;
            Some(at..at + wake.len())
        })
        .max_by_key(|it| (it.end, it.len()))
}

/// What comes after the last wake phrase; everything where there is none.
pub fn after<'a>(wakes: &[Vec<String>], text: &'a str) -> &'a str {
    let Some(range) = find(wakes, text.split(' ')) else { return text };
    text.splitn(range.end + 1, ' ').nth(range.end).unwrap_or("")
}

/// The sentences, and each wake phrase with each way in which they begin: the recognizer learns that they may follow it in one breath.
pub fn joined(wakes: &[String], sentences: &[String]) -> impl Iterator<Item = String> {
    let first: BTreeSet<&str> = sentences.iter().filter_map(|it| it.split(' ').next()).collect();
    let begun = wakes.iter().flat_map(|wake| first.iter().map(move |it| format!("{wake} {it}")));
    let begun: Vec<String> = begun.flat_map(|it| std::iter::repeat_n(it, COMMAND_WEIGHT)).collect();
    sentences.iter().cloned().chain(begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wakes() -> Vec<Vec<String>> {
        ["hello operator", "operator"].iter().map(|it| it.split(' ').map(str::to_owned).collect()).collect()
    }

    #[test]
    fn the_last_and_longest_wake_phrase_counts() {
        for (text, expected) in [
            ("hello operator", Some(0..2)),
            ("hello operator hello operator call mom", Some(2..4)),
            ("[unk] operator", Some(1..2)),
            ("hello mom", None),
            ("", None),
        ] {
            assert_eq!(find(&wakes(), text.split(' ')), expected, "{text}");
        }
    }

    #[test]
    fn the_sentence_is_what_follows() {
        for (text, expected) in [
            ("hello operator call mom", "call mom"),
            ("call mom", "call mom"),
            ("hello operator", ""),
            ("[unk] hello operator hang up [unk]", "hang up [unk]"),
        ] {
            assert_eq!(after(&wakes(), text), expected);
        }
    }
}
