//! Asleep: nobody has said the wake phrase yet.

use super::ours::{OURS_AFTER, OURS_BEFORE};
use super::{FRAME_MS, Hearing, LOOK_AGAIN, MS, STEP, Window};
use crate::decoder::{Span, contains, plain};
use crate::notice::{Heard, Notice};
use crate::sentences::Fit;
use crate::spotter::Spotted;
use crate::vad::FRAME;
use crate::{endpoint, score, sensitivity, wake};

/// Near misses are kept at most this often, and with so much around them.
const NEAR_MISS_EVERY: u64 = 10_000 * MS;
const NEAR_MISS_BEFORE: u64 = 1_000 * MS;
const NEAR_MISS_AFTER: u64 = 400 * MS;
/// Quiet after which a wake phrase is looked at closely; longer than most closures inside words.
const WAKE_PAUSE: u32 = 80 / FRAME_MS;
/// Where no pause follows (one breath, or somebody else talks on), how long the phrase must have stood: longer than the look-ahead plus the last word.
const WAKE_STANDS: u64 = 480 * MS;
/// Close looks at one candidate, before it is forgotten.
const LOOKS: u32 = 3;
/// What the command recognizer gets from before the wake phrase.
const BEFORE_WAKE: u64 = 240 * MS;
/// Asleep and without anything like a wake phrase: talk longer than this is cut at a pause, longer than twice this anywhere.
const CUT_AFTER: u64 = 6_000 * MS;
/// What is decoded again after a cut anywhere: longer than any wake phrase.
const CUT_OVERLAP: u64 = 1_600 * MS;
/// Sentences without a wake phrase must be at least this sure.
const AT_ONCE_CONFIDENCE: f32 = 0.8;
/// And be followed by at least this pause.
const AT_ONCE_PAUSE_MS: u32 = 208;

impl Hearing {
    /// Looks for the wake phrase, and for what counts without it.
    pub(super) fn follow_talk(&mut self, since: u64, notices: &mut Vec<Notice>) {
        let now = self.ears.end();
        if let Some(spotter) = &mut self.spotter {
            let spotted = spotter.follow(since, &self.ears);
            let pause = (WAKE_PAUSE..WAKE_PAUSE + STEP as u32).contains(&self.quiet);
            let spotted = if pause { spotted.or_else(|| spotter.peek()) } else { spotted };
            if spotted.is_some_and(|it| self.is_called(it, notices)) {
                return;
            }
        }
        let Some(decoder) = &mut self.wake else { return };
        decoder.follow(since, &self.ears);
        if wake::find(self.wakes.as_slice(), decoder.text().split(' ')).is_some() {
            self.look_at_wake(notices);
        } else if self.listen.at_once.fit(plain(decoder.text())) != Fit::Not && !plain(decoder.text()).is_empty() {
            self.look_at_once(notices);
        } else {
            self.looks = 0;
            let length = now.saturating_sub(decoder.start());
            if length > CUT_AFTER && self.quiet >= WAKE_PAUSE {
                decoder.begin(now - u64::from(WAKE_PAUSE) * FRAME as u64);
            } else if length > 2 * CUT_AFTER {
                decoder.begin(now - CUT_OVERLAP);
            }
        }
    }

    /// Whether what the spotter saw is the wake phrase; then a window is open.
    fn is_called(&mut self, it: Spotted, notices: &mut Vec<Notice>) -> bool {
        let text = self.wakes[it.phrase].join(" ");
        let span = Span { start: it.start, end: it.end, text, confidence: it.confidence };
        let sensitivity = self.settings.sensitivity;
        if it.confidence < sensitivity::threshold(sensitivity) {
            if it.confidence >= sensitivity::near(sensitivity) {
                self.near_miss(&span, notices);
            }
            return false;
        }
        if self.plays(span.start.saturating_sub(OURS_BEFORE / 2), span.end) {
            let mut played = Vec::new();
            let (from, to) = (span.start.saturating_sub(OURS_BEFORE), span.end + OURS_AFTER);
            self.reference.each(from, to, |part| played.extend_from_slice(part));
            let ours = |spotter: &crate::spotter::Spotter| spotter.confidence_in(&played, Some(it.phrase));
            if self.spotter.as_ref().map_or(0.0, ours) >= sensitivity::ours(sensitivity) {
                return false;
            }
        }
        self.wake_up(&span, notices);
        true
    }

    /// Keeps what was almost the wake phrase, where somebody wants that.
    fn near_miss(&mut self, span: &Span, notices: &mut Vec<Notice>) {
        let now = self.ears.end();
        if !self.settings.keep_near_misses || self.next_near_miss > now || self.plays(span.start, span.end) {
            return;
        }
        self.next_near_miss = now + NEAR_MISS_EVERY;
        let mut samples = Vec::new();
        let from = span.start.saturating_sub(NEAR_MISS_BEFORE);
        self.ears.each(from, span.end + NEAR_MISS_AFTER, |part| samples.extend_from_slice(part));
        notices.push(self.notice(span, Heard::NearMiss { samples }));
    }

    /// The wake phrase was said: a window opens.
    fn wake_up(&mut self, span: &Span, notices: &mut Vec<Notice>) {
        let now = self.ears.end();
        self.looks = 0;
        self.next_look = 0;
        let score = self.score(span);
        let hold = if self.in_company { score::hold_ms(score) * MS } else { 0 };
        self.held = Some((now + hold, self.notice(span, Heard::Wake { score })));
        self.tell_wake(false, notices);
        self.window = Some(Window { until: now + self.settings.listen_for.as_millis() as u64 * MS, woken: true });
        self.begin_woken(span.start.saturating_sub(BEFORE_WAKE).max(self.done_until), span.end);
        self.stop_asleep();
    }

    /// Nothing is listened for with the ears of a sleeper.
    pub(super) fn stop_asleep(&mut self) {
        self.wake.iter_mut().for_each(crate::decoder::Decoder::stop);
        self.spotter.iter_mut().for_each(crate::spotter::Spotter::stop);
    }

    fn look_at_wake(&mut self, notices: &mut Vec<Notice>) {
        let now = self.ears.end();
        let Some(decoder) = &mut self.wake else { return };
        let stood = now - decoder.since();
        let due = self.quiet >= WAKE_PAUSE || stood >= WAKE_STANDS;
        if !due || now < self.next_look {
            return;
        }
        let words = decoder.finish();
        let span = wake::find(&self.wakes, words.iter().map(|it| it.text.as_str())).map(|it| Span::of(&words[it]));
        let sure = span.filter(|it| it.confidence >= sensitivity::official(self.settings.sensitivity));
        match sure {
            Some(span) if !self.is_ours(&span, |text, hearing| wake::find(&hearing.wakes, text.split(' ')).is_some()) => {
                self.wake_up(&span, notices);
            }
            _ => {
                self.looks += 1;
                self.next_look = now + LOOK_AGAIN;
                let again = self.looks < LOOKS;
                let Some(decoder) = &mut self.wake else { return };
                if again {
                    decoder.again(&self.ears);
                } else {
                    self.looks = 0;
                    decoder.begin(now);
                }
            }
        }
    }

    fn look_at_once(&mut self, notices: &mut Vec<Notice>) {
        let now = self.ears.end();
        let Some(decoder) = &mut self.wake else { return };
        let fit = self.listen.at_once.fit(plain(decoder.text()));
        let quiet_ms = self.quiet * FRAME_MS;
        let stable_ms = ((now - decoder.since()) / MS) as u32;
        if !matches!(fit, Fit::Whole { .. })
            || quiet_ms < AT_ONCE_PAUSE_MS && stable_ms < 640
            || !endpoint::is_over(fit, quiet_ms, stable_ms)
            || now < self.next_look
        {
            return;
        }
        let words = decoder.finish();
        let words = self.without_ours(words);
        let span = Span::of(&words);
        let whole = matches!(self.listen.at_once.fit(&span.text), Fit::Whole { .. });
        if whole
            && span.confidence >= AT_ONCE_CONFIDENCE.max(self.settings.min_confidence)
            && !self.is_ours(&span, |text, _| contains(text, &span.text))
        {
            let (text, confidence) = (span.text.clone(), span.confidence);
            notices.push(self.notice(&span, Heard::Sentence { text, confidence, woken: false }));
            self.wake.iter_mut().for_each(|it| it.begin(now));
            self.done_until = now;
        } else {
            self.next_look = now + LOOK_AGAIN;
            self.wake.iter_mut().for_each(|it| it.again(&self.ears));
        }
    }
}
