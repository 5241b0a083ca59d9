//! Names: common ones told apart, rare ones learned at run time.

use std::path::Path;

use control::intent::Intent;
use speech::SecondLook;

use crate::house::House;
use crate::listening::Ears;
use crate::mix::{Condition, MS, Random, Scenery};
use crate::report::Table;
use crate::voices::{self, Voice};
use crate::work;

/// A name, how it is written for the voice, and which voice says it.
type Said = (String, String, Voice);

pub fn measure(ears: &Ears, _: f64) -> Table {
    let mut table = Table::new("Names");
    let common = list("names.txt");
    let rare: Vec<(String, String)> = read("rare.txt")
        .lines()
        .filter(|it| !it.starts_with('#'))
        .flat_map(|it| it.split(';'))
        .filter_map(|it| it.trim().split_once(' ').map(|(language, name)| (language.to_owned(), name.to_owned())))
        .collect();
    let all = voices::of("en");
    let voice = |i: usize| all[i % all.len()];
    let said: Vec<Said> = common
        .iter()
        .enumerate()
        .flat_map(|(i, name)| [(i, name), (i + 7, name)].map(|(i, name)| (name.clone(), name.clone(), voice(i))))
        .collect();
    for (condition, bar) in [(Condition::Clean, Some(97.0)), (Condition::Noise(10), None)] {
        let (right, wrong) = run(ears, "common names", &common, &said, &[], condition);
        let what = format!("the {} most common English first names told apart, {}", common.len(), condition.name());
        match bar {
            Some(bar) => table.at_least(what, bar, right, "%"),
            None => table.figure(what, format!("{right:.1} %")),
        }
        table.note(format!("Not told apart, {}: {}.", condition.name(), wrong.join(", ")));
    }
    // Half by voices that know the language, half by voices that read it as if it were English.
    let own = |i: usize, language: &str, name: &str| match voice(i) {
        it @ Voice::Espeak(_, variant, _) => (format!("<voice name=\"{language}+{variant}\">{name}</voice>"), it),
        it => (name.to_owned(), it),
    };
    let in_its_own: Vec<Said> = rare
        .iter()
        .enumerate()
        .map(|(i, (language, name))| {
            let (written, voice) = own(i % 10, language, name);
            (name.clone(), written, voice)
        })
        .collect();
    let read_english: Vec<Said> =
        rare.iter().enumerate().map(|(i, (_, name))| (name.clone(), name.clone(), voice(10 + i % 4))).collect();
    let names: Vec<String> = rare.iter().map(|it| it.1.clone()).chain(common.iter().take(20).cloned()).collect();
    let (right, wrong) = run(ears, "rare names", &names, &in_its_own, &rare, Condition::Clean);
    table.at_least(format!("{} rare and foreign names added at run time, said in their languages", rare.len()), 90.0, right, "%");
    table.note(format!("Rare names not understood: {}.", wrong.join(", ")));
    let (right, _) = run(ears, "rare names", &names, &read_english, &rare, Condition::Clean);
    table.figure("the same as English voices read them from the page (flite, festival; often wrongly)", format!("{right:.1} %"));
    table.note(
        "As the second look alone hears them, however unsure. Names that sound the same to the model are asked about, \
as the speaker does: a question that offers the right one counts as understood.",
    );
    table
}

/// A list of single names.
pub fn list(file: &str) -> Vec<String> {
    let text = read(file);
    text.lines().filter(|it| !it.starts_with('#')).flat_map(str::split_whitespace).map(str::to_owned).collect()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a list of names")
}

/// The part that was understood, %, and what was not.
fn run(
    ears: &Ears,
    what: &str,
    names: &[String],
    said: &[Said],
    languages: &[(String, String)],
    condition: Condition,
) -> (f64, Vec<String>) {
    let model = ears.fresh("en");
    let texts: Vec<speech::Spoken> = languages
        .iter()
        .map(|(language, name)| speech::Spoken { language: Some(language.clone()), ..speech::Spoken::plain(name.to_lowercase()) })
        .collect();
    if let Err(error) = model.learn(&texts) {
        eprintln!("   {error}");
    }
    let scenery = Scenery::new();
    let house = House::of_people_alike("en", names, &model);
    let ways = house.listen(&model, None).ways;
    let jobs: Vec<&[Said]> = said.chunks(said.len().div_ceil(4).max(1)).collect();
    let results = work::all(what, &jobs, |job| {
        let mut look = SecondLook::new(&model, &ways, &[]).ok().flatten();
        let mut random = Random::new(&job[0].0);
        let mut results = Vec::new();
        for (name, written, voice) in job.iter() {
            let Some(sound) = voice.says(&format!("call {written}")) else { continue };
            let sound = scenery.around(&sound, condition, 300 * MS, 500 * MS, &mut random);
            let heard = look.as_mut().map_or_else(String::new, |it| house.seen(it, &sound));
            // Whom several may be, the speaker asks.
            let right = matches!(house.meaning(&heard), Some(Intent::Dial { who, .. }) if who.contains(name));
            results.push((right, format!("{name} ({heard})")));
        }
        results
    });
    let results: Vec<(bool, String)> = results.into_iter().flatten().collect();
    let right = results.iter().filter(|it| it.0).count();
    (100.0 * right as f64 / results.len().max(1) as f64, results.into_iter().filter(|it| !it.0).map(|it| it.1).collect())
}
