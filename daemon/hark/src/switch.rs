//! Which line has which call: line actions go to the task that can do them.

use std::collections::BTreeMap;

use control::action::LineAction;
use control::call::{CallId, EndReason};
use control::dialplan::LineName;
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
    /// Calls of the line `builtin`; all others are SIP's.
    builtin_calls: BTreeMap<CallId, LineName>,
}

impl Switch {
    /// Takes the tasks' channels.
    pub fn new(sip: Option<mpsc::Sender<LineAction>>, builtin: mpsc::Sender<LineAction>) -> Switch {
        Switch { sip, builtin, builtin_calls: BTreeMap::new() }
    }

    /// Hands the action to its line. Where that cannot be, says what became of the call.
    pub fn act(&mut self, action: LineAction) -> Option<LineEvent> {
        let call = call_of(&action);
        if let LineAction::Dial { line, .. } = &action
            && line == BUILTIN
        {
            self.builtin_calls.insert(call, line.clone());
        }
        let task = if self.builtin_calls.contains_key(&call) { Some(&self.builtin) } else { self.sip.as_ref() };
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
        self.builtin_calls.remove(&call);
    }
}

fn call_of(action: &LineAction) -> CallId {
    match action {
        LineAction::Dial { call, .. } => *call,
        LineAction::Alert(call)
        | LineAction::Accept(call)
        | LineAction::Reject(call, _)
        | LineAction::HangUp(call)
        | LineAction::Hold(call)
        | LineAction::Resume(call)
        | LineAction::Dtmf(call, _) => *call,
    }
}
