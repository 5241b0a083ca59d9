//! Names as the speech model hears them: it learns them, or listens for words that it has and that sound like them; and names that sound alike.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use control::action::Scope;
use control::contacts::{Contact, Contacts, as_heard};
use control::intent::grammar;
use control::phrases::Phrases;
use speech::lexicon::respell;
use speech::{Model, PronounceError, Spoken, alike, nearest};
use tracing::{info, warn};

use crate::config::contacts::Spoken as Written;
use crate::config::yaml;
use crate::config::{Place, Problem};

/// See the top.
pub struct Names {
    /// The contacts, as the grammar is made from them.
    pub contacts: Contacts,
    /// Sets of names that nobody can tell apart by ear, each of several contacts.
    pub alike: Vec<Vec<String>>,
    /// Names that an official model does not have, and the words of it that are listened for in their place.
    pub heard_as: BTreeMap<String, String>,
    /// Why some names could not be learned.
    pub failed: Option<PronounceError>,
}

/// With so many contacts a small machine takes a while, and says so.
const MANY: usize = 1000;

/// Lets the model learn the names of these contacts.
pub fn learn(contacts: &Contacts, phrases: &Phrases, model: &Model) -> Names {
    let mut contacts = contacts.clone();
    let begin = Instant::now();
    if contacts.people.len() >= MANY {
        info!(contacts = contacts.people.len(), "learning how names are said");
    }
    let mut names = match model.lexicon() {
        Some(_) => {
            let texts: Vec<Spoken> = contacts.people.iter().flat_map(spoken).collect();
            let failed = model.learn(&texts).err();
            for person in &mut contacts.people {
                forget_respelled(person);
            }
            Names { contacts, alike: Vec::new(), heard_as: BTreeMap::new(), failed }
        }
        None => listen_for_nearest(contacts, phrases, model),
    };
    names.alike = sounding_alike(&names.contacts, phrases, model);
    names.contacts.set_sounds_alike(&names.alike);
    if names.contacts.people.len() >= MANY {
        info!(took = ?begin.elapsed(), "names learned");
    }
    names
}

impl Names {
    /// Says in the log how many names need a look, without naming them.
    pub fn tell(&self) {
        if let Some(failed) = &self.failed {
            warn!("some names cannot be pronounced: {failed}");
        }
        if !self.alike.is_empty() {
            warn!(n_sets = self.alike.len(), "some contacts sound alike: who is meant is asked; `hark check` names them");
        }
        if !self.heard_as.is_empty() {
            warn!(
                n_names = self.heard_as.len(),
                "the speech model does not have some names: words that sound like them are listened for; `hark check` names them"
            );
        }
    }
}

/// What is odd about names and wake phrases with this model: what it cannot hear, and who cannot be told apart.
pub fn problems(spoken: &[Written], contacts: &Contacts, phrases: &Phrases, model: &Model) -> Vec<Problem> {
    let learned = learn(contacts, phrases, model);
    let mut problems = Vec::new();
    for it in spoken {
        let unknown = model.unknown_words([&it.text]);
        problems.extend(it.not_in_model(&unknown, learned.heard_as.get(&it.text).map(String::as_str)));
    }
    if let (Some(failed), Some(first)) = (&learned.failed, problems.first_mut().filter(|_| learned.heard_as.is_empty())) {
        first.mend = format!("{failed}; or {}", first.mend);
    }
    let whose = whose(contacts, phrases);
    let mut places: BTreeMap<&str, &Place> = BTreeMap::new();
    for (name, place) in spoken.iter().rev().filter_map(|it| Some((it.contact.as_deref()?, &it.place))) {
        places.insert(name, place);
    }
    for set in &learned.alike {
        let people: BTreeSet<usize> = set.iter().filter_map(|it| whose.get(it)).flatten().copied().collect();
        let people: Vec<&str> = people.into_iter().map(|it| contacts.people[it].name.as_str()).collect();
        for problem in alike_at(&people, &places) {
            // Whole names and first names sound alike together.
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems
}

/// One problem for each contact after the first of those whose names sound alike.
fn alike_at(people: &[&str], places: &BTreeMap<&str, &Place>) -> Vec<Problem> {
    let Some((first, others)) = people.split_first() else { return Vec::new() };
    let at = places.get(first).map(|it| format!(", at {}", yaml::short(it))).unwrap_or_default();
    let problem = |other: &&str| {
        let what = format!("`{other}` sounds like `{first}`{at}: who is meant is asked");
        Some(Problem::new(places.get(other)?, what, "give one of them an alias that sounds different"))
    };
    others.iter().filter_map(problem).collect()
}

/// Lets the model learn the words of commands in these languages and the wake phrases, so that it makes its graph once and not with every new grammar.
pub fn learn_commands<'a>(languages: impl IntoIterator<Item = &'a Phrases>, wake_phrases: &[String], model: &Model) {
    let mut texts: Vec<Spoken> = wake_phrases.iter().map(Spoken::plain).collect();
    for phrases in languages {
        let sentences = grammar::sentences(phrases, &Contacts::default(), &[]);
        for scope in [Scope::Asleep, Scope::InCall, Scope::Ringing, Scope::RingOut, Scope::Confirming] {
            texts.extend(sentences.grammar(scope, &[]).words().into_iter().map(Spoken::plain));
        }
    }
    // A word that cannot be said is told when it is listened for.
    let _ = model.learn(&texts);
}

/// Everything that people may say to mean a contact; what it sounds like belongs to the first name that it can be about.
fn spoken(person: &Contact) -> Vec<Spoken> {
    let mut all: Vec<Spoken> = std::iter::once(&person.name)
        .chain(&person.aliases)
        .map(|name| Spoken { text: as_heard(name), language: person.language.clone(), sounds_like: Vec::new() })
        .collect();
    for like in &person.sounds_like {
        if let Some(it) = all.iter_mut().find(|it| respell(&it.text, &as_heard(like)).is_some_and(|it| !it.is_empty())) {
            it.sounds_like.push(as_heard(like));
        }
    }
    all
}

/// What is a pronunciation of the name now must not be a name of its own beside it: both would be heard, and neither surely.
fn forget_respelled(person: &mut Contact) {
    let taken: BTreeSet<String> = spoken(person).into_iter().flat_map(|it| it.sounds_like).collect();
    person.sounds_like.retain(|it| !taken.contains(&as_heard(it)));
}

/// An official model has only its own words.
fn listen_for_nearest(mut contacts: Contacts, phrases: &Phrases, model: &Model) -> Names {
    let unsaid = |person: &Contact| if person.sounds_like.is_empty() { person.heard_names(phrases) } else { BTreeSet::new() };
    let unknown = model.unknown_words(contacts.people.iter().flat_map(unsaid).collect::<Vec<_>>());
    let (nearest, failed) = match nearest::words(model.path(), &unknown, &phrases.language) {
        Ok(nearest) => (nearest, None),
        Err(error) => (BTreeMap::new(), Some(error)),
    };
    let mut heard_as = BTreeMap::new();
    for person in &mut contacts.people {
        for name in unsaid(person) {
            let known = |word: &str| nearest.get(word).map_or(word, String::as_str).to_owned();
            let words = name.split(' ').map(known).collect::<Vec<_>>().join(" ");
            if words != name && model.unknown_words([&words]).is_empty() {
                person.sounds_like.push(words.clone());
                heard_as.insert(name, words);
            }
        }
    }
    Names { contacts, alike: Vec::new(), heard_as, failed }
}

/// Names of different contacts that sound the same. Those of one contact may.
fn sounding_alike(contacts: &Contacts, phrases: &Phrases, model: &Model) -> Vec<Vec<String>> {
    let Some(lexicon) = model.lexicon() else { return Vec::new() };
    let whose = whose(contacts, phrases);
    let sets = alike::sets(lexicon, &whose.keys().cloned().collect());
    let of_several = |set: &Vec<String>| set.iter().flat_map(|it| &whose[it]).collect::<BTreeSet<_>>().len() > 1;
    sets.into_iter().filter(of_several).collect()
}

/// Who can be meant by each name, by their place among the contacts.
fn whose(contacts: &Contacts, phrases: &Phrases) -> BTreeMap<String, BTreeSet<usize>> {
    let mut whose: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (n, person) in contacts.people.iter().enumerate() {
        for name in person.heard_names(phrases) {
            whose.entry(name).or_default().insert(n);
        }
    }
    whose
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    #[test]
    fn names_that_sound_alike_are_told_with_their_places_and_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let contacts = "contacts:
  - name: John Smith
    addresses: sip:a@192.168.1.20
  - name: Jon Smith
    addresses: sip:b@192.168.1.21
  - name: Siobhán
    aliases: [Siobhan]
    sounds_like: [she vaughn]
    addresses: sip:c@192.168.1.22
";
        std::fs::write(folder.path().join("contacts.yaml"), contacts).unwrap();
        std::fs::write(folder.path().join("hark.yaml"), "sip: {listen: off}\n").unwrap();
        let sources = Sources {
            system: folder.path().join("hark.yaml"),
            config: None,
            contacts: Some(folder.path().join("contacts.yaml")),
            variables: Vec::new(),
        };
        let loaded = load(&sources).unwrap();
        let model = loaded.settings.open_model().unwrap();
        let learned = learn(&loaded.contacts, &loaded.phrases, &model);
        // What a name sounds like is how it is said now, and no name beside it.
        assert!(learned.contacts.get("Siobhán").unwrap().sounds_like.is_empty());
        assert!(learned.contacts.are_alike("John Smith", "Jon Smith"));
        let problems = problems(&loaded.spoken, &loaded.contacts, &loaded.phrases, &model);
        let told: Vec<String> = problems.iter().map(|it| format!("{}: {}", it.place, it.what)).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("contacts.yaml:4:11: `Jon Smith` sounds like `John Smith`, at 2:11: "), "{told:?}");
    }
}
