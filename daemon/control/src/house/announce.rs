//! Announcements: to which rooms one goes, and which of those that have arrived is heard next.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Announced, AnnouncementId, HouseSettings, Priority, Room, RoomName};
use crate::contacts::{Contact, as_heard};
use crate::time::Time;

/// How many wait at most; the oldest that is not urgent makes room.
const MAX_WAITING: usize = 32;

/// How many names of announcements are kept, to know one that arrives twice.
const MAX_KNOWN: usize = 64;

/// An announcement that is not told as over after this long never will be.
const OVER_WITHIN: Duration = Duration::from_secs(180);

/// How long after an announcement it can be answered with a word.
pub const REPLY_WITHIN: Duration = Duration::from_secs(30);

/// Whom an announcement is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// Everybody.
    House,
    /// One room.
    Room(RoomName),
    /// The rooms of a floor, as people say it.
    Floor(String),
    /// The rooms of a group, as people say it.
    Group(String),
    /// A contact, wherever it is.
    Person(String),
    /// Whoever was heard last.
    Sender,
}

/// All audiences that have a name: what people call them, and whom they mean. Rooms go before floors and those before groups of the same name.
pub fn places(rooms: &[&Room], own: &HouseSettings, own_name: &str) -> Vec<(String, Audience)> {
    let mut places: Vec<(String, Audience)> = rooms.iter().map(|it| (it.name.clone(), Audience::Room(it.slug.clone()))).collect();
    places.push((own_name.into(), Audience::Room(own.slug.clone())));
    let floors = rooms.iter().filter_map(|it| it.floor.as_ref()).chain(&own.floor);
    places.extend(floors.map(|it| (it.clone(), Audience::Floor(it.clone()))));
    let groups = rooms.iter().flat_map(|it| &it.groups).chain(&own.groups);
    places.extend(groups.map(|it| (it.clone(), Audience::Group(it.clone()))));
    // A group of phones is reached as a room of that name.
    places.extend(own.phones.iter().map(|it| (it.clone(), Audience::Room(it.clone()))));
    let mut known: Vec<String> = Vec::new();
    places.retain(|(name, _)| {
        let name = as_heard(name);
        let new = !name.is_empty() && !known.contains(&name);
        known.push(name);
        new
    });
    places
}

/// The rooms of an audience, ours last and only if it is one of them and `ourselves`. Nobody: nobody is known to be meant.
pub fn rooms_of(
    audience: &Audience,
    rooms: &[Room],
    own: &HouseSettings,
    ourselves: bool,
    contact: Option<&Contact>,
    presence: &BTreeMap<String, RoomName>,
) -> Vec<RoomName> {
    let same = |a: &str, b: &str| as_heard(a) == as_heard(b);
    let has = |floor: Option<&String>, groups: &[String]| match audience {
        Audience::House => true,
        Audience::Floor(name) => floor.is_some_and(|it| same(it, name)),
        Audience::Group(name) => groups.iter().any(|it| same(it, name)),
        Audience::Room(_) | Audience::Person(_) | Audience::Sender => false,
    };
    match audience {
        Audience::Room(room) => vec![room.clone()],
        Audience::Person(name) => {
            let known = |room: &&RoomName| **room == own.slug || rooms.iter().any(|it| it.slug == **room);
            if let Some(room) = presence.get(name).filter(known) {
                return vec![room.clone()];
            }
            let of_contact = contact.into_iter().flat_map(|it| &it.addresses).filter_map(|it| it.to.room_name());
            let of_contact: Vec<RoomName> = of_contact.map(String::from).collect();
            match of_contact.is_empty() {
                true => rooms_of(&Audience::House, rooms, own, ourselves, None, presence),
                false => of_contact,
            }
        }
        _ => {
            let others = rooms.iter().filter(|it| has(it.floor.as_ref(), &it.groups)).map(|it| it.slug.clone());
            let us = Some(own.slug.clone()).filter(|_| ourselves && has(own.floor.as_ref(), &own.groups));
            let phones = own.phones.iter().filter(|_| *audience == Audience::House).cloned();
            others.chain(phones).chain(us).collect()
        }
    }
}

/// Announcements that have arrived here.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Vec<Announced>,
    playing: Option<(Announced, Time)>,
    known: VecDeque<AnnouncementId>,
    /// Where the last one that was heard is from, and when it was over.
    heard: Option<(RoomName, Time)>,
}

impl Queue {
    /// One has arrived. `false`: it had before. What no longer fits is returned.
    pub fn arrived(&mut self, it: Announced) -> (bool, Option<AnnouncementId>) {
        if self.known.contains(&it.id) {
            return (false, None);
        }
        self.known.push_back(it.id.clone());
        if self.known.len() > MAX_KNOWN {
            self.known.pop_front();
        }
        self.waiting.push(it);
        let oldest = self.waiting.iter().position(|it| it.priority == Priority::Normal).unwrap_or(0);
        (true, (self.waiting.len() > MAX_WAITING).then(|| self.waiting.remove(oldest).id))
    }

    /// The next to be played, if none plays and it may be heard now.
    pub fn next(&mut self, now: Time, may: impl Fn(Priority) -> bool) -> Option<Announced> {
        if self.playing.is_some() {
            return None;
        }
        let urgent = self.waiting.iter().position(|it| it.priority == Priority::Urgent && may(it.priority));
        let next = urgent.or_else(|| self.waiting.iter().position(|it| may(it.priority)))?;
        let next = self.waiting.remove(next);
        self.playing = Some((next.clone(), now + OVER_WITHIN));
        Some(next)
    }

    /// One has been played, or cannot be; it is returned if it was heard.
    pub fn over(&mut self, now: Time, id: &AnnouncementId) -> Option<Announced> {
        self.waiting.retain(|it| it.id != *id);
        let (it, _) = self.playing.take_if(|(it, _)| it.id == *id)?;
        self.heard = Some((it.from.clone(), now));
        Some(it)
    }

    /// The one that plays takes too long.
    pub fn handle_timeout(&mut self, now: Time) -> Option<AnnouncementId> {
        self.playing.take_if(|(_, until)| *until <= now).map(|(it, _)| it.id)
    }

    /// When the one that plays takes too long.
    pub fn deadline(&self) -> Option<Time> {
        self.playing.as_ref().map(|(_, until)| *until)
    }

    /// The one that plays.
    pub fn playing(&self) -> Option<&Announced> {
        self.playing.as_ref().map(|(it, _)| it)
    }

    /// Whether one waits.
    pub fn is_waiting(&self, id: &AnnouncementId) -> bool {
        self.waiting.iter().any(|it| it.id == *id)
    }

    /// How many wait.
    pub fn n_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whom an answer would go to: the room of the one that plays, or of the one that was heard last.
    pub fn sender(&self, now: Time) -> Option<&RoomName> {
        let of_late = || self.heard.as_ref().filter(|(_, at)| now.since(*at) <= REPLY_WITHIN).map(|(from, _)| from);
        self.playing().map(|it| &it.from).or_else(of_late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(slug: &str, floor: &str, groups: &[&str]) -> Room {
        let groups = groups.iter().map(|it| (*it).into()).collect();
        Room { slug: slug.into(), name: slug.into(), floor: Some(floor.into()), groups, up: true }
    }

    fn announced(id: &str, priority: Priority) -> Announced {
        Announced { id: AnnouncementId(id.into()), from: "hall".into(), priority }
    }

    const NOW: Time = Time::ZERO;

    #[test]
    fn an_audience_is_some_rooms() {
        let own = HouseSettings { slug: "kitchen".into(), floor: Some("ground floor".into()), ..HouseSettings::default() };
        let rooms = [room("study", "Ground Floor", &["work"]), room("attic", "top", &["work", "kids"])];
        let presence = BTreeMap::from([("Mom".to_string(), "attic".to_string()), ("Dad".to_string(), "moon".to_string())]);
        let of = |audience, ourselves| rooms_of(&audience, &rooms, &own, ourselves, None, &presence);
        assert_eq!(of(Audience::House, false), ["study", "attic"]);
        assert_eq!(of(Audience::House, true), ["study", "attic", "kitchen"]);
        assert_eq!(of(Audience::Floor("ground floor".into()), true), ["study", "kitchen"]);
        assert_eq!(of(Audience::Floor("ground floor".into()), false), ["study"]);
        assert_eq!(of(Audience::Group("work".into()), true), ["study", "attic"]);
        assert_eq!(of(Audience::Group("none".into()), true), [""; 0]);
        assert_eq!(of(Audience::Room("garden".into()), true), ["garden"]);
        assert_eq!(of(Audience::Person("Mom".into()), true), ["attic"]);
        assert_eq!(of(Audience::Person("Dad".into()), false), ["study", "attic"], "a room that there is not");
        let names: Vec<String> =
            places(&rooms.iter().collect::<Vec<_>>(), &own, "Kitchen").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["study", "attic", "Kitchen", "Ground Floor", "top", "work", "kids"]);
    }

    #[test]
    fn phones_are_a_place_and_part_of_the_house() {
        let own = HouseSettings { slug: "kitchen".into(), phones: vec!["all phones".into()], ..HouseSettings::default() };
        let of = |audience| rooms_of(&audience, &[room("study", "top", &[])], &own, true, None, &BTreeMap::new());
        assert_eq!(of(Audience::House), ["study", "all phones", "kitchen"]);
        assert_eq!(of(Audience::Floor("top".into())), ["study"]);
        let phones = places(&[], &own, "Kitchen").into_iter().find(|(name, _)| name == "all phones").unwrap().1;
        assert_eq!(of(phones), ["all phones"]);
    }

    #[test]
    fn one_plays_at_a_time_and_the_urgent_goes_first() {
        let mut it = Queue::default();
        for (id, priority) in [("a", Priority::Normal), ("b", Priority::Normal), ("c", Priority::Urgent), ("a", Priority::Urgent)]
        {
            it.arrived(announced(id, priority));
        }
        let next = |it: &mut Queue| it.next(NOW, |_| true).map(|it| it.id.0);
        for id in ["c", "a", "b"] {
            assert_eq!(next(&mut it).as_deref(), Some(id));
            assert_eq!(next(&mut it), None, "one plays");
            assert!(it.over(NOW, &AnnouncementId("x".into())).is_none());
            assert!(it.over(NOW, &AnnouncementId(id.into())).is_some());
        }
        assert_eq!(next(&mut it), None);
        assert_eq!(it.arrived(announced("a", Priority::Normal)), (false, None), "it was heard");
    }

    #[test]
    fn what_may_not_be_heard_waits_and_too_many_do_not() {
        let mut it = Queue::default();
        it.arrived(announced("first", Priority::Urgent));
        for n in 0..MAX_WAITING {
            let (_, dropped) = it.arrived(announced(&n.to_string(), Priority::Normal));
            assert_eq!(dropped.map(|it| it.0).as_deref(), (n == MAX_WAITING - 1).then_some("0"));
        }
        assert_eq!(it.next(NOW, |priority| priority == Priority::Urgent).map(|it| it.id.0).as_deref(), Some("first"));
        assert!(it.over(NOW, &AnnouncementId("first".into())).is_some());
        assert_eq!(it.next(NOW, |priority| priority == Priority::Urgent), None);
        assert_eq!(it.n_waiting(), MAX_WAITING - 1);
    }

    #[test]
    fn an_answer_goes_to_whoever_was_heard_of_late() {
        let mut it = Queue::default();
        assert_eq!(it.sender(NOW), None);
        it.arrived(announced("a", Priority::Normal));
        assert_eq!(it.sender(NOW), None);
        it.next(NOW, |_| true);
        assert_eq!(it.sender(NOW).map(String::as_str), Some("hall"));
        it.over(NOW, &AnnouncementId("a".into()));
        assert_eq!(it.sender(NOW + REPLY_WITHIN).map(String::as_str), Some("hall"));
        assert_eq!(it.sender(NOW + REPLY_WITHIN + Duration::from_millis(1)), None);
    }
}
