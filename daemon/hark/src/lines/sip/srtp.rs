//! SRTP with keys from SDP: `a=crypto` (RFC 4568, RFC 7714) and the two directions of a protected stream.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::BytesMut;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

/// How many packets may overtake one another.
const REPLAY_WINDOW: usize = 128;

/// What we offer, best first.
const OFFERED: [Suite; 4] = [Suite::AeadAes256Gcm, Suite::AesCm256Sha1_80, Suite::AesCm128Sha1_80, Suite::AesCm128Sha1_32];

/// A crypto suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// RFC 4568.
    AesCm128Sha1_80,
    /// RFC 4568.
    AesCm128Sha1_32,
    /// RFC 6188.
    AesCm256Sha1_80,
    /// RFC 7714.
    AeadAes128Gcm,
    /// RFC 7714.
    AeadAes256Gcm,
}

impl Suite {
    const ALL: [Suite; 5] =
        [Suite::AesCm128Sha1_80, Suite::AesCm128Sha1_32, Suite::AesCm256Sha1_80, Suite::AeadAes128Gcm, Suite::AeadAes256Gcm];

    fn name(self) -> &'static str {
        match self {
            Suite::AesCm128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::AesCm256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    fn profile(self) -> ProtectionProfile {
        match self {
            Suite::AesCm128Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            Suite::AesCm128Sha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
            Suite::AesCm256Sha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
            Suite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        }
    }
}

/// One `a=crypto` line. Its `Debug` hides the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Crypto {
    /// Tells the keys of one description apart.
    pub tag: u32,
    /// The suite.
    pub suite: Suite,
    /// Master key, then salt.
    key: Vec<u8>,
}

impl Crypto {
    /// A fresh random key.
    pub fn generate(tag: u32, suite: Suite) -> Crypto {
        let profile = suite.profile();
        let mut key = vec![0; profile.key_len() + profile.salt_len()];
        getrandom::fill(&mut key).expect("the kernel has random numbers");
        Crypto { tag, suite, key }
    }

    /// The same key under another tag.
    pub fn tagged(&self, tag: u32) -> Crypto {
        Crypto { tag, ..self.clone() }
    }

    /// Fresh random keys for every suite that we offer.
    pub fn generate_all() -> Vec<Crypto> {
        (1..).zip(OFFERED).map(|(tag, suite)| Crypto::generate(tag, suite)).collect()
    }

    /// Reads `TAG SUITE inline:KEY[|lifetime][|MKI:length]`; nothing if the suite is unknown, the key has the wrong
    /// length, or packets would carry a key name (MKI) or be only half protected.
    pub fn parse(value: &str) -> Option<Crypto> {
        let mut words = value.split_whitespace();
        let tag = words.next()?.parse().ok()?;
        let name = words.next()?;
        let suite = Suite::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))?;
        let inline = words.next()?.strip_prefix("inline:")?;
        if words.any(|it| it.starts_with("UNENCRYPTED") || it.starts_with("UNAUTHENTICATED")) {
            return None;
        }
        let mut parts = inline.split('|');
        let key = parts.next()?.trim_end_matches('=');
        if parts.any(|it| it.contains(':')) {
            return None;
        }
        let key = STANDARD_NO_PAD.decode(key).ok()?;
        let profile = suite.profile();
        (key.len() == profile.key_len() + profile.salt_len()).then_some(Crypto { tag, suite, key })
    }

    fn context(&self) -> Result<Context, SrtpError> {
        let provider = rtc_srtp::crypto::default_provider().map_err(|_| SrtpError::NoCrypto)?;
        let profile = self.suite.profile();
        let (key, salt) = self.key.split_at(profile.key_len());
        let rtp = srtp_replay_protection(REPLAY_WINDOW);
        let rtcp = srtcp_replay_protection(REPLAY_WINDOW);
        Context::new(key, salt, profile, Some(rtp), Some(rtcp), provider.crypto()).map_err(|_| SrtpError::NoCrypto)
    }
}

impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} inline:{}", self.tag, self.suite.name(), STANDARD.encode(&self.key))
    }
}

impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ***", self.tag, self.suite.name())
    }
}

/// What can go wrong with a protected stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// The ciphers are not built in.
    #[error("the cipher is not available")]
    NoCrypto,
    /// Somebody else's packet, a repeated one or a broken one.
    #[error("a packet failed authentication")]
    Refused,
}

/// Both directions of one stream.
pub struct Protection {
    ours: Context,
    theirs: Context,
}

impl Protection {
    /// Takes the agreed keys into use.
    ///
    /// # Errors
    /// When the cipher is not available.
    pub fn new(ours: &Crypto, theirs: &Crypto) -> Result<Protection, SrtpError> {
        Ok(Protection { ours: ours.context()?, theirs: theirs.context()? })
    }

    /// They have another key from now on.
    ///
    /// # Errors
    /// When the cipher is not available.
    pub fn expect(&mut self, theirs: &Crypto) -> Result<(), SrtpError> {
        self.theirs = theirs.context()?;
        Ok(())
    }

    /// Encrypts an RTP packet.
    ///
    /// # Errors
    /// When it is no RTP packet, or the key is worn out.
    pub fn protect_rtp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        self.ours.encrypt_rtp(packet).map_err(|_| SrtpError::Refused)
    }

    /// Encrypts an RTCP packet.
    ///
    /// # Errors
    /// When it is no RTCP packet, or the key is worn out.
    pub fn protect_rtcp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        self.ours.encrypt_rtcp(packet).map_err(|_| SrtpError::Refused)
    }

    /// Checks and decrypts an RTP packet.
    ///
    /// # Errors
    /// When it is not theirs, or came before.
    pub fn open_rtp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        self.theirs.decrypt_rtp(packet).map_err(|_| SrtpError::Refused)
    }

    /// Checks and decrypts an RTCP packet.
    ///
    /// # Errors
    /// When it is not theirs, or came before.
    pub fn open_rtcp(&mut self, packet: &[u8]) -> Result<BytesMut, SrtpError> {
        self.theirs.decrypt_rtcp(packet).map_err(|_| SrtpError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_protects_the_other_opens_once() {
        for suite in Suite::ALL {
            let (a, b) = (Crypto::generate(1, suite), Crypto::generate(1, suite));
            let mut us = Protection::new(&a, &b).unwrap();
            let mut them = Protection::new(&b, &a).unwrap();
            let packet = [0x80, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4, 42, 43, 44];
            let sent = us.protect_rtp(&packet).unwrap();
            assert_ne!(&sent[12..15], &packet[12..]);
            assert_eq!(&them.open_rtp(&sent).unwrap()[..], &packet);
            assert_eq!(them.open_rtp(&sent), Err(SrtpError::Refused), "{suite:?}: a repeated packet");
            let report = [0x80, 201, 0, 1, 1, 2, 3, 4];
            let sent = us.protect_rtcp(&report).unwrap();
            assert_eq!(&them.open_rtcp(&sent).unwrap()[..], &report);
        }
    }

    #[test]
    fn a_changed_packet_is_refused() {
        let (a, b) = (Crypto::generate(1, Suite::AesCm128Sha1_80), Crypto::generate(1, Suite::AesCm128Sha1_80));
        let mut sent = Protection::new(&a, &b).unwrap().protect_rtp(&[0x80, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4, 42]).unwrap();
        sent[12] ^= 1;
        let mut them = Protection::new(&b, &a).unwrap();
        assert_eq!(them.open_rtp(&sent), Err(SrtpError::Refused));
        for n in 0..30 {
            assert!(them.open_rtp(&vec![0x80; n]).is_err());
            assert!(them.open_rtcp(&vec![0x80; n]).is_err());
        }
    }

    #[test]
    fn key_lines_are_read_and_written() {
        let key = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
        assert_eq!(Crypto::parse(key).unwrap().to_string(), key);
        assert_eq!(Crypto::parse(&format!("{key}|2^20")).unwrap().to_string(), key);
        assert_eq!(format!("{:?}", Crypto::parse(key).unwrap()), "1 AES_CM_128_HMAC_SHA1_80 ***");
        for bad in [
            "",
            "1",
            "x AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "1 AES_CM_128_HMAC_SHA1_80 inline:&&&&",
            "1 NULL inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            &format!("{key}|2^20|1:4"),
            &format!("{key} UNENCRYPTED_SRTP"),
        ] {
            assert_eq!(Crypto::parse(bad), None, "{bad}");
        }
    }
}
