//! How words are said, whatever they are and however they are written; and lists with mistakes.

use std::path::{Path, PathBuf};

use speech::{Lexicon, Spoken};

fn built_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/hark")
}

fn lexicon(languages: &str) -> Lexicon {
    let languages: Vec<String> = languages.split(' ').map(str::to_owned).collect();
    Lexicon::open(&built_in(), &languages).unwrap()
}

fn said(lexicon: &Lexicon, word: &str) -> Vec<String> {
    lexicon.pronounce(word).iter().map(|it| lexicon.phones().spelled(it)).collect()
}

#[test]
fn every_name_can_be_said() {
    for languages in ["en", "de", "zh", "en zh", "fr"] {
        let lexicon = lexicon(languages);
        for name in [
            "Siobhán",
            "O'Brien",
            "Jean-Luc",
            "Müller",
            "王小明",
            "Дмитрий",
            "Łódź",
            "محمد",
            "さくら",
            "민준",
            "Zzyzx",
            "3",
            "Nguyễn",
        ] {
            assert!(!lexicon.pronounce(name).is_empty(), "{name} ({languages})");
        }
        for nothing in ["", " ", "...", "[unk]", "<eps>", "#0", "a\0b"] {
            assert!(lexicon.pronounce(nothing).is_empty(), "{nothing:?}");
        }
    }
}

#[test]
fn a_name_is_said_in_its_own_language_too() {
    let lexicon = lexicon("en");
    let irish = Spoken { text: "Siobhán".into(), language: Some("ga".into()), ..Spoken::default() };
    lexicon.learn([&irish]).unwrap();
    let all = said(&lexicon, "siobhán");
    assert!(all.contains(&"SH IH V AO N".into()) && all.len() >= 2, "{all:?}");
    assert_eq!(said(&lexicon, "王小明"), ["W A NG SH Y AW M IY NG"]);
    assert_eq!(said(&lexicon, "renée"), said(&lexicon, "renee"));
}

#[test]
fn what_somebody_wrote_stands_for_what_the_rules_guess() {
    let lexicon = lexicon("en");
    let name = Spoken { text: "Aoife Smith".into(), language: None, sounds_like: vec!["ee fa smith".into()] };
    lexicon.learn([&name]).unwrap();
    assert_eq!(said(&lexicon, "aoife"), ["IY F AA"]);
    assert_eq!(said(&lexicon, "smith"), ["S M IH TH"]);
    assert_eq!(
        ["aoife's", "smith's", "marge's"].map(|it| said(&lexicon, it)[0].clone()),
        ["IY F AA Z", "S M IH TH S", "M AA R JH IH Z"]
    );
    let name = Spoken { text: "Anna".into(), language: None, sounds_like: vec!["on a".into()] };
    let before = said(&lexicon, "anna");
    lexicon.learn([&name]).unwrap();
    let after = said(&lexicon, "anna");
    assert!(after.len() > before.len() && before.iter().all(|it| after.contains(it)), "{before:?} {after:?}");
}

#[test]
fn a_language_that_espeak_ng_does_not_have_is_told_and_the_name_said_nevertheless() {
    let lexicon = lexicon("en");
    let name = Spoken { text: "Xyzzy".into(), language: Some("tlh-x".into()), ..Spoken::default() };
    let error = lexicon.learn([&name]).unwrap_err().to_string();
    assert_eq!(error, "espeak-ng has no voice for `tlh`; correct `language`");
    assert!(!lexicon.pronounce("xyzzy").is_empty());
}

/// A small model's lists, of which one may be another; removed at the end.
struct Lists(PathBuf);

impl Lists {
    fn new(name: &str, file: &str, text: &[u8]) -> Self {
        let folder = std::env::temp_dir().join(format!("hark-lists-{}-{name}", std::process::id()));
        for (path, whole) in [
            ("phones.txt", "SIL\nA\nB\n"),
            ("ipa.txt", "a\tA\nb\tB\nː\t\nab\tB A\tde\n"),
            ("lm/en.txt", "-99 -0.7 -0.7\n-99 -0.7 -0.7\n-99 -0.7 -99\n"),
            ("lexicon/en.txt", "ab\tA B\nba\tB A\n"),
        ] {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, if path.ends_with(file) { text } else { whole.as_bytes() }).unwrap();
        }
        Self(folder)
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn check(name: &str, file: &str, text: &[u8], expected: &str) {
    let lists = Lists::new(name, file, text);
    let error = Lexicon::open(&lists.0, &["en".into()]).err().map_or("none".into(), |it| it.to_string());
    let expected = format!("speech model file `{}`{expected}", lists.0.join(file).display());
    assert!(error.starts_with(&expected), "{name}\n    {error}\nnot {expected}");
}

#[test]
fn mistakes_in_the_lists_are_named_with_their_place() {
    assert!(Lexicon::open(&Lists::new("whole", "none", b"").0, &["en".into()]).is_ok());
    let end = "; correct it or install the model again";
    for (name, file, text, expected) in [
        ("silence", "phones.txt", &b"A\nB\n"[..], ", line 1, column 1: the first phone must be `SIL`, and others follow"),
        ("twice", "phones.txt", b"SIL\nA\nA\n", ", line 3, column 1: phone `A` is there twice"),
        ("blank", "phones.txt", b"SIL\n\nA\n", ", line 2, column 1: `` is no name of a phone"),
        ("phone", "lexicon/en.txt", "ab\tA B\nbäa\tB C\n".as_bytes(), ", line 2, column 7: there is no phone `C` in phones.txt"),
        ("silent", "lexicon/en.txt", b"ab\tA SIL\n", ", line 1, column 6: there is no phone `SIL` in phones.txt"),
        ("no tab", "lexicon/en.txt", b"ab A B\n", ", line 1, column 1: a line is a word, a tab and its phones"),
        ("no phones", "lexicon/en.txt", b"ab\t\n", ", line 1, column 4: `ab` has no phones"),
        ("utf", "lexicon/en.txt", b"ab\tA\nx\xff\tA\n", ", line 2, column 2: this is not UTF-8"),
        (
            "columns",
            "ipa.txt",
            b"a\tA\nb\n",
            ", line 2, column 1: a line is a symbol, a tab and phones, and perhaps a tab and a language",
        ),
        ("symbol", "ipa.txt", b"a\tA\nb\tB X\n", ", line 2, column 5: there is no phone `X` in phones.txt"),
        ("number", "lm/en.txt", b"-99 -0.7 -0,7\n", ", line 1, column 10: `-0,7` is no logarithm of a probability"),
        ("above", "lm/en.txt", b"-99 0.7 -0.7\n", ", line 1, column 5: `0.7` is no logarithm of a probability"),
        ("short", "lm/en.txt", b"-99 -0.7\n", ", line 1, column 9: there are 2 numbers, 3 phones need 3"),
        ("long", "lm/en.txt", b"-1 -1 -1 -1\n", ", line 1, column 10: there are more than 3 numbers by 3 lines"),
        ("cut", "lm/en.txt", b"-99 -0.7 -0.7\n", ", line 2, column 1: there are 1 lines, 3 phones need 3"),
    ] {
        check(name, file, text, &format!("{expected}{end}"));
    }
    check("empty", "ipa.txt", b"", " is empty; unpack or install the model again");
    check("binary", "phones.txt", b"SIL\0A", " is not a text file; unpack or install the model again");
}

#[test]
fn lists_that_are_not_there_are_named() {
    let lists = Lists::new("missing", "none", b"");
    for file in ["phones.txt", "ipa.txt", "lexicon/en.txt", "lm/en.txt"] {
        let text = std::fs::read(lists.0.join(file)).unwrap();
        std::fs::remove_file(lists.0.join(file)).unwrap();
        let error = Lexicon::open(&lists.0, &["en".into()]).err().unwrap().to_string();
        assert!(error.ends_with(&format!("has no file `{file}`; unpack or install the model again")), "{error}");
        std::fs::write(lists.0.join(file), text).unwrap();
    }
}
