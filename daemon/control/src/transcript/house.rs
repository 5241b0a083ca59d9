//! What happens in the house and what is asked of it, as text and back.

mod settings;

use std::fmt::{Formatter, Result};

use super::ReadError;
use super::read::{Read, Words};
use super::write::{Quoted, Seconds, on_or_off, peer, word};
use crate::action::{Event, Missed};
use crate::call::{Ask, How};
use crate::house::{
    Announced, Announcement, AnnouncementId, Bid, Body, HouseAction, HouseEvent, Priority, Progress, RecordingId, Room,
};
pub(super) use settings::{read as read_settings, write as write_settings};

const PRIORITIES: [(Priority, &str); 2] = [(Priority::Normal, "normal"), (Priority::Urgent, "urgent")];

pub(super) fn write_how(f: &mut Formatter<'_>, how: &How) -> Result {
    match how {
        How::Ring => Ok(()),
        How::DropIn => f.write_str(" drop-in"),
        How::Listen => f.write_str(" listen"),
        How::Carry { with } => write!(f, " carry {}", Quoted(with)),
    }
}

pub(super) fn read_how(it: &mut Words) -> Read<How> {
    if it.is_over() {
        return Ok(How::Ring);
    }
    let wanted = "`drop-in`, `listen` or `carry`";
    match it.text(wanted)?.as_str() {
        "drop-in" => Ok(How::DropIn),
        "listen" => Ok(How::Listen),
        "carry" => Ok(How::Carry { with: it.name()? }),
        found => Words::wrong(found.into(), wanted),
    }
}

pub(super) fn write_ask(f: &mut Formatter<'_>, ask: &Ask) -> Result {
    match ask {
        Ask::Move(room) => write!(f, "move {room}"),
        Ask::Add(whom) => write!(f, "add {}", Quoted(whom)),
        Ask::FollowMe(on) => write!(f, "follow-me {}", on_or_off(*on)),
        Ask::Cannot(whom, why) => write!(f, "cannot {} {why}", Quoted(whom)),
    }
}

pub(super) fn read_ask(it: &mut Words) -> Read<Ask> {
    let wanted = "`move`, `add`, `follow-me` or `cannot`";
    match it.text(wanted)?.as_str() {
        "move" => Ok(Ask::Move(it.text("a room")?)),
        "add" => Ok(Ask::Add(it.text("whom")?)),
        "follow-me" => Ok(Ask::FollowMe(it.on()?)),
        "cannot" => Ok(Ask::Cannot(it.text("whom")?, it.parsed("a reason")?)),
        found => Words::wrong(found.into(), wanted),
    }
}

pub(super) fn write_event(f: &mut Formatter<'_>, event: &HouseEvent) -> Result {
    match event {
        HouseEvent::Rooms(rooms) => {
            f.write_str("rooms")?;
            rooms.iter().try_for_each(|it| room(f, it))
        }
        HouseEvent::Bid(it) => write!(f, "bid {} {} {}", it.room, it.score, Seconds(it.age)),
        HouseEvent::Won(it) => write!(f, "won {} {} {}", it.room, it.score, Seconds(it.age)),
        HouseEvent::Announced(it) => {
            write!(f, "announced {} {} {}", Quoted(&it.id.0), it.from, word(&PRIORITIES, &it.priority))
        }
        HouseEvent::AnnouncementOver(id) => write!(f, "announcement-over {}", Quoted(&id.0)),
        HouseEvent::Delivered(id, missed) => {
            write!(f, "delivered {}", Quoted(&id.0))?;
            write_names(f, missed)
        }
        HouseEvent::Presence { person, room } => {
            write!(f, "presence {}", Quoted(person))?;
            room.iter().try_for_each(|it| write!(f, " {it}"))
        }
        HouseEvent::Clock { weekday, minute } => write!(f, "clock {weekday} {minute}"),
        HouseEvent::Device { name, state } => write!(f, "device {} {}", Quoted(name), Quoted(state)),
    }
}

fn room(f: &mut Formatter<'_>, it: &Room) -> Result {
    write!(f, " room {} {} {}", it.slug, Quoted(&it.name), if it.up { "up" } else { "down" })?;
    it.floor.iter().try_for_each(|it| write!(f, " floor {}", Quoted(it)))?;
    it.groups.iter().try_for_each(|it| write!(f, " group {}", Quoted(it)))
}

pub(super) fn read_event(it: &mut Words) -> Read<HouseEvent> {
    let wanted = "something that happens in the house";
    let verb = it.text(wanted)?;
    Ok(match verb.as_str() {
        "rooms" => HouseEvent::Rooms(rooms(it)?),
        "bid" => HouseEvent::Bid(bid(it)?),
        "won" => HouseEvent::Won(bid(it)?),
        "announced" => HouseEvent::Announced(Announced {
            id: id(it)?,
            from: it.text("a room")?,
            priority: it.of(&PRIORITIES, "a priority")?,
        }),
        "announcement-over" => HouseEvent::AnnouncementOver(id(it)?),
        "delivered" => HouseEvent::Delivered(id(it)?, names(it)?),
        "presence" => {
            HouseEvent::Presence { person: it.name()?, room: if it.is_over() { None } else { Some(it.text("a room")?) } }
        }
        "clock" => HouseEvent::Clock { weekday: it.parsed("a day of the week")?, minute: it.parsed("a minute of the day")? },
        "device" => HouseEvent::Device { name: it.name()?, state: it.text("a state")? },
        _ => return Words::wrong(verb, wanted),
    })
}

fn id(it: &mut Words) -> Read<AnnouncementId> {
    it.text("an announcement").map(AnnouncementId)
}

/// Rooms, or groups of phones, whose names may have spaces.
fn write_names(f: &mut Formatter<'_>, names: &[String]) -> Result {
    let is_word = |it: &str| !it.is_empty() && !it.contains([' ', '"', '\\', '\n', '\r']);
    names.iter().try_for_each(|it| if is_word(it) { write!(f, " {it}") } else { write!(f, " {}", Quoted(it)) })
}

fn names(it: &mut Words) -> Read<Vec<String>> {
    let mut names = Vec::new();
    while !it.is_over() {
        names.push(it.text("a room")?);
    }
    Ok(names)
}

fn bid(it: &mut Words) -> Read<Bid> {
    Ok(Bid { room: it.text("a room")?, score: it.parsed("a score")?, age: it.seconds()? })
}

fn rooms(it: &mut Words) -> Read<Vec<Room>> {
    let mut rooms: Vec<Room> = Vec::new();
    while !it.is_over() {
        let wanted = "`room`, or more about one";
        let word = it.text(wanted)?;
        match (word.as_str(), rooms.last_mut()) {
            ("room", _) => rooms.push(Room {
                slug: it.text("a room")?,
                name: it.name()?,
                up: it.of(&[(true, "up"), (false, "down")], "`up` or `down`")?,
                floor: None,
                groups: Vec::new(),
            }),
            ("floor", Some(room)) => room.floor = Some(it.name()?),
            ("group", Some(room)) => room.groups.push(it.name()?),
            _ => return Words::wrong(word, wanted),
        }
    }
    Ok(rooms)
}

pub(super) fn write_action(f: &mut Formatter<'_>, action: &HouseAction) -> Result {
    match action {
        HouseAction::Bid { score } => write!(f, "bid {score}"),
        HouseAction::Won { score } => write!(f, "won {score}"),
        HouseAction::Announce(it) => {
            write!(f, "announce {} {}", Quoted(&it.id.0), word(&PRIORITIES, &it.priority))?;
            match &it.body {
                Body::Text(text) => write!(f, " text {}", Quoted(text))?,
                Body::Recording(id) => write!(f, " recording {}", id.0)?,
            }
            write_names(f, &it.to)
        }
        HouseAction::Play(id) => write!(f, "play {}", Quoted(&id.0)),
        HouseAction::Drop(id) => write!(f, "drop {}", Quoted(&id.0)),
        HouseAction::Publish(it) => write!(f, "publish {} {}", Quoted(&it.topic), Quoted(&it.payload)),
    }
}

pub(super) fn read_action(it: &mut Words) -> Read<HouseAction> {
    let wanted = "something to ask of the house";
    let verb = it.text(wanted)?;
    Ok(match verb.as_str() {
        "bid" => HouseAction::Bid { score: it.parsed("a score")? },
        "won" => HouseAction::Won { score: it.parsed("a score")? },
        "announce" => {
            let (id, priority) = (id(it)?, it.of(&PRIORITIES, "a priority")?);
            let wanted = "`text` or `recording`";
            let body = match it.text(wanted)?.as_str() {
                "text" => Body::Text(it.text("a text")?),
                "recording" => Body::Recording(RecordingId(it.parsed("a recording's number")?)),
                found => return Err(ReadError::Wrong { found: found.into(), wanted }),
            };
            HouseAction::Announce(Announcement { id, to: names(it)?, body, priority })
        }
        "play" => HouseAction::Play(id(it)?),
        "drop" => HouseAction::Drop(id(it)?),
        "publish" => HouseAction::Publish(settings::message(it)?),
        _ => return Words::wrong(verb, wanted),
    })
}

pub(super) fn write_announcement(f: &mut Formatter<'_>, id: &AnnouncementId, from: &str, progress: &Progress) -> Result {
    write!(f, "announcement {} {from}", Quoted(&id.0))?;
    match progress {
        Progress::Sent(to) => {
            f.write_str(" sent")?;
            write_names(f, to)
        }
        Progress::Delivered(missed) => {
            f.write_str(" delivered")?;
            write_names(f, missed)
        }
        Progress::Waiting => f.write_str(" waiting"),
        Progress::Playing => f.write_str(" playing"),
        Progress::Heard => f.write_str(" heard"),
    }
}

pub(super) fn read_announcement(it: &mut Words) -> Read<Event> {
    let (id, from) = (id(it)?, it.text("a room")?);
    let wanted = "how far an announcement has come";
    let progress = match it.text(wanted)?.as_str() {
        "sent" => Progress::Sent(names(it)?),
        "delivered" => Progress::Delivered(names(it)?),
        "waiting" => Progress::Waiting,
        "playing" => Progress::Playing,
        "heard" => Progress::Heard,
        found => return Words::wrong(found.into(), wanted),
    };
    Ok(Event::Announcement { id, from, progress })
}

pub(super) fn write_missed(f: &mut Formatter<'_>, missed: &[Missed]) -> Result {
    missed.iter().try_for_each(|it| {
        write!(f, " of {}", it.n)?;
        peer(f, &it.peer)
    })
}

pub(super) fn read_missed(it: &mut Words) -> Read<Vec<Missed>> {
    let mut missed = Vec::new();
    while it.next_is("of") {
        missed.push(Missed { n: it.parsed("how often")?, peer: it.peer()? });
    }
    Ok(missed)
}
