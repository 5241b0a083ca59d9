//! Configuration, reload, and who may command.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use crate::children::{Running, eventually};
use crate::house::{HARK, House, Plan, SOON};
use crate::pulse::Pulse;

#[test]
fn bad_configuration_exits_with_78_and_says_where_and_what() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("hark.yaml"), "room: hall\nsip:\n  lisen: 127.0.0.1:5060\nring_for: soon\n")
        .expect("hark.yaml");
    for verb in ["run", "check"] {
        let out = Command::new(HARK).current_dir(folder.path()).args(["--config", "hark.yaml", verb]).output().expect("hark");
        let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
        assert_eq!(out.status.code(), Some(78), "hark {verb}: {said}");
        assert!(said.contains("hark.yaml:3:") && said.contains("lisen") && said.contains("hark.yaml:4:"), "hark {verb}: {said}");
    }
}

#[test]
fn a_missing_model_is_said_and_exits_with_78() {
    let folder = tempfile::tempdir().expect("folder");
    let pulse = Pulse::start(folder.path());
    std::fs::write(folder.path().join("hark.yaml"), "speech:\n  model: ./no-such-model\nmqtt:\n  broker: off\n")
        .expect("hark.yaml");
    let mut speaker = Running::start(
        "hark",
        folder.path(),
        Command::new(HARK).current_dir(folder.path()).args(["--config", "hark.yaml", "run"]).envs(pulse.env()),
    );
    let status = speaker.ended(SOON);
    assert_eq!(status.code(), Some(78), "{}", speaker.printed());
    assert!(speaker.printed().contains("no-such-model"), "{}", speaker.printed());
}

#[test]
fn a_reload_keeps_the_call_takes_new_contacts_and_refuses_broken_ones() {
    let house = House::new(Plan::default());
    let ring = house.mom.mark();
    let mark = house.call_mom();
    let n_contacts = house.status()["contacts"].as_u64().expect("number of contacts");
    house.set_contacts(&[("Mom", house.mom.uri()), ("Anna", "sip:anna@127.0.0.1:9".into())]);
    house.speaker.signal(libc::SIGHUP);
    eventually("the new contact", SOON, || (house.status()["contacts"] == n_contacts + 1).then_some(()));
    std::fs::write(house.folder.path().join("contacts.yaml"), "contacts:\n  - name: [\n").expect("contacts.yaml");
    house.speaker.signal(libc::SIGHUP);
    eventually("the mistake in the log", SOON, || house.speaker.printed().contains("contacts.yaml:").then_some(()));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(house.status()["contacts"], n_contacts + 1);
    assert_eq!(house.status()["call"]["state"], "connected");
    assert!(!house.mom.events(ring).contains(&"CALL_CLOSED".to_owned()));
    house.does(&["hangup"]);
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.wait_over(mark);
}

#[test]
fn the_control_socket_is_for_the_user_and_the_group_only() {
    let house = House::new(Plan::default());
    let mode = std::fs::metadata(house.folder.path().join("hark.sock")).expect("socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "{mode:o}");
    let (mark, ring) = (house.broker.mark(), house.mom.mark());
    house.does(&["call", "mom"]);
    house.mom.rings(ring, SOON);
    house.mom.answer();
    house.broker.wait_state(mark, "connected", SOON);
    house.does(&["hangup"]);
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.wait_over(mark);
    let out = house.hark().args(["call", "nobody we know"]).output().expect("hark");
    assert!(!out.status.success() && !out.stderr.is_empty(), "{out:?}");
}

#[test]
fn the_speaker_stops_when_told_and_says_goodbye_on_mqtt() {
    let mut house = House::new(Plan::default());
    let ring = house.mom.mark();
    let mark = house.call_mom();
    house.speaker.signal(libc::SIGTERM);
    assert!(house.speaker.ended(SOON).success(), "{}", house.speaker.printed());
    house.mom.wait(ring, "CALL_CLOSED", SOON);
    house.broker.wait(mark, "status offline", SOON, |it| it.topic.ends_with("/status") && it.payload == "offline");
    assert!(!house.folder.path().join("hark.sock").exists(), "the socket was left behind");
}
