//! `phrases/<language>.yaml` as written -> phrases. What they must hold is known to `control`; here it gets its place.

use std::collections::BTreeMap;
use std::path::Path;

use control::phrases::Phrases;

use super::problems::Place;
use super::reader::{Findings, Section};
use super::yaml::{self, Node, Value};

/// Languages that need no file.
const BUILT_IN: [(&str, &str); 3] = [
    ("en", include_str!("../../../../configs/phrases/en.yaml")),
    ("de", include_str!("../../../../configs/phrases/de.yaml")),
    ("zh", include_str!("../../../../configs/phrases/zh.yaml")),
];

/// The built-in phrases of a language; `en` for `en-GB`.
pub fn built_in(language: &str) -> Option<Phrases> {
    let primary = language.split('-').next().unwrap_or(language);
    let (name, text) = BUILT_IN.iter().find(|(name, _)| *name == primary)?;
    let findings = Findings::default();
    let root = yaml::parse(text, &format!("built-in {name}.yaml").into(), &mut findings.problems.borrow_mut())?;
    Some(read(&root, &findings))
}

/// The phrases of a language: out of the folder if it is there, else the built-in ones.
pub fn load(folder: &Path, language: &str, place: &Place, findings: &Findings) -> Phrases {
    let primary = language.split('-').next().unwrap_or(language);
    let file = [language, primary].iter().map(|name| folder.join(format!("{name}.yaml"))).find(|path| path.exists());
    if let Some(path) = file {
        let root = yaml::read(&path, &mut findings.problems.borrow_mut());
        return root.map(|root| read(&root, findings)).unwrap_or_default();
    }
    built_in(language).unwrap_or_else(|| {
        let what = format!("there are no phrases for the language `{language}`");
        let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        let mend = format!("write {}.yaml into `{}`, or use {}", primary, folder.display(), known.join(", "));
        findings.problem(place, what, mend);
        Phrases::default()
    })
}

/// Reads the tree of a file of phrases.
pub fn read(root: &Node, findings: &Findings) -> Phrases {
    let mut it = Section::root(root, findings);
    let before = findings.problems.borrow().len();
    let language = it.parsed("language", super::file::language_tag);
    if language.is_none() && !it.is_written("language") {
        it.missing("there is no `language`", "add it, such as `language: en`");
    }
    let phrases = Phrases {
        language: language.unwrap_or_default(),
        intents: lists(it.section("intents")),
        prompts: texts(it.section("prompts")),
        digits: texts(it.section("digits")),
        numbers: numbers(it.section("numbers")),
        around: lists(it.section("around")),
        labels: texts(it.section("labels")),
        names: lists(it.section("names")),
    };
    it.done();
    if findings.problems.borrow().len() == before {
        let problems = phrases.problems();
        let (missing, problems): (Vec<_>, Vec<_>) =
            problems.iter().partition(|it| it.contains("` is missing") && !it.starts_with("names"));
        for block in ["intent", "prompt"] {
            let keys: Vec<&str> =
                missing.iter().filter(|it| it.starts_with(block)).filter_map(|it| it.split('`').nth(1)).collect();
            if !keys.is_empty() {
                let place = block_place(root, &format!("{block}s"));
                let what = format!("missing {block}s: {}", keys.join(", "));
                findings.problem(&place, what, "add them, as in phrases/en.yaml");
            }
        }
        for problem in problems {
            let (what, mend) = problem.split_once("; ").unwrap_or((problem, "compare with configs/phrases/en.yaml"));
            findings.problem(&place_of(what, root), what, mend);
        }
    }
    phrases
}

fn lists(it: Section<'_>) -> BTreeMap<String, Vec<String>> {
    let mut lists = BTreeMap::new();
    for entry in it.entries() {
        let nodes: Vec<&Node> = match &entry.node.value {
            Value::List(list) => list.iter().collect(),
            Value::Nothing => Vec::new(),
            _ => vec![&entry.node],
        };
        let texts = nodes.into_iter().filter_map(|node| it.as_text(&entry.key, node));
        lists.insert(entry.key.clone(), texts.map(|text| text.text.to_owned()).collect());
    }
    lists
}

fn texts(it: Section<'_>) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for entry in it.entries() {
        texts.extend(it.as_text(&entry.key, &entry.node).map(|text| (entry.key.clone(), text.text.to_owned())));
    }
    texts
}

fn numbers(it: Section<'_>) -> BTreeMap<String, u8> {
    let mut numbers = BTreeMap::new();
    for entry in it.entries() {
        let Some(text) = it.as_text(&entry.key, &entry.node) else { continue };
        let wrong = || (format!("`{}` is no number", text.text), "write a whole number from 0 to 100".to_owned());
        let number = it.check(text.place, text.text.parse::<u8>().ok().filter(|it| *it <= 100).ok_or_else(wrong));
        numbers.extend(number.map(|number| (entry.key.clone(), number)));
    }
    numbers
}

/// Where a block of keys is, or else the file.
fn block_place(root: &Node, block: &str) -> Place {
    match &root.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == block).map_or(&root.place, |entry| &entry.place).clone(),
        _ => root.place.clone(),
    }
}

/// Where the thing is written that a problem names: intent `dial`, "call {who}": ...
fn place_of(problem: &str, root: &Node) -> Place {
    let mut quoted = problem.split('`').skip(1).step_by(2);
    let block = problem.split([' ', ':']).next().map(|word| format!("{word}s")).unwrap_or_default();
    let block = if problem.starts_with("around") { "around" } else { &block };
    let block = if problem.starts_with("there is no intent") { "intents" } else { block };
    let block = if problem.starts_with("there is no prompt") { "prompts" } else { block };
    let Some(node) = root.get(block) else { return root.place.clone() };
    let key = match problem.split('"').nth(1).filter(|_| problem.starts_with("digit") || problem.starts_with("number")) {
        Some(word) => word,
        None => quoted.next().unwrap_or_default(),
    };
    let Value::Map(entries) = &node.value else { return node.place.clone() };
    let Some(entry) = entries.iter().find(|entry| entry.key == key) else { return node.place.clone() };
    if let (Value::List(list), Some(way)) = (&entry.node.value, problem.split('"').nth(1))
        && let Some(item) = list.iter().find(|item| item.value == Value::Text(way.to_owned()))
    {
        return item.place.clone();
    }
    match entry.node.value {
        Value::Text(_) if block == "prompts" && problem.contains('"') => entry.node.place.clone(),
        _ => entry.place.clone(),
    }
}
