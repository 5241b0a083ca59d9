//! What anybody who asks for something sends to the app: MQTT, the control socket, the command line.

use control::input::Command;
use tokio::sync::oneshot;

/// One thing asked for, and where the answer goes.
#[derive(Debug)]
pub struct Request {
    /// What is asked for.
    pub command: Command,
    /// Told once whether it was done, or why not in plain words; `None` where nobody waits.
    pub reply: Option<oneshot::Sender<Result<(), String>>>,
}
