//! Who may be heard and who may listen: tones, ducking, the microphone gate. What should be is worked out anew after each input from what
//! is; only the difference becomes actions. So a gate cannot be forgotten open.

use std::collections::BTreeSet;

use crate::action::{SoundAction, Tone};
use crate::call::{Call, CallId, How, Seat, State};
use crate::input::Bus;
use crate::switchboard::Switchboard;

/// What the sound engine has been told.
#[derive(Debug, Default)]
pub struct Focus {
    now: Wanted,
}

/// What should be.
#[derive(Debug, Default, PartialEq)]
pub struct Wanted {
    /// The tone that plays.
    pub tone: Option<Tone>,
    /// The calls whose parties hear our microphone.
    pub microphone: BTreeSet<CallId>,
    /// The calls that we hear.
    pub heard: BTreeSet<CallId>,
    /// The calls whose parties hear one another.
    pub bridged: BTreeSet<CallId>,
    /// What is lowered.
    pub ducked: BTreeSet<Bus>,
}

/// What should be, given the calls. `quiet`: somebody commands or a prompt speaks; `busy`: the busy tone has not ended yet.
pub fn wanted(calls: &Switchboard, muted: bool, quiet: bool, busy: bool) -> Wanted {
    let active = calls.active();
    let in_room: Vec<&Call> = match active {
        Some(one) if one.seat == Seat::Alone => vec![one],
        Some(_) => calls.joined().filter(|it| it.is_active()).collect(),
        None => Vec::new(),
    };
    // Who listens to another room is not heard there; who is listened to hears nobody.
    let speaks = |it: &&&Call| matches!(it.state, State::Connected { .. }) && !(it.is_outgoing() && it.how == How::Listen);
    let microphone = in_room.iter().filter(speaks).filter(|_| !muted).map(|it| it.id).collect();
    let has_sound = |it: &&Call| it.is_up() || matches!(it.state, State::EarlyMedia { .. });
    let loud = |it: &&Call| has_sound(it) && (it.is_outgoing() || it.how != How::Listen);
    let mut heard: BTreeSet<CallId> = in_room.into_iter().filter(loud).map(|it| it.id).collect();
    if active.is_none() {
        heard.extend(calls.ring_out().filter(has_sound).map(|it| it.id));
    }
    let bridged = calls.joined().filter(|it| matches!(it.state, State::Connected { .. })).map(|it| it.id).collect();
    // Who only listens to another room is called as if nothing were going on.
    let talking = active.filter(|it| it.how != How::Listen);
    let tone = match (calls.ringing(), talking, calls.ring_out()) {
        (Some(_), None, None) => Some(Tone::Ring),
        (Some(_), _, _) => Some(Tone::CallWaiting),
        (None, None, Some(call)) if matches!(call.state, State::Ringback { .. }) => Some(Tone::Ringback),
        (None, None, None) if busy => Some(Tone::Busy),
        (None, _, _) => None,
    };
    let mut ducked = BTreeSet::new();
    if quiet && !heard.is_empty() {
        ducked.insert(Bus::Call);
    }
    if quiet && tone.is_some() {
        ducked.insert(Bus::Ring);
    }
    Wanted { tone, microphone, heard, bridged, ducked }
}

impl Focus {
    /// Makes what is into what should be: those who shall hear one another do before the room leaves them, or else what closes comes first,
    /// then what opens.
    pub fn settle(&mut self, wanted: Wanted, actions: &mut Vec<SoundAction>) {
        let was = std::mem::replace(&mut self.now, wanted);
        let is = &self.now;
        actions.extend(is.bridged.difference(&was.bridged).map(|call| SoundAction::Bridge(*call)));
        actions.extend(was.microphone.difference(&is.microphone).map(|call| SoundAction::CloseMic(*call)));
        actions.extend(was.heard.difference(&is.heard).map(|call| SoundAction::Silence(*call)));
        match (was.tone, is.tone) {
            (was, is) if was == is => (),
            (_, Some(tone)) => actions.push(SoundAction::Tone(tone)),
            (_, None) => actions.push(SoundAction::StopTone),
        }
        actions.extend(was.ducked.difference(&is.ducked).map(|bus| SoundAction::Unduck(*bus)));
        actions.extend(is.ducked.difference(&was.ducked).map(|bus| SoundAction::Duck(*bus)));
        actions.extend(is.heard.difference(&was.heard).map(|call| SoundAction::Unsilence(*call)));
        actions.extend(is.microphone.difference(&was.microphone).map(|call| SoundAction::OpenMic(*call)));
        actions.extend(was.bridged.difference(&is.bridged).map(|call| SoundAction::Unbridge(*call)));
    }
}
