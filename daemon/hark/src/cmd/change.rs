//! One value of hark.yaml, changed by a command and shown.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::config::{Sources, edit, load};

/// Writes `block.key` into the file that wins over the others, and shows what was changed.
///
/// # Errors
/// When the file cannot be changed; the text says what to write by hand.
pub fn set(block: &str, key: &str, value: &str, dry_run: bool, sources: &Sources) -> anyhow::Result<ExitCode> {
    let path = sources.config.as_ref().unwrap_or(&sources.system);
    let shown = path.display();
    let by_hand = format!("write into it by hand, below `{block}:`\n  {key}: {value}");
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(err) if err.kind() == ErrorKind::NotFound && sources.config.is_none() => String::new(),
        Err(err) => return Err(err).with_context(|| format!("reading `{shown}`; {by_hand}")),
    };
    let Some(edited) = edit::set(&text, block, key, value) else {
        bail!("`{shown}` is written in a way that is not changed by a command; {by_hand}");
    };
    let variable = format!("HARK_{}__{}", block.to_uppercase(), key.to_uppercase());
    if sources.variables.iter().any(|it| it.0 == variable) {
        eprintln!("warning: the variable {variable} is set here and wins over the file");
    }
    if edited.text == text {
        println!("{shown}:{}: {} (as it was)", edited.line, edited.after.trim());
        return Ok(ExitCode::SUCCESS);
    }
    if !dry_run {
        write(path, &text, &edited.text, &by_hand, sources)?;
    }
    println!("{shown}:{}{}", edited.line, if dry_run { " would be:" } else { ":" });
    if let Some(before) = &edited.before {
        println!("- {before}");
    }
    println!("+ {}", edited.after);
    Ok(ExitCode::SUCCESS)
}

/// Writes the file; when the configuration would be wrong with it, as it was.
fn write(path: &Path, before: &str, after: &str, by_hand: &str, sources: &Sources) -> anyhow::Result<()> {
    let shown = path.display();
    // In place, so that owner and permissions stay.
    fs::write(path, after).map_err(|err| match err.kind() {
        ErrorKind::PermissionDenied => anyhow::anyhow!("`{shown}` may not be changed by this user; as root, or {by_hand}"),
        ErrorKind::NotFound => anyhow::anyhow!("there is no folder for `{shown}`; name a file with `--config`, or {by_hand}"),
        _ => anyhow::anyhow!("`{shown}` cannot be written: {err}; {by_hand}"),
    })?;
    if let Err(problems) = load(sources) {
        // Whatever it was: it is undone, so that the speaker starts.
        fs::write(path, before).with_context(|| format!("writing `{shown}` as it was"))?;
        bail!("with this change the configuration would be wrong, so it was undone:\n{problems}");
    }
    Ok(())
}
