//! From configured event sources to what the event doors are told of them.

use intake::Source;

use crate::config::{SourceSettings, TenantSettings};

/// What the event doors are told.
pub(crate) fn told(tenants: &[TenantSettings]) -> Vec<Source> {
    let of = |tenant: &TenantSettings| -> Vec<Source> {
        tenant.sources.iter().map(|source| told_one(tenant, source)).collect()
    };
    tenants.iter().flat_map(of).collect()
}

fn told_one(tenant: &TenantSettings, source: &SourceSettings) -> Source {
    Source {
        tenant: tenant.id.clone(),
        name: source.name.clone(),
        acknowledge: source.acknowledge.into(),
        answer_within: source.answer_within,
        kind: match source.kind {},
    }
}
