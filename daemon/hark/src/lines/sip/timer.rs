//! Session timers (RFC 4028): whoever was chosen refreshes the call now and then, so that dead calls are noticed on the way.

use std::time::{Duration, Instant};

use rsipstack::sip::headers::Header;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Request, Response};

use super::agent::header;

/// Nobody may ask for less (RFC 4028, section 5).
const LEAST: Duration = Duration::from_secs(90);

/// When we are to refresh; nothing if the other end does, or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    every: Duration,
    /// The next time.
    pub due: Instant,
}

impl SessionTimer {
    /// From a 2xx to our INVITE: ours if it says `uac`.
    pub fn ours(response: &Response) -> Option<SessionTimer> {
        let (interval, refresher) = asked(response)?;
        (refresher.as_deref() == Some("uac")).then(|| SessionTimer::new(interval))
    }

    /// From their INVITE: ours only if it says `uas`.
    pub fn theirs(request: &Request) -> Option<SessionTimer> {
        let (interval, refresher) = asked(request)?;
        (refresher.as_deref() == Some("uas")).then(|| SessionTimer::new(interval))
    }

    /// What a 2xx to their INVITE or UPDATE says about it.
    pub fn headers(request: &Request) -> Vec<Header> {
        let Some((interval, refresher)) = asked(request) else { return Vec::new() };
        // Where they leave it open, they do it: they brought it up.
        let refresher = refresher.unwrap_or_else(|| "uac".to_owned());
        let mut headers = vec![header("Session-Expires", format!("{};refresher={refresher}", interval.as_secs()))];
        if refresher == "uac" && request.header_contains_token("Supported", "timer") {
            headers.push(header("Require", "timer".into()));
        }
        headers
    }

    fn new(interval: Duration) -> SessionTimer {
        let every = interval.max(LEAST) / 2;
        SessionTimer { every, due: Instant::now() + every }
    }

    /// After a refresh.
    pub fn again(self) -> SessionTimer {
        SessionTimer { due: Instant::now() + self.every, ..self }
    }
}

fn asked(message: &impl HeadersExt) -> Option<(Duration, Option<String>)> {
    let value = message.session_expires_header()?.value();
    let mut parts = value.split(';').map(str::trim);
    let interval = Duration::from_secs(parts.next()?.parse().ok()?);
    let refresher = parts.find_map(|it| it.strip_prefix("refresher=")).map(str::to_ascii_lowercase);
    Some((interval, refresher))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &str) -> Request {
        let text = format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        Request::try_from(text.as_str()).unwrap()
    }

    #[test]
    fn we_refresh_when_we_are_chosen() {
        for (headers, ours) in [
            ("Session-Expires: 1800;refresher=uas\r\n", true),
            ("x: 1800 ; refresher=UAS\r\n", true),
            ("Session-Expires: 1800;refresher=uac\r\n", false),
            ("Session-Expires: 1800\r\n", false),
            ("Session-Expires: soon\r\n", false),
            ("", false),
        ] {
            assert_eq!(SessionTimer::theirs(&request(headers)).is_some(), ours, "{headers}");
        }
    }

    #[test]
    fn what_they_asked_for_is_confirmed() {
        let say = |headers: &str| SessionTimer::headers(&request(headers)).iter().map(|it| it.to_string()).collect::<Vec<_>>();
        assert_eq!(
            say("Session-Expires: 1800\r\nSupported: timer\r\n"),
            ["Session-Expires: 1800;refresher=uac", "Require: timer"]
        );
        assert_eq!(say("Session-Expires: 1800;refresher=uas\r\n"), ["Session-Expires: 1800;refresher=uas"]);
        assert!(say("").is_empty());
    }
}
