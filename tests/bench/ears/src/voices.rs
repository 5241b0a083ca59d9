//! Synthetic voices that the model was not trained with; each sentence is made once and kept beside the build.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::data::{hash, samples};
use crate::house::cache;
use crate::mix::trimmed;

/// Somebody who can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// espeak-ng: language, variant, words per minute.
    Espeak(&'static str, &'static str, u32),
    /// flite, by the name of its voice.
    Flite(&'static str),
    /// festival, by the name of its voice.
    Festival(&'static str),
}

/// Variants of espeak-ng that are kept from training.
const HELD: [&str; 10] = ["f2", "m3", "klatt4", "Andrea", "edward", "linda", "steph", "victor", "Michael", "grandma"];

/// All that speak a language.
pub fn of(language: &str) -> Vec<Voice> {
    let (first, second) = match language {
        "de" => ("de", "de"),
        "zh" => ("cmn", "cmn"),
        _ => ("en-us", "en"),
    };
    let pace = |i: usize| [150, 165, 140, 175, 155][i % 5];
    let mut all: Vec<Voice> =
        HELD.iter().enumerate().map(|(i, it)| Voice::Espeak(if i % 4 == 3 { second } else { first }, it, pace(i))).collect();
    if language == "en" {
        // As many as there are of espeak-ng weigh as much as each of its own.
        all.extend([Voice::Flite("rms"), Voice::Festival("ked_diphone"), Voice::Flite("rms"), Voice::Festival("ked_diphone")]);
    }
    all
}

/// Voices that the model was trained with.
pub fn trained(language: &str) -> Vec<Voice> {
    const VARIANTS: [&str; 12] = ["f1", "f3", "f4", "m1", "m2", "m4", "m7", "klatt", "klatt2", "Alex", "Annie", "iven"];
    let (first, second) = if language == "de" { ("de", "de") } else { ("en-us", "en") };
    let pace = |i: usize| [150, 175, 135, 190, 160][i % 5];
    let espeak = |(i, it): (usize, &&'static str)| Voice::Espeak(if i % 3 == 2 { second } else { first }, it, pace(i));
    let mut all: Vec<Voice> = VARIANTS.iter().enumerate().map(espeak).collect();
    if language == "en" {
        let others = [Voice::Flite("slt"), Voice::Flite("awb"), Voice::Flite("kal16"), Voice::Festival("kal_diphone")];
        all.extend(others.into_iter().cycle().take(12));
    }
    all
}

impl Voice {
    pub fn name(self) -> String {
        match self {
            Self::Espeak(language, variant, _) => format!("espeak-ng {language}+{variant}"),
            Self::Flite(name) => format!("flite {name}"),
            Self::Festival(name) => format!("festival {name}"),
        }
    }

    /// The sentence without silence around it, 16 kHz; nothing where the program is missing or has nothing to say.
    pub fn says(self, text: &str) -> Option<Vec<f32>> {
        let slug = format!("{:08x}{:08x}", hash(&format!("{self:?} {text}")), hash(&format!("{text} {self:?}")));
        let file = cache("voices").join(format!("{slug}.wav"));
        if !file.exists() {
            self.make(text, &file)?;
        }
        let said = trimmed(&samples(&file));
        (said.len() > 1600).then_some(said)
    }

    fn make(self, text: &str, file: &Path) -> Option<()> {
        let part = |end: &str| -> PathBuf { file.with_extension(format!("{:?}.{end}", std::thread::current().id())) };
        let (raw, made) = (part("raw.wav"), part("made.wav"));
        match self {
            // With SSML a name can be said in its own language.
            Self::Espeak(language, variant, pace) => run(Command::new("espeak-ng")
                .args(["-m", "-v", &format!("{language}+{variant}"), "-s", &pace.to_string(), "-w"])
                .arg(&raw)
                .arg(text))?,
            Self::Flite(name) => run(Command::new("flite").args(["-voice", name, "-t", text, "-o"]).arg(&raw))?,
            Self::Festival(name) => {
                let words = part("txt");
                std::fs::write(&words, text).ok()?;
                run(Command::new("text2wave").args(["-eval", &format!("(voice_{name})"), "-o"]).arg(&raw).arg(&words))?;
                std::fs::remove_file(words).ok()?;
            }
        }
        run(Command::new("sox").arg(&raw).args(["-r", "16000", "-c", "1", "-b", "16"]).arg(&made).args(["gain", "-n", "-9"]))?;
        std::fs::remove_file(raw).ok()?;
        std::fs::rename(made, file).ok()
    }
}

fn run(command: &mut Command) -> Option<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().ok().filter(|it| it.success()).map(drop)
}
