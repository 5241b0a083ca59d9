//! One way to say something: words and slots; whether a text is it, or the beginning of it; and all that can be said so.

use super::Intent;
use super::pattern::Piece;
use super::slots::{Slot, Slots, Value};
use crate::input::VolumeTo;

/// A word, or a slot and what is glued to it: `{contact}'s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it is said.
    Word(String),
    /// What stands there, and how it ends.
    Slot(Slot, String),
}

/// What is done with what stands in the slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Always the same.
    Is(Intent),
    /// Calls somebody, or several of a group.
    Dial,
    /// As `Dial`, in writing, where a label that nobody has gets an answer.
    Typed,
    /// Calls a number.
    Number,
    /// Sends touch tones.
    Dtmf,
    /// Sets a volume.
    Volume,
    /// Drops in on a room.
    DropIn,
    /// Listens to one.
    Listen,
    /// Moves the call there.
    Move,
    /// Adds somebody.
    Add,
    /// Somebody else of that name.
    Other,
    /// Somebody else.
    Rather,
}

/// One way to say something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What is said.
    pub parts: Vec<Part>,
    /// What for.
    pub meaning: Meaning,
}

/// What a text is to ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// It is a sentence: what it means.
    pub whole: Option<Intent>,
    /// It is the beginning of one in which something stands that people choose.
    pub longer: bool,
    /// It is the beginning of those that always mean this.
    pub begins: Vec<Intent>,
}

impl Found {
    /// Whether it is the beginning of something that means something else: for more words that mean the same nobody need wait.
    pub fn goes_on(&self) -> bool {
        self.longer || self.begins.iter().any(|it| Some(it) != self.whole.as_ref())
    }
}

impl Way {
    /// A pattern's pieces as a way; `None` where something stands in it that nothing can be said for.
    pub fn new(pieces: &[Piece], meaning: Meaning, slots: &Slots) -> Option<Way> {
        let mut parts: Vec<Part> = Vec::new();
        for piece in pieces {
            match (piece, parts.last_mut()) {
                (Piece::Word(word), _) => parts.push(Part::Word(word.clone())),
                (Piece::Suffix(text), Some(Part::Slot(_, suffix))) => suffix.push_str(text),
                (Piece::Suffix(text), _) => parts.push(Part::Word(text.clone())),
                (Piece::Slot(name), _) => parts.push(Part::Slot(slot(name, &meaning)?, String::new())),
            }
        }
        let sayable = |it: &Part| matches!(it, Part::Word(_)) || matches!(it, Part::Slot(slot, _) if !slots.is_empty(*slot));
        (!parts.is_empty() && parts.iter().all(sayable)).then_some(Way { parts, meaning })
    }

    /// Whether a text is this, or the beginning of it. `after`: what may be said behind it without changing anything.
    pub fn find(&self, words: &[&str], slots: &Slots, after: &[Vec<String>], found: &mut Found) {
        self.follow(&self.parts, words, &mut Vec::new(), slots, after, found);
    }

    fn follow(
        &self,
        parts: &[Part],
        words: &[&str],
        values: &mut Vec<Value>,
        slots: &Slots,
        after: &[Vec<String>],
        found: &mut Found,
    ) {
        match (parts.split_first(), words) {
            (None, rest) => {
                let whole = rest.is_empty() || after.iter().any(|it| it == rest);
                if whole && found.whole.is_none() {
                    found.whole = self.intent(values, slots);
                }
                found.longer |= !rest.is_empty() && after.iter().any(|it| it.len() > rest.len() && it[..rest.len()] == *rest);
            }
            (Some(_), []) => match &self.meaning {
                Meaning::Is(intent) => found.begins.push(intent.clone()),
                _ => found.longer = true,
            },
            (Some((Part::Word(word), parts)), [first, words @ ..]) => {
                if word == first {
                    self.follow(parts, words, values, slots, after, found);
                }
            }
            (Some((Part::Slot(slot, suffix), parts)), words) => {
                for n in 1..=words.len() {
                    let (bare, longer) = slots.look_up(*slot, &words[..n]);
                    let value = if suffix.is_empty() { bare } else { owned(*slot, suffix, &words[..n], slots) };
                    if let Some(value) = value.filter(|it| self.makes_sense(it, values, slots)) {
                        values.push(value);
                        self.follow(parts, &words[n..], values, slots, after, found);
                        values.pop();
                    }
                    found.longer |= longer && n == words.len();
                    if !longer {
                        break;
                    }
                }
            }
        }
    }

    /// Whether a value can stand beside those before it.
    fn makes_sense(&self, value: &Value, before: &[Value], slots: &Slots) -> bool {
        if self.meaning == Meaning::Typed {
            return true;
        }
        let labelled = self.parts.iter().any(|it| matches!(it, Part::Slot(Slot::Label, _)));
        match (value, before) {
            (Value::People(who), _) => !labelled || slots.has_label(who),
            (Value::Label(label), [Value::People(who), ..]) => !slots.with_label(who, label).is_empty(),
            _ => true,
        }
    }

    fn intent(&self, values: &[Value], slots: &Slots) -> Option<Intent> {
        Some(match (&self.meaning, values) {
            (Meaning::Is(intent), _) => intent.clone(),
            (Meaning::Dial | Meaning::Typed, [Value::People(who)]) => Intent::Dial { who: who.clone(), label: None },
            (
                Meaning::Dial | Meaning::Typed,
                [Value::People(who), Value::Label(label)] | [Value::Label(label), Value::People(who)],
            ) => match slots.with_label(who, label) {
                nobody if nobody.is_empty() && self.meaning == Meaning::Dial => return None,
                nobody if nobody.is_empty() => Intent::Dial { who: who.clone(), label: Some(label.clone()) },
                who => Intent::Dial { who, label: Some(label.clone()) },
            },
            (Meaning::Dial, [Value::Group(group)]) => Intent::DialGroup(group.clone()),
            (Meaning::Number, [Value::Digits(digits)]) => Intent::DialNumber(digits.clone()),
            (Meaning::Dtmf, [Value::Digits(digits)]) => Intent::Dtmf(digits.clone()),
            (Meaning::Volume, [Value::Percent(percent)]) => Intent::Volume(VolumeTo::Percent((*percent).min(100))),
            (Meaning::DropIn, [Value::Room(room)]) => Intent::DropIn(room.clone()),
            (Meaning::Listen, [Value::Room(room)]) => Intent::Listen(room.clone()),
            (Meaning::Move, [Value::Room(room)]) => Intent::Move(room.clone()),
            (Meaning::Add, [Value::People(who)]) => Intent::Add(who.clone()),
            (Meaning::Other, [Value::People(who)]) => Intent::Other(who.clone()),
            (Meaning::Rather, [Value::People(who)]) => Intent::Rather(who.clone()),
            _ => return None,
        })
    }

    /// The slots, in order.
    pub fn slots(&self) -> Vec<Slot> {
        self.parts.iter().filter_map(|it| if let Part::Slot(slot, _) = it { Some(*slot) } else { None }).collect()
    }

    /// Whether these may stand in the slots together.
    pub fn can_be(&self, spoken: &[&str], slots: &Slots) -> bool {
        let mut values = Vec::new();
        for (slot, text) in self.slots().into_iter().zip(spoken) {
            let words: Vec<&str> = text.split(' ').collect();
            match slots.look_up(slot, &words).0.filter(|it| self.makes_sense(it, &values, slots)) {
                Some(value) => values.push(value),
                None => return false,
            }
        }
        true
    }

    /// Whether this name may stand in it, whatever stands beside it.
    pub fn may_be(&self, name: &str, slots: &Slots) -> bool {
        let words: Vec<&str> = name.split(' ').collect();
        slots.look_up(Slot::Contact, &words).0.is_some_and(|it| self.makes_sense(&it, &[], slots))
    }

    /// The sentence, with its slots filled in.
    pub fn say(&self, spoken: &[&str]) -> String {
        let mut spoken = spoken.iter();
        let word = |it: &Part| match it {
            Part::Word(word) => word.clone(),
            Part::Slot(_, suffix) => with_suffix(spoken.next().copied().unwrap_or_default(), suffix),
        };
        self.parts.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// The word before and the word behind a part; nothing at the ends, and a sign for each slot.
    pub fn around(&self, at: usize) -> (String, String) {
        let word = |it: Option<&Part>| match it {
            None => String::new(),
            Some(Part::Word(word)) => word.clone(),
            Some(Part::Slot(slot, suffix)) => format!("{slot:?}{suffix}"),
        };
        (word(at.checked_sub(1).and_then(|it| self.parts.get(it))), word(self.parts.get(at + 1)))
    }
}

/// The value of "mom's", without its suffix.
fn owned(slot: Slot, suffix: &str, words: &[&str], slots: &Slots) -> Option<Value> {
    let (last, before) = words.split_last()?;
    let plain = |it: &str| slots.look_up(slot, &[before, &[it]].concat()).0.filter(|_| with_suffix(it, suffix) == *last);
    last.strip_suffix(suffix).filter(|it| !it.is_empty()).and_then(plain).or_else(|| plain(last))
}

/// "Moms", and of what ends like that already, the same.
pub(super) fn with_suffix(text: &str, suffix: &str) -> String {
    match suffix == "s" && text.ends_with(['s', 'ß', 'x', 'z']) {
        true => text.into(),
        false => format!("{text}{suffix}"),
    }
}

fn slot(name: &str, meaning: &Meaning) -> Option<Slot> {
    Some(match name {
        "contact" if *meaning == Meaning::Other => Slot::Shared,
        "contact" => Slot::Contact,
        "label" => Slot::Label,
        "percent" => Slot::Percent,
        "room" => Slot::Room,
        "group" => Slot::Group,
        "digits" => Slot::Digits,
        _ => return None,
    })
}
