//! Who may be heard and who may listen: tones, ducking, the microphone gate. What should be is worked out anew after each input from what
//! is; only the difference becomes actions. So a gate cannot be forgotten open.

use std::collections::BTreeSet;

use crate::action::{SoundAction, Tone};
use crate::call::{Call, CallId, State};
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
    /// The call whose party hears our microphone.
    pub microphone: Option<CallId>,
    /// The call that we hear.
    pub heard: Option<CallId>,
    /// What is lowered.
    pub ducked: BTreeSet<Bus>,
}

/// What should be, given the calls. `quiet`: somebody commands or a prompt speaks; `busy`: the busy tone has not ended yet.
pub fn wanted(calls: &Switchboard, muted: bool, quiet: bool, busy: bool) -> Wanted {
    let active = calls.active();
    let microphone = active.filter(|it| matches!(it.state, State::Connected { .. }) && !muted).map(|it| it.id);
    let has_sound = |it: &&Call| matches!(it.state, State::Connected { .. } | State::Held { .. } | State::EarlyMedia { .. });
    let heard = active.or_else(|| calls.ring_out()).filter(has_sound).map(|it| it.id);
    let tone = match (calls.ringing(), active, calls.ring_out()) {
        (Some(_), None, None) => Some(Tone::Ring),
        (Some(_), _, _) => Some(Tone::CallWaiting),
        (None, None, Some(call)) if matches!(call.state, State::Ringback { .. }) => Some(Tone::Ringback),
        (None, None, None) if busy => Some(Tone::Busy),
        (None, _, _) => None,
    };
    let mut ducked = BTreeSet::new();
    if quiet && heard.is_some() {
        ducked.insert(Bus::Call);
    }
    if quiet && tone.is_some() {
        ducked.insert(Bus::Ring);
    }
    Wanted { tone, microphone, heard, ducked }
}

impl Focus {
    /// Makes what is into what should be: what closes first, then what opens.
    pub fn settle(&mut self, wanted: Wanted, actions: &mut Vec<SoundAction>) {
        let was = std::mem::replace(&mut self.now, wanted);
        let is = &self.now;
        if let Some(call) = was.microphone.filter(|_| was.microphone != is.microphone) {
            actions.push(SoundAction::CloseMic(call));
        }
        if let Some(call) = was.heard.filter(|_| was.heard != is.heard) {
            actions.push(SoundAction::Silence(call));
        }
        match (was.tone, is.tone) {
            (was, is) if was == is => (),
            (_, Some(tone)) => actions.push(SoundAction::Tone(tone)),
            (_, None) => actions.push(SoundAction::StopTone),
        }
        actions.extend(was.ducked.difference(&is.ducked).map(|bus| SoundAction::Unduck(*bus)));
        actions.extend(is.ducked.difference(&was.ducked).map(|bus| SoundAction::Duck(*bus)));
        if let Some(call) = is.heard.filter(|_| was.heard != is.heard) {
            actions.push(SoundAction::Unsilence(call));
        }
        if let Some(call) = is.microphone.filter(|_| was.microphone != is.microphone) {
            actions.push(SoundAction::OpenMic(call));
        }
    }
}
