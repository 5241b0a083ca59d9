//! Speakers beside one another, before they know one another.

use std::time::Duration;

use crate::house::SOON;
use crate::household::{Household, HouseholdPlan};
use crate::voice::PERSON;

#[test]
fn two_speakers_that_have_not_joined_hear_their_own_rooms_only() {
    let house = Household::new(HouseholdPlan { joined: false, ..HouseholdPlan::of(&["kitchen", "bedroom"]) });
    let mark = house.broker().mark();
    house.say_heard_in(&[("kitchen", 0.0, Duration::ZERO)], &PERSON.says("hello operator"));
    house.wait_event("kitchen", mark, "wake", SOON);
    assert_eq!(house.n_events("bedroom", mark, "wake"), 0);
}
