//! Many jobs on all cores, with a line that tells how far they are.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Does every job; results in the order of the jobs.
pub fn all<J: Sync, R: Send>(what: &str, jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let (next, done, begin) = (AtomicUsize::new(0), AtomicUsize::new(0), Instant::now());
    let results: Mutex<Vec<Option<R>>> = Mutex::new(jobs.iter().map(|_| None).collect());
    let told = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |n| n.get()).min(jobs.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { return };
                    let result = work(job);
                    results.lock().expect("no other panicked")[at] = Some(result);
                    let n = done.fetch_add(1, Ordering::Relaxed) + 1;
                    tell(what, n, jobs.len(), begin, &told);
                }
            });
        }
    });
    results.into_inner().expect("no other panicked").into_iter().map(|it| it.expect("all were done")).collect()
}

/// On a terminal one line that changes, elsewhere a line for every quarter.
fn tell(what: &str, n: usize, of: usize, begin: Instant, told: &Mutex<usize>) {
    let seconds = begin.elapsed().as_secs();
    if std::io::stderr().is_terminal() {
        eprint!("\r   {what}: {n} of {of}, {seconds} s{}", if n == of { "\n" } else { "" });
        let _ = std::io::stderr().flush();
        return;
    }
    let mut told = told.lock().expect("no other panicked");
    if n * 4 / of > *told {
        *told = n * 4 / of;
        eprintln!("   {what}: {n} of {of}, {seconds} s");
    }
}
