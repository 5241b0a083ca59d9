//! Processor and memory of the ears, alone in a process of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::data;
use crate::house::{cache, project};
use crate::listening::{Ears, quiet};
use crate::mix::{Condition, MS, Random, Scenery, from_db, level_db, trimmed};
use crate::report::Table;

/// Minutes of sound that a process hears.
const MINUTES: usize = 6;
/// Seconds for which instructions are counted.
const COUNTED_S: usize = 20;

/// Billions of instructions per second that one core does in code of this kind: clock times instructions per clock.
const PIS: [(&str, f64); 2] =
    [("Pi Zero 2 W (Cortex-A53, 1.0 GHz, 0.8 per clock)", 0.8), ("Pi 4 (Cortex-A72, 1.5 GHz, 1.5 per clock)", 2.25)];

/// A way to count what a process executes.
struct Counter {
    machine: &'static str,
    count: fn(&[String]) -> Option<u64>,
    /// What is missing where it cannot.
    needs: &'static str,
}

const COUNTERS: [Counter; 2] = [
    Counter { machine: "arm64", count: under_qemu, needs: "`tools/arm64.sh build`" },
    Counter { machine: "x86-64", count: under_valgrind, needs: "valgrind" },
];

pub fn measure(ears: &Ears, _: f64) -> Table {
    let mut table = Table::new("What listening costs");
    if data::folder().is_none() {
        table.figure("processor and memory", "skipped: no recordings");
        return table;
    }
    let sounds = (sound("talk"), sound("quiet"));
    let talk = run(ears, &sounds.0, "en", MINUTES * 60);
    let quiet = run(ears, &sounds.1, "en", MINUTES * 60);
    table.at_most("processor in constant talk, of one core", 2.0, talk.percent, "%");
    table.at_most("in a quiet room", 0.2, quiet.percent, "%");
    table.at_most("resident memory after that", 30.0, talk.memory_mb, "MB");
    let two = run(ears, &sounds.0, "en de", MINUTES * 60);
    table.figure("constant talk, English and German at once", format!("{:.2} %, {:.1} MB", two.percent, two.memory_mb));
    let three = run(ears, &sounds.0, "en de zh", MINUTES * 60);
    table.figure(
        "constant talk, English, German and Mandarin at once",
        format!("{:.2} %, {:.1} MB", three.percent, three.memory_mb),
    );
    for counter in COUNTERS {
        let machine = counter.machine;
        for (what, sound) in [("constant talk", &sounds.0), ("a quiet room", &sounds.1)] {
            // The same start twice, with and without something to hear: the difference is hearing it.
            let count = |seconds| {
                eprintln!("   counting {machine} instructions: {}, {seconds} s", sound.display());
                (counter.count)(&own(ears, sound, "en", seconds))
            };
            let (Some(none), Some(some)) = (count(0), count(COUNTED_S)) else {
                table.figure(format!("{machine} instructions, {what}"), format!("not counted: {} is missing", counter.needs));
                continue;
            };
            let per_second = some.saturating_sub(none) as f64 / COUNTED_S as f64;
            table.figure(format!("{machine} instructions per second of {what}"), format!("{:.1} million", per_second / 1e6));
            for (pi, billions) in PIS.iter().filter(|_| machine == "arm64") {
                table.figure(format!("estimate for a {pi}, {what}"), format!("{:.1} % of a core", per_second / billions / 1e7));
            }
        }
    }
    table.note(format!(
        "One process with nothing but the ears hears {MINUTES} minutes as fast as it can; processor time is set against the length of the sound. The thread that waits for sound in the daemon costs \
some 0.3 % more (see Listening). Talk: recordings of people one after the other with short pauses. The estimates for a Pi divide the instructions of the arm64 build, counted under qemu by a \
plugin (tools/arm64.sh), by clock times instructions per clock as such code reaches on these cores; they were not measured on a Pi, and what memory and its bandwidth cost there is not in them. \
Beside them the instructions of the x86-64 build, counted by callgrind."
    ));
    table
}

struct Cost {
    percent: f64,
    memory_mb: f64,
}

/// The program beside this one, and what it is told.
fn own(ears: &Ears, sound: &Path, languages: &str, seconds: usize) -> Vec<String> {
    let hear = std::env::current_exe().expect("it runs").with_file_name("hear");
    let words = [hear.as_path(), ears.path(), sound].map(|it| it.display().to_string());
    words.into_iter().chain([languages.replace(' ', ","), seconds.to_string()]).collect()
}

fn run(ears: &Ears, sound: &Path, languages: &str, seconds: usize) -> Cost {
    eprintln!("   {}, {languages}", sound.display());
    let words = own(ears, sound, languages, seconds);
    let out = Command::new(&words[0]).args(&words[1..]).output().expect("it runs");
    let text = String::from_utf8_lossy(&out.stdout);
    let mut figures = text.split_whitespace().filter_map(|it| it.parse::<f64>().ok());
    let (cpu_s, memory_mb) = (figures.next().unwrap_or(f64::NAN), figures.next().unwrap_or(f64::NAN));
    Cost { percent: 100.0 * cpu_s / seconds as f64, memory_mb }
}

fn under_valgrind(words: &[String]) -> Option<u64> {
    let out = Command::new("valgrind").args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).args(words).output().ok()?;
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    let line = text.lines().find(|it| it.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

fn under_qemu(words: &[String]) -> Option<u64> {
    let out = Command::new(project("tools/arm64.sh")).arg("count").args(&words[1..]).output().ok()?;
    String::from_utf8_lossy(&out.stdout).trim().parse().ok()
}

/// Writes down what is to be heard.
fn sound(name: &str) -> PathBuf {
    let file = cache("cost").join(name);
    let sound = if name == "quiet" { quiet(MINUTES * 60_000) } else { talk(MINUTES * 60) };
    let bytes: Vec<u8> = sound.iter().flat_map(|it| ((it * 32767.0) as i16).to_le_bytes()).collect();
    std::fs::write(&file, bytes).expect("a file beside the build");
    file
}

/// People one after the other, until it is long enough.
fn talk(seconds: usize) -> Vec<f32> {
    let mut talk = Vec::new();
    let scenery = Scenery::new();
    let mut random = Random::new("constant talk");
    let all: Vec<_> =
        ["speech_english", "commands_coffee"].iter().flat_map(|it| data::recordings(it)).filter(|it| it.scores).collect();
    while talk.len() < seconds * 1000 * MS {
        let mut voice = trimmed(&data::samples(&random.of(&all).file));
        let gain = from_db(-28.0 - level_db(&voice));
        voice.iter_mut().for_each(|it| *it *= gain);
        talk.extend(scenery.around(&voice, Condition::Clean, 100 * MS, 300 * MS, &mut random));
    }
    talk.truncate(seconds * 1000 * MS);
    talk
}
