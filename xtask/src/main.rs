//! The project's own commands, run as `cargo xtask …`.
//!
//! | command | what it does |
//! |---|---|
//! | `test` | everything that has to hold: format, lints, tests, documentation tests, judges from elsewhere |
//! | `judges` | the last of these alone |
//! | `schema` | writes what is generated from the source: the configuration's JSON Schema and its reference page |

mod judges;
mod run;
mod schema;
mod test;
mod tools;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Test everything, and close with one line: `N passed, N failed`.
    Test,
    /// Only let the judges from elsewhere look at a running gateway.
    Judges,
    /// Write schemas/gangway.schema.json and docs/configuration.md.
    Schema,
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Test => test::all(),
        Command::Judges => test::judges(),
        Command::Schema => match schema::write() {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("xtask: {why}");
                ExitCode::FAILURE
            }
        },
    }
}

/// The workspace: where this file's package is, without its last part.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}

/// Where cargo builds to, as it has been told.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}
