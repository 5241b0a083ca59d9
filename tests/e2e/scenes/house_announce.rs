//! "Tell everybody": announcements by text and in the speaker's own voice.

use std::time::Duration;

use crate::broker::Message;
use crate::children::eventually;
use crate::house::{A_WHILE, SOON, hears};
use crate::household::{Household, HouseholdPlan, Listening};
use crate::sound::Clip;
use crate::voice::PERSON;

const ROOMS: [&str; 3] = ["kitchen", "bedroom", "nursery"];
/// Rooms may begin so far apart.
const TOGETHER: Duration = Duration::from_millis(20);

/// When each of these loudspeakers began after `from`, all in one clock; waits until all have.
pub fn begins(listening: &Listening, rooms: &[&str], from: Duration) -> Vec<Duration> {
    eventually("all rooms to be heard", A_WHILE, || {
        rooms.iter().map(|room| Some(listening.of(room, from).spoken(-50.0)?.0)).collect::<Option<Vec<_>>>()
    })
}

/// How far apart the first and the last are.
pub fn spread(moments: &[Duration]) -> Duration {
    moments.iter().max().copied().unwrap_or_default() - moments.iter().min().copied().unwrap_or_default()
}

#[test]
fn a_text_is_heard_in_all_rooms_at_the_same_moment() {
    let house = Household::new(HouseholdPlan::of(&ROOMS));
    let listening = house.listen();
    house.does("kitchen", &["announce", "dinner is ready"]);
    let moments = begins(&listening, &["bedroom", "nursery"], Duration::ZERO);
    println!("apart: {:?}", spread(&moments));
    assert!(spread(&moments) <= TOGETHER, "{moments:?}");
    std::thread::sleep(Duration::from_secs(3));
    // Later only one room, and the others stay silent.
    let from = listening.recording.length();
    house.does("kitchen", &["announce", "--to", "nursery", "time for bed"]);
    begins(&listening, &["nursery"], from);
    std::thread::sleep(Duration::from_millis(500));
    assert!(listening.of("bedroom", from).level_db() < -60.0, "the bedroom was told too");
}

#[test]
fn what_is_said_after_tell_everybody_is_heard_in_the_same_voice_everywhere() {
    let house = Household::new(HouseholdPlan::of(&ROOMS));
    let listening = house.listen();
    let words = "the soup is ready, come to the kitchen";
    let said = PERSON.says("hello operator, tell everybody").then_silence(Duration::from_millis(1200)).then(&PERSON.says(words));
    // Who is not understood says it again, as people do.
    for _ in 0..2 {
        house.say_heard_in(&[("kitchen", 0.0, Duration::ZERO)], &said.clone().then_silence(Duration::from_secs(1)));
        std::thread::sleep(Duration::from_secs(4));
        if listening.of("bedroom", Duration::ZERO).level_db() > -70.0 {
            break;
        }
    }
    for room in ["bedroom", "nursery"] {
        hears(&format!("the announcement in the {room}"), &PERSON.says(words), A_WHILE, || listening.of(room, Duration::ZERO));
    }
    let words = PERSON.says(words);
    let moments: Vec<Duration> =
        ["bedroom", "nursery"].iter().map(|room| begin_of(&words, &listening.of(room, Duration::ZERO))).collect();
    println!("apart: {:?}", spread(&moments));
    assert!(spread(&moments) <= TOGETHER, "{moments:?}");
}

/// When the first sound of an announcement came.
fn begin_of(words: &Clip, heard: &Clip) -> Duration {
    let (_, at) = heard.find(words);
    let from = at.saturating_sub(Duration::from_millis(600));
    from + heard.part(from, heard.length()).spoken(-50.0).expect("the announcement").0
}

#[test]
fn an_announcement_waits_for_a_call_unless_it_is_urgent() {
    let house = Household::new(HouseholdPlan::of(&ROOMS));
    house.call_room("bedroom", "nursery");
    let mark = house.broker().mark();
    let told = |state: &str| {
        let is = |it: &Message| it.topic == "hark/nursery/event" && it.get("event") == "announcement" && it.get("state") == state;
        house.broker().heard().iter().skip(mark).any(is)
    };
    house.does("kitchen", &["announce", "--to", "nursery", "dinner is ready"]);
    eventually("the announcement to wait", SOON, || told("waiting").then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    assert!(!told("playing"), "it was played into the call");
    house.does("bedroom", &["hangup"]);
    eventually("the announcement after the call", A_WHILE, || told("heard").then_some(()));
    house.call_room("bedroom", "nursery");
    let mark = house.broker().mark();
    house.does("kitchen", &["announce", "--to", "nursery", "--urgent", "there is smoke in the hall"]);
    house.broker().wait(mark, "the urgent one in the call", SOON, |it| {
        it.topic == "hark/nursery/event" && it.get("event") == "announcement" && it.get("state") == "playing"
    });
    assert_eq!(house.state("nursery"), "connected");
}
