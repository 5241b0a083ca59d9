//! Plays a short sound and looks whether the microphone hears it, and when.

use std::time::{Duration, Instant};

use media::card::{Card, CardSettings};
use media::engine::{Engine, EngineSettings};
use media::order::{Bus, Command, SoundId, Tap};
use media::{RATE_HZ, clip};

use super::{Finding, fail, in_two, ok, warn};
use crate::config::Settings;

/// How long is listened.
const LISTEN_FOR: Duration = Duration::from_millis(2500);

/// The sound is compared at this rate.
const COMPARE_HZ: usize = 8000;

/// No card and no room make an echo later than this.
const LATEST_MS: usize = 600;

/// Looks at microphone, loudspeaker and the way between them.
pub fn look(settings: &Settings) -> Vec<Finding> {
    let audio = &settings.audio;
    let wanted = CardSettings { host: audio.host.clone(), input: audio.input.clone(), output: audio.output.clone() };
    let (card, rings) = match Card::open(&wanted) {
        Ok(card) => card,
        Err(err) => {
            return vec![in_two(
                "sound card",
                &err.to_string(),
                "plug one in, or set `audio` in hark.yaml; `hark demo` works without",
            )];
        }
    };
    let mut findings = vec![ok("sound card", card.description())];
    match record(rings) {
        Ok((microphone, played, xruns)) => findings.extend(judge(&microphone, &played, xruns)),
        Err(why) => {
            findings.push(fail("sound engine", why, "is another program using the card, or is a limit on threads reached?"))
        }
    }
    findings
}

/// What the microphone heard and what was played meanwhile, and how often the card stumbled.
fn record(rings: media::ring::CardRings) -> Result<(Vec<f32>, Vec<f32>, u32), String> {
    let settings = EngineSettings { realtime: false, ..EngineSettings::default() };
    let (mut engine, _ears) = Engine::start(rings, settings).map_err(|err| err.to_string())?;
    let room = RATE_HZ as usize * 4;
    let (microphone, mut heard) = rtrb::RingBuffer::new(room);
    let (render, mut played) = rtrb::RingBuffer::new(room);
    let sound = clip::from_samples(&burst(), RATE_HZ);
    let commands = [
        Command::Tap(Tap::Microphone, Some(microphone)),
        Command::Tap(Tap::Render, Some(render)),
        Command::Play { id: SoundId(1), bus: Bus::Announce, source: sound },
    ];
    for command in commands {
        engine.send(command).map_err(|_| "the sound thread takes no commands".to_owned())?;
    }
    let end = Instant::now() + LISTEN_FOR;
    while Instant::now() < end {
        engine.poll();
        std::thread::sleep(Duration::from_millis(20));
    }
    let xruns = engine.stats().xruns.load(std::sync::atomic::Ordering::Relaxed);
    let all = |ring: &mut rtrb::Consumer<f32>| std::iter::from_fn(|| ring.pop().ok()).collect::<Vec<f32>>();
    Ok((all(&mut heard), all(&mut played), xruns))
}

/// Half a second of soft noise: every frequency is in it, so that it is found again at one place only.
fn burst() -> Vec<f32> {
    let mut state = 0x2545_f491_u32;
    let n = RATE_HZ as usize / 2;
    let noise = |i: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let edge = (i.min(n - i) as f32 / 480.0).min(1.0);
        (state as f32 / u32::MAX as f32 - 0.5) * 0.3 * edge
    };
    (0..n).map(noise).collect()
}

fn judge(microphone: &[f32], played: &[f32], xruns: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    let level = level_db(microphone);
    if microphone.is_empty() {
        findings.push(fail(
            "microphone",
            "it delivers nothing",
            "choose another one: `hark devices`, then `audio.input` in hark.yaml",
        ));
        return findings;
    }
    findings.push(match level {
        ..-85.0 => {
            fail("microphone", format!("it delivers silence ({level:.0} dBFS)"), "is it muted? `alsamixer` or `pavucontrol` tell")
        }
        -6.0.. => {
            warn("microphone", format!("it is too loud ({level:.0} dBFS)"), "turn its gain down in `alsamixer` or `pavucontrol`")
        }
        _ => ok("microphone", format!("it delivers sound ({level:.0} dBFS)")),
    });
    if xruns > 2 {
        findings.push(warn(
            "sound card",
            format!("{xruns} interruptions in 2 s"),
            "let hark run with real-time rights, as its systemd unit does",
        ));
    }
    findings.push(match echo(microphone, played) {
        Some((delay_ms, likeness)) if likeness > 0.15 => {
            ok("loudspeaker", format!("the microphone hears it after {delay_ms} ms (likeness {:.0} %)", likeness * 100.0))
        }
        _ => warn(
            "loudspeaker",
            "the test sound was played, and the microphone did not hear it",
            "no harm with headphones; else is the loudspeaker on, turned up and the one in `audio.output`?",
        ),
    });
    findings
}

/// How late the microphone hears what was played, and how alike the two are then, 0 to 1.
fn echo(microphone: &[f32], played: &[f32]) -> Option<(usize, f32)> {
    let (heard, played) = (thin(microphone), thin(played));
    let loud = |it: &f32| it.abs() > 0.005;
    let (first, last) = (played.iter().position(loud)?, played.iter().rposition(loud)?);
    let sent = &played[first..=last];
    let at = |lag: usize| {
        let heard = heard.get(first + lag..first + lag + sent.len())?;
        let product: f32 = sent.iter().zip(heard).map(|(a, b)| a * b).sum();
        let energy = |samples: &[f32]| samples.iter().map(|it| it * it).sum::<f32>();
        Some((lag, product.abs() / (energy(sent) * energy(heard)).sqrt().max(1e-9)))
    };
    let best = (0..LATEST_MS * COMPARE_HZ / 1000).filter_map(at).max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((best.0 * 1000 / COMPARE_HZ, best.1))
}

/// To the rate of comparing, by means: the highest frequencies are of no use here.
fn thin(samples: &[f32]) -> Vec<f32> {
    let step = RATE_HZ as usize / COMPARE_HZ;
    samples.chunks_exact(step).map(|chunk| chunk.iter().sum::<f32>() / step as f32).collect()
}

fn level_db(samples: &[f32]) -> f32 {
    let power = samples.iter().map(|it| it * it).sum::<f32>() / samples.len().max(1) as f32;
    10.0 * power.max(1e-12).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_found_at_its_delay_and_silence_is_none() {
        let mut played = vec![0.0; 4800];
        played.extend(burst());
        played.resize(RATE_HZ as usize * 2, 0.0);
        let delay = RATE_HZ as usize * 120 / 1000;
        let mut microphone = vec![0.0; delay];
        microphone.extend(played.iter().map(|it| it * 0.1));
        let (delay_ms, likeness) = echo(&microphone, &played).unwrap();
        assert_eq!(delay_ms, 120);
        assert!(likeness > 0.95, "{likeness}");
        assert!(echo(&vec![0.0; played.len()], &played).unwrap().1 < 0.01);
        assert_eq!(echo(&microphone, &vec![0.0; played.len()]), None);
    }
}
