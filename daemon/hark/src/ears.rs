//! Hands what is to be listened for to the listener and brings back what it heard.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use control::action::Scope;
use control::intent::{Grammar, Judgement, Said, Wholes};
use speech::ways::{Class, Framed, Part};
use speech::{Fit, HearingSettings, Listen, Listener, Meaning, Model, Notice, Sentences, Ways, listener};
use tokio::sync::mpsc;
use tracing::warn;

/// Notices that may wait for the app; more means that it hangs, and then the newest are dropped and counted.
const WAITING: usize = 64;

/// The listener as the app sees it.
pub struct Ears {
    listener: Listener,
    model: Model,
    listen_for: Duration,
    /// What was listened for last, and as what: the same sentences are not made twice.
    last: Option<(Grammar, Listen)>,
    /// Words that were told as unknown already.
    told: BTreeSet<String>,
}

impl Ears {
    /// Starts to listen on the engine's ring; notices come with the moment they arrived.
    ///
    /// # Errors
    /// When no wake phrase can be heard with this model.
    pub fn start(
        model: Model,
        settings: HearingSettings,
        ring: rtrb::Consumer<f32>,
        heard: mpsc::Sender<(Instant, Notice)>,
    ) -> anyhow::Result<Ears> {
        let listen_for = settings.listen_for;
        let (notices, arrived) = std::sync::mpsc::sync_channel(WAITING);
        let listener = listener::start(model.clone(), settings, ring, notices).context("starting to listen")?;
        let forward = move || {
            while let Ok(notice) = arrived.recv() {
                if heard.blocking_send((Instant::now(), notice)).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("heard".into()).spawn(forward).context("starting to listen")?;
        Ok(Ears { listener, model, listen_for, last: None, told: BTreeSet::new() })
    }

    /// Listens for these sentences from now on.
    pub fn listen(&mut self, scope: Scope, grammar: Grammar) {
        let open_for = matches!(scope, Scope::Command | Scope::Confirming).then_some(self.listen_for);
        let recording = scope == Scope::Recording;
        let listen = match self.last.take() {
            Some((before, listen)) if before == grammar => (before, Listen { open_for, recording, ..listen }),
            _ => {
                let listen = self.sentences(&grammar, open_for);
                (grammar, Listen { recording, ..listen })
            }
        };
        self.listener.listen(listen.1.clone());
        self.last = Some(listen);
    }

    /// Takes other wake phrases and times.
    pub fn settings(&mut self, settings: HearingSettings) {
        self.listen_for = settings.listen_for;
        self.listener.settings(settings);
    }

    /// Whether other speakers of the house may hear the same.
    pub fn in_company(&self, in_company: bool) {
        self.listener.in_company(in_company);
    }

    /// The words of these sentences that cannot be heard.
    pub fn unknown_words(&self) -> Vec<String> {
        self.told.iter().cloned().collect()
    }

    /// How often the listener turned; stands still when it hangs.
    pub fn turns(&self) -> u64 {
        self.listener.stats().turns.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn sentences(&mut self, grammar: &Grammar, open_for: Option<Duration>) -> Listen {
        let unknown = self.model.unknown_words(grammar.words());
        if !unknown.is_subset(&self.told) {
            warn!(
                n_words = unknown.len(),
                "the speech model does not know some words of contacts or phrases: `hark check` names them"
            );
            self.told.extend(unknown.iter().cloned());
        }
        listen_for(grammar.clone().without(&unknown), open_for)
    }
}

/// A grammar of the decisions as what the listener listens for; its words must all be known to the model.
pub fn listen_for(grammar: Grammar, open_for: Option<Duration>) -> Listen {
    let digits: BTreeSet<String> = grammar.loops.iter().flat_map(pairs).collect();
    let after_wake: Arc<[String]> = grammar.after_wake.iter().cloned().chain(digits).collect();
    let at_once: Arc<[String]> = grammar.at_once.clone().into();
    let open = Sentences::list(&grammar.open);
    let ways = Arc::new(ways(grammar.wholes()));
    let grammar = Arc::new(grammar);
    let meant = grammar.clone();
    let judge = |woken: bool| {
        let grammar = grammar.clone();
        Arc::new(move |text: &str| fit(grammar.judge(text, woken)))
    };
    Listen {
        after_wake: Sentences::judged(after_wake, judge(true)),
        at_once: Sentences::judged(at_once, judge(false)),
        open,
        ways,
        meaning: Meaning(Arc::new(move |text: &str| meant.meaning(text))),
        recording: false,
        open_for,
    }
}

/// Teaches a recognizer which word may follow which: the prefix and each word, each word and each word, each word and the suffix.
fn pairs(it: &control::intent::Loop) -> Vec<String> {
    let first = it.words.iter().map(|word| format!("{} {word}", it.prefix));
    let next = it.words.iter().flat_map(|word| it.words.iter().map(move |other| format!("{word} {other}")));
    let last = it.words.iter().filter(|_| !it.suffix.is_empty()).map(|word| format!("{word} {}", it.suffix));
    // A loop without words before it begins with the digits.
    first.chain(next).chain(last).chain(it.numbers.iter().cloned()).map(|it| it.trim().to_owned()).collect()
}

/// What sentences are made of, as the listener has it.
fn ways(wholes: Wholes) -> Ways {
    let part = |it: Said| match it {
        Said::Word(word) => Part::Word(word),
        Said::Any(class) => Part::Class(class),
    };
    let framed = wholes.languages.into_iter().map(|it| Framed {
        leads: it.leads,
        sentences: it.sentences.into_iter().map(|it| it.into_iter().map(part).collect()).collect(),
        trails: it.trails,
    });
    let classes = wholes.classes.into_iter().map(|it| Class { texts: it.texts, repeats: it.repeats });
    Ways { classes: classes.collect(), framed: framed.collect() }
}

fn fit(judgement: Judgement) -> Fit {
    match judgement {
        Judgement::NotASentence => Fit::Not,
        Judgement::Prefix => Fit::Begun,
        Judgement::Complete => Fit::Whole { may_go_on: false },
        Judgement::CompleteButExtendable => Fit::Whole { may_go_on: true },
    }
}
