//! `hark devices`: the microphones and loudspeakers that could be used, and how to name them in the configuration.

use std::process::ExitCode;

use media::card::{self, Card, CardSettings, DeviceInfo};

use crate::config::{self, Sources};

/// Prints them, one block per host, and tries the ones that `hark run` would use. The exit code is 1 where these cannot be opened: ALSA lists
/// devices even on a machine without a card.
///
/// # Errors
/// When no sound system answers.
pub fn run(sources: &Sources) -> anyhow::Result<ExitCode> {
    print!("{}", text(&card::devices()?));
    // What is wrong with the configuration, `hark check` tells.
    let wanted = config::load(sources).map(|it| it.settings.audio).map_or_else(
        |_| CardSettings::default(),
        |audio| CardSettings { host: audio.host, input: audio.input, output: audio.output },
    );
    match Card::open(&wanted) {
        Ok((card, _)) => {
            println!("`hark run` would use: {}", card.description());
            Ok(ExitCode::SUCCESS)
        }
        Err(err) => {
            println!("`hark run` cannot use any: {err}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn text(devices: &[DeviceInfo]) -> String {
    if devices.is_empty() {
        return "no microphone and no loudspeaker found; `hark demo` works without\n".into();
    }
    let mut out = String::new();
    let mut host = "";
    for device in devices {
        if device.host != host {
            host = &device.host;
            out += &format!("{host}\n");
        }
        let kind = match (device.input, device.output) {
            (true, true) => "microphone, loudspeaker",
            (true, false) => "microphone",
            (false, _) => "loudspeaker",
        };
        let star = if device.default { '*' } else { ' ' };
        out += &format!("  {star} {:<40} {kind}\n      {}\n", device.name, device.id);
    }
    out += "* = what the system would choose. Name or id go into `audio` of hark.yaml.\n";
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_shows_its_name_its_id_and_what_it_is() {
        let device = |name: &str, input, default| DeviceInfo {
            host: "pulseaudio".into(),
            name: name.into(),
            id: format!("id-of-{name}"),
            input,
            output: !input,
            default,
        };
        let text = text(&[device("desk", true, true), device("shelf", false, false)]);
        for line in ["pulseaudio\n", "* desk", "microphone\n", "id-of-desk\n", "shelf", "loudspeaker\n"] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert_eq!(text.matches("pulseaudio").count(), 1);
    }

    #[test]
    fn nothing_at_all_is_said_plainly() {
        assert!(text(&[]).contains("hark demo"));
    }
}
