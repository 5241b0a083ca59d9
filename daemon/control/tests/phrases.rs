//! What is wrong with phrases is told, each thing as one sentence.

mod house;

use control::contacts::Contacts;
use control::intent::grammar::sentences;
use control::phrases::Phrases;

#[test]
fn what_is_missing_or_malformed_is_told() {
    let mut phrases = house::phrases("en");
    phrases.intents.remove("answer");
    phrases.intents.insert("decline".into(), vec![]);
    phrases.intents.insert("dial".into(), vec!["call (mom".into(), "call {who}".into()]);
    phrases.intents.insert("sing".into(), vec!["la".into()]);
    phrases.prompts.remove("busy");
    phrases.prompts.insert("calling".into(), "Calling {whom}.".into());
    phrases.prompts.insert("muted".into(), "Off {name".into());
    phrases.prompts.insert("shout".into(), "Hey!".into());
    phrases.intents.get_mut("mute").unwrap().push("(hush|hang up)".into());
    phrases.around.insert("between".into(), vec!["well".into()]);
    phrases.names.insert("pets".into(), vec!["rex".into()]);
    phrases.digits.insert("dozen".into(), "twelve".into());
    phrases.numbers.insert("lots".into(), 101);
    phrases.names.remove("echo_test");
    let problems = phrases.problems();
    assert_eq!(
        problems,
        [
            "intent `dial`, \"call (mom\": `(` is not closed",
            "intent `dial`, \"call {who}\": `{who}` cannot stand here; {contact}, {label} can",
            "intent `answer` is missing; add at least one way to say it",
            "intent `decline` is empty; add at least one way to say it",
            "there is no intent `sing`",
            "prompt `calling`, \"Calling {whom}.\": `{whom}` cannot stand here",
            "prompt `busy` is missing",
            "prompt `muted`, \"Off {name\": `{` is not closed",
            "there is no prompt `shout`",
            "digit \"dozen\": `twelve` is none of 0 to 9, *, #, +, x2, x3, and no two or three digits",
            "number \"lots\": 101 is above 100",
            "around `between`: there is no such place; write one of before, after, correct",
            "name `pets`: nothing is called by it; write one of echo_test, rooms, titles",
            "intent `mute`, \"(hush|hang up)\": \"hang up\" is also said for `hang_up`, and nobody knows which is meant; leave it with one of them",
            "names: `echo_test` is missing; give the built-in contact at least one name",
        ]
    );
}

#[test]
fn without_phrases_nothing_is_heard_and_nothing_panics() {
    let nothing = sentences(&Phrases::default(), &Contacts::default(), &["112".into()]);
    assert_eq!(nothing.n_sentences(), 0);
    assert!(!Phrases::default().problems().is_empty());
}
