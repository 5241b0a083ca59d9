//! Why calls end, and that the room is told so in plain words.

use std::time::Duration;

use speech::say::{Voice, speak};

use crate::children::{eventually, free_port};
use crate::house::{A_WHILE, House, Plan, SOON, hears, project};
use crate::phone::turns_away;
use crate::sound::Clip;

/// The sentence of phrases/en.yaml in the speaker's own voice.
fn prompt(name: &str, person: &str) -> Clip {
    let phrases = std::fs::read_to_string(project("configs/phrases/en.yaml")).expect("phrases");
    let line = phrases
        .lines()
        .find_map(|it| it.trim().strip_prefix(&format!("{name}: ")))
        .unwrap_or_else(|| panic!("no prompt `{name}`"));
    let text = line.trim().trim_matches('"').replace("{name}", person);
    let (samples, rate_hz) = speak(&Voice { command: vec!["espeak-ng".into()] }, &text, "en").expect("espeak-ng");
    Clip::at(&samples, rate_hz)
}

#[track_caller]
fn is_told(house: &House, mark: usize, reason: &str, sentence: &Clip, heard: impl Fn() -> Clip) {
    let ended = house.broker.wait_event(mark, "ended", A_WHILE);
    assert_eq!(ended.get("reason"), reason, "{}", ended.payload);
    hears("why the call ended, in the room", sentence, A_WHILE, heard);
    house.wait_over(mark);
}

#[test]
fn mom_is_busy_and_the_room_hears_so() {
    let house = House::new(Plan::default());
    let loudspeaker = house.listen();
    let (mark, ring) = (house.broker.mark(), house.mom.mark());
    house.ring_mom(ring);
    house.mom.hang_up();
    is_told(&house, mark, "busy", &prompt("busy", "Mom"), || loudspeaker.so_far());
}

#[test]
fn mom_does_not_answer_and_the_room_hears_so() {
    let house = House::new(Plan { settings: "ring_for: 5s".into(), ..Plan::default() });
    let loudspeaker = house.listen();
    let (mark, ring) = (house.broker.mark(), house.mom.mark());
    house.ring_mom(ring);
    is_told(&house, mark, "no_answer", &prompt("no_answer", "Mom"), || loudspeaker.so_far());
    house.mom.wait(ring, "CALL_CLOSED", SOON);
}

#[test]
fn calls_that_are_declined_or_lead_nowhere_are_told_in_plain_words() {
    let house = House::new(Plan { people: vec![("Anna", format!("sip:anna@127.0.0.1:{}", free_port()))], ..Plan::default() });
    let loudspeaker = house.listen();
    for (code, text, reason) in [("603", "Decline", "declined"), ("404", "Not Found", "not_found"), ("480", "Away", "no_answer")]
    {
        let (_phone, uri) = turns_away(house.folder.path(), code, text);
        let (mark, from) = (house.broker.mark(), loudspeaker.length());
        house.does(&["call", &uri]);
        let ended = house.broker.wait_event(mark, "ended", A_WHILE);
        assert_eq!(ended.get("reason"), reason, "{code}: {}", ended.payload);
        house.wait_over(mark);
        // A stranger's name is its address; how that is spoken does not matter here, that something is said does.
        eventually("words about the end of the call", A_WHILE, || {
            loudspeaker.since(from).spoken(-45.0).filter(|(begin, end)| *end - *begin > Duration::from_secs(1))
        });
        std::thread::sleep(Duration::from_secs(3));
    }
    let from = loudspeaker.length();
    let mark = house.broker.mark();
    house.say("hello operator, call anna");
    let ended = house.broker.wait_event(mark, "ended", Duration::from_secs(40));
    assert_eq!(ended.get("reason"), "unreachable", "{}", ended.payload);
    hears("why the call ended, in the room", &prompt("unreachable", "Anna"), A_WHILE, || loudspeaker.since(from));
    house.wait_over(mark);
}
