//! The house: speakers that trust one another's keys, and the letters that they send each other.

pub mod desk;

use std::sync::Arc;
use std::time::{Duration, Instant};

use control::house::{Room, RoomName};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

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
}

impl Post {
    /// Puts it together.
    pub fn new(letters: mpsc::Sender<Posted>, rooms: watch::Receiver<Arc<Vec<Room>>>) -> Post {
        Post { letters, rooms }
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
}
