//! The house: speakers that trust one another's keys, and the letters that they send each other.

pub mod air;
pub mod clock;
pub mod courier;
pub mod desk;
pub mod direct;
pub mod fresh;
pub mod identity;
pub mod join;
pub mod mdns;
pub mod members;
pub mod minutes;
pub mod multicast;
pub mod office;
pub mod seal;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::house::{HouseEvent, Room, RoomName};
use control::input::Command;
use control::phrases::Phrases;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use air::{FromBroker, ToBroker};
pub use clock::{ClockOffset, Clocks};
use courier::{Courier, HouseStatus, Kit};
use direct::Direct;
use identity::Identity;
use members::{Card, Members};
use office::{Asked, Office, Wires};

use crate::request::Request;

/// Letters that may wait for those who read them; a full channel drops the letter, unacknowledged: it comes again.
const UNREAD: usize = 256;
/// Letters that may wait to be sent; a full channel makes the sender wait.
const UNSENT: usize = 256;

/// To whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// One room; the letter is acknowledged, and sent again on every way there is until it is.
    Room(RoomName),
    /// All rooms, at once and without acknowledgement: it counts now or never.
    Everyone,
}

/// Something to be told to other speakers. It is sealed for its reader and signed on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// To whom.
    pub to: To,
    /// What it is about: `offer`, `bye`, `bid`, `announce` ... (docs/mqtt.md).
    pub kind: String,
    /// The call that it is about, as both ends name it.
    pub call: Option<String>,
    /// What it says.
    pub body: Value,
    /// Sound or such; goes straight from speaker to speaker only, never through a broker.
    pub blob: Option<Arc<[u8]>>,
    /// When it is no longer worth reading.
    pub keep_trying_for: Duration,
}

/// A letter that has arrived: signed by a key that we trust, fresh, and for the first time.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    /// Who wrote it.
    pub from: RoomName,
    /// See [`Letter::kind`].
    pub kind: String,
    /// See [`Letter::call`].
    pub call: Option<String>,
    /// See [`Letter::body`].
    pub body: Value,
    /// See [`Letter::blob`].
    pub blob: Option<Arc<[u8]>>,
    /// When it was written, by our clock.
    pub sent: Instant,
}

/// Why a letter did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// We do not know such a room, or do not trust its key.
    #[error("no speaker of this house is called `{0}`; `hark house list` tells who is")]
    Unknown(RoomName),
    /// It did not acknowledge in time.
    #[error("`{0}` does not answer; is it switched on and in the same network?")]
    NoAnswer(RoomName),
}

/// A letter and who wants to know what became of it.
pub type Posted = (Letter, Option<oneshot::Sender<Result<(), Undelivered>>>);

/// Where letters are handed in, and where it is known who is there.
#[derive(Clone)]
pub struct Post {
    /// A full channel makes the sender wait.
    letters: mpsc::Sender<Posted>,
    rooms: watch::Receiver<Arc<Vec<Room>>>,
    clocks: Clocks,
}

impl Post {
    /// Puts it together.
    pub fn new(letters: mpsc::Sender<Posted>, rooms: watch::Receiver<Arc<Vec<Room>>>, clocks: Clocks) -> Post {
        Post { letters, rooms, clocks }
    }

    /// Sends a letter and waits until it has arrived (to one room), or has gone out (to everyone).
    ///
    /// # Errors
    /// When it has not arrived in time.
    pub async fn send(&self, letter: Letter) -> Result<(), Undelivered> {
        let room = match &letter.to {
            To::Room(room) => room.clone(),
            To::Everyone => String::new(),
        };
        let (tell, arrived) = oneshot::channel();
        if self.letters.send((letter, Some(tell))).await.is_err() {
            return Err(Undelivered::NoAnswer(room));
        }
        arrived.await.unwrap_or(Err(Undelivered::NoAnswer(room)))
    }

    /// Sends a letter without waiting. A full post office drops it: then there are more important troubles.
    pub fn drop_in_box(&self, letter: Letter) {
        if self.letters.try_send((letter, None)).is_err() {
            tracing::debug!("a letter to other speakers was dropped: too many at once");
        }
    }

    /// The rooms of the house, ours left out, as they are now.
    pub fn rooms(&self) -> Arc<Vec<Room>> {
        self.rooms.borrow().clone()
    }

    /// Tells whenever a room comes, goes or changes.
    pub fn watch(&self) -> watch::Receiver<Arc<Vec<Room>>> {
        self.rooms.clone()
    }

    /// How to read the clock of another speaker; `None` until it has answered once.
    pub fn clock(&self, room: &str) -> Option<ClockOffset> {
        self.clocks.of(room)
    }

    /// A moment by the clock of this speaker, as others convert it with [`Post::clock`].
    pub fn our_clock(&self, at: Instant) -> Duration {
        self.clocks.ours(at)
    }
}

/// What the rest of the speaker holds of the house.
pub struct House {
    /// Where letters are handed in.
    pub post: Post,
    /// Letters about calls: `call.*`.
    pub calls: mpsc::Receiver<Delivered>,
    /// Letters about announcements and the wake phrase: `announce.*`, `wake.*`.
    pub desk: mpsc::Receiver<Delivered>,
    /// Questions of people about the house.
    pub asked: mpsc::Sender<Asked>,
    /// What people see of it.
    pub status: watch::Receiver<HouseStatus>,
    /// To be aborted at the end.
    pub tasks: Vec<JoinHandle<()>>,
}

/// What the house must know of this speaker.
#[derive(Clone, Debug, PartialEq)]
pub struct HouseSettings {
    /// Our room's name in topics and addresses.
    pub room: RoomName,
    /// As people say it.
    pub name: String,
    /// Where it stands.
    pub floor: Option<String>,
    /// Groups of rooms that it is in.
    pub groups: Vec<String>,
    /// Where our key and the list of members are kept.
    pub folder: PathBuf,
    /// The first level of all topics.
    pub base: String,
    /// Where the straight link listens; `None`: nowhere, and no house.
    pub listen: Option<SocketAddr>,
    /// Where bids go; `None`: only by the other ways.
    pub multicast: Option<SocketAddrV4>,
    /// Of which interface multicast is heard and sent; `None`: as the system routes it.
    pub interface: Option<Ipv4Addr>,
    /// Whether we look for others and are found by mDNS.
    pub mdns: bool,
}

/// The house's ends of what connects it to the rest of this speaker.
pub struct Connections {
    /// From the broker.
    pub from_broker: mpsc::Receiver<FromBroker>,
    /// To the broker.
    pub to_broker: mpsc::Sender<ToBroker>,
    /// Codes to be spoken in the room.
    pub speak: mpsc::Sender<String>,
}

/// Starts the house of this speaker.
///
/// # Errors
/// When our key or the list of members cannot be read.
pub async fn start(settings: HouseSettings, connections: Connections) -> anyhow::Result<House> {
    let us = Identity::open(&settings.folder)?;
    let members = Members::open(&settings.folder, us.key())?;
    let clocks = Clocks::new(Instant::now());
    let (letters_in, letters) = mpsc::channel(UNSENT);
    let (rooms_in, rooms) = watch::channel(Arc::default());
    let (status_in, status) = watch::channel(HouseStatus::default());
    let (asked_in, asked) = mpsc::channel(16);
    let (orders, orders_out) = mpsc::channel(UNSENT);
    let (notices_in, notices) = mpsc::channel(UNREAD);
    let (seen_in, seen) = mpsc::channel(64);
    let (boxes, calls, desk) = Boxes::new();
    let listener = match settings.listen {
        Some(at) => direct::listen(at).await,
        None => None,
    };
    let links = listener.as_ref().and_then(|it| it.local_addr().ok()).map(|at| reached_at(at, settings.interface));
    let links: Vec<SocketAddr> = links.into_iter().collect();
    let multicast = settings.multicast.and_then(|group| match multicast::open(group, settings.interface) {
        Ok(socket) => Some(socket),
        Err(error) => {
            tracing::warn!("without {error:#}; other speakers are told by the other ways");
            None
        }
    });
    let card = Card {
        room: settings.room.clone(),
        name: settings.name.clone(),
        floor: settings.floor.clone(),
        groups: settings.groups.clone(),
    };
    let port = links.first().map_or(0, SocketAddr::port);
    let kit = Kit { us, card, port, members, boxes, rooms: rooms_in, status: status_in, clocks: clocks.clone() };
    let courier = Courier::new(kit)?;
    let Connections { from_broker, to_broker, speak } = connections;
    let wires = Wires {
        letters,
        asked,
        notices,
        orders,
        from_broker,
        to_broker,
        seen,
        seen_in,
        multicast,
        status: status.clone(),
        speak,
    };
    let tasks = vec![
        tokio::spawn(Direct::new(listener, orders_out, notices_in).run()),
        tokio::spawn(Office::new(settings, courier, wires, links).run()),
    ];
    Ok(House { post: Post::new(letters_in, rooms, clocks), calls, desk, asked: asked_in, status, tasks })
}

/// As [`start`]; where that cannot be, or is not wanted, a house with nobody in it, and the speaker works without.
pub async fn start_or_say_why(settings: HouseSettings, wanted: bool, connections: Connections) -> House {
    let mut problems = Vec::new();
    if wanted {
        match start(settings, connections).await {
            Ok(house) => return house,
            Err(error) => {
                tracing::error!("no calls to other rooms: {error:#}");
                problems.push(format!("no house: {error:#}"));
            }
        }
    }
    let (_, calls, desk) = Boxes::new();
    let post = Post::new(mpsc::channel(1).0, watch::channel(Arc::default()).1, Clocks::new(Instant::now()));
    let status = watch::channel(HouseStatus { problems, ..HouseStatus::default() }).1;
    House { post, calls, desk, asked: mpsc::channel(1).0, status, tasks: Vec::new() }
}

/// Speaks the codes by which others join, digit by digit.
pub async fn speak_codes(mut codes: mpsc::Receiver<String>, phrases: Phrases, requests: mpsc::Sender<Request>) {
    while let Some(code) = codes.recv().await {
        let digits = code.chars().map(String::from).collect::<Vec<_>>().join(", ");
        let text = phrases.prompts.get("house_code").map_or(digits.clone(), |it| it.replace("{code}", &digits));
        if requests.send(Request { command: Command::Say(text), reply: None }).await.is_err() {
            return;
        }
    }
}

/// Where others reach what listens at `at`: where that is everywhere, at the address from which the system would send.
fn reached_at(at: SocketAddr, interface: Option<Ipv4Addr>) -> SocketAddr {
    if !at.ip().is_unspecified() {
        return at;
    }
    // Nothing is sent: connecting only asks which way it would go (an address for documentation, RFC 5737).
    let route = || {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let ip = interface.map(IpAddr::V4).or_else(route).unwrap_or(Ipv4Addr::LOCALHOST.into());
    SocketAddr::new(ip, at.port())
}

/// Where letters that arrive are handed out, by the part of their kind before the first dot.
pub struct Boxes {
    calls: mpsc::Sender<Delivered>,
    desk: mpsc::Sender<Delivered>,
}

impl Boxes {
    /// The boxes, and their other ends: of the line `rooms` and of the desk.
    pub fn new() -> (Boxes, mpsc::Receiver<Delivered>, mpsc::Receiver<Delivered>) {
        let (calls, line) = mpsc::channel(UNREAD);
        let (desk, at_desk) = mpsc::channel(UNREAD);
        (Boxes { calls, desk }, line, at_desk)
    }

    /// Hands out a letter; says whether somebody has taken it.
    pub fn put(&self, letter: Delivered) -> bool {
        match letter.kind.split('.').next() {
            Some("call") => self.calls.try_send(letter).is_ok(),
            Some("announce" | "wake") => self.desk.try_send(letter).is_ok(),
            // A newer speaker may know kinds that we do not.
            _ => true,
        }
    }
}

/// Tells the decisions of every change of the rooms, until either end is gone.
pub async fn tell_rooms(mut rooms: watch::Receiver<Arc<Vec<Room>>>, events: mpsc::Sender<HouseEvent>) {
    loop {
        let now = rooms.borrow_and_update().as_ref().clone();
        if events.send(HouseEvent::Rooms(now)).await.is_err() || rooms.changed().await.is_err() {
            return;
        }
    }
}
