//! Groups that are made from what the orgs offer. One is known again by what it stands for, so that it keeps its id whatever it
//! is called.

use std::{collections::HashMap, sync::Arc};

use model::{OrgName, ResourceId, ResourceKind, TenantId};
use salesforce_types::{EntitlementRef, StandsFor};
use scim_types::schema::GANGWAY_GROUP_URN;
use serde_json::{Value, json};
use store::{Query, Window};

use super::{
    GroupChange,
    standing::{Standing, not_read},
};
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
    let orgs = scene.orgs_with_users()?;
    let made = made(inner, tenant).await?;
    let mut touched = 0;
    for org in orgs {
        let now = inner.clock.now();
        let catalogue =
            inner.catalogue.of(&*inner.store, org, now).await.map_err(|error| not_read(&error))?;
        let wanted = scene.tenant.mapping.groups.published(org.name(), &catalogue);
        let of_org: Vec<&Made> = made.iter().filter(|made| made.stands_for.org == *org.name()).collect();
        // What goes makes room for names. A kind that is gone as a whole is hidden from the integration user, more likely than
        // deleted: nobody loses anything by that.
        let is_gone = |made: &&&Made| {
            let of = &made.stands_for.of;
            let has_kind = catalogue.entitlements().iter().any(|one| one.of.kind == of.kind);
            has_kind && catalogue.get(of).is_none()
        };
        for gone in of_org.iter().filter(is_gone) {
            touched += usize::from(submit(inner, tenant, Some(&gone.id), Operation::Delete).await);
        }
        touched += bring_up_to_date(inner, tenant, org.name(), &wanted, &of_org).await?;
    }
    Ok(touched)
}

/// Makes what is missing and renames what is called otherwise.
async fn bring_up_to_date(
    inner: &Arc<Inner>,
    tenant: &TenantId,
    org: &OrgName,
    wanted: &[(String, EntitlementRef)],
    made: &[&Made],
) -> Result<usize, ProvisionError> {
    let known: HashMap<&EntitlementRef, &Made> =
        made.iter().map(|made| (&made.stands_for.of, *made)).collect();
    let mut touched = 0;
    for (name, of) in wanted {
        touched += usize::from(match known.get(of) {
            Some(made) if made.name == *name => false,
            Some(made) => submit(inner, tenant, Some(&made.id), renaming(name)).await,
            None => {
                let stands_for = StandsFor { org: org.clone(), of: of.clone() };
                submit(inner, tenant, None, making(name, stands_for)?).await
            }
        });
    }
    Ok(touched)
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
