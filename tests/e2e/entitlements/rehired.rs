//! Who was deleted and comes again: what Gangway gave then is Gangway's still.

use e2e::{Scene, World, tool::person};
use serde_json::json;

use super::{ORG, STAFF, held, patch};

const ADA: &str = "ada@acme.example";

#[tokio::test(flavor = "multi_thread")]
async fn what_gangway_gave_before_a_delete_is_its_own_to_take_when_nobody_asks_for_it_any_more() {
    let staff = STAFF.replace("Title  ", "FederationIdentifier = 'user.externalId'\nTitle  ");
    let world = World::of_scene(&Scene::new(&staff, ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["externalId"] = json!("E1815");
    ada["entitlements"] = json!([
        {"value": "Dock Sales", "type": "Profile"}, {"value": "Dock_Reports"}, {"value": "Dock_More"},
        {"value": "Dock Workers", "type": "PublicGroup"}, {"value": "Dock Requests", "type": "Queue"},
        {"value": "dock", "type": "PackageLicense"}, {"value": "UserPermissionsMarketingUser"},
        {"value": "Harbour", "type": "Territory"},
    ]);
    ada["roles"] = json!([{"value": "Pilot"}]);
    let kinds = ["permission-sets", "groups", "queues", "packages", "territories", "role"];
    let first = tool.post("/Users", &ada).await.expect(201).id();
    for kind in kinds {
        assert!(!held(&org, ADA, kind).await.is_empty(), "{kind} is not given");
    }
    // Somebody has given him one more by hand.
    let user = org.user(ADA).await["Id"].clone();
    let by_hand = org.one("PermissionSet", "Name", "Dock_Most").await["Id"].clone();
    org.make("PermissionSetAssignment", &json!({"AssigneeId": user, "PermissionSetId": by_hand})).await;
    let _ = tool.delete(&format!("/Users/{first}")).await.expect(204);
    assert_eq!(org.user(ADA).await["IsActive"], false);

    // She is back, and asks for one of all that.
    let mut again = person(ADA);
    again["externalId"] = json!("E1815");
    again["entitlements"] = json!([{"value": "Dock_Reports"}]);
    let second = tool.post("/Users", &again).await.expect(201).id();
    let came_back = org.user(ADA).await;
    assert_eq!((&came_back["Id"], &came_back["IsActive"]), (&user, &json!(true)));
    assert_eq!(held(&org, ADA, "permission-sets").await, ["Dock_Most", "Dock_Reports"]);
    for kind in &kinds[1..] {
        assert_eq!(held(&org, ADA, kind).await, [""; 0], "{kind} is there and nobody asks for it");
    }
    assert_eq!(held(&org, ADA, "profile").await, ["Standard User"]);
    assert_eq!(came_back["UserPermissionsMarketingUser"], false);
    let none = json!([{"op": "replace", "path": "entitlements", "value": []}]);
    let _ = patch(&tool, &format!("/Users/{second}"), none).await.expect(200);
    assert_eq!(held(&org, ADA, "permission-sets").await, ["Dock_Most"], "what was given by hand stays");

    // The same person under another name is the same User.
    let _ = tool.delete(&format!("/Users/{second}")).await.expect(204);
    let mut married = person("ada.king@acme.example");
    married["externalId"] = json!("E1815");
    let _ = tool.post("/Users", &married).await.expect(201);
    assert_eq!(org.user("ada.king@acme.example").await["Id"], user);
    assert_eq!(held(&org, "ada.king@acme.example", "permission-sets").await, ["Dock_Most"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_and_given_by_hand_after_a_delete_is_not_gangways() {
    let staff = STAFF.replace("Title  ", "FederationIdentifier = 'user.externalId'\nTitle  ");
    let world = World::of_scene(&Scene::new(&staff, ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["externalId"] = json!("E1815");
    ada["entitlements"] = json!([{"value": "Dock_Reports"}, {"value": "Dock_More"}]);
    let first = tool.post("/Users", &ada).await.expect(201).id();
    let _ = tool.delete(&format!("/Users/{first}")).await.expect(204);
    assert_eq!(held(&org, ADA, "permission-sets").await, ["Dock_More", "Dock_Reports"]);
    let user = org.user(ADA).await["Id"].clone();
    let set = org.one("PermissionSet", "Name", "Dock_More").await["Id"].clone();
    let rows = org.find("PermissionSetAssignment", "AssigneeId", user.as_str().unwrap()).await;
    let row = rows.iter().find(|row| row["PermissionSetId"] == set).unwrap();
    org.delete("PermissionSetAssignment", row["Id"].as_str().unwrap()).await;
    org.make("PermissionSetAssignment", &json!({"AssigneeId": user, "PermissionSetId": set})).await;

    ada.as_object_mut().unwrap().remove("entitlements");
    let _ = tool.post("/Users", &ada).await.expect(201);
    assert_eq!(org.user(ADA).await["Id"], user);
    assert_eq!(held(&org, ADA, "permission-sets").await, ["Dock_More"], "an administrator has given it");
}
