//! From an address, an archive or a folder to a model that is checked and in its place.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use speech::Model;

use super::archive::Archive;
use super::download::{Download, Patience, Progress};
use super::sums::{self, Seen, Sums};
use super::{Shelf, check_name, megabytes};

/// Folders within folders; a link to a folder above would have no end.
const DEEPEST: usize = 4;

/// Where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// HTTP or HTTPS.
    Url(String),
    /// A zip archive, or the folder of a model.
    File(PathBuf),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Url(url) => f.write_str(url),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What is to be installed.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name from then on.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
    /// Bytes of the archive, where known.
    pub size: Option<u64>,
    /// The sum of the archive, where known.
    pub sha256: Option<String>,
}

/// What is being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It comes.
    Fetching(Progress),
    /// Its sum is computed.
    Summing,
    /// It is unpacked, to so many bytes.
    Unpacking(u64),
    /// It is opened.
    Checking,
}

/// How sure it is that the archive is the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It has the sum that was expected.
    Verified(String),
    /// As when it was first installed.
    AsBefore(String),
    /// Nobody has told which sum is right; this one is remembered.
    FirstSeen(String),
    /// A folder has no sum.
    Folder,
    /// The model was there already.
    AlreadyThere,
}

/// Brings a model to the shelf.
///
/// # Errors
/// The text says what, where and what to do; nothing of the model is left but what the same command can go on with.
pub fn install(shelf: &Shelf, wanted: &Wanted, patience: Patience, tell: &mut dyn FnMut(Step)) -> anyhow::Result<Trust> {
    check_name(&wanted.name)?;
    let _lock = shelf.lock()?;
    let place = shelf.place(&wanted.name);
    let unpacked = shelf.folder().join(format!(".{}.unpacked", wanted.name));
    if place.exists() {
        tell(Step::Checking);
        if Model::open(&place).is_ok() {
            return Ok(Trust::AlreadyThere);
        }
    }
    discard(&unpacked)?;
    let result = bring(shelf, wanted, patience, &unpacked, tell).and_then(|trust| {
        tell(Step::Checking);
        check(&unpacked, wanted)?;
        discard(&place)?;
        fs::rename(&unpacked, &place).with_context(|| format!("making `{}`", place.display()))?;
        keep(shelf, wanted, &trust)?;
        Ok(trust)
    });
    // Nothing half is left; the reason that is told is the first one.
    let cleaned = discard(&unpacked);
    let trust = result?;
    cleaned?;
    Ok(trust)
}

/// Puts the files of the model into `unpacked`.
fn bring(
    shelf: &Shelf,
    wanted: &Wanted,
    patience: Patience,
    unpacked: &Path,
    tell: &mut dyn FnMut(Step),
) -> anyhow::Result<Trust> {
    match &wanted.source {
        Source::File(folder) if folder.is_dir() => {
            let size = size_of(folder)?;
            need(shelf.folder(), size, "the model")?;
            tell(Step::Unpacking(size));
            copy(folder, unpacked)?;
            Ok(Trust::Folder)
        }
        Source::File(archive) => {
            if !archive.exists() {
                bail!("there is no `{}`; correct the path", archive.display());
            }
            let trust = verify(shelf, wanted, archive, tell)?;
            unpack(shelf, archive, unpacked, tell)?;
            Ok(trust)
        }
        Source::Url(url) => {
            let archive = shelf.folder().join(format!(".{}.zip", wanted.name));
            let download = Download { url: url.clone(), to: archive.clone(), size: wanted.size, patience };
            if !archive.exists() {
                // Models unpack to less than twice their archive.
                need(shelf.folder(), wanted.size.map_or(0, |it| 3 * it), "the archive and the model")?;
                download.run(&mut |progress| tell(Step::Fetching(progress)))?;
            }
            let result = verify(shelf, wanted, &archive, tell);
            let result = result.and_then(|trust| unpack(shelf, &archive, unpacked, tell).map(|()| trust));
            // A wrong archive would be found here again, a right one is of no more use.
            fs::remove_file(&archive).with_context(|| format!("deleting `{}`", archive.display()))?;
            result
        }
    }
}

fn verify(shelf: &Shelf, wanted: &Wanted, archive: &Path, tell: &mut dyn FnMut(Step)) -> anyhow::Result<Trust> {
    tell(Step::Summing);
    let sum = sums::of(archive)?;
    let sums = Sums::read(shelf.folder());
    let seen = sums.seen(&wanted.name);
    let trust = match (&wanted.sha256, seen) {
        (Some(expected), _) if *expected == sum => Trust::Verified(sum),
        (Some(expected), _) => bail!(
            "{} has the SHA-256 sum {sum} instead of {expected}: it was damaged on the way, or it is another archive; try again, or try a mirror",
            wanted.source
        ),
        (None, None) => Trust::FirstSeen(sum),
        (None, Some(seen)) if seen.sha256 == sum => Trust::AsBefore(sum),
        (None, Some(seen)) => bail!(
            "{} has the SHA-256 sum {sum}; when `{}` was first installed, from {}, it had {}; if the new one is right, add `--sha256 {sum}`",
            wanted.source,
            wanted.name,
            seen.from,
            seen.sha256
        ),
    };
    Ok(trust)
}

fn keep(shelf: &Shelf, wanted: &Wanted, trust: &Trust) -> anyhow::Result<()> {
    let (Trust::FirstSeen(sum) | Trust::Verified(sum)) = trust else { return Ok(()) };
    Sums::read(shelf.folder()).keep(&wanted.name, Seen { sha256: sum.clone(), from: wanted.source.to_string() })
}

fn unpack(shelf: &Shelf, archive: &Path, unpacked: &Path, tell: &mut dyn FnMut(Step)) -> anyhow::Result<()> {
    let archive = Archive::open(archive)?;
    need(shelf.folder(), archive.size(), "the model")?;
    tell(Step::Unpacking(archive.size()));
    archive.unpack(unpacked)
}

/// Opens it, as the speaker would.
fn check(unpacked: &Path, wanted: &Wanted) -> anyhow::Result<()> {
    let Err(err) = Model::open(unpacked) else { return Ok(()) };
    let told = err.to_string().replace(&unpacked.display().to_string(), &wanted.name);
    bail!("{} cannot be used: {told}", wanted.source)
}

fn discard(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(err).with_context(|| format!("deleting `{}`", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Sees to it that there is room.
fn need(folder: &Path, bytes: u64, what: &str) -> anyhow::Result<()> {
    match free(folder) {
        Some(free) if free < bytes => bail!(
            "there is room for {} in `{}`, and {what} needs {}; make room, or choose another `state_dir` in hark.yaml",
            megabytes(free),
            folder.display(),
            megabytes(bytes)
        ),
        _ => Ok(()),
    }
}

/// How many bytes can still be written there, where the system tells.
fn free(folder: &Path) -> Option<u64> {
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a zero, and `stat` is written when the call succeeds.
    let stat = unsafe {
        if libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return None;
        }
        stat.assume_init()
    };
    #[allow(clippy::unnecessary_cast)] // Its type differs between platforms.
    Some((stat.f_bavail as u64).saturating_mul(stat.f_frsize as u64))
}

/// The files of a model's folder, with those that links lead to.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((it, depth)) = folders.pop() {
        let reading = || format!("reading `{}`", it.display());
        if depth > DEEPEST {
            bail!("`{}` lies deeper than anything of a model; name the model's own folder", it.display());
        }
        for entry in fs::read_dir(&it).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            if path.is_dir() { folders.push((path, depth + 1)) } else { found.push(path) }
        }
    }
    Ok(found)
}

fn size_of(folder: &Path) -> anyhow::Result<u64> {
    Ok(files(folder)?.iter().filter_map(|it| fs::metadata(it).ok()).map(|it| it.len()).sum())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for file in files(from)? {
        let target = to.join(file.strip_prefix(from).context("a file of the folder lies in it")?);
        let folder = target.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("making `{}`", folder.display()))?;
        fs::copy(&file, &target).with_context(|| format!("copying `{}`", file.display()))?;
    }
    Ok(())
}
