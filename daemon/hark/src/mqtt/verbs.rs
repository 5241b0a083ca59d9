//! What others ask of us: the body of `do/<verb>`, read once into a command that cannot be wrong.
//!
//! The errors are for the person who sent the message. They never repeat what it said: they may end in a log.

use control::input::{Bus, Command, VolumeChange, VolumeTo};
use serde_json::{Map, Value};

/// Bodies are small; whoever sends more has mistaken the topic.
const MAX_BODY: usize = 4096;
/// Above this we do not even look for an id to answer.
const MAX_READ: usize = 65_536;
/// Ids become a level of a topic.
const MAX_ID: usize = 64;
/// The longest name, number or address.
const MAX_ADDRESS: usize = 256;
/// The longest text to speak: a minute or so.
const MAX_TEXT: usize = 1000;
/// More keys at once than any menu asks for.
const MAX_DIGITS: usize = 32;

/// The verbs that exist, for people who asked for another one.
pub const VERBS: &str = "dial, redial, callback, answer, decline, hangup, hold, resume, mute, unmute, volume, dnd, say, dtmf, \
    move, takeback, follow, add, announce, dropin, listen, clear";

/// Verbs whose body may be plain text: a name, or what is announced to everybody.
const PLAIN: [&str; 6] = ["dial", "move", "add", "announce", "dropin", "listen"];

/// One request as read from a message.
#[derive(Debug, PartialEq)]
pub struct Do {
    /// Names the request: done once, and answered on `done/<id>`.
    pub id: Option<String>,
    /// What is asked for, or what is wrong with it in plain words.
    pub command: Result<Command, String>,
}

/// Reads the body of `do/<verb>`. Whatever it holds, the outcome is a command or a complaint.
pub fn read(verb: &str, payload: &[u8]) -> Do {
    if payload.len() > MAX_READ {
        return Do { id: None, command: Err(too_long(payload)) };
    }
    let body = match Body::read(payload) {
        Ok(body) => body,
        Err(complaint) => return Do { id: None, command: Err(complaint) },
    };
    match body.id() {
        Ok(id) if payload.len() > MAX_BODY => Do { id, command: Err(too_long(payload)) },
        Ok(id) => Do { id, command: command(verb, &body) },
        Err(complaint) => Do { id: None, command: Err(complaint) },
    }
}

fn command(verb: &str, body: &Body) -> Result<Command, String> {
    if let (Body::Plain(_), true) = (body, !PLAIN.contains(&verb)) {
        return Err("the body must be a JSON object, such as {}".into());
    }
    match verb {
        "dial" => body.address().map(Command::Dial),
        "redial" => Ok(Command::Redial),
        "callback" => Ok(Command::CallBack),
        "answer" => Ok(Command::Answer),
        "decline" => Ok(Command::Decline),
        "hangup" => Ok(Command::HangUp),
        "hold" => Ok(Command::Hold),
        "resume" => Ok(Command::Resume),
        // Home Assistant's switches know one topic for on and off.
        "mute" => Ok(if body.on("on")?.unwrap_or(true) { Command::Mute } else { Command::Unmute }),
        "unmute" => Ok(Command::Unmute),
        "volume" => Ok(Command::Volume(VolumeChange { bus: body.bus()?, to: body.volume()? })),
        "dnd" => body.on("on")?.map(Command::DoNotDisturb).ok_or_else(|| "`on` is missing; such as {\"on\": true}".into()),
        "say" => body.text("text", MAX_TEXT).map(|text| Command::Say(text.to_owned())),
        "dtmf" => body.digits().map(Command::Dtmf),
        "move" => body.address().map(Command::Move),
        "takeback" => Ok(Command::TakeBack),
        "follow" => Ok(Command::FollowMe(body.on("on")?.unwrap_or(true))),
        "add" => body.address().map(Command::Add),
        "announce" => body.announcement(),
        "dropin" => body.address().map(Command::DropIn),
        "listen" => body.address().map(Command::Listen),
        "clear" => Ok(Command::ClearMissed),
        _ => Err(format!("there is no such verb; there are: {VERBS}")),
    }
}

fn too_long(payload: &[u8]) -> String {
    format!("the body has {} bytes; at most {MAX_BODY} are read", payload.len())
}

/// A body: a JSON object, or plain text, which some verbs take as the name.
enum Body<'a> {
    Object(Map<String, Value>),
    Plain(&'a str),
}

impl Body<'_> {
    fn read(payload: &[u8]) -> Result<Body<'_>, String> {
        let Ok(text) = std::str::from_utf8(payload) else { return Err("the body is not UTF-8".into()) };
        let text = text.trim();
        if text.is_empty() {
            return Ok(Body::Object(Map::new()));
        }
        if !text.starts_with('{') {
            return Ok(Body::Plain(text));
        }
        match serde_json::from_str(text) {
            Ok(object) => Ok(Body::Object(object)),
            Err(error) => Err(format!("the body is not JSON: line {}, column {}", error.line(), error.column())),
        }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Body::Object(object) => object.get(key).filter(|value| !value.is_null()),
            Body::Plain(_) => None,
        }
    }

    fn id(&self) -> Result<Option<String>, String> {
        let id = match self.get("id") {
            None => return Ok(None),
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) if id.is_u64() => id.to_string(),
            Some(_) => return Err("`id` must be text".into()),
        };
        let fits = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.:".contains(&c));
        if fits { Ok(Some(id)) } else { Err(format!("`id` must be 1 to {MAX_ID} of a-z, A-Z, 0-9, - _ . :")) }
    }

    fn text(&self, key: &str, longest: usize) -> Result<&str, String> {
        match self.get(key) {
            None => Err(format!("`{key}` is missing")),
            Some(Value::String(text)) => checked(key, text, longest),
            Some(_) => Err(format!("`{key}` must be text")),
        }
    }

    fn address(&self) -> Result<String, String> {
        match self {
            Body::Plain(text) => checked("to", text, MAX_ADDRESS).map(str::to_owned),
            Body::Object(_) => self.text("to", MAX_ADDRESS).map(str::to_owned),
        }
    }

    fn announcement(&self) -> Result<Command, String> {
        let text = match self {
            Body::Plain(text) => checked("text", text, MAX_TEXT)?,
            Body::Object(_) => self.text("text", MAX_TEXT)?,
        };
        let to = self.get("to").map(|_| self.text("to", MAX_ADDRESS)).transpose()?;
        let urgent = self.on("urgent")?.unwrap_or(false);
        Ok(Command::Announce { text: text.to_owned(), to: to.map(str::to_owned), urgent })
    }

    fn on(&self, key: &str) -> Result<Option<bool>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(on)) => Ok(Some(*on)),
            Some(_) => Err(format!("`{key}` must be true or false")),
        }
    }

    fn bus(&self) -> Result<Option<Bus>, String> {
        match self.get("bus").map(Value::as_str) {
            None => Ok(None),
            Some(Some("call")) => Ok(Some(Bus::Call)),
            Some(Some("ring")) => Ok(Some(Bus::Ring)),
            Some(Some("announce")) => Ok(Some(Bus::Announce)),
            Some(_) => Err("`bus` must be call, ring or announce".into()),
        }
    }

    fn volume(&self) -> Result<VolumeTo, String> {
        let Some(to) = self.get("to") else { return Err("`to` is missing; such as {\"to\": 50} or {\"to\": \"up\"}".into()) };
        match (to.as_str(), to.as_f64()) {
            (Some("up"), _) => Ok(VolumeTo::Up),
            (Some("down"), _) => Ok(VolumeTo::Down),
            (_, Some(percent)) if (0.0..=100.0).contains(&percent) => Ok(VolumeTo::Percent(percent.round() as u8)),
            _ => Err("`to` must be 0 to 100, \"up\" or \"down\"".into()),
        }
    }

    fn digits(&self) -> Result<String, String> {
        let digits = self.text("digits", MAX_DIGITS)?.to_ascii_uppercase();
        let all = digits.bytes().all(|c| c.is_ascii_digit() || b"*#ABCD".contains(&c));
        if all { Ok(digits) } else { Err("`digits` must be of 0-9, *, #, A-D".into()) }
    }
}

fn checked<'a>(key: &str, text: &'a str, longest: usize) -> Result<&'a str, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("`{key}` is empty"));
    }
    if text.chars().count() > longest {
        return Err(format!("`{key}` is longer than {longest} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("`{key}` holds control characters"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verb: &str, body: &str, command: Command) {
        assert_eq!(read(verb, body.as_bytes()), Do { id: None, command: Ok(command) }, "{verb} {body}");
    }

    fn refuse(verb: &str, body: &[u8], complaint: &str) {
        let found = read(verb, body).command.unwrap_err();
        assert!(found.contains(complaint), "{verb} {}: {found}", String::from_utf8_lossy(body));
    }

    fn volume(bus: Option<Bus>, to: VolumeTo) -> Command {
        Command::Volume(VolumeChange { bus, to })
    }

    #[test]
    fn each_verb_is_read() {
        check("dial", "mom", Command::Dial("mom".into()));
        check("dial", " 01 23 45 ", Command::Dial("01 23 45".into()));
        check("dial", r#"{"to": "Anna Müller"}"#, Command::Dial("Anna Müller".into()));
        check("dial", r#"{"to": "sip:a@b", "later": [1]}"#, Command::Dial("sip:a@b".into()));
        check("answer", "", Command::Answer);
        check("answer", "{}", Command::Answer);
        check("decline", " {} ", Command::Decline);
        check("hangup", r#"{"id": null}"#, Command::HangUp);
        check("hold", "{}", Command::Hold);
        check("resume", "{}", Command::Resume);
        check("mute", "{}", Command::Mute);
        check("mute", r#"{"on": false}"#, Command::Unmute);
        check("unmute", "", Command::Unmute);
        check("volume", r#"{"to": 40}"#, volume(None, VolumeTo::Percent(40)));
        check("volume", r#"{"bus": "ring", "to": 99.6}"#, volume(Some(Bus::Ring), VolumeTo::Percent(100)));
        check("volume", r#"{"bus": "call", "to": "up"}"#, volume(Some(Bus::Call), VolumeTo::Up));
        check("volume", r#"{"bus": "announce", "to": "down"}"#, volume(Some(Bus::Announce), VolumeTo::Down));
        check("dnd", r#"{"on": true}"#, Command::DoNotDisturb(true));
        check("say", r#"{"text": "dinner is ready"}"#, Command::Say("dinner is ready".into()));
        check("dtmf", r#"{"digits": "12*#a"}"#, Command::Dtmf("12*#A".into()));
        check("move", "kitchen", Command::Move("kitchen".into()));
        check("move", r#"{"to": "the kitchen"}"#, Command::Move("the kitchen".into()));
        check("takeback", "", Command::TakeBack);
        check("follow", "", Command::FollowMe(true));
        check("follow", r#"{"on": false}"#, Command::FollowMe(false));
        check("add", r#"{"to": "dad"}"#, Command::Add("dad".into()));
        check("dropin", "nursery", Command::DropIn("nursery".into()));
        check("listen", r#"{"to": "nursery"}"#, Command::Listen("nursery".into()));
        check("clear", "{}", Command::ClearMissed);
        let announce = |to: Option<&str>, urgent| Command::Announce { text: "dinner".into(), to: to.map(str::to_owned), urgent };
        check("announce", "dinner", announce(None, false));
        check("announce", r#"{"text": "dinner"}"#, announce(None, false));
        check("announce", r#"{"text": "dinner", "to": "upstairs", "urgent": true}"#, announce(Some("upstairs"), true));
    }

    #[test]
    fn what_is_wrong_is_said_in_plain_words() {
        refuse("dial", b"", "`to` is missing");
        refuse("dial", b"{}", "`to` is missing");
        refuse("dial", br#"{"to": 5}"#, "`to` must be text");
        refuse("dial", br#"{"to": "  "}"#, "`to` is empty");
        refuse("dial", b"mom\x07", "control characters");
        refuse("dial", "x".repeat(257).as_bytes(), "longer than 256");
        refuse("dial", b"{\"to\": \"mom\"", "not JSON: line 1, column 12");
        refuse("dial", b"\xff\xfe", "not UTF-8");
        refuse("answer", b"PRESS", "must be a JSON object");
        refuse("answer", b"[]", "must be a JSON object");
        refuse("answer", b"true", "must be a JSON object");
        refuse("volume", b"{}", "`to` is missing");
        refuse("volume", br#"{"to": 101}"#, "0 to 100");
        refuse("volume", br#"{"to": -1}"#, "0 to 100");
        refuse("volume", br#"{"to": "loud"}"#, "0 to 100");
        refuse("volume", br#"{"to": 5, "bus": "bass"}"#, "call, ring or announce");
        refuse("volume", br#"{"to": 5, "bus": 5}"#, "call, ring or announce");
        refuse("dnd", b"{}", "`on` is missing");
        refuse("dnd", br#"{"on": 1}"#, "true or false");
        refuse("mute", br#"{"on": "yes"}"#, "true or false");
        refuse("say", br#"{"text": []}"#, "`text` must be text");
        refuse("dtmf", br#"{"digits": "12x"}"#, "of 0-9");
        refuse("dtmf", br#"{"digits": ""}"#, "empty");
        refuse("move", b"{}", "`to` is missing");
        refuse("dropin", br#"{"to": ["nursery"]}"#, "`to` must be text");
        refuse("announce", br#"{"to": "kitchen"}"#, "`text` is missing");
        refuse("announce", br#"{"text": "hi", "urgent": "very"}"#, "`urgent` must be true or false");
        refuse("announce", br#"{"text": "hi", "to": ""}"#, "`to` is empty");
        refuse("takeback", b"now", "must be a JSON object");
        refuse("format-disk", b"{}", "there is no such verb; there are: dial, redial");
        refuse("", b"{}", "there is no such verb");
        refuse("say", format!(r#"{{"text": "{}"}}"#, "x".repeat(5000)).as_bytes(), "at most 4096");
        refuse("say", &vec![b'{'; 70_000], "at most 4096");
        refuse("answer", "{\"a\":".repeat(500).as_bytes(), "not JSON");
    }

    #[test]
    fn an_id_is_found_even_when_the_rest_is_wrong() {
        for (body, id) in [
            (r#"{"id": "a-1"}"#.to_owned(), Some("a-1")),
            (r#"{"id": 7}"#.to_owned(), Some("7")),
            (format!(r#"{{"id": "long", "to": "{}"}}"#, "x".repeat(5000)), Some("long")),
            (r#"{"id": ""}"#.to_owned(), None),
            (r#"{"id": "a/b"}"#.to_owned(), None),
            (r##"{"id": "#"}"##.to_owned(), None),
            (r#"{"id": "+"}"#.to_owned(), None),
            (r#"{"id": -1}"#.to_owned(), None),
            (r#"{"id": ["x"]}"#.to_owned(), None),
            (format!(r#"{{"id": "{}"}}"#, "x".repeat(65)), None),
        ] {
            let found = read("dial", body.as_bytes());
            assert_eq!(found.id.as_deref(), id, "{body}");
            assert!(found.command.is_err(), "{body}");
        }
    }

    #[test]
    fn complaints_do_not_repeat_what_was_said() {
        for (verb, body) in [("dial", r#"{"to": "hunter2\u0007"}"#), ("dtmf", r#"{"digits": "hunter2"}"#), ("hunter2", "hunter2")]
        {
            assert!(!read(verb, body.as_bytes()).command.unwrap_err().contains("hunter2"));
        }
    }
}
