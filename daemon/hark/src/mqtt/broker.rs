//! The embedded broker, for a house that has none: one box works alone. It lives as long as the process: it cannot be stopped.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use tracing::error;

/// The broker is up in milliseconds; a machine that takes this long is ill.
const MAX_START: Duration = Duration::from_secs(5);
/// The largest message that it takes; more ends the sender's connection.
const MAX_MESSAGE: usize = 262_144;
/// Speakers, Home Assistant, a few phones.
const MAX_CONNECTIONS: usize = 200;

/// Where brokers of this process listen, for ever.
static RUNNING: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());

/// Why the broker does not run.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Somebody else has the port.
    #[error(
        "the embedded MQTT broker cannot listen at {at}: {why}; if another broker runs there, name it in `mqtt.broker` in hark.yaml, \
         else choose another port"
    )]
    CannotListen {
        /// The address wanted.
        at: SocketAddr,
        /// The system's reason.
        why: io::Error,
    },
    /// It was started but nobody answers.
    #[error("the embedded MQTT broker does not answer at {0} after {MAX_START:?}")]
    Silent(SocketAddr),
}

/// Starts the broker and comes back once it takes connections. Blocks for some milliseconds. Where `login` is given, nobody gets in without it.
/// Where this process already runs one there, all is well.
pub fn start(at: SocketAddr, login: Option<(String, String)>) -> Result<(), BrokerError> {
    // The broker itself would only log that the port is taken.
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if running.contains(&at) {
        return Ok(());
    }
    TcpListener::bind(at).map_err(|why| BrokerError::CannotListen { at, why })?;
    let mut broker = Broker::new(config(at, login));
    thread::Builder::new()
        .name("broker".into())
        .spawn(move || {
            if let Err(error) = broker.start() {
                error!(%error, "the embedded MQTT broker has ended");
            }
        })
        .map_err(|why| BrokerError::CannotListen { at, why })?;
    let begun = Instant::now();
    while TcpStream::connect_timeout(&near(at), Duration::from_millis(100)).is_err() {
        if begun.elapsed() > MAX_START {
            return Err(BrokerError::Silent(at));
        }
        thread::sleep(Duration::from_millis(1));
    }
    running.insert(at);
    Ok(())
}

/// The address at which we ourselves reach what listens at `at`.
pub fn near(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, at.port())
}

fn config(at: SocketAddr, login: Option<(String, String)>) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 5000,
        max_payload_size: MAX_MESSAGE,
        max_inflight_count: 100,
        auth: login.map(|login| HashMap::from([login])),
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings { name: "mqtt".into(), listen: at, tls: None, next_connection_delay_ms: 1, connections };
    Config {
        // Each filter that somebody subscribes to has a log of its own of at most this many segments; small, for small machines.
        router: RouterConfig {
            max_connections: MAX_CONNECTIONS,
            max_outgoing_packet_count: 200,
            max_segment_size: MAX_MESSAGE,
            max_segment_count: 2,
            ..RouterConfig::default()
        },
        v4: Some(HashMap::from([("v4".to_owned(), server)])),
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_said_so() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        let error = start(at, None).unwrap_err().to_string();
        assert!(error.contains(&at.to_string()) && error.contains("mqtt.broker"), "{error}");
    }

    #[test]
    fn what_listens_everywhere_is_reached_at_loopback() {
        assert_eq!(near("0.0.0.0:1883".parse().unwrap()), "127.0.0.1:1883".parse().unwrap());
        assert_eq!(near("[::]:1883".parse().unwrap()), "[::1]:1883".parse().unwrap());
        assert_eq!(near("192.168.1.5:1".parse().unwrap()), "192.168.1.5:1".parse().unwrap());
    }
}
