//! An account: registers, stays registered, and says in plain words when it cannot.

use std::sync::Arc;
use std::time::Duration;

use control::input::LineEvent;
use rsipstack::sip::headers::Header;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{HostWithPort, Method, Response, Uri};
use rsipstack::transport::SipConnection;
use rsipstack::transport::stream::StreamConnection;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::super::FromLine;
use super::agent::{Agent, Head, call_id, header, tag};
use super::client::Client;
use super::digest::Login;
use super::media::random;
use super::reach::{NoWay, Target};
use crate::config::{SipAccount, Transport};

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// NATs close doors that are not used; UDP ones after 30 s.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// An account, shared by its registration and its calls.
pub struct Account {
    /// What hark.yaml says.
    pub settings: SipAccount,
    registered: watch::Sender<Option<Registered>>,
}

/// What a registration gives.
#[derive(Clone)]
pub struct Registered {
    /// The registrar, which all calls of the account go through.
    pub target: Target,
    /// Our `Contact`.
    pub contact: String,
    /// Values of `Service-Route` (RFC 3608).
    pub routes: Vec<String>,
}

impl Account {
    /// An account that is not registered yet.
    pub fn new(settings: SipAccount) -> Account {
        Account { settings, registered: watch::Sender::new(None) }
    }

    /// The registration, if it stands.
    pub fn registered(&self) -> Option<Registered> {
        self.registered.borrow().clone()
    }

    /// Our address, `sip:user@domain`.
    pub fn address(&self) -> String {
        let scheme = if self.settings.transport == Transport::Tls { "sips" } else { "sip" };
        format!("{scheme}:{}@{}", self.settings.user, self.domain())
    }

    /// The name and the password to authenticate with.
    pub fn login(&self) -> Login<'_> {
        let user = self.settings.auth_user.as_deref().unwrap_or(&self.settings.user);
        Login { user, password: &self.settings.password.0 }
    }

    fn host(&self) -> Result<HostWithPort, NoWay> {
        HostWithPort::try_from(self.settings.registrar.as_str()).map_err(|_| NoWay::BadAddress)
    }

    fn domain(&self) -> String {
        self.host().map_or_else(|_| self.settings.registrar.clone(), |it| HostWithPort { port: None, ..it }.to_string())
    }
}

/// Why a try failed: in plain words, and how soon another one makes sense.
struct Failure {
    why: String,
    at_least: Duration,
}

impl From<NoWay> for Failure {
    fn from(error: NoWay) -> Failure {
        Failure { why: error.to_string(), at_least: Duration::ZERO }
    }
}

/// The task that keeps one account registered.
pub struct Registration {
    agent: Arc<Agent>,
    account: Arc<Account>,
    events: mpsc::Sender<FromLine>,
    stop: watch::Receiver<bool>,
    head: Head,
    told: Option<Result<(), String>>,
}

impl Registration {
    /// Prepares it; nothing is sent before `run`. It ends when `stop` turns true.
    pub fn new(
        agent: Arc<Agent>,
        account: Arc<Account>,
        events: mpsc::Sender<FromLine>,
        stop: watch::Receiver<bool>,
    ) -> Registration {
        let address = account.address();
        let head = Head { from: format!("<{address}>;tag={}", tag()), to: format!("<{address}>"), call_id: call_id(), cseq: 0 };
        Registration { agent, account, events, stop, head, told: None }
    }

    /// Registers again and again, with growing pauses while that fails; unregisters at the end.
    pub async fn run(mut self) {
        let mut pause = Duration::from_secs(1);
        loop {
            let result = tokio::select! {
                result = register(&self.agent, &self.account, &mut self.head, None) => result,
                _ = self.stop.wait_for(|it| *it) => break,
            };
            let wait = match result {
                Ok((registered, granted)) => {
                    pause = Duration::from_secs(1);
                    self.account.registered.send_replace(Some(registered));
                    self.tell(Ok(())).await;
                    refresh_after(granted)
                }
                Err(failure) => {
                    self.account.registered.send_replace(None);
                    let wait = jittered(pause.max(failure.at_least));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    self.tell(Err(failure.why)).await;
                    wait
                }
            };
            if self.rest(wait).await {
                break;
            }
        }
        if let Some(registered) = self.account.registered() {
            timeout(GOODBYE, register(&self.agent, &self.account, &mut self.head, Some(registered))).await.ok();
        }
    }

    /// Waits, keeping the way open; true if it is time to stop.
    async fn rest(&mut self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        while Instant::now() < until {
            tokio::select! {
                _ = self.stop.wait_for(|it| *it) => return true,
                () = sleep_until(until.min(Instant::now() + KEEP_ALIVE)) => (),
            }
            let Some(Registered { target, .. }) = self.account.registered() else { continue };
            let alive = match &target.connection {
                None => {
                    self.agent.keep_alive(target.addr);
                    true
                }
                Some(SipConnection::Tcp(it)) => it.send_raw(b"\r\n\r\n").await.is_ok(),
                Some(SipConnection::Tls(it)) => it.send_raw(b"\r\n\r\n").await.is_ok(),
                Some(_) => true,
            };
            if !alive || target.connection.is_some_and(|it| it.cancel_token().is_some_and(|it| it.is_cancelled())) {
                // The connection is gone, and with it the way to us: register anew at once.
                return false;
            }
        }
        false
    }

    async fn tell(&mut self, up: Result<(), String>) {
        if self.told.as_ref() == Some(&up) {
            return;
        }
        let line = self.account.settings.name.clone();
        match &up {
            Ok(()) => info!(%line, "line is up"),
            Err(why) => warn!(%line, %why, "line is down"),
        }
        self.told = Some(up.clone());
        let event = match up {
            Ok(()) => LineEvent::Up(line),
            Err(why) => LineEvent::Down(line, why),
        };
        self.events.send(FromLine::Event(event)).await.ok();
    }
}

/// Registers, or takes a registration back; returns how long it holds.
async fn register(
    agent: &Arc<Agent>,
    account: &Account,
    head: &mut Head,
    undo: Option<Registered>,
) -> Result<(Registered, Duration), Failure> {
    let settings = &account.settings;
    let host = account.host()?;
    let expires = if undo.is_some() { Duration::ZERO } else { settings.expires };
    let target = match undo {
        Some(it) => it.target,
        None => agent.reach_by(&host, settings.transport).await?,
    };
    let contact = agent.contact(&settings.user, &target);
    let uri = Uri::try_from(format!("{}:{}", account.address().split(':').next().unwrap_or("sip"), account.domain()).as_str());
    let uri = uri.map_err(|_| NoWay::BadAddress)?;
    let mut expires = expires.as_secs();
    loop {
        head.cseq += 1;
        let mut request = agent.request(Method::Register, uri.clone(), &target, head);
        request.headers.push(header("Contact", format!("{contact};expires={expires}")));
        request.headers.push(header("Expires", expires.to_string()));
        let cseq = head.cseq;
        let client = Client::send(agent, request, target.clone()).await;
        let response = client.conclude(Some(account.login())).await;
        // Challenges have used numbers too.
        head.cseq = cseq + 4;
        let response = response
            .ok_or_else(|| Failure { why: format!("no reply from `{}`", settings.registrar), at_least: Duration::ZERO })?;
        match response.status_code.code() {
            200..=299 => {
                let granted = granted(&response, &contact).unwrap_or(expires);
                let routes = response.headers.iter().filter_map(|it| match it {
                    Header::ServiceRoute(it) => Some(it.value().to_owned()),
                    _ => None,
                });
                let registered = Registered { target, contact, routes: routes.collect() };
                return Ok((registered, Duration::from_secs(granted)));
            }
            // The registrar wants longer registrations (RFC 3261, section 10.2.8).
            423 if expires > 0 => match min_expires(&response) {
                Some(least) if least > expires && least <= 86_400 => expires = least,
                _ => return Err(refused(settings, &response)),
            },
            _ => return Err(refused(settings, &response)),
        }
    }
}

fn refused(settings: &SipAccount, response: &Response) -> Failure {
    let code = response.status_code.code();
    let why = match code {
        401 | 403 | 407 => format!("`{}` refuses the user name or the password ({code})", settings.registrar),
        404 => format!("`{}` does not know the user (404)", settings.registrar),
        408 | 480 | 500..=599 => format!("`{}` is out of order ({code})", settings.registrar),
        _ => format!("`{}` refuses to register us ({code})", settings.registrar),
    };
    // A wrong password does not become right, and many tries lock accounts.
    let at_least = if matches!(code, 401 | 403 | 404 | 407) { LONGEST_PAUSE } else { Duration::ZERO };
    let asked = response.headers.iter().find_map(|it| match it {
        Header::RetryAfter(it) => it.value().split([';', '(', ' ']).next()?.trim().parse().ok(),
        _ => None,
    });
    Failure { why, at_least: at_least.max(Duration::from_secs(asked.unwrap_or(0).min(3_600))) }
}

/// How long the registrar keeps our Contact: its `expires` beside ours, else the `Expires` header.
fn granted(response: &Response, contact: &str) -> Option<u64> {
    let ours = contact.trim_matches(['<', '>']);
    let beside = response.contact_headers().into_iter().flat_map(|it| it.value().split(',')).find(|it| it.contains(ours));
    let beside = beside.and_then(|it| it.split("expires=").nth(1)?.split(';').next()?.trim().parse().ok());
    beside.or_else(|| response.expires_header()?.value().trim().parse().ok())
}

fn min_expires(response: &Response) -> Option<u64> {
    response.min_expires_header()?.value().trim().parse().ok()
}

/// Well before it ends: a lost datagram or a busy registrar must not cost a call.
fn refresh_after(granted: Duration) -> Duration {
    (granted * 4 / 5).max(Duration::from_secs(10))
}

/// A pause that differs from that of the others who lost the registrar in the same moment.
fn jittered(pause: Duration) -> Duration {
    let [dice] = random::<1>();
    pause.mul_f64(0.75 + 0.5 * f64::from(dice) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(headers: &str) -> Response {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        Response::try_from(text.as_str()).unwrap()
    }

    #[test]
    fn the_time_granted_is_that_of_our_contact() {
        let contact = "<sip:mum@192.0.2.1:5060>";
        for (headers, expected) in [
            ("Contact: <sip:mum@192.0.2.1:5060>;expires=120\r\n", Some(120)),
            ("Contact: <sip:mum@192.0.2.9:5060>;expires=9, <sip:mum@192.0.2.1:5060>;q=1;expires=60\r\n", Some(60)),
            ("Contact: <sip:mum@192.0.2.1:5060>\r\nExpires: 300\r\n", Some(300)),
            ("Expires: x\r\n", None),
            ("", None),
        ] {
            assert_eq!(granted(&response(headers), contact), expected, "{headers}");
        }
    }

    #[test]
    fn pauses_differ_but_stay_near() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(4));
            assert!((3.0..=5.0).contains(&pause.as_secs_f64()), "{pause:?}");
        }
    }
}
