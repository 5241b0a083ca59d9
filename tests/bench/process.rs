//! What a process costs, from /proc.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Processor time of a process so far.
pub fn cpu_time(pid: u32) -> Duration {
    ticks(&format!("/proc/{pid}/stat"))
}

fn ticks(file: &str) -> Duration {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let field = |n: usize| fields.get(n).and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0);
    // SAFETY: sysconf takes no pointers.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    Duration::from_secs_f64((field(11) + field(12)) / per_second)
}

/// Percent of one core over a while, the process's and each of its threads' by name.
pub struct Cost {
    pid: u32,
    start: Instant,
    cpu: Duration,
    threads: BTreeMap<String, Duration>,
}

impl Cost {
    pub fn start(pid: u32) -> Self {
        Self { pid, start: Instant::now(), cpu: cpu_time(pid), threads: threads(pid) }
    }

    pub fn percent(&self) -> f64 {
        100.0 * (cpu_time(self.pid) - self.cpu).as_secs_f64() / self.start.elapsed().as_secs_f64()
    }

    /// The threads that cost most, for the notes.
    pub fn by_thread(&self) -> String {
        let seconds = self.start.elapsed().as_secs_f64();
        let mut parts: Vec<(f64, String)> = threads(self.pid)
            .into_iter()
            .map(|(name, cpu)| {
                (100.0 * cpu.saturating_sub(self.threads.get(&name).copied().unwrap_or_default()).as_secs_f64() / seconds, name)
            })
            .filter(|(percent, _)| *percent >= 0.05)
            .collect();
        parts.sort_by(|a, b| b.0.total_cmp(&a.0));
        parts.into_iter().map(|(percent, name)| format!("{name} {percent:.1}")).collect::<Vec<_>>().join(", ")
    }
}

fn threads(pid: u32) -> BTreeMap<String, Duration> {
    let mut threads = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let folder = task.path();
        let name = std::fs::read_to_string(folder.join("comm")).unwrap_or_default().trim().to_owned();
        *threads.entry(name).or_insert(Duration::ZERO) += ticks(&folder.join("stat").display().to_string());
    }
    threads
}

/// Resident memory, MB.
pub fn memory_mb(pid: u32) -> f64 {
    status(pid, "VmRSS:") / 1024.0 * 1.048_576
}

pub fn n_threads(pid: u32) -> f64 {
    status(pid, "Threads:")
}

pub fn n_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

fn status(pid: u32, key: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find(|it| it.starts_with(key)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|it| it.parse().ok()).unwrap_or(0.0)
}
