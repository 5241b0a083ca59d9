//! Other spotters look for the same phrases in the same streams; what they found is kept beside the build.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;
use serde_json::json;
use speech::RATE_HZ;

use crate::house::{cache, project};
use crate::stream::{Event, Outcome, Stream};

/// Who is compared, and whether it knows only "alexa".
pub const PEERS: [(&str, bool); 2] = [("microWakeWord", true), ("PocketSphinx", false)];

/// What one of them found in one stream.
#[derive(Deserialize)]
struct Found {
    events: Vec<(u64, String, f32)>,
    cpu_s: f64,
    seconds: f64,
}

/// A stream that waits for them.
pub struct Job {
    checksum: u64,
    stream: Stream,
}

/// What they found, by engine and phrase, and the processor that each took, % of a core.
#[derive(Default)]
pub struct Peers {
    pub outcomes: BTreeMap<(&'static str, String), Outcome>,
    pub percent: BTreeMap<&'static str, f64>,
}

fn python() -> PathBuf {
    project(".deps/ears/bin/python")
}

impl Job {
    /// Writes the stream down where somebody has not yet heard it, and lets go of its samples.
    pub fn new(mut stream: Stream) -> Self {
        let checksum = stream.ears.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, it| {
            (sum ^ u64::from((it * 32767.0) as i16 as u16)).wrapping_mul(0x100_0000_01b3)
        });
        let ears = std::mem::take(&mut stream.ears);
        stream.reference.clear();
        let job = Self { checksum, stream };
        if PEERS.iter().any(|it| !job.out(it.0).exists()) && !job.wav().exists() {
            media::wav::write(&job.wav(), &ears, RATE_HZ).expect("a file beside the build");
        }
        job
    }

    fn out(&self, engine: &str) -> PathBuf {
        cache("peers").join(format!("{engine}-{:016x}.json", self.checksum))
    }

    fn wav(&self) -> PathBuf {
        cache("streams").join(format!("{:016x}.wav", self.checksum))
    }
}

/// Lets the peers hear what they have not heard yet. Nothing where they are not installed.
pub fn hear(jobs: &[Job], phrases: &[String]) -> Option<Peers> {
    let mut list = Vec::new();
    for job in jobs {
        for (engine, _) in PEERS.iter().filter(|it| !job.out(it.0).exists()) {
            list.push(json!({"engine": engine, "wav": job.wav(), "out": job.out(engine), "phrases": phrases}));
        }
    }
    if !list.is_empty() {
        eprintln!("   PocketSphinx and microWakeWord hear {} streams", list.len());
        let file = cache("peers").join("jobs.json");
        std::fs::write(&file, serde_json::to_vec(&list).expect("plain data")).expect("a file beside the build");
        let script = project("tests/bench/ears/peers.py");
        let status = Command::new(python()).arg(script).arg(&file).stdout(std::process::Stdio::null()).status();
        status.ok().filter(|it| it.success())?;
    }
    jobs.iter().for_each(|it| drop(std::fs::remove_file(it.wav())));
    let mut peers = Peers::default();
    for (engine, only_alexa) in PEERS {
        let (mut cpu_s, mut seconds) = (0.0, 0.0);
        for job in jobs {
            let found: Found = serde_json::from_slice(&std::fs::read(job.out(engine)).ok()?).ok()?;
            let event = |(at_ms, phrase, score): (u64, String, f32)| Event { at_ms, phrase, score };
            let events: Vec<Event> = found.events.into_iter().map(event).collect();
            for phrase in phrases.iter().filter(|it| !only_alexa || *it == "alexa") {
                job.stream.judge(phrase, &events, peers.outcomes.entry((engine, phrase.clone())).or_default());
            }
            cpu_s += found.cpu_s;
            seconds += found.seconds;
        }
        peers.percent.insert(engine, 100.0 * cpu_s / seconds);
    }
    Some(peers)
}
