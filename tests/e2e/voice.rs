//! Voices that speak for the people of a scene: espeak-ng and flite, each sentence made once and kept beside the build.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::children::output;
use crate::sound::Clip;

/// How loud speech is made, as RMS over the spoken part: about that of a person a metre from a microphone with its gain set well.
const SPEECH_DB: f32 = -26.0;

/// Somebody who can speak.
#[derive(Clone, Copy, Debug)]
pub enum Voice {
    /// espeak-ng: voice with variant, words per minute.
    Espeak(&'static str, u32),
    /// flite, by the name of its voice.
    Flite(&'static str),
}

/// Who speaks in the room, unless a scene says otherwise.
pub const PERSON: Voice = Voice::Espeak("en-us", 160);
/// Mom.
pub const MOM: Voice = Voice::Flite("slt");

impl Voice {
    /// The sentence, without silence around it.
    pub fn says(self, text: &str) -> Clip {
        let cached = folder().join(format!("{}.wav", slug(&format!("{self:?} {text}"))));
        if !cached.exists() {
            self.make(text, &cached);
        }
        let clip = Clip::read(&cached);
        let gain = 10_f32.powf((SPEECH_DB - clip.level_db()) / 20.0);
        clip.gain(gain)
    }

    fn make(self, text: &str, to: &Path) {
        let process = format!("{}-{:?}", std::process::id(), std::thread::current().id());
        let raw = to.with_extension(format!("{}.raw.wav", slug(&process)));
        let made = raw.with_extension("made.wav");
        match self {
            Self::Espeak(name, words_per_minute) => {
                output(
                    Command::new("espeak-ng").args(["-v", name, "-s", &words_per_minute.to_string(), "-w"]).arg(&raw).arg(text),
                );
            }
            Self::Flite(name) => {
                output(Command::new("flite").args(["-voice", name, "-t", text, "-o"]).arg(&raw));
            }
        }
        let trim = ["silence", "1", "0.01", "0.5%", "reverse", "silence", "1", "0.01", "0.5%", "reverse"];
        output(Command::new("sox").arg("-G").arg(&raw).args(["-r", "48000", "-c", "1", "-b", "16"]).arg(&made).args(trim));
        std::fs::remove_file(&raw).expect("raw clip");
        std::fs::rename(&made, to).expect("clip");
    }
}

/// Where clips are kept from run to run.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("voices");
    std::fs::create_dir_all(&folder).expect("folder for clips");
    folder
}

fn slug(text: &str) -> String {
    text.to_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).filter(|it| !it.is_empty()).collect::<Vec<_>>().join("-")
}
