//! As much of Rust's grammar as it takes to tell code from comments, strings and tests.

use crate::tree::File;

/// A Rust file taken apart. All three are as long as the file and have its line breaks, so that offsets stay right; what belongs elsewhere is blank.
pub struct Parts {
    /// Code, without the insides of strings and without comments.
    pub code: String,
    /// The insides of string literals.
    pub strings: String,
    /// Where the unit tests begin: by our conventions they come last.
    pub tests_from: usize,
}

impl Parts {
    /// The code that ends up in the program.
    pub fn program(&self) -> &str {
        &self.code[..self.tests_from]
    }

    /// The code of the unit tests.
    pub fn tests(&self) -> &str {
        &self.code[self.tests_from..]
    }
}

/// Takes a file apart; a file of tests is nothing but tests.
pub fn parts(file: &File) -> Parts {
    let parts = parts_of(&file.text);
    let is_test = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
    Parts { tests_from: if is_test { 0 } else { parts.tests_from }, ..parts }
}

/// Takes a text apart.
pub fn parts_of(text: &str) -> Parts {
    let bytes = text.as_bytes();
    let mut code = blank(text);
    let mut strings = blank(text);
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let before = bytes[..at].last().copied().unwrap_or(b' ');
        let end = if rest.starts_with("//") {
            at + rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            at + block_comment(rest)
        } else if let Some((open, len)) = raw_string(rest).filter(|_| !is_word(before)) {
            strings[at + open..at + len - open + 1].copy_from_slice(&bytes[at + open..at + len - open + 1]);
            at + len
        } else if rest.starts_with('"') {
            let len = quoted(rest, b'"');
            strings[at + 1..at + len - 1].copy_from_slice(&bytes[at + 1..at + len - 1]);
            at + len
        } else if is_char(rest) {
            at + quoted(rest, b'\'')
        } else {
            code[at] = bytes[at];
            at + 1
        };
        at = end;
    }
    let [code, strings] = [code, strings].map(|it| String::from_utf8(it).expect("taken apart at characters"));
    let tests_from = code.find("#[cfg(test)]").unwrap_or(code.len());
    Parts { code, strings, tests_from }
}

/// Where `word` stands in the code as a word of its own.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = code.as_bytes()[..at].last().copied().unwrap_or(b' ');
        let after = code.as_bytes().get(at + word.len()).copied().unwrap_or(b' ');
        let (first, last) = (word.as_bytes()[0], word.as_bytes()[word.len() - 1]);
        let goes_on = (is_word(before) && is_word(first)) || (is_word(last) && is_word(after));
        !goes_on
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn blank(text: &str) -> Vec<u8> {
    text.bytes().map(|it| if it == b'\n' { it } else { b' ' }).collect()
}

/// The length of a comment that may hold others.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let step = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (1, 2),
            [b'*', b'/', ..] => (-1, 2),
            _ => (0, 1),
        };
        depth += step.0;
        at += step.1;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The lengths of the opening (`r#"`) and of the whole of a raw string.
fn raw_string(text: &str) -> Option<(usize, usize)> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inside = after[hashes..].strip_prefix('"')?;
    let open = text.len() - inside.len();
    let close = format!("\"{}", "#".repeat(hashes));
    Some((open, open + inside.find(&close)? + close.len()))
}

/// The length of what is between two quotes, escapes respected.
fn quoted(text: &str, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// Whether a character literal begins here, and not a lifetime.
fn is_char(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('\'') && (text.starts_with("'\\") || (chars.next().is_some() && chars.next() == Some('\'')))
}

#[test]
fn code_strings_comments_and_tests_are_told_apart() {
    let text =
        "fn a<'x>() { b(\"in \\\" c\"); d('\"'); e(r#\"f \" g\"#) } // h\n/* i /* j */ k */ l\n#[cfg(test)]\nmod tests { m() }";
    let parts = parts_of(text);
    let squeeze = |it: &str| it.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeeze(parts.program()), "fn a<'x>() { b( ); d( ); e( ) } l");
    assert_eq!(squeeze(parts.tests()), "#[cfg(test)] mod tests { m() }");
    assert_eq!(squeeze(&parts.strings), "in \\\" c f \" g");
    assert_eq!(words("await_all .await; awaits", "await").count(), 1);
}
