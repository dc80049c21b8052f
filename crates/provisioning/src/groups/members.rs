//! The members that a request names: who they are, and what each is called.

use std::collections::{HashMap, HashSet};

use model::{ResourceId, ResourceKind};
use scim_types::Resource;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Member, StoredResource};

use super::{GroupChange, admit::Offenders, standing::invalid};
use crate::ProvisionError;

/// A member as a request wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) id: ResourceId,
    pub(super) kind: ResourceKind,
    /// What the tool calls it, if that is kept.
    pub(super) display: Option<String>,
}

impl GroupChange {
    /// Who the members are that `wanted` names, each once; whoever is nobody is an offender (C-52).
    pub(super) async fn members(
        &self,
        wanted: &Resource,
        stored: Option<&StoredResource>,
        offenders: &mut Offenders,
    ) -> Result<Vec<Wanted>, ProvisionError> {
        let members = stored.map(|stored| stored.members.as_slice()).unwrap_or_default();
        let known: HashMap<&str, &Member> =
            members.iter().map(|member| (member.id.as_str(), member)).collect();
        let new: Vec<&str> =
            members_of(wanted).map(|(id, _)| id).filter(|id| !known.contains_key(id)).collect();
        let kinds = self.inner.store.kinds(&self.scene.tenant.id, &new).await?;
        let mut named: HashMap<&str, ResourceKind> = HashMap::new();
        for (id, kind) in new.iter().zip(kinds) {
            if let Some(kind) = kind {
                named.insert(id, kind);
            } else {
                offenders
                    .add(ResourceId::from_text((*id).to_owned()), "there is no User or Group with this id");
            }
        }
        let mut seen = HashSet::new();
        let mut checked = Vec::new();
        for (id, display) in members_of(wanted) {
            let kind = known.get(id).map(|member| member.kind).or_else(|| named.get(id).copied());
            let Some(kind) = kind else { continue };
            if id == self.id.as_str() {
                return Err(invalid(format!("the group {id} cannot be a member of itself")));
            }
            if seen.insert(id.to_owned()) {
                let display = display_to_keep(display, known.get(id).copied()).map(str::to_owned);
                checked.push(Wanted { id: ResourceId::from_text(id.to_owned()), kind, display });
            }
        }
        Ok(checked)
    }
}

/// The display that is kept with a membership. What the server itself shows and gets back is not the tool's, and a member
/// that is named again without a display keeps the one it has.
fn display_to_keep<'a>(sent: Option<&'a str>, known: Option<&'a Member>) -> Option<&'a str> {
    match (sent, known) {
        (None, Some(member)) if member.display_as_sent => member.display.as_deref(),
        (Some(sent), Some(member)) if !member.display_as_sent && member.display.as_deref() == Some(sent) => {
            None
        }
        (sent, _) => sent,
    }
}

/// A stored member, as a request would name it.
pub(super) fn as_wanted(member: &Member) -> Wanted {
    let display = member.display.clone().filter(|_| member.display_as_sent);
    Wanted { id: member.id.clone(), kind: member.kind, display }
}

/// The body with these members and no others.
pub(super) fn with_members<'a>(
    mut body: Resource,
    members: impl IntoIterator<Item = &'a Wanted>,
) -> Resource {
    let elements: Vec<Value> = members.into_iter().map(element).collect();
    let map = body.as_map_mut();
    if elements.is_empty() {
        map.shift_remove("members");
    } else {
        map.insert("members".to_owned(), Value::Array(elements));
    }
    body
}

fn element(member: &Wanted) -> Value {
    match &member.display {
        Some(display) => json!({ "value": member.id.as_str(), "display": display }),
        None => json!({ "value": member.id.as_str() }),
    }
}

/// The id and the display of each member.
fn members_of(group: &Resource) -> impl Iterator<Item = (&str, Option<&str>)> {
    let members = group.get("members").and_then(Value::as_array);
    members.into_iter().flatten().filter_map(|member| {
        Some((member.get("value")?.as_str()?, member.get("display").and_then(Value::as_str)))
    })
}
