//! How to get to a SIP address: transport, name, connection, and which address of ours to tell there.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use rsipstack::resolver::SipResolver;
use rsipstack::sip::uri::ParamsExt;
use rsipstack::sip::{Domain, Host, HostWithPort, Port, Scheme, Transport as SipTransport, Uri};
use rsipstack::transport::transport_layer::DomainResolver;
use rsipstack::transport::{SipAddr, SipConnection};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::address::ours_for;
use super::agent::Agent;
use crate::config::Transport;

/// How long a name or a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to ask for SRV records before the plain address will do.
const SRV_PATIENCE: Duration = Duration::from_secs(2);

/// The next hop of a request.
#[derive(Clone)]
pub struct Target {
    /// Where packets go.
    pub addr: SocketAddr,
    /// How.
    pub transport: Transport,
    /// The connection, where there is one.
    pub connection: Option<SipConnection>,
    /// Our address as told there.
    pub ours: SocketAddr,
}

/// Why there is no way.
#[derive(Debug, thiserror::Error)]
pub enum NoWay {
    /// The address is not one that we understand.
    #[error("the address cannot be read")]
    BadAddress,
    /// DNS does not know the name.
    #[error("the name `{0}` is not known")]
    UnknownName(String),
    /// The network is down, or the address is of a kind that we have none of.
    #[error("there is no route to `{0}`: {1}")]
    NoRoute(SocketAddr, io::Error),
    /// Nobody answers there, or TLS fails.
    #[error("`{0}` cannot be connected to: {1}")]
    NoConnection(String, String),
}

impl Target {
    /// As the stack wants it.
    pub fn sip_addr(&self) -> SipAddr {
        SipAddr { r#type: Some(stack(self.transport)), addr: self.addr.into() }
    }

    /// The `transport` parameter of our addresses there.
    pub fn parameter(&self) -> &'static str {
        match self.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        }
    }
}

/// The stack's word for a transport.
pub fn stack(transport: Transport) -> SipTransport {
    match transport {
        Transport::Udp => SipTransport::Udp,
        Transport::Tcp => SipTransport::Tcp,
        Transport::Tls => SipTransport::Tls,
    }
}

/// The transport that an address asks for; UDP where it says nothing.
pub fn transport_of(uri: &Uri) -> Transport {
    match uri.transport() {
        Some(SipTransport::Tls) => Transport::Tls,
        _ if uri.scheme == Some(Scheme::Sips) => Transport::Tls,
        Some(SipTransport::Tcp) => Transport::Tcp,
        _ => Transport::Udp,
    }
}

impl Agent {
    /// Finds the way to an address.
    ///
    /// # Errors
    /// When there is none: within seconds, not after SIP's own 32.
    pub async fn reach(&self, uri: &Uri) -> Result<Target, NoWay> {
        self.reach_by(&uri.host_with_port, transport_of(uri)).await
    }

    /// Finds the way to a host.
    ///
    /// # Errors
    /// When there is none.
    pub async fn reach_by(&self, to: &HostWithPort, transport: Transport) -> Result<Target, NoWay> {
        let addr = resolve(&to.host, to.port.map(|it| it.into()), transport, self.listen().is_ipv4()).await?;
        let connection = match transport {
            Transport::Udp => None,
            Transport::Tcp | Transport::Tls => Some(self.connect(to, addr, transport).await?),
        };
        self.target(addr, transport, connection)
    }

    /// A target whose address is known.
    ///
    /// # Errors
    /// When there is no route to it.
    pub fn target(&self, addr: SocketAddr, transport: Transport, connection: Option<SipConnection>) -> Result<Target, NoWay> {
        let ip = ours_for(addr, self.listen().ip(), self.settings.public_address).map_err(|it| NoWay::NoRoute(addr, it))?;
        Ok(Target { addr, transport, connection, ours: SocketAddr::new(ip, self.listen().port()) })
    }

    async fn connect(&self, to: &HostWithPort, addr: SocketAddr, transport: Transport) -> Result<SipConnection, NoWay> {
        // With TLS the certificate is checked against the name, so the stack gets the name.
        let port = Some(Port::from(addr.port()));
        let by_name = SipAddr { r#type: Some(stack(transport)), addr: HostWithPort { host: to.host.clone(), port } };
        let connecting = self.endpoint().transport_layer.lookup(&by_name, None);
        match timeout(PATIENCE, connecting).await {
            Ok(Ok((connection, _))) => Ok(connection),
            Ok(Err(error)) => Err(NoWay::NoConnection(to.to_string(), error.to_string())),
            Err(_) => Err(NoWay::NoConnection(to.to_string(), "no reply".into())),
        }
    }
}

/// The address of a host (RFC 3263 as far as homes need it: SRV where no port is given, then A and AAAA).
async fn resolve(host: &Host, port: Option<u16>, transport: Transport, v4: bool) -> Result<SocketAddr, NoWay> {
    let default = if transport == Transport::Tls { 5061 } else { 5060 };
    let domain = match host {
        Host::IpAddr(ip) => return Ok(SocketAddr::new(*ip, port.unwrap_or(default))),
        Host::Domain(Domain(domain)) => domain.as_str(),
    };
    let unknown = || NoWay::UnknownName(domain.to_owned());
    // RFC 6761: never asked for.
    if domain.is_empty() || domain == "invalid" || domain.ends_with(".invalid") {
        return Err(unknown());
    }
    let fits = |addr: &SocketAddr| !v4 || addr.is_ipv4();
    // RFC 6762: names of the house are found by the system's resolver only.
    if port.is_none() && domain.contains('.') && !domain.ends_with(".local") {
        let resolver = SipResolver::default();
        let wanted = Domain::from(domain.to_owned());
        let asked = resolver.lookup(&wanted, None, Some(stack(transport)), transport == Transport::Tls);
        if let Ok(Ok(found)) = timeout(SRV_PATIENCE, asked).await
            && let Some(addr) = found.into_iter().map(|it| it.addr).find(fits)
        {
            return Ok(addr);
        }
    }
    let found = timeout(PATIENCE, lookup_host((domain, port.unwrap_or(default)))).await;
    found.ok().and_then(Result::ok).and_then(|mut it| it.find(fits)).ok_or_else(unknown)
}

/// Names as the stack asks for them: for the ACK of a 2xx and for TLS.
pub struct Names {
    /// Whether only IPv4 addresses are of use.
    pub v4: bool,
}

#[async_trait]
impl DomainResolver for Names {
    async fn resolve(&self, target: &SipAddr) -> rsipstack::Result<SipAddr> {
        let transport = match target.r#type {
            Some(SipTransport::Tls) => Transport::Tls,
            Some(SipTransport::Tcp) => Transport::Tcp,
            _ => Transport::Udp,
        };
        let port = target.addr.port.map(|it| it.into());
        let found = resolve(&target.addr.host, port, transport, self.v4).await;
        let addr = found.map_err(|it| rsipstack::Error::DnsResolutionError(it.to_string()))?;
        Ok(SipAddr { r#type: target.r#type.or(Some(SipTransport::Udp)), addr: addr.into() })
    }
}

/// The host part as an address, if it is one.
pub fn ip_of(uri: &Uri) -> Option<IpAddr> {
    match uri.host() {
        Host::IpAddr(ip) => Some(*ip),
        Host::Domain(_) => None,
    }
}
