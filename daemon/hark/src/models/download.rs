//! One file over HTTP, with patience: what has come stays, and the next attempt goes on from there.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use ureq::http::{Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, Error};

/// No archive of a model is larger.
const MOST_BYTES: u64 = 2 << 30;
/// Pieces of 64 kB that may wait to be written; the network waits for the disk.
const WAITING: usize = 4;

/// How long is waited, and for what.
#[derive(Clone, Debug)]
pub struct Patience {
    /// For the connection, and for the answer to a question.
    pub answer: Duration,
    /// For the next piece.
    pub piece: Duration,
    /// Before each further attempt, while something comes each time.
    pub pauses: Vec<Duration>,
}

impl Default for Patience {
    fn default() -> Patience {
        let pauses = [1, 2, 5, 10].map(Duration::from_secs).into();
        Patience { answer: Duration::from_secs(20), piece: Duration::from_secs(30), pauses }
    }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are here.
    pub got: u64,
    /// Bytes of them that were here before.
    pub before: u64,
    /// Of how many, where the server says so.
    pub of: Option<u64>,
}

/// What a piece of a file was a piece of; lies beside it.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    url: String,
    /// ETag, else Last-Modified, as the server wrote it.
    version: String,
    of: Option<u64>,
}

/// Why an attempt ended.
enum Failure {
    /// The next attempt may go on.
    Broken(String),
    /// No further attempt is worth while.
    Final(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(err: anyhow::Error) -> Failure {
        Failure::Final(err)
    }
}

/// A file that is being fetched.
pub struct Download {
    /// Where from.
    pub url: String,
    /// Where to; what has come of it is beside it, under the same name with `.part`.
    pub to: PathBuf,
    /// How many bytes it must have, where that is known.
    pub size: Option<u64>,
    /// How long is waited.
    pub patience: Patience,
}

impl Download {
    /// Fetches the file, or what is missing of it.
    ///
    /// # Errors
    /// When it cannot be had; the text says why, and whether what has come is kept.
    pub fn run(&self, tell: &mut dyn FnMut(Progress)) -> anyhow::Result<()> {
        let agent = self.agent();
        let mut pauses = self.patience.pauses.iter();
        loop {
            let before = self.here();
            match self.attempt(&agent, tell) {
                Ok(()) => break,
                Err(Failure::Final(err)) => return Err(err),
                Err(Failure::Broken(why)) => {
                    let here = self.here();
                    match pauses.next().filter(|_| here > before) {
                        Some(pause) => std::thread::sleep(*pause),
                        None => bail!("{}: {why}; {}", self.url, kept(here)),
                    }
                }
            }
        }
        fs::rename(self.part(), &self.to).with_context(|| format!("writing `{}`", self.to.display()))?;
        let _ = fs::remove_file(self.origin_file());
        Ok(())
    }

    /// Forgets what has come.
    pub fn forget(&self) {
        for file in [self.part(), self.origin_file()] {
            // It need not be there.
            let _ = fs::remove_file(file);
        }
    }

    fn agent(&self) -> Agent {
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // What was asked for over TLS does not come without.
            .https_only(self.url.starts_with("https:"))
            .timeout_connect(Some(self.patience.answer))
            .timeout_recv_response(Some(self.patience.answer))
            .user_agent(concat!("hark/", env!("CARGO_PKG_VERSION")))
            .build();
        config.into()
    }

    fn attempt(&self, agent: &Agent, tell: &mut dyn FnMut(Progress)) -> Result<(), Failure> {
        let origin = self.origin();
        let before = if origin.is_some() { self.here() } else { 0 };
        let mut request = agent.get(&self.url);
        if let Some(origin) = origin.as_ref().filter(|_| before > 0) {
            request = request.header("Range", format!("bytes={before}-"));
            if !origin.version.is_empty() {
                request = request.header("If-Range", &origin.version);
            }
        }
        let response = request.call().map_err(|err| self.unreachable(&err))?;
        let (before, of) = match response.status() {
            StatusCode::OK => (0, length(&response)),
            StatusCode::PARTIAL_CONTENT => match content_range(&response) {
                Some((from, of))
                    if from == before && (of.is_none() || origin.and_then(|it| it.of).is_none_or(|it| Some(it) == of)) =>
                {
                    (before, of)
                }
                // Another file by now, or a server that cannot count.
                _ => {
                    self.forget();
                    return Err(Failure::Broken("the server sends another piece than was asked for".into()));
                }
            },
            StatusCode::RANGE_NOT_SATISFIABLE if before > 0 => {
                if Some(before) == origin.and_then(|it| it.of) {
                    return Ok(());
                }
                self.forget();
                return self.attempt(agent, tell);
            }
            status => return Err(self.refused(status)),
        };
        self.expected(&response, of)?;
        let mut file = if before == 0 { self.begin(&response, of)? } else { self.go_on()? };
        let mut progress = Progress { got: before, before, of: of.or(self.size) };
        tell(progress);
        let pieces = pieces(response);
        loop {
            let piece = match pieces.recv_timeout(self.patience.piece) {
                Ok(Ok(piece)) => piece,
                Ok(Err(why)) => return Err(Failure::Broken(why)),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Failure::Broken(format!("nothing came for {} s", self.patience.piece.as_secs())));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            file.write_all(&piece).map_err(|err| self.unwritable(&err))?;
            progress.got += piece.len() as u64;
            if progress.got > of.unwrap_or(MOST_BYTES) {
                self.forget();
                bail_final(format!("{}: more comes than was announced; nothing of it is kept", self.url))?;
            }
            tell(progress);
        }
        file.sync_all().map_err(|err| self.unwritable(&err))?;
        match of {
            Some(of) if progress.got < of => Err(Failure::Broken("the connection ended early".into())),
            _ => Ok(()),
        }
    }

    /// Before anything is written: can this be the archive?
    fn expected(&self, response: &Response<Body>, of: Option<u64>) -> Result<(), Failure> {
        let kind = response.headers().get("content-type").and_then(|it| it.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/html") {
            bail_final(format!(
                "{} is a web page and no archive; correct the address, or look whether a login page of the network stands in between",
                self.url
            ))?;
        }
        match (of, self.size) {
            (Some(of), Some(size)) if of != size => bail_final(format!(
                "{} has {of} bytes instead of {size}: it is another archive than the one in the list; try a mirror, or `--sha256` with the sum of the one that you want",
                self.url
            )),
            (Some(of), _) if of > MOST_BYTES => bail_final(format!("{} has {of} bytes; that is no small model", self.url)),
            _ => Ok(()),
        }
    }

    fn begin(&self, response: &Response<Body>, of: Option<u64>) -> Result<File, Failure> {
        let header = |name: &str| response.headers().get(name).and_then(|it| it.to_str().ok());
        // A weak tag does not promise the same bytes (RFC 9110, 13.1.5).
        let version = header("etag").filter(|it| !it.starts_with("W/")).or_else(|| header("last-modified")).unwrap_or_default();
        let origin = Origin { url: self.url.clone(), version: version.to_owned(), of };
        let file = File::create(self.part()).map_err(|err| self.unwritable(&err))?;
        let text = serde_json::to_string(&origin).context("writing where the archive comes from")?;
        fs::write(self.origin_file(), text).map_err(|err| self.unwritable(&err))?;
        Ok(file)
    }

    fn go_on(&self) -> Result<File, Failure> {
        File::options().append(true).open(self.part()).map_err(|err| self.unwritable(&err))
    }

    fn origin(&self) -> Option<Origin> {
        let bytes = fs::read(self.origin_file()).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|it: &Origin| it.url == self.url)
    }

    fn here(&self) -> u64 {
        fs::metadata(self.part()).map_or(0, |it| it.len())
    }

    fn part(&self) -> PathBuf {
        beside(&self.to, ".part")
    }

    fn origin_file(&self) -> PathBuf {
        beside(&self.to, ".part.json")
    }

    fn unreachable(&self, err: &Error) -> Failure {
        let url = &self.url;
        match err {
            Error::HostNotFound => Failure::Broken("the server is not found".into()),
            Error::Timeout(_) => Failure::Broken(format!("no answer within {} s", self.patience.answer.as_secs())),
            Error::Io(err) if err.kind() == ErrorKind::ConnectionRefused => {
                Failure::Broken("the server refuses the connection".into())
            }
            Error::BadUri(_) | Error::Http(_) => {
                Failure::Final(anyhow::anyhow!("`{url}` is no address; write one like https://mirror.example/models"))
            }
            Error::Io(err) => Failure::Broken(format!("the server cannot be reached ({err})")),
            err => Failure::Broken(err.to_string()),
        }
    }

    fn refused(&self, status: StatusCode) -> Failure {
        let url = &self.url;
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Failure::Final(anyhow::anyhow!(
                "{url} is not there ({}); name another place with `--mirror`, or a newer model: https://alphacephei.com/vosk/models",
                status.as_u16()
            )),
            status if status.is_server_error() => Failure::Broken(format!("the server is in trouble ({})", status.as_u16())),
            status => Failure::Final(anyhow::anyhow!("{url}: the server answers {status}; try a mirror")),
        }
    }

    fn unwritable(&self, err: &std::io::Error) -> Failure {
        let part = self.part();
        Failure::Final(match err.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => anyhow::anyhow!(
                "the disk of `{}` is full; make room, {}",
                part.parent().unwrap_or(Path::new("")).display(),
                kept(self.here())
            ),
            _ => anyhow::anyhow!("`{}` cannot be written: {err}", part.display()),
        })
    }
}

fn bail_final(why: String) -> Result<(), Failure> {
    Err(Failure::Final(anyhow::anyhow!(why)))
}

fn kept(here: u64) -> String {
    match here {
        0 => "look whether this machine has a network, try a mirror, or copy the archive here and use `--file`".into(),
        n => format!("{} are here, and the same command goes on from there", super::megabytes(n)),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn length(response: &Response<Body>) -> Option<u64> {
    response.headers().get("content-length")?.to_str().ok()?.parse().ok()
}

/// `bytes 100-199/200` or `bytes 100-199/*`: from where, and of how many.
fn content_range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let range = response.headers().get("content-range")?.to_str().ok()?.strip_prefix("bytes ")?;
    let (span, of) = range.split_once('/')?;
    Some((span.split_once('-')?.0.parse().ok()?, of.parse().ok()))
}

/// Reads on a thread of its own, because a read from the network cannot be given up otherwise.
fn pieces(response: Response<Body>) -> Receiver<Result<Vec<u8>, String>> {
    let (out, pieces) = sync_channel(WAITING);
    let mut body = response.into_body().into_reader();
    std::thread::spawn(move || {
        loop {
            let mut piece = vec![0; 1 << 16];
            let piece = match body.read(&mut piece) {
                Ok(0) => return,
                Ok(n) => {
                    piece.truncate(n);
                    Ok(piece)
                }
                Err(err) => Err(format!("the connection broke: {err}")),
            };
            // Nobody takes it when it was given up.
            if out.send(piece).is_err() {
                return;
            }
        }
    });
    pieces
}
