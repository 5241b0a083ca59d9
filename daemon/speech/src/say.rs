//! Text to samples: a program such as espeak-ng speaks, run as a process (its licence is not ours).

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::pinyin;

/// Longer than any prompt takes to be spoken into memory.
const TAKES_AT_MOST: Duration = Duration::from_secs(20);

/// The program that speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// Program and arguments. `{language}` in an argument becomes the language of the text. `espeak-ng` alone gets the right arguments from us; anything else
    /// takes the text on its standard input and writes WAV to its standard output.
    pub command: Vec<String>,
}

impl Default for Voice {
    fn default() -> Self {
        Self { command: vec!["espeak-ng".into()] }
    }
}

/// Why nothing was said.
#[derive(Debug, thiserror::Error)]
pub enum SayError {
    /// There is no command.
    #[error("no voice command is set; set `speech.voice_command` in hark.yaml, for example to [espeak-ng]")]
    NoCommand,
    /// The program is not there.
    #[error(
        "voice program `{0}` is not installed; install it (apt-get install espeak-ng), or set `speech.voice_command` in hark.yaml to one that is"
    )]
    NotFound(String),
    /// The program could not be run.
    #[error("voice program `{program}` cannot be run: {source}")]
    NotRun {
        /// Program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The program failed.
    #[error("voice program `{program}` failed ({status}): {said}")]
    Failed {
        /// Program.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it wrote to standard error.
        said: String,
    },
    /// The program did not end.
    #[error("voice program `{program}` took longer than {seconds} s and was ended")]
    TooSlow {
        /// Program.
        program: String,
        /// The limit.
        seconds: u64,
    },
    /// The program wrote something else.
    #[error("voice program `{program}` wrote no WAV that can be read: {what}")]
    NotWav {
        /// Program.
        program: String,
        /// What is wrong.
        what: String,
    },
}

/// Speaks: mono samples between -1 and 1, and their rate in Hz. Blocks until all is spoken (into memory), a few hundredths of a second.
pub fn speak(voice: &Voice, text: &str, language: &str) -> Result<(Vec<f32>, u32), SayError> {
    let (program, arguments) = command_line(voice, language)?;
    let mut child = Command::new(&program)
        .args(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => SayError::NotFound(program.clone()),
            _ => SayError::NotRun { program: program.clone(), source },
        })?;
    let mut stdin = child.stdin.take().expect("it is piped");
    let (stdout, stderr) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
    let text = format!("{}\n", if spells_mandarin(voice, language) { pinyin::of(text) } else { text.to_owned() });
    // A program that takes no text or writes much must not block us: each pipe has a thread, and they end with the process.
    std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let (wav, said) = (gather(stdout), gather(stderr));
    let Ok(wav) = wav.recv_timeout(TAKES_AT_MOST) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(SayError::TooSlow { program, seconds: TAKES_AT_MOST.as_secs() });
    };
    let status = child.wait().map_err(|source| SayError::NotRun { program: program.clone(), source })?;
    if !status.success() {
        let said = said.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).trim().chars().take(300).collect();
        return Err(SayError::Failed { program, status: status.to_string(), said });
    }
    samples(&wav).map_err(|what| SayError::NotWav { program, what })
}

fn command_line(voice: &Voice, language: &str) -> Result<(String, Vec<String>), SayError> {
    let (program, rest) = voice.command.split_first().filter(|it| !it.0.is_empty()).ok_or(SayError::NoCommand)?;
    let mut arguments: Vec<String> = rest.iter().map(|it| it.replace("{language}", language)).collect();
    if is_espeak(voice) {
        if !names_voice(rest) {
            arguments.extend(["-v".into(), espeak_voice(language)]);
        }
        arguments.extend(["--stdin".into(), "--stdout".into()]);
    }
    Ok((program.clone(), arguments))
}

/// espeak-ng's name for the voice of a BCP 47 language.
fn espeak_voice(language: &str) -> String {
    match language.to_lowercase().as_str() {
        "" | "en" | "en-us" => "en-us".into(),
        it if is_mandarin(it) => "cmn-latn-pinyin".into(),
        "zh-hk" | "zh-tw-yue" => "yue".into(),
        "pt" => "pt-br".into(),
        "fr" => "fr-fr".into(),
        "no" => "nb".into(),
        other => other.into(),
    }
}

fn is_mandarin(language: &str) -> bool {
    matches!(language.to_lowercase().as_str(), "zh" | "zh-cn" | "zh-sg" | "zh-hans" | "cmn")
}

/// Whether the text must be spelled: espeak-ng knows no Chinese characters in Debian, and reads them as numbers. A command that names a voice of its own gets the
/// text as it is.
fn spells_mandarin(voice: &Voice, language: &str) -> bool {
    is_mandarin(language) && is_espeak(voice) && !names_voice(&voice.command[1..])
}

fn is_espeak(voice: &Voice) -> bool {
    voice.command.first().is_some_and(|it| std::path::Path::new(it).file_name().is_some_and(|it| it == "espeak-ng"))
}

fn names_voice(arguments: &[String]) -> bool {
    arguments.iter().any(|it| it.starts_with("-v"))
}

fn gather(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (done, result) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = done.send(bytes);
    });
    result
}

fn samples(wav: &[u8]) -> Result<(Vec<f32>, u32), String> {
    if wav.is_empty() {
        return Err("it wrote nothing".into());
    }
    let reader = hound::WavReader::new(wav).map_err(|it| it.to_string())?;
    let spec = reader.spec();
    // A program that writes into a pipe does not know the length beforehand: the end of the bytes is the end of the sound.
    let all: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => reader.into_samples::<f32>().map_while(Result::ok).collect(),
        hound::SampleFormat::Int => {
            let scale = 1.0 / (1i64 << (spec.bits_per_sample - 1)) as f32;
            reader.into_samples::<i32>().map_while(Result::ok).map(|it| it as f32 * scale).collect()
        }
    };
    let channels = usize::from(spec.channels).max(1);
    let mono: Vec<f32> = all.chunks_exact(channels).map(|it| it.iter().sum::<f32>() / channels as f32).collect();
    if mono.is_empty() {
        return Err("it has no samples".into());
    }
    Ok((mono, spec.sample_rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(command: &[&str]) -> Voice {
        Voice { command: command.iter().map(|it| it.to_string()).collect() }
    }

    #[test]
    fn espeak_speaks_english_and_chinese() {
        for (text, language) in [("Calling Mom", "en"), ("正在呼叫妈妈", "zh"), ("Mama ist besetzt", "de")] {
            let (samples, rate) = speak(&Voice::default(), text, language).unwrap();
            assert_eq!(rate, 22_050);
            let loudest = samples.iter().fold(0.0f32, |a, b| a.max(b.abs()));
            assert!(samples.len() > 10_000 && loudest > 0.1, "{language}: {} samples, loudest {loudest}", samples.len());
        }
    }

    #[test]
    fn any_program_that_takes_text_and_writes_wav_will_do() {
        let (samples, rate) =
            speak(&voice(&["sh", "-c", "exec espeak-ng -v {language} --stdin --stdout"]), "hello", "en-us").unwrap();
        assert!(samples.len() > 5_000 && rate == 22_050);
    }

    #[test]
    fn a_text_that_looks_like_an_option_is_spoken() {
        assert!(speak(&Voice::default(), "--help -x", "en").is_ok());
    }

    #[test]
    fn what_goes_wrong_is_named() {
        for (command, expected) in [
            (vec![], "no voice command is set"),
            (vec!["no-such-program"], "voice program `no-such-program` is not installed; install it"),
            (vec!["sh", "-c", "echo broken >&2; exit 3"], "voice program `sh` failed (exit status: 3): broken"),
            (vec!["true"], "voice program `true` wrote no WAV that can be read: it wrote nothing"),
            (vec!["cat"], "voice program `cat` wrote no WAV that can be read: "),
        ] {
            let error = speak(&voice(&command), "hello", "en").unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = speak(&Voice::default(), "hello", "xx-nowhere").unwrap_err().to_string();
        assert!(error.starts_with("voice program `espeak-ng` failed"), "{error}");
    }
}
