//! Open sentences: words after which people say what they like, such as "tell everybody"; that is recorded and sent.

use std::collections::BTreeMap;

use super::grammar::text;
use super::pattern::{self, Piece};
use crate::contacts::{Contacts, as_heard};
use crate::dialplan::Uri;
use crate::house::announce::Audience;
use crate::phrases::Phrases;

/// Every open sentence and whom it is for. `places`: what rooms, floors and groups are called.
pub fn sentences(phrases: &Phrases, contacts: &Contacts, places: &[(String, Audience)]) -> BTreeMap<String, Audience> {
    let mut all = BTreeMap::new();
    for (intent, audience) in [("announce", Audience::House), ("reply", Audience::Sender)] {
        for pieces in phrases.ways(intent).iter().flat_map(|it| pattern::expand(it)) {
            all.entry(text(&pieces, "")).or_insert_with(|| audience.clone());
        }
    }
    let people = contacts.people.iter().filter(|it| it.addresses.iter().all(|it| it.to != Uri::echo_test()));
    let people: Vec<(String, Audience)> =
        people.flat_map(|it| it.heard_names(phrases).into_iter().map(|name| (name, Audience::Person(it.name.clone())))).collect();
    // Two of one name: nobody knows whom is meant.
    let one = |name: &str| people.iter().filter(|(it, _)| it == name).count() == 1;
    let people: Vec<_> = people.iter().filter(|(name, _)| one(name)).cloned().collect();
    let places: Vec<(String, Audience)> = places.iter().map(|(name, it)| (as_heard(name), it.clone())).collect();
    for pieces in phrases.ways("announce_to").iter().flat_map(|it| pattern::expand(it)) {
        let is = |slot: &str| pieces.contains(&Piece::Slot(slot.into()));
        let named = if is("room") { &places } else { &people };
        for (name, audience) in named.iter().filter(|_| is("room") || is("contact")) {
            all.entry(text(&pieces, name)).or_insert_with(|| audience.clone());
        }
    }
    all
}
