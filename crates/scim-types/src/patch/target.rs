//! What the path of an operation names, and what is forgiven in one that names nothing.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::filter::{Literal, Operator};
use crate::patch_path::PatchPathError;
use crate::path::PathError;
use crate::{AttrPath, Error, Filter, PatchPath, ResourceType};

/// What a path names.
pub(super) enum Target {
    /// A whole schema: an extension, or `None` for the core schema, whose attributes are the resource itself.
    Schema(Option<AttrPath>),
    /// An attribute, some of its values, or a part of these.
    Attribute(PatchPath),
    /// An attribute that nobody here knows. Operations on it succeed and do nothing (C-35).
    Unknown,
}

impl Target {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// 400 `invalidPath` when it can be no path, `invalidFilter` when its filter is none.
    pub fn find(resource_type: &ResourceType, text: &str) -> Result<Self, Error> {
        if resource_type.is_core_urn(text) {
            return Ok(Self::Schema(None));
        }
        match PatchPath::parse(text, resource_type) {
            Ok(path) if !path.attribute.is_extension() => Ok(Self::Attribute(path)),
            Ok(path) if path.filter.is_none() => Ok(Self::Schema(Some(path.attribute))),
            Ok(_) => Err(Error::invalid_path("a schema has no values to choose from by a filter")),
            Err(PatchPathError::Path(error)) if is_unknown(text, &error) => Ok(Self::Unknown),
            Err(PatchPathError::Filter(error)) if !ends_after_brackets(text) => {
                Err(Error::invalid_path(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a path with brackets is at fault in them and not outside.
fn ends_after_brackets(text: &str) -> bool {
    text.rsplit_once(']')
        .is_some_and(|(_, rest)| rest.trim().is_empty() || rest.trim_start().starts_with('.'))
}

/// Whether a path that leads nowhere could lead somewhere in another server's schemas: a plain attribute path, or an
/// unknown part of values that a good filter selects.
fn is_unknown(text: &str, error: &PathError) -> bool {
    match (text.rsplit_once(']'), error) {
        (None, _) => is_attribute_path(text.trim()),
        (Some((_, sub)), PathError::UnknownSubAttribute { .. }) => {
            sub.trim().strip_prefix('.').is_some_and(|name| is_attribute_path(name.trim()))
        }
        _ => false,
    }
}

/// Whether a text could name an attribute of some schema: `attr`, `attr.sub`, either after a URI and a colon.
pub(crate) fn is_attribute_path(text: &str) -> bool {
    let marks: &[u8] = if text.contains(':') { b"_-$:./#%" } else { b"_-$." };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || marks.contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '$')
        && text.bytes().all(allowed)
        && !text.ends_with(['.', ':'])
        && !text.contains("..")
}

/// The values that a filter selects, where it does nothing but name them: `value eq "a" or value eq "b"`. Only where
/// case matters, because then they can be looked up.
pub(super) fn named_by(filter: &Filter) -> Option<HashSet<&str>> {
    let parts = match filter {
        Filter::Or(parts) => parts.as_slice(),
        other => std::slice::from_ref(other),
    };
    let named = |part| match Filter::as_text_equality(part) {
        Some((path, text)) if path.name() == "value" && path.attribute().case_exact => Some(text),
        _ => None,
    };
    parts.iter().map(named).collect()
}

/// The element that a filter describes (C-50): `type eq "work" and primary eq true`. `None` when it leaves a choice.
pub(super) fn made_by(filter: &Filter) -> Option<Map<String, Value>> {
    let part = |part: &Filter| match part {
        Filter::Compare { path, op: Operator::Eq, value } if !path.attribute().is_read_only() => {
            let value = match value {
                Literal::Null => return None,
                Literal::Boolean(value) => Value::Bool(*value),
                Literal::Number(value) => Value::Number(value.clone()),
                Literal::Instant { text, .. } | Literal::Text(text) => Value::String(text.clone()),
            };
            Some((path.name().to_owned(), value))
        }
        _ => None,
    };
    filter.conjuncts().iter().map(part).collect()
}
