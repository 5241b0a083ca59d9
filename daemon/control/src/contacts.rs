//! People, nicknames, how they sound; a name -> one, several or nobody.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::dialplan::{self, BUILTIN, LineName, ROOMS, Uri};
use crate::house::Room;
use crate::phrases::Phrases;
use crate::speaker::LineSettings;

/// Everybody the speaker knows, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contacts {
    /// The people; names and aliases are unique, which whoever builds this has checked.
    pub people: Vec<Contact>,
}

/// One person, or place.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// As it is shown and spoken.
    pub name: String,
    /// Other names, each as good as the first.
    pub aliases: Vec<String>,
    /// Spellings that the model knows for names that it does not: only listened for, never spoken or shown.
    pub sounds_like: Vec<String>,
    /// BCP 47 language in which the name is spoken, where it is not the speaker's.
    pub language: Option<String>,
    /// The ladder: ways to reach the person, in ringing order; at least one.
    pub addresses: Vec<Address>,
    /// Names of groups that the person is in.
    pub groups: Vec<String>,
}

/// One way to reach somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// What people call it: mobile, home, work. For "call mom on her mobile".
    pub label: Option<String>,
    /// Where.
    pub to: Uri,
    /// On which line, where it matters.
    pub line: Option<LineName>,
    /// How long it may ring before the next address is tried.
    pub ring_for: Option<Duration>,
}

impl Contacts {
    /// These contacts, and the echo test as a contact of its own unless somebody already has its name.
    pub fn with_echo_test(mut self, phrases: &Phrases) -> Contacts {
        let Some((name, aliases)) = phrases.names_of("echo_test").split_first() else { return self };
        let taken = |people: &[Contact], name: &str| people.iter().any(|it| it.is_called(name));
        if taken(&self.people, name) {
            return self;
        }
        let aliases = aliases.iter().filter(|it| !taken(&self.people, it)).cloned().collect();
        let address = Address { label: None, to: Uri::echo_test(), line: Some(BUILTIN.into()), ring_for: None };
        let name = name.clone();
        let echo = Contact { name, aliases, sounds_like: vec![], language: None, addresses: vec![address], groups: vec![] };
        self.people.push(echo);
        self
    }

    /// These contacts and, each as a contact of its own, the rooms whose names nobody has yet.
    pub fn with_rooms<'a>(mut self, rooms: impl IntoIterator<Item = &'a Room>, phrases: &Phrases) -> Contacts {
        let taken = |people: &[Contact], name: &str| people.iter().any(|it| it.is_called(name));
        for room in rooms {
            let names = room_names(room, phrases);
            let Some((name, aliases)) = names.split_first() else { continue };
            if names.iter().any(|it| taken(&self.people, it)) {
                continue;
            }
            let address = Address { label: None, to: Uri::room(&room.slug), line: Some(ROOMS.into()), ring_for: None };
            let (name, aliases) = (name.clone(), aliases.to_vec());
            let it = Contact { name, aliases, sounds_like: vec![], language: None, addresses: vec![address], groups: vec![] };
            self.people.push(it);
        }
        self
    }

    /// The contact of that name, as it is shown.
    pub fn get(&self, name: &str) -> Option<&Contact> {
        self.people.iter().find(|it| it.name == name)
    }

    /// Everybody who can be meant by a name, in the order of the file: those whose whole name or alias it is, or else those whose first name it is.
    pub fn named(&self, name: &str, phrases: &Phrases) -> Vec<&Contact> {
        let whole: Vec<_> = self.people.iter().filter(|it| it.is_called(name)).collect();
        if !whole.is_empty() {
            return whole;
        }
        let name = as_heard(name);
        self.people.iter().filter(|it| it.first_name(phrases).as_deref() == Some(name.as_str())).collect()
    }

    /// The contact that calls from an address.
    pub fn at(&self, from: &Uri, lines: &[LineSettings]) -> Option<&Contact> {
        self.people.iter().find(|it| it.addresses.iter().any(|address| dialplan::same_party(&address.to, from, lines)))
    }

    /// Those who could be confused with this contact: they share a name with it, or have one that is close. Itself not included.
    pub fn close_to(&self, contact: &Contact, phrases: &Phrases) -> Vec<&Contact> {
        let own = contact.heard_names(phrases);
        let is_close = |it: &&Contact| it.heard_names(phrases).iter().any(|a| own.iter().any(|b| close(a, b)));
        self.people.iter().filter(|it| it.name != contact.name).filter(is_close).collect()
    }
}

impl Contact {
    /// Its name in addresses (`hark:person/aunt-mary`).
    pub fn slug(&self) -> String {
        as_heard(&self.name).replace(' ', "-")
    }

    /// Whether this is its name or one of its aliases, however it is written.
    pub fn is_called(&self, name: &str) -> bool {
        let name = as_heard(name);
        !name.is_empty() && std::iter::once(&self.name).chain(&self.aliases).any(|it| as_heard(it) == name)
    }

    /// The first of several words of the name, unless nobody is called by that alone (`aunt`).
    fn first_name(&self, phrases: &Phrases) -> Option<String> {
        let name = as_heard(&self.name);
        let (first, _) = name.split_once(' ')?;
        let title = phrases.names_of("titles").iter().any(|it| as_heard(it) == first);
        let is_person = self.addresses.iter().all(|it| it.to.scheme() != "hark");
        (!title && is_person).then(|| first.to_string())
    }

    /// Everything that people may say to mean this contact, in the model's words: names, aliases, `sounds_like`, first name.
    pub fn heard_names(&self, phrases: &Phrases) -> BTreeSet<String> {
        let whole = std::iter::once(&self.name).chain(&self.aliases).chain(&self.sounds_like).map(|it| as_heard(it));
        whole.chain(self.first_name(phrases)).filter(|it| !it.is_empty()).collect()
    }
}

/// What people call a room: as it is shown and spoken first.
pub fn room_names(room: &Room, phrases: &Phrases) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let ways = phrases.names_of("rooms").iter().map(|it| it.replace("{name}", &room.name));
    for name in ways.chain([room.name.clone()]) {
        if !names.iter().any(|it| as_heard(it) == as_heard(&name)) {
            names.push(name);
        }
    }
    names
}

/// A name or sentence as the recognizer writes it: lower case, words divided by one space, no punctuation but the apostrophe.
pub fn as_heard(text: &str) -> String {
    let plain = text.replace(['\u{2019}', '\u{2bc}'], "'");
    let words = plain.split(|c: char| c.is_whitespace() || "-_/,.!?;:\"()".contains(c) || "，。！？、“”".contains(c));
    words.filter(|it| !it.is_empty()).map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// Whether two names are so alike that one may be heard for the other: up to a third of the letters differ.
fn close(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let longer = a.len().max(b.len());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()] * 3 <= longer
}
