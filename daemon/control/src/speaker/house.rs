//! What the speaker does as one of several: who answers, announcements, quiet hours, other devices, where people are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Speaker;
use super::events::is_anonymous;
use crate::action::{CallState, Earcon, Event, Peer, Report, SettingReport, SoundAction, Waiting};
use crate::call::How;
use crate::contacts::Contact;
use crate::conversation::{Dialogue, SENTENCE_WITHIN};
use crate::dialplan::{self, Uri};
use crate::house::announce::{Audience, Queue};
use crate::house::devices::Devices;
use crate::house::quiet::{self, Clock, TurnedAway};
use crate::house::wake::{Arbiter, BUSY_BONUS, Verdict};
use crate::house::{AnnouncementId, Device, HouseAction, HouseEvent, Quiet, Room, RoomName};
use crate::input::Heard;
use crate::prompts::Prompt;
use crate::time::Time;

/// What is kept of what was said after the wake phrase until it is decided who answers; more cannot be said in that time.
const MAX_PENDING: usize = 4;

/// What we know of the house.
#[derive(Debug, Default)]
pub(super) struct House {
    /// The other rooms.
    pub(super) rooms: Vec<Room>,
    /// Where people are, by the names of contacts.
    pub(super) presence: BTreeMap<String, RoomName>,
    pub(super) clock: Option<Clock>,
    pub(super) arbiter: Arbiter,
    /// What was said while it is not decided who answers.
    pending: Vec<Heard>,
    pub(super) turned_away: TurnedAway,
    pub(super) devices: Devices,
    /// Open sentences, whom what follows is for, and in which of our languages they are.
    pub(super) open: BTreeMap<String, (Audience, usize)>,
    /// Whether there was nobody to hear it when they were learned.
    pub(super) alone: bool,
    pub(super) queue: Queue,
    pub(super) n_announced: u32,
    /// Our announcements that are not told as delivered yet.
    pub(super) sent: BTreeSet<AnnouncementId>,
    told_quiet: bool,
    pub(super) told_waiting: Waiting,
    /// What is asked of the house and not handed out yet.
    pub(super) actions: Vec<HouseAction>,
}

impl House {
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        [self.arbiter.deadline(), self.devices.deadline(), self.queue.deadline()].into_iter().flatten().min()
    }
}

impl Speaker {
    pub(super) fn house(&mut self, event: HouseEvent) {
        match event {
            HouseEvent::Rooms(rooms) => self.rooms_are(rooms),
            HouseEvent::Bid(bid) => {
                let verdict = self.house.arbiter.told(self.now, &bid, false, &self.settings.house.slug);
                self.decided(verdict);
            }
            HouseEvent::Won(bid) => {
                let verdict = self.house.arbiter.told(self.now, &bid, true, &self.settings.house.slug);
                self.decided(verdict);
            }
            HouseEvent::Presence { person, room } => {
                self.follow(&person, room.clone());
                // Whoever is no contact yet may be one when the contacts are read anew.
                let contact = self.contacts.people.iter().find(|it| it.is_called(&person));
                let name = contact.map_or(person, |it| it.name.clone());
                match room {
                    Some(room) => drop(self.house.presence.insert(name, room)),
                    None => drop(self.house.presence.remove(&name)),
                }
            }
            HouseEvent::Clock { weekday, minute } => self.house.clock = Some(Clock { weekday, minute }),
            HouseEvent::Device { name, state } => self.house.devices.told(&self.settings.house.devices, &name, &state),
            HouseEvent::Announced(it) => self.announced(it),
            HouseEvent::AnnouncementOver(id) => self.announcement_over(&id),
            HouseEvent::Delivered(id, missed) => self.delivered(&id, missed),
        }
    }

    /// Sees to what follows from the state of the calls and of the dialogue.
    pub(super) fn settle_house(&mut self, state: CallState) {
        self.play_announcements();
        let messages = self.house.devices.settle(self.now, &self.settings.house.devices, state);
        self.house.actions.extend(messages.into_iter().map(HouseAction::Publish));
        let (quiet, waiting) = (self.is_quiet(), self.waiting());
        if std::mem::replace(&mut self.house.told_quiet, quiet) != quiet {
            self.reports.push(Report::Setting(SettingReport::Quiet(quiet)));
        }
        if self.house.told_waiting != waiting {
            self.house.told_waiting = waiting.clone();
            self.reports.push(Report::Waiting(waiting));
        }
    }

    /// Other rules for devices come: what the old ones have changed becomes what it was.
    pub(super) fn release_devices(&mut self, new: &[Device]) {
        let old = &self.settings.house.devices;
        if old != new {
            let messages = self.house.devices.settle(self.now, old, CallState::Idle);
            self.house.actions.extend(messages.into_iter().map(HouseAction::Publish));
        }
    }

    /// The contact with a `hark:person` address, in the room where the person is.
    pub(super) fn where_present(&self, mut contact: Contact) -> Result<Contact, Prompt> {
        let mut why = None;
        contact.addresses.retain_mut(|address| {
            let Some(slug) = address.to.person() else { return true };
            let Some(person) = self.contacts.people.iter().find(|it| it.slug() == slug) else { return false };
            match self.house.presence.get(&person.name) {
                Some(room) if *room == self.settings.house.slug => why = Some(Prompt::IsHere(person.name.clone())),
                Some(room) => {
                    (address.to, address.line) = (Uri::room(room), None);
                    return true;
                }
                None => why = why.take().or(Some(Prompt::NobodyKnowsWhere(person.name.clone()))),
            }
            false
        });
        if contact.addresses.is_empty() { Err(why.unwrap_or(Prompt::NoLine(contact.name))) } else { Ok(contact) }
    }

    /// The wake phrase was heard here: if other speakers may have heard it too, it is decided first who answers.
    pub(super) fn wake(&mut self, score: f32) {
        if matches!(self.dialogue, Dialogue::Recording { .. }) {
            return;
        }
        // Who listens in for a night does not talk, and must not answer for the whole house.
        let talks = self.calls.active().is_some_and(|it| it.how != How::Listen);
        let busy = self.dialogue.is_open() || talks;
        let score = if busy { score + BUSY_BONUS } else { score };
        let alone = !self.house.rooms.iter().any(|it| it.up);
        let verdict = self.house.arbiter.heard(self.now, score, &self.settings.house.slug, alone);
        self.decided(verdict);
    }

    pub(super) fn wake_timeout(&mut self) {
        let verdict = self.house.arbiter.handle_timeout(self.now, &self.settings.house.slug);
        self.decided(verdict);
    }

    /// Whether something that followed the wake phrase was dealt with here: kept until it is decided who answers, or left to another speaker.
    pub(super) fn is_not_yet_ours(&mut self, heard: &Heard) -> bool {
        let follows = match heard {
            Heard::Sentence { woken, .. } => *woken,
            Heard::Open { .. } | Heard::Rejected | Heard::Nothing | Heard::Recorded(_) => true,
            Heard::Wake { .. } => false,
        };
        if !follows {
            return false;
        }
        if self.house.arbiter.is_bidding() {
            if self.house.pending.len() < MAX_PENDING {
                self.house.pending.push(heard.clone());
            }
            return true;
        }
        self.house.arbiter.is_for_another(self.now, self.settings.listen_for + SENTENCE_WITHIN)
    }

    fn decided(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Nothing => (),
            Verdict::Bid(score) => self.house.actions.push(HouseAction::Bid { score }),
            Verdict::Insist(score) => self.house.actions.push(HouseAction::Won { score }),
            Verdict::Answer(score) => {
                if self.house.rooms.iter().any(|it| it.up) {
                    self.house.actions.push(HouseAction::Won { score });
                }
                self.awake();
                for heard in std::mem::take(&mut self.house.pending) {
                    self.heard(heard);
                }
            }
            // The first that was said with the wake phrase, if it has come already, is what is left to the other.
            Verdict::Lose => {
                if !std::mem::take(&mut self.house.pending).is_empty() {
                    self.house.arbiter.is_for_another(self.now, Duration::MAX);
                }
            }
            Verdict::Yield => {
                self.hush();
                self.dialogue = Dialogue::Asleep;
            }
        }
    }

    /// Whether a caller is not to be heard now. Emergency services that call back always are.
    pub(super) fn is_turned_away(&mut self, peer: &Peer) -> bool {
        if peer.address.user().is_some_and(|it| dialplan::is_emergency(it, &self.settings.lines)) {
            return false;
        }
        if self.do_not_disturb {
            return true;
        }
        let quiet = self.quiet_hours();
        let may = |name: &String| self.contacts.named(name, &self.phrases).iter().any(|it| it.name == peer.name);
        let welcome = quiet.iter().all(|it| peer.known && it.except.iter().any(may));
        if welcome {
            return false;
        }
        // Those who hide all look alike: two of them are not one who calls again.
        is_anonymous(&peer.address) || !self.house.turned_away.again(self.now, &peer.address.to_string())
    }

    /// Whether quiet hours are now.
    pub fn is_quiet(&self) -> bool {
        !self.quiet_hours().is_empty()
    }

    fn quiet_hours(&self) -> Vec<&Quiet> {
        let settings = &self.settings.house;
        let whom =
            |name: &str| self.contacts.people.iter().find(|it| it.is_called(name)).map_or(name.into(), |it| it.name.clone());
        let is_here = |name: &str| self.house.presence.get(&whom(name)).is_some_and(|room| *room == settings.slug);
        quiet::now(&settings.quiet, self.house.clock, is_here)
    }

    /// The wake phrase was for us.
    fn awake(&mut self) {
        self.hush();
        self.dialogue.wake(self.now, self.settings.listen_for);
        self.sounds.push(SoundAction::Earcon(Earcon::Awake));
        self.report(Event::Wake);
    }
}
