//! `hark echo`: the canceller of calls, offline, on two recordings that began together.

use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use media::echo::{self, EchoSettings};
use media::wav;

/// The rate of the result.
const RATE_HZ: u32 = 48_000;
/// Work that takes longer than this shows how far it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Cancels the echo of `far` (what the loudspeaker was given) in `mic`, writes what is left to `out` and prints the ERLE.
///
/// # Errors
/// When a file cannot be read or written; the message says which and why.
pub fn run(mic: &Path, far: &Path, out: &Path) -> anyhow::Result<()> {
    let microphone = wav::read(mic, RATE_HZ)?;
    let played = wav::read(far, RATE_HZ)?;
    if far_apart(microphone.len(), played.len()) {
        eprintln!(
            "note: {} lasts {:.1} s and {} {:.1} s; both must have begun at the same time",
            mic.display(),
            microphone.len() as f32 / RATE_HZ as f32,
            far.display(),
            played.len() as f32 / RATE_HZ as f32
        );
    }
    let (start, shows) = (Instant::now(), std::io::stderr().is_terminal());
    // The level is left as it is, so that both files can be compared.
    let settings = EchoSettings { gain_control: false, ..EchoSettings::default() };
    let mut told = false;
    let cancelled = echo::cancel_with(&microphone, &played, RATE_HZ, settings, |share| {
        if start.elapsed() > PATIENCE {
            let end = if shows { "\r" } else { "\n" };
            eprint!("cancelling echo: {:3.0} %{end}", share * 100.0);
            told = true;
        }
    })?;
    if told && shows {
        eprintln!("cancelling echo: 100 %");
    }
    wav::write(out, &cancelled.clean, RATE_HZ)?;
    println!("ERLE {:.1} dB (microphone against result while the far end talks, after the first 2 s)", cancelled.erle_db);
    println!("wrote {}", out.display());
    Ok(())
}

/// Recordings that differ by more than a tenth probably do not belong together.
fn far_apart(a: usize, b: usize) -> bool {
    a.abs_diff(b) > a.max(b) / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echo_goes_into_a_file_and_missing_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut seed = 1u32;
        let far: Vec<f32> = (0..6 * 48_000)
            .map(|n| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let loud = if n / 12_000 % 3 == 0 { 0.0 } else { 0.2 };
                ((seed >> 8) as f32 / 8_388_608.0 - 1.0) * loud
            })
            .collect();
        let mic: Vec<f32> = (0..far.len()).map(|n| if n < 1000 { 0.0 } else { far[n - 1000] * 0.3 }).collect();
        wav::write(&path("far.wav"), &far, 48_000).unwrap();
        wav::write(&path("mic.wav"), &mic, 48_000).unwrap();
        run(&path("mic.wav"), &path("far.wav"), &path("out.wav")).unwrap();
        let out = wav::read(&path("out.wav"), 48_000).unwrap();
        let power = |it: &[f32]| it.iter().map(|x| x * x).sum::<f32>();
        assert_eq!(out.len(), mic.len());
        assert!(power(&out[144_000..]) < power(&mic[144_000..]) / 100.0);
        let missing = run(&path("nothing.wav"), &path("far.wav"), &path("out.wav")).unwrap_err();
        assert!(format!("{missing:#}").contains("nothing.wav"), "{missing:#}");
    }
}
