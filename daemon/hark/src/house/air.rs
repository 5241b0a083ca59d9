//! What the house and the task that speaks MQTT say to each other.

use std::net::SocketAddr;
use std::sync::Arc;

use control::house::RoomName;
use serde::Deserialize;

use super::identity::Fingerprint;

/// From the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromBroker {
    /// It is there.
    Up,
    /// It is gone.
    Down,
    /// A letter to us, or to everyone.
    Letter(Vec<u8>),
    /// A step of somebody who joins.
    Join(Vec<u8>),
    /// The status of a room.
    Online {
        /// Which.
        room: RoomName,
        /// `online`.
        online: bool,
    },
    /// What a speaker says of itself.
    About {
        /// The fingerprint of its key.
        key: Fingerprint,
        /// Where its straight link listens.
        links: Vec<SocketAddr>,
    },
}

/// To the broker; dropped while it is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToBroker {
    /// Into the inbox of a room.
    Letter {
        /// Which.
        room: RoomName,
        /// The envelope.
        bytes: Arc<[u8]>,
    },
    /// To everyone.
    Shout(Arc<[u8]>),
    /// A step of joining.
    Join(Arc<[u8]>),
    /// What `about` says of us from now on.
    About {
        /// The fingerprint of our key.
        key: Fingerprint,
        /// Where our straight link listens.
        links: Vec<SocketAddr>,
    },
}

/// The keys of `about` that matter to the house.
#[derive(Deserialize)]
struct About {
    key: Fingerprint,
    #[serde(default)]
    links: Vec<SocketAddr>,
}

/// Reads `about` of another speaker; nothing where it takes no part in a house.
pub fn about(payload: &[u8]) -> Option<FromBroker> {
    if payload.len() > 65_536 {
        return None;
    }
    let mut about: About = serde_json::from_slice(payload).ok()?;
    about.links.truncate(6);
    Some(FromBroker::About { key: about.key, links: about.links })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_tells_key_and_links_or_nothing() {
        let key = "00112233445566778899aabbccddeeff";
        let text = format!(r#"{{"name":"Kitchen","key":"{key}","links":["10.0.0.1:7373"]}}"#);
        let links = vec!["10.0.0.1:7373".parse().unwrap()];
        assert_eq!(about(text.as_bytes()), Some(FromBroker::About { key: key.parse().unwrap(), links }));
        for junk in ["", "{}", r#"{"key":"x"}"#, r#"{"key":7}"#, &format!(r#"{{"key":"{key}","links":["x"]}}"#)] {
            assert_eq!(about(junk.as_bytes()), None, "{junk}");
        }
    }
}
