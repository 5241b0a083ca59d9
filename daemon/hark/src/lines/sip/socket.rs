//! The UDP socket under the SIP stack: it turns away what is no SIP, and tells who cannot be reached (ICMP).

use std::io;
use std::mem::{MaybeUninit, size_of, size_of_val};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::time::Instant;

use async_trait::async_trait;
use rsipstack::platform::net::UdpSocket as StackSocket;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::broadcast;
use tracing::trace;

use super::screen::{Verdict, screen};

/// Refusals per second; more than that is somebody who uses us to shout at others.
const REFUSALS_PER_SECOND: u32 = 10;

/// The socket.
pub struct Socket {
    socket: UdpSocket,
    unreachable: broadcast::Sender<SocketAddr>,
    refusals: Mutex<(Instant, u32)>,
}

impl Socket {
    /// Takes a bound socket over. Whoever cannot be reached is told on `unreachable`.
    ///
    /// # Errors
    /// When the socket cannot be polled.
    pub fn new(socket: StdSocket, unreachable: broadcast::Sender<SocketAddr>) -> io::Result<Socket> {
        socket.set_nonblocking(true)?;
        report_errors(&socket);
        let socket = UdpSocket::from_std(socket)?;
        Ok(Socket { socket, unreachable, refusals: Mutex::new((Instant::now(), 0)) })
    }

    /// Sends the keepalive that NATs need (RFC 5626, section 3.5.1).
    pub fn keep_alive(&self, to: SocketAddr) {
        self.socket.try_send_to(b"\r\n\r\n", to).ok();
    }

    fn may_refuse(&self) -> bool {
        let mut refusals = self.refusals.lock().unwrap_or_else(|it| it.into_inner());
        if refusals.0.elapsed().as_secs() >= 1 {
            *refusals = (Instant::now(), 0);
        }
        refusals.1 += 1;
        refusals.1 <= REFUSALS_PER_SECOND
    }

    /// Reads what ICMP said about packets that we sent.
    fn read_errors(&self) {
        loop {
            let error = self.socket.try_io(Interest::ERROR, || next_error(&self.socket));
            match error {
                Ok(Some(peer)) => {
                    trace!(%peer, "unreachable");
                    self.unreachable.send(peer).ok();
                }
                Ok(None) => (),
                Err(_) => break,
            }
        }
    }
}

#[async_trait]
impl StackSocket for Socket {
    async fn recv_from(&self, buf: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        loop {
            let ready = self.socket.ready(Interest::READABLE | Interest::ERROR).await?;
            if ready.is_error() {
                self.read_errors();
            }
            // An error here was about a packet that we sent: the error queue has it, and the next packet may be there.
            let Ok((n, from)) = self.socket.try_recv_from(buf) else { continue };
            match screen(&buf[..n]) {
                Verdict::Pass => return Ok((n, from)),
                Verdict::Drop => trace!(%from, n, "no SIP message"),
                Verdict::Refuse(response) => {
                    if self.may_refuse() {
                        self.socket.try_send_to(&response, from).ok();
                    }
                }
            }
        }
    }

    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> rsipstack::Result<usize> {
        let mut sent = self.socket.send_to(buf, addr).await;
        if sent.is_err() {
            // An older ICMP message about somebody else is reported here too, once.
            self.read_errors();
            sent = self.socket.send_to(buf, addr).await;
        }
        if sent.is_err() {
            self.unreachable.send(addr).ok();
        }
        Ok(sent?)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }
}

/// Asks the kernel to queue ICMP errors with the address that they are about.
fn report_errors(socket: &StdSocket) {
    let on: libc::c_int = 1;
    let is_v6 = socket.local_addr().is_ok_and(|it| it.is_ipv6());
    let options: &[_] = match is_v6 {
        true => &[(libc::IPPROTO_IPV6, libc::IPV6_RECVERR), (libc::IPPROTO_IP, libc::IP_RECVERR)],
        false => &[(libc::IPPROTO_IP, libc::IP_RECVERR)],
    };
    for (level, option) in options {
        // Without it, those who are not there are noticed by their silence.
        // SAFETY: the descriptor is open, and the value is as long as said.
        unsafe {
            libc::setsockopt(socket.as_raw_fd(), *level, *option, (&raw const on).cast(), size_of_val(&on) as libc::socklen_t);
        }
    }
}

/// Takes one message from the error queue: who cannot be reached, or `None` for other errors.
fn next_error(socket: &UdpSocket) -> io::Result<Option<SocketAddr>> {
    let mut name = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let (mut data, mut control) = ([0u8; 64], [0u64; 64]);
    let mut part = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() };
    // SAFETY: a message header of zeroes is valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = name.as_mut_ptr().cast();
    message.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: all pointers in the header are to buffers that live here and are as long as said.
    let n = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT) };
    if n < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has filled the header; the control messages are in `control`.
    let cause = unsafe { libc::CMSG_FIRSTHDR(&raw const message).as_ref() }.map(|header| {
        // SAFETY: with IP_RECVERR the only control message is a `sock_extended_err`.
        unsafe { libc::CMSG_DATA(header).cast::<libc::sock_extended_err>().read_unaligned().ee_errno }
    });
    let unreachable = [libc::ECONNREFUSED, libc::EHOSTUNREACH, libc::ENETUNREACH, libc::EACCES].map(|it| it as u32);
    // SAFETY: zeroed at first, and filled by the kernel as far as it knew the address.
    let name = unsafe { name.assume_init() };
    Ok(cause.filter(|it| unreachable.contains(it)).and_then(|_| address(&name)))
}

fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is this kind of address.
            let it = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in>() };
            Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(u32::from_be(it.sin_addr.s_addr))), u16::from_be(it.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that it is this kind of address.
            let it = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in6>() };
            Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(it.sin6_addr.s6_addr)), u16::from_be(it.sin6_port)))
        }
        _ => None,
    }
}
