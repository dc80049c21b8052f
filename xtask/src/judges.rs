//! Programs that nobody here wrote judge a running gateway (`scim2-tester` and `scim2-client` from `PyPI`) and a running simulated
//! org (`simple-salesforce` from `PyPI`, `jsforce` and the official Salesforce CLI from npm).

use std::{path::Path, process::Stdio};

use crate::{root, run, target, test::Count, tools};

/// Builds the gateway and lets every script of tests/judges look at it.
pub fn run() -> Result<Count, String> {
    let python = tools::python()?;
    let node = tools::node()?;
    if !run::passes(run::cargo(&["build", "--package", "gangway", "--locked"]))? {
        return Err("gangway does not build".to_owned());
    }
    let gangway = target().join("debug/gangway");
    let mut total = Count::default();
    for script in scripts()? {
        let interpreter = if is_python(&script) { &python } else { &node };
        eprintln!("== judge: {script}");
        let mut command = run::command(&interpreter.to_string_lossy(), &[&script]);
        command.arg(&gangway).env("JUDGES_NODE", &node).stdin(Stdio::null());
        let mut counted = None;
        let passed = run::follow(command, |line| counted = tally(line).or(counted))?;
        let count = counted.ok_or_else(|| format!("{script} did not come to an end"))?;
        total.passed += count.passed;
        // Should it fail for a reason that it does not count, that is one.
        total.failed += count.failed.max(u64::from(!passed));
    }
    Ok(total)
}

fn scripts() -> Result<Vec<String>, String> {
    let directory = root().join("tests/judges");
    let entries =
        std::fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut scripts: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "py" || ext == "mjs"))
        .filter(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('_')))
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    scripts.sort();
    if scripts.is_empty() { Err("there is no judge in tests/judges".to_owned()) } else { Ok(scripts) }
}

fn is_python(script: &str) -> bool {
    Path::new(script).extension().is_some_and(|ext| ext == "py")
}

/// Reads a script's closing line: `N passed, N failed`.
fn tally(line: &str) -> Option<Count> {
    let (passed, failed) = line.split_once(" passed, ")?;
    Some(Count { passed: passed.parse().ok()?, failed: failed.strip_suffix(" failed")?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_line_is_read() {
        assert_eq!(tally("12 passed, 3 failed"), Some(Count { passed: 12, failed: 3 }));
        assert_eq!(tally("12 passed"), None);
    }
}
