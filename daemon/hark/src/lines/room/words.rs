//! What letters about calls say.

use std::net::SocketAddr;

use control::call::{Ask, EndReason, How};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// More addresses than this are not read.
const MOST_ADDRESSES: usize = 16;

/// What one end of a call tells the other.
#[derive(Clone, Debug, PartialEq)]
pub enum Words {
    /// I call you.
    Offer {
        /// How the call wants to be taken.
        how: How,
        /// Where to send sound to.
        media: Description,
    },
    /// It rings here. The way for the sound may be made already.
    Ringing(Description),
    /// Somebody has answered.
    Answer(Description),
    /// I do not take the call.
    Refused(EndReason),
    /// The call is over.
    Bye(EndReason),
    /// You are on hold.
    Hold,
    /// You are not any more.
    Resume,
    /// Something is asked of whoever holds the call.
    Ask(Ask),
    /// Keys were pressed.
    Keys(String),
}

/// Where to send sound to, and with which keys: ICE (RFC 8445) and DTLS (RFC 5763) without SDP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Who we are in connectivity checks.
    pub ufrag: String,
    /// And how that is proved.
    pub password: String,
    /// Of our certificate: `sha-256 AB:CD...`
    pub fingerprint: String,
    /// Where we listen.
    pub addresses: Vec<SocketAddr>,
    /// The number of our stream.
    pub ssrc: u32,
}

impl Words {
    /// The letter's kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Words::Offer { .. } => "call.offer",
            Words::Ringing(_) => "call.ringing",
            Words::Answer(_) => "call.answer",
            Words::Refused(_) => "call.refused",
            Words::Bye(_) => "call.bye",
            Words::Hold => "call.hold",
            Words::Resume => "call.resume",
            Words::Ask(_) => "call.ask",
            Words::Keys(_) => "call.dtmf",
        }
    }

    /// The letter's body.
    pub fn body(&self) -> Value {
        match self {
            Words::Offer { how: How::Ring, media } => json!({ "how": "ring", "media": media }),
            Words::Offer { how: How::DropIn, media } => json!({ "how": "drop_in", "media": media }),
            Words::Offer { how: How::Listen, media } => json!({ "how": "listen", "media": media }),
            Words::Offer { how: How::Carry { with }, media } => json!({ "how": "carry", "with": with, "media": media }),
            Words::Ringing(media) | Words::Answer(media) => json!({ "media": media }),
            Words::Refused(reason) | Words::Bye(reason) => json!({ "reason": reason.to_string() }),
            Words::Hold | Words::Resume => json!({}),
            Words::Ask(Ask::Move(room)) => json!({ "move": room }),
            Words::Ask(Ask::Add(whom)) => json!({ "add": whom }),
            Words::Ask(Ask::FollowMe(on)) => json!({ "follow": on }),
            Words::Ask(Ask::Cannot(whom, why)) => json!({ "cannot": whom, "reason": why.to_string() }),
            Words::Keys(keys) => json!({ "keys": keys }),
        }
    }

    /// Reads a letter; nothing if it makes no sense.
    pub fn read(kind: &str, body: &Value) -> Option<Words> {
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let reason = || text("reason").and_then(|it| it.parse().ok());
        Some(match kind {
            "call.offer" => {
                let how = match text("how")? {
                    "ring" => How::Ring,
                    "drop_in" => How::DropIn,
                    "listen" => How::Listen,
                    "carry" => How::Carry { with: text("with")?.to_owned() },
                    _ => return None,
                };
                Words::Offer { how, media: Description::read(body)? }
            }
            "call.ringing" => Words::Ringing(Description::read(body)?),
            "call.answer" => Words::Answer(Description::read(body)?),
            "call.refused" => Words::Refused(reason()?),
            "call.bye" => Words::Bye(reason()?),
            "call.hold" => Words::Hold,
            "call.resume" => Words::Resume,
            "call.ask" => Words::Ask(match body.as_object()?.iter().next()? {
                (key, room) if key == "move" => Ask::Move(room.as_str()?.to_owned()),
                (key, whom) if key == "add" => Ask::Add(whom.as_str()?.to_owned()),
                (key, on) if key == "follow" => Ask::FollowMe(on.as_bool()?),
                (key, whom) if key == "cannot" => Ask::Cannot(whom.as_str()?.to_owned(), reason()?),
                _ => return None,
            }),
            "call.dtmf" => Words::Keys(text("keys")?.to_owned()),
            _ => return None,
        })
    }
}

impl Description {
    fn read(body: &Value) -> Option<Description> {
        let media: Description = serde_json::from_value(body.get("media")?.clone()).ok()?;
        (media.addresses.len() <= MOST_ADDRESSES).then_some(media)
    }
}

/// A name for a call that nobody else chooses, and nobody guesses.
pub fn new_name() -> String {
    let dice = getrandom::u64().expect("the kernel has random numbers");
    format!("{dice:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media() -> Description {
        Description {
            ufrag: "abcd".into(),
            password: "0123456789012345678901".into(),
            fingerprint: "sha-256 AB:CD".into(),
            addresses: vec!["192.0.2.1:7000".parse().unwrap(), "[2001:db8::1]:7000".parse().unwrap()],
            ssrc: 7,
        }
    }

    #[test]
    fn whatever_is_said_is_understood() {
        let all = [
            Words::Offer { how: How::Ring, media: media() },
            Words::Offer { how: How::DropIn, media: media() },
            Words::Offer { how: How::Listen, media: media() },
            Words::Offer { how: How::Carry { with: "Mom".into() }, media: media() },
            Words::Ringing(media()),
            Words::Answer(media()),
            Words::Refused(EndReason::Busy),
            Words::Bye(EndReason::MediaLost),
            Words::Hold,
            Words::Resume,
            Words::Ask(Ask::Move("kitchen".into())),
            Words::Ask(Ask::Add("dad".into())),
            Words::Ask(Ask::FollowMe(true)),
            Words::Ask(Ask::Cannot("dad".into(), EndReason::Busy)),
            Words::Keys("12#".into()),
        ];
        for words in all {
            let travelled: Value = serde_json::from_str(&words.body().to_string()).unwrap();
            assert_eq!(Words::read(words.kind(), &travelled), Some(words));
        }
    }

    #[test]
    fn nonsense_is_nothing() {
        let crowd = Description { addresses: vec!["192.0.2.1:7000".parse().unwrap(); 17], ..media() };
        for (kind, body) in [
            ("call.offer", json!({ "how": "ring" })),
            ("call.offer", json!({ "how": "politely", "media": media() })),
            ("call.offer", json!({ "how": "ring", "media": crowd })),
            ("call.answer", json!({ "media": { "ufrag": 7 } })),
            ("call.bye", json!({ "reason": "bored" })),
            ("call.ask", json!({ "move": 7 })),
            ("call.ask", json!({})),
            ("call.dtmf", json!([])),
            ("call.me", json!({})),
        ] {
            assert_eq!(Words::read(kind, &body), None, "{kind} {body}");
        }
    }
}
