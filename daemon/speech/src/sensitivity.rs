//! What the one setting of the wake phrase means. Pure.

/// Sensitivity, the share of calls in a quiet room that is missed, and how often a day the speaker wakes although nobody called, where people talk for 16
/// hours: as the benchmark of the ears measures it (docs/benchmarks.md), over six phrases and recordings of people who had no part in the training.
pub const SENSITIVITIES: [(f32, f32, f32); 5] =
    [(0.1, 0.127, 1.0), (0.3, 0.073, 3.0), (0.5, 0.042, 6.1), (0.7, 0.024, 25.3), (0.9, 0.012, 74.9)];

/// How much surer (in logits) the phrase must be at 0 than at 1.
const RANGE: f32 = 5.0;
/// What is less sure than the threshold by more than this (in logits) is no near miss.
const NEAR: f32 = 2.5;
/// And what the loudspeaker played is our own, when it is not less sure than this.
const OURS: f32 = 3.0;
/// How much the present sensitivity counts against what people said about near misses.
const PRESENT_WEIGHS: f32 = 12.0;

/// A wake phrase must be at least this sure.
pub fn threshold(sensitivity: f32) -> f32 {
    shifted(sensitivity, 0.0)
}

/// From this on it is a near miss.
pub fn near(sensitivity: f32) -> f32 {
    shifted(sensitivity, NEAR)
}

/// From this on, what the loudspeaker said at the time was the phrase.
pub fn ours(sensitivity: f32) -> f32 {
    shifted(sensitivity, OURS)
}

/// The threshold of an official model, of which the recognizer itself tells how sure it is.
pub fn official(sensitivity: f32) -> f32 {
    0.7 + 0.5 * (0.5 - sensitivity.clamp(0.0, 1.0))
}

fn shifted(sensitivity: f32, by: f32) -> f32 {
    1.0 / (1.0 + (-(logit(sensitivity) - by)).exp())
}

/// The threshold, in logits.
fn logit(sensitivity: f32) -> f32 {
    RANGE * (0.5 - sensitivity.clamp(0.0, 1.0))
}

/// The sensitivity that suits a house better than `now`, where people have said of some sounds how sure the speaker was, and whether they had called it.
pub fn tune(seen: &[(f32, bool)], now: f32) -> f32 {
    let cost = |sensitivity: f32| {
        let wrong = |(confidence, called): &(f32, bool)| {
            let confidence = confidence.clamp(1e-4, 1.0 - 1e-4);
            let above = (confidence / (1.0 - confidence)).ln() - logit(sensitivity);
            (if *called { -above } else { above }).exp().ln_1p()
        };
        seen.iter().map(wrong).sum::<f32>() + PRESENT_WEIGHS * (sensitivity - now).powi(2)
    };
    if seen.is_empty() {
        return now;
    }
    let all = (0..=100).map(|it| it as f32 / 100.0);
    all.min_by(|a, b| cost(*a).total_cmp(&cost(*b))).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_middle_it_must_be_likelier_than_not() {
        assert!((threshold(0.5) - 0.5).abs() < 1e-6);
        assert!(threshold(0.2) > threshold(0.5) && threshold(0.5) > threshold(0.9));
        assert!(near(0.5) < threshold(0.5) && ours(0.5) < near(0.5));
        assert!((official(0.5) - 0.7).abs() < 1e-6);
    }

    #[test]
    fn it_follows_what_people_say() {
        assert_eq!(tune(&[], 0.4), 0.4);
        assert!(tune(&[(0.3, true); 10], 0.5) > 0.55);
        assert!(tune(&[(0.6, false); 10], 0.5) < 0.45);
        assert!((tune(&[(0.3, true), (0.7, false)], 0.5) - 0.5).abs() < 0.05);
        assert!(tune(&[(f32::NAN, true), (0.0, true), (1.0, false)], 0.5).is_finite());
    }
}
