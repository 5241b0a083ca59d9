//! Measures the bars that Hark sets itself, on this machine, and writes them to docs/benchmarks.md.
//!
//! `make bench` measures all; `cargo bench -p hark --bench bars -- delays calls` only those, and leaves the other tables as they are.

// Not every benchmark uses all that a peer of the end-to-end tests can do.
#![allow(dead_code)]

#[path = "../e2e/broker.rs"]
mod broker;
#[path = "../e2e/children.rs"]
mod children;
#[path = "../e2e/house.rs"]
mod house;
#[path = "../e2e/household.rs"]
mod household;
#[path = "../e2e/network.rs"]
mod network;
#[path = "../e2e/phone.rs"]
mod phone;
#[path = "../e2e/pulse.rs"]
mod pulse;
#[path = "../e2e/sound.rs"]
mod sound;
#[path = "../e2e/voice.rs"]
mod voice;

mod cost;
mod delays;
mod endurance;
mod moves;
mod outage;
mod process;
mod report;
mod rooms;
#[path = "../scale/mod.rs"]
mod scale;
mod talk;
mod understanding;

use std::process::ExitCode;

use report::Table;

type Benchmark = fn() -> Table;

/// The benchmarks by name, in the order of the page.
const ALL: [(&str, Benchmark); 14] = [
    ("delays", delays::measure),
    ("chime", delays::measure_chimes),
    ("cost", cost::measure),
    ("calls", cost::measure_call),
    ("endurance", endurance::measure),
    ("demos", endurance::measure_demos),
    ("understanding", understanding::measure),
    ("talk", talk::measure),
    ("rooms", rooms::measure),
    ("conference", rooms::measure_conference),
    ("moves", moves::measure),
    ("room-moves", moves::measure_rooms),
    ("outage", outage::measure),
    ("scale", scale::measure),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let mut failed = Vec::new();
    for (name, measure) in ALL {
        if !wanted.is_empty() && !wanted.iter().any(|it| it == name) {
            continue;
        }
        eprintln!("== {name}");
        // One that cannot be measured does not keep the others from it.
        let Ok(table) = std::panic::catch_unwind(measure) else {
            failed.push(name);
            continue;
        };
        println!("{}", table.markdown());
        report::put(name, &table);
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("could not be measured: {}", failed.join(", "));
    ExitCode::FAILURE
}
