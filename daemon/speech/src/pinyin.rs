//! Chinese characters as pinyin with tone digits ("ni3 hao3"), for voices that cannot read characters. Made by models/train/pinyin.py.

use std::collections::HashMap;
use std::sync::OnceLock;

/// `characters<TAB>syllables`: single characters by their most common reading, and words in which they are read otherwise.
const TABLE: &str = include_str!("../../../models/hark/pinyin.txt");
/// The longest word of the table, in characters.
const LONGEST: usize = 4;

/// The text with its characters as pinyin; what is not in the table stays as it is.
pub fn of(text: &str) -> String {
    let table = table();
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let known = (1..=LONGEST).rev().find_map(|n| {
            let end = rest.char_indices().nth(n).map_or(rest.len(), |(at, _)| at);
            Some((end, *table.get(&rest[..end])?))
        });
        match known {
            Some((end, said)) => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
                out.push_str(said);
                out.push(' ');
                rest = &rest[end..];
            }
            None => {
                out.push(punctuation(first));
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out.trim_end().to_owned()
}

/// Full-width marks as the narrow ones that every voice pauses at.
fn punctuation(mark: char) -> char {
    match mark {
        '\u{3002}' => '.',
        '\u{ff0c}' | '\u{3001}' => ',',
        '\u{ff1f}' => '?',
        '\u{ff01}' => '!',
        '\u{ff1a}' | '\u{ff1b}' => ';',
        other => other,
    }
}

fn table() -> &'static HashMap<&'static str, &'static str> {
    static READ: OnceLock<HashMap<&str, &str>> = OnceLock::new();
    READ.get_or_init(|| TABLE.lines().filter_map(|line| line.split_once('\t')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_become_syllables_and_everything_else_stays() {
        for (text, expected) in [
            ("\u{6b63}\u{5728}\u{547c}\u{53eb}Anna\u{3002}", "zheng4 zai4 hu1 jiao4 Anna."),
            ("\u{5988}, 3", "ma1 , 3"),
            ("Anna", "Anna"),
            ("", ""),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn every_reading_is_a_syllable_with_its_tone() {
        assert!(table().len() > 6_700);
        for (word, said) in table() {
            assert_eq!(said.split(' ').count(), word.chars().count(), "{word}");
            assert!(said.split(' ').all(|it| it.ends_with(|c: char| ('1'..='5').contains(&c))), "{word} {said}");
        }
    }
}
