//! A call that we place: INVITE, ringing, early media, answered or not.

use control::dialplan::Uri;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, Request, Response, Uri as SipUri};

use super::super::agent::{Head, header};
use super::super::client::Answer;
use super::super::reach::Target;
use super::super::timer::SessionTimer;
use super::talk::Talk;
use super::*;

/// How often we follow a redirection (3xx).
const MOST_REDIRECTIONS: u32 = 3;

/// What was decided about the way of an INVITE.
struct Way {
    target: Target,
    from: String,
    contact: String,
    routes: Vec<String>,
    /// All of the call goes this way: the account's.
    fixed: bool,
}

/// Media before the call is answered.
#[derive(Default)]
struct Early {
    running: Option<Running>,
    alerted: bool,
}

impl Call {
    /// Places the call and lives through it.
    pub async fn dial(mut self, to: Uri) {
        let reason = match SipUri::try_from(to.as_str()) {
            Ok(uri) => self.place(uri).await,
            Err(_) => Err(EndReason::NotFound),
        };
        match reason {
            Ok(talk) => talk.run(self).await,
            Err(reason) => self.ended(reason).await,
        }
    }

    async fn place(&mut self, mut to: SipUri) -> Result<Talk, EndReason> {
        let mut way = self.way(&to).await?;
        let mut side = self.side(way.target.ours.ip())?;
        let offer = side.local.offer();
        let mut redirections = 0;
        let mut client = Client::send(&self.agent, self.invite(&to, &way, &offer, 1), way.target.clone()).await;
        info!(call = %self.id, "call placed");
        self.events.send(FromLine::Invited(self.id, client.sent_at)).await.ok();
        let mut early = Early::default();
        loop {
            let answer = tokio::select! {
                answer = client.next() => answer,
                () = self.hung_up() => {
                    self.take_back(client, way.fixed);
                    return Err(EndReason::WeHungUp);
                }
            };
            let Answer::Response(response) = answer else {
                self.take_back(client, way.fixed);
                return Err(EndReason::Unreachable);
            };
            match response.status_code.code() {
                ..=100 => (),
                101..=199 => self.progress(&mut early, &mut side, &offer, &response, &way).await?,
                200..=299 => {
                    let dialog = Dialog::of_client(&self.agent, &client.request, &response, &way.target, way.fixed).await;
                    let mut dialog = dialog.ok_or(EndReason::Failed(500))?;
                    dialog.used(client.cseq());
                    return self.answered(early, side, &offer, &response, dialog).await;
                }
                300..=399 if redirections < MOST_REDIRECTIONS => {
                    redirections += 1;
                    let elsewhere = response.typed_contact_headers().ok().and_then(|it| it.into_iter().next());
                    to = elsewhere.ok_or(EndReason::NotFound)?.uri;
                    if self.account.is_none() {
                        way = self.way(&to).await?;
                    }
                    let request = self.invite(&to, &way, &offer, client.cseq() + 1);
                    client = Client::send(&self.agent, request, way.target.clone()).await;
                }
                code => {
                    let login = self.account.as_ref().map(|it| it.login());
                    if !client.authorize(&response, login).await {
                        debug!(call = %self.id, code, "not accepted");
                        return Err(EndReason::from_sip(code));
                    }
                }
            }
        }
    }

    async fn way(&mut self, to: &SipUri) -> Result<Way, EndReason> {
        if let Some(account) = &self.account {
            let registered = account.registered().ok_or(EndReason::LineDown)?;
            let from = format!("<{}>;tag={}", account.address(), self.key.1);
            let (target, contact, routes) = (registered.target, registered.contact, registered.routes);
            return Ok(Way { target, from, contact, routes, fixed: true });
        }
        let agent = self.agent.clone();
        let target = tokio::select! {
            target = agent.reach(to) => target,
            () = self.hung_up() => return Err(EndReason::WeHungUp),
        };
        let target = target.map_err(|error| {
            info!(call = %self.id, "no way to the other end");
            debug!(call = %self.id, %error, "no way to the other end");
            EndReason::Unreachable
        })?;
        let contact = agent.contact("hark", &target);
        let from = format!("<sip:hark@{}>;tag={}", target.ours, self.key.1);
        Ok(Way { target, from, contact, routes: Vec::new(), fixed: false })
    }

    fn invite(&self, to: &SipUri, way: &Way, offer: &Sdp, cseq: u32) -> Request {
        let head = Head { from: way.from.clone(), to: format!("<{to}>"), call_id: self.key.0.clone(), cseq };
        let mut request = self.agent.request(Method::Invite, to.clone(), &way.target, &head);
        for route in &way.routes {
            request.headers.push(header("Route", route.clone()));
        }
        request.headers.push(header("Contact", way.contact.clone()));
        request.headers.push(header("Content-Type", "application/sdp".into()));
        request.body = offer.to_string().into_bytes();
        request
    }

    /// 180, 183 and their like.
    async fn progress(
        &self,
        early: &mut Early,
        side: &mut Side,
        offer: &Sdp,
        response: &Response,
        way: &Way,
    ) -> Result<(), EndReason> {
        // Several phones may ring and each send sound: the last one is heard, as the last answer counts.
        let agreed = Sdp::parse(&response.body).ok().and_then(|it| side.local.conclude(offer, &it).ok());
        match (agreed, &mut early.running) {
            (Some(agreed), Some(running)) => self.change(running, agreed).await,
            (Some(agreed), None) => {
                early.running = Some(self.begin(side, agreed, way.target.addr).await?);
                self.tell(LineEvent::EarlyMedia(self.id)).await;
            }
            (None, None) if response.status_code.code() == 180 && !early.alerted => {
                early.alerted = true;
                self.tell(LineEvent::Alerting(self.id)).await;
            }
            (None, _) => (),
        }
        Ok(())
    }

    async fn answered(
        &self,
        early: Early,
        mut side: Side,
        offer: &Sdp,
        response: &Response,
        dialog: Dialog,
    ) -> Result<Talk, EndReason> {
        let agreed = Sdp::parse(&response.body).ok().map(|it| side.local.conclude(offer, &it));
        let running = match (agreed, early.running) {
            (Some(Ok(agreed)), Some(mut running)) => {
                self.change(&mut running, agreed).await;
                Ok(running)
            }
            (Some(Ok(agreed)), None) => self.begin(&mut side, agreed, dialog.target.addr).await,
            // The answer came with the early media, in a reliable way or not.
            (None, Some(running)) => Ok(running),
            (Some(Err(why)), _) => {
                debug!(call = %self.id, %why, "no agreement");
                Err(EndReason::NoCommonMedia)
            }
            (None, None) => Err(EndReason::NoCommonMedia),
        };
        match running {
            Ok(running) => {
                info!(call = %self.id, "call answered");
                self.tell(LineEvent::Answered(self.id)).await;
                Ok(Talk::new(dialog, side, running, None, SessionTimer::ours(response)))
            }
            Err(reason) => {
                self.bye(dialog);
                Err(reason)
            }
        }
    }

    /// CANCEL, in the background; if it was answered in the same moment, BYE.
    fn take_back(&self, client: Client, fixed: bool) {
        let (agent, account) = (self.agent.clone(), self.account.clone());
        let (request, target) = (client.request.clone(), client.target.clone());
        tokio::spawn(async move {
            let Some(response) = client.take_back().await else { return };
            let Some(mut dialog) = Dialog::of_client(&agent, &request, &response, &target, fixed).await else { return };
            let bye = dialog.request(Method::Bye, None);
            let client = Client::send(&agent, bye, dialog.target.clone()).await;
            client.conclude(account.as_ref().map(|it| it.login())).await;
        });
    }
}
