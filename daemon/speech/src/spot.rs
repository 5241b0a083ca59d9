//! Finds wake phrases in the outputs of the network: the phones of a phrase, from left to right, against the free loop of phones.
//!
//! A token is a way through a phrase that began somewhere. What it is worth is the logarithm of how much more likely it is than everything else that may have
//! been said in the same time, so that tokens with different beginnings compare. When one comes to the end, its evidence is put together for `weigh.rs`.

use crate::phone_loop::{Bigram, PhoneLoop, SILENCE, Worth};
use crate::phones::Pronunciation;
use crate::weigh::{Evidence, LEAST_WORTH, N_GIVEN, Piece};

/// No phrase has more phones; what is longer is cut.
pub const LONGEST: usize = 32;
/// Frames before a phrase that are looked at for a pause: 300 and 90 ms.
const QUIET_LONG: usize = 10;
const QUIET_SHORT: usize = 3;
/// No frame counts as louder.
const LOUDEST: f32 = -8.0;
/// A token that is worth less than this is forgotten.
const HOPELESS: f32 = -40.0;

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
    /// Phones, as it is first said.
    length: usize,
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
        let length = said.iter().filter_map(|ways| ways.first()).map(Vec::len).sum();
        Self { states, bigram_cost: cost, length }
    }

    /// How many phones it has, as it is first said.
    pub fn length(&self) -> usize {
        self.length
    }
}

/// Where a phone of a token began, and what the token was worth then.
#[derive(Clone, Copy, Default)]
struct Mark {
    phone: u8,
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
    /// How quiet it was before.
    before: [f32; 2],
}

const NONE: Token = Token {
    worth: f32::NEG_INFINITY,
    sharp: 0.0,
    n: 0,
    marks: [Mark { phone: 0, at: 0, worth: 0.0, sharp: 0.0 }; LONGEST],
    before: [0.0; 2],
};

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
    /// What speaks for it and against it.
    pub evidence: Evidence,
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

    /// Takes the outputs of frame `at`; tells the best way to have said the phrase that ends with it, unless that is hopeless. `quiet` is how quiet it was before.
    fn step(&mut self, phrase: &Phrase, now: (usize, i64), outputs: &[f32], worth: Worth, quiet: [f32; 2]) -> Option<Sighting> {
        let (number, at) = now;
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
                token.marks[n] = Mark { phone: state.phone as u8, at, worth: entered, sharp: from.sharp };
                token.before = if state.begins { quiet } else { from.before };
                (token.worth, token.sharp, token.n) = (entered, from.sharp, n + 1);
            }
            let gain = if stays { following } else { first };
            token.worth += gain - worth.grown;
            token.sharp += gain - worth.sum;
        }
        let ends = phrase.states.iter().zip(&self.tokens).filter(|it| it.0.ends && it.1.worth > HOPELESS);
        let best = ends.map(|it| it.1).max_by(|a, b| a.worth.total_cmp(&b.worth))?;
        let phones = best.marks[..best.n].iter().filter(|it| usize::from(it.phone) != SILENCE).count();
        (best.worth >= LEAST_WORTH * phones as f32).then(|| Sighting {
            phrase: number,
            start: best.marks[0].at,
            end: at + 1,
            evidence: best.evidence(at + 1, phrase),
        })
    }
}

impl Token {
    fn evidence(&self, end: i64, phrase: &Phrase) -> Evidence {
        let mut it = Evidence { pieces: [Piece::default(); LONGEST], n: self.n, given: [0.0; N_GIVEN] };
        let mut worst = [0.0_f32; 3];
        let (mut worst_sum, mut sharp_worst, mut longest, mut pauses) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0);
        let mut n = 0;
        for (i, mark) in self.marks[..self.n].iter().enumerate() {
            let next = self.marks[..self.n].get(i + 1).copied();
            let next = next.unwrap_or(Mark { phone: 0, at: end, worth: self.worth, sharp: self.sharp });
            let (frames, worth, sharp) = ((next.at - mark.at) as f32, next.worth - mark.worth, next.sharp - mark.sharp);
            it.pieces[i] = Piece { phone: mark.phone, frames, worth, sharp };
            if usize::from(mark.phone) == SILENCE {
                pauses += frames;
                continue;
            }
            n += 1;
            worst_sum = worst_sum.min(worth);
            sharp_worst = sharp_worst.min(sharp / frames);
            longest = longest.max(frames);
            let mut mean = worth / frames;
            for slot in &mut worst {
                if mean < *slot {
                    std::mem::swap(&mut mean, slot);
                }
            }
        }
        let (phones, frames) = (n.max(1) as f32, (end - self.marks[0].at) as f32);
        let pace = ((frames - pauses).max(1.0) / phones / 2.7).ln();
        it.given = [
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
            (longest / 6.0).max(1.0).ln(),
            phrase.bigram_cost / phones,
            phones.ln(),
            self.before[0],
            self.before[1],
        ];
        it
    }
}

/// How quiet the last frames were.
#[derive(Clone, Default)]
struct Quiet {
    last: [f32; QUIET_LONG],
    at: usize,
}

impl Quiet {
    /// Takes the logarithm of the share that silence has in a frame.
    fn push(&mut self, silence: f32) {
        self.last[self.at % QUIET_LONG] = silence.max(LOUDEST);
        self.at += 1;
    }

    /// Over the longer and the shorter time; what was before the start was quiet.
    fn means(&self) -> [f32; 2] {
        let recent = (1..=QUIET_SHORT).map(|back| self.last[(self.at + QUIET_LONG - back) % QUIET_LONG]);
        [self.last.iter().sum::<f32>() / QUIET_LONG as f32, recent.sum::<f32>() / QUIET_SHORT as f32]
    }
}

/// All phrases over one stream of outputs.
#[derive(Clone)]
pub struct Searches {
    everything: PhoneLoop,
    searches: Vec<Search>,
    quiet: Quiet,
    at: i64,
}

impl Searches {
    /// Nothing said yet.
    pub fn new(bigram: &Bigram, phrases: &[Phrase]) -> Self {
        let searches = phrases.iter().map(Search::new).collect();
        Self { everything: PhoneLoop::new(bigram.n_phones()), searches, quiet: Quiet::default(), at: 0 }
    }

    /// Forgets everything; the next frame is the first.
    pub fn reset(&mut self) {
        self.everything.reset();
        self.searches.iter_mut().for_each(Search::reset);
        (self.quiet, self.at) = (Quiet::default(), 0);
    }

    /// Takes output frames; calls `with` for every phrase that may end with one of them.
    pub fn feed(&mut self, bigram: &Bigram, phrases: &[Phrase], outputs: &[f32], mut with: impl FnMut(Sighting)) {
        for frame in outputs.chunks_exact(2 * bigram.n_phones()) {
            let worth = self.everything.step(bigram, frame);
            let before = self.quiet.means();
            self.quiet.push(frame[2 * SILENCE].max(frame[2 * SILENCE + 1]) - worth.sum);
            for (number, (search, phrase)) in self.searches.iter_mut().zip(phrases).enumerate() {
                if let Some(sighting) = search.step(phrase, (number, self.at), frame, worth, before) {
                    with(sighting);
                }
            }
            self.at += 1;
        }
    }
}
