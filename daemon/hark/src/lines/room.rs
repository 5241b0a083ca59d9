//! The line `rooms`: calls between speakers of one house. Letters of the house say who calls whom; sound goes straight from
//! speaker to speaker, encrypted with keys whose fingerprints were in the letters.
//!
//! `words` is what the letters say, `call` the life of a call, `media` its packets, `addresses` where they can be sent to.

mod addresses;
mod call;
mod media;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use control::action::LineAction;
use control::call::{CallId, EndReason};
use control::dialplan::{ROOMS, Uri};
use control::house::RoomName;
use control::input::LineEvent;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tracing::{debug, error, info};

use self::call::{Call, ToCall};
use self::media::Kit;
use self::words::Words;
use super::{FromLine, new_incoming};
use crate::house::{Delivered, Letter, Post, To};

/// So many calls at once are a conference of ten and somebody who knocks; more are a mistake.
const MOST_CALLS: usize = 12;

/// How long calls may take to end when the app ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long a letter is carried after the call that it is about; what comes later is of no use to anybody.
const LATE: Duration = Duration::from_secs(5);

/// The line to other speakers.
pub struct RoomLine {
    post: Post,
    letters: mpsc::Receiver<Delivered>,
    actions: mpsc::Receiver<LineAction>,
    events: mpsc::Sender<FromLine>,
}

/// A call as both ends name it.
type Name = (RoomName, String);

impl RoomLine {
    /// Makes the line; nothing happens before `run`. `letters` are those of the kinds `call.*`.
    pub fn new(
        post: Post,
        letters: mpsc::Receiver<Delivered>,
        actions: mpsc::Receiver<LineAction>,
        events: mpsc::Sender<FromLine>,
    ) -> RoomLine {
        RoomLine { post, letters, actions, events }
    }

    /// Serves calls until the app goes away.
    pub async fn run(self) {
        let RoomLine { post, letters, mut actions, events } = self;
        // Making keys takes a moment that nobody who calls should wait for.
        let kit = tokio::task::spawn_blocking(Kit::new).await.ok().flatten();
        match kit {
            Some(kit) => Desk::new(post, events, Arc::new(kit)).run(actions, letters).await,
            None => {
                error!("no calls to other rooms: the system's OpenSSL makes no keys; is libssl complete?");
                while let Some(action) = actions.recv().await {
                    if let LineAction::Dial { call, .. } = action {
                        events.send(FromLine::Event(LineEvent::Ended(call, EndReason::LineDown))).await.ok();
                    }
                }
            }
        }
    }
}

/// Who has which call.
struct Desk {
    post: Post,
    events: mpsc::Sender<FromLine>,
    kit: Arc<Kit>,
    calls: BTreeMap<CallId, mpsc::Sender<ToCall>>,
    names: BTreeMap<Name, CallId>,
    tasks: JoinSet<()>,
    of_task: HashMap<tokio::task::Id, (CallId, Name)>,
    up: bool,
}

impl Desk {
    fn new(post: Post, events: mpsc::Sender<FromLine>, kit: Arc<Kit>) -> Desk {
        let (calls, names, of_task) = (BTreeMap::new(), BTreeMap::new(), HashMap::new());
        Desk { post, events, kit, calls, names, tasks: JoinSet::new(), of_task, up: false }
    }

    async fn run(mut self, mut actions: mpsc::Receiver<LineAction>, mut letters: mpsc::Receiver<Delivered>) {
        let mut rooms = self.post.watch();
        self.look_around().await;
        loop {
            tokio::select! {
                action = actions.recv() => match action {
                    Some(action) => self.act(action).await,
                    None => break,
                },
                Some(letter) = letters.recv() => self.read(letter).await,
                Some(ended) = self.tasks.join_next_with_id() => self.forget(ended).await,
                Ok(()) = rooms.changed() => self.look_around().await,
            }
        }
        // Without their senders the calls hang up.
        self.calls.clear();
        timeout(FAREWELL, async { while self.tasks.join_next().await.is_some() {} }).await.ok();
    }

    /// The line is up while there are other rooms; that one of them is switched off is told by the call to it.
    async fn look_around(&mut self) {
        let up = !self.post.rooms().is_empty();
        if up == self.up {
            return;
        }
        self.up = up;
        let event = match up {
            true => LineEvent::Up(ROOMS.into()),
            false => LineEvent::Down(ROOMS.into(), "no other speaker of the house is known".into()),
        };
        self.tell(event).await;
    }

    async fn tell(&self, event: LineEvent) {
        self.events.send(FromLine::Event(event)).await.ok();
    }

    async fn act(&mut self, action: LineAction) {
        if let LineAction::Dial { call, to, how, .. } = action {
            let Some(room) = to.room_name() else {
                return self.tell(LineEvent::Ended(call, EndReason::NotFound)).await;
            };
            let name = (room.to_owned(), words::new_name());
            let call = self.open(call, name);
            return self.start(call, |call| call.dial(how));
        }
        // A call that has ended is not to be told any more.
        if let Some(sender) = self.calls.get(&action.call()) {
            sender.send(ToCall::Action(action)).await.ok();
        }
    }

    /// Makes a call's place; its task is started by `start`.
    fn open(&mut self, id: CallId, name: Name) -> Call {
        // A call that is slow to take what it is told makes the line wait; it never waits for the line.
        let (sender, inbox) = mpsc::channel(32);
        self.calls.insert(id, sender);
        self.names.insert(name.clone(), id);
        Call {
            id,
            room: name.0,
            name: name.1,
            inbox,
            events: self.events.clone(),
            post: self.post.clone(),
            kit: self.kit.clone(),
        }
    }

    fn start<F: Future<Output = ()> + Send + 'static>(&mut self, call: Call, live: impl FnOnce(Call) -> F) {
        let name = (call.id, (call.room.clone(), call.name.clone()));
        let task = self.tasks.spawn(live(call)).id();
        self.of_task.insert(task, name);
    }

    async fn forget(&mut self, ended: Result<(tokio::task::Id, ()), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, ())| *task);
        let Some((id, name)) = self.of_task.remove(&task) else { return };
        self.calls.remove(&id);
        self.names.remove(&name);
        if let Err(error) = ended {
            error!(call = %id, %error, "a call ended by a defect of ours");
            self.tell(LineEvent::Ended(id, EndReason::Failed(500))).await;
        }
    }

    /// A letter about a call. Only the room that has the call may write about it.
    async fn read(&mut self, letter: Delivered) {
        let Delivered { from, kind, call: Some(name), body, .. } = letter else {
            return debug!(from = letter.from, kind = letter.kind, "a letter about no call");
        };
        let Some(words) = Words::read(&kind, &body) else {
            return debug!(from, kind, "a letter made no sense");
        };
        let known = self.names.get(&(from.clone(), name.clone()));
        let sender = known.and_then(|it| self.calls.get(it));
        match (sender, words) {
            (Some(_), Words::Offer { .. }) => debug!(from, "a call was offered twice"),
            (Some(sender), words) => {
                sender.send(ToCall::Words(words)).await.ok();
            }
            (None, Words::Offer { .. }) if self.calls.len() >= MOST_CALLS => {
                self.write(from, name, &Words::Refused(EndReason::Busy));
            }
            (None, Words::Offer { how, media }) => {
                let id = new_incoming();
                let display = self.post.rooms().iter().find(|it| it.slug == from).map(|it| it.name.clone());
                info!(call = %id, "a room calls");
                let event = LineEvent::Incoming {
                    call: id,
                    line: ROOMS.into(),
                    from: Uri::room(&from),
                    display: display.unwrap_or_else(|| from.clone()),
                    how,
                };
                let call = self.open(id, (from, name));
                self.tell(event).await;
                self.start(call, |call| call.ring(media));
            }
            // It waits for a call that is over here: we were restarted, or it missed our goodbye.
            (None, Words::Ringing(_) | Words::Answer(_)) => self.write(from, name, &Words::Bye(EndReason::TheyHungUp)),
            (None, _) => (),
        }
    }

    fn write(&self, to: RoomName, name: String, words: &Words) {
        self.post.drop_in_box(letter(to, name, words, LATE));
    }
}

/// A letter about a call.
fn letter(room: RoomName, name: String, words: &Words, keep_trying_for: Duration) -> Letter {
    Letter { to: To::Room(room), kind: words.kind().into(), call: Some(name), body: words.body(), blob: None, keep_trying_for }
}
