//! Our user agent: the SIP stack, set up, and the messages that we make with it.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use anyhow::{Context, Result};
use rsipstack::EndpointBuilder;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::headers::{Header, make_header};
use rsipstack::sip::{Method, Request, Response, StatusCode, Uri, Version};
use rsipstack::transaction::endpoint::{Endpoint, EndpointInnerRef};
use rsipstack::transaction::{TransactionReceiver, random_text};
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{TcpListenerConnection, TlsConfig, TransportLayer};
use tokio::sync::broadcast;

use super::reach::{Names, Target};
use super::socket::Socket;
use crate::config::SipSettings;

/// How often a port that is free for UDP as for TCP is looked for.
const FREE_PORT_TRIES: u32 = 16;

/// Who we are on the wire.
pub const USER_AGENT: &str = concat!("Hark/", env!("CARGO_PKG_VERSION"));

/// What we understand.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO";

/// Extensions that we know; what a caller requires beyond them is refused (420).
pub const SUPPORTED: &str = "timer";

/// Where Debian, Fedora and others keep the roots that they trust.
const ROOTS: [&str; 3] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// The sockets that we listen at, taken before anything runs.
pub struct Sockets {
    udp: UdpSocket,
    addr: SocketAddr,
}

impl Sockets {
    /// Takes the port for UDP and TCP; port 0 takes one that is free for both.
    ///
    /// # Errors
    /// When somebody has it already.
    pub fn bind(listen: SocketAddr) -> Result<Sockets> {
        let mut tries = if listen.port() == 0 { FREE_PORT_TRIES } else { 1 };
        loop {
            tries -= 1;
            match Self::bind_once(listen) {
                Err(error) if tries == 0 => return Err(error),
                Err(_) => {}
                taken => return taken,
            }
        }
    }

    fn bind_once(listen: SocketAddr) -> Result<Sockets> {
        let busy = || format!("listening for SIP at {listen}; another program may have the port: set `sip.listen` in hark.yaml");
        // The stack opens the TCP socket itself and only logs a failure: try it here.
        let tcp = TcpListener::bind(listen).with_context(busy)?;
        let addr = tcp.local_addr()?;
        let udp = UdpSocket::bind(addr).with_context(busy)?;
        Ok(Sockets { udp, addr })
    }

    /// Where we listen.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// The user agent, shared by all calls and registrations.
pub struct Agent {
    endpoint: Endpoint,
    listen: SocketAddr,
    socket: Arc<Socket>,
    unreachable: broadcast::Sender<SocketAddr>,
    cancel: CancellationToken,
    /// What hark.yaml says.
    pub settings: SipSettings,
}

impl Agent {
    /// Starts the stack; requests that come in are taken from the receiver.
    ///
    /// # Errors
    /// When a socket cannot be used.
    pub async fn start(settings: SipSettings, sockets: Sockets) -> Result<(Agent, TransactionReceiver)> {
        let Sockets { udp, addr: listen } = sockets;
        let cancel = CancellationToken::new();
        // Whoever waits for an answer looks at it; old entries may be lost.
        let (unreachable, _) = broadcast::channel(64);
        let socket = Arc::new(Socket::new(udp, unreachable.clone())?);
        let names = Box::new(Names { v4: listen.is_ipv4() });
        let transport = TransportLayer::new_with_domain_resolver(cancel.child_token(), names);
        let udp = UdpConnection::from_socket(socket.clone(), None, Some(cancel.child_token())).await?;
        transport.add_transport(udp.into());
        transport
            .add_transport(rsipstack::transport::SipConnection::TcpListener(TcpListenerConnection::new(listen, None).await?));
        transport.set_tls_config(TlsConfig { ca_certs: roots(), ..TlsConfig::default() });
        let endpoint = EndpointBuilder::new()
            .with_user_agent(USER_AGENT)
            .with_transport_layer(transport)
            .with_cancel_token(cancel.child_token())
            .build();
        let incoming = endpoint.incoming_transactions()?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move { inner.serve().await.ok() });
        Ok((Agent { endpoint, listen, socket, unreachable, cancel, settings }, incoming))
    }

    /// The stack.
    pub fn endpoint(&self) -> &EndpointInnerRef {
        &self.endpoint.inner
    }

    /// Where we listen.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Hears of peers that ICMP says are not there.
    pub fn unreachable(&self) -> broadcast::Receiver<SocketAddr> {
        self.unreachable.subscribe()
    }

    /// Keeps a NAT's door open.
    pub fn keep_alive(&self, to: SocketAddr) {
        self.socket.keep_alive(to);
    }

    /// Closes all sockets.
    pub fn stop(&self) {
        self.cancel.cancel();
    }

    /// Our address at a target, as `<sip:...>`.
    pub fn contact(&self, user: &str, target: &Target) -> String {
        format!("<sip:{user}@{}{}>", target.ours, target.parameter())
    }

    /// A request with all that every request needs; `head` are From, To, Call-ID and CSeq number.
    pub fn request(&self, method: Method, uri: Uri, target: &Target, head: &Head) -> Request {
        let transport = super::reach::stack(target.transport);
        let via = format!("SIP/2.0/{transport} {};branch={};rport", target.ours, branch());
        let mut headers = vec![
            header("Via", via),
            header("Max-Forwards", "70".into()),
            header("From", head.from.clone()),
            header("To", head.to.clone()),
            header("Call-ID", head.call_id.clone()),
            header("CSeq", format!("{} {method}", head.cseq)),
            header("User-Agent", USER_AGENT.into()),
        ];
        if method != Method::Cancel {
            headers.push(header("Allow", ALLOW.into()));
            headers.push(header("Supported", SUPPORTED.into()));
        }
        Request { method, uri, version: Version::V2, headers: headers.into(), body: Vec::new() }
    }

    /// A response to a request.
    pub fn response(&self, request: &Request, code: u16, extra: Vec<Header>, body: Option<String>) -> Response {
        let has_body = body.is_some();
        let mut response = self.endpoint().make_response(request, StatusCode::from(code), body.map(String::into_bytes));
        response.headers.extend(extra);
        if code != 100 {
            response.headers.push(header("Allow", ALLOW.into()));
            response.headers.push(header("Supported", SUPPORTED.into()));
        }
        if has_body {
            response.headers.push(header("Content-Type", "application/sdp".into()));
        }
        response
    }
}

/// From, To, Call-ID and CSeq of a request.
#[derive(Clone, Debug)]
pub struct Head {
    /// The value of `From`, with our tag.
    pub from: String,
    /// The value of `To`, with their tag inside a dialog.
    pub to: String,
    /// The value of `Call-ID`.
    pub call_id: String,
    /// The number in `CSeq`.
    pub cseq: u32,
}

/// A header.
pub fn header(name: &str, value: String) -> Header {
    make_header(name, value)
}

/// A fresh branch: names a transaction.
pub fn branch() -> String {
    format!("z9hG4bK{}", random_text(16))
}

/// A fresh tag: half of a dialog's name.
pub fn tag() -> String {
    random_text(12)
}

/// A fresh Call-ID; without a host part, which RFC 3261 does not ask for.
pub fn call_id() -> String {
    random_text(32)
}

fn roots() -> Option<Vec<u8>> {
    let named = std::env::var_os("SSL_CERT_FILE").map(Into::into);
    let places = named.into_iter().chain(ROOTS.map(std::path::PathBuf::from));
    places.into_iter().find_map(|it| std::fs::read(it).ok())
}
