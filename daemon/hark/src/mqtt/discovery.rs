//! Tells Home Assistant what we are: one retained message from which it makes a device with its entities.

use serde_json::{Map, Value, json};

use super::payload::{About, Dated};
use super::topics::Topics;

/// Where the message goes.
pub fn topic(prefix: &str, room: &str) -> String {
    format!("{prefix}/device/hark_{room}/config")
}

/// Where Home Assistant says that it has come back and forgot us.
pub fn birth_topic(prefix: &str) -> String {
    format!("{prefix}/status")
}

/// The message (<https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>).
pub fn message(about: &About, room: &str, topics: &Topics) -> Value {
    let entities = Entities { room, topics, found: Map::new() }.all();
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
        "cmps": entities,
    })
}

fn device_id(room: &str) -> String {
    format!("hark_{}", room.replace('-', "_"))
}

struct Entities<'a> {
    room: &'a str,
    topics: &'a Topics,
    found: Map<String, Value>,
}

impl Entities<'_> {
    fn all(mut self) -> Map<String, Value> {
        self.call();
        self.buttons();
        self.add(
            "dial",
            "text",
            "Call",
            json!({"command_topic": self.topics.verb("dial"), "max": 255, "icon": "mdi:phone-dial"}),
        );
        self.add(
            "say",
            "notify",
            "Say",
            json!({"command_topic": self.topics.verb("say"), "command_template": r#"{"text": {{ value | tojson }} }"#}),
        );
        self.settings();
        self.found
    }

    fn call(&mut self) {
        let call = self.topics.call();
        self.add(
            "call",
            "sensor",
            "Call state",
            json!({
                "state_topic": call,
                "value_template": "{{ value_json.state }}",
                "json_attributes_topic": call,
                "device_class": "enum",
                "options": ["idle", "dialing", "ringing", "ringback", "connected", "held", "ending"],
                "icon": "mdi:phone",
            }),
        );
        self.add(
            "caller",
            "sensor",
            "Caller",
            json!({
                "state_topic": call,
                "value_template": "{{ value_json.peer.name if value_json.peer else '' }}",
                "icon": "mdi:account-voice",
            }),
        );
        self.add(
            "event",
            "event",
            "Event",
            json!({
                "state_topic": self.topics.event(),
                "event_types": Dated::EVENTS,
                "value_template": "{{ dict(value_json, event_type=value_json.event) | tojson }}",
                "icon": "mdi:bell-ring",
            }),
        );
    }

    fn buttons(&mut self) {
        for (verb, name, icon) in [
            ("answer", "Answer", "mdi:phone"),
            ("decline", "Decline", "mdi:phone-cancel"),
            ("hangup", "Hang up", "mdi:phone-hangup"),
        ] {
            self.add(verb, "button", name, json!({"command_topic": self.topics.verb(verb), "payload_press": "{}", "icon": icon}));
        }
    }

    fn settings(&mut self) {
        let settings = self.topics.settings();
        for (bus, name) in [("call", "Call volume"), ("ring", "Ring volume"), ("announce", "Announcement volume")] {
            self.add(
                &format!("volume_{bus}"),
                "number",
                name,
                json!({
                    "state_topic": settings,
                    "value_template": format!("{{{{ value_json.volume.{bus} }}}}"),
                    "command_topic": self.topics.verb("volume"),
                    "command_template": format!(r#"{{"bus": "{bus}", "to": {{{{ value | int }}}} }}"#),
                    "min": 0, "max": 100, "step": 5, "unit_of_measurement": "%",
                    "icon": "mdi:volume-high",
                }),
            );
        }
        for (verb, key, name, icon) in
            [("mute", "muted", "Mute", "mdi:microphone-off"), ("dnd", "do_not_disturb", "Do not disturb", "mdi:bell-sleep")]
        {
            self.add(
                verb,
                "switch",
                name,
                json!({
                    "state_topic": settings,
                    "value_template": format!("{{{{ 'ON' if value_json.{key} else 'OFF' }}}}"),
                    "state_on": "ON", "state_off": "OFF",
                    "command_topic": self.topics.verb(verb),
                    "payload_on": r#"{"on": true}"#, "payload_off": r#"{"on": false}"#,
                    "icon": icon,
                }),
            );
        }
    }

    fn add(&mut self, key: &str, platform: &str, name: &str, mut entity: Value) {
        let id = format!("{}_{key}", device_id(self.room));
        entity["p"] = platform.into();
        entity["name"] = name.into();
        entity["default_entity_id"] = format!("{platform}.{id}").into();
        entity["unique_id"] = id.as_str().into();
        self.found.insert(key.to_owned(), entity);
    }
}

#[cfg(test)]
mod tests {
    use super::super::verbs;
    use super::*;

    fn living_room() -> Value {
        let about = About { name: "Living room".into(), version: "0.1.0".into(), ..About::default() };
        message(&about, "living-room", &Topics::new("hark", "living-room"))
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
        assert_eq!(n, 3 + 1 + 3 + 4, "buttons, say, volumes, switches");
    }
}
