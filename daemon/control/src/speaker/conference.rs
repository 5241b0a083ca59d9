//! Several who talk together: adding somebody, and what happens when they come and go.

use super::Speaker;
use super::calling::Purpose;
use crate::action::{Earcon, Event, LineAction, SoundAction};
use crate::call::{Call, CallId, EndReason, Event as On, How, Seat, State};
use crate::conversation::Target;
use crate::prompts::Prompt;

/// How many others can be in one call with us, those included who are being called.
pub(super) const MOST_PARTIES: usize = 10;

impl Speaker {
    /// Adds whom somebody has typed.
    pub(super) fn add_typed(&mut self, text: &str) {
        match self.carried_here() {
            Some(id) => self.ask_to_add(id, text.into()),
            None => self.call_typed(text, Purpose::Add { asked: false }),
        }
    }

    /// Adds whom the dialogue has made out.
    pub(super) fn add(&mut self, target: Target) {
        match (self.carried_here(), target) {
            (Some(id), Target::Contact { name: whom, .. } | Target::Number(whom) | Target::Group(whom)) => {
                self.ask_to_add(id, whom)
            }
            (None, target) => self.call(target, Purpose::Add { asked: false }),
        }
    }

    fn ask_to_add(&mut self, id: CallId, whom: String) {
        self.say(&Prompt::Calling(whom.clone()));
        self.lines.push(LineAction::Ask(id, crate::call::Ask::Add(whom)));
    }

    /// The call that another room carries here, if it is the one that is talked in.
    pub(super) fn carried_here(&self) -> Option<CallId> {
        self.calls.active().filter(|it| it.is_carried_here() && it.is_up()).map(|it| it.id)
    }

    /// Sees to it that there are others whom somebody can be added to, or who can be moved: those who talk here, or are carried, or wait.
    /// `asked`: the room that they are carried to means them, whatever goes on here.
    pub(super) fn others(&mut self, asked: bool) -> Result<(), Prompt> {
        if asked {
            return Ok(());
        }
        let shared = self.calls.joined().next().is_some();
        let base = match self.calls.active() {
            Some(call) if call.seat == Seat::Joined => return Ok(()),
            Some(_) if shared => return Err(Prompt::OthersShared),
            Some(call) => Some(call),
            None if shared && self.calls.carrier.is_some() => return Ok(()),
            // Somebody else is being called, and those who wait go on waiting.
            None if self.calls.ring_out().is_some_and(|it| it.seat == Seat::Alone) => return Err(Prompt::NoCall),
            None if shared => return Ok(()),
            None => self.calls.parked(),
        };
        let Some(id) = base.filter(|it| it.is_up() && it.how != How::Listen).map(|it| it.id) else { return Err(Prompt::NoCall) };
        self.seat(id, Seat::Joined);
        Ok(())
    }

    /// Whether one more fits in.
    pub(super) fn is_full(&self) -> bool {
        let invited = self.calls.invited().filter(|it| !it.is_leg()).count();
        self.calls.parties().count() + invited >= MOST_PARTIES
    }

    pub(super) fn seat(&mut self, id: CallId, seat: Seat) {
        if let Some(call) = self.calls.get_mut(id) {
            call.seat = seat;
        }
    }

    /// Somebody who was invited is there.
    pub(super) fn joins(&mut self, call: Call) {
        self.seat(call.id, Seat::Joined);
        if call.is_leg() {
            return self.handed_over(&call);
        }
        self.hush();
        self.recall();
        if !self.calls.away {
            self.sounds.push(SoundAction::Earcon(Earcon::Joined));
        }
        self.report(Event::Answered(call.id, call.peer));
    }

    /// Takes back those of them whom we have on hold: they shall hear the others.
    pub(super) fn recall(&mut self) {
        let held: Vec<CallId> = self.calls.joined().filter(|it| it.is_parked()).map(|it| it.id).collect();
        for id in held {
            self.calls.handle(self.now, id, On::Resume, &mut self.lines);
        }
    }

    /// One of several has left, or has not come.
    pub(super) fn leaves(&mut self, call: &Call, reason: EndReason) {
        let asked = matches!(call.seat, Seat::Invited { asked: true });
        if asked {
            if reason != EndReason::WeHungUp {
                self.cannot(call.peer.address.room_name().unwrap_or(&call.peer.name).to_string(), reason);
            }
            return;
        }
        if (self.calls.away && call.seat == Seat::Joined) || reason == EndReason::WeHungUp {
            return;
        }
        if call.seat == Seat::Joined {
            self.sounds.push(SoundAction::Earcon(Earcon::Left));
        }
        self.say(&self.not_let_in(call, reason));
        if call.is_leg() && !self.calls.away {
            self.say(&Prompt::StaysHere);
        }
    }

    /// Tells the room that carries our call that what it asked for cannot be.
    pub(super) fn cannot(&mut self, whom: String, why: EndReason) {
        if let Some(carrier) = self.calls.carrier {
            self.lines.push(LineAction::Ask(carrier, crate::call::Ask::Cannot(whom, why)));
        }
    }

    /// Ends all that belongs together.
    pub(super) fn hang_up_all(&mut self) {
        self.calls.carrier = None;
        let belong: Vec<CallId> = self.calls.joined().chain(self.calls.invited()).map(|it| it.id).collect();
        for id in belong {
            self.calls.handle(self.now, id, On::HangUp, &mut self.lines);
            if self.calls.away {
                self.seat(id, Seat::Elsewhere);
            }
        }
    }

    /// Who is alone is in no conference; where nobody is left, nobody is waited for.
    pub(super) fn tend(&mut self) {
        if let Some(carrier) = self.calls.carrier
            && self.calls.parties().next().is_none()
        {
            self.calls.carrier = None;
            self.calls.handle(self.now, carrier, On::HangUp, &mut self.lines);
        }
        let parties: Vec<(CallId, State)> = self.calls.parties().map(|it| (it.id, it.state)).collect();
        let invited: Vec<(CallId, bool)> = self.calls.invited().map(|it| (it.id, it.is_leg())).collect();
        match (parties.as_slice(), invited.as_slice()) {
            ([], _) => {
                self.calls.away = false;
                for (id, is_leg) in invited {
                    // Who was to come to others who are gone must not come to somebody else.
                    let group = self.calls.get(id).and_then(|it| it.group.clone());
                    let other = |it: &Call| it.seat == Seat::Alone && (group.is_none() || it.group != group);
                    let others = self.calls.all().any(|it| other(it) && (it.is_ring_out() || it.is_active()));
                    match is_leg || others {
                        true => self.calls.handle(self.now, id, On::HangUp, &mut self.lines),
                        false => self.seat(id, Seat::Alone),
                    }
                }
            }
            ([(id, _)], []) if self.calls.carrier.is_none() => {
                self.seat(*id, Seat::Alone);
                if std::mem::take(&mut self.calls.away) {
                    self.calls.handle(self.now, *id, On::Hold, &mut self.lines);
                }
            }
            _ => (),
        }
    }
}
