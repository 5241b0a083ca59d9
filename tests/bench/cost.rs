//! What listening and calling cost: processor, memory, delay inside the process.

use std::time::Duration;

use crate::house::{House, Plan};
use crate::phone::PhoneSettings;
use crate::process::{Cost, memory_mb};
use crate::report::Table;
use crate::sound::Clip;
use crate::voice::{MOM, PERSON, Voice};

/// How long each figure is taken over.
const OVER: Duration = Duration::from_secs(40);

/// Talk that holds no command.
const STORY: [&str; 6] = [
    "we could go to the sea on sunday if it does not rain, and if it does we will stay at home and read",
    "and then the neighbour came over with her two dogs and told me all about the garden and the roses",
    "have you seen my keys, I put them on the table this morning and now they are gone again",
    "the train was late as always, so I walked along the river and looked at the boats for a while",
    "there is some bread left, and cheese, and a little of the soup from yesterday, if you are hungry",
    "he said that the house was too big for the two of them and that they should look for another one",
];

/// Forty seconds and more of it, by several voices.
pub fn story(seconds: u64) -> Clip {
    let voices = [PERSON, Voice::Flite("rms"), MOM, Voice::Espeak("en-gb", 150), Voice::Flite("awb")];
    let mut talk = Clip::default();
    for i in 0.. {
        talk = talk.then(&voices[i % voices.len()].says(STORY[i % STORY.len()])).then_silence(Duration::from_millis(250));
        if talk.length() >= Duration::from_secs(seconds) {
            break;
        }
    }
    talk.with_noise(0.0004)
}

pub fn measure() -> Table {
    let house = House::new(Plan::default());
    let pid = house.speaker.pid();
    let mut table = Table::new("Listening");
    // A null sink that nobody plays to gives digital silence; a quiet room has noise.
    for (what, bar, sound) in [
        ("idle in a quiet room, of one core", 2.0, Clip::silence(OVER + Duration::from_secs(4)).with_noise(0.0006)),
        ("in constant talk, of one core", 6.0, story(OVER.as_secs() + 4)),
    ] {
        let mut talking = house.pulse.start_saying(&sound);
        std::thread::sleep(Duration::from_secs(2));
        let cost = Cost::start(pid);
        std::thread::sleep(OVER);
        table.at_most(what, bar, cost.percent(), "%");
        table.note(format!("{what}, by thread: {} %.", cost.by_thread()));
        let _ = talking.wait();
    }
    table.at_most("resident memory after that", 60.0, memory_mb(pid), "MB");
    table.note(format!(
        "Each over {} s, the built-in model, PulseAudio null sinks as the card, mosquitto connected.",
        OVER.as_secs()
    ));
    table
}

pub fn measure_call() -> Table {
    let talk = story(OVER.as_secs() + 20);
    let house = House::new(Plan {
        mom: PhoneSettings { voice: talk.clone(), codecs: "opus/48000/2", ..PhoneSettings::default() },
        echo: 0.2,
        ..Plan::default()
    });
    let (pid, peer) = (house.speaker.pid(), house.mom.pid());
    let mark = house.call_mom();
    let mut talking = house.pulse.start_saying(&talk.part(Duration::from_secs(5), OVER + Duration::from_secs(15)));
    std::thread::sleep(Duration::from_secs(3));
    let (ours, theirs) = (Cost::start(pid), Cost::start(peer));
    std::thread::sleep(OVER);
    let mut table = Table::new("A call");
    table.at_most("a call with echo cancellation and Opus, both talking, of one core", 10.0, ours.percent(), "%");
    table.figure("baresip 1.0.0 at the other end of it, without echo cancellation", format!("{:.1} %", theirs.percent()));
    let status = house.status();
    for (what, key, bar) in [
        ("microphone callback to packet", "capture_to_packet_ms", 25.0),
        ("packet to loudspeaker callback", "packet_to_render_ms", 45.0),
    ] {
        table.at_most(what, bar, status["audio"][key].as_f64().unwrap_or(f64::NAN), "ms");
    }
    table.figure("echo taken away (ERLE)", format!("{:.0} dB", status["audio"]["erle_db"].as_f64().unwrap_or(f64::NAN)));
    table.figure("gaps in the sound (xruns)", status["audio"]["xruns"].to_string());
    table.figure("resident memory", format!("{:.0} MB", memory_mb(pid)));
    table.note(format!("Over {} s, by thread: {} %. The other end is on the same machine.", OVER.as_secs(), ours.by_thread()));
    house.mom.hang_up();
    house.wait_over(mark);
    let _ = talking.kill();
    let _ = talking.wait();
    table
}
