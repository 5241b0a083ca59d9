//! contacts.yaml as written -> contacts.

use std::collections::BTreeMap;
use std::time::Duration;

use control::contacts::{Address, Contact, Contacts, as_heard};
use control::dialplan::Uri;

use super::file::{LONGEST_RING, language_tag};
use super::problems::{Place, Problem, did_you_mean};
use super::reader::{Findings, Section, Text};
use super::yaml::{self, Node, Value};

/// A name that is listened for, and where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spoken {
    /// The contact's name; `None` for a wake phrase.
    pub contact: Option<String>,
    /// What is listened for.
    pub text: String,
    /// Where that is written.
    pub place: Place,
}

impl Spoken {
    /// A wake phrase.
    pub fn wake_phrase(text: String, place: Place) -> Spoken {
        Spoken { contact: None, text, place }
    }

    /// What is wrong when the speech model does not know these words of it. `nearest`: what is listened for in its place.
    pub fn not_in_model<'a>(&self, unknown: impl IntoIterator<Item = &'a String>, nearest: Option<&str>) -> Option<Problem> {
        let words = unknown.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        if words.is_empty() {
            return None;
        }
        Some(match (&self.contact, nearest) {
            (Some(_), Some(nearest)) => {
                let what = format!("the speech model does not know {words}: it listens for `{nearest}`");
                Problem::new(
                    &self.place,
                    what,
                    "write words that sound more like it below `sounds_like:` if it is not understood",
                )
            }
            (Some(contact), None) => {
                let what = format!("the speech model does not know {words}: `{contact}` cannot be called by that name");
                Problem::new(&self.place, what, "write the contact's name in words that sound the same below `sounds_like:`")
            }
            (None, _) => {
                let what = format!("the speech model does not know {words} of the wake phrase `{}`", self.text);
                Problem::new(&self.place, what, "choose common words")
            }
        })
    }
}

/// Reads the tree of a contacts.yaml. `lines` are the names of the lines in hark.yaml; `None` where they are not known.
pub fn read(root: &Node, lines: Option<&[String]>, findings: &Findings) -> (Contacts, Vec<Spoken>) {
    let mut it = Section::root(root, findings);
    let mut reader = Reader { lines, names: BTreeMap::new(), spoken: Vec::new(), findings };
    let written = it.value("contacts");
    if let (Value::Map(_), None) = (&root.value, written)
        && it.key_place("contacts").is_none()
    {
        it.missing("there is no list `contacts`", "begin with `contacts:` and below it, for each contact, `- name: ...`");
    }
    let people = match written.map(|node| (&node.value, node)) {
        Some((Value::Map(_), node)) => {
            findings.problem(
                &node.place,
                "`contacts` must be a list, this is a block of keys",
                "write `- ` in front of each `name:`",
            );
            Vec::new()
        }
        _ => it.sections("contacts").into_iter().filter_map(|section| reader.contact(section)).collect(),
    };
    it.done();
    (Contacts::of(people), reader.spoken)
}

struct Reader<'a> {
    lines: Option<&'a [String]>,
    /// Every name and alias as it is heard -> whose it is, and where it is written.
    names: BTreeMap<String, (String, Place)>,
    spoken: Vec<Spoken>,
    findings: &'a Findings,
}

impl Reader<'_> {
    fn contact(&mut self, mut it: Section<'_>) -> Option<Contact> {
        if !it.is_block() {
            return None;
        }
        let name = it.text("name");
        let is_there = name.is_some() || it.is_written("name");
        if !is_there {
            it.missing("this contact has no `name`", "add one, such as `name: Mom`");
        }
        let shown = name.map_or("without a name", |name| name.text).to_owned();
        let aliases = it.texts("aliases").unwrap_or_default();
        let sounds_like = it.texts("sounds_like").unwrap_or_default();
        for name in name.iter().chain(&aliases) {
            self.take(&shown, name);
        }
        for text in &sounds_like {
            self.speakable(text);
        }
        let language = it.parsed("language", language_tag);
        let addresses = self.addresses(&mut it, &shown);
        let groups = it.texts("groups").unwrap_or_default().iter().map(|text| text.text.to_owned()).collect();
        it.done();
        // Spellings for the model stand for the names that it does not know.
        let listened: Vec<&Text<'_>> =
            if sounds_like.is_empty() { name.iter().chain(&aliases).collect() } else { sounds_like.iter().collect() };
        for text in listened {
            self.spoken.push(Spoken { contact: Some(shown.clone()), text: as_heard(text.text), place: text.place.clone() });
        }
        Some(Contact {
            name: name?.text.to_owned(),
            aliases: aliases.iter().map(|text| text.text.to_owned()).collect(),
            sounds_like: sounds_like.iter().map(|text| text.text.to_owned()).collect(),
            language,
            addresses,
            groups,
        })
    }

    /// Names and aliases must not be shared: "call mom" has one meaning.
    fn take(&mut self, contact: &str, name: &Text<'_>) {
        if !self.speakable(name) {
            return;
        }
        let heard = as_heard(name.text);
        match self.names.get(&heard) {
            Some((other, first)) => {
                let whose = if other == contact { "this contact".to_owned() } else { format!("`{other}`") };
                let what = format!("`{}` is already a name of {whose}, at {}", name.text, yaml::short(first));
                self.findings.problem(name.place, what, "give each contact names of its own");
            }
            None => {
                self.names.insert(heard, (contact.to_owned(), name.place.clone()));
            }
        }
    }

    fn speakable(&self, name: &Text<'_>) -> bool {
        if as_heard(name.text).chars().any(char::is_alphanumeric) {
            return true;
        }
        self.findings.problem(name.place, format!("`{}` cannot be spoken", name.text), "write it in letters");
        false
    }

    /// The ladder: one address, or a list of them, each a text or a block with `to`.
    fn addresses(&self, it: &mut Section<'_>, contact: &str) -> Vec<Address> {
        let nodes = it.list("addresses");
        if nodes.is_empty() {
            let mend = "add `addresses:` and below it a line such as `- sip:mom@192.168.1.20` or `- +49 30 123456`";
            match it.key_place("addresses") {
                Some(place) => self.findings.problem(place, format!("`{contact}` has no address"), mend),
                None => it.missing(format!("`{contact}` has no address"), mend),
            }
        }
        let mut addresses = Vec::new();
        for node in nodes {
            let address = match &node.value {
                Value::Map(_) => self.address(it.item("addresses", node), contact),
                _ => it.as_text("addresses", node).and_then(|text| self.uri(&text)).map(plain),
            };
            addresses.extend(address);
        }
        addresses
    }

    fn address(&self, mut it: Section<'_>, contact: &str) -> Option<Address> {
        let label = it.text("label").map(|text| text.text.to_owned());
        let to = it.text("to");
        let present = it.text("where").and_then(|text| it.check(text.place, present(contact, text.text, to.is_some())));
        if to.is_none() && !it.is_written("to") && !it.is_written("where") {
            it.missing(format!("an address of `{contact}` has no `to`"), "add it, such as `to: sip:mom@192.168.1.20`");
        }
        let line = it.text("line").and_then(|text| it.check(text.place, self.line(text.text)));
        let ring_for = it.duration("ring_for", Duration::from_secs(5), LONGEST_RING);
        it.done();
        let to = match present {
            Some(room) => room,
            None => self.uri(&to?)?,
        };
        Some(Address { label, to, line, ring_for })
    }

    fn line(&self, name: &str) -> Result<String, super::reader::Wrong> {
        match self.lines {
            Some(lines) if !lines.iter().any(|line| line == name) => {
                let mend = match did_you_mean(name, lines.iter().map(String::as_str)) {
                    Some(line) => format!("did you mean `{line}`?"),
                    None => format!("lines are {}; accounts are in hark.yaml, `sip`", lines.join(", ")),
                };
                Err((format!("there is no line `{name}`"), mend))
            }
            _ => Ok(name.to_owned()),
        }
    }

    fn uri(&self, text: &Text<'_>) -> Option<Uri> {
        match Uri::parse(text.text) {
            Ok(uri) => Some(uri),
            Err(error) => {
                let error = error.to_string();
                let (why, mend) = error.split_once("; ").unwrap_or((&error, "write `sip:user@host`, or a number"));
                self.findings.problem(text.place, format!("`{}` cannot be called: {why}", text.text), mend);
                None
            }
        }
    }
}

/// The address of wherever somebody is.
fn present(contact: &str, how: &str, has_to: bool) -> Result<Uri, super::reader::Wrong> {
    let mend = "write `where: presence` for the room where the person is, or else `to:` and an address";
    match (how, has_to) {
        ("presence", false) => {
            let slug = as_heard(contact).replace(' ', "-");
            Uri::parse(&format!("hark:person/{slug}"))
                .map_err(|_| (format!("`{contact}` cannot be followed by that name"), mend.into()))
        }
        ("presence", true) => Err(("an address has either `to` or `where`".into(), mend.into())),
        (how, _) => Err((format!("`where` cannot be `{how}`"), mend.into())),
    }
}

fn plain(to: Uri) -> Address {
    Address { label: None, to, line: None, ring_for: None }
}
