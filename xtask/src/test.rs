//! `cargo xtask test`: everything that has to hold, one build profile, one closing line.

use std::{fs, process::ExitCode};

use crate::{judges, run, target, tools};

/// How many checks passed and failed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub passed: u64,
    pub failed: u64,
}

impl Count {
    /// One check.
    fn one(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// A step: what it is called, and what came of it. A step that cannot be taken is a failure.
type Step = (&'static str, fn() -> Result<Count, String>);

/// In the order in which mistakes are cheapest to find.
const STEPS: [Step; 5] = [
    ("format", format),
    ("lints", lints),
    ("tests", tests),
    ("documentation tests", documentation_tests),
    ("judges", judges::run),
];

/// Takes every step.
pub fn all() -> ExitCode {
    run(&STEPS)
}

/// Takes the last step alone.
pub fn judges() -> ExitCode {
    run(&STEPS[STEPS.len() - 1..])
}

/// Takes steps, also after one has failed, and closes with `N passed, N failed`.
fn run(steps: &[Step]) -> ExitCode {
    let mut total = Count::default();
    for (name, step) in steps {
        eprintln!("\n== {name}");
        match step() {
            Ok(count) => {
                eprintln!("== {name}: {} passed, {} failed", count.passed, count.failed);
                total.add(count);
            }
            Err(why) => {
                eprintln!("== {name}: {why}");
                total.add(Count::one(false));
            }
        }
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn format() -> Result<Count, String> {
    tools::components()?;
    run::passes(run::cargo(&["fmt", "--all", "--check"])).map(Count::one)
}

fn lints() -> Result<Count, String> {
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    run::passes(run::cargo(&clippy)).map(Count::one)
}

/// Unit tests, properties, stories. Each in a process of its own, counted from nextest's own report.
fn tests() -> Result<Count, String> {
    tools::nextest()?;
    // Whatever platform they are for: the tests of the architecture look at all of them, and stay offline.
    if !run::passes(run::cargo(&["fetch", "--locked"]))? {
        return Err("the dependencies cannot be fetched".to_owned());
    }
    let report = target().join("nextest/default/junit.xml");
    let _ = fs::remove_file(&report);
    let nextest = [
        "nextest",
        "run",
        "--workspace",
        "--locked",
        "--no-fail-fast",
        "--config-file",
        "xtask/nextest.toml",
    ];
    let passed = run::passes(run::cargo(&nextest))?;
    let text =
        fs::read_to_string(&report).map_err(|_| "the tests did not run (do they build?)".to_owned())?;
    let count = junit(&text).ok_or("nextest's report cannot be read")?;
    // Should nextest fail for a reason that it does not count, that is one.
    Ok(if passed || count.failed > 0 { count } else { Count { failed: 1, ..count } })
}

/// Reads `tests`, `failures` and `errors` of the outermost element of a `JUnit` report.
fn junit(text: &str) -> Option<Count> {
    let start = text.find("<testsuites ")?;
    let element = &text[start..start + text[start..].find('>')?];
    let number = |name: &str| -> Option<u64> {
        let value = element.split_once(&format!(" {name}=\""))?.1;
        value.split_once('"')?.0.parse().ok()
    };
    let failed = number("failures")? + number("errors")?;
    Some(Count { passed: number("tests")?.checked_sub(failed)?, failed })
}

fn documentation_tests() -> Result<Count, String> {
    let mut count = Count::default();
    let passed =
        run::follow(run::cargo(&["test", "--doc", "--workspace", "--locked", "--no-fail-fast"]), |line| {
            if let Some(found) = libtest(line) {
                count.add(found);
            }
        })?;
    Ok(if passed || count.failed > 0 { count } else { Count { failed: 1, ..count } })
}

/// Reads `test result: ok. 3 passed; 0 failed; …`.
fn libtest(line: &str) -> Option<Count> {
    let numbers = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let mut parts = numbers.split("; ");
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some(Count { passed, failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_counted() {
        let text = r#"<?xml version="1.0"?><testsuites name="nextest-run" tests="12" failures="2" errors="1" time="3"><testsuite/>"#;
        assert_eq!(junit(text), Some(Count { passed: 9, failed: 3 }));
        assert_eq!(junit("nothing"), None);
        let line = "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(libtest(line), Some(Count { passed: 3, failed: 1 }));
        assert_eq!(libtest("test x ... ok"), None);
    }
}
