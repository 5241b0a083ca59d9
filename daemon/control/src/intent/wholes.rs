//! All that can be said as what it is made of, for a recognizer that looks for whole sentences only. Plain data.

use std::collections::{BTreeMap, BTreeSet};

use super::ways::{Part, Way, with_suffix};
use super::{Grammar, Sentences, slots::Slot};

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A word.
    Word(String),
    /// One of the texts with this number.
    Any(usize),
}

/// What may stand in the same place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Words.
    pub texts: Vec<String>,
    /// Several may follow one another: digits.
    pub repeats: bool,
}

/// The sentences of one language, and what may be said before and behind each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// One of each list, in this order, or none.
    pub leads: Vec<Vec<String>>,
    /// The sentences.
    pub sentences: Vec<Vec<Said>>,
    /// What may follow.
    pub trails: Vec<String>,
}

/// See the top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wholes {
    /// By number.
    pub classes: Vec<Texts>,
    /// Of each language; what counts without the wake phrase has no more around it.
    pub languages: Vec<Whole>,
}

impl Grammar {
    /// Everything that `judge` knows; more than makes sense may be in it.
    pub fn wholes(&self) -> Wholes {
        let mut all = Wholes::default();
        for language in &self.languages {
            let whole = language.whole(&self.unknown, &mut all.classes);
            all.languages.push(whole);
        }
        let words = |text: &String| text.split(' ').map(|it| Said::Word(it.to_owned())).collect();
        all.languages.push(Whole { sentences: self.at_once.iter().map(words).collect(), ..Whole::default() });
        all
    }

    /// Two texts that mean the same have the same of this.
    pub fn meaning(&self, text: &str) -> String {
        let meant = self.languages.iter().find_map(|it| it.meaning(text));
        meant.map_or_else(|| text.to_owned(), |it| format!("{it:?}"))
    }
}

impl Sentences {
    fn whole(&self, unknown: &BTreeSet<String>, classes: &mut Vec<Texts>) -> Whole {
        let known = |text: &String| !text.split(' ').any(|word| unknown.contains(word));
        let joined = |those: &[Vec<String>]| those.iter().map(|it| it.join(" ")).filter(known).collect();
        let mut numbers: BTreeMap<(Slot, &str, bool), usize> = BTreeMap::new();
        let mut sentences = Vec::new();
        for way in self.commands() {
            let labelled = way.slots().contains(&Slot::Label);
            let mut said = Vec::new();
            for part in &way.parts {
                said.push(match part {
                    Part::Word(word) => Said::Word(word.clone()),
                    Part::Slot(slot, suffix) => {
                        let key = (*slot, suffix.as_str(), labelled && *slot == Slot::Contact);
                        Said::Any(*numbers.entry(key).or_insert_with(|| {
                            classes.push(self.texts(way, *slot, suffix, &known));
                            classes.len() - 1
                        }))
                    }
                });
            }
            let known = |it: &Said| matches!(it, Said::Any(_)) || matches!(it, Said::Word(word) if known(word));
            if said.iter().all(known) {
                sentences.push(said);
            }
        }
        Whole { leads: vec![joined(&self.correct), joined(&self.before)], sentences, trails: joined(&self.after) }
    }

    fn texts(&self, way: &Way, slot: Slot, suffix: &str, known: &dyn Fn(&String) -> bool) -> Texts {
        if slot == Slot::Digits {
            return Texts { texts: self.slots.digit_texts().filter(|it| known(it)).collect(), repeats: true };
        }
        let can_be = |it: &&str| slot != Slot::Contact || way.may_be(it, &self.slots);
        let texts = self.slots.spoken(slot).into_iter().filter(can_be).map(|it| with_suffix(it, suffix));
        Texts { texts: texts.filter(|it| known(it)).collect(), repeats: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Scope;
    use crate::contacts::Contacts;
    use crate::input::Input;
    use crate::intent::grammar::sentences;
    use crate::intent::heard::Judgement;
    use crate::phrases::Phrases;

    fn grammar() -> Grammar {
        let said = |ways: &[&str]| ways.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let intents = [
            ("dial", said(&["call {contact}", "call {contact}'s {label}"])),
            ("dial_number", said(&["dial {digits}"])),
            ("hang_up", said(&["hang up"])),
        ];
        let phrases = Phrases {
            language: "en".into(),
            intents: intents.into_iter().map(|(name, ways)| (name.to_owned(), ways)).collect(),
            around: [("before".to_owned(), said(&["please"])), ("correct".to_owned(), said(&["no"]))].into(),
            labels: [("mobile".to_owned(), "mobile".to_owned())].into(),
            digits: [("one".to_owned(), "1".to_owned()), ("double".to_owned(), "x2".to_owned())].into(),
            names: [("echo_test".to_owned(), said(&["echo test"]))].into(),
            ..Phrases::default()
        };
        let contacts = "contacts person Mom alias Mum at sip:m@192.0.2.1 label mobile person Dad at sip:d@192.0.2.2";
        let Ok(Input::Contacts(contacts)) = contacts.parse() else { panic!("contacts") };
        let contacts: Contacts = contacts;
        sentences(&phrases, &contacts, &[]).grammar(Scope::Asleep, &[])
    }

    #[test]
    fn sentences_are_words_and_numbers_of_what_may_stand_there() {
        let all = grammar().wholes();
        let show = |it: &Vec<Said>| {
            let word = |it: &Said| match it {
                Said::Word(word) => word.clone(),
                Said::Any(n) => {
                    format!("<{}{}>", all.classes[*n].texts.join("|"), if all.classes[*n].repeats { "+" } else { "" })
                }
            };
            it.iter().map(word).collect::<Vec<_>>().join(" ")
        };
        let english = &all.languages[0];
        let mut shown: Vec<String> = english.sentences.iter().map(show).collect();
        shown.sort();
        let expected = ["call <dad|echo test|mom|mum>", "call <mom's|mum's> <mobile>", "dial <double|one+>", "hang up"];
        assert_eq!(shown, expected);
        assert_eq!(english.leads, [vec!["no".to_owned()], vec!["please".to_owned()]]);
        assert!(english.trails.is_empty());
    }

    #[test]
    fn all_that_they_say_is_a_sentence_and_what_means_the_same_is_told() {
        let grammar = grammar();
        for text in ["call mum", "no please call mom's mobile", "dial double one one", "please hang up"] {
            assert_ne!(grammar.judge(text, true), Judgement::NotASentence, "{text}");
        }
        assert_eq!(grammar.meaning("call mum"), grammar.meaning("please call mom"));
        assert_ne!(grammar.meaning("call mum"), grammar.meaning("call dad"));
        assert_ne!(grammar.meaning("call mum"), grammar.meaning("no call mum"));
    }

    #[test]
    fn what_cannot_be_heard_is_not_looked_for() {
        let all = grammar().without(&["mum".to_owned(), "hang".to_owned()].into()).wholes();
        assert_eq!(all.languages[0].sentences.len(), 3);
        assert!(all.classes.iter().flat_map(|it| &it.texts).all(|it| it != "mum"));
    }
}
