//! Whom somebody means who names an identity.

use model::{ResourceId, ResourceKind, TenantId};
use salesforce_types::RecordId;
use scim_types::{Filter, Registry};
use store::{Directory, Query, StoredResource, Window, sqlite::SqliteStore};

use super::Failure;

/// More than one is too many; a few are shown.
const SHOWN: u32 = 5;

/// An identity of a tenant.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) tenant: TenantId,
    pub(super) resource: StoredResource,
}

impl Identity {
    pub(super) fn id(&self) -> &ResourceId {
        &self.resource.id
    }
}

/// The identity with this SCIM id, `userName`, `externalId` or Salesforce record; in one of these tenants.
///
/// # Errors
///
/// Where there is none, or more than one.
pub(super) async fn find(store: &SqliteStore, tenants: &[TenantId], text: &str) -> Result<Identity, Failure> {
    let mut found = Vec::new();
    for tenant in tenants {
        let here = find_in(store, tenant, text).await?;
        found.extend(here.into_iter().map(|resource| Identity { tenant: tenant.clone(), resource }));
    }
    match found.len() {
        0 => Err(Failure::Failed(format!(
            "there is no identity `{text}`: give its SCIM id, userName, externalId or Salesforce record id"
        ))),
        1 => Ok(found.remove(0)),
        _ => {
            let ids: Vec<String> =
                found.iter().map(|identity| format!("{} of {}", identity.id(), identity.tenant)).collect();
            let why = format!("`{text}` is several identities; name one by its id: {}", ids.join(", "));
            Err(Failure::Failed(why))
        }
    }
}

async fn find_in(store: &SqliteStore, tenant: &TenantId, text: &str) -> Result<Vec<StoredResource>, Failure> {
    if let Some(resource) = store.get(tenant, ResourceKind::User, text).await? {
        return Ok(vec![resource]);
    }
    if let Ok(record) = RecordId::parse(text)
        && let Some(id) = store.linked_to(tenant, &record).await?
    {
        return Ok(store.get(tenant, ResourceKind::User, id.as_str()).await?.into_iter().collect());
    }
    for attribute in ["userName", "externalId"] {
        let found = search(store, tenant, attribute, text).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

async fn search(
    store: &SqliteStore,
    tenant: &TenantId,
    attribute: &str,
    value: &str,
) -> Result<Vec<StoredResource>, Failure> {
    // JSON's quotes are those of a filter.
    let filter = format!("{attribute} eq {}", serde_json::Value::from(value));
    let filter = Filter::parse(&filter, Registry::standard().user())
        .map_err(|error| Failure::Failed(format!("`{value}` cannot be looked for: {error}")))?;
    let query = Query {
        kind: ResourceKind::User,
        filter: Some(filter),
        sort: None,
        window: Window::Index { offset: 0, count: SHOWN },
        with_members: false,
    };
    Ok(store.find(tenant, &query).await?.resources)
}

/// The tenants to look in: the one that is named, or all that are configured.
pub(super) fn tenants(
    outline: &crate::config::Outline,
    named: Option<&TenantId>,
) -> Result<Vec<TenantId>, Failure> {
    let all: Vec<TenantId> = outline.tenants.iter().map(|tenant| tenant.id.clone()).collect();
    match named {
        None => Ok(all),
        Some(named) if all.contains(named) => Ok(vec![named.clone()]),
        Some(named) => {
            let known: Vec<&str> = all.iter().map(TenantId::as_str).collect();
            Err(Failure::Failed(format!(
                "the tenant {named} is not configured; there are: {}",
                known.join(", ")
            )))
        }
    }
}
