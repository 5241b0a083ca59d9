//! `hark tune`: how readily the wake phrase is heard, chosen with the help of what was almost heard.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use media::card::{Card, CardSettings};
use media::engine::{Engine, EngineSettings};
use media::order::{Bus, Command, SoundId};
use media::{RATE_HZ, clip};

use super::change;
use crate::config::{AudioSettings, Settings, Sources, load};
use crate::models;
use crate::near_misses::{self, Kept, MOST};

/// Until the last of a sound has left the loudspeaker.
const AFTERWARDS: Duration = Duration::from_millis(400);

/// The arguments of `hark tune`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With `wake.keep_near_misses: true` in hark.yaml the speaker keeps the last 50 sounds that were almost the wake phrase, on this machine only.
Here they are played one after the other; for each one says whether it was meant for the speaker. From the answers a `wake.sensitivity` is computed.

Examples:
  hark tune
  hark tune --yes                          write the outcome without asking
  hark tune --list                         only show what is kept
  hark tune --clear                        delete what is kept")]
pub struct TuneArgs {
    /// Only show what is kept and what it would come to.
    #[arg(long)]
    pub list: bool,

    /// Delete what is kept.
    #[arg(long, conflicts_with_all = ["list", "yes", "dry_run"])]
    pub clear: bool,

    /// Write the outcome into hark.yaml without asking.
    #[arg(long)]
    pub yes: bool,

    /// Show what would be written into hark.yaml, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Plays, asks, computes and writes.
///
/// # Errors
/// The text says what, where and what to do.
pub fn run(arguments: &TuneArgs, sources: &Sources) -> anyhow::Result<ExitCode> {
    let loaded = match load(sources) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(ExitCode::from(crate::cli::BAD_CONFIGURATION));
        }
    };
    let folder = near_misses::folder(&models::state_of(&loaded.settings.state_dir));
    if arguments.clear {
        println!("deleted {} near misses", near_misses::clear(&folder)?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut kept = near_misses::list(&folder);
    if let Err(err) = std::fs::read_dir(&folder)
        && err.kind() == std::io::ErrorKind::PermissionDenied
    {
        bail!("`{}` is not for this user to read; as root: sudo hark tune", folder.display());
    }
    show(&loaded.settings, &kept, &folder);
    if kept.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.list && std::io::stdin().is_terminal() {
        ask(&mut kept, &loaded.settings.audio)?;
    }
    let judged: Vec<(f32, bool)> = kept.iter().filter_map(|it| Some((it.note.score, meant(it)?))).collect();
    if judged.is_empty() {
        println!("nobody has said yet which of them were meant for the speaker: run `hark tune` in a terminal");
        return Ok(ExitCode::SUCCESS);
    }
    let now = loaded.settings.wake.sensitivity;
    let better = speech::tune(&judged, now);
    println!("{} of {} were meant for the speaker", judged.iter().filter(|it| it.1).count(), judged.len());
    if (better - now).abs() < 0.005 {
        println!("sensitivity {now:.2} is right as it is");
        return Ok(ExitCode::SUCCESS);
    }
    println!("sensitivity {better:.2} would suit better than {now:.2}");
    if arguments.list {
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.yes && !arguments.dry_run {
        let agreed = std::io::stdin().is_terminal() && answer("write it into hark.yaml? [y/n] ")?.starts_with('y');
        if !agreed {
            println!("nothing was changed; `hark tune --yes` writes it");
            return Ok(ExitCode::SUCCESS);
        }
    }
    change::set("wake", "sensitivity", &format!("{better:.2}"), arguments.dry_run, sources)
}

/// What a person said; without that, a phrase that was said again at once was meant.
fn meant(it: &Kept) -> Option<bool> {
    it.note.meant.or(it.note.heard_again.then_some(true))
}

fn show(settings: &Settings, kept: &[Kept], folder: &Path) {
    println!("sensitivity {:.2}", settings.wake.sensitivity);
    println!("what it means, measured with recordings of people who had no part in the training:");
    println!("{:>12}{:>10}{:>22}", "sensitivity", "missed", "false wakes per day");
    for (sensitivity, missed, per_day) in speech::SENSITIVITIES {
        println!("{sensitivity:>12.1}{:>8.1} %{per_day:>22.1}", 100.0 * missed);
    }
    println!();
    if kept.is_empty() {
        let why = if settings.wake.keep_near_misses {
            "there was none yet (those of the speaker that systemd runs: sudo hark tune)"
        } else {
            "`wake.keep_near_misses: true` in hark.yaml lets the speaker keep them"
        };
        println!("no near misses are kept: {why}");
        return;
    }
    println!("{} near misses of at most {MOST}, in {}:", kept.len(), folder.display());
    for it in kept {
        let meant = match (it.note.meant, it.note.heard_again) {
            (Some(true), _) => "meant",
            (Some(false), _) => "not meant",
            (None, true) => "said again within seconds",
            (None, false) => "",
        };
        println!("  {}  {:.2}  {}  {meant}", it.note.at, it.note.score, it.note.phrase);
    }
}

/// Plays each that nobody has judged, and asks.
fn ask(kept: &mut [Kept], audio: &AudioSettings) -> anyhow::Result<()> {
    let open: Vec<&mut Kept> = kept.iter_mut().filter(|it| it.note.meant.is_none()).collect();
    let n = open.len();
    for (i, it) in open.into_iter().enumerate() {
        println!("\n{} of {n}: {}, \"{}\"", i + 1, it.note.at, it.note.phrase);
        if let Err(why) = play(&it.sound, audio) {
            println!("it cannot be played here ({why:#}); listen to {}", it.sound.display());
        }
        it.note.meant = match answer("was that meant for the speaker? [y/n, Enter to skip, q to stop] ")?.as_str() {
            "y" | "yes" => Some(true),
            "n" | "no" => Some(false),
            "q" | "quit" => break,
            _ => continue,
        };
        near_misses::note(&it.sound, &it.note)?;
    }
    Ok(())
}

/// Through the loudspeaker that `hark run` would use.
fn play(sound: &Path, audio: &AudioSettings) -> anyhow::Result<()> {
    let samples = media::wav::read(sound, RATE_HZ)?;
    let wanted = CardSettings { host: audio.host.clone(), input: audio.input.clone(), output: audio.output.clone() };
    let (_card, rings) = Card::open(&wanted)?;
    let settings = EngineSettings { realtime: false, ..EngineSettings::default() };
    let (mut engine, _ears) = Engine::start(rings, settings).context("starting the sound engine")?;
    let source = clip::from_samples(&samples, RATE_HZ);
    let sent = engine.send(Command::Play { id: SoundId(1), bus: Bus::Announce, source });
    sent.ok().context("the sound thread takes no commands")?;
    let end = Instant::now() + Duration::from_secs_f64(samples.len() as f64 / f64::from(RATE_HZ)) + AFTERWARDS;
    while Instant::now() < end {
        engine.poll();
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What is typed, in small letters; `q` at the end of the input.
fn answer(question: &str) -> anyhow::Result<String> {
    print!("{question}");
    std::io::stdout().flush()?;
    let mut line = String::new();
    Ok(match std::io::stdin().lock().read_line(&mut line)? {
        0 => "q".into(),
        _ => line.trim().to_lowercase(),
    })
}
