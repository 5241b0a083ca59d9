//! The text files of a model of ours: its phones, how IPA is read with them, and which phone follows which.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::model::ModelError;

/// Index of a phone, its line in phones.txt; 0 is silence.
pub type Phone = u8;

/// One way to say a word.
pub type Pronunciation = Vec<Phone>;

/// A phone that never follows; what is read below -90 counts as this.
const NEVER: f32 = f32::NEG_INFINITY;

/// Phones as espeak-ng's English voice has them.
const FOR_ESPEAK: [(&str, &str); 56] = [
    ("AA", "A:"),
    ("AE", "a"),
    ("AH", "V"),
    ("AO", "O:"),
    ("AW", "aU"),
    ("AX", "@"),
    ("AY", "aI"),
    ("EH", "E"),
    ("ER", "3:"),
    ("EY", "eI"),
    ("IH", "I"),
    ("IY", "i:"),
    ("OW", "oU"),
    ("OY", "OI"),
    ("UH", "U"),
    ("UW", "u:"),
    ("B", "b"),
    ("CH", "tS"),
    ("D", "d"),
    ("DH", "D"),
    ("F", "f"),
    ("G", "g"),
    ("HH", "h"),
    ("JH", "dZ"),
    ("K", "k"),
    ("L", "l"),
    ("M", "m"),
    ("N", "n"),
    ("NG", "N"),
    ("P", "p"),
    ("R", "r"),
    ("S", "s"),
    ("SH", "S"),
    ("T", "t"),
    ("TH", "T"),
    ("V", "v"),
    ("W", "w"),
    ("Y", "j"),
    ("Z", "z"),
    ("ZH", "Z"),
    ("A", "A:"),
    ("A6", "@"),
    ("EE", "eI"),
    ("OO", "oU"),
    ("UE", "u:"),
    ("UI", "U"),
    ("OE", "3:"),
    ("OX", "3:"),
    ("EU", "@"),
    ("IR", "I"),
    ("IZ", "I"),
    ("CX", "S"),
    ("X", "x"),
    ("RR", "r"),
    ("TS", "ts"),
    ("DZ", "dz"),
];

/// The phones by name.
#[derive(Clone, Debug)]
pub struct Phones {
    names: Vec<String>,
    by_name: BTreeMap<String, Phone>,
}

impl Phones {
    /// Reads phones.txt.
    pub(crate) fn open(model: &Path) -> Result<Self, ModelError> {
        let file = TextFile::read(model, "phones.txt")?;
        let mut it = Self { names: Vec::new(), by_name: BTreeMap::new() };
        for line in file.lines() {
            let name = line.text;
            if name.is_empty() || name.contains(char::is_whitespace) {
                return Err(line.wrong(1, format!("`{name}` is no name of a phone")));
            }
            let Ok(index) = Phone::try_from(it.names.len()) else {
                return Err(line.wrong(1, "there are more than 256 phones".into()));
            };
            if it.by_name.insert(name.into(), index).is_some() {
                return Err(line.wrong(1, format!("phone `{name}` is there twice")));
            }
            it.names.push(name.into());
        }
        if it.names.len() < 2 || it.names[0] != "SIL" {
            return Err(file.wrong(1, 1, "the first phone must be `SIL`, and others follow".into()));
        }
        Ok(it)
    }

    /// How many there are, silence included.
    #[expect(clippy::len_without_is_empty, reason = "there are always some")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The name of one.
    pub fn name(&self, phone: Phone) -> &str {
        self.names.get(usize::from(phone)).map_or("?", String::as_str)
    }

    /// The phone of that name.
    pub fn get(&self, name: &str) -> Option<Phone> {
        self.by_name.get(name).copied()
    }

    /// Names with spaces between, for people.
    pub fn spelled(&self, pronunciation: &[Phone]) -> String {
        pronunciation.iter().map(|it| self.name(*it)).collect::<Vec<_>>().join(" ")
    }

    /// As espeak-ng's English voice takes phonemes, each by the nearest that it has, so that people can listen to it.
    pub fn for_espeak(&self, pronunciation: &[Phone]) -> String {
        let mut text = String::new();
        let mut stressed = false;
        for name in pronunciation.iter().map(|it| self.name(*it)) {
            let Some((_, sound)) = FOR_ESPEAK.iter().find(|(it, _)| *it == name) else { continue };
            // Without stress the voice mumbles.
            if !stressed && sound.starts_with(['A', 'a', 'V', 'O', 'o', 'E', 'e', 'I', 'i', 'U', 'u', '3', '@']) {
                stressed = true;
                text.push('\'');
            }
            text += sound;
        }
        format!("[[{text}]]")
    }

    /// Names with spaces between, as in the files; `column` is where the text begins in its line.
    pub(crate) fn read(&self, text: &str, line: &Line<'_>, column: usize) -> Result<Pronunciation, ModelError> {
        let mut phones = Vec::new();
        for name in text.split(' ').filter(|it| !it.is_empty()) {
            match self.by_name.get(name) {
                Some(0) | None => {
                    let at = name.as_ptr() as usize - text.as_ptr() as usize;
                    let column = column + text[..at].chars().count();
                    return Err(line.wrong(column, format!("there is no phone `{name}` in phones.txt")));
                }
                Some(phone) => phones.push(*phone),
            }
        }
        Ok(phones)
    }
}

/// How IPA, as espeak-ng writes it, is read.
#[derive(Clone, Debug)]
pub struct Ipa {
    /// Symbols by language; `""` holds for all, a language of its own wins.
    tables: BTreeMap<String, BTreeMap<String, Pronunciation>>,
    longest: usize,
}

impl Ipa {
    /// Reads ipa.txt.
    pub(crate) fn open(model: &Path, phones: &Phones) -> Result<Self, ModelError> {
        let file = TextFile::read(model, "ipa.txt")?;
        let mut it = Self { tables: BTreeMap::new(), longest: 0 };
        for line in file.lines() {
            let mut columns = line.text.split('\t');
            let (symbol, right, language) = (columns.next().unwrap_or(""), columns.next(), columns.next().unwrap_or(""));
            let Some(right) = right.filter(|_| !symbol.is_empty() && columns.next().is_none()) else {
                return Err(line.wrong(1, "a line is a symbol, a tab and phones, and perhaps a tab and a language".into()));
            };
            let sound = phones.read(right, &line, symbol.chars().count() + 2)?;
            it.longest = it.longest.max(symbol.chars().count());
            it.tables.entry(language.into()).or_default().insert(symbol.into(), sound);
        }
        Ok(it)
    }

    /// Reads what espeak-ng wrote for one word with this voice. What has no line is left out.
    pub fn pronunciation(&self, ipa: &str, voice: &str) -> Pronunciation {
        let mut phones = Pronunciation::new();
        let mut voice_now = voice;
        // "(fr)" says that what follows is spoken by another voice.
        for (n, part) in ipa.split('(').enumerate() {
            let text = match part.split_once(')') {
                Some((name, text)) if n > 0 => {
                    voice_now = name;
                    text
                }
                _ => part,
            };
            let symbols: Vec<char> = text.chars().filter(|it| !matches!(it, 'ˈ' | 'ˌ') && !it.is_whitespace()).collect();
            self.read(&symbols, voice_now, &mut phones);
        }
        phones.dedup();
        phones
    }

    fn read(&self, mut symbols: &[char], voice: &str, phones: &mut Pronunciation) {
        let family = voice.split('-').next().unwrap_or(voice);
        let tables: Vec<_> = [voice, family, ""].into_iter().filter_map(|it| self.tables.get(it)).collect();
        while !symbols.is_empty() {
            let longest = self.longest.min(symbols.len());
            let found = (1..=longest).rev().find_map(|n| {
                let symbol: String = symbols[..n].iter().collect();
                tables.iter().find_map(|table| table.get(&symbol)).map(|sound| (n, sound))
            });
            match found {
                Some((n, sound)) => {
                    phones.extend(sound);
                    symbols = &symbols[n..];
                }
                None => symbols = &symbols[1..],
            }
        }
    }
}

/// Which phone follows which, in words of the languages that are listened for: a model of all that is no word of ours.
#[derive(Clone, Debug)]
pub struct Filler {
    n: usize,
    ln: Vec<f32>,
}

impl Filler {
    /// Reads lm/LANG.txt of these languages. Where several are listened for, the likeliest of them counts.
    pub(crate) fn open<'a>(
        model: &Path,
        phones: &Phones,
        languages: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ModelError> {
        let n = phones.len();
        let mut it = Self { n, ln: vec![NEVER; n * n] };
        for language in languages {
            let file = TextFile::read(model, &format!("lm/{language}.txt"))?;
            let mut rows = 0;
            for line in file.lines() {
                let mut columns = 0;
                for number in line.text.split(' ').filter(|it| !it.is_empty()) {
                    let column = number.as_ptr() as usize - line.text.as_ptr() as usize + 1;
                    let ln = number.parse::<f32>().ok().filter(|it| *it <= 0.0);
                    let Some(ln) = ln else {
                        return Err(line.wrong(column, format!("`{number}` is no logarithm of a probability")));
                    };
                    if rows == n || columns == n {
                        return Err(line.wrong(column, format!("there are more than {n} numbers by {n} lines")));
                    }
                    let ln = if ln < -90.0 { NEVER } else { ln };
                    let place = &mut it.ln[rows * n + columns];
                    *place = place.max(ln);
                    columns += 1;
                }
                if columns < n {
                    return Err(line.wrong(line.text.len() + 1, format!("there are {columns} numbers, {n} phones need {n}")));
                }
                rows += 1;
            }
            if rows < n {
                return Err(file.wrong(rows + 1, 1, format!("there are {rows} lines, {n} phones need {n}")));
            }
        }
        Ok(it)
    }

    /// Natural logarithm of the probability that `next` follows `previous`; of 0, that a word begins with it. Minus infinity: never.
    pub fn ln(&self, previous: Phone, next: Phone) -> f32 {
        self.ln[usize::from(previous) * self.n + usize::from(next)]
    }
}

/// A text file of a model.
pub(crate) struct TextFile {
    path: PathBuf,
    text: String,
}

/// One line of it.
pub(crate) struct Line<'a> {
    /// Without its end.
    pub text: &'a str,
    /// Counted from 1.
    pub number: usize,
    file: &'a TextFile,
}

impl TextFile {
    /// Reads a file of ours, which must be there and whole.
    pub fn read(model: &Path, name: &str) -> Result<Self, ModelError> {
        let file = Self::of_anybody(model, name)?;
        match file.text.ends_with('\n') {
            true => Ok(file),
            false => Err(ModelError::Damaged { file: file.path, what: "is cut short: its last line does not end".into() }),
        }
    }

    /// Reads a file that must be there and hold text.
    pub fn of_anybody(model: &Path, name: &str) -> Result<Self, ModelError> {
        let path = model.join(name);
        let bytes = std::fs::read(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ModelError::Missing { model: model.into(), file: name.into() },
            _ => ModelError::Unreadable { file: path.clone(), source },
        })?;
        if bytes.is_empty() {
            return Err(ModelError::Damaged { file: path, what: "is empty".into() });
        }
        if bytes.contains(&0) {
            return Err(ModelError::Damaged { file: path, what: "is not a text file".into() });
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { path, text }),
            Err(error) => {
                let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = good.iter().filter(|it| **it == b'\n').count() + 1;
                let column = good.len() - good.iter().rposition(|it| *it == b'\n').map_or(0, |at| at + 1) + 1;
                Err(ModelError::Line { file: path, line, column, what: "this is not UTF-8".into() })
            }
        }
    }

    /// Its lines.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.text.lines().enumerate().map(|(n, text)| Line { text, number: n + 1, file: self })
    }

    /// An error at a place.
    pub fn wrong(&self, line: usize, column: usize, what: String) -> ModelError {
        ModelError::Line { file: self.path.clone(), line, column, what }
    }
}

impl Line<'_> {
    /// An error in this line; columns are characters, counted from 1.
    pub fn wrong(&self, column: usize, what: String) -> ModelError {
        self.file.wrong(self.number, column, what)
    }
}
