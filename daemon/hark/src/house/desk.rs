//! The desk: what goes from this speaker to others and comes from them that is no call, which is bids and announcements.

mod counter;

pub use counter::{Counter, Errand};

use std::time::Instant;

use control::house::{Bid, HouseAction, HouseEvent, RoomName};
use media::order::Command;
use serde_json::{Value, json};
use speech::say::Voice;
use tokio::sync::mpsc;
use tracing::debug;

use crate::house::{Delivered, Letter, Post, To};

/// What the desk must know of this speaker.
#[derive(Clone, Debug)]
pub struct DeskSettings {
    /// Our name in topics and addresses.
    pub room: RoomName,
    /// BCP 47 language that texts are spoken in here.
    pub language: String,
    /// The program that speaks them.
    pub voice: Voice,
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

/// The desk, ready to run.
pub struct Desk {
    #[allow(dead_code, reason = "announcements are not there yet")]
    settings: DeskSettings,
    trays: Trays,
}

impl Desk {
    /// Puts it together.
    pub fn new(settings: DeskSettings, trays: Trays) -> Desk {
        Desk { settings, trays }
    }

    /// Works until the app is gone.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                errand = self.trays.errands.recv() => match errand {
                    Some(Errand::Do { action, .. }) => self.act(action),
                    Some(Errand::Played(_)) => (),
                    None => return,
                },
                Some(letter) = self.trays.letters.recv() => self.read(letter).await,
            }
        }
    }

    fn act(&mut self, action: HouseAction) {
        match action {
            HouseAction::Bid { score } => self.tell_everyone("wake.bid", json!({ "score": score })),
            HouseAction::Won { score } => self.tell_everyone("wake.won", json!({ "score": score })),
            HouseAction::Announce(_) | HouseAction::Play(_) | HouseAction::Drop(_) => (),
            // Goes to the broker, not to other speakers.
            HouseAction::Publish(_) => (),
        }
    }

    fn tell_everyone(&self, kind: &str, body: Value) {
        self.trays.post.drop_in_box(Letter {
            to: To::Everyone,
            kind: kind.into(),
            call: None,
            body,
            blob: None,
            keep_trying_for: wake::COUNTS_FOR,
        });
    }

    async fn read(&mut self, letter: Delivered) {
        let event = match letter.kind.as_str() {
            "wake.bid" => wake::bid(&letter, Instant::now()).map(HouseEvent::Bid),
            "wake.won" => wake::bid(&letter, Instant::now()).map(HouseEvent::Won),
            _ => None,
        };
        match event {
            // Only a stopped app takes none.
            Some(event) => drop(self.trays.events.send(event).await),
            None => debug!(kind = letter.kind, from = letter.from, "a letter made no sense"),
        }
    }
}

/// Who heard the wake phrase, and how well.
mod wake {
    use super::*;
    use std::time::Duration;

    /// Later nobody waits for it any more.
    pub const COUNTS_FOR: Duration = Duration::from_secs(1);

    /// What a letter bids.
    pub fn bid(letter: &Delivered, now: Instant) -> Option<Bid> {
        let score = letter.body.get("score")?.as_f64()? as f32;
        let age = now.saturating_duration_since(letter.sent);
        score.is_finite().then(|| Bid { room: letter.from.clone(), score, age })
    }
}
