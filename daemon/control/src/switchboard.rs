//! The set of calls: one has the microphone, others ring, wait or are held.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::action::{LineAction, Peer};
use crate::call::{Call, CallId, Event, How, State};
use crate::dialplan::Rung;
use crate::time::Time;

/// All calls that are not over.
#[derive(Debug, Default)]
pub struct Switchboard {
    calls: BTreeMap<CallId, Call>,
    dialled: u32,
}

impl Switchboard {
    /// Places a call at the first rung. At most one is dialled or talked in: whoever calls this has seen to the others.
    pub fn dial(
        &mut self,
        now: Time,
        peer: Peer,
        rung: Rung,
        rest: VecDeque<Rung>,
        others: Vec<String>,
        actions: &mut Vec<LineAction>,
    ) -> CallId {
        self.dialled += 1;
        let id = CallId::Out(self.dialled);
        let state = State::Dialing { until: now + rung.ring_for };
        actions.push(LineAction::Dial { call: id, line: rung.line, to: rung.to, how: How::Ring });
        self.calls.insert(id, Call { id, peer, state, rest, others });
        id
    }

    /// Lets a call in. One whose name is taken changes nothing: the line has told it twice.
    pub fn incoming(&mut self, now: Time, id: CallId, peer: Peer, ring_for: Duration) -> bool {
        if self.calls.contains_key(&id) || !matches!(id, CallId::In(_)) {
            return false;
        }
        let state = State::Ringing { until: now + ring_for };
        self.calls.insert(id, Call { id, peer, state, rest: VecDeque::new(), others: Vec::new() });
        true
    }

    /// Takes a call on. Calls that we do not know are over: nothing happens.
    pub fn handle(&mut self, now: Time, id: CallId, event: Event, actions: &mut Vec<LineAction>) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.handle(now, event, actions);
        }
    }

    /// Lets time pass in the calls whose deadline has come.
    pub fn handle_timeout(&mut self, now: Time, actions: &mut Vec<LineAction>) {
        for call in self.calls.values_mut().filter(|it| it.deadline().is_some_and(|due| due <= now)) {
            call.handle(now, Event::TimeUp, actions);
        }
    }

    /// The next deadline of any call.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.calls.values().filter_map(Call::deadline).min()
    }

    /// Takes out a call that is over.
    pub fn take_ended(&mut self) -> Option<Call> {
        let id = self.calls.values().find(|it| matches!(it.state, State::Ended { .. }))?.id;
        self.calls.remove(&id)
    }

    /// A call by name.
    pub fn get(&self, id: CallId) -> Option<&Call> {
        self.calls.get(&id)
    }

    /// The call that is being talked in.
    pub fn active(&self) -> Option<&Call> {
        self.calls.values().find(|it| it.is_active())
    }

    /// The call that we wait for the other end to answer.
    pub fn ring_out(&self) -> Option<&Call> {
        self.calls.values().find(|it| it.is_ring_out())
    }

    /// The call that rings here.
    pub fn ringing(&self) -> Option<&Call> {
        self.calls.values().find(|it| it.is_ringing())
    }

    /// The call that we put on hold last or, after others, first.
    pub fn parked(&self) -> Option<&Call> {
        self.calls.values().rev().find(|it| it.is_parked())
    }

    /// The call that the outside is told of.
    pub fn foremost(&self) -> Option<&Call> {
        // Who was turned away as busy has never been in the room.
        let ending = || self.calls.values().find(|it| !it.is_turned_away());
        self.active().or_else(|| self.ring_out()).or_else(|| self.ringing()).or_else(|| self.parked()).or_else(ending)
    }

    /// The call with somebody, if it is in such a state.
    pub fn with(&self, name: &str, is: fn(&Call) -> bool) -> Option<&Call> {
        self.calls.values().find(|it| it.peer.name == name && is(it))
    }

    /// Whether there is no call at all, not even one that is being ended.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }
}
