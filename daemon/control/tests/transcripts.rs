//! Scenes: what happens (`>`) and what is done (`<`). `UPDATE=1 cargo test -p control` rewrites what is done; read the diff.
//!
//! `after 20 s` lets time pass, deadlines included. `language de` at the top takes other phrases, `language en zh` those of two languages.

mod house;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use control::Speaker;
use control::action::Action;
use control::input::Input;
use control::time::Time;

#[test]
fn every_scene_goes_as_written() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = String::new();
    let scenes = scenes();
    assert!(scenes.len() >= 25, "only {} scenes", scenes.len());
    for path in scenes {
        let written = std::fs::read_to_string(&path).unwrap();
        let played = play(&path, &written);
        if update {
            std::fs::write(&path, &played).unwrap();
        } else if let Some((number, (was, is))) = differs(&written, &played) {
            writeln!(wrong, "{}:{number}\n  written: {was}\n  played:  {is}", path.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}UPDATE=1 rewrites the scenes");
}

fn scenes() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut scenes: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    scenes.sort();
    scenes
}

fn differs<'a>(written: &'a str, played: &'a str) -> Option<(usize, (&'a str, &'a str))> {
    let lines = written.lines().count().max(played.lines().count());
    let padded = |text: &'a str| text.lines().chain(std::iter::repeat("")).take(lines);
    (1..).zip(padded(written).zip(padded(played))).find(|(_, (was, is))| was != is)
}

struct Stage {
    speaker: Speaker,
    now: Time,
    played: String,
}

fn play(path: &Path, written: &str) -> String {
    let language = written.lines().find_map(|it| it.strip_prefix("language ")).unwrap_or("en");
    let mut stage = Stage { speaker: house::speaker(language), now: Time::ZERO, played: String::new() };
    // What every speaker does at start has a scene of its own.
    if !path.ends_with("start.txt") {
        while stage.speaker.poll_action().is_some() {}
    }
    for (number, line) in (1..).zip(written.lines()) {
        let place = || format!("{}:{number}: {line}", path.display());
        if let Some(wait) = line.strip_prefix("after ") {
            let seconds: f64 = wait.trim_end_matches(" s").parse().unwrap_or_else(|_| panic!("{}", place()));
            writeln!(stage.played, "{line}").unwrap();
            stage.pass_time(stage.now + Duration::from_secs_f64(seconds));
        } else if let Some((time, input)) = line.split_once(" > ") {
            let millis = time.parse::<f64>().unwrap_or_else(|_| panic!("{}", place())) * 1000.0;
            stage.pass_time(Time::from_start(Duration::from_millis(millis.round() as u64)));
            let input: Input = input.parse().unwrap_or_else(|err| panic!("{}: {err}", place()));
            writeln!(stage.played, "{} > {input}", stage.now).unwrap();
            stage.speaker.handle(stage.now, input);
            stage.act();
        } else if !line.contains(" < ") {
            writeln!(stage.played, "{line}").unwrap();
            if path.ends_with("start.txt") {
                stage.act();
            }
        }
    }
    stage.played
}

impl Stage {
    fn pass_time(&mut self, until: Time) {
        while let Some(due) = self.speaker.poll_timeout().filter(|it| *it <= until) {
            self.now = self.now.max(due);
            self.speaker.handle_timeout(self.now);
            self.act();
            assert!(self.speaker.poll_timeout().is_none_or(|it| it > self.now), "a deadline that is over stays");
        }
        self.now = self.now.max(until);
    }

    fn act(&mut self) {
        while let Some(action) = self.speaker.poll_action() {
            let line = action.to_string();
            assert_eq!(line.parse::<Action>().as_ref(), Ok(&action), "{line}");
            writeln!(self.played, "{} < {line}", self.now).unwrap();
        }
    }
}
