//! From a wake phrase that was almost heard to a sensitivity that suits the house.

use std::time::Duration;

use serde_json::Value;

use crate::children::eventually;
use crate::house::{A_WHILE, House, Plan, SOON, in_the_room};
use crate::voice::PERSON;

/// The speaker keeps one in so long a time, and a window that opened closes meanwhile.
const NEXT: Duration = Duration::from_secs(11);

#[test]
fn what_was_almost_heard_and_said_again_makes_the_speaker_more_sensitive() {
    let house = House::new(Plan { settings: "wake:\n  sensitivity: 0\n  keep_near_misses: true".into(), ..Plan::default() });
    let phrase = PERSON.says("hello operator");
    // The louder the noise, the less sure; one of these is neither heard nor missed altogether.
    let almost = [0.07, 0.1, 0.05, 0.14, 0.035, 0.2].into_iter().any(|noise| {
        house.pulse.say(&in_the_room(&phrase).then_silence(Duration::from_millis(400)).with_noise(noise));
        std::thread::sleep(Duration::from_millis(1500));
        let kept = !notes(&house).is_empty();
        if !kept {
            std::thread::sleep(NEXT);
        }
        kept
    });
    assert!(almost, "nothing was almost heard:\n{}", house.speaker.printed());
    house.pulse.say(&in_the_room(&phrase));
    eventually("the note that it was said again", SOON, || {
        notes(&house).iter().any(|it| it["heard_again"] == true).then_some(())
    });
    let note = notes(&house).remove(0);
    assert_eq!(note["phrase"], "hello operator");
    let told = said(&house, &["tune", "--list"]);
    assert!(told.contains("said again within seconds") && told.contains("1 of 1 were meant for the speaker"), "{told}");
    let told = said(&house, &["tune", "--yes"]);
    let yaml = std::fs::read_to_string(house.folder.path().join("hark.yaml")).expect("hark.yaml");
    let written = yaml.lines().find_map(|it| it.trim().strip_prefix("sensitivity: ")?.parse::<f32>().ok()).expect("sensitivity");
    assert!(written > 0.0 && told.contains(&format!("{written:.2} would suit better than 0.00")), "{written}: {told}");
    eventually("the new sensitivity", A_WHILE, || house.speaker.printed().contains("configuration read anew").then_some(()));
    assert!(said(&house, &["tune", "--clear"]).contains("deleted 1 near misses"));
    assert!(notes(&house).is_empty());
}

/// What is noted beside each sound that is kept.
fn notes(house: &House) -> Vec<Value> {
    let folder = house.folder.path().join("state/near-misses");
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path());
    let notes = paths.filter(|it| it.extension().is_some_and(|it| it == "json"));
    notes.filter_map(|it| serde_json::from_slice(&std::fs::read(it).ok()?).ok()).collect()
}

fn said(house: &House, arguments: &[&str]) -> String {
    String::from_utf8_lossy(&house.does(arguments).stdout).into_owned()
}
