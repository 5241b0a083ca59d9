//! The house as one speaker sees it: other rooms, who heard the wake phrase best, announcements, and where people are.

pub mod announce;
pub mod devices;
pub mod quiet;
pub mod wake;

use std::fmt;
use std::time::Duration;

use crate::action::CallState;

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

/// What hark.yaml says of this speaker's place in the house.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HouseSettings {
    /// Our room's name in topics and addresses.
    pub slug: RoomName,
    /// Differs from start to start, so that no two announcements ever have one name. Settings that are read anew may leave it empty.
    pub start: String,
    /// Where we stand, as people say it.
    pub floor: Option<String>,
    /// Groups of rooms that we are in.
    pub groups: Vec<String>,
    /// Groups of phones that announcements can be sent to from here, as people say them.
    pub phones: Vec<String>,
    /// Who may drop in.
    pub drop_in: DropIn,
    /// Who may listen in.
    pub listen_in: ListenIn,
    /// The people whom "follow me" follows, by the names of contacts.
    pub follow: Vec<String>,
    /// When nobody wants to be disturbed.
    pub quiet: Vec<Quiet>,
    /// What other devices do while we ring or talk.
    pub devices: Vec<Device>,
}

/// Who may be connected to this room without being answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropIn {
    /// Names of rooms; `house` is every room.
    pub from: Vec<String>,
    /// Whether our microphone is muted at first.
    pub muted: bool,
    /// The longest.
    pub at_most: Duration,
}

impl Default for DropIn {
    fn default() -> DropIn {
        DropIn { from: Vec::new(), muted: true, at_most: Duration::from_secs(600) }
    }
}

/// Who may listen to this room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenIn {
    /// Names of rooms; `house` is every room.
    pub from: Vec<String>,
    /// The longest.
    pub at_most: Duration,
}

impl Default for ListenIn {
    fn default() -> ListenIn {
        ListenIn { from: Vec::new(), at_most: Duration::from_secs(8 * 3600) }
    }
}

/// Hours in which nobody wants to be disturbed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// The minute of the day in which they begin.
    pub from: u16,
    /// The minute of the day in which they are over; less than `from`: on the day after.
    pub to: u16,
    /// The days on which they begin, Monday first.
    pub days: [bool; 7],
    /// Contacts that ring nevertheless.
    pub except: Vec<String>,
    /// The contact whose hours they are: they count where that person is. `None`: this room's.
    pub person: Option<String>,
}

/// What another device does while we ring or talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// As people call it.
    pub name: String,
    /// In which states of the foremost call.
    pub when: Vec<CallState>,
    /// What is published then.
    pub set: Message,
    /// Where the device tells what it is; it comes as [`HouseEvent::Device`].
    pub state_topic: Option<String>,
    /// What is published afterwards; `None`: nothing.
    pub restore: Option<Restore>,
}

/// Something to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Under which topic.
    pub topic: String,
    /// What.
    pub payload: String,
}

/// How a device becomes what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restore {
    /// By this, whatever it was.
    Always(Message),
    /// By what its state topic told before, published under this topic.
    Before(String),
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

/// How far an announcement has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// We have sent it, to these rooms.
    Sent(Vec<RoomName>),
    /// Ours has reached everybody, but for these.
    Delivered(Vec<RoomName>),
    /// One from elsewhere waits here for a call or for quiet hours to end.
    Waiting,
    /// It is heard here.
    Playing,
    /// It was heard here.
    Heard,
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
    /// A minute of the day has begun, by the clock on the wall.
    Clock {
        /// Days since Monday.
        weekday: u8,
        /// Minutes since midnight.
        minute: u16,
    },
    /// One of [`HouseSettings::devices`] tells what it is.
    Device {
        /// Its name.
        name: String,
        /// The payload of its state topic.
        state: String,
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
    /// Forgets one, also while it is played.
    Drop(AnnouncementId),
    /// Publishes something for another device.
    Publish(Message),
}
