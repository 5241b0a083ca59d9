//! The process: arguments, logging, exit codes.

use std::process::ExitCode;

use clap::Parser;
use hark::cli::Arguments;

fn main() -> ExitCode {
    hark::cli::run(Arguments::parse())
}
