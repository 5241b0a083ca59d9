//! What hark.yaml says of the house, but for what the decisions depend on: that is in `control`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use control::house::RoomName;

/// See hark.yaml, `house`, `presence` and `devices`.
#[derive(Clone, Debug, PartialEq)]
pub struct HouseSettings {
    /// Whether this speaker takes part in a house.
    pub enabled: bool,
    /// Where other speakers reach it directly, by TCP.
    pub listen: SocketAddr,
    /// Where the speakers tell one another at once who heard the wake phrase; `None`: only by the other ways.
    pub multicast: Option<SocketAddrV4>,
    /// Of which interface multicast is heard and sent; `None`: as the system routes it.
    pub interface: Option<Ipv4Addr>,
    /// Whether other speakers are looked for, and this one is found, without a broker.
    pub mdns: bool,
    /// What is added to the level at which the wake phrase was heard, where this microphone is weaker than those of other rooms.
    pub microphone_gain_db: f32,
    /// Groups of phones that are paged by multicast.
    pub paging: Vec<PagingGroup>,
    /// Topics of others that tell something.
    pub watched: Vec<Watched>,
}

/// Phones that play what is sent to one multicast address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagingGroup {
    /// As people say it.
    pub name: String,
    /// The address.
    pub address: SocketAddrV4,
    /// How the sound is encoded.
    pub codec: PagingCodec,
    /// Whether announcements of ours can be sent there.
    pub send: bool,
    /// Whether what is sent there is played here.
    pub receive: bool,
}

/// See [`PagingGroup::codec`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagingCodec {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

/// A topic of somebody else that tells something we want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The topic; no wildcards.
    pub topic: String,
    /// The keys that lead to the value in a JSON payload; none where the payload is the value.
    pub value: Vec<String>,
    /// What the value is.
    pub tells: Tells,
}

/// See [`Watched::tells`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Where somebody is.
    Presence {
        /// The contact's name.
        person: String,
        /// What the value means; where nothing is given, it is the room's name.
        rooms: BTreeMap<String, RoomName>,
    },
    /// What a device is, by its name in `devices`.
    Device(String),
}
