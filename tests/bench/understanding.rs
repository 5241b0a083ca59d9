//! Forty commands by the voices of espeak-ng and flite, said in the simulated room.

use std::path::{Path, PathBuf};
use std::process::Command;

use media::FRAME;
use media::room::{Convolver, RoomSettings, response};
use serde_json::Value;

use crate::children::output;
use crate::house::{HARK, project};
use crate::report::Table;
use crate::sound::Clip;
use crate::voice::Voice;

/// What is said, the intent that it has, and the contact.
const PHRASES: [(&str, &str, &str); 40] = [
    ("call mom", "dial", "Mom"),
    ("call mum", "dial", "Mom"),
    ("call dad", "dial", "Dad"),
    ("please call dad", "dial", "Dad"),
    ("call dad on his mobile", "dial", "Dad"),
    ("call dad at work", "dial", "Dad"),
    ("call anna smith", "dial", "Anna Smith"),
    ("phone anna jones", "dial", "Anna Jones"),
    ("i want to talk to mom", "dial", "Mom"),
    ("call the kitchen", "dial", "The Kitchen"),
    ("dial peter", "dial", "Peter"),
    ("call peter", "dial", "Peter"),
    ("ring maria", "dial", "Maria"),
    ("call doctor martin", "dial", "Doctor Martin"),
    ("call grandma", "dial", "Grandma"),
    ("i want to speak to maria", "dial", "Maria"),
    ("call the echo test", "dial", "the echo test"),
    ("call seven four two", "dial_number", ""),
    ("dial one one eight", "dial_number", ""),
    ("answer", "answer", ""),
    ("answer the phone", "answer", ""),
    ("take the call", "answer", ""),
    ("decline", "decline", ""),
    ("ignore the call", "decline", ""),
    ("hang up", "hang_up", ""),
    ("finish the call", "hang_up", ""),
    ("end the call", "hang_up", ""),
    ("redial", "redial", ""),
    ("call again", "redial", ""),
    ("call back", "call_back", ""),
    ("louder", "volume_up", ""),
    ("turn it down", "volume_down", ""),
    ("volume fifty percent", "volume_percent", ""),
    ("mute the call", "mute", ""),
    ("let them hear me", "unmute", ""),
    ("who is calling", "who_is_calling", ""),
    ("say that again", "repeat", ""),
    ("do not disturb", "do_not_disturb_on", ""),
    ("cancel", "cancel", ""),
    ("never mind", "cancel", ""),
];

const VOICES: [Voice; 8] = [
    Voice::Espeak("en-us", 160),
    Voice::Espeak("en-us+f3", 150),
    Voice::Espeak("en-us+m5", 165),
    Voice::Espeak("en-gb", 155),
    Voice::Espeak("en-gb-x-rp+f2", 150),
    Voice::Flite("slt"),
    Voice::Flite("rms"),
    Voice::Flite("awb"),
];

const CONTACTS: &str = "contacts:
  - {name: Mom, aliases: [mum, mother], addresses: ['sip:mom@192.0.2.1']}
  - name: Dad
    addresses:
      - {label: mobile, to: 'sip:dad@192.0.2.2'}
      - {label: work, to: 'sip:dad@192.0.2.3'}
  - {name: Anna Smith, addresses: ['sip:smith@192.0.2.4']}
  - {name: Anna Jones, addresses: ['sip:jones@192.0.2.5']}
  - {name: The Kitchen, addresses: ['sip:kitchen@192.0.2.6']}
  - {name: Peter, addresses: ['sip:peter@192.0.2.7']}
  - {name: Maria, addresses: ['sip:maria@192.0.2.8']}
  - {name: Doctor Martin, addresses: ['sip:martin@192.0.2.9']}
  - {name: Grandma, addresses: ['sip:grandma@192.0.2.10']}
";

pub fn measure() -> Table {
    let folder = tempfile::tempdir().expect("folder");
    let contacts = folder.path().join("contacts.yaml");
    std::fs::write(&contacts, CONTACTS).expect("contacts.yaml");
    let mut table = Table::new("Commands in the simulated room");
    let (mut n_understood, mut wrong) = (0, Vec::new());
    for voice in VOICES {
        let files: Vec<PathBuf> = PHRASES
            .iter()
            .map(|(words, ..)| {
                let file = folder.path().join(format!("{}.wav", words.replace(' ', "_")));
                in_the_simulated_room(&voice.says(&format!("hello operator, {words}"))).write(&file);
                file
            })
            .collect();
        let heard =
            output(Command::new(HARK).arg("hear").arg("--contacts").arg(&contacts).args(&files).current_dir(project(".")));
        let heard: Vec<Value> = heard.lines().filter_map(|it| serde_json::from_str(it).ok()).collect();
        let mut n_of_voice = 0;
        for ((words, intent, contact), file) in PHRASES.iter().zip(&files) {
            let commands: Vec<&Value> = heard
                .iter()
                .filter(|it| it["kind"] == "command" && it["file"].as_str().is_some_and(|it| Path::new(it) == *file))
                .collect();
            let right = |it: &&Value| it["intent"] == *intent && it["contact"].as_str().unwrap_or_default() == *contact;
            match commands.as_slice() {
                [one] if right(one) => n_of_voice += 1,
                others => wrong.push(format!(
                    "{voice:?} `{words}`: {}",
                    others.iter().map(|it| it["text"].as_str().unwrap_or_default()).collect::<Vec<_>>().join(" / ")
                )),
            }
        }
        table.figure(format!("{voice:?}"), format!("{n_of_voice} of {}", PHRASES.len()));
        n_understood += n_of_voice;
    }
    let n_said = PHRASES.len() * VOICES.len();
    table.at_least(
        format!("understood, {} phrases by {} voices", PHRASES.len(), VOICES.len()),
        95.0,
        100.0 * n_understood as f64 / n_said as f64,
        "%",
    );
    table.note("Said two metres from the microphone in a room with a reverberation of 0.35 s, `hello operator` before each; only the right intent with the right contact counts.");
    if !wrong.is_empty() {
        table.note(format!("Not understood (nothing after the colon), or otherwise: {}.", wrong.join("; ")));
    }
    table
}

/// As the microphone hears it when it is said where the person of the simulated room stands, at a normal level.
fn in_the_simulated_room(clip: &Clip) -> Clip {
    let room = RoomSettings::default();
    let mut walls = Convolver::new(&response(room.shape, room.person, room.microphone));
    let mut heard = Clip::default();
    let said = clip.clone().then_silence(std::time::Duration::from_millis(1200));
    for frame in said.samples.chunks_exact(FRAME) {
        let (mut input, mut out) = ([0.0; FRAME], [0.0; FRAME]);
        input.copy_from_slice(frame);
        walls.process(&input, &mut out);
        heard.samples.extend(out);
    }
    let gain = 10_f32.powf((clip.level_db() - heard.level_db()) / 20.0);
    let noise = 10_f32.powf(room.noise_dbfs / 20.0);
    Clip::silence(std::time::Duration::from_millis(300)).then(&heard.gain(gain)).with_noise(noise)
}
