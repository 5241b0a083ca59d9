//! Five thousand contacts: how long until they can be called, and how many of them are understood.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use speech::recognizer::Recognizer;
use speech::{Hearing, Spoken, alike};

use crate::house::{House, phrases_of, settings};
use crate::listening::{Ears, LISTEN_FOR, recognized};
use crate::mix::{Condition, MS, Random, Scenery};
use crate::names;
use crate::report::Table;
use crate::voices;
use crate::work;

/// How many there are.
const CONTACTS: usize = 5000;
/// So many of them are called, each so many behind the one before.
const CALLED: usize = 200;
const STEP: usize = 37;
/// Starts that are timed.
const STARTS: usize = 5;

pub fn measure(ears: &Ears, _: f64) -> Table {
    let mut table = Table::new("Five thousand contacts");
    let (first, family) = (names::list("names.txt"), names::list("families.txt"));
    let people: Vec<String> =
        (0..CONTACTS).map(|it| format!("{} {}", first[it % first.len()], family[it % family.len()])).collect();
    let mut starts: Vec<Start> = (0..STARTS).map(|_| start(ears, &people)).collect();
    starts.sort_by_key(Start::total);
    let median = &starts[STARTS / 2];
    table.at_most(
        format!("from {CONTACTS} contacts to ears that hear them, median of {STARTS} starts"),
        2.0,
        median.total().as_secs_f64(),
        "s",
    );
    let steps = median.0.iter().map(|(what, it)| format!("{what} {:.2} s", it.as_secs_f64()));
    table.figure("of these", steps.collect::<Vec<_>>().join(", "));
    let house = House::of_people("en", &people);
    let model = ears.fresh("en");
    let _ = model.learn(&people.iter().map(|it| Spoken::plain(it.to_lowercase())).collect::<Vec<_>>());
    let phrases = phrases_of(&house.known(&model));
    let voices = voices::of("en");
    // Steps that share no factor with the lists, so that every first name comes.
    let called: Vec<(usize, &String)> = (0..CALLED).map(|it| (it, &people[it * STEP % people.len()])).collect();
    for (condition, bar) in [(Condition::Clean, Some(90.0)), (Condition::Noise(10), None)] {
        let scenery = Scenery::new();
        let jobs: Vec<&[(usize, &String)]> = called.chunks(called.len().div_ceil(4)).collect();
        let heard = work::all("contacts", &jobs, |job| {
            let mut recognizer = Recognizer::new(&model, &phrases);
            let mut random = Random::new(job[0].1);
            let mut results = Vec::new();
            for (i, name) in job.iter() {
                let Some(sound) = voices[i % voices.len()].says(&format!("call {name}")) else { continue };
                let sound = scenery.around(&sound, condition, 300 * MS, 500 * MS, &mut random);
                let heard = recognizer.as_mut().map_or_else(String::new, |it| recognized(it, &sound));
                let right = house.meaning(&heard).is_some_and(|it| it.contact() == Some(name.as_str()));
                results.push((right, format!("{name} ({heard})")));
            }
            results
        });
        let heard: Vec<(bool, String)> = heard.into_iter().flatten().collect();
        let right = 100.0 * heard.iter().filter(|it| it.0).count() as f64 / heard.len().max(1) as f64;
        let what = format!("the right one of them called, {} by unheard voices, {}", heard.len(), condition.name());
        match bar {
            Some(bar) => table.at_least(what, bar, right, "%"),
            None => table.figure(what, format!("{right:.1} %")),
        }
        let wrong: Vec<String> = heard.into_iter().filter(|it| !it.0).map(|it| it.1).collect();
        table.note(format!("Not understood, {}: {}.", condition.name(), wrong.join(", ")));
    }
    table.note(
        "First names are those of Names, family names common ones of the United States. Ready is: model opened, names learned and compared by ear, sentences made, graph and recognizers made; all that a start \
does with contacts but reading their file.",
    );
    table
}

/// How long each step took.
struct Start(Vec<(&'static str, Duration)>);

impl Start {
    fn total(&self) -> Duration {
        self.0.iter().map(|it| it.1).sum()
    }
}

/// What the daemon does from the contacts to ears that hear them.
fn start(ears: &Ears, people: &[String]) -> Start {
    let mut steps = Vec::new();
    let mut begin = Instant::now();
    let mut done = |what| {
        steps.push((what, begin.elapsed()));
        begin = Instant::now();
    };
    let model = ears.fresh("en");
    done("model");
    let names: Vec<String> = people.iter().map(|it| it.to_lowercase()).collect();
    let _ = model.learn(&names.iter().map(Spoken::plain).collect::<Vec<_>>());
    done("learning");
    let whole_and_first = names.iter().flat_map(|it| [Some(it.as_str()), it.split_once(' ').map(|it| it.0)]).flatten();
    let names: BTreeSet<String> = whole_and_first.map(str::to_owned).collect();
    let sets = alike::sets(model.lexicon().expect("a model of ours"), &names);
    done("comparing");
    let house = House::of_people("en", people);
    let listen = house.listen(&model, None);
    done("sentences");
    let mut hearing = Hearing::new(&model, settings(&["hello operator".to_owned()], LISTEN_FOR)).expect("a wake phrase");
    done("graph");
    hearing.listen(listen);
    done("grammar");
    assert!(!sets.is_empty(), "many have the same name");
    Start(steps)
}
