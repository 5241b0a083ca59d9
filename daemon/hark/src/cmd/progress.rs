//! How far an installation has come: one line that changes on a terminal, a line every few seconds elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::models::download::Progress;
use crate::models::install::Step;
use crate::models::megabytes;

/// On a terminal.
const OFTEN: Duration = Duration::from_millis(200);
/// In a file or a journal.
const SELDOM: Duration = Duration::from_secs(5);

/// The line.
pub struct Line {
    name: String,
    terminal: bool,
    began: Instant,
    told: Option<Instant>,
    /// How wide the line on the terminal is.
    width: usize,
}

impl Line {
    /// A line on standard error.
    pub fn new(name: &str) -> Line {
        let terminal = std::io::stderr().is_terminal();
        Line { name: name.to_owned(), terminal, began: Instant::now(), told: None, width: 0 }
    }

    /// Tells it, unless something was told a moment ago.
    pub fn tell(&mut self, step: &Step) {
        let now = Instant::now();
        let often = if self.terminal { OFTEN } else { SELDOM };
        let text = match step {
            Step::Fetching(progress) => {
                if progress.got == progress.before {
                    self.began = now;
                }
                let whole = progress.of == Some(progress.got);
                if !whole && self.told.is_some_and(|it| now.duration_since(it) < often) {
                    return;
                }
                fetching(progress, now.duration_since(self.began))
            }
            Step::Summing => "computing the sum".into(),
            Step::Unpacking(size) => format!("unpacking {}", megabytes(*size)),
            Step::Checking => "checking".into(),
        };
        self.told = Some(now);
        let text = format!("{}: {text}", self.name);
        // Standard error may be closed; then nobody wants to know.
        let _ = if self.terminal {
            let gap = self.width.saturating_sub(text.chars().count());
            self.width = text.chars().count();
            write!(std::io::stderr(), "\r{text}{:gap$}", "").and_then(|()| std::io::stderr().flush())
        } else {
            writeln!(std::io::stderr(), "{text}")
        };
    }

    /// Leaves the terminal's line empty.
    pub fn end(&mut self) {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r{:1$}\r", "", self.width);
            self.width = 0;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.end();
    }
}

/// `12.3 of 41.2 MB, 30 %, 1.2 MB/s, 24 s left`.
fn fetching(progress: &Progress, took: Duration) -> String {
    let came = progress.got - progress.before;
    let speed = came as f64 / took.as_secs_f64();
    let mut text = match progress.of {
        Some(of) if of > 0 => {
            format!("{:.1} of {}, {:.0} %", progress.got as f64 / 1e6, megabytes(of), 100.0 * progress.got as f64 / of as f64)
        }
        _ => megabytes(progress.got),
    };
    if progress.before > 0 && came == 0 {
        text += ", going on";
    }
    if came > 0 && took > Duration::from_millis(100) {
        text += &format!(", {:.1} MB/s", speed / 1e6);
        if let Some(left) = progress.of.map(|of| of.saturating_sub(progress.got)).filter(|it| *it > 0) {
            text += &format!(", {} left", duration(left as f64 / speed));
        }
    }
    text
}

fn duration(seconds: f64) -> String {
    match seconds.ceil() as u64 {
        s if s < 100 => format!("{s} s"),
        s if s < 6000 => format!("{} min", s.div_ceil(60)),
        s => format!("{} h", s.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_known() {
        let line = |got, before, of, ms| fetching(&Progress { got, before, of }, Duration::from_millis(ms));
        assert_eq!(line(0, 0, Some(40_000_000), 0), "0.0 of 40.0 MB, 0 %");
        assert_eq!(line(10_000_000, 0, Some(40_000_000), 5_000), "10.0 of 40.0 MB, 25 %, 2.0 MB/s, 15 s left");
        assert_eq!(line(10_000_000, 10_000_000, Some(40_000_000), 0), "10.0 of 40.0 MB, 25 %, going on");
        assert_eq!(line(40_000_000, 10_000_000, Some(40_000_000), 10_000), "40.0 of 40.0 MB, 100 %, 3.0 MB/s");
        assert_eq!(line(1_000_000, 0, None, 1_000), "1.0 MB, 1.0 MB/s");
    }
}
