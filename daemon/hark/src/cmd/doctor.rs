//! `hark doctor`: what is wrong with this installation and how to mend it, part by part.

mod net;
mod sound;

use std::process::ExitCode;

use speech::say;
use speech::say::Voice;

use super::check;
use crate::config::{self, Loaded, Settings, Sources};
use crate::socket::{self, Question};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Nothing to do.
    Ok,
    /// It works, and could work better.
    Warn,
    /// It does not work.
    Fail,
}

/// What was found out about one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// Which part.
    pub part: &'static str,
    /// What was found.
    pub what: String,
    /// How to mend it; empty when all is well.
    pub mend: String,
}

/// All is well.
fn ok(part: &'static str, what: impl Into<String>) -> Finding {
    Finding { grade: Grade::Ok, part, what: what.into(), mend: String::new() }
}

/// It works, and could work better.
fn warn(part: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { grade: Grade::Warn, part, what: what.into(), mend: mend.into() }
}

/// It does not work.
fn fail(part: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { grade: Grade::Fail, part, what: what.into(), mend: mend.into() }
}

/// Looks at everything and tells. The exit code is 1 if a part does not work, 78 if the configuration is wrong.
///
/// # Errors
/// When there is no runtime to ask with.
pub fn run(sources: &Sources) -> anyhow::Result<ExitCode> {
    let mut worst = Grade::Ok;
    let mut tell = |finding: Finding| {
        worst = worst.max(finding.grade);
        print!("{}", line(&finding));
    };
    let loaded = match config::load(sources) {
        Ok(loaded) => loaded,
        Err(problems) => {
            tell(fail("configuration", format!("{} problems", problems.0.len()), "mend these, then run `hark doctor` again"));
            println!("{problems}");
            return Ok(ExitCode::from(crate::cli::BAD_CONFIGURATION));
        }
    };
    configuration(sources).into_iter().for_each(&mut tell);
    let settings = &loaded.settings;
    tell(model(settings));
    tell(voice(&loaded));
    let runs = is_running(settings)?;
    if runs {
        tell(ok("speaker", "hark is running; it uses the sound card and the ports, `hark status` tells how they are"));
    } else {
        sound::look(settings).into_iter().for_each(&mut tell);
    }
    net::sip(settings, runs).into_iter().for_each(&mut tell);
    tell(net::mqtt(settings, runs)?);
    Ok(if worst == Grade::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One line, and one for the mend.
fn line(finding: &Finding) -> String {
    let grade = match finding.grade {
        Grade::Ok => "ok",
        Grade::Warn => "warn",
        Grade::Fail => "FAIL",
    };
    let mend = if finding.mend.is_empty() { String::new() } else { format!("      -> {}\n", finding.mend) };
    format!("{grade:<5} {}: {}\n{mend}", finding.part, finding.what)
}

fn configuration(sources: &Sources) -> Vec<Finding> {
    let outcome = check::what_runs(sources);
    let mut findings = vec![ok("configuration", outcome.summary)];
    findings.extend(outcome.warnings.iter().map(|it| warn("configuration", format!("{}: {}", it.place, it.what), &it.mend)));
    findings
}

fn model(settings: &Settings) -> Finding {
    match settings.open_model() {
        Ok(model) => ok("speech model", model.path().display().to_string()),
        Err(err) => in_two("speech model", &err.to_string(), "set `speech.model` in hark.yaml"),
    }
}

fn voice(loaded: &Loaded) -> Finding {
    let voice = Voice { command: loaded.settings.speech.voice_command.clone() };
    let program = voice.command.join(" ");
    let Some(text) = loaded.phrases.prompts.get("okay") else { return ok("voice", program) };
    match say::speak(&voice, text, &loaded.settings.control.language) {
        Ok((samples, _)) if samples.iter().all(|it| it.abs() < 0.001) => {
            fail("voice", format!("`{program}` speaks silence"), "try another voice: `speech.voice` in hark.yaml")
        }
        Ok(_) => ok("voice", format!("`{program}` speaks")),
        Err(err) => in_two("voice", &err.to_string(), "install espeak-ng, or set `speech.voice` in hark.yaml"),
    }
}

/// An error whose text may bring its mend along.
fn in_two(part: &'static str, error: &str, mend: &str) -> Finding {
    match error.split_once("; ") {
        Some((what, mend)) => fail(part, what, mend),
        None => fail(part, error, mend),
    }
}

fn is_running(settings: &Settings) -> anyhow::Result<bool> {
    if !settings.socket.exists() {
        return Ok(false);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ask = async { tokio::time::timeout(net::PATIENCE, socket::ask(&settings.socket, &Question::Status)).await };
    Ok(matches!(runtime.block_on(ask), Ok(Ok(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_and_its_mend_another() {
        assert_eq!(line(&ok("voice", "`espeak-ng` speaks")), "ok    voice: `espeak-ng` speaks\n");
        assert_eq!(
            line(&in_two("speech model", "there is no `x`; correct the path", "")),
            "FAIL  speech model: there is no `x`\n      -> correct the path\n"
        );
    }
}
