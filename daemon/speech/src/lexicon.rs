//! How words are said: from the model's lists, by rule where they do not have a word, or as somebody wrote below `sounds_like`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use crate::model::{ModelError, tidy};
use crate::phones::{Filler, Ipa, Phones, Pronunciation, TextFile};
use crate::pronounce::{self, PronounceError};

/// Variants of one word beyond these confuse more than they help.
const VARIANTS: usize = 6;
/// The languages that there may be lists of.
const BUILT_IN: [&str; 3] = ["en", "de", "zh"];
/// The longest Chinese word that is looked for inside of a name.
const LONGEST_HAN: usize = 4;

/// A name, or another text that must be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spoken {
    /// Words as the grammar has them.
    pub text: String,
    /// The language in which it is spoken, where it is not that of the speaker (BCP 47).
    pub language: Option<String>,
    /// What it sounds like, in common words.
    pub sounds_like: Vec<String>,
}

impl Spoken {
    /// A text in the language of the speaker.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// The pronunciations of a model. Only those of words that were asked for are kept.
pub struct Lexicon {
    folder: PathBuf,
    phones: Phones,
    ipa: Ipa,
    filler: Filler,
    languages: Vec<String>,
    known: Mutex<BTreeMap<String, Known>>,
}

/// What is known of a word.
#[derive(Clone, Default)]
struct Known {
    /// The languages that were tried beside those of the speaker.
    languages: BTreeSet<String>,
    /// Whether a list has it.
    listed: bool,
    variants: Vec<Pronunciation>,
    /// By `sounds_like`.
    given: Vec<Pronunciation>,
}

impl Lexicon {
    /// Reads and checks the lists of a model for these languages (BCP 47), the speaker's first. A language without a list is said by rule.
    pub fn open(model: &Path, languages: &[String]) -> Result<Self, ModelError> {
        let phones = Phones::open(model)?;
        let ipa = Ipa::open(model, &phones)?;
        let languages = if languages.is_empty() { vec!["en".to_owned()] } else { languages.to_vec() };
        let there = |it: &&str| model.join(format!("lm/{it}.txt")).is_file();
        let mut families: Vec<&str> = languages.iter().map(|it| family(it)).filter(there).collect();
        if families.is_empty() {
            families.extend(BUILT_IN.iter().filter(|it| there(it)));
        }
        if families.is_empty() {
            return Err(ModelError::Missing { model: model.into(), file: format!("lm/{}.txt", family(&languages[0])) });
        }
        let filler = Filler::open(model, &phones, families.iter().copied())?;
        for family in families {
            scan(model, family, &phones, |_| false, &mut BTreeMap::new())?;
        }
        Ok(Self { folder: model.into(), phones, ipa, filler, languages, known: Mutex::default() })
    }

    /// The phones.
    pub fn phones(&self) -> &Phones {
        &self.phones
    }

    /// What may follow what in talk of all languages that are listened for.
    pub fn filler(&self) -> &Filler {
        &self.filler
    }

    /// What may follow what in talk of any language that there is a list for: others may be spoken in a house than the speaker listens for.
    pub fn all_talk(&self) -> Result<Filler, ModelError> {
        Filler::open(
            &self.folder,
            &self.phones,
            BUILT_IN.into_iter().filter(|it| self.folder.join(format!("lm/{it}.txt")).is_file()),
        )
    }

    /// The languages that are listened for, the speaker's first.
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// Every way in which a word is said, those of the lists first; none where it cannot be said.
    pub fn pronounce(&self, word: &str) -> Vec<Pronunciation> {
        let word = tidy(word);
        if let Some(owner) = self.owner(&word) {
            return self.pronounce(owner).into_iter().map(|it| self.owned_by(it)).collect();
        }
        if let Some(it) = self.known().get(&word).filter(|it| it.is_said()) {
            return it.all();
        }
        // Why a word cannot be said is told where all are learned.
        let _ = self.learn([&Spoken::plain(&word)]);
        self.known().get(&word).map(Known::all).unwrap_or_default()
    }

    /// Whether there is a way to say this word (lower case).
    pub fn can_say(&self, word: &str) -> bool {
        let known = self.known().get(word).is_some_and(Known::is_said);
        known || !self.pronounce(word).is_empty()
    }

    /// Finds the pronunciations of all words of these texts; together this is much quicker than one by one. Where that fails, the words that the lists
    /// have are known nevertheless.
    pub fn learn<'a>(&self, texts: impl IntoIterator<Item = &'a Spoken>) -> Result<(), PronounceError> {
        let mut wanted: Wanted<'a> = BTreeMap::new();
        let mut respelled: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut want = |text: &str, language: Option<&'a str>| {
            for word in tidy(text).split(' ').filter(|it| is_word(it)) {
                wanted.entry(self.owner(word).unwrap_or(word).into()).or_default().extend(language);
            }
        };
        for text in texts {
            want(&text.text, text.language.as_deref());
            for like in &text.sounds_like {
                want(like, None);
                for (word, like) in respell(&text.text, like).unwrap_or_default() {
                    respelled.entry(word).or_default().insert(like);
                }
            }
        }
        let mut known = self.known();
        wanted.retain(|word, own| {
            !known.get(word).is_some_and(|it| it.is_said() && own.iter().all(|language| it.languages.contains(*language)))
        });
        let mut result = Ok(());
        if !wanted.is_empty() {
            let mut found = self.listed(&wanted);
            result = self.by_rule(&wanted, &mut found);
            for (word, mut it) in found {
                it.variants.truncate(VARIANTS);
                it.languages.extend(wanted[&word].iter().map(|it| (*it).to_owned()));
                known.insert(word, it);
            }
        }
        for (word, likes) in respelled {
            let given = unique(likes.iter().flat_map(|like| joined(&known, like)));
            if let Some(it) = known.get_mut(&word) {
                it.given = given;
            }
        }
        result
    }

    /// `mom` of `mom's`: it is said as the name is, whatever that is, and an s.
    fn owner<'a>(&self, word: &'a str) -> Option<&'a str> {
        let english = self.languages.iter().any(|it| family(it) == "en");
        word.strip_suffix("'s").filter(|it| english && is_word(it))
    }

    fn owned_by(&self, mut name: Pronunciation) -> Pronunciation {
        let last = name.last().map_or("", |it| self.phones.name(*it));
        let end: &[&str] = match last {
            "S" | "Z" | "SH" | "ZH" | "CH" | "JH" => &["IH", "Z"],
            "P" | "T" | "K" | "F" | "TH" => &["S"],
            _ => &["Z"],
        };
        name.extend(end.iter().filter_map(|it| self.phones.get(it)));
        name
    }

    /// What the lists have: those of the languages listened for, and of a name's own.
    fn listed(&self, wanted: &Wanted<'_>) -> BTreeMap<String, Known> {
        let ours: BTreeSet<&str> = self.languages.iter().map(|it| family(it)).collect();
        let mut found: BTreeMap<String, Known> = wanted.keys().map(|word| (word.clone(), Known::default())).collect();
        for list in BUILT_IN {
            let asks = |word: &str, own: &BTreeSet<&str>| {
                ours.contains(list) || own.iter().any(|it| family(it) == list) || list == "zh" && is_han(word)
            };
            let words: Vec<&String> = wanted.iter().filter(|(word, own)| asks(word, own)).map(|(word, _)| word).collect();
            let keys: BTreeSet<String> = words.iter().flat_map(|word| keys(word)).collect();
            let mut entries = BTreeMap::new();
            // Lists of other languages were not checked; a damaged one is as good as none.
            if keys.is_empty() || scan(&self.folder, list, &self.phones, |it| keys.contains(it), &mut entries).is_err() {
                continue;
            }
            for word in words {
                let variants = match entries.get(word.as_str()) {
                    Some(exact) => exact.clone(),
                    None if is_han(word) => by_characters(word, &entries).into_iter().collect(),
                    None => entries.get(&folded(word)).cloned().unwrap_or_default(),
                };
                let it = found.entry(word.clone()).or_default();
                it.listed |= !variants.is_empty();
                it.variants = unique(std::mem::take(&mut it.variants).into_iter().chain(variants));
            }
        }
        found
    }

    /// What espeak-ng says of words that no list has, and of names in a language of their own.
    fn by_rule(&self, wanted: &Wanted<'_>, found: &mut BTreeMap<String, Known>) -> Result<(), PronounceError> {
        let mut jobs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (word, it) in found.iter() {
            let own = wanted[word].iter().copied();
            let languages: &[String] = if it.listed { &[] } else { &self.languages };
            for voice in pronounce::voices(word, own, languages).into_iter().filter(|voice| !it.listed || is_foreign(voice)) {
                jobs.entry(voice).or_default().push(word.clone());
            }
        }
        let jobs: Vec<(String, Vec<String>)> = jobs.into_iter().collect();
        let mut result = Ok(());
        for (said, (voice, words)) in pronounce::ipa(&jobs).into_iter().zip(&jobs) {
            match said {
                Err(error) => result = result.and(Err(error)),
                Ok(said) => {
                    for (word, ipa) in words.iter().zip(said) {
                        let it = found.entry(word.clone()).or_default();
                        let sound = self.ipa.pronunciation(&ipa, voice);
                        it.variants = unique(std::mem::take(&mut it.variants).into_iter().chain([sound]));
                    }
                }
            }
        }
        result
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(|it| it.into_inner())
    }
}

/// Words, each with the languages of those who are called so.
type Wanted<'a> = BTreeMap<String, BTreeSet<&'a str>>;

impl Known {
    fn is_said(&self) -> bool {
        !self.variants.is_empty() || !self.given.is_empty()
    }

    /// What somebody wrote stands in place of what the rules guess, and beside what a list has.
    fn all(&self) -> Vec<Pronunciation> {
        match (self.given.is_empty(), self.listed) {
            (true, _) => self.variants.clone(),
            (false, false) => self.given.clone(),
            (false, true) => unique(self.given.iter().chain(&self.variants).cloned()),
        }
    }
}

/// Which words of a name a `sounds_like` is about, and what they sound like: "siobhan smith" like "she vaughn smith". `None` where that cannot be told.
pub fn respell(name: &str, like: &str) -> Option<Vec<(String, String)>> {
    let (name, like) = (tidy(name), tidy(like));
    let (mut name, mut like): (Vec<&str>, Vec<&str>) = (name.split(' ').collect(), like.split(' ').collect());
    while name.len() > 1 && like.len() > 1 && name.last() == like.last() {
        name.pop();
        like.pop();
    }
    let same = name.iter().zip(&like).take_while(|(a, b)| a == b).count().min(name.len() - 1).min(like.len() - 1);
    let (name, like) = (&name[same..], &like[same..]);
    let pairs: Vec<(String, String)> = match (name, like) {
        ([one], like) => vec![((*one).into(), like.join(" "))],
        (name, like) if name.len() == like.len() => name.iter().zip(like).map(|(a, b)| ((*a).into(), (*b).into())).collect(),
        _ => return None,
    };
    Some(pairs.into_iter().filter(|(word, like)| word != like && !word.is_empty() && !like.is_empty()).collect())
}

/// The sounds of several words one after the other.
fn joined(known: &BTreeMap<String, Known>, words: &str) -> Vec<Pronunciation> {
    let parts: Vec<Vec<Pronunciation>> =
        words.split(' ').map(|it| known.get(it).map(|it| it.variants.clone()).unwrap_or_default()).collect();
    if parts.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let longest = parts.iter().map(Vec::len).max().unwrap_or(0).min(VARIANTS);
    (0..longest).map(|n| parts.iter().flat_map(|it| it[n % it.len()].iter().copied()).collect()).collect()
}

/// Reads a list from end to end and keeps the entries that are wanted.
fn scan(
    model: &Path,
    language: &str,
    phones: &Phones,
    wanted: impl Fn(&str) -> bool,
    entries: &mut BTreeMap<String, Vec<Pronunciation>>,
) -> Result<(), ModelError> {
    let file = TextFile::read(model, &format!("lexicon/{language}.txt"))?;
    for line in file.lines() {
        let Some((word, sound)) = line.text.split_once('\t').filter(|(word, _)| !word.is_empty()) else {
            return Err(line.wrong(1, "a line is a word, a tab and its phones".into()));
        };
        let column = word.chars().count() + 2;
        let sound = phones.read(sound, &line, column)?;
        if sound.is_empty() {
            return Err(line.wrong(column, format!("`{word}` has no phones")));
        }
        if wanted(word) {
            entries.entry(word.to_owned()).or_default().push(sound);
        }
    }
    Ok(())
}

/// What a word may be found by.
fn keys(word: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::from([word.to_owned(), folded(word)]);
    if is_han(word) {
        let characters: Vec<char> = word.chars().collect();
        for n in 1..=LONGEST_HAN.min(characters.len()) {
            keys.extend(characters.windows(n).map(|it| it.iter().collect::<String>()));
        }
    }
    keys
}

/// A Chinese word from the longest words in it that the list has; `None` where it has not all characters.
fn by_characters(word: &str, entries: &BTreeMap<String, Vec<Pronunciation>>) -> Option<Pronunciation> {
    let characters: Vec<char> = word.chars().collect();
    let (mut at, mut sound) = (0, Pronunciation::new());
    while at < characters.len() {
        let longest = LONGEST_HAN.min(characters.len() - at);
        let (n, part) = (1..=longest).rev().find_map(|n| {
            let piece: String = characters[at..at + n].iter().collect();
            entries.get(&piece).and_then(|it| it.first()).map(|it| (n, it))
        })?;
        sound.extend(part);
        at += n;
    }
    Some(sound)
}

fn is_han(word: &str) -> bool {
    word.chars().any(|c| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'))
}

/// Whether a voice is of a language that no list is of.
fn is_foreign(voice: &str) -> bool {
    !["en", "de", "cmn"].contains(&family(voice))
}

/// A graph has symbols that are no words.
fn is_word(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric) && !text.contains(['<', '>', '[', ']', '#', '\0'])
}

/// `en` of `en-GB`.
fn family(language: &str) -> &str {
    language.split('-').next().unwrap_or(language)
}

/// Latin letters without their accents: lists spell `rene` and `jose`.
fn folded(word: &str) -> String {
    let letters = word.chars().flat_map(|c| {
        let plain = match c {
            'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
            'æ' => "ae",
            'ç' | 'ć' | 'č' => "c",
            'ď' | 'đ' | 'ð' => "d",
            'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
            'ğ' | 'ģ' => "g",
            'ì'..='ï' | 'ī' | 'į' | 'ı' => "i",
            'ķ' => "k",
            'ļ' | 'ľ' | 'ł' => "l",
            'ñ' | 'ń' | 'ņ' | 'ň' => "n",
            'ò'..='ö' | 'ø' | 'ō' | 'ő' => "o",
            'œ' => "oe",
            'ŕ' | 'ř' => "r",
            'ś' | 'ş' | 'š' | 'ș' => "s",
            'ß' => "ss",
            'ţ' | 'ť' | 'ț' => "t",
            'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ų' => "u",
            'ý' | 'ÿ' => "y",
            'ź' | 'ż' | 'ž' => "z",
            _ => return vec![c],
        };
        plain.chars().collect()
    });
    letters.filter(|c| !matches!(c, '\u{300}'..='\u{36f}')).collect()
}

fn unique(all: impl IntoIterator<Item = Pronunciation>) -> Vec<Pronunciation> {
    let mut kept = Vec::new();
    for it in all {
        if !it.is_empty() && !kept.contains(&it) {
            kept.push(it);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelling_is_for_the_words_that_differ() {
        for (name, like, expected) in [
            ("siobhan", "she vaughn", "siobhan=she vaughn"),
            ("Siobhan Smith", "she vaughn smith", "siobhan=she vaughn"),
            ("aunt siobhan smith", "aunt she vaughn smith", "siobhan=she vaughn"),
            ("xavi kroos", "chavy cross", "xavi=chavy kroos=cross"),
            ("anna", "anna", ""),
            ("anna maria", "one two three", "-"),
        ] {
            let pairs = respell(name, like);
            let text = pairs.map(|it| it.iter().map(|(a, b)| format!("{a}={b}")).collect::<Vec<_>>().join(" "));
            assert_eq!(text.unwrap_or("-".into()), expected, "{name}");
        }
    }
}
