//! Hundreds of simulated speakers on one mosquitto: what a hotel asks of broker, network and decisions. docs/scaling.md reads the figures.

mod members;
mod room;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::children::free_port;
use crate::process::{cpu_time, memory_mb};
use crate::report::{Table, ms, percentile};
use hark::config::{self, Sources};
use room::{Counts, Order, Room};

/// How many rooms the houses have.
const SIZES: [usize; 3] = [10, 100, 500];
/// Calls that are begun in a second, and for how long.
const CALLS_A_SECOND: usize = 50;
const CALLING: Duration = Duration::from_secs(6);
/// Everybody is to know everybody then.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);

/// What one house has shown.
struct Figures {
    n_rooms: usize,
    known: Duration,
    n_known: usize,
    begun: usize,
    answered: u64,
    setups: Vec<f64>,
    /// Over the broker, while nobody calls.
    idle_per_second: f64,
    by_broker_per_call: f64,
    by_broker_per_first_call: f64,
    letters_per_call: f64,
    /// Percent of a core: broker; all speakers together.
    calling_cpu: (f64, f64),
    idle_cpu: (f64, f64),
    /// MB: broker; all speakers together.
    memory: (f64, f64),
}

/// Fills the table.
pub fn measure() -> Table {
    more_files();
    let mut table = Table::new("Many speakers");
    // `ROOMS="10 1000" cargo bench ...` asks for other sizes.
    let sizes: Vec<usize> = match std::env::var("ROOMS") {
        Ok(text) => text.split(' ').filter_map(|it| it.parse().ok()).collect(),
        Err(_) => SIZES.to_vec(),
    };
    let all: Vec<Figures> = sizes.iter().map(|n| live(*n, false)).collect();
    for it in &all {
        show(&mut table, it, "");
    }
    let (fewest, most) = (&all[0], &all[all.len() - 1]);
    table.at_most(
        format!("messages of a call with {} rooms, compared with {} rooms", most.n_rooms, fewest.n_rooms),
        1.1,
        most.by_broker_per_call / fewest.by_broker_per_call,
        "times",
    );
    let bridged = live(100, true);
    show(&mut table, &bridged, ", two bridged mosquittos");
    table.note(
        "Decisions, house (keys, sealed letters, straight links), calls with DTLS between rooms, and MQTT are those of the daemon; all speakers are in one process and have no sound. \
         Speakers and broker share the machine with one another, so that times contain waiting for a core.",
    );
    table
}

fn show(table: &mut Table, it: &Figures, how: &str) {
    let rooms = format!("{} rooms{how}", it.n_rooms);
    let known = if it.n_known == it.n_rooms { ms(it.known) / 1000.0 } else { f64::INFINITY };
    table.at_most(format!("{rooms}: everybody knows who is there"), KNOWN_WITHIN.as_secs_f64(), known, "s");
    table.at_least(
        format!("{rooms}: of {} calls begun, {CALLS_A_SECOND} a second, were answered", it.begun),
        it.begun as f64,
        it.answered as f64,
        "",
    );
    let figures = [
        (
            "call to answer, median and 95th percentile",
            format!("{:.0} ms, {:.0} ms", percentile(&it.setups, 0.5), percentile(&it.setups, 0.95)),
        ),
        (
            "messages over the broker per call, and for the first between two rooms",
            format!("{:.1}, {:.1}", it.by_broker_per_call, it.by_broker_per_first_call),
        ),
        ("letters from room to room per call", format!("{:.1}", it.letters_per_call)),
        ("messages over the broker while nobody calls", format!("{:.1} a second", it.idle_per_second)),
        (
            "processor of the broker, idle and with the calls",
            format!("{:.1} %, {:.1} % of a core", it.idle_cpu.0, it.calling_cpu.0),
        ),
        (
            "processor of one speaker, idle and with the calls",
            format!("{:.2} %, {:.2} % of a core", it.idle_cpu.1 / it.n_rooms as f64, it.calling_cpu.1 / it.n_rooms as f64),
        ),
        (
            "memory of the broker, and of one speaker without sound",
            format!("{:.1} MB, {:.1} MB", it.memory.0, it.memory.1 / it.n_rooms as f64),
        ),
    ];
    for (what, figure) in figures {
        table.figure(format!("{rooms}: {what}"), figure);
    }
}

/// One house, from switching on to the last call.
fn live(n_rooms: usize, bridged: bool) -> Figures {
    let folder = tempfile::tempdir().expect("folder");
    let broker = Broker::start(folder.path());
    let second = bridged.then(|| bridge(folder.path(), broker.port));
    let ports = [broker.port, second.as_ref().map_or(broker.port, |it| it.port)];
    let slugs: Vec<String> = (1..=n_rooms).map(|i| format!("room-{i}")).collect();
    members::write(folder.path(), &slugs);
    let loaded = config::load(&Sources::default()).expect("the built-in settings");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let counts = Arc::new(Counts::default());
    let before = memory_mb(std::process::id());
    let begin = Instant::now();
    let mut rooms: Vec<Room> = runtime.block_on(async {
        let mut rooms = Vec::new();
        for (i, slug) in slugs.iter().enumerate() {
            let at = (slug.as_str(), ports[i % 2]);
            let folder = folder.path().join(slug);
            rooms.push(Room::start(loaded.settings.clone(), &loaded.phrases, &folder, at, counts.clone()).await);
        }
        rooms
    });
    let knows_all = |room: &Room| *room.n_up.borrow() == n_rooms - 1;
    while !rooms.iter().all(knows_all) && begin.elapsed() < 4 * KNOWN_WITHIN {
        std::thread::sleep(Duration::from_millis(50));
    }
    let (known, n_known) = (begin.elapsed(), rooms.iter().filter(|room| knows_all(room)).count());
    let mut knows: Vec<usize> = rooms.iter().map(|room| *room.n_up.borrow()).collect();
    knows.sort_unstable();
    let (fewest, median) = (knows[0], knows[n_rooms / 2]);
    eprintln!("   {n_rooms} rooms: {n_known} know all after {known:?}; fewest {fewest}, median {median}");
    std::thread::sleep(Duration::from_secs(3));

    let ours = std::process::id();
    let cpu = || (cpu_time(broker.pid()), cpu_time(ours));
    let percent = |from: (Duration, Duration), over: Duration| {
        let now = cpu();
        let of = |a: Duration, b: Duration| 100.0 * (a - b).as_secs_f64() / over.as_secs_f64();
        (of(now.0, from.0), of(now.1, from.1))
    };
    let (mark, before_cpu, idle) = (broker.mark(), cpu(), Instant::now());
    std::thread::sleep(Duration::from_secs(5));
    let idle_per_second = (broker.mark() - mark) as f64 / idle.elapsed().as_secs_f64();
    let idle_cpu = percent(before_cpu, idle.elapsed());

    // Who has not called one another yet tell each other their clocks first.
    let (mark, first) = (broker.mark(), Instant::now());
    let n_first = call(&rooms, &slugs, &counts, n_rooms / 2);
    std::thread::sleep(Duration::from_secs(2));
    let by_broker_first = (broker.mark() - mark) as f64 - idle_per_second * first.elapsed().as_secs_f64();
    rooms.iter_mut().for_each(|room| while room.setups.try_recv().is_ok() {});
    let (before_answered, before_letters) = (counts.answered.load(Relaxed), counts.letters.load(Relaxed));

    let (mark, before_cpu, calling) = (broker.mark(), cpu(), Instant::now());
    let begun = call(&rooms, &slugs, &counts, (CALLING.as_secs_f64() / pause(n_rooms).as_secs_f64()) as usize);
    let calling_cpu = percent(before_cpu, calling.elapsed());
    std::thread::sleep(Duration::from_secs(2));
    let passed = calling.elapsed().as_secs_f64();
    let by_broker = (broker.mark() - mark) as f64 - idle_per_second * passed;
    let setups = rooms.iter_mut().flat_map(|room| std::iter::from_fn(|| room.setups.try_recv().ok())).map(ms).collect();
    let answered = counts.answered.load(Relaxed) - before_answered;
    eprintln!("   {answered} of {begun} calls answered, {} failed", counts.failed.load(Relaxed));
    let memory = (memory_mb(broker.pid()), memory_mb(ours) - before);
    drop(rooms);
    runtime.shutdown_timeout(Duration::from_secs(5));
    Figures {
        n_rooms,
        known,
        n_known,
        begun,
        answered,
        setups,
        idle_per_second,
        by_broker_per_call: by_broker / begun as f64,
        by_broker_per_first_call: by_broker_first / n_first as f64,
        letters_per_call: (counts.letters.load(Relaxed) - before_letters) as f64 / begun as f64,
        calling_cpu,
        idle_cpu,
        memory,
    }
}

/// So many calls, one after the other and answered at once; waits until all are answered or have failed. Gives how many were begun.
fn call(rooms: &[Room], slugs: &[String], counts: &Counts, n_calls: usize) -> usize {
    let over = || (counts.answered.load(Relaxed) + counts.failed.load(Relaxed)) as usize;
    let (before, begin, half) = (over(), Instant::now(), rooms.len() / 2);
    let mut begun = 0;
    for i in 0..n_calls {
        // Callers and called take turns, so that nobody is busy who was called once.
        let (from, to) = (i % half, half + i % half);
        begun += usize::from(rooms[from].orders.try_send(Order::Call(slugs[to].clone())).is_ok());
        let next = begin + pause(rooms.len()) * (i + 1) as u32;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let all_begun = Instant::now();
    while over() < before + begun && all_begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    begun
}

/// Between two calls: in a small house nobody can be in two calls at once, so there are fewer.
fn pause(n_rooms: usize) -> Duration {
    let longest = Duration::from_millis(1500) / (n_rooms / 2) as u32;
    longest.max(Duration::from_secs(1) / CALLS_A_SECOND as u32)
}

/// A second mosquitto that shares all topics with the first.
fn bridge(folder: &Path, first: u16) -> Broker {
    let folder = folder.join("second");
    std::fs::create_dir_all(&folder).expect("folder");
    let name = free_port();
    let more = format!("connection bridge-{name}\naddress 127.0.0.1:{first}\ntopic hark/# both 1\n");
    Broker::start_at(&folder, &["127.0.0.1"], &more)
}

/// Each speaker has some sockets.
fn more_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a structure of ours that outlives the calls.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}
