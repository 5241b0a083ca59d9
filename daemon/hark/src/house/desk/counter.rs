//! The desk as the app sees it: takes errands and what was recorded, never waits.

use std::collections::VecDeque;
use std::sync::Arc;

use control::house::{Body, HouseAction, RecordingId};
use media::order::SoundId;
use tokio::sync::mpsc;
use tracing::warn;

/// Recordings that are kept until they are sent; more than one is already odd.
const KEPT: usize = 4;

/// What the desk is to do, or to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Errand {
    /// The decisions ask for it; `recording` is what an announcement's body names, at 16 kHz.
    Do {
        /// What.
        action: HouseAction,
        /// The samples, if it is about any.
        recording: Option<Arc<[f32]>>,
    },
    /// A sound of the desk is over, or could not be played.
    Played(SoundId),
}

/// Where errands are handed in.
pub struct Counter {
    /// When full the errand is dropped: the desk hangs, and there are worse troubles than a lost announcement.
    errands: mpsc::Sender<Errand>,
    recordings: VecDeque<(RecordingId, Arc<[f32]>)>,
    next: u32,
}

impl Counter {
    /// Hands errands to the desk at the other end.
    pub fn new(errands: mpsc::Sender<Errand>) -> Counter {
        Counter { errands, recordings: VecDeque::new(), next: 0 }
    }

    /// Keeps what was recorded, mono at 16 kHz, until it is announced.
    pub fn keep(&mut self, samples: Arc<[f32]>) -> RecordingId {
        let id = RecordingId(self.next);
        self.next = self.next.wrapping_add(1);
        if self.recordings.len() == KEPT {
            self.recordings.pop_front();
        }
        self.recordings.push_back((id, samples));
        id
    }

    /// Has it done.
    pub fn act(&mut self, action: HouseAction) {
        let recording = match &action {
            HouseAction::Announce(it) => match it.body {
                Body::Recording(wanted) => {
                    self.recordings.iter().find(|(id, _)| *id == wanted).map(|(_, samples)| samples.clone())
                }
                Body::Text(_) => None,
            },
            _ => None,
        };
        self.send(Errand::Do { action, recording });
    }

    /// A sound of the desk is over.
    pub fn played(&self, sound: SoundId) {
        self.send(Errand::Played(sound));
    }

    fn send(&self, errand: Errand) {
        if self.errands.try_send(errand).is_err() {
            warn!("an errand to other speakers was dropped: too many at once");
        }
    }
}
