//! SDP (RFC 8866), as much of it as calls with one audio stream need. Offers and answers are in `negotiate`.

pub mod negotiate;

use std::fmt::{self, Write};
use std::net::IpAddr;

use media::party::CodecKind;

use super::srtp::Crypto;

/// A body longer than this is not read.
const LONGEST: usize = 16 * 1024;

/// More media lines, formats or keys than this are not read.
const MOST: usize = 32;

/// A session description.
#[derive(Clone, Debug, PartialEq)]
pub struct Sdp {
    /// The session's number in `o=`.
    pub session: u64,
    /// The version in `o=`; changes when the description does.
    pub version: u64,
    /// Our address in `o=`.
    pub origin: IpAddr,
    /// What is on offer, in order; an answer has exactly as many.
    pub media: Vec<Medium>,
}

/// One `m=` line with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Medium {
    /// Sound.
    Audio(Audio),
    /// What we do not take part in: kind, protocol and formats, for the answer that turns it down.
    Other(String),
}

/// An audio stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    /// Where to send; `None` when it is a name that we do not look up, or the null address of old-style hold.
    pub address: Option<IpAddr>,
    /// The RTP port; 0 turns the stream down.
    pub port: u16,
    /// `RTP/AVP`, `RTP/SAVP`, `RTP/AVPF` or `RTP/SAVPF`.
    pub profile: String,
    /// In order of preference.
    pub formats: Vec<Format>,
    /// Who sends.
    pub direction: Direction,
    /// Whether RTCP shares the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// The RTCP port where it is not the next one (RFC 3605).
    pub rtcp_port: Option<u16>,
    /// Keys (RFC 4568), in order of preference.
    pub crypto: Vec<Crypto>,
}

impl Audio {
    /// Whether the media is to be encrypted.
    pub fn demands_encryption(&self) -> bool {
        self.profile.contains("SAVP")
    }

    /// Whether the media may be encrypted: some offer keys in the plain profile (RFC 8643).
    pub fn is_secure(&self) -> bool {
        self.demands_encryption() || !self.crypto.is_empty()
    }

    /// Whether the stream is turned down.
    pub fn is_refused(&self) -> bool {
        self.port == 0
    }

    /// The first format that we can play.
    pub fn codec(&self) -> Option<(u8, CodecKind)> {
        self.formats.iter().find_map(|it| match it.coding {
            Coding::Voice(kind) => Some((it.payload, kind)),
            _ => None,
        })
    }

    /// The touch-tone format for a clock, or else any.
    pub fn touch_tones(&self, clock_hz: u32) -> Option<(u8, u32)> {
        let all = self.formats.iter().filter_map(|it| match it.coding {
            Coding::TouchTones(hz) => Some((it.payload, hz)),
            _ => None,
        });
        all.clone().find(|(_, hz)| *hz == clock_hz).or_else(|| all.clone().next())
    }
}

/// One RTP payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// 0 to 127.
    pub payload: u8,
    /// What it means.
    pub coding: Coding,
}

/// What a payload type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Speech that we can play.
    Voice(CodecKind),
    /// `telephone-event` (RFC 4733) and its clock.
    TouchTones(u32),
    /// Anything else.
    Unknown,
}

/// Who sends media, as seen by the writer of the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    SendReceive,
    /// The writer only: it has put the reader on hold.
    SendOnly,
    /// The reader only.
    ReceiveOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    fn attribute(self) -> &'static str {
        match self {
            Direction::SendReceive => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::ReceiveOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The same seen from the other side.
    pub fn mirrored(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::ReceiveOnly,
            Direction::ReceiveOnly => Direction::SendOnly,
            other => other,
        }
    }

    /// Whether the writer listens to the reader.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendReceive | Direction::ReceiveOnly)
    }
}

/// What is wrong with a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// It is longer than any phone's.
    #[error("the session description is too long")]
    TooLong,
    /// Not even the first line is one.
    #[error("the body is not a session description")]
    NotSdp,
    /// A line that we need cannot be read.
    #[error("a line of the session description cannot be read")]
    BadLine,
}

/// The clock that touch tones go with.
pub fn clock_hz(kind: CodecKind) -> u32 {
    match kind {
        CodecKind::Opus => 48_000,
        CodecKind::Pcma | CodecKind::Pcmu => 8_000,
    }
}

impl Sdp {
    /// Reads a body. Unknown lines are passed over (RFC 8866, section 5).
    ///
    /// # Errors
    /// When it is no session description, or an `m=` line cannot be read.
    pub fn parse(body: &[u8]) -> Result<Sdp, SdpError> {
        if body.len() > LONGEST {
            return Err(SdpError::TooLong);
        }
        let text = String::from_utf8_lossy(body);
        let mut lines = text.lines().map(|line| line.trim_end_matches('\r'));
        if lines.next().map(str::trim) != Some("v=0") {
            return Err(SdpError::NotSdp);
        }
        let mut sdp = Sdp { session: 0, version: 0, origin: IpAddr::from([0, 0, 0, 0]), media: Vec::new() };
        let mut common = Common::default();
        for line in lines {
            let Some((key, value)) = line.split_once('=') else { continue };
            if key == "m" && sdp.media.len() < MOST {
                sdp.media.push(medium(value, &common)?);
                continue;
            }
            match (key, sdp.media.last_mut()) {
                ("o", None) => sdp.read_origin(value),
                ("c", None) => common.address = connection(value),
                ("c", Some(Medium::Audio(audio))) => audio.address = connection(value),
                ("a", None) => common.read_attribute(value),
                ("a", Some(Medium::Audio(audio))) => audio.read_attribute(value),
                _ => (),
            }
        }
        Ok(sdp)
    }

    /// The first audio stream that is not turned down, and its place.
    pub fn audio(&self) -> Option<(usize, &Audio)> {
        self.media.iter().enumerate().find_map(|(place, it)| match it {
            Medium::Audio(audio) if !audio.is_refused() => Some((place, audio)),
            _ => None,
        })
    }

    fn read_origin(&mut self, value: &str) {
        let mut words = value.split_whitespace().skip(1);
        self.session = words.next().and_then(|it| it.parse().ok()).unwrap_or(0);
        self.version = words.next().and_then(|it| it.parse().ok()).unwrap_or(0);
        if let Some(address) = words.nth(2).and_then(|it| it.parse().ok()) {
            self.origin = address;
        }
    }
}

/// What stands before the first `m=` and holds for all.
#[derive(Default)]
struct Common {
    address: Option<IpAddr>,
    direction: Option<Direction>,
}

impl Common {
    fn read_attribute(&mut self, value: &str) {
        self.direction = direction(value).or(self.direction);
    }
}

impl Audio {
    fn read_attribute(&mut self, value: &str) {
        if let Some(direction) = direction(value) {
            self.direction = direction;
            return;
        }
        match value.split_once(':').unwrap_or((value, "")) {
            ("rtpmap", map) => self.read_rtpmap(map),
            ("rtcp-mux", _) => self.rtcp_mux = true,
            ("rtcp", port) => self.rtcp_port = port.split_whitespace().next().and_then(|it| it.parse().ok()),
            ("crypto", key) if self.crypto.len() < MOST => self.crypto.extend(Crypto::parse(key)),
            _ => (),
        }
    }

    fn read_rtpmap(&mut self, map: &str) {
        let Some((payload, encoding)) = map.trim().split_once(' ') else { return };
        let Ok(payload) = payload.parse::<u8>() else { return };
        let mut parts = encoding.trim().split('/');
        let name = parts.next().unwrap_or("").to_ascii_lowercase();
        let rate = parts.next().and_then(|it| it.trim().parse::<u32>().ok());
        let coding = match (name.as_str(), rate) {
            ("opus", Some(48_000)) => Coding::Voice(CodecKind::Opus),
            ("pcma", Some(8_000)) => Coding::Voice(CodecKind::Pcma),
            ("pcmu", Some(8_000)) => Coding::Voice(CodecKind::Pcmu),
            ("telephone-event", Some(hz)) if hz > 0 => Coding::TouchTones(hz),
            _ => Coding::Unknown,
        };
        for format in self.formats.iter_mut().filter(|it| it.payload == payload) {
            format.coding = coding;
        }
    }
}

fn medium(value: &str, common: &Common) -> Result<Medium, SdpError> {
    let mut words = value.split_whitespace();
    let (Some(kind), Some(port), Some(profile)) = (words.next(), words.next(), words.next()) else {
        return Err(SdpError::BadLine);
    };
    // `49170/2` names several ports; only the first matters.
    let port: u16 = port.split('/').next().unwrap_or("").parse().map_err(|_| SdpError::BadLine)?;
    let formats: Vec<&str> = words.take(MOST).collect();
    if kind != "audio" || !matches!(profile, "RTP/AVP" | "RTP/SAVP" | "RTP/AVPF" | "RTP/SAVPF") {
        return Ok(Medium::Other(format!("{kind} 0 {profile} {}", formats.join(" "))));
    }
    let formats = formats.iter().filter_map(|it| it.parse().ok()).filter(|it| *it < 128);
    Ok(Medium::Audio(Audio {
        address: common.address,
        port,
        profile: profile.to_owned(),
        formats: formats.map(|payload| Format { payload, coding: static_coding(payload) }).collect(),
        direction: common.direction.unwrap_or(Direction::SendReceive),
        rtcp_mux: false,
        rtcp_port: None,
        crypto: Vec::new(),
    }))
}

/// Payload types with a fixed meaning (RFC 3551, table 4).
fn static_coding(payload: u8) -> Coding {
    match payload {
        0 => Coding::Voice(CodecKind::Pcmu),
        8 => Coding::Voice(CodecKind::Pcma),
        _ => Coding::Unknown,
    }
}

fn connection(value: &str) -> Option<IpAddr> {
    let address = value.split_whitespace().nth(2)?;
    // `/ttl` follows a multicast address; 0.0.0.0 is hold in the manner of RFC 2543.
    address.split('/').next()?.parse().ok().filter(|it: &IpAddr| !it.is_unspecified())
}

fn direction(value: &str) -> Option<Direction> {
    match value.trim() {
        "sendrecv" => Some(Direction::SendReceive),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::ReceiveOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    }
}

impl fmt::Display for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.origin.is_ipv6() { "IP6" } else { "IP4" };
        let Sdp { session, version, origin, media } = self;
        write!(f, "v=0\r\no=hark {session} {version} IN {family} {origin}\r\ns=-\r\nc=IN {family} {origin}\r\nt=0 0\r\n")?;
        media.iter().try_for_each(|medium| match medium {
            Medium::Audio(audio) => audio.fmt(f),
            Medium::Other(refused) => write!(f, "m={refused}\r\n"),
        })
    }
}

impl fmt::Display for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut maps = String::new();
        write!(f, "m=audio {} {}", self.port, self.profile)?;
        for Format { payload, coding } in &self.formats {
            write!(f, " {payload}")?;
            match coding {
                Coding::Voice(CodecKind::Opus) => {
                    // RFC 7587: always 48000/2, whatever is in it. Mono both ways, with forward error correction.
                    write!(maps, "a=rtpmap:{payload} opus/48000/2\r\n")?;
                    write!(maps, "a=fmtp:{payload} minptime=10;useinbandfec=1;stereo=0;sprop-stereo=0\r\n")?;
                }
                Coding::Voice(CodecKind::Pcma) => write!(maps, "a=rtpmap:{payload} PCMA/8000\r\n")?,
                Coding::Voice(CodecKind::Pcmu) => write!(maps, "a=rtpmap:{payload} PCMU/8000\r\n")?,
                Coding::TouchTones(hz) => {
                    write!(maps, "a=rtpmap:{payload} telephone-event/{hz}\r\na=fmtp:{payload} 0-15\r\n")?;
                }
                Coding::Unknown => (),
            }
        }
        write!(f, "\r\n{maps}")?;
        if self.is_refused() {
            return Ok(());
        }
        write!(f, "a=ptime:20\r\na={}\r\n", self.direction.attribute())?;
        if self.rtcp_mux {
            f.write_str("a=rtcp-mux\r\n")?;
        }
        if let Some(port) = self.rtcp_port {
            write!(f, "a=rtcp:{port}\r\n")?;
        }
        self.crypto.iter().try_for_each(|it| write!(f, "a=crypto:{it}\r\n"))
    }
}

#[cfg(test)]
mod tests;
