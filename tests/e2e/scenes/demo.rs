//! `hark demo`: the whole scene in the simulated room, on a machine without anything.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::children::Running;
use crate::house::{HARK, project};
use crate::sound::Clip;

#[test]
fn the_demo_exits_with_0_and_leaves_all_that_it_promises() {
    let folder = tempfile::tempdir().expect("folder");
    let out = folder.path().join("out");
    // No sound server, no settings, no home: a fresh machine.
    let mut command = Command::new(HARK);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder.path());
    let mut demo = Running::start("demo", folder.path(), command.current_dir(project(".")).args(["demo", "--out"]).arg(&out));
    let status = demo.ended(Duration::from_secs(120));
    assert_eq!(status.code(), Some(0), "{}", demo.printed());

    let summary: Value = serde_json::from_slice(&std::fs::read(out.join("summary.json")).expect("summary.json")).expect("JSON");
    let figure = |key: &str| summary[key].as_f64().unwrap_or_else(|| panic!("no `{key}` in {summary:#}"));
    assert_eq!(
        (&summary["intent"], &summary["contact"], &summary["result"]),
        (&"dial".into(), &"Mom".into(), &"complete".into()),
        "{summary:#}"
    );
    assert!(summary["heard"].as_array().is_some_and(|it| it.len() >= 2), "{summary:#}");
    assert!((50.0..1500.0).contains(&figure("command_end_to_invite_ms")), "{summary:#}");
    assert!((10.0..8000.0).contains(&figure("setup_ms")), "{summary:#}");
    assert!((20.0..400.0).contains(&figure("mouth_to_ear_ms")), "{summary:#}");
    assert!(figure("erle_db") > 15.0, "{summary:#}");
    assert!((5.0..200.0).contains(&figure("memory_mb")), "{summary:#}");
    assert!(figure("cpu_percent") < 100.0 && figure("xruns") >= 0.0, "{summary:#}");

    for name in ["mom-heard.wav", "room-heard.wav", "microphone.wav", "microphone-clean.wav"] {
        let clip = Clip::read(&out.join(name));
        assert!(
            clip.length() > Duration::from_secs(8) && clip.level_db() > -55.0,
            "{name}: {:?}, {} dB",
            clip.length(),
            clip.level_db()
        );
    }
    let transcript = std::fs::read_to_string(out.join("transcript.txt")).expect("transcript.txt");
    assert!(transcript.lines().any(|it| it.contains(" > ")) && transcript.lines().any(|it| it.contains(" < ")), "{transcript}");
    let picture = std::fs::read_to_string(out.join("scene.svg")).expect("scene.svg");
    assert!(picture.starts_with("<svg") || picture.starts_with("<?xml"), "scene.svg");
}
