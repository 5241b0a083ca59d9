//! A call that is up moves to another room and back. This speaker keeps the line and carries the sound, so the other end notices nothing.

use std::collections::VecDeque;
use std::time::Duration;

use super::Speaker;
use super::calling::Purpose;
use crate::action::{Earcon, Event, LineAction, Peer, SoundAction};
use crate::call::{Ask, Call, CallId, EndReason, Event as On, How, Seat};
use crate::dialplan::{ROOMS, Rung};
use crate::house::RoomName;
use crate::prompts::{self, Prompt};
use crate::switchboard::Draft;

/// How long a room may take to take a call over; it answers by itself.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);

impl Speaker {
    /// Moves the call to a room, as somebody here has asked.
    pub(super) fn move_to(&mut self, text: &str) {
        let carried_here = self.carried_here();
        if self.is_our_room(text) {
            return self.take_back();
        }
        let Some(slug) = self.room(text).map(|it| it.slug.clone()) else { return self.deny(&Prompt::NoRoom(text.into())) };
        match carried_here {
            Some(id) => {
                let name = self.room_as_peer(&slug).name;
                self.say(&Prompt::Moving(name));
                self.lines.push(LineAction::Ask(id, Ask::Move(slug)));
            }
            None => self.start_move(&slug, false),
        }
    }

    /// Calls the room that shall have the call; meanwhile everything stays as it is. `asked`: by the room that has it now.
    fn start_move(&mut self, slug: &str, asked: bool) {
        let peer = self.room_as_peer(slug);
        let known = self.house.rooms.iter().find(|it| it.slug == slug);
        let problem = match known.map(|it| it.up) {
            None => Some((EndReason::NotFound, Prompt::NoRoom(slug.into()))),
            Some(false) => Some((EndReason::Unreachable, Prompt::RoomDown(peer.name.clone()))),
            Some(true) => None,
        };
        if let Some((why, prompt)) = problem {
            return self.refuse(asked, slug, why, &prompt);
        }
        if let Err(prompt) = self.others(asked) {
            return self.refuse(asked, slug, EndReason::Failed(500), &prompt);
        }
        if self.calls.parties().any(|it| it.peer.address == peer.address) {
            return self.refuse(asked, slug, EndReason::Busy, &Prompt::AlreadyTalking(peer.name));
        }
        if self.calls.carrier.and_then(|it| self.room_of(it)).as_deref() == Some(slug) {
            return self.refuse(asked, slug, EndReason::Busy, &Prompt::AlreadyThere(peer.name));
        }
        let before: Vec<CallId> = self.calls.invited().filter(|it| it.is_leg()).map(|it| it.id).collect();
        for id in before {
            self.calls.handle(self.now, id, On::HangUp, &mut self.lines);
        }
        let names: Vec<String> = self.calls.parties().map(|it| it.peer.name.clone()).collect();
        let how = How::Carry { with: prompts::together(&names, &self.phrases) };
        let rung = Rung { to: peer.address.clone(), line: ROOMS.into(), ring_for: TAKEN_WITHIN, label: None };
        let name = peer.name.clone();
        let draft = Draft { peer, rest: VecDeque::new(), others: Vec::new(), group: None, how, seat: Seat::Invited { asked } };
        self.calls.dial(self.now, rung, draft, &mut self.lines);
        if !asked {
            self.say(&Prompt::Moving(name));
        }
    }

    /// The room has taken the call: from now on they talk there.
    pub(super) fn handed_over(&mut self, leg: &Call) {
        self.recall();
        self.calls.away = true;
        if let Some(before) = self.calls.carrier.replace(leg.id) {
            self.calls.handle(self.now, before, On::HangUp, &mut self.lines);
        }
        if self.muted && self.calls.active().is_none() {
            self.set_muted(false);
        }
        let to = leg.peer.address.room_name().unwrap_or_default().to_string();
        self.report_moved(&to);
        self.tell_parked();
    }

    fn report_moved(&mut self, to: &str) {
        let parties: Vec<(CallId, Peer)> = self.calls.parties().map(|it| (it.id, it.peer.clone())).collect();
        for (call, peer) in parties {
            self.report(Event::Moved { call, peer, to: to.into() });
        }
    }

    /// Takes the call back into this room, or stops moving it.
    pub(super) fn take_back(&mut self) {
        let pending: Vec<CallId> = self.calls.invited().filter(|it| it.is_leg()).map(|it| it.id).collect();
        for id in &pending {
            self.calls.handle(self.now, *id, On::HangUp, &mut self.lines);
        }
        let Some(carrier) = self.calls.carrier else {
            let up = self.calls.active().is_some_and(Call::is_up);
            return match (pending.is_empty(), up) {
                (false, _) => self.sounds.push(SoundAction::Earcon(Earcon::Understood)),
                (true, true) => self.deny(&Prompt::AlreadyHere),
                (true, false) => self.deny(&Prompt::NoCall),
            };
        };
        self.step_aside();
        self.hush();
        self.comes_back();
        self.calls.handle(self.now, carrier, On::HangUp, &mut self.lines);
        self.sounds.push(SoundAction::Earcon(Earcon::Connected));
    }

    fn comes_back(&mut self) {
        self.calls.carrier = None;
        self.calls.away = false;
        let ours = self.settings.house.slug.clone();
        self.report_moved(&ours);
    }

    /// The room that had our call is gone: somebody there has hung up, or it is lost and the call comes back.
    pub(super) fn carrier_ended(&mut self, leg: &Call, reason: EndReason) {
        if self.calls.carrier != Some(leg.id) {
            return;
        }
        self.calls.carrier = None;
        if matches!(reason, EndReason::TheyHungUp | EndReason::WeHungUp | EndReason::Declined) {
            return self.hang_up_all();
        }
        if self.calls.parties().next().is_none() {
            return;
        }
        let room = leg.peer.name.clone();
        // Whoever talks here now is not interrupted: the call waits.
        if self.calls.active().is_some() || self.calls.ring_out().is_some() {
            self.say(&Prompt::RoomLost(room));
            let name = self.calls.parties().next().map(|it| it.peer.name.clone());
            name.into_iter().for_each(|it| _ = self.say(&Prompt::OnHold(it)));
            return;
        }
        self.comes_back();
        self.sounds.push(SoundAction::Earcon(Earcon::Connected));
        self.say(&Prompt::RoomLost(room));
        self.say(&Prompt::BackHere);
    }

    /// The other end, a room, asks for something.
    pub(super) fn asked(&mut self, id: CallId, ask: Ask) {
        let carrier = self.calls.carrier == Some(id);
        match ask {
            Ask::Cannot(whom, why) if self.carried_here() == Some(id) => {
                let name = if self.room(&whom).is_some() { self.room_as_peer(&whom).name } else { whom };
                self.deny(&Prompt::Ended(why, name));
            }
            Ask::Move(room) if carrier && self.is_our_room(&room) => self.take_back(),
            Ask::Move(room) if carrier => self.start_move(&room, true),
            Ask::Add(whom) if carrier => self.call_typed(&whom, Purpose::Add { asked: true }),
            Ask::FollowMe(on) if carrier => self.following = on,
            // Only the room that we carry a call to has a say in it.
            Ask::Move(_) | Ask::Add(_) | Ask::FollowMe(_) | Ask::Cannot(..) => (),
        }
    }

    /// Says no to whoever asked: to this room, or to the one that has the call.
    pub(super) fn refuse(&mut self, asked: bool, whom: &str, why: EndReason, prompt: &Prompt) {
        match asked {
            true => self.cannot(whom.into(), why),
            false => self.deny(prompt),
        }
    }

    /// The call goes with whoever is in it, or stays.
    pub(super) fn follow_me(&mut self, on: bool) {
        let ours = self.calls.active().or_else(|| self.calls.parties().next()).or_else(|| self.calls.parked());
        if !ours.is_some_and(Call::is_up) {
            return self.deny(&Prompt::NoCall);
        }
        match self.carried_here() {
            Some(id) => self.lines.push(LineAction::Ask(id, Ask::FollowMe(on))),
            None => self.following = on,
        }
        self.say(&if on { Prompt::Following } else { Prompt::NotFollowing });
    }

    /// Somebody went somewhere.
    pub(super) fn follow(&mut self, person: &str, room: Option<RoomName>) {
        let before = self.whereabouts.insert(person.into(), room.clone());
        let follow = &self.settings.house.follow;
        let tracked = follow.is_empty() || follow.iter().any(|it| it == person);
        let Some(room) = room.filter(|it| tracked && self.following && before.as_ref() != Some(&Some(it.clone()))) else {
            return;
        };
        let elsewhere = self.calls.carrier;
        if room == self.settings.house.slug {
            if elsewhere.is_some() {
                self.take_back();
            }
            return;
        }
        let there = elsewhere.and_then(|it| self.room_of(it)).is_some_and(|it| it == room);
        let talks = elsewhere.is_some() || self.calls.active().is_some_and(Call::is_up);
        if talks && !there && self.house.rooms.iter().any(|it| it.slug == room && it.up) {
            match self.carried_here() {
                Some(id) => self.lines.push(LineAction::Ask(id, Ask::Move(room))),
                None => self.start_move(&room, elsewhere.is_some()),
            }
        }
    }
}
