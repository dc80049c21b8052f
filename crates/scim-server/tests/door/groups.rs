//! Groups, which need no call to Salesforce: the whole way from request to answer.

use scim_server::Dialect;
use serde_json::{Value, json};

use crate::harness::{ROOT, World};

fn patch(operations: Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}

#[tokio::test]
async fn c30_a_create_is_201_with_the_resource_its_location_and_its_version() {
    let world = World::start();
    let answer = world.call("POST", "/Groups", json!({"displayName": "Crew", "externalId": "x-1"})).await;
    assert_eq!(answer.status, 201);
    let group = answer.json();
    let id = group["id"].as_str().unwrap();
    let location = format!("https://scim.example.com{ROOT}/Groups/{id}");
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert_eq!(answer.header("etag"), Some("W/\"1\""));
    assert_eq!(group["meta"]["location"], location);
    assert_eq!(group["meta"]["version"], "W/\"1\"");
    assert_eq!(group["meta"]["resourceType"], "Group");
    assert_eq!(group["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:Group"]));
    assert_eq!((&group["displayName"], &group["externalId"]), (&"Crew".into(), &"x-1".into()));
    let read = world.get(&format!("/Groups/{id}")).await;
    assert_eq!(read.json(), group);
    assert_eq!(read.header("etag"), Some("W/\"1\""));
}

#[tokio::test]
async fn c31_a_name_that_is_taken_is_409_uniqueness() {
    let world = World::start();
    world.group("Crew", &[]).await;
    let detail =
        world.call("POST", "/Groups", json!({"displayName": "CREW"})).await.refused(409, Some("uniqueness"));
    assert!(detail.contains("displayName"), "{detail}");
}

#[tokio::test]
async fn c25_attributes_shape_the_answer_to_every_method() {
    let world = World::start();
    let user = world.user("ada", json!({})).await;
    let body = json!({"displayName": "Crew", "members": [{"value": user}]});
    let created = world.call("POST", "/Groups?attributes=displayName", body.clone()).await;
    let group = created.json();
    let id = group["id"].as_str().unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&group), ["schemas", "displayName", "id"]);
    let path = format!("/Groups/{id}?excludedAttributes=members,meta");
    for (method, body) in [
        ("GET", Value::Null),
        ("PUT", body),
        ("PATCH", patch(json!([{"op": "add", "path": "externalId", "value": "x"}]))),
    ] {
        let answer = world.call(method, &path, body).await;
        assert_eq!(answer.status, 200, "{method}: {answer:?}");
        let group = answer.json();
        assert!(group.get("members").is_none() && group.get("meta").is_none(), "{method}: {group}");
        assert_eq!((&group["id"], &group["displayName"]), (&id.into(), &"Crew".into()), "{method}");
    }
    assert_eq!(world.get(&format!("/Groups/{id}?attributes=id")).await.json()["id"], id);
}

#[tokio::test]
async fn c25_a_parameter_that_cannot_be_read_changes_nothing() {
    let world = World::start();
    let answer = world.call("POST", "/Groups?attributes=emails%5Btype", json!({"displayName": "Crew"})).await;
    answer.refused(400, Some("invalidValue"));
    assert_eq!(world.get("/Groups").await.json()["totalResults"], 0);
}

#[tokio::test]
async fn c28_members_are_shown_with_value_ref_display_and_type() {
    let world = World::start();
    let user = world.user("ada", json!({"displayName": "Ada"})).await;
    let inner = world.group("Inner", &[]).await;
    let id = world.group("Crew", &[&user, &inner]).await;
    let members = json!([
        {"value": user, "$ref": format!("https://scim.example.com{ROOT}/Users/{user}"), "display": "Ada", "type": "User"},
        {"value": inner, "$ref": format!("https://scim.example.com{ROOT}/Groups/{inner}"), "display": "Inner", "type": "Group"},
    ]);
    assert_eq!(world.get(&format!("/Groups/{id}")).await.json()["members"], members);
    let list = world.get("/Groups?filter=displayName+eq+%22crew%22").await.json();
    assert_eq!(list["Resources"][0]["members"], members);
    let list = world.get("/Groups?filter=displayName+eq+%22crew%22&excludedAttributes=members").await.json();
    assert!(list["Resources"][0].get("members").is_none());
}

#[tokio::test]
async fn c29_a_user_shows_the_groups_it_is_in() {
    let world = World::start();
    let user = world.user("ada", json!({})).await;
    let id = world.group("Crew", &[&user]).await;
    let groups = json!([{
        "value": id, "$ref": format!("https://scim.example.com{ROOT}/Groups/{id}"), "display": "Crew", "type": "direct",
    }]);
    assert_eq!(world.get(&format!("/Users/{user}")).await.json()["groups"], groups);
    assert_eq!(world.get("/Users").await.json()["Resources"][0]["groups"], groups);
}

#[tokio::test]
async fn c52_an_unknown_member_is_named_and_nothing_changed() {
    let world = World::start();
    let user = world.user("ada", json!({})).await;
    let id = world.group("Crew", &[]).await;
    let add =
        patch(json!([{"op": "add", "path": "members", "value": [{"value": user}, {"value": "nobody"}]}]));
    let detail = world.call("PATCH", &format!("/Groups/{id}"), add).await.refused(400, Some("invalidValue"));
    assert!(detail.contains("nobody"), "{detail}");
    assert_eq!(world.get(&format!("/Groups/{id}")).await.json()["members"], json!([]));
}

#[tokio::test]
async fn c53_a_value_array_removes_those_members_alone() {
    let world = World::start();
    let (ada, bob) = (world.user("ada", json!({})).await, world.user("bob", json!({})).await);
    let id = world.group("Crew", &[&ada, &bob]).await;
    let remove = patch(json!([{"op": "Remove", "path": "members", "value": [{"value": ada}]}]));
    let answer = world.call("PATCH", &format!("/groups/{id}"), remove).await;
    let members = answer.json()["members"].clone();
    assert_eq!((members.as_array().unwrap().len(), &members[0]["value"]), (1, &bob.into()));
}

#[tokio::test]
async fn c60_a_patch_is_answered_with_the_resource() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let rename = patch(json!([{"op": "Replace", "path": "displayName", "value": "Officers"}]));
    let answer = world.call("PATCH", &format!("/Groups/{id}"), rename).await;
    assert_eq!((answer.status, &answer.json()["id"]), (200, &id.into()));
    assert_eq!(answer.json()["displayName"], "Officers");
    assert_eq!(answer.header("etag"), Some("W/\"2\""));
}

#[tokio::test]
async fn c60_entra_gets_204_for_groups_unless_it_asks_for_attributes() {
    let world = World::with_client(|client| client.dialect = Some(Dialect::Entra));
    let id = world.group("Crew", &[]).await;
    let rename = |name| patch(json!([{"op": "Replace", "path": "displayName", "value": name}]));
    let answer = world.call("PATCH", &format!("/Groups/{id}"), rename("Officers")).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(answer.header("etag"), Some("W/\"2\""));
    let answer = world.call("PATCH", &format!("/Groups/{id}?attributes=displayName"), rename("Crew")).await;
    assert_eq!((answer.status, &answer.json()["displayName"]), (200, &"Crew".into()));
}

#[tokio::test]
async fn c60_a_setting_per_client_decides_over_the_dialect() {
    let rename = || patch(json!([{"op": "Replace", "path": "displayName", "value": "Officers"}]));
    let world = World::with_client(|client| client.group_patch_204 = Some(true));
    let id = world.group("Crew", &[]).await;
    assert_eq!(world.call("PATCH", &format!("/Groups/{id}"), rename()).await.status, 204);
    let world = World::with_client(|client| {
        client.dialect = Some(Dialect::Entra);
        client.group_patch_204 = Some(false);
    });
    let id = world.group("Crew", &[]).await;
    assert_eq!(world.call("PATCH", &format!("/Groups/{id}"), rename()).await.status, 200);
}

#[tokio::test]
async fn c61_empty_operations_have_one_documented_answer() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let answer = world.call("PATCH", &format!("/Groups/{id}"), patch(json!([]))).await;
    assert_eq!((answer.status, &answer.json()["displayName"]), (200, &"Crew".into()));
    assert_eq!(world.get(&format!("/Groups/{id}")).await.json()["meta"]["version"], "W/\"1\"");
}

#[tokio::test]
async fn c63_another_id_in_the_body_is_a_mutability_error() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let mut group = world.get(&format!("/Groups/{id}")).await.json();
    let answer = world.call("PUT", &format!("/Groups/{id}"), group.clone()).await;
    assert_eq!(answer.json(), group, "what was read can be sent back");
    group["id"] = "other".into();
    world.call("PUT", &format!("/Groups/{id}"), group).await.refused(400, Some("mutability"));
}

#[tokio::test]
async fn c64_a_put_has_a_body_with_its_members() {
    let world = World::with_client(|client| client.dialect = Some(Dialect::Entra));
    let user = world.user("ada", json!({})).await;
    let id = world.group("Crew", &[]).await;
    let body = json!({"displayName": "Crew", "members": [{"value": user}]});
    let answer = world.call("PUT", &format!("/Groups/{id}"), body).await;
    assert_eq!((answer.status, &answer.json()["members"][0]["value"]), (200, &user.into()));
    let answer =
        world.call("PUT", &format!("/Groups/{id}"), json!({"displayName": "Crew", "members": []})).await;
    assert_eq!((answer.status, &answer.json()["members"]), (200, &json!([])));
}

#[tokio::test]
async fn c66_deleted_is_gone_and_the_name_is_free() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let answer = world.call("DELETE", &format!("/Groups/{id}"), Value::Null).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    for method in ["GET", "DELETE"] {
        world.call(method, &format!("/Groups/{id}"), Value::Null).await.refused(404, None);
    }
    assert_ne!(world.group("Crew", &[]).await, id);
}

#[tokio::test]
async fn c74_conditions_are_honoured_and_never_required() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let path = format!("/Groups/{id}");
    let rename = |name: &str| json!({"displayName": name});
    let put = async |tag: &'static str, name: &'static str| {
        world.call_with("PUT", &path, &[("if-match", tag)], rename(name)).await
    };
    assert_eq!(put("W/\"1\"", "Two").await.status, 200);
    put("W/\"1\"", "Three").await.refused(412, None);
    assert_eq!(put("\"9\", \"2\"", "Three").await.status, 200);
    assert_eq!(put("*", "Four").await.status, 200);
    world.call_with("DELETE", &path, &[("if-match", "\"1\"")], Value::Null).await.refused(412, None);

    let get = async |name: &'static str, tag: &'static str| {
        world.call_with("GET", &path, &[(name, tag)], Value::Null).await
    };
    let same = get("if-none-match", "W/\"4\"").await;
    assert_eq!((same.status, same.text.as_str(), same.header("etag")), (304, "", Some("W/\"4\"")));
    assert_eq!(get("if-none-match", "W/\"3\"").await.status, 200);
    get("if-match", "W/\"3\"").await.refused(412, None);
    assert_eq!(world.call("DELETE", &path, Value::Null).await.status, 204);
}

#[tokio::test]
async fn a_warning_free_answer_has_no_extension() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    assert!(!world.get(&format!("/Groups/{id}")).await.text.contains("urn:gangway"));
}
