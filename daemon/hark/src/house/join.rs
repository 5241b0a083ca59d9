//! How a new speaker joins by a short code: a password-authenticated key exchange (SPAKE2, RFC 9382), in which whoever does not know the code learns
//! nothing and has one guess in each attempt; then both show their keys to each other under the key that only they share.
//!
//! ```text
//! new speaker                    speaker of the house
//! 1  exchange          ------->
//!                      <-------  2  exchange; its key and card
//! 3  key and card      ------->
//!                      <-------  4  the list of members, or why not
//! ```

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{Aad, Nonce};
use ring::digest::{SHA256, digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spake2::{Ed25519Group, Identity as Role, Password, Spake2};

use super::identity::{Identity, Key};
use super::members::{Card, List};
use super::seal::derive;

/// How long a code is good for.
pub const VALID_FOR: Duration = Duration::from_secs(300);
/// So many attempts with a wrong code end it: of a million codes, three can be tried.
pub const MOST_ATTEMPTS: usize = 3;
/// The longest step, as it travels: a list of members.
const MOST_BYTES: usize = 1 << 20;

/// One step, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// 1, the version.
    pub hark_join: u8,
    /// Names the attempt.
    pub id: String,
    /// 1 to 4.
    pub step: u8,
    /// The message of the exchange, in 1 and 2.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub exchange: String,
    /// What is sealed, in 2 to 4.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sealed: String,
}

/// Who one is, and that one has the key.
#[derive(Serialize, Deserialize)]
struct Introduction {
    key: Key,
    card: Card,
    signature: String,
}

/// The last word.
#[derive(Serialize, Deserialize)]
enum Verdict {
    Welcome(List),
    Refused(String),
}

impl Step {
    /// Reads one.
    pub fn read(bytes: &[u8]) -> Option<Step> {
        if bytes.len() > MOST_BYTES {
            return None;
        }
        serde_json::from_slice(bytes).ok().filter(|it: &Step| it.hark_join == 1 && it.id.len() <= 64)
    }

    /// As it travels.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("text becomes JSON")
    }
}

/// A code that was given out.
pub struct Invitation {
    code: String,
    until: Instant,
    attempts: Vec<Attempt>,
}

/// One who tries to join.
struct Attempt {
    first: Step,
    second: Step,
    secret: Secret,
    third: Option<(Step, Step)>,
}

/// What an invitation makes of a step.
pub enum Heard {
    /// Nothing to say to that.
    Nothing,
    /// This goes back.
    Answer(Step),
    /// Somebody knows the code: he is to be admitted, and the verdict to be told with [`Invitation::verdict`].
    Knows(Key, Card),
    /// There were too many wrong attempts: the code is good no more.
    Over,
}

/// What both share after the exchange, bound to all that was said.
struct Secret {
    key: Vec<u8>,
    said: Vec<u8>,
}

impl Secret {
    fn new(key: Vec<u8>, id: &str, first: &str, second: &str) -> Secret {
        let said = digest(&SHA256, format!("hark join 1\n{id}\n{first}\n{second}\n").as_bytes());
        Secret { key, said: said.as_ref().to_vec() }
    }

    /// A key for each step, used once.
    fn seal(&self, step: u8, words: &impl Serialize) -> String {
        let mut text = serde_json::to_vec(words).expect("text becomes JSON");
        let key = derive(&self.key, &format!("hark join 1 step {step}"));
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        key.seal_in_place_append_tag(nonce, Aad::from(&self.said), &mut text).expect("it is far below 256 GB");
        STANDARD_NO_PAD.encode(text)
    }

    fn open<T: DeserializeOwned>(&self, step: u8, sealed: &str) -> Option<T> {
        let mut text = STANDARD_NO_PAD.decode(sealed).ok()?;
        let key = derive(&self.key, &format!("hark join 1 step {step}"));
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        serde_json::from_slice(key.open_in_place(nonce, Aad::from(&self.said), &mut text).ok()?).ok()
    }

    fn introduction(&self, us: &Identity, step: u8, card: &Card) -> Introduction {
        let signature = STANDARD_NO_PAD.encode(us.sign(&self.signed(step, &us.key())));
        Introduction { key: us.key(), card: card.clone(), signature }
    }

    fn is_genuine(&self, it: &Introduction, step: u8) -> bool {
        let signature = STANDARD_NO_PAD.decode(&it.signature).unwrap_or_default();
        it.card.is_sound() && it.key.signed(&self.signed(step, &it.key), &signature)
    }

    fn signed(&self, step: u8, key: &Key) -> Vec<u8> {
        [b"hark join 1 key ", &[step][..], &self.said, key.bytes()].concat()
    }
}

fn roles() -> (Role, Role) {
    (Role::new(b"hark new speaker"), Role::new(b"hark speaker of the house"))
}

/// A code of six digits.
///
/// # Errors
/// When the system has no random numbers.
pub fn new_code() -> anyhow::Result<String> {
    // Of 2^64 the remainder favours no digit by more than one in 10^13.
    Ok(format!("{:06}", getrandom::u64()? % 1_000_000))
}

/// The digits of a code as people type it: `123 456`, `123-456`.
pub fn digits(code: &str) -> Option<String> {
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    let separators = code.chars().all(|it| it.is_ascii_digit() || it == ' ' || it == '-');
    (digits.len() == 6 && separators).then_some(digits)
}

impl Invitation {
    /// With this code, from now on.
    pub fn new(code: String, now: Instant) -> Invitation {
        Invitation { code, until: now + VALID_FOR, attempts: Vec::new() }
    }

    /// Until when it is good.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// A step has come.
    pub fn heard(&mut self, us: &Identity, card: &Card, it: &Step) -> Heard {
        match it.step {
            1 => self.first(us, card, it),
            3 => self.third(it),
            _ => Heard::Nothing,
        }
    }

    fn first(&mut self, us: &Identity, card: &Card, it: &Step) -> Heard {
        // The same step by another way, or again, gets the same answer.
        if let Some(attempt) = self.attempts.iter().find(|attempt| attempt.first.id == it.id) {
            return if attempt.first == *it { Heard::Answer(attempt.second.clone()) } else { Heard::Nothing };
        }
        if self.is_used() {
            return Heard::Nothing;
        }
        if self.attempts.len() >= MOST_ATTEMPTS {
            return Heard::Over;
        }
        let (theirs, ours) = roles();
        let (exchange, message) = Spake2::<Ed25519Group>::start_b(&Password::new(self.code.as_bytes()), &theirs, &ours);
        let key = STANDARD_NO_PAD.decode(&it.exchange).ok().and_then(|bytes| exchange.finish(&bytes).ok());
        let Some(key) = key else { return Heard::Nothing };
        let message = STANDARD_NO_PAD.encode(message);
        let secret = Secret::new(key, &it.id, &it.exchange, &message);
        let sealed = secret.seal(2, &secret.introduction(us, 2, card));
        let second = Step { hark_join: 1, id: it.id.clone(), step: 2, exchange: message, sealed };
        self.attempts.push(Attempt { first: it.clone(), second: second.clone(), secret, third: None });
        Heard::Answer(second)
    }

    fn third(&mut self, it: &Step) -> Heard {
        let Some(attempt) = self.attempts.iter().find(|attempt| attempt.first.id == it.id) else { return Heard::Nothing };
        if let Some((third, fourth)) = &attempt.third {
            return if third == it { Heard::Answer(fourth.clone()) } else { Heard::Nothing };
        }
        let Some(introduction) = attempt.secret.open::<Introduction>(3, &it.sealed) else { return Heard::Nothing };
        if !attempt.secret.is_genuine(&introduction, 3) {
            return Heard::Nothing;
        }
        Heard::Knows(introduction.key, introduction.card)
    }

    /// The last word to whoever sent this third step. The code is good for this one alone from now on.
    pub fn verdict(&mut self, third: &Step, verdict: Result<List, String>) -> Option<Step> {
        let attempt = self.attempts.iter_mut().find(|attempt| attempt.first.id == third.id)?;
        let words = match verdict {
            Ok(list) => Verdict::Welcome(list),
            Err(why) => Verdict::Refused(why),
        };
        let sealed = attempt.secret.seal(4, &words);
        let fourth = Step { hark_join: 1, id: third.id.clone(), step: 4, exchange: String::new(), sealed };
        attempt.third = Some((third.clone(), fourth.clone()));
        Some(fourth)
    }

    /// Whether somebody has joined with it.
    pub fn is_used(&self) -> bool {
        self.attempts.iter().any(|it| it.third.is_some())
    }
}

/// A new speaker that joins.
pub struct Joining {
    first: Step,
    exchange: Option<Spake2<Ed25519Group>>,
    secret: Option<Secret>,
    voucher: Option<Key>,
    card: Option<Card>,
    third: Option<Step>,
}

/// What has become of it.
pub enum Joined {
    /// Nothing new.
    Nothing,
    /// The other end knows the code; this is said to it.
    Say(Step),
    /// The code is wrong.
    WrongCode,
    /// We are in: who vouches for us, and who else is there.
    In(Key, Card, List),
    /// The other end does not want us, in plain words.
    Refused(String),
}

impl Joining {
    /// Begins.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(code: &str) -> anyhow::Result<Joining> {
        let (ours, theirs) = roles();
        let (exchange, message) = Spake2::<Ed25519Group>::start_a(&Password::new(code.as_bytes()), &ours, &theirs);
        let id = format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?);
        let first = Step { hark_join: 1, id, step: 1, exchange: STANDARD_NO_PAD.encode(message), sealed: String::new() };
        Ok(Joining { first, exchange: Some(exchange), secret: None, voucher: None, card: None, third: None })
    }

    /// What is to be said, again and again until there is an answer.
    pub fn say(&self) -> &Step {
        self.third.as_ref().unwrap_or(&self.first)
    }

    /// A step has come.
    pub fn heard(&mut self, us: &Identity, card: &Card, it: &Step) -> Joined {
        if it.id != self.first.id {
            return Joined::Nothing;
        }
        match it.step {
            2 => self.second(us, card, it),
            4 => self.fourth(it),
            _ => Joined::Nothing,
        }
    }

    fn second(&mut self, us: &Identity, card: &Card, it: &Step) -> Joined {
        let Some(exchange) = self.exchange.take() else { return Joined::Nothing };
        let key = STANDARD_NO_PAD.decode(&it.exchange).ok().and_then(|bytes| exchange.finish(&bytes).ok());
        let Some(key) = key else { return Joined::WrongCode };
        let secret = Secret::new(key, &it.id, &self.first.exchange, &it.exchange);
        let Some(introduction) = secret.open::<Introduction>(2, &it.sealed) else { return Joined::WrongCode };
        if !secret.is_genuine(&introduction, 2) {
            return Joined::WrongCode;
        }
        let sealed = secret.seal(3, &secret.introduction(us, 3, card));
        let third = Step { hark_join: 1, id: it.id.clone(), step: 3, exchange: String::new(), sealed };
        (self.voucher, self.card) = (Some(introduction.key), Some(introduction.card));
        (self.secret, self.third) = (Some(secret), Some(third.clone()));
        Joined::Say(third)
    }

    fn fourth(&mut self, it: &Step) -> Joined {
        let (Some(secret), Some(voucher), Some(card)) = (&self.secret, self.voucher, &self.card) else { return Joined::Nothing };
        match secret.open(4, &it.sealed) {
            Some(Verdict::Welcome(list)) => Joined::In(voucher, card.clone(), list),
            Some(Verdict::Refused(why)) => Joined::Refused(why),
            None => Joined::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(room: &str) -> Card {
        Card { room: room.into(), name: room.into(), ..Card::default() }
    }

    fn identity(n: u8) -> Identity {
        Identity::from_seed(&[n; 32])
    }

    /// What becomes of one who tries a code.
    fn join(invitation: &mut Invitation, code: &str) -> Joined {
        let (old, new) = (identity(1), identity(2));
        let mut joining = Joining::new(code).unwrap();
        let Heard::Answer(second) = invitation.heard(&old, &card("hall"), joining.say()) else { return Joined::Nothing };
        let Joined::Say(third) = joining.heard(&new, &card("attic"), &second) else { return Joined::WrongCode };
        let Heard::Knows(key, _) = invitation.heard(&old, &card("hall"), &third) else { panic!("not recognised") };
        assert_eq!(key, new.key());
        let fourth = invitation.verdict(&third, Ok(List::default())).unwrap();
        // Again, since it got lost.
        let Heard::Answer(again) = invitation.heard(&old, &card("hall"), joining.say()) else { panic!("no answer") };
        assert_eq!(again, fourth);
        joining.heard(&new, &card("attic"), &fourth)
    }

    #[test]
    fn whoever_knows_the_code_is_in() {
        let mut invitation = Invitation::new("123456".into(), Instant::now());
        let Joined::In(key, by, _) = join(&mut invitation, "123456") else { panic!("not in") };
        assert_eq!((key, by), (identity(1).key(), card("hall")));
        assert!(invitation.is_used());
    }

    #[test]
    fn three_wrong_codes_end_it() {
        let mut invitation = Invitation::new("123456".into(), Instant::now());
        for wrong in ["123457", "000000", ""] {
            assert!(matches!(join(&mut invitation, wrong), Joined::WrongCode), "{wrong}");
        }
        let joining = Joining::new("123456").unwrap();
        assert!(matches!(invitation.heard(&identity(1), &card("hall"), joining.say()), Heard::Over));
        assert!(!invitation.is_used());
    }

    #[test]
    fn nothing_of_one_attempt_is_good_for_another_or_changed() {
        let (old, new) = (identity(1), identity(2));
        let mut invitation = Invitation::new("123456".into(), Instant::now());
        let mut joining = [(); 2].map(|()| Joining::new("123456").unwrap());
        let [second, other] = [0, 1].map(|n| match invitation.heard(&old, &card("hall"), joining[n].say()) {
            Heard::Answer(step) => step,
            _ => panic!("no answer"),
        });
        let swapped = Step { sealed: other.sealed, ..second };
        assert!(matches!(joining[0].heard(&new, &card("attic"), &swapped), Joined::WrongCode));
        let third = Step { step: 3, sealed: swapped.sealed, ..other };
        assert!(matches!(invitation.heard(&old, &card("hall"), &third), Heard::Nothing));
        for junk in [&b""[..], b"{}", br#"{"hark_join":2,"id":"","step":1}"#, &[b'x'; 4096]] {
            assert!(Step::read(junk).is_none());
        }
    }

    #[test]
    fn codes_are_six_digits_as_people_type_them() {
        for (typed, code) in [
            ("123456", Some("123456")),
            ("123 456", Some("123456")),
            ("12-34-56", Some("123456")),
            ("12345", None),
            ("1234567", None),
            ("12345x6", None),
        ] {
            assert_eq!(digits(typed).as_deref(), code, "{typed}");
        }
        assert_eq!(new_code().unwrap().len(), 6);
    }
}
