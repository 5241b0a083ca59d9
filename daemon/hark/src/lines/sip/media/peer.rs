//! Where the other end's media is: where it says it is, until packets show where it really is (symmetric RTP, RFC 4961).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::lines::sip::address::is_private;
use crate::lines::sip::sdp::negotiate::Agreed;

/// A port that was silent for so long may be taken over by another one of the same host.
const QUIET: Duration = Duration::from_millis(500);

/// The other end's media address.
#[derive(Debug)]
pub(super) struct Peer {
    told: Option<IpAddr>,
    port: u16,
    rtcp_port: u16,
    signalling: IpAddr,
    seen: Option<(SocketAddr, Instant)>,
}

impl Peer {
    pub fn new(agreed: &Agreed, signalling: SocketAddr) -> Peer {
        let signalling = signalling.ip();
        Peer { told: agreed.remote, port: agreed.port, rtcp_port: agreed.rtcp_port, signalling, seen: None }
    }

    /// They said that they moved: what was seen is no longer true.
    pub fn moved(&mut self, agreed: &Agreed) {
        *self = Peer { told: agreed.remote, port: agreed.port, rtcp_port: agreed.rtcp_port, seen: None, ..*self };
    }

    /// Whether a packet from there can be theirs: from the host that they named, or that their SIP comes from; from
    /// anywhere else only as long as nothing was heard and the host that they named is behind a NAT.
    pub fn may_be(&self, from: SocketAddr) -> bool {
        let ip = from.ip().to_canonical();
        let known = self.told == Some(ip) || self.signalling == ip;
        let behind_nat = self.told.is_some_and(is_private) && !is_private(ip);
        known || self.seen.map_or(behind_nat, |(seen, _)| seen.ip().to_canonical() == ip)
    }

    /// A good packet came from there.
    pub fn heard(&mut self, from: SocketAddr, now: Instant) {
        match &mut self.seen {
            Some((seen, at)) if *seen == from => *at = now,
            Some((_, at)) if now.duration_since(*at) < QUIET => (),
            _ => self.seen = Some((from, now)),
        }
    }

    /// Where to send RTP.
    pub fn rtp(&self) -> Option<SocketAddr> {
        let told = || SocketAddr::new(self.told.unwrap_or(self.signalling), self.port);
        Some(self.seen.map_or_else(told, |(seen, _)| seen)).filter(|it| it.port() != 0)
    }

    /// Where to send RTCP.
    pub fn rtcp(&self) -> Option<SocketAddr> {
        let mut to = self.rtp()?;
        if !self.shares_port() {
            // Behind a NAT the port next to the one seen is a guess as good as any.
            let next = to.port().checked_add(1)?;
            to.set_port(if to.port() == self.port { self.rtcp_port } else { next });
        }
        Some(to).filter(|it| it.port() != 0)
    }

    /// Whether RTCP goes to the RTP port.
    pub fn shares_port(&self) -> bool {
        self.port == self.rtcp_port
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::sip::sdp::Direction;
    use media::party::CodecKind;

    fn peer(told: &str, signalling: &str) -> Peer {
        let agreed = Agreed {
            remote: told.parse().ok(),
            port: 4000,
            rtcp_port: 4001,
            codec: (0, CodecKind::Pcmu),
            incoming: vec![],
            touch_tones: None,
            crypto: None,
            direction: Direction::SendReceive,
        };
        Peer::new(&agreed, signalling.parse().unwrap())
    }

    #[test]
    fn strangers_are_not_listened_to() {
        let peer = peer("192.0.2.7", "192.0.2.8:5060");
        for (from, expected) in
            [("192.0.2.7:9", true), ("192.0.2.8:9", true), ("192.0.2.9:4000", false), ("10.0.0.1:4000", false)]
        {
            assert_eq!(peer.may_be(from.parse().unwrap()), expected, "{from}");
        }
    }

    #[test]
    fn a_phone_behind_a_nat_is_found_by_its_packets() {
        let mut peer = peer("192.168.1.5", "203.0.113.1:5060");
        let (now, from) = (Instant::now(), "203.0.113.9:7777".parse().unwrap());
        assert!(peer.may_be(from));
        peer.heard(from, now);
        assert_eq!(peer.rtp(), Some(from));
        assert_eq!(peer.rtcp().unwrap().port(), 7778);
        assert!(!peer.may_be("203.0.113.10:7777".parse().unwrap()), "the first one found it");
    }

    #[test]
    fn media_follows_the_port_that_it_comes_from() {
        let mut peer = peer("192.0.2.7", "192.0.2.7:5060");
        let now = Instant::now();
        assert_eq!(peer.rtp(), Some("192.0.2.7:4000".parse().unwrap()));
        assert_eq!(peer.rtcp(), Some("192.0.2.7:4001".parse().unwrap()));
        let (a, b) = ("192.0.2.7:5000".parse().unwrap(), "192.0.2.7:6000".parse().unwrap());
        peer.heard(a, now);
        peer.heard(b, now + Duration::from_millis(20));
        assert_eq!(peer.rtp(), Some(a), "one stray packet moves nothing");
        peer.heard(b, now + Duration::from_secs(1));
        assert_eq!(peer.rtp(), Some(b));
    }
}
