//! Speech models of others: which there are, where they lie, and how they get there.

pub mod archive;
pub mod download;
pub mod install;
pub mod sums;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::config::paths;

/// What the speaker that systemd runs remembers.
const SYSTEM_STATE: &str = "/var/lib/hark";

/// One model of models/models.yaml.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The folder in its archive; the name to install it by.
    pub name: String,
    /// BCP 47.
    pub languages: Vec<String>,
    /// SPDX.
    pub licence: String,
    /// Whether it comes with Hark.
    #[serde(default)]
    pub built_in: bool,
    /// Where its archive is.
    #[serde(default)]
    pub url: Option<String>,
    /// Of the archive, in bytes, where it is known.
    #[serde(default)]
    pub size: Option<u64>,
    /// Of the archive, where it is known.
    #[serde(default)]
    pub sha256: Option<String>,
}

impl Listed {
    /// Whether it understands a language, told as `de` or `de-AT`.
    pub fn understands(&self, language: &str) -> bool {
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_lowercase();
        self.languages.iter().any(|it| primary(it) == primary(language))
    }
}

/// All models that are known to exist.
pub fn catalogue() -> Vec<Listed> {
    serde_saphyr::from_str(include_str!("../../../models/models.yaml")).expect("a test has read it")
}

/// The state folder of the speaker that this user means: root's is that of the machine, unless hark.yaml names another.
pub fn state_of(state_dir: &Path) -> PathBuf {
    // SAFETY: asks for a number.
    let root = unsafe { libc::geteuid() } == 0;
    let is_default = std::env::var_os("STATE_DIRECTORY").is_none() && state_dir == paths::state_dir();
    let system = Path::new(SYSTEM_STATE);
    if root && is_default && system.is_dir() { system.to_owned() } else { state_dir.to_owned() }
}

/// The folder that installed models are in.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// Below the state folder of the speaker that this user means.
    pub fn of(state_dir: &Path) -> Shelf {
        Shelf::at(&state_of(state_dir).join("models"))
    }

    /// In this folder.
    pub fn at(folder: &Path) -> Shelf {
        Shelf { folder: folder.to_owned() }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a model is or would be.
    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The names of the models in it.
    pub fn installed(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter(|it| paths::is_model(&it.path())).filter_map(|it| it.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|it| !it.starts_with('.')).collect();
        names.sort();
        names
    }

    /// Removes a model.
    ///
    /// # Errors
    /// When it is not there, or its files cannot be deleted.
    pub fn remove(&self, name: &str) -> anyhow::Result<()> {
        check_name(name)?;
        let _lock = self.lock()?;
        let place = self.place(name);
        if !place.is_dir() {
            bail!("there is no model `{name}` in `{}`; `hark models list` tells which there are", self.folder.display());
        }
        fs::remove_dir_all(&place).with_context(|| format!("deleting `{}`", place.display()))
    }

    /// Makes the folder; nobody else changes what is in it while the lock lives.
    fn lock(&self) -> anyhow::Result<File> {
        let folder = self.folder.display();
        fs::create_dir_all(&self.folder).with_context(|| format!("making `{folder}`; as root for the machine's own speaker"))?;
        let lock = File::create(self.folder.join(".lock"))
            .with_context(|| format!("writing into `{folder}`; as root for the machine's own speaker"))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => bail!("another hark is changing `{folder}`; wait until it has ended"),
            Err(TryLockError::Error(err)) => Err(err).with_context(|| format!("locking `{folder}`")),
        }
    }
}

/// A name is a folder's and nothing else.
fn check_name(name: &str) -> anyhow::Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(fine) {
        bail!("`{name}` is no name of a model; they are like `vosk-model-small-de-0.15`");
    }
    Ok(())
}

/// `41.2 MB`.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_whole() {
        let listed = catalogue();
        let mut names: Vec<&str> = listed.iter().map(|it| it.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), listed.len(), "each once");
        for it in &listed {
            check_name(&it.name).unwrap();
            assert!(!it.languages.is_empty() && !it.licence.is_empty(), "{}", it.name);
            assert_eq!(it.built_in, it.url.is_none(), "{}", it.name);
            if let Some(url) = &it.url {
                assert!(url.starts_with("https://") && url.ends_with(&format!("/{}.zip", it.name)), "{url}");
            }
            if let Some(sum) = &it.sha256 {
                sums::check(sum).unwrap();
            }
        }
        assert!(listed.iter().filter(|it| it.understands("de-AT")).count() >= 2);
    }

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for name in ["", "..", ".hidden", "a/b", "/etc", "a\\b", "a b"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
