//! The media of one call: a pair of sockets and the task that moves packets between them and the engine, at once.

mod peer;
mod ports;
mod receive;

pub use ports::Ports;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use media::party::{CodecKind, Packet, PartyEnd};
use rtrb::{Consumer, Producer};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, trace};

use self::peer::Peer;
use super::super::bell::Bell;
use super::dtmf::{KeyEar, Keypad, STEP_MS};
use super::rtcp::{self, MediaStats, Reception, Report, Sending};
use super::rtp::{HEADER, Rtp};
use super::sdp::clock_hz;
use super::sdp::negotiate::Agreed;
use super::srtp::Protection;

/// How long nothing may come from the other end before the call counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// How often reports are sent (RFC 3550, section 6.2: at least 5 s).
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// The clock of what is not urgent.
const TICK: Duration = Duration::from_millis(STEP_MS as u64);

/// What the call tells its media.
pub enum Order {
    /// Another agreement; with a new party if the codec changed.
    Change(Box<Agreed>, Option<PartyEnd>),
    /// Touch tones to be sent.
    Press(String),
}

/// What the media tells its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The other end pressed a key.
    Key(char),
    /// The other end speaks another codec of those that were agreed.
    OtherCodec(CodecKind),
    /// Nothing came for [`LOST_AFTER`], though it should.
    Lost,
}

/// A call's handle on its media; the task ends when this goes away.
pub struct Media {
    orders: mpsc::Sender<Order>,
    /// Loss, jitter, round trip.
    pub stats: Arc<MediaStats>,
}

impl Media {
    /// Starts the task. `signalling` is where the other end's SIP messages come from.
    ///
    /// # Errors
    /// When the sockets or the party's bell cannot be polled, or there is no cipher.
    pub fn start(
        ports: Ports,
        agreed: Agreed,
        party: PartyEnd,
        signalling: SocketAddr,
        happened: mpsc::Sender<Happened>,
    ) -> io::Result<Media> {
        // Few orders come; one that finds the channel full is waited for by the call, which blocks nobody else.
        let (orders, inbox) = mpsc::channel(8);
        let stats = Arc::new(MediaStats::default());
        let task = Task::new(ports, agreed, party, signalling, inbox, happened, stats.clone())?;
        tokio::spawn(task.run());
        Ok(Media { orders, stats })
    }

    /// Tells the task something; it may have ended.
    pub async fn order(&self, order: Order) {
        self.orders.send(order).await.ok();
    }
}

/// The task.
struct Task {
    ports: Ports,
    agreed: Agreed,
    peer: Peer,
    downlink: Producer<Packet>,
    uplink: Consumer<Packet>,
    bell: Bell,
    protection: Option<Protection>,
    orders: mpsc::Receiver<Order>,
    happened: mpsc::Sender<Happened>,
    stats: Arc<MediaStats>,
    cname: String,
    sending: Sending,
    sequence: u16,
    /// Added to the engine's timestamps (RFC 3550: a random start).
    offset: u32,
    reception: Option<Reception>,
    keypad: Keypad,
    key_timestamp: u32,
    ear: KeyEar,
    /// Another codec than agreed, and how many packets of it came in a row.
    other_codec: Option<(CodecKind, u32)>,
    heard_at: Instant,
    report_at: Instant,
    lost: bool,
    buffer: Vec<u8>,
}

impl Task {
    fn new(
        ports: Ports,
        agreed: Agreed,
        party: PartyEnd,
        signalling: SocketAddr,
        orders: mpsc::Receiver<Order>,
        happened: mpsc::Sender<Happened>,
        stats: Arc<MediaStats>,
    ) -> io::Result<Task> {
        let PartyEnd { downlink, uplink, wake } = party;
        let now = Instant::now();
        let [ssrc, offset, sequence] = random();
        Ok(Task {
            peer: Peer::new(&agreed, signalling),
            protection: protection(&agreed)?,
            ports,
            agreed,
            downlink,
            uplink,
            bell: Bell::new(wake)?,
            orders,
            happened,
            stats,
            cname: format!("{:08x}{:08x}@hark", random::<1>()[0], random::<1>()[0]),
            sending: Sending { ssrc, timestamp: offset, ..Sending::default() },
            // A start in the lower half lets receivers of SRTP guess the rollover counter right (RFC 3711, section 3.3.1).
            sequence: (sequence as u16) >> 1,
            offset,
            reception: None,
            keypad: Keypad::default(),
            key_timestamp: 0,
            ear: KeyEar::default(),
            other_codec: None,
            heard_at: now,
            report_at: now + REPORT_EVERY / 2,
            lost: false,
            buffer: Vec::with_capacity(HEADER + Packet::MAX),
        })
    }

    async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut rtp, mut rtcp) = ([0u8; 2048], [0u8; 2048]);
        loop {
            tokio::select! {
                biased;
                rung = self.bell.rung() => match rung {
                    Ok(()) => self.send_uplink(),
                    Err(_) => break,
                },
                got = self.ports.rtp.recv_from(&mut rtp) => {
                    // An error is an ICMP message about what we sent: the other end may be late, silence decides.
                    if let Ok((n, from)) = got { self.receive(&rtp[..n], from, Instant::now()) }
                }
                got = self.ports.rtcp.recv_from(&mut rtcp) => {
                    if let Ok((n, from)) = got { self.receive_rtcp(&rtcp[..n], from, Instant::now()) }
                }
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => break,
                },
                _ = tick.tick() => self.tick(Instant::now()),
            }
        }
        let goodbye = rtcp::goodbye(&self.sending, &self.cname);
        self.send_rtcp(&goodbye);
        debug!(stats = ?self.stats, "media ended");
    }

    /// Sends what the engine has made, without waiting for anything.
    fn send_uplink(&mut self) {
        while let Ok(packet) = self.uplink.pop() {
            let timestamp = self.offset.wrapping_add(packet.timestamp);
            // During a touch tone its packets take the place of sound (RFC 4733, section 2.1).
            if !self.keypad.is_idle() {
                self.sending.timestamp = timestamp;
                continue;
            }
            if self.agreed.direction.mirrored().receives() {
                self.send(self.agreed.codec.0, packet.marker, timestamp, packet.payload());
            }
        }
    }

    fn send(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) {
        let packet = Rtp { payload_type, marker, sequence: self.sequence, timestamp, ssrc: self.sending.ssrc, payload };
        packet.write(&mut self.buffer);
        self.sequence = self.sequence.wrapping_add(1);
        self.sending.timestamp = timestamp;
        let Some(to) = self.peer.rtp() else { return };
        let sent = match &mut self.protection {
            Some(protection) => protection.protect_rtp(&self.buffer).map(|it| self.ports.rtp.try_send_to(&it, to)),
            None => Ok(self.ports.rtp.try_send_to(&self.buffer, to)),
        };
        if let Ok(Ok(_)) = sent {
            self.sending.packets = self.sending.packets.wrapping_add(1);
            self.sending.bytes = self.sending.bytes.wrapping_add(payload.len() as u32);
            self.stats.sent.fetch_add(1, Relaxed);
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Press(keys) => self.keypad.press(&keys),
            Order::Change(agreed, party) => {
                if let Some(PartyEnd { downlink, uplink, wake }) = party
                    && let Ok(bell) = Bell::new(wake)
                {
                    (self.downlink, self.uplink, self.bell) = (downlink, uplink, bell);
                    self.other_codec = None;
                }
                if agreed.crypto != self.agreed.crypto {
                    self.rekey(&agreed);
                }
                if (agreed.remote, agreed.port) != (self.agreed.remote, self.agreed.port) {
                    self.peer.moved(&agreed);
                }
                self.agreed = *agreed;
                self.heard_at = Instant::now();
            }
        }
    }

    fn rekey(&mut self, agreed: &Agreed) {
        self.reception = None;
        match (&mut self.protection, &self.agreed.crypto, &agreed.crypto) {
            // Our key stays in use: so must its count of packets (RFC 3711, section 3.3.1).
            (Some(protection), Some((before, _)), Some((ours, theirs))) if before == ours => protection.expect(theirs).ok(),
            (protection, ..) => self::protection(agreed).map(|fresh| *protection = fresh).ok(),
        };
    }

    fn tick(&mut self, now: Instant) {
        if let Some((payload_type, clock_hz)) = self.agreed.touch_tones
            && let Some(tone) = self.keypad.step(clock_hz)
        {
            if tone.first {
                self.key_timestamp = self.sending.timestamp;
            }
            let latest = self.sending.timestamp;
            self.send(payload_type, tone.first, self.key_timestamp, &tone.payload);
            self.sending.timestamp = latest;
        }
        if now >= self.report_at {
            self.report_at = now + REPORT_EVERY;
            let report = rtcp::report(&self.sending, self.reception.as_mut(), &self.cname, SystemTime::now(), now);
            self.send_rtcp(&report);
        }
        let due = self.agreed.direction == super::sdp::Direction::SendReceive;
        if due && !self.lost && now.duration_since(self.heard_at) >= LOST_AFTER {
            self.lost = true;
            self.tell(Happened::Lost);
        }
    }

    fn send_rtcp(&mut self, report: &[u8]) {
        let Some(to) = self.peer.rtcp() else { return };
        let socket = if self.peer.shares_port() { &self.ports.rtp } else { &self.ports.rtcp };
        match &mut self.protection {
            Some(protection) => protection.protect_rtcp(report).ok().map(|it| socket.try_send_to(&it, to)),
            None => Some(socket.try_send_to(report, to)),
        };
    }

    fn tell(&self, happened: Happened) {
        // A call that is too busy to hear of a key loses it; nothing may make the packets wait.
        if self.happened.try_send(happened).is_err() {
            trace!(?happened, "the call does not listen");
        }
    }
}

fn protection(agreed: &Agreed) -> io::Result<Option<Protection>> {
    let both = agreed.crypto.as_ref().map(|(ours, theirs)| Protection::new(ours, theirs));
    both.transpose().map_err(io::Error::other)
}

/// Numbers that nobody can guess.
pub fn random<const N: usize>() -> [u32; N] {
    std::array::from_fn(|_| getrandom::u32().expect("the kernel has random numbers"))
}
