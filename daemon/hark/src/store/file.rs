//! The file of the store, as written.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use control::action::{self, History, Peer};
use control::dialplan::Uri;
use serde::{Deserialize, Serialize};
use tracing::warn;

/// Its name in the state folder.
pub const NAME: &str = "state.json";
/// A larger file is not ours.
const MAX_BYTES: u64 = 1 << 20;

/// All of it. Keys that a newer version wrote are skipped, ones that an older version did not know are absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// As last set by voice, MQTT or command line.
    pub volume: Volume,
    /// The same.
    pub do_not_disturb: Option<bool>,
    /// Whom redial and call back mean.
    pub history: Whom,
    /// The last one at the end.
    pub calls: VecDeque<LoggedCall>,
}

/// 0 to 100 each, where it was ever changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Volume {
    /// Of the other parties.
    pub call: Option<u8>,
    /// Of ringing.
    pub ring: Option<u8>,
    /// Of spoken prompts.
    pub announce: Option<u8>,
}

/// See [`History`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Whom {
    last_dialled: Option<Party>,
    last_missed: Option<Party>,
    last_caller: Option<Party>,
    missed: Vec<Missed>,
}

/// See [`action::Missed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Missed {
    peer: Party,
    n: u32,
}

impl From<&History> for Whom {
    fn from(history: &History) -> Whom {
        let party = |peer: &Option<Peer>| peer.as_ref().map(Party::from);
        Whom {
            last_dialled: party(&history.last_dialled),
            last_missed: party(&history.last_missed),
            last_caller: party(&history.last_caller),
            missed: history.missed.iter().map(|it| Missed { peer: Party::from(&it.peer), n: it.n }).collect(),
        }
    }
}

impl From<&Whom> for History {
    fn from(it: &Whom) -> History {
        let peer = |party: &Option<Party>| party.as_ref().and_then(Party::peer);
        History {
            last_dialled: peer(&it.last_dialled),
            last_missed: peer(&it.last_missed),
            last_caller: peer(&it.last_caller),
            missed: it.missed.iter().filter_map(|it| Some(action::Missed { peer: it.peer.peer()?, n: it.n })).collect(),
        }
    }
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedCall {
    /// RFC 3339.
    pub ended: String,
    /// Whether we placed it.
    pub outgoing: bool,
    /// With whom.
    pub peer: Party,
    /// Why it ended, in the words of docs/mqtt.md.
    pub reason: String,
    /// How long both could talk.
    pub talked_ms: u64,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// As shown.
    pub name: String,
    /// The address.
    pub address: String,
    /// Whether it was one of our contacts.
    pub known: bool,
}

impl From<&Peer> for Party {
    fn from(peer: &Peer) -> Party {
        Party { name: peer.name.clone(), address: peer.address.as_str().to_owned(), known: peer.known }
    }
}

impl Party {
    /// Nobody where somebody has put something into the file that cannot be called.
    fn peer(&self) -> Option<Peer> {
        let address = Uri::parse(&self.address).ok()?;
        Some(Peer { name: self.name.clone(), address, known: self.known })
    }
}

/// Reads the file. One that is not there is an empty one; one that is damaged is set aside, for the person who wants to know why.
pub fn read(path: &Path) -> Kept {
    let error = match try_read(path) {
        Ok(kept) => return kept,
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::NotFound) => {
            return Kept::default();
        }
        Err(error) => error,
    };
    let aside = path.with_extension("json.damaged");
    match fs::rename(path, &aside) {
        Ok(()) => warn!("{error:#}; it is now `{}`, and settings and calls begin anew", aside.display()),
        Err(_) => warn!("{error:#}; settings and calls begin anew"),
    }
    Kept::default()
}

fn try_read(path: &Path) -> anyhow::Result<Kept> {
    let what = || format!("reading what was kept in `{}`", path.display());
    let mut bytes = Vec::new();
    // Not even one byte more than a file of ours can have is read: who knows what lies there.
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).with_context(what)?;
    anyhow::ensure!(bytes.len() as u64 <= MAX_BYTES, "{}: it is larger than {MAX_BYTES} bytes", what());
    serde_json::from_slice(&bytes).with_context(what)
}

/// Replaces the file: after a power cut there is the old one or the new one.
pub fn write(path: &Path, kept: &Kept) -> anyhow::Result<()> {
    let what = || format!("writing `{}`", path.display());
    let folder = path.parent().context("a file lies in a folder")?;
    let new = path.with_extension("json.new");
    let mut bytes = serde_json::to_vec_pretty(kept).with_context(what)?;
    bytes.push(b'\n');
    fs::create_dir_all(folder).with_context(what)?;
    // It tells whom people called: nobody else's business.
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).with_context(what)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).with_context(what)?;
    fs::rename(&new, path).with_context(what)?;
    // The rename itself is on disk only once the folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nobody_else_may() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join(NAME);
        let peer = Party { name: "Anna \"Nan\" Müller".into(), address: "sip:a@b".into(), known: true };
        let call = LoggedCall {
            ended: "2026-11-20T22:00:00.000+01:00".into(),
            outgoing: true,
            peer,
            reason: "busy".into(),
            talked_ms: u64::MAX,
        };
        let kept = Kept {
            volume: Volume { call: Some(1), ring: None, announce: Some(3) },
            do_not_disturb: Some(true),
            history: Whom::default(),
            calls: [call].into(),
        };
        for _ in 0..2 {
            write(&path, &kept).unwrap();
            assert_eq!(read(&path), kept);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let endless = vec![b' '; MAX_BYTES as usize + 1];
        for damage in
            [&b""[..], b"\0\0\0", b"{", b"7", br#"{"calls": 5}"#, br#"{"volume": {"call": 999}}"#, b"\xff\xfe", &endless]
        {
            fs::write(&path, damage).unwrap();
            assert_eq!(read(&path), Kept::default());
            assert!(!path.exists() && path.with_extension("json.damaged").exists());
        }
    }

    #[test]
    fn files_of_other_versions_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        fs::write(&path, r#"{"do_not_disturb": true, "invented_later": {"a": 1}}"#).unwrap();
        assert_eq!(read(&path), Kept { do_not_disturb: Some(true), ..Kept::default() });
    }
}
