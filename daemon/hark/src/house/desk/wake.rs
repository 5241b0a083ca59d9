//! Who heard the wake phrase, and how well.

use std::time::{Duration, Instant};

use control::house::Bid;
use serde_json::json;

use crate::house::{Delivered, Letter, To};

/// Later nobody waits for it any more.
const COUNTS_FOR: Duration = Duration::from_secs(1);

/// Tells everyone: `wake.bid` or `wake.won`.
pub fn letter(kind: &str, score: f32) -> Letter {
    Letter {
        to: To::Everyone,
        kind: kind.into(),
        call: None,
        body: json!({ "score": score }),
        blob: None,
        keep_trying_for: COUNTS_FOR,
    }
}

/// What a letter bids; nothing if it makes no sense.
pub fn bid(letter: &Delivered, now: Instant) -> Option<Bid> {
    let score = letter.body.get("score")?.as_f64()? as f32;
    let age = now.saturating_duration_since(letter.sent);
    score.is_finite().then(|| Bid { room: letter.from.clone(), score, age })
}
