//! Sound files as people have them: any rate and depth, and broken ones.

use std::path::{Path, PathBuf};

use media::wav::{read, read_as_is, write};

fn folder() -> tempdir::Folder {
    tempdir::Folder::new()
}

/// A folder that goes away.
mod tempdir {
    use super::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    static NEXT: AtomicU32 = AtomicU32::new(0);
    pub struct Folder(PathBuf);
    impl Folder {
        pub fn new() -> Folder {
            let name = format!("hark-wav-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
        pub fn join(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn wave(file: &Path, rate_hz: u32, bits: u16, channels: u16, float: bool) {
    let sample_format = if float { hound::SampleFormat::Float } else { hound::SampleFormat::Int };
    let spec = hound::WavSpec { channels, sample_rate: rate_hz, bits_per_sample: bits, sample_format };
    let mut writer = hound::WavWriter::create(file, spec).unwrap();
    for n in 0..rate_hz {
        let sample = 0.5 * (std::f32::consts::TAU * 440.0 * n as f32 / rate_hz as f32).sin();
        for _ in 0..channels {
            match float {
                true => writer.write_sample(sample).unwrap(),
                false => writer.write_sample((sample * ((1i64 << (bits - 1)) - 1) as f32) as i32).unwrap(),
            }
        }
    }
    writer.finalize().unwrap();
}

#[test]
fn any_rate_depth_and_number_of_channels_is_read() {
    let folder = folder();
    let cases = [
        (8_000, 8, 1, false),
        (8_000, 16, 1, false),
        (11_025, 16, 2, false),
        (22_050, 16, 1, false),
        (44_100, 16, 2, false),
        (44_100, 24, 2, false),
        (48_000, 32, 1, false),
        (96_000, 24, 6, false),
        (48_000, 32, 2, true),
    ];
    for (rate, bits, channels, float) in cases {
        let file = folder.join("it.wav");
        wave(&file, rate, bits, channels, float);
        let samples = read(&file, 48_000).unwrap();
        assert!(samples.len().abs_diff(48_000) < 10, "{rate} {bits} {channels}: {}", samples.len());
        let rms = (samples.iter().map(|it| it * it).sum::<f32>() / samples.len() as f32).sqrt();
        assert!((rms - 0.353).abs() < 0.02, "{rate} {bits} {channels} {float}: {rms}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let folder = folder();
    let file = folder.join("it.wav");
    write(&file, &[0.0, 0.5, -0.5, 2.0, -2.0], 16_000).unwrap();
    let (samples, rate_hz) = read_as_is(&file).unwrap();
    assert_eq!(rate_hz, 16_000);
    for (got, wanted) in samples.iter().zip([0.0, 0.5, -0.5, 1.0, -1.0]) {
        assert!((got - wanted).abs() < 1e-3);
    }
}

#[test]
fn broken_files_are_named_with_what_is_wrong_and_what_to_do() {
    let folder = folder();
    let check = |name: &str, content: Option<&[u8]>, wanted: &[&str]| {
        let file = folder.join(name);
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let error = read(&file, 48_000).unwrap_err().to_string();
        for part in wanted.iter().chain([&name]) {
            assert!(error.contains(part), "{error} lacks {part}");
        }
    };
    check("missing.wav", None, &["cannot open", "check the path"]);
    check("empty.wav", Some(b""), &["it is empty", "WAV, FLAC or Ogg"]);
    check("text.wav", Some(b"this is no sound file at all, just some words"), &["not a sound file"]);
    check("head.wav", Some(b"RIFF\x24\x00\x00\x00WAVE"), &["head.wav"]);
    check("noise.flac", Some(&[0x5a; 5000]), &["not a sound file"]);
    let whole = folder.join("whole.wav");
    wave(&whole, 48_000, 16, 1, false);
    let bytes = std::fs::read(&whole).unwrap();
    check("headonly.wav", Some(&bytes[..44]), &["headonly.wav"]);
    let folder_itself = read(&folder.join(""), 48_000).unwrap_err().to_string();
    assert!(folder_itself.contains("cannot") || folder_itself.contains("not a sound file"), "{folder_itself}");
    // Cut off in the middle: what is there is read.
    let cut = folder.join("cut.wav");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    assert!(read(&cut, 48_000).is_ok_and(|it| it.len() > 20_000));
    // Damaged anywhere, nothing panics.
    for at in (0..44).chain((44..bytes.len()).step_by(9973)) {
        let mut damaged = bytes[..20_000].to_vec();
        if let Some(byte) = damaged.get_mut(at) {
            *byte ^= 0xff;
        }
        let file = folder.join("damaged.wav");
        std::fs::write(&file, &damaged).unwrap();
        let _ = read(&file, 16_000);
    }
    let error = write(&folder.join("no/such/folder.wav"), &[0.0], 8_000).unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("folder"), "{error}");
}
