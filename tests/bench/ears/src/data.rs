//! The recordings beside the project: their manifests, and which of them decide.

use std::path::{Path, PathBuf};

use crate::house::project;

/// One recording.
#[derive(Clone, Debug)]
pub struct Recording {
    pub folder: String,
    pub file: PathBuf,
    /// The wake phrase, the words or the intent; empty where nobody wrote it down.
    pub label: String,
    /// Of somebody whose voice no model was trained with and no threshold was set by.
    pub scores: bool,
    /// What the name of the file says: a word that only sounds like a wake phrase.
    pub near_miss: bool,
}

/// Never trained with, so that everybody in them decides.
const NEVER_TRAINED: [&str; 2] = ["digits", "words_mandarin"];

/// Where the recordings are; `None` without them.
pub fn folder() -> Option<PathBuf> {
    Some(project("../shared/data")).filter(|it| it.is_dir())
}

/// All recordings of a folder, in the order of its manifest.
pub fn recordings(folder: &str) -> Vec<Recording> {
    let Some(data) = self::folder() else { return Vec::new() };
    let Ok(text) = std::fs::read_to_string(data.join(folder).join("manifest.csv")) else { return Vec::new() };
    let mut rows = rows(&text).into_iter();
    let Some(head) = rows.next() else { return Vec::new() };
    let column = |name: &str| head.iter().position(|it| it == name);
    let (Some(file), Some(label), Some(speaker)) = (column("file"), column("label"), column("speaker")) else {
        return Vec::new();
    };
    let recording = |row: Vec<String>| {
        let who = if row[speaker].is_empty() { &row[file] } else { &row[speaker] };
        Recording {
            folder: folder.to_owned(),
            file: data.join(folder).join(&row[file]),
            label: row[label].clone(),
            scores: NEVER_TRAINED.contains(&folder) || hash(&format!("{folder}/{who}")).is_multiple_of(4),
            near_miss: row[file].starts_with("neg_"),
        }
    };
    rows.filter(|row| row.len() > speaker.max(label).max(file)).map(recording).collect()
}

/// FNV-1a, 32 bits: the same four parts in every language that reads the manifests.
pub fn hash(text: &str) -> u32 {
    text.bytes().fold(2_166_136_261, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
}

/// Its samples at 16 kHz.
pub fn samples(file: &Path) -> Vec<f32> {
    media::wav::read(file, speech::RATE_HZ).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Rows of a CSV file (RFC 4180).
fn rows(text: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(it) = chars.next() {
        let row = rows.last_mut().expect("there is one from the start");
        let field = row.last_mut().expect("a row has a field from the start");
        match it {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\n' if !quoted => rows.push(vec![String::new()]),
            '\r' if !quoted => (),
            it => field.push(it),
        }
    }
    rows.retain(|row| row.len() > 1);
    rows
}
