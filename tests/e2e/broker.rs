//! mosquitto on a port of its own, and mosquitto_sub writing down everything that is said there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::children::{Running, eventually, free_port, output, spawn};

/// The broker with its listener.
pub struct Broker {
    pub port: u16,
    heard: Arc<Mutex<Vec<Message>>>,
    subscriber: Child,
    server: Running,
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
        let port = free_port();
        let file = folder.join("mosquitto.conf");
        std::fs::write(
            &file,
            format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\nlog_type warning\n"),
        )
        .expect("mosquitto.conf");
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let mut server = Running::start("mosquitto", folder, Command::new("mosquitto").arg("-c").arg(&file).env("PATH", path));
        eventually("mosquitto", Duration::from_secs(5), || {
            assert!(server.alive(), "mosquitto ended: {}", server.printed());
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        let mut subscriber = spawn(
            Command::new("mosquitto_sub")
                .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-q", "1", "-F", "%t\t%p", "-t", "#"])
                .stdout(Stdio::piped()),
        );
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (from, to) = (subscriber.stdout.take().expect("piped"), heard.clone());
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
        let broker = Self { port, heard, subscriber, server };
        eventually("mosquitto_sub", Duration::from_secs(5), || {
            broker.publish("test/ready", "");
            (!broker.heard().is_empty()).then_some(())
        });
        broker
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
        output(Command::new("mosquitto_pub").args([
            "-p",
            &self.port.to_string(),
            "-h",
            "127.0.0.1",
            "-q",
            "1",
            "-t",
            topic,
            "-m",
            payload,
        ]));
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

    /// Whether the broker runs (for scenes that shout at it).
    pub fn alive(&mut self) -> bool {
        self.server.alive()
    }
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
