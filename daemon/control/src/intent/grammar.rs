//! Every sentence that we can hear, made of phrases/*.yaml and the contacts, and what each means.

use std::collections::{BTreeMap, BTreeSet};

use super::Intent;
use super::numbers;
use super::pattern::{self, Piece};
use crate::action::Scope;
use crate::contacts::{Contacts, as_heard, room_names};
use crate::house::{Room, RoomName};
use crate::input::VolumeTo;
use crate::phrases::Phrases;

/// The intents of phrases/*.yaml and the slots that each may use. `typed` is how a contact is named in writing (`hark call "mom's mobile"`).
pub const INTENTS: &[(&str, &[&str])] = &[
    ("dial", &["contact", "label"]),
    ("typed", &["contact", "label"]),
    ("dial_number", &["digits"]),
    ("emergency", &[]),
    ("answer", &[]),
    ("decline", &[]),
    ("hang_up", &[]),
    ("redial", &[]),
    ("call_back", &[]),
    ("volume_up", &[]),
    ("volume_down", &[]),
    ("volume_percent", &["percent"]),
    ("mute", &[]),
    ("unmute", &[]),
    ("hold", &[]),
    ("resume", &[]),
    ("dtmf", &["digits"]),
    ("do_not_disturb_on", &[]),
    ("do_not_disturb_off", &[]),
    ("drop_in", &["room"]),
    ("listen_in", &["room"]),
    ("move", &["room"]),
    ("take_back", &[]),
    ("add", &["contact"]),
    ("follow_me", &[]),
    ("follow_me_off", &[]),
    ("who_is_calling", &[]),
    ("repeat", &[]),
    ("cancel", &[]),
    ("yes", &[]),
    ("no", &[]),
    ("other", &["contact"]),
    ("first", &[]),
    ("second", &[]),
    ("third", &[]),
    ("who_called", &[]),
    ("clear_missed", &[]),
    ("announce", &[]),
    ("announce_to", &["room", "contact"]),
    ("reply", &[]),
];

/// What the listener needs: whole sentences in the model's words, lower case, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grammar {
    /// Sentences that count after the wake phrase, or while a window is open.
    pub after_wake: Vec<String>,
    /// Sentences that count without it.
    pub at_once: Vec<String>,
    /// Sentences after which people say what they like; they count after the wake phrase, and what follows is recorded.
    pub open: Vec<String>,
    /// Sentences that end in as many digits as one likes; they count after the wake phrase.
    pub loops: Vec<Loop>,
}

/// Sentences that begin with `prefix` and go on with one or more of `words`, in any order, as often as one likes. For a bigram grammar
/// such as Vosk's: add `prefix` followed by each word, and each pair of words that may follow one another, or simply each word, as entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loop {
    /// The words before the digits, such as `dial`.
    pub prefix: String,
    /// The words for digits.
    pub words: Vec<String>,
    /// Those of them that cannot come last, such as `double`.
    pub never_last: Vec<String>,
}

/// What a text is to a grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// No sentence, nor the beginning of one.
    NotASentence,
    /// The beginning of one.
    Prefix,
    /// A sentence, and no longer one begins with it: nothing is left to wait for.
    Complete,
    /// A sentence, and a longer one begins with it.
    CompleteButExtendable,
}

impl Grammar {
    /// What a text is after the wake phrase (`woken`) or in an open window, or else to what counts at once.
    pub fn judge(&self, text: &str, woken: bool) -> Judgement {
        let begun = format!("{text} ");
        let lists: &[&Vec<String>] = if woken { &[&self.after_wake, &self.at_once] } else { &[&self.at_once] };
        let mut whole = lists.iter().any(|list| list.binary_search_by(|it| it.as_str().cmp(text)).is_ok());
        let mut longer = text.is_empty() && lists.iter().any(|list| !list.is_empty());
        longer |=
            lists.iter().any(|list| list.get(list.partition_point(|it| it < &begun)).is_some_and(|it| it.starts_with(&begun)));
        for it in self.loops.iter().filter(|_| woken) {
            match it.prefix.strip_prefix(text) {
                Some(rest) if rest.is_empty() || rest.starts_with(' ') || text.is_empty() => longer = true,
                _ => {
                    let Some(digits) = text.strip_prefix(&it.prefix).and_then(|it| it.strip_prefix(' ')) else { continue };
                    if digits.split(' ').all(|word| it.words.iter().any(|known| known == word)) {
                        longer = true;
                        whole |= digits.split(' ').next_back().is_some_and(|last| !it.never_last.iter().any(|it| it == last));
                    }
                }
            }
        }
        match (whole, longer) {
            (false, false) => Judgement::NotASentence,
            (false, true) => Judgement::Prefix,
            (true, false) => Judgement::Complete,
            (true, true) => Judgement::CompleteButExtendable,
        }
    }

    /// Every word in it, for the model to say which it does not know.
    pub fn words(&self) -> BTreeSet<&str> {
        let loops = self.loops.iter().flat_map(|it| it.words.iter().chain([&it.prefix]));
        self.after_wake.iter().chain(&self.at_once).chain(&self.open).chain(loops).flat_map(|it| it.split(' ')).collect()
    }

    /// The same without the sentences that have one of these words in them: a recognizer would drop the word and hear another sentence.
    pub fn without(mut self, unknown: &BTreeSet<String>) -> Grammar {
        let known = |text: &String| !text.split(' ').any(|word| unknown.contains(word));
        self.after_wake.retain(known);
        self.at_once.retain(known);
        self.open.retain(known);
        self.loops.iter_mut().for_each(|it| it.words.retain(known));
        self.loops.retain(|it| known(&it.prefix) && !it.words.is_empty());
        self
    }
}

/// What the name of a room means in some sentence.
type OfRoom = fn(RoomName) -> Intent;

/// What digits mean after some prefix.
type OfDigits = fn(String) -> Intent;

/// All sentences and what they mean.
#[derive(Clone, Debug, Default)]
pub struct Sentences {
    commands: BTreeMap<String, Intent>,
    answers: BTreeMap<String, Intent>,
    typed: BTreeMap<String, Intent>,
    loops: Vec<(String, OfDigits)>,
    phrases: Phrases,
}

/// Makes all sentences for these contacts (the echo test is added) and emergency numbers.
pub fn sentences(phrases: &Phrases, contacts: &Contacts, emergency: &[String]) -> Sentences {
    with_rooms(phrases, contacts, emergency, &[])
}

/// The same where there are other rooms.
pub fn with_rooms(phrases: &Phrases, contacts: &Contacts, emergency: &[String], rooms: &[&Room]) -> Sentences {
    let contacts = contacts.clone().with_echo_test(phrases);
    let mut all = Sentences { phrases: phrases.clone(), ..Sentences::default() };
    for (name, intent) in fixed() {
        let list = if is_answer(name) { &mut all.answers } else { &mut all.commands };
        for pieces in phrases.ways(name).iter().flat_map(|it| pattern::expand(it)) {
            list.entry(text(&pieces, "", "")).or_insert_with(|| intent.clone());
        }
    }
    for pieces in phrases.ways("volume_percent").iter().flat_map(|it| pattern::expand(it)) {
        for (word, percent) in &phrases.numbers {
            let to = VolumeTo::Percent((*percent).min(100));
            all.commands.entry(text(&pieces, word, "")).or_insert(Intent::Volume(to));
        }
    }
    let loops: [(&str, OfDigits); 2] = [("dial_number", Intent::DialNumber), ("dtmf", Intent::Dtmf)];
    for (name, intent) in loops {
        for pieces in phrases.ways(name).iter().flat_map(|it| pattern::expand(it)) {
            all.loops.push((text(&pieces, "", ""), intent));
        }
    }
    for number in emergency {
        let Some(words) = numbers::words(number, phrases) else { continue };
        for pieces in phrases.ways("dial_number").iter().flat_map(|it| pattern::expand(it)) {
            all.commands.entry(text(&pieces, &words, "")).or_insert_with(|| Intent::DialNumber(number.clone()));
        }
    }
    let named = people(phrases, &contacts);
    for pieces in phrases.ways("add").iter().flat_map(|it| pattern::expand(it)) {
        for (name, who) in &named {
            all.commands.entry(text(&pieces, name, "")).or_insert_with(|| Intent::Add(who.clone()));
        }
    }
    let of_room: [(&str, OfRoom); 3] = [("drop_in", Intent::DropIn), ("listen_in", Intent::Listen), ("move", Intent::Move)];
    for (intent, meaning) in of_room {
        for pieces in phrases.ways(intent).iter().flat_map(|it| pattern::expand(it)) {
            for (name, room) in rooms.iter().flat_map(|room| room_names(room, phrases).into_iter().map(move |it| (it, room))) {
                all.commands.entry(text(&pieces, &as_heard(&name), "")).or_insert_with(|| meaning(room.slug.clone()));
            }
        }
    }
    let labels = labels(phrases, &contacts);
    let expand = |ways: &str| -> Vec<_> { phrases.ways(ways).iter().flat_map(|it| pattern::expand(it)).collect() };
    dial(&mut all.commands, &expand("dial"), &labels, &named, &|who, label| with_label(&contacts, who, label));
    // In writing a label that nobody has gets an answer.
    dial(&mut all.typed, &expand("typed"), &labels, &named, &|who, label| match with_label(&contacts, who, label) {
        nobody if nobody.is_empty() => who.to_vec(),
        who => who,
    });
    for pieces in phrases.ways("other").iter().flat_map(|it| pattern::expand(it)) {
        if !pieces.contains(&Piece::Slot("contact".into())) {
            all.answers.entry(text(&pieces, "", "")).or_insert_with(|| Intent::Other(vec![]));
        }
        for (name, who) in named.iter().filter(|(_, who)| who.len() > 1) {
            all.answers.entry(text(&pieces, name, "")).or_insert_with(|| Intent::Other(who.clone()));
        }
    }
    all
}

/// Intents that are always said with the same words.
fn fixed() -> [(&'static str, Intent); 27] {
    [
        ("emergency", Intent::Emergency),
        ("answer", Intent::Answer),
        ("decline", Intent::Decline),
        ("hang_up", Intent::HangUp),
        ("redial", Intent::Redial),
        ("call_back", Intent::CallBack),
        ("volume_up", Intent::Volume(VolumeTo::Up)),
        ("volume_down", Intent::Volume(VolumeTo::Down)),
        ("mute", Intent::Mute),
        ("unmute", Intent::Unmute),
        ("hold", Intent::Hold),
        ("resume", Intent::Resume),
        ("do_not_disturb_on", Intent::DoNotDisturb(true)),
        ("do_not_disturb_off", Intent::DoNotDisturb(false)),
        ("take_back", Intent::TakeBack),
        ("follow_me", Intent::FollowMe(true)),
        ("follow_me_off", Intent::FollowMe(false)),
        ("who_is_calling", Intent::WhoIsCalling),
        ("who_called", Intent::WhoCalled),
        ("clear_missed", Intent::ClearMissed),
        ("repeat", Intent::Repeat),
        ("cancel", Intent::Cancel),
        ("yes", Intent::Yes),
        ("no", Intent::No),
        ("first", Intent::Choose(0)),
        ("second", Intent::Choose(1)),
        ("third", Intent::Choose(2)),
    ]
}

/// Whether an intent only means something as the answer to what was said before.
fn is_answer(name: &str) -> bool {
    matches!(name, "yes" | "no" | "first" | "second" | "third")
}

/// Spoken name -> those who can be meant. A whole name or alias goes before the first names of others.
fn people(phrases: &Phrases, contacts: &Contacts) -> BTreeMap<String, Vec<String>> {
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for contact in &contacts.people {
        for name in contact.heard_names(phrases) {
            named.entry(name).or_default().push(contact.name.clone());
        }
    }
    for (name, who) in &mut named {
        let whole = |it: &String| {
            contacts.get(it).is_some_and(|it| it.is_called(name) || it.sounds_like.iter().any(|sound| as_heard(sound) == *name))
        };
        if who.iter().any(whole) {
            who.retain(whole);
        }
    }
    named
}

/// Adds the sentences with a contact in them. `at` tells which of several people can be meant by a label; nobody: there is no such sentence.
fn dial(
    list: &mut BTreeMap<String, Intent>,
    patterns: &[Vec<Piece>],
    labels: &BTreeMap<String, String>,
    named: &BTreeMap<String, Vec<String>>,
    at: &dyn Fn(&[String], &str) -> Vec<String>,
) {
    let (labelled, plain): (Vec<_>, Vec<_>) = patterns.iter().partition(|it| it.contains(&Piece::Slot("label".into())));
    for (name, who) in named {
        for pieces in &plain {
            list.entry(text(pieces, name, "")).or_insert_with(|| Intent::Dial { who: who.clone(), label: None });
        }
        for (spoken, label) in labels {
            let who = at(who, label);
            for pieces in labelled.iter().filter(|_| !who.is_empty()) {
                let intent = || Intent::Dial { who: who.clone(), label: Some(label.clone()) };
                list.entry(text(pieces, name, spoken)).or_insert_with(intent);
            }
        }
    }
}

/// Those who have an address of that label.
fn with_label(contacts: &Contacts, who: &[String], label: &str) -> Vec<String> {
    let has =
        |it: &&String| contacts.get(it).is_some_and(|it| it.addresses.iter().any(|it| is_labelled(it.label.as_deref(), label)));
    who.iter().filter(has).cloned().collect()
}

fn is_labelled(own: Option<&str>, label: &str) -> bool {
    own.is_some_and(|own| own.eq_ignore_ascii_case(label))
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

/// The sentence, with its first slot and its label filled in.
pub(super) fn text(pieces: &[Piece], slot: &str, label: &str) -> String {
    let mut text = String::new();
    for piece in pieces {
        let (word, glued) = match piece {
            Piece::Word(word) => (word.as_str(), false),
            Piece::Suffix(word) => (word.as_str(), true),
            Piece::Slot(name) if name == "label" => (label, false),
            Piece::Slot(_) => (slot, false),
        };
        if !glued && !text.is_empty() && !word.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

impl Sentences {
    /// What a text that is written as heard means.
    pub(super) fn meaning(&self, text: &str) -> Option<Intent> {
        let whole = self.commands.get(text).or_else(|| self.answers.get(text)).cloned();
        whole.or_else(|| self.loops.iter().find_map(|(prefix, intent)| Some(intent(self.digits_after(prefix, text)?))))
    }

    /// Who is meant by a contact's name as a person types it, perhaps with a label.
    pub fn typed(&self, text: &str) -> Option<Intent> {
        // Languages that are written without spaces are typed so.
        let together = |text: &str| text.replace(' ', "");
        let text = as_heard(text);
        let spaced = || self.typed.iter().find(|(it, _)| together(it) == together(&text)).map(|(_, intent)| intent);
        self.typed.get(&text).or_else(spaced).cloned()
    }

    fn digits_after(&self, prefix: &str, text: &str) -> Option<String> {
        numbers::digits(text.strip_prefix(prefix)?.strip_prefix(' ')?.split(' '), &self.phrases)
    }

    /// What is listened for in a scope. `offered`: the contacts that a question names.
    pub fn grammar(&self, scope: Scope, contacts: &Contacts, offered: &[String]) -> Grammar {
        let answers = |it: &Intent| match it {
            Intent::Yes | Intent::No | Intent::Cancel | Intent::Other(_) => true,
            Intent::Choose(nth) => *nth < offered.len() && offered.len() > 1,
            _ => false,
        };
        let at_once = |it: &Intent| if scope == Scope::Confirming { answers(it) } else { it.counts_at_once(scope) };
        let all = self.commands.iter().chain(&self.answers);
        let mut now: BTreeSet<String> = all.filter(|(_, intent)| at_once(intent)).map(|(text, _)| text.clone()).collect();
        if scope == Scope::Confirming {
            let people = offered.iter().filter_map(|name| contacts.get(name));
            now.extend(people.flat_map(|it| it.heard_names(&self.phrases)));
        }
        let (never_last, words): (Vec<_>, Vec<_>) =
            self.phrases.digits.iter().partition(|(_, digit)| matches!(digit.as_str(), "x2" | "x3" | "+"));
        let never_last: Vec<String> = never_last.into_iter().map(|(word, _)| word.clone()).collect();
        let words: Vec<String> = words.into_iter().map(|(word, _)| word.clone()).chain(never_last.iter().cloned()).collect();
        let digits =
            |(prefix, _): &(String, _)| Loop { prefix: prefix.clone(), words: words.clone(), never_last: never_last.clone() };
        Grammar {
            after_wake: self.commands.keys().cloned().collect(),
            at_once: now.into_iter().collect(),
            open: Vec::new(),
            loops: self.loops.iter().map(digits).collect(),
        }
    }

    /// How many sentences can be said, those that end in digits not counted.
    pub fn n_sentences(&self) -> usize {
        self.commands.len() + self.answers.len()
    }
}
