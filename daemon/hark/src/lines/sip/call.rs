//! One call over SIP: a task from the first message to the last word. Placed in `outgoing`, received in `incoming`, both become a `talk`.

mod incoming;
mod outgoing;
mod talk;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use control::action::LineAction;
use control::call::{CallId, EndReason};
use control::input::LineEvent;
use media::party::{CodecKind, party};
use rsipstack::sip::{Request, StatusCode};
use rsipstack::transaction::transaction::Transaction;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::super::{FromLine, new_party_id};
use super::agent::Agent;
use super::client::Client;
use super::dialog::{Dialog, Key};
use super::digest::Login;
use super::media::{Happened, Media, Order, Ports, random};
use super::registration::Account;
use super::sdp::negotiate::{Agreed, Local};
use super::sdp::{Direction, Sdp};
use super::srtp::Crypto;
use crate::config::Srtp;

/// What a call's task is told.
pub enum ToCall {
    /// What control wants.
    Action(LineAction),
    /// A request of the other end within the call.
    Request(Box<Transaction>),
}

/// A call's task.
pub struct Call {
    /// Its name.
    pub id: CallId,
    /// Our user agent.
    pub agent: Arc<Agent>,
    /// The account that it goes over; none is the line `direct`.
    pub account: Option<Arc<Account>>,
    /// Call-ID and our tag.
    pub key: Key,
    /// What it is told.
    pub inbox: mpsc::Receiver<ToCall>,
    /// What it tells.
    pub events: mpsc::Sender<FromLine>,
}

/// Our half of the media: sockets until they are in use, and what we describe.
struct Side {
    ports: Option<Ports>,
    local: Local,
}

/// Media that runs.
struct Running {
    media: Media,
    agreed: Agreed,
    happened: mpsc::Receiver<Happened>,
}

impl Call {
    async fn tell(&self, event: LineEvent) {
        self.events.send(FromLine::Event(event)).await.ok();
    }

    async fn ended(&self, reason: EndReason) {
        info!(call = %self.id, ?reason, "call ended");
        self.tell(LineEvent::Ended(self.id, reason)).await;
    }

    fn login(&self) -> Option<Login<'_>> {
        self.account.as_ref().map(|it| it.login())
    }

    fn srtp(&self) -> Srtp {
        self.account.as_ref().map_or(self.agent.settings.direct_srtp, |it| it.settings.srtp)
    }

    /// Takes ports and keys for a call with whom we are `ours` to.
    fn side(&self, ours: IpAddr) -> Result<Side, EndReason> {
        let listen = self.agent.listen().ip();
        // One that is told to the outside only cannot be bound to.
        let any: IpAddr = if listen.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let bind = if listen.is_unspecified() { any } else { listen };
        let ports = Ports::open(bind, self.agent.settings.rtp_ports).map_err(|error| {
            warn!(call = %self.id, %error, "no ports for media");
            EndReason::Failed(500)
        })?;
        let [session, version] = random();
        let local = Local {
            address: SocketAddr::new(ours, ports.rtp_port()),
            rtcp_port: ports.rtcp_port(),
            codecs: codecs(&self.agent.settings.codecs),
            srtp: self.srtp(),
            crypto: Crypto::generate_all(),
            session: session.into(),
            version: u64::from(version >> 8),
            direction: Direction::SendReceive,
        };
        Ok(Side { ports: Some(ports), local })
    }

    /// Begins to send and receive; the engine gets its party first.
    async fn begin(&self, side: &mut Side, agreed: Agreed, signalling: SocketAddr) -> Result<Running, EndReason> {
        let failed = |error: std::io::Error| {
            warn!(call = %self.id, %error, "no media");
            EndReason::Failed(500)
        };
        let ports = side.ports.take().ok_or(EndReason::Failed(500))?;
        let (party, end) = party(new_party_id(), agreed.codec.1).map_err(failed)?;
        // Few things happen; keys that find the channel full are lost.
        let (tell, happened) = mpsc::channel(16);
        let media = Media::start(ports, agreed.clone(), end, signalling, tell).map_err(failed)?;
        debug!(call = %self.id, codec = ?agreed.codec.1, encrypted = agreed.crypto.is_some(), "media agreed");
        self.events.send(FromLine::Media(self.id, party)).await.ok();
        Ok(Running { media, agreed, happened })
    }

    /// Goes on as newly agreed; another codec needs another party.
    async fn change(&self, running: &mut Running, agreed: Agreed) {
        if agreed == running.agreed {
            return;
        }
        let mut end = None;
        if agreed.codec.1 != running.agreed.codec.1 {
            match party(new_party_id(), agreed.codec.1) {
                Ok((party, line)) => {
                    end = Some(line);
                    self.events.send(FromLine::Media(self.id, party)).await.ok();
                }
                Err(error) => return warn!(call = %self.id, %error, "no media"),
            }
        }
        debug!(call = %self.id, codec = ?agreed.codec.1, direction = ?agreed.direction, "media changed");
        running.agreed = agreed.clone();
        running.media.order(Order::Change(Box::new(agreed), end)).await;
    }

    /// Ends a dialog in the background; the call is over for us whatever the other end says to it.
    fn bye(&self, mut dialog: Dialog) {
        let (agent, account) = (self.agent.clone(), self.account.clone());
        let request = dialog.request(rsipstack::sip::Method::Bye, None);
        tokio::spawn(async move {
            let client = Client::send(&agent, request, dialog.target.clone()).await;
            client.conclude(account.as_ref().map(|it| it.login())).await;
        });
    }

    /// Waits until control wants the call to end; requests of the other end make no sense before there is a call. Cancel-safe.
    async fn hung_up(&mut self) {
        loop {
            match self.inbox.recv().await {
                None | Some(ToCall::Action(LineAction::HangUp(_))) => return,
                Some(ToCall::Action(_)) => (),
                Some(ToCall::Request(transaction)) => refuse(*transaction, StatusCode::CallTransactionDoesNotExist),
            }
        }
    }
}

impl Running {
    fn log(&self, call: CallId) {
        let stats = &self.media.stats;
        let jitter_ms = stats.jitter_us.load(Relaxed) as f32 / 1_000.0;
        let round_trip_ms = stats.round_trip_us.load(Relaxed) as f32 / 1_000.0;
        let (received, sent) = (stats.received.load(Relaxed), stats.sent.load(Relaxed));
        let (lost, refused, dropped) = (stats.lost.load(Relaxed), stats.refused.load(Relaxed), stats.dropped.load(Relaxed));
        info!(%call, received, sent, lost, refused, dropped, jitter_ms, round_trip_ms, "media of the call");
    }
}

/// Answers a request in the background.
pub fn refuse(mut transaction: Transaction, code: StatusCode) {
    tokio::spawn(async move { transaction.reply(code).await.ok() });
}

/// The description in a body, if there is one.
fn description(request: &Request) -> Option<Result<Sdp, super::sdp::SdpError>> {
    (!request.body.is_empty()).then(|| Sdp::parse(&request.body))
}

/// The codecs of hark.yaml that we have.
fn codecs(names: &[String]) -> Vec<CodecKind> {
    let known = names.iter().filter_map(|it| match it.as_str() {
        "opus" => Some(CodecKind::Opus),
        "pcma" => Some(CodecKind::Pcma),
        "pcmu" => Some(CodecKind::Pcmu),
        _ => None,
    });
    let mut codecs: Vec<CodecKind> = Vec::new();
    for kind in known {
        if !codecs.contains(&kind) {
            codecs.push(kind);
        }
    }
    codecs
}
