//! §9 "Entitlements".

use serde_json::{Value, json};

use crate::world::{V, World};

/// The id of the one record that a query finds.
async fn id(world: &World, object: &str, condition: &str) -> String {
    let rows = world.query(&format!("SELECT Id FROM {object} WHERE {condition}")).await;
    assert_eq!(rows.len(), 1, "{object} {condition}: {rows:?}");
    rows[0]["Id"].as_str().unwrap().to_owned()
}

async fn set(world: &World, name: &str) -> String {
    id(world, "PermissionSet", &format!("Name = '{name}'")).await
}

fn path(object: &str) -> String {
    format!("{V}/sobjects/{object}")
}

async fn assign(world: &World, user: &str, set: &str) -> crate::world::Answer {
    world.post(&path("PermissionSetAssignment"), json!({"AssigneeId": user, "PermissionSetId": set})).await
}

async fn assignments(world: &World, user: &str) -> Vec<Value> {
    world
        .query(&format!(
            "SELECT Id, PermissionSetId, PermissionSetGroupId, IsActive, PermissionSet.Name, \
             PermissionSet.IsOwnedByProfile, PermissionSet.Type FROM PermissionSetAssignment \
             WHERE AssigneeId = '{user}'"
        ))
        .await
}

/// §9: profile-owned shadow `PermissionSet` and PSA rows.
#[tokio::test]
async fn the_set_of_a_profile_goes_with_the_profile() {
    let world = World::start().await;
    let user = world.create("a@example.com", json!({})).await;
    let rows = assignments(&world, &user).await;
    assert_eq!(rows.len(), 1);
    let profile = world.profile("Standard User").await;
    assert_eq!(rows[0]["PermissionSet"]["Name"], format!("X{}", &profile[..15]));
    assert_eq!(rows[0]["PermissionSet"]["IsOwnedByProfile"], true);
    assert_eq!(rows[0]["PermissionSet"]["Type"], "Profile");
    let refused = world
        .delete(&format!("{}/{}", path("PermissionSetAssignment"), rows[0]["Id"].as_str().unwrap()))
        .await;
    refused.expect_error(400, "INSUFFICIENT_ACCESS_OR_READONLY");
    let other = world.profile("Read Only").await;
    world.patch(&format!("{}/{user}", path("User")), json!({"ProfileId": other})).await.expect(204);
    let rows = assignments(&world, &user).await;
    assert_eq!((rows.len(), &rows[0]["PermissionSet"]["Name"]), (1, &json!(format!("X{}", &other[..15]))));
    // Without the filter, profiles look like permission sets.
    let sets =
        world.query("SELECT Id FROM PermissionSet WHERE IsOwnedByProfile = false AND Type != 'Group'").await;
    assert_eq!(sets.len(), 10);
    let of_profile = id(&world, "PermissionSet", &format!("ProfileId = '{other}'")).await;
    assign(&world, &user, &of_profile).await.expect_error(400, "DUPLICATE_VALUE");
    let of_another = id(&world, "PermissionSet", &format!("ProfileId = '{profile}'")).await;
    assign(&world, &user, &of_another).await.expect_error(400, "INVALID_CROSS_REFERENCE_KEY");
}

/// §9: PSA duplicates.
#[tokio::test]
async fn a_second_assignment_of_a_set_is_refused_in_the_recorded_words() {
    let world = World::start().await;
    let user = world.create("a@example.com", json!({})).await;
    let sales = set(&world, "Sales_Basics").await;
    let body = assign(&world, &user, &sales).await.expect(201);
    assert_eq!(&body["id"].as_str().unwrap()[..3], "0Pa");
    let error = assign(&world, &user, &sales).await.expect_error(400, "DUPLICATE_VALUE");
    assert_eq!(
        error["message"],
        format!(
            "Duplicate PermissionSetAssignment.  Assignee: {}; Permission Set: {}",
            &user[..15],
            &sales[..15]
        )
    );
    assert_eq!(error["fields"], json!(["AssigneeId", "PermissionSetId"]));
    let row = format!("{}/{}", path("PermissionSetAssignment"), body["id"].as_str().unwrap());
    world.patch(&row, json!({"AssigneeId": user})).await.expect_error(400, "INVALID_FIELD_FOR_INSERT_UPDATE");
    let stamp = world.user(&user).await["SystemModstamp"].clone();
    world.control("/clock", json!({"advance_seconds": 60})).await;
    world.delete(&row).await.expect(204);
    assert_eq!(world.user(&user).await["SystemModstamp"], stamp, "the user does not change");
    assign(&world, &user, &sales).await.expect(201);
    world
        .post(&path("PermissionSetAssignment"), json!({"AssigneeId": user}))
        .await
        .expect_error(400, "REQUIRED_FIELD_MISSING");
}

/// §9: licence mismatch text.
#[tokio::test]
async fn a_set_that_the_licence_does_not_allow_is_refused() {
    let world = World::start().await;
    let chatter = world.profile("Chatter Free User").await;
    let user = world.create("a@example.com", json!({"ProfileId": chatter})).await;
    let sales = set(&world, "Report_Export").await;
    let error = assign(&world, &user, &sales).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    assert_eq!(
        error["message"],
        "Can't assign permission set Report Export to user Ada Lovelace. The user license doesn't allow the \
         permission: Run Reports"
    );
    // For one license alone.
    let service = set(&world, "Service_Agent").await;
    assign(&world, &user, &service).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    // Without permissions there is nothing to refuse.
    let approver = set(&world, "Contract_Approver").await;
    assign(&world, &user, &approver).await.expect(201);
}

/// §9: group vs set columns; PSG shadow sets.
#[tokio::test]
async fn a_permission_set_group_is_assigned_with_its_own_set() {
    let world = World::start().await;
    let user = world.create("a@example.com", json!({})).await;
    let group = id(&world, "PermissionSetGroup", "DeveloperName = 'Sales_Team'").await;
    let own = id(&world, "PermissionSet", &format!("PermissionSetGroupId = '{group}'")).await;
    assign(&world, &user, &own).await.expect_error(400, "INVALID_CROSS_REFERENCE_KEY");
    let body = json!({"AssigneeId": user, "PermissionSetGroupId": group});
    world.post(&path("PermissionSetAssignment"), body.clone()).await.expect(201);
    world.post(&path("PermissionSetAssignment"), body).await.expect_error(400, "DUPLICATE_VALUE");
    let rows = assignments(&world, &user).await;
    let row = rows.iter().find(|row| row["PermissionSetGroupId"] == json!(group)).unwrap();
    assert_eq!((&row["PermissionSetId"], &row["PermissionSet"]["Type"]), (&json!(own), &json!("Group")));
    let sales = set(&world, "Sales_Basics").await;
    let both = json!({"AssigneeId": user, "PermissionSetGroupId": group, "PermissionSetId": sales});
    world.post(&path("PermissionSetAssignment"), both).await.expect_error(400, "INVALID_CROSS_REFERENCE_KEY");
    // The set of the group has the permissions of its components.
    let given =
        world.query(&format!("SELECT PermissionsExportReport FROM PermissionSet WHERE Id = '{own}'")).await;
    assert_eq!(given[0]["PermissionsExportReport"], true);
    let component = id(
        &world,
        "PermissionSetGroupComponent",
        &format!("PermissionSetGroupId = '{group}' AND PermissionSet.Name = 'Report_Export'"),
    )
    .await;
    world.delete(&format!("{}/{component}", path("PermissionSetGroupComponent"))).await.expect(204);
    let given = world
        .query(&format!(
            "SELECT PermissionsExportReport, PermissionsRunReports FROM PermissionSet WHERE Id = '{own}'"
        ))
        .await;
    assert_eq!(
        (&given[0]["PermissionsExportReport"], &given[0]["PermissionsRunReports"]),
        (&json!(false), &json!(true))
    );
}
