//! mosquitto on a port of its own, or the broker of a speaker, and mosquitto_sub writing down everything that is said there.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::children::{Running, eventually, free_port, output, spawn};

/// The broker with its listener.
pub struct Broker {
    pub port: u16,
    folder: PathBuf,
    heard: Arc<Mutex<Vec<Message>>>,
    subscriber: Child,
    /// Without one it is somebody else's, or stopped.
    server: Option<Running>,
}

/// One message that went over the broker.
#[derive(Clone, Debug)]
pub struct Message {
    pub at: Instant,
    pub topic: String,
    pub payload: String,
}

impl Message {
    /// The payload's `key`, as text; empty where there is none.
    pub fn get(&self, key: &str) -> String {
        let json: Value = serde_json::from_str(&self.payload).unwrap_or_default();
        match &json[key] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }
}

impl Broker {
    pub fn start(folder: &Path) -> Self {
        Self::start_at(folder, &["127.0.0.1"], "")
    }

    /// Listens at more addresses, with more lines of mosquitto.conf.
    pub fn start_at(folder: &Path, addresses: &[&str], more: &str) -> Self {
        let port = free_port();
        let mut conf = String::from("allow_anonymous true\npersistence false\nlog_type error\nlog_type warning\n");
        for address in addresses {
            let _ = writeln!(conf, "listener {port} {address}");
        }
        std::fs::write(folder.join("mosquitto.conf"), conf + more).expect("mosquitto.conf");
        let server = serve(folder, port);
        Self::listen_to(folder, port, Some(server))
    }

    /// Listens to a broker that runs already.
    pub fn of_a_speaker(folder: &Path, port: u16) -> Self {
        Self::listen_to(folder, port, None)
    }

    fn listen_to(folder: &Path, port: u16, server: Option<Running>) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let subscriber = subscribe(port, heard.clone());
        let broker = Self { port, folder: folder.to_owned(), heard, subscriber, server };
        broker.wait_heard();
        broker
    }

    /// Waits until what is published is heard.
    fn wait_heard(&self) {
        let mark = self.mark();
        eventually("mosquitto_sub", Duration::from_secs(8), || {
            let _ = self.publishing("test/ready", "").stderr(Stdio::null()).status();
            self.heard().iter().skip(mark).any(|it| it.topic == "test/ready").then_some(())
        });
    }

    /// Kills mosquitto; what it knew is gone.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts mosquitto again after [`Broker::kill`]; whoever listens connects again by and by.
    pub fn start_again(&mut self) {
        self.server = Some(serve(&self.folder, self.port));
        // What is told at once is not to be missed.
        let _ = self.subscriber.kill();
        let _ = self.subscriber.wait();
        self.subscriber = subscribe(self.port, self.heard.clone());
    }

    /// Everything so far.
    pub fn heard(&self) -> Vec<Message> {
        self.heard.lock().expect("messages").clone()
    }

    /// How many messages there are, to look only at later ones.
    pub fn mark(&self) -> usize {
        self.heard.lock().expect("messages").len()
    }

    /// Says something there.
    pub fn publish(&self, topic: &str, payload: &str) {
        output(&mut self.publishing(topic, payload));
    }

    fn publishing(&self, topic: &str, payload: &str) -> Command {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-p", &self.port.to_string(), "-h", "127.0.0.1", "-q", "1", "-t", topic, "-m", payload]);
        command
    }

    /// Waits for the first message from `mark` on that is as wanted.
    #[track_caller]
    pub fn wait(&self, mark: usize, what: &str, within: Duration, is: impl Fn(&Message) -> bool) -> Message {
        eventually(what, within, || self.heard.lock().expect("messages").iter().skip(mark).find(|it| is(it)).cloned())
    }

    /// Waits until the call topic says this state.
    #[track_caller]
    pub fn wait_state(&self, mark: usize, state: &str, within: Duration) -> Message {
        self.wait(mark, &format!("the call to be `{state}` on MQTT"), within, |it| {
            it.topic.ends_with("/call") && it.get("state") == state
        })
    }

    /// Waits for an event.
    #[track_caller]
    pub fn wait_event(&self, mark: usize, event: &str, within: Duration) -> Message {
        self.wait(mark, &format!("the event `{event}` on MQTT"), within, |it| {
            it.topic.ends_with("/event") && it.get("event") == event
        })
    }

    /// The states that the call topic went through from `mark` on, repetitions left out.
    pub fn states(&self, mark: usize) -> Vec<String> {
        let mut states: Vec<String> =
            self.heard().iter().skip(mark).filter(|it| it.topic.ends_with("/call")).map(|it| it.get("state")).collect();
        states.dedup();
        states
    }

    /// The same of one room.
    pub fn states_of(&self, room: &str, mark: usize) -> Vec<String> {
        let topic = format!("hark/{room}/call");
        let heard = self.heard();
        let mut states: Vec<String> = heard.iter().skip(mark).filter(|it| it.topic == topic).map(|it| it.get("state")).collect();
        states.dedup();
        states
    }

    /// Whether the broker runs (for scenes that shout at it).
    pub fn alive(&mut self) -> bool {
        self.server.as_mut().is_some_and(Running::alive)
    }

    /// mosquitto's process, for measuring.
    pub fn pid(&self) -> u32 {
        self.server.as_ref().expect("a mosquitto of ours that runs").pid()
    }
}

/// Writes down what is said there.
fn subscribe(port: u16, to: Arc<Mutex<Vec<Message>>>) -> Child {
    let mut subscriber = spawn(
        Command::new("mosquitto_sub")
            .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-q", "1", "-F", "%t\t%p", "-t", "#"])
            .stdout(Stdio::piped()),
    );
    let from = subscriber.stdout.take().expect("piped");
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let (topic, payload) = line.split_once('\t').unwrap_or((&line, ""));
            to.lock().expect("messages").push(Message {
                at: Instant::now(),
                topic: topic.to_owned(),
                payload: payload.to_owned(),
            });
        }
    });
    subscriber
}

fn serve(folder: &Path, port: u16) -> Running {
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("mosquitto");
    command.arg("-c").arg(folder.join("mosquitto.conf")).env("PATH", path);
    let mut server = Running::start("mosquitto", folder, &mut command);
    eventually("mosquitto", Duration::from_secs(5), || {
        assert!(server.alive(), "mosquitto ended: {}", server.printed());
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    server
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.subscriber.kill();
        let _ = self.subscriber.wait();
        if std::thread::panicking() {
            let heard = self.heard();
            eprintln!("---- MQTT (last of {} messages)", heard.len());
            for message in heard.iter().rev().take(40).rev() {
                let payload: String = message.payload.chars().take(200).collect();
                eprintln!("     {:7.2} s ago  {}  {payload}", message.at.elapsed().as_secs_f64(), message.topic);
            }
        }
    }
}
