//! `entitlements` and `roles` have two sides: what was asked for, by which changes are decided, and what has landed, which
//! reads show.

use std::borrow::Cow;

use salesforce_types::{EntitlementKind, Grant};
use scim_types::{Patch, Resource};
use serde_json::{Map, Value, json};
use store::{GroupRef, StoredResource};

use super::{
    asks::{LISTS, ORG, is_plain},
    id_text,
    round::body_of,
};
use crate::{ProvisionError, wish::Wish};

/// A resource as it is stored.
pub(super) struct Shown {
    /// With what has landed.
    pub(super) body: Resource,
    /// What was asked for, where that is something else.
    pub(super) asked: Option<String>,
}

/// What is stored of a resource whose owner has these grants.
pub(super) fn shown(wanted: &Resource, grants: &[Grant], several_orgs: bool) -> Shown {
    let mut body = wanted.clone();
    let map = body.as_map_mut();
    for list in LISTS {
        let asked = wanted.get(list).and_then(Value::as_array).into_iter().flatten();
        let mut elements: Vec<Value> = asked.filter(|element| is_plain(element)).cloned().collect();
        for grant in grants.iter().filter(|grant| grant.state.is_held()) {
            let is_role = grant.of.kind == EntitlementKind::Role;
            if is_role == (list == "roles") {
                let element = json!({
                    "value": id_text(&grant.org, &grant.of.id, several_orgs),
                    "display": grant.name,
                    "type": grant.of.kind.scim_type(),
                });
                // Two Users of one org may both have it.
                if !elements.contains(&element) {
                    elements.push(element);
                }
            }
        }
        if elements.is_empty() {
            map.shift_remove(list);
        } else {
            map.insert(list.to_owned(), Value::Array(elements));
        }
    }
    let as_shown = lists(wanted).into_iter().map(|(list, elements)| (list, without_orgs(elements)));
    let has_landed = as_shown.eq(lists(&body));
    let asked = (!has_landed).then(|| Value::Object(lists(wanted)).to_string());
    Shown { body, asked }
}

/// A stored resource with what was asked for, and in which org.
pub(super) fn with_asks(stored: &StoredResource, grants: &[Grant]) -> Result<Resource, ProvisionError> {
    let mut resource = body_of(stored)?;
    let Some(asked) = &stored.asked else {
        // All of it has landed: the ledger knows where.
        for list in LISTS {
            let elements = resource.as_map_mut().get_mut(list).and_then(Value::as_array_mut);
            for element in elements.into_iter().flatten() {
                if let Some(org) = landed_in(element, grants) {
                    element[ORG] = Value::from(org);
                }
            }
        }
        return Ok(resource);
    };
    let asked: Map<String, Value> = serde_json::from_str(asked).map_err(|error| {
        ProvisionError::Misconfigured(format!(
            "what was asked for {} {} cannot be read: {error}",
            stored.kind, stored.id
        ))
    })?;
    let map = resource.as_map_mut();
    for list in LISTS {
        match asked.get(list) {
            Some(elements) => map.insert(list.to_owned(), elements.clone()),
            None => map.shift_remove(list),
        };
    }
    Ok(resource)
}

/// The resource as its reader knows it, for a PATCH that speaks of `groups`: they are in no resource that is stored.
pub(super) fn with_groups<'r>(resource: &'r Resource, wish: &Wish, groups: &[GroupRef]) -> Cow<'r, Resource> {
    let is_about_groups = |patch: &Patch| patch.operations.iter().any(|said| said.path.starts_with("groups"));
    match wish {
        Wish::Patch(patch) if !groups.is_empty() && is_about_groups(patch) => {
            let mut shown = resource.clone();
            let elements = groups.iter().map(GroupRef::element).collect();
            shown.as_map_mut().insert("groups".to_owned(), elements);
            Cow::Owned(shown)
        }
        _ => Cow::Borrowed(resource),
    }
}

/// The org in which somebody has what an element says.
fn landed_in<'a>(element: &Value, grants: &'a [Grant]) -> Option<&'a str> {
    let (value, kind) = (element.get("value")?.as_str()?, element.get("type")?.as_str()?);
    let is_it = |grant: &&Grant| {
        let is_named = value == grant.of.id || value == id_text(&grant.org, &grant.of.id, true);
        grant.state.is_held() && kind == grant.of.kind.scim_type() && is_named
    };
    grants.iter().find(is_it).map(|grant| grant.org.as_str())
}

fn without_orgs(mut elements: Value) -> Value {
    for element in elements.as_array_mut().into_iter().flatten() {
        if !is_plain(element)
            && let Some(members) = element.as_object_mut()
        {
            members.shift_remove(ORG);
        }
    }
    elements
}

fn lists(resource: &Resource) -> Map<String, Value> {
    let list = |name: &str| Some((name.to_owned(), resource.get(name)?.clone()));
    LISTS.into_iter().filter_map(list).collect()
}
