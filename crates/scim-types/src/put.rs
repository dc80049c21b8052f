//! PUT (RFC 7644 §3.5.1): what is left of a resource when a client sends another in its place.

use serde_json::{Map, Value};

use crate::{AttrPath, Error, Resource, ResourceType};

/// What a PUT keeps although it does not mention it, beside what is read-only (C-62).
///
/// Ping and Okta's AIW applications send whole resources, and leave out what they do not manage. By the letter of the
/// standard that would unassign it, which for these means access won or lost by accident. (`password` is never stored,
/// so that it cannot be lost here.)
const KEPT: [&str; 3] = ["active", "entitlements", "roles"];

/// The resource that a PUT of `sent` makes of `current`: `sent`, with what is read-only taken from `current`, and also
/// `active`, `entitlements` and `roles` where `sent` has none.
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
