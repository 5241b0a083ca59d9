//! Reads values out of a tree and collects everything that is wrong on the way, instead of stopping at the first.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use super::problems::{Place, Problem, did_you_mean};
use super::yaml::{Entry, Node, Value};

/// What was found out while reading.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong.
    pub problems: RefCell<Vec<Problem>>,
    /// What is odd and works.
    pub warnings: RefCell<Vec<Problem>>,
    /// Every key that was asked for, as `sip.accounts[].name`. The schemas are compared with these.
    pub keys: RefCell<BTreeSet<String>>,
    /// Whether several layers are read as one: unknown keys were told when each was read by itself.
    pub merged: bool,
}

impl Findings {
    /// Notes something that is wrong.
    pub fn problem(&self, place: &Place, what: impl Into<String>, mend: impl Into<String>) {
        self.problems.borrow_mut().push(Problem::new(place, what, mend));
    }

    /// Notes something odd.
    pub fn warning(&self, place: &Place, what: impl Into<String>, mend: impl Into<String>) {
        self.warnings.borrow_mut().push(Problem::new(place, what, mend));
    }
}

/// A text and where it is written.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// Where.
    pub place: &'a Place,
    /// What, without blanks around it.
    pub text: &'a str,
}

/// What is wrong with a text, and how to mend it.
pub type Wrong = (String, String);

/// A block of keys. Every key that it may have is asked for, then `done` tells which of those written are unknown.
pub struct Section<'a> {
    /// Where it begins; the nearest place that is known.
    pub place: Place,
    findings: &'a Findings,
    entries: &'a [Entry],
    path: String,
    known: Vec<&'static str>,
    is_block: bool,
}

impl<'a> Section<'a> {
    /// The block that a file consists of.
    pub fn root(node: &'a Node, findings: &'a Findings) -> Section<'a> {
        Section::of(Some(node), &node.place, String::new(), findings)
    }

    fn of(node: Option<&'a Node>, around: &Place, path: String, findings: &'a Findings) -> Section<'a> {
        let mut entries: &[Entry] = &[];
        let mut is_block = true;
        match node.map(|node| (&node.value, node)) {
            Some((Value::Map(written), _)) => entries = written,
            Some((Value::Nothing, _)) | None => (),
            Some((_, node)) => {
                let name = if path.is_empty() { "the file".to_owned() } else { format!("`{}`", last(&path)) };
                let what = format!("{name} must be a block of `key: value`, this is {}", node.kind());
                findings.problem(&node.place, what, "write its keys below it, indented");
                is_block = false;
            }
        }
        let place = node.map_or(around, |node| &node.place).clone();
        Section { place, findings, entries, path, known: Vec::new(), is_block }
    }

    /// Tells which keys are unknown.
    pub fn done(self) {
        if self.findings.merged {
            return;
        }
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&&*entry.key)) {
            let around = if self.path.is_empty() { "here".to_owned() } else { format!("in `{}`", last(&self.path)) };
            let what = format!("the key `{}` is not known {around}", entry.key);
            let mend = match did_you_mean(&entry.key, self.known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known are {}", self.known.join(", ")),
            };
            // A variable of the environment may be somebody else's.
            match entry.place {
                Place::Variable(_) => self.findings.warning(&entry.place, what, mend),
                _ => self.findings.problem(&entry.place, what, mend),
            }
        }
    }

    /// The value of a key, whatever it is; nothing is as good as not written.
    pub fn value(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.findings.keys.borrow_mut().insert(self.path_of(key));
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node).filter(|it| it.value != Value::Nothing)
    }

    /// A block below this one.
    pub fn section(&mut self, key: &'static str) -> Section<'a> {
        let node = self.value(key);
        Section::of(node, &self.place, self.path_of(key), self.findings)
    }

    /// A list of blocks.
    pub fn sections(&mut self, key: &'static str) -> Vec<Section<'a>> {
        let path = format!("{}[]", self.path_of(key));
        self.list(key).into_iter().map(|node| Section::of(Some(node), &node.place, path.clone(), self.findings)).collect()
    }

    /// A block for an item of a list whose items may also be texts.
    pub fn item(&self, key: &'static str, node: &'a Node) -> Section<'a> {
        Section::of(Some(node), &node.place, format!("{}[]", self.path_of(key)), self.findings)
    }

    /// A list; a single value is a list of one.
    pub fn list(&mut self, key: &'static str) -> Vec<&'a Node> {
        match self.value(key) {
            Some(Node { value: Value::List(list), .. }) => list.iter().collect(),
            Some(node) => vec![node],
            None => Vec::new(),
        }
    }

    /// A text. An empty one is reported.
    pub fn text(&mut self, key: &'static str) -> Option<Text<'a>> {
        let node = self.value(key)?;
        self.as_text(key, node)
    }

    /// A list of texts; a single one is a list of one, in a variable the items are separated by commas.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<Text<'a>>> {
        let node = self.value(key)?;
        if let (Place::Variable(_), Value::Text(text)) = (&node.place, &node.value) {
            return Some(text.split(',').map(|text| Text { place: &node.place, text: text.trim() }).collect());
        }
        let list = match &node.value {
            Value::List(list) => list.iter().collect(),
            _ => vec![node],
        };
        Some(list.into_iter().filter_map(|node| self.as_text(key, node)).collect())
    }

    /// A text that must have a form; what `parse` does not like is reported.
    pub fn parsed<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let text = self.text(key)?;
        self.check(text.place, parse(text.text))
    }

    /// Reports what is wrong here.
    pub fn check<T>(&self, place: &Place, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|(what, mend)| self.findings.problem(place, what, mend)).ok()
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.parsed(key, |text| match text {
            "true" | "True" | "TRUE" => Ok(true),
            "false" | "False" | "FALSE" => Ok(false),
            _ => Err((format!("`{key}` cannot be `{text}`"), "write `true` or `false`".into())),
        })
    }

    /// One word of several.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        self.parsed(key, |text| choose(key, text, choices))
    }

    /// A whole number between two.
    pub fn whole<T: TryFrom<i64>>(&mut self, key: &'static str, least: i64, most: i64) -> Option<T> {
        self.parsed(key, |text| {
            let number = text.parse::<i64>().ok().filter(|it| (least..=most).contains(it)).and_then(|it| T::try_from(it).ok());
            number.ok_or_else(|| (format!("`{key}` cannot be `{text}`"), format!("write a whole number from {least} to {most}")))
        })
    }

    /// A number from 0 to 1.
    pub fn fraction(&mut self, key: &'static str) -> Option<f32> {
        self.parsed(key, |text| {
            let number = text.parse::<f32>().ok().filter(|it| (0.0..=1.0).contains(it));
            number.ok_or_else(|| (format!("`{key}` cannot be `{text}`"), "write a number from 0 to 1, such as 0.7".into()))
        })
    }

    /// A duration between two: `30s`, `5m`, `500ms`, `1h`, or seconds.
    pub fn duration(&mut self, key: &'static str, least: Duration, most: Duration) -> Option<Duration> {
        self.parsed(key, |text| {
            let duration = duration(text).ok_or_else(|| {
                (format!("`{text}` is no duration"), "write `30s`, `5m`, `500ms` or a number of seconds".into())
            })?;
            if (least..=most).contains(&duration) {
                Ok(duration)
            } else {
                Err((format!("`{key}` cannot be `{text}`"), format!("choose from {} to {}", written(least), written(most))))
            }
        })
    }

    /// Reports that a key which must be there is not.
    pub fn missing(&self, what: impl Into<String>, mend: impl Into<String>) {
        self.findings.problem(&self.place, what, mend);
    }

    /// Where everything that was found goes.
    pub fn findings(&self) -> &'a Findings {
        self.findings
    }

    /// Whether this is a block of keys at all; that it is not has been told.
    pub fn is_block(&self) -> bool {
        self.is_block
    }

    /// Whether a key is written with a value, right or wrong.
    pub fn is_written(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key && entry.node.value != Value::Nothing)
    }

    /// Where a key is written, with or without a value.
    pub fn key_place(&self, key: &str) -> Option<&'a Place> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.place)
    }

    /// All that is written, for blocks whose keys are free.
    pub fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    /// A text out of a node that is the value, or an item of the value, of `key`.
    pub fn as_text(&self, key: &str, node: &'a Node) -> Option<Text<'a>> {
        let Value::Text(text) = &node.value else {
            let mend = if node.value == Value::Nothing {
                "write one, or remove the line"
            } else {
                "write one value, in quotes if needed"
            };
            self.findings.problem(&node.place, format!("`{key}` must be a text, this is {}", node.kind()), mend);
            return None;
        };
        if text.trim().is_empty() {
            self.findings.problem(&node.place, format!("`{key}` is empty"), "write a value, or remove the line");
            return None;
        }
        Some(Text { place: &node.place, text: text.trim() })
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// The meaning of one word of several.
pub fn choose<T: Copy>(key: &str, text: &str, choices: &[(&str, T)]) -> Result<T, Wrong> {
    match choices.iter().find(|(word, _)| *word == text) {
        Some((_, it)) => Ok(*it),
        None => {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let mend = match did_you_mean(text, words.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("write one of {}", words.join(", ")),
            };
            Err((format!("`{key}` cannot be `{text}`"), mend))
        }
    }
}

/// `30s`, `5m`, `1h`, `500ms`, `2.5`: seconds where no unit is given.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

/// As people write it: `30s`, `10m`, `24h`.
fn written(duration: Duration) -> String {
    match duration.as_secs() {
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// The last part of `sip.accounts[]`: `accounts`.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path).trim_end_matches("[]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_or_are_seconds() {
        assert_eq!(duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(duration("2.5"), Some(Duration::from_millis(2500)));
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        for wrong in ["", "s", "-3s", "30 parsecs", "1e9", "1.2.3s"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
