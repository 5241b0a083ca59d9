//! Names that nobody can tell apart by ear.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::lexicon::Lexicon;
use crate::phones::{Phone, Phones, Pronunciation};

/// Phones that people say one for the other; a name that differs from another by one of them sounds like it.
const NEAR: [&[&str]; 8] = [
    &["AX", "IH", "AH", "A6"],
    &["AA", "AO", "A"],
    &["EH", "AE"],
    &["EY", "EE"],
    &["OW", "OO"],
    &["S", "Z"],
    &["R", "RR"],
    &["N", "NG"],
];
/// Ways to say a whole name that are compared; a name of many words with many variants each has thousands.
const WAYS: usize = 8;

/// Sets of names that sound the same, or nearly: one phone differs, and only a little.
pub fn sets(lexicon: &Lexicon, names: &BTreeSet<String>) -> Vec<Vec<String>> {
    let names: Vec<&String> = names.iter().collect();
    let groups = groups(lexicon.phones());
    // What a name sounds like, and that with any one phone replaced by those near it; as numbers, which are quicker to sort.
    let mut sounds: Vec<(u64, usize)> = Vec::new();
    for (n, name) in names.iter().enumerate() {
        for way in ways(lexicon, name) {
            let mut sound: Vec<u16> = way.iter().map(|it| u16::from(*it)).collect();
            sounds.push((hash(&sound), n));
            for at in 0..sound.len() {
                if let Some(group) = groups[usize::from(way[at])] {
                    sound[at] = group;
                    sounds.push((hash(&sound), n));
                    sound[at] = u16::from(way[at]);
                }
            }
        }
    }
    sounds.sort_unstable();
    sounds.dedup();
    let mut sets: BTreeSet<Vec<usize>> = BTreeSet::new();
    for same in sounds.chunk_by(|a, b| a.0 == b.0).filter(|it| it.len() > 1) {
        sets.insert(same.iter().map(|it| it.1).collect());
    }
    let is_part = |of: &Vec<usize>, it: &Vec<usize>| of != it && it.iter().all(|n| of.contains(n));
    let whole = sets.iter().filter(|it| !sets.iter().any(|of| is_part(of, it)));
    whole.map(|it| it.iter().map(|n| names[*n].clone()).collect()).collect()
}

/// For each phone the number that stands for all near it, which is above those of all phones.
fn groups(phones: &Phones) -> Vec<Option<u16>> {
    let group = |phone: usize| NEAR.iter().position(|it| it.contains(&phones.name(phone as Phone)));
    (0..phones.len()).map(|phone| group(phone).map(|it| 256 + it as u16)).collect()
}

/// The ways to say a name, each word in each of its ways.
fn ways(lexicon: &Lexicon, name: &str) -> Vec<Pronunciation> {
    let mut ways = vec![Pronunciation::new()];
    for word in name.split(' ') {
        let variants = lexicon.pronounce(word);
        ways = ways.iter().flat_map(|way| variants.iter().map(|it| [way.as_slice(), it].concat())).take(WAYS).collect();
    }
    ways
}

fn hash(sound: &[u16]) -> u64 {
    // Made so, it is the same in every run.
    let mut hasher = DefaultHasher::new();
    sound.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_sound_the_same_or_nearly_are_found() {
        let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/hark");
        let lexicon = Lexicon::open(&model, &["en".into()]).unwrap();
        let names = ["john", "jon", "john smith", "jon smith", "anna", "ellen", "allen", "mom", "tom", "sara", "sarah", "王小明"];
        let sets = sets(&lexicon, &names.iter().map(|it| (*it).to_owned()).collect());
        let text: Vec<String> = sets.iter().map(|it| it.join(", ")).collect();
        assert_eq!(text, ["allen, ellen", "john, jon", "john smith, jon smith", "sara, sarah"]);
    }
}
