//! When a sentence is over. Pure: what was recognized and how long it has been quiet come in, a decision goes out.
//!
//! The pauses are those that people make who go on, as `make bench-ears PARTS=pauses` measures them; the table is in docs/benchmarks.md.

use crate::sentences::Fit;

/// After a sentence that cannot go on. A closure inside a word ("o-p-erator") is shorter than this, 99 of 100.
const PAUSE_WHOLE_MS: u32 = 112;
/// After a sentence that may go on ("call mom" ... "on her mobile"): 99 of 100 people who go on do it sooner.
const PAUSE_MAY_GO_ON_MS: u32 = 256;
/// After the beginning of a sentence: time to think of a name.
const PAUSE_BEGUN_MS: u32 = 1000;
/// After what is no sentence.
const PAUSE_NOT_MS: u32 = 480;
/// Where it never becomes quiet, because of noise or somebody who talks on: the sentence has stood like this for so long. What follows it would have shown: a word
/// that the grammar does not have changes the text within its first sounds and the model's look-ahead of 250 ms.
const STABLE_MS: u32 = 400;
/// The same for a sentence that may go on: the longest pause, and a short word after it.
const STABLE_MAY_GO_ON_MS: u32 = 640;

/// How long the pause after a text with this fit must be.
pub fn pause_ms(fit: Fit) -> u32 {
    match fit {
        Fit::Whole { may_go_on: false } => PAUSE_WHOLE_MS,
        Fit::Whole { may_go_on: true } => PAUSE_MAY_GO_ON_MS,
        Fit::Begun => PAUSE_BEGUN_MS,
        Fit::Not => PAUSE_NOT_MS,
    }
}

/// Whether the sentence is over: it has been quiet for `quiet_ms`, and the text has been the same for `stable_ms`.
pub fn is_over(fit: Fit, quiet_ms: u32, stable_ms: u32) -> bool {
    let stood = match fit {
        Fit::Whole { may_go_on: false } => stable_ms >= STABLE_MS,
        Fit::Whole { may_go_on: true } => stable_ms >= STABLE_MAY_GO_ON_MS,
        Fit::Begun | Fit::Not => false,
    };
    stood || quiet_ms >= pause_ms(fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_sentence_ends_soonest_and_a_begun_one_last() {
        let whole = Fit::Whole { may_go_on: false };
        let longer = Fit::Whole { may_go_on: true };
        // fit, quiet, stable, over
        for (fit, quiet_ms, stable_ms, over) in [
            (whole, 96, 96, false),
            (whole, 112, 0, true),
            (longer, 112, 300, false),
            (longer, 240, 300, false),
            (longer, 256, 300, true),
            (Fit::Not, 464, 5000, false),
            (Fit::Not, 480, 480, true),
            (Fit::Begun, 992, 5000, false),
            (Fit::Begun, 1008, 1008, true),
            (whole, 0, 384, false),
            (whole, 0, 400, true),
            (longer, 0, 624, false),
            (longer, 0, 640, true),
        ] {
            assert_eq!(is_over(fit, quiet_ms, stable_ms), over, "{fit:?} {quiet_ms} {stable_ms}");
        }
    }
}
