//! `sip` of hark.yaml: where we listen, and the accounts.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use control::speaker::LineSettings;

use crate::config::problems::Place;
use crate::config::reader::{Section, Text, Wrong, choose};
use crate::config::yaml::{self, Value};
use crate::config::{Secret, SipAccount, SipSettings, Srtp, Transport, secrets};

const SRTP: [(&str, Srtp); 3] = [("accept", Srtp::Accept), ("offer", Srtp::Offer), ("require", Srtp::Require)];
const TRANSPORTS: [(&str, Transport); 3] = [("udp", Transport::Udp), ("tcp", Transport::Tcp), ("tls", Transport::Tls)];
const CODECS: [(&str, &str); 3] = [("opus", "opus"), ("pcma", "pcma"), ("pcmu", "pcmu")];

/// Names of lines that are there without an account.
const TAKEN: [&str; 3] = ["direct", "builtin", control::dialplan::ROOMS];

/// The settings, and the accounts as the dial plan sees them.
pub fn read(mut it: Section<'_>) -> (SipSettings, Vec<LineSettings>) {
    let listen = it.parsed("listen", |text| match text {
        "off" => Ok(None),
        text => socket_address(text).map(Some),
    });
    let codecs: Option<Vec<String>> = it.texts("codecs").map(|texts| {
        let codec = |text: &Text<'_>| it.check(text.place, choose("codecs", text.text, &CODECS));
        texts.iter().filter_map(codec).map(str::to_owned).collect()
    });
    if let Some(node) = it.value("codecs").filter(|node| node.value == Value::List(Vec::new())) {
        it.findings().problem(
            &node.place,
            "`codecs` names no codec",
            "name at least one, such as `pcma`, which every phone knows",
        );
    }
    let mut lines = Vec::new();
    let mut settings = SipSettings {
        listen: listen.unwrap_or_else(|| Some(SocketAddr::from(([0, 0, 0, 0], 5060)))),
        public_address: it.parsed("public_address", address_or_auto).flatten(),
        accept_direct: it.flag("accept_direct").unwrap_or(false),
        codecs: codecs.unwrap_or_else(|| ["opus", "pcma", "pcmu"].map(str::to_owned).to_vec()),
        rtp_ports: it.parsed("rtp_ports", ports).unwrap_or((20_000, 20_199)),
        direct_srtp: it.choice("srtp", &SRTP).unwrap_or(Srtp::Accept),
        accounts: Vec::new(),
    };
    let mut names: Vec<(String, Place)> = Vec::new();
    for section in it.sections("accounts") {
        if let Some((account, line)) = account(section, &mut names) {
            settings.accounts.push(account);
            lines.push(line);
        }
    }
    it.done();
    (settings, lines)
}

fn account(mut it: Section<'_>, names: &mut Vec<(String, Place)>) -> Option<(SipAccount, LineSettings)> {
    if !it.is_block() {
        return None;
    }
    let name = it.text("name");
    let named = name.map_or("without a name", |name| name.text);
    let registrar = it.parsed("registrar", host_and_port);
    let user = it.parsed("user", sip_user);
    let auth_user = it.text("auth_user").map(|text| text.text.to_owned());
    let password = secrets::password(&mut it, &format!("sip-{named}"));
    let transport = it.choice("transport", &TRANSPORTS).unwrap_or(Transport::Udp);
    let srtp = it.choice("srtp", &SRTP);
    let expires = it.duration("expires", Duration::from_secs(60), Duration::from_secs(86_400));
    let domain = it.parsed("domain", host_and_port);
    let country_code = it.parsed("country_code", country_code);
    let emergency: Vec<String> = {
        let texts = it.texts("emergency").unwrap_or_default();
        texts.iter().filter_map(|text| it.check(text.place, short_number(text.text))).collect()
    };
    if let Some(name) = name {
        if let Some((_, first)) = names.iter().find(|(other, _)| other == name.text) {
            let what = format!("the account `{named}` is there twice, first at {}", yaml::short(first));
            it.findings().problem(name.place, what, "give each account a name of its own");
        }
        names.push((name.text.to_owned(), name.place.clone()));
    } else {
        it.missing("this account has no `name`", "add one, such as `name: home`; contacts refer to it as `line: home`");
    }
    for (key, example, there) in [
        ("registrar", "fritz.box", registrar.is_some() || it.is_written("registrar")),
        ("user", "harkphone", user.is_some() || it.is_written("user")),
    ] {
        if !there {
            it.missing(format!("the account `{named}` has no `{key}`"), format!("add it, such as `{key}: {example}`"));
        }
    }
    if password.is_none() {
        let mend = format!("add `password_file:`, `password:`, or the systemd credential `sip-{named}`");
        it.missing(format!("the account `{named}` has no password"), mend);
    }
    let name = name.and_then(|text| it.check(text.place, line_name(text.text)));
    it.done();
    let (name, registrar, user) = (name?, registrar?, user?);
    let host = registrar.rsplit_once(':').map_or(registrar.as_str(), |(host, _)| host).to_owned();
    let line = LineSettings { name: name.clone(), domain: Some(domain.unwrap_or(host)), country_code, emergency };
    let account = SipAccount {
        name,
        registrar,
        user,
        auth_user,
        password: password.unwrap_or(Secret(String::new())),
        transport,
        srtp: srtp.unwrap_or(if transport == Transport::Tls { Srtp::Offer } else { Srtp::Accept }),
        expires: expires.unwrap_or(Duration::from_secs(600)),
    };
    Some((account, line))
}

fn line_name(text: &str) -> Result<String, Wrong> {
    if TAKEN.contains(&text) {
        return Err((
            format!("an account cannot be named `{text}`, a line of that name is there always"),
            "choose another name".into(),
        ));
    }
    if text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_') {
        Ok(text.to_owned())
    } else {
        Err((format!("an account cannot be named `{text}`"), "use a-z, 0-9, `-` and `_`".into()))
    }
}

/// `192.168.1.2:5060` or an address alone, for port 5060.
fn socket_address(text: &str) -> Result<SocketAddr, Wrong> {
    let found = text.parse::<SocketAddr>().ok().or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 5060)));
    found.ok_or_else(|| {
        (format!("`{text}` is no address to listen at"), "write address and port as `0.0.0.0:5060`, or `off`".into())
    })
}

fn address_or_auto(text: &str) -> Result<Option<IpAddr>, Wrong> {
    match text {
        "auto" => Ok(None),
        _ => text
            .parse()
            .map(Some)
            .map_err(|_| (format!("`{text}` is no IP address"), "write it as `203.0.113.7`, or `auto`".into())),
    }
}

/// A host name, an address, or either with a port.
pub fn host_and_port(text: &str) -> Result<String, Wrong> {
    let mend = || "write a host name or an address, with a port if needed: `fritz.box`, `192.168.1.1:5060`".to_owned();
    if let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| matches!(*scheme, "sip" | "sips" | "http" | "https"))
    {
        let rest = rest.trim_start_matches('/');
        return Err((format!("`{text}` begins with `{scheme}:`"), format!("write the host alone: `{rest}`")));
    }
    let (host, port) = match text.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or("none"))),
        None if text.parse::<IpAddr>().is_ok() => (text, None),
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err((format!("`{text}` has a bad port"), "ports are whole numbers from 1 to 65535".into()));
    }
    if host.parse::<IpAddr>().is_ok() || is_host_name(host) {
        Ok(text.to_owned())
    } else {
        Err((format!("`{text}` is no host"), mend()))
    }
}

/// Labels of letters, digits and `-`; the last one is not a number, or it would be a mistyped address.
fn is_host_name(text: &str) -> bool {
    let label =
        |it: &str| !it.is_empty() && it.len() <= 63 && it.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let last = text.rsplit('.').next().unwrap_or("");
    text.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
}

fn sip_user(text: &str) -> Result<String, Wrong> {
    match text.chars().find(|c| c.is_whitespace() || matches!(c, '@' | ':' | '<' | '>' | '"')) {
        Some(wrong) => Err((format!("the user `{text}` holds `{wrong}`"), "write the part before the `@` alone".into())),
        None => Ok(text.to_owned()),
    }
}

/// First and last port, as `20000-20199`.
fn ports(text: &str) -> Result<(u16, u16), Wrong> {
    let wrong = |mend: &str| Err((format!("`rtp_ports` cannot be `{text}`"), mend.to_owned()));
    let Some((first, last)) = text.split_once('-') else { return wrong("write first and last port as `20000-20199`") };
    let (Ok(first), Ok(last)) = (first.trim().parse::<u16>(), last.trim().parse::<u16>()) else {
        return wrong("ports are whole numbers from 1024 to 65535");
    };
    match (first, last) {
        (..1024, _) => wrong("ports below 1024 belong to the system: begin at 1024 or above"),
        (first, last) if last < first.saturating_add(3) => wrong("each call needs two ports: give at least four"),
        _ => Ok((first, last)),
    }
}

fn country_code(text: &str) -> Result<String, Wrong> {
    let digits = text.trim_start_matches('+').trim_start_matches("00");
    if (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(digits.to_owned())
    } else {
        Err((format!("`{text}` is no country code"), "write its digits, such as `49`".into()))
    }
}

fn short_number(text: &str) -> Result<String, Wrong> {
    if (2..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err((format!("`{text}` is no emergency number"), "write its digits, such as `112`".into()))
    }
}
