//! Which crate may use what, and what each crate's law forbids in its code.

use crate::rust::{parts, words};
use crate::{tree, uphold};

/// The crates beside `hark`, and all that each may depend on.
const LEAVES: [(&str, &[&str]); 3] = [
    ("control", &[]),
    (
        "media",
        &[
            "cpal",
            "hound",
            "libc",
            "opus",
            "pulseaudio",
            "realfft",
            "rodio",
            "rtrb",
            "rubato",
            "thiserror",
            "webrtc-audio-processing",
            "webrtc-audio-processing-sys",
        ],
    ),
    ("speech", &["earshot", "hound", "libc", "realfft", "rtrb", "rubato", "thiserror", "vosk"]),
];

/// What only tests may use in the leaves.
const FOR_TESTS: [&str; 6] = ["criterion", "hound", "proptest", "serde", "serde-saphyr", "tempfile"];

#[test]
fn the_leaves_depend_on_what_the_map_shows_and_nothing_else() {
    let mut complaints = Vec::new();
    for (leaf, allowed) in LEAVES {
        let manifest = tree::read(&format!("daemon/{leaf}/Cargo.toml"));
        for (section, name, line) in dependencies(&manifest.text) {
            let fine = allowed.contains(&name.as_str()) || (section == "dev-dependencies" && FOR_TESTS.contains(&name.as_str()));
            if !fine {
                complaints.push(format!("{}:{line}: `{name}` under [{section}]", manifest.path));
            }
        }
    }
    uphold("no arrow without a decision: change ARCHITECTURE.md first, then this list", complaints);
}

#[test]
fn there_are_four_crates() {
    let found: Vec<String> = tree::some("daemon/", "/Cargo.toml").into_iter().map(|it| it.path).collect();
    assert_eq!(found, ["control", "hark", "media", "speech"].map(|it| format!("daemon/{it}/Cargo.toml")));
}

#[test]
fn async_lives_in_hark() {
    forbid("no async in the leaves", &["control", "media", "speech"], &["async", "await", "tokio", "futures", "Future"]);
}

#[test]
fn control_cannot_read_a_clock_or_touch_the_world() {
    let world =
        ["Instant", "SystemTime", "std::fs", "std::net", "std::io", "std::env", "std::process", "std::thread", "std::sync"];
    forbid("control is pure", &["control"], &world);
    forbid("control is pure", &["control"], &["println", "eprintln", "print", "dbg", "unsafe", "thread_local", "extern"]);
}

#[test]
fn control_repeats_itself() {
    forbid("BTreeMap and not HashMap, so that runs repeat", &["control"], &["HashMap", "HashSet", "RandomState", "rand"]);
}

#[test]
fn the_leaves_do_not_log() {
    forbid("counts and errors instead", &["control", "media", "speech"], &["tracing", "log::", "println", "eprintln", "dbg"]);
}

#[test]
fn the_network_is_harks() {
    forbid(
        "no network in the leaves",
        &["control", "media", "speech"],
        &["UdpSocket", "TcpListener", "UnixListener", "ToSocketAddrs"],
    );
    let connects =
        |file: &tree::File| ["TcpStream", "UnixStream"].iter().any(|it| words(parts(file).program(), it).next().is_some());
    let leaves = tree::some("daemon/", ".rs").into_iter().filter(|it| it.path.contains("/src/") && !it.path.contains("/hark/"));
    // PulseAudio is a sound card that happens to live behind a socket.
    let others = leaves.filter(|it| it.path != "daemon/media/src/card/pulse.rs" && connects(it));
    uphold("no connections from the leaves", others.map(|it| it.path).collect());
}

#[test]
fn no_type_of_the_sip_library_leaves_its_module() {
    let mut complaints = Vec::new();
    for file in tree::some("daemon/hark/src/", ".rs") {
        if file.path.starts_with("daemon/hark/src/lines/sip") {
            continue;
        }
        for at in words(&parts(&file).code, "rsipstack") {
            complaints.push(file.at(at));
        }
    }
    uphold("rsipstack stays behind lines/sip.rs", complaints);
}

/// Complains about words in the program code of crates; unit tests may do as they like.
fn forbid(law: &str, crates: &[&str], forbidden: &[&str]) {
    let mut complaints = Vec::new();
    for name in crates {
        for file in tree::some(&format!("daemon/{name}/src/"), ".rs") {
            let parts = parts(&file);
            for word in forbidden {
                complaints.extend(words(parts.program(), word).map(|at| format!("{}: `{word}`", file.at(at))));
            }
        }
    }
    uphold(law, complaints);
}

/// Section, name and line of each dependency in a Cargo.toml.
fn dependencies(manifest: &str) -> Vec<(String, String, usize)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for (number, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            // [dependencies.name] is a way to write it, too.
            if let Some((outer, name)) = section.split_once("dependencies.") {
                found.push((format!("{outer}dependencies"), name.to_owned(), number + 1));
            }
        } else if section.ends_with("dependencies") && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().expect("split gives one at least");
            found.push((section.clone(), name.to_owned(), number + 1));
        }
    }
    found
}

#[test]
fn dependencies_are_read_however_they_are_written() {
    let found = dependencies(
        "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\"\n# c\n[dev-dependencies]\nd={}\n[dependencies.e]\nversion = \"1\"",
    );
    let names: Vec<&str> = found.iter().map(|it| it.1.as_str()).collect();
    assert_eq!(names, ["a", "b", "d", "e"]);
    assert_eq!(found[2].0, "dev-dependencies");
}
