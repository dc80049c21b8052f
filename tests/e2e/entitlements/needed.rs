//! The permission set licence that a permission set needs: it comes with the set, is known, and goes with it.

use e2e::{Scene, World, tool::person};
use serde_json::{Value, json};

use super::{ORG, STAFF, held, patch};
use crate::faults::{listed, until};

const SETS: &str = "permission-sets";
const LICENCES: &str = "permission-set-licences";

/// What Salesforce assigns by itself, and what it does not.
const MORE: &str = r#"
[[permission-set-licences]]
name = "CraneConsole"
total = 1
assigned-by-need = true

[[permission-sets]]
name = "Crane_Access"
licence = "CraneConsole"

[[permission-sets]]
name = "Crane_Reports"
licence = "CraneConsole"
"#;

async fn world(mapping: &str) -> World {
    World::of_scene(&Scene::new(&format!("{mapping}\n{STAFF}"), &format!("{ORG}\n{MORE}")), |_| ()).await
}

fn add(names: &[&str]) -> Value {
    let values: Vec<Value> = names.iter().map(|name| json!({"value": name})).collect();
    json!([{"op": "add", "path": "entitlements", "value": values}])
}

fn only(names: &[&str]) -> Value {
    let values: Vec<Value> = names.iter().map(|name| json!({"value": name})).collect();
    json!([{"op": "replace", "path": "entitlements", "value": values}])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_licence_comes_before_its_set_and_goes_with_the_last_that_needs_it() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let ada = format!("/Users/{}", tool.post("/Users", &person("ada@acme.example")).await.expect(201).id());
    let grace =
        format!("/Users/{}", tool.post("/Users", &person("grace@acme.example")).await.expect(201).id());
    let has = async |name: &str, kind: &str| held(&org, name, kind).await;
    // Salesforce would assign the one itself, and refuse the set that needs the other.
    for (sets, licence) in
        [(["Crane_Access", "Crane_Reports"].as_slice(), "CraneConsole"), (&["Dock_Access"], "DockConsole")]
    {
        let before = org.calls().await.api;
        let _ = patch(&tool, &ada, add(sets)).await.expect(200);
        assert_eq!(org.calls().await.api - before, 1, "all of it is one call");
        assert_eq!(has("ada@acme.example", SETS).await, sets);
        assert_eq!(has("ada@acme.example", LICENCES).await, [licence]);
        let _ = patch(&tool, &ada, only(&sets[..sets.len() - 1])).await.expect(200);
        let left = has("ada@acme.example", LICENCES).await;
        assert_eq!(left.len(), sets.len() - 1, "it stays while a set needs it");
        let _ = patch(&tool, &ada, json!([{"op": "remove", "path": "entitlements"}])).await.expect(200);
        assert_eq!(has("ada@acme.example", SETS).await, [""; 0]);
        assert_eq!(has("ada@acme.example", LICENCES).await, [""; 0]);
    }
    // The only seat is free again.
    let _ = patch(&tool, &grace, add(&["Crane_Access"])).await.expect(200);
    let full = patch(&tool, &ada, add(&["Crane_Access"])).await.expect(403).json();
    assert!(full["detail"].as_str().unwrap().contains("1 of 1 are taken"), "{full}");
    assert_eq!(has("ada@acme.example", LICENCES).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_that_something_needs_counts_as_asked_for() {
    let owned = "[entitlements]\nownership = { permission-set-license = \"authoritative\" }\n";
    let world = world(owned).await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person("ada@acme.example");
    ada["entitlements"] = json!([{"value": "Crane_Access"}]);
    let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
    let title = |title: &str| json!([{"op": "replace", "path": "title", "value": title}]);
    let _ = patch(&tool, &path, title("Captain")).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", LICENCES).await, ["CraneConsole"]);
    // Nor does it go from under a set that somebody has given by hand.
    let user = org.user("ada@acme.example").await["Id"].clone();
    let by_hand = org.one("PermissionSet", "Name", "Crane_Reports").await["Id"].clone();
    org.make("PermissionSetAssignment", &json!({"AssigneeId": user, "PermissionSetId": by_hand})).await;
    let _ = patch(&tool, &path, json!([{"op": "remove", "path": "entitlements"}])).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", SETS).await, ["Crane_Reports"]);
    assert_eq!(held(&org, "ada@acme.example", LICENCES).await, ["CraneConsole"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_whose_licence_has_no_seat_left_is_refused_or_waits_as_the_licence_does() {
    let waiting = "[entitlements]\nwaiting-list = true\n";
    for (mapping, status) in [("", 403), (waiting, 200)] {
        let world = world(mapping).await;
        let (tool, org) = (world.tool(), world.org());
        let ada =
            format!("/Users/{}", tool.post("/Users", &person("ada@acme.example")).await.expect(201).id());
        // Somebody else has taken the last seat since Gangway has counted.
        org.seats(json!({"DockConsole": 0})).await;
        let answer = patch(&tool, &ada, add(&["Dock_Access"])).await.expect(status);
        assert_eq!(held(&org, "ada@acme.example", SETS).await, [""; 0]);
        if status == 403 {
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("0 of 0 are taken") && !detail.contains("allow"), "{detail}");
            continue;
        }
        let warnings = answer.header("x-gangway-warnings").unwrap_or_default();
        assert!(warnings.contains("seat-awaited") && !warnings.contains("grant-refused"), "{warnings}");
        org.seats(json!({"DockConsole": 1})).await;
        world.advance(std::time::Duration::from_mins(2));
        until("who waited is served", async || held(&org, "ada@acme.example", SETS).await == ["Dock_Access"])
            .await;
        until("nothing is owed", async || listed(&world.config_file(), "tasks").await.is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_that_a_set_given_by_hand_needs_is_not_taken_again_and_again() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person("ada@acme.example");
    ada["entitlements"] = json!([{"value": "Crane_Access"}]);
    let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
    let user = org.user("ada@acme.example").await["Id"].clone();
    let by_hand = org.one("PermissionSet", "Name", "Crane_Reports").await["Id"].clone();
    org.make("PermissionSetAssignment", &json!({"AssigneeId": user, "PermissionSetId": by_hand})).await;
    let answer = patch(&tool, &path, json!([{"op": "remove", "path": "entitlements"}])).await.expect(200);
    assert_eq!(answer.header("x-gangway-warnings"), None);
    assert_eq!(held(&org, "ada@acme.example", SETS).await, ["Crane_Reports"]);
    assert_eq!(held(&org, "ada@acme.example", LICENCES).await, ["CraneConsole"]);
    let calls = org.calls().await.api;
    let title = json!([{"op": "replace", "path": "title", "value": "Captain"}]);
    let answer = patch(&tool, &path, title).await.expect(200);
    assert_eq!((answer.header("x-gangway-warnings"), org.calls().await.api - calls), (None, 1));
}
