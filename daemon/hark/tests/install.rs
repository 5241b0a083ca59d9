//! `make install` below another root, and the service as systemd itself judges it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn install(root: &Path, what: &[&str]) {
    run(Command::new(here("tools/install.sh")).args(what).env("DESTDIR", root).env("PREFIX", "/opt/hark"));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn all_is_installed_and_taken_away_again_but_for_the_settings() {
    let root = tempfile::tempdir().unwrap();
    install(root.path(), &["install", env!("CARGO_BIN_EXE_hark")]);
    let at = |path: &str| root.path().join(path);
    for file in ["bin/hark", "lib/libvosk.so", "lib/systemd/system/hark.service", "share/hark/models/hark/conf/model.conf"] {
        assert!(at("opt/hark").join(file).exists(), "{file}");
    }
    let unit = std::fs::read_to_string(at("opt/hark/lib/systemd/system/hark.service")).unwrap();
    assert!(unit.contains("\nExecStart=/opt/hark/bin/hark run\n"));
    run(Command::new(at("opt/hark/bin/hark")).arg("--help"));

    // What a user wrote stays, when Hark is installed anew and when it goes.
    std::fs::write(at("etc/hark/hark.yaml"), "room: attic\n").unwrap();
    install(root.path(), &["install", env!("CARGO_BIN_EXE_hark")]);
    install(root.path(), &["uninstall"]);
    assert_eq!(std::fs::read_to_string(at("etc/hark/hark.yaml")).unwrap(), "room: attic\n");
    let left = files(root.path());
    assert!(left.iter().all(|file| file.starts_with(at("etc/hark"))), "{left:?}");
}

/// Where systemd is installed, which on the machines that people run Hark on it is.
#[test]
fn systemd_finds_no_fault_with_the_service_and_little_exposed() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("no systemd-analyze here: the service is not judged");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("hark.service");
    // It wants to see the program, too.
    let text = std::fs::read_to_string(here("systemd/hark.service")).unwrap();
    std::fs::write(&unit, text.replace("/usr/local/bin/hark", env!("CARGO_BIN_EXE_hark"))).unwrap();
    let verified = run(Command::new("systemd-analyze").arg("verify").arg(&unit));
    assert_eq!(String::from_utf8_lossy(&verified.stderr), "");
    // Exposure 2.0 or less of 10, in systemd's own judgement.
    run(Command::new("systemd-analyze").args(["security", "--no-pager", "--offline=true", "--threshold=20"]).arg(&unit));
}
