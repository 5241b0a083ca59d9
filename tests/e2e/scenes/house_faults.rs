//! What goes wrong in a house: no broker for a while, no cable, and somebody who has the broker's password and means no good.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use serde_json::Value;

use crate::children::eventually;
use crate::house::{A_WHILE, SOON};
use crate::household::{Household, HouseholdPlan};
use crate::network::Network;
use crate::scenes::house_announce::begins;
use crate::scenes::house_calls::carries;

const SOUP: &str = "the soup is ready, come to the kitchen";

#[test]
fn calls_and_announcements_go_on_while_the_broker_is_killed_and_started_again() {
    let mut house = Household::new(HouseholdPlan::of(&["kitchen", "bedroom", "nursery"]));
    house.call_room("kitchen", "bedroom");
    house.broker_mut().kill();
    carries(&house, "kitchen", "bedroom", SOUP);
    house.does("bedroom", &["hangup"]);
    house.wait_all_idle();
    // A call that begins, and an announcement, without it.
    house.call_room("bedroom", "nursery");
    house.does("nursery", &["hangup"]);
    house.wait_all_idle();
    let listening = house.listen();
    house.does("kitchen", &["announce", "dinner is ready"]);
    begins(&listening, &["bedroom", "nursery"], Duration::ZERO);
    let mark = house.broker().mark();
    house.broker_mut().start_again();
    // All are back, and what happened meanwhile is told late, with the time at which it happened.
    for room in ["kitchen", "bedroom", "nursery"] {
        let topic = format!("hark/{room}/status");
        house.broker().wait(mark, &format!("the {room} to be back"), A_WHILE, |it| it.topic == topic && it.payload == "online");
    }
    house.wait_event("nursery", mark, "answered", A_WHILE);
    house.wait_together(A_WHILE);
}

/// What was refused so far at a room, by why.
fn refused(house: &Household, name: &str) -> u64 {
    let status = house.try_status(name).unwrap_or_default();
    status["house"]["refused"].as_object().map_or(0, |it| it.values().filter_map(Value::as_u64).sum())
}

#[test]
fn forged_and_replayed_letters_and_garbage_are_refused() {
    let mut house = Household::new(HouseholdPlan::of(&["kitchen", "bedroom"]));
    house.call_room("bedroom", "kitchen");
    house.does("bedroom", &["hangup"]);
    house.wait_all_idle();
    let letters: Vec<(String, String)> = house
        .broker()
        .heard()
        .iter()
        .filter(|it| it.topic.ends_with("/inbox") || it.topic.starts_with("hark/house/"))
        .map(|it| (it.topic.clone(), it.payload.clone()))
        .collect();
    assert!(!letters.is_empty(), "no letter went over the broker, so none can be played again");
    let mark = house.broker().mark();
    let before = refused(&house, "kitchen");
    // The same again, the same with something changed, for somebody else, and in somebody else's name.
    for (topic, payload) in letters.iter().rev().take(40) {
        house.broker().publish(topic, payload);
        let mut changed: Value = serde_json::from_str(payload).unwrap_or_default();
        for key in ["n", "epoch", "from", "text"] {
            if let Some(value) = changed.get_mut(key) {
                *value = match value.take() {
                    Value::String(text) => Value::String(text.chars().rev().collect()),
                    Value::Number(n) => Value::from(n.as_u64().unwrap_or(0) + 1),
                    other => other,
                };
                house.broker().publish("hark/kitchen/inbox", &changed.to_string());
            }
        }
    }
    let offer = r#"{"hark":1,"from":"bedroom","to":"kitchen","n":1,"text":"{\"kind\":\"call.offer\",\"how\":\"dropin\"}"}"#;
    let long = "x".repeat(100_000);
    for payload in [offer, "", "{", "[]", "null", "\u{1}\u{2}", &long] {
        house.broker().publish("hark/kitchen/inbox", payload);
        house.broker().publish("hark/house/wake", payload);
    }
    let port = house.room("kitchen").house_port;
    for bytes in [long.as_bytes(), offer.as_bytes(), &[0xff; 2000], &[0; 64]] {
        if let Ok(mut link) = TcpStream::connect(("127.0.0.1", port)) {
            let _ = link.write_all(bytes);
        }
        let socket = UdpSocket::bind("127.0.0.1:0").expect("socket");
        let _ = socket.send_to(&bytes[..bytes.len().min(1400)], ("127.0.0.1", port));
    }
    std::thread::sleep(Duration::from_secs(1));
    for room in ["kitchen", "bedroom"] {
        let states = house.broker().states_of(room, mark);
        assert!(states.iter().all(|it| it == "idle"), "{room}: {states:?}");
        assert!(house.rooms.iter_mut().all(|it| it.speaker.as_mut().is_some_and(|it| it.alive())));
    }
    assert!(refused(&house, "kitchen") > before, "nothing was refused, or nobody counted it");
    // A guest who never joined is nobody, and the house works on.
    house.call_room("bedroom", "kitchen");
    house.does("bedroom", &["hangup"]);
    house.wait_all_idle();
}

#[test]
fn a_cable_that_is_pulled_takes_one_speaker_away_until_it_is_back() {
    let network = match Network::lay(3) {
        Ok(network) => network,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let house = Household::new(HouseholdPlan { network: Some(network), ..HouseholdPlan::of(&["kitchen", "bedroom", "nursery"]) });
    let network = house.network.as_ref().expect("a network");
    house.call_room("kitchen", "nursery");
    network.unplug(2);
    eventually("the kitchen to notice", A_WHILE, || (house.state("kitchen") == "idle").then_some(()));
    eventually("the kitchen to know that the nursery is away", Duration::from_secs(20), || {
        (!house.up_at("kitchen")?.contains(&"nursery".to_owned())).then_some(())
    });
    house.call_room("kitchen", "bedroom");
    carries(&house, "kitchen", "bedroom", SOUP);
    house.does("bedroom", &["hangup"]);
    eventually("the nursery to notice", A_WHILE, || (house.state("nursery") == "idle").then_some(()));
    network.plug_in(2);
    house.wait_together(Duration::from_secs(30));
    house.call_room("kitchen", "nursery");
    house.does("nursery", &["hangup"]);
    eventually("both to be idle", SOON, || (house.state("kitchen") == "idle").then_some(()));
}
