//! A call that we receive: ringing, answered, turned away or given up.

use control::dialplan::Uri;
use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};

use super::super::agent::header;
use super::super::reach::Target;
use super::super::server::{Event, Invite};
use super::super::timer::SessionTimer;
use super::talk::Talk;
use super::*;

/// Who it is that calls and did not say.
const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

/// A longer name is cut: it is spoken and shown.
const LONGEST_NAME: usize = 60;

/// An INVITE that rings.
struct Ringing {
    invite: Invite,
    source: Target,
    side: Side,
    offer: Option<Sdp>,
    contact: String,
}

impl Call {
    /// Rings and lives through the call. `source` is where the INVITE came from.
    pub async fn ring(mut self, invite: Invite, source: Target, contact: String) {
        let ringing = match self.admit(invite, source, contact) {
            Ok(ringing) => ringing,
            // Control was never told of it.
            Err(code) => return debug!(call = %self.id, code, "call turned away"),
        };
        info!(call = %self.id, "called");
        let (from, display) = caller(&ringing.invite.request);
        let line = self.account.as_ref().map_or("direct".to_owned(), |it| it.settings.name.clone());
        self.tell(LineEvent::Incoming { call: self.id, line, from, display, how: control::call::How::Ring }).await;
        match self.wait(ringing).await {
            Ok(talk) => talk.run(self).await,
            Err(reason) => self.ended(reason).await,
        }
    }

    /// Turns away what could not be answered anyway.
    fn admit(&self, invite: Invite, source: Target, contact: String) -> Result<Ringing, u16> {
        let refuse = |code: u16| {
            invite.respond(self.agent.response(&invite.request, code, vec![], None));
            code
        };
        let side = self.side(source.ours.ip()).map_err(|_| refuse(500))?;
        let offer = match description(&invite.request) {
            None => None,
            Some(Err(error)) => {
                debug!(call = %self.id, %error, "offer refused");
                let is_sdp = invite.request.headers.iter().any(|it| it.value().starts_with("application/sdp"));
                return Err(refuse(if is_sdp { 400 } else { 415 }));
            }
            Some(Ok(offer)) => {
                if let Err(why) = side.local.answer(&offer) {
                    debug!(call = %self.id, %why, "offer refused");
                    return Err(refuse(488));
                }
                Some(offer)
            }
        };
        Ok(Ringing { invite, source, side, offer, contact })
    }

    async fn wait(&mut self, mut ringing: Ringing) -> Result<Talk, EndReason> {
        loop {
            tokio::select! {
                told = self.inbox.recv() => match told {
                    Some(ToCall::Action(LineAction::Alert(_))) => ringing.respond(self, 180, None),
                    Some(ToCall::Action(LineAction::Accept(_))) => return self.accept(ringing).await,
                    Some(ToCall::Action(LineAction::Reject(_, reason))) => {
                        ringing.respond(self, reason.sip_code(), None);
                        return Err(reason);
                    }
                    None | Some(ToCall::Action(LineAction::HangUp(_))) => {
                        ringing.respond(self, 603, None);
                        return Err(EndReason::WeHungUp);
                    }
                    Some(ToCall::Action(_)) => (),
                    Some(ToCall::Request(transaction)) => refuse(*transaction, StatusCode::CallTransactionDoesNotExist),
                },
                event = ringing.invite.next() => match event {
                    Some(Event::Cancelled(reason)) => {
                        ringing.respond(self, 487, None);
                        return Err(reason);
                    }
                    Some(Event::Confirmed(_)) => (),
                    None => return Err(EndReason::Cancelled),
                },
            }
        }
    }

    async fn accept(&mut self, mut ringing: Ringing) -> Result<Talk, EndReason> {
        let fixed = self.account.is_some();
        let dialog =
            Dialog::of_server(&self.agent, &ringing.invite.request, ringing.contact.clone(), &ringing.source, fixed).await;
        let Some(dialog) = dialog else {
            ringing.respond(self, 400, None);
            return Err(EndReason::Failed(400));
        };
        let source = ringing.source.addr;
        let Some(offer) = ringing.offer.take() else { return self.offer(ringing, dialog).await };
        let agreement = ringing.side.local.answer(&offer).map_err(|_| EndReason::NoCommonMedia);
        let begun = match agreement {
            Ok((answer, agreed)) => self.begin(&mut ringing.side, agreed, source).await.map(|it| (answer, it)),
            Err(reason) => Err(reason),
        };
        let (answer, running) = begun.inspect_err(|reason| ringing.respond(self, reason.sip_code(), None))?;
        ringing.respond(self, 200, Some(&answer));
        info!(call = %self.id, "call answered");
        self.tell(LineEvent::Answered(self.id)).await;
        let timer = SessionTimer::theirs(&ringing.invite.request);
        Ok(Talk::new(dialog, ringing.side, running, Some(ringing.invite), timer))
    }

    /// The caller left the offer to us: it goes with the 200, and the answer comes with the ACK (RFC 3264, section 4).
    async fn offer(&mut self, mut ringing: Ringing, dialog: Dialog) -> Result<Talk, EndReason> {
        let offer = ringing.side.local.offer();
        ringing.respond(self, 200, Some(&offer));
        let confirmed = tokio::select! {
            event = ringing.invite.next() => event,
            () = self.hung_up() => None,
        };
        let agreed = match confirmed {
            Some(Event::Confirmed(body)) => Sdp::parse(&body).ok().and_then(|it| ringing.side.local.conclude(&offer, &it).ok()),
            _ => None,
        };
        let Some(agreed) = agreed else {
            self.bye(dialog);
            return Err(EndReason::NoCommonMedia);
        };
        let running = self.begin(&mut ringing.side, agreed, ringing.source.addr).await?;
        info!(call = %self.id, "call answered");
        self.tell(LineEvent::Answered(self.id)).await;
        let timer = SessionTimer::theirs(&ringing.invite.request);
        Ok(Talk::new(dialog, ringing.side, running, None, timer))
    }
}

impl Ringing {
    fn respond(&self, call: &Call, code: u16, body: Option<&Sdp>) {
        let mut extra = Vec::new();
        if code < 300 {
            extra.push(header("Contact", self.contact.clone()));
        }
        if code == 200 {
            extra.extend(SessionTimer::headers(&self.invite.request));
        }
        self.invite.respond(call.agent.response(&self.invite.request, code, extra, body.map(Sdp::to_string)));
    }
}

/// Who calls: the address without parameters, and the name as far as it can be shown.
fn caller(request: &rsipstack::sip::Request) -> (Uri, String) {
    let from = request.from_header().ok().and_then(|it| it.typed().ok());
    let address = from.as_ref().map(|it| {
        let mut uri = it.uri.clone();
        uri.params.clear();
        uri.headers.clear();
        uri.to_string()
    });
    let uri = address.and_then(|it| Uri::parse(&it).ok());
    let uri = uri.unwrap_or_else(|| Uri::parse(ANONYMOUS).expect("a constant"));
    let display = from.and_then(|it| it.display_name).unwrap_or_default();
    let display = display.chars().filter(|it| !it.is_control()).take(LONGEST_NAME).collect::<String>();
    (uri, display.trim().trim_matches('"').to_owned())
}
