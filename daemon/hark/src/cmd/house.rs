//! `hark house`: the speakers of this house, for people.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use crate::house::courier::HouseStatus;
use crate::house::office::{Ask, Told};
use crate::socket::Answer;

/// What can be done.
#[derive(Clone, Debug, Subcommand)]
pub enum Act {
    /// Tell who is there, what was refused, and what is wrong.
    Status,
    /// Show and speak a code by which a new speaker joins within 5 minutes.
    Invite,
    /// Join the house of the speaker that shows this code.
    #[command(after_help = "Examples:\n  hark house join 123456\n  hark house join 123456 --at 192.168.1.20:7373")]
    Join {
        /// Six digits.
        #[arg(required = true, num_args = 1..)]
        code: Vec<String>,
        /// Where that speaker listens, in a network without mDNS and without a common broker.
        #[arg(long, value_name = "ADDRESS:PORT")]
        at: Option<SocketAddr>,
    },
    /// List the speakers of this house, with the fingerprints of their keys.
    List,
    /// Trust a speaker no more; it cannot come back with the same key.
    Remove {
        /// The name of its room, as `hark house list` shows it.
        room: String,
    },
    /// Leave the house; this speaker gets a new key.
    Leave,
}

impl From<&Act> for Ask {
    fn from(act: &Act) -> Ask {
        match act {
            Act::Status | Act::List => Ask::Status,
            Act::Invite => Ask::Invite,
            Act::Join { code, at } => Ask::Join { code: code.join(" "), at: *at },
            Act::Remove { room } => Ask::Remove { room: room.clone() },
            Act::Leave => Ask::Leave,
        }
    }
}

/// Prints the answer.
///
/// # Errors
/// What the speaker said against it.
pub fn print(act: &Act, answer: Answer) -> anyhow::Result<ExitCode> {
    if let Some(error) = answer.error {
        anyhow::bail!("{error}");
    }
    match answer.house.context("the speaker sent no answer about the house")? {
        Told::Status(status) if matches!(act, Act::List) => list(&status),
        Told::Status(status) => tell(&status),
        Told::Code(code, seconds) => {
            let (first, last) = code.split_at_checked(3).unwrap_or((&code, ""));
            println!("{first} {last}");
            eprintln!("on the new speaker, within {} minutes: hark house join {code}", seconds / 60);
        }
        Told::Joined(room, others) => println!("joined the house of `{room}`: {others} other speakers"),
        Told::Done => (),
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(status: &HouseStatus) {
    let row = |name: &str, value: String| println!("{name:<12}{value}");
    row("our key", status.key.clone());
    for member in &status.members {
        let state = match &member.way {
            Some(way) => format!("up, {way}"),
            None => "not there".into(),
        };
        row("speaker", format!("{} ({}): {state}", member.room, member.name));
    }
    if status.members.is_empty() {
        row("speakers", "no others; `hark house invite` and `hark house join` change that".into());
    }
    let refused = status.refused;
    row(
        "refused",
        format!(
            "{} forged, {} of strangers, {} for an earlier life, {} too late, {} twice, {} junk",
            refused.forged, refused.unknown, refused.stale, refused.late, refused.again, refused.junk
        ),
    );
    for problem in &status.problems {
        row("problem", problem.clone());
    }
}

fn list(status: &HouseStatus) {
    for member in &status.members {
        println!(
            "{:<24}{}  {:<10}vouched for by {}",
            member.room,
            member.key,
            if member.up { "up" } else { "not there" },
            member.by
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Question;

    #[test]
    fn questions_and_answers_survive_the_socket() {
        let join = Act::Join { code: vec!["123".into(), "456".into()], at: Some(([10, 0, 0, 1], 7373).into()) };
        for act in [Act::Status, Act::Invite, join, Act::Remove { room: "attic".into() }, Act::Leave] {
            let question = Question::House((&act).into());
            let text = serde_json::to_string(&question).unwrap();
            let back: Question = serde_json::from_str(&text).unwrap();
            assert_eq!(format!("{back:?}"), format!("{question:?}"), "{text}");
        }
        for told in
            [Told::Status(HouseStatus::default()), Told::Code("1".into(), 300), Told::Joined("hall".into(), 2), Told::Done]
        {
            let text = serde_json::to_string(&told).unwrap();
            assert_eq!(serde_json::from_str::<Told>(&text).unwrap(), told, "{text}");
        }
    }
}
