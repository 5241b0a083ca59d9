//! The entities of our device in Home Assistant, by their platforms.

use serde_json::{Map, Value, json};

use super::super::payload::Dated;
use super::super::topics::Topics;
use super::device_id;

/// Longer lists are of no use to a person, and make the message too long for a broker.
const MAX_OPTIONS: usize = 500;
/// The longest state that Home Assistant keeps.
const MAX_STATE: usize = 255;
/// Figures come each 30 s; without three of them they are unknown.
const FORGET_AFTER_S: u32 = 100;

/// Collects them.
pub struct Entities<'a> {
    room: &'a str,
    topics: &'a Topics,
    found: Map<String, Value>,
}

impl Entities<'_> {
    /// Those of the speaker in `room`.
    pub fn new<'a>(room: &'a str, topics: &'a Topics) -> Entities<'a> {
        Entities { room, topics, found: Map::new() }
    }

    /// All of them.
    pub fn all(mut self, contacts: &[String], rooms: &[String]) -> Map<String, Value> {
        self.call();
        self.buttons();
        self.texts();
        self.lists(contacts, rooms);
        self.settings();
        self.waiting();
        self.diagnostics();
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
                "options": ["idle", "dialing", "ringing", "ringback", "connected", "held", "carried", "ending"],
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
        for (key, name, states, icon) in [
            ("in_call", "In a call", "['connected', 'held', 'carried']", "mdi:phone-in-talk"),
            ("ringing", "Ringing", "['ringing']", "mdi:phone-ring"),
        ] {
            let template = format!("{{{{ 'ON' if value_json.state in {states} else 'OFF' }}}}");
            self.add(key, "binary_sensor", name, json!({"state_topic": call, "value_template": template, "icon": icon}));
        }
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
            ("hold", "Hold", "mdi:phone-paused"),
            ("resume", "Resume", "mdi:phone-in-talk"),
            ("redial", "Call again", "mdi:phone-redial"),
            ("takeback", "Take the call back", "mdi:phone-incoming"),
            ("clear", "Forget missed calls", "mdi:phone-missed"),
        ] {
            self.add(verb, "button", name, json!({"command_topic": self.topics.verb(verb), "payload_press": "{}", "icon": icon}));
        }
    }

    /// Plain text to call and to announce, and notifiers, which automations know how to use.
    fn texts(&mut self) {
        for (key, verb, name, icon) in
            [("dial", "dial", "Call", "mdi:phone-dial"), ("announce_text", "announce", "Announce", "mdi:bullhorn")]
        {
            self.add(key, "text", name, json!({"command_topic": self.topics.verb(verb), "max": MAX_STATE, "icon": icon}));
        }
        let template = r#"{"text": {{ value | tojson }} }"#;
        let urgently = r#"{"urgent": true, "text": {{ value | tojson }} }"#;
        for (key, verb, name, template) in [
            ("say", "say", "Say", template),
            ("announce", "announce", "Announce to the house", template),
            ("announce_urgent", "announce", "Announce urgently", urgently),
        ] {
            self.add(key, "notify", name, json!({"command_topic": self.topics.verb(verb), "command_template": template}));
        }
    }

    /// Whom to call, where to take the call, and whom to call into it. They show with whom a call is while there is one.
    fn lists(&mut self, contacts: &[String], rooms: &[String]) {
        let everybody: Vec<&String> = contacts.iter().chain(rooms).collect();
        let rooms: Vec<&String> = rooms.iter().collect();
        self.list("contact", "dial", "Call somebody", &everybody, "mdi:contacts");
        self.list("add", "add", "Add somebody", &everybody, "mdi:account-multiple-plus");
        self.list("move", "move", "Move the call", &rooms, "mdi:phone-forward");
    }

    fn list(&mut self, key: &str, verb: &str, name: &str, names: &[&String], icon: &str) {
        let fits = |it: &&&String| it.chars().count() <= MAX_STATE;
        let names: Vec<&&String> = names.iter().filter(fits).take(MAX_OPTIONS).collect();
        // Rooms are not known in the first seconds: what is not mentioned stays with Home Assistant as it was told before.
        if names.is_empty() {
            return;
        }
        let literal = json!(names).to_string();
        let template =
            format!("{{% set peer = (value_json.peer or {{}}).name %}}{{{{ peer if peer in {literal} else 'None' }}}}");
        self.add(
            key,
            "select",
            name,
            json!({
                "command_topic": self.topics.verb(verb),
                "command_template": r#"{"to": {{ value | tojson }} }"#,
                "state_topic": self.topics.call(),
                "value_template": template,
                "options": names,
                "icon": icon,
            }),
        );
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
        let quiet = "{{ 'ON' if value_json.quiet else 'OFF' }}";
        self.add(
            "quiet",
            "binary_sensor",
            "Quiet hours",
            json!({"state_topic": settings, "value_template": quiet, "icon": "mdi:sleep"}),
        );
    }

    /// Missed calls, and what to light a lamp by.
    fn waiting(&mut self) {
        let waiting = self.topics.waiting();
        self.add(
            "missed",
            "sensor",
            "Missed calls",
            json!({
                "state_topic": waiting,
                "value_template": "{{ value_json.calls }}",
                "json_attributes_topic": waiting,
                "state_class": "measurement",
                "icon": "mdi:phone-missed",
            }),
        );
        let template = "{{ 'ON' if value_json.calls + value_json.announcements > 0 else 'OFF' }}";
        self.add(
            "waiting",
            "binary_sensor",
            "Something waits",
            json!({"state_topic": waiting, "value_template": template, "icon": "mdi:message-badge"}),
        );
    }

    fn diagnostics(&mut self) {
        let metrics = self.topics.metrics();
        for (key, name, unit, more) in [
            ("uptime_s", "Uptime", "s", json!({"device_class": "duration"})),
            ("cpu_percent", "Processor", "%", json!({"icon": "mdi:cpu-64-bit"})),
            ("memory_mb", "Memory", "MB", json!({"device_class": "data_size"})),
            ("capture_dbfs", "Microphone level", "dBFS", json!({"icon": "mdi:microphone"})),
            ("render_dbfs", "Loudspeaker level", "dBFS", json!({"icon": "mdi:speaker"})),
            ("erle_db", "Echo cancelled", "dB", json!({"icon": "mdi:waveform"})),
            ("stream_delay_ms", "Echo delay", "ms", json!({"device_class": "duration"})),
            ("jitter_ms", "Jitter buffer", "ms", json!({"device_class": "duration"})),
            ("loss_percent", "Lost packets", "%", json!({"icon": "mdi:lan-disconnect"})),
            ("xruns", "Gaps in the sound", "", json!({"icon": "mdi:chart-gantt", "state_class": "total_increasing"})),
            ("wakes", "Wake phrases heard", "", json!({"icon": "mdi:ear-hearing", "state_class": "total_increasing"})),
        ] {
            let mut entity = more;
            entity["state_topic"] = metrics.as_str().into();
            // Figures that are not known are left out there.
            let template = format!("{{{{ value_json.{key} | default('None', true) if value_json.{key} != 0 else 0 }}}}");
            entity["value_template"] = template.into();
            entity["entity_category"] = "diagnostic".into();
            entity["expire_after"] = FORGET_AFTER_S.into();
            if !unit.is_empty() {
                entity["unit_of_measurement"] = unit.into();
                entity["state_class"] = "measurement".into();
                entity["suggested_display_precision"] = 0.into();
            }
            self.add(key, "sensor", name, entity);
        }
        let about = self.topics.about();
        let lines = "{{ 'ON' if value_json.lines.values() | selectattr('up', 'equalto', false) | list else 'OFF' }}";
        self.add(
            "lines",
            "binary_sensor",
            "Lines",
            json!({
                "state_topic": about,
                "value_template": lines,
                "json_attributes_topic": about,
                "json_attributes_template": "{{ value_json.lines | tojson }}",
                "device_class": "problem",
                "entity_category": "diagnostic",
            }),
        );
        self.add(
            "version",
            "sensor",
            "Version",
            json!({
                "state_topic": about,
                "value_template": "{{ value_json.version }}",
                "entity_category": "diagnostic",
                "icon": "mdi:tag",
            }),
        );
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
