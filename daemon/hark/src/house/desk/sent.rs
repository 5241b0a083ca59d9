//! Announcements of ours: who has them, who is ready, and when all of them play.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use control::house::{AnnouncementId, RoomName};

/// How long a room that cannot be reached is tried.
pub const TRY_FOR: Duration = Duration::from_secs(10);
/// How long the rooms that are ready wait for the others.
const WAIT_FOR: Duration = Duration::from_millis(1200);
/// A room that has it and is not ready by then has better things to do.
const BUSY_AFTER: Duration = Duration::from_millis(250);
/// From "go" to the first sound: time for the word to reach every room by whichever way.
const LEAD: Duration = Duration::from_millis(300);
/// Announcements that are remembered for rooms that become ready late.
const REMEMBERED: usize = 32;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// This room plays it at that moment; one that is over means at once.
    Go(RoomName, AnnouncementId, Instant),
    /// It has reached everybody but these.
    Delivered(AnnouncementId, Vec<RoomName>),
}

/// How far it has come in one room.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// On its way. `up`: the room could be reached when it was sent.
    Sent { up: bool },
    /// There since that moment.
    Got(Instant),
    /// There, and may be heard.
    Ready,
    /// Not there, and never will be.
    Missed,
}

#[derive(Debug)]
struct Sent {
    id: AnnouncementId,
    rooms: BTreeMap<RoomName, Way>,
    at: Instant,
    go: Option<Instant>,
    told: bool,
}

/// All that were sent of late.
#[derive(Debug, Default)]
pub struct Outbox {
    sent: VecDeque<Sent>,
}

impl Outbox {
    /// One is being sent to these rooms; the flag tells whether a room can be reached now.
    pub fn send(&mut self, now: Instant, id: AnnouncementId, rooms: Vec<(RoomName, bool)>) -> Vec<Next> {
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        let rooms = rooms.into_iter().map(|(room, up)| (room, Way::Sent { up })).collect();
        self.sent.push_back(Sent { id, rooms, at: now, go: None, told: false });
        self.turn(now)
    }

    /// A room has it.
    pub fn got(&mut self, now: Instant, room: &str, id: &AnnouncementId) -> Vec<Next> {
        self.step(now, room, id, |way| match way {
            Way::Sent { .. } | Way::Missed => Way::Got(now),
            Way::Got(_) | Way::Ready => way,
        })
    }

    /// It may be heard in a room.
    pub fn ready(&mut self, now: Instant, room: &str, id: &AnnouncementId) -> Vec<Next> {
        let mut next = self.step(now, room, id, |_| Way::Ready);
        let sent = self.sent.iter().find(|it| it.id == *id && it.rooms.contains_key(room));
        // Those that made it in time are told together, this one is late.
        let late = sent.and_then(|it| it.go).map(|at| Next::Go(room.into(), id.clone(), at));
        match late {
            Some(go) if !next.contains(&go) => next.push(go),
            _ => (),
        }
        next
    }

    /// It could not be brought to a room, or cannot be played there.
    pub fn missed(&mut self, now: Instant, room: &str, id: &AnnouncementId) -> Vec<Next> {
        self.step(now, room, id, |way| if way == Way::Ready { way } else { Way::Missed })
    }

    /// When [`Outbox::turn`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.sent.iter().filter_map(Sent::deadline).min()
    }

    /// Time has passed.
    pub fn turn(&mut self, now: Instant) -> Vec<Next> {
        self.sent.iter_mut().flat_map(|it| it.turn(now)).collect()
    }

    fn step(&mut self, now: Instant, room: &str, id: &AnnouncementId, change: impl Fn(Way) -> Way) -> Vec<Next> {
        let Some(sent) = self.sent.iter_mut().find(|it| it.id == *id) else { return Vec::new() };
        let Some(way) = sent.rooms.get_mut(room) else { return Vec::new() };
        *way = change(*way);
        sent.turn(now)
    }
}

impl Sent {
    fn turn(&mut self, now: Instant) -> Vec<Next> {
        let mut next = Vec::new();
        if self.go.is_none() && self.rooms.values().all(|it| it.is_waited_for_until(self.at).is_none_or(|until| until <= now)) {
            let at = now + LEAD;
            self.go = Some(at);
            let ready = self.rooms.iter().filter(|(_, way)| **way == Way::Ready);
            next.extend(ready.map(|(room, _)| Next::Go(room.clone(), self.id.clone(), at)));
        }
        let open = self.rooms.values().any(|it| matches!(it, Way::Sent { .. }));
        if !self.told && (!open || now >= self.at + TRY_FOR) {
            self.told = true;
            let missed = self.rooms.iter().filter(|(_, way)| matches!(way, Way::Sent { .. } | Way::Missed));
            next.push(Next::Delivered(self.id.clone(), missed.map(|(room, _)| room.clone()).collect()));
        }
        next
    }

    fn deadline(&self) -> Option<Instant> {
        let go = self.rooms.values().filter_map(|it| it.is_waited_for_until(self.at)).max().filter(|_| self.go.is_none());
        go.or(Some(self.at + TRY_FOR).filter(|_| !self.told))
    }
}

impl Way {
    fn is_waited_for_until(self, sent: Instant) -> Option<Instant> {
        match self {
            Way::Sent { up: true } => Some(sent + WAIT_FOR),
            Way::Got(at) => Some((at + BUSY_AFTER).min(sent + WAIT_FOR)),
            Way::Sent { up: false } | Way::Ready | Way::Missed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> AnnouncementId {
        AnnouncementId("a".into())
    }

    fn go(room: &str, at: Instant) -> Next {
        Next::Go(room.into(), id(), at)
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn sent(now: Instant, rooms: &[(&str, bool)]) -> Outbox {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.send(now, id(), rooms.iter().map(|(room, up)| ((*room).into(), *up)).collect()), []);
        outbox
    }

    #[test]
    fn all_that_are_ready_go_together() {
        let now = Instant::now();
        let mut outbox = sent(now, &[("hall", true), ("study", true)]);
        assert_eq!(outbox.got(now, "hall", &id()), []);
        assert_eq!(outbox.ready(now, "hall", &id()), []);
        let next = outbox.ready(now + ms(100), "study", &id());
        let at = now + ms(100) + LEAD;
        assert_eq!(next, [go("hall", at), go("study", at), Next::Delivered(id(), vec![])]);
        assert_eq!((outbox.deadline(), outbox.turn(now + TRY_FOR)), (None, vec![]));
        assert_eq!(outbox.ready(now + ms(200), "attic", &id()), [], "who was not asked is not told");
    }

    #[test]
    fn a_room_that_is_down_or_busy_is_not_waited_for_and_plays_when_it_can() {
        let now = Instant::now();
        let mut outbox = sent(now, &[("busy", true), ("down", false), ("hall", true)]);
        outbox.got(now, "busy", &id());
        assert_eq!(outbox.ready(now + ms(50), "hall", &id()), []);
        assert_eq!(outbox.deadline(), Some(now + BUSY_AFTER));
        let at = now + BUSY_AFTER + LEAD;
        assert_eq!(outbox.turn(now + BUSY_AFTER), [go("hall", at)]);
        let next = outbox.got(now + ms(5000), "down", &id());
        assert_eq!(next, [Next::Delivered(id(), vec![])]);
        assert_eq!(outbox.ready(now + ms(5000), "down", &id()), [go("down", at)]);
        assert_eq!(outbox.ready(now + ms(60_000), "busy", &id()), [go("busy", at)]);
    }

    #[test]
    fn silent_rooms_are_waited_for_a_while_and_then_missed() {
        let now = Instant::now();
        let mut outbox = sent(now, &[("hall", true), ("study", true), ("attic", true)]);
        outbox.ready(now, "hall", &id());
        assert_eq!(outbox.deadline(), Some(now + WAIT_FOR));
        assert_eq!(outbox.turn(now + WAIT_FOR), [go("hall", now + WAIT_FOR + LEAD)]);
        assert_eq!(outbox.missed(now + ms(2000), "study", &id()), []);
        assert_eq!(outbox.turn(now + TRY_FOR), [Next::Delivered(id(), vec!["attic".into(), "study".into()])]);
        assert_eq!(outbox.ready(now + ms(11_000), "attic", &id()), [go("attic", now + WAIT_FOR + LEAD)], "late, and heard");
    }

    #[test]
    fn nobody_to_send_to_is_delivered_at_once() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.send(Instant::now(), id(), Vec::new()), [Next::Delivered(id(), vec![])]);
        for n in 0..99 {
            outbox.send(Instant::now(), AnnouncementId(n.to_string()), Vec::new());
        }
        assert_eq!(outbox.sent.len(), REMEMBERED);
    }
}
