//! The files of the project, as they lie there.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are not ours: what builds, fetches and demonstrations leave behind, and what others wrote.
const NOT_OURS: [&str; 6] = [".git", ".deps", "target", "demo-out", "__pycache__", "vendor"];

/// One text file.
pub struct File {
    /// From the root of the project, with `/`.
    pub path: String,
    pub text: String,
}

impl File {
    /// `path:line` for a place in the text.
    pub fn at(&self, offset: usize) -> String {
        format!("{}:{}", self.path, self.text[..offset].matches('\n').count() + 1)
    }

    pub fn n_lines(&self) -> usize {
        self.text.lines().count()
    }
}

/// Where the project is.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the package lies in the project")
}

/// The text of one file that must be there.
pub fn read(path: &str) -> File {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|err| panic!("{path}: {err}"));
    File { path: path.to_owned(), text }
}

/// Every text file, in order of their names. What is not UTF-8 is no text.
pub fn all() -> Vec<File> {
    let mut paths = Vec::new();
    walk(&root(), &mut paths);
    paths.sort();
    let files: Vec<File> = paths
        .into_iter()
        .filter_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            let path = path.strip_prefix(root()).expect("it was found there").to_string_lossy().into_owned();
            Some(File { path, text })
        })
        .collect();
    assert!(files.len() > 50, "only {} files found: the laws would hold for nothing", files.len());
    files
}

/// Every file whose path begins and ends so; at least one.
pub fn some(begin: &str, end: &str) -> Vec<File> {
    let files: Vec<File> = all().into_iter().filter(|it| it.path.starts_with(begin) && it.path.ends_with(end)).collect();
    assert!(!files.is_empty(), "no file {begin}*{end}: the law would hold for nothing");
    files
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project can be read") {
        let entry = entry.expect("a folder of the project can be read");
        let kind = entry.file_type().expect("it was just listed");
        if NOT_OURS.iter().any(|it| entry.file_name() == *it) {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), paths);
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
}
