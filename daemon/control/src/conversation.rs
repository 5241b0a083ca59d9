//! The voice dialogue: asleep, listening, asking. Which sentences count, which calls are confirmed first, and "no, the other Anna".

use std::time::Duration;

use crate::action::Scope;
use crate::contacts::{Contact, Contacts, as_heard};
use crate::dialplan;
use crate::house::RoomName;
use crate::input::PromptId;
use crate::intent::Intent;
use crate::phrases::Phrases;
use crate::prompts::{self, Prompt};
use crate::speaker::Settings;
use crate::time::Time;

/// How long after the listening time a sentence that began within it may take; the listener tells the end of it long before.
pub(crate) const SENTENCE_WITHIN: Duration = Duration::from_secs(10);

/// How long a recording may take; the listener tells the end of it before.
pub(crate) const RECORD_WITHIN: Duration = Duration::from_secs(120);

/// A shorter recording is a cough.
pub(crate) const SHORTEST_RECORDING: Duration = Duration::from_millis(400);

/// How long a question may take to be spoken; the sound engine tells the end of it long before.
const SPOKEN_WITHIN: Duration = Duration::from_secs(15);

/// Numbers with fewer digits are confirmed however well they were heard: "call to ..." sounds like "call two".
const SURE_DIGITS: usize = 3;

/// By so many digits people tell numbers apart.
const END_OF_A_NUMBER: usize = 3;

/// How many names a question offers at most: nobody remembers more, and no more can be chosen by their number.
const MAX_OFFERED: usize = 3;

/// Where the dialogue stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Dialogue {
    /// Only the wake phrase counts, and what the calls let count.
    #[default]
    Asleep,
    /// The wake phrase was heard.
    Listening {
        /// The listener has forgotten us.
        until: Time,
        /// The prompt that tells that something was not understood, until it has been spoken.
        prompt: Option<PromptId>,
        /// Whether that has been told.
        again: bool,
    },
    /// We have asked something.
    Asking {
        /// What.
        question: Question,
        /// The prompt that asks, until it has been spoken.
        prompt: Option<PromptId>,
        /// Nobody answers.
        until: Time,
        /// Whether it has been asked again.
        again: bool,
    },
    /// What follows is being recorded.
    Recording {
        /// The rooms that it is for.
        to: Vec<RoomName>,
        /// Since when, unless it has gone on in the same breath.
        since: Option<Time>,
        /// The listener has forgotten us.
        until: Time,
    },
}

/// A question of ours.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// "Did you mean Anna Smith or Anna Jones?"
    Which {
        /// The names, two or more.
        who: Vec<String>,
        /// At which address.
        label: Option<String>,
        /// Whether to add the one to the call.
        adds: bool,
    },
    /// "Should I call Anna Smith?"
    Sure {
        /// Whom.
        whom: Target,
        /// Whether to add that one to the call.
        adds: bool,
    },
}

/// Whom to call.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A contact, perhaps at one of its addresses.
    Contact {
        /// The name.
        name: String,
        /// At which address.
        label: Option<String>,
    },
    /// A number.
    Number(String),
    /// All of a group.
    Group(String),
}

/// What a sentence leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing: it was not for us.
    Ignore,
    /// It was for us and was not understood.
    Reject,
    /// Something other than a call.
    Do(Intent),
    /// A call.
    Call(Target),
    /// Somebody more in the call.
    Add(Target),
    /// A question.
    Ask(Question),
    /// The same question again.
    AskAgain,
    /// The dialogue ends without a call.
    Drop,
    /// There is nobody else of that name.
    NoOther,
}

/// A sentence as it was heard and what it means.
#[derive(Clone, Debug)]
pub struct Said<'a> {
    /// The words.
    pub text: &'a str,
    /// What they mean on their own.
    pub intent: Option<Intent>,
    /// Whether they say that what was understood before was wrong.
    pub corrects: bool,
    /// 0 to 1.
    pub confidence: f32,
    /// Whether the wake phrase came first.
    pub woken: bool,
}

impl Question {
    /// The sentence that asks it.
    pub fn prompt(&self, contacts: &Contacts, phrases: &Phrases) -> Prompt {
        match self {
            Question::Which { who, .. } => match alike(who, contacts) {
                true => Prompt::FirstOrSecond(told_apart(who, contacts, phrases)),
                false => Prompt::DidYouMean(who.clone()),
            },
            Question::Sure { whom: Target::Contact { name, .. }, .. } => Prompt::ShouldICall(name.clone()),
            Question::Sure { whom: Target::Number(whom) | Target::Group(whom), .. } => Prompt::ShouldICall(whom.clone()),
        }
    }

    /// The contacts that it names.
    pub fn offered(&self) -> &[String] {
        match self {
            Question::Which { who, .. } => who,
            Question::Sure { whom: Target::Contact { name, .. }, .. } => std::slice::from_ref(name),
            Question::Sure { whom: Target::Number(_) | Target::Group(_), .. } => &[],
        }
    }
}

impl Dialogue {
    /// The wake phrase was heard. A question that is open stays open: "hark, yes" answers it too.
    pub fn wake(&mut self, now: Time, listen_for: Duration) {
        let due = now + listen_for + SENTENCE_WITHIN;
        match self {
            Dialogue::Asking { until, .. } => *until = due,
            _ => *self = Dialogue::Listening { until: due, prompt: None, again: false },
        }
    }

    /// A question is being asked.
    pub fn ask(&mut self, now: Time, question: Question, prompt: Option<PromptId>, listen_for: Duration) {
        let again = matches!(self, Dialogue::Asking { question: open, .. } if *open == question);
        *self = Dialogue::Asking { question, prompt, until: now + SPOKEN_WITHIN + listen_for, again };
    }

    /// It is being told that something was not understood: we listen once more.
    pub fn listen_again(&mut self, now: Time, prompt: Option<PromptId>, listen_for: Duration) {
        *self = Dialogue::Listening { until: now + SPOKEN_WITHIN + listen_for, prompt, again: true };
    }

    /// A prompt has been spoken; tells whether an answer to it is waited for, so that the listening time begins now.
    pub fn said(&mut self, now: Time, spoken: PromptId, listen_for: Duration) -> bool {
        match self {
            Dialogue::Asking { prompt, until, .. } | Dialogue::Listening { prompt, until, .. } if *prompt == Some(spoken) => {
                *prompt = None;
                *until = now + listen_for + SENTENCE_WITHIN;
                true
            }
            _ => false,
        }
    }

    /// When it falls asleep by itself.
    pub fn deadline(&self) -> Option<Time> {
        match self {
            Dialogue::Asleep => None,
            Dialogue::Listening { until, .. } | Dialogue::Asking { until, .. } | Dialogue::Recording { until, .. } => {
                Some(*until)
            }
        }
    }

    /// Whether sentences count without the wake phrase.
    pub fn is_open(&self) -> bool {
        *self != Dialogue::Asleep
    }

    /// The open question.
    pub fn question(&self) -> Option<&Question> {
        match self {
            Dialogue::Asking { question, .. } => Some(question),
            _ => None,
        }
    }

    /// What a sentence leads to, given what counts at once in the scope.
    pub fn decide(&self, said: &Said, scope: Scope, contacts: &Contacts, phrases: &Phrases, settings: &Settings) -> Step {
        let corrects = said.corrects && scope == Scope::RingOut;
        let at_once = corrects || said.intent.as_ref().is_some_and(|it| it.counts_at_once(scope));
        let for_us = said.woken || self.is_open();
        if !for_us && !at_once {
            return Step::Ignore;
        }
        if said.confidence.is_nan() || said.confidence < settings.min_confidence {
            return if for_us { Step::Reject } else { Step::Ignore };
        }
        let answer = self.question().and_then(|question| answer(question, said, contacts, phrases, settings));
        match (answer, &said.intent) {
            (Some(Step::AskAgain), _) if matches!(self, Dialogue::Asking { again: true, .. }) => Step::Drop,
            (Some(step), _) => step,
            (None, Some(Intent::Dial { who, label })) => {
                dial(who, label.as_deref(), said.confidence, contacts, phrases, settings)
            }
            (None, Some(Intent::Rather(who))) => dial(who, None, said.confidence, contacts, phrases, settings),
            (None, Some(Intent::DialGroup(group))) => {
                let target = Target::Group(group.clone());
                let sure = said.confidence >= settings.sure_confidence;
                if sure { Step::Call(target) } else { Step::Ask(Question::Sure { whom: target, adds: false }) }
            }
            (None, Some(Intent::Add(who))) => dial(who, None, said.confidence, contacts, phrases, settings).adding(),
            (None, Some(Intent::DialNumber(number))) => {
                let target = Target::Number(number.clone());
                let emergency = dialplan::is_emergency(number, &settings.lines);
                let sure = emergency || (said.confidence >= settings.sure_confidence && number.len() >= SURE_DIGITS);
                if sure { Step::Call(target) } else { Step::Ask(Question::Sure { whom: target, adds: false }) }
            }
            (None, Some(Intent::Yes | Intent::Choose(_))) => Step::Reject,
            (None, Some(intent)) => Step::Do(intent.clone()),
            (None, None) => Step::Reject,
        }
    }
}

impl Step {
    /// The same, but to add whom it is about to the call.
    fn adding(self) -> Step {
        match self {
            Step::Call(target) => Step::Add(target),
            Step::Ask(Question::Which { who, label, adds: _ }) => Step::Ask(Question::Which { who, label, adds: true }),
            Step::Ask(Question::Sure { whom, adds: _ }) => Step::Ask(Question::Sure { whom, adds: true }),
            step => step,
        }
    }
}

/// What a sentence means as the answer to a question; `None` if it is none.
fn answer(question: &Question, said: &Said, contacts: &Contacts, phrases: &Phrases, settings: &Settings) -> Option<Step> {
    let (Question::Which { adds, .. } | Question::Sure { adds, .. }) = question;
    let step = match &said.intent {
        Some(Intent::Rather(who)) => Some(dial(who, None, said.confidence, contacts, phrases, settings)),
        _ => to_call(question, said, contacts, phrases),
    };
    if *adds { step.map(Step::adding) } else { step }
}

fn to_call(question: &Question, said: &Said, contacts: &Contacts, phrases: &Phrases) -> Option<Step> {
    let label = match question {
        Question::Which { label, .. } | Question::Sure { whom: Target::Contact { label, .. }, .. } => label.clone(),
        Question::Sure { whom: Target::Number(_) | Target::Group(_), .. } => None,
    };
    let call = |name: &str| Step::Call(Target::Contact { name: name.into(), label: label.clone() });
    let text = as_heard(said.text);
    // Names that sound alike tell nobody who is meant.
    let means = |it: &String| *it == text || contacts.sound_like(&text).any(|other| other == it);
    let is_named = |name: &&String| contacts.get(name).is_some_and(|it| it.heard_names(phrases).iter().any(means));
    let mut named = question.offered().iter().filter(is_named);
    match (named.next(), named.next()) {
        (Some(name), None) => return Some(call(name)),
        (Some(_), Some(_)) => return Some(Step::AskAgain),
        (None, _) => (),
    }
    match (said.intent.as_ref()?, question) {
        (Intent::Yes, Question::Sure { whom, .. }) => Some(Step::Call(whom.clone())),
        (Intent::Yes, Question::Which { .. }) => Some(Step::AskAgain),
        (Intent::Choose(nth), question) => Some(question.offered().get(*nth).map_or(Step::AskAgain, |it| call(it))),
        (Intent::No | Intent::Cancel, _) => Some(Step::Drop),
        (Intent::Other(_), Question::Which { .. }) => Some(Step::AskAgain),
        (Intent::Other(who), Question::Sure { whom: Target::Contact { name, .. }, .. }) => {
            Some(other(who, name, contacts, phrases))
        }
        (Intent::Other(_), Question::Sure { whom: Target::Number(_) | Target::Group(_), .. }) => Some(Step::NoOther),
        _ => None,
    }
}

/// Somebody other than `not` of these, or of those with a like name where none are given.
pub fn other(who: &[String], not: &str, contacts: &Contacts, phrases: &Phrases) -> Step {
    let mut who: Vec<String> = match (who, contacts.get(not)) {
        ([], Some(not)) => contacts.close_to(not, phrases).into_iter().map(|it| it.name.clone()).collect(),
        _ => who.to_vec(),
    };
    who.retain(|it| it != not);
    choose(who, None)
}

/// A call to the one, a question about several.
fn choose(mut who: Vec<String>, label: Option<String>) -> Step {
    who.truncate(MAX_OFFERED);
    match who.as_slice() {
        [] => Step::NoOther,
        [name] => Step::Call(Target::Contact { name: name.clone(), label }),
        _ => Step::Ask(Question::Which { who, label, adds: false }),
    }
}

/// Whom "call Anna" means: at once if it is clear, or else by asking.
fn dial(
    who: &[String],
    label: Option<&str>,
    confidence: f32,
    contacts: &Contacts,
    phrases: &Phrases,
    settings: &Settings,
) -> Step {
    let label = label.map(String::from);
    let [name] = who else { return choose(who.to_vec(), label) };
    let Some(contact) = contacts.get(name) else { return Step::Reject };
    let target = Target::Contact { name: name.clone(), label: label.clone() };
    let emergency = contact.addresses.iter().any(|it| dialplan::emergency(&it.to, settings).is_some());
    if confidence >= settings.sure_confidence || emergency {
        return Step::Call(target);
    }
    let close = contacts.close_to(contact, phrases).into_iter().map(|it| it.name.clone());
    let mut offered = vec![name.clone()];
    offered.extend(close);
    if offered.len() > 1 { choose(offered, label) } else { Step::Ask(Question::Sure { whom: target, adds: false }) }
}

/// Whether some of these cannot be told apart by their names.
fn alike(who: &[String], contacts: &Contacts) -> bool {
    who.iter().enumerate().any(|(n, a)| who[n + 1..].iter().any(|b| contacts.are_alike(a, b)))
}

/// These names, each with what the others do not have.
fn told_apart(who: &[String], contacts: &Contacts, phrases: &Phrases) -> Vec<String> {
    let people: Vec<&Contact> = who.iter().filter_map(|it| contacts.get(it)).collect();
    let one = |it: &&Contact| {
        let others: Vec<&Contact> = people.iter().filter(|other| other.name != it.name).copied().collect();
        match detail(it, &others, phrases) {
            Some(detail) => prompts::with_detail(&it.name, &detail, phrases),
            None => it.name.clone(),
        }
    };
    people.iter().map(one).collect()
}

/// What somebody has and the others have not: a group, a label, the end of a number.
fn detail(one: &Contact, others: &[&Contact], phrases: &Phrases) -> Option<String> {
    let group = one.groups.iter().find(|it| others.iter().all(|other| !other.groups.contains(it))).cloned();
    let labels = |it: &Contact| it.addresses.iter().filter_map(|it| it.label.clone()).collect::<Vec<_>>();
    let label = || labels(one).into_iter().find(|it| others.iter().all(|other| !labels(other).contains(it)));
    let ends = |it: &Contact| it.addresses.iter().filter_map(|it| number_ends(it.to.user()?)).collect::<Vec<_>>();
    let number = || ends(one).into_iter().find(|it| others.iter().all(|other| !ends(other).contains(it)));
    group.or_else(|| label().map(|it| phrases.spoken_label(&it))).or_else(|| number().map(|it| prompts::ending_in(&it, phrases)))
}

fn number_ends(user: &str) -> Option<String> {
    let number = dialplan::number(user)?;
    let from = number.len().checked_sub(END_OF_A_NUMBER)?;
    Some(number[from..].into())
}
