//! What is wrong with a file, where, and how to mend it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where something is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A place in a file; line and column count from 1, line 0 is the file as a whole.
    File(Arc<str>, u32, u32),
    /// An environment variable.
    Variable(Arc<str>),
    /// The binary itself: a default.
    BuiltIn,
}

impl Place {
    /// The file as a whole.
    pub fn file(path: &Path) -> Place {
        Place::File(path.to_string_lossy().into(), 0, 0)
    }

    /// The folder that a relative path written here is relative to.
    pub fn folder(&self) -> PathBuf {
        match self {
            Place::File(file, ..) => Path::new(&**file).parent().unwrap_or(Path::new("")).to_owned(),
            Place::Variable(_) | Place::BuiltIn => PathBuf::new(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(file, 0, _) => f.write_str(file),
            Place::File(file, line, column) => write!(f, "{file}:{line}:{column}"),
            Place::Variable(name) => f.write_str(name),
            Place::BuiltIn => f.write_str("built-in"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong: lower case, quoted values, no full stop.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl Problem {
    /// Something is wrong here.
    pub fn new(place: &Place, what: impl Into<String>, mend: impl Into<String>) -> Problem {
        Problem { place: place.clone(), what: what.into(), mend: mend.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.what, self.mend)
    }
}

/// All that is wrong, in the order of files and lines, each once; one line for each when printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Puts them in order.
    pub fn new(mut problems: Vec<Problem>) -> Problems {
        problems.sort();
        problems.dedup();
        Problems(problems)
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// The one of `known` that `wrong` most likely stands for.
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|it| (distance(&wrong, &it.to_lowercase()), it))
        .filter(|(distance, it)| *distance <= (it.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

/// How many letters must be put in, left out, changed or swapped with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let mut least = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        least = least.min(rows[i - 2][j - 2] + 1);
                    }
                    least
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        assert_eq!(did_you_mean("adresses", ["name", "addresses", "aliases"]), Some("addresses"));
        assert_eq!(did_you_mean("lsiten", ["listen", "codecs"]), Some("listen"));
        assert_eq!(did_you_mean("ring-for", ["ring_for"]), Some("ring_for"));
        assert_eq!(did_you_mean("colour", ["listen", "codecs"]), None);
    }
}
