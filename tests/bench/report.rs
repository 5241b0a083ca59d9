//! Figures as tables of docs/benchmarks.md.

use std::fmt::Write as _;
use std::time::Duration;

use crate::house::project;

/// What the page says before its tables.
const OPENING: &str = "# Benchmarks\n\nMeasured by `make bench`, which replaces the tables here; each says where and when. \
The bars are those that Hark sets itself.\n";

/// One table.
pub struct Table {
    title: &'static str,
    rows: Vec<Row>,
    notes: Vec<String>,
}

struct Row {
    what: String,
    bar: String,
    figure: String,
    met: Option<bool>,
}

impl Table {
    pub fn new(title: &'static str) -> Self {
        Self { title, rows: Vec::new(), notes: Vec::new() }
    }

    /// A figure that should not be above its bar.
    pub fn at_most(&mut self, what: impl Into<String>, bar: f64, figure: f64, unit: &str) {
        self.rows.push(Row {
            what: what.into(),
            bar: format!("≤ {bar} {unit}"),
            figure: format!("{} {unit}", short(figure)),
            met: Some(figure <= bar),
        });
    }

    /// A figure that should not be below its bar.
    pub fn at_least(&mut self, what: impl Into<String>, bar: f64, figure: f64, unit: &str) {
        self.rows.push(Row {
            what: what.into(),
            bar: format!("≥ {bar} {unit}"),
            figure: format!("{} {unit}", short(figure)),
            met: Some(figure >= bar),
        });
    }

    /// A figure without a bar.
    pub fn figure(&mut self, what: impl Into<String>, figure: impl Into<String>) {
        self.rows.push(Row { what: what.into(), bar: String::new(), figure: figure.into(), met: None });
    }

    /// How it was measured.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n| what | bar | measured | met |\n|---|---|---|---|\n", self.title, machine());
        for row in &self.rows {
            let met = row.met.map_or("", |met| if met { "yes" } else { "**no**" });
            let _ = writeln!(text, "| {} | {} | {} | {met} |", row.what, row.bar, row.figure);
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}

fn short(figure: f64) -> String {
    let digits = if figure.abs() >= 100.0 { 0 } else { usize::from(figure.fract() != 0.0) };
    format!("{figure:.digits$}")
}

/// Processor, cores, system and day.
fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let value_of = |text: &str, key: &str| {
        let line = text.lines().find(|it| it.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once([':', '=']).map_or("unknown", |(_, value)| value.trim().trim_matches('"')).to_owned()
    };
    let processor = value_of(&read("/proc/cpuinfo"), "model name");
    let n_cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let system = value_of(&read("/etc/os-release"), "PRETTY_NAME");
    let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
    let now = time::OffsetDateTime::now_utc();
    format!("{processor}, {n_cores} cores (load before: {load}), {system}, {}.", now.date())
}

/// Puts a table in its place on the page, between its marks.
pub fn put(name: &str, table: &Table) {
    let page = project("docs/benchmarks.md");
    let text = std::fs::read_to_string(&page).unwrap_or_else(|_| OPENING.to_owned());
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let table = format!("{begin}{}{end}", table.markdown());
    let text = match (text.find(&begin), text.find(&end)) {
        (Some(from), Some(to)) => format!("{}{table}{}", &text[..from], &text[to + end.len()..]),
        _ => format!("{text}\n{table}"),
    };
    std::fs::write(&page, text).expect("docs/benchmarks.md");
}

/// The value below which this part of them lies.
pub fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n => sorted[((n - 1) as f64 * part).round() as usize],
    }
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
