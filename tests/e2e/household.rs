//! A household for one scene: several speakers, each in its room with a card of its own, phones, and one broker or none.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::broker::{Broker, Message};
use crate::children::{Running, eventually, free_port, free_range, output};
use crate::house::{A_WHILE, HARK, Plot, SOON, in_the_room, project};
use crate::network::Network;
use crate::phone::{Phone, PhoneSettings};
use crate::pulse::{AIR, LOUDSPEAKERS, Pulse, Recording};
use crate::sound::Clip;
use crate::voice::PERSON;

/// Who is the house's broker.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Exchange {
    #[default]
    Mosquitto,
    /// The one inside the first speaker.
    OfTheFirst,
    None,
}

/// One room that is planned.
pub struct RoomPlan {
    pub name: &'static str,
    /// More lines below `house` of its hark.yaml, each beginning with two spaces.
    pub house: String,
    /// More lines of its hark.yaml.
    pub more: String,
    /// How much of the loudspeaker the microphone hears.
    pub echo: f32,
    /// Whether calls get the microphone as it is: no echo cancellation, no noise suppression, no gain control.
    pub raw: bool,
    /// How long a command is waited for.
    pub listen_for: &'static str,
}

/// A room with nothing particular about it.
pub fn room(name: &'static str) -> RoomPlan {
    RoomPlan { name, house: String::new(), more: String::new(), echo: 0.0, raw: false, listen_for: "6s" }
}

/// What is particular about a household.
pub struct HouseholdPlan<'a> {
    pub rooms: Vec<RoomPlan>,
    /// Their phones; a contact for each, called as the user with a capital letter.
    pub people: Vec<PhoneSettings<'a>>,
    pub exchange: Exchange,
    /// Whether the speakers are to trust one another.
    pub joined: bool,
    /// Whether each speaker has a network card of its own, on one switch.
    pub network: Option<Network>,
}

impl HouseholdPlan<'_> {
    /// Rooms with nothing particular about them, joined, with mosquitto.
    pub fn of(rooms: &[&'static str]) -> Self {
        Self {
            rooms: rooms.iter().map(|name| room(name)).collect(),
            people: Vec::new(),
            exchange: Exchange::default(),
            joined: true,
            network: None,
        }
    }
}

/// One speaker in its room.
pub struct Room {
    pub name: &'static str,
    pub folder: PathBuf,
    pub sip_port: u16,
    /// Where other speakers reach it directly.
    pub house_port: u16,
    /// Gone while it is without power.
    pub speaker: Option<Running>,
}

/// The household. Parts are dropped in this order.
pub struct Household {
    pub rooms: Vec<Room>,
    pub people: Vec<Phone>,
    broker: Option<Broker>,
    pub pulse: Pulse,
    pub network: Option<Network>,
    pub folder: tempfile::TempDir,
    _plot: Plot,
}

impl Household {
    /// Moves in, joins the speakers, and waits until all know one another.
    pub fn new(plan: HouseholdPlan) -> Self {
        let plot = Plot::wait();
        let folder = tempfile::Builder::new().prefix("hark-e2e-").tempdir().expect("folder");
        let names: Vec<String> = plan.rooms.iter().map(|room| room.name.to_owned()).collect();
        let pulse = Pulse::start_for_rooms(folder.path(), &names);
        for room in plan.rooms.iter().filter(|room| room.echo > 0.0) {
            pulse.add_echo_in(room.name, room.echo);
        }
        let here = plan.network.as_ref().map_or("127.0.0.1".to_owned(), Network::address);
        let mut broker = match plan.exchange {
            Exchange::Mosquitto if here == "127.0.0.1" => Some(Broker::start(folder.path())),
            Exchange::Mosquitto => Some(Broker::start_at(folder.path(), &["127.0.0.1", &here], "")),
            Exchange::OfTheFirst | Exchange::None => None,
        };
        let embedded = free_port();
        let people: Vec<Phone> = plan.people.into_iter().map(|person| Phone::start(folder.path(), person)).collect();
        let contacts = contacts(&people);
        let multicast = free_port();
        let mut rooms = Vec::new();
        for (i, planned) in plan.rooms.into_iter().enumerate() {
            let address = plan.network.as_ref().map_or("127.0.0.1".to_owned(), |network| network.address_of(i));
            let mqtt = match (&broker, plan.exchange) {
                (Some(broker), _) => format!("broker: mqtt://{here}:{}", broker.port),
                (None, Exchange::OfTheFirst) if i == 0 => format!("broker: embedded\n  listen: 127.0.0.1:{embedded}"),
                (None, Exchange::OfTheFirst) => format!("broker: mqtt://127.0.0.1:{embedded}"),
                (None, _) => "broker: 'off'".to_owned(),
            };
            let room = Room {
                name: planned.name,
                folder: folder.path().join(planned.name),
                sip_port: free_port(),
                house_port: free_port(),
                speaker: None,
            };
            std::fs::create_dir_all(&room.folder).expect("the room's folder");
            std::fs::write(room.folder.join("contacts.yaml"), &contacts).expect("contacts.yaml");
            let settings = settings(&room, &address, &mqtt, multicast, &planned);
            std::fs::write(room.folder.join("hark.yaml"), settings).expect("hark.yaml");
            rooms.push(room);
        }
        let mut household = Self { rooms, people, broker: broker.take(), pulse, network: plan.network, folder, _plot: plot };
        for name in &names {
            household.switch_on(name);
        }
        if plan.exchange == Exchange::OfTheFirst {
            household.broker = Some(Broker::of_a_speaker(household.folder.path(), embedded));
        }
        if plan.joined {
            household.join();
        }
        household
    }

    /// Starts a speaker, again if it was switched off, and waits until it listens.
    pub fn switch_on(&mut self, name: &str) {
        let i = self.index(name);
        let mut command = self.network.as_ref().map_or_else(|| Command::new(HARK), |network| network.command(i, HARK));
        self.settle(&mut command, name);
        let mut speaker = Running::start(&format!("hark-{name}"), self.folder.path(), command.arg("run"));
        eventually(&format!("the speaker of the {name} to be ready"), Duration::from_secs(20), || {
            assert!(speaker.alive(), "hark run ended: {}", speaker.printed());
            let status = self.try_status(name)?;
            let broker = status["mqtt"]["broker"] == "off" || status["mqtt"]["connected"] == true;
            (broker && status["lines"]["direct"]["up"] == true && status["audio"]["card"] == "open").then_some(())
        });
        self.rooms[i].speaker = Some(speaker);
    }

    /// Its power is cut: it has no chance to say anything.
    pub fn cut_power(&mut self, name: &str) {
        let i = self.index(name);
        self.rooms[i].speaker = None;
    }

    /// The first room invites, the others join one after the other; then all know all.
    fn join(&self) {
        let first = self.rooms[0].name;
        for room in &self.rooms[1..] {
            self.invite(first, room.name);
        }
        self.wait_together(Duration::from_secs(20));
    }

    /// `hark house invite` at one, `hark house join` at the other.
    pub fn invite(&self, at: &str, joins: &str) {
        let invitation = output(self.hark(at).args(["house", "invite"]));
        let code = code_in(&invitation).unwrap_or_else(|| panic!("no code in: {invitation}"));
        self.does(joins, &["house", "join", &code]);
    }

    /// Waits until each speaker that has power knows that all others are up.
    #[track_caller]
    pub fn wait_together(&self, within: Duration) {
        let powered: Vec<&str> = self.rooms.iter().filter(|room| room.speaker.is_some()).map(|room| room.name).collect();
        for name in &powered {
            eventually(&format!("the {name} to know all others"), within, || {
                let up = self.up_at(name)?;
                powered.iter().all(|other| other == name || up.iter().any(|it| it == other)).then_some(())
            });
        }
    }

    /// The rooms that this one knows to be up.
    pub fn up_at(&self, name: &str) -> Option<Vec<String>> {
        let status = self.try_status(name)?;
        let members = status["house"]["members"].as_array()?;
        Some(members.iter().filter(|it| it["up"] == true).filter_map(|it| it["room"].as_str().map(str::to_owned)).collect())
    }

    fn index(&self, name: &str) -> usize {
        self.rooms.iter().position(|room| room.name == name).unwrap_or_else(|| panic!("no room {name}"))
    }

    /// The room of this name.
    pub fn room(&self, name: &str) -> &Room {
        &self.rooms[self.index(name)]
    }

    /// The phone of this user.
    pub fn phone(&self, user: &str) -> &Phone {
        self.people.iter().find(|phone| phone.user == user).unwrap_or_else(|| panic!("nobody is called {user}"))
    }

    /// The broker, for households that have one.
    pub fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("a household with a broker")
    }

    pub fn broker_mut(&mut self) -> &mut Broker {
        self.broker.as_mut().expect("a household with a broker")
    }

    /// `hark` with arguments, as the user of this room's speaker.
    pub fn hark(&self, name: &str) -> Command {
        let mut command = Command::new(HARK);
        self.settle(&mut command, name);
        command
    }

    fn settle(&self, command: &mut Command, name: &str) {
        let folder = self.folder.path().join(name);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HARK_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(&folder)
            .arg("--config")
            .arg(folder.join("hark.yaml"))
            .args(["--log", "debug"])
            .envs(self.pulse.env());
    }

    /// Runs a command of the command line that must work.
    #[track_caller]
    pub fn does(&self, name: &str, arguments: &[&str]) {
        let out = self.hark(name).args(arguments).output().expect("hark");
        assert!(out.status.success(), "{name}: hark {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// Runs a command of the command line, and tells whether it was done and what was printed.
    pub fn tries(&self, name: &str, arguments: &[&str]) -> (bool, String) {
        let out = self.hark(name).args(arguments).output().expect("hark");
        (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    }

    /// `hark status --json`, where the speaker answers.
    pub fn try_status(&self, name: &str) -> Option<Value> {
        let out = self.hark(name).args(["status", "--json"]).output().expect("hark");
        serde_json::from_slice(&out.stdout).ok()
    }

    /// What the speaker's call is now, broker or not.
    pub fn state(&self, name: &str) -> String {
        self.try_status(name).and_then(|it| it["call"]["state"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Waits until the speaker's call is in this state now.
    #[track_caller]
    pub fn wait_now(&self, name: &str, state: &str, within: Duration) {
        let begin = Instant::now();
        loop {
            let now = self.state(name);
            if now == state {
                return;
            }
            assert!(begin.elapsed() < within, "the call in the {name} is `{now}` and not `{state}` after {within:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the speaker has told this state over MQTT, from `mark` on.
    #[track_caller]
    pub fn wait_state(&self, name: &str, mark: usize, state: &str, within: Duration) -> Message {
        let topic = format!("hark/{name}/call");
        self.broker().wait(mark, &format!("the call in the {name} to be `{state}`"), within, |it| {
            it.topic == topic && it.get("state") == state
        })
    }

    /// Waits for an event of a room.
    #[track_caller]
    pub fn wait_event(&self, name: &str, mark: usize, event: &str, within: Duration) -> Message {
        let topic = format!("hark/{name}/event");
        self.broker()
            .wait(mark, &format!("the event `{event}` of the {name}"), within, |it| it.topic == topic && it.get("event") == event)
    }

    /// How often a room told an event from `mark` on.
    pub fn n_events(&self, name: &str, mark: usize, event: &str) -> usize {
        let topic = format!("hark/{name}/event");
        self.broker().heard().iter().skip(mark).filter(|it| it.topic == topic && it.get("event") == event).count()
    }

    /// Somebody says it in this room and is heard nowhere else; it takes as long as it takes.
    pub fn say(&self, name: &str, text: &str) {
        self.say_heard_in(&[(name, 0.0, Duration::ZERO)], &PERSON.says(text));
    }

    /// Begins to say something in one room.
    pub fn start_saying(&self, name: &str, clip: &Clip) -> Child {
        self.start_heard_in(&[(name, 0.0, Duration::ZERO)], clip)
    }

    /// Begins to let every room hear the same, as it is.
    pub fn start_saying_everywhere(&self, clip: &Clip) -> Child {
        self.pulse.start_saying_in_rooms(&vec![clip.clone(); self.rooms.len()])
    }

    /// Somebody says it and is heard in several rooms: so much softer, in dB, so much later; the other rooms are quiet.
    pub fn say_heard_in(&self, places: &[(&str, f32, Duration)], clip: &Clip) {
        assert!(self.start_heard_in(places, clip).wait().expect("paplay").success(), "paplay failed");
    }

    fn start_heard_in(&self, places: &[(&str, f32, Duration)], clip: &Clip) -> Child {
        let said = in_the_room(clip);
        let clips: Vec<Clip> = self
            .rooms
            .iter()
            .enumerate()
            .map(|(i, room)| match places.iter().find(|place| place.0 == room.name) {
                None => Clip::silence(said.length()).with_noise(0.0004),
                Some((_, gain_db, delay)) => {
                    let walls = walls(i, *gain_db);
                    let heard = Clip::silence(*delay).then(&walls.of(clip)).gain(10_f32.powf(gain_db / 20.0));
                    in_the_room(&heard)
                }
            })
            .collect();
        self.pulse.start_saying_in_rooms(&clips)
    }

    /// Records all loudspeakers at once; the channels are as [`Household::rooms`].
    pub fn listen(&self) -> Listening {
        let names = self.rooms.iter().map(|room| room.name).collect();
        Listening { names, recording: self.pulse.record_rooms(LOUDSPEAKERS, self.rooms.len()) }
    }

    /// Records all microphones at once.
    pub fn listen_to_microphones(&self) -> Listening {
        let names = self.rooms.iter().map(|room| room.name).collect();
        Listening { names, recording: self.pulse.record_rooms(AIR, self.rooms.len()) }
    }

    /// Somebody in the room asks, and asks once more when nothing came of it, as people do.
    #[track_caller]
    pub fn asks(&self, name: &str, text: &str, what: &str, came: impl Fn() -> bool) {
        for _ in 0..2 {
            self.say(name, text);
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(3) {
                if came() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(30));
            }
        }
        eventually(what, SOON, || came().then_some(()));
    }

    /// The room's speaker and a phone talk: it is called from the room by the command line, and answers.
    #[track_caller]
    pub fn call_person(&self, from: &str, user: &str) {
        let ring = self.phone(user).mark();
        self.does(from, &["call", user]);
        self.phone(user).rings(ring, SOON);
        self.phone(user).answer();
        self.wait_now(from, "connected", SOON);
    }

    /// "Call the kitchen" in one room, "answer" in the other: both are connected.
    #[track_caller]
    pub fn call_room(&self, from: &str, to: &str) {
        self.does(from, &["call", to]);
        self.wait_now(to, "ringing", SOON);
        self.does(to, &["answer"]);
        self.wait_now(from, "connected", SOON);
        self.wait_now(to, "connected", SOON);
    }

    /// All calls are over in all rooms that have power.
    #[track_caller]
    pub fn wait_all_idle(&self) {
        for room in self.rooms.iter().filter(|room| room.speaker.is_some()) {
            self.wait_now(room.name, "idle", A_WHILE);
        }
    }
}

/// What the loudspeakers or microphones of all rooms did, to the sample.
pub struct Listening {
    names: Vec<&'static str>,
    pub recording: Recording,
}

impl Listening {
    /// What was heard in one room from a moment on.
    pub fn of(&self, name: &str, from: Duration) -> Clip {
        let channel = self.names.iter().position(|it| *it == name).unwrap_or_else(|| panic!("no room {name}"));
        self.recording.of(channel, from)
    }
}

/// How the walls of a room colour what is said in it: the nearer room is drier.
struct Walls(media::room::Convolver);

fn walls(i: usize, gain_db: f32) -> Walls {
    let settings = media::room::RoomSettings::default();
    let shape = settings.shape;
    let far = if gain_db < -3.0 { 1.6 } else { 0.5 };
    let person = media::room::Place([1.2 + 0.2 * (i % 3) as f32 + far, 1.4 + far * 0.6, 1.5]);
    let mut response = media::room::response(shape, person, settings.microphone);
    let energy: f32 = response.iter().map(|it| it * it).sum();
    response.iter_mut().for_each(|it| *it /= energy.sqrt());
    Walls(media::room::Convolver::new(&response))
}

impl Walls {
    fn of(mut self, clip: &Clip) -> Clip {
        let mut heard = Clip::default();
        for frame in clip.clone().then_silence(Duration::from_millis(300)).samples.chunks_exact(media::FRAME) {
            let (mut input, mut out) = ([0.0; media::FRAME], [0.0; media::FRAME]);
            input.copy_from_slice(frame);
            self.0.process(&input, &mut out);
            heard.samples.extend(out);
        }
        heard
    }
}

/// The code in what `hark house invite` prints: its digits.
fn code_in(text: &str) -> Option<String> {
    let code: String = text.lines().next()?.chars().filter(char::is_ascii_digit).collect();
    (code.len() >= 4).then_some(code)
}

fn settings(room: &Room, address: &str, mqtt: &str, multicast: u16, plan: &RoomPlan) -> String {
    let rtp = free_range(20);
    format!(
        "room: {name}\ncontacts: contacts.yaml\nphrases: {phrases}\nstate_dir: state\nsocket: hark.sock\n\
         speech:\n  model: {model}\n  listen_for: {listen_for}\naudio:\n  host: pulseaudio\n  input: {name}_mic\n  output: {name}_spk\n{raw}\
         mqtt:\n  {mqtt}\nsip:\n  listen: {address}:{sip}\n  rtp_ports: {rtp}-{last_rtp}\n\
         house:\n  listen: {address}:{house}\n  multicast: 239.255.73.73:{multicast}\n  interface: {address}\n{in_house}\n{more}\n",
        name = room.name,
        phrases = project("configs/phrases").display(),
        model = project("models/hark").display(),
        sip = room.sip_port,
        house = room.house_port,
        last_rtp = rtp + 19,
        listen_for = plan.listen_for,
        raw = if plan.raw { "  echo_cancellation: false\n  noise_suppression: false\n  gain_control: false\n" } else { "" },
        in_house = plan.house,
        more = plan.more,
    )
}

fn contacts(people: &[Phone]) -> String {
    let mut text = String::from("contacts:\n");
    for phone in people {
        let (first, rest) = phone.user.split_at(1);
        let _ = write!(text, "  - name: {}{rest}\n    addresses:\n      - {}\n", first.to_uppercase(), phone.uri());
    }
    if people.is_empty() { "contacts: []\n".to_owned() } else { text }
}
