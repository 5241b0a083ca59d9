//! What waits over a restart.

mod house;

use control::Speaker;
use control::action::{Action, History, Missed, Peer, Report, Waiting};
use control::dialplan::Uri;

#[test]
fn calls_that_were_missed_before_a_restart_wait_after_it() {
    let peer = Peer { name: "Dad".into(), address: Uri::parse("sip:dad@example.org").unwrap(), known: true };
    let missed = vec![Missed { peer, n: 2 }];
    let history = History { missed: missed.clone(), ..History::default() };
    let mut speaker = Speaker::new(house::settings(), house::contacts(), house::phrases("en"), history);
    let mut actions = std::iter::from_fn(|| speaker.poll_action());
    let waiting = actions.find_map(|it| if let Action::Report(Report::Waiting(it)) = it { Some(it) } else { None });
    assert_eq!(waiting, Some(Waiting { missed, announcements: 0 }));
}
