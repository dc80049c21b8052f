//! The tests beside a mapping.

use std::path::Path;

use translation::Mapping;

use super::{Report, count};
use crate::trial::{CaseFile, Surroundings, test_files};

/// Runs the tests beside a mapping and reports what failed.
pub(super) fn run(
    file: &Path,
    mapping: &Mapping,
    around: &Surroundings<'_>,
    about: &str,
    report: &mut Report,
) {
    let files = match test_files(file) {
        Ok(files) => files,
        Err(error) => {
            let what = format!("the tests beside {} cannot be found: {error}", file.display());
            return report.problem(about, what, "may Gangway read the directory?");
        }
    };
    for path in files {
        let cases = match CaseFile::read(&path) {
            Ok(cases) => cases,
            Err(errors) => {
                for problem in errors.problems() {
                    let what = format!("{}: {}", problem.place(), problem.message());
                    report.problem(
                        about,
                        what,
                        problem.help().unwrap_or("docs/mapping.md says what a test has"),
                    );
                }
                continue;
            }
        };
        let failures = cases.run(mapping, around);
        if failures.is_empty() {
            report.ok(about, format!("{}: {} passed", path.display(), count(cases.len(), "test")));
        }
        for failure in failures {
            let what = format!("{}: {}: {}", failure.place, failure.case, failure.what);
            report.problem(about, what, "correct the mapping, or the test");
        }
    }
}
