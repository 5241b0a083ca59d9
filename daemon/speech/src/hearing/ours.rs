//! What we play ourselves is no voice in the room.

use super::{Hearing, MS, PLAYING_DB};
use crate::decoder::Span;
use crate::recognizer::{UNKNOWN, Word};
use crate::sentences::Fit;
use crate::vad::{self, FRAME};

/// What is left of our chime becomes no longer word than this.
const LEFTOVER: u64 = 320 * MS;
/// What is left of the wake phrase becomes no longer word than this, and follows it this soon. A word that the grammar does not have is none: "do not" may stand there.
const WAKE_TAIL: u64 = 320 * MS;
/// How much earlier than in the room the same words may be in what was played: buffers, the way through the air, and the recognizer's idea of where words begin.
pub(super) const OURS_BEFORE: u64 = 640 * MS;
/// And how much later.
pub(super) const OURS_AFTER: u64 = 240 * MS;

impl Hearing {
    /// Drops what is unknown at both ends while we were playing something: it is what the echo canceller left.
    pub(super) fn without_ours(&self, mut words: Vec<Word>) -> Vec<Word> {
        while words.last().is_some_and(|it| it.text == UNKNOWN && self.plays(it.start, it.end)) {
            words.pop();
        }
        let first = words.iter().position(|it| it.text != UNKNOWN || !self.plays(it.start, it.end)).unwrap_or(words.len());
        words.split_off(first)
    }

    /// Drops a short first word where only it keeps the rest from being a sentence: one over which we were playing something, the chime above all, or one that
    /// the last sound of the wake phrase became ("hello operator" and "a call mom").
    pub(super) fn without_leftover(&self, mut words: Vec<Word>, wake_end: Option<u64>) -> Vec<Word> {
        let [first, rest @ ..] = &words[..] else { return words };
        let length = first.end.saturating_sub(first.start);
        let of_wake = wake_end.is_some_and(|end| first.start <= end + WAKE_TAIL) && length <= WAKE_TAIL && first.text != UNKNOWN;
        let ours = of_wake || length < LEFTOVER && self.plays(first.start, first.end);
        let text = |words: &[Word]| words.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ");
        if ours && self.fit(&text(&words)) == Fit::Not && matches!(self.fit(&text(rest)), Fit::Whole { .. }) {
            words.remove(0);
        }
        words
    }

    /// Whether something was played for at least a third of this time.
    pub(super) fn plays(&self, from: u64, to: u64) -> bool {
        let (mut loud, mut all) = (0, 0);
        self.reference.each(from, to.max(from + FRAME as u64), |part| {
            for frame in part.chunks(FRAME) {
                all += 1;
                loud += u32::from(vad::level_db(frame) > PLAYING_DB);
            }
        });
        loud * 3 > all
    }

    /// Whether the same was said by the loudspeaker at the time: the reference goes through the recognizer that found the words.
    pub(super) fn is_ours(&mut self, span: &Span, same: impl Fn(&str, &Self) -> bool) -> bool {
        let (from, to) = (span.start.saturating_sub(OURS_BEFORE), span.end + OURS_AFTER);
        if !self.plays(span.start.saturating_sub(OURS_BEFORE / 2), span.end) {
            return false;
        }
        let decoder = if self.window.is_some() { Some(&mut self.command) } else { self.wake.as_mut() };
        let Some(decoder) = decoder else { return false };
        let text = decoder.text_of(&self.reference, from, to);
        same(&text, self)
    }
}
