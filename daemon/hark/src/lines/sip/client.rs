//! A request of ours and its responses: sent by a task of its own, with credentials when asked for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rsipstack::sip::headers::Header;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, Request, Response, SipMessage, StatusCodeKind};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::{sleep_until, timeout};
use tracing::debug;

use super::agent::{Agent, branch, header};
use super::digest::{Challenge, Login};
use super::reach::Target;

/// Without any response for so long nobody is there; SIP itself would wait for 32 s.
const NO_REPLY: Duration = Duration::from_secs(10);

/// How long an INVITE that nobody wants any more is followed up: as long as its transaction lives.
const FOLLOW_UP: Duration = Duration::from_secs(40);

/// Challenges answered for one request: one, and two more whose nonce was only too old.
const MOST_CHALLENGES: u32 = 3;

/// What came of a request.
#[derive(Debug)]
pub enum Answer {
    /// A response, provisional or final.
    Response(Box<Response>),
    /// Nobody is there.
    NoReply,
}

/// A request under way.
pub struct Client {
    agent: Arc<Agent>,
    /// As it went out last.
    pub request: Request,
    /// Where to.
    pub target: Target,
    /// When it went to the socket.
    pub sent_at: Instant,
    responses: mpsc::Receiver<Response>,
    unreachable: broadcast::Receiver<SocketAddr>,
    challenges: u32,
    provisional: bool,
}

impl Client {
    /// Sends a request.
    pub async fn send(agent: &Arc<Agent>, request: Request, target: Target) -> Client {
        let unreachable = agent.unreachable();
        let (responses, sent_at) = start(agent, request.clone(), &target).await;
        Client { agent: agent.clone(), request, target, sent_at, responses, unreachable, challenges: 0, provisional: false }
    }

    /// The next response; after a final one that is no 2xx to an INVITE there is none. Cancel-safe.
    pub async fn next(&mut self) -> Answer {
        let deadline = tokio::time::Instant::from_std(self.sent_at + NO_REPLY);
        loop {
            tokio::select! {
                response = self.responses.recv() => {
                    let Some(response) = response else { return Answer::NoReply };
                    if is_ours(&response) {
                        return Answer::NoReply;
                    }
                    self.provisional = true;
                    return Answer::Response(Box::new(response));
                }
                peer = self.unreachable.recv(), if !self.provisional => {
                    if peer.is_ok_and(|it| same(it, self.target.addr)) {
                        return Answer::NoReply;
                    }
                }
                () = sleep_until(deadline), if !self.provisional => return Answer::NoReply,
            }
        }
    }

    /// The final response to a request that is not INVITE; a challenge is answered on the way.
    pub async fn conclude(mut self, login: Option<Login<'_>>) -> Option<Response> {
        loop {
            match self.next().await {
                Answer::NoReply => return None,
                Answer::Response(response) if response.status_code.kind() == StatusCodeKind::Provisional => (),
                Answer::Response(response) => {
                    if !self.authorize(&response, login).await {
                        return Some(*response);
                    }
                }
            }
        }
    }

    /// Sends the request again with credentials, if the response is a challenge that they may satisfy.
    pub async fn authorize(&mut self, response: &Response, login: Option<Login<'_>>) -> bool {
        let code = response.status_code.code();
        let (Some(login), true) = (login, matches!(code, 401 | 407) && self.challenges < MOST_CHALLENGES) else { return false };
        let values = response.headers.iter().filter_map(|it| match it {
            Header::WwwAuthenticate(it) if code == 401 => Some(it.value().to_owned()),
            Header::ProxyAuthenticate(it) if code == 407 => Some(it.value().to_owned()),
            _ => None,
        });
        let Some(challenge) = Challenge::pick(values) else { return false };
        if self.challenges > 0 && !challenge.stale {
            return false;
        }
        self.challenges += 1;
        let request = &mut self.request;
        let uri = request.uri.to_string();
        let value = challenge.answer(login, &request.method.to_string(), &uri, &super::agent::tag());
        let cseq = request.cseq_header().ok().and_then(|it| it.seq().ok()).unwrap_or(0) + 1;
        request.headers.retain(|it| match it {
            Header::Authorization(_) => code != 401,
            Header::ProxyAuthorization(_) => code != 407,
            Header::ContentLength(_) => false,
            _ => true,
        });
        request.headers.push(header(if code == 401 { "Authorization" } else { "Proxy-Authorization" }, value));
        request.headers.unique_push(header("CSeq", format!("{cseq} {}", request.method)));
        renew_branch(request);
        let (responses, sent_at) = start(&self.agent, request.clone(), &self.target).await;
        (self.responses, self.sent_at) = (responses, sent_at);
        self.provisional = false;
        true
    }

    /// The number in `CSeq` that was used last.
    pub fn cseq(&self) -> u32 {
        self.request.cseq_header().ok().and_then(|it| it.seq().ok()).unwrap_or(1)
    }

    /// Takes an INVITE back: CANCEL as soon as the other end has shown that it has the INVITE (RFC 3261, section 9.1).
    /// Returns the 2xx if it was answered all the same: that call is to be ended with BYE.
    pub async fn take_back(mut self) -> Option<Response> {
        let agent = self.agent.clone();
        let mut cancelled = false;
        let last = timeout(FOLLOW_UP, async {
            loop {
                if self.provisional && !cancelled {
                    cancelled = true;
                    let (answers, _) = start(&agent, self.cancel(), &self.target).await;
                    drop(answers);
                }
                let response = self.responses.recv().await?;
                match response.status_code.kind() {
                    StatusCodeKind::Provisional => self.provisional = true,
                    _ => return Some(response),
                }
            }
        });
        let last = last.await.ok().flatten();
        debug!(code = last.as_ref().map(|it| it.status_code.code()), "INVITE taken back");
        last.filter(|it| it.status_code.kind() == StatusCodeKind::Successful)
    }

    fn cancel(&self) -> Request {
        let keep = |it: &Header| {
            matches!(
                it,
                Header::Via(_) | Header::From(_) | Header::To(_) | Header::CallId(_) | Header::Route(_) | Header::MaxForwards(_)
            )
        };
        let mut cancel = self.request.clone();
        cancel.headers.retain(keep);
        cancel.headers.push(header("CSeq", format!("{} CANCEL", self.cseq())));
        cancel.method = Method::Cancel;
        cancel.body.clear();
        cancel
    }
}

/// Starts the task of a transaction; tells when the request was sent.
async fn start(agent: &Agent, mut request: Request, target: &Target) -> (mpsc::Receiver<Response>, Instant) {
    // A call that does not take its responses makes only this transaction wait.
    let (responses, inbox) = mpsc::channel(16);
    let now = Instant::now();
    request.headers.retain(|it| !matches!(it, Header::ContentLength(_)));
    let Ok(key) = TransactionKey::from_request(&request, TransactionRole::Client) else { return (inbox, now) };
    let connection = target.connection.clone().filter(|it| it.cancel_token().is_none_or(|it| !it.is_cancelled()));
    let mut transaction = Transaction::new_client(key, request, agent.endpoint().clone(), connection);
    transaction.destination = Some(target.sip_addr());
    let (sent, sent_at) = oneshot::channel();
    tokio::spawn(async move {
        if transaction.send().await.is_err() {
            return;
        }
        sent.send(Instant::now()).ok();
        // To its end, even if nobody listens: repeated 2xx are acknowledged as long as they may come.
        while let Some(message) = transaction.receive().await {
            if let SipMessage::Response(response) = message {
                responses.send(response).await.ok();
            }
        }
    });
    (inbox, sent_at.await.unwrap_or(now))
}

/// Whether the stack made the response itself, because nobody answered (408) or a connection broke (503).
fn is_ours(response: &Response) -> bool {
    let local = matches!(response.status_code.code(), 408 | 503);
    local && response.headers.iter().any(|it| matches!(it, Header::UserAgent(it) if it.value() == super::agent::USER_AGENT))
}

/// The kernel tells IPv4 addresses on an IPv6 socket in their mapped form.
fn same(a: SocketAddr, b: SocketAddr) -> bool {
    (a.ip().to_canonical(), a.port()) == (b.ip().to_canonical(), b.port())
}

/// Puts a fresh branch into the topmost Via: another transaction.
pub fn renew_branch(request: &mut Request) {
    let Ok(via) = request.via_header() else { return };
    let kept = via.value().split(';').filter(|it| !it.trim_start().starts_with("branch="));
    let via = format!("{};branch={}", kept.collect::<Vec<_>>().join(";"), branch());
    request.headers.unique_push(header("Via", via));
}
