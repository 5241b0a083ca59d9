//! `_hark._tcp`: speakers find one another in a network without asking anybody (RFC 6762, RFC 6763). What is said there is a hint where to ask, and believed by nobody.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use mdns_sd::{IfKind, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::sync::mpsc;
use tracing::debug;

use super::identity::Fingerprint;
use super::members::Card;

/// The service.
const SERVICE: &str = "_hark._tcp.local.";
/// How often it is looked whether we are still wanted.
const LOOK: Duration = Duration::from_secs(1);

/// A speaker that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// As it says, the fingerprint of its key.
    pub key: Fingerprint,
    /// Where its straight link listens.
    pub addresses: Vec<SocketAddr>,
}

/// Being found, and looking; ends when it is dropped.
pub struct Mdns {
    daemon: ServiceDaemon,
}

impl Mdns {
    /// Announces us, and tells who else is there.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn start(
        card: &Card,
        key: Fingerprint,
        base: &str,
        port: u16,
        interface: Option<Ipv4Addr>,
        seen: mpsc::Sender<Seen>,
    ) -> anyhow::Result<Mdns> {
        let daemon = ServiceDaemon::new().context("starting mDNS; `house.mdns: false` in hark.yaml does without it")?;
        if let Some(interface) = interface {
            daemon.disable_interface(IfKind::All).context("choosing the interface of mDNS")?;
            daemon.enable_interface(IfKind::Addr(IpAddr::V4(interface))).context("choosing the interface of mDNS")?;
        }
        let text = [("room", card.room.as_str()), ("key", &key.to_string()), ("base", base)];
        // The name is unique in the network, whatever the rooms are called.
        let short = &key.to_string()[..12];
        let name = format!("{} {short}", card.room);
        let ours = ServiceInfo::new(SERVICE, &name, &format!("hark-{short}.local."), "", port, &text[..])
            .context("announcing this speaker by mDNS")?
            .enable_addr_auto();
        daemon.register(ours).context("announcing this speaker by mDNS")?;
        let found = daemon.browse(SERVICE).context("looking for speakers by mDNS")?;
        // The library has channels of its own; a thread of ours that sleeps nearly always carries them over.
        thread::Builder::new().name("mdns".into()).spawn(move || {
            loop {
                match found.recv_timeout(LOOK) {
                    Ok(ServiceEvent::ServiceResolved(it)) => {
                        let port = it.get_port();
                        let addresses = it.get_addresses().iter().map(|ip| SocketAddr::new(ip.to_ip_addr(), port));
                        let Some(key) = it.get_property_val_str("key").and_then(|key| key.parse().ok()) else { continue };
                        let it = Seen { key, addresses: useful(addresses) };
                        // Who is seen now will be seen again.
                        if seen.try_send(it).is_err() && seen.is_closed() {
                            return;
                        }
                    }
                    Ok(event) => debug!(?event, "mDNS"),
                    Err(_) if seen.is_closed() || found.is_disconnected() => return,
                    Err(_) => (),
                }
            }
        })?;
        Ok(Mdns { daemon })
    }
}

impl Drop for Mdns {
    fn drop(&mut self) {
        // Says goodbye, so that others do not look for us in vain.
        if let Err(error) = self.daemon.shutdown() {
            debug!(%error, "mDNS does not end");
        }
    }
}

/// Link-local IPv6 needs to know of which interface; IPv4 first, since it works in nearly all houses.
fn useful(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = addresses
        .filter(|it| match it.ip() {
            IpAddr::V4(ip) => !ip.is_unspecified(),
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_unicast_link_local(),
        })
        .collect();
    addresses.sort_unstable();
    addresses.truncate(6);
    // The courier tries the last one first.
    addresses.reverse();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_reached_are_left_out() {
        let of = |texts: &[&str]| useful(texts.iter().map(|it| it.parse().unwrap()));
        assert_eq!(of(&["[fe80::1]:7373", "0.0.0.0:7373", "192.168.1.5:7373"]), ["192.168.1.5:7373".parse().unwrap()]);
        assert_eq!(of(&["[fd00::1]:1", "10.0.0.1:1"]), ["[fd00::1]:1".parse().unwrap(), "10.0.0.1:1".parse().unwrap()]);
    }
}
