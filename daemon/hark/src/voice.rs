//! The speaker's voice: sentences to samples, one after the other, remembered so that "Calling Mom" is spoken at once the second time.

use std::collections::VecDeque;

use media::clip::Clip;
use speech::say::{self, Voice};
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// How many sentences are remembered; some 100 kB each.
const REMEMBERED: usize = 48;

/// A sentence that was asked for: its name, and its sound, or nothing when it could not be spoken.
pub type Spoken<Name> = (Name, Option<Clip>);

/// Speaks sentences on a thread of its own, in the order they were asked for.
pub struct Speech<Name> {
    asked: std::sync::mpsc::SyncSender<(Name, String, String)>,
}

impl<Name: Send + 'static> Speech<Name> {
    /// Starts the thread; what it speaks arrives at `spoken`.
    pub fn start(voice: Voice, spoken: mpsc::Sender<Spoken<Name>>) -> Speech<Name> {
        // More sentences than this in a row are a defect of whoever asks; the newest one is then left out.
        let (asked, questions) = std::sync::mpsc::sync_channel::<(Name, String, String)>(16);
        let run = move || {
            let mut memory = Memory::default();
            while let Ok((name, text, language)) = questions.recv() {
                let clip = memory.speak(&voice, text, language);
                if spoken.blocking_send((name, clip)).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("voice".into()).spawn(run).expect("the system lets us start a thread");
        Speech { asked }
    }

    /// Asks for a sentence. Gives the name back when too many wait already.
    pub fn ask(&self, name: Name, text: String, language: String) -> Result<(), Name> {
        self.asked.try_send((name, text, language)).map_err(|refused| match refused {
            std::sync::mpsc::TrySendError::Full((name, ..)) | std::sync::mpsc::TrySendError::Disconnected((name, ..)) => name,
        })
    }
}

/// The sentences spoken last, oldest first.
#[derive(Default)]
struct Memory {
    sentences: VecDeque<((String, String), Clip)>,
}

impl Memory {
    fn speak(&mut self, voice: &Voice, text: String, language: String) -> Option<Clip> {
        let key = (text, language);
        if let Some((_, clip)) = self.sentences.iter().find(|(known, _)| *known == key) {
            return Some(clip.clone());
        }
        let (samples, rate_hz) = match say::speak(voice, &key.0, &key.1) {
            Ok(spoken) => spoken,
            Err(err) => {
                warn!("the speaker cannot speak: {err}");
                return None;
            }
        };
        debug!(text = key.0, n_samples = samples.len(), "prompt spoken");
        let clip = Clip::new(&samples, rate_hz);
        if self.sentences.len() == REMEMBERED {
            self.sentences.pop_front();
        }
        self.sentences.push_back((key, clip.clone()));
        Some(clip)
    }
}
