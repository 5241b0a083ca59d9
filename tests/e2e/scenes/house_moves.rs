//! A call moves from room to room, and grows.

use std::time::{Duration, Instant};

use crate::children::eventually;
use crate::house::{A_WHILE, SOON, hears};
use crate::household::{Household, HouseholdPlan};
use crate::phone::{PhoneSettings, again_and_again};
use crate::scenes::house_calls::carries;
use crate::sound::Clip;
use crate::voice::{MOM, PERSON, Voice};

const SOUP: &str = "the soup is ready, come to the kitchen";
/// The far end may hear so much of a gap.
const LONGEST_GAP: Duration = Duration::from_millis(150);

/// Rooms whose microphones are taken as they are: noise suppression would take away a tone, and the canceller, in a room without any echo, who
/// speaks while others do.
fn plan<'a>(people: Vec<PhoneSettings<'a>>, rooms: &[&'static str]) -> HouseholdPlan<'a> {
    let mut plan = HouseholdPlan { people, ..HouseholdPlan::of(rooms) };
    plan.rooms.iter_mut().for_each(|room| room.raw = true);
    plan
}

/// A steady tone, in which every gap can be heard.
pub fn hum(length: Duration) -> Clip {
    let n_samples = (length.as_secs_f64() * 48_000.0) as usize;
    let samples = (0..n_samples).map(|i| (i as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin() * 0.1).collect();
    Clip { samples }
}

/// The longest silence in a clip, in steps of 5 ms, beginning and end left out.
pub fn longest_gap(clip: &Clip, above_db: f32) -> Duration {
    const STEP: usize = 240;
    let loud: Vec<bool> = clip.samples.chunks(STEP).map(|it| Clip { samples: it.to_vec() }.level_db() > above_db).collect();
    let first = loud.iter().position(|it| *it).unwrap_or(0);
    let last = loud.iter().rposition(|it| *it).unwrap_or(0);
    let longest = loud[first..last].split(|it| *it).map(<[bool]>::len).max().unwrap_or(0);
    Duration::from_millis(longest as u64 * 5)
}

#[test]
fn a_call_with_mom_moves_to_the_kitchen_and_back_and_she_hears_no_gap() {
    let greeting = MOM.says("hello darling, it is so good to hear you");
    let voice = again_and_again(&greeting, 20);
    let mom = PhoneSettings { voice, ..PhoneSettings::default() };
    let house = Household::new(plan(vec![mom], &["bedroom", "kitchen"]));
    let ring = house.phone("mom").mark();
    house.call_person("bedroom", "mom");
    let listening = house.listen();

    house.does("bedroom", &["move", "kitchen"]);
    house.wait_now("kitchen", "connected", SOON);
    let from = listening.recording.length() + Duration::from_millis(300);
    hears("mom in the kitchen", &greeting, A_WHILE, || listening.of("kitchen", from));
    house.say("kitchen", SOUP);
    hears("the kitchen at mom's", &PERSON.says(SOUP), SOON, || house.phone("mom").heard());
    let from = listening.recording.length();
    std::thread::sleep(Duration::from_secs(2));
    assert!(listening.of("bedroom", from).level_db() < -60.0, "mom is still heard in the bedroom");

    house.does("bedroom", &["move", "bedroom"]);
    house.wait_now("kitchen", "idle", SOON);
    let from = listening.recording.length() + Duration::from_millis(300);
    hears("mom in the bedroom again", &greeting, A_WHILE, || listening.of("bedroom", from));
    let events = house.phone("mom").events(ring);
    assert_eq!(events.iter().filter(|it| *it == "CALL_INCOMING").count(), 1, "{events:?}");
    assert!(!events.contains(&"CALL_CLOSED".to_owned()), "{events:?}");
    house.phone("mom").hang_up();
    house.wait_all_idle();
}

#[test]
fn while_a_call_moves_the_far_end_hears_no_gap() {
    let house = Household::new(plan(vec![PhoneSettings::default()], &["bedroom", "kitchen"]));
    house.call_person("bedroom", "mom");
    // Both rooms hum, so that only the way between them can be silent.
    let mut humming = house.start_saying_everywhere(&hum(Duration::from_secs(8)));
    std::thread::sleep(Duration::from_millis(1500));
    for (to, state) in [("kitchen", "connected"), ("bedroom", "idle")] {
        house.does("bedroom", &["move", to]);
        house.wait_now("kitchen", state, SOON);
        std::thread::sleep(Duration::from_secs(1));
    }
    let heard = house.phone("mom").heard();
    let _ = humming.kill();
    let _ = humming.wait();
    let gap = longest_gap(&heard, -45.0);
    println!("longest gap at mom's: {gap:?}");
    assert!(gap <= LONGEST_GAP, "{gap:?}");
    house.phone("mom").hang_up();
    house.wait_all_idle();
}

#[test]
fn mom_is_told_to_the_kitchen_by_voice_and_hangs_up() {
    let greeting = MOM.says("hello darling, it is so good to hear you");
    let mom = PhoneSettings { voice: again_and_again(&greeting, 3), ..PhoneSettings::default() };
    let house = Household::new(plan(vec![mom], &["bedroom", "kitchen"]));
    house.call_person("bedroom", "mom");
    std::thread::sleep(Duration::from_secs(8));
    house.asks("bedroom", "hello operator, move the call to the kitchen", "the kitchen to have the call", || {
        house.state("kitchen") == "connected"
    });
    house.phone("mom").hang_up();
    house.wait_all_idle();
}

#[test]
fn dad_is_added_and_all_three_hear_one_another() {
    let (hers, his) = (MOM.says("hello darling, it is so good to hear you"), DAD.says("I am still at work but I have a minute"));
    let mom = PhoneSettings { voice: again_and_again(&hers, 20), ..PhoneSettings::default() };
    let dad = PhoneSettings { user: "dad", voice: again_and_again(&his, 4), ..PhoneSettings::default() };
    let house = Household::new(plan(vec![mom, dad], &["bedroom", "kitchen"]));
    house.call_person("bedroom", "mom");
    let ring = house.phone("dad").mark();
    house.does("bedroom", &["add", "dad"]);
    house.phone("dad").rings(ring, SOON);
    house.phone("dad").answer();
    house.phone("dad").wait(ring, "CALL_ESTABLISHED", SOON);
    hears("dad at mom's", &his, A_WHILE, || house.phone("mom").heard());
    hears("mom at dad's", &hers, A_WHILE, || house.phone("dad").heard());
    assert!(house.phone("dad").heard().find(&his).0 < 0.6, "dad hears himself");
    // The kitchen joins as well.
    house.does("bedroom", &["add", "kitchen"]);
    house.wait_now("kitchen", "ringing", SOON);
    house.does("kitchen", &["answer"]);
    house.wait_now("kitchen", "connected", SOON);
    // Who leaves only leaves.
    let left = house.phone("mom").mark();
    house.phone("mom").hang_up();
    house.phone("mom").wait(left, "CALL_CLOSED", SOON);
    std::thread::sleep(Duration::from_millis(500));
    // Dad has said all that he had to say by then.
    std::thread::sleep(Duration::from_secs(4));
    carries(&house, "kitchen", "bedroom", SOUP);
    assert_eq!(house.state("bedroom"), "connected");
    house.does("bedroom", &["hangup"]);
    house.phone("dad").wait(ring, "CALL_CLOSED", SOON);
    house.wait_all_idle();
}

const DAD: Voice = Voice::Flite("rms");

#[test]
fn a_power_cut_in_the_kitchen_brings_the_call_back() {
    let greeting = MOM.says("hello darling, it is so good to hear you");
    let mom = PhoneSettings { voice: again_and_again(&greeting, 20), ..PhoneSettings::default() };
    let mut house = Household::new(plan(vec![mom], &["bedroom", "kitchen", "nursery"]));
    let ring = house.phone("mom").mark();
    house.call_person("bedroom", "mom");
    house.does("bedroom", &["add", "nursery"]);
    house.wait_now("nursery", "ringing", SOON);
    house.does("nursery", &["answer"]);
    house.wait_now("nursery", "connected", SOON);
    house.does("bedroom", &["move", "kitchen"]);
    house.wait_now("kitchen", "connected", SOON);
    let listening = house.listen();
    let cut = Instant::now();
    house.cut_power("kitchen");
    let from = listening.recording.length();
    hears("mom in the bedroom again", &greeting, A_WHILE, || listening.of("bedroom", from));
    println!("back after {:?}", cut.elapsed());
    let events = house.phone("mom").events(ring);
    assert!(!events.contains(&"CALL_CLOSED".to_owned()), "{events:?}");
    house.wait_now("nursery", "connected", SOON);
    // The power is back, and so is the kitchen.
    house.switch_on("kitchen");
    house.wait_together(Duration::from_secs(15));
    house.does("bedroom", &["hangup"]);
    house.wait_all_idle();
    eventually("mom to be told", SOON, || house.phone("mom").events(ring).contains(&"CALL_CLOSED".to_owned()).then_some(()));
}
