//! The MQTT task against a real mosquitto and against the embedded broker (docs/mqtt.md).

#[path = "mqtt/house.rs"]
mod house;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use control::action::{CallReport, CallState, Event, Missed, Peer, Report, SettingReport, Waiting};
use control::call::CallId;
use control::house::{HouseEvent, Message};
use control::input::{Bus, Command};
use hark::config::house::{Tells, Watched};
use hark::config::{Broker, Secret};
use hark::mqtt::{Metrics, Outgoing};
use house::{House, Mosquitto, Speaker, embedded, here, settings};
use serde_json::{Value, json};

fn call(state: CallState) -> Outgoing {
    let report = CallReport { state, call: Some(CallId::Out(1)), peer: None, parties: Vec::new(), muted: false };
    Outgoing::Report(Report::Call(report), SystemTime::now())
}

fn event(event: Event) -> Outgoing {
    Outgoing::Report(Report::Event(event), SystemTime::now())
}

/// Everything retained is there, with what we said of it, and the last will.
async fn the_house_sees_us(broker: Broker) {
    let speaker = Speaker::start(settings(broker));
    let mut house = House::watch(speaker.port);
    house.wait("hark/kitchen/status", "online").await;
    let about = house.wait_json("hark/kitchen/about", |about| about["name"] == "Kitchen").await;
    assert_eq!(about["version"], "1.2.3");
    house.wait_json("hark/kitchen/call", |call| call["state"] == "idle").await;
    let device = house.wait_json("homeassistant/device/hark_kitchen/config", |_| true).await;
    assert_eq!(device["cmps"]["answer"]["p"], "button");

    speaker.tell(call(CallState::Dialing)).await;
    speaker.tell(event(Event::Wake)).await;
    speaker.tell(Outgoing::Report(Report::Setting(SettingReport::Volume(Bus::Ring, 35)), SystemTime::now())).await;
    speaker.tell(Outgoing::Report(Report::Line { line: "fritzbox".into(), up: Err("no route".into()) }, SystemTime::now())).await;
    speaker.tell(Outgoing::Metrics(Metrics { xruns: 3, ..Metrics::default() })).await;
    house.wait_json("hark/kitchen/call", |call| call["state"] == "dialing" && call["id"] == "out-1").await;
    house.wait_json("hark/kitchen/event", |event| event["event"] == "wake" && event["at"].is_string()).await;
    house.wait_json("hark/kitchen/settings", |settings| settings["volume"]["ring"] == 35).await;
    house.wait_json("hark/kitchen/about", |about| about["lines"]["fritzbox"]["why"] == "no route").await;
    house.wait_json("hark/kitchen/metrics", |metrics| metrics["xruns"] == 3).await;

    let mut late = House::watch(speaker.port);
    late.wait("hark/kitchen/status", "online").await;
    late.wait_json("hark/kitchen/call", |call| call["state"] == "dialing").await;
    assert!(late.all().iter().all(|message| message.retain), "only what is retained is there for those who come late");
    assert!(!late.all().iter().any(|message| message.topic.ends_with("/event")), "events are never retained");

    speaker.kill().await;
    house.wait("hark/kitchen/status", "offline").await;
}

#[tokio::test]
async fn mosquitto_sees_us_come_and_die() {
    let mosquitto = Mosquitto::start();
    the_house_sees_us(mosquitto.broker()).await;
}

#[tokio::test]
async fn the_embedded_broker_sees_us_come_and_die() {
    the_house_sees_us(embedded()).await;
}

/// Commands arrive once, are answered, and junk does no harm.
async fn the_house_commands_us(broker: Broker) {
    let mut speaker = Speaker::start(settings(broker));
    let mut house = House::watch(speaker.port);
    house.wait("hark/kitchen/status", "online").await;

    house.say("hark/kitchen/do/dial", "mom");
    assert_eq!(speaker.asked(Ok(())).await, Command::Dial("mom".into()));

    house.say("hark/kitchen/do/dtmf", r#"{"id": "a", "digits": "12#"}"#);
    assert_eq!(speaker.asked(Ok(())).await, Command::Dtmf("12#".into()));
    house.wait_json("hark/kitchen/done/a", |done| done == &json!({"ok": true})).await;

    house.say("hark/kitchen/do/answer", r#"{"id": "b"}"#);
    assert_eq!(speaker.asked(Err("nobody calls".into())).await, Command::Answer);
    house.wait_json("hark/kitchen/done/b", |done| done == &json!({"ok": false, "error": "nobody calls"})).await;

    // The same again: not done, but answered.
    house.forget();
    house.say("hark/kitchen/do/answer", r#"{"id": "b"}"#);
    house.wait_json("hark/kitchen/done/b", |done| done["error"] == "nobody calls").await;

    house.say("hark/kitchen/do/volume", r#"{"id": "c", "to": "loud"}"#);
    house.wait_json("hark/kitchen/done/c", |done| done["error"].as_str().is_some_and(|e| e.contains("0 to 100"))).await;
    house.say("hark/kitchen/do/explode", r#"{"id": "d"}"#);
    house.wait_json("hark/kitchen/done/d", |done| done["error"].as_str().is_some_and(|e| e.contains("no such verb"))).await;
    house.say("hark/kitchen/do/say", &json!({"id": "e", "text": "x".repeat(9000)}).to_string());
    house.wait_json("hark/kitchen/done/e", |done| done["error"].as_str().is_some_and(|e| e.contains("at most 4096"))).await;

    // No id, nobody to tell; and what is retained is from the past.
    for junk in
        [&b""[..], b"{", b"\xff\xfe\x00", b"[1,2]", b"null", br#"{"id": {"a": 1}}"#, br#"{"id": "../#"}"#, &[b'x'; 100_000]]
    {
        for verb in ["dial ", "volume", "dnd", "", "%00", "dtmf", "say"] {
            house.say_bytes(&format!("hark/kitchen/do/{verb}"), junk, false);
        }
    }
    house.say_bytes("hark/kitchen/do/hangup", b"{}", true);
    assert_eq!(speaker.asked(Ok(())).await, Command::HangUp, "as it is said, it counts, and nothing before it");
    let mut speaker = speaker.restart().await;
    house.forget();
    house.say("hark/kitchen/do/hold", r#"{"id": "z"}"#);
    assert_eq!(speaker.asked(Ok(())).await, Command::Hold, "what is retained does not");
    house.wait_json("hark/kitchen/done/z", |done| done["ok"] == true).await;
}

#[tokio::test]
async fn commands_through_mosquitto() {
    let mosquitto = Mosquitto::start();
    the_house_commands_us(mosquitto.broker()).await;
}

#[tokio::test]
async fn commands_through_the_embedded_broker() {
    the_house_commands_us(embedded()).await;
}

#[tokio::test]
async fn a_broker_that_is_restarted_knows_everything_again() {
    let mut mosquitto = Mosquitto::start();
    let mut speaker = Speaker::start(settings(mosquitto.broker()));
    let mut house = House::watch(speaker.port);
    house.wait("hark/kitchen/status", "online").await;
    mosquitto.kill();
    speaker.disconnected().await;
    for state in [CallState::Dialing, CallState::Ringback, CallState::Connected] {
        speaker.tell(call(state)).await;
    }
    for digit in "0123456789".repeat(10).chars() {
        speaker.tell(event(Event::Dtmf(CallId::In(1), digit))).await;
    }
    mosquitto.start_again();
    let mut house = House::watch(speaker.port);
    house.wait("hark/kitchen/status", "online").await;
    house.wait_json("hark/kitchen/call", |call| call["state"] == "connected").await;
    house.say("hark/kitchen/do/hangup", "");
    assert_eq!(speaker.asked(Ok(())).await, Command::HangUp, "subscribed again");
    let states: Vec<Value> = house.all_json("hark/kitchen/call");
    assert!(states.iter().all(|call| call["state"] == "connected"), "only the latest: {states:?}");
    speaker.tell(Outgoing::Metrics(Metrics::default())).await;
    let metrics = house.wait_json("hark/kitchen/metrics", |_| true).await;
    assert_eq!(metrics["mqtt_dropped"], 100 - 64, "the oldest events were given up");
}

#[tokio::test]
async fn a_broker_that_comes_later_is_found() {
    let mut mosquitto = Mosquitto::start();
    mosquitto.kill();
    let speaker = Speaker::start(settings(mosquitto.broker()));
    speaker.tell(call(CallState::Dialing)).await;
    mosquitto.start_again();
    let mut house = House::watch(speaker.port);
    house.wait_json("hark/kitchen/call", |call| call["state"] == "dialing").await;
}

#[tokio::test]
async fn a_last_will_that_comes_late_does_not_hide_us() {
    let mosquitto = Mosquitto::start();
    for broker in [mosquitto.broker(), embedded()] {
        let speaker = Speaker::start(settings(broker));
        let mut house = House::watch(speaker.port);
        house.wait("hark/kitchen/status", "online").await;
        house.forget();
        house.say_bytes("hark/kitchen/status", b"offline", true);
        house.wait("hark/kitchen/status", "online").await;
        let mut late = House::watch(speaker.port);
        late.wait("hark/kitchen/status", "online").await;
    }
}

/// Presence and devices: what is retained counts, what is ours to tell is told.
async fn the_house_tells_us_of_people_and_devices(broker: Broker) {
    let tells = Tells::Presence { person: "Mom".into(), rooms: BTreeMap::new() };
    let mom = Watched { topic: "home/mom".into(), value: vec!["room".into()], tells };
    let tv = Watched { topic: "tv/mute".into(), value: Vec::new(), tells: Tells::Device("TV".into()) };
    let (speaker, mut tidings) = Speaker::start_watching(settings(broker.clone()), vec![mom.clone(), tv]);
    let mut house = House::watch(speaker.port);
    house.wait("hark/kitchen/status", "online").await;
    let in_the = |room: &str| HouseEvent::Presence { person: "Mom".into(), room: Some(room.into()) };
    house.say_bytes("home/mom", br#"{"room": "Living room"}"#, true);
    assert_eq!(tidings.recv().await, Some(in_the("living-room")));
    house.say_bytes("home/mom", b"nonsense", false);
    house.say("tv/mute", "OFF");
    assert_eq!(tidings.recv().await, Some(HouseEvent::Device { name: "TV".into(), state: "OFF".into() }));
    speaker.tell(Outgoing::Publish(Message { topic: "tv/mute/set".into(), payload: "ON".into() })).await;
    house.wait("tv/mute/set", "ON").await;
    speaker.kill().await;
    // Whoever starts late is told where Mom is; with the embedded broker, what was retained has ended with its process.
    let (speaker, mut tidings) = Speaker::start_watching(settings(broker), vec![mom]);
    speaker.connected().await;
    assert_eq!(tidings.recv().await, Some(in_the("living-room")));
}

#[tokio::test]
async fn people_and_devices_through_mosquitto() {
    let mosquitto = Mosquitto::start();
    the_house_tells_us_of_people_and_devices(mosquitto.broker()).await;
}

#[tokio::test]
async fn people_and_devices_through_the_embedded_broker() {
    the_house_tells_us_of_people_and_devices(embedded()).await;
}

#[tokio::test]
async fn missed_calls_wait_and_lists_know_whom_one_can_call() {
    let mosquitto = Mosquitto::start();
    let speaker = Speaker::start(settings(mosquitto.broker()));
    let mut house = House::watch(speaker.port);
    house.wait_json("hark/kitchen/waiting", |waiting| waiting["calls"] == 0).await;
    let peer = Peer { name: "Mom".into(), address: "sip:mom@192.168.1.20".parse().unwrap(), known: true };
    let waiting = Waiting { missed: vec![Missed { peer, n: 2 }], announcements: 1 };
    speaker.tell(Outgoing::Report(Report::Waiting(waiting), SystemTime::now())).await;
    let waiting = house.wait_json("hark/kitchen/waiting", |waiting| waiting["calls"] == 2).await;
    assert_eq!((&waiting["missed"][0]["name"], &waiting["announcements"]), (&json!("Mom"), &json!(1)));
    speaker.tell(Outgoing::Callable { contacts: vec!["Mom".into()], rooms: vec!["nursery".into()] }).await;
    let is_new = |device: &Value| device["cmps"]["contact"]["options"] == json!(["Mom", "nursery"]);
    let device = house.wait_json("homeassistant/device/hark_kitchen/config", is_new).await;
    assert_eq!(device["cmps"]["move"]["options"], json!(["nursery"]));
}

#[tokio::test]
async fn we_say_goodbye() {
    let mosquitto = Mosquitto::start();
    let speaker = Speaker::start(settings(mosquitto.broker()));
    let mut house = House::watch(speaker.port);
    house.wait("hark/kitchen/status", "online").await;
    speaker.stop().await;
    house.wait("hark/kitchen/status", "offline").await;
}

#[tokio::test]
async fn without_a_broker_we_stop_at_once() {
    let mut mosquitto = Mosquitto::start();
    mosquitto.kill();
    Speaker::start(settings(mosquitto.broker())).stop().await;
    Speaker::start(settings(Broker::Off)).stop().await;
}

#[tokio::test]
async fn home_assistant_is_told_again_when_it_comes_back() {
    let mosquitto = Mosquitto::start();
    let speaker = Speaker::start(settings(mosquitto.broker()));
    let mut house = House::watch(speaker.port);
    house.wait("hark/kitchen/status", "online").await;
    house.forget();
    house.say("homeassistant/status", "online");
    house.wait_json("homeassistant/device/hark_kitchen/config", |device| device["o"]["name"] == "hark").await;
    house.wait_json("hark/kitchen/call", |call| call["state"] == "idle").await;
}

#[tokio::test]
async fn the_embedded_broker_can_want_a_password() {
    let with_password = |password: &str| Some(("kitchen".to_owned(), Secret(password.to_owned())));
    let mqtt = hark::config::MqttSettings { login: with_password("right"), ..settings(embedded()) };
    let speaker = Speaker::start(mqtt.clone());
    speaker.connected().await;
    let stranger = Speaker::start(hark::config::MqttSettings { login: with_password("wrong"), base: "other".into(), ..mqtt });
    assert!(tokio::time::timeout(Duration::from_secs(1), stranger.connected()).await.is_err());
}

#[tokio::test]
async fn the_example_for_mosquitto_loads_and_keeps_strangers_out() {
    let example = Mosquitto::start_example();
    let mut kitchen = Speaker::start(example.settings("kitchen"));
    kitchen.connected().await;
    let mut house = example.watch("homeassistant");
    house.wait("hark/kitchen/status", "online").await;
    house.wait_json("homeassistant/device/hark_kitchen/config", |_| true).await;
    house.say("hark/kitchen/do/answer", "");
    assert_eq!(kitchen.asked(Ok(())).await, Command::Answer);

    // The display sees the call and cannot place one.
    let mut display = example.watch("hall-display");
    display.wait("hark/kitchen/status", "online").await;
    display.wait_json("hark/kitchen/call", |_| true).await;
    display.say("hark/kitchen/do/dial", "mom");
    display.say("hark/kitchen/status", "offline");
    house.say("hark/kitchen/do/hangup", "");
    assert_eq!(kitchen.asked(Ok(())).await, Command::HangUp);
    assert!(!display.all().iter().any(|message| message.topic.ends_with("/about")));

    // Speakers write to each other; a display cannot even try, and nobody reads what is not for him.
    let mut bedroom = example.watch("living-room");
    bedroom.wait("hark/kitchen/status", "online").await;
    let publish = |topic: &str| Outgoing::Publish(Message { topic: topic.into(), payload: "a letter".into() });
    kitchen.tell(publish("hark/living-room/inbox")).await;
    kitchen.tell(publish("hark/house/wake")).await;
    kitchen.tell(publish("hark/living-room/do/dial")).await;
    bedroom.wait("hark/living-room/inbox", "a letter").await;
    bedroom.wait("hark/house/wake", "a letter").await;
    assert!(!bedroom.all().iter().any(|message| message.topic.contains("/do/")), "a speaker asks nothing of another");
    assert!(!display.all().iter().any(|message| message.payload == "a letter"));
    assert!(!house.all().iter().any(|message| message.payload == "offline"));
}

/// The files under configs/ are found from anywhere.
#[test]
fn the_example_is_where_it_should_be() {
    assert!(here("configs/mosquitto/acl").exists());
}
