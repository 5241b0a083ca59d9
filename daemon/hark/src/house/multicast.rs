//! Words to everyone by UDP multicast: the quickest way, and one that needs no broker. It goes no further than this network.

use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::Context;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// What fits into one packet everywhere; more goes by the other ways.
pub const MOST_BYTES: usize = 1400;

/// Hears and sends at `group`, on this interface or where the system routes it.
///
/// # Errors
/// When the system does not let us.
pub fn open(group: SocketAddrV4, interface: Option<Ipv4Addr>) -> anyhow::Result<UdpSocket> {
    let what = || format!("multicast at {group}; see `house.multicast` in hark.yaml");
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).with_context(what)?;
    // Several speakers on one machine.
    socket.set_reuse_address(true).with_context(what)?;
    socket.set_nonblocking(true).with_context(what)?;
    // Bound to the group, it gets what is sent there and nothing else.
    socket.bind(&group.into()).with_context(what)?;
    let interface = interface.unwrap_or(Ipv4Addr::UNSPECIFIED);
    socket.join_multicast_v4(group.ip(), &interface).with_context(what)?;
    socket.set_multicast_if_v4(&interface).with_context(what)?;
    socket.set_multicast_loop_v4(true).with_context(what)?;
    socket.set_multicast_ttl_v4(1).with_context(what)?;
    UdpSocket::from_std(socket.into()).with_context(what)
}
