//! SHA-256 sums of archives: computed, compared, and remembered where nobody has told which is right.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What an archive was when it was first installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Hexadecimal.
    pub sha256: String,
    /// Where it came from.
    pub from: String,
}

/// The file of all that was seen, in the folder of the models.
pub struct Sums {
    path: PathBuf,
    seen: BTreeMap<String, Seen>,
}

impl Sums {
    /// Reads what was seen; a file that cannot be read is as good as none.
    pub fn read(folder: &Path) -> Sums {
        let path = folder.join("sums.json");
        let seen = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Sums { path, seen }
    }

    /// What this archive was.
    pub fn seen(&self, name: &str) -> Option<&Seen> {
        self.seen.get(name)
    }

    /// Remembers what it is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&mut self, name: &str, seen: Seen) -> anyhow::Result<()> {
        self.seen.insert(name.to_owned(), seen);
        let text = serde_json::to_string_pretty(&self.seen).context("writing sums")?;
        fs::write(&self.path, text + "\n").with_context(|| format!("writing `{}`", self.path.display()))
    }
}

/// Of a whole file.
///
/// # Errors
/// When it cannot be read.
pub fn of(path: &Path) -> anyhow::Result<String> {
    let reading = || format!("reading `{}`", path.display());
    let mut file = File::open(path).with_context(reading)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).with_context(reading)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether this is a sum at all; in lower case.
///
/// # Errors
/// When it is none.
pub fn check(sum: &str) -> anyhow::Result<String> {
    if sum.len() != 64 || !sum.bytes().all(|it| it.is_ascii_hexdigit()) {
        bail!("`{sum}` is no SHA-256 sum; it has 64 digits of 0 to 9 and a to f");
    }
    Ok(sum.to_lowercase())
}
