//! All files together: hark.yaml in its layers, contacts, phrases.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use control::contacts::Contacts;
use control::phrases::Phrases;

use super::contacts::Spoken;
use super::problems::{Place, Problem, Problems, did_you_mean};
use super::reader::Findings;
use super::yaml::{self, Node};
use super::{Settings, contacts, file, layers, phrases};

/// Where settings come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sources {
    /// The machine's hark.yaml; need not be there.
    pub system: PathBuf,
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// Contacts in place of those that hark.yaml names.
    pub contacts: Option<PathBuf>,
    /// The environment.
    pub variables: Vec<(String, String)>,
}

impl Default for Sources {
    fn default() -> Sources {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Sources { system: "/etc/hark/hark.yaml".into(), config: None, contacts: None, variables: variables.collect() }
    }
}

impl Sources {
    /// As `Default`, with `--config FILE`.
    pub fn with_config(config: Option<PathBuf>) -> Sources {
        Sources { config, ..Sources::default() }
    }
}

/// Everything that files say.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// hark.yaml.
    pub settings: Settings,
    /// contacts.yaml, and the built-in echo test.
    pub contacts: Contacts,
    /// The phrases of the speaker's language.
    pub phrases: Phrases,
    /// Those of the other languages that are understood.
    pub also: Vec<Phrases>,
    /// What was read, or would have been had it been there: these are watched.
    pub files: Vec<PathBuf>,
    /// What is odd and works.
    pub warnings: Vec<Problem>,
    /// Names and wake phrases that are listened for, and where they are written: for comparing with the model's vocabulary.
    pub spoken: Vec<Spoken>,
    /// Names that the model does not have, and the words of it that are listened for in their place; found when the names are learned.
    pub heard_as: BTreeMap<String, String>,
}

/// Reads all files. Everything that is wrong with any of them is told at once.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let findings = Findings::default();
    let (trees, mut files) = read_layers(sources, &findings);
    for tree in &trees {
        file::read(tree, false, &findings);
    }
    let findings = Findings { merged: true, ..findings };
    let read = file::read(&layers::merge(&trees), true, &findings);
    let mut settings = read.settings;
    // Files that nobody names lie beside hark.yaml.
    let beside = sources.config.as_ref().unwrap_or(&sources.system).parent().unwrap_or(Path::new("")).to_owned();
    let findings = Findings { merged: false, ..findings };

    let named = sources.contacts.clone().map(|path| (path, Place::BuiltIn)).or(read.contacts);
    settings.contacts_file = named.as_ref().map_or_else(|| beside.join("contacts.yaml"), |(path, _)| path.clone());
    files.push(settings.contacts_file.clone());
    let lines: Vec<String> = settings.control.lines.iter().map(|line| line.name.clone()).collect();
    let mut spoken: Vec<Spoken> =
        read.wake_phrases.into_iter().map(|(phrase, place)| Spoken::wake_phrase(phrase, place)).collect();
    let mut people = Contacts::default();
    if settings.contacts_file.exists() {
        let root = yaml::read(&settings.contacts_file, &mut findings.problems.borrow_mut());
        if let Some(root) = root {
            let (read, names) = contacts::read(&root, Some(&lines), &findings);
            people = read;
            spoken.extend(names);
        }
    } else if let Some((path, place)) = &named {
        let place = if *place == Place::BuiltIn { &Place::file(path) } else { place };
        findings.problem(place, format!("there is no contacts file `{}`", path.display()), "create it or correct the path");
    }

    for (name, place) in &read.people {
        if people.get(name).is_none() {
            let mend = match did_you_mean(name, people.people.iter().map(|it| &*it.name)) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "write the `name` of a contact as it is in contacts.yaml".to_owned(),
            };
            findings.problem(place, format!("`{name}` is no contact"), mend);
        }
    }

    settings.phrases_dir = read.phrases.as_ref().map_or_else(|| beside.join("phrases"), |(path, _)| path.clone());
    if let Some((path, place)) = read.phrases.filter(|(path, _)| !path.is_dir()) {
        findings.problem(
            &place,
            format!("there is no folder of phrases `{}`", path.display()),
            "correct the path or remove the line",
        );
    }
    files.push(settings.phrases_dir.join(format!("{}.yaml", settings.control.language)));
    let built_in = settings.speech.model.ends_with("models/hark");
    for (language, place) in std::iter::once((&settings.control.language, &read.language))
        .chain(read.also_understands.iter().map(|(language, place)| (language, place)))
        .filter(|(language, _)| built_in && !["en", "de", "zh"].contains(&language.split('-').next().unwrap_or_default()))
    {
        let what =
            format!("the speech model that comes with Hark was made for en, de and zh; it may understand `{language}` badly");
        findings.warning(place, what, "set `model` below `speech` to the folder of a Vosk model of the language");
    }
    let phrases = phrases::load(&settings.phrases_dir, &settings.control.language, &read.language, &findings);
    let mut also = Vec::new();
    for (language, place) in &read.also_understands {
        files.push(settings.phrases_dir.join(format!("{language}.yaml")));
        also.push(phrases::load(&settings.phrases_dir, language, place, &findings));
    }

    let problems = findings.problems.into_inner();
    if problems.is_empty() {
        let warnings = Problems::new(findings.warnings.into_inner()).0;
        let contacts = people.with_echo_test(&phrases);
        Ok(Loaded { settings, contacts, phrases, also, files, warnings, spoken, heard_as: BTreeMap::new() })
    } else {
        Err(Problems::new(problems))
    }
}

/// Where the control socket is, whatever else is wrong: a mistake in contacts.yaml must not keep anybody from hanging up.
pub fn socket(sources: &Sources) -> PathBuf {
    let findings = Findings::default();
    let (trees, _) = read_layers(sources, &findings);
    file::read(&layers::merge(&trees), true, &findings).settings.socket
}

/// Reads contacts alone, as for `hark hear --contacts FILE`. Lines that they name are not checked.
pub fn load_contacts(path: &Path) -> Result<Contacts, Problems> {
    let findings = Findings::default();
    let root = yaml::read(path, &mut findings.problems.borrow_mut());
    let contacts = root.map(|root| contacts::read(&root, None, &findings).0);
    let problems = findings.problems.into_inner();
    match contacts {
        Some(contacts) if problems.is_empty() => Ok(contacts),
        _ => Err(Problems::new(problems)),
    }
}

/// The layers that are there, lowest first, and the files they are in.
fn read_layers(sources: &Sources, findings: &Findings) -> (Vec<Node>, Vec<PathBuf>) {
    let mut problems = findings.problems.borrow_mut();
    let mut trees = Vec::new();
    let mut files = vec![sources.system.clone()];
    if sources.system.exists() {
        trees.extend(yaml::read(&sources.system, &mut problems));
    }
    if let Some(config) = &sources.config {
        trees.extend(yaml::read(config, &mut problems));
        files.push(config.clone());
    }
    trees.push(layers::environment(&sources.variables, &mut problems));
    (trees, files)
}
