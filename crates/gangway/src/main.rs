//! Starts Gangway.

use std::process::ExitCode;

fn main() -> ExitCode {
    gangway::commands::run(std::env::args_os())
}
