//! Broken files and what is said about them; the files that we ship; layers.

use std::path::{Path, PathBuf};

use hark::cmd::check::{these, what_runs};
use hark::config::{Broker, Sources, load};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Sources of which only these are there.
fn sources(config: Option<PathBuf>, variables: &[(&str, &str)]) -> Sources {
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Sources { system: "/nowhere/hark.yaml".into(), config, contacts: None, variables }
}

/// Compares with the expectation in a file, or writes it when `UPDATE=1`.
fn expect(file: &Path, found: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, found).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    if expected == found {
        return Ok(());
    }
    Err(format!("--- {}\n{expected}+++ found\n{found}", file.display()))
}

#[test]
fn broken_files_are_explained() {
    let folder = root().join("tests/bad");
    let prefix = format!("{}/", folder.display());
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|it| it == "yaml") || path.is_dir());
    cases.sort();
    assert!(cases.len() > 30);
    let mut wrong = Vec::new();
    for case in cases {
        let mut files = vec![case.clone()];
        if case.is_dir() {
            files = std::fs::read_dir(&case)
                .unwrap()
                .map(|it| it.unwrap().path())
                .filter(|it| it.extension().is_some_and(|it| it == "yaml"))
                .collect();
            files.sort();
        }
        let outcome = these(&files);
        assert!(!outcome.problems.is_empty(), "{} passes", case.display());
        wrong.extend(expect(&case.with_extension("expected"), &outcome.text().replace(&prefix, "")).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("hark.yaml");
    let outcome = these(&[missing.clone(), folder.path().to_owned()]);
    let expected = format!(
        "{}: this is a folder; name the file in it\n{}: there is no such file; correct the path or create the file\n2 problems in 2 files\n",
        folder.path().display(),
        missing.display()
    );
    assert_eq!(outcome.text(), expected);
}

#[test]
fn problems_of_all_files_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("phrases")).unwrap();
    write("hark.yaml", "rom: hall\ncontacts: contacts.yaml\nphrases: phrases\n");
    write("contacts.yaml", "contacts:\n  - name: Mom\n    addresses: [sip:mom@192.168.1.20]\n    line: home\n");
    write("phrases/en.yaml", "language: en\nintends: {}\n");
    let config = folder.path().join("hark.yaml");
    let problems = load(&sources(Some(config), &[("HARK_RING_FOR", "soon"), ("HARK_LOG", "debug")])).unwrap_err().to_string();
    for place in ["hark.yaml:1:1: ", "contacts.yaml:4:5: ", "phrases/en.yaml:2:1: ", "HARK_RING_FOR: `soon` is no duration; "] {
        assert!(problems.contains(place), "{place} is not in\n{problems}");
    }
}

#[test]
fn what_hark_yaml_names_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hark.yaml");
    std::fs::write(&config, "contacts: people.yaml\nphrases: words\nlanguage: tlh\n").unwrap();
    let text = what_runs(&sources(Some(config), &[])).text().replace(&format!("{}/", folder.path().display()), "");
    let expected = "\
hark.yaml:1:11: there is no contacts file `people.yaml`; create it or correct the path
hark.yaml:2:10: there is no folder of phrases `words`; correct the path or remove the line
hark.yaml:3:11: there are no phrases for the language `tlh`; ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_speech_model_that_is_not_whole_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    std::fs::create_dir_all(model.join("am")).unwrap();
    std::fs::write(model.join("phones.txt"), "SIL\nA\n").unwrap();
    let config = folder.path().join("hark.yaml");
    std::fs::write(&config, "speech: {model: ./model}\n").unwrap();
    let outcome = what_runs(&sources(Some(config), &[]));
    let text = outcome.text().replace(&format!("{}/", folder.path().display()), "").replace("./", "");
    let expected = "model: speech model `model` has no file `ipa.txt`; unpack or install the model again\n1 problem in ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn shipped_files_are_right_and_without_warnings() {
    let configs = root().join("configs");
    let outcome =
        what_runs(&Sources { contacts: Some(configs.join("contacts.yaml")), ..sources(Some(configs.join("hark.yaml")), &[]) });
    assert!(outcome.problems.is_empty() && outcome.warnings.is_empty(), "{}", outcome.text());
    let mut files = vec![configs.join("hark.yaml"), configs.join("contacts.yaml")];
    files.extend(std::fs::read_dir(configs.join("phrases")).unwrap().map(|it| it.unwrap().path()));
    let outcome = these(&files);
    assert!(outcome.problems.is_empty() && outcome.warnings.is_empty(), "{}", outcome.text());
}

#[test]
fn the_shipped_hark_yaml_says_the_defaults() {
    let mut shipped = load(&sources(Some(root().join("configs/hark.yaml")), &[])).unwrap().settings;
    let built_in = load(&sources(None, &[])).unwrap().settings;
    // Files that nobody names lie beside hark.yaml.
    shipped.contacts_file = built_in.contacts_file.clone();
    shipped.phrases_dir = built_in.phrases_dir.clone();
    assert_eq!(shipped, built_in);
}

#[test]
fn each_layer_wins_over_the_one_below() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let system =
        write("etc.yaml", "room: hall\nring_for: 20s\nmqtt: {broker: 'mqtt://etc', base: etc}\nvolume: {call: 10, ring: 20}\n");
    let config = write("own.yaml", "ring_for: 25s\nmqtt: {broker: 'mqtts://own'}\nvolume: {ring: 30}\n");
    let sources = Sources {
        system,
        ..sources(Some(config), &[("HARK_MQTT__BROKER", "mqtt://[::1]:99"), ("HARK_WAKE__PHRASES", "hey robot, hello operator")])
    };
    let settings = load(&sources).unwrap().settings;
    assert_eq!(settings.control.room, "hall");
    assert_eq!(settings.control.ring_for.as_secs(), 25);
    assert_eq!(settings.control.volumes, [10, 30, 70]);
    assert_eq!(settings.mqtt.base, "etc");
    assert_eq!(settings.mqtt.broker, Broker::At { host: "::1".into(), port: 99, tls: None });
    assert_eq!(settings.control.wake_phrases, ["hey robot", "hello operator"]);
}

#[test]
fn a_wrong_variable_is_named_and_a_foreign_one_is_a_warning() {
    let problems = load(&sources(None, &[("HARK_AUDIO__HOST", "jack")])).unwrap_err();
    assert_eq!(problems.to_string(), "HARK_AUDIO__HOST: `host` cannot be `jack`; write one of auto, alsa, pulseaudio");
    let loaded = load(&sources(None, &[("HARK_HOME", "/opt/other"), ("HARK_ROMO", "hall")])).unwrap();
    let warnings: Vec<String> = loaded.warnings.iter().map(|it| it.to_string()).collect();
    assert_eq!(warnings[1], "HARK_ROMO: the key `romo` is not known here; did you mean `room`?");
    assert_eq!(warnings.len(), 2);
}

#[test]
fn an_account_by_variable_and_a_password_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "correct horse\n").unwrap();
    let account = format!("[{{name: home, registrar: fritz.box, user: hark, password_file: '{}'}}]", secret.display());
    let settings = load(&sources(None, &[("HARK_SIP__ACCOUNTS", &account)])).unwrap().settings;
    assert_eq!(settings.sip.accounts[0].password.0, "correct horse");
    assert!(!format!("{settings:?}").contains("correct horse"));
    let lines: Vec<&str> = settings.control.lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(lines, ["home", "direct", "rooms", "builtin"]);
}

#[test]
fn a_password_that_everybody_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hark.yaml");
    std::fs::write(&config, "mqtt: {broker: 'mqtt://h', username: hark, password: secret}\n").unwrap();
    for (mode, n_warnings) in [(0o644, 1), (0o640, 0)] {
        std::fs::set_permissions(&config, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(load(&sources(Some(config.clone()), &[])).unwrap().warnings.len(), n_warnings);
    }
}

/// The shipped English phrases with one text in place of another; what is said about them, without the folder.
fn phrases_with(old: &str, new: &str) -> (u32, String) {
    let text = std::fs::read_to_string(root().join("configs/phrases/en.yaml")).unwrap();
    let at = text.find(old).unwrap_or_else(|| panic!("{old} is not in en.yaml"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("en.yaml");
    std::fs::write(&file, text.replacen(old, new, 1)).unwrap();
    let found = these(&[file]).text().replace(&format!("{}/", folder.path().display()), "");
    (text[..at].matches('\n').count() as u32 + 1, found)
}

#[test]
fn a_wrong_phrase_is_named_with_its_place() {
    for (old, new) in [
        ("to {contact}", "to {who}"),
        ("\"Calling {name}", "\"Calling {nmae}"),
        ("\n  answer:", "\n  anser:"),
        ("\nintents:", "\nintends:"),
    ] {
        let (line, found) = phrases_with(old, new);
        let line = line + u32::from(old.starts_with('\n'));
        assert!(found.contains(&format!("en.yaml:{line}:")), "{new}: nothing about line {line} in\n{found}");
    }
}
