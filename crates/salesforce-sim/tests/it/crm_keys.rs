//! §2.4, §4.1, §4.5: records found by a key of the customer's own, after they were converted, deleted or merged.

use serde_json::{Value, json};

use crate::world::{V, World};

const KEYS: &str = r#"
[[fields]]
object = "Lead"
name = "GangwayId__c"
length = 64
unique = true
case-sensitive = true
external-id = true

[[fields]]
object = "Contact"
name = "GangwayId__c"
length = 64
unique = true
case-sensitive = true
external-id = true
"#;

fn key(object: &str, value: &str) -> String {
    format!("{V}/sobjects/{object}/GangwayId__c/{value}")
}

async fn upserted(world: &World, path: &str, status: u16) -> String {
    let body = json!({"LastName": "Lovelace", "Company": "Engines"});
    world.patch(path, body).await.expect(status)["id"].as_str().unwrap().to_owned()
}

async fn contact(world: &World, value: &str) -> String {
    let body = json!({"LastName": value});
    world.patch(&key("Contact", value), body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn all(world: &World, soql: &str) -> Vec<Value> {
    let path = format!("{V}/queryAll?q={}", soql.replace(' ', "+"));
    world.get(&path).await.expect(200)["records"].as_array().unwrap().clone()
}

/// A converted lead keeps its key: the upsert meets it, and cannot change it.
#[tokio::test]
async fn an_upsert_that_meets_a_converted_lead_is_refused_until_the_lead_is_gone() {
    let world = World::from_file(KEYS).await;
    let path = key("Lead", "g-1");
    let id = upserted(&world, &path, 201).await;
    assert_eq!(upserted(&world, &path, 200).await, id);
    world.control("/convert-lead", json!({"leadId": id, "convertedStatus": "Closed - Converted"})).await;
    let refused = world.patch(&path, json!({"Title": "Countess"})).await;
    let refused = refused.expect_error(400, "CANNOT_UPDATE_CONVERTED_LEAD");
    assert_eq!(refused["message"], "cannot reference converted lead");
    // The same as one record of several.
    let records = json!([{"attributes": {"type": "Lead"}, "GangwayId__c": "g-1", "Title": "Countess"}]);
    let call = json!({"allOrNone": false, "records": records});
    let answer = world.patch(&format!("{V}/composite/sobjects/Lead/GangwayId__c"), call).await.expect(200);
    assert_eq!(answer[0]["errors"][0]["statusCode"], "CANNOT_UPDATE_CONVERTED_LEAD");
    // It is still there to be read and found, and marked as what it is.
    let lead = world.get(&path).await.expect(200);
    assert_eq!((&lead["Id"], &lead["IsConverted"]), (&json!(id), &json!(true)));
    assert!(
        world
            .query("SELECT Id FROM Lead WHERE GangwayId__c = 'g-1' AND IsConverted = false")
            .await
            .is_empty()
    );
    world.delete(&format!("{V}/sobjects/Lead/{id}")).await.expect(204);
    assert_ne!(upserted(&world, &path, 201).await, id);
}

/// A key lives as long as its record; what is in the bin comes back only if nobody else has the key.
#[tokio::test]
async fn an_upsert_after_a_delete_makes_a_new_record() {
    let world = World::from_file(KEYS).await;
    let path = key("Lead", "g-1");
    let first = upserted(&world, &path, 201).await;
    world.delete(&format!("{V}/sobjects/Lead/{first}")).await.expect(204);
    world.get(&path).await.expect_error(404, "NOT_FOUND");
    let second = upserted(&world, &path, 201).await;
    assert_ne!(second, first);
    let rows =
        all(&world, "SELECT Id, IsDeleted FROM Lead WHERE GangwayId__c = 'g-1' ORDER BY CreatedDate").await;
    assert_eq!(rows.len(), 2);
    // Case tells keys apart.
    assert_ne!(upserted(&world, &key("Lead", "G-1"), 201).await, second);
    let create = json!({"LastName": "L", "Company": "E", "GangwayId__c": "g-1"});
    let error = world.post(&format!("{V}/sobjects/Lead"), create).await.expect_error(400, "DUPLICATE_VALUE");
    let named = format!("duplicates value on record with id: {}", &second[..15]);
    assert!(error["message"].as_str().unwrap().ends_with(&named), "{error}");
}

/// The loser of a merge is gone and says who the winner is; what referred to it refers to the winner.
#[tokio::test]
async fn the_loser_of_a_merge_is_deleted_and_names_its_master() {
    let world = World::from_file(KEYS).await;
    let (master, loser) = (contact(&world, "g-1").await, contact(&world, "g-2").await);
    let report = json!({"LastName": "Report", "ReportsToId": loser});
    let report = world.post(&format!("{V}/sobjects/Contact"), report).await.expect(201)["id"].clone();
    let done = world.control("/merge", json!({"masterId": master, "mergeId": loser})).await;
    assert_eq!(done["success"], true, "{done}");
    let path = format!("{V}/sobjects/Contact/{loser}");
    world.get(&path).await.expect_error(404, "NOT_FOUND");
    world.get(&key("Contact", "g-2")).await.expect_error(404, "NOT_FOUND");
    world.patch(&path, json!({"Title": "x"})).await.expect_error(404, "ENTITY_IS_DELETED");
    let soql = format!("SELECT IsDeleted, MasterRecordId FROM Contact WHERE Id = '{loser}'");
    let binned = all(&world, &soql).await;
    assert_eq!((&binned[0]["IsDeleted"], &binned[0]["MasterRecordId"]), (&json!(true), &json!(master)));
    let report = world.get(&format!("{V}/sobjects/Contact/{}", report.as_str().unwrap())).await.expect(200);
    assert_eq!(report["ReportsToId"], json!(master));
    let again = world.control("/merge", json!({"masterId": master, "mergeId": loser})).await;
    assert_eq!(again["errors"][0]["statusCode"], "INVALID_CROSS_REFERENCE_KEY");
}
