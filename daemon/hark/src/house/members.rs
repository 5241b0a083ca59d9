//! Whom this speaker trusts. Each member was vouched for by another one, back to the one that this speaker joined by a code; whoever was removed stays removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use control::house::RoomName;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::identity::{Fingerprint, Identity, Key};

/// The file, in the folder of the house.
pub const FILE: &str = "members.json";
/// A larger file is not ours.
const MAX_BYTES: u64 = 8 << 20;
/// More speakers than the largest care home has in one house.
pub const MOST: usize = 2000;
/// Names are short.
const MOST_LETTERS: usize = 100;

/// What a speaker says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Card {
    /// Its room's name in topics and addresses.
    pub room: RoomName,
    /// As people say it.
    pub name: String,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<String>,
    /// Groups of rooms that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Card {
    /// Whether it can be a card at all.
    pub fn is_sound(&self) -> bool {
        let short = |text: &str| text.chars().count() <= MOST_LETTERS && !text.chars().any(char::is_control);
        let slug = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        !self.room.is_empty()
            && self.room.len() <= MOST_LETTERS
            && self.room.bytes().all(slug)
            && short(&self.name)
            && self.floor.as_deref().is_none_or(short)
            && self.groups.len() <= 32
            && self.groups.iter().all(|it| short(it))
    }
}

/// One member says: that is one of us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouch {
    /// Whom it is about.
    pub key: Key,
    /// As it called itself then.
    pub card: Card,
    /// Who says so.
    pub by: Key,
    /// By that key.
    pub signature: String,
}

/// One member says: that is none of us any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Whom it is about.
    pub key: Key,
    /// Who says so; itself, where it left.
    pub by: Key,
    /// By that key.
    pub signature: String,
}

/// The list as it is kept, and as members send it to each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Who belongs to the house.
    pub members: Vec<Vouch>,
    /// Who does no more.
    #[serde(default)]
    pub removed: Vec<Removal>,
}

/// What a list of another member has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Who is new.
    pub added: Vec<Key>,
    /// Who is gone.
    pub removed: Vec<Key>,
    /// Who is not taken, since the name of its room is another member's.
    pub conflicts: BTreeSet<RoomName>,
}

/// The members, ours among them only where it was removed.
#[derive(Debug)]
pub struct Members {
    file: PathBuf,
    us: Key,
    members: BTreeMap<Key, Vouch>,
    removed: BTreeMap<Key, Removal>,
}

impl Vouch {
    /// Signed by us.
    pub fn new(us: &Identity, key: Key, card: Card) -> Vouch {
        let signature = STANDARD_NO_PAD.encode(us.sign(&vouch_text(&key, &card)));
        Vouch { key, card, by: us.key(), signature }
    }

    fn is_signed(&self) -> bool {
        self.card.is_sound() && is_signed(&self.by, &vouch_text(&self.key, &self.card), &self.signature)
    }
}

impl Removal {
    /// Signed by us.
    pub fn new(us: &Identity, key: Key) -> Removal {
        let signature = STANDARD_NO_PAD.encode(us.sign(&removal_text(&key)));
        Removal { key, by: us.key(), signature }
    }
}

fn vouch_text(key: &Key, card: &Card) -> Vec<u8> {
    serde_json::to_vec(&("hark vouch 1", key, card)).expect("text becomes JSON")
}

fn removal_text(key: &Key) -> Vec<u8> {
    serde_json::to_vec(&("hark removal 1", key)).expect("text becomes JSON")
}

fn is_signed(by: &Key, text: &[u8], signature: &str) -> bool {
    STANDARD_NO_PAD.decode(signature).is_ok_and(|signature| by.signed(text, &signature))
}

impl Members {
    /// Reads the list of the speaker with the key `us`.
    ///
    /// # Errors
    /// When the file is there and neither it nor the one before can be read: trust is never forgotten silently.
    pub fn open(folder: &Path, us: Key) -> anyhow::Result<Members> {
        let file = folder.join(FILE);
        let before = file.with_extension("json.before");
        let list = match read(&file) {
            Ok(list) => list,
            Err(error) if is_missing(&error) => match read(&before) {
                Err(error) if is_missing(&error) => List::default(),
                // A power cut between the two renames.
                other => other?,
            },
            Err(error) => {
                let aside = file.with_extension("json.damaged");
                let Ok(list) = read(&before) else {
                    bail!(
                        "{error:#}; this speaker trusts nobody until it is mended: restore it from a backup, or remove the folder and join \
                         the house anew with `hark house join`"
                    )
                };
                fs::copy(&file, &aside).with_context(|| format!("keeping the damaged list as `{}`", aside.display()))?;
                warn!("{error:#}; it is kept as `{}`, and the list before it is in force", aside.display());
                list
            }
        };
        let mut it = Members { file, us, members: BTreeMap::new(), removed: BTreeMap::new() };
        it.members.extend(list.members.into_iter().map(|vouch| (vouch.key, vouch)));
        it.removed.extend(list.removed.into_iter().map(|removal| (removal.key, removal)));
        Ok(it)
    }

    /// Who belongs to the house, but for us.
    pub fn iter(&self) -> impl Iterator<Item = &Vouch> {
        self.members.values()
    }

    /// How many, but for us.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether we are alone.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Who removed us, if somebody did.
    pub fn we_are_removed(&self) -> Option<&Removal> {
        self.removed.get(&self.us)
    }

    /// The member with this key.
    pub fn get(&self, key: &Key) -> Option<&Vouch> {
        self.members.get(key)
    }

    /// The member with this fingerprint.
    pub fn by_fingerprint(&self, it: Fingerprint) -> Option<&Vouch> {
        self.members.values().find(|vouch| vouch.key.fingerprint() == it)
    }

    /// The member in this room.
    pub fn by_room(&self, room: &str) -> Option<&Vouch> {
        self.members.values().find(|vouch| vouch.card.room == room)
    }

    /// Equal in two speakers that have the same list, they themselves included.
    pub fn digest(&self) -> String {
        let mut keys: BTreeSet<(&Key, bool)> = self.members.keys().map(|key| (key, true)).collect();
        if !self.removed.contains_key(&self.us) {
            keys.insert((&self.us, true));
        }
        keys.extend(self.removed.keys().map(|key| (key, false)));
        let text = serde_json::to_vec(&keys).expect("text becomes JSON");
        STANDARD_NO_PAD.encode(&digest(&SHA256, &text).as_ref()[..12])
    }

    /// The list for another member. For whom a member that is gone has vouched, we vouch now.
    pub fn list(&self, us: &Identity) -> List {
        let is_member = |key: &Key| *key == self.us || self.members.contains_key(key);
        let vouched = |vouch: &Vouch| {
            if is_member(&vouch.by) { vouch.clone() } else { Vouch::new(us, vouch.key, vouch.card.clone()) }
        };
        List { members: self.members.values().map(vouched).collect(), removed: self.removed.values().cloned().collect() }
    }

    /// Takes somebody for whom we vouch ourselves.
    ///
    /// # Errors
    /// When it was removed once, or its room's name is taken.
    pub fn vouch_for(&mut self, us: &Identity, our_room: &str, key: Key, card: Card) -> Result<(), String> {
        if self.removed.contains_key(&key) {
            return Err("it was removed from this house; run `hark house leave` there first, which gives it a new key".into());
        }
        if !card.is_sound() || key == self.us {
            return Err("it does not say who it is".into());
        }
        let taken = card.room == our_room || self.by_room(&card.room).is_some_and(|other| other.key != key);
        if taken {
            return Err(format!("there is a room `{}` already; change `room` in its hark.yaml", card.room));
        }
        if self.members.len() >= MOST && !self.members.contains_key(&key) {
            return Err(format!("a house has at most {MOST} speakers"));
        }
        self.members.insert(key, Vouch::new(us, key, card));
        Ok(())
    }

    /// Removes a member, for ever.
    pub fn remove(&mut self, us: &Identity, key: Key) {
        self.members.remove(&key);
        self.removed.insert(key, Removal::new(us, key));
    }

    /// Takes from the list of another member what is signed by somebody whom we trust.
    pub fn merge(&mut self, list: List, our_room: &str) -> Change {
        let mut change = Change::default();
        if list.members.len() > MOST || list.removed.len() > 10 * MOST {
            return change;
        }
        let mut waiting: Vec<Vouch> = list.members.into_iter().filter(|it| it.key != self.us).collect();
        // Who vouches may have been vouched for in the same list.
        loop {
            let (known, unknown): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|it| it.by == self.us || self.members.contains_key(&it.by));
            waiting = unknown;
            let before = self.members.len();
            for vouch in known {
                let old = self.members.contains_key(&vouch.key) || self.removed.contains_key(&vouch.key);
                if old || self.members.len() >= MOST || !vouch.is_signed() {
                    continue;
                }
                if vouch.card.room == our_room || self.by_room(&vouch.card.room).is_some() {
                    change.conflicts.insert(vouch.card.room.clone());
                    continue;
                }
                change.added.push(vouch.key);
                self.members.insert(vouch.key, vouch);
            }
            if self.members.len() == before {
                break;
            }
        }
        for removal in list.removed {
            let trusted = removal.by == removal.key || removal.by == self.us || self.members.contains_key(&removal.by);
            let new = trusted && !self.removed.contains_key(&removal.key);
            if new && is_signed(&removal.by, &removal_text(&removal.key), &removal.signature) {
                self.members.remove(&removal.key);
                change.removed.push(removal.key);
                self.removed.insert(removal.key, removal);
            }
        }
        change
    }

    /// A member says of itself what it is called now. Says whether that is a change; another member's name is not taken.
    pub fn renamed(&mut self, us: &Identity, our_room: &str, key: Key, card: &Card) -> Result<bool, RoomName> {
        let Some(old) = self.members.get(&key) else { return Ok(false) };
        if old.card == *card || !card.is_sound() {
            return Ok(false);
        }
        if card.room == our_room || self.by_room(&card.room).is_some_and(|other| other.key != key) {
            return Err(card.room.clone());
        }
        self.members.insert(key, Vouch::new(us, key, card.clone()));
        Ok(true)
    }

    /// Writes the list; the one before is kept beside it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> anyhow::Result<()> {
        let what = || format!("writing the members of the house, `{}`", self.file.display());
        let folder = self.file.parent().context("a file lies in a folder")?;
        let list = List { members: self.members.values().cloned().collect(), removed: self.removed.values().cloned().collect() };
        let mut bytes = serde_json::to_vec_pretty(&list).with_context(what)?;
        bytes.push(b'\n');
        DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(what)?;
        let new = self.file.with_extension("json.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).with_context(what)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).with_context(what)?;
        // A damaged one never takes the place of a good one.
        if read(&self.file).is_ok() {
            fs::rename(&self.file, self.file.with_extension("json.before")).with_context(what)?;
        }
        fs::rename(&new, &self.file).with_context(what)?;
        File::open(folder).and_then(|folder| folder.sync_all()).with_context(what)
    }
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::NotFound)
}

fn read(path: &Path) -> anyhow::Result<List> {
    let what = || format!("reading the members of the house, `{}`", path.display());
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).with_context(what)?;
    anyhow::ensure!(bytes.len() as u64 <= MAX_BYTES, "{}: it is larger than {MAX_BYTES} bytes", what());
    serde_json::from_slice(&bytes).with_context(what)
}

#[cfg(test)]
#[path = "members/tests.rs"]
mod tests;
