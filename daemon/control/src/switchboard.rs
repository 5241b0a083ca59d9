//! The set of calls: one has the microphone, others ring, wait or are held; some belong together.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::action::{CallState, LineAction, Peer};
use crate::call::{Call, CallId, Event, How, Seat, State};
use crate::dialplan::Rung;
use crate::time::Time;

/// All calls that are not over.
#[derive(Debug, Default)]
pub struct Switchboard {
    calls: BTreeMap<CallId, Call>,
    dialled: u32,
    /// Those who are joined talk without this room.
    pub away: bool,
    /// The leg to the room where they talk instead.
    pub carrier: Option<CallId>,
}

/// A call that is about to be placed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// With whom.
    pub peer: Peer,
    /// What is left to try if nobody answers here.
    pub rest: VecDeque<Rung>,
    /// Contacts who could have been meant instead.
    pub others: Vec<String>,
    /// The group whose members are called together with this one.
    pub group: Option<String>,
    /// How it wants to be taken.
    pub how: How,
    /// Whether it comes to others.
    pub seat: Seat,
}

impl Switchboard {
    /// Places a call at the first rung. Whoever calls this has seen to the others.
    pub fn dial(&mut self, now: Time, rung: Rung, draft: Draft, actions: &mut Vec<LineAction>) -> CallId {
        self.dialled += 1;
        let id = CallId::Out(self.dialled);
        let state = State::Dialing { until: now + rung.ring_for };
        let Draft { peer, rest, others, group, how, seat } = draft;
        actions.push(LineAction::Dial { call: id, line: rung.line, to: rung.to, how: how.clone() });
        self.calls.insert(id, Call { id, peer, state, rest, others, group, how, seat, at_most: None });
        id
    }

    /// Lets a call in. One whose name is taken changes nothing: the line has told it twice.
    pub fn incoming(&mut self, now: Time, id: CallId, peer: Peer, how: How, ring_for: Duration) -> bool {
        if self.calls.contains_key(&id) || !matches!(id, CallId::In(_)) {
            return false;
        }
        let state = State::Ringing { until: now + ring_for };
        let (rest, others) = (VecDeque::new(), Vec::new());
        self.calls.insert(id, Call { id, peer, state, rest, others, group: None, how, seat: Seat::Alone, at_most: None });
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

    /// A call by name, to be changed.
    pub fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        self.calls.get_mut(&id)
    }

    /// All of them, those that ring or are being ended too.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.calls.values()
    }

    /// Whether the room has to do with it now: it is on its own, or the room is among those it belongs to.
    pub fn is_here(&self, call: &Call) -> bool {
        !self.away || call.seat == Seat::Alone
    }

    /// The call that is being talked in, or the first of several.
    pub fn active(&self) -> Option<&Call> {
        let here = || self.calls.values().filter(|it| it.is_active() && self.is_here(it));
        let connected = |it: &&Call| matches!(it.state, State::Connected { .. });
        here().find(connected).or_else(|| here().find(|it| it.is_up())).or_else(|| here().next())
    }

    /// The call that we wait for the other end to answer.
    pub fn ring_out(&self) -> Option<&Call> {
        self.calls.values().find(|it| it.is_ring_out() && self.is_here(it))
    }

    /// The call that rings here.
    pub fn ringing(&self) -> Option<&Call> {
        self.calls.values().find(|it| it.is_ringing())
    }

    /// The call that we put on hold last or, after others, first; or those from whom the room has stepped aside.
    pub fn parked(&self) -> Option<&Call> {
        let aside = self.away && self.carrier.is_none();
        self.calls.values().rev().find(|it| it.is_parked()).or_else(|| self.joined().find(|_| aside))
    }

    /// Those who belong together, the leg to another room among them.
    pub fn joined(&self) -> impl Iterator<Item = &Call> {
        self.calls.values().filter(|it| it.seat == Seat::Joined && it.is_up())
    }

    /// The same without the leg.
    pub fn parties(&self) -> impl Iterator<Item = &Call> {
        self.joined().filter(|it| !it.is_leg())
    }

    /// Those who are about to join.
    pub fn invited(&self) -> impl Iterator<Item = &Call> {
        self.calls.values().filter(|it| it.is_invited() && (it.is_ring_out() || it.is_active()))
    }

    /// The call that the outside is told of.
    pub fn foremost(&self) -> Option<&Call> {
        // Who was turned away as busy has never been in the room.
        let ending = || self.calls.values().find(|it| !it.is_turned_away());
        let ours = self.active().or_else(|| self.ring_out()).or_else(|| self.ringing());
        ours.or_else(|| self.parked()).or_else(|| self.parties().next()).or_else(ending)
    }

    /// A call as the outside sees it.
    pub fn seen(&self, call: &Call) -> CallState {
        match call.seat {
            Seat::Joined if self.away && call.is_up() && self.carrier.is_some() => CallState::Carried,
            Seat::Joined if self.away && call.is_up() => CallState::Held,
            _ => call.seen(),
        }
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
