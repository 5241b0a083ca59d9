//! A house for one scene: the speaker in its room with a sound card, a broker and mom's phone, all of this scene alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::broker::{Broker, Message};
use crate::children::{Running, eventually, free_port, free_range};
use crate::phone::{Phone, PhoneSettings};
use crate::pulse::{Place, Pulse, Recording};
use crate::sound::Clip;
use crate::voice::PERSON;

/// The program that is tested.
pub const HARK: &str = env!("CARGO_BIN_EXE_hark");

/// How many houses are lived in at once: on two busy cores a second one would disturb what is heard in the first.
const MOST_HOUSES: usize = 1;

/// How long what should happen at once may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(5);

/// The same, where somebody must speak or listen first.
pub const A_WHILE: Duration = Duration::from_secs(12);

/// A place among the houses lived in; given back when dropped.
pub struct Plot;

static LIVED_IN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Plot {
    pub fn wait() -> Self {
        let houses = LIVED_IN.0.lock().unwrap_or_else(|it| it.into_inner());
        let mut houses = LIVED_IN.1.wait_while(houses, |n| *n >= MOST_HOUSES).unwrap_or_else(|it| it.into_inner());
        *houses += 1;
        Self
    }
}

impl Drop for Plot {
    fn drop(&mut self) {
        *LIVED_IN.0.lock().unwrap_or_else(|it| it.into_inner()) -= 1;
        LIVED_IN.1.notify_one();
    }
}

/// What is particular about a house.
#[derive(Default)]
pub struct Plan<'a> {
    /// Mom's phone.
    pub mom: PhoneSettings<'a>,
    /// More people in contacts.yaml: name and address.
    pub people: Vec<(&'static str, String)>,
    /// More lines of hark.yaml.
    pub settings: String,
    /// How much of the loudspeaker the microphone hears.
    pub echo: f32,
}

/// The house. Parts are dropped in this order.
pub struct House {
    pub speaker: Running,
    pub mom: Phone,
    pub broker: Broker,
    pub pulse: Pulse,
    pub sip_port: u16,
    pub first_rtp_port: u16,
    pub folder: tempfile::TempDir,
    _plot: Plot,
}

impl House {
    /// Moves in, and waits until the speaker is ready.
    pub fn new(plan: Plan) -> Self {
        let plot = Plot::wait();
        let folder = tempfile::Builder::new().prefix("hark-e2e-").tempdir().expect("folder");
        let pulse = Pulse::start(folder.path());
        if plan.echo > 0.0 {
            pulse.add_echo(plan.echo);
        }
        let broker = Broker::start(folder.path());
        let mom = Phone::start(folder.path(), plan.mom);
        let (sip_port, rtp) = (free_port(), free_range(20));
        let mut people = vec![("Mom", mom.uri())];
        people.extend(plan.people);
        write_contacts(folder.path(), &people);
        write_settings(folder.path(), &broker, sip_port, rtp, &plan.settings);
        let speaker = Running::start("hark", folder.path(), hark(folder.path(), &pulse).arg("run"));
        let mut house = Self { speaker, mom, broker, pulse, sip_port, first_rtp_port: rtp, folder, _plot: plot };
        house.wait_ready();
        house
    }

    /// Waits until the speaker listens to the room and can call.
    pub fn wait_ready(&mut self) {
        eventually("the speaker to be ready", Duration::from_secs(15), || {
            assert!(self.speaker.alive(), "hark run ended: {}", self.speaker.printed());
            let status = self.try_status()?;
            let online = self.broker.heard().iter().any(|it| it.topic == "hark/test-room/status" && it.payload == "online");
            (online && status["lines"]["direct"]["up"] == true && status["audio"]["card"] == "open").then_some(())
        });
    }

    /// `hark` with arguments, as the user of this house.
    pub fn hark(&self) -> Command {
        hark(self.folder.path(), &self.pulse)
    }

    /// Runs a command of the command line that must work.
    #[track_caller]
    pub fn does(&self, arguments: &[&str]) -> Output {
        let out = self.hark().args(arguments).output().expect("hark");
        assert!(out.status.success(), "hark {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
        out
    }

    /// `hark status --json`, where the speaker answers.
    pub fn try_status(&self) -> Option<Value> {
        let out = self.hark().args(["status", "--json"]).output().expect("hark");
        serde_json::from_slice(&out.stdout).ok()
    }

    /// `hark status --json`.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.try_status().expect("hark status --json answers")
    }

    /// Somebody in the room says it, and it takes as long as it takes.
    pub fn say(&self, text: &str) {
        self.pulse.say(&in_the_room(&PERSON.says(text)));
    }

    /// Records the loudspeaker.
    pub fn listen(&self) -> Recording {
        self.pulse.record(Place::Loudspeaker)
    }

    /// The speaker's own address.
    pub fn uri(&self) -> String {
        format!("sip:hark@127.0.0.1:{}", self.sip_port)
    }

    /// Somebody says "hello operator, call mom", and her phone rings.
    #[track_caller]
    pub fn ring_mom(&self, ring: usize) {
        self.say("hello operator, call mom");
        // Who is not understood says it again, once. How often that is needed is measured by `make bench`.
        if !self.mom.rings_within(ring, Duration::from_secs(3)) {
            self.say("hello operator, call mom");
        }
        self.mom.rings(ring, SOON);
    }

    /// Somebody says "hello operator, call mom", she takes the call, and both can talk. Gives the mark from before.
    pub fn call_mom(&self) -> usize {
        let (mark, ring) = (self.broker.mark(), self.mom.mark());
        self.ring_mom(ring);
        self.broker.wait_state(mark, "ringback", SOON);
        self.mom.answer();
        self.broker.wait_state(mark, "connected", SOON);
        mark
    }

    /// Waits until all calls are over, here and at mom's.
    #[track_caller]
    pub fn wait_over(&self, mark: usize) -> Message {
        self.broker.wait_state(mark, "idle", A_WHILE)
    }

    /// No call came about since `mark`.
    #[track_caller]
    pub fn nothing_happened(&self, mark: usize, ring: usize) {
        let states: Vec<String> = self.broker.states(mark).into_iter().filter(|it| it != "idle").collect();
        assert!(states.is_empty(), "the speaker went {states:?}");
        assert!(!self.mom.events(ring).iter().any(|it| it == "CALL_INCOMING"), "mom's phone rang");
    }

    /// Writes contacts.yaml anew.
    pub fn set_contacts(&self, people: &[(&'static str, String)]) {
        write_contacts(self.folder.path(), people);
    }
}

/// A clip with the quiet before and after it that speech has.
pub fn in_the_room(clip: &Clip) -> Clip {
    Clip::silence(Duration::from_millis(200)).then(clip).then_silence(Duration::from_millis(300)).with_noise(0.0004)
}

/// Waits until a loudspeaker or a phone has let `words` be heard; gives how well and when.
#[track_caller]
pub fn hears(what: &str, words: &Clip, within: Duration, heard: impl Fn() -> Clip) -> (f32, Duration) {
    /// Above what other words or an echo of them reach.
    const ALIKE: f32 = 0.6;
    let start = Instant::now();
    loop {
        let found = heard().find(words);
        if found.0 >= ALIKE {
            return found;
        }
        assert!(start.elapsed() < within, "{what} was not heard within {within:?}; most alike was {:.2}", found.0);
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The `hark` command with nothing of the machine around it: settings, cards and folders of this house only.
pub fn hark(folder: &Path, pulse: &Pulse) -> Command {
    let mut command = Command::new(HARK);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HARK_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).arg("--config").arg(folder.join("hark.yaml")).args(["--log", "debug"]).envs(pulse.env());
    command
}

/// The project's own folder of phrases or models.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn write_settings(folder: &Path, broker: &Broker, sip_port: u16, rtp: u16, more: &str) {
    let text = format!(
        "room: test room\ncontacts: contacts.yaml\nphrases: {phrases}\nstate_dir: state\nsocket: hark.sock\n\
         speech:\n  model: {model}\naudio:\n  host: pulseaudio\nmqtt:\n  broker: mqtt://127.0.0.1:{mqtt}\n\
         sip:\n  listen: 127.0.0.1:{sip_port}\n  rtp_ports: {rtp}-{last_rtp}\n{more}\n",
        phrases = project("configs/phrases").display(),
        model = project("models/hark").display(),
        mqtt = broker.port,
        last_rtp = rtp + 19,
    );
    std::fs::write(folder.join("hark.yaml"), text).expect("hark.yaml");
}

fn write_contacts(folder: &Path, people: &[(&str, String)]) {
    let mut text = String::from("contacts:\n");
    for (name, address) in people {
        let _ = write!(text, "  - name: {name}\n    addresses:\n      - {address}\n");
    }
    std::fs::write(folder.join("contacts.yaml"), text).expect("contacts.yaml");
}
