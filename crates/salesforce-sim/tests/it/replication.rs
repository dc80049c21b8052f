//! §7.2 and the recycle bin: what changed, and what is gone.

use serde_json::{Value, json};

use crate::world::{V, World};

const USERS: &str = "/services/data/v66.0/sobjects/User";

/// The time of the org, so many seconds from now, as a parameter.
async fn at(world: &World, seconds: i64) -> String {
    let now =
        world.control("/clock", json!({"advance_seconds": 0})).await["now"].as_str().unwrap().to_owned();
    let now: jiff::Timestamp = now.parse().unwrap();
    (now + jiff::SignedDuration::from_secs(seconds)).strftime("%Y-%m-%dT%H:%M:%S%%2B00:00").to_string()
}

async fn span(world: &World, path: &str, from: i64, to: i64) -> crate::world::Answer {
    let (start, end) = (at(world, from).await, at(world, to).await);
    world.get(&format!("{V}/sobjects/{path}/?start={start}&end={end}")).await
}

/// §9: updated/deleted resources with 30-day window, `latestDateCovered`.
#[tokio::test]
async fn updated_lists_what_changed_in_the_span() {
    let world = World::start().await;
    world.control("/clock", json!({"advance_seconds": 3600})).await;
    let id = world.create("ada@example.com", json!({})).await;
    let body = span(&world, "User/updated", -600, 600).await.expect(200);
    assert_eq!(body["ids"], json!([id]));
    let covered = body["latestDateCovered"].as_str().unwrap();
    assert!(covered.ends_with(":00.000+0000"), "whole minutes: {covered}");
    assert_eq!(body.as_object().unwrap().len(), 2);
    world.control("/clock", json!({"advance_seconds": 600})).await;
    // Grants and memberships leave the User as it was, and so does freezing.
    let create = async |object: &str, body: Value| {
        let made = world.post(&format!("{V}/sobjects/{object}"), body).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    };
    let soql = "SELECT Id FROM PermissionSet WHERE Name = 'Sales_Basics'";
    let set = world.query(soql).await[0]["Id"].clone();
    create("PermissionSetAssignment", json!({"AssigneeId": id, "PermissionSetId": set})).await;
    let group = create("Group", json!({"Name": "Pier", "Type": "Regular"})).await;
    create("GroupMember", json!({"GroupId": group, "UserOrGroupId": id})).await;
    let login = world.query(&format!("SELECT Id FROM UserLogin WHERE UserId = '{id}'")).await[0].clone();
    let path = format!("{V}/sobjects/UserLogin/{}", login["Id"].as_str().unwrap());
    world.patch(&path, json!({"IsFrozen": true})).await.expect(204);
    let later = span(&world, "User/updated", -300, 60).await.expect(200);
    assert_eq!(later["ids"], json!([]), "§9: SystemModstamp not bumped by PSA/GroupMember/UserLogin");
    world.patch(&format!("{USERS}/{id}"), json!({"Title": "x"})).await.expect(204);
    assert_eq!(span(&world, "user/updated", -300, 60).await.expect(200)["ids"], json!([id]));
}

/// §7.2: User supports both calls, and its list of deleted records is always empty.
#[tokio::test]
async fn users_are_never_deleted() {
    let world = World::start().await;
    let body = span(&world, "User/deleted", -600, 60).await.expect(200);
    assert_eq!(body["deletedRecords"], json!([]));
    assert!(body["earliestDateAvailable"].is_string() && body["latestDateCovered"].is_string());
}

/// §9: getDeleted feed, also of objects that have no recycle bin.
#[tokio::test]
async fn deleted_lists_what_is_gone() {
    let world = World::start().await;
    let roles = format!("{V}/sobjects/UserRole");
    let role = world.post(&roles, json!({"Name": "Pilot"})).await.expect(201)["id"].clone();
    let path = format!("{roles}/{}", role.as_str().unwrap());
    world.delete(&path).await.expect(204);
    let body = span(&world, "UserRole/deleted", -600, 60).await.expect(200);
    assert_eq!(body["deletedRecords"][0]["id"], role);
    let date = body["deletedRecords"][0]["deletedDate"].as_str().unwrap();
    assert!(date.ends_with(".000+0000"), "{date}");
    world.get(&path).await.expect_error(404, "NOT_FOUND");
    world.delete(&path).await.expect_error(404, "NOT_FOUND");
    assert_eq!(world.sim.handle().count("UserRole"), 6);
}

/// §7.2: start within the last 30 days, end at least a minute later.
#[tokio::test]
async fn spans_that_cannot_be_are_refused() {
    let world = World::start().await;
    let day = 24 * 3600;
    for (from, to) in [(-60, -60), (60, -60), (-31 * day, 0), (600, 1200)] {
        span(&world, "User/updated", from, to).await.expect_error(400, "INVALID_REPLICATION_DATE");
        span(&world, "User/deleted", from, to).await.expect_error(400, "INVALID_REPLICATION_DATE");
    }
    for query in ["", "?start=yesterday&end=today", "?start=2026-01-01"] {
        let answer = world.get(&format!("{V}/sobjects/User/updated/{query}")).await;
        answer.expect_error(400, "INVALID_REPLICATION_DATE");
    }
    let body = span(&world, "User/updated", -29 * day, 0).await.expect(200);
    assert!(body["ids"].as_array().is_some_and(|ids| ids.iter().all(Value::is_string)));
    span(&world, "UserLogin/updated", -60, 0).await.expect_error(400, "INVALID_TYPE_FOR_OPERATION");
    span(&world, "Nope/updated", -60, 0).await.expect_error(404, "NOT_FOUND");
}
