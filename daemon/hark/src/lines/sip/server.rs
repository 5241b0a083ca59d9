//! An INVITE of theirs: kept alive by a task of its own, answered over a channel.

use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, Request, Response, SipMessage};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent, TransactionEventSender};
use tokio::sync::mpsc;

use super::agent::{header, tag};
use super::reason;
use control::call::EndReason;

/// What happens to an INVITE after it came.
#[derive(Debug)]
pub enum Event {
    /// The caller took it back, and why.
    Cancelled(EndReason),
    /// The caller has our 2xx; the body is the answer if we made the offer.
    Confirmed(Vec<u8>),
}

/// An INVITE under way.
pub struct Invite {
    /// With our tag in `To`.
    pub request: Request,
    respond: TransactionEventSender,
    events: mpsc::Receiver<Event>,
}

impl Invite {
    /// Keeps the transaction alive from here on; a new call's `To` gets our tag.
    pub fn accept(mut transaction: Transaction) -> Invite {
        if let Ok(to) = transaction.original.to_header()
            && !to.value().contains(";tag=")
        {
            let to = format!("{};tag={}", bracketed(to.value()), tag());
            transaction.original.headers.unique_push(header("To", to));
        }
        let request = transaction.original.clone();
        let respond = transaction.tu_sender.clone();
        // At most a CANCEL and an ACK.
        let (sender, events) = mpsc::channel(4);
        tokio::spawn(async move {
            transaction.send_trying().await.ok();
            while let Some(message) = transaction.receive().await {
                let SipMessage::Request(request) = message else { continue };
                let event = match request.method {
                    Method::Cancel => Event::Cancelled(reason::of_cancel(reasons(&request))),
                    Method::Ack => Event::Confirmed(request.body),
                    _ => continue,
                };
                sender.send(event).await.ok();
            }
        });
        Invite { request, respond, events }
    }

    /// Sends a response.
    pub fn respond(&self, response: Response) {
        self.respond.send(TransactionEvent::Respond(response)).ok();
    }

    /// What happens next; nothing once the transaction is over. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

/// The `Reason` headers of a request.
pub fn reasons(request: &Request) -> impl Iterator<Item = String> + '_ {
    use rsipstack::sip::Header;
    request.headers.iter().filter_map(|it| match it {
        Header::Reason(it) => Some(it.value().to_owned()),
        _ => None,
    })
}

/// `sip:a@b` as `<sip:a@b>`: a parameter put after it must not become one of the address.
fn bracketed(value: &str) -> String {
    if value.contains('<') { value.to_owned() } else { format!("<{}>", value.trim()) }
}
