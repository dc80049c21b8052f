//! What an administrator gives in Salesforce by hand, in the fields of the User: shown, taken where Gangway is the authority, and
//! out of the reach of who could not have given it.

use std::path::Path;

use e2e::{Org, Scene, World, tool::person, world::environment};
use serde_json::{Value, json};
use toml::Table;

use super::{ORG, STAFF, held, patch, shown, world_of_two_orgs};
use crate::faults::{listed, until};

const MARKETING: &str = "UserPermissionsMarketingUser";
const ADA: &str = "ada@acme.example";

async fn world(mapping: &str, change: impl FnOnce(&mut Table)) -> World {
    World::of_scene(&Scene::new(&format!("{mapping}\n{STAFF}"), ORG), change).await
}

/// The client may give this by its full name.
fn may_give(config: &mut Table, what: &str) {
    let clients = environment(config)["clients"].as_array_mut().unwrap();
    let grants = Table::from_iter([("allow".to_owned(), vec![what, "*:*"].into())]);
    clients[0].as_table_mut().unwrap().insert("grants".into(), grants.into());
}

async fn joined(world: &World) -> String {
    world.tool().post("/Users", &person(ADA)).await.expect(201).id()
}

async fn change(org: &Org, fields: Value) {
    let id = org.user(ADA).await["Id"].as_str().unwrap().to_owned();
    org.change("User", &id, &fields).await;
}

async fn id_of(org: &Org, object: &str, name: &str) -> Value {
    org.one(object, "Name", name).await["Id"].clone()
}

async fn gangway(config: &Path, arguments: &[&str]) -> String {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(arguments)
        .args(["--output", "json", "--config"])
        .arg(config)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn title(text: &str) -> Value {
    json!([{"op": "replace", "path": "title", "value": text}])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_and_a_feature_licence_given_by_hand_are_shown_and_left_alone() {
    let world = world("", |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let id = joined(&world).await;
    change(&org, json!({"UserRoleId": id_of(&org, "UserRole", "Pilot").await, (MARKETING): true})).await;
    gangway(&world.config_file(), &["resync", &id]).await;
    let path = format!("/Users/{id}");
    let read = tool.get(&path).await.expect(200).json();
    assert_eq!(read["roles"][0]["display"], "Pilot");
    assert_eq!(shown(&read, "entitlements", "FeatureLicense").unwrap()["value"], MARKETING);
    // Whatever comes next leaves them alone, and a second look learns nothing new.
    let _ = patch(&tool, &path, title("Countess")).await.expect(200);
    let _ = tool.put(&path, &tool.get(&path).await.expect(200).json()).await.expect(200);
    let version = tool.get(&path).await.expect(200).json()["meta"]["version"].clone();
    gangway(&world.config_file(), &["resync", &id]).await;
    assert_eq!(tool.get(&path).await.expect(200).json()["meta"]["version"], version);
    let user = org.user(ADA).await;
    assert_eq!((&user[MARKETING], held(&org, ADA, "role").await), (&json!(true), vec!["Pilot".to_owned()]));
    // An administrator takes the role again: it is not shown any more.
    change(&org, json!({"UserRoleId": null})).await;
    gangway(&world.config_file(), &["resync", &id]).await;
    assert_eq!(tool.get(&path).await.expect(200).json().get("roles"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_gangway_is_the_authority_a_role_and_a_feature_licence_given_by_hand_go() {
    let mapping =
        "[entitlements]\nownership = { role = \"authoritative\", feature-license = \"authoritative\" }\n";
    let world = world(mapping, |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let id = joined(&world).await;
    let path = format!("/Users/{id}");
    let _ = patch(&tool, &path, title("Duchess")).await.expect(200);
    change(&org, json!({"UserRoleId": id_of(&org, "UserRole", "Pilot").await, (MARKETING): true})).await;
    let answer = patch(&tool, &path, title("Countess")).await.expect(200).json();
    let user = org.user(ADA).await;
    assert_eq!((&user["UserRoleId"], &user[MARKETING]), (&Value::Null, &json!(false)));
    assert_eq!((answer.get("roles"), shown(&answer, "entitlements", "FeatureLicense")), (None, None));
    for of in ["role:Pilot", "feature-license:UserPermissionsMarketingUser"] {
        let why = gangway(&world.config_file(), &["audit", "why", &id, of]).await;
        assert!(why.contains("nobody has asked for it"), "{of}: {why}");
    }
    // What is asked for stays, whoever has given it.
    change(&org, json!({"UserRoleId": id_of(&org, "UserRole", "Pilot").await})).await;
    let ask = json!([{"op": "add", "path": "roles", "value": [{"value": "Pilot"}]}]);
    let answer = patch(&tool, &path, ask).await.expect(200).json();
    assert_eq!(answer["roles"][0]["display"], "Pilot");
    assert_eq!(held(&org, ADA, "role").await, ["Pilot"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_has_become_an_administrator_is_out_of_the_reach_of_who_may_make_none() {
    let world = world("", |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let id = joined(&world).await;
    let path = format!("/Users/{id}");
    change(&org, json!({"ProfileId": org.profile("System Administrator").await})).await;
    gangway(&world.config_file(), &["resync", &id]).await;
    let read = tool.get(&path).await.expect(200).json();
    assert_eq!(shown(&read, "entitlements", "Profile").unwrap()["display"], "System Administrator");
    let inactive = json!([{"op": "replace", "path": "active", "value": false}]);
    for operations in [title("Countess"), inactive.clone()] {
        let answer = patch(&tool, &path, operations).await.expect(403).json();
        assert!(answer["detail"].as_str().unwrap().contains("protected"), "{answer}");
    }
    assert_eq!(org.user(ADA).await["IsActive"], true);
    // Who may make administrators may change them.
    world.reload(|config| may_give(config, "profile:System Administrator"));
    let _ = patch(&tool, &path, inactive).await.expect(200);
    assert_eq!(org.user(ADA).await["IsActive"], false);
}

/// A task has no bounds of its own: what the caller may not do is not left to it, whoever waits for the answer.
#[tokio::test(flavor = "multi_thread")]
async fn whom_the_caller_may_not_lock_out_no_task_locks_out_in_his_name() {
    for required in [true, false] {
        let keys = format!("object = \"User\"\nrequired = {required}");
        let staff = STAFF.replace("object = \"User\"", &keys);
        let world = World::of_scene(&Scene::new(&staff, ORG), |_| ()).await;
        let (tool, org) = (world.tool(), world.org());
        let id = joined(&world).await;
        let path = format!("/Users/{id}");
        change(&org, json!({"ProfileId": org.profile("System Administrator").await})).await;
        gangway(&world.config_file(), &["resync", &id]).await;
        let inactive = json!([{"op": "replace", "path": "active", "value": false}]);
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": inactive,
        });
        let headers = [("prefer", "respond-async"), ("content-type", "application/scim+json")];
        for method in ["PATCH", "DELETE"] {
            let body = (method == "PATCH").then(|| body.to_string().into_bytes());
            let _ = tool.send(method, &path, &headers, body).await.unwrap().expect(202);
        }
        // It has its turn when the others have ended.
        let answer = patch(&tool, &path, inactive).await.expect(403).json();
        assert!(answer["detail"].as_str().unwrap().contains("protected"), "{answer}");
        assert_ne!(tool.get(&path).await.expect(200).json()["active"], false);
        assert!(listed(&world.config_file(), "tasks").await.is_empty());
        assert_eq!(org.user(ADA).await["IsActive"], true);
    }
}

/// Nor is what he may not do left to what is owed of another target.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_of_one_target_locks_out_no_protected_user_of_another() {
    let world = world_of_two_orgs().await;
    let (tool, org, beta) = (world.tool(), world.org(), world.other_org(0));
    let path = format!("/Users/{}", joined(&world).await);
    change(&org, json!({"ProfileId": org.profile("System Administrator").await})).await;
    gangway(&world.config_file(), &["resync", path.trim_start_matches("/Users/")]).await;
    beta.block(ADA, &["default-case-owner"]).await;

    let inactive = json!([{"op": "replace", "path": "active", "value": false}]);
    let answer = patch(&tool, &path, inactive.clone()).await;
    assert!(answer.text.contains("protected"), "{}: {}", answer.status, answer.text);
    let config = world.config_file();
    let owed = listed(&config, "tasks").await;
    assert!(owed.iter().any(|task| task["kind"] == "deactivation" && task["client"] == "tool"), "{owed:?}");
    beta.block(ADA, &[]).await;
    let goes_by = async || {
        world.advance(std::time::Duration::from_mins(1));
        listed(&config, "tasks").await
    };
    until("nothing is owed", async || goes_by().await.is_empty()).await;
    assert_eq!(beta.user(ADA).await["IsActive"], false);
    assert_eq!(org.user(ADA).await["IsActive"], true, "who asked may not lock her out");

    // Who may, does.
    world.reload(|config| may_give(config, "profile:System Administrator"));
    let _ = patch(&tool, &path, inactive).await.expect(200);
    assert_eq!(org.user(ADA).await["IsActive"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_made_an_administrator_may_unmake_her() {
    let world = world("", |config| may_give(config, "profile:System Administrator")).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", joined(&world).await);
    let ask = json!([{"op": "add", "path": "entitlements", "value": [{"value": "System Administrator"}]}]);
    let _ = patch(&tool, &path, ask).await.expect(200);
    let remove = json!([{"op": "remove", "path": "entitlements"}]);
    let _ = patch(&tool, &path, remove).await.expect(200);
    assert_eq!(held(&org, ADA, "profile").await, ["Standard User"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_and_a_profile_that_took_the_place_of_gangways_are_not_its_to_take() {
    let least = "[entitlements]\nleast-privileged = { Salesforce = \"Standard User\" }\n";
    let world = world(least, |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["roles"] = json!([{"value": "Pilot"}]);
    ada["entitlements"] = json!([{"value": "Dock Sales", "type": "Profile"}]);
    let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
    let profile = id_of(&org, "Profile", "Read Only").await;
    change(&org, json!({"UserRoleId": id_of(&org, "UserRole", "CEO").await, "ProfileId": profile})).await;
    let nothing = json!([
        {"op": "replace", "path": "roles", "value": []},
        {"op": "replace", "path": "entitlements", "value": []},
    ]);
    let read = patch(&tool, &path, nothing).await.expect(200).json();
    assert_eq!((held(&org, ADA, "role").await, held(&org, ADA, "profile").await), by_an_administrator());
    assert_eq!(read["roles"][0]["display"], "CEO");
    assert_eq!(shown(&read, "entitlements", "Profile").unwrap()["display"], "Read Only");
    // Nor does whatever comes next take them.
    let _ = patch(&tool, &path, title("Countess")).await.expect(200);
    assert_eq!((held(&org, ADA, "role").await, held(&org, ADA, "profile").await), by_an_administrator());
}

fn by_an_administrator() -> (Vec<String>, Vec<String>) {
    (vec!["CEO".to_owned()], vec!["Read Only".to_owned()])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_has_taken_and_given_again_is_shown_and_stays() {
    let world = world("", |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", joined(&world).await);
    let workers = json!([{"value": "Dock Workers", "type": "PublicGroup"}]);
    let give = json!([{"op": "add", "path": "entitlements", "value": workers}]);
    let _ = patch(&tool, &path, give).await.expect(200);
    let user = org.user(ADA).await["Id"].clone();
    let members = org.records("GroupMember").await;
    let member = members.into_iter().find(|member| member["UserOrGroupId"] == user).unwrap();
    org.delete("GroupMember", member["Id"].as_str().unwrap()).await;
    let again = json!({"GroupId": member["GroupId"], "UserOrGroupId": user});
    org.make("GroupMember", &again).await;
    let group = member["GroupId"].as_str().unwrap();
    let revoke = json!([{"op": "remove", "path": format!("entitlements[value eq \"{group}\"]")}]);
    let read = patch(&tool, &path, revoke).await.expect(200).json();
    assert_eq!(held(&org, ADA, "groups").await, ["Dock Workers"]);
    assert!(shown(&read, "entitlements", "PublicGroup").is_some(), "{read}");
}
