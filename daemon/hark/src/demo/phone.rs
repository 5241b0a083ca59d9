//! Mom's phone: a second endpoint on this machine, a process of its own, over real SIP and RTP.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;
use control::action::LineAction;
use control::input::LineEvent;
use media::engine::{Engine, EngineSettings};
use media::order::Command as Order;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::handset::Handset;
use crate::config::{SipSettings, Srtp};
use crate::lines::FromLine;
use crate::lines::sip::SipLine;

/// How the phone is started; only the demo does.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// What is said once the call is answered.
    #[arg(long)]
    track: PathBuf,
    /// Where what is heard goes.
    #[arg(long)]
    heard: PathBuf,
    /// How long it rings.
    #[arg(long)]
    answer_after_ms: u64,
}

/// What the phone tells the demo, one JSON line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Told {
    /// It can be called at this port.
    Ready {
        /// Of SIP over UDP, on the loopback address.
        port: u16,
    },
    /// It rings.
    Ringing,
    /// It was picked up; the track begins.
    Answered {
        /// In ns of the monotonic clock.
        at_ns: u64,
    },
    /// The call is over, and the recording is written.
    Ended {
        /// When the recording's first sample was played, in ns of the monotonic clock.
        heard_from_ns: u64,
    },
}

/// Rings once, answers, talks, and ends with the call.
///
/// # Errors
/// When a port, file or thread cannot be had.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(answer(options))?;
    Ok(ExitCode::SUCCESS)
}

async fn answer(options: &Options) -> anyhow::Result<()> {
    let track = media::wav::read(&options.track, media::RATE_HZ)?;
    let (handset, rings) = Handset::start()?;
    let settings =
        EngineSettings { echo_cancellation: false, noise_suppression: false, gain_control: false, ..EngineSettings::default() };
    let (mut engine, _ears) = Engine::start(rings, settings)?;
    let port = free_port()?;
    let (actions, inbox) = mpsc::channel(16);
    let (outbox, mut events) = mpsc::channel(64);
    let line = SipLine::new(sip_settings(port), inbox, outbox)?;
    let task = tokio::spawn(line.run());
    tell(&Told::Ready { port })?;
    let mut party = None;
    while let Some(from_line) = events.recv().await {
        match from_line {
            FromLine::Event(LineEvent::Incoming { call, .. }) => {
                tell(&Told::Ringing)?;
                actions.send(LineAction::Alert(call)).await?;
                tokio::time::sleep(Duration::from_millis(options.answer_after_ms)).await;
                actions.send(LineAction::Accept(call)).await?;
            }
            FromLine::Media(_, media) => {
                party = Some(media.id);
                let _ = engine.send(Order::Join(media));
            }
            FromLine::Event(LineEvent::Answered(_)) => {
                if let Some(party) = party {
                    let _ = engine.send(Order::Unsilence(party));
                    let _ = engine.send(Order::OpenMic(party));
                }
                handset.say(track.clone());
                tell(&Told::Answered { at_ns: media::ring::monotonic_ns() })?;
            }
            FromLine::Event(LineEvent::Ended(..)) => break,
            _ => (),
        }
    }
    task.abort();
    let ear = handset.put_down()?;
    media::wav::write(&options.heard, &ear.samples, media::RATE_HZ)?;
    tell(&Told::Ended { heard_from_ns: ear.start_ns })
}

fn tell(told: &Told) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, told)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// SIP on the loopback address alone.
pub fn sip_settings(port: u16) -> SipSettings {
    SipSettings {
        listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        public_address: None,
        accounts: Vec::new(),
        accept_direct: true,
        codecs: vec!["opus".into(), "pcma".into(), "pcmu".into()],
        rtp_ports: (42_000, 42_998),
        direct_srtp: Srtp::Offer,
    }
}

/// A port that nobody uses now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|socket| socket.local_addr())
        .context("looking for a free port")?
        .port())
}

/// The phone as the demo holds it.
pub struct Phone {
    child: Child,
    /// Closes with us, which ends the phone.
    _stdin: Option<ChildStdin>,
    told: std::sync::mpsc::Receiver<Told>,
}

impl Phone {
    /// Starts the process.
    ///
    /// # Errors
    /// When it cannot be started or does not get ready.
    pub fn start(track: &std::path::Path, heard: &std::path::Path, answer_after: Duration) -> anyhow::Result<(Phone, u16)> {
        let program = std::env::current_exe().context("looking for our own program")?;
        let mut child = Command::new(program)
            .args(["--log", "warn", "demo-phone", "--track"])
            .arg(track)
            .arg("--heard")
            .arg(heard)
            .args(["--answer-after-ms", &answer_after.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting mom's phone")?;
        let stdout = child.stdout.take().context("mom's phone has no standard output")?;
        // More than one call tells; then the phone waits for us.
        let (send, told) = std::sync::mpsc::sync_channel(64);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Ok(told) = serde_json::from_str(&line) else { continue };
                if send.send(told).is_err() {
                    break;
                }
            }
        });
        let mut phone = Phone { _stdin: child.stdin.take(), child, told };
        match phone.wait(Duration::from_secs(10))? {
            Told::Ready { port } => Ok((phone, port)),
            other => anyhow::bail!("mom's phone did not get ready but told {other:?}"),
        }
    }

    /// What it tells next.
    ///
    /// # Errors
    /// When it tells nothing for so long.
    pub fn wait(&mut self, limit: Duration) -> anyhow::Result<Told> {
        self.told.recv_timeout(limit).context("mom's phone says nothing")
    }

    /// What it has told meanwhile.
    pub fn poll(&mut self) -> Option<Told> {
        self.told.try_recv().ok()
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
