//! The scene as it is played: a speaker in a simulated room, mom's phone, and a person who talks.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use control::action::{CallState, Event, Report};
use media::order::{Command, Tap};
use media::ring::monotonic_ns;
use media::room::{Room, RoomSettings};
use tokio::sync::broadcast::error::TryRecvError;

use super::phone::{self, Phone, Told};
use super::picture::{Band, Mark};
use super::script::{Clips, Plan, Script, length};
use super::summary::{Recordings, Span, Summary};
use super::tape::Tape;
use crate::app::What;
use crate::config::{self, Sources};
use crate::run::{self, Card, Running};

/// How loud the person talks at the microphone; mom's voice from the loudspeaker is about as loud there.
const PERSON_GAIN: f32 = 1.0;

/// No scene takes longer.
const LONGEST: Duration = Duration::from_secs(90);

/// All that came of it.
pub struct Outcome {
    /// The figures.
    pub summary: Summary,
    recordings: Recordings,
    story: Vec<String>,
    transcript: String,
    bands: Vec<Band>,
    marks: Vec<Mark>,
    title: String,
    start_ns: u64,
}

impl Outcome {
    /// Writes recordings, transcript, summary and picture.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        self.recordings.write(folder)?;
        self.summary.write(folder)?;
        let text = format!("{}\n\n{}", self.story.join("\n"), self.transcript);
        std::fs::write(folder.join("transcript.txt"), text).context("writing transcript.txt")?;
        let picture = self.recordings.picture(&self.title, self.start_ns, &self.bands, &self.marks);
        std::fs::write(folder.join("scene.svg"), picture).context("writing scene.svg")
    }
}

/// Plays it in real time; `scratch` is a folder for what nobody keeps.
///
/// # Errors
/// When the speaker, the room or mom's phone cannot be started.
pub async fn play(script: &Script, clips: &Clips, scratch: &Path) -> anyhow::Result<Outcome> {
    let plan = clips.plan();
    let track = scratch.join("mom-says.wav");
    let heard = scratch.join("mom-heard.wav");
    media::wav::write(&track, &mom_track(clips, &plan), media::RATE_HZ)?;
    let (phone, port) = Phone::start(&track, &heard, Duration::from_secs_f64(script.answer_after))?;

    let (room, rings) = Room::start(RoomSettings::default()).context("building the room")?;
    let loaded = load(script, scratch, port)?;
    let card = Card { rings, state: Box::new(|| "simulated".into()) };
    let mut speaker = run::start(loaded, None, card).await?;
    let (tape, taps) = Tape::start(3)?;
    for (tap, ring) in [Tap::Microphone, Tap::Clean, Tap::Render].into_iter().zip(taps) {
        speaker.command(Command::Tap(tap, Some(ring))).await;
    }
    let mut scene = Scene::new(script, clips, plan, phone, room);
    scene.play(&mut speaker).await?;

    let transcript = speaker.transcript().await;
    let status = speaker.status().await;
    let cpu_percent = crate::status::cpu_percent(scene.start);
    speaker.stop().await;
    let mut tracks = tape.stop()?.into_iter();
    let mut track = || tracks.next().unwrap_or_default();
    let mut recordings = Recordings { microphone: track(), clean: track(), room_heard: track(), mom_heard: Default::default() };
    if let Some(heard_from_ns) = scene.wait_for_phone() {
        recordings.mom_heard.samples = media::wav::read(&heard, media::RATE_HZ)?;
        recordings.mom_heard.start_ns = heard_from_ns;
    }
    let mut outcome = scene.outcome(recordings, transcript);
    outcome.summary.xruns = status.as_ref().map_or(0, |status| status.audio.xruns);
    outcome.summary.setup_ms = status.as_ref().and_then(|status| status.measured.setup_ms);
    outcome.summary.memory_mb = (crate::status::memory_mb() * 10.0).round() / 10.0;
    outcome.summary.cpu_percent = (cpu_percent * 10.0).round() / 10.0;
    Ok(outcome)
}

/// What mom says from the moment she answers: alone, silence while the person talks, then at the same time as the person.
fn mom_track(clips: &Clips, plan: &Plan) -> Vec<f32> {
    let mut track = Vec::new();
    for (at, clip) in [(plan.mom, &clips.mom), (plan.both, &clips.both_mom)] {
        track.resize((at.as_secs_f64() * f64::from(media::RATE_HZ)) as usize, 0.0);
        track.extend_from_slice(clip);
    }
    track
}

/// The configuration of the scene: the built-in defaults, one contact, no broker, everything else in the scratch folder.
fn load(script: &Script, scratch: &Path, port: u16) -> anyhow::Result<config::Loaded> {
    let contacts = scratch.join("contacts.yaml");
    std::fs::write(
        &contacts,
        format!("contacts:\n  - name: {}\n    addresses: [\"sip:mom@127.0.0.1:{port}\"]\n", script.contact),
    )?;
    let own_port = phone::free_port()?;
    let settings = scratch.join("hark.yaml");
    let text = format!(
        "room: living room\ncontacts: {}\nstate_dir: {}\nsocket: {}\nmqtt:\n  broker: off\nhouse:\n  enabled: false\nsip:\n  listen: 127.0.0.1:{own_port}\n",
        contacts.display(),
        scratch.join("state").display(),
        scratch.join("control.sock").display()
    );
    std::fs::write(&settings, text)?;
    config::load(&Sources { system: PathBuf::new(), config: Some(settings), contacts: None, variables: Vec::new() })
        .map_err(|problems| anyhow::anyhow!("the demo's configuration:\n{problems}"))
}

/// Where the scene stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Quiet,
    Asked,
    Talking { since: Instant },
    Together { since: Instant },
    HungUp { since: Instant },
    Over,
}

struct Scene<'a> {
    script: &'a Script,
    clips: &'a Clips,
    plan: Plan,
    phone: Phone,
    room: Room,
    start: Instant,
    start_ns: u64,
    act: Act,
    summary: Summary,
    story: Vec<String>,
    bands: Vec<Band>,
    marks: Vec<Mark>,
    state: (String, f64),
    said_at: Option<Instant>,
    person_said_ns: Option<u64>,
    only_mom: Option<Span>,
    heard_from_ns: Option<u64>,
}

impl<'a> Scene<'a> {
    fn new(script: &'a Script, clips: &'a Clips, plan: Plan, phone: Phone, room: Room) -> Scene<'a> {
        Scene {
            script,
            clips,
            plan,
            phone,
            room,
            start: Instant::now(),
            start_ns: monotonic_ns(),
            act: Act::Quiet,
            summary: Summary::default(),
            story: Vec::new(),
            bands: Vec::new(),
            marks: Vec::new(),
            state: ("idle".into(), 0.0),
            said_at: None,
            person_said_ns: None,
            only_mom: None,
            heard_from_ns: None,
        }
    }

    /// Until the call is over, or nothing comes of it.
    async fn play(&mut self, speaker: &mut Running) -> anyhow::Result<()> {
        self.tell(format!("a quiet living room; {} is one call away", self.script.contact));
        while self.act != Act::Over && self.start.elapsed() < LONGEST {
            loop {
                match speaker.happened.try_recv() {
                    Ok(happened) => self.happened(happened.at, happened.what),
                    Err(TryRecvError::Lagged(_)) => (),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Closed) => anyhow::bail!("the speaker stopped in the middle of the scene"),
                }
            }
            while let Some(told) = self.phone.poll() {
                self.phone_told(told);
            }
            self.go_on();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// What the person does next, if it is time for it.
    fn go_on(&mut self) {
        match self.act {
            Act::Quiet if self.start.elapsed() > Duration::from_millis(1500) => {
                self.say(&self.clips.dial);
                self.tell(format!("the person says: \"{}\"", self.script.dial));
                self.said_at = Some(Instant::now() + length(&self.clips.dial));
                self.act = Act::Asked;
            }
            Act::Asked if self.start.elapsed() > Duration::from_secs(40) => self.give_up("mom's phone was never connected"),
            Act::Talking { since } if self.person_said_ns.is_none() && since.elapsed() >= self.plan.person => {
                self.person_said_ns = Some(monotonic_ns());
                self.say(&self.clips.person);
                self.tell(format!("the person says: \"{}\"", self.script.person));
            }
            Act::Talking { since } if since.elapsed() >= self.plan.both => {
                self.say(&self.clips.both_person);
                self.tell("both talk at once".into());
                self.act = Act::Together { since };
            }
            Act::Together { since } if since.elapsed() >= self.plan.end => {
                self.say(&self.clips.hang_up);
                self.tell(format!("the person says: \"{}\"", self.script.hang_up));
                self.act = Act::HungUp { since: Instant::now() };
            }
            Act::HungUp { since } if since.elapsed() > Duration::from_secs(12) => self.give_up("the call was not ended by voice"),
            _ => (),
        }
    }

    fn happened(&mut self, at: Instant, what: What) {
        match what {
            What::Says(text) => self.tell(format!("the speaker says: \"{text}\"")),
            What::Invited(_) => {
                if let Some(end) = self.said_at {
                    let ms = at.saturating_duration_since(end).as_secs_f64() * 1000.0;
                    self.summary.command_end_to_invite_ms = Some((ms * 10.0).round() / 10.0);
                    self.tell(format!("the speaker calls mom's phone, {ms:.0} ms after the last word"));
                    self.mark("INVITE".into());
                }
            }
            What::Report(Report::Call(report)) => self.call(report.state),
            What::Report(Report::Event(Event::Wake)) => {
                self.mark("wake phrase".into());
                self.tell("the speaker heard its wake phrase".into());
            }
            What::Report(Report::Event(Event::Heard { text, intent, contact, .. })) => {
                self.mark(format!("\u{201c}{text}\u{201d}"));
                self.tell(format!("the speaker understood: \"{text}\""));
                self.summary.heard.push(text);
                self.summary.intent.get_or_insert_with(|| intent.to_owned());
                if self.summary.contact.is_none() {
                    self.summary.contact = contact;
                }
            }
            What::Report(Report::Event(Event::Ended { reason, .. })) => {
                self.tell(format!("the call is over ({reason:?})"));
                match self.act {
                    Act::HungUp { .. } => self.summary.result = "complete".into(),
                    _ => self.give_up(&format!("the call ended early ({reason:?})")),
                }
                self.act = Act::Over;
            }
            _ => (),
        }
    }

    fn call(&mut self, state: CallState) {
        let name = crate::mqtt::payload::state(state).to_owned();
        if name == self.state.0 {
            return;
        }
        let now = self.seconds();
        let before = std::mem::replace(&mut self.state, (name, now));
        self.bands.push(Band { title: before.0, from_s: before.1, to_s: now });
        if state == CallState::Connected && self.act == Act::Asked {
            self.act = Act::Talking { since: Instant::now() };
        }
    }

    fn phone_told(&mut self, told: Told) {
        match told {
            Told::Ready { .. } => (),
            Told::Ringing => self.tell("mom's phone rings".into()),
            Told::Answered { at_ns } => {
                self.tell(format!("mom answers: \"{}\"", self.script.mom));
                let from_ns = at_ns + self.plan.mom.as_nanos() as u64;
                self.only_mom = Some(Span { from_ns, to_ns: from_ns + length(&self.clips.mom).as_nanos() as u64 });
            }
            Told::Ended { heard_from_ns } => self.heard_from_ns = Some(heard_from_ns),
        }
    }

    fn wait_for_phone(&mut self) -> Option<u64> {
        let until = Instant::now() + Duration::from_secs(5);
        while self.heard_from_ns.is_none() {
            let told = self.phone.wait(until.saturating_duration_since(Instant::now())).ok()?;
            self.phone_told(told);
        }
        self.heard_from_ns
    }

    fn outcome(mut self, recordings: Recordings, transcript: String) -> Outcome {
        let now = self.seconds();
        self.bands.push(Band { title: self.state.0.clone(), from_s: self.state.1, to_s: now + 0.3 });
        let round = |value: f64| (value * 10.0).round() / 10.0;
        self.summary.erle_db = self.only_mom.and_then(|span| recordings.erle_db(span)).map(round);
        self.summary.mouth_to_ear_ms =
            self.person_said_ns.and_then(|said| recordings.mouth_to_ear_ms(&self.clips.person, said)).map(round);
        Outcome {
            title: format!("\u{201c}{}\u{201d}", self.script.dial),
            summary: self.summary,
            recordings,
            story: self.story,
            transcript,
            bands: self.bands,
            marks: self.marks,
            start_ns: self.start_ns,
        }
    }

    fn give_up(&mut self, why: &str) {
        self.summary.result = why.to_owned();
        self.tell(why.to_owned());
        self.act = Act::Over;
    }

    fn say(&self, clip: &[f32]) {
        self.room.say(clip.to_vec(), PERSON_GAIN);
    }

    fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    fn mark(&mut self, title: String) {
        let at_s = self.seconds();
        self.marks.push(Mark { title, at_s });
    }

    fn tell(&mut self, line: String) {
        let line = format!("{:6.2} s  {line}", self.seconds());
        println!("{line}");
        self.story.push(line);
    }
}
