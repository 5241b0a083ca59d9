//! Letters as they travel: sealed so that only their reader can open them, and signed by their writer; or, to everyone, signed only.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fresh::Epoch;
use super::identity::{Fingerprint, Identity, Key, Shared};
use super::members::Card;

/// The largest envelope: a recording of a minute and more.
pub const MOST_BYTES: usize = 1 << 20;
/// Length of a signature of Ed25519.
const SIGNATURE: usize = 64;

/// What lies on the wire; readers of this version know each other by `hark`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// 1.
    pub hark: u8,
    /// Whose key.
    pub from: Fingerprint,
    /// For whose key; absent in what goes to everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Fingerprint>,
    /// The life of the writer in which it was written.
    pub epoch: Epoch,
    /// Its number in that life; one count for each reader, and one for everyone.
    pub n: u64,
    /// The life of the reader that it is for; absent in the first words to somebody.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub of_reader: Option<Epoch>,
    /// Signature and content; encrypted unless it is to everyone.
    pub text: String,
}

/// What a letter between two says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Words {
    /// Who are you, in which life, and what does your clock show?
    Ping {
        /// Comes back in the answer.
        nonce: u64,
        /// The writer.
        card: Card,
        /// Where the writer listens for straight links.
        port: u16,
    },
    /// The answer.
    Pong {
        /// That of the question.
        nonce: u64,
        /// When the question came and the answer went, in µs of the writer's clock.
        came: u64,
        /// See `came`.
        went: u64,
        /// The writer.
        card: Card,
        /// See `Ping`.
        port: u16,
        /// Digest of the list of members that the writer has.
        members: String,
    },
    /// Has arrived.
    Ack {
        /// The number of the letter.
        n: u64,
    },
    /// A letter of somebody.
    Letter {
        /// When it was written, in µs of the writer's clock.
        written: u64,
        /// Until when it is worth reading, in µs of the reader's clock.
        until: u64,
        /// See `Letter`.
        kind: String,
        /// See `Letter`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<String>,
        /// See `Letter`.
        #[serde(default)]
        body: Value,
    },
}

/// What is said to everyone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shout {
    /// When, in µs of the writer's clock.
    pub written: u64,
    /// See `Letter`.
    pub kind: String,
    /// See `Letter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// See `Letter`.
    #[serde(default)]
    pub body: Value,
}

/// Why an envelope is not for us to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Sealed {
    /// Not written by whom it names, or changed on its way.
    #[error("forged or damaged")]
    Forged,
    /// It opens, but what is in it makes no sense.
    #[error("not understood")]
    Nonsense,
}

impl Envelope {
    /// Reads what lies on the wire; nothing in it is believed yet.
    pub fn read(bytes: &[u8]) -> Option<Envelope> {
        if bytes.len() > MOST_BYTES {
            return None;
        }
        serde_json::from_slice(bytes).ok().filter(|it: &Envelope| it.hark == 1)
    }

    /// As it lies on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("text and numbers become JSON")
    }

    /// All but the text: what is signed and authenticated along with it.
    fn outside(&self) -> Vec<u8> {
        let to = self.to.map(String::from).unwrap_or_default();
        let of_reader = self.of_reader.map(String::from).unwrap_or_default();
        format!("hark letter 1\n{}\n{to}\n{}\n{}\n{of_reader}\n", self.from, self.epoch, self.n).into_bytes()
    }
}

/// Seals words and a blob for the owner of `reader`.
pub fn seal(us: &Identity, shared: &Shared, mut it: Envelope, words: &Words, blob: &[u8]) -> Vec<u8> {
    let head = serde_json::to_vec(words).expect("text and numbers become JSON");
    let mut content = (head.len() as u32).to_be_bytes().to_vec();
    content.extend(head);
    content.extend(blob);
    let outside = it.outside();
    let mut text = us.sign(&[&outside[..], &content].concat());
    text.extend(content);
    let (key, nonce) = key_of(shared, &it);
    key.seal_in_place_append_tag(nonce, Aad::from(&outside), &mut text).expect("it is far below 256 GB");
    it.text = STANDARD_NO_PAD.encode(text);
    it.bytes()
}

/// Opens what `writer` sealed for us.
///
/// # Errors
/// When he did not, or when it makes no sense.
pub fn open(writer: &Key, shared: &Shared, it: &Envelope) -> Result<(Words, Vec<u8>), Sealed> {
    let mut text = STANDARD_NO_PAD.decode(&it.text).map_err(|_| Sealed::Forged)?;
    let outside = it.outside();
    let (key, nonce) = key_of(shared, it);
    let text = key.open_in_place(nonce, Aad::from(&outside), &mut text).map_err(|_| Sealed::Forged)?;
    let (signature, content) = text.split_at_checked(SIGNATURE).ok_or(Sealed::Forged)?;
    // Whoever has stolen our key can seal for us in the name of all others, but not sign.
    if !writer.signed(&[&outside[..], content].concat(), signature) {
        return Err(Sealed::Forged);
    }
    let (length, rest) = content.split_first_chunk().ok_or(Sealed::Nonsense)?;
    let (head, blob) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(Sealed::Nonsense)?;
    let words = serde_json::from_slice(head).map_err(|_| Sealed::Nonsense)?;
    Ok((words, blob.to_vec()))
}

/// Signs words to everyone.
pub fn sign(us: &Identity, mut it: Envelope, shout: &Shout) -> Vec<u8> {
    let content = serde_json::to_vec(shout).expect("text and numbers become JSON");
    let mut text = us.sign(&[&it.outside()[..], &content].concat());
    text.extend(content);
    it.text = STANDARD_NO_PAD.encode(text);
    it.bytes()
}

/// Reads what `writer` signed.
///
/// # Errors
/// When he did not, or when it makes no sense.
pub fn verify(writer: &Key, it: &Envelope) -> Result<Shout, Sealed> {
    let text = STANDARD_NO_PAD.decode(&it.text).map_err(|_| Sealed::Forged)?;
    let (signature, content) = text.split_at_checked(SIGNATURE).ok_or(Sealed::Forged)?;
    if !writer.signed(&[&it.outside()[..], content].concat(), signature) {
        return Err(Sealed::Forged);
    }
    serde_json::from_slice(content).map_err(|_| Sealed::Nonsense)
}

/// A key for each direction and each life of the writer; in it no number, and so no nonce, is used twice.
fn key_of(shared: &Shared, it: &Envelope) -> (LessSafeKey, Nonce) {
    let to = it.to.map(String::from).unwrap_or_default();
    let key = derive(&shared.0, &format!("hark letter 1 {} {to} {}", it.from, it.epoch));
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&it.n.to_be_bytes());
    (key, Nonce::assume_unique_for_key(nonce))
}

/// A key for one purpose, out of a secret.
pub fn derive(secret: &[u8], purpose: &str) -> LessSafeKey {
    let info = [purpose.as_bytes()];
    let key = Salt::new(HKDF_SHA256, b"hark").extract(secret);
    let key = key.expand(&info, &CHACHA20_POLY1305).expect("32 bytes are not too many");
    LessSafeKey::new(UnboundKey::from(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn envelope(from: &Identity, to: Option<&Identity>) -> Envelope {
        Envelope {
            hark: 1,
            from: from.key().fingerprint(),
            to: to.map(|it| it.key().fingerprint()),
            epoch: Epoch(5),
            n: 7,
            of_reader: Some(Epoch(6)),
            text: String::new(),
        }
    }

    fn three() -> [Identity; 3] {
        [1, 2, 3].map(|n| Identity::from_seed(&[n; 32]))
    }

    #[test]
    fn only_the_reader_can_open_it_and_only_the_writer_can_have_written_it() {
        let [a, b, c] = three();
        let words = Words::Ack { n: 3 };
        let bytes = seal(&a, &a.shared(&b.key()).unwrap(), envelope(&a, Some(&b)), &words, b"blob");
        let it = Envelope::read(&bytes).unwrap();
        let shared = b.shared(&a.key()).unwrap();
        assert_eq!(open(&a.key(), &shared, &it), Ok((words.clone(), b"blob".to_vec())));
        assert_eq!(open(&a.key(), &c.shared(&a.key()).unwrap(), &it), Err(Sealed::Forged));
        assert_eq!(open(&c.key(), &c.shared(&b.key()).unwrap(), &it), Err(Sealed::Forged));
        for changed in [
            Envelope { n: 8, ..it.clone() },
            Envelope { epoch: Epoch(9), ..it.clone() },
            Envelope { of_reader: None, ..it.clone() },
            Envelope { from: c.key().fingerprint(), ..it.clone() },
        ] {
            assert_eq!(open(&a.key(), &shared, &changed), Err(Sealed::Forged));
        }
        // With b's key stolen: sealed as a would, but not signed by a.
        let stolen = seal(&b, &shared, envelope(&a, Some(&b)), &words, b"");
        assert_eq!(open(&a.key(), &shared, &Envelope::read(&stolen).unwrap()), Err(Sealed::Forged));
    }

    #[test]
    fn what_goes_to_everyone_is_signed() {
        let [a, b, _] = three();
        let shout = Shout { written: 1, kind: "wake.bid".into(), call: None, body: Value::from(0.5) };
        let it = Envelope::read(&sign(&a, envelope(&a, None), &shout)).unwrap();
        assert_eq!(verify(&a.key(), &it), Ok(shout));
        assert_eq!(verify(&b.key(), &it), Err(Sealed::Forged));
        assert_eq!(verify(&a.key(), &Envelope { n: 8, ..it }), Err(Sealed::Forged));
    }

    proptest! {
        #[test]
        fn junk_is_refused(junk in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,100}") {
            let [a, b, _] = three();
            prop_assert!(Envelope::read(&junk).is_none());
            let it = Envelope { text, ..envelope(&a, Some(&b)) };
            prop_assert!(open(&a.key(), &b.shared(&a.key()).unwrap(), &it).is_err());
            prop_assert!(verify(&a.key(), &it).is_err());
        }
    }
}
