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
    /// Names that nobody can tell apart by ear, in sets, as they are heard.
    alike: Vec<BTreeSet<String>>,
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
    /// These people, whose names all sound different.
    pub fn of(people: Vec<Contact>) -> Contacts {
        Contacts { people, alike: Vec::new() }
    }

    /// Takes names of different people that nobody can tell apart by ear, in sets: who is called by one of them is asked for before anybody is
    /// rung. Any spelling will do: a name, an alias, a first name.
    pub fn set_sounds_alike(&mut self, sets: &[Vec<String>]) {
        let heard = |set: &Vec<String>| set.iter().map(|it| as_heard(it)).collect::<BTreeSet<_>>();
        self.alike = sets.iter().map(heard).filter(|it| it.len() > 1).collect();
    }

    /// The sets that [`Contacts::set_sounds_alike`] was given.
    pub fn sounds_alike(&self) -> &[BTreeSet<String>] {
        &self.alike
    }

    /// The other names that sound like this one, which is written as heard.
    pub fn sound_like<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a String> {
        self.alike.iter().filter(|it| it.contains(name)).flatten().filter(move |it| *it != name)
    }

    /// Whether what two people are called by themselves sounds the same.
    pub fn are_alike(&self, a: &str, b: &str) -> bool {
        self.sound_like(&as_heard(a)).any(|it| *it == as_heard(b))
    }

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

    /// These contacts, and what the echo test and the rooms are called in another language.
    pub fn with_names_in(mut self, phrases: &Phrases, rooms: &[&Room]) -> Contacts {
        let echo = phrases.names_of("echo_test").iter().map(|it| (Uri::echo_test(), it.clone()));
        let rooms = rooms.iter().flat_map(|room| room_names(room, phrases).into_iter().map(|it| (Uri::room(&room.slug), it)));
        for (to, name) in echo.chain(rooms) {
            if self.people.iter().any(|it| it.is_called(&name)) {
                continue;
            }
            let is_at = |it: &&mut Contact| it.addresses.iter().all(|it| it.to == to);
            self.people.iter_mut().find(is_at).into_iter().for_each(|it| it.aliases.push(name.clone()));
        }
        self
    }

    /// The contact of that name, as it is shown.
    pub fn get(&self, name: &str) -> Option<&Contact> {
        self.people.iter().find(|it| it.name == name)
    }

    /// The names of groups, each once, as they are written first.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for group in self.people.iter().flat_map(|it| &it.groups) {
            if !groups.iter().any(|it| as_heard(it) == as_heard(group)) {
                groups.push(group);
            }
        }
        groups
    }

    /// Those who are in a group, however it is written.
    pub fn in_group(&self, group: &str) -> Vec<&Contact> {
        let group = as_heard(group);
        self.people.iter().filter(|it| !group.is_empty() && it.groups.iter().any(|it| as_heard(it) == group)).collect()
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

    /// Its whole names and how they sound, as they are heard.
    pub fn whole_names(&self) -> impl Iterator<Item = String> {
        let whole = std::iter::once(&self.name).chain(&self.aliases).chain(&self.sounds_like).map(|it| as_heard(it));
        whole.filter(|it| !it.is_empty())
    }

    /// Everything that people may say to mean this contact, in the model's words: names, aliases, `sounds_like`, first name.
    pub fn heard_names(&self, phrases: &Phrases) -> BTreeSet<String> {
        self.whole_names().chain(self.first_name(phrases)).collect()
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
