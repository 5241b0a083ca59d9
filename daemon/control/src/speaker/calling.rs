//! Placing calls: by name, number or address, again, back, and in an emergency.

use std::collections::{BTreeSet, VecDeque};

use super::Speaker;
use crate::action::{Peer, Report};
use crate::call::{Call, EndReason, Event as On};
use crate::contacts::Contact;
use crate::conversation::Target;
use crate::dialplan::{self, LineName, NoWay, Rung, Uri};
use crate::intent::Intent;
use crate::prompts::Prompt;

/// What somebody has typed is spoken up to here.
pub(super) const LONGEST_NAME: usize = 60;

impl Speaker {
    /// Calls whom the dialogue has made out.
    pub(super) fn call(&mut self, target: Target) {
        match target {
            Target::Contact { name, label } => self.call_contact(&name, label.as_deref(), None),
            Target::Number(number) => match Uri::parse(&format!("tel:{number}")) {
                Ok(to) => self.call_address(&to, None),
                Err(_) => self.deny(&Prompt::NoContact(number)),
            },
        }
    }

    /// Calls what a person has typed: emergency numbers first, then names, then other numbers and addresses.
    pub(super) fn call_typed(&mut self, text: &str) {
        let number = dialplan::number(text);
        if let Some(number) = number.filter(|it| dialplan::is_emergency(it, &self.settings.lines)) {
            return self.call(Target::Number(number));
        }
        let named: Vec<String> = self.contacts.named(text, &self.phrases).into_iter().map(|it| it.name.clone()).collect();
        let typed = if named.is_empty() { self.sentences.typed(text) } else { Some(Intent::Dial { who: named, label: None }) };
        match (typed, Uri::parse(text)) {
            (Some(Intent::Dial { who, label }), _) => match who.as_slice() {
                [name] => self.call_contact(name, label.as_deref(), None),
                _ => self.deny(&Prompt::DidYouMean(who)),
            },
            (_, Ok(to)) => self.call_address(&to, None),
            (_, Err(_)) => self.deny(&Prompt::NoContact(text.trim().chars().take(LONGEST_NAME).collect())),
        }
    }

    /// Calls somebody of before: a contact at the address of then first.
    pub(super) fn call_peer(&mut self, peer: &Peer) {
        match self.contacts.get(&peer.name).filter(|_| peer.known) {
            Some(_) => self.call_contact(&peer.name, None, Some(&peer.address)),
            None => self.call_address(&peer.address, Some(&peer.name)),
        }
    }

    /// Calls the first emergency number that any line has.
    pub(super) fn call_emergency(&mut self) {
        let first = self.settings.lines.iter().flat_map(|it| &it.emergency).next().cloned();
        match first {
            Some(number) => self.call(Target::Number(number)),
            None => self.deny(&Prompt::NoEmergency),
        }
    }

    fn call_contact(&mut self, name: &str, label: Option<&str>, first: Option<&Uri>) {
        let Some(contact) = self.contacts.get(name).cloned() else { return self.deny(&Prompt::NoContact(name.into())) };
        if self.calls.with(name, |it| it.is_active() || it.is_ring_out()).is_some() {
            return self.deny(&Prompt::AlreadyTalking(name.into()));
        }
        if self.calls.with(name, Call::is_ringing).is_some() {
            return self.answer();
        }
        let contact = match self.where_present(contact) {
            Ok(contact) => contact,
            Err(prompt) => return self.deny(&prompt),
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
        self.place(name, true, rungs, others, emergency.is_some());
    }

    fn call_address(&mut self, to: &Uri, name: Option<&str>) {
        if let Some(slug) = to.person() {
            let person = self.contacts.people.iter().find(|it| it.slug() == slug).map(|it| it.name.clone());
            return self.call_contact(&person.unwrap_or(slug.into()), None, None);
        }
        let emergency = dialplan::emergency(to, &self.settings).is_some();
        if let Some(contact) = self.contacts.at(to, &self.settings.lines).filter(|_| !emergency && to.scheme() != "tel") {
            let name = contact.name.clone();
            if self.calls.with(&name, |it| it.is_active() || it.is_ring_out() || it.is_ringing()).is_some() {
                return self.call_contact(&name, None, None);
            }
        }
        let rungs = dialplan::to_address(to, &self.settings, &self.lines_that_are_down());
        let known = self.contacts.at(to, &self.settings.lines).map(|it| it.name.clone());
        let shown = known.clone().or(name.map(String::from)).or(to.user().map(String::from)).unwrap_or_else(|| to.to_string());
        self.place(&shown, known.is_some(), rungs, Vec::new(), emergency);
    }

    fn lines_that_are_down(&self) -> BTreeSet<LineName> {
        self.down.keys().cloned().collect()
    }

    /// Places the call. Whoever was being called is let go, whoever was talked to is put on hold.
    fn place(&mut self, name: &str, known: bool, rungs: Result<VecDeque<Rung>, NoWay>, others: Vec<String>, emergency: bool) {
        let mut rungs = match rungs {
            Ok(rungs) => rungs,
            Err(NoWay::LineDown) => return self.deny(&Prompt::Ended(EndReason::LineDown, name.into())),
            Err(NoWay::NoLabel) => return self.deny(&Prompt::NoLabel(name.into())),
            Err(NoWay::NoLine) => return self.deny(&Prompt::NoLine(name.into())),
        };
        let Some(rung) = rungs.pop_front() else { return self.deny(&Prompt::NoLine(name.into())) };
        self.step_aside();
        if let Some(ringing) = self.calls.ringing().filter(|_| emergency).map(|it| it.id) {
            self.calls.handle(self.now, ringing, On::Reject(EndReason::Busy), &mut self.lines);
        }
        if emergency && self.muted {
            self.set_muted(false);
        }
        self.busy_until = None;
        self.hush();
        let peer = Peer { name: name.into(), address: rung.to.clone(), known };
        self.calls.dial(self.now, peer.clone(), rung, rungs, others, &mut self.lines);
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

    /// Makes room for another call: puts the active one on hold, ends the ring-out.
    pub(super) fn step_aside(&mut self) {
        let now = self.now;
        if let Some(id) = self.calls.active().map(|it| it.id) {
            self.calls.handle(now, id, On::Hold, &mut self.lines);
            // What has been answered but has no media yet cannot be held.
            if self.calls.get(id).is_some_and(Call::is_active) {
                self.calls.handle(now, id, On::HangUp, &mut self.lines);
            }
        }
        if let Some(id) = self.calls.ring_out().map(|it| it.id) {
            self.calls.handle(now, id, On::HangUp, &mut self.lines);
        }
    }
}
