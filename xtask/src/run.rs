//! Running programs from the root of the workspace.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use crate::root;

/// A command in the root of the workspace.
pub fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// The cargo that runs us.
pub fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    command(&cargo, arguments)
}

/// Runs a command whose output everyone sees. Answers whether it said that all is well.
pub fn passes(mut command: Command) -> Result<bool, String> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    Ok(status.success())
}

/// Runs a command, shows each line of its standard output and hands it on. Answers whether it said that all is well.
pub fn follow(mut command: Command, mut line: impl FnMut(&str)) -> Result<bool, String> {
    let fail = |error: std::io::Error| error.to_string();
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| format!("{command:?}: {error}"))?;
    if let Some(out) = child.stdout.take() {
        for text in BufReader::new(out).lines() {
            let text = text.map_err(fail)?;
            println!("{text}");
            line(&text);
        }
    }
    Ok(child.wait().map_err(fail)?.success())
}

/// What a command prints.
pub fn output(mut command: Command) -> Result<String, String> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

/// Whether a command can be run and says that all is well; what it prints is not shown.
pub fn works(program: &str, arguments: &[&str]) -> bool {
    command(program, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
