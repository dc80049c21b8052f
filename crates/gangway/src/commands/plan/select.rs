//! Whom a plan is made for.

use std::collections::HashSet;

use model::{ResourceId, ResourceKind, TenantId};
use scim_types::{Filter, Registry};
use store::{Directory, Query, StoredResource, Window, sqlite::SqliteStore};

use super::Failure;
use crate::commands::identity;

/// Ids of one page.
const PAGE: u32 = 10_000;

/// The identities of each tenant.
pub(super) type Chosen = Vec<(TenantId, Vec<ResourceId>)>;

/// All identities of these tenants.
pub(super) async fn everyone(store: &SqliteStore, tenants: &[TenantId]) -> Result<Chosen, Failure> {
    let mut chosen = Vec::with_capacity(tenants.len());
    for tenant in tenants {
        let mut ids = Vec::new();
        let mut after = None;
        loop {
            let page = store.ids(tenant, ResourceKind::User, after, PAGE).await?;
            ids.extend(page.ids);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        chosen.push((tenant.clone(), ids));
    }
    Ok(chosen)
}

/// One identity, or the members of a group, those of groups in it included.
pub(super) async fn named(store: &SqliteStore, tenants: &[TenantId], text: &str) -> Result<Chosen, Failure> {
    for tenant in tenants {
        if let Some(group) = group(store, tenant, text).await? {
            return Ok(vec![(tenant.clone(), members(store, tenant, group).await?)]);
        }
    }
    let found = identity::find(store, tenants, text).await?;
    let id = found.id().clone();
    Ok(vec![(found.tenant, vec![id])])
}

async fn group(
    store: &SqliteStore,
    tenant: &TenantId,
    text: &str,
) -> Result<Option<StoredResource>, Failure> {
    if let Some(group) = store.get(tenant, ResourceKind::Group, text).await? {
        return Ok(Some(group));
    }
    let filter = format!("displayName eq {}", serde_json::Value::from(text));
    let filter = Filter::parse(&filter, Registry::standard().group())
        .map_err(|error| Failure::Failed(format!("`{text}` cannot be looked for: {error}")))?;
    let query = Query {
        kind: ResourceKind::Group,
        filter: Some(filter),
        sort: None,
        window: Window::Index { offset: 0, count: 2 },
        with_members: true,
    };
    let mut found = store.find(tenant, &query).await?.resources;
    if found.len() > 1 {
        return Err(Failure::Failed(format!("several groups are called `{text}`; name one by its id")));
    }
    Ok(found.pop())
}

async fn members(
    store: &SqliteStore,
    tenant: &TenantId,
    group: StoredResource,
) -> Result<Vec<ResourceId>, Failure> {
    let mut seen = HashSet::from([group.id.clone()]);
    let mut groups = vec![group];
    let mut people = Vec::new();
    while let Some(group) = groups.pop() {
        for member in group.members {
            if !seen.insert(member.id.clone()) {
                continue;
            }
            match member.kind {
                ResourceKind::User => people.push(member.id),
                ResourceKind::Group => {
                    groups.extend(store.get(tenant, ResourceKind::Group, member.id.as_str()).await?);
                }
            }
        }
    }
    Ok(people)
}
