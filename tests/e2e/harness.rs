//! The peers proven against one another, so that a failing scene speaks of the speaker and not of them.

use std::time::Duration;

use crate::broker::Broker;
use crate::children::free_port;
use crate::phone::{Phone, PhoneSettings, turns_away};
use crate::pulse::{AIR, Place, Pulse};
use crate::sound::Clip;
use crate::voice::{MOM, PERSON, Voice};

#[test]
fn what_is_said_is_in_the_microphone_and_when_is_known() {
    let folder = tempfile::tempdir().expect("folder");
    let pulse = Pulse::start(folder.path());
    let recording = pulse.record(Place::Microphone);
    let clip = PERSON.says("hello operator, call mom");
    let begin = std::time::Instant::now();
    pulse.say(&clip);
    let heard = recording.so_far();
    let (alike, _) = heard.find(&clip);
    assert!(alike > 0.95, "{alike}");
    let (from, to) = heard.spoken(-45.0).expect("speech");
    let spoken = recording.when(to) - begin;
    println!("{from:?} {to:?} {:?} {spoken:?}", clip.length());
    assert!(
        spoken + Duration::from_millis(50) > clip.length() && spoken < clip.length() + Duration::from_millis(400),
        "{spoken:?}"
    );
}

#[test]
fn other_words_and_other_voices_are_told_apart() {
    let clip = PERSON.says("the soup is ready, come to the kitchen");
    let other = Voice::Flite("rms").says("we could go to the sea on sunday if it does not rain");
    let noisy = other.clone().then(&clip).gain(0.3).with_noise(0.003);
    assert!(noisy.find(&clip).0 > 0.8, "{:?}", noisy.find(&clip));
    assert!(noisy.find(&MOM.says("hello operator, hang up, and then call anna")).0 < 0.6);
}

#[test]
fn two_phones_hear_one_another_whoever_calls() {
    let folder = tempfile::tempdir().expect("folder");
    let words = MOM.says("hello darling, it is so good to hear you");
    let answer = PERSON.says("the soup is ready, come to the kitchen");
    let mom = Phone::start(folder.path(), PhoneSettings { voice: words.clone(), ..PhoneSettings::default() });
    let room = Phone::start(folder.path(), PhoneSettings { user: "room", voice: answer.clone(), ..PhoneSettings::default() });
    for (caller, called) in [(&mom, &room), (&room, &mom)] {
        let (mark, other) = (called.mark(), caller.mark());
        caller.dial(&called.uri());
        called.rings(mark, Duration::from_secs(5));
        called.answer();
        caller.wait(other, "CALL_ESTABLISHED", Duration::from_secs(5));
        std::thread::sleep(Duration::from_secs(4));
        caller.hang_up();
        called.wait(mark, "CALL_CLOSED", Duration::from_secs(5));
        assert!(room.heard().find(&words).0 > 0.8, "{:?}", room.heard().find(&words));
        assert!(mom.heard().find(&answer).0 > 0.8, "{:?}", mom.heard().find(&answer));
    }
    let (mark, other) = (mom.mark(), room.mark());
    room.dial(&mom.uri());
    mom.rings(mark, Duration::from_secs(5));
    mom.hang_up();
    println!("{:?}", room.wait(other, "CALL_CLOSED", Duration::from_secs(5)));
}

#[test]
fn the_broker_tells_what_was_published_in_order() {
    let folder = tempfile::tempdir().expect("folder");
    let broker = Broker::start(folder.path());
    let mark = broker.mark();
    broker.publish("hark/test/call", r#"{"state":"dialing"}"#);
    broker.publish("hark/test/call", r#"{"state":"ringback"}"#);
    broker.wait_state(mark, "ringback", Duration::from_secs(2));
    assert_eq!(broker.states(mark), ["dialing", "ringback"]);
    assert_ne!(free_port(), broker.port);
}

#[test]
fn a_phone_turns_a_call_away_with_the_code_that_it_was_told() {
    let folder = tempfile::tempdir().expect("folder");
    let room = Phone::start(folder.path(), PhoneSettings { user: "room", ..PhoneSettings::default() });
    let (_away, uri) = turns_away(folder.path(), "603", "Decline");
    room.dial(&uri);
    let (_, why) = room.wait(0, "CALL_CLOSED", Duration::from_secs(5));
    assert_eq!(why, "603 Decline");
}

#[test]
fn the_cards_can_be_taken_away_and_the_room_can_have_an_echo() {
    let folder = tempfile::tempdir().expect("folder");
    let mut pulse = Pulse::start(folder.path());
    pulse.take_away();
    pulse.bring_back();
    pulse.add_echo(0.3);
    let microphone = pulse.record(Place::Microphone);
    let words = MOM.says("hello darling, it is so good to hear you");
    pulse.play(&words);
    let heard = microphone.so_far();
    let (alike, at) = heard.find(&words);
    let db = heard.part(at, at + words.length()).level_db() - words.level_db();
    assert!(alike > 0.7 && (-14.0..-7.0).contains(&db), "{alike} {db}");
}

#[test]
fn what_is_said_is_heard_in_several_rooms_each_in_its_way() {
    let folder = tempfile::tempdir().expect("folder");
    let rooms = ["kitchen", "bedroom", "nursery"].map(str::to_owned);
    let pulse = Pulse::start_for_rooms(folder.path(), &rooms);
    let air = pulse.record_rooms(AIR, 3);
    let words = PERSON.says("hello operator, call mom");
    let later = Clip::silence(Duration::from_millis(20)).then(&words).gain(0.3);
    let from = air.length();
    let mut saying = pulse.start_saying_in_rooms(&[words.clone(), later, Clip::silence(words.length())]);
    assert!(saying.wait().expect("paplay").success());
    std::thread::sleep(Duration::from_millis(200));
    let begins = [0, 1].map(|room| air.of(room, from).spoken(-55.0).expect("speech").0);
    let apart = begins[1] - begins[0];
    assert!((Duration::from_millis(10)..=Duration::from_millis(35)).contains(&apart), "{apart:?}");
    assert!(air.of(1, from).find(&words).0 > 0.9);
    assert!(air.of(2, from).level_db() < -80.0);
}
