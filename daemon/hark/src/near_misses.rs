//! What was almost the wake phrase, kept on this machine for `hark tune`, where the settings ask for it. Nobody else can read it, and the oldest go.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;
use tracing::warn;

use crate::walltime;

/// As many are kept.
pub const MOST: usize = 50;
/// Who says the phrase again within this time meant it the first time.
const AGAIN: Duration = Duration::from_secs(6);
/// Orders that may wait for the disk; what comes then is not kept.
const WAITING: usize = 8;

/// Something that was almost the wake phrase.
#[derive(Clone, Debug, PartialEq)]
pub struct NearMiss {
    /// When.
    pub at: SystemTime,
    /// Which phrase.
    pub phrase: String,
    /// How sure it was, 0 to 1.
    pub score: f32,
    /// At 16 kHz.
    pub samples: Vec<f32>,
}

/// What is noted beside the sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// RFC 3339.
    pub at: String,
    /// Which phrase.
    pub phrase: String,
    /// How sure it was, 0 to 1.
    pub score: f32,
    /// Whether the phrase was heard within the next seconds: then it was meant here, too.
    #[serde(default)]
    pub heard_again: bool,
    /// What a person said about it: whether it was meant for the speaker.
    #[serde(default)]
    pub meant: Option<bool>,
}

/// One that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The sound, as WAV.
    pub sound: PathBuf,
    /// What is known of it.
    pub note: Note,
}

/// Below the state folder.
pub fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("near-misses")
}

/// All that are kept, the oldest first.
pub fn list(folder: &Path) -> Vec<Kept> {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path());
    let mut sounds: Vec<PathBuf> = paths.filter(|it| it.extension().is_some_and(|it| it == "wav")).collect();
    sounds.sort();
    sounds.into_iter().filter_map(|sound| Some(Kept { note: read(&sound)?, sound })).collect()
}

/// Deletes all; how many they were.
///
/// # Errors
/// When files cannot be deleted.
pub fn clear(folder: &Path) -> anyhow::Result<usize> {
    let n = list(folder).len();
    match fs::remove_dir_all(folder) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(err).with_context(|| format!("deleting `{}`; as root for the machine's own speaker", folder.display()))
        }
        _ => Ok(n),
    }
}

/// Notes anew what is known of one.
///
/// # Errors
/// When the note cannot be written.
pub fn note(sound: &Path, note: &Note) -> anyhow::Result<()> {
    let path = sound.with_extension("json");
    let text = serde_json::to_string_pretty(note).context("writing a note")?;
    let mut file = private(&path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing `{}`", path.display()))
}

fn read(sound: &Path) -> Option<Note> {
    serde_json::from_slice(&fs::read(sound.with_extension("json")).ok()?).ok()
}

fn private(path: &Path) -> anyhow::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path).with_context(|| format!("writing `{}`", path.display()))
}

/// Keeps one, and lets the oldest go.
///
/// # Errors
/// When it cannot be written.
pub fn keep(folder: &Path, it: &NearMiss) -> anyhow::Result<PathBuf> {
    let making = || format!("making `{}`", folder.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(making)?;
    let at = OffsetDateTime::from(it.at);
    let name = at
        .format(format_description!("[year]-[month]-[day]T[hour]-[minute]-[second].[subsecond digits:3]Z"))
        .context("writing the time")?;
    let sound = folder.join(format!("{name}.wav"));
    let writing = || format!("writing `{}`", sound.display());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: speech::RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::new(BufWriter::new(private(&sound)?), spec).with_context(writing)?;
    for sample in &it.samples {
        wav.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16).with_context(writing)?;
    }
    wav.finalize().with_context(writing)?;
    let known =
        Note { at: walltime::rfc3339(it.at), phrase: it.phrase.clone(), score: it.score, heard_again: false, meant: None };
    note(&sound, &known)?;
    let all = list(folder);
    for old in &all[..all.len().saturating_sub(MOST)] {
        for file in [old.sound.clone(), old.sound.with_extension("json")] {
            fs::remove_file(&file).with_context(|| format!("deleting `{}`", file.display()))?;
        }
    }
    Ok(sound)
}

enum Order {
    Keep(NearMiss),
    Woken(SystemTime),
}

/// Writes on a thread of its own. Dropping it ends the thread.
pub struct NearMisses {
    orders: SyncSender<Order>,
}

impl NearMisses {
    /// Keeps them below the state folder.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(state_dir: &Path) -> anyhow::Result<NearMisses> {
        let (orders, from_orders) = sync_channel(WAITING);
        let folder = folder(state_dir);
        let run = move || write_all(&folder, &from_orders);
        std::thread::Builder::new().name("near-misses".into()).spawn(run).context("starting to keep near misses")?;
        Ok(NearMisses { orders })
    }

    /// Keeps one. Never waits: while the disk is slow, it is lost.
    pub fn keep(&self, it: NearMiss) {
        let _ = self.orders.try_send(Order::Keep(it));
    }

    /// The wake phrase was heard.
    pub fn woken(&self, at: SystemTime) {
        let _ = self.orders.try_send(Order::Woken(at));
    }
}

fn write_all(folder: &Path, orders: &Receiver<Order>) {
    let mut last: Option<(SystemTime, PathBuf)> = None;
    let mut told = false;
    while let Ok(order) = orders.recv() {
        let result = match order {
            Order::Keep(it) => keep(folder, &it).map(|sound| last = Some((it.at, sound))),
            Order::Woken(at) => match last.take().filter(|it| at.duration_since(it.0).is_ok_and(|it| it <= AGAIN)) {
                None => Ok(()),
                Some((_, sound)) => read(&sound).map_or(Ok(()), |known| note(&sound, &Note { heard_again: true, ..known })),
            },
        };
        if let Err(err) = result
            && !told
        {
            warn!("near misses cannot be kept: {err:#}");
            told = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::UNIX_EPOCH;

    use super::*;

    fn near_miss(second: u64) -> NearMiss {
        let at = UNIX_EPOCH + Duration::from_secs(1_763_674_380 + second);
        NearMiss { at, phrase: "hello operator".into(), score: 0.4, samples: vec![0.5; 1600] }
    }

    #[test]
    fn the_newest_fifty_are_kept_and_nobody_else_reads_them() {
        let state = tempfile::tempdir().unwrap();
        let folder = folder(state.path());
        for second in 0..MOST as u64 + 3 {
            keep(&folder, &near_miss(second)).unwrap();
        }
        let all = list(&folder);
        assert_eq!(all.len(), MOST);
        assert_eq!(all[0].note.at, walltime::rfc3339(near_miss(3).at));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2 * MOST);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&all[0].sound), mode(&all[0].sound.with_extension("json"))), (0o700, 0o600, 0o600));
        assert_eq!(hound::WavReader::open(&all[0].sound).unwrap().duration(), 1600);
        assert_eq!(clear(&folder).unwrap(), MOST);
        assert!(!folder.exists() && clear(&folder).unwrap() == 0);
    }

    #[test]
    fn one_that_was_said_again_soon_was_meant() {
        let state = tempfile::tempdir().unwrap();
        let (orders, from_orders) = sync_channel(8);
        for (second, woken) in [(0, 5), (100, 110)] {
            orders.send(Order::Keep(near_miss(second))).unwrap();
            orders.send(Order::Woken(near_miss(woken).at)).unwrap();
        }
        drop(orders);
        write_all(&folder(state.path()), &from_orders);
        let again: Vec<bool> = list(&folder(state.path())).iter().map(|it| it.note.heard_again).collect();
        assert_eq!(again, [true, false]);
    }
}
