//! PUT (RFC 7644 §3.5.1): what is left of a resource when a client sends another in its place.

use serde_json::{Map, Value};

use crate::{AttrPath, Error, Resource, ResourceType};

/// What a PUT keeps although it does not mention it, beside what is read-only (C-62).
///
/// Ping and Okta's AIW applications send whole resources, and leave out what they do not manage. By the letter of the
/// standard that would unassign it, which for these means access won or lost by accident. (`password` is never stored,
/// so that it cannot be lost here.)
const KEPT: [&str; 3] = ["active", "entitlements", "roles"];

/// Reads the body of a PUT. A kept list that is said to be none is there and empty: only what is not mentioned stays.
///
/// # Errors
///
/// As [`ResourceType::read_body`].
pub fn read(resource_type: &ResourceType, body: Value) -> Result<Resource, Error> {
    let is_kept_list = |path: &&AttrPath| path.attribute().multi_valued && KEPT.contains(&path.name());
    let kept = resource_type.roots().iter().filter(is_kept_list).map(AttrPath::name);
    let none: Vec<&str> = kept.filter(|name| is_said_to_be_none(&body, name)).collect();
    let mut sent = resource_type.read_body(body)?;
    for name in none {
        sent.as_map_mut().insert(name.to_owned(), Value::Array(Vec::new()));
    }
    Ok(sent)
}

fn is_said_to_be_none(body: &Value, name: &str) -> bool {
    let mut members = body.as_object().into_iter().flatten();
    members.any(|(sent, value)| {
        let is_none = value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
        sent.eq_ignore_ascii_case(name) && is_none
    })
}

/// The resource that a PUT of `sent` makes of `current`: `sent`, with what is read-only taken from `current`, and also
/// `active`, `entitlements` and `roles` where `sent` ([`read`]) does not have them.
#[must_use]
pub fn replace(resource_type: &ResourceType, current: &Resource, sent: &Resource) -> Resource {
    let mut next = sent.as_map().clone();
    for path in resource_type.roots() {
        if path.attribute().is_read_only() {
            next.shift_remove(path.name());
        }
        if path.attribute().is_read_only() || KEPT.contains(&path.name()) {
            keep(path, current.as_map(), &mut next);
        }
    }
    next.retain(|_, value| value.as_array().is_none_or(|elements| !elements.is_empty()));
    for extension in resource_type.extension_roots() {
        let read_only = |path: &&AttrPath| path.attribute().is_read_only();
        for path in extension.subs().iter().filter(read_only) {
            keep_in_extension(extension, path, current.as_map(), &mut next);
        }
    }
    resource_type.seal(next)
}

/// Takes over an attribute that is not there.
fn keep(path: &AttrPath, current: &Map<String, Value>, next: &mut Map<String, Value>) {
    if let (None, Some(value)) = (next.get(path.name()), current.get(path.name())) {
        next.insert(path.name().to_owned(), value.clone());
    }
}

/// Takes over a read-only attribute of an extension, whatever was sent for it.
fn keep_in_extension(
    extension: &AttrPath,
    path: &AttrPath,
    current: &Map<String, Value>,
    next: &mut Map<String, Value>,
) {
    let Some(kept) = current.get(extension.as_str()).and_then(|extension| extension.get(path.name())) else {
        return;
    };
    let members = next.entry(extension.as_str()).or_insert_with(|| Map::new().into());
    if let Value::Object(members) = members {
        members.insert(path.name().to_owned(), kept.clone());
    }
}

/// Checks that the body of a PUT does not speak of another resource than its URL (C-63). A body without an `id`, or with
/// an empty one, speaks of none.
///
/// # Errors
///
/// 400 `mutability` for another `id`.
pub fn check_id(body: &Value, id: &str) -> Result<(), Error> {
    let sent =
        body.as_object().and_then(|body| body.iter().find(|(name, _)| name.eq_ignore_ascii_case("id")));
    match sent.map(|(_, sent)| sent) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(sent)) if sent.is_empty() || sent == id => Ok(()),
        Some(_) => {
            Err(Error::mutability("the id in the body is not that of the resource, and an id never changes"))
        }
    }
}
