//! A free pair of ports for RTP and RTCP.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::os::fd::AsRawFd;

use tokio::net::UdpSocket;

use super::random;

/// Expedited forwarding (RFC 3246): routers that look at it let voice pass first.
const EXPEDITED: libc::c_int = 0xb8;

/// The sockets of one call.
pub struct Ports {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
}

impl Ports {
    /// Takes a free pair, the even one for RTP, beginning at a random place in the range.
    ///
    /// # Errors
    /// When the whole range is taken.
    pub fn open(local: IpAddr, (first, last): (u16, u16)) -> io::Result<Ports> {
        let first = u32::from(first).next_multiple_of(2);
        let n_pairs = (u32::from(last) + 1).saturating_sub(first) / 2;
        let [start] = random::<1>();
        for n in 0..n_pairs {
            let port = (first + 2 * ((start % n_pairs + n) % n_pairs)) as u16;
            let pair = bind(local, port).and_then(|rtp| Ok((rtp, bind(local, port + 1)?)));
            match pair {
                Ok((rtp, rtcp)) => return Ok(Ports { rtp: UdpSocket::from_std(rtp)?, rtcp: UdpSocket::from_std(rtcp)? }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => continue,
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("no free pair of ports from {first} to {last}; widen `sip.rtp_ports`"),
        ))
    }

    /// Where RTP comes in.
    pub fn rtp_port(&self) -> u16 {
        self.rtp.local_addr().map_or(0, |it| it.port())
    }

    /// Where RTCP comes in.
    pub fn rtcp_port(&self) -> u16 {
        self.rtcp.local_addr().map_or(0, |it| it.port())
    }
}

fn bind(local: IpAddr, port: u16) -> io::Result<StdSocket> {
    let socket = StdSocket::bind(SocketAddr::new(local, port))?;
    socket.set_nonblocking(true)?;
    let (level, option) = match local {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TOS),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    };
    let class = EXPEDITED;
    // Where it is not allowed, packets travel like all others.
    // SAFETY: the descriptor is open, and the value is as long as said.
    unsafe {
        let size = size_of_val(&class) as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const class).cast(), size);
    }
    Ok(socket)
}
