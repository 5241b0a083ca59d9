//! What the network makes of other people's talk (background.bin of the model): every wake phrase is looked for in it at start, so that all wake falsely about
//! as often.
//!
//! The file: `HARKTALK`, the number of outputs of a frame (u32, little-endian), and then stretches of talk: the number of frames (u32), and each frame, its
//! outputs in four bits, the first in the lower ones: by how many steps of 0.4 it is below the frame's highest.

use crate::phone_loop::Bigram;
use crate::spot::{Phrase, Searches};
use crate::weigh::Weights;

const MAGIC: &[u8] = b"HARKTALK";
const STEP: f32 = 0.4;
/// Frames in an hour.
const HOUR: f32 = 120_000.0;
/// Sightings this close (frames) are one.
pub const APART: i64 = 33;

/// Talk in which nobody said a wake phrase.
pub struct Background<'a> {
    n_outputs: usize,
    stretches: Vec<&'a [u8]>,
}

impl<'a> Background<'a> {
    /// Checks the bytes of a file. Tells what is wrong with them.
    pub fn read(bytes: &'a [u8], n_outputs: usize) -> Result<Self, String> {
        let rest = bytes.strip_prefix(MAGIC).ok_or("is no background of talk")?;
        let (n, mut rest) = number(rest)?;
        if n != n_outputs {
            return Err(format!("has {n} outputs in a frame, the network {n_outputs}"));
        }
        let mut stretches = Vec::new();
        while !rest.is_empty() {
            let (frames, after) = number(rest)?;
            let length = frames.checked_mul(n.div_ceil(2)).filter(|it| *it <= after.len()).ok_or("is cut short")?;
            stretches.push(&after[..length]);
            rest = &after[length..];
        }
        Ok(Self { n_outputs, stretches })
    }

    /// How long it is.
    pub fn hours(&self) -> f32 {
        self.stretches.iter().map(|it| it.len() / self.n_outputs.div_ceil(2)).sum::<usize>() as f32 / HOUR
    }

    /// The scores of each phrase in it, one for each place.
    pub fn scores(&self, bigram: &Bigram, phrases: &[Phrase], weights: &Weights) -> Vec<Vec<f32>> {
        let mut all: Vec<Vec<f32>> = vec![Vec::new(); phrases.len()];
        let mut outputs = Vec::new();
        for stretch in &self.stretches {
            outputs.clear();
            for frame in stretch.chunks_exact(self.n_outputs.div_ceil(2)) {
                let steps = frame.iter().flat_map(|it| [it & 15, it >> 4]).take(self.n_outputs);
                outputs.extend(steps.map(|it| -STEP * f32::from(it)));
            }
            let mut best: Vec<Option<(i64, f32)>> = vec![None; phrases.len()];
            Searches::new(bigram, phrases).feed(bigram, phrases, &outputs, |it| {
                let (slot, score) = (&mut best[it.phrase], weights.score(&it.evidence));
                if let Some((_, over)) = slot.take_if(|old| it.end >= old.0 + APART) {
                    all[it.phrase].push(over);
                }
                if slot.is_none_or(|old| score >= old.1) {
                    *slot = Some((it.end, score));
                }
            });
            all.iter_mut().zip(best).for_each(|(all, it)| all.extend(it.map(|it| it.1)));
        }
        all
    }
}

fn number(bytes: &[u8]) -> Result<(usize, &[u8]), String> {
    let (first, rest) = bytes.split_first_chunk::<4>().ok_or("is cut short")?;
    Ok((u32::from_le_bytes(*first) as usize, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(n: u32, frames: u32, bytes: usize) -> Vec<u8> {
        [MAGIC, &n.to_le_bytes(), &frames.to_le_bytes(), &vec![0x21; bytes]].concat()
    }

    #[test]
    fn what_is_damaged_is_refused() {
        assert!((Background::read(&file(6, 40, 120), 6).unwrap().hours() * HOUR - 40.0).abs() < 1e-3);
        for (bytes, what) in [
            (file(6, 40, 119), "cut short"),
            (file(6, 40, 122), "cut short"),
            (file(6, u32::MAX, 120), "cut short"),
            (file(8, 40, 160), "8 outputs"),
            (b"HARKTALK".to_vec(), "cut short"),
            (b"something else".to_vec(), "no background"),
        ] {
            let found = Background::read(&bytes, 6).err().unwrap_or_default();
            assert!(found.contains(what), "{found}");
        }
    }
}
