//! What the server can do (RFC 7644 §4): `/ServiceProviderConfig`, `/ResourceTypes`, `/Schemas`.
//!
//! These need a token like everything else. RFC 7643 §5 would have the authentication schemes public "with the
//! appropriate security considerations"; here strangers learn nothing, not even which tenants there are.

use actix_web::http::StatusCode;
use provisioning::EntitlementKind;
use scim_types::{
    Error, Registry,
    discovery::{self, Facts, GrantTypes, ROLES_AND_ENTITLEMENTS, SecurityEvents},
};
use serde::Serialize;

use crate::{call::Call, error::Failure, limits::CURSOR_SECONDS, reply::Reply};

/// `GET /ServiceProviderConfig`, and in the plural, as Salesforce has it (C-3).
pub(crate) fn service_provider_config(call: &Call<'_>) -> Result<Reply, Failure> {
    let asked = call.query()?.get("attributes").unwrap_or_default();
    let asks = asked.split(',').any(|name| name.trim().eq_ignore_ascii_case(ROLES_AND_ENTITLEMENTS));
    let facts = Facts {
        documentation_uri: None,
        cursor_timeout_seconds: Some(CURSOR_SECONDS),
        grant_types: asks.then(grant_types),
        security_events: security_events(call),
    };
    document(call, &discovery::service_provider_config(&call.base, &facts))
}

/// Which events others hear of, as the configuration says.
fn security_events(call: &Call<'_>) -> Option<SecurityEvents> {
    let uris = &call.client.settings.event_uris;
    let asynchronous = call.announces_ends();
    (!uris.is_empty()).then(|| SecurityEvents { asynchronous, uris: uris.clone() })
}

fn grant_types() -> GrantTypes {
    let (roles, entitlements): (Vec<_>, Vec<_>) =
        EntitlementKind::ALL.into_iter().partition(|kind| *kind == EntitlementKind::Role);
    let types = |kinds: Vec<EntitlementKind>| kinds.into_iter().map(EntitlementKind::scim_type).collect();
    GrantTypes { entitlements: types(entitlements), roles: types(roles) }
}

/// `GET /ResourceTypes`.
pub(crate) fn resource_types(call: &Call<'_>) -> Result<Reply, Failure> {
    document(call, &discovery::resource_types(Registry::standard(), &call.base))
}

/// `GET /ResourceTypes/{name}` (C-4).
pub(crate) fn resource_type(call: &Call<'_>, name: &str) -> Result<Reply, Failure> {
    let found = discovery::resource_type(Registry::standard(), &call.base, name);
    document(
        call,
        &found
            .ok_or_else(|| Error::not_found("there is no such resource type: /ResourceTypes lists them"))?,
    )
}

/// `GET /Schemas`.
pub(crate) fn schemas(call: &Call<'_>) -> Result<Reply, Failure> {
    document(call, &discovery::schemas(Registry::standard(), &call.base))
}

/// `GET /Schemas/{urn}` (C-4).
pub(crate) fn schema(call: &Call<'_>, urn: &str) -> Result<Reply, Failure> {
    let found = discovery::schema(Registry::standard(), &call.base, urn);
    document(call, &found.ok_or_else(|| Error::not_found("there is no such schema: /Schemas lists them"))?)
}

/// §4: "If a "filter" is provided, the service provider SHOULD respond with HTTP status code 403 (Forbidden) to ensure
/// that clients cannot incorrectly assume that any matching conditions specified in a filter will be applied." Other
/// parameters are ignored.
fn document(call: &Call<'_>, document: &impl Serialize) -> Result<Reply, Failure> {
    if call.query()?.get("filter").is_some() {
        return Err(Error::new(403, "this cannot be filtered: ask without a filter").into());
    }
    Ok(Reply::json(StatusCode::OK, document))
}
