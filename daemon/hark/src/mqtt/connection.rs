//! The connection to the broker, and the patience to build it again: a lost broker is a state, not an error.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, LastWill, MqttOptions, Packet, Publish, QoS, SubscribeReasonCode,
    TlsConfiguration, Transport,
};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::broker;
use super::topics::Topics;
use crate::config::{Broker, MqttSettings, Secret};

/// A broker that hears nothing for one and a half of these sends the last will.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// First and longest wait between attempts.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// So many attempts, about a minute of them, come at least every 4 s; only then do the waits grow.
const RESTARTS_WITHIN: u32 = 20;
/// A connection that lived shorter than this did not end the trouble.
const STABLE: Duration = Duration::from_secs(10);
/// What comes in may be this large, so that a large retained message somewhere below `do/` cannot keep us out for ever: it is read and thrown away.
const MAX_INCOMING: usize = 16 << 20;
/// The largest that we send is the discovery message, some kilobytes.
const MAX_OUTGOING: usize = 1 << 18;
/// Requests to the client that may wait; one publish is in flight at a time, so that a handful is plenty.
const REQUESTS: usize = 16;

/// What the connection tells.
pub enum Notice {
    /// The broker took us; this client serves until `Down`.
    Up(AsyncClient),
    /// Somebody published something that we subscribed to.
    Received(Publish),
    /// The broker took the publish in flight.
    Acknowledged,
    /// The connection is gone, and with it its client.
    Down,
}

/// Connects again and again for as long as somebody listens.
pub struct Connection {
    mqtt: MqttSettings,
    room: String,
    /// Bounded; a full one makes us wait, and with us the broker.
    notices: mpsc::Sender<Notice>,
    /// Whether the embedded broker was started, or is not ours to start.
    broker_runs: bool,
}

impl Connection {
    /// A connection for the speaker in `room`.
    pub fn new(mqtt: MqttSettings, room: String, notices: mpsc::Sender<Notice>) -> Connection {
        let broker_runs = !matches!(mqtt.broker, Broker::Embedded(_));
        Connection { mqtt, room, notices, broker_runs }
    }

    /// Runs until nobody listens.
    pub async fn run(mut self) {
        let mut failures = 0;
        while !self.notices.is_closed() {
            let up_since = self.connect_once(failures).await;
            let lasted = up_since.map(|since| since.elapsed());
            failures = if lasted.is_some_and(|lasted| lasted >= STABLE) { 0 } else { failures + 1 };
            if lasted.is_some_and(|lasted| lasted < STABLE) && failures >= 3 {
                warn!(
                    "the MQTT broker ends the connection again and again; does another speaker use the room name `{}`?",
                    self.room
                );
            }
            let wait = wait(failures, random());
            debug!(?wait, failures, "connecting to the MQTT broker again");
            sleep(wait).await;
        }
    }

    /// One connection from beginning to end; returns since when it was up, if it ever was.
    async fn connect_once(&mut self, failures: u32) -> Option<Instant> {
        self.start_broker(failures).await;
        let options = match self.options().await {
            Ok(options) => options,
            Err(why) => {
                complain(failures, &why);
                return None;
            }
        };
        // A client of its own for each connection: nothing that was meant for the last one is sent on this one.
        let (client, mut events) = AsyncClient::new(options, REQUESTS);
        // Our messages are small and urgent: without this each waits up to 40 ms for the acknowledgement of the one before.
        let mut network = events.network_options();
        network.set_tcp_nodelay(true);
        events.set_network_options(network);
        let mut up_since = None;
        loop {
            let notice = match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    info!("connected to the MQTT broker");
                    up_since = Some(Instant::now());
                    Notice::Up(client.clone())
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => Notice::Received(publish),
                Ok(Event::Incoming(Packet::PubAck(_))) => Notice::Acknowledged,
                Ok(Event::Incoming(Packet::SubAck(ack))) => {
                    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                        warn!("the MQTT broker refuses a subscription; its access list must let us read our `do/` topics");
                    }
                    continue;
                }
                Ok(_) => continue,
                Err(error) => {
                    let news = if up_since.is_some() { 0 } else { failures };
                    complain(news, &plainly(&error));
                    break;
                }
            };
            if self.notices.send(notice).await.is_err() {
                break;
            }
        }
        if up_since.is_some() && self.notices.send(Notice::Down).await.is_err() {
            debug!("nobody listens to the MQTT connection any more");
        }
        up_since
    }

    /// Starts the embedded broker where it is wanted and does not run. Where the port is taken, whoever has it may be a broker too: we try it.
    async fn start_broker(&mut self, failures: u32) {
        let (Broker::Embedded(at), false) = (&self.mqtt.broker, self.broker_runs) else { return };
        let (at, login) = (*at, self.login());
        if !at.ip().is_loopback() && login.is_none() {
            warn!(
                "the embedded MQTT broker listens at {at} without a password: everybody in the network can command this speaker"
            );
        }
        match tokio::task::spawn_blocking(move || broker::start(at, login)).await {
            Ok(Ok(())) => {
                info!("the embedded MQTT broker listens at {at}");
                self.broker_runs = true;
            }
            Ok(Err(error)) => complain(failures, &format!("{error}; trying what is there")),
            Err(error) => complain(failures, &error.to_string()),
        }
    }

    async fn options(&self) -> Result<MqttOptions, String> {
        let (host, port) = match &self.mqtt.broker {
            Broker::Off => return Err("MQTT is off".into()),
            Broker::Embedded(at) => host_and_port(broker::near(*at)),
            // An IPv6 address needs brackets before a port can follow.
            Broker::At { host, port, tls: None } if host.contains(':') && !host.starts_with('[') => (format!("[{host}]"), *port),
            Broker::At { host, port, .. } => (host.clone(), *port),
        };
        let topics = Topics::new(&self.mqtt.base, &self.room);
        let mut options = MqttOptions::new(format!("{}-{}", self.mqtt.base, self.room).replace('/', "-"), host, port);
        options
            .set_keep_alive(KEEP_ALIVE)
            // What was asked while we were away is not done late: "call mom" means now.
            .set_clean_session(true)
            .set_max_packet_size(MAX_INCOMING, MAX_OUTGOING)
            .set_last_will(LastWill::new(topics.status(), "offline", QoS::AtLeastOnce, true));
        if let Some((user, password)) = self.login() {
            options.set_credentials(user, password);
        }
        if let Broker::At { tls: Some(ca), .. } = &self.mqtt.broker {
            options.set_transport(Transport::tls_with_config(tls(ca.as_deref()).await?));
        }
        Ok(options)
    }

    fn login(&self) -> Option<(String, String)> {
        self.mqtt.login.as_ref().map(|(user, Secret(password))| (user.clone(), password.clone()))
    }
}

fn host_and_port(at: SocketAddr) -> (String, u16) {
    match at {
        SocketAddr::V4(at) => (at.ip().to_string(), at.port()),
        SocketAddr::V6(at) => (format!("[{}]", at.ip()), at.port()),
    }
}

/// Verifies the broker's certificate with this CA, or with the system's. Read anew for each connection, so that a renewed file is taken.
async fn tls(ca: Option<&Path>) -> Result<TlsConfiguration, String> {
    let Some(file) = ca else { return Ok(TlsConfiguration::Native) };
    match tokio::fs::read(file).await {
        Ok(ca) => Ok(TlsConfiguration::SimpleNative { ca, client_auth: None }),
        Err(error) => Err(format!("the CA certificate `{}` of the MQTT broker cannot be read: {error}", file.display())),
    }
}

fn plainly(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized) => {
            "it refuses the user name or password".into()
        }
        ConnectionError::NetworkTimeout => "it does not answer".into(),
        error => error.to_string(),
    }
}

/// Says it once aloud; a broker that stays away for a night does not fill the log.
fn complain(failures: u32, why: &str) {
    if failures == 0 {
        warn!("no MQTT broker: {why}; trying again, calls go on without it");
    } else {
        debug!("no MQTT broker: {why}");
    }
}

/// How long to wait after so many failures; `random` of 0 to 1 keeps a house full of speakers from coming back all at once.
fn wait(failures: u32, random: f64) -> Duration {
    let (shortest, longest) = WAIT;
    // A broker that is only started again is soon back, and the house waits for it.
    let doublings = if failures < RESTARTS_WITHIN { failures.min(2) } else { (failures - RESTARTS_WITHIN + 3).min(10) };
    let most = shortest.saturating_mul(1 << doublings).min(longest);
    shortest + most.saturating_sub(shortest).mul_f64(random.clamp(0.0, 1.0))
}

/// 0 to 1, different each time: the standard library seeds its hash maps with it.
fn random() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_one_second_to_a_minute() {
        for failures in 0..40 {
            for random in [0.0, 0.5, 1.0] {
                let wait = wait(failures, random);
                assert!((WAIT.0..=WAIT.1).contains(&wait), "{failures} {random} {wait:?}");
            }
        }
        assert_eq!(wait(1, 1.0), Duration::from_secs(2));
        assert_eq!(wait(3, 1.0), Duration::from_secs(4));
        assert_eq!(wait(RESTARTS_WITHIN, 1.0), Duration::from_secs(8));
        assert_eq!(wait(30, 1.0), Duration::from_secs(60));
        assert!((0..100).map(|_| random()).all(|r| (0.0..=1.0).contains(&r)));
    }
}
