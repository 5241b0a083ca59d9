//! A model's zip archive, unpacked with suspicion: nothing of it lands outside its folder, and no more than can be a model.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use zip::ZipArchive;
use zip::result::ZipError;

/// More than the largest small model unpacks to.
const MOST_BYTES: u64 = 2 << 30;
/// More files than any model has.
const MOST_FILES: usize = 1_000;

/// One file of the archive.
struct Entry {
    index: usize,
    /// Where it belongs below the model's folder.
    path: PathBuf,
}

/// An archive whose names and sizes have been looked at.
pub struct Archive {
    zip: ZipArchive<File>,
    path: PathBuf,
    entries: Vec<Entry>,
    size: u64,
}

impl Archive {
    /// Opens it and looks at all names and sizes.
    ///
    /// # Errors
    /// When it is no zip archive, is damaged, or is not what a model's archive can be.
    pub fn open(path: &Path) -> anyhow::Result<Archive> {
        let shown = path.display();
        let file = File::open(path).with_context(|| format!("opening `{shown}`"))?;
        let mut zip = ZipArchive::new(file).map_err(|err| broken(path, &err))?;
        if zip.len() > MOST_FILES {
            bail!("`{shown}` holds {} files; that is no speech model", zip.len());
        }
        let (mut entries, mut size) = (Vec::new(), 0_u64);
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index).map_err(|err| broken(path, &err))?;
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            if entry.is_symlink() {
                bail!("`{shown}` holds the link `{name}`; models hold none, so it is not unpacked");
            }
            if entry.encrypted() {
                bail!("`{shown}` is locked by a password; models are not, so it is not unpacked");
            }
            let inside = inside(&name).with_context(|| {
                format!("`{shown}` holds the file `{name}`, which would land outside of its folder; it is not unpacked")
            })?;
            if entry.is_dir() || is_litter(&inside) {
                continue;
            }
            size = size.saturating_add(entry.size());
            entries.push(Entry { index, path: inside });
        }
        if size > MOST_BYTES {
            bail!("`{shown}` unpacks to {}; that is no small model", super::megabytes(size));
        }
        if entries.is_empty() {
            bail!("`{shown}` is empty");
        }
        strip_folder(&mut entries);
        Ok(Archive { zip, path: path.to_owned(), entries, size })
    }

    /// How much room it takes when unpacked.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Unpacks it into a folder that is not there yet.
    ///
    /// # Errors
    /// When a file is damaged or larger than announced, or cannot be written.
    pub fn unpack(mut self, folder: &Path) -> anyhow::Result<()> {
        make_folder(folder)?;
        let mut left = self.size;
        for entry in &self.entries {
            let mut packed = self.zip.by_index(entry.index).map_err(|err| broken(&self.path, &err))?;
            let target = folder.join(&entry.path);
            if let Some(parent) = target.parent() {
                make_folder(parent)?;
            }
            let mut file = File::options()
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(&target)
                .with_context(|| format!("writing `{}`", target.display()))?;
            let mut buffer = vec![0; 1 << 16];
            loop {
                let n = packed.read(&mut buffer).with_context(|| {
                    format!("`{}` in `{}` is damaged; get it again", entry.path.display(), self.path.display())
                })?;
                if n == 0 {
                    break;
                }
                // What the archive says of its sizes need not be true.
                left = left
                    .checked_sub(n as u64)
                    .with_context(|| format!("`{}` holds more than it says; it is not unpacked", self.path.display()))?;
                file.write_all(&buffer[..n]).with_context(|| format!("writing `{}`", target.display()))?;
            }
        }
        Ok(())
    }
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder).with_context(|| format!("making `{}`", folder.display()))
}

fn broken(path: &Path, err: &ZipError) -> anyhow::Error {
    let path = path.display();
    match err {
        ZipError::InvalidArchive(why) => anyhow::anyhow!("`{path}` is no zip archive, or not a whole one ({why}); get it again"),
        err => anyhow::anyhow!("`{path}` cannot be unpacked: {err}"),
    }
}

/// The path, if it stays below the folder that it is unpacked into.
fn inside(name: &str) -> Option<PathBuf> {
    if name.contains(['\\', '\0', ':']) {
        return None;
    }
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => (),
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => return None,
        }
    }
    Some(path)
}

/// What some systems put into every archive.
fn is_litter(path: &Path) -> bool {
    path.starts_with("__MACOSX") || path.file_name().is_some_and(|it| it == ".DS_Store")
}

/// Archives of models hold one folder with everything in it: that folder is left out.
fn strip_folder(entries: &mut [Entry]) {
    let first = |path: &Path| path.components().next().map(|it| it.as_os_str().to_owned());
    let Some(folder) = entries.first().and_then(|it| first(&it.path)) else { return };
    if entries.iter().all(|it| first(&it.path).as_ref() == Some(&folder) && it.path.components().count() > 1) {
        for entry in entries {
            entry.path = entry.path.components().skip(1).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_lands_outside() {
        for name in ["../x", "a/../../x", "/etc/passwd", "a/..", "C:\\x", "a\\..\\x", "a\0b"] {
            assert_eq!(inside(name), None, "{name}");
        }
        assert_eq!(inside("m/am/final.mdl"), Some("m/am/final.mdl".into()));
        assert_eq!(inside("./m/conf"), Some("m/conf".into()));
    }
}
