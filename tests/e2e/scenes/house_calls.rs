//! Room calls room: by voice, dropping in, and without any broker.

use std::time::Duration;

use crate::children::eventually;
use crate::house::{A_WHILE, SOON, hears};
use crate::household::{Exchange, Household, HouseholdPlan, RoomPlan, room};
use crate::voice::PERSON;

const SOUP: &str = "the soup is ready, come to the kitchen";
const COMING: &str = "we could go to the sea on sunday if it does not rain";

/// What is said in one room is heard in the other, at the latest when it is said again.
#[track_caller]
pub fn carries(house: &Household, from: &str, to: &str, words: &str) {
    let (listening, clip) = (house.listen(), PERSON.says(words));
    for _ in 0..2 {
        house.say(from, words);
        std::thread::sleep(Duration::from_millis(700));
        if listening.of(to, Duration::ZERO).find(&clip).0 > 0.6 {
            return;
        }
    }
    hears(&format!("the {from} in the {to}"), &clip, SOON, || listening.of(to, Duration::ZERO));
}

#[test]
fn the_kitchen_is_called_by_voice_and_answers_by_voice() {
    let house = Household::new(HouseholdPlan::of(&["bedroom", "kitchen"]));
    let mark = house.broker().mark();
    let ringing = || house.broker().states_of("kitchen", mark).iter().any(|it| it == "ringing");
    house.asks("bedroom", "hello operator, call the kitchen", "the kitchen to ring", ringing);
    house.wait_state("bedroom", mark, "ringback", SOON);
    std::thread::sleep(Duration::from_millis(1200));
    let connected = || house.broker().states_of("kitchen", mark).iter().any(|it| it == "connected");
    house.asks("kitchen", "answer", "the kitchen to answer", connected);
    house.wait_state("bedroom", mark, "connected", SOON);
    carries(&house, "bedroom", "kitchen", COMING);
    carries(&house, "kitchen", "bedroom", SOUP);
    house.asks("kitchen", "hello operator, hang up", "the call to end", || house.state("kitchen") == "idle");
    house.wait_all_idle();
    // Neither of them called anybody else, nor was it called again.
    assert_eq!(house.n_events("kitchen", mark, "ringing"), 1);
}

#[test]
fn dropping_in_is_for_those_who_may() {
    let nursery = RoomPlan { house: "  drop_in: {from: [bedroom], microphone: open}".to_owned(), ..room("nursery") };
    let house =
        Household::new(HouseholdPlan { rooms: vec![room("bedroom"), nursery, room("kitchen")], ..HouseholdPlan::of(&[]) });
    let mark = house.broker().mark();
    let listening = house.listen();
    house.does("bedroom", &["dropin", "nursery"]);
    house.wait_now("bedroom", "connected", SOON);
    house.wait_event("nursery", mark, "dropin", SOON);
    eventually("the chime in the nursery", SOON, || (listening.of("nursery", Duration::ZERO).level_db() > -70.0).then_some(()));
    assert_eq!(house.n_events("nursery", mark, "ringing"), 0);
    // The name of who drops in is said first.
    std::thread::sleep(Duration::from_secs(2));
    carries(&house, "bedroom", "nursery", COMING);
    carries(&house, "nursery", "bedroom", SOUP);
    house.does("bedroom", &["hangup"]);
    house.wait_all_idle();

    let mark = house.broker().mark();
    let _ = house.tries("kitchen", &["dropin", "nursery"]);
    house.wait_event("nursery", mark, "denied", SOON);
    house.wait_all_idle();
    assert!(!house.broker().states_of("nursery", mark).iter().any(|it| it == "connected"));
}

#[test]
fn without_any_broker_rooms_call_one_another() {
    let house = Household::new(HouseholdPlan { exchange: Exchange::None, ..HouseholdPlan::of(&["bedroom", "kitchen"]) });
    house.call_room("bedroom", "kitchen");
    carries(&house, "bedroom", "kitchen", COMING);
    house.does("kitchen", &["hangup"]);
    house.wait_all_idle();
}

#[test]
fn the_broker_inside_the_first_speaker_is_enough() {
    let house = Household::new(HouseholdPlan { exchange: Exchange::OfTheFirst, ..HouseholdPlan::of(&["bedroom", "kitchen"]) });
    house.call_room("kitchen", "bedroom");
    carries(&house, "kitchen", "bedroom", SOUP);
    house.does("bedroom", &["hangup"]);
    eventually("both to be idle", A_WHILE, || {
        (house.state("kitchen") == "idle" && house.state("bedroom") == "idle").then_some(())
    });
}
