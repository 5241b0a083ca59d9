//! Addresses: which of ours a peer can reach, and what kind an address is.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// Whether an address is of a home or of this machine: not reachable from the internet.
pub fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            // 100.64.0.0/10 is shared between customers of a provider (RFC 6598).
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || (ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The address that packets to `peer` leave from.
///
/// # Errors
/// When there is no route to it.
pub fn route_to(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connecting a UDP socket asks the routing table and sends nothing.
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(peer)?;
    Ok(socket.local_addr()?.ip())
}

/// The address to tell `peer`: the public one for those on the internet where one is set, else that of the route.
///
/// # Errors
/// When there is no route to it.
pub fn ours_for(peer: SocketAddr, listen: IpAddr, public: Option<IpAddr>) -> io::Result<IpAddr> {
    match public {
        Some(public) if !is_private(peer.ip()) => Ok(public),
        _ if !listen.is_unspecified() => Ok(listen),
        _ => route_to(peer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known() {
        for (ip, expected) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("192.168.178.1", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("192.0.2.1", false),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
            ("::ffff:10.0.0.1", true),
        ] {
            assert_eq!(is_private(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[test]
    fn loopback_is_reached_from_loopback() {
        let peer = "127.0.0.1:5060".parse().unwrap();
        let any = Ipv4Addr::UNSPECIFIED.into();
        let public = Some("203.0.113.5".parse().unwrap());
        assert_eq!(ours_for(peer, any, public).unwrap(), Ipv4Addr::LOCALHOST);
        assert_eq!(Some(ours_for("198.51.100.1:5060".parse().unwrap(), any, public).unwrap()), public);
    }
}
