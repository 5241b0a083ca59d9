//! Keys and lists of members for a house that has lived together for long: made at once instead of by hundreds of codes.

use std::path::Path;

use hark::house::identity::Identity;
use hark::house::members::{Card, FILE, List, Vouch};

/// A folder for each room, with its key and whom it trusts: all others.
pub fn write(folder: &Path, slugs: &[String]) {
    let identities: Vec<Identity> =
        slugs.iter().map(|slug| Identity::open(&folder.join(slug)).expect("a folder for the key")).collect();
    let vouches: Vec<Vouch> = slugs
        .iter()
        .zip(&identities)
        .map(|(slug, identity)| {
            let card = Card { room: slug.clone(), name: slug.replace('-', " "), floor: None, groups: Vec::new() };
            Vouch::new(&identities[0], identity.key(), card)
        })
        .collect();
    for (i, slug) in slugs.iter().enumerate() {
        let others = vouches.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, vouch)| vouch.clone()).collect();
        let list = serde_json::to_vec(&List { members: others, removed: Vec::new() }).expect("text becomes JSON");
        std::fs::write(folder.join(slug).join(FILE), list).expect("the list of members");
    }
}
