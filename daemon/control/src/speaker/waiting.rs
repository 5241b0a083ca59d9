//! What waits for whoever comes into the room: calls that were missed, announcements of quiet hours.

use super::Speaker;
use crate::action::{Missed, Peer, Report, Waiting};
use crate::prompts::Prompt;

/// How many callers are kept; the one who called first makes room.
const MAX_MISSED: usize = 50;

impl Speaker {
    /// A call was missed.
    pub(super) fn missed(&mut self, peer: &Peer) {
        let missed = &mut self.history.missed;
        let before = missed.iter().position(|it| it.peer.name == peer.name).map(|it| missed.remove(it).n);
        missed.push(Missed { peer: peer.clone(), n: before.unwrap_or(0).saturating_add(1) });
        if missed.len() > MAX_MISSED {
            missed.remove(0);
        }
        self.reports.push(Report::History(self.history.clone()));
    }

    /// Somebody was called back, or has been talked to since.
    pub(super) fn no_longer_missed(&mut self, name: &str) {
        let before = self.history.missed.len();
        self.history.missed.retain(|it| it.peer.name != name);
        if self.history.missed.len() != before {
            self.reports.push(Report::History(self.history.clone()));
        }
    }

    /// Says whose calls were missed; whoever has heard it knows.
    pub(super) fn who_called(&mut self) {
        if self.history.missed.is_empty() {
            self.say(&Prompt::NobodyMissed);
            return;
        }
        let callers = self.history.missed.iter().rev().map(|it| (it.peer.name.clone(), it.n)).collect();
        self.say(&Prompt::MissedCalls(callers));
        self.forget_missed();
    }

    pub(super) fn clear_missed(&mut self) {
        self.forget_missed();
        self.say(&Prompt::Okay);
    }

    fn forget_missed(&mut self) {
        if !self.history.missed.is_empty() {
            self.history.missed.clear();
            self.reports.push(Report::History(self.history.clone()));
        }
    }

    /// What waits now. While an announcement is heard, those that come behind it do not count as waiting yet.
    pub fn waiting(&self) -> Waiting {
        let mut announcements = u32::try_from(self.house.queue.n_waiting()).unwrap_or(u32::MAX);
        if self.house.queue.playing().is_some() {
            announcements = announcements.min(self.house.told_waiting.announcements);
        }
        Waiting { missed: self.history.missed.clone(), announcements }
    }
}
