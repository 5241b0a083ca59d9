//! People, nicknames, how they sound; a name -> one, several or nobody.

use std::time::Duration;

use crate::dialplan::{LineName, Uri};

/// Everybody the speaker knows, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contacts {
    /// The people; names and aliases are unique, which whoever builds this has checked.
    pub people: Vec<Contact>,
}

/// One person, or place.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// As it is shown and spoken.
    pub name: String,
    /// Other names, each as good as the first.
    pub aliases: Vec<String>,
    /// Spellings that the model knows for names that it does not: only listened for, never spoken or shown.
    pub sounds_like: Vec<String>,
    /// BCP 47 language in which the name is spoken, where it is not the speaker's.
    pub language: Option<String>,
    /// The ladder: ways to reach the person, in ringing order; at least one.
    pub addresses: Vec<Address>,
    /// Names of groups that the person is in.
    pub groups: Vec<String>,
}

/// One way to reach somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// What people call it: mobile, home, work. For "call mom on her mobile".
    pub label: Option<String>,
    /// Where.
    pub to: Uri,
    /// On which line, where it matters.
    pub line: Option<LineName>,
    /// How long it may ring before the next address is tried.
    pub ring_for: Option<Duration>,
}
