//! The last minutes as a transcript, in memory only: what came in and what was decided, for the person who looks for a defect.
//! It holds what people said and whom they called, so it leaves the process only when the owner asks for it.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use control::action::Action;
use control::input::Input;
use control::time::Time;

/// How far back it reaches.
const KEEP: Duration = Duration::from_secs(15 * 60);
/// However much happens, this is all the memory that it takes, in bytes of text.
const MAX_BYTES: usize = 512 * 1024;
/// Longer lines, such as new contacts, are cut.
const MAX_LINE: usize = 2000;

/// The flight recorder.
#[derive(Debug, Default)]
pub struct Recorder {
    lines: VecDeque<(Time, String)>,
    bytes: usize,
}

impl Recorder {
    /// Notes what happened.
    pub fn input(&mut self, at: Time, input: &Input) {
        self.line(at, format!("{at} > {input}"));
    }

    /// Notes what was decided.
    pub fn action(&mut self, at: Time, action: &Action) {
        self.line(at, format!("{at} < {action}"));
    }

    fn line(&mut self, at: Time, mut line: String) {
        if line.len() > MAX_LINE {
            line.truncate(line.floor_char_boundary(MAX_LINE));
            line.push_str(" ...");
        }
        self.bytes += line.len();
        self.lines.push_back((at, line));
        while let Some((oldest, line)) = self.lines.front()
            && (self.bytes > MAX_BYTES || at.since(*oldest) > KEEP)
        {
            self.bytes -= line.len();
            self.lines.pop_front();
        }
    }
}

impl fmt::Display for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|(_, line)| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use control::input::Command;

    use super::*;

    fn at(s: u64) -> Time {
        Time::from_start(Duration::from_secs(s))
    }

    #[test]
    fn old_lines_are_forgotten() {
        let mut recorder = Recorder::default();
        recorder.input(at(1), &Input::Command(Command::Answer));
        recorder.input(at(KEEP.as_secs()), &Input::Command(Command::Mute));
        assert_eq!(recorder.to_string().lines().count(), 2);
        recorder.input(at(KEEP.as_secs() + 2), &Input::Command(Command::HangUp));
        let text = recorder.to_string();
        assert!(text.lines().count() == 2 && !text.contains("answer"), "{text}");
    }

    #[test]
    fn however_much_happens_memory_is_bounded() {
        let mut recorder = Recorder::default();
        for n in 0..10_000 {
            recorder.input(at(1), &Input::Command(Command::Say("ü".repeat(n % 3000))));
        }
        assert!(recorder.to_string().len() <= MAX_BYTES + recorder.lines.len());
        assert_eq!(recorder.bytes, recorder.lines.iter().map(|(_, line)| line.len()).sum::<usize>());
    }
}
