//! A hundred moves of a call from room to room: what the far end hears of them.

use std::time::{Duration, Instant};

use crate::house::SOON;
use crate::household::{Household, HouseholdPlan};
use crate::phone::PhoneSettings;
use crate::report::{Table, ms, percentile};
use crate::sound::Clip;

const N_MOVES: usize = 100;
/// The recording of a phone ends after so many moves: its owner's file does.
const IN_ONE_CALL: usize = 20;
/// After a move its gap is looked for so long.
const WINDOW: Duration = Duration::from_millis(1600);
/// What is softer is a gap.
const SILENT_DB: f32 = -45.0;

/// A steady tone, in which every gap can be heard.
pub fn hum(length: Duration) -> Clip {
    let n_samples = (length.as_secs_f64() * 48_000.0) as usize;
    let samples = (0..n_samples).map(|i| (i as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin() * 0.1).collect();
    Clip { samples }
}

/// The longest silence in a clip, in steps of 5 ms, beginning and end left out.
pub fn longest_gap(clip: &Clip) -> Duration {
    const STEP: usize = 240;
    let loud: Vec<bool> = clip.samples.chunks(STEP).map(|it| Clip { samples: it.to_vec() }.level_db() > SILENT_DB).collect();
    let first = loud.iter().position(|it| *it).unwrap_or(0);
    let last = loud.iter().rposition(|it| *it).unwrap_or(0);
    let longest = loud[first..last].split(|it| *it).map(<[bool]>::len).max().unwrap_or(0);
    Duration::from_millis(longest as u64 * 5)
}

/// Of a call with a phone (SIP).
pub fn measure() -> Table {
    table("A call with a phone moves", &with_a_phone())
}

/// Of a call with a room.
pub fn measure_rooms() -> Table {
    table("A call with a room moves", &with_a_room())
}

fn table(title: &'static str, gaps: &[f64]) -> Table {
    let mut table = Table::new(title);
    table.at_most("gap heard at the far end, 95th percentile", 150.0, percentile(gaps, 0.95), "ms");
    table.figure("the same, median and longest", format!("{:.0} ms, {:.0} ms", percentile(gaps, 0.5), percentile(gaps, 1.0)));
    table.note(format!("{} moves there and back while both rooms hum; the longest silence within 1.6 s of each.", gaps.len()));
    table
}

fn rooms(names: &[&'static str], people: Vec<PhoneSettings<'static>>) -> Household {
    let mut plan = HouseholdPlan { people, ..HouseholdPlan::of(names) };
    // A tone is noise to noise suppression.
    plan.rooms.iter_mut().for_each(|room| room.raw = true);
    Household::new(plan)
}

/// Moves the call of the bedroom to the kitchen, or back.
fn turn(house: &Household, i: usize) {
    let (to, state) = if i.is_multiple_of(2) { ("kitchen", "connected") } else { ("bedroom", "idle") };
    house.does("bedroom", &["move", to]);
    house.wait_now("kitchen", state, SOON);
}

fn with_a_phone() -> Vec<f64> {
    let house = rooms(&["bedroom", "kitchen"], vec![PhoneSettings::default()]);
    let mut gaps = Vec::new();
    while gaps.len() < N_MOVES {
        let ring = house.phone("mom").mark();
        house.call_person("bedroom", "mom");
        let (established, _) = house.phone("mom").wait(ring, "CALL_ESTABLISHED", SOON);
        let mut humming = house.start_saying_everywhere(&hum(Duration::from_secs(60)));
        std::thread::sleep(Duration::from_millis(800));
        let mut moved = Vec::new();
        for i in 0..IN_ONE_CALL {
            let at = established.elapsed();
            turn(&house, i);
            std::thread::sleep(WINDOW.saturating_sub(established.elapsed() - at));
            moved.push(at);
        }
        let heard = house.phone("mom").heard();
        gaps.extend(moved.iter().map(|at| ms(longest_gap(&heard.part(*at, *at + WINDOW)))));
        let _ = humming.kill();
        let _ = humming.wait();
        house.phone("mom").hang_up();
        house.wait_all_idle();
        std::thread::sleep(Duration::from_secs(1));
    }
    gaps
}

fn with_a_room() -> Vec<f64> {
    let house = rooms(&["bedroom", "kitchen", "nursery"], Vec::new());
    let listening = house.listen();
    house.call_room("bedroom", "nursery");
    let begin = Instant::now();
    let mut humming = house.start_saying_everywhere(&hum(Duration::from_secs(300)));
    std::thread::sleep(Duration::from_secs(2));
    let mut gaps = Vec::new();
    for i in 0..N_MOVES {
        let from = listening.recording.length();
        turn(&house, i);
        std::thread::sleep(WINDOW.saturating_sub(listening.recording.length() - from));
        gaps.push(ms(longest_gap(&listening.of("nursery", from))));
        if begin.elapsed() > Duration::from_secs(295) {
            break;
        }
    }
    let _ = humming.kill();
    let _ = humming.wait();
    house.does("bedroom", &["hangup"]);
    house.wait_all_idle();
    gaps
}
