//! `hark status`: the state of the running speaker, for people.

use crate::status::{Ears, Status};

/// So many names that sound alike, or are heard as something else, are told.
const NAMES: usize = 10;

/// Prints it.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn print(status: &Status, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(status)?);
        return Ok(());
    }
    let row = |name: &str, value: String| println!("{name:<12}{value}");
    row("room", format!("{} (hark {}, up {})", status.room, status.version, duration(status.uptime_s)));
    row("call", call(status));
    for (name, line) in &status.lines {
        row(
            "line",
            if line.up {
                format!("{name}: up")
            } else {
                format!("{name}: down, {}", line.why.as_deref().unwrap_or("not yet up"))
            },
        );
    }
    let audio = &status.audio;
    row("sound", format!("card {}, {} xruns, microphone {:.0} dBFS", audio.card, audio.xruns, audio.microphone_dbfs));
    if audio.erle_db > 0.0 {
        row("echo", format!("{:.0} dB taken away", audio.erle_db));
    }
    row("listens for", status.ears.wake_phrases.join(", "));
    row("contacts", status.contacts.to_string());
    for line in names(&status.ears) {
        row("", line);
    }
    row("mqtt", format!("{}{}", status.mqtt.broker, if status.mqtt.connected { ", connected" } else { "" }));
    if !status.house.members.is_empty() {
        let up = status.house.members.iter().filter(|it| it.up).count();
        let refused = status.house.refused.forged + status.house.refused.unknown;
        let refused = if refused > 0 { format!(", {refused} letters refused") } else { String::new() };
        row("house", format!("{} other speakers, {up} up{refused}", status.house.members.len()));
    }
    let volume = status.volume;
    row("volume", format!("call {}, ring {}, announce {}", volume.call, volume.ring, volume.announce));
    if status.muted {
        row("microphone", "muted".into());
    }
    if status.do_not_disturb {
        row("calls", "turned away: do not disturb".into());
    }
    row("cost", format!("{:.0} MB, {:.1} % of a core", status.memory_mb, status.cpu_percent));
    for problem in &status.problems {
        row("problem", problem.clone());
    }
    Ok(())
}

/// What is odd about names, as far as it can be read in one look.
fn names(ears: &Ears) -> Vec<String> {
    let heard = ears.heard_as.iter().map(|(name, words)| format!("`{name}` is listened for as `{words}`"));
    let alike = ears.sound_alike.iter().map(|it| format!("`{}` sound alike: who is meant is asked", it.join("`, `")));
    let mut lines: Vec<String> = heard.chain(alike).collect();
    if let Some(more) = lines.len().checked_sub(NAMES).filter(|it| *it > 0) {
        lines.truncate(NAMES);
        lines.push(format!("and {more} more: `hark status --json` or `hark check` tell all"));
    }
    lines
}

fn call(status: &Status) -> String {
    let call = &status.call;
    let with = call.peer.as_ref().map(|peer| format!(" with {peer}")).unwrap_or_default();
    let since = call.connected_s.map(|s| format!(" for {}", duration(s))).unwrap_or_default();
    format!("{}{with}{since}", call.state)
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_need_a_look_are_told_as_far_as_anybody_reads() {
        let set = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let mut ears = Ears {
            heard_as: [("siobhan".to_owned(), "she von".to_owned())].into(),
            sound_alike: vec![set(&["john", "jon"])],
            ..Ears::default()
        };
        assert_eq!(names(&ears), ["`siobhan` is listened for as `she von`", "`john`, `jon` sound alike: who is meant is asked"]);
        ears.sound_alike = vec![set(&["john", "jon"]); 20];
        assert_eq!(names(&ears).len(), NAMES + 1);
        assert_eq!(names(&ears)[NAMES], "and 11 more: `hark status --json` or `hark check` tell all");
    }
}
