//! What can be done while both talk: mute, hold, touch tones.

use std::time::Duration;

use crate::children::eventually;
use crate::house::{A_WHILE, House, Plan, SOON, hears};
use crate::phone::{PhoneSettings, again_and_again};
use crate::voice::{MOM, PERSON};

#[test]
fn mute_closes_the_microphone_and_unmute_opens_it() {
    let house = House::new(Plan::default());
    let mark = house.call_mom();
    house.does(&["mute"]);
    house.broker.wait(mark, "the call to be muted", SOON, |it| it.topic.ends_with("/call") && it.get("muted") == "true");
    std::thread::sleep(Duration::from_secs(2));
    let secret = "we will give her a new bicycle for her birthday";
    house.say(secret);
    std::thread::sleep(Duration::from_secs(1));
    let found = house.mom.heard().find(&PERSON.says(secret));
    assert!(found.0 < 0.6, "mom heard what was said while the microphone was off: {found:?}");
    let mark = house.broker.mark();
    house.does(&["unmute"]);
    house.broker.wait(mark, "the call to be heard again", SOON, |it| it.topic.ends_with("/call") && it.get("muted") == "false");
    std::thread::sleep(Duration::from_secs(2));
    house.say("the soup is ready, come to the kitchen");
    hears("the room at mom's", &PERSON.says("the soup is ready, come to the kitchen"), SOON, || house.mom.heard());
    house.mom.hang_up();
    house.wait_over(mark);
}

#[test]
fn a_call_can_be_held_and_taken_back_and_touch_tones_arrive() {
    let words = MOM.says("hello darling, it is so good to hear you");
    let voice = again_and_again(&words, 10);
    let house = House::new(Plan { mom: PhoneSettings { voice, ..PhoneSettings::default() }, ..Plan::default() });
    let loudspeaker = house.listen();
    let ring = house.mom.mark();
    let mark = house.call_mom();
    house.does(&["dtmf", "12#"]);
    eventually("three touch tones at mom's", A_WHILE, || {
        let n_tones = house.mom.events(ring).iter().filter(|it| *it == "CALL_DTMF_START").count();
        (n_tones == 3).then_some(())
    });
    house.does(&["hold"]);
    house.broker.wait_state(mark, "held", SOON);
    let mark = house.broker.mark();
    std::thread::sleep(Duration::from_secs(1));
    house.does(&["resume"]);
    house.broker.wait_state(mark, "connected", SOON);
    // What baresip records ends with the first hold, so that the room is asked whether they hear one another again.
    let resumed = loudspeaker.length();
    hears("mom in the room", &words, A_WHILE, || loudspeaker.since(resumed));
    house.mom.hang_up();
    house.wait_over(mark);
}
