//! What may stand in the slots of a sentence, and what it means there.

use std::collections::{BTreeMap, BTreeSet};

use super::numbers::{self, Said};
use crate::contacts::{Contacts, as_heard, room_names};
use crate::house::{Room, RoomName};
use crate::phrases::Phrases;

/// What stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// Somebody.
    Contact,
    /// A name that several have.
    Shared,
    /// Which of the addresses.
    Label,
    /// A volume.
    Percent,
    /// Another room.
    Room,
    /// A group of contacts.
    Group,
    /// As many digits as one likes.
    Digits,
}

/// What was said there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Those who can be meant.
    People(Vec<String>),
    /// As in the contacts.
    Label(String),
    /// Up to 100.
    Percent(u8),
    /// A room.
    Room(RoomName),
    /// A group, as the contacts write it.
    Group(String),
    /// Digits.
    Digits(String),
}

/// All that may stand in slots, as it is heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    contacts: BTreeMap<String, Vec<String>>,
    shared: BTreeMap<String, Vec<String>>,
    labels: BTreeMap<String, String>,
    /// Label, lower case -> who has such an address.
    labelled: BTreeMap<String, BTreeSet<String>>,
    percent: BTreeMap<String, u8>,
    rooms: BTreeMap<String, RoomName>,
    groups: BTreeMap<String, String>,
    digits: BTreeMap<String, String>,
}

impl Slots {
    /// The names of these contacts and rooms, and the words of the language.
    pub fn new(phrases: &Phrases, contacts: &Contacts, rooms: &[&Room]) -> Slots {
        let contacts_heard = people(phrases, contacts);
        let named =
            rooms.iter().flat_map(|room| room_names(room, phrases).into_iter().map(|it| (as_heard(&it), room.slug.clone())));
        let mut labelled: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for contact in &contacts.people {
            for label in contact.addresses.iter().filter_map(|it| it.label.as_ref()) {
                labelled.entry(label.to_ascii_lowercase()).or_default().insert(contact.name.clone());
            }
        }
        let mut rooms_heard = BTreeMap::new();
        for (name, slug) in named.filter(|(name, _)| !name.is_empty()) {
            rooms_heard.entry(name).or_insert(slug);
        }
        let groups = contacts.people.iter().flat_map(|it| &it.groups);
        Slots {
            shared: contacts_heard
                .iter()
                .filter(|(_, who)| who.len() > 1)
                .map(|(name, who)| (name.clone(), who.clone()))
                .collect(),
            contacts: contacts_heard,
            labels: labels(phrases, contacts),
            labelled,
            percent: phrases.numbers.iter().map(|(word, n)| (as_heard(word), *n)).collect(),
            rooms: rooms_heard,
            groups: groups.map(|it| (as_heard(it), it.clone())).filter(|(name, _)| !name.is_empty()).collect(),
            digits: numbers::dictionary(phrases),
        }
    }

    /// What these words mean in a slot, and whether they are also the beginning of something longer.
    pub fn look_up(&self, slot: Slot, words: &[&str]) -> (Option<Value>, bool) {
        let text = words.join(" ");
        match slot {
            Slot::Contact => entry(&self.contacts, &text, |it| Value::People(it.clone())),
            Slot::Shared => entry(&self.shared, &text, |it| Value::People(it.clone())),
            Slot::Label => entry(&self.labels, &text, |it| Value::Label(it.clone())),
            Slot::Percent => entry(&self.percent, &text, |it| Value::Percent(*it)),
            Slot::Room => entry(&self.rooms, &text, |it| Value::Room(it.clone())),
            Slot::Group => entry(&self.groups, &text, |it| Value::Group(it.clone())),
            Slot::Digits => match numbers::digits(words, &self.digits) {
                Said::Whole(digits) => (Some(Value::Digits(digits)), true),
                Said::Begun => (None, true),
                Said::Not => (None, false),
            },
        }
    }

    /// All that may stand there; of digits, one of each.
    pub fn spoken(&self, slot: Slot) -> Vec<&str> {
        match slot {
            Slot::Contact => keys(&self.contacts),
            Slot::Shared => keys(&self.shared),
            // What nobody has is only typed.
            Slot::Label => {
                let had = |it: &(&String, &String)| self.labelled.contains_key(&it.1.to_ascii_lowercase());
                self.labels.iter().filter(had).map(|(spoken, _)| spoken.as_str()).collect()
            }
            Slot::Percent => keys(&self.percent),
            Slot::Room => keys(&self.rooms),
            Slot::Group => keys(&self.groups),
            Slot::Digits => self.digits.iter().filter(|(_, it)| !never_last(it)).map(|(word, _)| word.as_str()).collect(),
        }
    }

    /// What these people are called.
    pub fn names_of<'a>(&'a self, people: &'a [String]) -> impl Iterator<Item = &'a str> {
        let one = |who: &Vec<String>| who.iter().any(|it| people.contains(it));
        self.contacts.iter().filter(move |(_, who)| one(who)).map(|(name, _)| name.as_str())
    }

    /// Whether nothing may stand there.
    pub fn is_empty(&self, slot: Slot) -> bool {
        self.spoken(slot).is_empty()
    }

    /// Those who have an address of that label.
    pub fn with_label(&self, who: &[String], label: &str) -> Vec<String> {
        let Some(those) = self.labelled.get(&label.to_ascii_lowercase()) else { return Vec::new() };
        who.iter().filter(|it| those.contains(*it)).cloned().collect()
    }

    /// Whether one of them has an address of any label that can be said.
    pub fn has_label(&self, who: &[String]) -> bool {
        self.labels.values().any(|label| !self.with_label(who, label).is_empty())
    }

    /// All that is said for digits, one or several.
    pub fn digit_texts(&self) -> impl Iterator<Item = String> {
        self.digits.keys().cloned()
    }

    /// The single words for digits, and those of them that cannot come last.
    pub fn digit_words(&self) -> (Vec<String>, Vec<String>) {
        let single = || self.digits.iter().filter(|(word, it)| !word.contains(' ') && (it.len() == 1 || never_last(it)));
        let last = single().filter(|(_, it)| !never_last(it)).map(|(word, _)| word.clone());
        let first: Vec<String> = single().filter(|(_, it)| never_last(it)).map(|(word, _)| word.clone()).collect();
        (last.chain(first.iter().cloned()).collect(), first)
    }

    /// What is said for several digits at once.
    pub fn digit_numbers(&self) -> Vec<String> {
        self.digits
            .iter()
            .filter(|(word, it)| (word.contains(' ') || it.len() > 1) && !never_last(it))
            .map(|(word, _)| word.clone())
            .collect()
    }
}

fn never_last(digit: &str) -> bool {
    matches!(digit, "x2" | "x3" | "+")
}

fn keys<V>(map: &BTreeMap<String, V>) -> Vec<&str> {
    map.keys().map(String::as_str).collect()
}

fn entry<V>(map: &BTreeMap<String, V>, text: &str, value: impl Fn(&V) -> Value) -> (Option<Value>, bool) {
    let begun = format!("{text} ");
    let longer = map.range(begun.clone()..).next().is_some_and(|(it, _)| it.starts_with(&begun));
    (map.get(text).map(value), longer)
}

/// Spoken name -> those who can be meant. A whole name or alias goes before the first names of others; names that sound the same mean the same people.
fn people(phrases: &Phrases, contacts: &Contacts) -> BTreeMap<String, Vec<String>> {
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // Whose whole name it is.
    let mut whole: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for contact in &contacts.people {
        for name in contact.heard_names(phrases) {
            named.entry(name).or_default().push(contact.name.clone());
        }
        for name in contact.whole_names() {
            whole.entry(name).or_default().insert(contact.name.clone());
        }
    }
    for (name, those) in &whole {
        named.get_mut(name).into_iter().for_each(|who| who.retain(|it| those.contains(it)));
    }
    let alone = named.clone();
    for (name, who) in &mut named {
        for other in contacts.sound_like(name) {
            let others = alone.get(other).into_iter().flatten().filter(|it| !who.contains(it)).cloned().collect::<Vec<_>>();
            who.extend(others);
        }
    }
    named
}

/// Spoken label -> label: those of the language, and those of contacts.yaml that it does not have, as they are written there.
fn labels(phrases: &Phrases, contacts: &Contacts) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<_, _> = phrases.labels.iter().map(|(spoken, label)| (as_heard(spoken), label.clone())).collect();
    for label in contacts.people.iter().flat_map(|it| &it.addresses).filter_map(|it| it.label.as_ref()) {
        if !phrases.labels.values().any(|it| it.eq_ignore_ascii_case(label)) {
            labels.insert(as_heard(label), label.clone());
        }
    }
    labels
}
