//! What people see of the house: its rooms, its members, and what was refused. And how its members change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use control::house::Room;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::{Courier, SMALL_HOUSE};
use crate::house::identity::{Fingerprint, Identity, Key};
use crate::house::members::{Card, List, Members, Removal};
use crate::house::seal::Words;

/// Refused letters are told in the log at most this often.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// What was not read, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// In the name of a member, but not written by it, or changed on its way.
    pub forged: u64,
    /// By somebody who is no member.
    pub unknown: u64,
    /// For an earlier life of this speaker: recorded and played again, or its writer did not know that it was started anew.
    pub stale: u64,
    /// Too old to be worth reading.
    pub late: u64,
    /// Read before; that is usual where two ways were taken.
    pub again: u64,
    /// No letter at all.
    pub junk: u64,
}

/// The house as `hark status` and `hark house` show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HouseStatus {
    /// The fingerprint of our key.
    pub key: String,
    /// The other members.
    pub members: Vec<Member>,
    /// What was refused since the start.
    pub refused: Refused,
    /// What is wrong, and how to mend it.
    pub problems: Vec<String>,
}

/// One other member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its room's name in topics and addresses.
    pub room: String,
    /// As people say it.
    pub name: String,
    /// The fingerprint of its key.
    pub key: Fingerprint,
    /// The fingerprint of who vouched for it.
    pub by: Fingerprint,
    /// Whether it can be reached now.
    pub up: bool,
    /// `straight`, `broker`, or nothing where it was not reached yet.
    pub way: Option<String>,
}

impl Courier {
    /// Tells what has changed.
    pub(super) fn tell(&mut self, now: Instant) {
        self.warn(now);
        let small = self.peers.len() <= SMALL_HOUSE;
        let is_up = |key: &Key| self.peers.get(key).is_some_and(|peer| peer.is_up(peer.is_asked(small, now), now));
        let rooms: Vec<Room> = self
            .members
            .iter()
            .map(|it| Room {
                slug: it.card.room.clone(),
                name: it.card.name.clone(),
                floor: it.card.floor.clone(),
                groups: it.card.groups.clone(),
                up: is_up(&it.key),
            })
            .collect();
        self.rooms.send_if_modified(|told| {
            let changed = **told != rooms;
            if changed {
                *told = Arc::new(rooms);
            }
            changed
        });
        let status = HouseStatus {
            key: self.us.key().fingerprint().to_string(),
            members: self.members.iter().map(|it| self.member(it.key, &it.card, it.by, is_up(&it.key))).collect(),
            refused: self.refused,
            problems: self.problems(),
        };
        self.status.send_if_modified(|told| {
            let changed = *told != status;
            if changed {
                *told = status;
            }
            changed
        });
        self.changed = false;
    }

    fn member(&self, key: Key, card: &Card, by: Key, up: bool) -> Member {
        let straight = self.peers.get(&key).is_some_and(|peer| peer.link.is_some());
        let way = up.then(|| if straight { "straight" } else { "broker" }.to_owned());
        Member { room: card.room.clone(), name: card.name.clone(), key: key.fingerprint(), by: by.fingerprint(), up, way }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(removal) = self.members.we_are_removed() {
            let by = self.members.get(&removal.by).map_or("another speaker", |it| it.card.room.as_str());
            problems.push(format!("{by} has removed this speaker from the house; `hark house leave`, then join it again"));
        }
        problems.extend(self.conflicts.iter().map(|room| {
            format!("two speakers of the house are both called `{room}`, and only the first is known here; change `room` in hark.yaml of one")
        }));
        problems
    }

    fn warn(&mut self, now: Instant) {
        let before = self.warned.map(|(_, refused)| refused).unwrap_or_default();
        let serious = |it: &Refused| (it.forged, it.unknown);
        let due = self.warned.is_none_or(|(at, _)| now >= at + WARN_EVERY);
        if due && serious(&before) != serious(&self.refused) {
            let Refused { forged, unknown, .. } = self.refused;
            warn!(
                forged,
                unknown,
                "letters of other speakers were refused since the start; if one of yours is new, let it join with `hark house invite`, else \
                 somebody has the broker's password or is in your network: change the password"
            );
            self.warned = Some((now, self.refused));
        }
    }

    /// Our key.
    pub fn us(&self) -> &Identity {
        &self.us
    }

    /// What we say of ourselves.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Whom we trust.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Takes a new member for which we vouch, and tells the others.
    ///
    /// # Errors
    /// When it cannot be one, in plain words.
    pub fn admit(&mut self, key: Key, card: Card, now: Instant) -> Result<(), String> {
        self.members.vouch_for(&self.us, &self.card.room, key, card)?;
        self.keep()?;
        self.members_changed();
        self.ask(key, now);
        self.spread(now);
        Ok(())
    }

    /// Removes the member in this room, and tells it and the others.
    ///
    /// # Errors
    /// When there is none, or the list cannot be written.
    pub fn remove(&mut self, room: &str, now: Instant) -> Result<(), String> {
        let Some(key) = self.members.by_room(room).map(|it| it.key) else {
            return Err(format!("no speaker of this house is called `{room}`; `hark house list` tells who is"));
        };
        // Sealed for it while we still trust it: so it learns that it is out.
        let mut without = self.members.list(&self.us);
        without.removed.push(Removal::new(&self.us, key));
        self.say_goodbye(key, &without, now);
        self.members.remove(&self.us, key);
        self.keep()?;
        self.members_changed();
        self.spread(now);
        Ok(())
    }

    /// Tells all that we are gone. What follows needs a new key.
    pub fn leave(&mut self, now: Instant) {
        let mut list = List::default();
        list.removed.push(Removal::new(&self.us, self.us.key()));
        let keys: Vec<Key> = self.peers.keys().copied().collect();
        for key in keys {
            self.say_goodbye(key, &list, now);
        }
    }

    /// A list that is sent once, by all ways, since there is no later.
    fn say_goodbye(&mut self, key: Key, list: &List, now: Instant) {
        let Some(life) = self.peers.get(&key).and_then(|it| it.life) else { return };
        let words = Words::Letter {
            written: 0,
            until: super::micros(life.clock.there(now) + Duration::from_secs(60)),
            kind: "house.members".into(),
            call: None,
            body: serde_json::to_value(list).unwrap_or_default(),
        };
        if let Some((_, bytes)) = self.seal(key, Some(life.epoch), &words, &[]) {
            self.transmit(key, &bytes, true, true);
        }
    }

    /// Takes from the list of another member what we can trust, and tells the others.
    pub fn merge(&mut self, list: List, now: Instant) {
        let change = self.members.merge(list, &self.card.room);
        self.conflicts.extend(change.conflicts);
        if change.added.is_empty() && change.removed.is_empty() {
            return;
        }
        info!(added = change.added.len(), removed = change.removed.len(), "the members of the house have changed");
        if let Err(why) = self.keep() {
            warn!("{why}");
        }
        self.members_changed();
        for key in change.added {
            self.ask(key, now);
        }
        self.spread(now);
    }

    /// A member that answers says what it is called now.
    pub(super) fn introduced(&mut self, key: Key, card: &Card) {
        match self.members.renamed(&self.us, &self.card.room, key, card) {
            Ok(false) => (),
            Ok(true) => {
                if let Err(why) = self.keep() {
                    warn!("{why}");
                }
                self.members_changed();
            }
            Err(room) => {
                self.conflicts.insert(room);
            }
        }
    }

    /// Sends the list to those who are there; the others ask for it when they come back.
    fn spread(&mut self, now: Instant) {
        let keys: Vec<Key> = self.peers.iter().filter(|(_, it)| it.life.is_some()).map(|(key, _)| *key).collect();
        for key in keys.into_iter().take(SMALL_HOUSE) {
            self.send_list(key, now);
        }
    }

    fn keep(&self) -> Result<(), String> {
        self.members.save().map_err(|error| format!("{error:#}"))
    }
}
