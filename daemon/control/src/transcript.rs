//! Inputs and actions as text, both ways: log format, replay format and test format are one.
//!
//! One line each. Names and texts stand in quotes; what is left out at the end of a line has its default.

mod house;
mod read;
mod write;

use std::fmt;
use std::str::FromStr;

use crate::action::Action;
use crate::input::Input;

/// Why a line is no input or action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The line is over before this.
    Missing(&'static str),
    /// This stands where something else is wanted.
    Wrong {
        /// What stands there.
        found: String,
        /// What could.
        wanted: &'static str,
    },
    /// A quotation mark is not closed.
    Unquoted,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Missing(what) => write!(f, "the line ends before {what}"),
            ReadError::Wrong { found, wanted } => write!(f, "`{found}` stands where {wanted} should"),
            ReadError::Unquoted => f.write_str("a quotation mark is not closed"),
        }
    }
}

impl std::error::Error for ReadError {}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::input(f, self)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::action(f, self)
    }
}

impl FromStr for Input {
    type Err = ReadError;
    fn from_str(line: &str) -> Result<Input, ReadError> {
        read::whole(line, read::input)
    }
}

impl FromStr for Action {
    type Err = ReadError;
    fn from_str(line: &str) -> Result<Action, ReadError> {
        read::whole(line, read::action)
    }
}
