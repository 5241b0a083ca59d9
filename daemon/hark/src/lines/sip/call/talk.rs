//! A call that is up: talk, hold, touch tones, changes by either side, and its end.

use std::time::{Duration, Instant};

use rsipstack::sip::{Method, Response, StatusCodeKind};
use tokio::time::sleep_until;

use super::super::agent::header;
use super::super::client::Answer;
use super::super::sdp::Coding;
use super::super::server::{Event, Invite};
use super::super::timer::SessionTimer;
use super::*;

/// A call that is up.
pub struct Talk {
    dialog: Dialog,
    side: Side,
    running: Running,
    /// Their INVITE whose ACK is due, and our offer if the answer comes with it.
    theirs: Option<(Invite, Option<Sdp>)>,
    /// Our re-INVITE under way.
    ours: Option<(Client, Sdp)>,
    /// When to try again after both sides asked at once (RFC 3261, section 14.1).
    retry: Option<Instant>,
    timer: Option<SessionTimer>,
    /// Whether they have put us on hold.
    held_by_them: bool,
}

/// Whether the call goes on.
type Next = Result<(), EndReason>;

impl Talk {
    /// A call that was just answered; `theirs` is the INVITE whose ACK is due.
    pub fn new(dialog: Dialog, side: Side, running: Running, theirs: Option<Invite>, timer: Option<SessionTimer>) -> Talk {
        let theirs = theirs.map(|it| (it, None));
        Talk { dialog, side, running, theirs, ours: None, retry: None, timer, held_by_them: false }
    }

    /// Lives through the call.
    pub async fn run(mut self, mut call: Call) {
        let reason = loop {
            let due = [self.timer.map(|it| it.due), self.retry].into_iter().flatten().min();
            let next = tokio::select! {
                told = call.inbox.recv() => match told {
                    Some(ToCall::Action(action)) => self.act(&call, action).await,
                    Some(ToCall::Request(transaction)) => self.request(&call, *transaction).await,
                    None => Err(EndReason::WeHungUp),
                },
                Some(happened) = self.running.happened.recv() => self.media(&call, happened).await,
                event = theirs(&mut self.theirs) => self.confirmed(&call, event).await,
                answer = ours(&mut self.ours) => self.changed(&call, answer).await,
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => self.refresh(&call).await,
            };
            if let Err(reason) = next {
                break reason;
            }
        };
        if reason != EndReason::TheyHungUp {
            call.bye(self.dialog);
        }
        self.running.log(call.id);
        call.ended(reason).await;
    }

    async fn act(&mut self, call: &Call, action: LineAction) -> Next {
        match action {
            LineAction::HangUp(_) => return Err(EndReason::WeHungUp),
            LineAction::Hold(_) => self.turn(call, Direction::SendOnly).await,
            LineAction::Resume(_) => self.turn(call, Direction::SendReceive).await,
            LineAction::Dtmf(_, keys) if self.running.agreed.touch_tones.is_some() => {
                self.running.media.order(Order::Press(keys)).await;
            }
            LineAction::Dtmf(_, keys) => self.send_info(call, &keys),
            // Only rooms are asked for things.
            LineAction::Ask(..) => (),
            LineAction::Dial { .. } | LineAction::Alert(_) | LineAction::Accept(_) | LineAction::Reject(..) => (),
        }
        Ok(())
    }

    /// Hold and resume.
    async fn turn(&mut self, call: &Call, direction: Direction) {
        if self.side.local.direction == direction {
            return;
        }
        self.side.local.direction = direction;
        self.side.local.version += 1;
        self.offer(call).await;
    }

    /// Sends our description as a re-INVITE; while another change is under way, later.
    async fn offer(&mut self, call: &Call) {
        self.retry = None;
        if self.ours.is_some() || self.theirs.is_some() {
            self.retry = Some(Instant::now() + Duration::from_millis(500));
            return;
        }
        let offer = self.description();
        let request = self.dialog.request(Method::Invite, Some(offer.to_string()));
        let client = Client::send(&call.agent, request, self.dialog.target.clone()).await;
        self.ours = Some((client, offer));
    }

    /// Our description now: the codec in use first, so that nothing changes by accident.
    fn description(&self) -> Sdp {
        let mut local = self.side.local.clone();
        let (current, encrypted) = (self.running.agreed.codec.1, &self.running.agreed.crypto);
        local.codecs.sort_by_key(|it| *it != current);
        match encrypted {
            Some((ours, _)) => {
                local.crypto = vec![ours.clone()];
                local.srtp = Srtp::Require;
            }
            None => local.srtp = Srtp::Accept,
        }
        local.offer()
    }

    /// A response to our re-INVITE.
    async fn changed(&mut self, call: &Call, answer: Answer) -> Next {
        let Some((mut client, offer)) = self.ours.take() else { return Ok(()) };
        let Answer::Response(response) = answer else {
            debug!(call = %call.id, "no reply to a change");
            return Err(EndReason::MediaLost);
        };
        match response.status_code.code() {
            ..=199 => self.ours = Some((client, offer)),
            200..=299 => {
                self.dialog.used(client.cseq());
                self.dialog.refresh(&*response).await;
                self.timer = SessionTimer::ours(&response).or(self.timer.map(SessionTimer::again));
                let agreed = Sdp::parse(&response.body).ok().and_then(|it| self.side.local.conclude(&offer, &it).ok());
                if let Some(agreed) = agreed {
                    self.agree(call, agreed).await;
                }
            }
            401 | 407 if client.authorize(&response, call.login()).await => self.ours = Some((client, offer)),
            408 | 481 => return Err(EndReason::TheyHungUp),
            491 => {
                // The one who named the call waits longer (RFC 3261, section 14.1).
                let [dice] = random::<1>();
                self.retry = Some(Instant::now() + Duration::from_millis(2_100 + u64::from(dice % 1_900)));
            }
            code => warn!(call = %call.id, code, "the other end does not change the call"),
        }
        Ok(())
    }

    async fn agree(&mut self, call: &Call, agreed: Agreed) {
        call.change(&mut self.running, agreed).await;
    }

    /// Something is due: a refresh, or another try.
    async fn refresh(&mut self, call: &Call) -> Next {
        self.timer = self.timer.map(|it| if it.due <= Instant::now() { it.again() } else { it });
        self.offer(call).await;
        Ok(())
    }

    /// What became of their INVITE.
    async fn confirmed(&mut self, call: &Call, event: Option<Event>) -> Next {
        let Some((invite, offer)) = self.theirs.take() else { return Ok(()) };
        match (event, offer) {
            (Some(Event::Confirmed(body)), Some(offer)) => {
                let agreed = Sdp::parse(&body).ok().and_then(|it| self.side.local.conclude(&offer, &it).ok());
                if let Some(agreed) = agreed {
                    self.agree(call, agreed).await;
                }
                Ok(())
            }
            (Some(Event::Confirmed(_)), None) => Ok(()),
            // Too late: it was answered.
            (Some(Event::Cancelled(_)), offer) => {
                self.theirs = Some((invite, offer));
                Ok(())
            }
            // Nobody has seen our 200 (RFC 3261, section 13.3.1.4).
            (None, _) => Err(EndReason::Unreachable),
        }
    }

    async fn media(&mut self, call: &Call, happened: Happened) -> Next {
        match happened {
            Happened::Key(key) => call.tell(LineEvent::Dtmf(call.id, key)).await,
            Happened::Lost => return Err(EndReason::MediaLost),
            Happened::OtherCodec(kind) => {
                let format = self.running.agreed.incoming.iter().find(|it| it.coding == Coding::Voice(kind));
                if let Some(format) = format.filter(|_| self.side.local.codecs.contains(&kind)) {
                    let agreed = Agreed { codec: (format.payload, kind), ..self.running.agreed.clone() };
                    self.agree(call, agreed).await;
                }
            }
        }
        Ok(())
    }

    /// Touch tones for those who understand no RFC 4733.
    fn send_info(&mut self, call: &Call, keys: &str) {
        for key in keys.chars().filter(|it| it.is_ascii_digit() || "*#ABCD".contains(*it)) {
            let mut request = self.dialog.request(Method::Info, None);
            request.headers.push(header("Content-Type", "application/dtmf-relay".into()));
            request.body = format!("Signal={key}\r\nDuration=160\r\n").into_bytes();
            let (agent, target, account) = (call.agent.clone(), self.dialog.target.clone(), call.account.clone());
            tokio::spawn(async move {
                let client = Client::send(&agent, request, target).await;
                client.conclude(account.as_ref().map(|it| it.login())).await;
            });
        }
    }

    /// A request of theirs.
    async fn request(&mut self, call: &Call, mut transaction: Transaction) -> Next {
        let request = transaction.original.clone();
        if !self.dialog.is_in_order(&request) {
            refuse(transaction, StatusCode::ServerInternalError);
            return Ok(());
        }
        match request.method {
            Method::Bye => {
                refuse(transaction, StatusCode::OK);
                return Err(EndReason::TheyHungUp);
            }
            Method::Invite => self.reinvited(call, transaction).await,
            Method::Update => {
                self.dialog.refresh(&request).await;
                let response = match description(&request) {
                    Some(_) if self.ours.is_some() => call.agent.response(&request, 491, vec![], None),
                    Some(offer) => self.answer(call, &request, offer.ok()).await,
                    None => call.agent.response(&request, 200, self.extra(&request), None),
                };
                tokio::spawn(async move { transaction.respond(response).await.ok() });
            }
            Method::Info => {
                if let Some(key) = signal(&request.body) {
                    call.tell(LineEvent::Dtmf(call.id, key)).await;
                }
                refuse(transaction, StatusCode::OK);
            }
            Method::Options => {
                let response = call.agent.response(&request, 200, vec![], None);
                tokio::spawn(async move { transaction.respond(response).await.ok() });
            }
            _ => {
                let response = call.agent.response(&request, 405, vec![], None);
                tokio::spawn(async move { transaction.respond(response).await.ok() });
            }
        }
        Ok(())
    }

    async fn reinvited(&mut self, call: &Call, transaction: Transaction) {
        let invite = Invite::accept(transaction);
        let request = invite.request.clone();
        if self.ours.is_some() {
            return invite.respond(call.agent.response(&request, 491, vec![], None));
        }
        if self.theirs.is_some() {
            // RFC 3261, section 14.2.
            let later = vec![header("Retry-After", "1".into())];
            return invite.respond(call.agent.response(&request, 500, later, None));
        }
        self.dialog.refresh(&request).await;
        match description(&request) {
            Some(offer) => {
                let response = self.answer(call, &request, offer.ok()).await;
                let accepted = response.status_code.kind() == StatusCodeKind::Successful;
                invite.respond(response);
                if accepted {
                    self.theirs = Some((invite, None));
                }
            }
            None => {
                let offer = self.description();
                let response = call.agent.response(&request, 200, self.extra(&request), Some(offer.to_string()));
                invite.respond(response);
                self.theirs = Some((invite, Some(offer)));
            }
        }
    }

    /// Answers an offer made during the call: hold, resume, another codec or address. What we cannot do changes nothing.
    async fn answer(&mut self, call: &Call, request: &Request, offer: Option<Sdp>) -> Response {
        let mut local = self.side.local.clone();
        local.version += 1;
        if let Some((ours, _)) = &self.running.agreed.crypto {
            local.crypto.sort_by_key(|it| it.suite != ours.suite);
        }
        let agreement = offer.as_ref().and_then(|it| local.answer(it).ok());
        let (Some(offer), Some((answer, agreed))) = (offer, agreement) else {
            return call.agent.response(request, 488, vec![], None);
        };
        self.side.local.version = local.version;
        self.timer = SessionTimer::theirs(request).or(self.timer);
        self.agree(call, agreed).await;
        let held = offer.audio().is_some_and(|(_, it)| !it.direction.receives() || it.address.is_none());
        if held != self.held_by_them {
            self.held_by_them = held;
            let event = if held { LineEvent::HeldByThem(call.id) } else { LineEvent::ResumedByThem(call.id) };
            call.tell(event).await;
        }
        call.agent.response(request, 200, self.extra(request), Some(answer.to_string()))
    }

    fn extra(&self, request: &Request) -> Vec<rsipstack::sip::Header> {
        let mut extra = vec![header("Contact", self.dialog.contact.clone())];
        extra.extend(SessionTimer::headers(request));
        extra
    }
}

async fn theirs(invite: &mut Option<(Invite, Option<Sdp>)>) -> Option<Event> {
    match invite {
        Some((invite, _)) => invite.next().await,
        None => std::future::pending().await,
    }
}

async fn ours(client: &mut Option<(Client, Sdp)>) -> Answer {
    match client {
        Some((client, _)) => client.next().await,
        None => std::future::pending().await,
    }
}

/// The key in a body of `application/dtmf-relay` or `application/dtmf`.
fn signal(body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let named = text.lines().find_map(|it| it.trim().strip_prefix("Signal=")).unwrap_or(text);
    let key = named.trim().chars().next()?;
    (key.is_ascii_digit() || "*#ABCD".contains(key)).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::signal;

    #[test]
    fn keys_in_info_bodies_are_read() {
        assert_eq!(signal(b"Signal=5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(signal(b"Signal= # \r\n"), Some('#'));
        assert_eq!(signal(b"7"), Some('7'));
        assert_eq!(signal(b"x"), None);
        assert_eq!(signal(b"\xff"), None);
        assert_eq!(signal(b""), None);
    }
}
