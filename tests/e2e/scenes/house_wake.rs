//! Three speakers hear the wake phrase: one answers.

use std::time::Duration;

use crate::house::SOON;
use crate::household::{Exchange, Household, HouseholdPlan};
use crate::voice::PERSON;

const ROOMS: [&str; 3] = ["kitchen", "bedroom", "nursery"];

/// Whether a chime was heard where.
fn chimes(house: &Household, places: &[(&str, f32, Duration)]) -> Vec<&'static str> {
    let listening = house.listen();
    house.say_heard_in(places, &PERSON.says("hello operator"));
    std::thread::sleep(Duration::from_millis(900));
    let chimed = ROOMS.into_iter().filter(|room| listening.of(room, Duration::ZERO).level_db() > -75.0).collect();
    // Until it has stopped waiting for a command.
    std::thread::sleep(Duration::from_millis(2800));
    chimed
}

/// Waits until the codes by which the speakers joined have been spoken: who speaks hears badly.
fn wait_until_quiet(house: &Household) {
    for _ in 0..30 {
        let listening = house.listen();
        std::thread::sleep(Duration::from_millis(700));
        if ROOMS.into_iter().all(|room| listening.of(room, Duration::ZERO).level_db() < -75.0) {
            return;
        }
    }
    panic!("somebody speaks for ever");
}

/// Short, so that scenes are.
fn plan<'a>() -> HouseholdPlan<'a> {
    let mut plan = HouseholdPlan::of(&ROOMS);
    plan.rooms.iter_mut().for_each(|room| room.listen_for = "2s");
    plan
}

#[test]
fn the_nearest_of_three_speakers_answers_and_only_it() {
    let house = Household::new(plan());
    wait_until_quiet(&house);
    let (near, far, farther) = (Duration::ZERO, Duration::from_millis(9), Duration::from_millis(17));
    for nearest in ROOMS {
        let others: Vec<&str> = ROOMS.into_iter().filter(|it| *it != nearest).collect();
        let chimed = chimes(&house, &[(nearest, 0.0, near), (others[0], -9.0, far), (others[1], -14.0, farther)]);
        assert_eq!(chimed, [nearest]);
    }
}

#[test]
fn the_nearest_answers_without_a_broker_and_does_what_is_said() {
    let house = Household::new(HouseholdPlan { exchange: Exchange::None, ..plan() });
    let heard = [("bedroom", 0.0, Duration::ZERO), ("kitchen", -8.0, Duration::from_millis(9))];
    for _ in 0..2 {
        house.say_heard_in(&heard, &PERSON.says("hello operator, call the nursery"));
        std::thread::sleep(Duration::from_millis(1500));
        if house.state("nursery") == "ringing" {
            break;
        }
    }
    house.wait_now("nursery", "ringing", SOON);
    assert_eq!(house.state("bedroom"), "ringback");
    assert_eq!(house.state("kitchen"), "idle");
}
