//! What a tenant's mapping makes of the profiles of an identity source, and which of the source's events it wants.

use std::sync::Arc;

use model::{ClientName, TenantId};
use serde_json::Value;
pub use translation::{EventKind, profile::ProfileError};

use crate::{Caller, ProvisionError, Tenant, provisioner::World};

/// The mapping of a tenant, as it holds for one client of its source.
#[derive(Clone, Debug)]
pub struct Profiles {
    tenant: Arc<Tenant>,
    caller: Caller,
}

impl Profiles {
    pub(crate) fn of(
        world: &World,
        tenant: &TenantId,
        name: &ClientName,
        client: Option<&str>,
    ) -> Result<Self, ProvisionError> {
        let caller = |client| Caller { tenant: tenant.clone(), client };
        let own = client.and_then(|client| ClientName::new(client).ok()).map(caller);
        if let Some(caller) = own
            && let Some(tenant) = world.own_of(&caller)
        {
            return Ok(Self { tenant, caller });
        }
        Ok(Self { tenant: world.tenant(tenant)?, caller: caller(name.clone()) })
    }

    /// Who submits what comes of the event.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The clients of the source that have rules of their own here.
    pub fn clients(&self) -> impl Iterator<Item = &str> {
        self.tenant.mapping.source_rules().clients.keys().map(String::as_str)
    }

    /// Whether any events count.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.tenant.mapping.source_rules().enabled
    }

    /// Whether events of this kind are to be applied.
    #[must_use]
    pub fn applies(&self, kind: EventKind) -> bool {
        self.tenant.mapping.source_rules().applies(kind)
    }

    /// The attributes of a profile that are needed.
    #[must_use]
    pub fn attributes(&self) -> Vec<String> {
        self.tenant.mapping.attributes_of_profile()
    }

    /// Whether one of these attributes is used. None at all may be any.
    pub fn uses_any<'a>(&self, changed: impl IntoIterator<Item = &'a str>) -> bool {
        self.tenant.mapping.uses_any(changed)
    }

    /// The SCIM User that a profile is: of its values only what the mapping uses.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] for what is nobody's profile.
    pub fn user(&self, profile: &Value) -> Result<Value, ProfileError> {
        translation::profile::to_scim(profile, &self.tenant.mapping)
    }
}
