//! The free loop of phones: whatever anybody may say, as the languages say it. What a wake phrase is compared with.

use crate::phones::{Filler, Phone};

/// Silence, the first phone of every model.
pub const SILENCE: usize = 0;
/// Of every phone, how often a word ends after it.
const WORD_ENDS: f32 = 0.25;
/// And how often silence follows then.
const SILENCE_FOLLOWS: f32 = 0.4;
/// Nothing is impossible.
const LEAST: f32 = 1e-6;

/// Which phone follows which, of some languages mixed.
pub struct Bigram {
    n_phones: usize,
    /// Row = previous phone, column = next.
    next: Vec<f32>,
}

impl Bigram {
    /// Of these languages.
    pub fn new(follows: &Filler, n_phones: usize) -> Self {
        let mut within: Vec<f32> = Vec::with_capacity(n_phones * n_phones);
        for from in 0..n_phones {
            let row: Vec<f32> = (0..n_phones).map(|to| follows.ln(from as Phone, to as Phone).exp()).collect();
            let sum = row.iter().sum::<f32>().max(1e-9);
            within.extend(row.iter().map(|it| it / sum));
        }
        let mut next = vec![0.0; n_phones * n_phones];
        for (from, row) in next.chunks_exact_mut(n_phones).enumerate() {
            for (to, it) in row.iter_mut().enumerate() {
                *it = match (from, to) {
                    (SILENCE, SILENCE) => 0.0,
                    (_, SILENCE) => WORD_ENDS * SILENCE_FOLLOWS,
                    (SILENCE, _) => within[to].max(LEAST),
                    _ => {
                        let begins = WORD_ENDS * (1.0 - SILENCE_FOLLOWS) * within[to];
                        ((1.0 - WORD_ENDS) * within[from * n_phones + to] + begins).max(LEAST)
                    }
                };
            }
        }
        Self { n_phones, next }
    }

    /// Natural logarithm of the probability that `to` follows `from`.
    pub fn log(&self, from: usize, to: usize) -> f32 {
        self.next.get(from * self.n_phones + to).map_or(f32::NEG_INFINITY, |it| it.ln())
    }

    /// How many phones there are, silence included.
    pub fn n_phones(&self) -> usize {
        self.n_phones
    }
}

/// The loop as it runs over the outputs of the network: how likely everything heard so far is, whatever it was.
#[derive(Clone)]
pub struct PhoneLoop {
    /// Probability to be in each phone now; they sum to one.
    now: Vec<f32>,
    entered: Vec<f32>,
    likely: Vec<f32>,
}

/// What one output frame is worth.
#[derive(Clone, Copy, Debug)]
pub struct Worth {
    /// By how much the log likelihood of everything grew.
    pub grown: f32,
    /// Logarithm of the sum of all outputs of this frame.
    pub sum: f32,
}

impl PhoneLoop {
    /// In silence.
    pub fn new(n_phones: usize) -> Self {
        let mut it = Self { now: vec![0.0; n_phones], entered: vec![0.0; n_phones], likely: vec![0.0; 2 * n_phones] };
        it.reset();
        it
    }

    /// Begins anew, in silence.
    pub fn reset(&mut self) {
        self.now.fill(0.0);
        self.now[SILENCE] = 1.0;
    }

    /// Takes one output frame: for each phone its first 30 ms and the following ones.
    pub fn step(&mut self, bigram: &Bigram, outputs: &[f32]) -> Worth {
        let top = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        self.likely.clear();
        self.likely.extend(outputs.iter().map(|it| (it - top).exp()));
        let sum = top + self.likely.iter().sum::<f32>().ln();
        self.entered.fill(0.0);
        for (from, row) in self.now.iter().zip(bigram.next.chunks_exact(bigram.n_phones)) {
            if *from > 1e-7 {
                self.entered.iter_mut().zip(row).for_each(|(to, it)| *to += from * it);
            }
        }
        let mut all = 0.0;
        for ((now, entered), likely) in self.now.iter_mut().zip(&self.entered).zip(self.likely.chunks_exact(2)) {
            *now = *now * likely[1] + entered * likely[0];
            all += *now;
        }
        let all = all.max(1e-30);
        self.now.iter_mut().for_each(|it| *it /= all);
        Worth { grown: top + all.ln(), sum }
    }
}
