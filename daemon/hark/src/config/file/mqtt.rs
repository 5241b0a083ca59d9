//! `mqtt` of hark.yaml: which broker, and what it is told.

use std::net::SocketAddr;

use crate::config::reader::{Section, Wrong};
use crate::config::{Broker, MqttSettings, secrets};

use super::sip::host_and_port;
use super::slug_of;

/// What `broker` may be.
enum Written {
    Off,
    Embedded,
    At { host: String, port: u16, tls: bool },
}

/// The settings, and the room's name in topics where it is given.
pub fn read(mut it: Section<'_>, whole: bool) -> (MqttSettings, Option<String>) {
    let written = it.parsed("broker", broker).unwrap_or(Written::Embedded);
    let listen = it.parsed("listen", |text| {
        text.parse::<SocketAddr>()
            .map_err(|_| (format!("`{text}` is no address to listen at"), "write address and port as `127.0.0.1:1883`".into()))
    });
    let base = it.parsed("base", topic_level);
    let room = it.parsed("room", |text| {
        if !text.is_empty() && slug_of(text) == text {
            Ok(text.to_owned())
        } else {
            let mend = match slug_of(text).as_str() {
                "" => "use a-z, 0-9 and `-`, such as `living-room`".to_owned(),
                slug => format!("use a-z, 0-9 and `-`: `{slug}`"),
            };
            Err((format!("`{text}` cannot be a room in MQTT topics"), mend))
        }
    });
    let username = it.text("username");
    let password = secrets::password(&mut it, "mqtt");
    let ca_file = it.text("ca_file");
    let ca_path = ca_file.map(|text| text.place.folder().join(text.text));
    if let (Some(text), Some(path)) = (ca_file, &ca_path)
        && !path.is_file()
    {
        it.findings().problem(text.place, format!("there is no CA file `{}`", path.display()), "correct the path");
    }
    let discovery = it.text("discovery");
    let discovery_prefix = match discovery {
        Some(text) if text.text == "off" => None,
        Some(text) => it.check(text.place, topic_level(text.text)),
        None => Some("homeassistant".into()),
    };

    let broker = match written {
        Written::Off => Broker::Off,
        Written::Embedded => Broker::Embedded(listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 1883)))),
        Written::At { host, port, tls } => Broker::At { host, port, tls: tls.then(|| ca_path.clone()) },
    };
    if whole {
        if let (Broker::Embedded(listen), Some(text)) = (&broker, it.text("listen"))
            && !listen.ip().is_loopback()
        {
            let what = "the embedded broker has no access control: everybody on the network can command this speaker";
            it.findings().warning(text.place, what, "listen at 127.0.0.1, or use a broker with an access list");
        }
        if let (Some(text), None) = (username, &password) {
            let mend = "add `password_file:`, `password:`, or the systemd credential `mqtt`";
            it.findings().problem(text.place, "the broker's user has no password", mend);
        }
        if let (Some(text), Broker::At { tls: None, .. } | Broker::Embedded(_)) = (ca_file, &broker) {
            it.findings().problem(text.place, "`ca_file` is of use with `mqtts://` only", "write the broker as `mqtts://host`");
        }
    }
    it.done();
    let login = username.map(|name| (name.text.to_owned(), password.unwrap_or(crate::config::Secret(String::new()))));
    (MqttSettings { broker, base: base.unwrap_or_else(|| "hark".into()), login, discovery_prefix }, room)
}

fn broker(text: &str) -> Result<Written, Wrong> {
    let wrong = |what: String| Err((what, "write `mqtt://host:1883`, `mqtts://host`, `embedded` or `off`".to_owned()));
    let (host, tls) = match (text, text.split_once("://")) {
        ("off", _) => return Ok(Written::Off),
        ("embedded", _) => return Ok(Written::Embedded),
        (_, Some(("mqtt" | "tcp", host))) => (host, false),
        (_, Some(("mqtts" | "ssl", host))) => (host, true),
        (_, Some((scheme, _))) => return wrong(format!("`{scheme}://` is no MQTT address")),
        (_, None) => return wrong(format!("`{text}` is no broker")),
    };
    let host = host.trim_end_matches('/');
    if host.contains('@') {
        return Err(("the broker's address holds a user".into(), "write them as `username` and `password_file`".into()));
    }
    let host = host_and_port(host).map_err(|(what, _)| (what, "write `mqtt://host:1883`".to_owned()))?;
    let default = if tls { 8883 } else { 1883 };
    let (host, port) = match host.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((host, port)) => (host.to_owned(), port.trim_start_matches(':').parse().unwrap_or(default)),
        None => match host.split_once(':').filter(|(_, port)| !port.contains(':')) {
            Some((host, port)) => (host.to_owned(), port.parse().unwrap_or(default)),
            None => (host, default),
        },
    };
    Ok(Written::At { host, port, tls })
}

/// The first level of a topic.
fn topic_level(text: &str) -> Result<String, Wrong> {
    let wrong = |c: char| matches!(c, '#' | '+' | '$') || c.is_whitespace() || c.is_control();
    if text.contains(wrong) || text.starts_with('/') || text.ends_with('/') {
        Err((format!("`{text}` cannot begin a topic"), "use letters, digits, `-` and `_`".into()))
    } else {
        Ok(text.to_owned())
    }
}
