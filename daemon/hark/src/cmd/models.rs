//! `hark models`: other speech models than the one that is built in.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;
use speech::Model;

use super::change;
use super::progress::Line;
use crate::config::problems::did_you_mean;
use crate::config::{Settings, Sources, load, paths};
use crate::models::download::Patience;
use crate::models::install::{Source, Trust, Wanted, install};
use crate::models::{Listed, Shelf, catalogue, megabytes, sums};

/// What can be done.
#[derive(Clone, Debug, Subcommand)]
pub enum Act {
    /// List the models that are known, and which of them are here.
    #[command(after_help = "Examples:\n  hark models list\n  hark models list --language de")]
    List {
        /// Only those that understand this language.
        #[arg(long, value_name = "TAG")]
        language: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Install a model: fetch, verify, unpack and check it.
    #[command(after_help = "\
A download that was interrupted goes on where it stopped when the command is given again.

Examples:
  hark models install vosk-model-small-de-0.15
  hark models install vosk-model-small-de-0.15 --mirror https://mirror.example/vosk
  hark models install --file vosk-model-small-de-0.15.zip")]
    Install {
        /// As `hark models list` shows it; may be left out with `--file`.
        #[arg(required_unless_present = "file")]
        name: Option<String>,
        /// The folder on a server that holds NAME.zip, or the address of the archive itself.
        #[arg(long, value_name = "URL", conflicts_with = "file")]
        mirror: Option<String>,
        /// An archive that was fetched otherwise, or the folder of a model.
        #[arg(long, value_name = "PATH")]
        file: Option<PathBuf>,
        /// The SHA-256 sum that the archive must have, in place of the one that is known.
        #[arg(long, value_name = "SUM")]
        sha256: Option<String>,
    },
    /// Write a model into hark.yaml as the one to listen with.
    #[command(after_help = "Examples:\n  hark models use vosk-model-small-de-0.15\n  hark models use hark --dry-run")]
    Use {
        /// The name of an installed model, or of the one that is built in.
        name: String,
        /// Show what would be changed, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Delete an installed model.
    Remove {
        /// Its name.
        name: String,
    },
}

/// Does it.
///
/// # Errors
/// The text says what, where and what to do.
pub fn run(act: &Act, sources: &Sources) -> anyhow::Result<ExitCode> {
    let loaded = match load(sources) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(ExitCode::from(crate::cli::BAD_CONFIGURATION));
        }
    };
    let shelf = Shelf::of(&loaded.settings.state_dir);
    match act {
        Act::List { language, json } => list(&loaded.settings, &shelf, language.as_deref(), *json),
        Act::Install { name, mirror, file, sha256 } => {
            let wanted = wanted(name.as_deref(), mirror.as_deref(), file.as_deref(), sha256.as_deref())?;
            bring(&shelf, &wanted)
        }
        Act::Use { name, dry_run } => take(name, *dry_run, &loaded.settings, &shelf, sources),
        Act::Remove { name } => remove(name, &loaded.settings, &shelf),
    }
}

fn list(settings: &Settings, shelf: &Shelf, language: Option<&str>, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut listed = catalogue();
    let installed = shelf.installed();
    for name in &installed {
        if !listed.iter().any(|it| it.name == *name) {
            let (name, licence) = (name.clone(), "not known".into());
            listed.push(Listed { name, languages: Vec::new(), licence, built_in: false, url: None, size: None, sha256: None });
        }
    }
    listed.retain(|it| language.is_none_or(|language| it.understands(language)));
    let state = |it: &Listed| {
        let place = if it.built_in { paths::model(&it.name, Path::new(""), Path::new("")) } else { Some(shelf.place(&it.name)) };
        match place {
            Some(place) if same_folder(&place, &settings.speech.model) => "in use",
            Some(_) if it.built_in => "built in",
            _ if installed.contains(&it.name) => "installed",
            _ => "",
        }
    };
    if as_json {
        let all: Vec<_> = listed
            .iter()
            .map(|it| {
                let mut row = json!(it);
                row["state"] = json!(state(it));
                row
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("{:<34}{:<10}{:>9}  {:<20}STATE", "NAME", "LANGUAGE", "SIZE", "LICENCE");
    for it in &listed {
        let size = it.size.map_or_else(String::new, megabytes);
        let row = format!("{:<34}{:<10}{size:>9}  {:<20}{}", it.name, it.languages.join(","), it.licence, state(it));
        println!("{}", row.trim_end());
    }
    eprintln!("installed models are in {}", shelf.folder().display());
    Ok(ExitCode::SUCCESS)
}

fn same_folder(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// What exactly is to be installed.
fn wanted(name: Option<&str>, mirror: Option<&str>, file: Option<&Path>, sha256: Option<&str>) -> anyhow::Result<Wanted> {
    let from_file = file.and_then(|it| if it.is_dir() { it.file_name() } else { it.file_stem() });
    let name = name.map(str::to_owned).or_else(|| from_file.map(|it| it.to_string_lossy().into_owned())).unwrap_or_default();
    let listed = catalogue();
    let known = listed.iter().find(|it| it.name == name);
    if known.is_some_and(|it| it.built_in) {
        bail!("`{name}` comes with Hark and needs no installing; `hark models use {name}` takes it into use");
    }
    let source = match (file, mirror, known) {
        (Some(file), ..) => Source::File(file.to_owned()),
        (None, Some(mirror), _) if mirror.ends_with(".zip") => Source::Url(mirror.to_owned()),
        (None, Some(mirror), _) => Source::Url(format!("{}/{name}.zip", mirror.trim_end_matches('/'))),
        (None, None, Some(known)) => Source::Url(known.url.clone().unwrap_or_default()),
        (None, None, None) => {
            let hint = did_you_mean(&name, listed.iter().map(|it| &*it.name)).map(|it| format!("did you mean `{it}`?"));
            let hint = hint
                .unwrap_or_else(|| "`hark models list` shows those that are known; others need `--mirror` or `--file`".into());
            bail!("the model `{name}` is not known; {hint}");
        }
    };
    let told = sha256.map(sums::check).transpose()?;
    // Whoever names a sum wants that archive, whatever the list says.
    let size = known.and_then(|it| it.size).filter(|_| told.is_none());
    let sha256 = told.or_else(|| known.and_then(|it| it.sha256.clone()));
    Ok(Wanted { name, source, size, sha256 })
}

fn bring(shelf: &Shelf, wanted: &Wanted) -> anyhow::Result<ExitCode> {
    let mut line = Line::new(&wanted.name);
    let trust = install(shelf, wanted, Patience::default(), &mut |step| line.tell(&step))?;
    line.end();
    let place = shelf.place(&wanted.name);
    match trust {
        Trust::AlreadyThere => println!("{} is installed already, in {}, and whole", wanted.name, place.display()),
        Trust::Verified(sum) => println!("installed {} in {}\nverified: SHA-256 {sum}", wanted.name, place.display()),
        Trust::AsBefore(sum) => {
            println!("installed {} in {}\nas when it was first installed: SHA-256 {sum}", wanted.name, place.display());
        }
        Trust::FirstSeen(sum) => println!(
            "installed {} in {}\nNOT verified: no sum is known for this archive. It had SHA-256 {sum}; installed again, it must have the same",
            wanted.name,
            place.display()
        ),
        Trust::Folder => println!("installed {} in {}\nNOT verified: a folder has no sum", wanted.name, place.display()),
    }
    println!("to listen with it: hark models use {}", wanted.name);
    Ok(ExitCode::SUCCESS)
}

fn take(name: &str, dry_run: bool, settings: &Settings, shelf: &Shelf, sources: &Sources) -> anyhow::Result<ExitCode> {
    let known = catalogue();
    let Some(place) = paths::model(name, Path::new(""), shelf.folder().parent().unwrap_or(Path::new(""))) else {
        if known.iter().any(|it| it.name == name) {
            bail!("the model `{name}` is not installed; first: hark models install {name}");
        }
        let all: Vec<String> = shelf.installed();
        let hint = did_you_mean(name, all.iter().map(String::as_str).chain(known.iter().map(|it| &*it.name)));
        bail!(
            "there is no model `{name}`; {}",
            hint.map_or("`hark models list` shows those that there are".into(), |it| format!("did you mean `{it}`?"))
        );
    };
    Model::open(&place)?;
    let language = &settings.control.language;
    if let Some(listed) = known.iter().find(|it| it.name == name)
        && !listed.understands(language)
    {
        eprintln!(
            "warning: the model understands {}, and `language` in hark.yaml is {language}; change that too",
            listed.languages.join(", ")
        );
    }
    let code = change::set("speech", "model", name, dry_run, sources)?;
    if !dry_run {
        println!("`hark check` tells which names it does not know");
        println!("the speaker listens with it when it is started anew: sudo systemctl restart hark");
    }
    Ok(code)
}

fn remove(name: &str, settings: &Settings, shelf: &Shelf) -> anyhow::Result<ExitCode> {
    if same_folder(&shelf.place(name), &settings.speech.model) {
        bail!("the model `{name}` is in use; first take another one: hark models use NAME");
    }
    if !shelf.place(name).exists() && catalogue().iter().any(|it| it.built_in && it.name == name) {
        bail!("the model `{name}` comes with Hark and stays");
    }
    shelf.remove(name)?;
    println!("removed {name}");
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_named_by_list_mirror_or_file() {
        let name = "vosk-model-small-de-0.15";
        let url = |it: anyhow::Result<Wanted>| match it.unwrap().source {
            Source::Url(url) => url,
            Source::File(path) => path.display().to_string(),
        };
        assert!(url(wanted(Some(name), None, None, None)).starts_with("https://alphacephei.com/"));
        assert_eq!(url(wanted(Some(name), Some("http://m/vosk/"), None, None)), format!("http://m/vosk/{name}.zip"));
        assert_eq!(url(wanted(Some(name), Some("http://m/a.zip"), None, None)), "http://m/a.zip");
        let file = wanted(None, None, Some(Path::new("x/vosk-model-small-de-0.15.zip")), None).unwrap();
        assert_eq!((file.name.as_str(), file.sha256.is_some()), (name, true));
        for (name, said) in [
            ("vosk-model-small-de-0.51", "did you mean `vosk-model-small-de-0.15`?"),
            ("hark", "comes with Hark"),
            ("x", "hark models list"),
        ] {
            let err = wanted(Some(name), None, None, None).unwrap_err().to_string();
            assert!(err.contains(said), "{err}");
        }
        assert!(wanted(Some(name), None, None, Some("abc")).is_err());
    }
}
