//! What a tenant shows of what its orgs offer: all that somebody can be given.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use model::{OrgName, TenantId};
use salesforce_client::CallError;
use salesforce_types::{Catalogue, Entitlement, Seats, seats_of};

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
    /// The seats that whoever gets it takes one of: its own, or those of the licence that it needs.
    pub seats: Option<Seats>,
}

/// The lists that were made last, each with the catalogues that it was made of: a client that reads page after page finds the
/// same one.
#[derive(Debug, Default)]
pub(crate) struct Lists(Mutex<HashMap<TenantId, List>>);

#[derive(Clone, Debug)]
struct List {
    of: Vec<(OrgName, Arc<Catalogue>)>,
    offers: Arc<Vec<Offer>>,
}

impl Lists {
    fn made_of(&self, tenant: &TenantId, of: &[(OrgName, Arc<Catalogue>)]) -> Option<Arc<Vec<Offer>>> {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let list = lists.get(tenant)?;
        let mut both = list.of.iter().zip(of);
        let is_it = list.of.len() == of.len()
            && both.all(|(one, other)| one.0 == other.0 && Arc::ptr_eq(&one.1, &other.1));
        is_it.then(|| Arc::clone(&list.offers))
    }

    fn keep(&self, tenant: &TenantId, list: List) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), list);
    }
}

/// In the order of the orgs in the mapping, then of their catalogues: stable from page to page.
pub(crate) async fn of_tenant(inner: &Inner, tenant: &TenantId) -> Result<Arc<Vec<Offer>>, ProvisionError> {
    let scene = Scene::now(inner, tenant)?;
    let mut of = Vec::new();
    for org in scene.orgs_with_users()? {
        let catalogue = inner.catalogue.of(&*inner.store, org, inner.clock.now()).await;
        of.push((org.name().clone(), catalogue.map_err(|error| cannot_ask(&error))?));
    }
    if let Some(offers) = inner.offers.made_of(tenant, &of) {
        return Ok(offers);
    }
    let several = of.len() > 1;
    let offers = of.iter().flat_map(|(org, catalogue)| {
        let given = catalogue.entitlements().iter().filter(|one| can_be_given(one));
        given.map(move |one| Offer {
            org: org.clone(),
            id: id_text(org, &one.of.id, several),
            entitlement: one.clone(),
            seats: seats_of(catalogue, &one.of).map(|of| of.seats),
        })
    });
    let offers = Arc::new(offers.collect::<Vec<_>>());
    inner.offers.keep(tenant, List { of, offers: Arc::clone(&offers) });
    Ok(offers)
}

fn cannot_ask(error: &CallError) -> ProvisionError {
    let retry_after = match error {
        CallError::NotSent { retry_after, .. } => *retry_after,
        _ => None,
    };
    let retry_after = retry_after.unwrap_or(std::time::Duration::from_secs(5));
    ProvisionError::Busy { why: format!("what the org offers could not be read: {error}"), retry_after }
}
