//! `from`: a SCIM path that leads to one value, or the name of an attribute of the source's own.

use std::ops::Range;

use scim_types::filter::{Literal, Operator};
use scim_types::schema::PROFILE_USER_URN;
use scim_types::{AttrPath, Filter, FilterError, PatchPath, PatchPathError, PathError, Registry, Resource};
use serde_json::Value;

use crate::profile::ProfilePath;

/// A path such as `name.familyName`, `emails[type eq "work"].value` or `urn:...:User:manager.value`.
///
/// Where an attribute has several values, one is taken: of those that the filter selects the primary one, else the first
/// for work, else the first. `[primary eq true]` selects in the same way, so that someone whose only address is not marked
/// as primary has one.
///
/// After the URN of the free-form extension stands the name of an attribute as the source of events calls it:
/// `urn:gangway:params:scim:schemas:extension:profile:2.0:User:lastLogin`.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Scim(PatchPath),
    Profile(ProfilePath),
}

/// Why a text is no such path, and where.
#[derive(Debug)]
pub(crate) struct SourceError {
    pub place: Range<usize>,
    pub message: String,
    pub suggestion: Option<String>,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Result<Self, SourceError> {
        if let Some(name) = of_profile(text) {
            return ProfilePath::parse(name).map(Self::Profile).map_err(|message| SourceError {
                place: PROFILE_USER_URN.len()..text.len(),
                message,
                suggestion: None,
            });
        }
        let mut path =
            PatchPath::parse(text, Registry::standard().user()).map_err(|why| explain(text, why))?;
        let whole = 0..text.len();
        let refuse = |message, suggestion| Err(SourceError { place: whole, message, suggestion });
        let end = path.target();
        if end.attribute().is_complex() {
            let has_value = !end.is_extension() && end.attribute().value_attribute().is_some();
            let message = format!("`{text}` has parts, and a field holds one of them");
            return refuse(message, has_value.then(|| format!("{text}.value")));
        }
        if let Some(message) = unavailable(end) {
            return refuse(message, None);
        }
        if path.filter.as_ref().is_some_and(asks_for_primary) {
            path.filter = None;
        }
        Ok(Self::Scim(path))
    }

    /// The name of the attribute, for notes and refusals.
    pub(crate) fn attribute(&self) -> &str {
        match self {
            Self::Scim(path) => path.target().as_str(),
            Self::Profile(path) => path.as_str(),
        }
    }

    /// The value, if there is one.
    pub(crate) fn value<'v>(&self, user: &'v Resource) -> Option<&'v Value> {
        let path = match self {
            Self::Scim(path) => path,
            Self::Profile(path) => return path.value(user.get(PROFILE_USER_URN)?),
        };
        let found = user.values(&path.attribute);
        let chosen = match &path.filter {
            None => leading(found),
            Some(filter) => leading(found.into_iter().filter(|element| filter.matches_element(element))),
        };
        match &path.sub {
            None => chosen,
            Some(sub) => chosen?.get(sub.name()),
        }
    }

    /// Whether the user came with a profile that would have the value: what it lacks is null in the source.
    pub(crate) fn is_of_profile(&self, user: &Resource) -> bool {
        matches!(self, Self::Profile(_)) && user.get(PROFILE_USER_URN).is_some()
    }
}

/// What stands behind the URN of the extension for the source's own attributes.
fn of_profile(text: &str) -> Option<&str> {
    let (urn, name) = text.trim().split_at_checked(PROFILE_USER_URN.len())?;
    urn.eq_ignore_ascii_case(PROFILE_USER_URN).then(|| name.strip_prefix(':').unwrap_or_default())
}

fn asks_for_primary(filter: &Filter) -> bool {
    match filter {
        Filter::Compare { path, op: Operator::Eq, value: Literal::Boolean(true) } => path.name() == "primary",
        _ => false,
    }
}

/// What is wrong with a path, at its place in the text.
fn explain(text: &str, why: PatchPathError) -> SourceError {
    let end_of_name = text.find('[').unwrap_or(text.len());
    let whole = |message| SourceError { place: 0..text.len(), message, suggestion: None };
    match why {
        PatchPathError::Path(PathError::UnknownAttribute { name, suggestion, .. }) => SourceError {
            place: 0..end_of_name,
            message: format!("SCIM users have no attribute `{name}`"),
            suggestion,
        },
        PatchPathError::Path(PathError::UnknownSubAttribute { attribute, name, suggestion }) => SourceError {
            place: text.rfind(&name).unwrap_or(0)..text.len(),
            message: format!("`{attribute}` has no sub-attribute `{name}`"),
            suggestion,
        },
        PatchPathError::Filter(FilterError { position, kind, .. }) => SourceError {
            place: position..text.len(),
            message: format!("not a filter: {kind}"),
            suggestion: None,
        },
        why => whole(why.to_string()),
    }
}

/// The value that stands for several: the primary one, else the first for work, else the first.
pub(crate) fn leading<'v>(elements: impl IntoIterator<Item = &'v Value>) -> Option<&'v Value> {
    let mut first = None;
    let mut for_work = None;
    for element in elements {
        if element.get("primary") == Some(&Value::Bool(true)) {
            return Some(element);
        }
        let is_for_work =
            element.get("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("work"));
        if is_for_work {
            for_work = for_work.or(Some(element));
        }
        first = first.or(Some(element));
    }
    for_work.or(first)
}

/// Why a mapping cannot use an attribute that the schema has: it is not part of what an identity tool writes.
pub(crate) fn unavailable(path: &AttrPath) -> Option<String> {
    use scim_types::schema::{Mutability, Returned};
    let is_hidden = |path: &AttrPath| {
        let attribute = path.attribute();
        path.as_str() == "schemas"
            || attribute.returned == Returned::Never
            || matches!(attribute.mutability, Mutability::ReadOnly | Mutability::WriteOnly)
    };
    let top = path.top();
    (is_hidden(path) || is_hidden(top)).then(|| {
        if top.attribute().returned == Returned::Never {
            format!("`{path}` is not kept, so no field can be made from it")
        } else {
            format!("`{path}` is not written by identity tools, so no field can be made from it")
        }
    })
}
