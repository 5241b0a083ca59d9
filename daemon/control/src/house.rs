//! The house as one speaker sees it: other rooms, who heard the wake phrase best, announcements, and where people are.

use std::fmt;
use std::time::Duration;

/// A room's name in topics and addresses: a-z, 0-9, `-`.
pub type RoomName = String;

/// Another speaker that belongs to this house: we know its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Its name in topics and addresses.
    pub slug: RoomName,
    /// As people say it.
    pub name: String,
    /// Where it stands, as people say it: `ground floor`.
    pub floor: Option<String>,
    /// Groups of rooms that it is in.
    pub groups: Vec<String>,
    /// Whether it can be reached now.
    pub up: bool,
}

/// How well a speaker heard the wake phrase.
#[derive(Clone, Debug, PartialEq)]
pub struct Bid {
    /// Which speaker.
    pub room: RoomName,
    /// 0 to 1; the greatest answers, and among equals the first by name.
    pub score: f32,
    /// How long ago it heard the phrase.
    pub age: Duration,
}

/// Names an announcement in the whole house.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnnouncementId(pub String);

impl fmt::Display for AnnouncementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names something that was recorded here to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordingId(pub u32);

/// What is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// To be spoken in each room.
    Text(String),
    /// As it was said here.
    Recording(RecordingId),
}

/// Which announcement goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Waits for calls and for quiet hours to end.
    Normal,
    /// Is heard over calls and in quiet hours.
    Urgent,
}

/// An announcement of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its name.
    pub id: AnnouncementId,
    /// The rooms; ours may be among them.
    pub to: Vec<RoomName>,
    /// What.
    pub body: Body,
    /// How urgent.
    pub priority: Priority,
}

/// An announcement that has arrived here, whole and ready to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Its name.
    pub id: AnnouncementId,
    /// Which room it is from.
    pub from: RoomName,
    /// How urgent.
    pub priority: Priority,
}

/// What the house tells.
#[derive(Clone, Debug, PartialEq)]
pub enum HouseEvent {
    /// All rooms that we know, whenever one comes, goes or changes; never ours.
    Rooms(Vec<Room>),
    /// Another speaker heard the wake phrase.
    Bid(Bid),
    /// Another speaker has decided that it answers.
    Won(Bid),
    /// An announcement is ready to be played here.
    Announced(Announced),
    /// It has been played to its end, or cannot be.
    AnnouncementOver(AnnouncementId),
    /// Our announcement has reached everybody, but for these.
    Delivered(AnnouncementId, Vec<RoomName>),
    /// Somebody is in a room, or in none that we know.
    Presence {
        /// The contact's name.
        person: String,
        /// Where.
        room: Option<RoomName>,
    },
}

/// What is asked of the house.
#[derive(Clone, Debug, PartialEq)]
pub enum HouseAction {
    /// Tells the others how well we heard the wake phrase.
    Bid {
        /// See [`Bid::score`].
        score: f32,
    },
    /// Tells the others that we answer.
    Won {
        /// See [`Bid::score`].
        score: f32,
    },
    /// Sends an announcement.
    Announce(Announcement),
    /// Plays an announcement that has arrived, together with the other rooms.
    Play(AnnouncementId),
    /// Forgets one.
    Drop(AnnouncementId),
}
