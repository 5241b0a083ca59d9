//! Who this speaker is: one Ed25519 key, made at its first start and never shown.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use curve25519_dalek::MontgomeryPoint;
use curve25519_dalek::edwards::CompressedEdwardsY;
use ring::digest::{SHA256, SHA512, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// The file of our key, in the folder of the house.
pub const FILE: &str = "key";

/// The public key of a speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key([u8; 32]);

/// What people and topics call a key by: the beginning of its SHA-256, in hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 16]);

/// What two speakers share and nobody else can know.
#[derive(Clone, PartialEq, Eq)]
pub struct Shared(pub [u8; 32]);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key of a speaker")]
pub struct NoKey;

impl Key {
    /// Whether this key signed that.
    pub fn signed(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(text, signature).is_ok()
    }

    /// The bytes, for what is signed.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What people call it by.
    pub fn fingerprint(&self) -> Fingerprint {
        let hash = digest(&SHA256, &self.0);
        let mut it = [0; 16];
        it.copy_from_slice(&hash.as_ref()[..16]);
        Fingerprint(it)
    }

    /// The same key for the exchange of secrets (the birational map of RFC 7748, 4.1); none where it is no point of the curve.
    fn exchange(&self) -> Option<MontgomeryPoint> {
        Some(CompressedEdwardsY(self.0).decompress()?.to_montgomery())
    }
}

impl TryFrom<String> for Key {
    type Error = NoKey;

    fn try_from(text: String) -> Result<Key, NoKey> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoKey)?;
        let key = Key(bytes.try_into().map_err(|_| NoKey)?);
        key.exchange().map(|_| key).ok_or(NoKey)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> String {
        URL_SAFE_NO_PAD.encode(key.0)
    }
}

impl FromStr for Fingerprint {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Fingerprint, NoKey> {
        let mut it = [0; 16];
        if text.len() != 32 || !text.is_ascii() {
            return Err(NoKey);
        }
        for (n, byte) in it.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).map_err(|_| NoKey)?;
        }
        Ok(Fingerprint(it))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NoKey;

    fn try_from(text: String) -> Result<Fingerprint, NoKey> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(it: Fingerprint) -> String {
        it.to_string()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Our key.
pub struct Identity {
    pair: Ed25519KeyPair,
    key: Key,
    /// For the exchange of secrets: the scalar of the same key (RFC 8032, 5.1.5).
    scalar: [u8; 32],
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.key.fingerprint())
    }
}

impl Identity {
    /// The one that belongs to a seed, which is the whole secret.
    pub fn from_seed(seed: &[u8; 32]) -> Identity {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed");
        let key = Key(pair.public_key().as_ref().try_into().expect("public keys of Ed25519 have 32 bytes"));
        let mut scalar = [0; 32];
        scalar.copy_from_slice(&digest(&SHA512, seed).as_ref()[..32]);
        Identity { pair, key, scalar }
    }

    /// A new one.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new() -> anyhow::Result<(Identity, [u8; 32])> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).context("taking random numbers for the key of this speaker")?;
        Ok((Identity::from_seed(&seed), seed))
    }

    /// Ours; made if there is none in this folder yet.
    ///
    /// # Errors
    /// When the file is there and cannot be read, or cannot be written.
    pub fn open(folder: &Path) -> anyhow::Result<Identity> {
        let path = folder.join(FILE);
        let what = || format!("reading the key of this speaker, `{}`", path.display());
        let mut text = String::new();
        match File::open(&path).and_then(|file| file.take(1024).read_to_string(&mut text)) {
            Ok(_) => (),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Identity::make(folder),
            Err(error) => return Err(error).with_context(what),
        }
        let seed = URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let Some(seed) = seed else {
            bail!(
                "{}: it is damaged; restore it from a backup, or remove the folder and join the house anew with `hark house join`",
                what()
            )
        };
        Ok(Identity::from_seed(&seed))
    }

    fn make(folder: &Path) -> anyhow::Result<Identity> {
        let path = folder.join(FILE);
        let what = || format!("writing the key of this speaker, `{}`", path.display());
        let (identity, seed) = Identity::new()?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(what)?;
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).with_context(what)?;
        let text = URL_SAFE_NO_PAD.encode(seed);
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(what)?;
        fs::rename(&new, &path).with_context(what)?;
        Ok(identity)
    }

    /// Our public key.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Our signature under that.
    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.pair.sign(text).as_ref().to_vec()
    }

    /// What we share with the owner of that key; none where the key is of no use for that.
    pub fn shared(&self, other: &Key) -> Option<Shared> {
        let shared = other.exchange()?.mul_clamped(self.scalar).0;
        // A point of small order would make it known to everybody (RFC 7748, 6.1).
        (shared != [0; 32]).then_some(Shared(shared))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let house = folder.path().join("house");
        let first = Identity::open(&house).unwrap().key();
        assert_eq!(Identity::open(&house).unwrap().key(), first);
        assert_eq!(fs::metadata(house.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(house.join(FILE), "junk").unwrap();
        let error = Identity::open(&house).unwrap_err().to_string();
        assert!(error.contains("damaged") && error.contains("hark house join"), "{error}");
        assert_eq!(fs::read(house.join(FILE)).unwrap(), b"junk", "never replaced silently");
    }

    #[test]
    fn two_speakers_share_the_same_secret_and_a_third_another_one() {
        let [a, b, c] = [1, 2, 3].map(|n| Identity::from_seed(&[n; 32]));
        let (ab, ba) = (a.shared(&b.key()).unwrap(), b.shared(&a.key()).unwrap());
        assert!(ab == ba);
        assert!(ab != c.shared(&b.key()).unwrap());
        assert!(a.key().signed(b"x", &a.sign(b"x")));
        assert!(!a.key().signed(b"y", &a.sign(b"x")) && !b.key().signed(b"x", &a.sign(b"x")));
    }

    #[test]
    fn texts_are_keys_or_refused() {
        let key = Identity::from_seed(&[7; 32]).key();
        assert_eq!(Key::try_from(String::from(key)), Ok(key));
        assert_eq!(key.fingerprint().to_string().parse(), Ok(key.fingerprint()));
        // The neutral element has order one.
        let weak = [&[1_u8][..], &[0; 31]].concat();
        let weak = Key::try_from(URL_SAFE_NO_PAD.encode(weak)).unwrap();
        assert!(Identity::from_seed(&[7; 32]).shared(&weak).is_none());
        for junk in ["", "AAAA", "ä", &"A".repeat(44)] {
            assert!(Key::try_from(junk.to_owned()).is_err() && junk.parse::<Fingerprint>().is_err(), "{junk}");
        }
    }
}
