//! `hark check`: everything that is wrong with the configuration, at once, each with its place and how to mend it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use control::contacts::Contacts;
use control::intent::grammar;
use control::phrases::Phrases;
use speech::{Model, ModelError};

use crate::config::contacts::Spoken;
use crate::config::problems::{Place, Problem, Problems};
use crate::config::reader::Findings;
use crate::config::yaml::{self, Node, Value};
use crate::config::{Settings, Sources, contacts, file, load, paths, phrases};
use crate::names;

/// The exit code of bad configuration (sysexits.h, EX_CONFIG).
const BAD_CONFIGURATION: u8 = 78;

/// The arguments of `hark check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without FILES that is checked which `hark run` would use.

Examples:
  hark check
  hark --config configs/hark.yaml check
  hark check contacts.yaml phrases/en.yaml
  hark check --example > hark.yaml         begin with a file that explains every key
  hark check --sentences | grep volume     all that can be said, with the name of what it asks for")]
pub struct CheckArgs {
    /// Files to check by themselves: hark.yaml, contacts.yaml or phrases, told apart by what is in them.
    pub files: Vec<PathBuf>,

    /// Print an example of hark.yaml with all keys, their defaults and what they mean.
    #[arg(long, conflicts_with = "files")]
    pub example: bool,

    /// Print all sentences that can be said after the wake phrase or as an answer: what they ask for, a tab, the words. Courtesies around
    /// them are left out, and of numbers there is one of each digit.
    #[arg(long, conflicts_with_all = ["files", "example"])]
    pub sentences: bool,
}

/// Checks and prints. The exit code is 78 if anything is wrong.
///
/// # Errors
/// None so far; commands have this shape.
pub fn run(arguments: &CheckArgs, sources: &Sources) -> anyhow::Result<ExitCode> {
    if arguments.example {
        print!("{}", include_str!("../../../../configs/hark.yaml"));
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.sentences {
        return sentences(sources);
    }
    let outcome = if arguments.files.is_empty() { what_runs(sources) } else { these(&arguments.files) };
    print!("{}", outcome.text());
    Ok(if outcome.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(BAD_CONFIGURATION) })
}

fn sentences(sources: &Sources) -> anyhow::Result<ExitCode> {
    let loaded = match load(sources) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        }
    };
    let mut out = std::io::stdout().lock();
    let languages = std::iter::once(&loaded.phrases).chain(&loaded.also);
    for (intent, text) in languages.flat_map(|it| grammar::sentences(it, &loaded.contacts, &[]).all()) {
        match writeln!(out, "{intent}\t{text}") {
            // Whoever reads has read enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            written => written.context("writing to standard output")?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What was found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is odd and works.
    pub warnings: Vec<Problem>,
    /// How many files were read.
    pub n_files: usize,
    /// What is right, in a few words.
    pub summary: String,
}

impl Outcome {
    /// For people: one line for each problem and warning, then the sum.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            text += &format!("{problem}\n");
        }
        for warning in &self.warnings {
            text += &format!("{}: warning: {}; {}\n", warning.place, warning.what, warning.mend);
        }
        let files = count(self.n_files, "file");
        text += &match (self.problems.len(), self.warnings.len()) {
            (0, 0) => format!("ok: {}\n", self.summary),
            (0, n) => format!("ok, with {}: {}\n", count(n, "warning"), self.summary),
            (n, 0) => format!("{} in {files}\n", count(n, "problem")),
            (n, m) => format!("{} and {} in {files}\n", count(n, "problem"), count(m, "warning")),
        };
        text
    }
}

/// All that `hark run` would read.
pub fn what_runs(sources: &Sources) -> Outcome {
    match load(sources) {
        Ok(loaded) => {
            let (mut warnings, mut problems) = (loaded.warnings.clone(), Vec::new());
            match loaded.settings.open_model() {
                Ok(model) => warnings.extend(names::problems(&loaded.spoken, &loaded.contacts, &loaded.phrases, &model)),
                Err(error) => problems.push(bad_model(&loaded.settings.speech.model, &error)),
            }
            let read: Vec<String> = loaded.files.iter().filter(|it| it.exists()).map(|it| it.display().to_string()).collect();
            let from = if read.is_empty() { "built-in defaults".into() } else { read.join(", ") };
            let people = count(loaded.contacts.people.len(), "contact");
            let accounts = count(loaded.settings.sip.accounts.len(), "account");
            let summary = format!("room `{}`, {people}, {accounts}, from {from}", loaded.settings.control.room);
            Outcome { problems, warnings: Problems::new(warnings).0, n_files: read.len(), summary }
        }
        Err(problems) => {
            let mut files: Vec<String> = problems.0.iter().map(|it| file_of(&it.place.to_string())).collect();
            files.sort();
            files.dedup();
            Outcome { problems: problems.0, n_files: files.len(), ..Outcome::default() }
        }
    }
}

/// `hark run` would not start with it.
fn bad_model(folder: &Path, error: &ModelError) -> Problem {
    let text = error.to_string();
    let (what, mend) = text.split_once("; ").unwrap_or((&text, "install it again"));
    Problem::new(&Place::file(folder), what, mend)
}

/// These files, each by itself; lines that contacts name are looked for in a hark.yaml among them.
pub fn these(files: &[PathBuf]) -> Outcome {
    let findings = Findings::default();
    let trees: Vec<(&PathBuf, Option<Node>)> =
        files.iter().map(|path| (path, yaml::read(path, &mut findings.problems.borrow_mut()))).collect();
    let mut kinds = Vec::new();
    let mut lines: Option<Vec<String>> = None;
    let mut spoken: Vec<Spoken> = Vec::new();
    let mut settings = None;
    let mut people = Contacts::default();
    let mut said = None;
    for (path, tree) in &trees {
        let Some(tree) = tree else { continue };
        if kind(path, tree) == Kind::Settings {
            let read = file::read(tree, true, &findings);
            lines.get_or_insert_default().extend(read.settings.control.lines.iter().map(|line| line.name.clone()));
            spoken.extend(read.wake_phrases.into_iter().map(|(phrase, place)| Spoken::wake_phrase(phrase, place)));
            settings = Some(read.settings);
        }
    }
    for (path, tree) in &trees {
        let Some(tree) = tree else { continue };
        let kind = kind(path, tree);
        match kind {
            Kind::Settings => (),
            Kind::Contacts => {
                let (read, names) = contacts::read(tree, lines.as_deref(), &findings);
                people.people.extend(read.people);
                spoken.extend(names);
            }
            Kind::Phrases => said = Some(phrases::read(tree, &findings)),
        }
        kinds.push(format!("{} ({})", path.display(), kind.name()));
    }
    let problems = Problems::new(findings.problems.into_inner()).0;
    let mut warnings = findings.warnings.into_inner();
    if problems.is_empty() {
        warnings.extend(heard_badly(settings, &spoken, &people, said));
    }
    Outcome { problems, warnings: Problems::new(warnings).0, n_files: files.len(), summary: kinds.join(", ") }
}

/// What is odd about names and wake phrases. Where there is no model, `hark doctor` tells.
fn heard_badly(settings: Option<Settings>, spoken: &[Spoken], people: &Contacts, said: Option<Phrases>) -> Vec<Problem> {
    let model = match &settings {
        Some(settings) => settings.open_model().ok(),
        None => paths::model(paths::BUILT_IN, Path::new(""), Path::new("")).and_then(|it| Model::open(&it).ok()),
    };
    let language = settings.map_or_else(|| "en".to_owned(), |it| it.control.language);
    let phrases = said.or_else(|| phrases::built_in(&language)).unwrap_or_default();
    model.map_or_else(Vec::new, |model| names::problems(spoken, people, &phrases, &model))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Settings,
    Contacts,
    Phrases,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Settings => "settings",
            Kind::Contacts => "contacts",
            Kind::Phrases => "phrases",
        }
    }
}

/// By what is in the file, or else by its name.
fn kind(path: &Path, tree: &Node) -> Kind {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let in_phrases = path.parent().and_then(Path::file_name).is_some_and(|it| it == "phrases");
    if matches!(tree.get("contacts"), Some(Node { value: Value::List(_) | Value::Map(_), .. })) || name.contains("contacts") {
        Kind::Contacts
    } else if ["intents", "prompts", "digits"].iter().any(|key| tree.get(key).is_some()) || in_phrases {
        Kind::Phrases
    } else {
        Kind::Settings
    }
}

/// `a.yaml` of `a.yaml:3:4`; a variable stands for itself.
fn file_of(place: &str) -> String {
    let mut parts = place.rsplitn(3, ':');
    match (parts.next().map(str::parse::<u32>), parts.next().map(str::parse::<u32>), parts.next()) {
        (Some(Ok(_)), Some(Ok(_)), Some(file)) => file.to_owned(),
        _ => place.to_owned(),
    }
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
