//! What a departure ends beside the access: a profile and a role that the same request, or a rule that is gone, asks for no more.

use e2e::{Org, Scene, World, tool::person};
use serde_json::{Value, json};

use super::{ORG, STAFF, held, kinds::audited, patch};

const ADA: &str = "ada@acme.example";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const LEAST: &str = "[entitlements]\nleast-privileged = { Salesforce = \"Standard User\" }\n";
const RULE: &str = r#"
[[grants]]
name = "docks"
when = 'user.department == "Docks"'
profile = "Dock Sales"
role = "Pilot"
"#;

async fn world(mapping: &str) -> World {
    World::of_scene(&Scene::new(&format!("{mapping}\n{STAFF}"), ORG), |_| ()).await
}

async fn has(org: &Org) -> (Vec<String>, Vec<String>) {
    (held(org, ADA, "profile").await, held(org, ADA, "role").await)
}

fn both() -> (Vec<String>, Vec<String>) {
    (vec!["Dock Sales".to_owned()], vec!["Pilot".to_owned()])
}

fn neither() -> (Vec<String>, Vec<String>) {
    (vec!["Standard User".to_owned()], Vec::new())
}

fn active(active: bool) -> Value {
    json!([{"op": "replace", "path": "active", "value": active}])
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_department_and_access_in_one_request_comes_back_without_its_role() {
    let world = world(&format!("{LEAST}{RULE}")).await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["schemas"].as_array_mut().unwrap().push(ENTERPRISE.into());
    ada[ENTERPRISE] = json!({"department": "Docks"});
    let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
    assert_eq!(has(&org).await, both());
    // As Entra ID sends it.
    let leaves = json!([
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Remove", "path": format!("{ENTERPRISE}:department")},
    ]);
    let left = patch(&tool, &path, leaves).await.expect(200).json();
    assert_eq!(org.user(ADA).await["IsActive"], false);
    assert_eq!((left.get("roles"), has(&org).await), (None, neither()));
    let _ = patch(&tool, &path, active(true)).await.expect(200);
    assert_eq!(has(&org).await, neither());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_away_with_empty_lists_comes_back_without_what_was_in_them() {
    let world = world(LEAST).await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["entitlements"] = json!([{"value": "Dock Sales", "type": "Profile"}]);
    ada["roles"] = json!([{"value": "Pilot"}]);
    let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
    for puts in [true, false] {
        assert_eq!(has(&org).await, both());
        if puts {
            let mut gone = person(ADA);
            (gone["active"], gone["entitlements"], gone["roles"]) = (json!(false), json!([]), json!([]));
            let _ = tool.put(&path, &gone).await.expect(200);
        } else {
            let gone = json!([
                {"op": "replace", "path": "active", "value": false},
                {"op": "replace", "path": "roles", "value": []},
                {"op": "replace", "path": "entitlements", "value": []},
            ]);
            let _ = patch(&tool, &path, gone).await.expect(200);
        }
        assert_eq!((org.user(ADA).await["IsActive"].clone(), has(&org).await), (json!(false), neither()));
        let back = json!([
            {"op": "replace", "path": "active", "value": true},
            {"op": "add", "path": "entitlements", "value": [{"value": "Dock Sales", "type": "Profile"}]},
            {"op": "add", "path": "roles", "value": [{"value": "Pilot"}]},
        ]);
        let _ = patch(&tool, &path, active(true)).await.expect(200);
        assert_eq!(has(&org).await, neither(), "PUT: {puts}");
        let _ = patch(&tool, &path, back).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_after_a_rule_was_removed_takes_nothing_of_it_along() {
    let world = world(&format!("{LEAST}{RULE}")).await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["schemas"].as_array_mut().unwrap().push(ENTERPRISE.into());
    ada[ENTERPRISE] = json!({"department": "Docks"});
    let id = tool.post("/Users", &ada).await.expect(201).id();
    let path = format!("/Users/{id}");
    world.remap(&format!("{LEAST}{STAFF}")).await;
    let _ = patch(&tool, &path, active(false)).await.expect(200);
    assert_eq!(has(&org).await, neither());
    let why = audited(&world, &["audit", "why", &id, "role:Pilot"]).await;
    assert!(why.contains("docks") && why.contains("nobody asks for it any more"), "{why}");
    assert!(!why.contains("\"default\""), "{why}");
    let _ = patch(&tool, &path, active(true)).await.expect(200);
    assert_eq!(has(&org).await, neither());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_stripped_and_given_back_no_more_is_gone() {
    let keys = "object = \"User\"\nstrip = [\"role\"]";
    let staff = STAFF.replace("object = \"User\"", keys);
    let owned = "[entitlements]\nownership = { role = \"authoritative\" }\n";
    let world = World::of_scene(&Scene::new(&format!("{owned}{staff}"), ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["roles"] = json!([{"value": "Pilot"}]);
    let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
    let gone = json!([
        {"op": "replace", "path": "active", "value": false},
        {"op": "replace", "path": "roles", "value": []},
    ]);
    let _ = patch(&tool, &path, gone).await.expect(200);
    assert_eq!(held(&org, ADA, "role").await, [""; 0]);
    let back = patch(&tool, &path, active(true)).await.expect(200).json();
    assert_eq!((back.get("roles"), held(&org, ADA, "role").await), (None, Vec::new()));
}
