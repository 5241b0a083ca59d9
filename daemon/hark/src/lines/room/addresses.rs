//! Where this speaker can be reached in its own network.

use std::net::IpAddr;

/// More addresses than this are of no help to anybody.
const MOST: usize = 8;

/// Our addresses, those of IPv4 first; the loopback only if there is no other, for speakers that share a machine.
pub fn ours() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let up = interfaces.iter().filter(|it| it.is_oper_up() || it.is_loopback());
    // Link-local ones need the number of an interface, which means something else at the other end.
    let all: Vec<IpAddr> = up.filter(|it| !it.is_link_local()).map(|it| it.ip()).collect();
    let (loopback, mut lan): (Vec<IpAddr>, Vec<IpAddr>) = all.into_iter().partition(|it| it.is_loopback());
    if lan.is_empty() {
        lan = loopback;
    }
    lan.sort_by_key(|it| it.is_ipv6());
    lan.truncate(MOST);
    lan
}
