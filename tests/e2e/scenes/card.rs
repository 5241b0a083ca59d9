//! The sound card goes away, comes back, or was never there.

use crate::children::{Running, eventually};
use crate::house::{A_WHILE, House, Plan, SOON};

#[test]
fn a_card_that_vanishes_and_comes_back_is_used_again() {
    let mut house = House::new(Plan::default());
    house.pulse.take_away();
    eventually("the card to be missed", A_WHILE, || (house.status()["audio"]["card"] == "lost").then_some(()));
    assert!(house.speaker.alive());
    house.pulse.bring_back();
    eventually("the card to be found", A_WHILE * 2, || (house.status()["audio"]["card"] == "open").then_some(()));
    let ring = house.mom.mark();
    let mark = house.call_mom();
    house.mom.hang_up();
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.wait_over(mark);
}

#[test]
fn a_call_survives_the_loss_of_the_card() {
    let mut house = House::new(Plan::default());
    let ring = house.mom.mark();
    let mark = house.call_mom();
    house.pulse.take_away();
    eventually("the card to be missed", A_WHILE, || (house.status()["audio"]["card"] == "lost").then_some(()));
    house.pulse.bring_back();
    eventually("the card to be found", A_WHILE * 2, || (house.status()["audio"]["card"] == "open").then_some(()));
    assert!(!house.mom.events(ring).contains(&"CALL_CLOSED".to_owned()), "the call was lost with the card");
    house.say("hello operator, hang up");
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.wait_over(mark);
}

#[test]
fn a_speaker_without_a_card_waits_for_one_and_says_so() {
    let mut house = House::new(Plan::default());
    house.speaker.signal(libc::SIGTERM);
    house.speaker.ended(SOON);
    house.pulse.take_away();
    house.speaker = Running::start("hark-again", house.folder.path(), house.hark().arg("run"));
    let status = eventually("the speaker to answer", A_WHILE, || {
        assert!(house.speaker.alive(), "hark run ended: {}", house.speaker.printed());
        house.try_status()
    });
    assert_eq!(status["audio"]["card"], "lost");
    assert!(status["problems"].as_array().is_some_and(|it| !it.is_empty()), "{status:#}");
    house.pulse.bring_back();
    eventually("the card to be found", A_WHILE * 2, || (house.status()["audio"]["card"] == "open").then_some(()));
    let ring = house.mom.mark();
    let mark = house.call_mom();
    house.mom.hang_up();
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.wait_over(mark);
}
