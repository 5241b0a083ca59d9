//! The courier: carries letters by every way there is until they are acknowledged, and hands out those that have come. It waits for nothing and has no
//! socket: time and what came are given to it, and what is to be sent is taken from it.

mod arrivals;
mod peer;
mod state;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::house::{Room, RoomName};
use tokio::sync::{oneshot, watch};
use tracing::debug;

use super::clock::Clocks;
use super::fresh::{Epoch, LONGEST_LIFE};
use super::identity::{Fingerprint, Identity, Key};
use super::members::{Card, Members};
use super::seal::{self, Envelope, Shout, Words};
use super::{Boxes, Letter, Posted, To, Undelivered};
use peer::Peer;
pub use state::{HouseStatus, Member, Refused};

/// In a house of this size everybody asks everybody how he is; in a larger one only those who have to do with each other.
const SMALL_HOUSE: usize = 32;
/// In a larger house people are not told more often than this who is there: when all are switched on at once, that is news every millisecond.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How long a letter waits for its acknowledgement before it goes by all ways; doubled each time.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);
/// The longest wait between attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Letters under way; more are refused.
const MOST_UNDER_WAY: usize = 2000;
/// Speakers that were seen and are remembered, members or not.
const MOST_SIGHTED: usize = 4000;
/// The largest envelope that goes through the broker.
const MOST_BY_BROKER: usize = 200_000;
/// Not more often than this is the same speaker asked out of turn.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// A way to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A straight link that is open.
    Link(u64),
    /// A straight link that is opened where there is none.
    Address(SocketAddr),
    /// The inbox of a room.
    Broker(RoomName),
    /// To everyone: by multicast and by the broker.
    All,
}

/// How something came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// On this straight link, from this address.
    Link(u64, SocketAddr),
    /// Through the broker, or by multicast.
    Air,
}

/// A letter under way to one room.
struct UnderWay {
    to: Key,
    letter: Letter,
    written: Instant,
    until: Instant,
    tell: Option<oneshot::Sender<Result<(), Undelivered>>>,
    /// Its number, the life of the reader that it was sealed for, and the envelope.
    sealed: Option<(u64, Epoch, Arc<[u8]>)>,
    next_try: Instant,
    tries: u32,
}

/// The courier of one speaker.
pub struct Courier {
    us: Identity,
    card: Card,
    /// Where our straight link listens; 0: nowhere.
    port: u16,
    epoch: Epoch,
    clocks: Clocks,
    members: Members,
    peers: BTreeMap<Key, Peer>,
    by_fingerprint: BTreeMap<Fingerprint, Key>,
    boxes: Boxes,
    rooms: watch::Sender<Arc<Vec<Room>>>,
    status: watch::Sender<HouseStatus>,
    /// Where speakers were seen, members or not yet, and what the broker says of rooms.
    sighted: BTreeMap<Fingerprint, Vec<SocketAddr>>,
    said: BTreeMap<RoomName, bool>,
    under_way: Vec<UnderWay>,
    next_shout: u64,
    broker: bool,
    out: VecDeque<(Way, Arc<[u8]>)>,
    refused: Refused,
    warned: Option<(Instant, Refused)>,
    conflicts: BTreeSet<RoomName>,
    /// Something that people can see has changed.
    changed: bool,
    told: Option<Instant>,
}

/// What a courier is made of.
pub struct Kit {
    /// Our key.
    pub us: Identity,
    /// What we say of ourselves.
    pub card: Card,
    /// Where our straight link listens; 0: nowhere.
    pub port: u16,
    /// Whom we trust.
    pub members: Members,
    /// Where letters are handed out.
    pub boxes: Boxes,
    /// Where the rooms are told.
    pub rooms: watch::Sender<Arc<Vec<Room>>>,
    /// Where our state is told.
    pub status: watch::Sender<HouseStatus>,
    /// The clocks of all.
    pub clocks: Clocks,
}

impl Courier {
    /// In a new life.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(kit: Kit) -> anyhow::Result<Courier> {
        let mut it = Courier {
            epoch: Epoch::new()?,
            us: kit.us,
            card: kit.card,
            port: kit.port,
            clocks: kit.clocks,
            members: kit.members,
            peers: BTreeMap::new(),
            by_fingerprint: BTreeMap::new(),
            boxes: kit.boxes,
            rooms: kit.rooms,
            status: kit.status,
            sighted: BTreeMap::new(),
            said: BTreeMap::new(),
            under_way: Vec::new(),
            next_shout: 0,
            broker: false,
            out: VecDeque::new(),
            refused: Refused::default(),
            warned: None,
            conflicts: BTreeSet::new(),
            changed: true,
            told: None,
        };
        it.members_changed();
        Ok(it)
    }

    /// In another life and with another key: nobody is trusted but these.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn begin_anew(&mut self, us: Identity, members: Members) -> anyhow::Result<()> {
        self.epoch = Epoch::new()?;
        self.us = us;
        self.members = members;
        self.peers.clear();
        self.conflicts.clear();
        self.members_changed();
        Ok(())
    }

    /// The next thing to be sent.
    pub fn poll(&mut self) -> Option<(Way, Arc<[u8]>)> {
        self.out.pop_front()
    }

    /// Takes a letter to be carried.
    pub fn post(&mut self, (letter, tell): Posted, now: Instant) {
        match letter.to.clone() {
            To::Everyone => {
                self.shout(letter, now);
                if let Some(tell) = tell {
                    // Whoever sent it may not wait any more.
                    let _ = tell.send(Ok(()));
                }
            }
            To::Room(room) => {
                let to = self.members.by_room(&room).map(|it| it.key);
                match to {
                    Some(to) if self.under_way.len() < MOST_UNDER_WAY => self.send(to, letter, tell, now),
                    _ => {
                        if let Some(tell) = tell {
                            // As above.
                            let _ = tell.send(Err(Undelivered::Unknown(room)));
                        }
                    }
                }
            }
        }
    }

    fn send(&mut self, to: Key, letter: Letter, tell: Option<oneshot::Sender<Result<(), Undelivered>>>, now: Instant) {
        let peer = self.peers.entry(to).or_default();
        peer.used = Some(now);
        let until = now + letter.keep_trying_for.min(LONGEST_LIFE);
        let it = UnderWay { to, letter, written: now, until, tell, sealed: None, next_try: now, tries: 0 };
        self.under_way.push(it);
        self.try_again(now);
    }

    /// Sends what is due, and asks who is there; says when to come again.
    pub fn timeout(&mut self, now: Instant) -> Instant {
        self.try_again(now);
        self.ask_around(now);
        let lately = self.told.is_some_and(|told| now < told + if self.changed { TELL_EVERY } else { 3 * TELL_EVERY });
        if self.peers.len() <= SMALL_HOUSE || !lately {
            self.tell(now);
            self.told = Some(now);
        }
        let letters = self.under_way.iter().map(|it| it.next_try.min(it.until)).min();
        let small = self.peers.len() <= SMALL_HOUSE;
        let questions = self.peers.values().filter(|it| it.is_asked(small, now)).map(|it| it.ask_at(now)).min();
        let next = letters.into_iter().chain(questions).min().unwrap_or(now + Duration::from_secs(1));
        // Who becomes silent is noticed within half a second.
        next.clamp(now + Duration::from_millis(5), now + Duration::from_millis(500))
    }

    fn try_again(&mut self, now: Instant) {
        let mut under_way = std::mem::take(&mut self.under_way);
        under_way.retain_mut(|it| {
            if it.until <= now || !self.peers.contains_key(&it.to) {
                debug!(kind = it.letter.kind, tries = it.tries, "a letter could not be delivered");
                if let Some(tell) = it.tell.take() {
                    // Whoever sent it may not wait any more.
                    let _ = tell.send(Err(Undelivered::NoAnswer(self.room_of(&it.to))));
                }
                return false;
            }
            if it.next_try <= now {
                self.attempt(it, now);
            }
            true
        });
        self.under_way = under_way;
    }

    fn attempt(&mut self, it: &mut UnderWay, now: Instant) {
        it.next_try = now + (ANSWER_WITHIN * (1 << it.tries.min(4))).min(LONGEST_WAIT);
        // Where nothing comes back, it may have been started anew.
        if it.tries > 0 {
            self.ask(it.to, now);
        }
        let Some(life) = self.peers.get(&it.to).and_then(|peer| peer.life) else {
            self.ask(it.to, now);
            it.tries += 1;
            return;
        };
        if it.sealed.as_ref().is_none_or(|(_, epoch, _)| *epoch != life.epoch) {
            let words = Words::Letter {
                written: micros(self.clocks.ours(it.written)),
                until: micros(life.clock.there(it.until) + life.clock.within),
                kind: it.letter.kind.clone(),
                call: it.letter.call.clone(),
                body: it.letter.body.clone(),
            };
            let blob = it.letter.blob.clone().unwrap_or_default();
            let Some((n, bytes)) = self.seal(it.to, Some(life.epoch), &words, &blob) else { return };
            it.sealed = Some((n, life.epoch, bytes));
        }
        let Some((_, _, bytes)) = &it.sealed else { return };
        let by_broker = it.letter.blob.is_none();
        self.transmit(it.to, &bytes.clone(), it.tries > 0, by_broker);
        it.tries += 1;
    }

    fn seal(&mut self, to: Key, of_reader: Option<Epoch>, words: &Words, blob: &[u8]) -> Option<(u64, Arc<[u8]>)> {
        let peer = self.peers.get_mut(&to)?;
        let shared = peer.shared(&self.us, &to)?;
        let n = peer.next;
        peer.next += 1;
        let from = self.us.key().fingerprint();
        let it = Envelope { hark: 1, from, to: Some(to.fingerprint()), epoch: self.epoch, n, of_reader, text: String::new() };
        Some((n, seal::seal(&self.us, &shared, it, words, blob).into()))
    }

    /// Straight where that is possible; else, or where in doubt, by the broker too.
    fn transmit(&mut self, to: Key, bytes: &Arc<[u8]>, in_doubt: bool, by_broker: bool) {
        let room = self.room_of(&to);
        let Some(peer) = self.peers.get(&to) else { return };
        let mut ways: Vec<Way> = peer.link.map(Way::Link).into_iter().collect();
        if ways.is_empty() || in_doubt {
            ways.extend(peer.addresses.iter().map(|it| Way::Address(*it)));
        }
        if (ways.is_empty() || in_doubt) && self.broker && by_broker && bytes.len() <= MOST_BY_BROKER {
            ways.push(Way::Broker(room));
        }
        self.out.extend(ways.into_iter().map(|way| (way, bytes.clone())));
    }

    fn shout(&mut self, letter: Letter, now: Instant) {
        let n = self.next_shout;
        self.next_shout += 1;
        let from = self.us.key().fingerprint();
        let it = Envelope { hark: 1, from, to: None, epoch: self.epoch, n, of_reader: None, text: String::new() };
        let written = micros(self.clocks.ours(now));
        let shout = Shout { written, kind: letter.kind, call: letter.call, body: letter.body };
        let bytes: Arc<[u8]> = seal::sign(&self.us, it, &shout).into();
        self.out.push_back((Way::All, bytes.clone()));
        // Some networks carry no multicast, and the broker may be away; links that are open cost nothing.
        if self.peers.len() <= SMALL_HOUSE {
            let links = self.peers.values().filter_map(|peer| peer.link);
            self.out.extend(links.map(|link| (Way::Link(link), bytes.clone())));
        }
    }

    /// Asks those whose turn it is how they are.
    fn ask_around(&mut self, now: Instant) {
        let small = self.peers.len() <= SMALL_HOUSE;
        let due = |peer: &Peer| peer.is_asked(small, now) && peer.ask_at(now) <= now;
        let due: Vec<Key> = self.peers.iter().filter(|(_, peer)| due(peer)).map(|(key, _)| *key).collect();
        for key in due {
            self.ask(key, now);
        }
    }

    fn ask(&mut self, key: Key, now: Instant) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.asked_at.is_some_and(|at| now < at + ASK_AGAIN) {
            return;
        }
        peer.asked_at = Some(now);
        let in_doubt = !peer.asked.is_empty() || peer.life.is_none();
        let nonce = getrandom::u64().expect("the kernel has random numbers");
        peer.asked.push((nonce, now));
        if peer.asked.len() > 8 {
            peer.asked.remove(0);
        }
        let words = Words::Ping { nonce, card: self.card.clone(), port: self.port };
        if let Some((_, bytes)) = self.seal(key, None, &words, &[]) {
            self.transmit(key, &bytes, in_doubt, true);
        }
    }

    fn room_of(&self, key: &Key) -> RoomName {
        self.members.get(key).map(|it| it.card.room.clone()).unwrap_or_default()
    }

    /// The list of members is another one: those who are gone are forgotten, those who are new are asked.
    fn members_changed(&mut self) {
        self.by_fingerprint = self.members.iter().map(|it| (it.key.fingerprint(), it.key)).collect();
        let members = &self.members;
        self.peers.retain(|key, _| members.get(key).is_some());
        for member in self.members.iter() {
            let (sighted, said) = (&self.sighted, &self.said);
            self.peers.entry(member.key).or_insert_with(|| Peer {
                addresses: sighted.get(&member.key.fingerprint()).cloned().unwrap_or_default(),
                online: said.get(&member.card.room).copied(),
                ..Peer::default()
            });
        }
        self.changed = true;
    }
}

/// As clocks are told on the wire.
fn micros(it: Duration) -> u64 {
    u64::try_from(it.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "courier/tests.rs"]
mod tests;
