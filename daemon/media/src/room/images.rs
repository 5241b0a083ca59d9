//! Impulse responses of a box-shaped room: every wall is a mirror that takes a little away.

use crate::RATE_HZ;

/// Metres per second.
const SPEED_OF_SOUND: f32 = 343.0;
/// The gain at this distance in metres is one: a loudspeaker in the same box as the microphone.
const NEAR: f32 = 0.1;
/// The sound of an image source is spread over so many samples, so that it may arrive between two of them.
const SPREAD: i32 = 16;

/// A room: width, depth, height in metres, and how long its reverberation takes to fall by 60 dB.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Metres.
    pub size: [f32; 3],
    /// Seconds.
    pub reverberation_s: f32,
}

/// A place in the room, in metres from one corner.
#[derive(Clone, Copy, Debug)]
pub struct Place(pub [f32; 3]);

/// What arrives at `to` when there is a click at `from`, at 48 kHz.
pub fn response(shape: Shape, from: Place, to: Place) -> Vec<f32> {
    let seconds = (shape.reverberation_s * 0.9).clamp(0.02, 0.6);
    let mut out = vec![0.0f32; (seconds * RATE_HZ as f32) as usize];
    let reflection = reflection(shape);
    let farthest = seconds * SPEED_OF_SOUND;
    let n_images = shape.size.map(|it| (farthest / (2.0 * it)).ceil() as i32 + 1);
    // Along each axis: the offset of every image and how many walls it has seen.
    let axis = |a: usize| {
        (-n_images[a]..=n_images[a])
            .flat_map(move |n| [(n, 1.0f32), (n, -1.0)])
            .map(|(n, side)| {
                let walls = if side > 0.0 { 2 * n.abs() } else { (2 * n - 1).abs() };
                (2.0 * n as f32 * shape.size[a] + side * from.0[a] - to.0[a], walls)
            })
            .collect::<Vec<_>>()
    };
    let (xs, ys, zs) = (axis(0), axis(1), axis(2));
    for (x, x_walls) in &xs {
        for (y, y_walls) in &ys {
            let flat = x * x + y * y;
            if flat > farthest * farthest {
                continue;
            }
            for (z, z_walls) in &zs {
                let distance = (flat + z * z).sqrt();
                let gain = reflection.powi(x_walls + y_walls + z_walls) * NEAR / distance.max(NEAR);
                if distance < farthest && gain > 1e-6 {
                    add(&mut out, distance / SPEED_OF_SOUND * RATE_HZ as f32, gain);
                }
            }
        }
    }
    fade_end(&mut out);
    out
}

/// How much of the pressure a wall throws back, from the reverberation time (Eyring).
fn reflection(shape: Shape) -> f32 {
    let [w, d, h] = shape.size;
    let (volume, surface) = (w * d * h, 2.0 * (w * d + w * h + d * h));
    let absorbed = 1.0 - (-0.161 * volume / (surface * shape.reverberation_s.max(0.05))).exp();
    (1.0 - absorbed).max(0.0).sqrt()
}

/// Adds a click at a fraction of a sample: a Hann-windowed sinc.
fn add(out: &mut [f32], at: f32, gain: f32) {
    let (whole, part) = (at.floor() as i32, at.fract());
    for n in -SPREAD..=SPREAD {
        let Some(sample) = usize::try_from(whole + n).ok().and_then(|it| out.get_mut(it)) else { continue };
        let x = n as f32 - part;
        let sinc = if x.abs() < 1e-4 { 1.0 } else { (std::f32::consts::PI * x).sin() / (std::f32::consts::PI * x) };
        let window = 0.5 + 0.5 * (std::f32::consts::PI * x / (SPREAD as f32 + 1.0)).cos();
        *sample += gain * sinc * window;
    }
}

fn fade_end(out: &mut [f32]) {
    let n = out.len() / 8;
    for (k, sample) in out.iter_mut().rev().take(n).enumerate() {
        *sample *= k as f32 / n as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVING_ROOM: Shape = Shape { size: [4.6, 3.8, 2.5], reverberation_s: 0.35 };

    #[test]
    fn the_direct_sound_comes_first_after_its_way() {
        let response = response(LIVING_ROOM, Place([1.0, 1.0, 1.0]), Place([2.715, 1.0, 1.0]));
        let loudest = response.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap().0;
        assert!(loudest.abs_diff(240) <= 1, "1.715 m are 5 ms: {loudest}");
    }

    #[test]
    fn the_reverberation_falls_as_fast_as_was_asked() {
        let response = response(LIVING_ROOM, Place([1.0, 1.2, 1.1]), Place([3.0, 2.6, 1.4]));
        // Schroeder: from -5 to -25 dB, times three.
        let total: f32 = response.iter().map(|it| it * it).sum();
        let (mut left, mut at_5, mut at_25) = (total, 0, 0);
        for (n, sample) in response.iter().enumerate() {
            left -= sample * sample;
            let db = 10.0 * (left / total).log10();
            if db > -5.0 {
                at_5 = n;
            }
            if db > -25.0 {
                at_25 = n;
            }
        }
        let rt60 = (at_25 - at_5) as f32 * 3.0 / RATE_HZ as f32;
        assert!((0.2..0.5).contains(&rt60), "{rt60}");
    }
}
