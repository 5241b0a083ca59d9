//! YAML as a tree that knows where everything is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span};

use super::problems::{Place, Problem};

/// More nodes than any honest file has; a file of aliases of aliases has them soon.
const MOST_NODES: usize = 100_000;

/// A value and where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where.
    pub place: Place,
    /// What.
    pub value: Value,
}

/// What is written. What a text means (number, duration, address) is known to those who ask for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing after the colon, `~` or `null`.
    Nothing,
    /// A word, a number, a sentence.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and their values, in the order of the file.
    Map(Vec<Entry>),
}

/// One `key: value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key is written.
    pub place: Place,
    /// The value.
    pub node: Node,
}

impl Node {
    /// What kind of thing it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Nothing => "nothing",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a block of keys",
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }
}

/// Reads a file; what is wrong with it is added to `problems`, and what could be read is returned.
pub fn read(path: &Path, problems: &mut Vec<Problem>) -> Option<Node> {
    let place = Place::file(path);
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let (what, mend) = match error.kind() {
                std::io::ErrorKind::NotFound => ("there is no such file".into(), "correct the path or create the file"),
                std::io::ErrorKind::IsADirectory => ("this is a folder".into(), "name the file in it"),
                std::io::ErrorKind::PermissionDenied => {
                    ("this file may not be read".into(), "give it to the user that hark runs as, or `chmod g+r`")
                }
                _ => (format!("this file cannot be read: {error}"), "correct the path or mend the file"),
            };
            problems.push(Problem::new(&place, what, mend));
            return None;
        }
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(text, &path.to_string_lossy().into(), problems),
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let line = before.matches('\n').count() as u32 + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
            let place = Place::File(path.to_string_lossy().into(), line, column);
            problems.push(Problem::new(&place, "this is not UTF-8 text", "save the file as UTF-8 in your editor"));
            None
        }
    }
}

/// Reads a text; `file` is its name in messages.
pub fn parse(text: &str, file: &Arc<str>, problems: &mut Vec<Problem>) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let known = problems.len();
    tabs(text, file, problems);
    if problems.len() > known {
        return None;
    }
    let mut tree = Tree { text, file, parser: Parser::new_from_str(text), anchors: BTreeMap::new(), nodes: 0, problems };
    match tree.document() {
        Ok(node) => node,
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// Tabs in front of a line are told apart here, all of them at once, because the parser stops at the first.
fn tabs(text: &str, file: &Arc<str>, problems: &mut Vec<Problem>) {
    for (number, line) in text.lines().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if let Some(at) = indent.find('\t').filter(|_| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
            let place = Place::File(file.clone(), number as u32 + 1, at as u32 + 1);
            problems.push(Problem::new(&place, "a tab is used to indent", "use spaces"));
        }
    }
}

struct Tree<'a> {
    text: &'a str,
    file: &'a Arc<str>,
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Tree<'a> {
    /// The only document of the file.
    fn document(&mut self) -> Result<Option<Node>, Problem> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::DocumentStart(..) if root.is_some() => {
                    let place = self.place(span);
                    self.problems.push(Problem::new(&place, "a second document begins here", "remove the `---`"));
                    return Ok(root);
                }
                Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => (),
                event => root = Some(self.node(event, span)?),
            }
        }
        let empty = Node { place: Place::File(self.file.clone(), 1, 1), value: Value::Nothing };
        Ok(Some(root.unwrap_or(empty)))
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Problem> {
        loop {
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..), _))) => continue,
                Some(Ok(event)) => return Ok(Some(event)),
                Some(Err(error)) => return Err(self.explain(&error)),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Problem> {
        self.nodes += 1;
        let place = self.place(span);
        if self.nodes > MOST_NODES {
            return Err(Problem::new(&place, "this file is too large", "write out the aliases (`*name`)"));
        }
        if let Some(tag) = event.tag().filter(|tag| !tag.is_yaml_core_schema()) {
            let what = format!("the tag `{}` has no meaning here", tag.original());
            self.problems.push(Problem::new(&place, what, "remove it"));
        }
        let anchor = event.anchor_id();
        let value = match event {
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::SequenceStart(..) => self.list()?,
            Event::MappingStart(..) => self.map()?,
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id) else {
                    return Err(Problem::new(&place, "this alias stands inside of what it names", "write out what is meant"));
                };
                let value = node.value.clone();
                self.nodes += count(&value);
                value
            }
            _ => Value::Nothing,
        };
        let node = Node { place, value };
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<Value, Problem> {
        let mut list = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                break;
            }
            list.push(self.node(event, span)?);
        }
        Ok(Value::List(list))
    }

    fn map(&mut self) -> Result<Value, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, span)?;
            let Some((event, span)) = self.next()? else { break };
            let node = self.node(event, span)?;
            let Value::Text(text) = key.value else {
                let what = format!("a key must be a word, this is {}", key.kind());
                self.problems.push(Problem::new(&key.place, what, "put texts with `{` or `[` into quotes"));
                continue;
            };
            if text == "<<" {
                self.problems.push(Problem::new(&key.place, "merge keys (`<<`) are not supported", "write out the keys"));
            } else if let Some(first) = entries.iter().find(|entry| entry.key == text) {
                let what = format!("the key `{text}` is written twice, first at {}", short(&first.place));
                self.problems.push(Problem::new(&key.place, what, "remove one of them"));
            } else {
                entries.push(Entry { key: text, place: key.place, node });
            }
        }
        Ok(Value::Map(entries))
    }

    fn place(&self, span: Span) -> Place {
        Place::File(self.file.clone(), span.start.line() as u32, span.start.col() as u32 + 1)
    }

    /// `-name: Mom` in the line of an error or the one above.
    fn stuck_dash(&self, line: usize) -> Option<Place> {
        let at = |number: usize| {
            let line = self.text.lines().nth(number.checked_sub(1)?)?;
            let text = line.trim_start();
            let stuck = text.strip_prefix('-').is_some_and(|it| it.starts_with(|c: char| c.is_alphabetic()) && it.contains(':'));
            stuck.then(|| Place::File(self.file.clone(), number as u32, (line.len() - text.len()) as u32 + 1))
        };
        at(line).or_else(|| at(line.saturating_sub(1)))
    }

    /// The parser's errors in words for people who do not know YAML's.
    fn explain(&self, error: &ScanError) -> Problem {
        let mark = error.marker();
        let place = Place::File(self.file.clone(), mark.line().max(1) as u32, mark.col() as u32 + 1);
        let line = self.text.lines().nth(mark.line().saturating_sub(1)).unwrap_or("").trim();
        if let Some(place) = self.stuck_dash(mark.line()) {
            return Problem::new(&place, "a dash begins an item of a list only with a blank after it", "write `- ` with a blank");
        }
        let (what, mend) = match error.kind() {
            ErrorKind::UnclosedFlowCollection { open } => {
                let close = if *open == '[' { ']' } else { '}' };
                (format!("`{open}` is opened and never closed"), format!("add the `{close}`"))
            }
            ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
                (format!("`{open}` is closed by `{close}`"), "close it by its own bracket".into())
            }
            ErrorKind::UnclosedQuotedScalar
            | ErrorKind::DocumentIndicatorInQuotedScalar
            | ErrorKind::InvalidQuotedScalarIndent => {
                ("a quote is opened and never closed, here or above".into(), "add the closing quote".into())
            }
            ErrorKind::UnknownQuotedScalarEscape => {
                ("an unknown escape follows the `\\`".into(), "use single quotes, in which `\\` is a plain character".into())
            }
            ErrorKind::InvalidColonPlacement | ErrorKind::FlowMappingValueAdjacentCollection => (
                "a `:` where none can stand: a bracket above may not be closed".into(),
                "close the bracket, or put the text into quotes".into(),
            ),
            ErrorKind::UnknownAnchor => {
                ("this alias (`*name`) names nothing".into(), "write out what is meant, or quote the text".into())
            }
            ErrorKind::UnexpectedCharacter { character } => {
                (format!("a text cannot begin with `{character}`"), "put the text into quotes".into())
            }
            ErrorKind::MappingValueNotAllowed => (
                "a second `:` in one line, or a line that is indented too far".into(),
                "quote texts that hold `: `, and line up keys of one block".into(),
            ),
            ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
                format!("`{line}` is no `key: value`"),
                "add the colon and a space, or line it up with the text that it belongs to".into(),
            ),
            ErrorKind::ExpectedFlowSequenceSeparator | ErrorKind::ExpectedFlowMappingSeparator => {
                ("a comma or the closing bracket is missing".into(), "separate by `, ` and close the bracket".into())
            }
            ErrorKind::InvalidIndentation
            | ErrorKind::ExpectedBlockMappingKey
            | ErrorKind::ExpectedBlockSequenceEntry
            | ErrorKind::BlockSequenceEntryNotAllowed
            | ErrorKind::InvalidFlowScalarIndent
            | ErrorKind::ExpectedDocumentStart => (
                "this line is not lined up with those that it belongs to".into(),
                "indent keys of one block by the same number of spaces".into(),
            ),
            ErrorKind::RecursionLimitExceeded => {
                ("blocks are nested too deep".into(), "this file needs a few levels only".into())
            }
            kind => (format!("this is no YAML: {kind}"), "compare with the example in configs/".into()),
        };
        Problem::new(&place, what, mend)
    }
}

/// Line and column, for a second place in the same message.
pub fn short(place: &Place) -> String {
    match place {
        Place::File(_, line, column) => format!("{line}:{column}"),
        place => place.to_string(),
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Value::Nothing,
        _ => Value::Text(text.to_owned()),
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Nothing | Value::Text(_) => 1,
        Value::List(list) => 1 + list.iter().map(|node| count(&node.value)).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|entry| count(&entry.node.value)).sum::<usize>(),
    }
}
