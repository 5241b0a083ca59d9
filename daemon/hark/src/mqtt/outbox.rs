//! What waits for the broker. While it is away the latest state wins, and only so many events are kept.

use std::collections::VecDeque;

/// Events and answers kept while the broker is away; beyond it the oldest are dropped and counted.
const MAX_WAITING: usize = 64;

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
    message: Message,
    due: bool,
}

impl Outbox {
    /// Publishes a state; replaces what was due for the same topic.
    pub fn keep(&mut self, topic: String, payload: Vec<u8>) {
        match self.kept.iter_mut().find(|kept| kept.message.topic == topic) {
            Some(kept) if kept.message.payload == payload => (),
            Some(kept) => {
                kept.message.payload = payload;
                kept.due = true;
            }
            None => self.kept.push(Kept { message: Message { topic, payload, retain: true }, due: true }),
        }
    }

    /// Publishes something that happened once.
    pub fn push(&mut self, topic: String, payload: Vec<u8>) {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(Message { topic, payload, retain: false });
    }

    /// The connection is new, or somebody forgot our states: all of them are due again.
    pub fn repeat(&mut self) {
        self.kept.iter_mut().for_each(|kept| kept.due = true);
    }

    /// Somebody overwrote our state there: it is due again.
    pub fn again(&mut self, topic: &str) {
        self.kept.iter_mut().filter(|kept| kept.message.topic == topic).for_each(|kept| kept.due = true);
    }

    /// What is in flight was not taken: it goes out again.
    pub fn lost(&mut self) {
        let Some(message) = self.in_flight.take() else { return };
        match self.kept.iter_mut().find(|kept| message.retain && kept.message.topic == message.topic) {
            Some(kept) => kept.due = true,
            None => self.waiting.push_front(message),
        }
    }

    /// The next message, unless one is still in flight. States go first: they are what is true now.
    pub fn take_next(&mut self) -> Option<&Message> {
        if self.in_flight.is_some() {
            return None;
        }
        self.in_flight = match self.kept.iter_mut().find(|kept| kept.due) {
            Some(kept) => {
                kept.due = false;
                Some(kept.message.clone())
            }
            None => self.waiting.pop_front(),
        };
        self.in_flight.as_ref()
    }

    /// The message in flight was taken by the broker.
    pub fn acknowledged(&mut self) {
        self.in_flight = None;
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty() && self.kept.iter().all(|kept| !kept.due)
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

    #[test]
    fn the_latest_state_wins_while_the_broker_is_away() {
        let mut outbox = Outbox::default();
        for state in ["dialing", "ringback", "connected"] {
            outbox.keep("call".into(), state.into());
            outbox.push("event".into(), state.into());
        }
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
