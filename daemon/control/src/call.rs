//! One call, from the first ring to the last word.

pub mod end;

pub use end::EndReason;

use std::fmt;

/// Names a call for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallId {
    /// Placed by us; numbered by `control`.
    Out(u32),
    /// Received; numbered by the lines.
    In(u32),
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallId::Out(n) => write!(f, "out-{n}"),
            CallId::In(n) => write!(f, "in-{n}"),
        }
    }
}
