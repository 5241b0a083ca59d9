//! A window is open: a sentence is awaited.

use super::{ALONE_MS, BEFORE_COMMAND, FRAME_MS, GOES_ON, Hearing, LONGEST, LOOK_AGAIN, MS, PEEK_MS, STEP, TALK, Window};
use crate::decoder::{Span, contains, plain};
use crate::notice::{Heard, Listen, Notice};
use crate::recognizer::{UNKNOWN, Word};
use crate::recording::Recording;
use crate::second::SecondLook;
use crate::sentences::Fit;
use crate::vad::FRAME;
use crate::verdict::{self, N_EVIDENCE};
use crate::{endpoint, wake};

/// Where it never becomes quiet: after so many frames of the network (30 ms) in which nothing was said the sentence is looked at.
const RESTS: i64 = 6;
/// And after so many without a sure sentence it was none.
const RESTS_LONG: i64 = 16;
const REST_MS: u32 = 30;

/// What was weighed, and what came of it.
#[derive(Clone, Debug)]
pub struct Weighed {
    /// The sentence.
    pub text: String,
    /// See `verdict::EVIDENCE`.
    pub evidence: [f32; N_EVIDENCE],
    /// 0 to 1.
    pub confidence: f32,
    /// What the recognizer made of it.
    pub recognized: String,
}

/// A sentence that the second look is sure of.
struct Sure {
    text: String,
    confidence: f32,
    fit: Fit,
    start: u64,
    end: u64,
    rest_ms: u32,
}

impl Sure {
    fn span(self) -> Span {
        Span { start: self.start, end: self.end, text: self.text, confidence: self.confidence }
    }
}

impl Hearing {
    pub(super) fn second_look(&self, listen: &Listen) -> Option<SecondLook> {
        let wakes: Vec<String> = self.wakes.iter().map(|it| it.join(" ")).collect();
        // A model that cannot be read was refused before: without it the recognizer is alone.
        SecondLook::with(&self.model, self.spotter.as_ref()?.acoustics(), &listen.ways, &wakes).ok().flatten()
    }

    /// Looks for a sentence from here on, where nobody has said anything yet.
    pub(super) fn begin_command(&mut self, at: u64) {
        self.command.begin(at);
        self.waits = false;
        self.second.iter_mut().for_each(|it| it.begin_again(at));
    }

    /// Looks for a sentence behind a wake phrase.
    pub(super) fn begin_woken(&mut self, from: u64, wake_end: u64) {
        self.command.begin(from);
        self.waits = false;
        self.second.iter_mut().for_each(|it| it.begin(from, wake_end.max(from)));
    }

    pub(super) fn stop_command(&mut self) {
        self.command.stop();
        self.waits = false;
        self.second.iter_mut().for_each(SecondLook::stop);
    }

    /// Waits for a whole sentence.
    pub(super) fn follow_sentence(&mut self, since: u64, window: Window, notices: &mut Vec<Notice>) {
        let now = self.ears.end();
        self.command.follow(since, &self.ears);
        let start = self.command.start();
        self.second.iter_mut().for_each(|it| it.follow(start, &self.ears));
        let heard = wake::after(&self.wakes, self.command.text()).to_owned();
        let said = plain(&heard);
        let quiet_ms = self.quiet * FRAME_MS;
        let stable_ms = ((now - self.command.since()) / MS) as u32;
        let length = now.saturating_sub(start);
        let too_long = length > LONGEST;
        let only_pause = length <= u64::from(self.quiet) * FRAME as u64;
        let rests = self.second.as_ref().map_or(0, SecondLook::rests);
        // The wake phrase alone is done with after a pause, and nobody talks in a pause: what is there is the chime, or the room.
        // With many names the last word comes only after the look-ahead: once in each pause what is held back is asked for.
        let in_pause = (PEEK_MS..PEEK_MS + STEP as u32 * FRAME_MS).contains(&quiet_ms);
        if only_pause || heard.is_empty() && rests == 0 && !(in_pause && self.second.is_some()) {
            if quiet_ms >= ALONE_MS && length >= u64::from(ALONE_MS) * MS {
                self.begin_command(now - BEFORE_COMMAND);
            }
            return;
        }
        let fit = if said.is_empty() { Fit::Not } else { self.fit(said) };
        let (over, open) = self.judge(heard.trim_start_matches(UNKNOWN).trim_start(), fit, quiet_ms, stable_ms);
        // Whatever else it is taken for meanwhile, the words after it change with every step.
        let goes_on = open.is_some_and(|n| n < heard.split_whitespace().count());
        self.opened = if goes_on { self.opened.or(Some(now)) } else { None };
        let waited = self.waits && quiet_ms >= endpoint::pause_ms(Fit::Whole { may_go_on: true });
        self.waits &= quiet_ms > 0;
        if now < self.next_look {
            return;
        }
        let rested = rests >= RESTS && now >= self.next_peek;
        if rested {
            self.next_peek = now + LOOK_AGAIN;
        }
        // A second look costs little, all of the recognizer's much more: it is asked only where it must decide.
        let sure = if in_pause || waited || over || too_long || rested { self.sure(said) } else { None };
        let (over, fit, span, words, open) = match sure {
            Some(it) => {
                let stood = if it.text == said { stable_ms } else { 0 };
                let over = endpoint::is_over(it.fit, quiet_ms.max(it.rest_ms), stood);
                self.waits = it.fit == (Fit::Whole { may_go_on: true });
                (over, it.fit, it.span(), None, None)
            }
            None => {
                self.waits = false;
                let finish = in_pause && fit == Fit::Begun || over || rests >= RESTS_LONG && fit != Fit::Begun;
                if !finish && !too_long {
                    return;
                }
                let words = self.command.finish();
                let from = wake::find(&self.wakes, words.iter().map(|it| it.text.as_str())).map_or(0, |it| it.end);
                let wake_end = from.checked_sub(1).map_or(start, |it| words[it].end);
                let words = self.without_leftover(self.without_ours(words[from..].to_vec()), window.woken.then_some(wake_end));
                let span = Span::of(&words);
                let fit = self.fit(&span.text);
                let (over, open) = self.judge(&span.text, fit, quiet_ms, stable_ms);
                match self.second.is_some() && open.is_none() {
                    true => match self.sure(&span.text) {
                        Some(it) => {
                            let over = endpoint::is_over(it.fit, quiet_ms.max(it.rest_ms), 0);
                            self.waits = it.fit == (Fit::Whole { may_go_on: true });
                            (over, it.fit, it.span(), Some(words), None)
                        }
                        // What only the recognizer takes for a sentence is none.
                        None => {
                            let fit = if matches!(fit, Fit::Whole { .. }) { Fit::Not } else { fit };
                            let over = endpoint::is_over(fit, quiet_ms, stable_ms) || rests >= RESTS_LONG && fit != Fit::Begun;
                            (over, fit, span, Some(words), None)
                        }
                    },
                    false => (over, fit, span, Some(words), open),
                }
            }
        };
        let (text, confidence) = (span.text.clone(), span.confidence);
        if text.split(' ').all(|it| it == UNKNOWN || it.is_empty()) && span.end - span.start < TALK && !self.waits {
            self.begin_command(now);
            return;
        }
        if !over && !too_long {
            let until = endpoint::pause_ms(Fit::Whole { may_go_on: true }).saturating_sub(quiet_ms);
            self.next_look = now + if self.waits && until > 0 { u64::from(until) * MS } else { LOOK_AGAIN };
            // What was finished begins anew.
            if words.is_some() {
                self.command.again(&self.ears);
            }
            return;
        }
        self.next_look = 0;
        if let Some((said, rest)) = open.and_then(|n| words.as_ref()?.split_at_checked(n)) {
            self.open(said, rest, quiet_ms, notices);
            return;
        }
        if self.is_ours(&span, |heard, _| !plain(&text).is_empty() && contains(heard, plain(&text))) {
            self.begin_command(now);
            return;
        }
        let known = matches!(fit, Fit::Whole { .. }) && confidence >= self.settings.min_confidence;
        self.tell_wake(true, notices);
        let kind = if known { Heard::Sentence { text, confidence, woken: window.woken } } else { Heard::Rejected { text } };
        notices.push(self.notice(&span, kind));
        self.window = None;
        self.stop_command();
        self.done_until = now;
        self.talk = Some(now);
    }

    /// What the second look is sure of, beside what the recognizer has heard.
    fn sure(&mut self, heard: &str) -> Option<Sure> {
        let second = self.second.as_ref()?;
        let seen = second.peek();
        let open = |text: &str| matches!(self.listen.open.fit(text), Fit::Whole { .. });
        let means = |text: &str| {
            let whole = matches!(self.fit(text), Fit::Whole { .. }) || open(text);
            whole.then(|| (self.listen.meaning.0)(text))
        };
        let it = verdict::verdict(&seen, heard, means)?;
        let confidence = second.confidence(&it);
        if let Some(watch) = &mut self.watch {
            let (text, recognized) = (it.text.clone(), heard.to_owned());
            watch(&Weighed { text, evidence: it.evidence, confidence, recognized });
        }
        let (start, end) = (second.sample(it.start), second.sample(it.end));
        let fit = self.fit(&it.text);
        let counts = confidence >= self.settings.min_confidence && it.fits() && matches!(fit, Fit::Whole { .. });
        counts.then(|| Sure { fit, confidence, start, end, rest_ms: it.rests as u32 * REST_MS, text: it.text })
    }

    /// Whether what was said is over, and how many words of it are the open sentence with which it begins, if it is not a closed one.
    fn judge(&self, text: &str, fit: Fit, quiet_ms: u32, stable_ms: u32) -> (bool, Option<usize>) {
        let now = self.ears.end();
        let words: Vec<&str> = text.split(' ').collect();
        let open = |n: &usize| matches!(self.listen.open.fit(&words[..*n].join(" ")), Fit::Whole { .. });
        let open = (1..=words.len()).rev().find(open);
        let longer = self.listen.open.fit(text) == Fit::Begun;
        let fit = if open.is_some() { self.fit(text) } else { fit };
        let over = match (open, fit) {
            (Some(n), Fit::Begun | Fit::Not) if n == words.len() => {
                endpoint::is_over(Fit::Whole { may_go_on: true }, quiet_ms, stable_ms)
            }
            (Some(_), Fit::Not) if !longer => quiet_ms >= PEEK_MS || self.opened.is_some_and(|it| now - it >= GOES_ON),
            (_, Fit::Not) if longer => endpoint::is_over(Fit::Begun, quiet_ms, stable_ms),
            _ => endpoint::is_over(fit, quiet_ms, stable_ms),
        };
        (over, open.filter(|_| !matches!(fit, Fit::Whole { .. })))
    }

    /// An open sentence was said: what follows is recorded.
    fn open(&mut self, said: &[Word], rest: &[Word], quiet_ms: u32, notices: &mut Vec<Notice>) {
        let now = self.ears.end();
        self.tell_wake(true, notices);
        let span = Span::of(said);
        let (text, confidence) = (span.text.clone(), span.confidence);
        self.done_until = now;
        self.talk = Some(now);
        if self.is_ours(&span, |heard, _| contains(heard, &text)) {
            self.begin_command(now);
            return;
        }
        self.stop_command();
        self.window = None;
        if confidence < self.settings.min_confidence {
            notices.push(self.notice(&span, Heard::Rejected { text }));
            return;
        }
        let goes_on = quiet_ms < PEEK_MS || rest.last().is_some_and(|it| it.end.saturating_sub(span.end) >= TALK);
        notices.push(self.notice(&span, Heard::Open { text, confidence, goes_on }));
        let from = Recording::wanted_from(span.end, goes_on).max(self.ears.start()).min(now);
        let mut samples = Vec::with_capacity((now - from) as usize);
        self.ears.each(from, now, |part| samples.extend_from_slice(part));
        let patience = self.settings.listen_for.as_millis() as u64 * MS;
        self.recording = Some(Recording::behind(from, samples, goes_on, patience));
    }
}
