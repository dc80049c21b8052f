//! From configured tenants and orgs to what provisioning and the door are told of them.

use std::{collections::HashMap, sync::Arc};

use model::{Clock, OrgName};
use provisioning::Tenant;
use salesforce_client::{Org, TokenVault};
use scim_server::{Dialect, DoorClient, DoorTenant, May};

use crate::{
    config::{self, Acknowledge, ClientSettings, DialectName, GroupPatch, OrgSettings, TenantSettings},
    sources,
};

/// Connects the orgs of a configuration. One that is the same as before keeps its client, with its token and what it
/// knows of the org. Nothing is asked of any org here.
pub(crate) fn orgs(
    settings: &[OrgSettings],
    before: &[OrgSettings],
    connected: &HashMap<OrgName, Org>,
    vault: &Arc<dyn TokenVault>,
    clock: &Clock,
) -> HashMap<OrgName, Org> {
    let keep = |org: &OrgSettings| {
        before.iter().any(|old| old.is_same_as(org)).then(|| connected.get(&org.name).cloned()).flatten()
    };
    settings
        .iter()
        .map(|org| {
            let client =
                keep(org).unwrap_or_else(|| Org::new(org.client_config(), Arc::clone(vault), clock.clone()));
            (org.name.clone(), client)
        })
        .collect()
}

/// What provisioning is told.
pub(crate) fn provisioned(tenants: &[TenantSettings]) -> Vec<Tenant> {
    tenants
        .iter()
        .map(|tenant| Tenant {
            id: tenant.id.clone(),
            mapping: tenant.mapping.clone(),
            default_org: tenant.org.clone(),
            username_domain: tenant.username_domain.clone(),
            scim_delete: tenant.scim_delete.into(),
            default_profile: tenant.default_profile.clone().unwrap_or_default(),
            protected: tenant.protected.clone(),
            clients: tenant
                .clients
                .iter()
                .map(|client| (client.name.clone(), client.policy.clone()))
                .collect(),
        })
        .collect()
}

/// What the door is told.
pub(crate) fn served(tenants: &[TenantSettings]) -> Vec<DoorTenant> {
    // Clients of a population come to the address of its environment.
    let homes = tenants.iter().filter(|tenant| tenant.id.population().is_none());
    homes
        .map(|tenant| DoorTenant {
            id: tenant.id.clone(),
            default: tenant.default,
            clients: tenant.clients.iter().map(|one| client(tenant, one)).collect(),
        })
        .collect()
}

fn client(tenant: &TenantSettings, client: &ClientSettings) -> DoorClient {
    DoorClient {
        name: client.name.clone(),
        token_sha256: client.token_sha256.clone(),
        oauth: client.oauth.clone(),
        may: match client.may {
            config::May::Read => May::Read,
            config::May::Write => May::Write,
        },
        dialect: client.dialect.map(|dialect| match dialect {
            DialectName::Entra => Dialect::Entra,
            DialectName::Okta => Dialect::Okta,
            DialectName::Ping => Dialect::Ping,
            DialectName::HelloId => Dialect::HelloId,
            DialectName::SailPoint => Dialect::SailPoint,
        }),
        zero_based_index: client.zero_based_index,
        group_patch_204: client.group_patch.map(|patch| patch == GroupPatch::NoContent),
        acknowledge_stored: client.acknowledge == Acknowledge::Stored,
        population: client.population.clone(),
        event_uris: sources::event_uris(tenant, client.population.as_ref().unwrap_or(&tenant.id)),
    }
}
