//! What the documents say must be so.

use std::collections::BTreeSet;
use std::process::Command;

use crate::{tree, uphold};

#[test]
fn what_the_documents_tell_to_make_can_be_made() {
    let targets = targets();
    let mut complaints = Vec::new();
    for file in tree::some("", ".md") {
        for (at, target) in commands(&file.text, "make ") {
            if !targets.contains(&target) {
                complaints.push(format!("{}: `make {target}`", file.at(at)));
            }
        }
    }
    uphold("every `make X` is a target of the Makefile", complaints);
}

#[test]
fn every_target_explains_itself() {
    let makefile = tree::read("Makefile");
    let silent = makefile.text.lines().filter(|it| target(it).is_some() && !it.contains("## ")).map(str::to_owned);
    uphold("a target without `## what it does` is not in `make help`", silent.collect());
    assert!(
        targets().is_superset(&["run", "test", "lint", "deny", "bench", "demo", "install", "clean"].map(str::to_owned).into())
    );
}

#[test]
fn what_the_documents_point_to_is_there() {
    let mut complaints = Vec::new();
    for file in tree::some("", ".md") {
        for (at, _) in file.text.match_indices("](") {
            let link = file.text[at + 2..].split([')', '#', ' ']).next().expect("split gives one at least");
            if link.is_empty() || link.contains("://") {
                continue;
            }
            let folder = file.path.rsplit_once('/').map_or("", |it| it.0);
            if !tree::root().join(folder).join(link).exists() {
                complaints.push(format!("{}: `{link}`", file.at(at)));
            }
        }
    }
    uphold("every link leads somewhere", complaints);
}

#[test]
fn the_readme_names_every_verb_of_the_command_line_and_no_other() {
    let readme = tree::read("README.md");
    let told: BTreeSet<String> = commands(&readme.text, "hark ").into_iter().map(|it| it.1).collect();
    let verbs = verbs();
    let complain = |it: &BTreeSet<String>, other: &BTreeSet<String>, what: &str| -> Vec<String> {
        it.difference(other).map(|verb| format!("`hark {verb}` {what}")).collect()
    };
    uphold("what can be done is told", complain(&verbs, &told, "is not in README.md"));
    uphold("what is told can be done", complain(&told, &verbs, "is in README.md, but does not exist"));
}

#[test]
fn the_configurations_that_the_documents_show_are_right() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut complaints = Vec::new();
    let mut n_shown = 0;
    for document in tree::some("", ".md") {
        for (at, block) in document.text.match_indices("```yaml\n") {
            let yaml = document.text[at + block.len()..].split("```").next().expect("split gives one at least");
            n_shown += 1;
            let file = folder.path().join("shown.yaml");
            std::fs::write(&file, yaml).expect("the folder is there");
            let output = hark().arg("check").arg(&file).output().expect("the program has just been built");
            if !output.status.success() {
                let said = [output.stdout, output.stderr].concat();
                complaints.push(format!("{}: {}", document.at(at), String::from_utf8_lossy(&said)));
            }
        }
    }
    assert!(n_shown >= 2, "only {n_shown} configurations found in the documents");
    uphold("`hark check` finds nothing wrong in what we show", complaints);
}

/// The targets of the Makefile.
fn targets() -> BTreeSet<String> {
    tree::read("Makefile").text.lines().filter_map(target).map(str::to_owned).collect()
}

fn target(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once(':')?;
    let is_name =
        name.starts_with(|it: char| it.is_ascii_lowercase()) && name.chars().all(|it| it.is_ascii_lowercase() || it == '-');
    (is_name && !rest.starts_with('=')).then_some(name)
}

/// The words that follow `prefix` where it begins a piece of code, with where: `make X` in backquotes or in an indented or fenced line.
fn commands(text: &str, prefix: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(prefix) {
        let line_begin = text[..at].rfind('\n').map_or(0, |it| it + 1);
        let before = &text[line_begin..at];
        let is_code =
            before.ends_with('`') || before.ends_with("&& ") || (before.trim().is_empty() && before.starts_with("    "));
        let word: String = text[at + prefix.len()..].chars().take_while(|it| it.is_ascii_lowercase() || *it == '-').collect();
        if is_code && !word.is_empty() {
            found.push((at, word));
        }
    }
    found
}

fn hark() -> Command {
    Command::new(env!("CARGO_BIN_EXE_hark"))
}

/// The verbs that the program itself says it knows.
fn verbs() -> BTreeSet<String> {
    let output = hark().arg("--help").output().expect("the program has just been built");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let list = help.split_once("Commands:").unwrap_or_else(|| panic!("no list of commands in the help:\n{help}")).1;
    // Two blanks before each verb; the list ends with an empty line, or else with the first line that is not indented.
    let verbs = list.lines().skip(1).take_while(|it| it.starts_with("  ")).filter(|it| !it.starts_with("   "));
    verbs.filter_map(|it| it.split_whitespace().next()).filter(|it| *it != "help").map(str::to_owned).collect()
}

#[test]
fn commands_are_found_in_code_only() {
    let text = "make haste\n`make run`, and\n    make test\n    cd x && make lint # make no\n";
    let found: Vec<String> = commands(text, "make ").into_iter().map(|it| it.1).collect();
    assert_eq!(found, ["run", "test", "lint"]);
}
