//! What must survive a restart: volumes, do not disturb, whom "redial" means, and the calls of late. One small file, written only when something
//! changed, whole or not at all; a file that cannot be read is set aside and everything begins anew.

pub mod file;

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use control::action::{Event, History, Report, SettingReport};
use control::input::Bus;
use control::speaker;
use tracing::{debug, warn};

use crate::walltime::rfc3339;
use file::{Kept, LoggedCall, Party};

/// Calls that are remembered; older ones are forgotten.
const MAX_CALLS: usize = 200;
/// Changes come in bursts ("louder, louder"): after the first one we wait this long for more, for flash memory wears.
const SETTLE: Duration = Duration::from_secs(2);

/// What control is told at start.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// 0 to 100: call, ring, announce.
    pub volumes: [u8; 3],
    /// Do not disturb.
    pub do_not_disturb: bool,
    /// Whom redial and call back mean.
    pub history: History,
}

/// What survives a restart. Its own thread writes: the caller never waits for a disk.
#[derive(Debug)]
pub struct Store {
    kept: Kept,
    desk: Arc<Desk>,
    writer: Option<JoinHandle<()>>,
}

/// Where the newest version lies until the writer takes it; one that was not taken is replaced.
#[derive(Debug, Default)]
struct Desk {
    papers: Mutex<Papers>,
    called: Condvar,
}

#[derive(Debug, Default)]
struct Papers {
    newest: Option<Kept>,
    closing: bool,
}

impl Desk {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Reads what is there; whatever that is, there is a store afterwards.
    pub fn open(folder: &Path) -> Store {
        let path = folder.join(file::NAME);
        let kept = file::read(&path);
        let desk = Arc::new(Desk::default());
        let writer = thread::Builder::new().name("store".into()).spawn({
            let desk = desk.clone();
            move || write_when_told(&desk, &path)
        });
        let writer = writer.inspect_err(|error| warn!(%error, "nothing will be kept over a restart")).ok();
        Store { kept, desk, writer }
    }

    /// What was kept, or else what the settings say.
    pub fn remembered(&self, settings: &speaker::Settings) -> Remembered {
        let volume = &self.kept.volume;
        let [call, ring, announce] = settings.volumes;
        let volumes = [volume.call.unwrap_or(call), volume.ring.unwrap_or(ring), volume.announce.unwrap_or(announce)];
        let volumes = volumes.map(|percent| percent.min(100));
        let do_not_disturb = self.kept.do_not_disturb.unwrap_or(settings.do_not_disturb);
        Remembered { volumes, do_not_disturb, history: History::from(&self.kept.history) }
    }

    /// The calls of late, the last one at the end.
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = &LoggedCall> {
        self.kept.calls.iter()
    }

    /// Takes note of what control reports, if it is something to keep.
    pub fn keep(&mut self, report: &Report) {
        let before = self.kept.clone();
        match report {
            Report::Setting(SettingReport::Volume(bus, percent)) => {
                let volume = &mut self.kept.volume;
                let volume = match bus {
                    Bus::Call => &mut volume.call,
                    Bus::Ring => &mut volume.ring,
                    Bus::Announce => &mut volume.announce,
                };
                *volume = Some(*percent);
            }
            Report::Setting(SettingReport::DoNotDisturb(on)) => self.kept.do_not_disturb = Some(*on),
            Report::History(history) => self.kept.history = history.into(),
            Report::Event(Event::Ended { peer, reason, talked, outgoing, .. }) => {
                self.kept.calls.push_back(LoggedCall {
                    ended: rfc3339(SystemTime::now()),
                    outgoing: *outgoing,
                    peer: Party::from(peer),
                    reason: reason.key().into(),
                    talked_ms: u64::try_from(talked.as_millis()).unwrap_or(u64::MAX),
                });
                while self.kept.calls.len() > MAX_CALLS {
                    self.kept.calls.pop_front();
                }
            }
            _ => return,
        }
        if self.kept != before {
            self.desk.papers().newest = Some(self.kept.clone());
            self.desk.called.notify_one();
        }
    }

    /// Writes what is not written yet. Blocks until that is done.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.desk.papers().closing = true;
        self.desk.called.notify_one();
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            warn!("the store's thread had failed");
        }
    }
}

fn write_when_told(desk: &Desk, path: &Path) {
    let mut closing = false;
    let mut warned = false;
    while !closing {
        let papers = desk.called.wait_while(desk.papers(), |it| it.newest.is_none() && !it.closing);
        let papers = papers.unwrap_or_else(PoisonError::into_inner);
        let settled = desk.called.wait_timeout_while(papers, SETTLE, |it| !it.closing);
        let (mut papers, _) = settled.unwrap_or_else(PoisonError::into_inner);
        closing = papers.closing;
        let newest = papers.newest.take();
        drop(papers);
        let Some(kept) = newest else { continue };
        match file::write(path, &kept) {
            Ok(()) => warned = false,
            Err(error) if warned => debug!("{error:#}"),
            Err(error) => {
                warn!("{error:#}; settings and calls will not survive a restart");
                warned = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use control::action::{Missed, Peer};
    use control::call::{CallId, EndReason};
    use control::dialplan::Uri;
    use control::house::HouseSettings;

    use super::*;

    fn settings() -> speaker::Settings {
        speaker::Settings {
            room: "Kitchen".into(),
            language: "en".into(),
            wake_phrases: vec!["hello operator".into()],
            lines: Vec::new(),
            ring_for: Duration::from_secs(30),
            listen_for: Duration::from_secs(5),
            min_confidence: 0.5,
            sure_confidence: 0.6,
            volumes: [70, 71, 72],
            do_not_disturb: false,
            house: HouseSettings::default(),
        }
    }

    fn volume(bus: Bus, percent: u8) -> Report {
        Report::Setting(SettingReport::Volume(bus, percent))
    }

    #[test]
    fn at_first_the_settings_count_and_later_what_was_changed() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path());
        assert_eq!(
            store.remembered(&settings()),
            Remembered { volumes: [70, 71, 72], do_not_disturb: false, history: History::default() }
        );
        store.keep(&volume(Bus::Call, 10));
        store.keep(&volume(Bus::Announce, 30));
        store.keep(&Report::Setting(SettingReport::DoNotDisturb(true)));
        let mom = Peer { name: "Mom".into(), address: Uri::parse("sip:mom@192.168.1.5").unwrap(), known: true };
        let missed = vec![Missed { peer: mom.clone(), n: 2 }];
        let history = History { last_dialled: Some(mom.clone()), missed, ..History::default() };
        store.keep(&Report::History(history.clone()));
        store.close();
        let store = Store::open(folder.path());
        assert_eq!(store.remembered(&settings()), Remembered { volumes: [10, 71, 30], do_not_disturb: true, history });
    }

    #[test]
    fn calls_are_logged_and_old_ones_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path());
        for n in 0..MAX_CALLS as u32 + 5 {
            let peer = Peer { name: format!("caller {n}"), address: Uri::parse("sip:a@b").unwrap(), known: false };
            let talked = Duration::from_millis(n.into());
            let reason = EndReason::TheyHungUp;
            store.keep(&Report::Event(Event::Ended { call: CallId::In(n), peer, reason, talked, outgoing: false }));
        }
        store.close();
        let store = Store::open(folder.path());
        assert_eq!(store.calls().count(), MAX_CALLS);
        let last = store.calls().next_back().unwrap();
        assert_eq!((last.peer.name.as_str(), last.reason.as_str(), last.talked_ms), ("caller 204", "they_hung_up", 204));
    }

    #[test]
    fn nothing_is_written_when_nothing_changed() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path());
        store.keep(&Report::Event(Event::Wake));
        store.keep(&Report::Setting(SettingReport::Muted(true)));
        store.close();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_no_disaster() {
        let mut store = Store::open(Path::new("/proc/nowhere"));
        store.keep(&volume(Bus::Call, 5));
        store.close();
    }
}
