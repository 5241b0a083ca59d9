//! The line `builtin`: `hark:echo` answers after a moment and plays back what it hears.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use control::action::LineAction;
use control::call::{CallId, EndReason};
use control::input::LineEvent;
use media::party::{CodecKind, Packet, PartyEnd, party};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};
use tracing::{debug, info, warn};

use super::bell::Bell;
use super::{FromLine, new_party_id};

/// How long it rings, as a person would let it.
const ANSWERS_AFTER: Duration = Duration::from_millis(700);

/// How long what was said is kept before it comes back: longer than wake phrase and command, so that "hang up" is not said into its own echo.
const DELAY: Duration = Duration::from_millis(2500);

/// The line. A call to it is a task that loops packets.
pub struct EchoLine {
    actions: mpsc::Receiver<LineAction>,
    events: mpsc::Sender<FromLine>,
    calls: BTreeMap<CallId, JoinHandle<()>>,
}

impl EchoLine {
    /// Makes the line; nothing happens before `run`.
    pub fn new(actions: mpsc::Receiver<LineAction>, events: mpsc::Sender<FromLine>) -> EchoLine {
        EchoLine { actions, events, calls: BTreeMap::new() }
    }

    /// Serves calls until the app goes away.
    pub async fn run(mut self) {
        while let Some(action) = self.actions.recv().await {
            self.calls.retain(|_, task| !task.is_finished());
            match action {
                LineAction::Dial { call, to, .. } if to.as_str() == "hark:echo" => {
                    let task = Echo { call, events: self.events.clone() };
                    self.calls.insert(call, tokio::spawn(task.run()));
                }
                LineAction::Dial { call, .. } => self.ended(call, EndReason::NotFound).await,
                LineAction::HangUp(call) => {
                    if let Some(task) = self.calls.remove(&call) {
                        task.abort();
                        info!(%call, "call ended");
                        self.ended(call, EndReason::WeHungUp).await;
                    }
                }
                // It has no keypad, is never on hold and never calls.
                LineAction::Alert(_)
                | LineAction::Accept(_)
                | LineAction::Reject(..)
                | LineAction::Hold(_)
                | LineAction::Resume(_)
                | LineAction::Dtmf(..)
                | LineAction::Ask(..) => (),
            }
        }
        for task in self.calls.values() {
            task.abort();
        }
    }

    async fn ended(&self, call: CallId, reason: EndReason) {
        self.events.send(FromLine::Event(LineEvent::Ended(call, reason))).await.ok();
    }
}

/// One call to it.
struct Echo {
    call: CallId,
    events: mpsc::Sender<FromLine>,
}

impl Echo {
    async fn run(self) {
        let call = self.call;
        self.events.send(FromLine::Invited(call, Instant::now())).await.ok();
        self.events.send(FromLine::Event(LineEvent::Alerting(call))).await.ok();
        sleep(ANSWERS_AFTER).await;
        let (party, end) = match party(new_party_id(), CodecKind::Opus) {
            Ok(both) => both,
            Err(error) => {
                warn!(%call, %error, "echo test: no media");
                self.events.send(FromLine::Event(LineEvent::Ended(call, EndReason::Failed(500)))).await.ok();
                return;
            }
        };
        self.events.send(FromLine::Media(call, party)).await.ok();
        self.events.send(FromLine::Event(LineEvent::Answered(call))).await.ok();
        info!(%call, "echo test answered");
        if let Err(error) = play_back(end).await {
            warn!(%call, %error, "echo test: no media");
        }
    }
}

/// Returns every packet after [`DELAY`], with the spacing in which it came.
async fn play_back(end: PartyEnd) -> std::io::Result<()> {
    let PartyEnd { mut downlink, mut uplink, wake } = end;
    let bell = Bell::new(wake)?;
    let mut waiting: VecDeque<(Instant, Packet)> = VecDeque::new();
    loop {
        let due = waiting.front().map(|(due, _)| (*due).into());
        tokio::select! {
            rung = bell.rung() => {
                rung?;
                let due = Instant::now() + DELAY;
                while let Ok(packet) = uplink.pop() {
                    waiting.push_back((due, packet));
                }
            }
            () = sleep_until(due.unwrap_or_else(tokio::time::Instant::now)), if due.is_some() => {
                let now = Instant::now();
                while waiting.front().is_some_and(|(due, _)| *due <= now) {
                    let Some((_, packet)) = waiting.pop_front() else { break };
                    // A full ring means that the engine stalls: what it cannot take is lost, as on any network.
                    if downlink.push(packet).is_err() {
                        debug!("echo test: the engine does not take packets");
                    }
                }
            }
        }
    }
}
