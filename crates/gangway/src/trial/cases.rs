//! `*.test.toml` beside a mapping: given this person, expect these fields.
//!
//! ```toml
//! [[test]]
//! name = "a joiner from Antwerp"
//! person = { userName = "ada@acme.example", name = { familyName = "Lovelace" }, locale = "nl-BE" }
//! target = "staff"
//! expect.fields = { LocaleSidKey = "nl_BE", LastName = "Lovelace" }
//! ```

mod document;
mod judge;

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use translation::{Mapping, Target};

use super::{Attempt, Descriptions, Person, holdings};
use crate::config::ConfigErrors;
use document::Case;
use model::{OrgName, Timestamp};

/// The tests of one file.
#[derive(Debug)]
pub(crate) struct CaseFile {
    path: PathBuf,
    text: String,
    cases: Vec<Case>,
}

/// What a test found that it did not expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CaseFailure {
    /// `acme-prod.test.toml:12`.
    pub(crate) place: String,
    /// The test's name.
    pub(crate) case: String,
    /// What was expected, and what was found.
    pub(crate) what: String,
}

/// What the tests of a tenant's mapping need besides it.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    /// What time it is, where a test does not say.
    pub(crate) now: Timestamp,
    /// What the orgs have said.
    pub(crate) descriptions: Descriptions,
    /// The org of targets that name none.
    pub(crate) default_org: Option<&'a OrgName>,
    /// The environment's `username-domain`.
    pub(crate) username_domain: Option<&'a str>,
}

/// The files with tests of a mapping: `acme.test.toml` and `acme.*.test.toml` beside `acme.toml`, by name.
///
/// # Errors
///
/// Where the directory cannot be read.
pub(crate) fn test_files(mapping: &Path) -> std::io::Result<Vec<PathBuf>> {
    let Some(stem) = mapping.file_stem().and_then(|stem| stem.to_str()) else { return Ok(Vec::new()) };
    let directory = mapping.parent().filter(|directory| !directory.as_os_str().is_empty());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory.unwrap_or(Path::new(".")))? {
        let name = entry?.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(stem));
        if rest.is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".test.toml")) {
            files.push(mapping.with_file_name(&name));
        }
    }
    files.sort();
    Ok(files)
}

impl CaseFile {
    /// Reads a file, and the persons that it names.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, as in a configuration.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigErrors> {
        let text = fs::read_to_string(path)
            .map_err(|error| ConfigErrors::unreadable(path, &format!("the tests cannot be read: {error}")))?;
        let cases = document::read(&text, path)?;
        Ok(Self { path: path.to_owned(), text, cases })
    }

    /// How many tests there are.
    pub(crate) fn len(&self) -> usize {
        self.cases.len()
    }

    /// Runs all of them.
    pub(crate) fn run(&self, mapping: &Mapping, around: &Surroundings<'_>) -> Vec<CaseFailure> {
        self.cases.iter().flat_map(|case| self.run_case(case, mapping, around)).collect()
    }

    fn run_case(&self, case: &Case, mapping: &Mapping, around: &Surroundings<'_>) -> Vec<CaseFailure> {
        let at_name = |what: String| vec![self.failure(case, &case.name.span(), what)];
        let (target, place) = match target_of(case, mapping) {
            Ok(found) => found,
            Err(what) => return at_name(what),
        };
        let description = match around.descriptions.of(target, around.default_org) {
            Ok(description) => description,
            Err(error) => return vec![self.failure(case, &place, error.to_string())],
        };
        let holding = holdings(mapping, &case.person.resource, around.default_org)
            .into_iter()
            .find_map(|(name, holding)| (name == target.name).then_some(holding));
        let Some(holding) = holding else { return at_name("no target was tried".to_owned()) };
        let domain = case.username_domain.as_deref().or(around.username_domain);
        let attempt = Attempt {
            mapping,
            person: &case.person,
            action: case.action,
            username_domain: domain,
            now: case.now.unwrap_or(around.now),
        };
        let trial = attempt.at(target, holding, &description);
        let failures = judge::judge(&case.expect, &trial);
        failures
            .into_iter()
            .map(|(span, what)| self.failure(case, &span.unwrap_or_else(|| case.name.span()), what))
            .collect()
    }

    fn failure(&self, case: &Case, span: &Range<usize>, what: String) -> CaseFailure {
        let line = self.text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
        CaseFailure {
            place: format!("{}:{line}", self.path.display()),
            case: case.name.get_ref().clone(),
            what,
        }
    }
}

/// The target that a case is about, and where it is named; the only one where it names none.
fn target_of<'m>(case: &Case, mapping: &'m Mapping) -> Result<(&'m Target, Range<usize>), String> {
    let known = || {
        let names: Vec<&str> = mapping.targets.iter().map(|target| target.name.as_str()).collect();
        names.join(", ")
    };
    match (&case.target, mapping.targets.as_slice()) {
        (Some(wanted), targets) => targets
            .iter()
            .find(|target| target.name.as_str() == wanted.get_ref())
            .map(|target| (target, wanted.span()))
            .ok_or_else(|| format!("there is no target `{}`; there are: {}", wanted.get_ref(), known())),
        (None, [only]) => Ok((only, case.name.span())),
        (None, _) => Err(format!("which target? There are: {}", known())),
    }
}

#[cfg(test)]
mod tests;
