//! `hark say-name`: speaks and prints what the speaker listens for when somebody says a name.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use control::contacts::{Contact, as_heard};
use media::card::{Card, CardSettings};
use media::engine::{Engine, EngineSettings};
use media::order::{Bus, Command, SoundId};
use speech::say::{self, Voice};
use speech::{Model, Spoken};

use super::hear;
use crate::config::{Loaded, Settings, Sources, load};
use crate::names;

/// Silence between two ways to say a name, in seconds.
const PAUSE_S: f32 = 0.5;
/// How long a card is waited for after the last sample went to it.
const LINGER: Duration = Duration::from_millis(500);

/// The arguments of `hark say-name`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For a name of contacts.yaml its `language` and `sounds_like` count, and its place there is told. Without a sound card the sounds are only printed.

Examples:
  hark say-name Siobhan --language ga
  hark say-name Siobhan --sounds-like 'she vaughn'
  hark say-name 王小明 --out name.wav")]
pub struct SayNameArgs {
    /// The name.
    #[arg(required = true, num_args = 1..)]
    pub name: Vec<String>,

    /// The language in which it is spoken, such as `ga`, as below `language` in contacts.yaml.
    #[arg(long)]
    pub language: Option<String>,

    /// Try what it sounds like, as below `sounds_like` in contacts.yaml; may be given several times.
    #[arg(long, value_name = "WORDS")]
    pub sounds_like: Vec<String>,

    /// Write the sounds into this file and do not play them.
    #[arg(long, value_name = "WAV")]
    pub out: Option<PathBuf>,
}

/// Speaks and prints all ways to say the name. The exit code is 1 if there is none, 78 if the configuration is wrong.
///
/// # Errors
/// When the model cannot be opened, or the sounds not be made.
pub fn run(arguments: &SayNameArgs, sources: &Sources) -> anyhow::Result<ExitCode> {
    let loaded = match load(sources) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(ExitCode::from(hear::BAD_CONFIGURATION));
        }
    };
    let model = loaded.settings.open_model()?;
    let name = arguments.name.join(" ");
    let contact = loaded.contacts.people.iter().find(|it| it.is_called(&name));
    if let Some(contact) = contact {
        let place = loaded.spoken.iter().find(|it| it.contact.as_ref() == Some(&contact.name)).map(|it| it.place.to_string());
        println!("{}{}", contact.name, place.map(|it| format!(", {it}")).unwrap_or_default());
    }
    match model.lexicon() {
        Some(_) => speak_all(&wanted(&name, arguments, contact), &model, &loaded.settings, arguments),
        None => nearest(&name, &loaded, &model),
    }
}

fn wanted(name: &str, arguments: &SayNameArgs, contact: Option<&Contact>) -> Spoken {
    let like = if arguments.sounds_like.is_empty() { contact.map(|it| it.sounds_like.clone()) } else { None };
    Spoken {
        text: as_heard(name),
        language: arguments.language.clone().or_else(|| contact?.language.clone()),
        sounds_like: like.unwrap_or_else(|| arguments.sounds_like.clone()).iter().map(|it| as_heard(it)).collect(),
    }
}

/// Our model learns the name.
fn speak_all(name: &Spoken, model: &Model, settings: &Settings, arguments: &SayNameArgs) -> anyhow::Result<ExitCode> {
    let Some(lexicon) = model.lexicon() else { return Ok(ExitCode::FAILURE) };
    let failed = model.learn(std::slice::from_ref(name)).err();
    let mut samples = Vec::new();
    let mut rate_hz = speech::RATE_HZ;
    let mut unsaid = Vec::new();
    for word in name.text.split(' ') {
        let variants = lexicon.pronounce(word);
        if variants.is_empty() {
            unsaid.push(word);
        }
        for variant in variants {
            println!("  {word}: {}", lexicon.phones().spelled(&variant));
            let voice = Voice::default();
            let (spoken, rate) =
                say::speak(&voice, &lexicon.phones().for_espeak(&variant), "en-us").context("speaking the name")?;
            samples.extend(spoken);
            samples.extend(std::iter::repeat_n(0.0, (PAUSE_S * rate as f32) as usize));
            rate_hz = rate;
        }
    }
    if !unsaid.is_empty() {
        let why = failed.map(|it| format!(": {it}")).unwrap_or_default();
        bail!("there is no way to say {}{why}; write it in common words below `sounds_like:`", unsaid.join(", "));
    }
    match &arguments.out {
        Some(file) => media::wav::write(file, &samples, rate_hz)?,
        None => play(&samples, rate_hz, settings),
    }
    Ok(ExitCode::SUCCESS)
}

/// An official model listens for words that it has.
fn nearest(name: &str, loaded: &Loaded, model: &Model) -> anyhow::Result<ExitCode> {
    let contact = loaded.contacts.people.iter().find(|it| it.is_called(name)).cloned();
    let contact = contact.unwrap_or_else(|| Contact {
        name: name.to_owned(),
        aliases: Vec::new(),
        sounds_like: Vec::new(),
        language: None,
        addresses: Vec::new(),
        groups: Vec::new(),
    });
    let mut contacts = loaded.contacts.clone();
    contacts.people = vec![contact];
    let learned = names::learn(&contacts, &loaded.phrases, model);
    let heard = learned.contacts.people.iter().flat_map(|it| it.heard_names(&loaded.phrases));
    let heard: Vec<String> = heard.filter(|it| model.unknown_words([it]).is_empty()).collect();
    for words in &heard {
        println!("  {words}");
    }
    if heard.is_empty() {
        bail!("the speech model has no words for it; write some below `sounds_like:`")
    } else {
        Ok(ExitCode::SUCCESS)
    }
}

/// A card that is not there, or that the running speaker keeps to itself, is no failure: the sounds are printed.
fn play(samples: &[f32], rate_hz: u32, settings: &Settings) {
    let audio = &settings.audio;
    let wanted = CardSettings { host: audio.host.clone(), input: audio.input.clone(), output: audio.output.clone() };
    let played = Card::open(&wanted).map_err(|err| err.to_string()).and_then(|(_card, rings)| {
        let engine = EngineSettings { realtime: false, ..EngineSettings::default() };
        let (mut engine, _ears) = Engine::start(rings, engine).map_err(|err| err.to_string())?;
        let source = media::clip::from_samples(samples, rate_hz);
        let play = Command::Play { id: SoundId(1), bus: Bus::Announce, source };
        engine.send(play).map_err(|_| "the sound thread takes no commands".to_owned())?;
        let until = std::time::Instant::now() + Duration::from_secs_f32(samples.len() as f32 / rate_hz as f32) + LINGER;
        while std::time::Instant::now() < until {
            engine.poll();
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    });
    if let Err(err) = played {
        eprintln!("not played: {err}");
    }
}
