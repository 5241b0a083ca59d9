//! What waits for the broker. While it is there every state is told, in order; while it is away the latest one wins, and only so many events are kept.

use std::collections::VecDeque;

/// Events and answers kept while the broker is away; beyond it the oldest are dropped and counted.
const MAX_WAITING: usize = 64;

/// States of one topic that may wait for the one before to be taken; a call has fewer.
const MAX_STATES: usize = 16;

/// One message to publish with QoS 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for those who come later.
    pub retain: bool,
}

/// Messages in the order in which they go out, one after the other.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Everything that is retained, in the order of first mention: all of it goes out again after each connect.
    kept: Vec<Kept>,
    waiting: VecDeque<Message>,
    in_flight: Option<Message>,
    dropped: u64,
}

#[derive(Debug)]
struct Kept {
    topic: String,
    latest: Vec<u8>,
    /// What is yet to be told, oldest first.
    due: VecDeque<Vec<u8>>,
}

impl Outbox {
    /// Publishes a state, after those of the same topic that are yet to be told.
    pub fn keep(&mut self, topic: String, payload: Vec<u8>) {
        let Some(kept) = self.kept.iter_mut().find(|kept| kept.topic == topic) else {
            self.kept.push(Kept { topic, due: VecDeque::from([payload.clone()]), latest: payload });
            return;
        };
        if kept.latest == payload {
            return;
        }
        if kept.due.len() >= MAX_STATES {
            kept.due.pop_front();
        }
        kept.due.push_back(payload.clone());
        kept.latest = payload;
    }

    /// Publishes something that happened once.
    pub fn push(&mut self, topic: String, payload: Vec<u8>) {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(Message { topic, payload, retain: false });
    }

    /// The connection is new, or somebody forgot our states: the latest of each is due again.
    pub fn repeat(&mut self) {
        for kept in &mut self.kept {
            kept.due = VecDeque::from([kept.latest.clone()]);
        }
    }

    /// Somebody overwrote our state there: it is due again.
    pub fn again(&mut self, topic: &str) {
        for kept in self.kept.iter_mut().filter(|kept| kept.topic == topic && kept.due.is_empty()) {
            kept.due.push_back(kept.latest.clone());
        }
    }

    /// What is in flight was not taken: it goes out again.
    pub fn lost(&mut self) {
        let Some(message) = self.in_flight.take() else { return };
        match self.kept.iter_mut().find(|kept| message.retain && kept.topic == message.topic) {
            Some(kept) => kept.due.push_front(message.payload),
            None => self.waiting.push_front(message),
        }
    }

    /// The next message, unless one is still in flight. States go first: they are what is true now.
    pub fn take_next(&mut self) -> Option<&Message> {
        if self.in_flight.is_some() {
            return None;
        }
        let state = self.kept.iter_mut().find_map(|kept| {
            let payload = kept.due.pop_front()?;
            Some(Message { topic: kept.topic.clone(), payload, retain: true })
        });
        self.in_flight = state.or_else(|| self.waiting.pop_front());
        self.in_flight.as_ref()
    }

    /// The message in flight was taken by the broker.
    pub fn acknowledged(&mut self) {
        self.in_flight = None;
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty() && self.kept.iter().all(|kept| kept.due.is_empty())
    }

    /// How many events and answers were given up.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outbox: &mut Outbox) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(message) = outbox.take_next() {
            sent.push(format!("{} {}", message.topic, String::from_utf8_lossy(&message.payload)));
            outbox.acknowledged();
        }
        sent
    }

    fn three_states() -> Outbox {
        let mut outbox = Outbox::default();
        for state in ["dialing", "ringback", "connected"] {
            outbox.keep("call".into(), state.into());
            outbox.push("event".into(), state.into());
        }
        outbox
    }

    #[test]
    fn every_state_is_told_in_order() {
        let told = ["call dialing", "call ringback", "call connected", "event dialing", "event ringback", "event connected"];
        assert_eq!(drain(&mut three_states()), told);
    }

    #[test]
    fn the_latest_state_wins_after_the_broker_was_away() {
        let mut outbox = three_states();
        outbox.repeat();
        assert_eq!(drain(&mut outbox), ["call connected", "event dialing", "event ringback", "event connected"]);
        outbox.repeat();
        assert_eq!(drain(&mut outbox), ["call connected"]);
    }

    #[test]
    fn what_was_not_acknowledged_goes_out_again() {
        let mut outbox = Outbox::default();
        outbox.push("event".into(), "a".into());
        outbox.push("event".into(), "b".into());
        assert!(outbox.take_next().is_some());
        assert!(outbox.take_next().is_none(), "one at a time");
        outbox.lost();
        assert_eq!(drain(&mut outbox), ["event a", "event b"]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn too_many_events_drop_the_oldest_and_are_counted() {
        let mut outbox = Outbox::default();
        for n in 0..MAX_WAITING + 3 {
            outbox.push("event".into(), n.to_string().into_bytes());
        }
        assert_eq!(outbox.dropped(), 3);
        assert_eq!(drain(&mut outbox)[0], "event 3");
    }

    #[test]
    fn a_state_that_did_not_change_is_not_sent_again() {
        let mut outbox = Outbox::default();
        outbox.keep("status".into(), "online".into());
        drain(&mut outbox);
        outbox.keep("status".into(), "online".into());
        assert!(outbox.is_empty());
    }
}
