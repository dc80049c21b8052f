//! Attribute paths: the names of attributes in filters, projections and PATCH operations (RFC 7644 §3.10).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::Error;
use crate::schema::Attribute;

/// An attribute of a resource type, found by [`ResourceType::resolve`](crate::ResourceType::resolve).
///
/// It knows its schema entry, so whoever holds one never looks a name up again, and cloning copies one pointer: the
/// entries live as long as the process. Two paths are equal if their canonical texts are.
///
/// The whole of an extension is an attribute too: complex, and named by its URN.
#[derive(Clone)]
pub struct AttrPath(&'static Node);

struct Node {
    text: String,
    attribute: Attribute,
    parent: Option<AttrPath>,
    /// Set once, right after the parent that the subs refer to exists.
    subs: OnceLock<Vec<AttrPath>>,
    is_extension: bool,
}

impl AttrPath {
    /// Enters an attribute of the core or common schema, with its sub-attributes.
    pub(crate) fn root(attribute: &Attribute) -> Self {
        Self::enter(attribute, attribute.name.clone(), None, false)
    }

    /// Enters a whole extension, with everything in it.
    pub(crate) fn extension_root(extension: &Attribute) -> Self {
        Self::enter(extension, extension.name.clone(), None, true)
    }

    /// Leaks the entry on purpose: there is one registry, and it lives as long as the process.
    fn enter(attribute: &Attribute, text: String, parent: Option<Self>, is_extension: bool) -> Self {
        let separator = if is_extension { ':' } else { '.' };
        let path = Self(Box::leak(Box::new(Node {
            text,
            attribute: attribute.clone(),
            parent,
            subs: OnceLock::new(),
            is_extension,
        })));
        path.0.subs.get_or_init(|| {
            let enter_sub = |sub: &Attribute| {
                Self::enter(sub, format!("{path}{separator}{}", sub.name), Some(path.clone()), false)
            };
            attribute.sub_attributes.iter().map(enter_sub).collect()
        });
        path
    }

    /// The canonical text: `userName`, `emails.value`, `meta.lastModified`, `members.value`,
    /// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        &self.0.text
    }

    /// The schema entry of the last name in the path.
    #[must_use]
    pub fn attribute(&self) -> &'static Attribute {
        &self.0.attribute
    }

    /// The last name in the path: `value` of `emails.value`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        &self.0.attribute.name
    }

    /// What the path goes through just before its end: `emails` of `emails.value`, the extension of `URN:department`.
    #[must_use]
    pub fn parent(&self) -> Option<&'static AttrPath> {
        self.0.parent.as_ref()
    }

    /// The paths that go one name further.
    #[must_use]
    pub fn subs(&self) -> &'static [AttrPath] {
        self.0.subs.get().map_or(&[], Vec::as_slice)
    }

    /// The path that goes one name further, found without regard to case.
    #[must_use]
    pub fn sub(&self, name: &str) -> Option<AttrPath> {
        let name = legacy_sub_name(self.name(), name);
        self.subs().iter().find(|sub| sub.name().eq_ignore_ascii_case(name)).cloned()
    }

    /// As [`sub`](Self::sub), with the reason where there is none.
    pub(crate) fn sub_or_explain(&self, name: &str) -> Result<AttrPath, PathError> {
        self.sub(name).ok_or_else(|| PathError::UnknownSubAttribute {
            attribute: self.to_string(),
            name: quoted(name),
            suggestion: most_like(name, self.subs().iter().map(AttrPath::name)),
        })
    }

    /// Whether this is the whole of an extension.
    #[must_use]
    pub fn is_extension(&self) -> bool {
        self.0.is_extension
    }

    /// The URN of the extension that the path is in, if it is in one.
    #[must_use]
    pub fn extension(&self) -> Option<&'static str> {
        let top = self.top();
        top.0.is_extension.then_some(top.0.text.as_str())
    }

    /// Where the path begins: a top-level member of the resource, for extensions the one named by the URN.
    #[must_use]
    pub fn top(&self) -> &AttrPath {
        self.parent().map_or(self, AttrPath::top)
    }

    /// Whether the last name is a sub-attribute (`emails.value`, `URN:manager.value`) rather than an attribute.
    #[must_use]
    pub fn is_sub_attribute(&self) -> bool {
        self.parent().is_some_and(|parent| !parent.0.is_extension)
    }

    /// The attribute, and the sub-attribute if the path names one.
    #[must_use]
    pub fn parts(&self) -> (AttrPath, Option<AttrPath>) {
        match self.parent() {
            Some(parent) if !parent.0.is_extension => (parent.clone(), Some(self.clone())),
            _ => (self.clone(), None),
        }
    }

    /// Every value that the path leads to, in order; the elements of arrays one by one.
    #[must_use]
    pub fn values_in<'v>(&self, resource: &'v Map<String, Value>) -> Vec<&'v Value> {
        let mut found = Vec::new();
        self.each_value(resource, &mut |value| {
            found.push(value);
            false
        });
        found
    }

    /// Shows `visit` each value until it says that it has seen enough, and says whether it did.
    pub(crate) fn each_value<'v>(
        &self,
        resource: &'v Map<String, Value>,
        visit: &mut dyn FnMut(&'v Value) -> bool,
    ) -> bool {
        let mut elements = |value: &'v Value| match value {
            Value::Array(values) => values.iter().any(&mut *visit),
            value => visit(value),
        };
        match self.parent() {
            None => resource.get(self.name()).is_some_and(elements),
            Some(parent) => {
                parent.each_value(resource, &mut |value| value.get(self.name()).is_some_and(&mut elements))
            }
        }
    }
}

impl PartialEq for AttrPath {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0) || self.0.text == other.0.text
    }
}

impl Eq for AttrPath {}

impl PartialEq<str> for AttrPath {
    fn eq(&self, other: &str) -> bool {
        self.0.text == other
    }
}

impl PartialEq<&str> for AttrPath {
    fn eq(&self, other: &&str) -> bool {
        self.0.text == *other
    }
}

impl PartialOrd for AttrPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AttrPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.text.cmp(&other.0.text)
    }
}

impl Hash for AttrPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.text.hash(state);
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttrPath({})", self.0.text)
    }
}

impl Serialize for AttrPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.text)
    }
}

/// SCIM 1.1 called the id of the manager `managerId`; old applications still do (C-43).
pub(crate) fn legacy_sub_name<'a>(attribute: &str, sub: &'a str) -> &'a str {
    if attribute == "manager" && sub.eq_ignore_ascii_case("managerId") { "value" } else { sub }
}

/// Why a text is no path to an attribute.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is no text.
    #[error("the attribute path is empty")]
    Empty,
    /// It begins with the URN of no schema of this resource type.
    #[error("{resource_type} has no schema {urn:?}")]
    UnknownSchema {
        /// Whose path it is, such as `User`.
        resource_type: String,
        /// What was sent.
        urn: String,
    },
    /// The resource type has no such attribute.
    #[error("{resource_type} has no attribute {name:?}{}", did_you_mean(suggestion.as_ref()))]
    UnknownAttribute {
        /// Whose path it is, such as `User`.
        resource_type: String,
        /// What was sent.
        name: String,
        /// The name that is most like it.
        suggestion: Option<String>,
    },
    /// The attribute has no such sub-attribute.
    #[error("{attribute:?} has no sub-attribute {name:?}{}", did_you_mean(suggestion.as_ref()))]
    UnknownSubAttribute {
        /// The attribute, in canonical form.
        attribute: String,
        /// What was sent.
        name: String,
        /// The name that is most like it.
        suggestion: Option<String>,
    },
}

fn did_you_mean(suggestion: Option<&String>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

impl From<PathError> for Error {
    /// 400 `invalidPath`.
    fn from(error: PathError) -> Self {
        Self::invalid_path(error.to_string())
    }
}

/// At most this much of what was sent is repeated in an error.
const QUOTED: usize = 100;

/// The beginning of a text, for use in an error.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The candidate most like `name`, if one is like it: a third of its letters may be wrong, or two, but not over half.
pub(crate) fn most_like<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let name = quoted(name).to_ascii_lowercase();
    candidates
        .map(|candidate| (distance(&name, &candidate.to_ascii_lowercase()), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| {
            *distance <= (candidate.len() / 3).max(2) && distance * 2 <= candidate.len()
        })
        .map(|(_, candidate)| candidate.to_owned())
}

/// How many letters to insert, delete or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
