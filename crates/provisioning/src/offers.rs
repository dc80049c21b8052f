//! What a tenant shows of what its orgs offer: all that somebody can be given.

use std::sync::Arc;

use model::{OrgName, TenantId};
use salesforce_client::CallError;
use salesforce_types::Entitlement;

use crate::{
    ProvisionError,
    provisioner::Inner,
    users::{Scene, can_be_given, id_text},
};

/// An entitlement as SCIM clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Of which org.
    pub org: OrgName,
    /// Its id: bare where the tenant has one org, else with the org's name before it.
    pub id: String,
    /// What it is.
    pub entitlement: Entitlement,
}

/// In the order of the orgs in the mapping, then of their catalogues: stable from page to page.
pub(crate) async fn of_tenant(inner: &Inner, tenant: &TenantId) -> Result<Arc<Vec<Offer>>, ProvisionError> {
    let scene = Scene::now(inner, tenant)?;
    let orgs = scene.orgs_with_users()?;
    let several = orgs.len() > 1;
    let mut offers = Vec::new();
    for org in orgs {
        let catalogue = inner
            .catalogue
            .of(&*inner.store, org, inner.clock.now())
            .await
            .map_err(|error| cannot_ask(&error))?;
        let given = catalogue.entitlements().iter().filter(|one| can_be_given(one));
        offers.extend(given.map(|one| Offer {
            org: org.name().clone(),
            id: id_text(org.name(), &one.of.id, several),
            entitlement: one.clone(),
        }));
    }
    Ok(Arc::new(offers))
}

fn cannot_ask(error: &CallError) -> ProvisionError {
    let retry_after = match error {
        CallError::NotSent { retry_after, .. } => *retry_after,
        _ => None,
    };
    let retry_after = retry_after.unwrap_or(std::time::Duration::from_secs(5));
    ProvisionError::Busy { why: format!("what the org offers could not be read: {error}"), retry_after }
}
