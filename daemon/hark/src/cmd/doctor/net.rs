//! Whether registrars and broker can be reached, and our own ports are free.

use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet};

use super::{Finding, fail, ok, warn};
use crate::config::{Broker, Settings, SipAccount, Transport};

/// How long an answer is waited for.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Our port and the accounts' registrars.
pub fn sip(settings: &Settings, runs: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    match settings.sip.listen {
        None => findings.push(ok("SIP", "not listening: `sip.listen` is off")),
        Some(_) if runs => (),
        Some(at) => findings.push(match UdpSocket::bind(at).and_then(|udp| TcpListener::bind(at).map(|tcp| (udp, tcp))) {
            Ok(_) => ok("SIP", format!("{at} is free")),
            Err(err) => fail(
                "SIP",
                format!("cannot listen at {at}: {err}"),
                "stop what uses the port (`ss -lnp` tells), or set `sip.listen`",
            ),
        }),
    }
    findings.extend(settings.sip.accounts.iter().map(account));
    findings
}

fn account(account: &SipAccount) -> Finding {
    let name = &account.name;
    let at = match resolve(&account.registrar, if account.transport == Transport::Tls { 5061 } else { 5060 }) {
        Ok(at) => at,
        Err(err) => {
            let what = format!("account `{name}`: the registrar `{}` is not found: {err}", account.registrar);
            return fail("SIP", what, "correct `registrar`, or is the network down?");
        }
    };
    let answer = match account.transport {
        Transport::Udp => options(at, account),
        Transport::Tcp | Transport::Tls => TcpStream::connect_timeout(&at, PATIENCE).map(|_| "is there".to_owned()),
    };
    match answer {
        Ok(answer) => ok(
            "SIP",
            format!("account `{name}`: the registrar {at} {answer}; whether it takes the password, `hark status` tells"),
        ),
        // Some registrars answer to REGISTER only.
        Err(err) if account.transport == Transport::Udp => warn(
            "SIP",
            format!("account `{name}`: the registrar {at} does not answer: {err}"),
            "correct `registrar`, or try `transport: tcp`",
        ),
        Err(err) => fail(
            "SIP",
            format!("account `{name}`: the registrar {at} cannot be reached: {err}"),
            "correct `registrar` or `transport`",
        ),
    }
}

/// Asks by OPTIONS (RFC 3261, section 11): whatever the answer, somebody is there who knows SIP.
fn options(at: SocketAddr, account: &SipAccount) -> std::io::Result<String> {
    let socket = UdpSocket::bind(if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    socket.connect(at)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let here = socket.local_addr()?;
    let (user, host) = (&account.user, &account.registrar);
    let id = format!("{:x}{:x}", std::process::id(), here.port());
    let request = format!(
        "OPTIONS sip:{host} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{id};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@{host}>;tag={id}\r\nTo: <sip:{host}>\r\nCall-ID: {id}@hark\r\nCSeq: 1 OPTIONS\r\n\
         Contact: <sip:{user}@{here}>\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n"
    );
    socket.send(request.as_bytes())?;
    let mut answer = [0; 2048];
    let n = socket.recv(&mut answer)?;
    let text = String::from_utf8_lossy(&answer[..n]);
    Ok(format!("answers `{}`", text.lines().next().unwrap_or_default()))
}

/// The broker, or the port of the embedded one.
///
/// # Errors
/// When there is no runtime to ask with.
pub fn mqtt(settings: &Settings, runs: bool) -> anyhow::Result<Finding> {
    let (host, port, tls) = match &settings.mqtt.broker {
        Broker::Off => return Ok(ok("MQTT", "off")),
        Broker::Embedded(at) if runs => return Ok(ok("MQTT", format!("embedded broker at {at}"))),
        Broker::Embedded(at) => {
            return Ok(match TcpListener::bind(at) {
                Ok(_) => ok("MQTT", format!("embedded broker, {at} is free")),
                Err(err) => {
                    let mend = format!("another broker there? use it: `broker: mqtt://{at}`; or set `mqtt.listen`");
                    fail("MQTT", format!("the embedded broker cannot listen at {at}: {err}"), mend)
                }
            });
        }
        Broker::At { host, port, tls } => (host, *port, tls.is_some()),
    };
    let at = match resolve(&format!("{}:{port}", if host.contains(':') { format!("[{host}]") } else { host.clone() }), port) {
        Ok(at) => at,
        Err(err) => return Ok(fail("MQTT", format!("the broker `{host}` is not found: {err}"), "correct `mqtt.broker`")),
    };
    if let Err(err) = TcpStream::connect_timeout(&at, PATIENCE) {
        return Ok(fail("MQTT", format!("the broker {at} cannot be reached: {err}"), "is it running? correct `mqtt.broker`"));
    }
    if tls {
        return Ok(ok(
            "MQTT",
            format!("the broker {at} is there; whether its certificate and our password are good, `hark status` tells"),
        ));
    }
    let mut options = MqttOptions::new(format!("hark-doctor-{}", std::process::id()), host, port);
    if let Some((user, password)) = &settings.mqtt.login {
        options.set_credentials(user, &password.0);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        let (_client, mut events) = AsyncClient::new(options, 4);
        let answered = async {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(()),
                    Ok(_) => (),
                    Err(err) => return Err(err.to_string()),
                }
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.unwrap_or_else(|_| Err("it does not answer".into()))
    });
    Ok(match answer {
        Ok(()) => ok("MQTT", format!("the broker {at} lets us in")),
        Err(err) => {
            fail("MQTT", format!("the broker {at} does not let us in: {err}"), "correct `username` and the password below `mqtt`")
        }
    })
}

/// The first address of `host`, `host:port` or `[address]:port`.
fn resolve(text: &str, port: u16) -> std::io::Result<SocketAddr> {
    let found = text.to_socket_addrs().or_else(|_| (text.trim_matches(['[', ']']), port).to_socket_addrs())?.next();
    found.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrars_have_the_port_of_their_transport_unless_they_say_so() {
        for (text, expected) in [
            ("127.0.0.1", "127.0.0.1:5060"),
            ("127.0.0.1:5080", "127.0.0.1:5080"),
            ("[::1]", "[::1]:5060"),
            ("::1", "[::1]:5060"),
        ] {
            assert_eq!(resolve(text, 5060).unwrap().to_string(), expected, "{text}");
        }
    }
}
