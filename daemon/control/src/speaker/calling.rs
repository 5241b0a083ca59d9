//! Placing calls: by name, number or address, again, back, and in an emergency.

use std::collections::{BTreeSet, VecDeque};

use super::Speaker;
use crate::action::{Earcon, Peer, Report, SoundAction};
use crate::call::{Call, CallId, EndReason, Event as On, How, Seat};
use crate::contacts::{Contact, as_heard};
use crate::conversation::Target;
use crate::dialplan::{self, LineName, NoWay, Rung, Uri};
use crate::intent::Intent;
use crate::prompts::Prompt;
use crate::switchboard::Draft;

/// What somebody has typed is spoken up to here.
pub(super) const LONGEST_NAME: usize = 60;

/// What somebody is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To talk to: whoever is talked to now waits.
    Talk,
    /// To come into the call that is up.
    Add {
        /// Whether the room that the call is carried to has asked for it.
        asked: bool,
    },
}

impl Speaker {
    /// Calls whom the dialogue has made out.
    pub(super) fn call(&mut self, target: Target, purpose: Purpose) {
        match target {
            Target::Contact { name, label } => self.call_contact(&name, label.as_deref(), None, purpose),
            Target::Group(group) => self.call_group(&group),
            Target::Number(number) => match Uri::parse(&format!("tel:{number}")) {
                Ok(to) => self.call_address(&to, None, purpose),
                Err(_) => self.not_found(purpose, &number, &Prompt::NoContact(number.clone())),
            },
        }
    }

    /// Calls what a person has typed: emergency numbers first, then names, then other numbers and addresses.
    pub(super) fn call_typed(&mut self, text: &str, purpose: Purpose) {
        let number = dialplan::number(text);
        if let Some(number) = number.filter(|it| dialplan::is_emergency(it, &self.settings.lines)) {
            return self.call(Target::Number(number), purpose);
        }
        let named: Vec<String> = self.contacts.named(text, &self.phrases).into_iter().map(|it| it.name.clone()).collect();
        let group = self.contacts.groups().into_iter().find(|it| as_heard(it) == as_heard(text)).map(String::from);
        let typed = if named.is_empty() { self.typed(text) } else { Some(Intent::Dial { who: named, label: None }) };
        match (typed, Uri::parse(text)) {
            (Some(Intent::Dial { who, label }), _) => match who.as_slice() {
                [name] => self.call_contact(name, label.as_deref(), None, purpose),
                _ => self.not_found(purpose, text, &Prompt::DidYouMean(who)),
            },
            (_, Ok(to)) => self.call_address(&to, None, purpose),
            (_, Err(_)) if group.is_some() && purpose == Purpose::Talk => self.call_group(&group.unwrap_or_default()),
            (_, Err(_)) => match self.room(text).map(|it| Uri::room(&it.slug)) {
                Some(to) => self.call_address(&to, None, purpose),
                None => {
                    let name: String = text.trim().chars().take(LONGEST_NAME).collect();
                    self.not_found(purpose, &name, &Prompt::NoContact(name.clone()));
                }
            },
        }
    }

    /// Calls somebody of before: a contact at the address of then first.
    pub(super) fn call_peer(&mut self, peer: &Peer) {
        match self.contacts.get(&peer.name).filter(|_| peer.known) {
            Some(_) => self.call_contact(&peer.name, None, Some(&peer.address), Purpose::Talk),
            None => self.call_address(&peer.address, Some(&peer.name), Purpose::Talk),
        }
    }

    /// Calls the first emergency number that any line has.
    pub(super) fn call_emergency(&mut self) {
        let first = self.settings.lines.iter().flat_map(|it| &it.emergency).next().cloned();
        match first {
            Some(number) => self.call(Target::Number(number), Purpose::Talk),
            None => self.deny(&Prompt::NoEmergency),
        }
    }

    fn not_found(&mut self, purpose: Purpose, whom: &str, prompt: &Prompt) {
        self.refuse(purpose == Purpose::Add { asked: true }, whom, EndReason::NotFound, prompt);
    }

    pub(super) fn call_contact(&mut self, name: &str, label: Option<&str>, first: Option<&Uri>, purpose: Purpose) {
        let Some(contact) = self.contacts.get(name).cloned() else {
            return self.not_found(purpose, name, &Prompt::NoContact(name.into()));
        };
        if self.calls.with(name, |it| it.is_active() || it.is_ring_out()).is_some() {
            let asked = purpose == Purpose::Add { asked: true };
            return self.refuse(asked, name, EndReason::Busy, &Prompt::AlreadyTalking(name.into()));
        }
        let waiting = self.calls.with(name, |it| it.is_ringing() || it.is_parked()).map(|it| (it.id, it.is_ringing()));
        match (waiting, purpose) {
            (Some((_, true)), Purpose::Talk) => return self.answer(),
            (Some((id, rings)), Purpose::Add { asked }) => return self.add_waiting(id, rings, asked),
            _ => (),
        }
        let contact = match self.where_present(contact) {
            Ok(contact) => contact,
            Err(prompt) => return self.not_found(purpose, name, &prompt),
        };
        let emergency = contact.addresses.iter().find(|it| dialplan::emergency(&it.to, &self.settings).is_some());
        let rungs = match emergency {
            Some(address) => dialplan::to_address(&address.to, &self.settings, &self.lines_that_are_down()),
            None => dialplan::to_contact(&contact, label, &self.settings, &self.lines_that_are_down()),
        };
        let rungs = rungs.map(|mut it| {
            if let Some(at) = it.iter().position(|rung| first == Some(&rung.to)) {
                it.rotate_left(at);
            }
            it
        });
        let others = self.contacts.close_to(&contact, &self.phrases).into_iter().map(|it: &Contact| it.name.clone()).collect();
        let purpose = if emergency.is_some() { Purpose::Talk } else { purpose };
        self.place((name, true), rungs, others, emergency.is_some(), purpose);
    }

    fn call_address(&mut self, to: &Uri, name: Option<&str>, purpose: Purpose) {
        if let Some(slug) = to.person() {
            let person = self.contacts.people.iter().find(|it| it.slug() == slug).map(|it| it.name.clone());
            return self.call_contact(&person.unwrap_or(slug.into()), None, None, purpose);
        }
        let emergency = dialplan::emergency(to, &self.settings).is_some();
        if let Some(contact) = self.contacts.at(to, &self.settings.lines).filter(|_| !emergency && to.scheme() != "tel") {
            let name = contact.name.clone();
            if self.calls.with(&name, |it| it.is_active() || it.is_ring_out() || it.is_ringing()).is_some() {
                return self.call_contact(&name, None, None, purpose);
            }
        }
        let rungs = dialplan::to_address(to, &self.settings, &self.lines_that_are_down());
        let known = self.contacts.at(to, &self.settings.lines).map(|it| it.name.clone());
        let known = known.or_else(|| to.room_name().map(|it| self.room_as_peer(it).name));
        let shown = known.clone().or(name.map(String::from)).or(to.user().map(String::from)).unwrap_or_else(|| to.to_string());
        let purpose = if emergency { Purpose::Talk } else { purpose };
        self.place((&shown, known.is_some()), rungs, Vec::new(), emergency, purpose);
    }

    fn lines_that_are_down(&self) -> BTreeSet<LineName> {
        self.down.keys().cloned().collect()
    }

    /// Places the call. Whoever was being called is let go, whoever was talked to is put on hold, unless the call is for them.
    fn place(
        &mut self,
        (name, known): (&str, bool),
        rungs: Result<VecDeque<Rung>, NoWay>,
        others: Vec<String>,
        emergency: bool,
        purpose: Purpose,
    ) {
        let asked = purpose == Purpose::Add { asked: true };
        let rungs = rungs.map(|it| it.into_iter().filter(|it| !self.is_down(&it.to)).collect::<VecDeque<Rung>>());
        let (why, prompt) = match &rungs {
            Ok(_) => (EndReason::Unreachable, Prompt::RoomDown(name.into())),
            Err(NoWay::LineDown) => (EndReason::LineDown, Prompt::Ended(EndReason::LineDown, name.into())),
            Err(NoWay::NoLabel) => (EndReason::NotFound, Prompt::NoLabel(name.into())),
            Err(NoWay::NoLine) => (EndReason::LineDown, Prompt::NoLine(name.into())),
        };
        let mut rungs = rungs.unwrap_or_default();
        let Some(rung) = rungs.pop_front() else { return self.refuse(asked, name, why, &prompt) };
        let seat = match purpose {
            Purpose::Talk => Seat::Alone,
            Purpose::Add { asked } => Seat::Invited { asked },
        };
        match purpose {
            Purpose::Talk => self.step_aside(),
            Purpose::Add { .. } => {
                if let Err(prompt) = self.room_for_one_more(asked) {
                    return self.refuse(asked, name, EndReason::Busy, &prompt);
                }
            }
        }
        if let Some(ringing) = self.calls.ringing().filter(|_| emergency).map(|it| it.id) {
            self.calls.handle(self.now, ringing, On::Reject(EndReason::Busy), &mut self.lines);
        }
        if emergency && self.muted {
            self.set_muted(false);
        }
        self.busy_until = None;
        let peer = Peer { name: name.into(), address: rung.to.clone(), known };
        let draft = Draft { peer: peer.clone(), rest: rungs, others, group: None, how: How::Ring, seat };
        self.calls.dial(self.now, rung, draft, &mut self.lines);
        if asked {
            return;
        }
        self.hush();
        self.say(&Prompt::Calling(name.into()));
        if !emergency {
            self.history.missed.retain(|it| it.peer.name != name);
            if self.history.last_missed.as_ref().is_some_and(|it| it.name == peer.name) {
                self.history.last_missed = None;
            }
            self.history.last_dialled = Some(peer);
            self.reports.push(Report::History(self.history.clone()));
        }
    }

    fn room_for_one_more(&mut self, asked: bool) -> Result<(), Prompt> {
        if self.is_full() {
            return Err(Prompt::CallIsFull);
        }
        self.others(asked)?;
        if self.calls.active().is_none() && self.calls.carrier.is_none() {
            self.calls.away = false;
            self.recall();
        }
        Ok(())
    }

    /// Somebody who rings, or waits on hold, comes into the call.
    fn add_waiting(&mut self, id: CallId, rings: bool, asked: bool) {
        let name = self.calls.get(id).map(|it| it.peer.name.clone()).unwrap_or_default();
        let active = self.calls.active().is_some() || self.calls.carrier.is_some();
        let ready = if active { self.room_for_one_more(asked) } else { Err(Prompt::NoCall) };
        if let Err(prompt) = ready {
            return self.refuse(asked, &name, EndReason::Busy, &prompt);
        }
        if rings {
            self.seat(id, Seat::Invited { asked });
            return self.calls.handle(self.now, id, On::Accept, &mut self.lines);
        }
        self.seat(id, Seat::Joined);
        self.recall();
        self.sounds.push(SoundAction::Earcon(Earcon::Joined));
    }

    /// Makes room for another call: puts the active one on hold, or leaves those who talk together to themselves; ends the ring-out. Another
    /// room that had dropped in leaves.
    pub(super) fn step_aside(&mut self) {
        let now = self.now;
        let active = self.calls.active().map(|it| (it.id, it.seat, it.is_visit() && it.how == How::DropIn));
        if let Some((id, _, true)) = active {
            self.calls.handle(now, id, On::HangUp, &mut self.lines);
            if self.muted {
                self.set_muted(false);
            }
        } else if let Some((_, Seat::Joined, _)) = active {
            self.calls.away = true;
        } else if let Some((id, ..)) = active {
            self.calls.handle(now, id, On::Hold, &mut self.lines);
            // What has been answered but has no media yet cannot be held.
            if self.calls.get(id).is_some_and(Call::is_active) {
                self.calls.handle(now, id, On::HangUp, &mut self.lines);
            }
        }
        if self.calls.ring_out().is_some() {
            self.stop_ring_out();
        }
    }
}
