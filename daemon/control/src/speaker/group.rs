//! Calling all of a group at once: whoever answers talks with all others who do.

use std::collections::{BTreeSet, VecDeque};

use super::Speaker;
use super::calling::Purpose;
use super::conference::MOST_PARTIES;
use crate::action::Peer;
use crate::call::{Call, CallId, EndReason, Event as On, How, Seat};
use crate::dialplan::{self, Rung};
use crate::prompts::Prompt;
use crate::switchboard::Draft;

impl Speaker {
    /// Calls everybody of a group.
    pub(super) fn call_group(&mut self, group: &str) {
        let members: Vec<String> = self.contacts.in_group(group).into_iter().map(|it| it.name.clone()).collect();
        if let [one] = members.as_slice() {
            return self.call_contact(one, None, None, Purpose::Talk);
        }
        let down: BTreeSet<_> = self.down.keys().cloned().collect();
        let mut ways = Vec::new();
        for name in &members {
            let Some(contact) = self.contacts.get(name).cloned().and_then(|it| self.where_present(it).ok()) else { continue };
            let rungs = dialplan::to_contact(&contact, None, &self.settings, &down).unwrap_or_default();
            let rungs: VecDeque<Rung> = rungs.into_iter().filter(|it| !self.is_down(&it.to)).collect();
            ways.extend((!rungs.is_empty()).then(|| (name.clone(), rungs)));
        }
        // Those who talk together elsewhere would be joined by whoever answers.
        if self.calls.parties().next().is_some() {
            return self.deny(&Prompt::OthersShared);
        }
        if ways.is_empty() {
            return self.refuse(false, group, EndReason::NotFound, &Prompt::NobodyOfGroup(group.into()));
        }
        self.step_aside();
        self.busy_until = None;
        ways.truncate(MOST_PARTIES);
        for (name, mut rest) in ways {
            let Some(rung) = rest.pop_front() else { continue };
            let peer = Peer { name, address: rung.to.clone(), known: true };
            let draft = Draft { peer, rest, others: Vec::new(), group: Some(group.into()), how: How::Ring, seat: Seat::Alone };
            self.calls.dial(self.now, rung, draft, &mut self.lines);
        }
        self.hush();
        self.say(&Prompt::CallingGroup(group.into()));
    }

    /// Lets those go who are being called, and all who are called together with them.
    pub(super) fn stop_ring_out(&mut self) {
        let Some(first) = self.calls.ring_out() else { return };
        let group = first.group.clone();
        let together = |it: &&Call| it.is_ring_out() && (it.id == first.id || (group.is_some() && it.group == group));
        let those: Vec<CallId> = self.calls.all().filter(together).map(|it| it.id).collect();
        for id in those {
            self.calls.handle(self.now, id, On::HangUp, &mut self.lines);
        }
    }

    /// The first of a group has answered: the others come to the two of us.
    pub(super) fn gather(&mut self, call: &Call) {
        let rings = |it: &&Call| it.is_ring_out() && it.group == call.group && it.seat == Seat::Alone;
        let others: Vec<CallId> = self.calls.all().filter(rings).map(|it| it.id).collect();
        if call.group.is_none() || others.is_empty() {
            return;
        }
        self.seat(call.id, Seat::Joined);
        for id in others {
            self.seat(id, Seat::Invited { asked: false });
        }
    }

    /// Whether this was the last of a group.
    pub(super) fn is_last_of_group(&self, call: &Call) -> bool {
        !self.calls.all().any(|it| it.id != call.id && it.group == call.group)
    }
}
