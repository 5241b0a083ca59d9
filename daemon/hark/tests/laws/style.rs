//! How the sources look: sizes, names, and what CONTRIBUTING.md asks of all of them.

use crate::rust::{parts, words};
use crate::{tree, uphold};

#[test]
fn files_stay_small() {
    let files = tree::some("", ".rs");
    let too_long = files.iter().filter(|it| it.n_lines() > 600).map(|it| format!("{}: {} lines", it.path, it.n_lines()));
    uphold("no file over 600 lines", too_long.collect());

    let mut lines: Vec<usize> = files.iter().map(|it| it.n_lines()).collect();
    lines.sort_unstable();
    let median = lines[lines.len() / 2];
    let ninth_of_ten = lines[lines.len() * 9 / 10];
    assert!(median <= 200, "half of the files have {median} lines or more; 200 is the law");
    assert!(ninth_of_ten < 400, "one file in ten has {ninth_of_ten} lines or more; 400 is the law");
}

#[test]
fn a_file_opens_with_what_it_is() {
    let silent = tree::some("", ".rs").into_iter().filter(|it| !it.text.starts_with("//! ")).map(|it| it.path);
    uphold("the first line of a Rust file is `//! ` and says what it is", silent.collect());
}

#[test]
fn every_module_is_listed_by_its_parent() {
    let mut complaints = Vec::new();
    let files = tree::some("daemon/", ".rs");
    for file in files.iter().filter(|it| it.path.contains("/src/")) {
        let (folder, name) = file.path.rsplit_once('/').expect("it lies in a folder");
        if ["lib.rs", "main.rs"].contains(&name) {
            continue;
        }
        // a/b/c.rs is listed by a/b.rs, or by lib.rs or main.rs where b is src.
        let parents = [format!("{folder}.rs"), format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
        let module = name.trim_end_matches(".rs");
        let listed = files
            .iter()
            .filter(|it| parents.contains(&it.path))
            .any(|it| parts(it).code.lines().any(|line| line.trim_end_matches(';').ends_with(&format!("mod {module}"))));
        if !listed {
            complaints.push(format!("{}: nobody lists it", file.path));
        }
    }
    uphold("every file is a module of its parent", complaints);
}

#[test]
fn nothing_is_called_a_manager() {
    let vague = ["manager", "helper", "helpers", "handler", "utils", "util", "misc"];
    let mut complaints = Vec::new();
    for file in tree::some("", ".rs") {
        let name = file.path.rsplit('/').next().expect("split gives one at least").trim_end_matches(".rs");
        if vague.contains(&name) {
            complaints.push(file.path.clone());
        }
        let code = parts(&file).code;
        for keyword in ["struct", "enum", "trait", "type", "mod"] {
            for at in words(&code, keyword) {
                let name: String =
                    code[at + keyword.len()..].trim_start().chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect();
                if vague.iter().any(|it| name.to_lowercase().ends_with(it)) {
                    complaints.push(format!("{}: `{keyword} {name}`", file.at(at)));
                }
            }
        }
    }
    uphold("a name says what it is (ARCHITECTURE.md, Words)", complaints);
}

#[test]
fn nothing_is_left_undone() {
    let mut complaints = Vec::new();
    for file in tree::some("", ".rs") {
        let parts = parts(&file);
        for word in ["todo!", "unimplemented!", "dbg!", "#[ignore"] {
            complaints.extend(parts.code.match_indices(word).map(|(at, _)| format!("{}: `{word}`", file.at(at))));
        }
        let marks = [["FIX", "ME"].concat(), ["TO", "DO"].concat(), ["XX", "X"].concat()];
        for mark in marks {
            complaints.extend(words(&file.text, &mark).map(|at| format!("{}: `{mark}`", file.at(at))));
        }
    }
    uphold("what is left to do is an issue, not a comment, and a test that does not run is none", complaints);
}

#[test]
fn unwrap_stays_in_tests() {
    let mut complaints = Vec::new();
    for file in sources() {
        let parts = parts(&file);
        complaints.extend(parts.program().match_indices(".unwrap()").map(|(at, _)| file.at(at)));
    }
    uphold("`expect(\"why it cannot fail\")`, or an error", complaints);
}

#[test]
fn unit_tests_do_not_sleep_or_read_the_clock() {
    let mut complaints = Vec::new();
    for file in sources() {
        let parts = parts(&file);
        for word in ["sleep", "sleep_until"] {
            complaints.extend(words(parts.tests(), word).map(|at| format!("{}: `{word}`", file.at(parts.tests_from + at))));
        }
    }
    uphold("time is given to tests, not spent in them", complaints);
}

#[test]
fn every_channel_is_bounded() {
    let mut complaints = Vec::new();
    for file in sources() {
        let parts = parts(&file);
        for word in ["unbounded_channel", "UnboundedSender", "unbounded", "mpsc::channel()"] {
            complaints.extend(words(parts.program(), word).map(|at| format!("{}: `{word}`", file.at(at))));
        }
    }
    uphold("a channel without bound is a leak in waiting", complaints);
}

#[test]
fn nothing_of_the_builders_machine_is_in_the_tree() {
    // Put together here, so that this file does not break its own law.
    let folders = ["work", "root", "home"].map(|it| format!("/{it}/"));
    let hosts = [["py", "pi.org"], ["python", "hosted.org"], ["deb.", "debian.org"], ["crates", ".io/"], ["npm", "js.org"]]
        .map(|it| it.concat());
    let mut complaints = Vec::new();
    for file in tree::all().into_iter().filter(|it| it.path != "Cargo.lock") {
        for mark in &hosts {
            complaints.extend(file.text.match_indices(mark.as_str()).map(|(at, _)| format!("{}: `{mark}`", file.at(at))));
        }
        for mark in &folders {
            // At the beginning of a path only: `a/work/b` is nobody's machine.
            let begins = |at: &usize| !file.text[..*at].ends_with(|it: char| it.is_alphanumeric() || "._-}/$".contains(it));
            complaints.extend(
                file.text
                    .match_indices(mark.as_str())
                    .map(|it| it.0)
                    .filter(begins)
                    .map(|at| format!("{}: `{mark}`", file.at(at))),
            );
        }
    }
    uphold("no paths of one machine, no registry's address", complaints);
}

/// The Rust files that become the program.
fn sources() -> Vec<tree::File> {
    tree::some("daemon/", ".rs").into_iter().filter(|it| it.path.contains("/src/")).collect()
}
