//! An HTTP server for one file, which can break off, fall silent, and answer wrongly.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What it does.
#[derive(Clone)]
pub struct Behaviour {
    /// After how many bytes each answer breaks off; further answers are whole.
    pub breaks_after: Vec<usize>,
    /// After how many bytes it says nothing more and keeps the connection.
    pub silent_after: Option<usize>,
    /// Always sends all of it.
    pub no_ranges: bool,
    /// Another one is another file.
    pub etag: String,
    /// In place of 200 or 206.
    pub status: &'static str,
    pub kind: &'static str,
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            breaks_after: Vec::new(),
            silent_after: None,
            no_ranges: false,
            etag: "\"1\"".into(),
            status: "",
            kind: "application/zip",
        }
    }
}

#[derive(Default)]
struct Log {
    ranges: Vec<Option<u64>>,
    sent: u64,
    /// Those that were kept open.
    open: Vec<TcpStream>,
}

/// It runs until the test ends.
pub struct Server {
    at: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
    log: Arc<Mutex<Log>>,
}

impl Server {
    pub fn start(bytes: Vec<u8>, behaviour: Behaviour) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (behaviour, log) = (Arc::new(Mutex::new(behaviour)), Arc::new(Mutex::new(Log::default())));
        let (to, told) = (behaviour.clone(), log.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that went away is none of this test's business.
                let _ = answer(stream.unwrap(), &bytes, &to, &told);
            }
        });
        Server { at, behaviour, log }
    }

    pub fn url(&self, file: &str) -> String {
        format!("http://{}/{file}", self.at)
    }

    pub fn behave(&mut self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// From where on was asked, each time.
    pub fn ranges(&self) -> Vec<Option<u64>> {
        self.log.lock().unwrap().ranges.clone()
    }

    pub fn n_requests(&self) -> usize {
        self.ranges().len()
    }

    pub fn sent(&self) -> u64 {
        self.log.lock().unwrap().sent
    }
}

fn answer(mut stream: TcpStream, bytes: &[u8], behaviour: &Mutex<Behaviour>, log: &Mutex<Log>) -> std::io::Result<()> {
    let (mut range, mut if_range) = (None, None);
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(line) = lines.next().transpose()?.filter(|it| !it.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_lowercase().as_str() {
            "range" => range = value.trim_start_matches("bytes=").trim_end_matches('-').parse::<u64>().ok(),
            "if-range" => if_range = Some(value.to_owned()),
            _ => (),
        }
    }
    log.lock().unwrap().ranges.push(range);
    let (it, breaks_after) = {
        let mut it = behaviour.lock().unwrap();
        let breaks_after = (!it.breaks_after.is_empty()).then(|| it.breaks_after.remove(0));
        (it.clone(), breaks_after)
    };
    let from = range.filter(|_| !it.no_ranges && if_range.is_none_or(|tag| tag == it.etag)).unwrap_or(0) as usize;
    if from >= bytes.len() {
        return write!(stream, "HTTP/1.1 416 x\r\nContent-Range: bytes */{}\r\nContent-Length: 0\r\n\r\n", bytes.len());
    }
    let body = &bytes[from..];
    let status = match (it.status, from) {
        ("", 0) => "200 OK",
        ("", _) => "206 Partial Content",
        (status, _) => status,
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {}\r\nETag: {}\r\nContent-Range: bytes {from}-{}/{}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        it.kind,
        it.etag,
        bytes.len() - 1,
        bytes.len(),
        body.len()
    )?;
    let n = breaks_after.or(it.silent_after).unwrap_or(body.len()).min(body.len());
    stream.write_all(&body[..n])?;
    let mut log = log.lock().unwrap();
    log.sent += n as u64;
    if it.silent_after.is_some() {
        log.open.push(stream);
        return Ok(());
    }
    stream.shutdown(Shutdown::Write)
}
