//! The control socket: one JSON object a line in, one a line out. Only the user and the group may open it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use crate::app;
use crate::house::office;
use crate::mqtt::verbs;
use crate::request::Request;
use crate::status::Status;

/// The longest question; longer ones are refused.
const LONGEST_LINE: u64 = 64 * 1024;

/// How many may be connected at once.
const MOST_CLIENTS: usize = 16;

/// A question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase", deny_unknown_fields)]
pub enum Question {
    /// The state of everything.
    Status,
    /// About the house.
    House(office::Ask),
    /// A command, with the verbs and bodies of docs/mqtt.md.
    Do {
        /// `dial`, `answer`, ...
        verb: String,
        /// The body; `null` where the verb needs none.
        #[serde(default)]
        body: Value,
    },
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was done.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// To `Status`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<Box<Status>>,
    /// To `House`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub house: Option<office::Told>,
}

impl Answer {
    fn error(error: impl Into<String>) -> Answer {
        Answer { ok: false, error: Some(error.into()), ..Answer::done() }
    }

    fn done() -> Answer {
        Answer { ok: true, error: None, status: None, house: None }
    }
}

/// What the socket needs of the app.
#[derive(Clone)]
pub struct Doors {
    /// Commands.
    pub requests: mpsc::Sender<Request>,
    /// Questions.
    pub questions: mpsc::Sender<app::Question>,
    /// Questions about the house.
    pub house: mpsc::Sender<office::Asked>,
}

/// The socket, listening.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    doors: Doors,
}

impl Socket {
    /// Listens at `path`. A socket that a dead process left behind is replaced.
    ///
    /// # Errors
    /// When another speaker listens there, or the folder cannot be written to.
    pub async fn open(path: &Path, doors: Doors) -> anyhow::Result<Socket> {
        if UnixStream::connect(path).await.is_ok() {
            bail!(
                "another hark is running: it listens at {}; stop it first, or give this one its own `socket` in hark.yaml",
                path.display()
            );
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("making the folder of the control socket, {}", folder.display()))?;
        }
        match std::fs::remove_file(path) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
                return Err(err).with_context(|| format!("removing the old control socket {}", path.display()));
            }
            _ => (),
        }
        let listener = bind_private(path).with_context(|| format!("listening at the control socket {}", path.display()))?;
        Ok(Socket { listener, path: path.to_owned(), doors })
    }

    /// Answers until it is dropped.
    pub async fn run(self) {
        let places = std::sync::Arc::new(tokio::sync::Semaphore::new(MOST_CLIENTS));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((client, _)) => {
                    let doors = self.doors.clone();
                    tokio::spawn(async move {
                        if let Err(err) = serve(client, doors).await {
                            debug!(%err, "a client of the control socket went away");
                        }
                        drop(place);
                    });
                }
                Err(err) => {
                    warn!(%err, "the control socket cannot accept");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Binds with the mode 0660 from the first moment on: the mask is set before, so that nobody else can slip in.
fn bind_private(path: &Path) -> std::io::Result<UnixListener> {
    // SAFETY: umask takes no pointers and cannot fail. It is process wide; nothing else makes files at this moment of the start.
    let before = unsafe { libc::umask(0o117) };
    let listener = UnixListener::bind(path);
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    let listener = listener?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

async fn serve(client: UnixStream, doors: Doors) -> std::io::Result<()> {
    let (reader, mut writer) = client.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let n = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        if n == 0 {
            return Ok(());
        }
        let too_long = n as u64 == LONGEST_LINE && line.last() != Some(&b'\n');
        let answer = if too_long { Answer::error("the line is longer than 64 kB") } else { answer(&line, &doors).await };
        let mut text = serde_json::to_vec(&answer).map_err(std::io::Error::other)?;
        text.push(b'\n');
        writer.write_all(&text).await?;
        if too_long {
            return Ok(());
        }
    }
}

async fn answer(line: &[u8], doors: &Doors) -> Answer {
    let question = match serde_json::from_slice(line) {
        Ok(question) => question,
        Err(err) => {
            return Answer::error(format!("not understood: {err}; one JSON object a line, such as {{\"ask\":\"status\"}}"));
        }
    };
    match question {
        Question::Status => {
            let (reply, status) = oneshot::channel();
            if doors.questions.send(app::Question::Status(reply)).await.is_err() {
                return Answer::error("hark is stopping");
            }
            match status.await {
                Ok(status) => Answer { status: Some(Box::new(status)), ..Answer::done() },
                Err(_) => Answer::error("hark is stopping"),
            }
        }
        Question::House(ask) => {
            let (reply, told) = oneshot::channel();
            if doors.house.send((ask, reply)).await.is_err() {
                return Answer::error(
                    "this speaker takes part in no house; `hark status` tells why, or see `house.enabled` in hark.yaml",
                );
            }
            match told.await {
                Ok(Ok(told)) => Answer { house: Some(told), ..Answer::done() },
                Ok(Err(why)) => Answer::error(why),
                Err(_) => Answer::error("hark is stopping"),
            }
        }
        Question::Do { verb, body } => {
            // The socket and MQTT share their verbs and bodies; no body is an empty one.
            let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            let command = match verbs::read(&verb, &body).command {
                Ok(command) => command,
                Err(err) => return Answer::error(err),
            };
            let (reply, done) = oneshot::channel();
            if doors.requests.send(Request { command, reply: Some(reply) }).await.is_err() {
                return Answer::error("hark is stopping");
            }
            match done.await {
                Ok(Ok(())) => Answer::done(),
                Ok(Err(err)) => Answer::error(err),
                Err(_) => Answer::error("hark is stopping"),
            }
        }
    }
}

/// Asks a running speaker.
///
/// # Errors
/// When nobody listens at `path`, or what comes back is no answer.
pub async fn ask(path: &Path, question: &Question) -> anyhow::Result<Answer> {
    let client = UnixStream::connect(path).await.with_context(|| {
        format!("no speaker answers at {}; start one with `hark run`, or name its socket with --socket", path.display())
    })?;
    let (reader, mut writer) = client.into_split();
    let mut text = serde_json::to_vec(question)?;
    text.push(b'\n');
    writer.write_all(&text).await?;
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).await?;
    serde_json::from_str(&line).context("reading the speaker's answer")
}
