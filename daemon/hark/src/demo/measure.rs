//! What is measured in the demo's recordings.

/// Root mean square of a piece, 0 where it is empty.
pub fn rms(samples: &[f32]) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
}

/// Echo return loss enhancement (ITU-T G.168) between two recordings of the same piece, in dB.
pub fn erle_db(before: &[f32], after: &[f32]) -> f64 {
    20.0 * (rms(before).max(1e-9) / rms(after).max(1e-9)).log10()
}

/// How many samples later `clip` is found in `heard`, between `from` and `to`, and how well (normalised cross-correlation, 0 to 1).
///
/// Compares at an eighth of the rate first and then around the best place sample by sample.
pub fn find(heard: &[f32], clip: &[f32], from: usize, to: usize) -> Option<(usize, f64)> {
    const COARSE: usize = 8;
    if clip.is_empty() || from >= to {
        return None;
    }
    let small_heard = thin(heard, COARSE);
    let small_clip = thin(clip, COARSE);
    let (coarse, _) = best(&small_heard, &small_clip, from / COARSE, to / COARSE)?;
    let around = coarse * COARSE;
    best(heard, clip, around.saturating_sub(2 * COARSE), around + 2 * COARSE)
}

fn best(heard: &[f32], clip: &[f32], from: usize, to: usize) -> Option<(usize, f64)> {
    let last = heard.len().checked_sub(clip.len())?;
    (from..=to.min(last)).map(|at| (at, correlation(&heard[at..at + clip.len()], clip))).max_by(|a, b| a.1.total_cmp(&b.1))
}

fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
    let scale = rms(a) * rms(b) * a.len() as f64;
    if scale > 0.0 { (dot / scale).abs() } else { 0.0 }
}

/// Averages of `n` samples each.
fn thin(samples: &[f32], n: usize) -> Vec<f32> {
    samples.chunks_exact(n).map(|piece| piece.iter().sum::<f32>() / n as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize) -> Vec<f32> {
        let mut state = 1u32;
        let mut white = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let mut slow = 0.0;
        (0..n)
            .map(|_| {
                slow += 0.05 * (white() - slow);
                slow
            })
            .collect()
    }

    #[test]
    fn a_clip_is_found_where_it_was_put() {
        let clip = noise(4_000);
        let mut heard = vec![0.0; 20_000];
        heard[7_123..11_123].copy_from_slice(&clip.iter().map(|s| s * 0.3).collect::<Vec<_>>());
        let (at, how_well) = find(&heard, &clip, 0, 15_000).unwrap();
        assert_eq!(at, 7_123);
        assert!(how_well > 0.99, "{how_well}");
    }

    #[test]
    fn half_the_amplitude_is_six_decibels() {
        let before = noise(1_000);
        let after: Vec<f32> = before.iter().map(|s| s / 2.0).collect();
        assert!((erle_db(&before, &after) - 6.02).abs() < 0.01);
    }
}
