//! Straight links from speaker to speaker: TCP, each envelope behind its length. Whoever is at the other end is not believed anything here; he is kept from
//! costing much.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::seal::MOST_BYTES;

/// Who may be connected at once; more are turned away.
const MOST_LINKS: usize = 512;
/// And from one address.
const MOST_OF_ONE: usize = 16;
/// Frames that may wait to be written to one link; a full one drops them, and the courier sends them again.
const UNWRITTEN: usize = 64;
/// A speaker in the same house answers within this.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// A link on which nothing comes is closed: the other end is asked how it is more often than that.
const IDLE: Duration = Duration::from_secs(60);
/// Frames a second and link; whoever sends more waits.
const MOST_A_SECOND: u32 = 400;
/// A peer that takes nothing off our hands for so long is gone.
const TAKES_WITHIN: Duration = Duration::from_secs(4);

/// What links tell.
pub enum Notice {
    /// A frame has come.
    Frame {
        /// On which link.
        link: u64,
        /// Who is at its other end.
        from: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
    /// A link is gone.
    Closed(u64),
}

/// What links are asked.
pub enum Order {
    /// Sends on a link that is open.
    Link(u64, Arc<[u8]>),
    /// Sends to an address, on a link that is opened if there is none.
    Address(SocketAddr, Arc<[u8]>),
}

struct Link {
    id: u64,
    at: SocketAddr,
    unwritten: mpsc::Sender<Arc<[u8]>>,
}

/// All straight links of this speaker.
pub struct Direct {
    listener: Option<TcpListener>,
    /// A full channel makes the courier drop.
    orders: mpsc::Receiver<Order>,
    /// A full channel makes the links wait, and with them whoever writes.
    notices: mpsc::Sender<Notice>,
    links: BTreeMap<u64, Link>,
    tasks: JoinSet<u64>,
    next: Arc<AtomicU64>,
}

/// Listens at `wanted`; where somebody else has the port, at any other one, for it is told to the others.
pub async fn listen(wanted: SocketAddr) -> Option<TcpListener> {
    let error = match TcpListener::bind(wanted).await {
        Ok(listener) => return Some(listener),
        Err(error) => error,
    };
    match TcpListener::bind(SocketAddr::new(wanted.ip(), 0)).await {
        Ok(listener) => {
            let at = listener.local_addr().map(|it| it.to_string()).unwrap_or_default();
            info!("other speakers reach this one at {at}: {wanted} is not free ({error})");
            Some(listener)
        }
        Err(_) => {
            warn!(
                "other speakers cannot reach this one without a broker: listening at {wanted}: {error}; see `house.listen` in hark.yaml"
            );
            None
        }
    }
}

impl Direct {
    /// Puts it together.
    pub fn new(listener: Option<TcpListener>, orders: mpsc::Receiver<Order>, notices: mpsc::Sender<Notice>) -> Direct {
        Direct { listener, orders, notices, links: BTreeMap::new(), tasks: JoinSet::new(), next: Arc::default() }
    }

    /// Serves until nobody gives orders.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(Order::Link(id, bytes)) => self.send(id, bytes),
                    Some(Order::Address(at, bytes)) => self.send_to(at, bytes),
                    None => return,
                },
                accepted = accept(&self.listener) => match accepted {
                    Ok((stream, at)) => self.accepted(stream, at),
                    Err(error) => {
                        debug!(%error, "a straight link could not be accepted");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(ended) = self.tasks.join_next() => {
                    if let Ok(id) = ended {
                        self.links.remove(&id);
                        // Only a stopped courier hears nothing.
                        let _ = self.notices.send(Notice::Closed(id)).await;
                    }
                }
            }
        }
    }

    fn accepted(&mut self, stream: TcpStream, at: SocketAddr) {
        let of_one = |ip: IpAddr| self.links.values().filter(|link| link.at.ip() == ip).count();
        if self.links.len() >= MOST_LINKS || (of_one(at.ip()) >= MOST_OF_ONE && !at.ip().is_loopback()) {
            debug!("too many straight links: one more is turned away");
            return;
        }
        let (unwritten_in, unwritten) = mpsc::channel(UNWRITTEN);
        let id = self.begin(at, unwritten_in);
        self.tasks.spawn(serve(id, at, stream, unwritten, self.notices.clone()));
    }

    fn begin(&mut self, at: SocketAddr, unwritten: mpsc::Sender<Arc<[u8]>>) -> u64 {
        let id = self.next.fetch_add(1, Relaxed);
        self.links.insert(id, Link { id, at, unwritten });
        id
    }

    fn send(&mut self, id: u64, bytes: Arc<[u8]>) {
        if let Some(link) = self.links.get(&id)
            && link.unwritten.try_send(bytes).is_err()
        {
            debug!("a straight link is too slow: a letter waits for the next attempt");
        }
    }

    fn send_to(&mut self, at: SocketAddr, bytes: Arc<[u8]>) {
        if let Some(id) = self.links.values().find(|link| link.at == at).map(|link| link.id) {
            return self.send(id, bytes);
        }
        if self.links.len() >= MOST_LINKS {
            return;
        }
        let (unwritten_in, unwritten) = mpsc::channel(UNWRITTEN);
        let id = self.begin(at, unwritten_in);
        let notices = self.notices.clone();
        self.tasks.spawn(async move {
            match timeout(CONNECT_WITHIN, TcpStream::connect(at)).await {
                Ok(Ok(stream)) => serve(id, at, stream, unwritten, notices).await,
                Ok(Err(error)) => {
                    debug!(%error, "no straight link");
                    id
                }
                Err(_) => id,
            }
        });
        self.send(id, bytes);
    }
}

async fn accept(listener: &Option<TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// One link, until either end closes it.
async fn serve(
    id: u64,
    at: SocketAddr,
    stream: TcpStream,
    unwritten: mpsc::Receiver<Arc<[u8]>>,
    notices: mpsc::Sender<Notice>,
) -> u64 {
    let socket = socket2::SockRef::from(&stream);
    if let Err(error) = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_user_timeout(Some(TAKES_WITHIN))) {
        debug!(%error, "a straight link is not as quick as it could be");
    }
    let (reader, writer) = stream.into_split();
    tokio::select! {
        read = read(id, at, reader, notices) => if let Err(error) = read {
            debug!(%error, "a straight link has ended");
        },
        written = write(writer, unwritten) => if let Err(error) = written {
            debug!(%error, "a straight link has ended");
        },
    }
    id
}

async fn read(id: u64, from: SocketAddr, mut reader: OwnedReadHalf, notices: mpsc::Sender<Notice>) -> std::io::Result<()> {
    let (mut second, mut n) = (Instant::now(), 0);
    loop {
        let length = timeout(IDLE, reader.read_u32()).await.map_err(|_| std::io::Error::other("nothing came"))?? as usize;
        if length > MOST_BYTES {
            return Err(std::io::Error::other("what came was no letter"));
        }
        let mut bytes = Vec::with_capacity(length.min(8192));
        let mut letter = (&mut reader).take(length as u64);
        if timeout(IDLE, letter.read_to_end(&mut bytes)).await.map_err(|_| std::io::Error::other("half a letter came"))?? < length
        {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        n += 1;
        if n > MOST_A_SECOND {
            sleep_until(second + Duration::from_secs(1)).await;
        }
        if second.elapsed() >= Duration::from_secs(1) {
            (second, n) = (Instant::now(), 0);
        }
        if notices.send(Notice::Frame { link: id, from, bytes }).await.is_err() {
            return Ok(());
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut unwritten: mpsc::Receiver<Arc<[u8]>>) -> std::io::Result<()> {
    while let Some(bytes) = unwritten.recv().await {
        let mut frame = Vec::with_capacity(bytes.len() + 4);
        frame.extend((bytes.len() as u32).to_be_bytes());
        frame.extend_from_slice(&bytes);
        timeout(TAKES_WITHIN, writer.write_all(&frame)).await.map_err(|_| std::io::Error::other("nobody takes it"))??;
    }
    // Nobody writes any more, but something may still come.
    std::future::pending().await
}
