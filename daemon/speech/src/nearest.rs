//! Words of a model that sound most like a name that it does not have. For official models, which cannot learn words.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::pronounce::{self, PronounceError};

/// Words of the model that are compared by sound, for each name: whole, and as beginning and end of it.
const LOOKED_AT: usize = 120;
/// What it costs to say a name as two words, so that one which sounds nearly as well is taken.
const SECOND_WORD: u32 = 2;

/// For each word the nearest of the model's: one, or two with a space between. Words that cannot be said, or have nothing near, are left out.
pub fn words(model: &Path, words: &BTreeSet<String>, language: &str) -> Result<BTreeMap<String, String>, PronounceError> {
    let list = ["graph/words.txt", "words.txt"].iter().find_map(|it| std::fs::read_to_string(model.join(it)).ok());
    let list = list.unwrap_or_default();
    let known: Vec<&str> =
        list.lines().filter_map(|it| it.split(' ').next()).filter(|it| !it.starts_with(['<', '[', '#', '!'])).collect();
    let by_letters: BTreeSet<&str> = known.iter().copied().collect();
    let mut found = BTreeMap::new();
    let mut names: Vec<String> = Vec::new();
    for word in words {
        let characters: Vec<String> = word.chars().map(String::from).collect();
        // Chinese models have every common character as a word.
        match word.chars().all(|it| it >= '\u{3400}') && characters.iter().all(|it| by_letters.contains(it.as_str())) {
            true => drop(found.insert(word.clone(), characters.join(" "))),
            false => names.push(word.clone()),
        }
    }
    let languages = [language.to_owned()];
    let voice = |word: &str| pronounce::voices(word, None, &languages).swap_remove(0);
    let sounds = said(&names, voice)?;
    let spelled: Vec<(Vec<u8>, &str)> = known.iter().map(|it| (skeleton(it), *it)).filter(|it| !it.0.is_empty()).collect();
    let mut looked_at: BTreeSet<String> = BTreeSet::new();
    let mut wanted: Vec<Candidates<'_>> = Vec::new();
    for (name, sound) in names.iter().zip(&sounds) {
        let candidates = Candidates::of(name, sound, &spelled);
        looked_at.extend(candidates.all().map(|it| (*it).to_owned()));
        wanted.push(candidates);
    }
    let looked_at: Vec<String> = looked_at.into_iter().collect();
    let heard = said(&looked_at, voice)?;
    let heard: BTreeMap<&str, &Sound> = looked_at.iter().map(String::as_str).zip(&heard).collect();
    for ((name, sound), candidates) in names.iter().zip(&sounds).zip(wanted) {
        if let Some(best) = candidates.best(sound, &heard) {
            found.insert(name.clone(), best);
        }
    }
    Ok(found)
}

/// IPA without what hardly differs by ear.
type Sound = Vec<char>;

fn said(words: &[String], voice: impl Fn(&str) -> String) -> Result<Vec<Sound>, PronounceError> {
    let mut jobs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    words.iter().for_each(|it| jobs.entry(voice(it)).or_default().push(it.clone()));
    let jobs: Vec<(String, Vec<String>)> = jobs.into_iter().collect();
    let mut sounds: BTreeMap<&String, Sound> = BTreeMap::new();
    for (said, (_, words)) in pronounce::ipa(&jobs).into_iter().zip(&jobs) {
        sounds.extend(words.iter().zip(said?).map(|(word, ipa)| (word, sound(&ipa))));
    }
    Ok(words.iter().map(|it| sounds.remove(it).unwrap_or_default()).collect())
}

fn sound(ipa: &str) -> Sound {
    let mut aside = false;
    let kept = ipa.chars().filter(|c| {
        // "(fr)" names the voice of what follows.
        aside = *c == '(' || aside && *c != ')';
        !aside && c.is_alphabetic() && !matches!(c, 'ˈ' | 'ˌ' | 'ː' | 'ʰ' | 'ʲ')
    });
    kept.map(|c| if c == 'g' { 'ɡ' } else { c }).collect()
}

/// The words that are looked at for one name.
struct Candidates<'a> {
    whole: Vec<&'a str>,
    /// First words and second words, for each place where the name can be cut.
    cut: Vec<(Vec<&'a str>, Vec<&'a str>)>,
}

impl<'a> Candidates<'a> {
    fn of(name: &str, sound: &Sound, spelled: &[(Vec<u8>, &'a str)]) -> Self {
        let wanted: Vec<u8> = sound.iter().filter_map(|it| of_sound(*it)).fold(Vec::new(), push);
        let written: Vec<char> = name.chars().collect();
        let near = |wanted: &[u8], slack: usize, n: usize| {
            let mut all: Vec<(u32, &str)> = spelled
                .iter()
                .filter(|(it, _)| it.len().abs_diff(wanted.len()) <= slack)
                .map(|(it, word)| (distance(it, wanted, |a, b| if a == b { 0 } else { 2 }, 2), *word))
                .filter(|(distance, _)| *distance <= 2 * slack as u32)
                .map(|(far, word)| {
                    let letters: Vec<char> = word.chars().collect();
                    (8 * far + distance(&letters, &written, |a, b| u32::from(a != b), 1), word)
                })
                .collect();
            all.sort_unstable();
            all.truncate(n);
            all.into_iter().map(|it| it.1).collect::<Vec<_>>()
        };
        let longest = wanted.len().max(spelled.iter().map(|it| it.0.len()).min().unwrap_or(0));
        // Something is always nearest.
        let whole = (1..=longest).map(|slack| near(&wanted, slack, LOOKED_AT)).find(|it| !it.is_empty()).unwrap_or_default();
        let cuts = 1..wanted.len();
        let n = LOOKED_AT / wanted.len().max(2);
        let cut = cuts.map(|at| (near(&wanted[..at], 0, n), near(&wanted[at..], 0, n))).collect();
        Self { whole, cut }
    }

    fn all(&self) -> impl Iterator<Item = &&'a str> {
        self.whole.iter().chain(self.cut.iter().flat_map(|it| it.0.iter().chain(&it.1)))
    }

    fn best(&self, sound: &Sound, heard: &BTreeMap<&str, &Sound>) -> Option<String> {
        let of = |word: &str| heard.get(word).map(|it| it.as_slice()).unwrap_or_default();
        let one = self.whole.iter().map(|it| (apart(of(it), sound), (*it).to_owned()));
        let two =
            self.cut.iter().flat_map(|(first, second)| first.iter().flat_map(move |a| second.iter().map(move |b| (*a, *b))));
        let two = two.map(|(a, b)| (SECOND_WORD + apart(&[of(a), of(b)].concat(), sound), format!("{a} {b}")));
        one.chain(two).min().map(|it| it.1)
    }
}

/// How different two sounds are: 4 for another phone, less for one that is near.
fn apart(a: &[char], b: &[char]) -> u32 {
    let differ = |a: char, b: char| match (a == b, of_sound(a), of_sound(b)) {
        (true, ..) => 0,
        // Two vowels, or two consonants made at the same place.
        (_, a, b) if a == b => 2,
        _ => 4,
    };
    distance(a, b, |a, b| differ(*a, *b), 3)
}

/// The cost of making one row out of the other.
fn distance<T>(a: &[T], b: &[T], replace: impl Fn(&T, &T) -> u32, leave_out: u32) -> u32 {
    let mut row: Vec<u32> = (0..=b.len() as u32).map(|it| it * leave_out).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = (i as u32 + 1) * leave_out;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + replace(x, y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + leave_out).min(diagonal + leave_out);
        }
    }
    row[b.len()]
}

/// Which kind of consonant an IPA symbol is; `None` for vowels and what is nearly one.
fn of_sound(symbol: char) -> Option<u8> {
    Some(match symbol {
        'p' | 'b' | 'β' => b'P',
        't' | 'd' | 'ʈ' | 'ɖ' | 'ɾ' | 'θ' | 'ð' => b'T',
        'k' | 'ɡ' | 'q' | 'x' | 'ɣ' | 'χ' | 'c' | 'ɟ' => b'K',
        'f' | 'v' | 'ʋ' => b'F',
        's' | 'z' | 'ʃ' | 'ʒ' | 'ɕ' | 'ʑ' | 'ʂ' | 'ʐ' | 'ç' => b'S',
        'm' => b'M',
        'n' | 'ŋ' | 'ɲ' | 'ɳ' => b'N',
        'l' | 'ɫ' | 'ʎ' | 'ɬ' => b'L',
        'r' | 'ɹ' | 'ʁ' | 'ʀ' | 'ɻ' => b'R',
        _ => return None,
    })
}

/// The consonants of a word as it is written, of the same kinds.
fn skeleton(word: &str) -> Vec<u8> {
    let letters: Vec<char> = word.chars().collect();
    let mut kinds = Vec::new();
    for (n, c) in letters.iter().enumerate() {
        let next = letters.get(n + 1).copied().unwrap_or(' ');
        let kind = match (c, next) {
            ('p', 'h') => b'F',
            ('g' | 'k', 'n') if n == 0 => continue,
            ('g', 'h') => continue,
            ('c', 'e' | 'i' | 'y') => b'S',
            ('c', 'h') => b'S',
            ('p' | 'b', _) => b'P',
            ('t' | 'd', _) => b'T',
            ('c' | 'k' | 'q' | 'g' | 'x', _) => b'K',
            ('f' | 'v', _) => b'F',
            ('s' | 'z' | 'ß' | 'j', _) => b'S',
            ('m', _) => b'M',
            ('n', _) => b'N',
            ('l', _) => b'L',
            ('r', _) => b'R',
            _ => continue,
        };
        kinds = push(kinds, kind);
    }
    kinds
}

/// Adds one unless it is there: doubles are heard once.
fn push(mut kinds: Vec<u8>, kind: u8) -> Vec<u8> {
    if kinds.last() != Some(&kind) {
        kinds.push(kind);
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str, words: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("hark-nearest-{}-{name}", std::process::id()));
        std::fs::create_dir_all(folder.join("graph")).unwrap();
        let lines = words.split(' ').enumerate().map(|(n, it)| format!("{it} {}\n", n + 1)).collect::<String>();
        std::fs::write(folder.join("graph/words.txt"), format!("<eps> 0\n{lines}")).unwrap();
        folder
    }

    #[test]
    fn a_name_is_heard_as_the_words_that_sound_most_like_it() {
        let model = model("en", "she shave vaughn van seven kit kite co go call mom shawn quick 王 小 明 孝");
        for (name, language, expected) in [
            ("siobhan", "en", "she vaughn"),
            ("ketko", "en", "kit co"),
            ("kvitko", "en", "kite"),
            ("sean", "en", "shawn"),
            ("王小明", "zh", "王 小 明"),
        ] {
            let found = words(&model, &BTreeSet::from([name.to_owned()]), language).unwrap();
            assert_eq!(found.get(name).map(String::as_str), Some(expected), "{name}");
        }
        std::fs::remove_dir_all(model).unwrap();
    }
}
