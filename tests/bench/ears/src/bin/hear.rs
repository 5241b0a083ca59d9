//! A process with nothing but the ears in it, for `cost`: hears so much of a file as fast as it can, and tells processor seconds and megabytes.
//!
//! usage: hear MODEL SOUND LANGUAGES SECONDS     16 kHz, 16 bits, mono; LANGUAGES such as en,de

#[path = "../house.rs"]
#[allow(dead_code)]
mod house;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Duration;

use house::{House, settings};
use speech::{Hearing, Model};

/// How long a window stays open, as in hark.yaml.
const LISTEN_FOR: Duration = Duration::from_secs(6);
/// Samples that come at once: 10 ms.
const PART: usize = 160;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [model, sound, languages, seconds] = &words[..] else { panic!("usage: hear MODEL SOUND LANGUAGES SECONDS") };
    let seconds: usize = seconds.parse().expect("SECONDS is a number");
    let mut sound = BufReader::new(File::open(sound).unwrap_or_else(|error| panic!("{sound}: {error}")));
    let languages: Vec<String> = languages.split(',').map(str::to_owned).collect();
    let house = House::new(&languages[0]);
    let model = Model::with(Path::new(model), &languages).unwrap_or_else(|error| panic!("{error}"));
    let settings = settings(std::slice::from_ref(&house.household.wake), LISTEN_FOR);
    let mut hearing = Hearing::new(&model, settings).expect("a wake phrase");
    hearing.listen(house.listen(&model, None));
    let before = processor_s();
    let (mut notices, mut bytes) = (Vec::new(), [0; 2 * PART]);
    for _ in 0..seconds * 100 {
        if sound.read_exact(&mut bytes).is_err() {
            break;
        }
        let pairs = bytes.chunks(2).flat_map(|it| [f32::from(i16::from_le_bytes([it[0], it[1]])) / 32768.0, 0.0]);
        hearing.feed(&pairs.collect::<Vec<f32>>(), &mut notices);
        notices.clear();
    }
    println!("{} {}", processor_s() - before, memory_mb());
}

fn processor_s() -> f64 {
    // SAFETY: a plain struct that the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |it: libc::timeval| it.tv_sec as f64 + it.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn memory_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|it| it.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|it| it.parse::<f64>().ok()).unwrap_or(f64::NAN) * 1024.0 / 1e6
}
