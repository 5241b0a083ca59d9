//! The wake phrase, heard with the model that comes with us: said by voices that are in no training, clean and in noise, and not by what only sounds alike.

#[allow(dead_code, reason = "each test uses its part of the voices")]
mod voices;

use speech::{Heard, Hearing, Model};
use voices::{Scene, hearing_of, model, say, short};

const VOICES: [&str; 5] = ["en-us", "en-gb", "en-us+f3", "flite:slt", "flite:rms"];

fn hearing(model: &Model, phrase: &str) -> Hearing {
    hearing_of(model, &[phrase], 0.5, false)
}

#[test]
fn any_phrase_wakes_clean_and_in_noise() {
    let model = model();
    let (mut woken, mut all) = (0, 0);
    for phrase in ["hello operator", "hey computer", "okay kitchen", "alexa"] {
        for voice in VOICES {
            for noise in [0.001, 0.01] {
                let scene = Scene::new().silence(600).say(voice, phrase).silence(1500).noise(noise);
                let notices = scene.heard(&mut hearing(&model, phrase));
                let once = notices.iter().filter(|it| matches!(it.kind, Heard::Wake { .. })).count() == 1;
                woken += usize::from(once);
                all += 1;
                if !once {
                    println!("{phrase} by {voice} in {noise}: {notices:?}");
                }
            }
        }
    }
    assert!(woken * 100 >= all * 95, "{woken} of {all}");
}

#[test]
fn it_wakes_soon_and_knows_when_it_was_said() {
    let model = model();
    for voice in VOICES {
        let scene = Scene::new().silence(600).say(voice, "hello operator");
        let loud = scene.ears.iter().rposition(|it| it.abs() > 0.01).unwrap() as u64 / 16;
        let notices = scene.silence(1500).noise(0.001).heard(&mut hearing(&model, "hello operator"));
        let wake = notices.iter().find(|it| matches!(it.kind, Heard::Wake { .. })).unwrap_or_else(|| panic!("{voice}"));
        assert!(wake.said_until_ms.abs_diff(loud) < 200, "{voice}: until {} and not {loud}", wake.said_until_ms);
        assert!(wake.at_ms < loud + 450, "{voice}: at {} and it was over at {loud}", wake.at_ms);
    }
}

#[test]
fn neighbours_do_not_wake() {
    let model = model();
    let mut woken = Vec::new();
    for (phrase, others) in [
        ("hello operator", ["hello opera", "yellow tomato", "operator", "hello", "hello alligator", "hello my lovely mother"]),
        ("alexa", ["electric", "a lesson", "perplexed", "relax", "collect the", "all excuses"]),
    ] {
        for voice in VOICES {
            for other in others {
                let scene = Scene::new().silence(600).say(voice, other).silence(1500).noise(0.001);
                if !short(&scene.heard(&mut hearing(&model, phrase))).is_empty() {
                    woken.push(format!("{phrase} by {other}, {voice}"));
                }
            }
        }
    }
    assert!(woken.len() <= 3, "{woken:?}");
}

#[test]
fn what_we_play_does_not_wake_but_who_talks_over_it_does() {
    let model = model();
    let mom = say("en-gb", "hello operator, hang up");
    for echo in [0.0, 0.1, 0.5] {
        let scene = Scene::new().silence(5000).play(700, &mom, echo).noise(0.001);
        assert_eq!(short(&scene.heard(&mut hearing(&model, "hello operator"))), [""; 0], "echo {echo}");
    }
    let mom = say("flite:slt", "and then i went to the market and bought some apples and pears and the neighbours came over");
    let scene = Scene::new().silence(1800).say("en-us", "hello operator").silence(1500).play(300, &mom, 0.03).noise(0.001);
    assert_eq!(short(&scene.heard(&mut hearing(&model, "hello operator")))[..1], ["wake"]);
}

#[test]
fn near_misses_are_told_only_where_somebody_wants_them() {
    let model = model();
    let scene = || Scene::new().silence(600).say("en-us", "hello operator").silence(1500).noise(0.001);
    // So little sensitive that even the phrase itself is only nearly enough.
    let told = |keep: bool| scene().heard(&mut hearing_of(&model, &["hello operator"], 0.0, keep));
    assert!(told(false).iter().all(|it| !matches!(it.kind, Heard::NearMiss { .. })));
    for notice in told(true) {
        if let Heard::NearMiss { samples } = notice.kind {
            assert!((16_000..64_000).contains(&samples.len()), "{}", samples.len());
        }
    }
}
