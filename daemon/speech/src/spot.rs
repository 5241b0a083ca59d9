//! Finds wake phrases in the outputs of the network: the phones of a phrase, from left to right, against the free loop of phones.
//!
//! A token is a way through a phrase that began somewhere. What it is worth is the logarithm of how much more likely it is than everything else that may have
//! been said in the same time, so that tokens with different beginnings compare. When one comes to the end, its evidence is weighed, phone by phone.

use crate::phone_loop::{Bigram, PhoneLoop, SILENCE, Worth};
use crate::phones::Pronunciation;
use crate::weights;

/// No phrase has more phones; what is longer is cut.
pub const LONGEST: usize = 32;
/// A token that is worth less than this is forgotten.
const HOPELESS: f32 = -40.0;

/// What was seen of a phrase that was just said, for `Weights`.
pub const N_EVIDENCE: usize = 14;
/// Names of the evidence, as in wake.txt.
pub const EVIDENCE: [&str; N_EVIDENCE] = [
    "total",
    "per_phone",
    "per_frame",
    "worst",
    "second",
    "third",
    "worst_sum",
    "sharp",
    "sharp_worst",
    "slow",
    "fast",
    "longest",
    "expected",
    "phones",
];

/// The phones of a phrase: for each word all ways to say it.
pub type Said = Vec<Vec<Pronunciation>>;

/// One phone in its place.
struct State {
    phone: usize,
    /// States that it can follow.
    after: Vec<usize>,
    begins: bool,
    ends: bool,
}

/// A phrase as a net of phones.
pub struct Phrase {
    states: Vec<State>,
    bigram_cost: f32,
}

impl Phrase {
    /// All ways to say it, with or without a pause between words.
    pub fn new(said: &Said, bigram: &Bigram) -> Self {
        let mut states: Vec<State> = Vec::new();
        let mut ends: Vec<usize> = Vec::new();
        let (mut cost, mut last) = (0.0, SILENCE);
        for (at, ways) in said.iter().enumerate() {
            let begins = at == 0;
            let before = ends.clone();
            if !begins {
                states.push(State { phone: SILENCE, after: ends.clone(), begins: false, ends: false });
            }
            let pause = states.len().wrapping_sub(1);
            ends = Vec::new();
            for way in ways {
                for (i, phone) in way.iter().enumerate() {
                    let after = match i {
                        0 if begins => Vec::new(),
                        0 => before.iter().copied().chain([pause]).collect(),
                        _ => vec![states.len() - 1],
                    };
                    states.push(State { phone: usize::from(*phone), after, begins: begins && i == 0, ends: false });
                }
                ends.extend(states.len().checked_sub(1));
            }
            for phone in ways.first().into_iter().flatten() {
                cost -= bigram.log(last, usize::from(*phone));
                last = usize::from(*phone);
            }
        }
        ends.iter().for_each(|it| states[*it].ends = true);
        Self { states, bigram_cost: cost }
    }
}

/// Where a phone of a token began, and what the token was worth then.
#[derive(Clone, Copy, Default)]
struct Mark {
    at: i64,
    worth: f32,
    sharp: f32,
}

/// A way through a phrase.
#[derive(Clone)]
struct Token {
    /// Minus infinity: there is none.
    worth: f32,
    /// The same against the outputs of each frame alone.
    sharp: f32,
    n: usize,
    marks: [Mark; LONGEST],
    /// A bit for each phone that is a pause between words.
    pauses: u32,
}

const NONE: Token =
    Token { worth: f32::NEG_INFINITY, sharp: 0.0, n: 0, marks: [Mark { at: 0, worth: 0.0, sharp: 0.0 }; LONGEST], pauses: 0 };

/// A phrase being looked for: the best token in each of its states.
#[derive(Clone)]
pub struct Search {
    tokens: Vec<Token>,
}

/// A phrase that may just have been said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting {
    /// Number of the phrase.
    pub phrase: usize,
    /// First frame (30 ms).
    pub start: i64,
    /// The one after the last.
    pub end: i64,
    /// See `EVIDENCE`.
    pub evidence: [f32; N_EVIDENCE],
}

impl Search {
    /// Nothing said yet.
    pub fn new(phrase: &Phrase) -> Self {
        Self { tokens: vec![NONE; phrase.states.len()] }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.tokens.iter_mut().for_each(|it| it.worth = f32::NEG_INFINITY);
    }

    /// Takes the outputs of frame `at`; tells the best way to have said the phrase that ends with it.
    pub fn step(&mut self, phrase: &Phrase, number: usize, at: i64, outputs: &[f32], worth: Worth) -> Option<Sighting> {
        // Every state comes after those that it can follow: from the last to the first, they are still as they were a frame ago.
        for (i, state) in phrase.states.iter().enumerate().rev() {
            let (first, following) = (outputs[2 * state.phone], outputs[2 * state.phone + 1]);
            let (before, rest) = self.tokens.split_at_mut(i);
            let token = &mut rest[0];
            let comes = state.after.iter().map(|it| &before[*it]).filter(|it| it.n < LONGEST);
            let comes = comes.max_by(|a, b| a.worth.total_cmp(&b.worth));
            let comes = if state.begins { Some(&NONE) } else { comes };
            let entered = if state.begins { 0.0 } else { comes.map_or(f32::NEG_INFINITY, |it| it.worth) };
            let stays = token.worth + following >= entered + first;
            if (token.worth + following).max(entered + first) - worth.grown < HOPELESS {
                token.worth = f32::NEG_INFINITY;
                continue;
            }
            if let Some(from) = comes.filter(|_| !stays) {
                let n = from.n;
                token.marks[..n].copy_from_slice(&from.marks[..n]);
                token.marks[n] = Mark { at, worth: entered, sharp: from.sharp };
                token.pauses = from.pauses | u32::from(state.phone == SILENCE) << n;
                (token.worth, token.sharp, token.n) = (entered, from.sharp, n + 1);
            }
            let gain = if stays { following } else { first };
            token.worth += gain - worth.grown;
            token.sharp += gain - worth.sum;
        }
        let ends = phrase.states.iter().zip(&self.tokens).filter(|it| it.0.ends && it.1.worth > HOPELESS);
        let best = ends.map(|it| it.1).max_by(|a, b| a.worth.total_cmp(&b.worth))?;
        Some(Sighting { phrase: number, start: best.marks[0].at, end: at + 1, evidence: best.evidence(at + 1, phrase) })
    }
}

impl Token {
    fn evidence(&self, end: i64, phrase: &Phrase) -> [f32; N_EVIDENCE] {
        let mut worst = [0.0_f32; 3];
        let (mut worst_sum, mut sharp_worst, mut longest, mut pauses) = (0.0_f32, 0.0_f32, 0, 0);
        let mut n = 0;
        for (i, mark) in self.marks[..self.n].iter().enumerate() {
            let next = self.marks[..self.n].get(i + 1).copied();
            let next = next.unwrap_or(Mark { at: end, worth: self.worth, sharp: self.sharp });
            let frames = next.at - mark.at;
            if self.pauses >> i & 1 == 1 {
                pauses += frames;
                continue;
            }
            n += 1;
            let mean = (next.worth - mark.worth) / frames as f32;
            worst_sum = worst_sum.min(next.worth - mark.worth);
            sharp_worst = sharp_worst.min((next.sharp - mark.sharp) / frames as f32);
            longest = longest.max(frames);
            let mut it = mean;
            for slot in &mut worst {
                if it < *slot {
                    std::mem::swap(&mut it, slot);
                }
            }
        }
        let (phones, frames) = (n.max(1) as f32, (end - self.marks[0].at) as f32);
        let pace = ((frames - pauses as f32).max(1.0) / phones / 2.7).ln();
        [
            self.worth,
            self.worth / phones,
            self.worth / frames,
            worst[0],
            worst[1],
            worst[2],
            worst_sum,
            self.sharp / frames,
            sharp_worst,
            pace.max(0.0),
            (-pace).max(0.0),
            (longest as f32 / 6.0).max(1.0).ln(),
            phrase.bigram_cost / phones,
            phones.ln(),
        ]
    }
}

/// Fitted to recordings of people (wake.txt of the model).
pub type Weights = weights::Weights<N_EVIDENCE>;

impl Default for Weights {
    fn default() -> Self {
        let mut of = [0.0; N_EVIDENCE];
        (of[1], of[3]) = (3.0, 0.5);
        Self { bias: 3.0, of }
    }
}

/// All phrases over one stream of outputs.
#[derive(Clone)]
pub struct Searches {
    everything: PhoneLoop,
    searches: Vec<Search>,
    at: i64,
}

impl Searches {
    /// Nothing said yet.
    pub fn new(bigram: &Bigram, phrases: &[Phrase]) -> Self {
        Self { everything: PhoneLoop::new(bigram.n_phones()), searches: phrases.iter().map(Search::new).collect(), at: 0 }
    }

    /// Forgets everything; the next frame is the first.
    pub fn reset(&mut self) {
        self.everything.reset();
        self.searches.iter_mut().for_each(Search::reset);
        self.at = 0;
    }

    /// Takes output frames; calls `with` for every phrase that may end with one of them.
    pub fn feed(&mut self, bigram: &Bigram, phrases: &[Phrase], outputs: &[f32], mut with: impl FnMut(Sighting)) {
        for frame in outputs.chunks_exact(2 * bigram.n_phones()) {
            let worth = self.everything.step(bigram, frame);
            for (number, (search, phrase)) in self.searches.iter_mut().zip(phrases).enumerate() {
                if let Some(sighting) = search.step(phrase, number, self.at, frame, worth) {
                    with(sighting);
                }
            }
            self.at += 1;
        }
    }
}
