//! Measures how well the speaker understands, on recordings and synthetic voices that its model does not know, and writes docs/benchmarks.md.
//!
//! `make bench-ears` measures all; `make bench-ears PARTS=wake,talk HOURS=10` only those, with so many hours of other talk.

mod commands;
mod contacts;
mod cost;
mod data;
mod evidence;
mod house;
mod listening;
mod mix;
mod names;
mod pauses;
mod peers;
mod people;
mod plot;
#[path = "../../report.rs"]
#[allow(dead_code)]
mod report;
mod stream;
mod talk;
mod voices;
mod wake;
mod work;

use std::path::PathBuf;
use std::time::Instant;

use listening::Ears;
use report::Table;

type Part = fn(&Ears, f64) -> Table;

/// The parts by name, in the order of the page.
const PARTS: [(&str, Part); 8] = [
    ("wake", wake::measure),
    ("commands", commands::measure),
    ("names", names::measure),
    ("contacts", contacts::measure),
    ("people", people::measure),
    ("talk", talk::measure),
    ("pauses", pauses::measure),
    ("cost", cost::measure),
];

/// Hours of other talk, where nobody says how many.
const HOURS: f64 = 3.0;

fn main() {
    let (mut wanted, mut hours, mut model) = (Vec::new(), HOURS, house::project("models/hark"));
    let mut evidence = None;
    for word in std::env::args().skip(1) {
        match word.split_once('=') {
            Some(("hours", it)) => hours = it.parse().expect("hours=NUMBER"),
            Some(("model", it)) => model = PathBuf::from(it),
            // For models/train/sentence.py.
            Some(("evidence", it)) => evidence = Some(it.to_owned()),
            _ => wanted.extend(word.split(',').map(str::to_owned)),
        }
    }
    if let Some(unknown) = wanted.iter().find(|it| PARTS.iter().all(|part| part.0 != *it)) {
        let known: Vec<&str> = PARTS.iter().map(|it| it.0).collect();
        eprintln!("there is no part `{unknown}`; there are {}", known.join(", "));
        std::process::exit(2);
    }
    let ears = Ears::new(model);
    if let Some(file) = evidence {
        return evidence::write(&ears, &file);
    }
    for (name, measure) in PARTS.iter().filter(|it| wanted.is_empty() || wanted.iter().any(|wanted| wanted == it.0)) {
        eprintln!("== {name}");
        let begin = Instant::now();
        let table = measure(&ears, hours);
        println!("{}", table.markdown());
        report::put(&format!("ears-{name}"), &table);
        eprintln!("   {name}: {:.0} s", begin.elapsed().as_secs_f64());
    }
}
