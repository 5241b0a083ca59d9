//! The examples in configs/ are complete, and what people say and hear is only there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::rust::{parts, parts_of};
use crate::{tree, uphold};

#[test]
fn every_key_that_is_read_is_explained() {
    // Which example shows the keys that a source file reads.
    let shown_in = |path: &str| match path.rsplit('/').next() {
        Some("contacts.rs") => Some("configs/contacts.yaml"),
        Some("phrases.rs") => Some("configs/phrases/en.yaml"),
        _ => Some("configs/hark.yaml").filter(|_| path.contains("config/file")),
    };
    let mut complaints = Vec::new();
    let mut n_keys = 0;
    for file in tree::some("daemon/hark/src/config/", ".rs") {
        let Some(example) = shown_in(&file.path) else { continue };
        let written = keys_written(&tree::read(example).text);
        for (at, key) in keys_read(&file.text) {
            n_keys += 1;
            if !written.contains(&key) {
                complaints.push(format!("{}: `{key}` is not in {example}", file.at(at)));
            }
        }
    }
    assert!(n_keys > 40, "only {n_keys} keys found in the sources: the law would hold for nothing");
    uphold("every key is in the example, with its meaning", complaints);
}

#[test]
fn every_key_of_the_example_is_explained() {
    let file = tree::read("configs/hark.yaml");
    let explained = |line: &str| line.contains("# ");
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = file.text.lines().collect();
    let mut complaints = Vec::new();
    // Explained are keys with a comment above or beside them, those that follow such a one without a gap, and all below one.
    let mut fine = [false; 2];
    for (number, line) in lines.iter().enumerate() {
        let depth = indent(line) / 2;
        if line.trim().is_empty() || line.trim().starts_with(['#', '-']) || depth > 1 {
            continue;
        }
        let above = number.checked_sub(1).map_or("", |it| lines[it]);
        let same_group = !above.trim().is_empty() && indent(above) == indent(line) && fine[depth];
        fine[depth] = explained(above) || explained(line) || same_group || (depth == 1 && fine[0]);
        // A section may leave the explaining to its keys.
        let is_section = lines.get(number + 1).is_some_and(|it| indent(it) > indent(line));
        if !fine[depth] && !is_section {
            complaints.push(format!("{}:{}: `{}`", file.path, number + 1, line.trim()));
        }
    }
    uphold("an example explains what it shows", complaints);
}

#[test]
fn every_language_says_and_hears_the_same() {
    let languages = languages();
    for wanted in ["en", "de", "zh"] {
        assert!(languages.contains_key(wanted), "configs/phrases/{wanted}.yaml is missing");
    }
    let english = &languages["en"];
    let mut complaints = Vec::new();
    for (name, phrases) in &languages {
        for section in ["intents", "prompts"] {
            let here = keys(&phrases[section]);
            let there = keys(&english[section]);
            complaints.extend(there.difference(&here).map(|key| format!("{name}.yaml: `{section}.{key}` is missing")));
            complaints
                .extend(here.difference(&there).map(|key| format!("en.yaml: `{section}.{key}` is missing, {name}.yaml has it")));
            for key in here.intersection(&there) {
                let (ours, english) = (slots(&phrases[section][key]), slots(&english[section][key]));
                if ours != english {
                    complaints.push(format!("{name}.yaml: `{section}.{key}` has the slots {ours:?}, English has {english:?}"));
                }
            }
        }
    }
    uphold("all languages are equal", complaints);
}

#[test]
fn what_people_hear_or_say_is_not_in_the_code() {
    let mut sentences = BTreeMap::new();
    for (name, phrases) in languages() {
        // Commands are short: `answer` is also a verb of the command line, `hang-up` one of the transcripts.
        for (section, n_words) in [("intents", 3), ("prompts", 2)] {
            for text in texts(&phrases[section]) {
                let plain = plain(&text);
                if plain.split(' ').count() >= n_words {
                    sentences.insert(plain, name.clone());
                }
            }
        }
    }
    assert!(sentences.len() > 60, "only {} sentences found: the law would hold for nothing", sentences.len());
    let mut complaints = Vec::new();
    for file in tree::some("daemon/", ".rs") {
        if !file.path.contains("/src/") {
            continue;
        }
        // Tests quote what is said: only the program counts.
        let parts = parts(&file);
        for (at, literal) in literals(&parts.strings[..parts.tests_from]) {
            // Nobody speaks a backquote: with one it is an error text.
            if let Some(language) = sentences.get(&plain(literal)).filter(|_| !literal.contains('`')) {
                complaints.push(format!("{}: \"{literal}\" is in configs/phrases/{language}.yaml", file.at(at)));
            }
        }
    }
    uphold("sentences belong to configs/phrases", complaints);
}

#[test]
fn every_yaml_file_can_be_read() {
    let read = |file: &tree::File| serde_saphyr::from_str::<Value>(&file.text).err().map(|err| format!("{}: {err}", file.path));
    uphold("configs/ holds YAML", tree::some("configs/", ".yaml").iter().filter_map(read).collect());
}

/// Keys that the code asks a section for: `.text("room")`.
fn keys_read(text: &str) -> Vec<(usize, String)> {
    let asks = [
        "text", "texts", "section", "sections", "flag", "duration", "fraction", "choice", "choices", "value", "whole", "parsed",
        "list", "number",
    ];
    let parts = parts_of(text);
    let mut found = Vec::new();
    for (at, key) in literals(&parts.strings[..parts.tests_from]) {
        let before = parts.code[..at - 1].trim_end().strip_suffix('(').unwrap_or("");
        let asked = asks.iter().any(|ask| before.strip_suffix(ask).is_some_and(|it| it.ends_with('.')));
        if asked && key.chars().all(|it| it.is_ascii_lowercase() || it == '_') {
            found.push((at, key.to_owned()));
        }
    }
    found
}

/// Keys at the beginning of lines, list items and comments, and inside of `{ }`.
fn keys_written(text: &str) -> BTreeSet<String> {
    let word_before = |at: usize| text[..at].rsplit(|it: char| !(it.is_ascii_lowercase() || it == '_')).next().unwrap_or("");
    text.match_indices(':').map(|(at, _)| word_before(at).to_owned()).filter(|it| !it.is_empty()).collect()
}

/// The string literals of a text from which all else was blanked, with where. Two blanks in a row are taken for the end of one.
fn literals(strings: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < strings.len() {
        let rest = &strings[at..];
        if rest.starts_with([' ', '\n']) {
            at += 1;
            continue;
        }
        let end = rest.find("  ").unwrap_or(rest.len()).min(rest.find('\n').unwrap_or(rest.len()));
        found.push((at, rest[..end].trim_end()));
        at += end;
    }
    found
}

/// Lower case words without slots and punctuation, so that `"Calling {}"` is `Calling {name}.`
fn plain(text: &str) -> String {
    let mut depth = 0;
    let mut letters = String::new();
    for it in text.chars() {
        match it {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth > 0 => (),
            _ if it.is_alphanumeric() || "'_".contains(it) => letters.extend(it.to_lowercase()),
            _ => letters.push(' '),
        }
    }
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The names in braces, each once.
fn slots(value: &Value) -> BTreeSet<String> {
    let named = |text: String| -> Vec<String> {
        text.split('{').skip(1).filter_map(|it| it.split_once('}')).map(|it| it.0.to_owned()).collect()
    };
    texts(value).into_iter().flat_map(named).collect()
}

/// All texts in a value, however deep.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Object(map) => map.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().map(|it| it.keys().cloned().collect()).unwrap_or_default()
}

/// Each file of phrases by its language.
fn languages() -> BTreeMap<String, Value> {
    let files = tree::some("configs/phrases/", ".yaml").into_iter();
    let read = files.map(|file| {
        let name = file.path.trim_start_matches("configs/phrases/").trim_end_matches(".yaml").to_owned();
        (name, serde_saphyr::from_str(&file.text).unwrap_or_else(|err| panic!("{}: {err}", file.path)))
    });
    read.collect()
}

#[test]
fn keys_and_literals_are_found() {
    let code = "let a = it.text(\"room\"); it.other(\"no\"); x.whole(\"call\", 0); f(\"two words\");";
    assert_eq!(keys_read(code).into_iter().map(|it| it.1).collect::<Vec<_>>(), ["room", "call"]);
    assert_eq!(literals(&parts_of(code).strings).last().map(|it| it.1), Some("two words"));
    let yaml = "# words: many\nroom: x\n  - name: y\n    a: { b: 1, c_d: 2 }\n  # - later: z\n";
    assert!(["room", "name", "a", "b", "c_d", "later"].iter().all(|it| keys_written(yaml).contains(*it)));
    assert_eq!(plain("Calling {}, {name}!"), "calling");
    assert_eq!(plain("No, I can't."), "no i can't");
}
