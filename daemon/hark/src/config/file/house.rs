//! `house`, `quiet`, `presence` and `devices` of hark.yaml: other speakers, people, and what else is in the house.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use control::action::CallState;
use control::house::{self, Device, DropIn, ListenIn, Message, Quiet, Restore};

use crate::config::house::{HouseSettings, PagingCodec, PagingGroup, Tells, Watched};
use crate::config::problems::Place;
use crate::config::reader::{Section, Text, Wrong, choose};

use super::slug_of;

const HOUR: Duration = Duration::from_secs(3600);

const CODECS: [(&str, PagingCodec); 2] = [("pcmu", PagingCodec::Pcmu), ("pcma", PagingCodec::Pcma)];
const MICROPHONES: [(&str, bool); 2] = [("muted", true), ("open", false)];
const DAYS: [(&str, usize); 7] = [("mon", 0), ("tue", 1), ("wed", 2), ("thu", 3), ("fri", 4), ("sat", 5), ("sun", 6)];
const STATES: [(&str, CallState); 6] = [
    ("dialing", CallState::Dialing),
    ("ringing", CallState::Ringing),
    ("ringback", CallState::Ringback),
    ("connected", CallState::Connected),
    ("held", CallState::Held),
    ("carried", CallState::Carried),
];

/// What these blocks say.
pub struct House {
    /// For the world.
    pub settings: HouseSettings,
    /// For the decisions; the room's own name is not known here.
    pub control: house::HouseSettings,
    /// Names that must be those of contacts, and where they are written.
    pub people: Vec<(String, Place)>,
}

/// Reads the four blocks below `it`. `ours` is the topic below which this speaker's own topics are.
pub fn read(it: &mut Section<'_>, ours: &str) -> House {
    let mut people = Vec::new();
    let mut house = it.section("house");
    let mut settings = HouseSettings {
        enabled: house.flag("enabled").unwrap_or(true),
        listen: house.parsed("listen", socket_address).unwrap_or(SocketAddr::from(([0, 0, 0, 0], 7373))),
        multicast: house.parsed("multicast", multicast_or_off).unwrap_or(Some(BIDS)),
        interface: house.parsed("interface", interface).flatten(),
        mdns: house.flag("mdns").unwrap_or(true),
        microphone_gain_db: house.parsed("microphone_gain_db", gain_db).unwrap_or(0.0),
        paging: Vec::new(),
        watched: Vec::new(),
    };
    for section in house.sections("paging") {
        settings.paging.extend(paging(section));
    }
    let mut control = house::HouseSettings {
        floor: house.text("floor").map(|text| text.text.to_owned()),
        groups: owned(house.texts("groups")),
        phones: settings.paging.iter().filter(|it| it.send).map(|it| it.name.clone()).collect(),
        follow: contacts(house.texts("follow").unwrap_or_default(), &mut people),
        drop_in: drop_in(house.section("drop_in")),
        listen_in: listen_in(house.section("listen_in")),
        ..house::HouseSettings::default()
    };
    house.done();
    control.quiet = it.sections("quiet").into_iter().filter_map(|section| quiet(section, &mut people)).collect();
    for section in it.sections("presence") {
        settings.watched.extend(presence(section, &mut people, ours));
    }
    for section in it.sections("devices") {
        let Some((device, value)) = device(section, ours) else { continue };
        if let Some(topic) = &device.state_topic {
            settings.watched.push(Watched { topic: topic.clone(), value, tells: Tells::Device(device.name.clone()) });
        }
        control.devices.push(device);
    }
    House { settings, control, people }
}

/// Where bids go unless said otherwise: an address of our own house only (RFC 2365), with the port of the straight link.
const BIDS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 255, 73, 73), 7373);

fn drop_in(mut it: Section<'_>) -> DropIn {
    let default = DropIn::default();
    let rules = DropIn {
        from: owned(it.texts("from")),
        muted: it.choice("microphone", &MICROPHONES).unwrap_or(default.muted),
        at_most: it.duration("at_most", Duration::from_secs(10), 24 * HOUR).unwrap_or(default.at_most),
    };
    it.done();
    rules
}

fn listen_in(mut it: Section<'_>) -> ListenIn {
    let default = ListenIn::default();
    let rules = ListenIn {
        from: owned(it.texts("from")),
        at_most: it.duration("at_most", Duration::from_secs(10), 24 * HOUR).unwrap_or(default.at_most),
    };
    it.done();
    rules
}

fn paging(mut it: Section<'_>) -> Option<PagingGroup> {
    if !it.is_block() {
        return None;
    }
    let name = needed(&mut it, "name", "name: kitchen phones");
    let address = needed(&mut it, "address", "address: 224.0.1.75:5004");
    let address = address.and_then(|text| it.check(text.place, multicast(text.text)));
    let codec = it.choice("codec", &CODECS).unwrap_or(PagingCodec::Pcmu);
    let (send, receive) = (it.flag("send").unwrap_or(true), it.flag("receive").unwrap_or(true));
    it.done();
    Some(PagingGroup { name: name?.text.to_owned(), address: address?, codec, send, receive })
}

fn quiet(mut it: Section<'_>, people: &mut Vec<(String, Place)>) -> Option<Quiet> {
    if !it.is_block() {
        return None;
    }
    let [from, to] = [("from", "from: \"22:00\""), ("to", "to: \"07:00\"")].map(|(key, example)| {
        let text = needed(&mut it, key, example);
        text.and_then(|text| it.check(text.place, minute_of_day(text.text)))
    });
    if let (Some(from), Some(to), Some(text)) = (from, to, it.text("to"))
        && from == to
    {
        let what = "these quiet hours end when they begin";
        it.findings().problem(text.place, what, "for whole days write `from: \"00:00\"` and `to: \"24:00\"`");
    }
    let mut days = [true; 7];
    if let Some(texts) = it.texts("days") {
        days = [false; 7];
        for day in texts.iter().filter_map(|text| it.check(text.place, choose("days", text.text, &DAYS))) {
            days[day] = true;
        }
    }
    let except = contacts(it.texts("except").unwrap_or_default(), people);
    let person = contacts(it.text("person").into_iter().collect(), people).pop();
    it.done();
    Some(Quiet { from: from?, to: to?, days, except, person })
}

fn presence(mut it: Section<'_>, people: &mut Vec<(String, Place)>, ours: &str) -> Option<Watched> {
    if !it.is_block() {
        return None;
    }
    let person = needed(&mut it, "person", "person: Mom");
    let person = contacts(person.into_iter().collect(), people).pop();
    let topic =
        needed(&mut it, "topic", "topic: home/mom/room").and_then(|text| it.check(text.place, other_topic(text.text, ours)));
    let value = it.text("value").map(path).unwrap_or_default();
    let below = it.section("rooms");
    let mut rooms = BTreeMap::new();
    for entry in below.entries() {
        let Some(text) = below.as_text(&entry.key, &entry.node) else { continue };
        rooms.extend(below.check(text.place, room(text.text)).map(|room| (entry.key.clone(), room)));
    }
    it.done();
    Some(Watched { topic: topic?, value, tells: Tells::Presence { person: person?, rooms } })
}

/// The device, and the keys that lead to its state.
fn device(mut it: Section<'_>, ours: &str) -> Option<(Device, Vec<String>)> {
    if !it.is_block() {
        return None;
    }
    let name = needed(&mut it, "name", "name: living room TV");
    let when: Vec<CallState> = match it.texts("while") {
        None => vec![CallState::Ringing, CallState::Connected],
        Some(texts) => texts.iter().filter_map(|text| it.check(text.place, choose("while", text.text, &STATES))).collect(),
    };
    let set = message(it.section("set"), ours);
    if !it.is_written("set") {
        it.missing("this device has no `set`", "add it, such as `set: {topic: tv/mute/set, payload: \"ON\"}`");
    }
    let state_topic = it.parsed("state_topic", |text| other_topic(text, ours));
    let value = it.text("value").map(path).unwrap_or_default();
    let restore = message(it.section("restore"), ours);
    let set = match set {
        Some((topic, Some(payload))) => Some(Message { topic, payload }),
        Some((_, None)) => {
            it.missing("`set` has no `payload`", "add what is to be published, such as `payload: \"ON\"`");
            None
        }
        None => None,
    };
    let restore = restore.map(|(topic, payload)| match payload {
        Some(payload) => Restore::Always(Message { topic, payload }),
        None => Restore::Before(topic),
    });
    if matches!(restore, Some(Restore::Before(_))) && !it.is_written("state_topic") {
        let mend = "add `payload`, or `state_topic`: what was told there before is published then";
        it.missing("`restore` has no `payload`", mend);
    }
    it.done();
    Some((Device { name: name?.text.to_owned(), when, set: set?, state_topic, restore }, value))
}

/// A topic and, where it is written, what is published there.
fn message(mut it: Section<'_>, ours: &str) -> Option<(String, Option<String>)> {
    let topic = it.text("topic").map(|text| it.check(text.place, other_topic(text.text, ours)));
    let payload = it.text("payload").map(|text| text.text.to_owned());
    if topic.is_none() && it.is_block() && !it.entries().is_empty() {
        it.missing("there is no `topic`", "add the topic under which it is published, such as `topic: tv/mute/set`");
    }
    it.done();
    Some((topic??, payload))
}

/// The text of a key that must be there.
fn needed<'a>(it: &mut Section<'a>, key: &'static str, example: &str) -> Option<Text<'a>> {
    let text = it.text(key);
    if text.is_none() && !it.is_written(key) {
        it.missing(format!("there is no `{key}`"), format!("add it, such as `{example}`"));
    }
    text
}

fn owned(texts: Option<Vec<Text<'_>>>) -> Vec<String> {
    texts.unwrap_or_default().iter().map(|text| text.text.to_owned()).collect()
}

/// Names that must be those of contacts: which those are is known when contacts.yaml has been read.
fn contacts(texts: Vec<Text<'_>>, people: &mut Vec<(String, Place)>) -> Vec<String> {
    people.extend(texts.iter().map(|text| (text.text.to_owned(), text.place.clone())));
    texts.iter().map(|text| text.text.to_owned()).collect()
}

/// `attributes.room` leads to `room` in `attributes`.
fn path(text: Text<'_>) -> Vec<String> {
    text.text.split('.').map(str::to_owned).collect()
}

fn socket_address(text: &str) -> Result<SocketAddr, Wrong> {
    let wrong = || (format!("`{text}` is no address to listen at"), "write address and port as `0.0.0.0:7373`".to_owned());
    text.parse().map_err(|_| wrong())
}

fn multicast_or_off(text: &str) -> Result<Option<SocketAddrV4>, Wrong> {
    if text == "off" { Ok(None) } else { multicast(text).map(Some) }
}

fn multicast(text: &str) -> Result<SocketAddrV4, Wrong> {
    let address: Option<SocketAddrV4> = text.parse().ok();
    address.filter(|it| it.ip().is_multicast() && it.port() != 0).ok_or_else(|| {
        let mend = "write one from 224.0.0.0 to 239.255.255.255 with a port, such as `239.255.73.73:7373`";
        (format!("`{text}` is no multicast address"), mend.into())
    })
}

fn interface(text: &str) -> Result<Option<Ipv4Addr>, Wrong> {
    match text {
        "auto" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            (format!("`{text}` is no address of this machine"), "write one such as `192.168.1.20`, or `auto`".to_owned())
        }),
    }
}

fn gain_db(text: &str) -> Result<f32, Wrong> {
    let number = text.parse::<f32>().ok().filter(|it| (-40.0..=40.0).contains(it));
    number.ok_or_else(|| (format!("`microphone_gain_db` cannot be `{text}`"), "write a number from -40 to 40".into()))
}

/// `07:30` -> 450; `24:00` is the end of the day.
fn minute_of_day(text: &str) -> Result<u16, Wrong> {
    let minute = || {
        let (hour, minute) = text.split_once(':')?;
        let all_digits = [hour, minute].iter().all(|it| it.bytes().all(|b| b.is_ascii_digit()));
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok().filter(|_| minute.len() == 2)?);
        let whole = hour * 60 + minute;
        (all_digits && hour <= 24 && minute < 60 && whole <= 24 * 60).then_some(whole)
    };
    minute().ok_or_else(|| (format!("`{text}` is no time of day"), "write hour and minute in quotes, such as `\"22:00\"`".into()))
}

fn room(text: &str) -> Result<String, Wrong> {
    if !text.is_empty() && slug_of(text) == text {
        return Ok(text.to_owned());
    }
    let mend = match slug_of(text).as_str() {
        "" => "use a-z, 0-9 and `-`, such as `living-room`".to_owned(),
        slug => format!("write it as in topics: `{slug}`"),
    };
    Err((format!("`{text}` is no room's name in topics"), mend))
}

/// A topic that is somebody else's, without wildcards.
fn other_topic(text: &str, ours: &str) -> Result<String, Wrong> {
    if text.contains(|c: char| matches!(c, '#' | '+') || c.is_control()) || text.starts_with('$') || text.len() > 1024 {
        return Err((format!("`{text}` is no topic"), "write one topic in full, without `#` and `+`".into()));
    }
    if text.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return Err((format!("`{text}` is a topic of this speaker itself"), "name the topic of the other device".into()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_hour_and_minute() {
        for (text, minute) in [("0:00", 0), ("00:00", 0), ("07:30", 450), ("22:00", 1320), ("24:00", 1440)] {
            assert_eq!(minute_of_day(text), Ok(minute), "{text}");
        }
        for wrong in ["", "7", "7:5", "24:01", "25:00", "12:60", "-1:00", "+7:00", "07:30:00", "1:+3", "seven"] {
            assert!(minute_of_day(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_topics_of_others_are_listened_to() {
        for fine in ["tv/mute", "hark/kitchen-2/call", "hark", "homeassistant/status"] {
            assert_eq!(other_topic(fine, "hark/kitchen").as_deref(), Ok(fine));
        }
        for wrong in ["tv/#", "tv/+/mute", "hark/kitchen", "hark/kitchen/do/dial", "hark/kitchen/call", "$SYS/x", "a\u{0}b"] {
            assert!(other_topic(wrong, "hark/kitchen").is_err(), "{wrong}");
        }
    }
}
