//! The form of a `*.test.toml`.

use std::{fmt, fs, ops::Range, path::Path};

use indexmap::IndexMap;
use model::Timestamp;
use salesforce_types::{EntitlementKind, UnknownKind};
use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;
use translation::{Action, Glob, Ruled};

use super::Person;
use crate::config::{ConfigErrors, Document};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    test: Vec<Section>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Section {
    /// What the test is about.
    name: Spanned<String>,
    /// A SCIM User.
    person: Option<Spanned<Value>>,
    /// A JSON file with a SCIM User, beside the tests.
    file: Option<Spanned<String>>,
    /// The target; the only one where it is absent.
    target: Option<Spanned<String>>,
    /// Names of groups that the person is a member of.
    #[serde(default)]
    groups: Vec<String>,
    /// Whether the record is made (the default) or changed.
    action: Option<Action>,
    /// What time it is, instead of now: for rules that end.
    now: Option<Timestamp>,
    /// The environment's `username-domain`, instead of the configured one.
    username_domain: Option<String>,
    #[serde(default)]
    expect: Expect,
}

/// What is expected. What is not mentioned may be anything.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Expect {
    /// Whether the person holds the target.
    pub(super) holds: Option<Spanned<bool>>,
    /// Fields with their values.
    #[serde(default)]
    pub(super) fields: IndexMap<Spanned<String>, Spanned<Value>>,
    /// Whether `fields` are all that get a value.
    #[serde(default)]
    pub(super) only: bool,
    /// Fields that get no value: they are emptied, or left alone.
    #[serde(default)]
    pub(super) absent: Vec<Spanned<String>>,
    /// What the rules give, among others.
    #[serde(default)]
    pub(super) grants: Vec<Spanned<GrantName>>,
    /// What the rules do not give.
    #[serde(default)]
    pub(super) no_grants: Vec<Spanned<GrantName>>,
    /// The codes of all notes, in any order.
    pub(super) notes: Option<Spanned<Vec<String>>>,
    /// All fields that Salesforce would refuse, in any order. None, where it is absent.
    pub(super) refusals: Option<Spanned<Vec<String>>>,
}

/// Entitlements by kind and name, such as `permission-set:Sales_*`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct GrantName {
    kind: EntitlementKind,
    name: Glob,
}

impl TryFrom<String> for GrantName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let Some((kind, name)) = text.split_once(':') else {
            return Err(format!("`{text}` has no kind before it, such as `permission-set:{text}`"));
        };
        let kind = kind.trim().parse().map_err(|error: UnknownKind| error.to_string())?;
        Ok(Self { kind, name: Glob::new(name.trim()) })
    }
}

impl GrantName {
    /// Whether something that a rule gives is called so.
    pub(super) fn is(&self, ruled: &Ruled) -> bool {
        ruled.kind == self.kind && self.name.matches(&ruled.name)
    }
}

impl fmt::Display for GrantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

/// A test, ready to be run.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: Spanned<String>,
    pub(super) person: Person,
    pub(super) target: Option<Spanned<String>>,
    pub(super) action: Action,
    pub(super) now: Option<Timestamp>,
    pub(super) username_domain: Option<String>,
    pub(super) expect: Expect,
}

/// Reads a text; `path` says what to call it, and where files are looked for.
pub(super) fn read(text: &str, path: &Path) -> Result<Vec<Case>, ConfigErrors> {
    let document = Document::parse(text, path)?;
    let file: File = document.read()?;
    let mut problems = Vec::new();
    let mut cases = Vec::with_capacity(file.test.len());
    for section in file.test {
        match person(&section, path) {
            Ok(person) => cases.push(Case {
                name: section.name,
                person: person.in_groups(&section.groups),
                now: section.now,
                target: section.target,
                action: section.action.unwrap_or(Action::Create),
                username_domain: section.username_domain,
                expect: section.expect,
            }),
            Err((span, message)) => problems.push(document.at(Some(span), &message, None)),
        }
    }
    if problems.is_empty() { Ok(cases) } else { Err(ConfigErrors::new(problems)) }
}

fn person(section: &Section, path: &Path) -> Result<Person, (Range<usize>, String)> {
    let (span, read) = match (&section.person, &section.file) {
        (Some(person), None) => (person.span(), Person::read(person.get_ref().clone())),
        (None, Some(file)) => {
            let beside = path.parent().unwrap_or(Path::new(".")).join(file.get_ref());
            let text = fs::read_to_string(&beside).map_err(|error| format!("it cannot be read: {error}"));
            (file.span(), text.and_then(|text| Person::parse(&text)))
        }
        (None, None) => {
            let message = "a test needs a `person`, or a `file` with one".to_owned();
            return Err((section.name.span(), message));
        }
        (Some(_), Some(file)) => {
            return Err((file.span(), "a test has a `person` or a `file`, not both".to_owned()));
        }
    };
    let person = read.map_err(|why| (span.clone(), why))?;
    match person.unknown.first() {
        Some(name) => Err((span, format!("SCIM users have no attribute `{name}`"))),
        None => Ok(person),
    }
}
