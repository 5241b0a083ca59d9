//! Changes one value of a YAML file and leaves every other letter of it as it is: comments, order, blanks.

use std::sync::Arc;

use super::problems::Place;
use super::yaml::{self, Entry, Node, Value};

/// A change of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The whole text, as it is to be.
    pub text: String,
    /// The line's number, from 1.
    pub line: usize,
    /// The line as it was, where there was one.
    pub before: Option<String>,
    /// The line as it is now.
    pub after: String,
}

/// Sets `block.key` to a plain value. `None` where the file is written in a way that has to be changed by hand.
pub fn set(text: &str, block: &str, key: &str, value: &str) -> Option<Edited> {
    let before = tree(text)?;
    let edited = match entry(&before, block) {
        None => append(text, block, key, value),
        Some(section) => match entry(&section.node, key) {
            Some(it) => replace(text, it, value)?,
            None => insert(text, section, key, value)?,
        },
    };
    // What cannot be shown to be right is not done.
    let same = changed(&tree(&edited.text)?, block, key) == changed(&before, block, key);
    let there = entry(&entry(&tree(&edited.text)?, block)?.node, key)?.node.value == Value::Text(value.to_owned());
    (same && there).then_some(edited)
}

fn tree(text: &str) -> Option<Node> {
    let mut problems = Vec::new();
    let node = yaml::parse(text, &Arc::from("edited"), &mut problems)?;
    (problems.is_empty() && matches!(node.value, Value::Map(_) | Value::Nothing)).then_some(node)
}

fn entry<'a>(node: &'a Node, key: &str) -> Option<&'a Entry> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|it| it.key == key)
}

/// Everything but the value in question, without places.
fn changed(node: &Node, block: &str, key: &str) -> Vec<String> {
    let mut all = Vec::new();
    flat(node, String::new(), &mut all);
    let (path, of) = (format!(".{block}.{key}="), format!(".{block}="));
    // A block without keys, and a file without any, is as good as none.
    all.retain(|it| !it.starts_with(&path) && *it != of && it != "=");
    all
}

fn flat(node: &Node, path: String, all: &mut Vec<String>) {
    match &node.value {
        Value::Nothing => all.push(format!("{path}=")),
        Value::Text(text) => all.push(format!("{path}={text}")),
        Value::List(list) => list.iter().enumerate().for_each(|(i, node)| flat(node, format!("{path}[{i}]"), all)),
        Value::Map(entries) => entries.iter().for_each(|it| flat(&it.node, format!("{path}.{}", it.key), all)),
    }
}

/// Line from 0 and byte in it.
fn position(text: &str, place: &Place) -> Option<(usize, usize)> {
    let Place::File(_, line, column) = place else { return None };
    let line = (*line as usize).checked_sub(1)?;
    let of_line = text.lines().nth(line)?;
    let column = (*column as usize).checked_sub(1)?;
    let byte = of_line.char_indices().map(|it| it.0).chain([of_line.len()]).nth(column)?;
    Some((line, byte))
}

fn with_line(text: &str, number: usize, change: impl FnOnce(&str) -> Option<String>) -> Option<Edited> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    let before = (*lines.get(number)?).to_owned();
    let after = change(&before)?;
    lines[number] = &after;
    let text = lines.join("\n");
    Some(Edited { text, line: number + 1, before: Some(trimmed(&before)), after: trimmed(&after) })
}

fn trimmed(line: &str) -> String {
    line.trim_end_matches('\r').to_owned()
}

/// `key: old # why` becomes `key: new # why`.
fn replace(text: &str, it: &Entry, value: &str) -> Option<Edited> {
    let (line, key_at) = position(text, &it.place)?;
    with_line(text, line, |old| {
        let colon = key_at + old.get(key_at..)?.find(':')? + 1;
        let rest = &old[colon..];
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let written = &rest[blanks..];
        let len = match written.bytes().next() {
            Some(quote @ (b'"' | b'\'')) => written[1..].find(quote as char)? + 2,
            // A text over several lines, an anchor, a list: not a plain value.
            Some(b'|' | b'>' | b'&' | b'*' | b'[' | b'{' | b'!') => return None,
            _ => plain_len(written),
        };
        let gap = if written.is_empty() || written.starts_with('#') { " " } else { &rest[..blanks] };
        let tail = &written[len..];
        let space = if tail.starts_with('#') { " " } else { "" };
        Some(format!("{}{gap}{value}{space}{tail}", &old[..colon]))
    })
}

/// A plain value ends before a comment, and before what ends it inside of braces.
fn plain_len(written: &str) -> usize {
    let end = written.find(" #").unwrap_or(written.len());
    let end = if written.starts_with('#') { 0 } else { end };
    let end = written[..end].find([',', '}']).unwrap_or(end);
    written[..end].trim_end().len()
}

/// A new line below `block:`.
fn insert(text: &str, section: &Entry, key: &str, value: &str) -> Option<Edited> {
    let (line, at) = position(text, &section.place)?;
    let of_line = text.lines().nth(line)?;
    let in_braces = of_line.get(at..)?.split_once(':')?.1.trim_start().starts_with('{');
    if in_braces {
        return with_line(text, line, |old| {
            let brace = at + old.get(at..)?.find('{')? + 1;
            let rest = old[brace..].trim_start();
            let comma = if rest.starts_with('}') { "" } else { ", " };
            Some(format!("{}{key}: {value}{comma}{rest}", &old[..brace]))
        });
    }
    let Value::Map(entries) = &section.node.value else {
        return (section.node.value == Value::Nothing).then(|| below(text, line, at + 2, key, value));
    };
    let (_, indent) = position(text, &entries.first()?.place)?;
    Some(below(text, line, indent, key, value))
}

fn below(text: &str, line: usize, indent: usize, key: &str, value: &str) -> Edited {
    let after = format!("{:indent$}{key}: {value}", "");
    let mut lines: Vec<&str> = text.split('\n').collect();
    // The end of the file may be the end of the line.
    lines.insert(line + 1, &after);
    Edited { text: lines.join("\n"), line: line + 2, before: None, after: after.clone() }
}

fn append(text: &str, block: &str, key: &str, value: &str) -> Edited {
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let start = format!("{text}{gap}");
    let (blank, after) = (if start.is_empty() { "" } else { "\n" }, format!("  {key}: {value}"));
    let line = start.matches('\n').count() + blank.len() + 2;
    Edited { text: format!("{start}{blank}{block}:\n{after}\n"), line, before: None, after }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: &str) {
        let edited = set(before, "speech", "model", "de").unwrap_or_else(|| panic!("{before}"));
        assert_eq!(edited.text, after, "{before}");
        assert!(after.lines().nth(edited.line - 1).is_some_and(|it| it == edited.after), "{edited:?}");
    }

    #[test]
    fn a_value_is_replaced_and_its_comment_stays() {
        check("speech:\n  model: en\n", "speech:\n  model: de\n");
        check(
            "# a\nspeech:\n  voice: x\n  model:   en   # b\nroom: r\n",
            "# a\nspeech:\n  voice: x\n  model:   de   # b\nroom: r\n",
        );
        check("speech:\n  model: './models/a b'\n", "speech:\n  model: de\n");
        check("speech:\n  model: \"en\" # é\n", "speech:\n  model: de # é\n");
        check("speech: { voice: x, model: en }\n", "speech: { voice: x, model: de }\n");
        check("speech:\n  model:\n  voice: x\n", "speech:\n  model: de\n  voice: x\n");
        check("speech:\n  model: # none\n", "speech:\n  model: de # none\n");
        check("speech:\r\n  model: en\r\nroom: r\r\n", "speech:\r\n  model: de\r\nroom: r\r\n");
    }

    #[test]
    fn a_value_that_is_not_there_is_added_where_it_belongs() {
        check("", "speech:\n  model: de\n");
        check("room: r", "room: r\n\nspeech:\n  model: de\n");
        check("# only words\n", "# only words\n\nspeech:\n  model: de\n");
        check("speech:\n    voice: x\nroom: r\n", "speech:\n    model: de\n    voice: x\nroom: r\n");
        check("speech:\nroom: r\n", "speech:\n  model: de\nroom: r\n");
        check("speech:", "speech:\n  model: de");
        check("speech: {}\n", "speech: {model: de}\n");
        check("speech: {voice: x}\n", "speech: {model: de, voice: x}\n");
    }

    #[test]
    fn what_would_break_the_file_is_left_to_people() {
        for text in [
            "speech:\n  model: |\n    en\n",
            "speech: [a]\n",
            "speech: en\n",
            "- a\n",
            "speech:\n\tmodel: en\n",
            "a: &x {b: c}\nspeech: *x\n",
        ] {
            assert_eq!(set(text, "speech", "model", "de"), None, "{text}");
        }
    }
}
