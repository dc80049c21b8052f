//! Salesforce's record ids on the Salesforce address.

use serde_json::{Value, json};
use store::LinkWrite;

use crate::harness::{Answer, TOKEN, World};

const RECORD_18: &str = "005000000000001AAA";
const RECORD_15: &str = "005000000000001";

async fn ada(world: &World) -> String {
    let link = json!({
        "target": "staff", "org": "org", "object": "User", "record_id": RECORD_18, "written": {"IsActive": true}, "adopted": false,
    });
    world.linked_user("ada", json!({}), vec![LinkWrite::Set(serde_json::from_value(link).unwrap())]).await
}

async fn ask(world: &World, base: &str, method: &str, path: &str, body: Value) -> Answer {
    let authorization = format!("Bearer {TOKEN}");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    world.send(method, &format!("{base}{path}"), &[("authorization", &authorization)], body).await
}

#[tokio::test]
async fn a_record_id_names_the_user_in_paths_and_filters_of_the_salesforce_address_alone() {
    let world = World::start();
    let id = ada(&world).await;
    for base in ["/services/scim/v2", "/acme/prod/services/scim/v2"] {
        for record in [RECORD_15, RECORD_18] {
            let user = ask(&world, base, "GET", &format!("/Users/{record}"), Value::Null).await;
            assert_eq!((user.status, &user.json()["id"]), (200, &id.clone().into()), "{record}");
            let found =
                ask(&world, base, "GET", &format!("/Users?filter=id+eq+%22{record}%22"), Value::Null).await;
            assert_eq!(found.ids(), [id.as_str()]);
            let search = json!({"filter": format!("id eq \"{record}\" and userName pr")});
            assert_eq!(ask(&world, base, "POST", "/Users/.search", search).await.ids(), [id.as_str()]);
        }
    }
    ask(&world, "/scim/v2", "GET", &format!("/Users/{RECORD_18}"), Value::Null).await.refused(404, None);
    let found =
        ask(&world, "/scim/v2", "GET", &format!("/Users?filter=id+eq+%22{RECORD_18}%22"), Value::Null).await;
    assert!(found.ids().is_empty());
}

#[tokio::test]
async fn a_record_id_names_the_user_in_memberships() {
    let world = World::start();
    let id = ada(&world).await;
    let base = "/services/scim/v2";
    let body = json!({"displayName": "Crew", "members": [{"value": RECORD_18}]});
    let group = ask(&world, base, "POST", "/Groups", body).await.json();
    assert_eq!(group["members"][0]["value"], id);
    let path = format!("/Groups/{}", group["id"].as_str().unwrap());
    let found =
        ask(&world, base, "GET", &format!("/Groups?filter=members+eq+%22{RECORD_15}%22"), Value::Null).await;
    assert_eq!(found.ids().len(), 1);
    let members = async |operation: Value| {
        let answer = ask(&world, base, "PATCH", &path, json!({"Operations": [operation]})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["members"].as_array().unwrap().len()
    };
    let add = json!({"op": "add", "path": "members", "value": {"members": [{"value": RECORD_15}]}});
    assert_eq!(
        members(json!({"op": "remove", "path": format!("members[value eq \"{RECORD_18}\"]")})).await,
        0
    );
    assert_eq!(members(add.clone()).await, 1);
    assert_eq!(members(add).await, 1);
    assert_eq!(members(json!({"op": "remove", "path": "members", "value": [{"value": RECORD_18}]})).await, 0);
}

#[tokio::test]
async fn the_record_is_shown_to_who_asks_for_it() {
    let world = World::start();
    let id = ada(&world).await;
    let urn = scim_types::schema::GANGWAY_USER_URN;
    let user = world.get(&format!("/Users/{id}?attributes=userName,{urn}:salesforce")).await.json();
    let record = json!({
        "target": "staff", "org": "org", "object": "User", "recordId": RECORD_18, "active": true, "frozen": false
    });
    assert_eq!(user[urn]["salesforce"], json!([record]));
    assert!(user["schemas"].as_array().unwrap().contains(&urn.into()));
    assert!(world.get(&format!("/Users/{id}")).await.json().get(urn).is_none());
}

const GROUP_18: &str = "00G000000000009EAA";
const GROUP_15: &str = "00G000000000009";

#[tokio::test]
async fn a_record_id_names_the_group_that_stands_for_it_in_paths_and_filters() {
    let world = World::start();
    let id = world.standing_group("crew", GROUP_18).await;
    let base = "/acme/prod/services/scim/v2";
    for record in [GROUP_15, GROUP_18] {
        let group = ask(&world, base, "GET", &format!("/Groups/{record}"), Value::Null).await;
        assert_eq!((group.status, &group.json()["id"]), (200, &id.clone().into()), "{record}");
        let found =
            ask(&world, base, "GET", &format!("/Groups?filter=id+eq+%22{record}%22"), Value::Null).await;
        assert_eq!(found.ids(), [id.as_str()]);
        ask(&world, base, "GET", &format!("/Users/{record}"), Value::Null).await.refused(404, None);
    }
    ask(&world, "/scim/v2", "GET", &format!("/Groups/{GROUP_18}"), Value::Null).await.refused(404, None);
    world.standing_group("crew again", GROUP_18).await;
    ask(&world, base, "GET", &format!("/Groups/{GROUP_18}"), Value::Null).await.refused(404, None);
}
