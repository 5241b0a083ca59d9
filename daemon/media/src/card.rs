//! The sound card: cpal callbacks that only move samples between card and rings, and a supervisor that re-opens a card
//! that went away.

mod open;
mod pulse;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{Device, HostId};

use crate::ring::{self, CardRings};
use open::{Ends, Plan, Streams};

/// How long the first attempt may take.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// A card whose microphone delivers nothing for so long is gone, even if it does not say so.
const SILENT_FOR: Duration = Duration::from_secs(2);
/// Attempts to re-open: the first after this, then twice as long each time.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_AT_MOST: Duration = Duration::from_secs(8);

/// Which card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardSettings {
    /// `auto`, `alsa` or `pulseaudio`. `auto` takes PulseAudio (or PipeWire) when a server answers, else ALSA.
    pub host: String,
    /// The microphone: its name or id as `hark devices` shows it, or a part of it; `None` is the system's choice.
    pub input: Option<String>,
    /// The loudspeaker, likewise.
    pub output: Option<String>,
}

impl Default for CardSettings {
    fn default() -> Self {
        CardSettings { host: "auto".into(), input: None, output: None }
    }
}

/// A microphone or loudspeaker that could be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// `alsa` or `pulseaudio`.
    pub host: String,
    /// For people.
    pub name: String,
    /// For the configuration: stable.
    pub id: String,
    /// Has a microphone.
    pub input: bool,
    /// Has a loudspeaker.
    pub output: bool,
    /// Is what the system would choose.
    pub default: bool,
}

/// Why there is no card.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The setting is none of the three.
    #[error("sound host `{wanted}` is unknown; set `audio.host` to `auto`, `alsa` or `pulseaudio`")]
    UnknownHost {
        /// As it was set.
        wanted: String,
    },
    /// The host does not answer.
    #[error("sound host `{host}` does not answer: {why}; is the sound server running for this user?")]
    NoHost {
        /// Which.
        host: String,
        /// What cpal says.
        why: String,
    },
    /// Nothing of that name, or nothing at all.
    #[error("{what} `{wanted}` is not there; found: {found}; see `hark devices`")]
    NotFound {
        /// `microphone` or `loudspeaker`.
        what: &'static str,
        /// As it was set, or `default`.
        wanted: String,
        /// What there is instead.
        found: String,
    },
    /// It is there, but will not open.
    #[error("{what} `{name}` cannot be opened: {why}; is another program using it, and may this user use sound (group `audio`)?")]
    CannotOpen {
        /// `microphone` or `loudspeaker`.
        what: &'static str,
        /// Which.
        name: String,
        /// What cpal says.
        why: String,
    },
    /// No thread or no descriptor.
    #[error("cannot prepare the sound card: {0}; is a limit on threads or open files reached?")]
    System(#[from] std::io::Error),
    /// Nothing happens.
    #[error("the sound card did not open within {} s; is the sound server hanging?", OPEN_WITHIN.as_secs())]
    Timeout,
}

/// Whether the card works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardState {
    /// Sound flows.
    Open,
    /// It went away; we keep trying.
    Lost,
}

/// A card at work. Dropping it closes it.
pub struct Card {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    description: String,
}

struct Shared {
    stop: AtomicBool,
    lost: AtomicBool,
    state: AtomicU8,
}

/// Lists what could be used, of every host that answers.
///
/// # Errors
/// When no host answers at all.
pub fn devices() -> Result<Vec<DeviceInfo>, CardError> {
    let (mut all, mut last) = (Vec::new(), None);
    let mut answered = false;
    for (name, id) in HOSTS {
        let host = match cpal::host_from_id(id) {
            Ok(host) => host,
            Err(error) => {
                last = Some(CardError::NoHost { host: name.into(), why: error.to_string() });
                continue;
            }
        };
        answered = true;
        let defaults = [host.default_input_device(), host.default_output_device()].map(|it| it.and_then(|it| it.id().ok()));
        for device in host.devices().into_iter().flatten() {
            let Ok(id) = device.id() else { continue };
            let (input, output) = (device.supports_input(), device.supports_output());
            if input || output {
                let default = defaults.iter().flatten().any(|it| *it == id);
                all.push(DeviceInfo { host: name.into(), name: open::name(&device), id: id.id().into(), input, output, default });
            }
        }
    }
    match last {
        Some(error) if !answered => Err(error),
        _ => Ok(all),
    }
}

/// In the order of preference.
const HOSTS: [(&str, HostId); 2] = [("pulseaudio", HostId::PulseAudio), ("alsa", HostId::Alsa)];

impl Card {
    /// Opens the card and keeps it open: when it goes away, it is tried again until it is back.
    ///
    /// # Errors
    /// When there is no such card now.
    pub fn open(settings: &CardSettings) -> Result<(Card, CardRings), CardError> {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            state: AtomicU8::new(CardState::Lost as u8),
        });
        let (first, opened) = mpsc::sync_channel(1);
        let (supervised, settings) = (shared.clone(), settings.clone());
        let thread =
            std::thread::Builder::new().name("sound-card".into()).spawn(move || supervise(&settings, &supervised, &first))?;
        let result = opened.recv_timeout(OPEN_WITHIN).unwrap_or(Err(CardError::Timeout));
        let (rings, description) = match result {
            Ok(opened) => opened,
            Err(error) => {
                shared.stop.store(true, Relaxed);
                return Err(error);
            }
        };
        Ok((Card { shared, thread: Some(thread), description }, rings))
    }

    /// Whether the card works now.
    pub fn state(&self) -> CardState {
        match self.shared.state.load(Relaxed) {
            it if it == CardState::Open as u8 => CardState::Open,
            _ => CardState::Lost,
        }
    }

    /// What it is, for a log line: host, microphone and loudspeaker.
    pub fn description(&self) -> &str {
        &self.description
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of the supervisor was reported already.
            let _ = thread.join();
        }
    }
}

type First = mpsc::SyncSender<Result<(CardRings, String), CardError>>;

/// Opens, watches, and opens again.
fn supervise(settings: &CardSettings, shared: &Arc<Shared>, first: &First) {
    let plan = match Plan::make(settings) {
        Ok(plan) => plan,
        Err(error) => return tell(first, Err(error)),
    };
    let rates = plan.rates();
    let (rings, capture, playback) = match ring::card(rates.0, rates.1) {
        Ok(made) => made,
        Err(error) => return tell(first, Err(error.into())),
    };
    let counters = rings.counters.clone();
    let mut ends = Ends::new(capture, playback);
    let supervisor = std::thread::current();
    let on_lost = {
        let shared = shared.clone();
        move || {
            shared.lost.store(true, Relaxed);
            supervisor.unpark();
        }
    };
    let mut streams = match ends.open(&plan, &counters, on_lost.clone()) {
        Ok(streams) => Some(streams),
        Err(error) => return tell(first, Err(error)),
    };
    shared.state.store(CardState::Open as u8, Relaxed);
    tell(first, Ok((rings, plan.description())));
    // It comes back where it was.
    let settings = &CardSettings { host: plan.host().into(), ..settings.clone() };
    // Its connection to the sound server is not needed any more.
    drop(plan);
    let (mut retry, mut captured, mut moved) = (RETRY_FIRST, 0, Instant::now());
    while !shared.stop.load(Relaxed) {
        if streams.is_some() {
            std::thread::park_timeout(SILENT_FOR / 4);
            let now_captured = counters.captured.load(Relaxed);
            if now_captured != captured {
                (captured, moved, retry) = (now_captured, Instant::now(), RETRY_FIRST);
            }
            if shared.lost.load(Relaxed) || moved.elapsed() > SILENT_FOR {
                shared.state.store(CardState::Lost as u8, Relaxed);
                streams = None;
            }
            continue;
        }
        std::thread::park_timeout(retry);
        retry = (retry * 2).min(RETRY_AT_MOST);
        if shared.stop.load(Relaxed) {
            break;
        }
        shared.lost.store(false, Relaxed);
        streams = reopen(settings, rates, &mut ends, &counters, on_lost.clone());
        if streams.is_some() {
            moved = Instant::now();
            shared.state.store(CardState::Open as u8, Relaxed);
        }
    }
}

/// The rings were made for these rates: a card that comes back with others stays lost.
fn reopen(
    settings: &CardSettings,
    rates: (u32, u32),
    ends: &mut Ends,
    counters: &Arc<ring::Counters>,
    on_lost: impl Fn() + Clone + Send + 'static,
) -> Option<Streams> {
    let plan = Plan::make(settings).ok().filter(|it| it.rates() == rates)?;
    ends.open(&plan, counters, on_lost).ok()
}

fn tell(first: &First, result: Result<(CardRings, String), CardError>) {
    // Nobody waits any more: then nobody wants the card.
    let _ = first.send(result);
}

/// Finds the device that is meant.
fn find(host: &cpal::Host, what: &'static str, wanted: Option<&str>) -> Result<Device, CardError> {
    let input = what == open::MICROPHONE;
    let fits = |it: &Device| if input { it.supports_input() } else { it.supports_output() };
    let all = || host.devices().into_iter().flatten().filter(fits);
    let not_found = || {
        let names: Vec<String> = all().map(|it| format!("`{}`", open::name(&it))).collect();
        let found = if names.is_empty() { "none".into() } else { names.join(", ") };
        CardError::NotFound { what, wanted: wanted.unwrap_or("default").into(), found }
    };
    let Some(wanted) = wanted else {
        let default = if input { host.default_input_device() } else { host.default_output_device() };
        return default.ok_or_else(not_found);
    };
    let lower = wanted.to_lowercase();
    let exact = |it: &Device| it.id().is_ok_and(|id| id.id() == wanted) || open::name(it) == wanted;
    let part = |it: &Device| {
        it.id().is_ok_and(|id| id.id().to_lowercase().contains(&lower)) || open::name(it).to_lowercase().contains(&lower)
    };
    all().find(exact).or_else(|| all().find(part)).ok_or_else(not_found)
}
