//! Every sentence that we can hear in one language, made of phrases/*.yaml and the contacts, and what each means.

use std::collections::{BTreeMap, BTreeSet};

use super::numbers;
use super::pattern::{self, Piece};
use super::slots::{Slot, Slots};
use super::ways::{Found, Meaning, Part, Way};
use super::{Grammar, Intent, Loop};
use crate::action::Scope;
use crate::contacts::{Contacts, as_heard};
use crate::house::Room;
use crate::input::VolumeTo;
use crate::phrases::Phrases;

/// The intents of phrases/*.yaml and the slots that each may use. `typed` is how a contact is named in writing (`hark call "mom's mobile"`).
pub const INTENTS: &[(&str, &[&str])] = &[
    ("dial", &["contact", "label"]),
    ("dial_group", &["group"]),
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
    ("rather", &["contact"]),
    ("first", &[]),
    ("second", &[]),
    ("third", &[]),
    ("who_called", &[]),
    ("clear_missed", &[]),
    ("announce", &[]),
    ("announce_to", &["room", "contact"]),
    ("reply", &[]),
];

/// What may be said around a command, below `around` in phrases/*.yaml: `before` and `after` change nothing, `correct` says that what was understood before was wrong.
pub const AROUND: [&str; 3] = ["before", "after", "correct"];

/// With more names than this, they are taught in one place only: the recognizer knows by itself that they may stand in others.
const MANY_NAMES: usize = 400;

/// All pairs of what may stand in two slots are taught where there are no more.
const MANY_PAIRS: usize = 1500;

/// So many ways to call somebody else are listened for without the wake phrase, as they are written first: what is always listened for must be little.
const CORRECTIONS: usize = 2;

/// All sentences of one language and what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentences {
    /// BCP 47.
    language: String,
    pub(super) slots: Slots,
    commands: Vec<Way>,
    /// What only means something as the answer to what was said before.
    answers: Vec<Way>,
    typed: Vec<Way>,
    /// First word -> the commands that begin with it; those that begin with a slot have none.
    by_word: BTreeMap<String, Vec<usize>>,
    pub(super) before: Vec<Vec<String>>,
    pub(super) after: Vec<Vec<String>>,
    pub(super) correct: Vec<Vec<String>>,
    /// Enough of the commands to teach a recognizer which word may follow which, sorted.
    taught: Vec<String>,
}

/// What a sentence means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    /// What it asks for.
    pub intent: Intent,
    /// Whether it says that what was understood before was wrong: "no, call dad".
    pub corrects: bool,
}

/// Makes all sentences for these contacts (the echo test is added) and emergency numbers.
pub fn sentences(phrases: &Phrases, contacts: &Contacts, emergency: &[String]) -> Sentences {
    with_rooms(phrases, contacts, emergency, &[])
}

/// The same where there are other rooms.
pub fn with_rooms(phrases: &Phrases, contacts: &Contacts, emergency: &[String], rooms: &[&Room]) -> Sentences {
    let contacts = contacts.clone().with_echo_test(phrases);
    let slots = Slots::new(phrases, &contacts, rooms);
    let words = |key: &str| -> Vec<Vec<String>> {
        let said = phrases.around.get(key).into_iter().flatten().map(|it| as_heard(it));
        said.filter(|it| !it.is_empty()).map(|it| it.split(' ').map(String::from).collect()).collect()
    };
    let mut all = Sentences {
        language: phrases.language.clone(),
        before: words("before"),
        after: words("after"),
        correct: words("correct"),
        slots,
        ..Sentences::default()
    };
    for (name, meaning) in meanings() {
        let pieces = phrases.ways(name).iter().flat_map(|it| pattern::expand(it));
        let ways = pieces.filter_map(|it| Way::new(&it, meaning.clone(), &all.slots));
        let mut ways: Vec<Way> = ways.collect();
        let list = match name {
            "typed" => &mut all.typed,
            "yes" | "no" | "first" | "second" | "third" | "other" | "rather" => &mut all.answers,
            _ => &mut all.commands,
        };
        if name == "other" {
            ways.iter_mut().filter(|it| it.slots().is_empty()).for_each(|it| it.meaning = Meaning::Is(Intent::Other(vec![])));
        }
        for way in ways {
            if !list.iter().any(|it| it.parts == way.parts) {
                list.push(way);
            }
        }
    }
    for (n, way) in all.commands.iter().enumerate() {
        let first = if let Some(Part::Word(word)) = way.parts.first() { word.clone() } else { String::new() };
        all.by_word.entry(first).or_default().push(n);
    }
    all.taught = all.teach(phrases, emergency).into_iter().collect();
    all
}

/// What the ways to say an intent are for. What comes first wins where two could be meant.
fn meanings() -> Vec<(&'static str, Meaning)> {
    let is = |name, intent| (name, Meaning::Is(intent));
    vec![
        is("emergency", Intent::Emergency),
        is("answer", Intent::Answer),
        is("decline", Intent::Decline),
        is("hang_up", Intent::HangUp),
        is("redial", Intent::Redial),
        is("call_back", Intent::CallBack),
        is("volume_up", Intent::Volume(VolumeTo::Up)),
        is("volume_down", Intent::Volume(VolumeTo::Down)),
        is("mute", Intent::Mute),
        is("unmute", Intent::Unmute),
        is("hold", Intent::Hold),
        is("resume", Intent::Resume),
        is("do_not_disturb_on", Intent::DoNotDisturb(true)),
        is("do_not_disturb_off", Intent::DoNotDisturb(false)),
        is("take_back", Intent::TakeBack),
        is("follow_me", Intent::FollowMe(true)),
        is("follow_me_off", Intent::FollowMe(false)),
        is("who_is_calling", Intent::WhoIsCalling),
        is("who_called", Intent::WhoCalled),
        is("clear_missed", Intent::ClearMissed),
        is("repeat", Intent::Repeat),
        is("cancel", Intent::Cancel),
        is("yes", Intent::Yes),
        is("no", Intent::No),
        is("first", Intent::Choose(0)),
        is("second", Intent::Choose(1)),
        is("third", Intent::Choose(2)),
        ("volume_percent", Meaning::Volume),
        ("add", Meaning::Add),
        ("drop_in", Meaning::DropIn),
        ("listen_in", Meaning::Listen),
        ("move", Meaning::Move),
        ("dial", Meaning::Dial),
        ("dial_group", Meaning::Dial),
        ("dial_number", Meaning::Number),
        ("dtmf", Meaning::Dtmf),
        ("other", Meaning::Other),
        ("rather", Meaning::Rather),
        ("typed", Meaning::Typed),
    ]
}

impl Sentences {
    /// What a command is, or begins to be, with all that may be said around it.
    pub(super) fn find(&self, words: &[&str]) -> (Found, bool) {
        if words.is_empty() {
            return (Found { longer: !self.commands.is_empty(), ..Found::default() }, false);
        }
        let mut longer = false;
        let mut starts = vec![(0, false)];
        for (n, corrects) in self.behind(&self.correct, words, &mut longer).into_iter().map(|n| (n, true)).chain([(0, false)]) {
            starts.push((n, corrects));
            for m in self.behind(&self.before, &words[n..], &mut longer) {
                starts.push((n + m, corrects));
            }
        }
        let mut best = (Found::default(), false);
        for (at, corrects) in starts {
            let words = &words[at..];
            let Some(first) = words.first() else {
                longer = true;
                continue;
            };
            let mut found = Found::default();
            for n in [*first, ""].iter().filter_map(|it| self.by_word.get(*it)).flatten() {
                self.commands[*n].find(words, &self.slots, &self.after, &mut found);
            }
            longer |= found.goes_on();
            if best.0.whole.is_none() && found.whole.is_some() {
                best = (found, corrects);
            }
        }
        best.0.longer |= longer;
        best
    }

    /// How many words are behind us after each of those that the text begins with.
    fn behind(&self, those: &[Vec<String>], words: &[&str], longer: &mut bool) -> Vec<usize> {
        let begins = |it: &Vec<String>| it.len() <= words.len() && words[..it.len()] == it[..];
        *longer |= !words.is_empty() && those.iter().any(|it| it.len() > words.len() && it[..words.len()] == *words);
        those.iter().filter(|it| begins(it)).map(Vec::len).collect()
    }

    /// What a text that is written as heard means.
    pub fn meaning(&self, text: &str) -> Option<Meant> {
        let words: Vec<&str> = text.split(' ').filter(|it| !it.is_empty()).collect();
        if words.is_empty() {
            return None;
        }
        let (found, corrects) = self.find(&words);
        if let Some(intent) = found.whole {
            return Some(Meant { intent, corrects });
        }
        let mut found = Found::default();
        self.answers.iter().for_each(|it| it.find(&words, &self.slots, &[], &mut found));
        found.whole.map(|intent| Meant { intent, corrects: false })
    }

    /// Who is meant by a contact's name as a person types it, perhaps with a label.
    pub fn typed(&self, text: &str) -> Option<Intent> {
        let text = as_heard(text);
        let mut found = Found::default();
        let words: Vec<&str> = text.split(' ').filter(|it| !it.is_empty()).collect();
        if words.is_empty() {
            return None;
        }
        self.typed.iter().for_each(|it| it.find(&words, &self.slots, &[], &mut found));
        found.whole.or_else(|| self.typed_together(&text))
    }

    /// The same in languages that are written without spaces.
    fn typed_together(&self, text: &str) -> Option<Intent> {
        let together = |text: &str| text.replace(' ', "");
        let text = together(text);
        self.typed.iter().find_map(|way| {
            let slots = way.slots();
            let begins = |name: &&str| text.starts_with(&together(name));
            let first = self.slots.spoken(*slots.first()?);
            let labels = match slots.get(1) {
                Some(slot) => self.slots.spoken(*slot),
                None => vec![""],
            };
            let pairs = first.into_iter().filter(begins).flat_map(|name| labels.iter().map(move |label| [name, *label]));
            let said = pairs.map(|it| way.say(&it[..slots.len()])).find(|it| together(it) == text)?;
            let mut found = Found::default();
            way.find(&said.split(' ').collect::<Vec<_>>(), &self.slots, &[], &mut found);
            found.whole
        })
    }

    /// What is listened for in a scope. `offered`: the contacts that a question names.
    pub fn grammar(&self, scope: Scope, offered: &[String]) -> Grammar {
        let mut at_once: BTreeSet<String> = BTreeSet::new();
        let answers = |it: &Intent| match it {
            Intent::Yes | Intent::No | Intent::Cancel | Intent::Other(_) => true,
            Intent::Choose(nth) => *nth < offered.len() && offered.len() > 1,
            _ => false,
        };
        let many = self.slots.spoken(Slot::Contact).len() > MANY_NAMES;
        let rather = self.answers.iter().filter(|it| it.meaning == Meaning::Rather).take(CORRECTIONS);
        let rather: Vec<&Way> = if scope == Scope::RingOut { rather.collect() } else { self.answers.iter().collect() };
        for way in self.commands.iter().chain(&self.answers) {
            let counts = match &way.meaning {
                Meaning::Is(intent) if scope == Scope::Confirming => answers(intent),
                Meaning::Is(intent) => intent.counts_at_once(scope),
                Meaning::Other => matches!(scope, Scope::Confirming | Scope::RingOut),
                Meaning::Rather => matches!(scope, Scope::Confirming | Scope::RingOut) && !many && rather.contains(&way),
                _ => false,
            };
            if counts {
                self.each(way, &mut |_, text| at_once.extend([text]));
            }
        }
        if scope == Scope::RingOut {
            at_once.extend(self.corrections(many));
        }
        if scope == Scope::Confirming {
            at_once.extend(self.slots.names_of(offered).map(String::from));
        }
        let loops = self.commands.iter().filter(|it| it.slots().contains(&Slot::Digits)).map(|it| self.digit_loop(it)).collect();
        Grammar {
            after_wake: self.taught.clone(),
            at_once: at_once.into_iter().collect(),
            open: Vec::new(),
            loops,
            unknown: BTreeSet::new(),
            languages: vec![self.clone()],
        }
    }

    /// "No, stop", "no, call dad": what counts while it rings out.
    fn corrections(&self, many: bool) -> Vec<String> {
        let stops = |it: &&Way| matches!(it.meaning, Meaning::Is(Intent::Cancel | Intent::HangUp));
        let calls = |it: &&Way| it.meaning == Meaning::Dial && it.slots() == [Slot::Contact];
        let ways =
            self.commands.iter().filter(stops).chain(self.commands.iter().filter(calls).take(CORRECTIONS).filter(|_| !many));
        let mut all = Vec::new();
        for way in ways {
            for correct in self.correct.iter().take(if way.slots().is_empty() { usize::MAX } else { 1 }) {
                self.each(way, &mut |_, text| all.push(format!("{} {text}", correct.join(" "))));
            }
        }
        all
    }

    fn digit_loop(&self, way: &Way) -> Loop {
        let at = way.parts.iter().position(|it| matches!(it, Part::Slot(Slot::Digits, _))).unwrap_or_default();
        let part = |it: &Part| if let Part::Word(word) = it { word.clone() } else { String::new() };
        let (words, never_last) = self.slots.digit_words();
        Loop {
            prefix: way.parts[..at].iter().map(part).collect::<Vec<_>>().join(" "),
            suffix: way.parts[at + 1..].iter().map(part).collect::<Vec<_>>().join(" "),
            words,
            never_last,
            numbers: self.slots.digit_numbers(),
        }
    }

    /// Each sentence of a way, of digits only one.
    fn each(&self, way: &Way, with: &mut dyn FnMut(&[&str], String)) {
        match way.slots().as_slice() {
            [] => with(&[], way.say(&[])),
            [one] => self
                .slots
                .spoken(*one)
                .into_iter()
                .filter(|it| way.can_be(&[it], &self.slots))
                .for_each(|it| with(&[it], way.say(&[it]))),
            [one, other, ..] => {
                let others = self.slots.spoken(*other);
                for first in self.slots.spoken(*one) {
                    others
                        .iter()
                        .filter(|it| way.can_be(&[first, it], &self.slots))
                        .for_each(|it| with(&[first, it], way.say(&[first, it])));
                }
            }
        }
    }

    /// Sentences in which each word is followed at least once by each that may follow it.
    fn teach(&self, phrases: &Phrases, emergency: &[String]) -> BTreeSet<String> {
        let many = self.slots.spoken(Slot::Contact).len() > MANY_NAMES;
        let mut taught = BTreeSet::new();
        let mut known: BTreeSet<(String, Slot, String)> = BTreeSet::new();
        for way in self.commands.iter().filter(|it| !it.slots().contains(&Slot::Digits)) {
            // Whether the words beside a slot are new, and whether there is another beside it.
            let mut fresh = Vec::new();
            let mut touch = false;
            for (at, part) in way.parts.iter().enumerate() {
                let Part::Slot(slot, suffix) = part else { continue };
                let beside = way.around(at);
                let (before, behind) = if many && *slot == Slot::Contact { Default::default() } else { beside };
                let before = known.insert((format!("{before} <"), *slot, suffix.clone()));
                let behind = known.insert((format!("> {behind}"), *slot, suffix.clone()));
                fresh.push(before || behind);
                let next = matches!(way.parts.get(at + 1), Some(Part::Slot(..)));
                touch |= next && known.insert(("<>".into(), *slot, suffix.clone()));
            }
            taught.extend(self.examples(way, &fresh, touch));
        }
        for words in emergency.iter().filter_map(|it| numbers::words(it, phrases)) {
            for way in self.commands.iter().filter(|it| it.meaning == Meaning::Number) {
                taught.insert(way.say(&[&words]));
            }
        }
        let framed = self.framed(&taught, many);
        taught.extend(framed);
        taught
    }

    /// A sentence of a way for all that may stand in each slot that is fresh, for all pairs where slots `touch`, or else one.
    fn examples(&self, way: &Way, fresh: &[bool], touch: bool) -> Vec<String> {
        let spoken: Vec<Vec<&str>> = way.slots().into_iter().map(|it| self.slots.spoken(it)).collect();
        match (spoken.as_slice(), fresh) {
            ([], _) => vec![way.say(&[])],
            ([one], [fresh, ..]) => {
                let can_be = one.iter().filter(|it| way.can_be(&[it], &self.slots)).map(|it| way.say(&[it]));
                if *fresh { can_be.collect() } else { can_be.take(1).collect() }
            }
            ([firsts, seconds, ..], [first_fresh, second_fresh, ..]) => {
                let can_be = |first: &str, second: &str| way.can_be(&[first, second], &self.slots);
                let mut examples = Vec::new();
                let all = touch && firsts.len() * seconds.len() <= MANY_PAIRS;
                for first in firsts {
                    let fit = seconds.iter().filter(|it| can_be(first, it)).map(|it| way.say(&[first, it]));
                    examples.extend(fit.take(if all { usize::MAX } else { 1 }));
                    if !all && !first_fresh && !examples.is_empty() {
                        break;
                    }
                }
                for second in seconds.iter().filter(|_| *second_fresh && !all) {
                    examples.extend(firsts.iter().find(|it| can_be(it, second)).map(|it| way.say(&[it, second])));
                }
                examples
            }
            _ => Vec::new(),
        }
    }

    /// What may be said before and after, each with every word that may stand beside it.
    fn framed(&self, taught: &BTreeSet<String>, many: bool) -> Vec<String> {
        let mut first: BTreeMap<&str, &String> = BTreeMap::new();
        let mut last: BTreeMap<&str, &String> = BTreeMap::new();
        for text in taught {
            first.entry(text.split(' ').next().unwrap_or_default()).or_insert(text);
            last.entry(text.rsplit(' ').next().unwrap_or_default()).or_insert(text);
        }
        if many {
            last.clear();
        }
        let mut framed = Vec::new();
        // Only the words that touch matter: of those that end alike one is put before everything, the others before something.
        let mut known = BTreeSet::new();
        for it in self.before.iter().chain(&self.correct) {
            let n = if known.insert(it.last()) { usize::MAX } else { 1 };
            framed.extend(first.values().take(n).map(|text| format!("{} {text}", it.join(" "))));
        }
        known.clear();
        for it in &self.after {
            let n = if known.insert(it.first()) { usize::MAX } else { 1 };
            framed.extend(last.values().take(n).map(|text| format!("{text} {}", it.join(" "))));
        }
        framed
    }

    /// Every sentence with the name of its intent, of those that end in digits one for each; without what may be said around them.
    pub fn all(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        for way in self.commands.iter().chain(&self.answers) {
            self.each(way, &mut |_, text| {
                let mut found = Found::default();
                way.find(&text.split(' ').collect::<Vec<_>>(), &self.slots, &[], &mut found);
                all.extend(found.whole.map(|intent| (intent.name(), text)));
            });
        }
        all
    }

    /// The ways to say commands.
    pub(super) fn commands(&self) -> &[Way] {
        &self.commands
    }

    /// The language that they are in.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// How many sentences can be said, those that end in digits not counted.
    pub fn n_sentences(&self) -> usize {
        let sizes = |way: &Way| way.slots().into_iter().map(|it| self.slots.spoken(it).len()).product::<usize>();
        let closed = self.commands.iter().chain(&self.answers).filter(|it| !it.slots().contains(&Slot::Digits));
        closed.map(sizes).sum()
    }
}

/// A sentence of a pattern as people write it, with its slots in braces.
pub(crate) fn shown(pieces: &[Piece]) -> String {
    let slots = pieces.iter().map(|it| match it {
        Piece::Slot(name) => Piece::Word(format!("{{{name}}}")),
        piece => piece.clone(),
    });
    text(&slots.collect::<Vec<_>>(), "")
}

/// A pattern's sentences as pieces, with its first slot filled in; for sentences that have no more than one.
pub(super) fn text(pieces: &[Piece], slot: &str) -> String {
    let mut text = String::new();
    for piece in pieces {
        let (word, glued) = match piece {
            Piece::Word(word) => (word.as_str(), false),
            Piece::Suffix(word) => (word.as_str(), true),
            Piece::Slot(_) => (slot, false),
        };
        if !glued && !text.is_empty() && !word.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}
