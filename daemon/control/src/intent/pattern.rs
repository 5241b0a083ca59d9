//! Ways to say something, as written in phrases/*.yaml: `[please] (call|ring) {contact}`.

/// A word, or a slot to be filled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// As it is said.
    Word(String),
    /// The slot's name without the braces.
    Slot(String),
    /// Follows what is before it without a space: `{contact}'s`.
    Suffix(String),
}

/// A pattern that stands for more sentences takes longer than anybody waits.
const MOST: u64 = 5000;

/// All sentences that a pattern stands for, in the order in which they are written. What is malformed is taken as it would be if it were closed.
pub fn expand(pattern: &str) -> Vec<Vec<Piece>> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    let mut all = either(&chars, &mut at);
    all.retain(|it| !it.is_empty());
    all.dedup();
    all
}

/// What is wrong with a pattern that may use these slots.
pub fn problem(pattern: &str, slots: &[&str]) -> Option<String> {
    let mut open = Vec::new();
    for c in pattern.chars() {
        match c {
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => {
                let partner = open.pop();
                if !matches!((partner, c), (Some('('), ')') | (Some('['), ']') | (Some('{'), '}')) {
                    return Some(format!("`{c}` closes nothing"));
                }
            }
            _ => (),
        }
    }
    if let Some(c) = open.pop() {
        return Some(format!("`{c}` is not closed"));
    }
    if count(&mut pattern.chars()) > MOST {
        return Some(format!("it stands for more than {MOST} sentences; write several shorter ones"));
    }
    let all = expand(pattern);
    if all.is_empty() {
        return Some("it has no words".into());
    }
    let unknown = all.iter().flatten().find_map(|piece| match piece {
        Piece::Slot(name) if !slots.contains(&name.as_str()) => Some(name),
        _ => None,
    })?;
    let known: Vec<_> = slots.iter().map(|it| format!("{{{it}}}")).collect();
    Some(match known.is_empty() {
        true => format!("`{{{unknown}}}` cannot stand here; this intent has no slots"),
        false => format!("`{{{unknown}}}` cannot stand here; {} can", known.join(", ")),
    })
}

/// For how many sentences a pattern stands, up to a closing bracket or the end, without writing them down.
fn count(pattern: &mut std::str::Chars) -> u64 {
    let (mut all, mut current) = (0, 1);
    while let Some(c) = pattern.next() {
        match c {
            '(' => current = count(pattern).saturating_mul(current),
            '[' => current = count(pattern).saturating_add(1).saturating_mul(current),
            ')' | ']' => break,
            '|' => all = std::mem::replace(&mut current, 1).saturating_add(all),
            _ => (),
        }
    }
    current.saturating_add(all)
}

/// `a|b|c` up to a closing bracket or the end, which is consumed.
fn either(chars: &[char], at: &mut usize) -> Vec<Vec<Piece>> {
    let mut all = Vec::new();
    let mut current: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut word = String::new();
    while let Some(&c) = chars.get(*at) {
        *at += 1;
        match c {
            '(' | '[' => {
                flush(&mut word, &mut current);
                let mut choices = either(chars, at);
                if c == '[' {
                    choices.push(Vec::new());
                }
                current = product(&current, &choices);
            }
            ')' | ']' => break,
            '|' => {
                flush(&mut word, &mut current);
                all.append(&mut current);
                current.push(Vec::new());
            }
            '{' => {
                flush(&mut word, &mut current);
                let name: String = chars[*at..].iter().take_while(|c| **c != '}').collect();
                *at = (*at + name.chars().count() + 1).min(chars.len());
                current.iter_mut().for_each(|it| it.push(Piece::Slot(name.clone())));
                let suffix: String = chars[*at..].iter().take_while(|c| c.is_alphabetic() || **c == '\'').collect();
                *at += suffix.chars().count();
                if !suffix.is_empty() {
                    current.iter_mut().for_each(|it| it.push(Piece::Suffix(suffix.to_lowercase())));
                }
            }
            c if c.is_whitespace() => flush(&mut word, &mut current),
            c => word.extend(c.to_lowercase()),
        }
    }
    flush(&mut word, &mut current);
    all.append(&mut current);
    all
}

fn flush(word: &mut String, current: &mut [Vec<Piece>]) {
    if word.is_empty() {
        return;
    }
    let whole = std::mem::take(word);
    current.iter_mut().for_each(|it| it.push(Piece::Word(whole.clone())));
}

fn product(heads: &[Vec<Piece>], tails: &[Vec<Piece>]) -> Vec<Vec<Piece>> {
    heads.iter().flat_map(|head| tails.iter().map(move |tail| [head.as_slice(), tail].concat())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, sentences: &[&str]) {
        let said: Vec<String> = expand(pattern)
            .iter()
            .map(|pieces| {
                let words: Vec<_> = pieces
                    .iter()
                    .map(|it| match it {
                        Piece::Word(word) => word.clone(),
                        Piece::Slot(name) => format!("<{name}>"),
                        Piece::Suffix(text) => format!("+{text}"),
                    })
                    .collect();
                words.join(" ")
            })
            .collect();
        assert_eq!(said, sentences, "{pattern}");
    }

    #[test]
    fn a_pattern_stands_for_all_its_sentences() {
        check("hang up", &["hang up"]);
        check("(call|ring [up]) {contact}", &["call <contact>", "ring up <contact>", "ring <contact>"]);
        check("[please] stop", &["please stop", "stop"]);
        check("a (b|c [d|e])", &["a b", "a c d", "a c e", "a c"]);
        check("{contact}'s {label}", &["<contact> +'s <label>"]);
        check("", &[]);
        for (pattern, n) in [("a", 1), ("(a|b [c]) [d|e]", 9), ("a|b", 2), ("[a [b [c]]]", 4)] {
            assert_eq!(
                (count(&mut pattern.chars()), expand(pattern).len() as u64 + u64::from(pattern.starts_with('['))),
                (n, n),
                "{pattern}"
            );
        }
    }

    #[test]
    fn what_is_malformed_is_told_and_never_panics() {
        for (pattern, what) in [
            ("(call", "`(` is not closed"),
            ("call)", "`)` closes nothing"),
            ("[call)", "`)` closes nothing"),
            ("{contact", "`{` is not closed"),
            ("[]", "it has no words"),
            ("call {who}", "`{who}` cannot stand here; {contact}, {label} can"),
        ] {
            assert_eq!(problem(pattern, &["contact", "label"]).as_deref(), Some(what), "{pattern}");
            expand(pattern);
        }
        let many = problem(&"(a|b) ".repeat(80), &[]);
        assert_eq!(many.as_deref(), Some("it stands for more than 5000 sentences; write several shorter ones"));
        assert_eq!(problem(&"[a] ".repeat(12), &[]), None);
        assert_eq!(problem("call {contact}", &["contact"]), None);
    }
}
