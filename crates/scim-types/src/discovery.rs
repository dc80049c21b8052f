//! The documents by which a client learns what the server does (RFC 7644 §4, RFC 7643 §5 to §7).
//!
//! `ServiceProviderConfig` is written from constants that the code itself obeys and from the few [`Facts`] that only
//! the server knows, so that it cannot promise what does not work. No document has a member that is `null`: Entra ID
//! refuses such a schema.
//!
//! `base` is the URL of the SCIM root without a slash at its end, such as `https://scim.acme.example/acme/prod/scim/v2`.

use serde_json::{Map, Value, json};

use crate::bulk::{MAX_BULK_OPERATIONS, MAX_BULK_PAYLOAD};
use crate::schema::Schema;
use crate::search::{DEFAULT_PAGE, MAX_PAGE};
use crate::{ListResponse, Registry, ResourceType};

const SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// What the server does beyond what these types decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Where people read about the server.
    pub documentation_uri: Option<String>,
    /// For how many seconds a cursor is good (RFC 9865 §4). `None`: it does not grow old.
    pub cursor_timeout_seconds: Option<u64>,
    /// What `type` may be in a User's `entitlements` and `roles`; given where the client asks for
    /// [`ROLES_AND_ENTITLEMENTS`].
    pub grant_types: Option<GrantTypes>,
    /// Which events are sent (RFC 9967). `None`: none are.
    pub security_events: Option<SecurityEvents>,
}

/// Which events are sent (RFC 9967).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityEvents {
    /// Whether a request with `Prefer: respond-async` is answered by an event.
    pub asynchronous: bool,
    /// Their URIs.
    pub uris: Vec<String>,
}

/// What `type` may be in a User's `entitlements` and `roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantTypes {
    /// Of `entitlements`.
    pub entitlements: Vec<&'static str>,
    /// Of `roles`.
    pub roles: Vec<&'static str>,
}

/// The member of `ServiceProviderConfig` that draft-ietf-scim-roles-entitlements has. It is shown to those who name it in
/// `attributes`: no RFC knows it, and strict readers refuse the whole document for it.
pub const ROLES_AND_ENTITLEMENTS: &str = "RolesAndEntitlements";

/// The answer to `GET /ServiceProviderConfig` (RFC 7643 §5, pagination RFC 9865 §4).
///
/// `securityEvents` is only there where events are sent: strict readers refuse what RFC 7643 does not know.
#[must_use]
pub fn service_provider_config(base: &str, facts: &Facts) -> Value {
    let mut pagination = json!({
        "cursor": true,
        "index": true,
        "defaultPaginationMethod": "index",
        "defaultPageSize": DEFAULT_PAGE,
        "maxPageSize": MAX_PAGE,
    });
    if let Some(seconds) = facts.cursor_timeout_seconds {
        pagination["cursorTimeout"] = seconds.into();
    }
    let mut config = Map::new();
    config.insert("schemas".into(), json!([SERVICE_PROVIDER_CONFIG]));
    if let Some(uri) = &facts.documentation_uri {
        config.insert("documentationUri".into(), json!(uri));
    }
    config.insert("patch".into(), json!({"supported": true}));
    config.insert(
        "bulk".into(),
        json!({"supported": true, "maxOperations": MAX_BULK_OPERATIONS, "maxPayloadSize": MAX_BULK_PAYLOAD}),
    );
    config.insert("filter".into(), json!({"supported": true, "maxResults": MAX_PAGE}));
    config.insert("changePassword".into(), json!({"supported": false}));
    config.insert("sort".into(), json!({"supported": true}));
    config.insert("etag".into(), json!({"supported": true}));
    config.insert("pagination".into(), pagination);
    config.insert(
        "authenticationSchemes".into(),
        json!([{
            "type": "oauthbearertoken",
            "name": "OAuth Bearer Token",
            "description": "A bearer token in the Authorization header of every request",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }]),
    );
    if let Some(events) = &facts.security_events {
        let asked = if events.asynchronous { "request" } else { "none" };
        config.insert("securityEvents".into(), json!({"asyncRequest": asked, "eventUris": events.uris}));
    }
    if let Some(types) = &facts.grant_types {
        config.insert(ROLES_AND_ENTITLEMENTS.into(), roles_and_entitlements(types));
    }
    config.insert("meta".into(), meta("ServiceProviderConfig", &format!("{base}/ServiceProviderConfig")));
    Value::Object(config)
}

/// A User has many entitlements and, in each org, at most one role.
fn roles_and_entitlements(types: &GrantTypes) -> Value {
    json!({
        "roles": {
            "supported": true,
            "multipleRolesSupported": false,
            "primarySupported": false,
            "typeSupported": true,
            "types": types.roles,
        },
        "entitlements": {
            "supported": true,
            "multipleEntitlementsSupported": true,
            "primarySupported": false,
            "typeSupported": true,
            "types": types.entitlements,
        },
    })
}

/// The answer to `GET /ResourceTypes`.
#[must_use]
pub fn resource_types(registry: &Registry, base: &str) -> ListResponse<Value> {
    ListResponse::all(
        registry.resource_types().iter().map(|resource_type| type_document(resource_type, base)).collect(),
    )
}

/// The answer to `GET /ResourceTypes/{name}` (C-4); `None` when there is no such type.
#[must_use]
pub fn resource_type(registry: &Registry, base: &str, name: &str) -> Option<Value> {
    registry.resource_type(name).map(|resource_type| type_document(resource_type, base))
}

/// The answer to `GET /Schemas`.
#[must_use]
pub fn schemas(registry: &Registry, base: &str) -> ListResponse<Value> {
    ListResponse::all(registry.schemas().iter().map(|schema| schema_document(schema, base)).collect())
}

/// The answer to `GET /Schemas/{urn}` (C-4); `None` when there is no such schema.
#[must_use]
pub fn schema(registry: &Registry, base: &str, urn: &str) -> Option<Value> {
    registry.schema(urn).map(|schema| schema_document(schema, base))
}

fn type_document(resource_type: &ResourceType, base: &str) -> Value {
    // Our own extension says what came of a change and takes nothing in. Listed, strict clients would write to it and miss
    // what they wrote; so it is described at /Schemas and returned on request.
    let extensions = resource_type.extensions.iter().filter(|extension| !extension.schema.is_gangways());
    let extensions = extensions.map(|extension| (extension.schema.id.as_str(), extension.required));
    // A resource type has one schema. Its other names stand here, so that strict clients know what a resource's `schemas` say.
    let aliases = resource_type.aliases.iter().map(|alias| (*alias, false));
    let extensions: Vec<_> = extensions
        .chain(aliases)
        .map(|(urn, required)| json!({"schema": urn, "required": required}))
        .collect();
    json!({
        "schemas": [RESOURCE_TYPE],
        "id": resource_type.name,
        "name": resource_type.name,
        "description": resource_type.description,
        "endpoint": resource_type.endpoint,
        "schema": resource_type.schema.id,
        "schemaExtensions": extensions,
        "meta": meta("ResourceType", &format!("{base}/ResourceTypes/{}", resource_type.name)),
    })
}

fn schema_document(schema: &Schema, base: &str) -> Value {
    let mut document = Map::new();
    document.insert("schemas".into(), json!([SCHEMA]));
    if let Ok(Value::Object(members)) = serde_json::to_value(schema) {
        document.extend(members);
    }
    document.insert("meta".into(), meta("Schema", &format!("{base}/Schemas/{}", schema.id)));
    Value::Object(document)
}

fn meta(resource_type: &str, location: &str) -> Value {
    json!({"resourceType": resource_type, "location": location})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTITLEMENT_URN, ROLE_URN};

    const BASE: &str = "https://scim.example.com/scim/v2";

    fn facts() -> Facts {
        Facts { cursor_timeout_seconds: Some(3_600), ..Facts::default() }
    }

    fn everything() -> Value {
        let registry = Registry::standard();
        json!([
            service_provider_config(BASE, &facts()),
            resource_types(registry, BASE),
            schemas(registry, BASE)
        ])
    }

    #[test]
    fn the_service_provider_config_says_what_works() {
        insta::assert_json_snapshot!(service_provider_config(BASE, &facts()));
    }

    #[test]
    fn the_drafts_member_is_shown_where_it_is_asked_for() {
        assert!(service_provider_config(BASE, &facts()).get(ROLES_AND_ENTITLEMENTS).is_none());
        let types = GrantTypes { entitlements: vec!["Profile", "PermissionSet"], roles: vec!["Role"] };
        let config = service_provider_config(BASE, &Facts { grant_types: Some(types), ..facts() });
        insta::assert_json_snapshot!(config[ROLES_AND_ENTITLEMENTS]);
    }

    #[test]
    fn okta_finds_entitlements_and_roles_by_its_own_schemas() {
        let found: Vec<(Value, Value)> = resource_types(Registry::standard(), BASE)
            .resources
            .into_iter()
            .filter(|one| one["schema"].as_str().unwrap().starts_with("urn:okta:"))
            .map(|one| (one["schema"].clone(), one["endpoint"].clone()))
            .collect();
        assert_eq!(
            found,
            [(ENTITLEMENT_URN.into(), "/Entitlements".into()), (ROLE_URN.into(), Value::from("/Roles"))]
        );
    }

    #[test]
    fn the_resource_types_name_their_extensions() {
        insta::assert_json_snapshot!(resource_types(Registry::standard(), BASE));
    }

    #[test]
    fn no_document_has_a_null() {
        fn has_null(value: &Value) -> bool {
            match value {
                Value::Null => true,
                Value::Array(elements) => elements.iter().any(has_null),
                Value::Object(members) => members.values().any(has_null),
                _ => false,
            }
        }
        assert!(!has_null(&everything()));
    }

    #[test]
    fn c04_what_a_list_shows_can_be_read_singly() {
        let registry = Registry::standard();
        for document in resource_types(registry, BASE).resources {
            let name = document["name"].as_str().unwrap();
            assert_eq!(document["meta"]["location"], format!("{BASE}/ResourceTypes/{name}"));
            assert_eq!(resource_type(registry, BASE, name), Some(document));
        }
        for document in schemas(registry, BASE).resources {
            let urn = document["id"].as_str().unwrap();
            assert_eq!(document["meta"]["location"], format!("{BASE}/Schemas/{urn}"));
            assert_eq!(schema(registry, BASE, urn), Some(document));
        }
        assert_eq!(resource_type(registry, BASE, "Device"), None);
        assert_eq!(schema(registry, BASE, "urn:nobody"), None);
    }

    #[test]
    fn every_schema_of_a_resource_type_is_served() {
        let registry = Registry::standard();
        for document in resource_types(registry, BASE).resources {
            let extensions = document["schemaExtensions"].as_array().unwrap();
            for urn in extensions.iter().map(|extension| &extension["schema"]).chain([&document["schema"]]) {
                assert!(schema(registry, BASE, urn.as_str().unwrap()).is_some(), "{urn}");
            }
        }
    }
}
