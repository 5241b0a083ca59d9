//! hark.yaml as written -> settings. Everything that is wrong is found in one go; defaults stand in for what is wrong or not there.

mod house;
mod mqtt;
mod sip;

use std::path::{Path, PathBuf};
use std::time::Duration;

use control::dialplan::ROOMS;
use control::speaker::LineSettings;

use super::problems::Place;
use super::reader::{Findings, Section, Wrong};
use super::yaml::{Node, Value};
use super::{AudioSettings, Settings, SpeechSettings, WakeSettings, paths};

/// Longest that a call may ring.
pub const LONGEST_RING: Duration = Duration::from_secs(600);

/// What hark.yaml says, and where it names other files.
pub struct File {
    /// The settings; `contacts_file` and `phrases_dir` are found by the caller.
    pub settings: Settings,
    /// `contacts`, where it is written.
    pub contacts: Option<(PathBuf, Place)>,
    /// `phrases`, where it is written.
    pub phrases: Option<(PathBuf, Place)>,
    /// Where the language is written.
    pub language: Place,
    /// Each other language that is understood, and where it is written.
    pub also_understands: Vec<(String, Place)>,
    /// Each wake phrase and where it is written.
    pub wake_phrases: Vec<(String, Place)>,
    /// Names that must be those of contacts, and where they are written.
    pub people: Vec<(String, Place)>,
}

/// Reads one layer, or all layers merged (`whole`: then keys that belong together are checked too).
pub fn read(root: &Node, whole: bool, findings: &Findings) -> File {
    let mut it = Section::root(root, findings);
    let room = it.text("room");
    let room_name = room.map_or("living room", |room| room.text).to_owned();
    let language_text = it.text("language");
    let language = language_text.and_then(|text| it.check(text.place, language_tag(text.text)));
    let also = it.texts("also_understands").unwrap_or_default();
    let mut also_understands: Vec<(String, Place)> = Vec::new();
    for text in also {
        let Some(tag) = it.check(text.place, language_tag(text.text)) else { continue };
        let own = language.as_deref().unwrap_or("en") == tag;
        if own || also_understands.iter().any(|(known, _)| *known == tag) {
            it.findings().problem(text.place, format!("`{tag}` is understood already"), "remove it");
            continue;
        }
        also_understands.push((tag, text.place.clone()));
    }
    let (wake_phrases, wake) = wake(it.section("wake"));
    let audio = audio(it.section("audio"));
    let state_dir = place_or_auto(&mut it, "state_dir").unwrap_or_else(paths::state_dir);
    let (speech, hearing) = speech(it.section("speech"), &state_dir, whole);
    let (sip, mut lines) = sip::read(it.section("sip"));
    let (mqtt, slug) = mqtt::read(it.section("mqtt"), whole);
    let contacts = it.text("contacts").map(|text| (text.place.folder().join(text.text), text.place.clone()));
    let phrases = it.text("phrases").map(|text| (text.place.folder().join(text.text), text.place.clone()));
    let mut volume = it.section("volume");
    let volumes = ["call", "ring", "announce"].map(|bus| volume.whole(bus, 0, 100).unwrap_or(70));
    volume.done();
    let ring_for = it.duration("ring_for", Duration::from_secs(5), LONGEST_RING).unwrap_or(Duration::from_secs(30));
    let do_not_disturb = it.flag("do_not_disturb").unwrap_or(false);
    let mut privacy = it.section("privacy");
    let publish_words = privacy.flag("publish_words").unwrap_or(false);
    privacy.done();
    let socket = place_or_auto(&mut it, "socket").unwrap_or_else(paths::socket);

    let room_slug = slug.unwrap_or_else(|| slug_of(&room_name));
    if let Some(room) = room.filter(|_| room_slug.is_empty()) {
        let what = format!("the room `{}` gives no name for MQTT, which must be of a-z, 0-9 and `-`", room.text);
        findings.problem(room.place, what, "add one as `room` below `mqtt`");
    }
    let house = house::read(&mut it, &format!("{}/{room_slug}", mqtt.base));
    it.done();

    let always = [("direct", sip.listen.is_some()), (ROOMS, house.settings.enabled), ("builtin", true)];
    for (name, _) in always.into_iter().filter(|(_, there)| *there) {
        lines.push(LineSettings { name: name.into(), domain: None, country_code: None, emergency: Vec::new() });
    }
    let control = control::speaker::Settings {
        room: room_name,
        language: language.unwrap_or_else(|| "en".into()),
        wake_phrases: wake_phrases.iter().map(|(phrase, _)| phrase.clone()).collect(),
        lines,
        ring_for,
        listen_for: hearing.listen_for,
        min_confidence: hearing.min_confidence,
        sure_confidence: hearing.sure_confidence,
        volumes,
        do_not_disturb,
        house: control::house::HouseSettings { slug: room_slug.clone(), ..house.control },
    };
    let settings = Settings {
        control,
        also_understands: also_understands.iter().map(|(language, _)| language.clone()).collect(),
        room_slug,
        audio,
        wake,
        speech,
        sip,
        mqtt,
        house: house.settings,
        contacts_file: PathBuf::from("contacts.yaml"),
        phrases_dir: PathBuf::from("phrases"),
        state_dir,
        socket,
        publish_words,
    };
    let language = language_text.map_or(Place::BuiltIn, |it| it.place.clone());
    File { settings, contacts, phrases, language, also_understands, wake_phrases, people: house.people }
}

fn wake(mut it: Section<'_>) -> (Vec<(String, Place)>, WakeSettings) {
    let mut phrases = Vec::new();
    if let Some(Node { value: Value::List(list), place }) = it.value("phrases")
        && list.is_empty()
    {
        it.findings().problem(
            place,
            "there is no wake phrase",
            "write one, such as `phrases: [hello operator]`, or leave the key out",
        );
    }
    for text in it.texts("phrases").unwrap_or_default() {
        let Some(phrase) = it.check(text.place, wake_phrase(text.text)) else { continue };
        if phrase.chars().filter(|c| c.is_alphabetic()).count() < 6 {
            let what = format!("the wake phrase `{phrase}` is short: it will be heard in other words by mistake");
            it.findings().warning(text.place, what, "choose one of three syllables or more, such as `hello operator`");
        }
        phrases.push((phrase, text.place.clone()));
    }
    let wake = WakeSettings {
        sensitivity: it.fraction("sensitivity").unwrap_or(0.5),
        keep_near_misses: it.flag("keep_near_misses").unwrap_or(false),
    };
    it.done();
    if phrases.is_empty() {
        phrases.push(("hello operator".into(), Place::BuiltIn));
    }
    (phrases, wake)
}

fn wake_phrase(text: &str) -> Result<String, Wrong> {
    match text.chars().find(|c| !(c.is_alphabetic() || matches!(c, ' ' | '\'' | '-'))) {
        Some(wrong) => {
            Err((format!("the wake phrase `{text}` holds `{wrong}`"), "write words only, numbers as they are spoken".into()))
        }
        None => Ok(words(text)),
    }
}

/// Lower case, single blanks.
fn words(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn audio(mut it: Section<'_>) -> AudioSettings {
    let device = |text: super::reader::Text<'_>| (text.text != "default").then(|| text.text.to_owned());
    let audio = AudioSettings {
        host: it.choice("host", &[("auto", "auto"), ("alsa", "alsa"), ("pulseaudio", "pulseaudio")]).unwrap_or("auto").to_owned(),
        input: it.text("input").and_then(device),
        output: it.text("output").and_then(device),
        echo_cancellation: it.flag("echo_cancellation").unwrap_or(true),
        noise_suppression: it.flag("noise_suppression").unwrap_or(true),
        gain_control: it.flag("gain_control").unwrap_or(true),
    };
    it.done();
    audio
}

/// What of `speech` the decisions need.
struct Hearing {
    listen_for: Duration,
    min_confidence: f32,
    sure_confidence: f32,
}

fn speech(mut it: Section<'_>, state_dir: &Path, whole: bool) -> (SpeechSettings, Hearing) {
    let model = it.text("model");
    let name = model.map_or(paths::BUILT_IN, |text| text.text);
    let place = model.map_or(Place::BuiltIn, |text| text.place.clone());
    let found = paths::model(name, &place.folder(), state_dir);
    if found.is_none() && whole {
        let mend = "write `built-in` for the one that comes with Hark, install it (`hark models list`), or write the folder of a Vosk model as `./models/name`";
        it.findings().problem(&place, format!("there is no speech model `{name}`"), mend);
    }
    let voice = it.value("voice").cloned();
    let voice_command: Vec<String> = match voice.as_ref().map(|node| &node.value) {
        None => vec!["espeak-ng".into()],
        Some(super::yaml::Value::Text(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(_) => it.texts("voice").unwrap_or_default().iter().map(|text| text.text.to_owned()).collect(),
    };
    if let Some(node) = voice.filter(|_| voice_command.is_empty()) {
        it.findings().problem(&node.place, "`voice` is empty", "write `espeak-ng`, or the program that speaks and its arguments");
    }
    let listen_for = it.duration("listen_for", Duration::from_secs(2), Duration::from_secs(60)).unwrap_or(Duration::from_secs(6));
    let min_confidence = it.fraction("min_confidence").unwrap_or(0.5);
    let sure_confidence = it.fraction("sure_confidence").unwrap_or(0.6);
    if sure_confidence < min_confidence
        && let Some(text) = it.text("sure_confidence").filter(|_| whole)
    {
        let what = format!("`sure_confidence` {sure_confidence} is less than `min_confidence` {min_confidence}");
        it.findings().problem(text.place, what, "make it equal or greater");
    }
    it.done();
    let model = found.unwrap_or_else(|| PathBuf::from(name));
    (SpeechSettings { model, voice_command }, Hearing { listen_for, min_confidence, sure_confidence })
}

/// A BCP 47 tag: `en`, `de-AT`, `zh-Hant`.
pub fn language_tag(text: &str) -> Result<String, Wrong> {
    let mut parts = text.split('-');
    let primary = parts.next().is_some_and(|it| (2..=3).contains(&it.len()) && it.bytes().all(|b| b.is_ascii_lowercase()));
    let rest = parts.all(|it| (1..=8).contains(&it.len()) && it.bytes().all(|b| b.is_ascii_alphanumeric()));
    if primary && rest {
        Ok(text.to_owned())
    } else {
        Err((format!("`{text}` is no language"), "write its short name, such as `en`, `de` or `zh`".into()))
    }
}

/// `Living Room 2` -> `living-room-2`.
pub fn slug_of(name: &str) -> String {
    let mapped: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    mapped.split('-').filter(|it| !it.is_empty()).collect::<Vec<_>>().join("-")
}

fn place_or_auto(it: &mut Section<'_>, key: &'static str) -> Option<PathBuf> {
    it.text(key).filter(|text| text.text != "auto").map(|text| text.place.folder().join(text.text))
}
