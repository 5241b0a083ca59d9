//! What phones call multicast paging: plain RTP with G.711 to a group address, sent and received.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use anyhow::Context;
use control::house::AnnouncementId;
use media::clip::Clip;
use media::codec::{Encoder, PACKET};
use media::g711;
use media::party::CodecKind;
use media::resample::Interpolator;
use rodio::{ChannelCount, SampleRate, Source};
use rtrb::{Consumer, Producer, RingBuffer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

use crate::config::house::{PagingCodec, PagingGroup};
use crate::lines::sip::rtp::Rtp;

/// No page is longer.
pub const LONGEST_S: usize = super::recording::LONGEST_S;
/// A page without packets for so long is over.
const SILENT_FOR: Duration = Duration::from_secs(1);
/// What G.711 counts in a second.
const NARROW_HZ: usize = 8_000;
/// Samples of G.711 in 10 ms.
const NARROW: usize = 80;
/// Waits for packets that are a little late.
const AHEAD: usize = 6 * NARROW;
/// More packets missing than this are no loss: the sender began anew.
const GAP_AT_MOST: u16 = 50;
/// Speakers name themselves so in what they send: they reach one another as rooms, and would be heard twice as pages.
const OF_SPEAKERS: u32 = 0x484b_0000;
/// RFC 3551, section 6.
const PCMU: u8 = 0;
const PCMA: u8 = 8;

/// Phones that play what is sent to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// As people say it.
    pub name: String,
    /// Where.
    pub address: SocketAddrV4,
    /// `Pcmu` or `Pcma`.
    pub codec: CodecKind,
    /// Whether announcements of ours can be sent there.
    pub send: bool,
    /// Whether what is sent there is played here.
    pub receive: bool,
}

impl From<&PagingGroup> for Group {
    fn from(it: &PagingGroup) -> Group {
        let codec = match it.codec {
            PagingCodec::Pcmu => CodecKind::Pcmu,
            PagingCodec::Pcma => CodecKind::Pcma,
        };
        Group { name: it.name.clone(), address: it.address, codec, send: it.send, receive: it.receive }
    }
}

/// A page that has begun.
pub struct Paged {
    /// Of which group.
    pub group: String,
    /// Its name.
    pub id: AnnouncementId,
    /// Its sound.
    pub page: Box<Page>,
}

/// A page as it arrives, for the engine: `next` takes no heap, lock or wait.
pub struct Page {
    ring: Consumer<f32>,
    wide: Interpolator,
    block: [f32; 6 * NARROW],
    next: usize,
}

impl Page {
    fn new() -> (Producer<f32>, Page) {
        let (mut push, ring) = RingBuffer::new(LONGEST_S * NARROW_HZ);
        // It is empty, and longer than that.
        let _ = push.push_partial_slice(&[0.0; AHEAD]);
        (push, Page { ring, wide: Interpolator::new(6), block: [0.0; 6 * NARROW], next: 6 * NARROW })
    }
}

impl Iterator for Page {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        if self.next == self.block.len() {
            let mut narrow = [0.0; NARROW];
            // What is late is waited for in silence.
            if self.ring.slots() >= NARROW || self.ring.is_abandoned() {
                let (got, _) = self.ring.pop_partial_slice(&mut narrow);
                if got.is_empty() {
                    return None;
                }
            }
            self.wide.process(&narrow, &mut self.block);
            self.next = 0;
        }
        self.next += 1;
        Some(self.block[self.next - 1])
    }
}

impl Source for Page {
    fn current_span_len(&self) -> Option<usize> {
        None
    }

    fn channels(&self) -> ChannelCount {
        ChannelCount::MIN
    }

    fn sample_rate(&self) -> SampleRate {
        const { SampleRate::new(media::RATE_HZ).expect("48 kHz is not zero") }
    }

    fn total_duration(&self) -> Option<Duration> {
        None
    }
}

/// How this speaker names itself in what it sends.
pub fn own_ssrc() -> u32 {
    let mut random = [0; 2];
    // Without randomness two speakers may have one name, and phones take them for one.
    let _ = getrandom::fill(&mut random);
    OF_SPEAKERS | u32::from(u16::from_be_bytes(random))
}

/// A page that is being received.
struct Arriving {
    sound: Producer<f32>,
    ssrc: u32,
    next: u16,
}

/// Receives what is sent to a group.
pub struct Receiver {
    group: Group,
    socket: UdpSocket,
    own_ssrc: u32,
    arriving: Option<Arriving>,
    n_pages: u32,
    told_codec: bool,
}

impl Receiver {
    /// Joins the group, on this interface or the one that the system takes.
    ///
    /// # Errors
    /// When there is no such network, or the port is taken by somebody who does not share it.
    pub fn new(group: Group, interface: Option<Ipv4Addr>, own_ssrc: u32) -> anyhow::Result<Receiver> {
        let open = || -> std::io::Result<UdpSocket> {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            // Bound to the group itself, so that packets for other groups on this port are not heard.
            socket.bind(&SocketAddr::V4(group.address).into())?;
            socket.join_multicast_v4(group.address.ip(), &interface.unwrap_or(Ipv4Addr::UNSPECIFIED))?;
            UdpSocket::from_std(socket.into())
        };
        let socket = open().with_context(|| format!("listening to the paging group at {}", group.address))?;
        Ok(Receiver { group, socket, own_ssrc, arriving: None, n_pages: 0, told_codec: false })
    }

    /// Receives until nobody wants pages any more.
    pub async fn run(mut self, pages: mpsc::Sender<Paged>) {
        let mut packet = [0; 2048];
        loop {
            let received = match self.arriving {
                Some(_) => timeout(SILENT_FOR, self.socket.recv(&mut packet)).await,
                None => Ok(self.socket.recv(&mut packet).await),
            };
            match received {
                Err(_) => self.arriving = None,
                Ok(Err(err)) => {
                    debug!(%err, "a paging group cannot be heard");
                    tokio::time::sleep(SILENT_FOR).await;
                }
                Ok(Ok(n)) => {
                    if let Some(page) = self.take(&packet[..n])
                        && pages.send(page).await.is_err()
                    {
                        return;
                    }
                }
            }
        }
    }

    /// Takes a packet; a page that begins with it is returned.
    fn take(&mut self, packet: &[u8]) -> Option<Paged> {
        let rtp = Rtp::parse(packet).filter(|it| it.ssrc & 0xffff_0000 != OF_SPEAKERS && !it.payload.is_empty())?;
        let law = match rtp.payload_type {
            PCMU => g711::decode_u,
            PCMA => g711::decode_a,
            other => {
                if !std::mem::replace(&mut self.told_codec, true) {
                    warn!(payload_type = other, "phones page with a codec that is not G.711; set theirs to PCMU or PCMA");
                }
                return None;
            }
        };
        let begins = match &self.arriving {
            None => Some(self.begin(rtp.ssrc, rtp.sequence)),
            // One page at a time: the first one.
            Some(arriving) if arriving.ssrc != rtp.ssrc => return None,
            Some(_) => None,
        };
        let arriving = self.arriving.as_mut()?;
        let missing = rtp.sequence.wrapping_sub(arriving.next);
        if missing > u16::MAX / 2 {
            // Late or twice.
            return begins;
        }
        if missing <= GAP_AT_MOST {
            for _ in 0..usize::from(missing) * rtp.payload.len() {
                // As below.
                let _ = arriving.sound.push(0.0);
            }
        }
        arriving.next = rtp.sequence.wrapping_add(1);
        for byte in rtp.payload {
            // What is longer than the longest is cut.
            let _ = arriving.sound.push(f32::from(law(*byte)) / 32_768.0);
        }
        begins
    }

    fn begin(&mut self, ssrc: u32, next: u16) -> Paged {
        let (sound, page) = Page::new();
        self.arriving = Some(Arriving { sound, ssrc, next });
        self.n_pages += 1;
        info!(address = %self.group.address, "a page begins");
        let id = AnnouncementId(format!("page-{:08x}-{}-{}", self.own_ssrc, self.group.address.port(), self.n_pages));
        Paged { group: self.group.name.clone(), id, page: Box::new(page) }
    }
}

/// Sends a clip to a group, from that moment on.
///
/// # Errors
/// When there is no such network.
pub async fn send(group: Group, interface: Option<Ipv4Addr>, ssrc: u32, clip: Clip, at: Instant) -> anyhow::Result<()> {
    let open = || -> std::io::Result<UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((interface.unwrap_or(Ipv4Addr::UNSPECIFIED), 0)).into())?;
        if let Some(interface) = interface {
            socket.set_multicast_if_v4(&interface)?;
        }
        UdpSocket::from_std(socket.into())
    };
    let socket = open().context("opening a socket for a page")?;
    let mut encoder = Encoder::new(group.codec)?;
    let payload_type = if group.codec == CodecKind::Pcma { PCMA } else { PCMU };
    let (mut packet, mut payload) = (Vec::new(), [0; PACKET / 6]);
    for (n, chunk) in clip.samples().chunks(PACKET).enumerate() {
        let mut frame = [0.0; PACKET];
        frame[..chunk.len()].copy_from_slice(chunk);
        let length = encoder.encode(&frame, &mut payload);
        let rtp = Rtp {
            payload_type,
            marker: n == 0,
            sequence: n as u16,
            timestamp: (n * PACKET / 6) as u32,
            ssrc,
            payload: &payload[..length],
        };
        rtp.write(&mut packet);
        sleep_until(at + Duration::from_millis(20) * n as u32).await;
        socket.send_to(&packet, group.address).await.with_context(|| format!("paging {}", group.address))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver() -> Receiver {
        let group = Group {
            name: "phones".into(),
            address: "224.0.1.75:5004".parse().unwrap(),
            codec: CodecKind::Pcmu,
            send: true,
            receive: true,
        };
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = UdpSocket::from_std(socket).unwrap();
        Receiver { group, socket, own_ssrc: own_ssrc(), arriving: None, n_pages: 0, told_codec: false }
    }

    fn packet(payload_type: u8, sequence: u16, ssrc: u32, byte: u8) -> Vec<u8> {
        let mut out = Vec::new();
        Rtp { payload_type, marker: false, sequence, timestamp: 0, ssrc, payload: &[byte; 160] }.write(&mut out);
        out
    }

    #[tokio::test]
    async fn packets_become_one_page_whatever_happens_to_them() {
        let mut receiver = receiver();
        assert!(receiver.take(&packet(PCMU, 1, own_ssrc(), 0x10)).is_none(), "a speaker");
        assert!(receiver.take(&packet(9, 1, 5, 0x10)).is_none(), "G.722");
        assert!(receiver.take(b"junk").is_none());
        let Paged { group, mut page, .. } = receiver.take(&packet(PCMU, 65_534, 5, 0x10)).unwrap();
        assert_eq!(group, "phones");
        // One is lost, one comes twice, one belongs to another page.
        for (sequence, ssrc) in [(65_535, 5), (1, 5), (1, 5), (2, 6)] {
            assert!(receiver.take(&packet(PCMU, sequence, ssrc, 0x10)).is_none());
        }
        receiver.arriving = None;
        let heard: Vec<f32> = page.by_ref().collect();
        assert_eq!(heard.len(), 6 * (AHEAD + 4 * 160));
        let loud = |ms: usize| heard[ms * 48].abs() > 0.1;
        assert_eq!([30, 70, 90, 110, 130].map(loud), [false, true, true, false, true]);
    }

    #[tokio::test]
    async fn a_page_that_waits_for_packets_is_silent_and_goes_on() {
        let mut receiver = receiver();
        let mut page = receiver.take(&packet(PCMA, 0, 5, 0x10)).unwrap().page;
        let first: Vec<f32> = page.by_ref().take(48 * 200).collect();
        assert!(first[48 * 70].abs() > 0.01 && first[48 * 150] == 0.0);
        receiver.take(&packet(PCMA, 1, 5, 0x10));
        assert!(page.by_ref().take(48 * 15).any(|it| it.abs() > 0.01));
        for sequence in 2..4000 {
            receiver.take(&packet(PCMA, sequence, 5, 0x10));
        }
        receiver.arriving = None;
        let rest = page.count();
        // With what is left of the block that was begun.
        assert!(rest < LONGEST_S * 48_000 + 480, "{rest}");
    }
}
