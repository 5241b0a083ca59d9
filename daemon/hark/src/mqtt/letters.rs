//! Letters between speakers by way of the broker. They are sealed, acknowledged and sent again by those who write them; so here they go with QoS 0, and what
//! the broker loses or keeps does no harm.

use rumqttc::{AsyncClient, Publish, QoS};
use tokio::sync::mpsc;
use tracing::debug;

use super::Mqtt;
use super::payload::json;
use crate::house::air::{self, FromBroker, ToBroker};

/// The house's ends.
pub struct Wires {
    /// A full channel drops: what matters comes again.
    to_house: mpsc::Sender<FromBroker>,
    from_house: mpsc::Receiver<ToBroker>,
}

/// The next letter to be carried.
pub async fn next(house: &mut Option<Wires>) -> Option<ToBroker> {
    match house {
        Some(house) => house.from_house.recv().await,
        None => std::future::pending().await,
    }
}

impl Mqtt {
    /// Carries the letters of a house.
    #[must_use]
    pub fn with_house(self, to_house: mpsc::Sender<FromBroker>, from_house: mpsc::Receiver<ToBroker>) -> Mqtt {
        Mqtt { house: Some(Wires { to_house, from_house }), ..self }
    }

    pub(super) fn subscribe_for_house(&self, client: &AsyncClient) {
        if self.house.is_none() {
            return;
        }
        let base = &self.settings.base;
        let topics = [
            self.topics.inbox(),
            format!("{base}/house/wake"),
            format!("{base}/house/join"),
            format!("{base}/+/status"),
            format!("{base}/+/about"),
        ];
        for topic in topics {
            if let Err(error) = client.try_subscribe(topic, QoS::AtMostOnce) {
                debug!(%error, "subscribing; the connection is gone again");
            }
        }
    }

    /// Publishes a letter, if the broker is there.
    pub(super) fn carry(&mut self, letter: ToBroker) {
        let base = &self.settings.base;
        let (topic, bytes) = match letter {
            ToBroker::Letter { room, bytes } => (format!("{base}/{room}/inbox"), bytes),
            ToBroker::Shout(bytes) => (format!("{base}/house/wake"), bytes),
            ToBroker::Join(bytes) => (format!("{base}/house/join"), bytes),
            ToBroker::About { key, links } => {
                self.about.key = Some(key.to_string());
                self.about.links = links.iter().map(ToString::to_string).collect();
                return self.outbox.keep(self.topics.about(), json(&self.about));
            }
        };
        let Some(client) = &self.client else { return };
        if let Err(error) = client.try_publish(topic, QoS::AtMostOnce, false, bytes.to_vec()) {
            debug!(%error, "a letter waits for the next attempt");
        }
    }

    /// What other speakers wrote, and what their topics say.
    pub(super) fn read_for_house(&self, message: &Publish) {
        let Some(rest) = message.topic.strip_prefix(&self.settings.base).and_then(|it| it.strip_prefix('/')) else { return };
        let payload = || message.payload.to_vec();
        let told = match rest.split_once('/') {
            // What is retained was not sent now.
            Some(("house", "wake")) if !message.retain => Some(FromBroker::Letter(payload())),
            Some(("house", "join")) if !message.retain => Some(FromBroker::Join(payload())),
            Some((room, "inbox")) if room == self.room && !message.retain => Some(FromBroker::Letter(payload())),
            Some((room, "status")) if room != self.room => {
                Some(FromBroker::Online { room: room.to_owned(), online: message.payload.as_ref() == b"online" })
            }
            Some((room, "about")) if room != self.room => air::about(&message.payload),
            _ => None,
        };
        if let Some(told) = told {
            self.tell_house(told);
        }
    }

    pub(super) fn tell_house(&self, told: FromBroker) {
        if let Some(house) = &self.house
            && house.to_house.try_send(told).is_err()
        {
            debug!("too much comes from the broker at once");
        }
    }
}
