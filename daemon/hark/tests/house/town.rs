//! Speakers without sound: their house and their MQTT, as in the daemon.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command as Program, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hark::config::{Broker as Where, MqttSettings};
use hark::house::courier::HouseStatus;
use hark::house::office::{Ask, Told};
use hark::house::{Connections, Delivered, House, HouseSettings, Letter, Post, To, start};
use hark::mqtt::{About, Mqtt, Outgoing};
use hark::request::Request;
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(30);

/// Which ways a speaker has to others.
#[derive(Clone, Copy)]
pub struct Ways {
    pub straight: bool,
    pub broker: bool,
}

/// A mosquitto without persistence.
pub struct Broker {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl Broker {
    pub fn start() -> Broker {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("mosquitto.conf"),
            format!("listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"),
        )
        .unwrap();
        let process = run(&folder, port);
        Broker { folder, port, process }
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.process = run(&self.folder, self.port);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(folder: &TempDir, port: u16) -> Child {
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let process = Program::new("mosquitto")
        .arg("-c")
        .arg(folder.path().join("mosquitto.conf"))
        .env("PATH", path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto is installed by `make test`");
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < PATIENCE, "mosquitto does not listen");
        thread::sleep(Duration::from_millis(5));
    }
    process
}

/// One speaker.
pub struct Room {
    pub name: &'static str,
    pub post: Post,
    house: House,
    link: Option<SocketAddr>,
    _folder: TempDir,
    _outgoing: mpsc::Sender<Outgoing>,
    _requests: mpsc::Receiver<Request>,
    _codes: mpsc::Receiver<String>,
    mqtt: JoinHandle<()>,
}

impl Room {
    pub async fn start(name: &'static str, broker: &Broker, ways: Ways) -> Room {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let link: Option<SocketAddr> = ways.straight.then(|| ([127, 0, 0, 1], port).into());
        let settings = HouseSettings {
            room: name.into(),
            name: name.into(),
            floor: None,
            groups: Vec::new(),
            folder: folder.path().join("house"),
            base: "hark".into(),
            listen: link,
            multicast: None,
            interface: None,
            mdns: false,
        };
        let (to_house, from_broker) = mpsc::channel(256);
        let (to_broker, from_house) = mpsc::channel(256);
        let (speak, codes) = mpsc::channel(4);
        let house = start(settings, Connections { from_broker, to_broker, speak }).await.unwrap();
        let at = Where::At { host: "127.0.0.1".into(), port: broker.port, tls: None };
        let at = if ways.broker { at } else { Where::Off };
        let mqtt = MqttSettings { broker: at, base: "hark".into(), login: None, discovery_prefix: None };
        let (outgoing, from_app) = mpsc::channel(64);
        let (to_app, requests) = mpsc::channel(64);
        let mqtt = Mqtt::new(mqtt, name.into(), About::default(), false, from_app, to_app).with_house(to_house, from_house);
        let connected = mqtt.connected();
        let mqtt = tokio::spawn(mqtt.run());
        let begun = Instant::now();
        while ways.broker && !connected.load(std::sync::atomic::Ordering::Relaxed) {
            assert!(begun.elapsed() < PATIENCE);
            sleep(Duration::from_millis(5)).await;
        }
        // The subscriptions follow the connection.
        sleep(Duration::from_millis(50)).await;
        let post = house.post.clone();
        Room { name, post, house, link, _folder: folder, _outgoing: outgoing, _requests: requests, _codes: codes, mqtt }
    }

    pub fn link(&self) -> SocketAddr {
        self.link.unwrap()
    }

    pub async fn ask(&self, ask: Ask) -> Result<Told, String> {
        let (tell, told) = oneshot::channel();
        self.house.asked.send((ask, tell)).await.unwrap();
        timeout(PATIENCE, told).await.expect("answered in time").unwrap()
    }

    pub async fn status(&self) -> HouseStatus {
        match self.ask(Ask::Status).await {
            Ok(Told::Status(status)) => status,
            other => panic!("{other:?}"),
        }
    }

    /// Joins the house of another one.
    pub async fn join(&self, other: &Room, at: Option<SocketAddr>) -> Result<(), String> {
        let Ok(Told::Code(code, _)) = other.ask(Ask::Invite).await else { panic!("no code") };
        self.ask(Ask::Join { code, at }).await.map(|_| ())
    }

    /// Waits until just these are its members.
    pub async fn knows(&self, rooms: &[&str]) {
        self.wait(|house| {
            let known: Vec<_> = house.members.iter().map(|it| it.room.as_str()).collect();
            known.len() == rooms.len() && rooms.iter().all(|it| known.contains(it))
        })
        .await;
    }

    /// Waits until that room is up.
    pub async fn up(&self, room: &str) {
        self.wait(|house| house.members.iter().any(|it| it.room == room && it.up)).await;
    }

    async fn wait(&self, is: impl Fn(&HouseStatus) -> bool) {
        let begun = Instant::now();
        loop {
            let status = self.status().await;
            if is(&status) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{}: {status:#?}", self.name);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a letter there and sees it arrive.
    pub async fn deliver(&self, name: &str, to: &mut Room) {
        // Longer than any end takes to come back to a broker that was away for a moment.
        let letter = Letter { keep_trying_for: Duration::from_secs(12), ..letter(To::Room(name.into()), "call.offer") };
        self.post.send(letter).await.expect("delivered");
        let came = timeout(PATIENCE, to.house.calls.recv()).await.expect("came in time").unwrap();
        assert_eq!(
            (came.from.as_str(), came.kind.as_str(), came.body["secret"].as_str()),
            (self.name, "call.offer", Some("dinner"))
        );
        assert!(to.nothing_came(), "once");
    }

    pub async fn desk(&mut self) -> Delivered {
        timeout(PATIENCE, self.house.desk.recv()).await.expect("came in time").unwrap()
    }

    pub fn nothing_came(&mut self) -> bool {
        self.house.calls.try_recv().is_err() && self.house.desk.try_recv().is_err()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.mqtt.abort();
        self.house.tasks.iter().for_each(JoinHandle::abort);
    }
}

pub fn letter(to: To, kind: &str) -> Letter {
    let keep_trying_for = Duration::from_secs(3);
    Letter { to, kind: kind.into(), call: Some("c1".into()), body: json!({ "secret": "dinner" }), blob: None, keep_trying_for }
}

/// Messages, each with its topic.
type Heard = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Somebody with the broker's password.
pub struct Eavesdropper {
    client: Client,
    heard: Heard,
}

impl Eavesdropper {
    pub fn listen(broker: &Broker) -> Eavesdropper {
        let mut options = MqttOptions::new("guest", "127.0.0.1", broker.port);
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut connection) = Client::new(options, 1000);
        client.subscribe("#", QoS::AtLeastOnce).unwrap();
        let heard = Heard::default();
        let note = heard.clone();
        thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::Publish(it))) => note.lock().unwrap().push((it.topic, it.payload.to_vec())),
                    Ok(_) => (),
                    Err(_) => return,
                }
            }
        });
        Eavesdropper { client, heard }
    }

    pub fn heard(&self, topic: &str) -> Vec<(String, Vec<u8>)> {
        let mut heard = self.heard.lock().unwrap().clone();
        heard.retain(|it| it.0 == topic);
        heard.truncate(20);
        heard
    }

    pub fn say(&self, topic: &str, payload: &[u8], retain: bool) {
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload).unwrap();
    }
}
