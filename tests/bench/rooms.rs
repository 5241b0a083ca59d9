//! Calls between rooms: from the command to the ring, from the answer to the sound, from mouth to ear, and ten people in one call.

use std::time::{Duration, Instant};

use crate::children::eventually;
use crate::cost::story;
use crate::house::{A_WHILE, SOON, in_the_room};
use crate::household::{Household, HouseholdPlan, Listening};
use crate::phone::PhoneSettings;
use crate::process::Cost;
use crate::report::{Table, ms, percentile};
use crate::sound::Clip;
use crate::voice::{MOM, PERSON, Voice};

const N_CALLS: usize = 12;
const VOICES: [Voice; 3] = [PERSON, Voice::Espeak("en-gb", 150), Voice::Flite("slt")];
/// Louder than this is speech; the room's noise is far below.
const LOUD_DB: f32 = -48.0;

pub fn measure() -> Table {
    let mut plan = HouseholdPlan::of(&["bedroom", "kitchen"]);
    // A tone is noise to noise suppression.
    plan.rooms.iter_mut().for_each(|room| room.raw = true);
    let house = Household::new(plan);
    let (air, listening) = (house.listen_to_microphones(), house.listen());
    let (mut rings, mut sounds, mut ways, mut missed) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for voice in VOICES.iter().cycle().take(N_CALLS) {
        let (mark, from) = (house.broker().mark(), air.recording.length());
        house.say_heard_in(&[("bedroom", 0.0, Duration::ZERO)], &voice.says("hello operator, call the kitchen"));
        let (_, end) = air.of("bedroom", from).spoken(LOUD_DB).expect("the command");
        let spoken = air.recording.when(from + end);
        if !within(Duration::from_secs(2), || house.state("kitchen") == "ringing") {
            missed += 1;
            continue;
        }
        rings.push(since(house.wait_state("kitchen", mark, "ringing", SOON).at, spoken));
        sounds.push(answer_to_sound(&house, &listening));
        ways.push(mouth_to_ear(&house, &air, &listening));
        house.does("bedroom", &["hangup"]);
        house.wait_all_idle();
        std::thread::sleep(Duration::from_millis(1500));
    }
    let mut table = Table::new("Calls between rooms");
    table.at_most("end of \"call the kitchen\" to its ringing, median", 500.0, percentile(&rings, 0.5), "ms");
    table.figure("the same, 95th percentile", format!("{:.0} ms", percentile(&rings, 0.95)));
    table.at_most("answer to sound, median", 150.0, percentile(&sounds, 0.5), "ms");
    table.figure("the same, 95th percentile", format!("{:.0} ms", percentile(&sounds, 0.95)));
    table.at_most("mouth to ear, median", 100.0, percentile(&ways, 0.5), "ms");
    table.figure("the same, 95th percentile", format!("{:.0} ms", percentile(&ways, 0.95)));
    table.note(format!(
        "{} of {N_CALLS} commands made the kitchen ring ({missed} were not understood). Two speakers with a PulseAudio card each, whose delay is in the figures; mosquitto.",
        rings.len()
    ));
    table
}

/// Milliseconds; less than nothing where the first came before the second.
fn since(later: Instant, earlier: Instant) -> f64 {
    if later > earlier { ms(later - earlier) } else { -ms(earlier - later) }
}

fn within(time: Duration, is: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < time {
        if is() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// From "answer" over MQTT to a tone of the bedroom at the kitchen's loudspeaker.
fn answer_to_sound(house: &Household, listening: &Listening) -> f64 {
    let mut humming = house.start_saying("bedroom", &crate::moves::hum(Duration::from_secs(4)));
    std::thread::sleep(Duration::from_millis(800));
    let from = listening.recording.length();
    house.broker().publish("hark/kitchen/do/answer", "{}");
    let answered = Instant::now();
    let heard = eventually("the bedroom in the kitchen", A_WHILE, || tone_begins(&listening.of("kitchen", from)));
    let sound = listening.recording.when(from + heard);
    let _ = humming.kill();
    let _ = humming.wait();
    house.wait_now("bedroom", "connected", SOON);
    std::thread::sleep(Duration::from_millis(700));
    since(sound, answered)
}

/// When 440 Hz are the most of what is heard.
fn tone_begins(clip: &Clip) -> Option<Duration> {
    const STEP: usize = 480;
    clip.samples.chunks_exact(STEP).position(is_tone).map(|step| Duration::from_millis(step as u64 * 10))
}

fn is_tone(step: &[f32]) -> bool {
    let (mut sin, mut cos, mut all) = (0.0, 0.0, 1e-9);
    for (i, sample) in step.iter().enumerate() {
        let angle = i as f32 * 440.0 * std::f32::consts::TAU / 48_000.0;
        sin += sample * angle.sin();
        cos += sample * angle.cos();
        all += sample * sample;
    }
    let tone = 2.0 * (sin * sin + cos * cos) / step.len() as f32;
    tone / all > 0.6 && all / step.len() as f32 > 1e-6
}

/// From a word at the bedroom's microphone to the same at the kitchen's loudspeaker.
fn mouth_to_ear(house: &Household, air: &Listening, listening: &Listening) -> f64 {
    let word = PERSON.says("the soup is ready, come to the kitchen");
    let (from, out) = (air.recording.length(), listening.recording.length());
    let mut saying = house.start_saying("bedroom", &word);
    let _ = saying.wait();
    std::thread::sleep(Duration::from_millis(400));
    let (_, said) = air.of("bedroom", from).find(&word);
    let (_, heard) = listening.of("kitchen", out).find(&word);
    since(listening.recording.when(out + heard), air.recording.when(from + said))
}

/// Nine phones and the room in one call.
pub fn measure_conference() -> Table {
    const USERS: [&str; 9] = ["mom", "dad", "anna", "peter", "maria", "paul", "clara", "simon", "julia"];
    const OVER: Duration = Duration::from_secs(30);
    let people = USERS
        .iter()
        .enumerate()
        .map(|(i, user)| PhoneSettings {
            user,
            voice: Clip::silence(Duration::from_secs(i as u64)).then(&story(50)),
            codecs: "opus/48000/2",
            more: "",
        })
        .collect();
    let house = Household::new(HouseholdPlan { people, ..HouseholdPlan::of(&["kitchen"]) });
    house.call_person("kitchen", "mom");
    for user in &USERS[1..] {
        let ring = house.phone(user).mark();
        house.does("kitchen", &["add", user]);
        house.phone(user).rings(ring, SOON);
        house.phone(user).answer();
        house.phone(user).wait(ring, "CALL_ESTABLISHED", SOON);
    }
    let mut talking = house.start_saying("kitchen", &in_the_room(&story(OVER.as_secs() + 5)));
    std::thread::sleep(Duration::from_secs(2));
    let cost = Cost::start(house.room("kitchen").speaker.as_ref().expect("power").pid());
    std::thread::sleep(OVER);
    let mut table = Table::new("Ten in one call");
    table.at_most("a conference of nine phones and the room, of one core", 15.0, cost.percent(), "%");
    table.note(format!(
        "Over {} s, all ten talking, Opus, echo cancellation; by thread: {} %.",
        OVER.as_secs(),
        cost.by_thread()
    ));
    let hers = MOM.says("hello darling");
    table.figure("likeness of mom's own voice in what she hears", format!("{:.2}", house.phone("mom").heard().find(&hers).0));
    let _ = talking.kill();
    let _ = talking.wait();
    house.does("kitchen", &["hangup"]);
    house.wait_all_idle();
    table
}
