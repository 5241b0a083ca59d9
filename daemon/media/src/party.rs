//! A party of a call as the engine sees it: packets down, packets up, and a bell for whoever sends them.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// How many packets may wait in either direction; a second of 10 ms packets.
const RING_PACKETS: usize = 100;

/// Names a party in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyId(pub u64);

/// What the payloads are coded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecKind {
    /// RFC 6716, 48 kHz mono, RTP clock 48000 (RFC 7587).
    Opus,
    /// G.711 A-law, 8 kHz.
    Pcma,
    /// G.711 mu-law, 8 kHz.
    Pcmu,
}

/// One RTP payload. Plain data, so that it crosses rings without the heap.
#[derive(Clone, Copy)]
pub struct Packet {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp in the codec's clock.
    pub timestamp: u32,
    /// First packet after a pause.
    pub marker: bool,
    /// How much of `data` counts.
    pub len: u16,
    /// The payload.
    pub data: [u8; Packet::MAX],
}

impl Packet {
    /// The longest payload that fits an Ethernet frame with all headers and SRTP.
    pub const MAX: usize = 1280;

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.data[..self.len as usize]
    }
}

/// The engine's side of a party.
pub struct Party {
    /// Its name.
    pub id: PartyId,
    /// Both directions use the same codec.
    pub codec: CodecKind,
    /// What the other side sent.
    pub downlink: rtrb::Consumer<Packet>,
    /// What we send; the bell rings after each push.
    pub uplink: rtrb::Producer<Packet>,
    /// Wakes the sender.
    pub wake: Waker,
}

/// The line's side of a party.
pub struct PartyEnd {
    /// What the other side sent goes in here; a full ring means that the engine stalls: drop the packet and count it.
    pub downlink: rtrb::Producer<Packet>,
    /// What is to be sent.
    pub uplink: rtrb::Consumer<Packet>,
    /// Readable (eventfd, non-blocking) after packets were pushed to `uplink`; for `tokio::io::unix::AsyncFd`.
    pub wake: OwnedFd,
}

/// Rings a bell without blocking or allocating: an eventfd.
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Makes a bell; the second half becomes readable when the first one rings.
    ///
    /// # Errors
    /// When the process has no file descriptors left.
    pub fn pair() -> io::Result<(Waker, OwnedFd)> {
        // SAFETY: eventfd takes no pointers; the descriptor it returns is ours alone.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, owned by nobody else.
        let ours = unsafe { OwnedFd::from_raw_fd(fd) };
        let theirs = ours.try_clone()?;
        Ok((Waker(Arc::new(ours)), theirs))
    }

    /// Rings.
    pub fn ring(&self) {
        let one = 1u64.to_ne_bytes();
        // A full counter means that the bell rings already: nothing to do about an error.
        // SAFETY: the descriptor is open as long as `self` lives, and the buffer holds eight bytes.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

/// Makes the two sides of a party.
///
/// # Errors
/// When the process has no file descriptors left.
pub fn party(id: PartyId, codec: CodecKind) -> io::Result<(Party, PartyEnd)> {
    let (down_in, down_out) = rtrb::RingBuffer::new(RING_PACKETS);
    let (up_in, up_out) = rtrb::RingBuffer::new(RING_PACKETS);
    let (waker, wake) = Waker::pair()?;
    let party = Party { id, codec, downlink: down_out, uplink: up_in, wake: waker };
    Ok((party, PartyEnd { downlink: down_in, uplink: up_out, wake }))
}
