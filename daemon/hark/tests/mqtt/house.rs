//! Brokers, somebody who watches, and the MQTT task that is looked at.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use control::house::HouseEvent;
use control::input::Command;
use hark::config::house::Watched;
use hark::config::{Broker, MqttSettings, Secret};
use hark::mqtt::{About, Mqtt, Outgoing};
use hark::request::Request;
use rumqttc::{Client, Event, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(20);

pub fn settings(broker: Broker) -> MqttSettings {
    MqttSettings { broker, base: "hark".into(), login: None, discovery_prefix: Some("homeassistant".into()) }
}

pub fn embedded() -> Broker {
    Broker::Embedded(([127, 0, 0, 1], free_port()).into())
}

pub fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A mosquitto without persistence: what it knows after a restart, it was told again.
pub struct Mosquitto {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl Mosquitto {
    pub fn start() -> Mosquitto {
        let port = free_port();
        Mosquitto::with(port, tempfile::tempdir().unwrap(), &format!("listener {port} 127.0.0.1\nallow_anonymous true\n"))
    }

    /// As configs/mosquitto says, at another port and in another folder.
    pub fn start_example() -> Mosquitto {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("hark");
        let made =
            Program::new(here("configs/mosquitto/make-certificates.sh")).arg(&at).args(["localhost", "127.0.0.1"]).output();
        assert!(made.unwrap().status.success());
        std::fs::copy(here("configs/mosquitto/acl"), at.join("acl")).unwrap();
        for (n, user) in ["kitchen", "living-room", "homeassistant", "hall-display"].iter().enumerate() {
            let mut command = Program::new("mosquitto_passwd");
            if n == 0 {
                command.arg("-c");
            }
            assert!(command.arg("-b").arg(at.join("passwords")).args([user, "secret"]).status().unwrap().success());
        }
        let port = free_port();
        let example = std::fs::read_to_string(here("configs/mosquitto/mosquitto.conf")).unwrap();
        let example =
            example.replace("/etc/mosquitto/hark", at.to_str().unwrap()).replace("listener 8883", &format!("listener {port}"));
        // Debian's mosquitto gives up root, and a folder of root's with it.
        Mosquitto::with(port, folder, &format!("{example}\nuser root\n"))
    }

    fn with(port: u16, folder: TempDir, config: &str) -> Mosquitto {
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let process = run_mosquitto(folder.path(), port);
        Mosquitto { folder, port, process }
    }

    pub fn broker(&self) -> Broker {
        Broker::At { host: "127.0.0.1".into(), port: self.port, tls: None }
    }

    /// For the example: encrypted, with a password.
    pub fn settings(&self, user: &str) -> MqttSettings {
        let tls = Some(Some(self.folder.path().join("hark/ca.pem")));
        let broker = Broker::At { host: "localhost".into(), port: self.port, tls };
        MqttSettings { login: Some((user.into(), Secret("secret".into()))), ..settings(broker) }
    }

    /// For the example: encrypted, with a password.
    pub fn watch(&self, user: &str) -> House {
        let ca = std::fs::read(self.folder.path().join("hark/ca.pem")).unwrap();
        let mut options = MqttOptions::new(format!("watch-{user}"), "localhost", self.port);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::SimpleNative { ca, client_auth: None }));
        options.set_credentials(user, "secret");
        House::with(options)
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.process = run_mosquitto(self.folder.path(), self.port);
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run_mosquitto(folder: &Path, port: u16) -> Child {
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut process = Program::new("mosquitto")
        .arg("-c")
        .arg(folder.join("mosquitto.conf"))
        .env("PATH", path)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("mosquitto is installed by `make test`");
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let log = || std::fs::read_to_string(folder.join("log")).unwrap();
        assert!(process.try_wait().unwrap().is_none(), "mosquitto ended: {}", log());
        assert!(begun.elapsed() < PATIENCE, "mosquitto does not listen: {}", log());
        thread::sleep(Duration::from_millis(5));
    }
    process
}

/// Somebody in the house who hears everything and says things.
pub struct House {
    client: Client,
    heard: Arc<Mutex<Vec<Message>>>,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub topic: String,
    pub payload: String,
    pub retain: bool,
}

impl House {
    pub fn watch(port: u16) -> House {
        House::with(MqttOptions::new(format!("watch-{}", rand_name()), "127.0.0.1", port))
    }

    fn with(mut options: MqttOptions) -> House {
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut connection) = Client::new(options, 200);
        let mut network = connection.eventloop.network_options();
        network.set_tcp_nodelay(true);
        connection.eventloop.set_network_options(network);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (subscribe, note) = (client.clone(), heard.clone());
        thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => subscribe.try_subscribe("#", QoS::AtLeastOnce).unwrap(),
                    Ok(Event::Incoming(Packet::Publish(it))) => {
                        let payload = String::from_utf8_lossy(&it.payload).into_owned();
                        note.lock().unwrap().push(Message { topic: it.topic, payload, retain: it.retain });
                    }
                    Ok(_) => (),
                    // The embedded broker may not be up yet.
                    Err(_) if Arc::strong_count(&note) > 1 => thread::sleep(Duration::from_millis(20)),
                    Err(_) => return,
                }
            }
        });
        House { client, heard }
    }

    pub fn all(&self) -> Vec<Message> {
        self.heard.lock().unwrap().clone()
    }

    pub fn all_json(&self, topic: &str) -> Vec<Value> {
        self.all().iter().filter(|it| it.topic == topic).filter_map(|it| serde_json::from_str(&it.payload).ok()).collect()
    }

    pub fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }

    pub fn say(&self, topic: &str, payload: &str) {
        self.say_bytes(topic, payload.as_bytes(), false);
    }

    pub fn say_bytes(&self, topic: &str, payload: &[u8], retain: bool) {
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload).unwrap();
    }

    pub async fn wait(&mut self, topic: &str, payload: &str) {
        self.find(topic, |message| (message.payload == payload).then_some(())).await;
    }

    pub async fn wait_json(&mut self, topic: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.find(topic, |message| serde_json::from_str(&message.payload).ok().filter(|json| is(json))).await
    }

    async fn find<T>(&self, topic: &str, find: impl Fn(&Message) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = self.all().iter().filter(|it| it.topic == topic).find_map(&find) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "`{topic}` did not come; heard: {:#?}", self.all());
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.client.try_disconnect();
    }
}

fn rand_name() -> u64 {
    use std::hash::BuildHasher;
    std::collections::hash_map::RandomState::new().hash_one(0)
}

/// The MQTT task, with the test in the place of the app.
pub struct Speaker {
    pub port: u16,
    settings: MqttSettings,
    outgoing: mpsc::Sender<Outgoing>,
    requests: mpsc::Receiver<Request>,
    connected: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Speaker {
    pub fn start(settings: MqttSettings) -> Speaker {
        Speaker::start_watching(settings, Vec::new()).0
    }

    /// One that reads topics of others, and what it is told there.
    pub fn start_watching(settings: MqttSettings, watched: Vec<Watched>) -> (Speaker, mpsc::Receiver<HouseEvent>) {
        let port = match &settings.broker {
            Broker::Off => 0,
            Broker::Embedded(at) => at.port(),
            Broker::At { port, .. } => *port,
        };
        let about = About { name: "Kitchen".into(), version: "1.2.3".into(), ..About::default() };
        let (outgoing, from_app) = mpsc::channel(64);
        let (to_app, requests) = mpsc::channel(64);
        let (tell, tidings) = mpsc::channel(64);
        let mqtt = Mqtt::new(settings.clone(), "kitchen".into(), about, false, from_app, to_app).watching(watched, tell);
        let connected = mqtt.connected();
        let task = tokio::spawn(mqtt.run());
        (Speaker { port, settings, outgoing, requests, connected, task }, tidings)
    }

    pub async fn tell(&self, outgoing: Outgoing) {
        self.outgoing.send(outgoing).await.unwrap();
    }

    /// The next thing that is asked for, answered thus.
    pub async fn asked(&mut self, answer: Result<(), String>) -> Command {
        let request = timeout(PATIENCE, self.requests.recv()).await.expect("asked in time").unwrap();
        let _ = request.reply.expect("somebody waits").send(answer);
        request.command
    }

    pub async fn connected(&self) {
        self.wait_connected(true).await;
    }

    pub async fn disconnected(&self) {
        self.wait_connected(false).await;
    }

    async fn wait_connected(&self, wanted: bool) {
        let begun = Instant::now();
        while self.connected.load(Relaxed) != wanted {
            assert!(begun.elapsed() < PATIENCE, "connected: {}", !wanted);
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// As if the process had been killed: the socket closes without a word.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub async fn restart(mut self) -> Speaker {
        assert!(self.requests.try_recv().is_err(), "nothing was asked for");
        let settings = self.settings.clone();
        self.kill().await;
        let speaker = Speaker::start(settings);
        speaker.connected().await;
        speaker
    }

    pub async fn stop(self) {
        drop(self.outgoing);
        timeout(Duration::from_secs(3), self.task).await.expect("stops in time").unwrap();
    }
}
