//! How well echo is cancelled: in rooms made here, and on recordings with a known truth.

mod common;

use common::{babble, db, estoi, power, recordings};
use media::echo::{EchoSettings, cancel, cancel_with};
use media::room::{Place, Shape, response};
use media::wav;

const RATE: usize = 48_000;

/// What a microphone hears of `played`, `delay` samples later.
fn echo_of(played: &[f32], delay: usize, gain: f32) -> Vec<f32> {
    let shape = Shape { size: [4.6, 3.8, 2.5], reverberation_s: 0.3 };
    let mut path = response(shape, Place([2.3, 0.6, 0.9]), Place([2.3, 0.68, 0.98]));
    path.splice(0..0, std::iter::repeat_n(0.0, delay));
    let mut convolver = media::room::Convolver::new(&path);
    let mut out = Vec::with_capacity(played.len());
    for frame in played.as_chunks::<480>().0 {
        let mut heard = [0.0; 480];
        convolver.process(frame, &mut heard);
        out.extend(heard.map(|it| it * gain));
    }
    let mut state = 9u32;
    for sample in &mut out {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        *sample += (state as f32 / u32::MAX as f32 - 0.5) * 6e-4;
    }
    out
}

fn erle(before: &[f32], after: &[f32], from_s: usize) -> f64 {
    db(power(&before[from_s * RATE..]) / power(&after[from_s * RATE..]))
}

#[test]
fn far_end_alone_disappears() {
    let far = babble(1, 16.0, RATE);
    let mic = echo_of(&far, 1200, 0.5);
    let it = cancel(&mic, &far, RATE as u32).unwrap();
    let (clean, ears) = (erle(&mic, &it.clean, 5), erle(&mic, &it.ears, 5));
    println!("ERLE call {clean:.1} dB, ears {ears:.1} dB, told {:.1} dB", it.erle_db);
    assert!(clean > 30.0, "{clean}");
    assert!(ears > 12.0, "{ears}");
    assert!((it.erle_db - clean as f32).abs() < 6.0);
}

#[test]
fn the_near_end_lives_through_double_talk_and_more_so_for_the_recognizer() {
    let far = babble(1, 20.0, RATE);
    let near: Vec<f32> = babble(2, 20.0, RATE).iter().map(|it| it * 0.6).collect();
    let echo = echo_of(&far, 1200, 0.5);
    let mic: Vec<f32> = echo.iter().zip(&near).enumerate().map(|(n, (e, v))| e + if n > 6 * RATE { *v } else { 0.0 }).collect();
    let it = cancel(&mic, &far, RATE as u32).unwrap();
    let at_16k = |samples: &[f32]| media::resample::convert(&samples[7 * RATE..], RATE as u32, 16_000);
    let (near, mic) = (at_16k(&near), at_16k(&mic));
    let (untreated, call, ears) = (estoi(&near, &mic), estoi(&near, &at_16k(&it.clean)), estoi(&near, &at_16k(&it.ears)));
    println!("double talk, ESTOI: microphone {untreated:.2}, call {call:.2}, ears {ears:.2}");
    assert!(call > 0.35, "{call}");
    assert!(ears > call + 0.03 && ears > untreated, "{ears} {call} {untreated}");
}

#[test]
fn near_end_alone_is_left_alone() {
    let near = babble(2, 8.0, RATE);
    let it = cancel_with(
        &near,
        &vec![0.0; near.len()],
        RATE as u32,
        EchoSettings { noise_suppression: false, gain_control: false, ..EchoSettings::default() },
        |_| (),
    )
    .unwrap();
    let change = erle(&near, &it.clean, 1).abs();
    assert!(change < 1.0, "{change}");
    let change = erle(&near, &it.ears, 1).abs();
    assert!(change < 1.5, "{change}");
}

#[test]
fn a_clock_that_drifts_by_100_ppm_does_not_bring_the_echo_back() {
    let far = babble(1, 20.0, RATE);
    let steady = echo_of(&far, 1200, 0.5);
    let mic: Vec<f32> = (0..steady.len() - 200)
        .map(|n| {
            let at = n as f64 * (1.0 + 100e-6);
            let (k, t) = (at as usize, at.fract() as f32);
            steady[k] * (1.0 - t) + steady[k + 1] * t
        })
        .collect();
    let it = cancel(&mic, &far, RATE as u32).unwrap();
    let clean = erle(&mic, &it.clean, 6);
    println!("100 ppm: ERLE {clean:.1} dB");
    assert!(clean > 25.0, "{clean}");
}

#[test]
fn a_delay_that_jumps_by_40_ms_is_found_again() {
    let far = babble(1, 24.0, RATE);
    let (before, after) = (echo_of(&far, 1200, 0.5), echo_of(&far, 1200 + 1920, 0.5));
    let mic: Vec<f32> = before.iter().zip(&after).enumerate().map(|(n, (a, b))| if n < 10 * RATE { *a } else { *b }).collect();
    let it = cancel(&mic, &far, RATE as u32).unwrap();
    let clean = erle(&mic, &it.clean, 14);
    println!("40 ms jump: ERLE {clean:.1} dB, four seconds later");
    assert!(clean > 25.0, "{clean}");
}

#[test]
fn recordings_with_a_known_truth_keep_their_thresholds() {
    let Some(folder) = recordings("echo_synthetic") else { return };
    let (mut call, mut ears, mut untreated, mut gone, mut n) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for id in ["syn0", "syn2818", "syn7184", "syn7478", "syn8500", "syn9544"] {
        let read = |kind: &str| wav::read(&folder.join(format!("{id}_{kind}.flac")), 16_000).unwrap();
        let (mic, far, near) = (read("mic"), read("lpb"), read("clean"));
        let it = cancel(&mic, &far, 16_000).unwrap();
        untreated += estoi(&near[32_000..], &mic[32_000..]);
        call += estoi(&near[32_000..], &it.clean[32_000..]);
        ears += estoi(&near[32_000..], &it.ears[32_000..]);
        let echo: Vec<f32> = read("echo").iter().enumerate().map(|(k, it)| it + if k % 2 == 0 { 1e-4 } else { -1e-4 }).collect();
        let alone = cancel(&echo, &far, 16_000).unwrap();
        gone += db(power(&echo[48_000..]) / power(&alone.clean[48_000..]));
        n += 1.0;
    }
    println!(
        "echo_synthetic: ERLE {:.1} dB; ESTOI microphone {:.2}, call {:.2}, ears {:.2}",
        gone / n,
        untreated / n,
        call / n,
        ears / n
    );
    assert!(gone / n > 22.0);
    assert!(call / n > 0.50);
    assert!(ears / n > 0.60 && ears > call);
}
