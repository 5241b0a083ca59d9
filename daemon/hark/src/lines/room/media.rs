//! The media of one call between rooms: ICE, DTLS and SRTP by str0m, which knows neither socket nor clock; both are here.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use ::media::party::Packet;
use str0m::crypto::from_feature_flags;
use str0m::ice::IceCreds;
use str0m::media::{MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite, Ssrc};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::time::sleep_until;
use tracing::{debug, trace, warn};

use super::addresses;
use super::words::Description;

/// RFC 4594: telephony goes first, which Wi-Fi needs more than anybody.
const EXPEDITED: u32 = 46 << 2;

/// What is made once: a certificate costs some milliseconds.
pub struct Kit {
    config: RtcConfig,
    payload_type: Pt,
}

impl Kit {
    /// Makes keys. Nothing if OpenSSL cannot.
    pub fn new() -> Option<Kit> {
        let crypto = Arc::new(from_feature_flags());
        let certificate = crypto.dtls_provider.generate_certificate()?;
        let mut config = RtcConfig::new()
            .set_crypto_provider(crypto)
            .set_dtls_cert(certificate)
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .set_stats_interval(None)
            .clear_extension_map();
        let payload_type = config.codec_config().params().first()?.pt();
        Some(Kit { config, payload_type })
    }
}

/// What the media tells its call.
pub enum Happened {
    /// Sound can flow: the other end has the key that its letter named.
    Connected,
    /// Sound came.
    Packet(Box<RtpPacket>),
    /// The other end said goodbye.
    Closed,
    /// The other end does not answer any more.
    Gone,
    /// It cannot work.
    Broken,
}

struct Socket {
    udp: UdpSocket,
    at: SocketAddr,
}

/// See the module.
pub struct Media {
    rtc: Rtc,
    payload_type: Pt,
    sockets: Vec<Socket>,
    ssrc: Ssrc,
    mid: Mid,
    begun: bool,
    sequence: u64,
    due: Instant,
    happened: VecDeque<Happened>,
    buffer: Box<[u8; 2048]>,
}

impl Media {
    /// Opens sockets; nothing is sent before `begin`.
    ///
    /// # Errors
    /// When there is no address to listen at.
    pub fn open(kit: &Kit, caller: bool) -> io::Result<Media> {
        let now = Instant::now();
        let mut rtc = kit.config.clone().build(now);
        let mid = Mid::from("0");
        let mut direct = rtc.direct_api();
        direct.set_ice_controlling(caller);
        direct.declare_media(mid, MediaKind::Audio);
        let ssrc = direct.new_ssrc();
        direct.declare_stream_tx(ssrc, None, mid, None);
        let mut media = Media {
            rtc,
            payload_type: kit.payload_type,
            sockets: Vec::new(),
            ssrc,
            mid,
            begun: false,
            sequence: 0,
            due: now,
            happened: VecDeque::new(),
            buffer: Box::new([0; 2048]),
        };
        media.look_for_addresses();
        if media.sockets.is_empty() {
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "no network address"));
        }
        Ok(media)
    }

    /// What the other end must know.
    pub fn description(&mut self) -> Description {
        let addresses = self.sockets.iter().map(|it| it.at).collect();
        let direct = self.rtc.direct_api();
        let IceCreds { ufrag, pass } = direct.local_ice_credentials();
        let fingerprint = direct.local_dtls_fingerprint().to_string();
        Description { ufrag, password: pass, fingerprint, addresses, ssrc: *self.ssrc }
    }

    /// Looks for the way to the other end, and agrees on keys. Once; again it changes nothing.
    pub fn begin(&mut self, theirs: &Description, caller: bool) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let Ok(fingerprint) = theirs.fingerprint.parse() else {
            return self.happened.push_back(Happened::Broken);
        };
        for address in &theirs.addresses {
            match Candidate::host(*address, "udp") {
                Ok(candidate) => self.rtc.add_remote_candidate(candidate),
                Err(error) => debug!(%error, "an address of the other end is of no use"),
            }
        }
        let mut direct = self.rtc.direct_api();
        direct.set_remote_ice_credentials(IceCreds { ufrag: theirs.ufrag.clone(), pass: theirs.password.clone() });
        direct.set_remote_fingerprint(fingerprint);
        direct.expect_stream_rx(theirs.ssrc.into(), None, self.mid, None).suppress_nack(true);
        // Whoever is called knows the other end first and waits for it to appear.
        let started = direct.start_dtls(!caller);
        if let Err(error) = started {
            warn!(%error, "no keys can be agreed on");
            return self.happened.push_back(Happened::Broken);
        }
        self.tick();
    }

    /// Waits for the next thing to happen. Cancel-safe.
    pub async fn next(&mut self) -> Happened {
        loop {
            if let Some(happened) = self.happened.pop_front() {
                return happened;
            }
            tokio::select! {
                (n, from, at) = receive(&self.sockets, &mut self.buffer[..]) => self.received(n, from, at),
                () = sleep_until(self.due.into()) => self.tick(),
            }
        }
    }

    /// Sends sound.
    pub fn send(&mut self, packet: &Packet) {
        let now = Instant::now();
        self.sequence += 1;
        let write = RtpWrite::new(self.payload_type, self.sequence.into(), packet.timestamp, now, packet.payload());
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx(&self.ssrc) else { return };
        stream.write_rtp(write.marker(packet.marker));
        self.tick();
    }

    /// Says goodbye to the other end.
    pub fn close(&mut self) {
        if self.rtc.close().is_ok() {
            self.tick();
        }
    }

    /// Goes on over addresses that we have got since, and not over those that are gone.
    pub fn look_for_addresses(&mut self) {
        let ours = addresses::ours();
        let (kept, gone): (Vec<Socket>, Vec<Socket>) =
            std::mem::take(&mut self.sockets).into_iter().partition(|it| ours.contains(&it.at.ip()));
        self.sockets = kept;
        for socket in gone {
            if let Ok(candidate) = Candidate::host(socket.at, "udp") {
                self.rtc.direct_api().invalidate_candidate(&candidate);
            }
        }
        for address in ours {
            if self.sockets.iter().any(|it| it.at.ip() == address) {
                continue;
            }
            match bind(address) {
                Ok(socket) => {
                    if let Ok(candidate) = Candidate::host(socket.at, "udp") {
                        self.rtc.add_local_candidate(candidate);
                    }
                    self.sockets.push(socket);
                }
                Err(error) => debug!(%error, "cannot listen at one of our addresses"),
            }
        }
    }

    fn received(&mut self, n: usize, from: SocketAddr, at: usize) {
        let now = Instant::now();
        let Some(socket) = self.sockets.get(at) else { return };
        let Ok(receive) = Receive::new(Protocol::Udp, from, socket.at, &self.buffer[..n]) else {
            return trace!("junk on a media port");
        };
        let input = Input::Receive(now, receive);
        if !self.rtc.accepts(&input) {
            return trace!("a packet from somebody else on a media port");
        }
        if let Err(error) = self.rtc.handle_input(input) {
            debug!(%error, "a packet that makes no sense");
        }
        self.drive();
    }

    fn tick(&mut self) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(Instant::now())) {
            debug!(%error, "media in trouble");
        }
        self.drive();
    }

    /// Sends what is to be sent, and takes what has happened.
    fn drive(&mut self) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(due)) => {
                    self.due = due;
                    return;
                }
                Ok(Output::Transmit(packet)) => {
                    let Some(socket) = self.sockets.iter().find(|it| it.at == packet.source) else { continue };
                    // What the network does not take now is lost, as on any network.
                    if let Err(error) = socket.udp.try_send_to(&packet.contents, packet.destination) {
                        trace!(%error, "a packet was not sent");
                    }
                }
                Ok(Output::Event(event)) => self.note(event),
                Err(error) => {
                    debug!(%error, "media cannot go on");
                    self.happened.push_back(Happened::Broken);
                    self.rtc.disconnect();
                    self.due = Instant::now() + std::time::Duration::from_secs(3600);
                    return;
                }
            }
        }
    }

    fn note(&mut self, event: Event) {
        self.happened.push_back(match event {
            Event::Connected => Happened::Connected,
            Event::RtpPacket(packet) => Happened::Packet(Box::new(packet)),
            Event::Closed => Happened::Closed,
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => Happened::Gone,
            other => return trace!(?other, "media"),
        });
    }
}

/// A packet as the engine takes it; nothing if it is longer than any of ours.
pub fn to_engine(rtp: &RtpPacket) -> Option<Packet> {
    let len = rtp.payload.len();
    if len == 0 || len > Packet::MAX {
        return None;
    }
    let header = &rtp.header;
    let mut packet = Packet {
        sequence: header.sequence_number,
        timestamp: header.timestamp,
        marker: header.marker,
        len: len as u16,
        data: [0; Packet::MAX],
    };
    packet.data[..len].copy_from_slice(&rtp.payload);
    Some(packet)
}

fn bind(address: IpAddr) -> io::Result<Socket> {
    let socket = std::net::UdpSocket::bind((address, 0))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv4() {
        // A wish, no more.
        socket2::SockRef::from(&socket).set_tos_v4(EXPEDITED).ok();
    }
    let at = socket.local_addr()?;
    Ok(Socket { udp: UdpSocket::from_std(socket)?, at })
}

/// The next packet on any of the sockets. Cancel-safe.
async fn receive(sockets: &[Socket], buffer: &mut [u8]) -> (usize, SocketAddr, usize) {
    poll_fn(|context| {
        for (at, socket) in sockets.iter().enumerate() {
            let mut into = ReadBuf::new(buffer);
            loop {
                match socket.udp.poll_recv_from(context, &mut into) {
                    Poll::Ready(Ok(from)) => return Poll::Ready((into.filled().len(), from, at)),
                    // An ICMP message about what we sent: the other end may be late, silence decides.
                    Poll::Ready(Err(_)) => continue,
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    })
    .await
}
