//! Archives as they come, and as they must not come.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A model that libvosk takes, in the layout of Vosk's own: the built-in one with the graph of a few words.
pub fn real_model() -> PathBuf {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let (folder, written) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/hark");
        let words = "hello operator call mom dad hang up".split(' ').map(str::to_owned).collect();
        speech::Model::open(&built_in).unwrap().write_official(written.path(), &words).unwrap();
        copy(written.path(), folder.path());
        folder
    });
    made.path().canonicalize().unwrap()
}

/// Copies a folder, and files instead of links to them.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&copied).unwrap();
            copy(&path, &copied);
        } else {
            fs::copy(&path, copied).unwrap();
        }
    }
}

/// What an archive holds.
#[derive(Clone)]
pub struct Packed {
    files: Vec<(String, Vec<u8>)>,
    links: Vec<(String, String)>,
    /// A file's name and the size that the archive claims it has.
    lie: Option<(String, u64)>,
}

impl Packed {
    pub fn empty() -> Packed {
        Packed { files: Vec::new(), links: Vec::new(), lie: None }
    }

    /// A whole model in a folder of this name; side by side without one.
    pub fn model(folder: &str) -> Packed {
        let root = real_model();
        let mut packed = Packed::empty();
        let mut folders = vec![root.clone()];
        while let Some(it) = folders.pop() {
            for entry in fs::read_dir(it).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                let name = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                packed.files.push((name, fs::read(&path).unwrap()));
            }
        }
        packed.files.sort();
        packed
    }

    pub fn with(mut self, name: &str, bytes: &[u8]) -> Packed {
        // Beside the others, where they are in a folder.
        let folder = self.folder();
        let name = if name.starts_with(['/', '.']) { name.to_owned() } else { format!("{folder}{name}") };
        self.files.push((name, bytes.to_owned()));
        self
    }

    pub fn without(mut self, end: &str) -> Packed {
        self.files.retain(|it| !it.0.ends_with(end));
        self
    }

    pub fn link(mut self, name: &str, to: &str) -> Packed {
        self.links.push((name.into(), to.into()));
        self
    }

    pub fn announcing(mut self, end: &str, size: u64) -> Packed {
        self.lie = Some((end.into(), size));
        self
    }

    pub fn write(&self, path: &Path) -> PathBuf {
        let mut zip = ZipWriter::new(File::create(path).unwrap());
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        for (name, bytes) in &self.files {
            zip.start_file(name.as_str(), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        for (name, to) in &self.links {
            zip.add_symlink(name.as_str(), to.as_str(), options).unwrap();
        }
        zip.finish().unwrap();
        if let Some((end, size)) = &self.lie {
            let mut bytes = fs::read(path).unwrap();
            lie(&mut bytes, end, *size as u32);
            fs::write(path, bytes).unwrap();
        }
        path.to_owned()
    }

    fn folder(&self) -> String {
        let first = self.files.first().and_then(|it| it.0.split_once('/')).map(|it| it.0).unwrap_or_default();
        if first.starts_with("vosk-") { format!("{first}/") } else { String::new() }
    }
}

/// Writes another uncompressed size into the central directory (APPNOTE.TXT 4.3.12) and the local header (4.3.7).
fn lie(bytes: &mut [u8], end: &str, size: u32) {
    for (magic, size_at, name_len_at, name_at) in [(b"PK\x01\x02", 24, 28, 46), (b"PK\x03\x04", 22, 26, 30)] {
        for at in 0..bytes.len() - name_at {
            if !bytes[at..].starts_with(magic) {
                continue;
            }
            let len = usize::from(u16::from_le_bytes([bytes[at + name_len_at], bytes[at + name_len_at + 1]]));
            if bytes.get(at + name_at..at + name_at + len).is_some_and(|it| it.ends_with(end.as_bytes())) {
                bytes[at + size_at..at + size_at + 4].copy_from_slice(&size.to_le_bytes());
            }
        }
    }
}
