//! `hark demo`: one household scene in a simulated room. Only the room is simulated; hearing, deciding, calling and echo cancellation are
//! those of `hark run`, and mom's phone is a process of its own, called over real SIP and RTP.

pub mod handset;
pub mod measure;
pub mod phone;
pub mod picture;
pub mod scene;
pub mod script;
pub mod summary;
pub mod tape;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

/// How the demo is started.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Keep recordings, transcript, summary and picture in this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Another scene than the built-in one, written like configs/demo/en.yaml.
    #[arg(long, value_name = "FILE")]
    scene: Option<PathBuf>,
}

/// Plays the scene. Succeeds only when all of it came about.
///
/// # Errors
/// When the scene cannot be played at all: no espeak-ng, no model, no port.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let script = script::Script::read(options.scene.as_deref())?;
    println!("speaking the voices ...");
    let clips = script::Clips::speak(&script)?;
    let scratch = scratch()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(scene::play(&script, &clips, scratch.path()))?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome.summary.print();
    if let Some(folder) = &options.out {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        outcome.write(folder)?;
        println!("  kept in                    {}", folder.display());
    }
    Ok(if outcome.summary.result == "complete" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A folder that is gone when the demo is over.
struct Scratch(PathBuf);

impl Scratch {
    fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn scratch() -> anyhow::Result<Scratch> {
    let folder = std::env::temp_dir().join(format!("hark-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(Scratch(folder))
}
