//! What strangers send to the SIP port: passed on, answered with 400, or dropped, before the stack sees it.

use std::panic::catch_unwind;

use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};
use rsipstack::sip::{Request, SipMessage};

/// What becomes of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is SIP.
    Pass,
    /// It is nothing.
    Drop,
    /// It wanted to be a request: this is the answer.
    Refuse(Vec<u8>),
}

/// Looks at a datagram.
pub fn screen(packet: &[u8]) -> Verdict {
    if packet.iter().all(u8::is_ascii_whitespace) {
        return Verdict::Pass;
    }
    // The parser is not ours, and one datagram of a stranger must not end the calls of others.
    let read = catch_unwind(|| match SipMessage::try_from(packet) {
        Ok(SipMessage::Request(request)) => is_whole(&request),
        Ok(SipMessage::Response(response)) => {
            response.via_header().is_ok() && response.cseq_header().is_ok_and(|it| it.typed().is_ok())
        }
        Err(_) => false,
    });
    match read {
        Ok(true) => Verdict::Pass,
        Ok(false) | Err(_) => bad_request(packet).map_or(Verdict::Drop, Verdict::Refuse),
    }
}

/// Whether a request has what every request needs (RFC 3261, section 8.1.1), each readable.
pub fn is_whole(request: &Request) -> bool {
    let from = request.from_header().is_ok_and(|it| it.tag().is_ok_and(|it| it.is_some()));
    let to = request.to_header().is_ok_and(|it| it.typed().is_ok());
    let cseq = request.cseq_header().ok().and_then(|it| it.typed().ok()).is_some_and(|it| it.method == request.method);
    let via = request.top_via_header().is_ok_and(|it| it.typed().is_ok());
    let call = request.call_id_header().is_ok_and(|it| !it.value().trim().is_empty());
    from && to && cseq && via && call
}

/// The 400 for something that begins like a request and says where the answer goes.
fn bad_request(packet: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(packet).ok()?;
    let mut lines = text.split("\r\n");
    let first = lines.next()?;
    let method = first.split(' ').next()?;
    if !first.ends_with(" SIP/2.0") || method == "ACK" || !method.bytes().all(|it| it.is_ascii_uppercase()) {
        return None;
    }
    let mut response = String::from("SIP/2.0 400 Bad Request\r\n");
    let mut has_via = false;
    for line in lines.take_while(|it| !it.is_empty()) {
        let Some((name, _)) = line.split_once(':') else { continue };
        let name = name.trim().to_ascii_lowercase();
        has_via |= matches!(name.as_str(), "via" | "v");
        if matches!(name.as_str(), "via" | "v" | "from" | "f" | "to" | "t" | "call-id" | "i" | "cseq") {
            response += line;
            response += "\r\n";
        }
    }
    response += "Content-Length: 0\r\n\r\n";
    // The answer is never longer than the question: nobody gains by sending us a forged address.
    (has_via && response.len() <= packet.len().max(512)).then_some(response.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\nFrom: <sip:x@y>;tag=1\r\n\
        To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

    fn refused(text: &str) -> bool {
        matches!(screen(text.as_bytes()), Verdict::Refuse(it) if it.starts_with(b"SIP/2.0 400 "))
    }

    #[test]
    fn whole_messages_pass() {
        assert_eq!(screen(OPTIONS.as_bytes()), Verdict::Pass);
        assert_eq!(screen(b"\r\n\r\n"), Verdict::Pass);
        assert_eq!(screen(OPTIONS.replace("OPTIONS sip:a@b SIP/2.0", "SIP/2.0 200 OK").as_bytes()), Verdict::Pass);
    }

    #[test]
    fn broken_requests_are_answered() {
        for (from, to) in [
            ("From: <sip:x@y>;tag=1\r\n", ""),
            (";tag=1", ""),
            ("CSeq: 1 OPTIONS", "CSeq: x"),
            ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
            ("To: <sip:a@b>", "To: <sip:a@b"),
            ("Call-ID: 1", "Call-ID:"),
            ("branch=z9hG4bK1", "rport=99999"),
        ] {
            assert!(refused(&OPTIONS.replace(from, to)), "{from} -> {to}");
        }
    }

    #[test]
    fn noise_is_dropped() {
        for noise in [
            &b"hello"[..],
            b"\x00\x01\x02\xff\xfe",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"ACK sip:x SIP/2.0\r\n\r\n",
            &[0x80; 1500],
        ] {
            assert_eq!(screen(noise), Verdict::Drop);
        }
    }

    #[test]
    fn no_cut_or_changed_message_ends_the_process() {
        let whole = OPTIONS.as_bytes();
        for at in 0..whole.len() {
            screen(&whole[..at]);
            for byte in [0, b'\r', b'\n', b':', b';', b'<', b'"', b'@', b'[', 0x80, 0xff] {
                let mut changed = whole.to_vec();
                changed[at] = byte;
                screen(&changed);
            }
        }
    }
}
