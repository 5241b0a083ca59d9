//! Tells Home Assistant what we are: one retained message from which it makes a device with its entities.

mod entities;

use serde_json::{Value, json};

use super::payload::About;
use super::topics::Topics;
use entities::Entities;

/// Where the message goes.
pub fn topic(prefix: &str, room: &str) -> String {
    format!("{prefix}/device/hark_{room}/config")
}

/// Where Home Assistant says that it has come back and forgot us.
pub fn birth_topic(prefix: &str) -> String {
    format!("{prefix}/status")
}

/// The message (<https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>); `contacts` and `rooms` are what can be chosen from.
pub fn message(about: &About, room: &str, topics: &Topics, contacts: &[String], rooms: &[String]) -> Value {
    json!({
        "dev": {
            "ids": [device_id(room)],
            "name": format!("Hark {}", about.name),
            "mf": "Hark",
            "mdl": "calling speaker",
            "sw": about.version,
            "sa": about.name,
        },
        "o": {"name": "hark", "sw": about.version},
        "availability": [{"topic": topics.status()}],
        "qos": 1,
        "cmps": Entities::new(room, topics).all(contacts, rooms),
    })
}

fn device_id(room: &str) -> String {
    format!("hark_{}", room.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::super::verbs;
    use super::*;

    fn living_room() -> Value {
        let about = About { name: "Living room".into(), version: "0.1.0".into(), ..About::default() };
        let names = |names: &[&str]| -> Vec<String> { names.iter().map(|it| it.to_string()).collect() };
        message(&about, "living-room", &Topics::new("hark", "living-room"), &names(&["Mom", "O\"Neil"]), &names(&["kitchen"]))
    }

    #[test]
    fn home_assistant_finds_what_it_requires() {
        let message = living_room();
        assert_eq!(topic("homeassistant", "living-room"), "homeassistant/device/hark_living-room/config");
        assert!(message["dev"]["ids"][0].is_string() && message["o"]["name"].is_string());
        for (key, entity) in message["cmps"].as_object().unwrap() {
            let platform = entity["p"].as_str().unwrap();
            assert_eq!(entity["unique_id"], format!("hark_living_room_{key}"));
            assert_eq!(entity["default_entity_id"], format!("{platform}.hark_living_room_{key}"));
            assert!(entity.get("object_id").is_none(), "stops working in 2026.4");
        }
        assert_eq!(message["cmps"]["volume_ring"]["value_template"], "{{ value_json.volume.ring }}");
    }

    /// Home Assistant sends what the entity says; we must understand it.
    #[test]
    fn we_understand_what_the_entities_send() {
        let mut n = 0;
        for entity in living_room()["cmps"].as_object().unwrap().values() {
            let Some(verb) = entity["command_topic"].as_str().and_then(|topic| topic.rsplit('/').next()) else { continue };
            let bodies: Vec<String> = match entity.get("command_template").and_then(Value::as_str) {
                Some(template) => vec![template.replace("{{ value | int }}", "50").replace("{{ value | tojson }}", "\"hi\"")],
                None if entity["p"] == "text" => vec!["0170 123".to_owned()],
                None => ["payload_press", "payload_on", "payload_off"]
                    .iter()
                    .filter_map(|key| entity[key].as_str().map(str::to_owned))
                    .collect(),
            };
            for body in bodies {
                assert!(verbs::read(verb, body.as_bytes()).command.is_ok(), "{verb} {body}");
                n += 1;
            }
        }
        assert_eq!(n, 8 + 2 + 3 + 3 + 3 + 4, "buttons, texts, notifiers and lists, volumes, switches");
    }

    #[test]
    fn lists_offer_whom_one_can_call_and_are_not_mentioned_when_empty() {
        let message = living_room();
        let call = &message["cmps"]["contact"];
        assert_eq!(call["options"], json!(["Mom", "O\"Neil", "kitchen"]));
        assert!(call["value_template"].as_str().unwrap().contains(r#"["Mom","O\"Neil","kitchen"]"#));
        assert_eq!(message["cmps"]["move"]["options"], json!(["kitchen"]));
        let alone = super::message(&About::default(), "hall", &Topics::new("hark", "hall"), &[], &[]);
        assert_eq!(alone["cmps"]["move"], Value::Null);
    }
}
