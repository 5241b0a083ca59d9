//! What speakers write to one another about an announcement (docs/mqtt.md).

use std::sync::Arc;
use std::time::Duration;

use control::house::{AnnouncementId, Priority, RoomName};
use serde::{Deserialize, Serialize};

use crate::house::{Delivered, Letter, To};

/// The longest text, in characters: about a minute of speech.
pub const LONGEST_TEXT: usize = 1000;
/// How long a short note is tried to be delivered; later it is of no use.
const NOTE_COUNTS_FOR: Duration = Duration::from_secs(3);

/// What is to be heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Material {
    /// To be spoken.
    Text(String),
    /// Opus, see [`super::recording`].
    Sound(Arc<[u8]>),
}

/// One note.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// Here is an announcement.
    Say {
        /// How urgent.
        priority: Priority,
        /// What.
        material: Material,
    },
    /// It has arrived and can be played.
    Got,
    /// It may be heard here now.
    Ready,
    /// It cannot be played here, and why.
    Refused(String),
    /// Play it when the clock of whoever writes shows this.
    Go(Duration),
}

/// The body of every letter about an announcement.
#[derive(Deserialize, Serialize)]
struct Written {
    id: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    urgent: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// In microseconds since the start of the writer's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_us: Option<u64>,
}

/// Writes a note. `keep_trying_for` counts for what is said; all else is short-lived.
pub fn write(to: RoomName, id: &AnnouncementId, note: Note, keep_trying_for: Duration) -> Letter {
    let mut body = Written { id: id.0.clone(), urgent: false, text: None, why: None, at_us: None };
    let (mut blob, mut counts_for) = (None, NOTE_COUNTS_FOR);
    let kind = match note {
        Note::Say { priority, material } => {
            body.urgent = priority == Priority::Urgent;
            match material {
                Material::Text(text) => body.text = Some(text),
                Material::Sound(sound) => blob = Some(sound),
            }
            counts_for = keep_trying_for;
            "announce.say"
        }
        Note::Got => "announce.got",
        Note::Ready => "announce.ready",
        Note::Refused(why) => {
            body.why = Some(why);
            "announce.refused"
        }
        Note::Go(at) => {
            body.at_us = Some(at.as_micros() as u64);
            "announce.go"
        }
    };
    let body = serde_json::to_value(body).expect("strings and numbers are JSON");
    Letter { to: To::Room(to), kind: kind.into(), call: None, body, blob, keep_trying_for: counts_for }
}

/// Reads a note; nothing if the letter is none or makes no sense.
pub fn read(letter: Delivered) -> Option<(AnnouncementId, Note)> {
    let body = Written::deserialize(&letter.body).ok().filter(|it| (1..=128).contains(&it.id.len()))?;
    let note = match letter.kind.as_str() {
        "announce.say" => {
            let priority = if body.urgent { Priority::Urgent } else { Priority::Normal };
            let material = match (body.text, letter.blob) {
                (Some(text), None) => Material::Text(text),
                (None, Some(sound)) => Material::Sound(sound),
                _ => return None,
            };
            Note::Say { priority, material }
        }
        "announce.got" => Note::Got,
        "announce.ready" => Note::Ready,
        "announce.refused" => Note::Refused(body.why.unwrap_or_default().chars().take(200).collect()),
        "announce.go" => Note::Go(Duration::from_micros(body.at_us?)),
        _ => return None,
    };
    Some((AnnouncementId(body.id), note))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use serde_json::{Value, json};

    fn delivered(kind: &str, body: Value, blob: Option<Arc<[u8]>>) -> Delivered {
        Delivered { from: "hall".into(), kind: kind.into(), call: None, body, blob, sent: Instant::now() }
    }

    #[test]
    fn what_is_written_is_read() {
        let id = AnnouncementId("hall-1f-1".into());
        for note in [
            Note::Say { priority: Priority::Urgent, material: Material::Text("dinner".into()) },
            Note::Say { priority: Priority::Normal, material: Material::Sound([1, 2].into()) },
            Note::Got,
            Note::Ready,
            Note::Refused("full".into()),
            Note::Go(Duration::from_micros(123_456_789)),
        ] {
            let letter = write("study".into(), &id, note.clone(), Duration::from_secs(10));
            assert_eq!(read(delivered(&letter.kind, letter.body, letter.blob)), Some((id.clone(), note)));
        }
    }

    #[test]
    fn nonsense_is_not_read() {
        let sound: Option<Arc<[u8]>> = Some([1].into());
        for (kind, body, blob) in [
            ("announce.say", json!({ "id": "a" }), None),
            ("announce.say", json!({ "id": "a", "text": "b" }), sound),
            ("announce.say", json!({ "id": "", "text": "b" }), None),
            ("announce.say", json!({ "id": "x".repeat(129), "text": "b" }), None),
            ("announce.say", json!("a"), None),
            ("announce.go", json!({ "id": "a" }), None),
            ("announce.go", json!({ "id": "a", "at_us": -1 }), None),
            ("announce.fly", json!({ "id": "a" }), None),
        ] {
            assert_eq!(read(delivered(kind, body.clone(), blob)), None, "{kind} {body}");
        }
    }
}
