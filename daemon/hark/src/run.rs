//! `hark run`: builds everything once and lets it run until it is told to stop.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use control::Speaker;
use media::card::CardSettings;
use media::engine::{Engine, EngineSettings};
use media::order::Command;
use media::ring::CardRings;
use speech::HearingSettings;
use speech::say::Voice;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::app::{App, CardState, Happened, Inbox, Parts, Question};
use crate::cli::BAD_CONFIGURATION;
use crate::clock::Clock;
use crate::config::{self, Broker, Loaded, Settings, Sources};
use crate::ears::Ears;
use crate::house::desk::{Counter, Desk, DeskSettings, Group, Trays};
use crate::house::{self, Connections, House, HouseSettings, minutes};
use crate::lines::echo::EchoLine;
use crate::lines::room::RoomLine;
use crate::lines::sip::{self, SipLine};
use crate::mqtt::{About, Mqtt, Outgoing, SettingsNow};
use crate::near_misses::NearMisses;
use crate::recorder::Recorder;
use crate::socket::{Doors, Socket};
use crate::sound::Sound;
use crate::status::{self, Status};
use crate::store::Store;
use crate::switch::Switch;
use crate::voice::Speech;
use crate::{mqtt, names, systemd};

/// How often a card that was not there at the start is looked for.
const LOOK_FOR_CARD: Duration = Duration::from_secs(3);

/// The card as the app needs it.
pub struct Card {
    /// Its rings.
    pub rings: CardRings,
    /// Whether it is open.
    pub state: CardState,
}

/// A speaker that runs.
pub struct Running {
    /// What happens, from now on.
    pub happened: broadcast::Receiver<Happened>,
    doors: Doors,
    engine: mpsc::Sender<Command>,
    stop: oneshot::Sender<()>,
    app: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
    mqtt: JoinHandle<()>,
}

/// Runs the speaker of this machine until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot be started.
pub fn run(sources: &Sources) -> anyhow::Result<ExitCode> {
    let loaded = match config::load(sources) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        }
    };
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    if let Err(err) = loaded.settings.open_model() {
        eprintln!("hark: {err}");
        return Ok(ExitCode::from(BAD_CONFIGURATION));
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("starting the runtime")?;
    runtime.block_on(serve(loaded, sources.clone()))?;
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(ExitCode::SUCCESS)
}

async fn serve(loaded: Loaded, sources: Sources) -> anyhow::Result<()> {
    let wanted = wanted_card(&loaded.settings);
    let holder = Arc::new(OnceLock::new());
    let rings = match media::card::Card::open(&wanted) {
        Ok((card, rings)) => {
            info!(card = card.description(), "sound card open");
            let _ = holder.set(card);
            Some(rings)
        }
        Err(err) => {
            warn!("{err}; calls and commands wait until it is there");
            None
        }
    };
    let missing = rings.is_none();
    let rings = match rings {
        Some(rings) => rings,
        // Until there is a card, the engine is paced by its clock and hears silence.
        None => media::ring::card(media::RATE_HZ, media::RATE_HZ).context("making the rings of the sound card")?.0,
    };
    let mut terminate = signal(SignalKind::terminate()).context("waiting for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("waiting for signals")?;
    let running = start(loaded, Some(sources), Card { rings, state: state_of(holder.clone()) }).await?;
    let search = missing.then(|| tokio::spawn(look_for_card(wanted, holder, running.engine.clone())));
    systemd::ready();
    info!("listening");
    tokio::select! {
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
    info!("stopping");
    systemd::stopping();
    if let Some(search) = search {
        search.abort();
    }
    running.stop().await;
    Ok(())
}

fn wanted_card(settings: &Settings) -> CardSettings {
    let audio = &settings.audio;
    CardSettings { host: audio.host.clone(), input: audio.input.clone(), output: audio.output.clone() }
}

fn state_of(card: Arc<OnceLock<media::card::Card>>) -> CardState {
    Box::new(move || match card.get().map(media::card::Card::state) {
        Some(media::card::CardState::Open) => "open".into(),
        Some(media::card::CardState::Lost) | None => "lost".into(),
    })
}

/// A card that was not there at the start is looked for until it is; then it looks after itself.
async fn look_for_card(wanted: CardSettings, holder: Arc<OnceLock<media::card::Card>>, engine: mpsc::Sender<Command>) {
    loop {
        tokio::time::sleep(LOOK_FOR_CARD).await;
        let wanted = wanted.clone();
        let Ok(Ok((card, rings))) = tokio::task::spawn_blocking(move || media::card::Card::open(&wanted)).await else { continue };
        info!(card = card.description(), "sound card open");
        let _ = holder.set(card);
        // Only a stopped app takes no commands.
        let _ = engine.send(Command::Card(rings)).await;
        return;
    }
}

/// Starts everything around a card. With `sources`, their files are watched and read anew when they change.
///
/// # Errors
/// When the model cannot be read, or sockets cannot be opened.
pub async fn start(loaded: Loaded, sources: Option<Sources>, card: Card) -> anyhow::Result<Running> {
    let Loaded { settings, contacts, phrases, .. } = &loaded;
    let clock = Clock::start();
    let store = Store::open(&settings.state_dir);
    let remembered = store.remembered(&settings.control);

    let model = settings.open_model().context("opening the speech model")?;
    let learned = names::learn(contacts, phrases, &model);
    learned.tell();
    names::learn_commands(std::iter::once(phrases).chain(&loaded.also), &settings.control.wake_phrases, &model);
    let (engine, ring) = Engine::start(card.rings, engine_settings(settings)).context("starting the sound engine")?;
    let (spoken_in, spoken) = mpsc::channel(16);
    let voice = Speech::start(Voice { command: settings.speech.voice_command.clone() }, spoken_in);
    let (heard_in, heard) = mpsc::channel(64);
    let ears = Ears::start(model.clone(), hearing_settings(settings), ring, heard_in)?;

    let (requests_in, requests) = mpsc::channel(64);
    let (questions_in, questions) = mpsc::channel(16);
    let (engine_in, engine_commands) = mpsc::channel(16);
    let (lines_in, lines) = mpsc::channel(256);
    let (outgoing, mqtt_inbox) = mpsc::channel(1024);
    let (reloads_in, reloads) = mpsc::channel(4);
    let (followers, happened) = broadcast::channel(1024);

    let mut tasks = Vec::new();
    let (builtin, builtin_inbox) = mpsc::channel(256);
    tasks.push(tokio::spawn(EchoLine::new(builtin_inbox, lines_in.clone()).run()));
    let (known_in, known) = watch::channel(sip::known(contacts));
    let sip = match settings.sip.listen {
        None => None,
        Some(_) => {
            let (sip, inbox) = mpsc::channel(256);
            let line =
                SipLine::new(settings.sip.clone(), inbox, lines_in.clone()).context("opening the SIP line")?.with_known(known);
            tasks.push(tokio::spawn(line.run()));
            Some(sip)
        }
    };
    let (house_in, house) = mpsc::channel(64);
    let tidings = house_in.clone();
    let (errands_in, errands) = mpsc::channel(64);
    // Whoever comes to a large house is told of all rooms at once.
    let (to_house, from_broker) = mpsc::channel(8192);
    let (to_broker, from_house) = mpsc::channel(256);
    let (speak, codes) = mpsc::channel(4);
    let connections = Connections { from_broker, to_broker, speak };
    let House { post, calls, desk: letters, asked, status: house_status, tasks: of_house } =
        house::start_or_say_why(house_settings(settings), settings.house.enabled, connections).await;
    tasks.push(tokio::spawn(house::speak_codes(codes, phrases.clone(), requests_in.clone())));
    tasks.extend(of_house);
    tasks.push(tokio::spawn(house::tell_rooms(post.watch(), house_in.clone())));
    let (rooms, rooms_inbox) = mpsc::channel(256);
    tasks.push(tokio::spawn(RoomLine::new(post.clone(), calls, rooms_inbox, lines_in).run()));
    let trays = Trays { errands, letters, events: house_in.clone(), engine: engine_in.clone(), post };
    let desk = DeskSettings {
        room: settings.room_slug.clone(),
        language: phrases.language.clone(),
        voice: Voice { command: settings.speech.voice_command.clone() },
        groups: settings.house.paging.iter().map(Group::from).collect(),
        interface: settings.house.interface,
    };
    tasks.push(tokio::spawn(minutes::tell(house_in)));
    tasks.push(tokio::spawn(Desk::new(desk, trays).run()));
    let about = about(settings);
    let mqtt = Mqtt::new(
        settings.mqtt.clone(),
        settings.room_slug.clone(),
        about,
        settings.publish_words,
        mqtt_inbox,
        requests_in.clone(),
    )
    .watching(settings.house.watched.clone(), tidings);
    let mqtt = if settings.house.enabled { mqtt.with_house(to_house, from_house) } else { mqtt };
    let connected = mqtt.connected();
    let doors = Doors { requests: requests_in, questions: questions_in, house: asked };
    let socket = Socket::open(&settings.socket, doors.clone()).await?;
    tasks.push(tokio::spawn(socket.run()));
    if let Some(sources) = sources {
        tasks.push(tokio::spawn(config::watch::Watch::new(sources, loaded.clone(), reloads_in).with_model(model.clone()).run()));
    }

    let volumes = remembered.volumes;
    let mut control =
        control::speaker::Settings { volumes, do_not_disturb: remembered.do_not_disturb, ..settings.control.clone() };
    // Random keys: no two starts are alike.
    control.house.start = format!("{:x}", std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ()));
    let speaker = Speaker::of_languages(control, learned.contacts, phrases.clone(), loaded.also.clone(), remembered.history);
    // A full channel at this moment is not possible: nothing was sent yet.
    let _ = outgoing.try_send(Outgoing::Settings(SettingsNow {
        volume: mqtt::payload::Volumes { call: volumes[0], ring: volumes[1], announce: volumes[2] },
        muted: false,
        do_not_disturb: remembered.do_not_disturb,
        quiet: false,
    }));
    let parts = Parts {
        speaker,
        sound: Sound::new(engine, voice),
        ears,
        switch: Switch::new(sip, builtin, Some(rooms)),
        desk: Counter::new(errands_in),
        known: known_in,
        store,
        near_misses: NearMisses::start(&settings.state_dir)?,
        wake: settings.wake,
        mqtt: outgoing,
        followers,
        recorder: Recorder::default(),
        status: status(settings, learned.heard_as),
        card: card.state,
        watchdog: systemd::Watchdog::from_environment(),
        connected,
        house: house_status,
    };
    let inbox = Inbox { lines, heard, house, requests, questions, engine: engine_commands, spoken, reloads };
    let (stop, stopped) = oneshot::channel();
    let app = tokio::spawn(App::new(clock, parts).run(inbox, stopped));
    Ok(Running { happened, doors, engine: engine_in, stop, app, tasks, mqtt: tokio::spawn(mqtt.run()) })
}

impl Running {
    /// Sends the engine a command.
    pub async fn command(&self, command: Command) {
        // Only a stopped app takes none.
        let _ = self.engine.send(command).await;
    }

    /// The state of everything; `None` when the app has stopped.
    pub async fn status(&self) -> Option<Status> {
        let (reply, status) = oneshot::channel();
        self.doors.questions.send(Question::Status(reply)).await.ok()?;
        status.await.ok()
    }

    /// The last minutes as a transcript.
    pub async fn transcript(&self) -> String {
        let (reply, transcript) = oneshot::channel();
        match self.doors.questions.send(Question::Transcript(reply)).await {
            Ok(()) => transcript.await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Hangs up, says goodbye to the broker and ends all tasks.
    pub async fn stop(self) {
        // The app may have ended by itself.
        let _ = self.stop.send(());
        let _ = self.app.await;
        let _ = tokio::time::timeout(Duration::from_secs(2), self.mqtt).await;
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

fn engine_settings(settings: &Settings) -> EngineSettings {
    let audio = &settings.audio;
    EngineSettings {
        echo_cancellation: audio.echo_cancellation,
        noise_suppression: audio.noise_suppression,
        gain_control: audio.gain_control,
        ..EngineSettings::default()
    }
}

/// What the listener needs of the settings.
pub fn hearing_settings(settings: &Settings) -> HearingSettings {
    let control = &settings.control;
    HearingSettings {
        wake_phrases: control.wake_phrases.clone(),
        min_confidence: control.min_confidence,
        sensitivity: settings.wake.sensitivity,
        keep_near_misses: settings.wake.keep_near_misses,
        listen_for: control.listen_for,
        gain_db: settings.house.microphone_gain_db,
    }
}

fn house_settings(settings: &Settings) -> HouseSettings {
    HouseSettings {
        room: settings.room_slug.clone(),
        name: settings.control.room.clone(),
        floor: settings.control.house.floor.clone(),
        groups: settings.control.house.groups.clone(),
        folder: settings.state_dir.join("house"),
        base: settings.mqtt.base.clone(),
        listen: settings.house.enabled.then_some(settings.house.listen),
        multicast: settings.house.multicast.filter(|_| settings.house.enabled),
        interface: settings.house.interface,
        mdns: settings.house.mdns && settings.house.enabled,
    }
}

fn about(settings: &Settings) -> About {
    About {
        name: settings.control.room.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        capabilities: mqtt::verbs::VERBS.split(", ").map(String::from).collect(),
        media: settings.sip.listen.iter().map(ToString::to_string).collect(),
        languages: settings.languages(),
        ..About::default()
    }
}

/// The part of the status that does not change by itself.
fn status(settings: &Settings, heard_as: BTreeMap<String, String>) -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION").into(),
        room: settings.control.room.clone(),
        ears: status::Ears {
            model: settings.speech.model.display().to_string(),
            wake_phrases: settings.control.wake_phrases.clone(),
            heard_as,
            ..status::Ears::default()
        },
        mqtt: status::Mqtt { broker: broker(&settings.mqtt.broker), connected: false },
        ..Status::default()
    }
}

fn broker(broker: &Broker) -> String {
    match broker {
        Broker::Off => "off".into(),
        Broker::Embedded(at) => format!("embedded, {at}"),
        Broker::At { host, port, .. } => format!("{host}:{port}"),
    }
}
