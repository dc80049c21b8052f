//! A TOML text whose keys and values still know where they stand.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigErrors, Problem};

/// Keys and values that a later version of Gangway will know, with what they are for. Naming them here makes the error
/// say so; ignoring them would be an outage later.
const LATER: [(&str, &str); 23] = [
    ("admin", "the admin API"),
    ("apply-identifier-change", "a new address by a signal; `identifier-changed` is an alarm"),
    ("authority", "authority per attribute"),
    ("basic", "Basic authentication of clients"),
    ("connect", "the connection guide"),
    ("console", "the console"),
    ("consent", "the consent door"),
    (
        "deactivate-after",
        "deactivating by itself whom a signal has frozen; he stays frozen, and the identity tool deactivates him",
    ),
    ("doors", "doors other than SCIM"),
    ("events", "the events door"),
    ("hr", "the HR door"),
    ("intake", "doors other than SCIM"),
    ("jwt", "JWT authentication of clients"),
    ("metrics", "metrics"),
    ("mtls", "client certificates"),
    ("partial", "entitlements by group membership"),
    ("populations", "populations"),
    ("reconcile", "reconciliation"),
    ("retention", "retention periods"),
    ("targets", "targets in the configuration itself; they stand in the file that `mapping` names"),
    ("telemetry", "telemetry"),
    ("thresholds", "thresholds"),
    ("tls", "TLS of Gangway's own; put a TLS-terminating proxy in front of it"),
];

/// One step on the way to a value: a key of a table or a position in an array.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// Where a value stands, from the root of the document.
pub(super) type Place = Vec<Step>;

/// Puts a [`Place`] together: `place!["orgs", name, "url"]`.
macro_rules! place {
    ($($step:expr),* $(,)?) => { vec![$($crate::config::document::Step::from($step)),*] };
}
pub(super) use place;

/// A TOML text that has been parsed, with its name.
pub(crate) struct Document<'t> {
    text: &'t str,
    shared: Arc<str>,
    path: PathBuf,
    table: DeTable<'t>,
}

impl<'t> Document<'t> {
    /// Parses a text. All syntax errors are reported at once.
    pub(crate) fn parse(text: &'t str, path: &Path) -> Result<Self, ConfigErrors> {
        let shared: Arc<str> = Arc::from(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(Self { text, shared, path: path.to_owned(), table: table.into_inner() });
        }
        let name = path.display().to_string();
        let problems = errors
            .iter()
            .map(|error| {
                Problem::new(&name, Arc::clone(&shared), error.span(), &one_line(error.message()), None)
            })
            .collect();
        Err(ConfigErrors::new(problems))
    }

    /// The directory that relative paths start from.
    pub(super) fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => directory,
            _ => Path::new("."),
        }
    }

    /// Reads the text as a type that refuses unknown keys.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigErrors> {
        toml::from_str(self.text).map_err(|error| {
            let (message, help) = explain(error.message());
            ConfigErrors::new(vec![self.at(error.span(), &message, help)])
        })
    }

    /// A problem with the value at a place, or with the nearest table above it that there is.
    pub(super) fn problem(&self, place: &[Step], message: &str, help: Option<String>) -> Problem {
        self.at(self.span(place), message, help)
    }

    /// A problem with these bytes of the text.
    pub(crate) fn at(&self, span: Option<Range<usize>>, message: &str, help: Option<String>) -> Problem {
        Problem::new(&self.path.display().to_string(), Arc::clone(&self.shared), span, message, help)
    }

    /// Where the value at a place is written: the value for the last step; a missing one is shown at its table's key.
    fn span(&self, place: &[Step]) -> Option<Range<usize>> {
        let (Step::Key(first), rest) = place.split_first()? else { return None };
        let (key, value) = self.table.get_key_value(first.as_str())?;
        let mut found = if rest.is_empty() { value.span() } else { key.span() };
        let mut value = value.get_ref();
        for (i, step) in rest.iter().enumerate() {
            let last = i + 1 == rest.len();
            let (span, next) = match (step, value) {
                (Step::Key(name), DeValue::Table(table)) => match table.get_key_value(name.as_str()) {
                    // A table is shown at its name: its contents may be anywhere.
                    Some((key, next)) if !last || matches!(next.get_ref(), DeValue::Table(_)) => {
                        (key.span(), next)
                    }
                    Some((_, next)) => (next.span(), next),
                    None => return Some(found),
                },
                (Step::Index(index), DeValue::Array(array)) => match array.get(*index) {
                    Some(next) => (next.span(), next),
                    None => return Some(found),
                },
                _ => return Some(found),
            };
            found = span;
            value = next.get_ref();
        }
        Some(found)
    }
}

/// Makes serde's words ours: one line, the nearest known key, and what comes in a later version.
fn explain(message: &str) -> (String, Option<String>) {
    let message = one_line(message);
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = (message.starts_with("unknown field") || message.starts_with("unknown variant"))
        .then(|| quoted.next())
        .flatten();
    let Some(unknown) = unknown else { return (message, None) };
    if let Some((_, what)) = LATER.iter().find(|(word, _)| *word == unknown.replace('_', "-")) {
        return (
            format!("`{unknown}` is not in this version of Gangway: {what}"),
            Some("take it out; ignoring it would promise something that is not done".to_owned()),
        );
    }
    let known: Vec<&str> = quoted.collect();
    let kind = if message.starts_with("unknown field") { "key" } else { "value" };
    let help = match nearest(unknown, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    (format!("unknown {kind} `{unknown}`"), Some(help))
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The known word that is at most a third of its letters away from what was written.
pub(super) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let written: Vec<char> = written.to_lowercase().replace('_', "-").chars().collect();
    known
        .iter()
        .map(|word| (distance(&written, &word.chars().collect::<Vec<_>>()), *word))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, word)| *distance <= word.chars().count().div_ceil(3))
        .map(|(_, word)| word)
}

/// Edit distance (Levenshtein), one row at a time.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_finds_its_neighbour_and_a_strange_one_does_not() {
        let known = ["listen", "public-url", "answer-within"];
        assert_eq!(nearest("listne", &known), Some("listen"));
        assert_eq!(nearest("public_url", &known), Some("public-url"));
        assert_eq!(nearest("AnswerWithin", &known), Some("answer-within"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
