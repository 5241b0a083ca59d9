//! The lists of the model that comes with Hark agree with each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

const LANGUAGES: [&str; 3] = ["en", "de", "zh"];

fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/hark").join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn phones() -> BTreeSet<String> {
    read("phones.txt").lines().map(str::to_owned).collect()
}

/// Every phone of these lines' second column has a line in phones.txt, and is no silence.
fn check_phones(name: &str) {
    let known = phones();
    for (n, line) in read(name).lines().enumerate() {
        let mut columns = line.split('\t');
        assert!(columns.next().is_some_and(|it| !it.is_empty()), "{name}:{}: nothing before the tab", n + 1);
        let right = columns.next().unwrap_or_else(|| panic!("{name}:{}: no tab", n + 1));
        for phone in right.split_whitespace() {
            assert!(known.contains(phone) && phone != "SIL", "{name}:{}: `{phone}`", n + 1);
        }
    }
}

#[test]
fn phones_differ_and_silence_is_the_first() {
    let listed = read("phones.txt");
    assert_eq!(listed.lines().next(), Some("SIL"));
    assert_eq!(phones().len(), listed.lines().count());
}

#[test]
fn symbols_and_words_are_spelled_in_known_phones() {
    check_phones("ipa.txt");
    for language in LANGUAGES {
        check_phones(&format!("lexicon/{language}.txt"));
    }
}

#[test]
fn no_symbol_is_read_in_two_ways() {
    let mut seen = BTreeSet::new();
    for line in read("ipa.txt").lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        assert!(seen.insert((columns[0].to_owned(), columns.get(2).unwrap_or(&"").to_string())), "{line}");
    }
}

#[test]
fn the_english_list_has_twenty_thousand_words_and_the_chinese_one_every_common_character() {
    let words = |language: &str| -> BTreeSet<String> {
        read(&format!("lexicon/{language}.txt")).lines().filter_map(|it| Some(it.split_once('\t')?.0.to_owned())).collect()
    };
    assert!(words("en").len() >= 20_000);
    let zh = words("zh");
    for char in "的一是不了人我在有他这中大来上国个到说们电话给打妈爸奶爷".chars() {
        assert!(zh.contains(&char.to_string()), "{char}");
    }
}

#[test]
fn each_phone_bigram_is_square_and_its_rows_add_up_to_one() {
    let n = phones().len();
    for language in LANGUAGES {
        let rows: Vec<Vec<f64>> = read(&format!("lm/{language}.txt"))
            .lines()
            .map(|line| line.split(' ').map(|it| it.parse().expect("a number")).collect())
            .collect();
        assert_eq!(rows.len(), n, "{language}");
        for (previous, row) in rows.iter().enumerate() {
            assert_eq!(row.len(), n, "{language}, row {previous}");
            let sum: f64 = row.iter().map(|it| it.exp()).sum();
            let silent = row.iter().all(|it| *it == -99.0);
            assert!(silent || (0.9..1.1).contains(&sum), "{language}, row {previous}: {sum}");
        }
        assert!(rows.iter().all(|row| row[0] == -99.0), "{language}: silence is no phone of a word");
    }
}
