//! The command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use crate::cmd::{check, devices, doctor, echo, hear, house, models, say_name, status, tune};
use crate::config::{self, Sources};
use crate::socket::{self, Question};
use crate::{demo, run};

/// The exit code of bad configuration (sysexits.h, EX_CONFIG); systemd does not try again after it.
pub const BAD_CONFIGURATION: u8 = 78;

/// The control socket of the speaker that systemd runs.
const SYSTEM_SOCKET: &str = "/run/hark/control.sock";

/// The household phone that nobody can switch off.
#[derive(Debug, Parser)]
#[command(
    name = "hark",
    version,
    about,
    after_help = "\
Examples:
  hark run                             listen; say the wake phrase, then a command
  hark demo --out demo-out             a call in a simulated room, no sound card needed
  hark call mom                        let the running speaker call mom
  hark check                           is the configuration right?
  hark doctor                          microphone, loudspeaker, model, SIP, MQTT: what is wrong and how to mend it"
)]
pub struct Arguments {
    /// The configuration file; its settings are laid over those of /etc/hark/hark.yaml.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The control socket of the running speaker.
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// error, warn, info, debug or trace; also for single parts, such as `info,hark::lines=debug`. Without it, RUST_LOG, else info.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Listen, call and be called: the speaker itself.
    #[command(after_help = "Examples:\n  hark run\n  hark --config configs/hark.yaml run\n  HARK_ROOM=kitchen hark run")]
    Run,
    /// Play one household scene in a simulated room: a call by voice, over real SIP and RTP.
    #[command(
        after_help = "Examples:\n  hark demo\n  hark demo --out demo-out     keep the recordings, the summary and the picture"
    )]
    Demo(demo::Options),
    /// Mom's phone in the demo.
    #[command(hide = true)]
    DemoPhone(demo::phone::Options),
    /// Hear what would have been understood in sound files, as JSON lines.
    Hear(hear::HearArgs),
    /// Let the running speaker call somebody.
    #[command(after_help = "Examples:\n  hark call mom\n  hark call '+49 30 1234567'\n  hark call sip:mom@192.168.1.20")]
    Call {
        /// A contact's name or alias, a number or a SIP address.
        #[arg(required = true, num_args = 1..)]
        to: Vec<String>,
    },
    /// Answer the call that rings.
    Answer,
    /// Decline the call that rings.
    Decline,
    /// End the call, or stop calling.
    Hangup,
    /// Call the last called party again.
    Redial,
    /// Call the last caller back.
    Callback,
    /// Put the call on hold.
    Hold,
    /// Take the held call back.
    Resume,
    /// Close the microphone.
    Mute,
    /// Open the microphone again.
    Unmute,
    /// Change a volume.
    #[command(after_help = "Examples:\n  hark volume 60\n  hark volume up --of ring")]
    Volume {
        /// 0 to 100, `up` or `down`.
        to: String,
        /// `call`, `ring` or `announce`; without it the one that matters now.
        #[arg(long)]
        of: Option<String>,
    },
    /// Turn callers away, or let them ring again.
    Dnd {
        /// `on` or `off`.
        state: String,
    },
    /// Send touch tones into the call.
    #[command(after_help = "Example:\n  hark dtmf '1234#'")]
    Dtmf {
        /// 0 to 9, *, #, A to D.
        digits: String,
    },
    /// Speak a text in the room.
    Say {
        /// The text.
        #[arg(required = true, num_args = 1..)]
        text: Vec<String>,
    },
    /// Speak and print what the speaker listens for when somebody says a name.
    SayName(say_name::SayNameArgs),
    /// Move the call to another room; the other end notices nothing.
    #[command(after_help = "Examples:\n  hark move kitchen\n  hark takeback")]
    Move {
        /// The room's name.
        #[arg(required = true, num_args = 1..)]
        to: Vec<String>,
    },
    /// Take the call back into this room.
    Takeback,
    /// Let the call go with the person who is in it, from room to room, or stay again.
    Follow {
        /// `on` or `off`.
        #[arg(default_value = "on")]
        state: String,
    },
    /// Add somebody to the call: a person or a room.
    #[command(after_help = "Examples:\n  hark add dad\n  hark add kitchen")]
    Add {
        /// A contact's name or alias, a number, an address or a room.
        #[arg(required = true, num_args = 1..)]
        to: Vec<String>,
    },
    /// Say something in other rooms.
    #[command(
        after_help = "Examples:\n  hark announce dinner is ready\n  hark announce --to upstairs time for school\n  hark announce --urgent fire"
    )]
    Announce {
        /// A room, floor, group or person; without it the whole house.
        #[arg(long, value_name = "WHOM")]
        to: Option<String>,
        /// Be heard over calls and in quiet hours too.
        #[arg(long)]
        urgent: bool,
        /// What to say.
        #[arg(required = true, num_args = 1..)]
        text: Vec<String>,
    },
    /// Connect to a room at once, if its rules allow it.
    Dropin {
        /// The room's name.
        #[arg(required = true, num_args = 1..)]
        to: Vec<String>,
    },
    /// Listen to a room, if its rules allow it.
    Listen {
        /// The room's name.
        #[arg(required = true, num_args = 1..)]
        to: Vec<String>,
    },
    /// Forget the missed calls.
    Clear,
    /// The speakers of this house: who belongs to it, and how another one joins.
    House {
        #[command(subcommand)]
        act: house::Act,
    },
    /// Speech models for other languages: list, install, use and remove them. The built-in one needs none of this.
    Models {
        #[command(subcommand)]
        act: models::Act,
    },
    /// Choose how readily the wake phrase is heard, with the help of what was almost heard.
    Tune(tune::TuneArgs),
    /// Tell the state of the running speaker.
    #[command(after_help = "Examples:\n  hark status\n  hark status --json | jq .call.state")]
    Status {
        /// As JSON, complete.
        #[arg(long)]
        json: bool,
    },
    /// Check hark.yaml, contacts.yaml and phrases: all mistakes at once, each with its place and the mend. Exits with 78 if there are any.
    Check(check::CheckArgs),
    /// List the sound devices, and try those that `hark run` would use. Exits with 1 if they cannot be opened.
    Devices,
    /// Cancel the echo in a recording with the same canceller as in calls.
    #[command(after_help = "Example:\n  hark echo --mic mic.wav --far loudspeaker.wav --out clean.wav")]
    Echo {
        /// What the microphone recorded.
        #[arg(long, value_name = "WAV")]
        mic: PathBuf,
        /// What the loudspeaker played.
        #[arg(long, value_name = "WAV")]
        far: PathBuf,
        /// Where the microphone's signal without the echo goes.
        #[arg(long, value_name = "WAV")]
        out: PathBuf,
    },
    /// Find out what is wrong with this installation and how to mend it: plays a short noise and looks whether the microphone hears it.
    Doctor,
}

/// Does what the arguments say.
pub fn run(arguments: Arguments) -> ExitCode {
    let level = arguments.log.clone().or_else(|| std::env::var("RUST_LOG").ok()).unwrap_or_else(|| "info".into());
    if let Err(err) = start_log(&level) {
        eprintln!("hark: {err:#}");
        return ExitCode::from(2);
    }
    match act(arguments) {
        Ok(code) => code,
        Err(err) => {
            eprintln!("hark: {err:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if !matches!(arguments.verb, Verb::Run | Verb::Demo(_) | Verb::DemoPhone(_)) {
        // `hark status | head` ends quietly, as other programs do. Those that go on calling must not die of a closed pipe.
        // SAFETY: sets a signal's default before there are other threads.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    }
    let sources = Sources::with_config(arguments.config.clone());
    let ask = |verb: &str, body: Value| command(&arguments, &sources, verb, body);
    match &arguments.verb {
        Verb::Run => run::run(&sources),
        Verb::Demo(options) => demo::run(options),
        Verb::DemoPhone(options) => demo::phone::run(options),
        Verb::Call { to } => ask("dial", json!({ "to": to.join(" ") })),
        Verb::Answer => ask("answer", Value::Null),
        Verb::Decline => ask("decline", Value::Null),
        Verb::Hangup => ask("hangup", Value::Null),
        Verb::Redial => ask("redial", Value::Null),
        Verb::Callback => ask("callback", Value::Null),
        Verb::Hold => ask("hold", Value::Null),
        Verb::Resume => ask("resume", Value::Null),
        Verb::Mute => ask("mute", Value::Null),
        Verb::Unmute => ask("unmute", Value::Null),
        Verb::Volume { to, of } => ask("volume", volume(to, of.as_deref())),
        Verb::Dnd { state } => ask("dnd", json!({ "on": on_or_off(state)? })),
        Verb::Dtmf { digits } => ask("dtmf", json!({ "digits": digits })),
        Verb::Say { text } => ask("say", json!({ "text": text.join(" ") })),
        Verb::Move { to } => ask("move", json!({ "to": to.join(" ") })),
        Verb::Takeback => ask("takeback", Value::Null),
        Verb::Follow { state } => ask("follow", json!({ "on": on_or_off(state)? })),
        Verb::Add { to } => ask("add", json!({ "to": to.join(" ") })),
        Verb::Announce { to, urgent, text } => ask("announce", json!({ "text": text.join(" "), "to": to, "urgent": urgent })),
        Verb::Dropin { to } => ask("dropin", json!({ "to": to.join(" ") })),
        Verb::Listen { to } => ask("listen", json!({ "to": to.join(" ") })),
        Verb::Clear => ask("clear", Value::Null),
        Verb::Status { json } => {
            let answer = runtime()?.block_on(socket::ask(&socket_path(&arguments, &sources), &Question::Status))?;
            let status = answer.status.context("the speaker sent no status")?;
            status::print(&status, *json)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::House { act } => {
            let answer = runtime()?.block_on(socket::ask(&socket_path(&arguments, &sources), &Question::House(act.into())))?;
            house::print(act, answer)
        }
        Verb::Models { act } => models::run(act, &sources),
        Verb::Tune(options) => tune::run(options, &sources),
        Verb::Check(options) => check::run(options, &sources),
        Verb::SayName(options) => say_name::run(options, &sources),
        Verb::Hear(options) => hear::run(options, &sources),
        Verb::Doctor => doctor::run(&sources),
        Verb::Devices => devices::run(&sources),
        Verb::Echo { mic, far, out } => echo::run(mic, far, out).map(|()| ExitCode::SUCCESS),
    }
}

fn command(arguments: &Arguments, sources: &Sources, verb: &str, body: Value) -> anyhow::Result<ExitCode> {
    let question = Question::Do { verb: verb.into(), body };
    let answer = runtime()?.block_on(socket::ask(&socket_path(arguments, sources), &question))?;
    match answer.error {
        None => Ok(ExitCode::SUCCESS),
        Some(err) => anyhow::bail!("{err}"),
    }
}

/// The socket of the speaker that is asked: as told, else as configured, else where it is by default.
fn socket_path(arguments: &Arguments, sources: &Sources) -> PathBuf {
    if let Some(path) = &arguments.socket {
        return path.clone();
    }
    let configured = config::socket(sources);
    // Where nothing is configured and no speaker of this user runs, the machine's own is meant.
    if !configured.exists() && Path::new(SYSTEM_SOCKET).exists() { SYSTEM_SOCKET.into() } else { configured }
}

fn volume(to: &str, of: Option<&str>) -> Value {
    let to = to.parse::<u8>().map_or_else(|_| json!(to), |percent| json!(percent));
    match of {
        Some(of) => json!({ "to": to, "bus": of }),
        None => json!({ "to": to }),
    }
}

fn on_or_off(text: &str) -> anyhow::Result<bool> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        other => anyhow::bail!("`{other}` is neither `on` nor `off`"),
    }
}

/// A runtime for one question.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")
}

/// Logs go to standard error; under systemd without times, for the journal has its own.
fn start_log(level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(with_quiet_libraries(level))
        .with_context(|| format!("`--log {level}` is not understood; use error, warn, info, debug or trace"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if Path::new("/run/systemd/system").exists() && std::env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().with_ansi(false).init();
    } else {
        log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init();
    }
    Ok(())
}

/// Libraries are heard from WARN on only (some print numbers and names at INFO), unless the level names parts itself.
fn with_quiet_libraries(level: &str) -> String {
    if level.contains(['=', ',']) {
        level.into()
    } else {
        format!("warn,hark={level},media={level},speech={level},rumqttd=off,rsipstack=error")
    }
}
