//! An hour of people talking of other things: no call is placed.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::children::output;
use crate::house::{HARK, project};
use crate::report::Table;

/// Recordings of people, beside the project; never part of it.
const FOLDERS: [&str; 6] = ["speech_english", "commands_coffee", "wake_keywords", "wake_custom", "wake_community", "clips"];

pub fn measure() -> Table {
    let mut table = Table::new("An hour of other talk");
    let files: Vec<PathBuf> = FOLDERS.iter().flat_map(|it| recordings(&project("../shared/data").join(it))).collect();
    if files.is_empty() {
        table.figure("calls placed", "skipped: no recordings");
        return table;
    }
    let begin = std::time::Instant::now();
    let (mut n_wakes, mut commands) = (0, Vec::new());
    for some in files.chunks(200) {
        let heard = output(Command::new(HARK).arg("hear").args(some).current_dir(project(".")));
        for line in heard.lines().filter_map(|it| serde_json::from_str::<Value>(it).ok()) {
            match line["kind"].as_str() {
                Some("wake") => n_wakes += 1,
                Some("command") => commands.push(line.to_string()),
                _ => (),
            }
        }
    }
    let hours = files.iter().map(|it| seconds(it)).sum::<f64>() / 3600.0;
    table.at_most("calls placed, or anything else done", 0.0, commands.len() as f64, "");
    table.figure("wake phrase heard where nobody said it", n_wakes.to_string());
    table.figure(
        "recordings",
        format!(
            "{:.2} h in {} files, {:.0} times faster than they last",
            hours,
            files.len(),
            hours * 3600.0 / begin.elapsed().as_secs_f64()
        ),
    );
    commands.iter().for_each(|it| table.note(format!("`{it}`")));
    table
}

fn recordings(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|it| it.path())
        .filter(|it| it.extension().is_some_and(|it| it == "flac"))
        .collect();
    files.sort();
    files
}

/// Length of a FLAC file, from its first block (RFC 9639, section 8.2).
fn seconds(file: &Path) -> f64 {
    let bytes = std::fs::read(file).unwrap_or_default();
    let Some(block) = bytes.get(8..26) else { return 0.0 };
    let rate_hz = u32::from(block[10]) << 12 | u32::from(block[11]) << 4 | u32::from(block[12]) >> 4;
    let n_samples =
        (u64::from(block[13]) & 0xf) << 32 | u64::from(u32::from_be_bytes([block[14], block[15], block[16], block[17]]));
    n_samples as f64 / f64::from(rate_hz.max(1))
}
