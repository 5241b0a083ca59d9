//! Which line has which call: line actions go to the task that can do them.

use std::collections::BTreeMap;

use control::action::LineAction;
use control::call::{CallId, EndReason};
use control::dialplan::LineName;
use control::dialplan::ROOMS;
use control::input::LineEvent;
use tokio::sync::mpsc;
use tracing::warn;

/// The name of the line of the built-in contacts.
pub const BUILTIN: &str = "builtin";

/// The tasks of the lines.
pub struct Switch {
    /// Serves all accounts and the line `direct`; `None` when SIP is off.
    sip: Option<mpsc::Sender<LineAction>>,
    builtin: mpsc::Sender<LineAction>,
    /// To other speakers; `None` when there is no house.
    rooms: Option<mpsc::Sender<LineAction>>,
    /// Calls of the lines `builtin` and `rooms`; all others are SIP's.
    calls: BTreeMap<CallId, LineName>,
}

impl Switch {
    /// Takes the tasks' channels.
    pub fn new(
        sip: Option<mpsc::Sender<LineAction>>,
        builtin: mpsc::Sender<LineAction>,
        rooms: Option<mpsc::Sender<LineAction>>,
    ) -> Switch {
        Switch { sip, builtin, rooms, calls: BTreeMap::new() }
    }

    /// A call came in on this line.
    pub fn incoming(&mut self, call: CallId, line: &LineName) {
        if [BUILTIN, ROOMS].contains(&line.as_str()) {
            self.calls.insert(call, line.clone());
        }
    }

    /// Hands the action to its line. Where that cannot be, says what became of the call.
    pub fn act(&mut self, action: LineAction) -> Option<LineEvent> {
        let call = action.call();
        if let LineAction::Dial { line, .. } = &action {
            self.incoming(call, line);
        }
        let task = match self.calls.get(&call).map(String::as_str) {
            Some(BUILTIN) => Some(&self.builtin),
            Some(_) => self.rooms.as_ref(),
            None => self.sip.as_ref(),
        };
        let Some(task) = task else {
            return Some(LineEvent::Ended(call, EndReason::LineDown));
        };
        // A line that does not take 256 actions has stopped: its call is over for us.
        let Err(err) = task.try_send(action) else { return None };
        warn!(%call, %err, "a line does not answer");
        Some(LineEvent::Ended(call, EndReason::LineDown))
    }

    /// A call is over.
    pub fn forget(&mut self, call: CallId) {
        self.calls.remove(&call);
    }
}
