//! Dropping in on another room and listening to it, and being the room.

use std::collections::VecDeque;
use std::time::Duration;

use super::Speaker;
use crate::action::{Earcon, Event, SoundAction};
use crate::call::{Call, CallId, EndReason, Event as On, How, Seat};
use crate::contacts::as_heard;
use crate::dialplan::{ROOMS, Rung};
use crate::prompts::Prompt;
use crate::switchboard::Draft;

/// Every room, where rules name who may come in.
const EVERY_ROOM: &str = "house";

/// How long a room may take to let us in; nobody has to walk to it.
const LET_IN_WITHIN: Duration = Duration::from_secs(8);

impl Speaker {
    /// Drops in on a room, or listens to it.
    pub(super) fn visit(&mut self, text: &str, how: How) {
        let Some(room) = self.room(text).cloned() else { return self.deny(&Prompt::NoRoom(text.into())) };
        let peer = self.room_as_peer(&room.slug);
        if !room.up {
            return self.deny(&Prompt::RoomDown(peer.name));
        }
        let same = self.calls.all().find(|it| it.peer.address == peer.address && (it.is_up() || it.is_ring_out()));
        match same.map(|it| (it.id, it.is_outgoing() && it.how == How::Listen && it.how != how)) {
            // Who listens and then wants to speak.
            Some((id, true)) => self.calls.handle(self.now, id, On::HangUp, &mut self.lines),
            Some((_, false)) => return self.deny(&Prompt::AlreadyTalking(peer.name)),
            None => (),
        }
        self.step_aside();
        self.busy_until = None;
        self.hush();
        let rung = Rung { to: peer.address.clone(), line: ROOMS.into(), ring_for: LET_IN_WITHIN, label: None };
        let name = peer.name.clone();
        let says = if how == How::Listen { Prompt::ListeningTo(name) } else { Prompt::DroppingIn(name) };
        let draft = Draft { peer, rest: VecDeque::new(), others: Vec::new(), group: None, how, seat: Seat::Alone };
        self.calls.dial(self.now, rung, draft, &mut self.lines);
        self.say(&says);
    }

    /// Another room wants to come in without anybody answering.
    pub(super) fn visited(&mut self, id: CallId, room: &str, how: How) {
        let peer = self.room_as_peer(room);
        let listens = how == How::Listen;
        let house = &self.settings.house;
        let (rules, muted, at_most) = match listens {
            true => (&house.listen_in.from, false, house.listen_in.at_most),
            false => (&house.drop_in.from, house.drop_in.muted, house.drop_in.at_most),
        };
        let name_of_room = self.house.rooms.iter().find(|it| it.slug == room).map(|it| as_heard(&it.name));
        let may = name_of_room.is_some_and(|name| {
            let named = |it: &String| *it == room || as_heard(it) == name || as_heard(it) == as_heard(&peer.name);
            rules.iter().any(|it| it == EVERY_ROOM || named(it))
        });
        // Whoever listens makes way for a while; two cannot listen at once.
        let talks = self.calls.active().is_some_and(|it| listens || it.how != How::Listen);
        let busy = talks || self.calls.ring_out().is_some() || self.calls.ringing().is_some();
        if !self.calls.incoming(self.now, id, peer.clone(), how, self.settings.ring_for) {
            return;
        }
        // A child is listened to at night too.
        let disturbs = self.do_not_disturb || (!listens && self.is_quiet());
        let no = match (may, busy || disturbs) {
            (false, _) => Some(EndReason::NotAllowed),
            (true, true) => Some(EndReason::Busy),
            (true, false) => None,
        };
        if let Some(reason) = no {
            self.calls.handle(self.now, id, On::Reject(reason), &mut self.lines);
            let prompt = if may { Prompt::VisitWhileBusy(peer.name) } else { Prompt::VisitNotAllowed(peer.name) };
            return self.report(Event::Denied(prompt.render(&self.phrases)));
        }
        if let Some(call) = self.calls.get_mut(id) {
            call.at_most = Some(at_most);
        }
        self.step_aside();
        self.busy_until = None;
        self.close();
        self.calls.handle(self.now, id, On::Accept, &mut self.lines);
        self.sounds.push(SoundAction::Earcon(Earcon::DropIn));
        self.say(&if listens { Prompt::ListensIn(peer.name.clone()) } else { Prompt::DropsIn(peer.name.clone()) });
        if muted && !self.muted {
            self.set_muted(true);
        }
        self.report(Event::DropIn { call: id, peer, listens });
    }

    /// Why a call to a room did not come about, in words that fit a room.
    pub(super) fn not_let_in(&self, call: &Call, reason: EndReason) -> Prompt {
        let name = call.peer.name.clone();
        match (call.peer.address.room_name(), reason) {
            (Some(_), EndReason::NotAllowed) => Prompt::NotLetIn(name),
            (Some(_), EndReason::Unreachable | EndReason::LineDown) => Prompt::RoomDown(name),
            _ => Prompt::Ended(reason, name),
        }
    }
}
