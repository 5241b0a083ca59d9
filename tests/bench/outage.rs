//! A hundred calls and a hundred announcements while the broker is killed and started again.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use crate::children::eventually;
use crate::house::{A_WHILE, SOON};
use crate::household::{Household, HouseholdPlan};
use crate::report::{Table, ms};

const N: usize = 100;
/// The broker is away for two calls of these.
const EVERY: usize = 10;
const ROOMS: [&str; 3] = ["kitchen", "bedroom", "nursery"];

pub fn measure() -> Table {
    let mut house = Household::new(HouseholdPlan::of(&ROOMS));
    let (mut n_calls, mut backs) = (0, Vec::new());
    for i in 0..N {
        broker(&mut house, i, &mut backs);
        let (from, to) = (ROOMS[i % 3], ROOMS[(i + 1) % 3]);
        let called = std::panic::catch_unwind(AssertUnwindSafe(|| {
            house.call_room(from, to);
            house.does(to, &["hangup"]);
            house.wait_all_idle();
        }));
        n_calls += usize::from(called.is_ok());
        if called.is_err() {
            ROOMS.iter().for_each(|room| drop(house.tries(room, &["hangup"])));
        }
    }
    let listening = house.listen();
    let mut n_heard = 0;
    for i in 0..N {
        broker(&mut house, i, &mut backs);
        let from = listening.recording.length();
        house.does("kitchen", &["announce", "dinner"]);
        let heard = std::panic::catch_unwind(AssertUnwindSafe(|| {
            eventually("the announcement", SOON, || {
                let heard = |room: &&str| listening.of(room, from).spoken(-50.0).is_some();
                ["bedroom", "nursery"].iter().all(heard).then_some(())
            });
        }));
        n_heard += usize::from(heard.is_ok());
        std::thread::sleep(Duration::from_millis(1800));
    }
    let mut table = Table::new("The broker dies and comes back");
    table.at_least("calls that were complete: rung, answered, ended", N as f64, n_calls as f64, "");
    table.at_least("announcements that were heard in both other rooms", N as f64, n_heard as f64, "");
    let worst = backs.iter().copied().fold(0.0, f64::max) / 1000.0;
    table.at_most("all speakers back at the broker, longest", 5.0, worst, "s");
    table.note(format!(
        "mosquitto is killed before every {EVERY}th call or announcement and started again two later; {} times.",
        backs.len()
    ));
    table
}

/// Kills or starts the broker when it is time; tells how long it took until all were back.
fn broker(house: &mut Household, i: usize, backs: &mut Vec<f64>) {
    match i % EVERY {
        3 => house.broker_mut().kill(),
        5 => {
            let mark = house.broker().mark();
            house.broker_mut().start_again();
            let begin = Instant::now();
            for room in ROOMS {
                let topic = format!("hark/{room}/status");
                house.broker().wait(mark, "a speaker to be back", A_WHILE, |it| it.topic == topic && it.payload == "online");
            }
            backs.push(ms(begin.elapsed()));
        }
        _ => (),
    }
}
