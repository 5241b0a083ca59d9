//! Fifty calls in a row, and fifty demos: all complete, and nothing stays behind.

use std::panic::AssertUnwindSafe;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::children::Running;
use crate::house::{A_WHILE, HARK, House, Plan, SOON, project};
use crate::phone::PhoneSettings;
use crate::process::{memory_mb, n_files, n_threads};
use crate::report::{Table, percentile};
use crate::voice::MOM;

const N_CALLS: usize = 50;

/// How many demos play at once.
const N_DEMOS_AT_ONCE: usize = 3;

pub fn measure() -> Table {
    let voice = MOM.says("hello darling, it is so good to hear you").then_silence(Duration::from_secs(20));
    let house = House::new(Plan { mom: PhoneSettings { voice, ..PhoneSettings::default() }, ..Plan::default() });
    let pid = house.speaker.pid();
    // The first calls fill caches: prompts, codecs, buffers.
    for _ in 0..3 {
        complete(&house);
    }
    let before = (memory_mb(pid), n_threads(pid), n_files(pid));
    let n_complete = (0..N_CALLS).filter(|_| complete(&house)).count();
    std::thread::sleep(Duration::from_secs(3));
    let after = (memory_mb(pid), n_threads(pid), n_files(pid));
    let mut table = Table::new("Fifty calls in a row");
    table.at_least("calls that were complete: rung, answered, heard, ended", N_CALLS as f64, n_complete as f64, "");
    table.at_most("memory more than before", 3.0, after.0 - before.0, "MB");
    table.at_most("threads more than before", 0.0, after.1 - before.1, "");
    table.at_most("open files more than before", 0.0, after.2 as f64 - before.2 as f64, "");
    table.note(format!("Before: {:.1} MB, {} threads, {} files. Placed over the control socket, answered by baresip, ended by either side in turn.", before.0, before.1, before.2));
    table
}

/// Whether one short call took place, wholly.
fn complete(house: &House) -> bool {
    std::panic::catch_unwind(AssertUnwindSafe(|| call(house))).is_ok()
}

fn call(house: &House) {
    let (mark, ring) = (house.broker.mark(), house.mom.mark());
    house.does(&["call", "mom"]);
    house.mom.rings(ring, SOON);
    house.mom.answer();
    house.broker.wait_state(mark, "connected", SOON);
    std::thread::sleep(Duration::from_millis(1500));
    if ring % 2 == 0 {
        house.mom.hang_up()
    } else {
        drop(house.does(&["hangup"]))
    }
    house.mom.wait(ring, "CALL_CLOSED", A_WHILE);
    house.wait_over(mark);
    std::thread::sleep(Duration::from_millis(1500));
}

/// What the summaries of demos tell, by key, and how it is called on the page.
const FIGURES: [(&str, &str, &str); 6] = [
    ("command_end_to_invite_ms", "end of the spoken command to INVITE", "ms"),
    ("mouth_to_ear_ms", "from the person's mouth to mom's ear", "ms"),
    ("erle_db", "echo taken away while only mom talks", "dB"),
    ("memory_mb", "resident memory", "MB"),
    ("cpu_percent", "processor, simulated room included, of one core", "%"),
    ("xruns", "gaps in the sound", ""),
];

pub fn measure_demos() -> Table {
    let folder = tempfile::tempdir().expect("folder");
    let (mut summaries, mut results) = (Vec::new(), Vec::new());
    let mut waiting = (0..N_CALLS).collect::<Vec<_>>();
    while !waiting.is_empty() {
        let some: Vec<usize> = waiting.drain(..waiting.len().min(N_DEMOS_AT_ONCE)).collect();
        let mut demos: Vec<_> = some
            .iter()
            .map(|i| {
                let mut command = Command::new(HARK);
                command.arg("demo").arg("--out").arg(folder.path().join(i.to_string())).current_dir(project("."));
                (*i, Running::start(&format!("demo-{i}"), folder.path(), &mut command))
            })
            .collect();
        for (i, demo) in &mut demos {
            let status = demo.ended(Duration::from_secs(180));
            let text = std::fs::read(folder.path().join(i.to_string()).join("summary.json")).unwrap_or_default();
            let summary: Value = serde_json::from_slice(&text).unwrap_or_default();
            results.push(if status.success() {
                "complete".to_owned()
            } else {
                format!("demo {i}: {status}, {}", summary["result"])
            });
            summaries.push(summary);
        }
    }
    let mut table = Table::new("Fifty demos");
    table.at_least("demos that were complete", N_CALLS as f64, results.iter().filter(|it| *it == "complete").count() as f64, "");
    for (key, what, unit) in FIGURES {
        let values: Vec<f64> = summaries.iter().filter_map(|it| it[key].as_f64()).collect();
        let [low, middle, high] = [0.0, 0.5, 1.0].map(|part| percentile(&values, part));
        table.figure(format!("{what}: least, median, most"), format!("{low:.0}, {middle:.0}, {high:.0} {unit}"));
    }
    table.note(format!("`hark demo`, {N_DEMOS_AT_ONCE} at once on the same machine, each with a phone process of its own."));
    results.iter().filter(|it| *it != "complete").for_each(|it| table.note(it.as_str()));
    table
}
