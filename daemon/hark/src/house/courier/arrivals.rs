//! What has come: opened, found genuine and new, and handed out; or refused and counted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::house::RoomName;
use serde_json::Value;

use super::peer::LATEST_ANSWER;
use super::{Courier, Via, Way, micros};
use crate::house::fresh::{Epoch, LONGEST_LIFE};
use crate::house::identity::{Fingerprint, Key};
use crate::house::members::{Card, List};
use crate::house::seal::{self, Envelope, Words};
use crate::house::{ClockOffset, Delivered, Letter, To};

/// What is said to everyone counts now or never.
const SHOUT_LIVES: Duration = Duration::from_secs(2);
/// The kind of the letter with the list of members.
const MEMBERS: &str = "house.members";
/// The same speaker is not sent the list more often than this.
const LIST_EVERY: Duration = Duration::from_secs(2);
/// How long the list is carried to somebody.
const CARRY_LIST: Duration = Duration::from_secs(5);

impl Courier {
    /// Something has come.
    pub fn received(&mut self, via: Via, bytes: &[u8], now: Instant) {
        let Some(it) = Envelope::read(bytes) else {
            self.refused.junk += 1;
            return;
        };
        if it.from == self.us.key().fingerprint() {
            // Our own words to everyone come back to us.
            return;
        }
        let Some(from) = self.by_fingerprint.get(&it.from).copied() else {
            self.refused.unknown += 1;
            return;
        };
        match it.to {
            None => self.heard_shout(from, &it, now),
            Some(to) if to == self.us.key().fingerprint() => self.open(from, via, &it, now),
            Some(_) => self.refused.junk += 1,
        }
    }

    fn open(&mut self, from: Key, via: Via, it: &Envelope, now: Instant) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let Some(shared) = peer.shared(&self.us, &from) else { return };
        let Ok((words, blob)) = seal::open(&from, &shared, it) else {
            self.refused.forged += 1;
            return;
        };
        if let Words::Ping { nonce, card, port } = words {
            // A question may be an old one played again: it is answered, and nothing else is believed.
            return self.asked(from, via, it, nonce, &card, port, now);
        }
        if it.of_reader != Some(self.epoch) {
            // For an earlier life of ours: its writer does not know of this one.
            self.refused.stale += 1;
            return self.ask(from, now);
        }
        if !peer.windows.is_new(it.epoch, it.n) {
            self.refused.again += 1;
            if let Words::Letter { .. } = words {
                self.reply(from, via, it.epoch, &Words::Ack { n: it.n });
            }
            return;
        }
        let is_letter = matches!(words, Words::Letter { .. });
        let taken = match words {
            Words::Ping { .. } => return,
            Words::Pong { nonce, came, went, card, port, members } => {
                self.answered(from, it.epoch, nonce, (came, went), now) && {
                    self.introduced(from, &card);
                    self.listens(from, via, port);
                    if members != self.members.digest() {
                        self.send_list(from, now);
                    }
                    true
                }
            }
            Words::Ack { n } => {
                self.acknowledged(from, n);
                true
            }
            Words::Letter { written, until, kind, call, body } => {
                let clock = micros(self.clocks.ours(now));
                if until <= clock || until > clock + micros(LONGEST_LIFE + LATEST_ANSWER) {
                    self.refused.late += 1;
                    return;
                }
                let sent = self.clock_of(from, it.epoch).map_or(now, |clock| clock.here(Duration::from_micros(written)).min(now));
                let blob = (!blob.is_empty()).then(|| Arc::from(blob));
                let room = self.room_of(&from);
                self.hand_out(Delivered { from: room, kind, call, body, blob, sent }, now)
            }
        };
        let Some(peer) = self.peers.get_mut(&from) else { return };
        // Unread letters are not acknowledged, so that they come again.
        if !taken || !peer.windows.see(it.epoch, it.n, now) {
            return;
        }
        let was_silent = peer.heard.is_none();
        peer.heard = Some(now);
        self.changed |= was_silent;
        if let Via::Link(link, _) = via {
            peer.link = Some(link);
        }
        if is_letter {
            self.reply(from, via, it.epoch, &Words::Ack { n: it.n });
        }
    }

    fn hand_out(&mut self, letter: Delivered, now: Instant) -> bool {
        if letter.kind == MEMBERS {
            if let Ok(list) = serde_json::from_value::<List>(letter.body) {
                self.merge(list, now);
            }
            return true;
        }
        self.boxes.put(letter)
    }

    #[allow(clippy::too_many_arguments, reason = "the words of a question, taken apart")]
    fn asked(&mut self, from: Key, via: Via, it: &Envelope, nonce: u64, _card: &Card, port: u16, now: Instant) {
        let came = micros(self.clocks.ours(now));
        let members = self.members.digest();
        let pong = Words::Pong { nonce, came, went: came, card: self.card.clone(), port: self.port, members };
        self.reply(from, via, it.epoch, &pong);
        if self.peers.get(&from).and_then(|peer| peer.life).is_none_or(|life| life.epoch != it.epoch) {
            self.listens(from, via, port);
            self.ask(from, now);
        }
    }

    /// The life and the clock of somebody who answers a question of ours. Says whether it was one.
    fn answered(&mut self, from: Key, epoch: Epoch, nonce: u64, (came, went): (u64, u64), now: Instant) -> bool {
        let room = self.room_of(&from);
        let Some(peer) = self.peers.get_mut(&from) else { return false };
        let Some((_, asked)) = peer.asked.iter().find(|(it, _)| *it == nonce).copied() else { return false };
        let round_trip = now.saturating_duration_since(asked);
        if round_trip > LATEST_ANSWER || went < came {
            return false;
        }
        let there = Duration::from_micros(went - came);
        let within = round_trip.saturating_sub(there) / 2;
        let clock = ClockOffset::new(now.checked_sub(within).unwrap_or(now), Duration::from_micros(went), within);
        let new = peer.life.is_none_or(|life| life.epoch != epoch);
        peer.answered(epoch, clock, now);
        self.clocks.set(&room, peer.life.map(|life| life.clock));
        self.changed = true;
        if new {
            for letter in self.under_way.iter_mut().filter(|it| it.to == from) {
                letter.next_try = now;
            }
            self.try_again(now);
        }
        true
    }

    fn acknowledged(&mut self, from: Key, n: u64) {
        let is_it = |it: &super::UnderWay| it.to == from && it.sealed.as_ref().is_some_and(|(number, _, _)| *number == n);
        let Some(at) = self.under_way.iter().position(is_it) else { return };
        if let Some(tell) = self.under_way.remove(at).tell {
            // Whoever sent it may not wait any more.
            let _ = tell.send(Ok(()));
        }
    }

    /// By the way that it came.
    fn reply(&mut self, to: Key, via: Via, epoch: Epoch, words: &Words) {
        let room = self.room_of(&to);
        let Some((_, bytes)) = self.seal(to, Some(epoch), words, &[]) else { return };
        let way = match via {
            Via::Link(link, _) => Way::Link(link),
            Via::Air => Way::Broker(room),
        };
        self.out.push_back((way, bytes));
    }

    fn clock_of(&self, from: Key, epoch: Epoch) -> Option<ClockOffset> {
        self.peers.get(&from)?.life.filter(|life| life.epoch == epoch).map(|life| life.clock)
    }

    fn heard_shout(&mut self, from: Key, it: &Envelope, now: Instant) {
        let Some(clock) = self.clock_of(from, it.epoch) else {
            // Whether it is new, we cannot know yet.
            return self.ask(from, now);
        };
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if !peer.shouted.is_new(it.epoch, it.n) {
            // It comes by several ways.
            return;
        }
        let Ok(shout) = seal::verify(&from, it) else {
            self.refused.forged += 1;
            return;
        };
        let sent = clock.here(Duration::from_micros(shout.written));
        if sent > now + clock.within + Duration::from_millis(100) || now > sent + SHOUT_LIVES {
            self.refused.late += 1;
            return;
        }
        let room = self.room_of(&from);
        let letter =
            Delivered { from: room, kind: shout.kind, call: shout.call, body: shout.body, blob: None, sent: sent.min(now) };
        if let Some(peer) = self.peers.get_mut(&from)
            && peer.shouted.see(it.epoch, it.n, now)
        {
            // Who has no place for it now has no use for it later.
            self.boxes.put(letter);
        }
    }

    /// A member listens there for straight links.
    fn listens(&mut self, from: Key, via: Via, port: u16) {
        if let (Via::Link(_, address), Some(peer), true) = (via, self.peers.get_mut(&from), port != 0) {
            peer.seen_at(SocketAddr::new(address.ip(), port));
        }
    }

    /// Somebody who calls himself a speaker was seen there. That is believed once he answers.
    pub fn seen(&mut self, it: Fingerprint, addresses: &[SocketAddr], now: Instant) {
        if self.sighted.len() < super::MOST_SIGHTED || self.sighted.contains_key(&it) {
            self.sighted.insert(it, addresses.to_vec());
        }
        let Some(key) = self.by_fingerprint.get(&it).copied() else { return };
        let small = self.peers.len() <= super::SMALL_HOUSE;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let new: Vec<SocketAddr> = addresses.iter().filter(|it| !peer.addresses.contains(it)).copied().collect();
        for address in &new {
            peer.seen_at(*address);
        }
        if !new.is_empty() && small {
            // By the new way, however lately others were tried.
            peer.asked_at = None;
            self.ask(key, now);
        }
    }

    /// The broker says that a room is online or not.
    pub fn online(&mut self, room: &str, online: bool, now: Instant) {
        if self.said.len() < super::MOST_SIGHTED || self.said.contains_key(room) {
            self.said.insert(room.to_owned(), online);
        }
        let Some(key) = self.members.by_room(room).map(|it| it.key) else { return };
        let small = self.peers.len() <= super::SMALL_HOUSE;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.online != Some(online) {
            peer.online = Some(online);
            self.changed = true;
            if peer.is_asked(small, now) {
                self.ask(key, now);
            }
        }
    }

    /// The broker is there, or is not.
    pub fn broker(&mut self, up: bool, now: Instant) {
        self.broker = up;
        if !up {
            self.said.clear();
        }
        let keys: Vec<Key> = self.peers.keys().copied().collect();
        for key in keys {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            if !up {
                peer.online = None;
            }
            if up && self.members.len() <= super::SMALL_HOUSE {
                peer.asked_at = None;
                self.ask(key, now);
            }
        }
        self.changed = true;
    }

    /// A straight link is gone.
    pub fn closed(&mut self, link: u64) {
        for peer in self.peers.values_mut().filter(|it| it.link == Some(link)) {
            peer.link = None;
        }
    }

    /// Sends the list of members to one of them.
    pub(super) fn send_list(&mut self, to: Key, now: Instant) {
        let Some(peer) = self.peers.get_mut(&to) else { return };
        if peer.list_sent.is_some_and(|at| now < at + LIST_EVERY) {
            return;
        }
        peer.list_sent = Some(now);
        let body = serde_json::to_value(self.members.list(&self.us)).unwrap_or(Value::Null);
        let room: RoomName = self.room_of(&to);
        let letter =
            Letter { to: To::Room(room), kind: MEMBERS.into(), call: None, body, blob: None, keep_trying_for: CARRY_LIST };
        self.send(to, letter, None, now);
    }
}
