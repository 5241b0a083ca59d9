//! "Hello operator, call mom", and what comes of it.

use std::time::Duration;

use crate::house::{A_WHILE, House, Plan, SOON, hears};
use crate::phone::{PhoneSettings, again_and_again};
use crate::sound::Clip;
use crate::voice::{MOM, PERSON};

fn mom_says(words: &Clip) -> PhoneSettings<'static> {
    PhoneSettings { voice: again_and_again(words, 2), ..PhoneSettings::default() }
}

#[test]
fn mom_is_called_by_voice_both_hear_one_another_and_mom_hangs_up() {
    let greeting = MOM.says("hello darling, it is so good to hear you");
    let house = House::new(Plan { mom: mom_says(&greeting), ..Plan::default() });
    let loudspeaker = house.listen();
    let mark = house.call_mom();
    hears("mom in the room", &greeting, A_WHILE, || loudspeaker.so_far());
    // She has said it twice by then, and listens.
    std::thread::sleep(Duration::from_secs(4));
    house.say("the soup is ready, come to the kitchen");
    hears("the room at mom's", &PERSON.says("the soup is ready, come to the kitchen"), SOON, || house.mom.heard());
    house.mom.hang_up();
    house.wait_over(mark);
    let states = house.broker.states(mark).into_iter().filter(|it| it != "ending").collect::<Vec<_>>();
    assert_eq!(states, ["dialing", "ringback", "connected", "idle"]);
    let ended = house.broker.wait_event(mark, "ended", SOON);
    assert!(ended.payload.contains("Mom"), "{}", ended.payload);
}

#[test]
fn the_command_may_follow_after_the_chime_and_hang_up_ends_the_call() {
    let house = House::new(Plan::default());
    let (mark, ring) = (house.broker.mark(), house.mom.mark());
    house.say("hello operator");
    house.broker.wait_event(mark, "wake", SOON);
    std::thread::sleep(Duration::from_millis(900));
    house.say("call mom");
    house.mom.rings(ring, SOON);
    house.mom.answer();
    house.broker.wait_state(mark, "connected", SOON);
    house.say("hello operator, hang up");
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.wait_over(mark);
}

#[test]
fn hang_up_is_heard_while_mom_talks_loudly() {
    let talk = MOM
        .says("and then the neighbour came over with her two dogs and told me all about the garden and the roses and the rain we had last week, you would not believe it")
        .gain(2.0);
    let mom = PhoneSettings { voice: talk.clone().then(&talk).then(&talk).then(&talk), ..PhoneSettings::default() };
    let house = House::new(Plan { mom, echo: 0.3, ..Plan::default() });
    let ring = house.mom.mark();
    let mark = house.call_mom();
    let loudspeaker = house.listen();
    hears("mom in the room", &talk.part(Duration::from_secs(1), Duration::from_secs(4)), A_WHILE, || loudspeaker.so_far());
    house.say("hello operator, hang up");
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.wait_over(mark);
}

#[test]
fn mom_saying_the_words_does_nothing() {
    let words = MOM.says("hello operator, hang up").then_silence(Duration::from_millis(1500));
    let mom = PhoneSettings {
        voice: Clip::silence(Duration::from_secs(1)).then(&words).then(&words).then(&words).then_silence(Duration::from_secs(60)),
        ..PhoneSettings::default()
    };
    let house = House::new(Plan { mom, echo: 0.3, ..Plan::default() });
    let ring = house.mom.mark();
    let mark = house.call_mom();
    let loudspeaker = house.listen();
    std::thread::sleep(Duration::from_secs(12));
    assert!(loudspeaker.so_far().find(&words).0 > 0.6, "mom was to be heard in the room");
    assert!(!house.mom.events(ring).contains(&"CALL_CLOSED".to_owned()), "mom's own words ended the call");
    assert_eq!(house.broker.states(mark).last().map(String::as_str), Some("connected"));
    house.mom.hang_up();
    house.wait_over(mark);
}

#[test]
fn no_stops_a_call_that_rings_out() {
    let house = House::new(Plan::default());
    let (mark, ring) = (house.broker.mark(), house.mom.mark());
    house.ring_mom(ring);
    house.broker.wait_state(mark, "ringback", SOON);
    std::thread::sleep(Duration::from_secs(1));
    house.say("cancel");
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.wait_over(mark);
}

#[test]
fn the_echo_test_plays_back_what_it_hears() {
    let house = House::new(Plan { echo: 0.2, ..Plan::default() });
    let mark = house.broker.mark();
    let loudspeaker = house.listen();
    house.say("hello operator, call the echo test");
    house.broker.wait_state(mark, "connected", A_WHILE);
    std::thread::sleep(Duration::from_millis(1500));
    let words = "the soup is ready, come to the kitchen";
    house.say(words);
    hears("the echo test", &PERSON.says(words), A_WHILE, || loudspeaker.so_far());
    house.does(&["hangup"]);
    house.wait_over(mark);
}
