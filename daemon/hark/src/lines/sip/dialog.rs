//! A dialog (RFC 3261, section 12): what all requests of one call have in common after it was answered.

use std::sync::Arc;

use rsipstack::sip::headers::Header;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::typed;
use rsipstack::sip::{Method, Request, Response, Uri};

use super::address::is_private;
use super::agent::{Agent, Head, header};
use super::reach::{Target, ip_of, transport_of};

/// One call's dialog.
pub struct Dialog {
    agent: Arc<Agent>,
    head: Head,
    remote_target: Uri,
    /// Values of `Route`, in order.
    routes: Vec<String>,
    remote_cseq: Option<u32>,
    /// Our `Contact`.
    pub contact: String,
    /// The next hop.
    pub target: Target,
    /// Whether the next hop is fixed: the account's proxy, or a connection.
    fixed: bool,
}

/// What names a dialog among ours: Call-ID and our tag.
pub type Key = (String, String);

impl Dialog {
    /// From a response to our INVITE.
    pub async fn of_client(
        agent: &Arc<Agent>,
        request: &Request,
        response: &Response,
        target: &Target,
        fixed: bool,
    ) -> Option<Dialog> {
        let cseq = request.cseq_header().ok()?.seq().ok()?;
        let head = Head {
            from: request.from_header().ok()?.value().to_owned(),
            to: response.to_header().ok()?.value().to_owned(),
            call_id: request.call_id_header().ok()?.value().to_owned(),
            cseq,
        };
        let mut routes = record_routes(response);
        routes.reverse();
        let mut dialog = Dialog {
            agent: agent.clone(),
            head,
            // A phone that forgot its Contact is where we called it.
            remote_target: contact_of(response).unwrap_or_else(|| request.uri.clone()),
            routes,
            remote_cseq: None,
            contact: request.contact_header().ok()?.value().to_owned(),
            target: target.clone(),
            fixed,
        };
        dialog.find_next_hop().await;
        Some(dialog)
    }

    /// From their INVITE, with our tag in `To`. `target` is where it came from.
    pub async fn of_server(
        agent: &Arc<Agent>,
        request: &Request,
        contact: String,
        target: &Target,
        fixed: bool,
    ) -> Option<Dialog> {
        let head = Head {
            from: request.to_header().ok()?.value().to_owned(),
            to: request.from_header().ok()?.value().to_owned(),
            call_id: request.call_id_header().ok()?.value().to_owned(),
            cseq: 0,
        };
        let mut dialog = Dialog {
            agent: agent.clone(),
            head,
            remote_target: contact_of(request)?,
            routes: record_routes(request),
            remote_cseq: request.cseq_header().ok()?.seq().ok(),
            contact,
            target: target.clone(),
            fixed,
        };
        dialog.find_next_hop().await;
        Some(dialog)
    }

    /// A request in this dialog; `INVITE` and `UPDATE` tell our Contact.
    pub fn request(&mut self, method: Method, body: Option<String>) -> Request {
        self.head.cseq += 1;
        let mut request = self.agent.request(method, self.remote_target.clone(), &self.target, &self.head);
        for route in &self.routes {
            request.headers.push(header("Route", route.clone()));
        }
        if matches!(method, Method::Invite | Method::Update) {
            request.headers.push(header("Contact", self.contact.clone()));
        }
        if let Some(body) = body {
            request.headers.push(header("Content-Type", "application/sdp".into()));
            request.body = body.into_bytes();
        }
        request
    }

    /// Notes the number that a request was sent with at last, after challenges.
    pub fn used(&mut self, cseq: u32) {
        self.head.cseq = self.head.cseq.max(cseq);
    }

    /// Whether a request of theirs is new: their numbers only grow (RFC 3261, section 12.2.2).
    pub fn is_in_order(&mut self, request: &Request) -> bool {
        let Some(cseq) = request.cseq_header().ok().and_then(|it| it.seq().ok()) else { return false };
        if self.remote_cseq.is_some_and(|last| cseq <= last) {
            return false;
        }
        self.remote_cseq = Some(cseq);
        true
    }

    /// Takes their new Contact, if the message has one (target refresh).
    pub async fn refresh(&mut self, message: &impl HeadersExt) {
        let Some(contact) = contact_of(message) else { return };
        if contact != self.remote_target {
            self.remote_target = contact;
            self.find_next_hop().await;
        }
    }

    /// The first route, or else their Contact; but the way that we know when that leads behind a NAT or nowhere.
    async fn find_next_hop(&mut self) {
        if self.fixed {
            return;
        }
        let routed = self.routes.first().and_then(|it| typed::Route::parse_header_list(it).ok()?.into_iter().next());
        let uri = routed.map_or_else(|| self.remote_target.clone(), |it| it.uri);
        let behind_nat = ip_of(&uri).is_some_and(is_private) && !is_private(self.target.addr.ip());
        if behind_nat || (self.target.connection.is_some() && transport_of(&uri) == self.target.transport) {
            return;
        }
        if let Ok(target) = self.agent.reach(&uri).await {
            self.target = target;
        }
    }
}

/// The name of the dialog that a request of theirs belongs to.
pub fn key_of(request: &Request) -> Option<Key> {
    let call_id = request.call_id_header().ok()?.value().to_owned();
    let tag = request.to_header().ok()?.tag().ok()??;
    Some((call_id, tag.value().to_owned()))
}

fn contact_of(message: &impl HeadersExt) -> Option<Uri> {
    message.typed_contact_headers().ok()?.into_iter().next().map(|it| it.uri)
}

/// `Record-Route` values, one by one.
fn record_routes(message: &impl HeadersExt) -> Vec<String> {
    let lists = message.headers().iter().filter_map(|it| match it {
        Header::RecordRoute(it) => Some(it.value()),
        _ => None,
    });
    lists.flat_map(split_list).collect()
}

/// Splits at commas outside of `<>` and quotes.
fn split_list(value: &str) -> Vec<String> {
    let (mut parts, mut part, mut deep, mut quoted) = (Vec::new(), String::new(), 0i32, false);
    for it in value.chars() {
        match it {
            '"' => quoted = !quoted,
            '<' if !quoted => deep += 1,
            '>' if !quoted => deep -= 1,
            ',' if !quoted && deep <= 0 => {
                parts.push(std::mem::take(&mut part).trim().to_owned());
                continue;
            }
            _ => (),
        }
        part.push(it);
    }
    parts.push(part.trim().to_owned());
    parts.retain(|it| !it.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_lists_are_split_outside_of_brackets() {
        let list = "<sip:a;lr>, \"x, y\" <sip:b,c;lr>,<sip:d>";
        assert_eq!(split_list(list), ["<sip:a;lr>", "\"x, y\" <sip:b,c;lr>", "<sip:d>"]);
        assert!(split_list(" , ").is_empty());
    }
}
