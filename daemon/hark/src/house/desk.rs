//! The desk: what goes from this speaker to others and comes from them that is no call, which is bids and announcements.
//!
//! An announcement goes to each room by a letter of its own. Rooms tell when they have it and when it may be heard there;
//! then whoever sent it says when all of them play, and each converts that moment to its own clock.

mod arrived;
mod counter;
mod note;
pub mod page;
pub mod recording;
mod sent;
mod wake;

pub use counter::{Counter, Errand};
pub use page::Group;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::house::{Announcement, AnnouncementId, Body, HouseAction, HouseEvent, RoomName};
use media::RATE_HZ;
use media::clip::Clip;
use media::order::{Bus, Command};
use media::ring::monotonic_ns;
use speech::say::Voice;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, sleep_until};
use tracing::{debug, warn};

use crate::house::{Delivered, Post};
use crate::voice::{Speech, Spoken};
use arrived::Inbox;
use note::{LONGEST_TEXT, Material, Note};
use page::Paged;
use sent::{Outbox, TRY_FOR};

/// How soon a room that could not be reached is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// A moment farther away than this is nonsense; then it is now.
const NO_LATER_THAN: Duration = Duration::from_secs(5);
/// Clips that wait to be sent to groups of phones.
const CLIPS_KEPT: usize = 8;

/// What the desk must know of this speaker.
#[derive(Clone, Debug)]
pub struct DeskSettings {
    /// Our name in topics and addresses.
    pub room: RoomName,
    /// BCP 47 language that texts are spoken in here.
    pub language: String,
    /// The program that speaks them.
    pub voice: Voice,
    /// Groups of phones that are paged.
    pub groups: Vec<Group>,
    /// Of which interface multicast is heard and sent; `None`: as the system routes it.
    pub interface: Option<Ipv4Addr>,
}

/// What comes in at the desk and goes out from it.
pub struct Trays {
    /// From the app, see [`Counter`].
    pub errands: mpsc::Receiver<Errand>,
    /// Letters of the kinds `announce.*` and `wake.*`; a full channel drops them, and whoever wrote them tries again.
    pub letters: mpsc::Receiver<Delivered>,
    /// To the decisions; a full channel makes the desk wait.
    pub events: mpsc::Sender<HouseEvent>,
    /// To the engine; a full channel makes the desk wait.
    pub engine: mpsc::Sender<Command>,
    /// To other speakers.
    pub post: Post,
}

/// What samples are made for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum For {
    /// To be heard in this room.
    Here(AnnouncementId),
    /// To be sent to a group of phones.
    Group(AnnouncementId, String),
}

/// What the desk's own tasks have done.
enum Done {
    /// Our recording is ready to be sent.
    Encoded(Announcement, Result<Arc<[u8]>, recording::Junk>),
    /// A recording was decoded.
    Decoded(For, Result<Clip, String>),
    /// A room could not be reached.
    Missed(AnnouncementId, RoomName),
}

/// The desk, ready to run.
pub struct Desk {
    settings: DeskSettings,
    trays: Trays,
    voice: Speech<For>,
    spoken: mpsc::Receiver<Spoken<For>>,
    /// A full channel makes the tasks wait.
    done_in: mpsc::Sender<Done>,
    done: mpsc::Receiver<Done>,
    inbox: Inbox,
    outbox: Outbox,
    /// What was said to us, until its samples are being made.
    materials: BTreeMap<AnnouncementId, Material>,
    /// What is to be sent to groups of phones.
    clips: Vec<(AnnouncementId, String, Clip)>,
    /// Names us in what is sent to groups of phones.
    ssrc: u32,
}

impl Desk {
    /// Puts it together.
    pub fn new(settings: DeskSettings, trays: Trays) -> Desk {
        let (spoken_in, spoken) = mpsc::channel(16);
        let (done_in, done) = mpsc::channel(64);
        Desk {
            voice: Speech::start(settings.voice.clone(), spoken_in),
            settings,
            trays,
            spoken,
            done_in,
            done,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            materials: BTreeMap::new(),
            clips: Vec::new(),
            ssrc: page::own_ssrc(),
        }
    }

    /// Works until the app is gone.
    pub async fn run(mut self) {
        // A full channel makes the receivers of pages wait, and the system drops their packets.
        let (pages_in, mut pages) = mpsc::channel(8);
        let mut receivers = JoinSet::new();
        for group in self.settings.groups.iter().filter(|it| it.receive) {
            match page::Receiver::new(group.clone(), self.settings.interface, self.ssrc) {
                Ok(receiver) => drop(receivers.spawn(receiver.run(pages_in.clone()))),
                Err(err) => warn!("phones cannot page this room: {err:#}"),
            }
        }
        loop {
            let deadline = self.inbox.deadline().into_iter().chain(self.outbox.deadline()).min();
            tokio::select! {
                errand = self.trays.errands.recv() => match errand {
                    Some(errand) => self.errand(errand).await,
                    None => return,
                },
                Some(letter) = self.trays.letters.recv() => self.letter(letter).await,
                Some((what, clip)) = self.spoken.recv() => self.made(what, clip.ok_or_else(|| "it cannot be spoken".into())).await,
                Some(done) = self.done.recv() => self.done(done).await,
                Some(Paged { group, id, page }) = pages.recv() => {
                    let next = self.inbox.paged(&group, id, page);
                    self.of_inbox(next).await;
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now).into()), if deadline.is_some() => {
                    let next = self.inbox.turn(Instant::now());
                    self.of_inbox(next).await;
                    let next = self.outbox.turn(Instant::now());
                    self.of_outbox(next).await;
                }
            }
        }
    }

    async fn errand(&mut self, errand: Errand) {
        let now = Instant::now();
        let next = match errand {
            Errand::Do { action: HouseAction::Bid { score }, .. } => {
                return self.trays.post.drop_in_box(wake::letter("wake.bid", score));
            }
            Errand::Do { action: HouseAction::Won { score }, .. } => {
                return self.trays.post.drop_in_box(wake::letter("wake.won", score));
            }
            Errand::Do { action: HouseAction::Announce(it), recording } => return self.announce(it, recording).await,
            Errand::Do { action: HouseAction::Play(id), .. } => self.inbox.play(now, &id),
            Errand::Do { action: HouseAction::Drop(id), .. } => self.inbox.forget(&id),
            // Goes to the broker, not to other speakers.
            Errand::Do { action: HouseAction::Publish(_), .. } => return,
            Errand::Played(sound) => self.inbox.played(sound),
        };
        self.of_inbox(next).await;
    }

    async fn announce(&mut self, it: Announcement, recording: Option<Arc<[f32]>>) {
        match (&it.body, recording) {
            (Body::Text(text), _) => {
                let material = Material::Text(text.chars().take(LONGEST_TEXT).collect());
                self.send(it, material).await;
            }
            (Body::Recording(_), Some(samples)) => {
                let done = self.done_in.clone();
                spawn_blocking(move || {
                    let encoded = recording::encode(&samples).map(Arc::from);
                    // Only a stopped desk takes none.
                    let _ = done.blocking_send(Done::Encoded(it, encoded));
                });
            }
            (Body::Recording(_), None) => {
                warn!("an announcement was not sent: its recording is gone");
                self.tell(HouseEvent::Delivered(it.id, it.to)).await;
            }
        }
    }

    async fn send(&mut self, it: Announcement, material: Material) {
        let Announcement { id, to, priority, .. } = it;
        debug!(%id, rooms = to.len(), "an announcement is being sent");
        let next = self.outbox.send(Instant::now(), id.clone(), self.reachable(&to));
        self.of_outbox(next).await;
        for room in to {
            if room == self.settings.room {
                let note = Note::Say { priority, material: material.clone() };
                self.note(&room, id.clone(), note).await;
            } else if self.group(&room).is_some() {
                self.make(For::Group(id.clone(), room), material.clone());
            } else {
                let say = Note::Say { priority, material: material.clone() };
                tokio::spawn(deliver(self.trays.post.clone(), room, id.clone(), say, self.done_in.clone()));
            }
        }
    }

    /// The rooms, and whether each can be reached now.
    fn reachable(&self, rooms: &[RoomName]) -> Vec<(RoomName, bool)> {
        let known = self.trays.post.rooms();
        let is_near = |room: &RoomName| *room == self.settings.room || self.group(room).is_some();
        let is_up = |room: &RoomName| is_near(room) || known.iter().any(|it| it.slug == *room && it.up);
        rooms.iter().map(|room| (room.clone(), is_up(room))).collect()
    }

    async fn letter(&mut self, letter: Delivered) {
        let event = match letter.kind.as_str() {
            "wake.bid" => wake::bid(&letter, Instant::now()).map(HouseEvent::Bid),
            "wake.won" => wake::bid(&letter, Instant::now()).map(HouseEvent::Won),
            _ => None,
        };
        if let Some(event) = event {
            return self.tell(event).await;
        }
        let (from, kind) = (letter.from.clone(), letter.kind.clone());
        match note::read(letter) {
            Some((id, note)) => self.note(&from, id, note).await,
            None => debug!(kind, from, "a letter made no sense"),
        }
    }

    /// A note from another room, or from ourselves.
    async fn note(&mut self, from: &str, id: AnnouncementId, note: Note) {
        let now = Instant::now();
        let next = match note {
            Note::Say { priority, material } => {
                self.materials.insert(id.clone(), material);
                let next = self.inbox.said(from, id.clone(), priority);
                self.of_inbox(next).await;
                self.materials.remove(&id);
                return;
            }
            Note::Go(at) => {
                let at = self.trays.post.clock(from).map_or(now, |clock| clock.here(at));
                return self.go(from, &id, at).await;
            }
            Note::Got => self.outbox.got(now, from, &id),
            Note::Ready => self.outbox.ready(now, from, &id),
            Note::Refused(why) => {
                warn!(room = from, why, "an announcement is not heard in a room");
                self.outbox.missed(now, from, &id)
            }
        };
        self.of_outbox(next).await;
    }

    async fn go(&mut self, from: &str, id: &AnnouncementId, at: Instant) {
        let now = Instant::now();
        let at = if at > now + NO_LATER_THAN { now } else { at };
        let next = self.inbox.go(now, from, id, at);
        self.of_inbox(next).await;
    }

    async fn done(&mut self, done: Done) {
        match done {
            Done::Encoded(it, Ok(sound)) => self.send(it, Material::Sound(sound)).await,
            Done::Encoded(it, Err(why)) => {
                warn!("an announcement was not sent: {why}");
                self.tell(HouseEvent::Delivered(it.id, it.to)).await;
            }
            Done::Decoded(what, clip) => self.made(what, clip).await,
            Done::Missed(id, room) => {
                let next = self.outbox.missed(Instant::now(), &room, &id);
                self.of_outbox(next).await;
            }
        }
    }

    async fn made(&mut self, what: For, clip: Result<Clip, String>) {
        if let Err(why) = &clip {
            warn!("an announcement cannot be played: {why}");
        }
        match what {
            For::Here(id) => {
                let next = self.inbox.made(&id, clip.map(shortened));
                self.of_inbox(next).await;
            }
            For::Group(id, group) => {
                let now = Instant::now();
                let next = match clip {
                    Ok(clip) if self.clips.len() < CLIPS_KEPT => {
                        self.clips.push((id.clone(), group.clone(), shortened(clip)));
                        self.outbox.ready(now, &group, &id)
                    }
                    Ok(_) | Err(_) => self.outbox.missed(now, &group, &id),
                };
                self.of_outbox(next).await;
            }
        }
    }

    /// Has samples made; they come to [`Desk::made`].
    fn make(&mut self, what: For, material: Material) {
        match material {
            Material::Text(text) => {
                let text = text.chars().take(LONGEST_TEXT).collect();
                if let Err(what) = self.voice.ask(what, text, self.settings.language.clone()) {
                    self.later(Done::Decoded(what, Err("too many texts wait to be spoken".into())));
                }
            }
            Material::Sound(sound) => {
                let done = self.done_in.clone();
                spawn_blocking(move || {
                    let clip = recording::decode(&sound).map(|it| Clip::new(&it, RATE_HZ)).map_err(|it| it.to_string());
                    // Only a stopped desk takes none.
                    let _ = done.blocking_send(Done::Decoded(what, clip));
                });
            }
        }
    }

    async fn of_inbox(&mut self, next: Vec<arrived::Next>) {
        for it in next {
            match it {
                arrived::Next::Make(id) => {
                    if let Some(material) = self.materials.remove(&id) {
                        self.make(For::Here(id), material);
                    }
                }
                arrived::Next::Note(room, id, note) if room == self.settings.room => Box::pin(self.note(&room, id, note)).await,
                arrived::Next::Note(room, id, note) => self.trays.post.drop_in_box(note::write(room, &id, note, TRY_FOR)),
                arrived::Next::Event(event) => self.tell(event).await,
                arrived::Next::Play(id, source, at) => {
                    let at_ns = at.map_or(0, monotonic);
                    self.order(Command::PlayAt { id, bus: Bus::Announce, source, at_ns }).await;
                }
                arrived::Next::Stop(id) => self.order(Command::Stop(id)).await,
            }
        }
    }

    async fn of_outbox(&mut self, next: Vec<sent::Next>) {
        for it in next {
            match it {
                sent::Next::Go(room, id, at) if room == self.settings.room => Box::pin(self.go(&room, &id, at)).await,
                sent::Next::Go(room, id, at) => match self.clips.iter().position(|it| it.0 == id && it.1 == room) {
                    Some(n) => self.page(n, at),
                    None => {
                        let go = Note::Go(self.trays.post.our_clock(at));
                        self.trays.post.drop_in_box(note::write(room, &id, go, TRY_FOR));
                    }
                },
                sent::Next::Delivered(id, missed) => {
                    debug!(%id, missed = missed.len(), "an announcement was delivered");
                    self.tell(HouseEvent::Delivered(id, missed)).await;
                }
            }
        }
    }

    fn page(&mut self, n: usize, at: Instant) {
        let (_, name, clip) = self.clips.remove(n);
        let Some(group) = self.group(&name).cloned() else { return };
        let (interface, ssrc) = (self.settings.interface, self.ssrc);
        tokio::spawn(async move {
            if let Err(err) = page::send(group, interface, ssrc, clip, at.into()).await {
                warn!("phones were not paged: {err:#}");
            }
        });
    }

    fn group(&self, name: &str) -> Option<&Group> {
        self.settings.groups.iter().find(|it| it.send && it.name == name)
    }

    async fn tell(&mut self, event: HouseEvent) {
        // Only a stopped app takes none.
        let _ = self.trays.events.send(event).await;
    }

    async fn order(&mut self, command: Command) {
        // Only a stopped app takes none.
        let _ = self.trays.engine.send(command).await;
    }

    fn later(&self, done: Done) {
        let to = self.done_in.clone();
        tokio::spawn(async move { to.send(done).await });
    }
}

/// Brings an announcement to a room, again and again until it has it or it is too late.
async fn deliver(post: Post, room: RoomName, id: AnnouncementId, say: Note, done: mpsc::Sender<Done>) {
    let until = Instant::now() + TRY_FOR;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match post.send(note::write(room.clone(), &id, say.clone(), left)).await {
            Ok(()) => return,
            Err(_) if Instant::now() + AGAIN_AFTER < until => sleep(AGAIN_AFTER).await,
            Err(why) => {
                debug!(%why, "an announcement did not arrive");
                // Only a stopped desk takes none.
                let _ = done.send(Done::Missed(id, room)).await;
                return;
            }
        }
    }
}

/// A moment by the clock of the engine.
fn monotonic(at: Instant) -> u64 {
    let ahead = at.saturating_duration_since(Instant::now());
    monotonic_ns() + ahead.as_nanos() as u64
}

fn shortened(clip: Clip) -> Clip {
    let most = recording::LONGEST_S * RATE_HZ as usize;
    if clip.samples().len() > most { Clip::new(&clip.samples()[..most], RATE_HZ) } else { clip }
}
