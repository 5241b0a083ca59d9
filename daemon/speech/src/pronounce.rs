//! Words that no list has, as espeak-ng would say them: run as a process (its licence is not ours), once per voice for all words together.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The program.
const PROGRAM: &str = "espeak-ng";
/// It computes the sound even where nobody wants it: fast and high there is least of it, and a word takes a sixth of the time.
const QUICKLY: [&str; 4] = ["-s", "449", "-p", "99"];
/// Longer than any house's names take on a small machine.
const TAKES_AT_MOST: Duration = Duration::from_secs(60);

/// Why words have no pronunciation by rule.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PronounceError {
    /// The program is not there.
    #[error("espeak-ng is not installed (apt-get install espeak-ng)")]
    NotInstalled,
    /// It does not know the language.
    #[error("espeak-ng has no voice for `{0}`; correct `language`")]
    NoVoice(String),
    /// Anything else.
    #[error("espeak-ng failed: {0}")]
    Failed(String),
}

/// What espeak-ng makes of words with each of these voices: IPA, in the order of the words; empty where it says nothing.
pub fn ipa(jobs: &[(String, Vec<String>)]) -> Vec<Result<Vec<String>, PronounceError>> {
    // All voices at once: there is more than one core, or nothing is lost.
    let running: Vec<_> = jobs.iter().map(|(voice, words)| start(voice, words)).collect();
    running.into_iter().zip(jobs).map(|(it, (voice, words))| finish(it?, voice, words)).collect()
}

struct Running {
    child: Child,
    said: mpsc::Receiver<String>,
    complaint: mpsc::Receiver<String>,
}

fn start(voice: &str, words: &[String]) -> Result<Running, PronounceError> {
    let mut child = Command::new(PROGRAM)
        .args(["-q", "--ipa", "-v", voice])
        .args(QUICKLY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => PronounceError::NotInstalled,
            _ => PronounceError::Failed(source.to_string()),
        })?;
    let mut stdin = child.stdin.take().expect("it is piped");
    let (stdout, stderr) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
    let text: String = words.iter().map(|word| speakable(word) + "\n").collect();
    // A program that takes no text must not block us.
    std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    Ok(Running { child, said: gather(stdout), complaint: gather(stderr) })
}

fn finish(mut it: Running, voice: &str, words: &[String]) -> Result<Vec<String>, PronounceError> {
    let Ok(said) = it.said.recv_timeout(TAKES_AT_MOST) else {
        let _ = it.child.kill();
        let _ = it.child.wait();
        return Err(PronounceError::Failed(format!("it took longer than {} s", TAKES_AT_MOST.as_secs())));
    };
    let status = it.child.wait().map_err(|source| PronounceError::Failed(source.to_string()))?;
    if !status.success() {
        let complaint = it.complaint.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        if complaint.contains("voice does not exist") {
            return Err(PronounceError::NoVoice(voice.into()));
        }
        return Err(PronounceError::Failed(complaint.trim().chars().take(300).collect()));
    }
    // A line for a line. A word that it takes for two sentences would shift all that follow: then it is looked for.
    let lines: Vec<String> = said.lines().map(|it| it.trim().to_owned()).collect();
    if lines.len() == words.len() {
        return Ok(lines);
    }
    let (first, rest) = words.split_at(words.len() / 2);
    if first.is_empty() {
        return Ok(vec![lines.concat()]);
    }
    let both = [first, rest].map(|it| start(voice, it).and_then(|running| finish(running, voice, it)));
    let [first, rest] = both;
    Ok(first?.into_iter().chain(rest?).collect())
}

/// What espeak-ng would take for the end of a sentence, for a command or for a phoneme is left out.
fn speakable(word: &str) -> String {
    let plain: String = word.chars().filter(|it| it.is_alphanumeric() || is_mark(*it) || matches!(it, '\'' | '-')).collect();
    // An empty line gets no line.
    if plain.chars().any(char::is_alphanumeric) { plain } else { "a".into() }
}

/// Vowel signs and accents that follow their letter, in any script.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}')
}

fn gather(mut from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (done, result) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = done.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    result
}

/// espeak-ng's voices for a word said by somebody who speaks these languages; the language of a name comes first.
pub fn voices<'a>(word: &str, own: impl IntoIterator<Item = &'a str>, languages: &'a [String]) -> Vec<String> {
    let mut voices: Vec<String> = Vec::new();
    let script = script_voice(word);
    let of_script = |voice: &String| match script {
        Some(script) => voice == script || script == "ru" && ["uk", "bg", "be", "sr", "mk"].contains(&voice.as_str()),
        // The voices of these say Latin letters one by one, or as English does.
        None => !["cmn", "yue", "ja", "ko", "ru", "el", "he", "ar", "fa", "hi", "bn", "ta", "te", "ka", "hy", "am"]
            .contains(&voice.as_str()),
    };
    let wanted = own.into_iter().chain(languages.iter().map(String::as_str)).flat_map(of_language);
    for voice in wanted.filter(of_script) {
        if !voices.contains(&voice) {
            voices.push(voice);
        }
    }
    if voices.is_empty() {
        voices.extend(script.map_or_else(|| of_language("en"), |script| vec![script.into()]));
    }
    voices
}

/// The voices of a BCP 47 language: English has two, since people of both are in many houses.
fn of_language(language: &str) -> Vec<String> {
    let language = language.to_lowercase();
    let (primary, region) = language.split_once('-').unwrap_or((&language, ""));
    let voices: &[&str] = match (primary, region) {
        ("en", "" | "us" | "gb") => &["en-us", "en-gb"],
        ("en", "scotland") => &["en-gb-scotland", "en-us"],
        ("en", _) => &["en-gb", "en-us"],
        ("zh", "hk" | "yue") => &["yue"],
        ("zh", _) => &["cmn"],
        ("pt", "pt") => &["pt"],
        ("pt", _) => &["pt-br"],
        ("fr", "be" | "ch") => return vec![language.clone()],
        ("fr", _) => &["fr-fr"],
        ("es", "419" | "mx" | "ar" | "co" | "cl" | "us") => &["es-419"],
        ("no", _) => &["nb"],
        ("tl" | "fil", _) => &["es"],
        _ => &[],
    };
    if voices.is_empty() { vec![primary.to_owned()] } else { voices.iter().map(|it| (*it).to_owned()).collect() }
}

/// The voice that reads a script which others cannot; `None` for Latin letters.
fn script_voice(word: &str) -> Option<&'static str> {
    word.chars().find_map(|c| match c {
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some("el"),
        '\u{400}'..='\u{52f}' => Some("ru"),
        '\u{530}'..='\u{58f}' => Some("hy"),
        '\u{590}'..='\u{5ff}' => Some("he"),
        '\u{600}'..='\u{6ff}' => Some("ar"),
        '\u{900}'..='\u{97f}' => Some("hi"),
        '\u{980}'..='\u{9ff}' => Some("bn"),
        '\u{b80}'..='\u{bff}' => Some("ta"),
        '\u{c00}'..='\u{c7f}' => Some("te"),
        '\u{10a0}'..='\u{10ff}' => Some("ka"),
        '\u{1200}'..='\u{137f}' => Some("am"),
        '\u{3040}'..='\u{30ff}' => Some("ja"),
        '\u{ac00}'..='\u{d7af}' | '\u{1100}'..='\u{11ff}' => Some("ko"),
        '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => Some("cmn"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_said_by_the_voices_of_those_who_say_it() {
        for (word, own, languages, expected) in [
            ("siobhán", Some("ga"), vec!["en"], "ga en-us en-gb"),
            ("jean", Some("fr"), vec!["de", "en"], "fr-fr de en-us en-gb"),
            ("anna", None, vec!["zh"], "en-us en-gb"),
            ("王小明", None, vec!["en"], "cmn"),
            ("Дмитрий", None, vec!["en"], "ru"),
            ("Дмитро", Some("uk"), vec!["en"], "uk"),
            ("李", Some("zh-HK"), vec!["en"], "cmn"),
        ] {
            let languages: Vec<String> = languages.into_iter().map(str::to_owned).collect();
            assert_eq!(voices(word, own, &languages).join(" "), expected, "{word}");
        }
    }

    #[test]
    fn there_is_a_line_for_every_word_however_odd() {
        let words: Vec<String> =
            ["siobhán", "o'brien", "...", "a. b.", "[[x]]", "--help", "<b>", "łódź", "2", "", "x!y?z", "王小明", "é́"]
                .map(str::to_owned)
                .into();
        let said = ipa(&[("en-us".into(), words.clone()), ("fr-fr".into(), words.clone())]);
        for said in said {
            assert_eq!(said.unwrap().len(), words.len());
        }
        assert_eq!(ipa(&[("xx-none".into(), words)]), [Err(PronounceError::NoVoice("xx-none".into()))]);
    }
}
