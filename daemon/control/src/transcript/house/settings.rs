//! A speaker's place in the house, as text and back. It is the last thing on its line.

use std::fmt::{Formatter, Result};

use super::super::read::{Read, Words};
use super::super::write::{CALL_STATES, Quoted, Seconds, word};
use crate::house::{Device, HouseSettings, Message, Quiet, Restore};

/// Monday first.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(in super::super) fn write(f: &mut Formatter<'_>, it: &HouseSettings) -> Result {
    if *it == HouseSettings::default() {
        return Ok(());
    }
    let plain = HouseSettings::default();
    write!(f, " house {} {}", Quoted(&it.slug), Quoted(&it.start))?;
    it.floor.iter().try_for_each(|it| write!(f, " floor {}", Quoted(it)))?;
    it.groups.iter().try_for_each(|it| write!(f, " group {}", Quoted(it)))?;
    it.phones.iter().try_for_each(|it| write!(f, " phones {}", Quoted(it)))?;
    it.drop_in.from.iter().try_for_each(|it| write!(f, " drop-in {}", Quoted(it)))?;
    if !it.drop_in.muted {
        f.write_str(" drop-in-open")?;
    }
    if it.drop_in.at_most != plain.drop_in.at_most {
        write!(f, " drop-in-for {}", Seconds(it.drop_in.at_most))?;
    }
    it.listen_in.from.iter().try_for_each(|it| write!(f, " listen-in {}", Quoted(it)))?;
    if it.listen_in.at_most != plain.listen_in.at_most {
        write!(f, " listen-in-for {}", Seconds(it.listen_in.at_most))?;
    }
    it.follow.iter().try_for_each(|it| write!(f, " follow {}", Quoted(it)))?;
    it.quiet.iter().try_for_each(|it| quiet(f, it))?;
    it.devices.iter().try_for_each(|it| device(f, it))
}

fn quiet(f: &mut Formatter<'_>, it: &Quiet) -> Result {
    write!(f, " quiet {} {}", it.from, it.to)?;
    if it.days != [true; 7] {
        DAYS.iter().zip(it.days).filter(|(_, on)| *on).try_for_each(|(day, _)| write!(f, " on {day}"))?;
    }
    it.except.iter().try_for_each(|it| write!(f, " except {}", Quoted(it)))?;
    it.person.iter().try_for_each(|it| write!(f, " of {}", Quoted(it)))
}

fn device(f: &mut Formatter<'_>, it: &Device) -> Result {
    write!(f, " device {} {} {}", Quoted(&it.name), Quoted(&it.set.topic), Quoted(&it.set.payload))?;
    it.when.iter().try_for_each(|it| write!(f, " while {}", word(&CALL_STATES, it)))?;
    it.state_topic.iter().try_for_each(|it| write!(f, " state {}", Quoted(it)))?;
    match &it.restore {
        None => Ok(()),
        Some(Restore::Always(it)) => write!(f, " restore {} {}", Quoted(&it.topic), Quoted(&it.payload)),
        Some(Restore::Before(topic)) => write!(f, " restore-state {}", Quoted(topic)),
    }
}

pub(in super::super) fn read(it: &mut Words) -> Read<HouseSettings> {
    let mut house = HouseSettings { slug: it.text("a room")?, start: it.text("a start")?, ..HouseSettings::default() };
    while !it.is_over() {
        let wanted = "more about the speaker's place in the house";
        let word = it.text(wanted)?;
        match (word.as_str(), house.quiet.last_mut(), house.devices.last_mut()) {
            ("floor", ..) => house.floor = Some(it.name()?),
            ("group", ..) => house.groups.push(it.name()?),
            ("phones", ..) => house.phones.push(it.name()?),
            ("drop-in", ..) => house.drop_in.from.push(it.name()?),
            ("drop-in-open", ..) => house.drop_in.muted = false,
            ("drop-in-for", ..) => house.drop_in.at_most = it.seconds()?,
            ("listen-in", ..) => house.listen_in.from.push(it.name()?),
            ("listen-in-for", ..) => house.listen_in.at_most = it.seconds()?,
            ("follow", ..) => house.follow.push(it.name()?),
            ("quiet", ..) => {
                let (from, to) = (it.parsed("a minute of the day")?, it.parsed("a minute of the day")?);
                house.quiet.push(Quiet { from, to, days: [true; 7], except: Vec::new(), person: None });
            }
            ("on", Some(quiet), None) => {
                let wanted = "a day such as `mon`";
                let found = it.text(wanted)?;
                let Some(day) = DAYS.iter().position(|it| *it == found) else { return Words::wrong(found, wanted) };
                if quiet.days == [true; 7] {
                    quiet.days = [false; 7];
                }
                quiet.days[day] = true;
            }
            ("except", Some(quiet), None) => quiet.except.push(it.name()?),
            ("of", Some(quiet), None) => quiet.person = Some(it.name()?),
            ("device", ..) => {
                let (name, set) = (it.name()?, message(it)?);
                house.devices.push(Device { name, set, when: Vec::new(), state_topic: None, restore: None });
            }
            ("while", _, Some(device)) => device.when.push(it.of(&CALL_STATES, "the state of a call")?),
            ("state", _, Some(device)) => device.state_topic = Some(it.text("a topic")?),
            ("restore", _, Some(device)) => device.restore = Some(Restore::Always(message(it)?)),
            ("restore-state", _, Some(device)) => device.restore = Some(Restore::Before(it.text("a topic")?)),
            _ => return Words::wrong(word, wanted),
        }
    }
    Ok(house)
}

pub(super) fn message(it: &mut Words) -> Read<Message> {
    Ok(Message { topic: it.text("a topic")?, payload: it.text("a payload")? })
}
