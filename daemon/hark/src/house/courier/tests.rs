//! Couriers that are connected by a list: what one sends is given to another, sooner or later, once, twice, or by somebody else.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;
use tokio::sync::mpsc;

use super::*;
use crate::house::Delivered;
use crate::house::members::{List, Removal};

struct Desk {
    courier: Courier,
    calls: mpsc::Receiver<Delivered>,
    desk: mpsc::Receiver<Delivered>,
    rooms: watch::Receiver<Arc<Vec<Room>>>,
    status: watch::Receiver<HouseStatus>,
    room: String,
}

/// A house in which time passes only when told.
struct Town {
    now: Instant,
    start: Instant,
    desks: Vec<Desk>,
    _folders: Vec<tempfile::TempDir>,
    /// All that was ever sent: from whom, how, what.
    wire: Vec<(usize, Way, Arc<[u8]>)>,
    broker: bool,
    straight: bool,
}

fn identity(n: usize) -> Identity {
    Identity::from_seed(&[n as u8 + 1; 32])
}

fn card(room: &str) -> Card {
    Card { room: room.into(), name: room.into(), ..Card::default() }
}

/// Where the straight link of a speaker listens.
fn address(n: usize) -> SocketAddr {
    ([127, 0, 0, 1], 7000 + n as u16).into()
}

fn desk(n: usize, room: &str, folder: &Path, start: Instant) -> Desk {
    let (boxes, calls, desk) = Boxes::new();
    let (rooms_in, rooms) = watch::channel(Arc::default());
    let (status_in, status) = watch::channel(HouseStatus::default());
    let members = Members::open(folder, identity(n).key()).unwrap();
    let kit = Kit {
        us: identity(n),
        card: card(room),
        port: 7000 + n as u16,
        members,
        boxes,
        rooms: rooms_in,
        status: status_in,
        clocks: Clocks::new(start),
    };
    Desk { courier: Courier::new(kit).unwrap(), calls, desk, rooms, status, room: room.into() }
}

impl Town {
    /// All trust all; each process began at another time.
    fn new(rooms: &[&str]) -> Town {
        let start = Instant::now();
        let folders: Vec<_> = rooms.iter().map(|_| tempfile::tempdir().unwrap()).collect();
        let desks = (0..rooms.len()).map(|n| desk(n, rooms[n], folders[n].path(), start + ms(777 * n as u64))).collect();
        let mut it =
            Town { now: start + ms(10_000), start, desks, _folders: folders, wire: Vec::new(), broker: true, straight: true };
        for a in 0..rooms.len() {
            for b in (0..rooms.len()).filter(|b| *b != a) {
                it.desks[a].courier.admit(identity(b).key(), card(rooms[b]), it.now).unwrap();
                it.desks[a].courier.seen(identity(b).key().fingerprint(), &[address(b)], it.now);
            }
            it.desks[a].courier.broker(true, it.now);
        }
        it.pass(ms(1000));
        it
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.carry();
            self.now += ms(5);
            for desk in &mut self.desks {
                desk.courier.timeout(self.now);
            }
        }
        self.carry();
    }

    /// Everything that is on its way arrives.
    fn carry(&mut self) {
        loop {
            let sent = (0..self.desks.len()).find_map(|n| self.desks[n].courier.poll().map(|(way, bytes)| (n, way, bytes)));
            let Some((from, way, bytes)) = sent else { return };
            self.wire.push((from, way.clone(), bytes.clone()));
            match way {
                // A link has the number of the speaker at its other end.
                Way::Link(to) if self.straight && (to as usize) < self.desks.len() => {
                    self.give(to as usize, Via::Link(from as u64, address(from)), &bytes)
                }
                Way::Address(to) if self.straight => {
                    self.give(usize::from(to.port()) - 7000, Via::Link(from as u64, address(from)), &bytes);
                }
                Way::Broker(room) if self.broker => {
                    if let Some(to) = self.desks.iter().position(|it| it.room == room) {
                        self.give(to, Via::Air, &bytes);
                    }
                }
                Way::All if self.broker => (0..self.desks.len()).for_each(|to| self.give(to, Via::Air, &bytes)),
                _ => (),
            }
        }
    }

    fn give(&mut self, to: usize, via: Via, bytes: &[u8]) {
        let now = self.now;
        self.desks[to].courier.received(via, bytes, now);
    }

    fn post(
        &mut self,
        from: usize,
        to: &str,
        kind: &str,
        keep_trying_for: Duration,
    ) -> oneshot::Receiver<Result<(), Undelivered>> {
        let (tell, told) = oneshot::channel();
        let to = if to.is_empty() { To::Everyone } else { To::Room(to.into()) };
        let letter = Letter { to, kind: kind.into(), call: None, body: json!({ "x": 1 }), blob: None, keep_trying_for };
        let now = self.now;
        self.desks[from].courier.post((letter, Some(tell)), now);
        told
    }

    fn calls(&mut self, n: usize) -> usize {
        std::iter::from_fn(|| self.desks[n].calls.try_recv().ok()).count()
    }

    fn refused(&self, n: usize) -> Refused {
        self.desks[n].status.borrow().refused
    }

    fn is_up(&self, n: usize, room: &str) -> bool {
        self.desks[n].rooms.borrow().iter().any(|it| it.slug == room && it.up)
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_letter_arrives_once_by_whatever_way_there_is() {
    for (broker, straight) in [(true, true), (true, false), (false, true)] {
        let mut town = Town::new(&["kitchen", "nursery", "hall"]);
        (town.broker, town.straight) = (broker, straight);
        let mut told = town.post(0, "nursery", "call.offer", ms(5000));
        town.pass(ms(600));
        assert_eq!(told.try_recv().unwrap(), Ok(()), "broker {broker}, straight {straight}");
        assert_eq!([town.calls(0), town.calls(1), town.calls(2)], [0, 1, 0]);
    }
    let mut town = Town::new(&["kitchen", "nursery"]);
    (town.broker, town.straight) = (false, false);
    let mut told = town.post(0, "nursery", "call.offer", ms(1000));
    town.pass(ms(1100));
    assert_eq!(told.try_recv().unwrap(), Err(Undelivered::NoAnswer("nursery".into())));
    assert_eq!(town.post(0, "attic", "call.offer", ms(1000)).try_recv().unwrap(), Err(Undelivered::Unknown("attic".into())));
    town.pass(ms(8000));
    assert!(!town.is_up(0, "nursery"));
    (town.broker, town.straight) = (true, true);
    town.pass(ms(11_000));
    assert!(town.is_up(0, "nursery"), "found again by itself");
}

#[test]
fn whatever_is_played_again_is_not_read_again() {
    let mut town = Town::new(&["kitchen", "nursery"]);
    town.post(0, "nursery", "call.offer", ms(5000));
    town.post(0, "", "wake.bid", ms(1000));
    town.pass(ms(1000));
    assert_eq!(town.calls(1), 1);
    assert_eq!(town.desks[1].desk.try_recv().unwrap().kind, "wake.bid");
    let recorded = town.wire.clone();
    // At once, when all is too old, and after the reader was started anew.
    for _ in 0..3 {
        for (from, _, bytes) in recorded.iter().rev() {
            for to in 0..2 {
                town.give(to, Via::Link(99, address(*from)), bytes);
            }
        }
        town.pass(ms(700_000 / 10));
        assert_eq!(town.calls(1), 0);
        assert!(town.desks[1].desk.try_recv().is_err());
        let folder = tempfile::tempdir().unwrap();
        let mut anew = desk(1, "nursery", folder.path(), town.start);
        anew.courier.admit(identity(0).key(), card("kitchen"), town.now).unwrap();
        town.desks[1] = anew;
    }
    town.pass(ms(2000));
    let mut told = town.post(0, "nursery", "call.offer", ms(5000));
    town.pass(ms(1500));
    assert_eq!(told.try_recv().unwrap(), Ok(()), "and the genuine one is read");
}

#[test]
fn what_is_too_late_is_refused_by_our_clock() {
    let mut town = Town::new(&["kitchen", "nursery"]);
    (town.broker, town.straight) = (false, false);
    let before = town.wire.len();
    town.post(0, "nursery", "call.offer", ms(2000));
    town.post(0, "", "wake.bid", ms(1000));
    town.pass(ms(100));
    let held: Vec<_> = town.wire[before..].iter().filter(|it| it.0 == 0).cloned().collect();
    town.pass(ms(2500));
    (town.broker, town.straight) = (true, true);
    for (_, _, bytes) in &held {
        town.give(1, Via::Air, bytes);
    }
    town.pass(ms(1000));
    assert_eq!(town.calls(1), 0);
    assert!(town.desks[1].desk.try_recv().is_err());
    assert!(town.refused(1).late >= 2, "{:?}", town.refused(1));
}

#[test]
fn clocks_are_known_within_the_round_trip() {
    let town = Town::new(&["kitchen", "nursery"]);
    // The process in the nursery was started 777 ms after that in the kitchen.
    let clock = town.desks[0].courier.clocks.of("nursery").unwrap();
    let there = clock.there(town.now);
    assert_eq!(there, town.now - town.start - ms(777));
    assert_eq!(clock.here(there), town.now);
}

#[test]
fn forged_and_unknown_letters_are_refused_and_counted() {
    let mut town = Town::new(&["kitchen", "nursery"]);
    let stranger = tempfile::tempdir().unwrap();
    // A stranger who calls himself the kitchen, and knows whom to write to.
    let mut other = desk(7, "kitchen", stranger.path(), town.start);
    other.courier.broker(true, town.now);
    other.courier.admit(identity(1).key(), card("nursery"), town.now).unwrap();
    let first = std::iter::from_fn(|| other.courier.poll()).next().unwrap().1;
    town.give(1, Via::Air, &first);
    // The same with the kitchen's fingerprint on it.
    let mut forged = Envelope::read(&first).unwrap();
    forged.from = identity(0).key().fingerprint();
    town.give(1, Via::Air, &forged.bytes());
    let shout = Envelope { to: None, ..forged };
    let life = town.desks[0].courier.epoch;
    town.give(1, Via::Air, &Envelope { epoch: life, n: 1 << 40, ..shout }.bytes());
    for junk in [&b"{"[..], b"", b"online", &[0xff; 4000]] {
        town.give(1, Via::Air, junk);
    }
    town.pass(ms(1000));
    let refused = town.refused(1);
    assert_eq!((refused.unknown, refused.forged, refused.junk), (1, 2, 4));
    assert_eq!(town.calls(1), 0);
    let mut told = town.post(0, "nursery", "call.offer", ms(5000));
    town.pass(ms(100));
    assert_eq!(told.try_recv().unwrap(), Ok(()));
}

#[test]
fn a_restart_of_the_reader_delays_a_letter_but_does_not_lose_it() {
    let mut town = Town::new(&["kitchen", "nursery"]);
    let folder = tempfile::tempdir().unwrap();
    let mut anew = desk(1, "nursery", folder.path(), town.now);
    anew.courier.admit(identity(0).key(), card("kitchen"), town.now).unwrap();
    anew.courier.broker(true, town.now);
    town.desks[1] = anew;
    let mut told = town.post(0, "nursery", "call.offer", ms(5000));
    town.pass(ms(1000));
    assert_eq!(told.try_recv().unwrap(), Ok(()));
    assert_eq!(town.calls(1), 1);
}

#[test]
fn a_third_member_is_learned_by_all_and_a_removed_one_is_forgotten_by_all() {
    let mut town = Town::new(&["kitchen", "nursery", "hall"]);
    let now = town.now;
    town.desks[0].courier.admit(identity(9).key(), card("attic"), now).unwrap();
    town.pass(ms(8000));
    for n in 0..3 {
        assert!(town.desks[n].courier.members().by_room("attic").is_some(), "{n}");
    }
    let now = town.now;
    town.desks[1].courier.remove("hall", now).unwrap();
    town.pass(ms(8000));
    for n in 0..2 {
        assert!(town.desks[n].courier.members().by_room("hall").is_none(), "{n}");
    }
    assert!(town.desks[2].courier.members().we_are_removed().is_some(), "it is told");
    assert!(town.desks[2].status.borrow().problems.iter().any(|it| it.contains("hark house leave")));
    town.post(2, "kitchen", "call.offer", ms(1000));
    town.pass(ms(1500));
    assert_eq!(town.calls(0), 0, "and not heard any more");
    // What it says of others counts no more either.
    let list = List { members: Vec::new(), removed: vec![Removal::new(&identity(2), identity(0).key())] };
    let now = town.now;
    town.desks[1].courier.merge(list, now);
    assert!(town.desks[1].courier.members().by_room("kitchen").is_some());
}

#[test]
fn a_letter_costs_the_same_in_a_house_of_any_size() {
    let costs: Vec<usize> = [2, 12]
        .map(|n| {
            let rooms: Vec<String> = (0..n).map(|it| format!("room-{it}")).collect();
            let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
            let mut town = Town::new(&rooms);
            town.straight = false;
            for from in 0..n {
                (0..n as u64).for_each(|link| town.desks[from].courier.closed(link));
            }
            for desk in &mut town.desks {
                desk.courier.peers.values_mut().for_each(|it| it.addresses.clear());
            }
            let before = town.wire.len();
            let mut told = town.post(0, "room-1", "call.offer", ms(5000));
            town.carry();
            assert_eq!(told.try_recv().unwrap(), Ok(()));
            town.wire.len() - before
        })
        .into();
    // Itself and its acknowledgement.
    assert_eq!(costs, [2, 2]);
}
