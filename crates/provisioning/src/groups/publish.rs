//! Groups that are made from what the orgs offer. One is known again by what it stands for, so that it keeps its id whatever it
//! is called.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use model::{ResourceId, ResourceKind, TenantId};
use salesforce_types::{Catalogue, EntitlementRef, StandsFor};
use scim_types::{fold, schema::GANGWAY_GROUP_URN};
use serde_json::{Value, json};
use store::{Query, Window};

use super::{GroupChange, standing::Standing};
use crate::{
    Caller, Operation, ProvisionError, Request,
    provisioner::Inner,
    users::{Scene, body_of},
};

/// Whose changes these are, in the journal and in the audit.
pub(crate) const CLIENT: &str = "gangway-catalogue";

/// Groups are gone through so many at a time.
const PAGE: u32 = 500;

/// A Group that Gangway has made.
struct Made {
    id: ResourceId,
    name: String,
    stands_for: StandsFor,
}

/// A Group that is called otherwise from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Renaming {
    id: ResourceId,
    from: String,
    to: String,
}

/// Makes, renames and takes away the published Groups of every tenant. Answers how many were touched; what fails is said in the
/// log, keeps nothing else waiting, and is done the next time.
pub(crate) async fn publish(inner: &Arc<Inner>) -> usize {
    let mut touched = 0;
    let world = inner.world();
    for tenant in world.tenants.values().filter(|tenant| tenant.mapping.groups.publishes()) {
        match publish_tenant(inner, &tenant.id).await {
            Ok(count) => touched += count,
            Err(error) => {
                tracing::warn!(tenant = %tenant.id, %error, "the groups that the catalogue makes could not be brought up to date");
            }
        }
    }
    touched
}

async fn publish_tenant(inner: &Arc<Inner>, tenant: &TenantId) -> Result<usize, ProvisionError> {
    let scene = Scene::now(inner, tenant)?;
    let made = made(inner, tenant).await?;
    let known: HashMap<&StandsFor, &Made> = made.iter().map(|made| (&made.stands_for, made)).collect();
    let (mut gone, mut called_otherwise, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for org in scene.orgs_with_users()? {
        let catalogue = match inner.catalogue.of(&*inner.store, org, inner.clock.now()).await {
            Ok(catalogue) => catalogue,
            Err(error) => {
                tracing::warn!(%tenant, org = %org.name(), %error, "the groups that the org's catalogue makes stay as they are");
                continue;
            }
        };
        let of_org = made.iter().filter(|made| made.stands_for.org == *org.name());
        gone.extend(of_org.filter(|made| is_gone(&catalogue, &made.stands_for.of)));
        for (name, of) in scene.tenant.mapping.groups.published(org.name(), &catalogue) {
            let stands_for = StandsFor { org: org.name().clone(), of };
            match known.get(&stands_for) {
                Some(made) if made.name == name => {}
                Some(made) => {
                    called_otherwise.push(Renaming {
                        id: made.id.clone(),
                        from: made.name.clone(),
                        to: name,
                    });
                }
                None => missing.push((name, stands_for)),
            }
        }
    }
    // What goes and what is called otherwise makes room for names.
    let mut touched = 0;
    for made in gone {
        touched += usize::from(submit(inner, tenant, Some(&made.id), Operation::Delete).await);
    }
    for Renaming { id, to, .. } in one_after_the_other(called_otherwise) {
        touched += usize::from(submit(inner, tenant, Some(&id), renaming(&to)).await);
    }
    for (name, stands_for) in missing {
        touched += usize::from(submit(inner, tenant, None, making(&name, stands_for)?).await);
    }
    Ok(touched)
}

/// A kind that is gone as a whole is hidden from the integration user, more likely than deleted: nobody loses anything by that.
fn is_gone(catalogue: &Catalogue, of: &EntitlementRef) -> bool {
    let has_kind = catalogue.entitlements().iter().any(|one| one.of.kind == of.kind);
    has_kind && catalogue.get(of).is_none()
}

/// In an order in which no name is taken before it is free. Where names go round in a circle, one of its Groups has another
/// name for a moment.
fn one_after_the_other(mut left: Vec<Renaming>) -> Vec<Renaming> {
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let held: HashSet<(String, ResourceId)> =
            left.iter().map(|one| (fold(&one.from), one.id.clone())).collect();
        let is_free = |one: &Renaming| {
            let to = fold(&one.to);
            !held.iter().any(|(name, by)| *name == to && *by != one.id)
        };
        let (free, waiting): (Vec<_>, Vec<_>) = left.into_iter().partition(is_free);
        left = waiting;
        if free.is_empty() {
            let Renaming { id, from, .. } = &mut left[0];
            let aside = format!("{from} ({id})");
            ordered.push(Renaming {
                id: id.clone(),
                from: std::mem::replace(from, aside.clone()),
                to: aside,
            });
        }
        ordered.extend(free);
    }
    ordered
}

fn making(name: &str, stands_for: StandsFor) -> Result<Operation, ProvisionError> {
    let standing = serde_json::to_value(Standing::published(stands_for))
        .map_err(|error| ProvisionError::Misconfigured(error.to_string()))?;
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
    });
    body[GANGWAY_GROUP_URN] = standing;
    Ok(Operation::Create(body))
}

fn renaming(name: &str) -> Operation {
    Operation::Patch(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "displayName", "value": Value::from(name) }],
    }))
}

async fn submit(
    inner: &Arc<Inner>,
    tenant: &TenantId,
    id: Option<&ResourceId>,
    operation: Operation,
) -> bool {
    let Ok(client) = CLIENT.parse() else { return false };
    let caller = Caller { tenant: tenant.clone(), client };
    let request = Request {
        kind: ResourceKind::Group,
        id: id.map(ToString::to_string),
        operation,
        if_match: None,
        respond_async: false,
    };
    let answer = match GroupChange::accept(inner, &caller, request) {
        Ok(change) => change.answer().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%tenant, group = id.map(ToString::to_string), %error, "a group that the catalogue makes could not be written");
            false
        }
    }
}

/// The Groups that Gangway has made for a tenant.
async fn made(inner: &Arc<Inner>, tenant: &TenantId) -> Result<Vec<Made>, ProvisionError> {
    let (mut made, mut after) = (Vec::new(), None);
    loop {
        let window = Window::Cursor { after, count: PAGE };
        let query =
            Query { kind: ResourceKind::Group, filter: None, sort: None, window, with_members: false };
        let page = inner.store.find(tenant, &query).await?;
        for stored in page.resources.into_iter().filter(|stored| stored.stands_for.is_some()) {
            let body = body_of(&stored)?;
            let Standing { stands_for: Some(stands_for), published: true, .. } = Standing::of(&body)? else {
                continue;
            };
            let name = body.display_name().unwrap_or_default().to_owned();
            made.push(Made { id: stored.id, name, stands_for });
        }
        after = page.next;
        if after.is_none() {
            return Ok(made);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn renaming(id: &str, from: &str, to: &str) -> Renaming {
        Renaming { id: ResourceId::from_text(id), from: from.to_owned(), to: to.to_owned() }
    }

    /// The names afterwards, by id. Panics where one is taken before it is free.
    fn carried_out(renamings: &[Renaming]) -> HashMap<ResourceId, String> {
        let mut names: HashMap<ResourceId, String> =
            renamings.iter().map(|one| (one.id.clone(), one.from.clone())).collect();
        for one in one_after_the_other(renamings.to_vec()) {
            let taken = names.iter().any(|(id, name)| *id != one.id && fold(name) == fold(&one.to));
            assert!(!taken, "{} is taken", one.to);
            assert_eq!(names.insert(one.id, one.to), Some(one.from));
        }
        names
    }

    #[test]
    fn names_that_are_swapped_go_by_another_one() {
        let names = carried_out(&[renaming("1", "a", "B"), renaming("2", "b", "A")]);
        assert_eq!(names[&ResourceId::from_text("1")], "B");
        assert_eq!(names[&ResourceId::from_text("2")], "A");
        assert_eq!(one_after_the_other(vec![renaming("1", "a", "A")]), [renaming("1", "a", "A")]);
    }

    proptest! {
        #[test]
        fn any_names_can_be_given_anew_in_any_way(
            (from, to) in Just(["a", "b", "c", "d", "e", "f", "g", "h"]).prop_flat_map(|names| {
                let names = names.to_vec();
                (Just(names.clone()).prop_shuffle(), Just(names).prop_shuffle())
            }),
            count in 0_usize..=6,
        ) {
            let renamings: Vec<Renaming> = (from.iter().zip(&to).take(count).enumerate())
                .map(|(id, (from, to))| renaming(&id.to_string(), from, to))
                .collect();
            let names = carried_out(&renamings);
            for one in &renamings {
                prop_assert_eq!(&names[&one.id], &one.to);
            }
        }
    }
}
