//! Announcements: said here and sent, or from elsewhere and heard here.

use std::collections::{BTreeMap, BTreeSet};

use super::Speaker;
use crate::action::{Earcon, Event, SoundAction};
use crate::call::{Call, How};
use crate::contacts::as_heard;
use crate::conversation::{Dialogue, RECORD_WITHIN, SHORTEST_RECORDING};
use crate::house::announce::{self, Audience};
use crate::house::{Announced, Announcement, AnnouncementId, Body, HouseAction, Priority, Progress, RecordingId, Room, RoomName};
use crate::prompts::Prompt;

/// How many of our announcements are kept, to know one that has been delivered.
const MAX_SENT: usize = 64;

impl Speaker {
    /// Learns anew what can be said before an announcement.
    pub(super) fn learn_open(&mut self) {
        let places = announce::places(&self.rooms_heard(), &self.settings.house, &self.settings.room);
        let mut open = BTreeMap::new();
        for (language, phrases) in (0..).zip(std::iter::once(&self.phrases).chain(&self.also_understood)) {
            for (text, audience) in crate::intent::open::sentences(phrases, &self.contacts, &places) {
                open.entry(text).or_insert((audience, language));
            }
        }
        let alone = self.house.rooms.is_empty() && self.settings.house.phones.is_empty();
        if (&self.house.open, self.house.alone) != (&open, alone) {
            (self.house.open, self.house.alone) = (open, alone);
            self.scope = None;
        }
    }

    /// What can be said before an announcement: nothing where nobody could hear it.
    pub(super) fn open_sentences(&self) -> Vec<String> {
        if self.house.alone { Vec::new() } else { self.house.open.keys().cloned().collect() }
    }

    /// Words after which people say what they like: what follows goes to those rooms.
    pub(super) fn open(&mut self, text: &str, confidence: f32, goes_on: bool) {
        let Some((audience, language)) = self.house.open.get(&as_heard(text)).cloned() else { return self.not_understood() };
        if confidence.is_nan() || confidence < self.settings.min_confidence {
            return self.not_understood();
        }
        let intent = match audience {
            Audience::House => "announce",
            Audience::Sender => "reply",
            Audience::Room(_) | Audience::Floor(_) | Audience::Group(_) | Audience::Person(_) => "announce_to",
        };
        let contact = if let Audience::Person(name) = &audience { Some(name.clone()) } else { None };
        self.report(Event::Heard { text: text.into(), intent, contact, confidence });
        self.close();
        self.speaks = language;
        let to = match &audience {
            // What was sent from here is answered nowhere.
            Audience::Sender => {
                let from = self.house.queue.sender(self.now).filter(|it| **it != self.settings.house.slug);
                from.cloned().into_iter().collect()
            }
            _ => self.rooms_of(&audience, false),
        };
        match (to.is_empty(), &audience) {
            (true, Audience::Sender) => return self.deny(&Prompt::NothingToReply),
            (true, _) => return self.deny(&Prompt::NoRooms),
            (false, _) => (),
        }
        self.hush();
        if !goes_on {
            self.sounds.push(SoundAction::Earcon(Earcon::Recording));
        }
        let since = (!goes_on).then_some(self.now);
        self.dialogue = Dialogue::Recording { to, since, until: self.now + RECORD_WITHIN };
        self.scope = None;
    }

    /// What followed has been recorded.
    pub(super) fn recorded(&mut self, id: RecordingId) {
        let Dialogue::Recording { to, since, .. } = std::mem::take(&mut self.dialogue) else { return };
        if since.is_some_and(|it| self.now.since(it) < SHORTEST_RECORDING) {
            return self.sounds.push(SoundAction::Earcon(Earcon::Rejected));
        }
        self.sounds.push(SoundAction::Earcon(Earcon::Understood));
        self.send(to, Body::Recording(id), Priority::Normal);
    }

    /// Sends a text; `to` is a room, floor, group or person by name.
    pub(super) fn announce(&mut self, text: String, to: Option<&str>, urgent: bool) {
        let audience = match to {
            None => Audience::House,
            Some(name) => match self.audience(name) {
                Some(audience) => audience,
                None => return self.deny(&Prompt::NoContact(name.trim().chars().take(super::calling::LONGEST_NAME).collect())),
            },
        };
        let to = self.rooms_of(&audience, true);
        match (text.trim().is_empty(), to.is_empty()) {
            (true, _) => (),
            (false, true) => self.deny(&Prompt::NoRooms),
            (false, false) => self.send(to, Body::Text(text), if urgent { Priority::Urgent } else { Priority::Normal }),
        }
    }

    /// Whom somebody has typed.
    fn audience(&self, name: &str) -> Option<Audience> {
        let rooms: Vec<&Room> = self.house.rooms.iter().collect();
        let places = announce::places(&rooms, &self.settings.house, &self.settings.room);
        let slug = |it: &&(String, Audience)| matches!(&it.1, Audience::Room(slug) if slug == name.trim());
        let place = places.iter().find(|(it, _)| as_heard(it) == as_heard(name)).or_else(|| places.iter().find(slug));
        let person = || match self.contacts.named(name, &self.phrases).as_slice() {
            [one] => Some(Audience::Person(one.name.clone())),
            _ => None,
        };
        place.map(|(_, it)| it.clone()).or_else(person)
    }

    fn rooms_of(&self, audience: &Audience, ourselves: bool) -> Vec<RoomName> {
        let contact = if let Audience::Person(name) = audience { self.contacts.get(name) } else { None };
        announce::rooms_of(audience, &self.house.rooms, &self.settings.house, ourselves, contact, &self.house.presence)
    }

    fn send(&mut self, to: Vec<RoomName>, body: Body, priority: Priority) {
        self.house.n_announced += 1;
        let own = &self.settings.house;
        let id = AnnouncementId(format!("{}-{}-{}", own.slug, own.start, self.house.n_announced));
        self.house.sent.insert(id.clone());
        if self.house.sent.len() > MAX_SENT {
            self.house.sent.pop_first();
        }
        self.announcement(&id, own.slug.clone(), Progress::Sent(to.clone()));
        self.house.actions.push(HouseAction::Announce(Announcement { id, to, body, priority }));
    }

    /// Ours has reached everybody, but for these.
    pub(super) fn delivered(&mut self, id: &AnnouncementId, missed: Vec<RoomName>) {
        if !self.house.sent.remove(id) {
            return;
        }
        if !missed.is_empty() {
            let names: BTreeSet<String> = missed.iter().map(|it| self.name_of_room(it)).collect();
            self.say(&Prompt::NotReached(names.into_iter().collect()));
        }
        self.announcement(id, self.settings.house.slug.clone(), Progress::Delivered(missed));
    }

    fn name_of_room(&self, slug: &str) -> String {
        let known = self.house.rooms.iter().find(|it| it.slug == slug).map(|it| &it.name);
        let ours = Some(&self.settings.room).filter(|_| slug == self.settings.house.slug);
        known.or(ours).map_or(slug, String::as_str).into()
    }

    /// One has arrived; it is heard as soon as it may be.
    pub(super) fn announced(&mut self, it: Announced) {
        let (id, from) = (it.id.clone(), it.from.clone());
        let (new, dropped) = self.house.queue.arrived(it);
        self.house.actions.extend(dropped.map(HouseAction::Drop));
        self.play_announcements();
        if new && self.house.queue.is_waiting(&id) {
            self.announcement(&id, from, Progress::Waiting);
        }
    }

    pub(super) fn announcement_over(&mut self, id: &AnnouncementId) {
        if let Some(it) = self.house.queue.over(self.now, id) {
            self.announcement(id, it.from, Progress::Heard);
        }
    }

    /// Stops the one that plays; tells whether there was one.
    pub(super) fn stop_announcement(&mut self) -> bool {
        let Some(id) = self.house.queue.playing().map(|it| it.id.clone()) else { return false };
        self.house.actions.push(HouseAction::Drop(id.clone()));
        self.announcement_over(&id);
        true
    }

    pub(super) fn announcements_timeout(&mut self) {
        let stuck = self.house.queue.handle_timeout(self.now);
        self.house.actions.extend(stuck.map(HouseAction::Drop));
    }

    /// Lets the next one be heard, if it may be.
    pub(super) fn play_announcements(&mut self) {
        let recording = matches!(self.dialogue, Dialogue::Recording { .. });
        let talk = self.dialogue.is_open() || !self.speaking.is_empty() || self.house.arbiter.is_bidding();
        // A call that is only carried to another room, and listening to one, leave this room free.
        let leaves_free = |it: &Call| !self.calls.is_here(it) || (it.how == How::Listen && it.is_outgoing());
        let calm = self.calls.all().all(leaves_free) && !talk && !self.do_not_disturb && !self.is_quiet();
        let may = |priority| if priority == Priority::Urgent { !recording } else { calm };
        if let Some(next) = self.house.queue.next(self.now, may) {
            self.announcement(&next.id, next.from.clone(), Progress::Playing);
            self.house.actions.push(HouseAction::Play(next.id));
        }
    }

    fn announcement(&mut self, id: &AnnouncementId, from: RoomName, progress: Progress) {
        self.report(Event::Announcement { id: id.clone(), from, progress });
    }
}
