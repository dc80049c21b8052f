//! The command line: one file per command, and what they share.

mod apply;
mod audit;
mod changes;
mod check;
mod connect;
mod demo;
mod events;
mod explain;
mod holds;
mod identity;
mod output;
mod people;
mod plan;
mod preview;
mod progress;
mod resync;
mod schema;
mod serve;
mod sim;
mod tasks;
mod token;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{config::ConfigErrors, wire::StartError};
use output::Output;

/// A self-hosted SCIM 2.0 gateway in front of Salesforce.
#[derive(Debug, Parser)]
#[command(name = "gangway", version, after_help = EXIT_CODES)]
struct CommandLine {
    /// How answers are printed.
    #[arg(long, global = true, value_enum, default_value_t)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 wrong configuration, 4 `check`, `preview` or \
                          `audit verify` found something, or `apply` that something has moved.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the tenants of a configuration.
    Serve(serve::Arguments),
    /// Show what Gangway does: a simulated org, a gateway in front of it, and a few people who arrive.
    Demo(demo::Arguments),
    /// Run a simulated Salesforce org alone.
    Sim(sim::Arguments),
    /// Check a configuration, its mappings and the orgs it names.
    Check(check::Arguments),
    /// Show what a mapping makes of a person: fields, notes and refusals. Nothing is written.
    Preview(preview::Arguments),
    /// Connect an org: sign in to Salesforce with a browser, and keep the refresh token. Also while a gateway runs.
    Connect(connect::Arguments),
    /// Tokens of clients.
    #[command(subcommand)]
    Token(token::Command),
    /// List changes that are not finished, also while a gateway runs.
    Changes(changes::Arguments),
    /// List what only a person can decide, also while a gateway runs.
    Holds(holds::Arguments),
    /// Show exactly what would be done for an identity, a group or everyone. Also while a gateway runs.
    Plan(plan::Arguments),
    /// Do what was planned, if nothing has moved since. Also while a gateway runs.
    Apply(apply::Arguments),
    /// Say which Salesforce record is an identity's. Also while a gateway runs.
    Adopt(resync::Adoption),
    /// Bring the records of an identity into agreement with what is known of it. Also while a gateway runs.
    Resync(resync::Arguments),
    /// List what is owed later, also while a gateway runs.
    Tasks(tasks::Arguments),
    /// What came of events, and what is to be done about them. Also while a gateway runs.
    #[command(subcommand)]
    Events(events::Command),
    /// Say where the value of a field comes from: rule, attribute, request. Also while a gateway runs.
    Explain(explain::Arguments),
    /// Who has what and why, and whether the trail of it is whole. Also while a gateway runs.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Print the JSON Schema of the configuration.
    #[command(hide = true)]
    Schema(schema::Arguments),
}

/// Which configuration.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(long = "config", short = 'c', value_name = "FILE", env = "GANGWAY_CONFIG")]
    path: PathBuf,
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Exit code 3.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Exit code 1.
    #[error("{0}")]
    Failed(String),
    /// Exit code 4, after the findings have been printed.
    #[error("there is something to look at")]
    Findings,
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        Self::Failed(chain(&error))
    }
}

/// An error with everything below it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        below = cause.source();
    }
    text
}

/// Runs one command line and answers with its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        // Help and version end here too, with 0.
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let output = line.output;
    match execute(line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let code = match &failure {
                Failure::Failed(why) => {
                    output::complain(output, why);
                    1
                }
                Failure::Config(errors) => {
                    output::complain_of_config(output, errors);
                    3
                }
                Failure::Findings => 4,
            };
            ExitCode::from(code)
        }
    }
}

fn execute(line: CommandLine) -> Result<(), Failure> {
    let output = line.output;
    match line.command {
        Command::Serve(arguments) => wait(serve::run(&arguments, output)),
        Command::Demo(arguments) => wait(demo::run(arguments, output)),
        Command::Sim(arguments) => wait(sim::run(arguments, output)),
        Command::Check(arguments) => wait(check::run(&arguments, output)),
        Command::Preview(arguments) => wait(preview::run(&arguments, output)),
        Command::Connect(arguments) => wait(connect::run(&arguments, output)),
        Command::Token(command) => token::run(&command, output),
        Command::Changes(arguments) => wait(changes::run(&arguments, output)),
        Command::Holds(arguments) => wait(holds::run(&arguments, output)),
        Command::Plan(arguments) => wait(plan::run(&arguments, output)),
        Command::Apply(arguments) => wait(apply::run(&arguments, output)),
        Command::Adopt(arguments) => wait(resync::adopt(&arguments, output)),
        Command::Resync(arguments) => wait(resync::resync(&arguments, output)),
        Command::Tasks(arguments) => wait(tasks::run(&arguments, output)),
        Command::Events(command) => wait(events::run(&command, output)),
        Command::Explain(arguments) => wait(explain::run(&arguments, output)),
        Command::Audit(command) => wait(audit::run(&command, output)),
        Command::Schema(arguments) => {
            schema::run(&arguments);
            Ok(())
        }
    }
}

/// Runs a command in a runtime of its own.
fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("no runtime: {error}")))?;
    runtime.block_on(command)
}

/// Ends when somebody asks the process to: Ctrl-C or SIGTERM.
async fn asked_to_stop() {
    use tokio::signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    };

    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = ctrl_c().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
