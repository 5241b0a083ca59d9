//! Whatever somebody publishes to `do/`: it becomes a command that is allowed, or a complaint that does not repeat it, and never a panic.

use control::input::{Command, VolumeTo};
use hark::mqtt::verbs::{Do, VERBS, read};
use proptest::prelude::*;

fn verb() -> impl Strategy<Value = String> {
    let known: Vec<String> = VERBS.split(", ").chain(["explode", ""]).map(String::from).collect();
    prop_oneof![9 => proptest::sample::select(known), 1 => any::<String>()]
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Map, Value, json};
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(n)),
        any::<String>().prop_map(Value::from),
        "[0-9*#A-Da-d]{0,40}".prop_map(Value::from),
        (0..=110_i32).prop_map(Value::from),
        proptest::sample::select(vec!["up", "down", "call", "ring", "announce"]).prop_map(Value::from),
    ];
    let key = prop_oneof![
        8 => proptest::sample::select(vec!["id", "to", "text", "on", "bus", "digits", "urgent"]).prop_map(String::from),
        1 => any::<String>(),
    ];
    let object = move |value| {
        proptest::collection::vec((key.clone(), value), 0..6).prop_map(|it| Value::from(it.into_iter().collect::<Map<_, _>>()))
    };
    let deep = leaf.clone().prop_recursive(3, 16, 4, |inner| proptest::collection::vec(inner, 0..4).prop_map(Value::from));
    prop_oneof![1 => deep.boxed(), 9 => object(leaf).boxed()]
}

/// What holds for every outcome.
fn check(verb: &str, body: &[u8]) {
    let Do { id, command } = read(verb, body);
    if let Some(id) = id {
        let fits = (1..=64).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.:".contains(&c));
        assert!(fits, "an id becomes a level of a topic: {id:?}");
    }
    match command {
        Ok(Command::Volume(change)) => assert!(!matches!(change.to, VolumeTo::Percent(101..))),
        Ok(Command::Dtmf(digits)) => {
            assert!((1..=32).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit() || b"*#ABCD".contains(&c)));
        }
        Ok(
            Command::Dial(text)
            | Command::Say(text)
            | Command::Move(text)
            | Command::Add(text)
            | Command::DropIn(text)
            | Command::Listen(text)
            | Command::Announce { text, .. },
        ) => {
            assert!(
                !text.is_empty() && text.trim() == text && text.chars().count() <= 1000 && !text.chars().any(char::is_control)
            );
        }
        Ok(_) => (),
        Err(complaint) => assert!(!complaint.is_empty() && complaint.len() < 200, "{complaint}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(verb in verb(), body in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&verb, &body);
    }

    #[test]
    fn any_text(verb in verb(), body in any::<String>()) {
        check(&verb, body.as_bytes());
    }

    #[test]
    fn any_json(verb in verb(), body in json()) {
        check(&verb, body.to_string().as_bytes());
    }

    #[test]
    fn any_json_cut_short(verb in verb(), body in json(), at in any::<proptest::sample::Index>()) {
        let body = body.to_string();
        check(&verb, &body.as_bytes()[..at.index(body.len())]);
    }
}
