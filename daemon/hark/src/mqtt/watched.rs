//! What topics of others tell: where people are, what other devices are.

use control::house::HouseEvent;
use serde_json::Value;

use crate::config::file::slug_of;
use crate::config::house::{Tells, Watched};

/// Whoever sends more has mistaken the topic.
const MAX_READ: usize = 65_536;

/// What a message under a topic that we watch tells; `None` where the value is not in it.
pub fn event(watched: &Watched, payload: &[u8]) -> Option<HouseEvent> {
    let value = value(&watched.value, payload)?;
    Some(match &watched.tells {
        Tells::Presence { person, rooms } => {
            let room = match rooms.get(&value) {
                Some(room) => Some(room.clone()),
                None if rooms.is_empty() => Some(slug_of(&value)).filter(|it| !it.is_empty()),
                // What nobody has named a room is none that we know.
                None => None,
            };
            HouseEvent::Presence { person: person.clone(), room }
        }
        Tells::Device(name) => HouseEvent::Device { name: name.clone(), state: value },
    })
}

/// The value that the keys lead to, as text; without keys the payload itself.
fn value(keys: &[String], payload: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(payload).ok().filter(|it| it.len() <= MAX_READ)?.trim();
    if keys.is_empty() {
        return Some(text.to_owned());
    }
    let whole: Value = serde_json::from_str(text).ok()?;
    let value = keys.iter().try_fold(&whole, |value, key| match value {
        Value::Array(list) => list.get(key.parse::<usize>().ok()?),
        value => value.get(key),
    })?;
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mom(value: &[&str], rooms: &[(&str, &str)]) -> Watched {
        let rooms = rooms.iter().map(|(told, room)| (told.to_string(), room.to_string())).collect();
        let tells = Tells::Presence { person: "Mom".into(), rooms };
        Watched { topic: "home/mom".into(), value: value.iter().map(|it| it.to_string()).collect(), tells }
    }

    fn check(watched: &Watched, payload: &str, room: Option<&str>) {
        let expected = HouseEvent::Presence { person: "Mom".into(), room: room.map(str::to_owned) };
        assert_eq!(event(watched, payload.as_bytes()), Some(expected), "{payload}");
    }

    #[test]
    fn a_person_is_in_the_room_that_is_told_or_in_the_one_that_it_means() {
        check(&mom(&[], &[]), "kitchen", Some("kitchen"));
        check(&mom(&[], &[]), " Living Room\n", Some("living-room"));
        check(&mom(&[], &[]), "", None);
        let named = mom(&["room"], &[("Garden house", "garden")]);
        check(&named, r#"{"room": "Garden house", "distance": 1.2}"#, Some("garden"));
        check(&named, r#"{"room": "not_home"}"#, None);
        check(&named, r#"{"room": null}"#, None);
        check(&mom(&["where", "1", "room"], &[]), r#"{"where": [0, {"room": "hall"}]}"#, Some("hall"));
    }

    #[test]
    fn what_is_not_there_tells_nothing() {
        for payload in ["kitchen", "{}", "[]", "{\"room\": {}}", "", "{"] {
            assert_eq!(event(&mom(&["room"], &[]), payload.as_bytes()), None, "{payload}");
        }
        assert_eq!(event(&mom(&[], &[]), b"\xff"), None);
        assert_eq!(event(&mom(&[], &[]), &vec![b'x'; MAX_READ + 1]), None);
    }

    #[test]
    fn a_device_tells_its_state_as_it_is() {
        let tv = |value: &[&str]| Watched { tells: Tells::Device("TV".into()), ..mom(value, &[]) };
        let state = |state: &str| Some(HouseEvent::Device { name: "TV".into(), state: state.into() });
        assert_eq!(event(&tv(&[]), b"ON"), state("ON"));
        assert_eq!(event(&tv(&["volume"]), br#"{"volume": 0.4}"#), state("0.4"));
        assert_eq!(event(&tv(&["muted"]), br#"{"muted": false}"#), state("false"));
    }
}
