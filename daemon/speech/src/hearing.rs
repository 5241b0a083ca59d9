//! From samples to words: gate, wake phrase, sentence, in that order. Synchronous; `listener.rs` gives it a thread.

mod asleep;
mod awake;
mod ours;

pub use awake::Weighed;

use crate::decoder::{Decoder, Span, plain};
use crate::history::History;
use crate::model::{Model, tidy};
use crate::notice::{Heard, HearingError, HearingSettings, Listen, Notice};
use crate::recording::{Progress, Recording};
use crate::second::SecondLook;
use crate::sentences::Fit;
use crate::spotter::Spotter;
use crate::vad::{self, FRAME, Frame, Vad};
use crate::{RATE_HZ, score, wake};

const MS: u64 = RATE_HZ as u64 / 1000;
const FRAME_MS: u32 = FRAME as u32 / MS as u32;

/// How much is remembered: the 2 s before speech was noticed or a wake phrase confirmed, and what was said since.
const REMEMBERED: usize = 6 * RATE_HZ as usize;
/// How much of that the recognizers get from before the gate opened: the soft beginning that the detector did not take for voice.
const PREROLL: u64 = 480 * MS;
/// Voice frames in a row that open the gate; one alone is a click.
const OPENS_AFTER: u32 = 2;
/// Frames without voice that close it; longer than the longest pause of endpoint.rs.
const CLOSES_AFTER: u32 = 1120 / FRAME_MS;
/// Frames that are given to a recognizer at once: 48 ms. Smaller costs more, larger answers later.
const STEP: u64 = 3;
/// After a close look that failed, the next one not before.
const LOOK_AGAIN: u64 = 160 * MS;
/// Nothing that may be said takes longer.
const LONGEST: u64 = 12_000 * MS;
/// How often the wake phrase stands in the grammar beside `[unk]`: what leans towards it is corrected by `WAKE_CONFIDENCE`.
const WAKE_WEIGHT: usize = 4;
/// Quiet after which the beginning of a sentence is looked at closely, in case it is whole; see `endpoint`.
const PEEK_MS: u32 = 112;
/// Quiet after which a wake phrase that was said alone is done with.
const ALONE_MS: u32 = 240;
/// What the recognizer gets of that pause, so that the first word does not begin with its first sample.
const BEFORE_COMMAND: u64 = 160 * MS;
/// What is looked at of the room before a wake phrase, for its noise, and after it.
const SCORE_BEFORE: u64 = 1_500 * MS;
const SCORE_AFTER: u64 = 96 * MS;
/// Unknown talk shorter than this is a cough or a door.
const TALK: u64 = 320 * MS;
/// How long words that no sentence has must have stood after an open sentence, so that it is sure to go on.
const GOES_ON: u64 = 240 * MS;

/// How much was heard, for status and benchmarks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Frames of 16 ms that were fed.
    pub frames: u64,
    /// Those of them with the gate open.
    pub open: u64,
}

/// Is told of everything that was weighed.
pub type Watch = Box<dyn FnMut(&Weighed) + Send>;

#[derive(Clone, Copy)]
struct Window {
    until: u64,
    woken: bool,
}

/// The synchronous core.
pub struct Hearing {
    model: Model,
    settings: HearingSettings,
    wakes: Vec<Vec<String>>,
    listen: Listen,
    ears: History,
    reference: History,
    /// The frame that is not yet full.
    ears_frame: Vec<f32>,
    reference_frame: Vec<f32>,
    vad: Vad,
    /// Frames of voice in a row, without voice in a row, of pause in a row.
    voiced: u32,
    unvoiced: u32,
    quiet: u32,
    /// The gate: from where on the present talk is decoded.
    talk: Option<u64>,
    /// Everything before this sample has been decided upon.
    done_until: u64,
    /// For the wake phrases, with a model of ours.
    spotter: Option<Spotter>,
    /// For the wake phrases with an official model, and for what counts at once; `None` where there is neither.
    wake: Option<Decoder>,
    command: Decoder,
    /// Looks at the same with whole sentences only; `None` with an official model, or where nobody said what sentences are made of.
    second: Option<SecondLook>,
    /// Whether it was sure at the last pause, of a sentence that may go on.
    waits: bool,
    watch: Option<Watch>,
    window: Option<Window>,
    /// Since when the text begins with an open sentence and goes on.
    opened: Option<u64>,
    recording: Option<Recording>,
    /// Whether other speakers may have heard the same.
    in_company: bool,
    /// A wake phrase that is told then.
    held: Option<(u64, Notice)>,
    /// Close looks at the present wake candidate, and when the next may be.
    looks: u32,
    next_look: u64,
    /// When the second look may be asked again where it never becomes quiet.
    next_peek: u64,
    next_near_miss: u64,
    work: Work,
}

impl Hearing {
    /// Hears the wake phrases, and nothing else until told what to listen for.
    pub fn new(model: &Model, settings: HearingSettings) -> Result<Self, HearingError> {
        let listen = Listen::default();
        let wakes = wake_words(model, &settings)?;
        let (wake, command) = decoders(model, &settings, &listen)?;
        let spotter = spotter(model, &wakes)?;
        Ok(Self {
            model: model.clone(),
            settings,
            wakes,
            listen,
            ears: History::new(REMEMBERED),
            reference: History::new(REMEMBERED),
            ears_frame: Vec::with_capacity(FRAME),
            reference_frame: Vec::with_capacity(FRAME),
            vad: Vad::default(),
            voiced: 0,
            unvoiced: 0,
            quiet: 0,
            talk: None,
            done_until: 0,
            spotter,
            wake,
            command,
            second: None,
            waits: false,
            watch: None,
            window: None,
            opened: None,
            recording: None,
            in_company: false,
            held: None,
            looks: 0,
            next_look: 0,
            next_peek: 0,
            next_near_miss: 0,
            work: Work::default(),
        })
    }

    /// Takes other settings; a window that is open closes, and a recording is given up.
    pub fn set(&mut self, settings: HearingSettings) -> Result<(), HearingError> {
        let wakes = wake_words(&self.model, &settings)?;
        let (wake, command) = decoders(&self.model, &settings, &self.listen)?;
        self.spotter = spotter(&self.model, &wakes)?;
        (self.settings, self.wakes, self.wake, self.command, self.window) = (settings, wakes, wake, command, None);
        (self.recording, self.held) = (None, None);
        self.second = self.second_look(&self.listen);
        Ok(())
    }

    /// Listens for something else from now on. What is being said meanwhile is not lost.
    pub fn listen(&mut self, listen: Listen) {
        let same_at_once = listen.at_once.same_phrases(&self.listen.at_once);
        let same = same_at_once
            && listen.after_wake.same_phrases(&self.listen.after_wake)
            && listen.open.same_phrases(&self.listen.open);
        let now = self.ears.end();
        if !same && let Ok((wake, command)) = decoders(&self.model, &self.settings, &listen) {
            self.command.replace(command);
            if !same_at_once {
                match (&mut self.wake, wake) {
                    (Some(old), Some(new)) => old.replace(new),
                    (old, new) => *old = new,
                }
            }
        }
        if listen.ways != self.listen.ways {
            self.second = self.second_look(&listen);
        }
        if self.recording.as_mut().is_some_and(|it| !it.confirm(listen.recording)) {
            self.stop_recording();
        }
        self.window = match (self.window, listen.open_for.filter(|_| self.recording.is_none())) {
            (window, Some(open_for)) => {
                let woken = window.is_some_and(|it| it.woken);
                if window.is_none() {
                    self.stop_command();
                }
                Some(Window { until: now + open_for.as_millis() as u64 * MS, woken })
            }
            (Some(window), None) if window.woken => Some(window),
            (_, None) => None,
        };
        self.listen = listen;
    }

    /// Whether other speakers of the house may hear the same wake phrase. Then one that was heard badly is told a little later, for whoever is nearer
    /// hears it to its end, and must not come too late.
    pub fn in_company(&mut self, in_company: bool) {
        self.in_company = in_company;
    }

    /// Takes interleaved pairs (ears, reference) and tells what was heard.
    pub fn feed(&mut self, pairs: &[f32], notices: &mut Vec<Notice>) {
        for pair in pairs.chunks_exact(2) {
            self.ears_frame.push(pair[0]);
            self.reference_frame.push(pair[1]);
            if self.ears_frame.len() == FRAME {
                self.frame(notices);
                self.ears_frame.clear();
                self.reference_frame.clear();
            }
        }
    }

    /// Tells what was weighed, for those who fit the weights.
    pub fn watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// How much was heard so far.
    pub fn work(&self) -> Work {
        self.work
    }

    /// Whether a window is open.
    pub fn is_open(&self) -> bool {
        self.window.is_some()
    }

    fn frame(&mut self, notices: &mut Vec<Notice>) {
        let frame = self.vad.judge(&self.ears_frame);
        self.ears.push(&self.ears_frame);
        self.reference.push(&self.reference_frame);
        let now = self.ears.end();
        self.work.frames += 1;
        (self.voiced, self.unvoiced) = if frame.voice { (self.voiced + 1, 0) } else { (0, self.unvoiced + 1) };
        self.quiet = if frame.pause { self.quiet + 1 } else { 0 };
        self.tell_wake(false, notices);
        if self.recording.is_some() {
            self.record(frame, notices);
            return;
        }
        match self.talk {
            None if self.voiced >= OPENS_AFTER => self.talk = Some(now.saturating_sub(PREROLL).max(self.done_until)),
            Some(_) if self.unvoiced >= CLOSES_AFTER => {
                self.stop_asleep();
                self.stop_command();
                self.done_until = now - PREROLL / 2;
                self.talk = None;
            }
            _ => (),
        }
        if let Some(since) = self.talk.map(|it| it.max(self.done_until)) {
            self.work.open += 1;
            if self.work.frames.is_multiple_of(STEP) {
                match self.window {
                    Some(window) => self.follow_sentence(since, window, notices),
                    None => self.follow_talk(since, notices),
                }
            }
        }
        self.close_window(notices);
    }

    /// After an open sentence: waits for the end of what is being said.
    fn record(&mut self, frame: Frame, notices: &mut Vec<Notice>) {
        let Some(recording) = &mut self.recording else { return };
        let played_db = vad::level_db(&self.reference_frame);
        let kind = match recording.feed(&self.ears_frame, frame, (played_db > PLAYING_DB).then_some(played_db)) {
            Progress::On => return,
            Progress::Over(samples) => Heard::Recorded { samples },
            Progress::Nothing => Heard::Nothing,
        };
        let now = self.ears.end();
        notices.push(self.notice(&Span { start: now, end: now, text: String::new(), confidence: 0.0 }, kind));
        self.stop_recording();
    }

    fn stop_recording(&mut self) {
        self.recording = None;
        self.talk = None;
        self.done_until = self.ears.end();
    }

    fn close_window(&mut self, notices: &mut Vec<Notice>) {
        let now = self.ears.end();
        let Some(window) = self.window.filter(|it| now >= it.until) else { return };
        // Somebody is in the middle of a sentence: it may be finished.
        let said = plain(wake::after(&self.wakes, self.command.text()));
        if self.talk.is_some() && !said.is_empty() && self.fit(said) != Fit::Not && now < window.until + LONGEST {
            return;
        }
        self.tell_wake(true, notices);
        notices.push(self.notice(&Span { start: now, end: now, text: String::new(), confidence: 0.0 }, Heard::Nothing));
        self.window = None;
        self.stop_command();
        self.done_until = now;
    }

    fn fit(&self, text: &str) -> Fit {
        match (self.listen.after_wake.fit(text), self.listen.at_once.fit(text)) {
            (Fit::Whole { may_go_on: a }, Fit::Whole { may_go_on: b }) => Fit::Whole { may_go_on: a || b },
            (Fit::Whole { may_go_on }, other) | (other, Fit::Whole { may_go_on }) => {
                Fit::Whole { may_go_on: may_go_on || other == Fit::Begun }
            }
            (Fit::Begun, _) | (_, Fit::Begun) => Fit::Begun,
            (Fit::Not, Fit::Not) => Fit::Not,
        }
    }

    /// Tells of a wake phrase that is held back, when it is time or something that follows it must be told.
    fn tell_wake(&mut self, at_once: bool, notices: &mut Vec<Notice>) {
        let now = self.ears.end();
        if let Some((_, notice)) = self.held.take_if(|it| at_once || now >= it.0) {
            notices.push(Notice { at_ms: now / MS, ..notice });
        }
    }

    /// How well the wake phrase was heard.
    fn score(&self, span: &Span) -> f32 {
        let from = span.start.saturating_sub(SCORE_BEFORE).max(self.ears.start());
        let mut sound = Vec::new();
        self.ears.each(from, span.end + SCORE_AFTER, |part| sound.extend_from_slice(part));
        let at = |sample: u64| sample.saturating_sub(from) as usize;
        score::score(&sound, at(span.start)..at(span.end), span.confidence, self.settings.gain_db)
    }

    fn notice(&self, span: &Span, kind: Heard) -> Notice {
        let now = self.ears.end();
        let said_until_ms = span.end.min(now) / MS;
        Notice { at_ms: now / MS, said_until_ms, text: span.text.clone(), confidence: span.confidence, kind }
    }
}

/// Above this level (dBFS) the loudspeaker plays something.
const PLAYING_DB: f32 = -50.0;
fn wake_words(model: &Model, settings: &HearingSettings) -> Result<Vec<Vec<String>>, HearingError> {
    let known: Vec<Vec<String>> = settings
        .wake_phrases
        .iter()
        .map(|it| model.sayable(it))
        .filter(|it| !it.is_empty())
        .map(|it| it.split(' ').map(str::to_owned).collect())
        .collect();
    if known.is_empty() {
        let words: Vec<String> = model.unknown_words(&settings.wake_phrases).iter().map(|it| format!("\"{it}\"")).collect();
        return Err(HearingError::NoWakePhrase(if words.is_empty() { "an empty phrase".into() } else { words.join(", ") }));
    }
    Ok(known)
}

fn spotter(model: &Model, wakes: &[Vec<String>]) -> Result<Option<Spotter>, HearingError> {
    let phrases: Vec<String> = wakes.iter().map(|it| it.join(" ")).collect();
    Ok(Spotter::new(model, &phrases)?)
}

/// The recognizer for what counts at once and, with an official model, the wake phrases, and the one for everything.
fn decoders(model: &Model, settings: &HearingSettings, listen: &Listen) -> Result<(Option<Decoder>, Decoder), HearingError> {
    let wakes: Vec<String> = settings.wake_phrases.iter().map(|it| tidy(it)).collect();
    let weight = if model.lexicon().is_some() { 0 } else { WAKE_WEIGHT };
    let weighed = wakes.iter().flat_map(|it| std::iter::repeat_n(it, weight));
    let small: Vec<String> = weighed.chain(listen.at_once.phrases()).cloned().collect();
    let after: Vec<String> = listen.after_wake.phrases().iter().chain(listen.open.phrases()).cloned().collect();
    let heard = wakes.iter().flat_map(|it| std::iter::repeat_n(it, WAKE_WEIGHT)).chain(listen.at_once.phrases()).cloned();
    let large = wake::joined(&wakes, &after).chain(heard).collect::<Vec<_>>();
    let command = Decoder::new(model, &large).ok_or_else(|| HearingError::NoWakePhrase("them".into()))?;
    let asleep = if small.is_empty() { None } else { Decoder::new(model, &small) };
    if asleep.is_none() && model.lexicon().is_none() {
        return Err(HearingError::NoWakePhrase("them".into()));
    }
    Ok((asleep, command))
}
