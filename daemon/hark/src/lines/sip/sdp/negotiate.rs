//! Offer and answer (RFC 3264): what we offer, what we answer, and what was agreed.

use std::net::{IpAddr, SocketAddr};

use media::party::CodecKind;

use super::super::srtp::Crypto;
use super::{Audio, Coding, Direction, Format, Medium, Sdp, clock_hz};
use crate::config::Srtp;

/// What we bring to the table.
#[derive(Clone, Debug)]
pub struct Local {
    /// Where we want to get RTP.
    pub address: SocketAddr,
    /// Where we want to get RTCP, where it does not share the port.
    pub rtcp_port: u16,
    /// In order of preference.
    pub codecs: Vec<CodecKind>,
    /// Whether we encrypt.
    pub srtp: Srtp,
    /// Our keys, best first; for answers the one that fits is taken.
    pub crypto: Vec<Crypto>,
    /// The session's number, the same for the whole call.
    pub session: u64,
    /// Grows with every description that we send.
    pub version: u64,
    /// Who sends.
    pub direction: Direction,
}

/// What both sides know after an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreed {
    /// Where to send; the address is missing when the other side has hidden it.
    pub remote: Option<IpAddr>,
    /// The RTP port.
    pub port: u16,
    /// The RTCP port; equal to `port` when shared.
    pub rtcp_port: u16,
    /// The codec and its payload type towards them.
    pub codec: (u8, CodecKind),
    /// Payload types that they may send, and what they mean.
    pub incoming: Vec<Format>,
    /// Touch tones towards them: payload type and clock.
    pub touch_tones: Option<(u8, u32)>,
    /// Keys: ours for sending, theirs for receiving.
    pub crypto: Option<(Crypto, Crypto)>,
    /// Who sends, as seen by us.
    pub direction: Direction,
}

/// Why there is no agreement.
#[expect(clippy::enum_variant_names, reason = "`NoAgreement::Audio` would say the opposite")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAgreement {
    /// No audio, or all of it turned down.
    #[error("there is no audio stream")]
    NoAudio,
    /// They speak other codecs.
    #[error("there is no codec in common")]
    NoCodec,
    /// We must encrypt and they do not, or the other way round.
    #[error("there is no encryption in common")]
    NoEncryption,
}

/// Dynamic payload types of our offers; those of `telephone-event` by clock.
const OPUS: u8 = 96;
const TONES_48K: u8 = 97;
const TONES_8K: u8 = 101;

impl Local {
    /// Our offer.
    pub fn offer(&self) -> Sdp {
        let mut formats: Vec<Format> = self.codecs.iter().map(|kind| voice(*kind)).collect();
        if self.codecs.contains(&CodecKind::Opus) {
            formats.push(Format { payload: TONES_48K, coding: Coding::TouchTones(48_000) });
        }
        formats.push(Format { payload: TONES_8K, coding: Coding::TouchTones(8_000) });
        let secure = self.srtp != Srtp::Accept;
        let audio = Audio {
            address: Some(self.address.ip()),
            port: self.address.port(),
            profile: if secure { "RTP/SAVP" } else { "RTP/AVP" }.to_owned(),
            formats,
            direction: self.direction,
            rtcp_mux: true,
            rtcp_port: (self.rtcp_port != self.address.port() + 1).then_some(self.rtcp_port),
            crypto: if secure { self.crypto.clone() } else { Vec::new() },
        };
        self.describe(vec![Medium::Audio(audio)])
    }

    /// Reads the answer to our offer.
    ///
    /// # Errors
    /// When nothing is left in common.
    pub fn conclude(&self, offer: &Sdp, answer: &Sdp) -> Result<Agreed, NoAgreement> {
        let (_, theirs) = answer.audio().ok_or(NoAgreement::NoAudio)?;
        let (_, ours) = offer.audio().ok_or(NoAgreement::NoAudio)?;
        let crypto = match (ours.is_secure(), theirs.is_secure()) {
            (false, _) if !theirs.demands_encryption() => None,
            (true, true) => {
                let Some(theirs) = theirs.crypto.first() else { return Err(NoAgreement::NoEncryption) };
                // The tag says which of our keys they took (RFC 4568, section 5.1.2).
                let ours = ours.crypto.iter().find(|it| it.tag == theirs.tag && it.suite == theirs.suite);
                Some((ours.ok_or(NoAgreement::NoEncryption)?.clone(), theirs.clone()))
            }
            _ => return Err(NoAgreement::NoEncryption),
        };
        let codec = theirs.codec().filter(|(_, kind)| self.codecs.contains(kind)).ok_or(NoAgreement::NoCodec)?;
        // They send with the payload types of our offer, some with those of their answer.
        let mut incoming = ours.formats.clone();
        incoming.extend(theirs.formats.iter().filter(|it| !ours.formats.iter().any(|o| o.payload == it.payload)));
        Ok(agreed(theirs, codec, incoming, crypto, theirs.direction.mirrored(), theirs.rtcp_mux))
    }

    /// Answers an offer.
    ///
    /// # Errors
    /// When we have nothing in common with it: 488.
    pub fn answer(&self, offer: &Sdp) -> Result<(Sdp, Agreed), NoAgreement> {
        let (place, theirs) = offer.audio().ok_or(NoAgreement::NoAudio)?;
        let crypto = match (theirs.is_secure(), self.srtp) {
            (false, Srtp::Require) => return Err(NoAgreement::NoEncryption),
            (false, _) => None,
            (true, srtp) => match self.pick_crypto(theirs) {
                None if theirs.demands_encryption() || srtp == Srtp::Require => return Err(NoAgreement::NoEncryption),
                keys => keys,
            },
        };
        let codec = self.codecs.iter().find_map(|kind| {
            let format = theirs.formats.iter().find(|it| it.coding == Coding::Voice(*kind))?;
            Some((format.payload, *kind))
        });
        let codec = codec.ok_or(NoAgreement::NoCodec)?;
        let tones = theirs.touch_tones(clock_hz(codec.1));
        let mut formats = vec![Format { payload: codec.0, coding: Coding::Voice(codec.1) }];
        formats.extend(tones.map(|(payload, hz)| Format { payload, coding: Coding::TouchTones(hz) }));
        let direction = answering(theirs.direction, self.direction);
        let audio = Audio {
            address: Some(self.address.ip()),
            port: self.address.port(),
            profile: theirs.profile.clone(),
            formats: formats.clone(),
            direction,
            rtcp_mux: theirs.rtcp_mux,
            rtcp_port: (!theirs.rtcp_mux && self.rtcp_port != self.address.port() + 1).then_some(self.rtcp_port),
            crypto: crypto.iter().map(|(ours, _)| ours.clone()).collect(),
        };
        let media = offer.media.iter().enumerate();
        let media = media.map(|(n, it)| if n == place { Medium::Audio(audio.clone()) } else { refused(it) }).collect();
        Ok((self.describe(media), agreed(theirs, codec, formats, crypto, direction, theirs.rtcp_mux)))
    }

    fn pick_crypto(&self, theirs: &Audio) -> Option<(Crypto, Crypto)> {
        theirs.crypto.iter().find_map(|key| {
            let ours = self.crypto.iter().find(|it| it.suite == key.suite)?;
            Some((ours.tagged(key.tag), key.clone()))
        })
    }

    fn describe(&self, media: Vec<Medium>) -> Sdp {
        Sdp { session: self.session, version: self.version, origin: self.address.ip(), media }
    }
}

fn agreed(
    theirs: &Audio,
    codec: (u8, CodecKind),
    incoming: Vec<Format>,
    crypto: Option<(Crypto, Crypto)>,
    direction: Direction,
    mux: bool,
) -> Agreed {
    let rtcp_port = if mux { theirs.port } else { theirs.rtcp_port.unwrap_or(theirs.port.wrapping_add(1)) };
    let touch_tones = theirs.touch_tones(clock_hz(codec.1));
    Agreed { remote: theirs.address, port: theirs.port, rtcp_port, codec, incoming, touch_tones, crypto, direction }
}

/// Our direction in the answer: what they allow, and what we want.
fn answering(offered: Direction, wanted: Direction) -> Direction {
    match (offered.mirrored(), wanted) {
        (Direction::SendReceive, wanted) => wanted,
        (allowed, Direction::SendReceive) => allowed,
        (allowed, wanted) if allowed == wanted => allowed,
        _ => Direction::Inactive,
    }
}

fn voice(kind: CodecKind) -> Format {
    let payload = match kind {
        CodecKind::Opus => OPUS,
        CodecKind::Pcma => 8,
        CodecKind::Pcmu => 0,
    };
    Format { payload, coding: Coding::Voice(kind) }
}

fn refused(medium: &Medium) -> Medium {
    match medium {
        Medium::Audio(audio) => Medium::Audio(Audio { port: 0, crypto: Vec::new(), rtcp_port: None, ..audio.clone() }),
        Medium::Other(_) => medium.clone(),
    }
}
