//! Which sentence was said, and how sure that is: what the second look saw and what the recognizer heard, weighed together. Pure.

use std::collections::BTreeMap;

use crate::passing::Candidate;
use crate::second::Seen;
use crate::weights;

/// What is weighed, for `Weights`.
pub const N_EVIDENCE: usize = 12;
/// Names of the evidence, as in sentence.txt of the model.
pub const EVIDENCE: [&str; N_EVIDENCE] =
    ["margin", "total", "per_phone", "worst", "second", "third", "worst_sum", "phones", "agrees", "begun", "differs", "fast"];
/// A sentence whose phones are not likelier than everything else by this much per phone (nats) was not said, however far it is ahead of the others: 97 of 100
/// that were said to the network in training are, and two of three that were not are not.
pub const LEAST_PER_PHONE: f32 = 0.3;
/// By more than this (nats) no meaning is ahead of another.
const MOST_AHEAD: f32 = 12.0;
/// More than this (nats) is as good as this.
const MOST_TOTAL: f32 = 60.0;
/// Frames that a phone lasts, as people talk.
const PACE: f32 = 2.7;

/// Of sentences; fitted by models/train/sentence.py.
pub type Weights = weights::Weights<N_EVIDENCE>;

impl Default for Weights {
    fn default() -> Self {
        let mut of = [0.0; N_EVIDENCE];
        (of[0], of[2], of[3], of[8], of[9]) = (0.3, 0.5, 1.0, 2.0, 1.0);
        Self { bias: 0.0, of }
    }
}

/// See the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The sentence.
    pub text: String,
    /// What it means.
    pub meaning: String,
    /// Its first frame.
    pub start: i64,
    /// The frame after its last phone, and how many came after that one.
    pub end: i64,
    /// See there.
    pub rests: i64,
    /// See `EVIDENCE`.
    pub evidence: [f32; N_EVIDENCE],
}

impl Verdict {
    /// Whether its phones were heard at all.
    pub fn fits(&self) -> bool {
        self.evidence[2] >= LEAST_PER_PHONE
    }
}

/// The likeliest of the sentences that mean something; `None` where there is none.
pub fn verdict(seen: &Seen, heard: &str, means: impl Fn(&str) -> Option<String>) -> Option<Verdict> {
    let mut meant: BTreeMap<String, (f32, &Candidate)> = BTreeMap::new();
    for it in &seen.candidates {
        let Some(meaning) = means(&it.text) else { continue };
        let both = meant.entry(meaning).or_insert((f32::NEG_INFINITY, it));
        both.0 = added(both.0, it.worth);
    }
    let (meaning, (worth, best)) = meant.iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0))?;
    let others = meant.iter().filter(|it| it.0 != meaning).map(|it| it.1.0).fold(f32::NEG_INFINITY, added);
    let phones = seen.phones(&best.phones, best.end);
    let n = phones.means.len().max(1) as f32;
    let nth = |nth: usize| phones.means.get(nth).copied().unwrap_or(0.0).min(0.0);
    let also = means(heard);
    let agrees = also.as_ref() == Some(meaning);
    // Of what was said last it knows nothing yet.
    let begun = !agrees && heard.contains(' ') && best.text.starts_with(&format!("{heard} "));
    let frames = (best.end - seen.first() - phones.lead).max(1) as f32;
    let evidence = [
        (worth - others).min(MOST_AHEAD),
        phones.sum.clamp(-MOST_TOTAL, MOST_TOTAL) / 10.0,
        phones.sum / n,
        nth(0),
        nth(1),
        nth(2),
        phones.worst_sum,
        n.ln(),
        f32::from(u8::from(agrees)),
        f32::from(u8::from(begun)),
        f32::from(u8::from(!agrees && !begun && also.is_some())),
        (PACE * n / frames).ln().max(0.0),
    ];
    Some(Verdict {
        text: best.text.clone(),
        meaning: meaning.clone(),
        start: seen.first() + phones.lead,
        end: best.end,
        rests: seen.rests(best),
        evidence,
    })
}

/// Logarithm of the sum.
fn added(a: f32, b: f32) -> f32 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f32::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}
