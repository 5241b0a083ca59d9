//! Somebody calls the room.

use std::time::Duration;

use crate::house::{A_WHILE, House, Plan, SOON, hears};
use crate::phone::{Phone, PhoneSettings, again_and_again};
use crate::voice::{MOM, PERSON};

#[test]
fn mom_calls_and_is_answered_by_voice() {
    let greeting = MOM.says("hello darling, it is so good to hear you");
    let voice = again_and_again(&greeting, 2);
    let house = House::new(Plan { mom: PhoneSettings { voice, ..PhoneSettings::default() }, ..Plan::default() });
    let loudspeaker = house.listen();
    let (mark, ring) = (house.broker.mark(), house.mom.mark());
    house.mom.dial(&house.uri());
    let ringing = house.broker.wait_state(mark, "ringing", SOON);
    assert!(ringing.payload.contains("Mom"), "{}", ringing.payload);
    house.mom.wait(ring, "CALL_RINGING", SOON);
    std::thread::sleep(Duration::from_millis(2500));
    assert!(loudspeaker.so_far().level_db() > -50.0, "it did not ring in the room");
    house.say("answer");
    house.mom.wait(ring, "CALL_ESTABLISHED", SOON);
    house.broker.wait_state(mark, "connected", SOON);
    hears("mom in the room", &greeting, A_WHILE, || loudspeaker.so_far());
    // She has said it twice by then, and listens.
    std::thread::sleep(Duration::from_secs(4));
    house.say("the soup is ready, come to the kitchen");
    hears("the room at mom's", &PERSON.says("the soup is ready, come to the kitchen"), SOON, || house.mom.heard());
    house.say("hello operator, hang up");
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.wait_over(mark);
}

#[test]
fn mom_calls_and_is_declined_by_voice() {
    let house = House::new(Plan::default());
    let (mark, ring) = (house.broker.mark(), house.mom.mark());
    house.mom.dial(&house.uri());
    house.broker.wait_state(mark, "ringing", SOON);
    std::thread::sleep(Duration::from_millis(1000));
    house.say("decline");
    // The speaker may have talked over it: a person says it again.
    if !house.mom.events(ring).iter().any(|it| it == "CALL_CLOSED") {
        std::thread::sleep(Duration::from_millis(1500));
        house.say("decline");
    }
    let (_, why) = house.mom.wait(ring, "CALL_CLOSED", SOON);
    assert!(why.starts_with("603") || why.starts_with("486"), "{why}");
    house.wait_over(mark);
}

#[test]
fn mom_gives_up_and_the_call_counts_as_missed() {
    let house = House::new(Plan::default());
    let (mark, ring) = (house.broker.mark(), house.mom.mark());
    house.mom.dial(&house.uri());
    house.broker.wait_state(mark, "ringing", SOON);
    house.mom.hang_up();
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.broker.wait_event(mark, "missed", SOON);
    house.wait_over(mark);
}

#[test]
fn a_stranger_is_turned_away_unless_allowed() {
    let house = House::new(Plan::default());
    let stranger = Phone::start(house.folder.path(), PhoneSettings { user: "stranger", ..PhoneSettings::default() });
    let mark = house.broker.mark();
    stranger.dial(&house.uri());
    let (_, why) = stranger.wait(0, "CALL_CLOSED", SOON);
    assert!(why.starts_with("403"), "{why}");
    assert!(house.broker.states(mark).is_empty(), "{:?}", house.broker.states(mark));
}
