//! How evidence of a wake phrase is weighed: a small network that looks at each phone of the phrase with its neighbours, and then at all of them together
//! (wake.txt of the model, fitted by models/train/wake.py to recordings of people and to synthetic voices). Pure.

use crate::phone_loop::SILENCE;
use crate::spot::LONGEST;

/// Phrases of which a phone is worth less than this on average are not looked at: nobody said them.
pub const LEAST_WORTH: f32 = -1.5;
/// Values that are given for the phrase as a whole.
pub const N_GIVEN: usize = 16;
/// Their names.
pub const GIVEN: [&str; N_GIVEN] = [
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
    "quiet_before",
    "quiet_just_before",
];
/// Values of a phone itself, and those of them that its neighbours see too.
const N_OWN: usize = 6;
const N_SEEN: usize = 2;
/// Values that stand for which phone it is.
const N_KIND: usize = 3;
/// All that is known of a phone in its place, and the constant.
const N_LOOK: usize = N_OWN + N_KIND + 2 * N_SEEN + 1;

/// One phone of a phrase as it was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Piece {
    /// Which; silence is a pause between words.
    pub phone: u8,
    /// How long, 30 ms each.
    pub frames: f32,
    /// How much likelier than anything else, as a logarithm.
    pub worth: f32,
    /// The same against the best of each frame alone.
    pub sharp: f32,
}

/// What was seen of a phrase that was just said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Its phones; the first `n` count.
    pub pieces: [Piece; LONGEST],
    /// How many there are.
    pub n: usize,
    /// See `GIVEN`.
    pub given: [f32; N_GIVEN],
}

/// See the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Of each phone.
    kinds: Vec<[f32; N_KIND]>,
    mean: [f32; N_GIVEN],
    deviation: [f32; N_GIVEN],
    looks: Vec<[f32; N_LOOK]>,
    /// For all looks, their means, their sums, what is given, the constant, and what the judgement counts.
    judges: Vec<Vec<f32>>,
    direct: Vec<f32>,
    /// By what rate false wakes get rarer, for each logit.
    tail: f32,
    /// Every phrase must be this sure, however rarely it wakes by mistake.
    floor: f32,
    /// How many false wakes an hour of the background stand for the default.
    per_hour: f32,
}

impl Default for Weights {
    fn default() -> Self {
        let mut direct = vec![0.0; N_GIVEN];
        (direct[1], direct[3]) = (3.0, 0.5);
        let (mean, deviation) = ([0.0; N_GIVEN], [1.0; N_GIVEN]);
        Self {
            kinds: Vec::new(),
            mean,
            deviation,
            looks: Vec::new(),
            judges: Vec::new(),
            direct,
            tail: 1.0,
            floor: -3.0,
            per_hour: 0.5,
        }
    }
}

impl Weights {
    /// Reads wake.txt: on each line a name and numbers.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut it = Self { direct: Vec::new(), ..Self::default() };
        for (at, line) in text.lines().enumerate() {
            let mut words = line.split('#').next().unwrap_or("").split_whitespace();
            let Some(name) = words.next() else { continue };
            let wrong = |what: &str| format!("{what} in line {}", at + 1);
            let number = |it: &str| it.parse::<f32>().ok().filter(|it| it.is_finite());
            let numbers: Option<Vec<f32>> = words.map(number).collect();
            let numbers = numbers.ok_or_else(|| wrong("has something that is no number"))?;
            let count = || wrong("has another number of values than it should");
            match name {
                "kind" => it.kinds.push(numbers.try_into().map_err(|_| count())?),
                "mean" => it.mean = numbers.try_into().map_err(|_| count())?,
                "deviation" => it.deviation = numbers.try_into().map_err(|_| count())?,
                "look" => it.looks.push(numbers.try_into().map_err(|_| count())?),
                "judge" => it.judges.push(numbers),
                "direct" => it.direct = numbers,
                "tail" => [it.tail] = numbers.try_into().map_err(|_| count())?,
                "floor" => [it.floor] = numbers.try_into().map_err(|_| count())?,
                "per_hour" => [it.per_hour] = numbers.try_into().map_err(|_| count())?,
                _ => return Err(wrong("has an unknown name")),
            }
        }
        let n = 2 * it.looks.len() + N_GIVEN;
        if it.direct.len() != n || it.judges.iter().any(|judge| judge.len() != n + 2) {
            return Err("has rows that do not fit together".into());
        }
        if it.deviation.iter().any(|it| *it <= 0.0) || it.tail <= 0.0 || it.per_hour <= 0.0 {
            return Err("has a scale that is not above zero".into());
        }
        Ok(it)
    }

    /// How much speaks for the phrase, in logits; what that means for this very phrase tells `threshold`.
    pub fn score(&self, evidence: &Evidence) -> f32 {
        let (pieces, n_looks) = (&evidence.pieces[..evidence.n.min(LONGEST)], self.looks.len());
        let mut seen = vec![0.0; 2 * n_looks + N_GIVEN];
        let spoken = pieces.iter().filter(|it| usize::from(it.phone) != SILENCE).count().max(1) as f32;
        for (i, piece) in pieces.iter().enumerate().filter(|it| usize::from(it.1.phone) != SILENCE) {
            let mut look = [1.0; N_LOOK];
            look[..N_OWN].copy_from_slice(&own(piece));
            let kind = self.kinds.get(usize::from(piece.phone)).copied().unwrap_or_default();
            look[N_OWN..N_OWN + N_KIND].copy_from_slice(&kind);
            let beside = |at: usize| pieces.get(at).map_or([0.0; N_OWN], own);
            look[N_OWN + N_KIND..][..N_SEEN].copy_from_slice(&beside(i.wrapping_sub(1))[..N_SEEN]);
            look[N_OWN + N_KIND + N_SEEN..][..N_SEEN].copy_from_slice(&beside(i + 1)[..N_SEEN]);
            for (unit, weights) in self.looks.iter().enumerate() {
                let value = dot(weights, &look).max(0.0);
                seen[unit] += value / spoken;
                seen[n_looks + unit] += value / 6.0;
            }
        }
        for (i, given) in evidence.given.iter().enumerate() {
            seen[2 * n_looks + i] = (given.clamp(-30.0, 30.0) - self.mean[i]) / self.deviation[i];
        }
        let judged = self.judges.iter().map(|it| {
            let (weights, rest) = it.split_at(seen.len());
            rest[1] * (dot(weights, &seen) + rest[0]).max(0.0)
        });
        judged.sum::<f32>() + dot(&self.direct, &seen)
    }

    /// From which score on a phrase of so many phones counts at the default sensitivity, when it had these scores in hours of other talk.
    pub fn threshold(&self, scores: &mut [f32], hours: f32, length: usize) -> f32 {
        scores.sort_by(|a, b| b.total_cmp(a));
        let per_hour = if length < LONG { self.per_hour } else { self.per_hour / LONG_RARER };
        // The very best may be the phrase itself, said by chance; the tail is as steep for all phrases.
        let told = scores.iter().enumerate().take(RANKS.end).skip(RANKS.start);
        let told = told.map(|(rank, score)| score + ((rank as f32 + 0.5) / (hours * per_hour)).ln() / self.tail);
        let (sum, n) = told.fold((0.0, 0), |(sum, n), it| (sum + it.max(self.floor), n + 1));
        (sum + (RANKS.len() - n) as f32 * self.floor) / RANKS.len() as f32
    }

    /// The threshold where there is nothing to compare with.
    pub fn floor(&self) -> f32 {
        self.floor
    }
}

/// Phrases of this many phones, four syllables or so, are easily told from other talk: they may wake falsely less often, by this factor.
const LONG: usize = 10;
const LONG_RARER: f32 = 2.5;
/// Which of the best false scores tell the threshold.
const RANKS: std::ops::Range<usize> = 2..24;

fn own(piece: &Piece) -> [f32; N_OWN] {
    if usize::from(piece.phone) == SILENCE {
        return [0.0; N_OWN];
    }
    let (worth, sharp) = (piece.worth.clamp(-20.0, 20.0), piece.sharp.clamp(-40.0, 2.0));
    let (frames, length) = (piece.frames, piece.frames.ln());
    [
        worth / 4.0,
        (worth / frames).clamp(-6.0, 3.0),
        (-sharp).max(0.0).sqrt(),
        (sharp / frames).clamp(-8.0, 0.0) / 2.0,
        length,
        length * length,
    ]
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(worth: f32) -> Evidence {
        let mut it = Evidence { pieces: [Piece::default(); LONGEST], n: 3, given: [0.0; N_GIVEN] };
        for (i, phone) in [7, 0, 9].into_iter().enumerate() {
            it.pieces[i] = Piece { phone, frames: 2.0, worth, sharp: -1.0 };
        }
        (it.given[1], it.given[3]) = (worth, worth / 2.0);
        it
    }

    /// One look at how much each phone is worth, one judgement of their mean, which counts twice.
    fn small() -> String {
        let zeros = |n: usize| vec!["0"; n].join(" ");
        format!(
            "per_hour 0.5\ntail 1\nfloor -2 # as low as it gets\nkind 0 0 0\nmean {}\ndeviation {}\nlook 1 {} 1\njudge 1 {} 0 2\ndirect {}\n",
            zeros(16),
            vec!["1"; 16].join(" "),
            zeros(12),
            zeros(17),
            zeros(18),
        )
    }

    #[test]
    fn it_looks_at_each_phone_and_then_at_all() {
        let weights = Weights::read(&small()).unwrap();
        // The pause between the words is none of the two.
        assert!((weights.score(&evidence(2.0)) - 2.0 * (2.0 / 4.0 + 1.0)).abs() < 1e-5);
        assert_eq!(weights.score(&evidence(-8.0)), 0.0);
        let plain = Weights::default();
        assert!(plain.score(&evidence(-0.1)) > plain.score(&evidence(-1.0)));
    }

    #[test]
    fn damaged_weights_are_refused() {
        for (from, to, expected) in [
            ("floor -2", "floor x", "no number in line 3"),
            ("floor -2", "floor -2 1", "another number of values"),
            ("floor", "flour", "unknown name in line 3"),
            ("tail 1", "tail 0", "not above zero"),
            ("judge 1", "judge 1 1", "do not fit"),
            ("direct 0", "direct", "do not fit"),
            ("look 1", "look 1 1", "than it should in line 7"),
            ("kind 0 0 0", "kind 0 inf 0", "no number"),
        ] {
            let error = Weights::read(&small().replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_sounds_like_common_words_must_be_surer() {
        let weights = Weights::read(&small()).unwrap();
        let scores = |top: f32| (0..40).map(|rank| top - (rank as f32 + 0.5).ln()).collect::<Vec<_>>();
        // An exponential tail of the expected steepness: once an hour at `top`, so half as often a little above.
        assert!((weights.threshold(&mut scores(1.0), 1.0, 6) - (1.0 + 2.0_f32.ln())).abs() < 1e-4);
        assert!((weights.threshold(&mut scores(3.0), 1.0, 6) - (3.0 + 2.0_f32.ln())).abs() < 1e-4);
        // Twice as much talk with the same scores: half as many in an hour.
        assert!((weights.threshold(&mut scores(1.0), 2.0, 6) - 1.0).abs() < 1e-4);
        // A long phrase, less often.
        assert!((weights.threshold(&mut scores(1.0), 1.0, 10) - (1.0 + 5.0_f32.ln())).abs() < 1e-4);
        // The phrase itself, said twice by chance, changes nothing.
        let mut said = scores(1.0);
        (said[0], said[1]) = (20.0, 20.0);
        assert!((weights.threshold(&mut said, 1.0, 6) - (1.0 + 2.0_f32.ln())).abs() < 1e-4);
        assert_eq!(weights.threshold(&mut scores(-9.0), 1.0, 6), -2.0);
        assert_eq!(weights.threshold(&mut [], 1.0, 6), -2.0);
    }
}
