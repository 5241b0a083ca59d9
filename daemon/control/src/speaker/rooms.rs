//! The other rooms: whom people can mean by them, and calls that come from them.

use super::Speaker;
use crate::action::{Peer, Report};
use crate::call::{CallId, EndReason, Event as On, How};
use crate::contacts::{self, as_heard};
use crate::dialplan::Uri;
use crate::house::{Room, RoomName};

/// In a large house the ears learn the names of so many rooms, those of our floor and groups first; all others can be called in writing.
const MOST_HEARD: usize = 40;

impl Speaker {
    /// Rooms have come, gone or changed. Their names are learned anew only where those have changed.
    pub(super) fn rooms_are(&mut self, rooms: Vec<Room>) {
        let names = |rooms: &[Room]| rooms.iter().map(|it| (it.slug.clone(), it.name.clone())).collect::<Vec<_>>();
        let changed = names(&rooms) != names(&self.house.rooms);
        self.house.rooms = rooms;
        match changed {
            true => self.learn(self.people.clone()),
            false => self.learn_open(),
        }
    }

    /// The rooms that the ears know by name.
    pub(super) fn rooms_heard(&self) -> Vec<&Room> {
        let house = &self.settings.house;
        let near = |it: &&Room| it.floor == house.floor || it.groups.iter().any(|group| house.groups.contains(group));
        let (mut rooms, far): (Vec<&Room>, Vec<&Room>) = self.house.rooms.iter().partition(near);
        rooms.extend(far);
        rooms.truncate(MOST_HEARD);
        rooms
    }

    /// The other room of that slug or name, however it is written.
    pub(super) fn room(&self, text: &str) -> Option<&Room> {
        let by_slug = self.house.rooms.iter().find(|it| it.slug == text);
        let is_called = |it: &&Room| contacts::room_names(it, &self.phrases).iter().any(|name| as_heard(name) == as_heard(text));
        by_slug.or_else(|| self.house.rooms.iter().find(is_called))
    }

    /// Whether a text means this room.
    pub(super) fn is_our_room(&self, text: &str) -> bool {
        let ours = Room {
            slug: self.settings.house.slug.clone(),
            name: self.settings.room.clone(),
            floor: None,
            groups: Vec::new(),
            up: true,
        };
        let names = contacts::room_names(&ours, &self.phrases);
        (!ours.slug.is_empty() && ours.slug == text) || names.iter().any(|name| as_heard(name) == as_heard(text))
    }

    /// Whether we know that the room cannot be reached now. Ours cannot: we are here.
    pub(super) fn is_down(&self, to: &Uri) -> bool {
        let ours = |it: &str| !self.settings.house.slug.is_empty() && it == self.settings.house.slug;
        to.room_name().is_some_and(ours)
            || to.room_name().and_then(|slug| self.house.rooms.iter().find(|it| it.slug == slug)).is_some_and(|it| !it.up)
    }

    /// A room as the other end of a call.
    pub(super) fn room_as_peer(&self, slug: &str) -> Peer {
        let address = Uri::room(slug);
        let room = self.house.rooms.iter().find(|it| it.slug == slug);
        let shown = room.and_then(|it| contacts::room_names(it, &self.phrases).into_iter().next());
        match self.contacts.at(&address, &self.settings.lines) {
            Some(contact) => Peer { name: contact.name.clone(), address, known: true },
            None => Peer { name: shown.unwrap_or_else(|| slug.into()), address, known: room.is_some() },
        }
    }

    /// The slug of the room at the other end of a call.
    pub(super) fn room_of(&self, call: CallId) -> Option<RoomName> {
        self.calls.get(call)?.peer.address.room_name().map(String::from)
    }

    /// A call of another room that nobody need answer. Tells whether it was one; calls that ring go on as any other.
    pub(super) fn let_in(&mut self, id: CallId, from: &Uri, how: How) -> bool {
        match (from.room_name(), how) {
            (None, _) | (_, How::Ring) => return false,
            (Some(room), How::Carry { with }) => self.take_over(id, room, from, with),
            (Some(room), how @ (How::DropIn | How::Listen)) => self.visited(id, room, how),
        }
        true
    }

    /// Another room has moved its call here: somebody who may has asked for it, so it is taken even when nobody shall disturb.
    fn take_over(&mut self, id: CallId, room: &str, from: &Uri, with: String) {
        let busy = self.calls.active().is_some_and(|it| it.how != How::Listen) || self.calls.ring_out().is_some();
        let known = self.contacts.get(&with).is_some();
        let how = How::Carry { with: with.clone() };
        let peer = Peer { name: with, address: from.clone(), known };
        if !self.calls.incoming(self.now, id, peer, how, self.settings.ring_for) {
            return;
        }
        let may = self.house.rooms.iter().any(|it| it.slug == room);
        let answer = match (may, busy) {
            (false, _) => On::Reject(EndReason::NotAllowed),
            (true, true) => On::Reject(EndReason::Busy),
            (true, false) => On::Accept,
        };
        if answer == On::Accept {
            self.step_aside();
            self.busy_until = None;
            self.close();
        }
        self.calls.handle(self.now, id, answer, &mut self.lines);
    }

    /// We and another room call each other: both want to talk, so nobody need answer. The call of the room that comes first by name stands.
    /// Tells whether nothing more is to be done about theirs.
    pub(super) fn meet(&mut self, theirs: CallId, from: &Uri) -> bool {
        let calls_them = |it: &&crate::call::Call| it.how == How::Ring && it.peer.address == *from && !it.is_invited();
        let Some(ours) = self.calls.ring_out().filter(calls_them).map(|it| it.id) else { return false };
        let slug = &self.settings.house.slug;
        let Some(room) = from.room_name().filter(|it| !slug.is_empty() && *it != slug) else { return false };
        if slug.as_str() < room {
            self.calls.handle(self.now, theirs, On::Reject(EndReason::AnsweredElsewhere), &mut self.lines);
        } else {
            self.calls.handle(self.now, ours, On::HangUp, &mut self.lines);
            self.calls.handle(self.now, theirs, On::Accept, &mut self.lines);
        }
        true
    }

    /// Tells the history who called last.
    pub(super) fn remember_caller(&mut self, peer: &Peer) {
        self.history.last_caller = Some(peer.clone());
        self.reports.push(Report::History(self.history.clone()));
    }
}
