//! `hark hear`: what the speaker would have heard in sound files, as JSON lines.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use control::action::Scope;
use control::intent::{self, grammar};
use serde::Serialize;
use speech::{Heard, Hearing, HearingSettings, Listen, Model, Notice};

use crate::config::{Settings, Sources, load, paths};
use crate::{ears, names};

/// The exit code of bad configuration (sysexits.h, EX_CONFIG).
pub(super) const BAD_CONFIGURATION: u8 = 78;
/// Silence after each file: longer than the longest pause that is waited for, so that the last words are decided upon.
const SILENCE_S: usize = 2;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// The arguments of `hark hear`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each line of the output is one thing that was heard:
  {\"file\":\"a.wav\",\"t\":3.21,\"kind\":\"command\",\"text\":\"call mom\",\"intent\":\"dial\",\"contact\":\"Mom\",\"confidence\":1.0,\"decided\":3.35}
t is when the words ended and decided when that was known, in seconds of sound. kind is wake, command, open: words such as
\"announce\", after which one says what one likes; recorded: that, of so many seconds; or rejected: said after the wake phrase, but
nothing that the speaker knows. score, of a wake phrase: how well it was heard, to be compared with other speakers. Wake phrases,
contacts and model are those of hark.yaml unless given here.

Examples:
  hark hear recording.wav
  hark hear --contacts contacts.yaml *.flac > heard.jsonl
  hark hear --phrase computer --phrase 'hey house' living-room.wav
  hark hear --model ./models/vosk-model-small-de-0.15 --phrase 'hallo haus' aufnahme.wav")]
pub struct HearArgs {
    /// WAV or FLAC files, any rate; channels are mixed.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    /// Contacts to listen for, in place of those that hark.yaml names.
    #[arg(long, value_name = "FILE")]
    pub contacts: Option<PathBuf>,

    /// Wake phrase, in place of those of hark.yaml; may be given several times.
    #[arg(long, value_name = "WORDS")]
    pub phrase: Vec<String>,

    /// Folder of a Vosk model, or the name of one that came with Hark or was installed.
    #[arg(long, value_name = "FOLDER")]
    pub model: Option<PathBuf>,
}

/// One thing that was heard; the keys are documented in the help and do not change.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    t: f64,
    kind: &'static str,
    text: &'a str,
    intent: Option<&'static str>,
    contact: Option<String>,
    confidence: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    decided: f64,
}

/// Hears all files and prints lines. The exit code is 1 if a file could not be read, 78 if the configuration is wrong.
///
/// # Errors
/// When the model or a wake phrase cannot be used.
pub fn run(arguments: &HearArgs, sources: &Sources) -> anyhow::Result<ExitCode> {
    let contacts = arguments.contacts.clone().or_else(|| sources.contacts.clone());
    let loaded = match load(&Sources { contacts, ..sources.clone() }) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        }
    };
    let model = open(arguments.model.as_deref(), &loaded.settings)?;
    for problem in names::problems(&loaded.spoken, &loaded.contacts, &loaded.phrases, &model) {
        eprintln!("{}: warning: {}; {}", problem.place, problem.what, problem.mend);
    }
    let decisions = &loaded.settings.control;
    let wake_phrases = if arguments.phrase.is_empty() { decisions.wake_phrases.clone() } else { arguments.phrase.clone() };
    let unknown = model.unknown_words(&arguments.phrase);
    if !unknown.is_empty() {
        let words: Vec<_> = unknown.into_iter().collect();
        bail!("the model in `{}` does not know {}; choose another --phrase", model.path().display(), words.join(", "));
    }
    let (min_confidence, listen_for) = (decisions.min_confidence, decisions.listen_for);
    let settings = HearingSettings {
        wake_phrases,
        min_confidence,
        sensitivity: loaded.settings.wake.sensitivity,
        keep_near_misses: false,
        listen_for,
        gain_db: loaded.settings.house.microphone_gain_db,
    };
    let learned = names::learn(&loaded.contacts, &loaded.phrases, &model).contacts;
    let contacts = loaded.also.iter().fold(learned, |contacts, it| contacts.with_names_in(it, &[]));
    let emergency: Vec<String> = decisions.lines.iter().flat_map(|it| it.emergency.iter().cloned()).collect();
    let languages = || std::iter::once(&loaded.phrases).chain(&loaded.also);
    let sentences: Vec<_> = languages().map(|it| grammar::sentences(it, &contacts, &emergency)).collect();
    let open = languages().flat_map(|it| intent::open::sentences(it, &contacts, &[]).into_keys()).collect();
    let all = sentences.iter().map(|it| it.grammar(Scope::Asleep, &[])).reduce(intent::Grammar::with);
    let grammar = intent::Grammar { open, ..all.unwrap_or_default() };
    let unknown = model.unknown_words(grammar.words());
    let listen = ears::listen_for(grammar.without(&unknown), None);
    let meaning = |text: &str| sentences.iter().find_map(|it| intent::parse(text, it));
    hear_all(&arguments.files, &model, &settings, &listen, meaning)
}

fn open(wanted: Option<&Path>, settings: &Settings) -> anyhow::Result<Model> {
    let folder = match wanted {
        None => settings.speech.model.clone(),
        Some(path) if path.is_dir() => path.to_owned(),
        Some(path) => {
            let here = std::env::current_dir().context("finding the current folder")?;
            paths::model(&path.to_string_lossy(), &here, &settings.state_dir).unwrap_or_else(|| path.to_owned())
        }
    };
    Ok(Model::with(&folder, &settings.languages())?)
}

fn hear_all(
    files: &[PathBuf],
    model: &Model,
    settings: &HearingSettings,
    listen: &Listen,
    meaning: impl Fn(&str) -> Option<intent::Intent>,
) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let (mut heard_s, mut failed) = (0.0, 0);
    let (began, mut told) = (Instant::now(), Instant::now());
    for (n, file) in files.iter().enumerate() {
        let samples = match media::wav::read(file, speech::RATE_HZ) {
            Ok(samples) => samples,
            Err(error) => {
                eprintln!("{error}");
                failed += 1;
                continue;
            }
        };
        heard_s += samples.len() as f64 / f64::from(speech::RATE_HZ);
        // Each file by itself: what is heard in one must not depend on those before it.
        let name = file.to_string_lossy();
        for notice in hear(&samples, model, settings, listen)? {
            let Some(line) = line(&name, &notice, &meaning) else { continue };
            let written = writeln!(out, "{}", serde_json::to_string(&line).context("writing JSON")?).and_then(|()| out.flush());
            match written {
                // Whoever reads has read enough (`hark hear ... | head`).
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                written => written.context("writing to standard output")?,
            }
        }
        if told.elapsed() >= TELL_EVERY && std::io::stderr().is_terminal() {
            told = Instant::now();
            let speed = heard_s / began.elapsed().as_secs_f64();
            eprintln!("{} of {} files, {:.0} s of sound, {speed:.0} times as fast as it was said", n + 1, files.len(), heard_s);
        }
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn hear(samples: &[f32], model: &Model, settings: &HearingSettings, listen: &Listen) -> anyhow::Result<Vec<Notice>> {
    let mut hearing = Hearing::new(model, settings.clone())?;
    hearing.listen(listen.clone());
    let mut notices = Vec::new();
    let silence = std::iter::repeat_n(0.0, SILENCE_S * speech::RATE_HZ as usize);
    let pairs: Vec<f32> = samples.iter().copied().chain(silence).flat_map(|it| [it, 0.0]).collect();
    hearing.feed(&pairs, &mut notices);
    Ok(notices)
}

fn line<'a>(file: &'a str, notice: &'a Notice, meaning: impl Fn(&str) -> Option<intent::Intent>) -> Option<Line<'a>> {
    let (kind, intent) = match &notice.kind {
        Heard::Wake { .. } => ("wake", None),
        Heard::Sentence { text, .. } => ("command", meaning(text)),
        Heard::Open { .. } => ("open", None),
        Heard::Recorded { .. } => ("recorded", None),
        Heard::Rejected { .. } => ("rejected", None),
        Heard::Nothing | Heard::NearMiss { .. } => return None,
    };
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let thousandths = |it: f32| (it * 1000.0).round() / 1000.0;
    let score = match &notice.kind {
        Heard::Wake { score } => Some(thousandths(*score)),
        _ => None,
    };
    let recorded = match &notice.kind {
        Heard::Recorded { samples } => Some(samples.len() as f64 / f64::from(speech::RATE_HZ)),
        _ => None,
    };
    Some(Line {
        file,
        t: seconds(notice.said_until_ms),
        kind,
        text: &notice.text,
        intent: intent.as_ref().map(intent::Intent::name),
        contact: intent.as_ref().and_then(|it| it.contact()).map(str::to_owned),
        confidence: thousandths(notice.confidence),
        score,
        seconds: recorded,
        decided: seconds(notice.at_ms),
    })
}
