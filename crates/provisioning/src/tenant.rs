//! What provisioning is told of a tenant.

use std::{collections::HashMap, sync::Arc, time::Duration};

use model::{ClientName, OrgName, TenantId};
use translation::Mapping;

use crate::ClientPolicy;

/// One customer's one environment.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// Its targets. A target without an org goes to [`Tenant::default_org`].
    pub mapping: Mapping,
    /// The tenant's only org, if it has just one.
    pub default_org: Option<OrgName>,
    /// What a userName that is no e-mail address gets behind its `@`.
    pub username_domain: Option<String>,
    /// What DELETE does.
    pub scim_delete: ScimDelete,
    /// The profile of new Users, by name or id, where the mapping sets no `ProfileId`.
    pub default_profile: String,
    /// Usernames or ids of Salesforce Users that no door may adopt or change.
    pub protected: Vec<String>,
    /// What its clients may ask for, and what they mean by it.
    pub clients: HashMap<ClientName, ClientPolicy>,
}

impl Tenant {
    /// The tenant as those clients of its source have it for whose events the mapping says something else.
    pub(crate) fn of_clients(&self) -> impl Iterator<Item = ((TenantId, ClientName), Arc<Self>)> {
        self.mapping.source_rules().clients.iter().filter_map(|(client, mapping)| {
            // The configuration refuses clients whose id is no name.
            let client = ClientName::new(client).ok()?;
            let own = Self { mapping: mapping.clone(), ..self.clone() };
            Some(((self.id.clone(), client), Arc::new(own)))
        })
    }
}

/// `scim-delete` of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScimDelete {
    /// Gone from SCIM, deactivated in Salesforce.
    #[default]
    Remove,
    /// 204 and `active: false`: still there.
    Deactivate,
}

/// What holds for all tenants.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a caller waits for Salesforce at most.
    pub answer_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { answer_within: Duration::from_secs(25) }
    }
}
