//! C-3, C-4: what the server says of itself.

use serde_json::{Value, json};

use crate::harness::{ROOT, World};

#[tokio::test]
async fn c03_the_service_provider_config_is_there_in_singular_and_plural() {
    let world = World::start();
    let config = world.get("/ServiceProviderConfig").await.json();
    assert_eq!(world.get("/ServiceProviderConfigs").await.json(), config);
    assert_eq!(config["meta"]["location"], format!("https://scim.example.com{ROOT}/ServiceProviderConfig"));
    assert_eq!(config["patch"]["supported"], true);
}

#[tokio::test]
async fn the_service_provider_config_names_the_limits_that_hold() {
    let config = World::start().get("/ServiceProviderConfig").await.json();
    assert_eq!(config["bulk"]["maxOperations"], 1_000);
    assert_eq!(config["bulk"]["maxPayloadSize"], scim_server::limits::BULK_BODY);
    assert_eq!(config["filter"]["maxResults"], 1_000);
    assert_eq!(config["pagination"]["cursorTimeout"], scim_server::limits::CURSOR_SECONDS);
}

/// No RFC knows the member, so only those see it who ask for it.
#[tokio::test]
async fn the_service_provider_config_tells_of_roles_and_entitlements_where_it_is_asked() {
    let world = World::start();
    let asked = world.get("/ServiceProviderConfig?attributes=patch,rolesAndEntitlements").await.json();
    let member = &asked["RolesAndEntitlements"];
    assert_eq!(
        (&member["roles"]["supported"], &member["entitlements"]["supported"]),
        (&true.into(), &true.into())
    );
    assert_eq!(member["roles"]["types"], json!(["Role"]));
    assert!(member["entitlements"]["types"].as_array().unwrap().contains(&json!("PermissionSet")));
    assert!(world.get("/ServiceProviderConfig").await.json().get("RolesAndEntitlements").is_none());
}

#[tokio::test]
async fn c04_resource_types_and_schemas_are_there_singly() {
    let world = World::start();
    for list in ["/ResourceTypes", "/Schemas"] {
        let all = world.get(list).await.json();
        let resources = all["Resources"].as_array().unwrap();
        assert_eq!(all["totalResults"], resources.len());
        for one in resources {
            let id = one["id"].as_str().unwrap();
            assert_eq!(&world.get(&format!("{list}/{id}")).await.json(), one);
            assert_eq!(one["meta"]["location"], format!("https://scim.example.com{ROOT}{list}/{id}"));
        }
        world.get(&format!("{list}/nothing")).await.refused(404, None);
    }
    let names = world.get("/resourcetypes").await.json();
    let names: Vec<_> =
        names["Resources"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["User", "Group", "Entitlement", "Role"]);
}

#[tokio::test]
async fn discovery_ignores_parameters_but_refuses_a_filter() {
    let world = World::start();
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/ResourceTypes/User"] {
        let plain = world.get(path).await.json();
        assert_eq!(world.get(&format!("{path}?attributes=id&startIndex=5&count=x&aad")).await.json(), plain);
        world.get(&format!("{path}?filter=id+pr")).await.refused(403, None);
    }
}

#[tokio::test]
async fn no_document_has_a_null() {
    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(elements) => elements.iter().any(has_null),
            Value::Object(members) => members.values().any(has_null),
            _ => false,
        }
    }
    let world = World::start();
    let schemas = world.get("/Schemas").await.json();
    assert!(
        !has_null(&schemas)
            && schemas["schemas"] == json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"])
    );
}
