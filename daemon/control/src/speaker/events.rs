//! What the speaker makes of words heard and of notices of lines and sound.

use super::calling::Purpose;
use super::{BUSY_FOR, Speaker};
use crate::action::{Earcon, Event, Peer, Report, SoundAction};
use crate::call::{self, Call, CallId, EndReason, How, Seat, State};
use crate::conversation::{self, Dialogue, Question, Said, Step, Target};
use crate::dialplan::{self, Uri};
use crate::input::{Command, Heard, LineEvent, SoundNotice, VolumeChange};
use crate::intent::Intent;
use crate::prompts::Prompt;
use crate::switchboard::Draft;

impl Speaker {
    pub(super) fn heard(&mut self, heard: Heard) {
        match heard {
            heard if self.is_not_yet_ours(&heard) => (),
            Heard::Wake { score } => self.wake(score),
            Heard::Sentence { text, confidence, woken } => self.sentence(&text, confidence, woken),
            Heard::Open { text, confidence, goes_on } => self.open(&text, confidence, goes_on),
            Heard::Recorded(id) => self.recorded(id),
            Heard::Rejected => self.not_understood(),
            Heard::Nothing if self.dialogue.is_open() => {
                self.dialogue = Dialogue::Asleep;
                self.sounds.push(SoundAction::Earcon(Earcon::Rejected));
            }
            Heard::Nothing => (),
        }
    }

    fn sentence(&mut self, text: &str, confidence: f32, woken: bool) {
        if matches!(self.dialogue, Dialogue::Recording { .. }) {
            return;
        }
        let meant = self.meant(text);
        let corrects = meant.as_ref().is_some_and(|(it, _)| it.corrects || matches!(it.intent, Intent::Rather(_)));
        let intent = meant.as_ref().map(|(it, _)| it.intent.clone());
        let said = Said { text, intent: intent.clone(), corrects, confidence, woken };
        let scope = self.scope();
        let step = self.dialogue.decide(&said, scope, &self.contacts, &self.phrases, &self.settings);
        if let Some((_, language)) = meant.filter(|_| !matches!(step, Step::Ignore)) {
            self.speaks = language;
        }
        if !matches!(step, Step::Ignore | Step::Reject) {
            let contact = match (&step, &intent) {
                (Step::Call(Target::Contact { name, .. }) | Step::Add(Target::Contact { name, .. }), _) => Some(name.clone()),
                (_, intent) => intent.as_ref().and_then(|it| it.contact()).map(String::from),
            };
            // The bare name that answers a question is a call too.
            let intent = intent.as_ref().map_or("dial", Intent::name);
            self.report(Event::Heard { text: text.into(), intent, contact, confidence });
        }
        match step {
            Step::Ignore => (),
            Step::Reject => self.not_understood(),
            Step::AskAgain => self.ask_again(),
            Step::Ask(question) => {
                self.hush();
                if corrects && self.calls.ring_out().is_some() {
                    self.stop_ring_out();
                }
                self.ask(question);
            }
            Step::Drop => {
                self.close();
                self.say(&Prompt::Okay);
            }
            Step::NoOther => {
                self.close();
                self.deny(&Prompt::NoOther);
            }
            Step::Call(target) => {
                self.close();
                self.call(target, Purpose::Talk);
            }
            Step::Add(target) => {
                self.close();
                self.add(target);
            }
            Step::Do(intent) => {
                self.close();
                self.act(intent);
            }
        }
    }

    /// Ends the dialogue, and a question that is still being spoken.
    pub(super) fn close(&mut self) {
        if self.dialogue.question().is_some() {
            self.hush();
        }
        self.dialogue = Dialogue::Asleep;
    }

    /// Something was said to us and makes no sense: a question is asked once more, or that it was not understood is told once; then a sign is
    /// given. Talk that was not for us is nobody's business.
    pub(super) fn not_understood(&mut self) {
        if !self.dialogue.is_open() {
            return;
        }
        self.report(Event::Rejected);
        match self.dialogue {
            Dialogue::Asking { again: false, .. } => self.ask_again(),
            Dialogue::Listening { again: false, .. } => {
                self.hush();
                let prompt = self.say(&Prompt::NotUnderstood);
                self.dialogue.listen_again(self.now, prompt, self.settings.listen_for);
                self.scope = None;
            }
            Dialogue::Asleep | Dialogue::Listening { .. } | Dialogue::Asking { .. } | Dialogue::Recording { .. } => {
                self.dialogue = Dialogue::Asleep;
                self.sounds.push(SoundAction::Earcon(Earcon::Rejected));
            }
        }
    }

    fn ask_again(&mut self) {
        let Some(question) = self.dialogue.question().cloned() else { return };
        self.hush();
        self.ask(question);
    }

    fn ask(&mut self, question: Question) {
        let prompt = self.say(&question.prompt(&self.contacts, self.spoken()));
        self.dialogue.ask(self.now, question, prompt, self.settings.listen_for);
        self.scope = None;
    }

    /// Does what was said. Calls have gone through the dialogue before.
    fn act(&mut self, intent: Intent) {
        let command = match intent {
            Intent::Answer => Command::Answer,
            Intent::Decline => Command::Decline,
            Intent::HangUp => Command::HangUp,
            Intent::Redial => Command::Redial,
            Intent::CallBack => Command::CallBack,
            Intent::Volume(to) => Command::Volume(VolumeChange { bus: None, to }),
            Intent::Mute => Command::Mute,
            Intent::Unmute => Command::Unmute,
            Intent::Hold => Command::Hold,
            Intent::Resume => Command::Resume,
            Intent::Dtmf(keys) => Command::Dtmf(keys),
            Intent::DoNotDisturb(on) => Command::DoNotDisturb(on),
            Intent::DropIn(room) => Command::DropIn(room),
            Intent::Listen(room) => Command::Listen(room),
            Intent::Move(room) => Command::Move(room),
            Intent::TakeBack => Command::TakeBack,
            Intent::FollowMe(on) => Command::FollowMe(on),
            Intent::WhoIsCalling => Command::WhoIsCalling,
            Intent::WhoCalled => Command::WhoCalled,
            Intent::ClearMissed => Command::ClearMissed,
            Intent::Repeat => Command::Repeat,
            // "Hark ... never mind."
            Intent::Cancel if self.stop_announcement() => return,
            Intent::Cancel | Intent::No if self.calls.ring_out().is_none() && self.calls.ringing().is_none() => {
                self.say(&Prompt::Okay);
                return;
            }
            Intent::Cancel | Intent::No => Command::Cancel,
            Intent::Emergency => return self.call_emergency(),
            Intent::Other(who) => return self.call_other(&who),
            Intent::Dial { .. } | Intent::DialGroup(_) | Intent::DialNumber(_) | Intent::Add(_) => return,
            Intent::Rather(_) | Intent::Yes | Intent::Choose(_) => return,
        };
        self.command(command);
    }

    /// "No, the other Anna": not the one being called.
    fn call_other(&mut self, who: &[String]) {
        let Some(call) = self.calls.ring_out() else { return self.deny(&Prompt::NoOther) };
        let not = call.peer.name.clone();
        self.hush();
        self.stop_ring_out();
        match conversation::other(who, &not, &self.contacts, &self.phrases) {
            Step::Call(target) => self.call(target, Purpose::Talk),
            Step::Ask(question) => self.ask(question),
            _ => self.deny(&Prompt::NoOther),
        }
    }

    pub(super) fn line(&mut self, event: LineEvent) {
        use call::Event as On;
        let (id, event) = match event {
            LineEvent::Up(line) => {
                self.down.remove(&line);
                return self.reports.push(Report::Line { line, up: Ok(()) });
            }
            LineEvent::Down(line, why) => {
                self.down.insert(line.clone(), why.clone());
                return self.reports.push(Report::Line { line, up: Err(why) });
            }
            LineEvent::Incoming { call, line: _, from, display, how } => return self.incoming(call, from, &display, how),
            LineEvent::Dtmf(id, key) => {
                if self.calls.get(id).is_some_and(|it| matches!(it.state, State::Connected { .. } | State::Held { .. })) {
                    self.report(Event::Dtmf(id, key));
                }
                return;
            }
            LineEvent::Asked(id, ask) => return self.asked(id, ask),
            LineEvent::Alerting(id) => (id, On::Alerting),
            LineEvent::EarlyMedia(id) => (id, On::EarlyMedia),
            LineEvent::Answered(id) => (id, On::Answered),
            LineEvent::HeldByThem(id) => (id, On::HeldByThem),
            LineEvent::ResumedByThem(id) => (id, On::ResumedByThem),
            LineEvent::Ended(id, reason) => (id, On::Ended(reason)),
        };
        let Some(before) = self.calls.get(id).map(|it| it.state) else { return };
        self.calls.handle(self.now, id, event, &mut self.lines);
        match (before, self.calls.get(id)) {
            (State::Connected { .. } | State::Held { .. }, _) => self.held_or_resumed(id, before),
            (_, Some(call)) if matches!(call.state, State::Connected { .. }) => self.connected(call.clone()),
            _ => (),
        }
        self.calls_ended();
    }

    fn connected(&mut self, call: Call) {
        if call.is_invited() {
            return self.joins(call);
        }
        self.gather(&call);
        if call.is_visit() {
            return self.report(Event::Answered(call.id, call.peer));
        }
        self.hush();
        self.sounds.push(SoundAction::Earcon(Earcon::Connected));
        // We called each other: they have answered ours, so theirs need not ring on.
        if let Some(same) = self.calls.with(&call.peer.name, Call::is_ringing).filter(|_| call.how == How::Ring).map(|it| it.id) {
            self.calls.handle(self.now, same, call::Event::Reject(EndReason::AnsweredElsewhere), &mut self.lines);
        }
        self.no_longer_missed(&call.peer.name);
        self.report(Event::Answered(call.id, call.peer));
    }

    fn held_or_resumed(&mut self, id: CallId, before: State) {
        let Some(call) = self.calls.get(id).filter(|it| self.calls.is_here(it)) else { return };
        let name = call.peer.name.clone();
        match (before, call.state) {
            (State::Connected { .. }, State::Held { .. }) => self.say(&Prompt::HeldByThem(name)),
            (State::Held { .. }, State::Connected { .. }) => self.say(&Prompt::ResumedByThem(name)),
            _ => None,
        };
    }

    /// Somebody calls. One at a time rings; who else calls then finds us busy.
    fn incoming(&mut self, id: CallId, from: Uri, display: &str, how: How) {
        if self.let_in(id, &from, how) {
            return;
        }
        let peer = self.caller(from, display);
        let taken = self.is_turned_away(&peer) || self.calls.ringing().is_some();
        if !self.calls.incoming(self.now, id, peer.clone(), How::Ring, self.settings.ring_for) {
            return;
        }
        if !is_anonymous(&peer.address) {
            self.remember_caller(&peer);
        }
        if self.meet(id, &peer.address) {
            return;
        }
        if taken {
            return self.calls.handle(self.now, id, call::Event::Reject(EndReason::Busy), &mut self.lines);
        }
        self.lines.push(crate::action::LineAction::Alert(id));
        self.busy_until = None;
        self.close();
        self.announce_caller(&peer.name);
        self.report(Event::Ringing(id, peer));
    }

    /// Says who calls, in our own language: nobody has spoken to us.
    fn announce_caller(&mut self, name: &str) {
        let speaks = std::mem::take(&mut self.speaks);
        self.say(&Prompt::IsCalling(name.into()));
        self.speaks = speaks;
    }

    /// Who calls: one of our contacts, or as they present themselves.
    fn caller(&self, from: Uri, display: &str) -> Peer {
        if let Some(contact) = self.contacts.at(&from, &self.settings.lines) {
            return Peer { name: contact.name.clone(), address: from, known: true };
        }
        if let Some(room) = from.room_name().filter(|it| self.house.rooms.iter().any(|room| room.slug == **it)) {
            return self.room_as_peer(room);
        }
        let unknown = || self.phrases.prompts.get("unknown_caller").cloned();
        let name = match (is_anonymous(&from), display.trim(), from.user()) {
            (true, _, _) => unknown().unwrap_or_else(|| from.to_string()),
            (false, "", Some(user)) => user.to_string(),
            (false, "", None) => from.to_string(),
            (false, display, _) => display.to_string(),
        };
        Peer { name, address: from, known: false }
    }

    /// Sees to what follows when calls are over: the next address, the sentence, the report.
    pub(super) fn calls_ended(&mut self) {
        while let Some(call) = self.calls.take_ended() {
            let State::Ended { reason, talked } = call.state else { continue };
            let outgoing = call.is_outgoing();
            // That we were muted for a room that dropped in is over with it; what has a limit was let in.
            let dropped_in = call.is_visit() && call.how == How::DropIn && call.at_most.is_some();
            if self.muted && dropped_in && self.calls.active().is_none_or(|it| it.how == How::Listen) {
                self.set_muted(false);
            }
            let ended =
                Event::Ended { call: call.id, peer: call.peer.clone(), reason, talked: talked.unwrap_or_default(), outgoing };
            match (outgoing, talked) {
                _ if call.is_leg() && call.seat == Seat::Joined => self.carrier_ended(&call, reason),
                (_, Some(_)) if call.seat == Seat::Joined && self.others_remain() => self.leaves(&call, reason),
                (true, None) => self.not_reached(call, reason),
                (false, None) => self.not_answered(call, reason),
                (_, Some(_)) => self.talk_ended(&call, reason),
            }
            self.report(ended);
        }
    }

    /// Whether somebody is left to talk to, or about to come, after one has left.
    fn others_remain(&self) -> bool {
        self.calls.parties().next().is_some() || self.calls.invited().any(|it| !it.is_leg())
    }

    fn not_reached(&mut self, mut call: Call, reason: EndReason) {
        // A line that refuses an emergency call is no answer.
        let emergency = call.peer.address.user().is_some_and(|it| dialplan::is_emergency(it, &self.settings.lines));
        let hope = reason.leaves_hope() || (emergency && reason != EndReason::WeHungUp);
        let next = call.rest.pop_front().filter(|_| hope);
        if let Some(rung) = next {
            // Of several who are called together that would be too much.
            let silent = call.seat == Seat::Invited { asked: true } || call.group.is_some();
            let says = match &rung.label {
                Some(label) => Prompt::Trying(self.spoken().spoken_label(label)),
                None => Prompt::TryingNext,
            };
            if !silent {
                self.say(&says);
            }
            let peer = Peer { address: rung.to.clone(), ..call.peer };
            let draft = Draft { peer, rest: call.rest, others: call.others, group: call.group, how: call.how, seat: call.seat };
            self.calls.dial(self.now, rung, draft, &mut self.lines);
            return;
        }
        if call.group.is_some() && !self.is_last_of_group(&call) {
            return;
        }
        if call.is_invited() {
            return self.leaves(&call, reason);
        }
        // We called each other: theirs rings on here, nothing more need be said.
        if self.calls.with(&call.peer.name, |it| it.is_ringing() || it.is_active()).is_some() {
            return;
        }
        self.sounds.push(SoundAction::Earcon(Earcon::Ended));
        if reason == EndReason::Busy && call.group.is_none() {
            self.busy_until = Some(self.now + BUSY_FOR);
        }
        if reason != EndReason::WeHungUp {
            let prompt = match &call.group {
                Some(group) => Prompt::NobodyOfGroup(group.clone()),
                None => self.not_let_in(&call, reason),
            };
            match reason {
                EndReason::NotAllowed if call.how != How::Ring => self.deny(&prompt),
                _ => _ = self.say(&prompt),
            }
        }
        self.tell_parked();
    }

    fn not_answered(&mut self, call: Call, reason: EndReason) {
        if call.how != How::Ring {
            return;
        }
        // Nobody calls any more, so nobody need be announced.
        if self.calls.ringing().is_none() && self.dialogue.question().is_none() {
            self.hush();
        }
        if matches!(reason, EndReason::Declined | EndReason::AnsweredElsewhere | EndReason::WeHungUp) {
            return;
        }
        if reason == EndReason::MediaLost {
            self.say(&Prompt::Ended(reason, call.peer.name.clone()));
        }
        if !is_anonymous(&call.peer.address) {
            self.history.last_missed = Some(call.peer.clone());
        }
        self.missed(&call.peer);
        self.report(Event::Missed(call.id, call.peer));
    }

    fn talk_ended(&mut self, call: &Call, reason: EndReason) {
        // What goes on elsewhere is not told here; and nobody wakes a child to say that nobody listens any more.
        let elsewhere = call.seat == Seat::Elsewhere || (call.seat == Seat::Joined && self.calls.away);
        // Of several who are hung up together the last one is told.
        let more = call.seat == Seat::Joined && self.calls.all().any(|it| it.seat == Seat::Joined);
        if elsewhere || more || call.is_leg() || (call.is_visit() && call.how == How::Listen) {
            return;
        }
        self.sounds.push(SoundAction::Earcon(Earcon::Ended));
        if reason != EndReason::WeHungUp {
            self.say(&Prompt::Ended(reason, call.peer.name.clone()));
        }
        self.tell_parked();
    }

    /// Nobody is left to talk to but somebody waits: the user decides when they hear each other again.
    pub(super) fn tell_parked(&mut self) {
        self.tend();
        let alone = self.calls.active().is_none() && self.calls.ring_out().is_none() && self.calls.ringing().is_none();
        match self.calls.parked().filter(|_| alone).map(|it| (it.peer.name.clone(), it.how == How::Listen)) {
            // To listen again disturbs nobody.
            Some((_, true)) => self.command(Command::Resume),
            Some((name, false)) => _ = self.say(&Prompt::OnHold(name)),
            None => (),
        }
    }

    pub(super) fn sound(&mut self, notice: SoundNotice) {
        match notice {
            SoundNotice::Said(prompt) => {
                self.speaking.remove(&prompt);
                if self.dialogue.said(self.now, prompt, self.settings.listen_for) {
                    self.scope = None;
                }
            }
            // The engine plays on into nothing and takes up where it is when the card is back.
            SoundNotice::CardLost | SoundNotice::CardBack => (),
        }
    }
}

/// Whether the caller hides (RFC 3323, section 4.1.1.3): there is nobody to call back.
pub(super) fn is_anonymous(from: &Uri) -> bool {
    from.user().is_some_and(|it| it.eq_ignore_ascii_case("anonymous")) || from.host().is_some_and(|it| it.ends_with(".invalid"))
}
