//! The wake phrase said in one place of a home and heard by three speakers: the nearest answers, and only that one.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use control::Speaker;
use control::action::{Action, Earcon, History, SoundAction};
use control::house::{Bid, HouseAction, HouseEvent, Room};
use control::input::{Heard, Input};
use control::time::Time;
use hark::config::{Loaded, Sources, load};
use media::FRAME;
use media::room::Convolver;
use speech::{Hearing, HearingSettings, Listen, Model, RATE_HZ, Sentences};

use crate::house::project;
use crate::report::{Table, percentile};
use crate::voice::Voice;

const N_SCENES: usize = 100;
const MS: usize = RATE_HZ as usize / 1000;

/// Places of homes by the names of their measured responses: where it is said first, where else there are speakers then.
const HOMES: [[&str; 3]; 8] = [
    ["house_cinema-room", "house_cinema-hallway", "house_cinema-diningroom"],
    ["house_dining-room", "house_dining-living", "house_dining-mid-kitchen"],
    ["house_dining-room", "house_dining-mid-kitchen", "house_dining-far-kitchen"],
    ["house_dining-room-true-stereo", "house_dining-living-true-stereo", "house_dining-far-kitchen"],
    ["house_dining-room-true-stereo", "house_dining-living-true-stereo", "house_dining-mid-kitchen"],
    ["unis_roomA_az+000_L", "house_cinema-hallway", "medium-room1"],
    ["unis_roomA_az-040_L", "medium-room2", "house_dining-far-kitchen"],
    ["unis_roomA_az+040_L", "house_cinema-diningroom", "house_dining-living"],
];

/// What is said by synthetic voices: alone, with a command after a pause, with a command in one breath.
const SENTENCES: [&str; 4] =
    ["hello operator", "hello operator, call mom", "hello operator call dad", "hello operator. what is the time"];

const VOICES: [Voice; 7] = [
    Voice::Espeak("en-us", 160),
    Voice::Espeak("en-us+f3", 150),
    Voice::Espeak("en-us+m5", 165),
    Voice::Espeak("en-gb", 155),
    Voice::Espeak("en-gb-x-rp+f2", 150),
    Voice::Flite("slt"),
    Voice::Flite("awb"),
];

/// Wake phrases of people's recordings.
const PEOPLE: [(&str, &str); 5] = [
    ("computer", "computer"),
    ("smart mirror", "smart_mirror"),
    ("view glass", "view_glass"),
    ("jarvis", "jarvis"),
    ("alexa", "alexa"),
];

/// Noises that homes have all the time.
const NOISES: [&str; 6] = ["Rain", "Fire", "Clock", "Sea", "Helicopter", "room"];

/// How long a bid travels, ms.
const TRAVEL_MS: (f32, f32) = (1.0, 8.0);

pub fn measure() -> Table {
    let mut table = Table::new("The nearest speaker answers");
    let data = project("../shared/data");
    if !data.join("room_responses").is_dir() {
        table.figure("right room answers", "skipped: no measured responses");
        return table;
    }
    let mut bench = Bench::new(&data);
    let (mut right, mut one, mut wrong, mut decided_ms, mut apart_ms, mut unheard, mut n_heard) =
        (0, 0, Vec::new(), Vec::new(), Vec::new(), 0, [0; 4]);
    let mut n = 0;
    while n < N_SCENES {
        let scene = bench.scene(n + unheard);
        let notices = bench.hear(&scene);
        let heard: Vec<f64> = notices.iter().flatten().map(|it| it.at_ms).collect();
        if heard.is_empty() && unheard < N_SCENES {
            unheard += 1;
            continue;
        }
        n += 1;
        n_heard[heard.len()] += 1;
        let first = heard.iter().copied().fold(f64::MAX, f64::min);
        apart_ms.push(heard.iter().copied().fold(f64::MIN, f64::max) - first);
        let chimes = bench.decide(&notices);
        one += usize::from(chimes.len() == 1);
        decided_ms.extend(chimes.first().map(|it| it.1 - first));
        if chimes.first().is_some_and(|it| it.0 == 0) {
            right += 1;
        }
        if chimes.len() != 1 || chimes[0].0 != 0 {
            let told = notices.iter().map(|it| {
                it.as_ref().map_or("not heard".to_owned(), |it| format!("{:.3} after {:.0} ms", it.score, it.at_ms - first))
            });
            let rooms: Vec<String> = chimes.iter().map(|it| scene.rooms[it.0].to_owned()).collect();
            wrong.push(format!(
                "{}: {} ({}): answered by {}",
                scene.what,
                scene.rooms.join(", "),
                told.collect::<Vec<_>>().join(", "),
                rooms.join(" and ")
            ));
        }
    }
    table.at_least("the right room answers", 95.0, right as f64, "of 100 scenes");
    table.at_least("exactly one chime", 100.0, one as f64, "of 100 scenes");
    table.at_most("first speaker sure to chime, 95th percentile", 150.0, percentile(&decided_ms, 0.95), "ms");
    let [_, alone, two, three] = n_heard;
    table.figure("heard by one, two, three of the three speakers", format!("{alone}, {two}, {three} scenes"));
    table.figure(
        "between the first speaker that is sure and the last, median and 95th percentile",
        format!("{:.0} and {:.0} ms", percentile(&apart_ms, 0.5), percentile(&apart_ms, 0.95)),
    );
    table.note(format!(
        "Half of the scenes are recordings of people, half synthetic voices, said at -36 to -22 dBFS; {unheard} that no speaker heard were left out. \
Each speaker hears it through a measured response of its place, with other household noise at -70 to -50 dBFS and a microphone that is up to 2 dB off. The \
measured responses come without levels: late reverberation is taken to be as loud everywhere in the home, less 3 to 9 dB for the way to another place. \
The real recognizer hears, the real decisions decide; bids travel 1 to 8 ms."
    ));
    if !wrong.is_empty() {
        table.note(format!("Otherwise: {}.", wrong.join("; ")));
    }
    table
}

struct Scene {
    what: String,
    phrase: &'static str,
    rooms: [&'static str; 3],
    /// What each speaker hears, 16 kHz.
    ears: [Vec<f32>; 3],
    /// How much of that is before the others begin.
    lead: [usize; 3],
}

/// When a speaker was sure, by the clock of the home, and how well it heard.
struct Sure {
    at_ms: f64,
    score: f32,
}

struct Bench {
    model: Model,
    loaded: Loaded,
    people: BTreeMap<&'static str, Vec<std::path::PathBuf>>,
    responses: BTreeMap<&'static str, Vec<f32>>,
    noises: Vec<Vec<f32>>,
    seed: u32,
}

impl Bench {
    fn new(data: &Path) -> Self {
        let loaded = load(&Sources { system: "no-such-file".into(), config: None, contacts: None, variables: Vec::new() })
            .unwrap_or_else(|problems| panic!("{problems}"));
        let model = Model::open(&loaded.settings.speech.model).expect("the built-in model");
        let files = |folder: &str| -> Vec<_> {
            let mut all: Vec<_> = data.join(folder).read_dir().expect(folder).flatten().map(|it| it.path()).collect();
            all.retain(|it| it.extension().is_some_and(|it| it == "flac"));
            all.sort();
            all
        };
        let starts = |file: &Path, with: &str| file.file_name().is_some_and(|it| it.to_string_lossy().starts_with(with));
        let keywords = files("wake_keywords");
        let people =
            PEOPLE.map(|(phrase, prefix)| (phrase, keywords.iter().filter(|it| starts(it, prefix)).cloned().collect())).into();
        let responses =
            HOMES.iter().flatten().map(|it| (*it, response(&data.join(format!("room_responses/{it}.flac"))))).collect();
        let noises = files("noise").iter().filter(|it| NOISES.iter().any(|with| starts(it, with))).map(|it| read(it)).collect();
        Self { model, loaded, people, responses, noises, seed: 7 }
    }

    fn random(&mut self, from: f32, to: f32) -> f32 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        from + (to - from) * (self.seed >> 8) as f32 / 16_777_216.0
    }

    fn scene(&mut self, n: usize) -> Scene {
        let rooms = HOMES[n % HOMES.len()];
        let (what, phrase, said) = if n.is_multiple_of(2) {
            let voice = VOICES[(n / 2) % VOICES.len()];
            let sentence = SENTENCES[(n / 2) % SENTENCES.len()];
            let folder = tempfile::tempdir().expect("folder");
            let file = folder.path().join("said.wav");
            voice.says(sentence).write(&file);
            (format!("{voice:?} `{sentence}`"), "hello operator", read(&file))
        } else {
            let (phrase, _) = PEOPLE[(n / 2) % PEOPLE.len()];
            let which = self.random(0.0, self.people[phrase].len() as f32) as usize;
            let file = &self.people[phrase][which];
            (file.file_stem().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default(), phrase, trimmed(read(file)))
        };
        let gain = 10_f32.powf((self.random(-36.0, -22.0) - level_db(&through(&said, &self.responses[rooms[0]]))) / 20.0);
        let mut lead = [0; 3];
        let ears = std::array::from_fn(|i| {
            let (away_db, off_db) = (if i == 0 { 0.0 } else { self.random(3.0, 9.0) }, self.random(-2.0, 2.0));
            let (noise, noise_db) = (self.random(0.0, self.noises.len() as f32) as usize, self.random(-70.0, -50.0));
            lead[i] = 1000 * MS + self.random(0.0, 48.0 * MS as f32) as usize;
            let mut heard = vec![0.0; lead[i]];
            heard.extend(&said);
            heard.extend(vec![0.0; 1500 * MS]);
            let mut heard = through(&heard, &self.responses[rooms[i]]);
            heard.iter_mut().for_each(|it| *it *= gain * 10_f32.powf(-away_db / 20.0));
            let noise = &self.noises[noise];
            let loud = 10_f32.powf((noise_db - level_db(noise)) / 20.0);
            let microphone = 10_f32.powf(off_db / 20.0);
            for (it, noise) in heard.iter_mut().zip(noise.iter().cycle()) {
                *it = (*it + loud * noise) * microphone;
            }
            heard
        });
        Scene { what, phrase, rooms, ears, lead }
    }

    /// What each speaker makes of it.
    fn hear(&mut self, scene: &Scene) -> [Option<Sure>; 3] {
        std::array::from_fn(|i| {
            let settings = HearingSettings {
                wake_phrases: vec![scene.phrase.into()],
                min_confidence: self.loaded.settings.control.min_confidence,
                sensitivity: 0.5,
                keep_near_misses: false,
                listen_for: Duration::from_secs(5),
                gain_db: 0.0,
            };
            let mut hearing = Hearing::new(&self.model, settings).expect("phrases that the model knows");
            hearing.listen(Listen { after_wake: Sentences::list(["call mom", "call dad", "hang up"]), ..Listen::default() });
            hearing.in_company(true);
            let mut notices = Vec::new();
            // The engine hands over 10 ms at a time, and the listener looks every 10 ms.
            let late = f64::from(self.random(0.0, 10.0));
            for part in scene.ears[i].chunks(10 * MS) {
                hearing.feed(&part.iter().flat_map(|it| [*it, 0.0]).collect::<Vec<_>>(), &mut notices);
            }
            notices.iter().find_map(|it| match it.kind {
                speech::Heard::Wake { score } => {
                    Some(Sure { at_ms: it.at_ms as f64 - scene.lead[i] as f64 / MS as f64 + late, score })
                }
                _ => None,
            })
        })
    }

    /// Lets three real speakers decide: who chimes, and when (ms).
    fn decide(&mut self, notices: &[Option<Sure>; 3]) -> Vec<(usize, f64)> {
        let names = ["one", "two", "three"];
        let mut speakers: Vec<Speaker> = names.iter().map(|name| self.speaker(name)).collect();
        // What is still to happen, by time in microseconds.
        let mut ahead: BTreeMap<(u64, usize), (usize, Input)> = BTreeMap::new();
        let mut count = 0;
        let mut put = |ahead: &mut BTreeMap<_, _>, at: u64, who: usize, input: Input| {
            count += 1;
            ahead.insert((at, count), (who, input));
        };
        for (who, sure) in notices.iter().enumerate() {
            let others = names.iter().filter(|it| **it != names[who]).map(|it| room(it)).collect();
            put(&mut ahead, 0, who, Input::House(HouseEvent::Rooms(others)));
            let Some(sure) = sure else { continue };
            let at = (10_000_000.0 + sure.at_ms * 1000.0) as u64;
            put(&mut ahead, at, who, Input::Heard(Heard::Wake { score: sure.score }));
        }
        let mut chimes = Vec::new();
        let time = |us: u64| Time::from_start(Duration::from_micros(us));
        loop {
            let due = speakers.iter().enumerate().filter_map(|(who, it)| Some((it.poll_timeout()?, who))).min();
            let next = ahead.first_key_value().map(|(key, _)| *key);
            let now = match (next, due) {
                (Some(key), due) if due.is_none_or(|(at, _)| time(key.0) <= at) => {
                    let Some((who, input)) = ahead.remove(&key) else { break };
                    speakers[who].handle(time(key.0), input);
                    key.0
                }
                (_, Some((at, who))) if at.since_start() < Duration::from_secs(13) => {
                    speakers[who].handle_timeout(at);
                    at.since_start().as_micros() as u64
                }
                _ => break,
            };
            for who in 0..speakers.len() {
                while let Some(action) = speakers[who].poll_action() {
                    let told: fn(Bid) -> HouseEvent = match &action {
                        Action::Sound(SoundAction::Earcon(Earcon::Awake)) => {
                            chimes.push((who, now as f64 / 1000.0 - 10_000.0));
                            continue;
                        }
                        Action::House(HouseAction::Bid { .. }) => HouseEvent::Bid,
                        Action::House(HouseAction::Won { .. }) => HouseEvent::Won,
                        _ => continue,
                    };
                    let (Action::House(HouseAction::Bid { score }) | Action::House(HouseAction::Won { score })) = action else {
                        continue;
                    };
                    for other in (0..speakers.len()).filter(|it| *it != who) {
                        let travel = u64::from(self.random(TRAVEL_MS.0 * 1000.0, TRAVEL_MS.1 * 1000.0) as u32);
                        let bid = Bid { room: names[who].into(), score, age: Duration::from_micros(travel) };
                        put(&mut ahead, now + travel, other, Input::House(told(bid)));
                    }
                }
            }
        }
        chimes
    }

    fn speaker(&self, name: &str) -> Speaker {
        let mut settings = self.loaded.settings.control.clone();
        settings.room = name.into();
        settings.house.slug = name.into();
        Speaker::new(settings, self.loaded.contacts.clone(), self.loaded.phrases.clone(), History::default())
    }
}

fn room(name: &str) -> Room {
    Room { slug: name.into(), name: name.into(), floor: None, groups: Vec::new(), up: true }
}

fn read(file: &Path) -> Vec<f32> {
    media::wav::read(file, RATE_HZ).unwrap_or_else(|error| panic!("{error}"))
}

/// A measured response from its first sound on, made as loud as its late reverberation.
fn response(file: &Path) -> Vec<f32> {
    let samples = read(file);
    let top = samples.iter().fold(0.0_f32, |top, it| top.max(it.abs()));
    let first = samples.iter().position(|it| it.abs() > 0.3 * top).unwrap_or(0);
    let late: f32 = samples.iter().skip(first + 50 * MS).take(250 * MS).map(|it| it * it).sum();
    samples[first.saturating_sub(5 * MS)..].iter().map(|it| it / late.sqrt()).collect()
}

fn through(samples: &[f32], response: &[f32]) -> Vec<f32> {
    let mut walls = Convolver::new(response);
    let mut out = Vec::with_capacity(samples.len() + FRAME);
    for part in samples.chunks(FRAME) {
        let (mut input, mut heard) = ([0.0; FRAME], [0.0; FRAME]);
        input[..part.len()].copy_from_slice(part);
        walls.process(&input, &mut heard);
        out.extend(heard);
    }
    out.truncate(samples.len());
    out
}

/// The level of its loud frames, dBFS.
fn level_db(samples: &[f32]) -> f32 {
    let powers: Vec<f32> = samples.chunks(20 * MS).map(|it| it.iter().map(|it| it * it).sum::<f32>() / it.len() as f32).collect();
    let top = powers.iter().copied().fold(0.0, f32::max);
    let loud: Vec<f32> = powers.into_iter().filter(|it| *it > 0.003 * top).collect();
    10.0 * (loud.iter().sum::<f32>() / loud.len().max(1) as f32 + 1e-12).log10()
}

/// Without the silence at both ends, which would be heard as a change of the room's noise.
fn trimmed(samples: Vec<f32>) -> Vec<f32> {
    let top = samples.chunks(10 * MS).map(|it| it.iter().map(|it| it * it).sum::<f32>()).fold(0.0, f32::max);
    let loud = |it: &[f32]| it.iter().map(|it| it * it).sum::<f32>() > 0.001 * top;
    let frames: Vec<&[f32]> = samples.chunks(10 * MS).collect();
    let (first, last) = (frames.iter().position(|it| loud(it)), frames.iter().rposition(|it| loud(it)));
    match (first, last) {
        (Some(first), Some(last)) => frames[first.saturating_sub(3)..=(last + 3).min(frames.len() - 1)].concat(),
        _ => samples,
    }
}
