//! PUT (RFC 7644 §3.5.1): what is left of a resource when a client sends another in its place.

use serde_json::{Map, Value};

use crate::{AttrPath, Error, Resource, ResourceType, body::is_empty};

/// What a PUT keeps although it does not mention it, beside what is read-only (C-62).
///
/// Ping and Okta's AIW applications send whole resources, and leave out what they do not manage. By the letter of the
/// standard that would unassign it, which for these means access won or lost by accident. (`password` is never stored,
/// so that it cannot be lost here.)
const KEPT: [&str; 3] = ["active", "entitlements", "roles"];

/// The body of a PUT.
#[derive(Clone, Debug, PartialEq)]
pub struct Put {
    sent: Resource,
    /// The lists of [`KEPT`] that it mentions and that have nothing in them.
    emptied: Vec<Emptied>,
}

/// A list that is to be empty.
#[derive(Clone, Debug, PartialEq)]
struct Emptied {
    list: &'static str,
    /// Whether it had elements, of which none says anything: `[{"value": null}]`.
    lost: bool,
}

/// A PUT that mentions what the resource has, and nothing that is empty.
impl From<Resource> for Put {
    fn from(sent: Resource) -> Self {
        Self { sent, emptied: Vec::new() }
    }
}

impl Put {
    /// Reads the body of a PUT.
    ///
    /// # Errors
    ///
    /// As [`ResourceType::read_body`].
    pub fn read(resource_type: &ResourceType, body: Value) -> Result<Self, Error> {
        let mut emptied = Vec::new();
        note_emptied(resource_type, &body, &mut emptied);
        let sent = resource_type.read_body(body)?;
        emptied.retain(|emptied| sent.get(emptied.list).is_none());
        Ok(Self { sent, emptied })
    }

    /// What it carries.
    #[must_use]
    pub fn sent(&self) -> &Resource {
        &self.sent
    }

    /// Whether it says anything of an attribute: what it is, or that it is empty.
    #[must_use]
    pub fn mentions(&self, attribute: &str) -> bool {
        self.sent.get(attribute).is_some() || self.emptied.iter().any(|emptied| emptied.list == attribute)
    }

    /// The same of a client that sends a list whose elements have lost their values where it has nothing to say.
    #[must_use]
    pub fn without_lost_lists(mut self) -> Self {
        self.emptied.retain(|emptied| !emptied.lost);
        self
    }

    /// What it makes of `current`: what was sent, with what is read-only taken from `current`, and also `active`,
    /// `entitlements` and `roles` where it does not mention them. A list that is sent empty is mentioned, and is empty then; an
    /// empty `active` says nothing, because it counts as true while it is absent.
    #[must_use]
    pub fn apply(&self, resource_type: &ResourceType, current: &Resource) -> Resource {
        let mut next = self.sent.as_map().clone();
        for path in resource_type.roots() {
            if path.attribute().is_read_only() {
                next.shift_remove(path.name());
            }
            let is_kept = KEPT.contains(&path.name()) && !self.mentions(path.name());
            if path.attribute().is_read_only() || is_kept {
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
}

/// The lists that a body mentions, under whatever name, and whether they are empty or have elements.
fn note_emptied(resource_type: &ResourceType, body: &Value, emptied: &mut Vec<Emptied>) {
    for (name, value) in body.as_object().into_iter().flatten() {
        match resource_type.find(name) {
            Some(path) if path.attribute().multi_valued => {
                let list = KEPT.into_iter().find(|kept| *kept == path.as_str());
                emptied.extend(list.map(|list| Emptied { list, lost: !is_empty(value) }));
            }
            None if resource_type.is_core_urn(name) => note_emptied(resource_type, value, emptied),
            Some(_) | None => {}
        }
    }
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
