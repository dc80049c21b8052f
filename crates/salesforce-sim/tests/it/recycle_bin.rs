//! §4.5 and §9 "Delete": the recycle bin, and what a delete does to others.

use serde_json::{Value, json};

use crate::world::{V, World};

const ACCOUNTS: &str = "/services/data/v66.0/sobjects/Account";
const CONTACTS: &str = "/services/data/v66.0/sobjects/Contact";

async fn create(world: &World, path: &str, body: Value) -> String {
    world.post(path, body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn query_all(world: &World, soql: &str) -> Vec<Value> {
    let path = format!("{V}/queryAll?q={}", soql.replace(' ', "+"));
    world.get(&path).await.expect(200)["records"].as_array().unwrap().clone()
}

/// §9: Delete → recycle bin: queryAll visibility, second delete `ENTITY_IS_DELETED`, getDeleted feed.
#[tokio::test]
async fn a_deleted_record_is_in_the_bin_for_fifteen_days() {
    let world = World::start().await;
    let id = create(&world, CONTACTS, json!({"LastName": "Bin", "Email": "bin@example.com"})).await;
    let path = format!("{CONTACTS}/{id}");
    let gone = world.delete(&path).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    let soql = format!("SELECT Id, IsDeleted FROM Contact WHERE Id = '{id}'");
    assert!(world.query(&soql).await.is_empty());
    assert_eq!(query_all(&world, &soql).await[0]["IsDeleted"], true);
    assert_eq!(query_all(&world, "SELECT Id FROM Contact WHERE IsDeleted = true").await.len(), 1);
    let expected = r#"[{"message":"entity is deleted","errorCode":"ENTITY_IS_DELETED","fields":[]}]"#;
    let again = world.delete(&path).await;
    assert_eq!((again.status, again.text.as_str()), (404, expected));
    let update = world.patch(&path, json!({"FirstName": "x"})).await;
    assert_eq!((update.status, update.text.as_str()), (404, expected));
    world.get(&path).await.expect_error(404, "NOT_FOUND");
    world.control("/switches", json!({"read-says-deleted": true})).await;
    world.get(&path).await.expect_error(404, "ENTITY_IS_DELETED");
    // A key of a deleted record is free again.
    world.get(&format!("{CONTACTS}/Email/bin@example.com")).await.expect_error(404, "NOT_FOUND");
    world.control("/clock", json!({"advance_seconds": 15 * 24 * 3600})).await;
    let mut world = world;
    world.refresh().await;
    assert!(query_all(&world, &soql).await.is_empty());
    world.delete(&path).await.expect_error(404, "NOT_FOUND");
}

/// The same inside a collection: the id stays, the code is an item's `statusCode`.
#[tokio::test]
async fn deleting_ids_answers_one_by_one() {
    let world = World::start().await;
    let ids = [
        create(&world, CONTACTS, json!({"LastName": "A"})).await,
        create(&world, CONTACTS, json!({"LastName": "B"})).await,
    ];
    let path = |ids: &str, all: bool| format!("{V}/composite/sobjects?ids={ids}&allOrNone={all}");
    let (a, b) = (&ids[0], &ids[1]);
    let never = "003000000000000AAA";
    let answer = world.delete(&path(&format!("{a},{never},nonsense"), true)).await.expect(200);
    assert_eq!(answer[0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(answer[0]["id"], *a, "items of a failed delete keep their id");
    assert_eq!(answer[1]["errors"][0]["statusCode"], "INVALID_CROSS_REFERENCE_KEY");
    assert_eq!(answer[2]["errors"][0]["statusCode"], "MALFORMED_ID");
    assert_eq!(world.query(&format!("SELECT Id FROM Contact WHERE Id = '{a}'")).await.len(), 1);
    let answer = world.delete(&path(&format!("{a},{b},{a}"), false)).await.expect(200);
    assert_eq!(answer[1], json!({"id": b, "success": true, "errors": []}));
    assert_eq!(answer[2]["errors"][0]["statusCode"], "ENTITY_IS_DELETED");
    world.delete(&format!("{V}/composite/sobjects")).await.expect_error(400, "REQUIRED_FIELD_MISSING");
    let many = vec![a.as_str(); 201].join(",");
    world.delete(&path(&many, false)).await.expect_error(400, "EXCEEDED_ID_LIMIT");
}

/// Contacts and opportunities go with their account; a case keeps it; a lookup is cleared.
#[tokio::test]
async fn what_refers_to_a_deleted_record_goes_stays_or_forgets() {
    let world = World::start().await;
    let account = create(&world, ACCOUNTS, json!({"Name": "Engines"})).await;
    let boss = create(&world, CONTACTS, json!({"LastName": "Boss", "AccountId": account})).await;
    let other = create(&world, CONTACTS, json!({"LastName": "Other", "ReportsToId": boss})).await;
    let case = create(&world, &format!("{V}/sobjects/Case"), json!({"AccountId": account})).await;
    let error = world.delete(&format!("{ACCOUNTS}/{account}")).await.expect_error(400, "DELETE_FAILED");
    let message = error["message"].as_str().unwrap();
    let expected = "Your attempt to delete Engines could not be completed because it is associated with the following cases.: ";
    assert!(message.starts_with(expected), "{message}");
    world.delete(&format!("{V}/sobjects/Case/{case}")).await.expect(204);
    world.delete(&format!("{ACCOUNTS}/{account}")).await.expect(204);
    world.get(&format!("{CONTACTS}/{boss}")).await.expect_error(404, "NOT_FOUND");
    let left = world.get(&format!("{CONTACTS}/{other}")).await.expect(200);
    assert_eq!(left["ReportsToId"], Value::Null);
    assert_eq!(query_all(&world, "SELECT Id FROM Contact WHERE IsDeleted = true").await.len(), 1);
}

/// Setup objects have no recycle bin, and one in use stays.
#[tokio::test]
async fn a_role_in_use_stays() {
    let world = World::start().await;
    let role = world.query("SELECT Id FROM UserRole WHERE Name = 'CEO'").await[0]["Id"].clone();
    let path = format!("{V}/sobjects/UserRole/{}", role.as_str().unwrap());
    world.delete(&path).await.expect_error(400, "DELETE_FAILED");
    assert_eq!(world.sim.handle().count("UserRole"), 6);
}
