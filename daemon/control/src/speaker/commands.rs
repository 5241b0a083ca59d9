//! What can be asked for, by voice or otherwise.

use super::Speaker;
use super::calling::Purpose;
use crate::action::{Earcon, LineAction, Report, SettingReport, SoundAction};
use crate::call::{Call, CallId, EndReason, Event as On, How, Seat, State};
use crate::conversation::Dialogue;
use crate::input::{Bus, Command, VolumeChange, VolumeTo};
use crate::prompts::Prompt;

/// What "louder" and "quieter" change a volume by.
const VOLUME_STEP: u8 = 10;

impl Speaker {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Dial(whom) => self.call_typed(&whom, Purpose::Talk),
            Command::Answer => self.answer(),
            Command::Decline => self.decline(),
            Command::HangUp => self.hang_up(),
            Command::Redial => match self.history.last_dialled.clone() {
                Some(peer) => self.call_peer(&peer),
                None => self.deny(&Prompt::NothingToRedial),
            },
            Command::CallBack => match self.history.last_missed.clone().or(self.history.last_caller.clone()) {
                Some(peer) => self.call_peer(&peer),
                None => self.deny(&Prompt::NobodyCalled),
            },
            Command::Hold => match self.calls.active().filter(|it| !matches!(it.state, State::Accepted { .. })).map(|it| it.id) {
                Some(id) => {
                    match self.calls.get(id).is_some_and(|it| it.seat == Seat::Joined) {
                        true => self.calls.away = true,
                        false => self.on(id, On::Hold),
                    }
                    self.say(&Prompt::Held);
                }
                None => self.deny(&Prompt::NoCall),
            },
            Command::Resume => self.resume(),
            Command::Mute => self.mute(true),
            Command::Unmute => self.mute(false),
            Command::Volume(change) => self.volume(change),
            Command::DoNotDisturb(on) => {
                self.do_not_disturb = on;
                self.reports.push(Report::Setting(SettingReport::DoNotDisturb(on)));
                self.say(&if on { Prompt::DoNotDisturbOn } else { Prompt::DoNotDisturbOff });
            }
            Command::Dtmf(keys) => self.dtmf(&keys),
            Command::WhoIsCalling => self.who_is_calling(),
            Command::Repeat => {
                let (last, speaks) = self.last_said.clone();
                self.hush();
                self.speaks = speaks;
                self.say(&Prompt::Text(last));
            }
            Command::Cancel => self.cancel(),
            Command::Say(text) => {
                self.say(&Prompt::Text(text));
            }
            Command::Announce { text, to, urgent } => self.announce(text, to.as_deref(), urgent),
            Command::WhoCalled => self.who_called(),
            Command::ClearMissed => self.clear_missed(),
            Command::DropIn(room) => self.visit(&room, How::DropIn),
            Command::Listen(room) => self.visit(&room, How::Listen),
            Command::Move(room) => self.move_to(&room),
            Command::TakeBack => self.take_back(),
            Command::Add(whom) => self.add_typed(&whom),
            Command::FollowMe(on) => self.follow_me(on),
        }
    }

    fn on(&mut self, id: CallId, event: On) {
        self.calls.handle(self.now, id, event, &mut self.lines);
    }

    pub(super) fn answer(&mut self) {
        let Some(id) = self.calls.ringing().map(|it| it.id) else { return self.deny(&Prompt::NothingRings) };
        self.step_aside();
        self.hush();
        self.on(id, On::Accept);
    }

    fn decline(&mut self) {
        let Some(id) = self.calls.ringing().map(|it| it.id) else { return self.deny(&Prompt::NothingRings) };
        self.hush();
        self.on(id, On::Reject(EndReason::Declined));
    }

    fn hang_up(&mut self) {
        let calls = &self.calls;
        let call = calls.active().or(calls.ring_out()).or(calls.ringing()).or(calls.parked()).or(calls.parties().next());
        let Some((id, seat, rings)) = call.map(|it| (it.id, it.seat, it.is_ring_out())) else {
            return self.deny(&Prompt::NoCall);
        };
        self.hush();
        match seat {
            Seat::Joined => self.hang_up_all(),
            Seat::Alone if rings => self.stop_ring_out(),
            Seat::Alone | Seat::Invited { .. } | Seat::Elsewhere => self.on(id, On::HangUp),
        }
    }

    fn resume(&mut self) {
        let Some((id, seat)) = self.calls.parked().map(|it| (it.id, it.seat)) else { return self.deny(&Prompt::NothingHeld) };
        self.step_aside();
        match seat {
            Seat::Joined => {
                self.calls.away = false;
                self.recall();
            }
            Seat::Alone | Seat::Invited { .. } | Seat::Elsewhere => self.on(id, On::Resume),
        }
    }

    fn cancel(&mut self) {
        let ringing = self.calls.ringing().filter(|_| self.calls.active().is_none()).map(|it| it.id);
        let stoppable = self.calls.ring_out().map(|it| it.id).or(ringing);
        match (self.dialogue.is_open(), stoppable, self.speaking.is_empty()) {
            (true, _, _) => {
                self.hush();
                self.dialogue = Dialogue::Asleep;
                self.say(&Prompt::Okay);
            }
            (false, Some(id), _) => {
                self.hush();
                match self.calls.ring_out() {
                    Some(_) => self.stop_ring_out(),
                    None => self.on(id, On::HangUp),
                }
            }
            (false, None, false) => self.hush(),
            (false, None, true) if self.stop_announcement() => (),
            (false, None, true) => self.deny(&Prompt::NothingToCancel),
        }
    }

    /// Mute belongs to a call, so that nobody is left unheard in the next one.
    fn mute(&mut self, on: bool) {
        let listens = |it: &Call| it.is_outgoing() && it.how == How::Listen;
        let live = |it: &Call| (it.is_active() || it.is_ring_out() || it.is_parked()) && !listens(it);
        if !self.calls.foremost().is_some_and(live) {
            return self.deny(&Prompt::NoCall);
        }
        self.set_muted(on);
        self.say(&if on { Prompt::Muted } else { Prompt::Unmuted });
    }

    pub(super) fn set_muted(&mut self, on: bool) {
        self.muted = on;
        self.reports.push(Report::Setting(SettingReport::Muted(on)));
    }

    fn volume(&mut self, change: VolumeChange) {
        let in_call = self.calls.active().is_some() || self.calls.ring_out().is_some();
        let buses = match change.bus {
            Some(bus) => vec![bus],
            None if in_call => vec![Bus::Call],
            None => vec![Bus::Call, Bus::Ring, Bus::Announce],
        };
        for bus in buses {
            let volume = &mut self.volumes[bus as usize];
            *volume = match change.to {
                VolumeTo::Up => volume.saturating_add(VOLUME_STEP).min(100),
                VolumeTo::Down => volume.saturating_sub(VOLUME_STEP),
                VolumeTo::Percent(percent) => percent.min(100),
            };
            self.sounds.push(SoundAction::Volume(bus, *volume));
            self.reports.push(Report::Setting(SettingReport::Volume(bus, *volume)));
        }
        self.sounds.push(SoundAction::Earcon(Earcon::Understood));
    }

    fn dtmf(&mut self, keys: &str) {
        let keys = keys.trim().to_ascii_uppercase();
        if keys.is_empty() || !keys.chars().all(|c| c.is_ascii_digit() || "*#ABCD".contains(c)) {
            return self.deny(&Prompt::NotAKey);
        }
        let connected = |it: &&Call| matches!(it.state, State::Connected { .. });
        let Some(id) = self.calls.active().filter(connected).map(|it| it.id) else { return self.deny(&Prompt::NoCall) };
        self.lines.push(LineAction::Dtmf(id, keys));
        self.sounds.push(SoundAction::Earcon(Earcon::Understood));
    }

    fn who_is_calling(&mut self) {
        let name = |call: Option<&Call>| call.map(|it| it.peer.name.clone());
        let prompt =
            match (name(self.calls.ringing()), name(self.calls.active()), name(self.calls.ring_out()), name(self.calls.parked()))
            {
                (Some(name), ..) => Prompt::IsCalling(name),
                (_, Some(name), ..) => Prompt::TalkingTo(name),
                (_, _, Some(name), _) => Prompt::Calling(name),
                (.., Some(name)) => Prompt::OnHold(name),
                _ => Prompt::NobodyIsCalling,
            };
        self.say(&prompt);
    }
}
