//! Groups that Gangway makes from what the org offers.

use std::time::Duration;

use e2e::{Org, Scene, Tool, World, tool::encode};
use serde_json::json;

use super::{MAPPING, ORG, detail, group_body, holders, join, names, scene_with, shown, somebody};
use crate::faults::until;

fn publishing(display: &str) -> String {
    format!("[[groups.publish]]\nkinds = [\"permission-set\"]\nnames = [\"S*\"]\ndisplay = \"{display}\"\n")
}

async fn id_of(tool: &Tool, name: &str) -> Option<String> {
    let filter = encode(&format!("displayName eq \"{name}\""));
    let found = tool.get(&format!("/Groups?filter={filter}")).await.expect(200).json();
    Some(found["Resources"].get(0)?["id"].as_str()?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_set_is_a_group_that_keeps_its_id_whatever_it_is_called() {
    let world = World::of_scene(&scene_with(&publishing("{label}")), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    until("the groups are there", async || id_of(&tool, "Sales Operations").await.is_some()).await;
    until("the groups are there", async || id_of(&tool, "Service_Desk").await.is_some()).await;
    assert_eq!(id_of(&tool, "Auditors").await, None);
    let sales = id_of(&tool, "Sales Operations").await.unwrap();
    let ada = somebody(&tool, "ada").await;
    let _ = join(&tool, &sales, &[&ada]).await.expect(200);
    assert_eq!(holders(&org, "Sales_Ops").await, names(&["ada"]));

    world.remap(&scene_with(&publishing("Salesforce: {label}")).mapping).await;
    world.reload(|_| ());
    until("it is renamed", async || id_of(&tool, "Salesforce: Sales Operations").await.is_some()).await;
    assert_eq!(id_of(&tool, "Salesforce: Sales Operations").await, Some(sales));
    assert_eq!(holders(&org, "Sales_Ops").await, names(&["ada"]));
}

/// So much later what the org offers is read again.
const LATER: Duration = Duration::from_hours(2);

async fn set_id(org: &Org, name: &str) -> String {
    org.one("PermissionSet", "Name", name).await["Id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_that_were_swapped_in_the_org_are_swapped_in_the_groups() {
    let world = World::of_scene(&scene_with(&publishing("{label}")), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    until("the groups are there", async || id_of(&tool, "Service_Desk").await.is_some()).await;
    until("the groups are there", async || id_of(&tool, "Sales Operations").await.is_some()).await;
    let sales = id_of(&tool, "Sales Operations").await;
    let desk = id_of(&tool, "Service_Desk").await;
    let ada = somebody(&tool, "ada").await;
    let _ = join(&tool, sales.as_deref().unwrap(), &[&ada]).await.expect(200);
    for (name, label) in [("Sales_Ops", "Service_Desk"), ("Service_Desk", "Sales Operations")] {
        org.change("PermissionSet", &set_id(&org, name).await, &json!({"Label": label})).await;
    }
    world.advance(LATER);
    world.reload(|_| ());
    until("the one is renamed", async || id_of(&tool, "Service_Desk").await == sales).await;
    until("the other is renamed", async || id_of(&tool, "Sales Operations").await == desk).await;
    assert_eq!(holders(&org, "Sales_Ops").await, names(&["ada"]));
    assert_eq!(holders(&org, "Service_Desk").await, names(&[]));
}

/// The record that makes somebody a member of a public group.
async fn place(org: &Org, name: &str) -> Option<String> {
    let user = org.user(&format!("{name}@acme.example")).await["Id"].clone();
    let places = org.find("GroupMember", "UserOrGroupId", user.as_str().unwrap()).await;
    Some(places.first()?["Id"].as_str()?.to_owned())
}

/// A group is called otherwise, and the former name is another one's: rules that ask for either give all the time.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_both_groups_keeps_what_rules_give_while_their_labels_are_swapped_or_handed_on() {
    let rule = |group: &str| {
        format!("[[grants]]\nwhen = 'member_of(user, \"{group}\")'\npublic-groups = [\"Dock Workers\"]\n")
    };
    let mapping = publishing("{label}") + &rule("Sales Operations");
    let world = World::of_scene(&scene_with(&mapping), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    until("the groups are there", async || id_of(&tool, "Service_Desk").await.is_some()).await;
    until("the groups are there", async || id_of(&tool, "Sales Operations").await.is_some()).await;
    let sales = id_of(&tool, "Sales Operations").await.unwrap();
    let desk = id_of(&tool, "Service_Desk").await.unwrap();
    let (ada, grace) = (somebody(&tool, "ada").await, somebody(&tool, "grace").await);
    let _ = join(&tool, &sales, &[&ada, &grace]).await.expect(200);
    let _ = join(&tool, &desk, &[&ada]).await.expect(200);
    let row = place(&org, "ada").await.expect("she is among the dock workers");
    assert!(place(&org, "grace").await.is_some());

    let labels = [
        [("Sales_Ops", "Service_Desk"), ("Service_Desk", "Sales Operations")],
        [("Sales_Ops", "Sales Operations"), ("Service_Desk", "Somewhere")],
    ];
    for (called, labels) in labels.iter().enumerate() {
        for (name, label) in labels {
            org.change("PermissionSet", &set_id(&org, name).await, &json!({"Label": label})).await;
        }
        world.advance(LATER);
        world.reload(|_| ());
        let [(_, first), (_, second)] = labels;
        until("the one is renamed", async || id_of(&tool, first).await == Some(sales.clone())).await;
        until("the other is renamed", async || id_of(&tool, second).await == Some(desk.clone())).await;
        let has = async || place(&org, "grace").await.is_some();
        until("who is in one has what its name gives", async || has().await == (called == 1)).await;
        assert_eq!(place(&org, "ada").await, Some(row.clone()), "she has lost nothing meanwhile");
    }
    let open = crate::faults::listed(&world.config_file(), "changes").await;
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_with_its_permission_set() {
    let world = World::of_scene(&scene_with(&publishing("{label}")), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    until("the group is there", async || id_of(&tool, "Sales Operations").await.is_some()).await;
    let sales = id_of(&tool, "Sales Operations").await.unwrap();
    let ada = somebody(&tool, "ada").await;
    let _ = join(&tool, &sales, &[&ada]).await.expect(200);
    let set = set_id(&org, "Sales_Ops").await;
    for assignment in org.find("PermissionSetAssignment", "PermissionSetId", &set).await {
        org.delete("PermissionSetAssignment", assignment["Id"].as_str().unwrap()).await;
    }
    org.delete("PermissionSet", &set).await;
    world.advance(LATER);
    world.reload(|_| ());
    until("the group is gone", async || tool.get(&format!("/Groups/{sales}")).await.status == 404).await;
    assert_eq!(id_of(&tool, "Sales Operations").await, None);
    assert!(!shown(&tool, &ada).await.contains("Sales Operations"));
    assert!(tool.get(&format!("/Users/{ada}")).await.expect(200).json().get("groups").is_none());
    assert!(id_of(&tool, "Service_Desk").await.is_some(), "the others stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_cannot_be_read_keeps_the_groups_of_the_others_from_nobody() {
    let second = MAPPING.replace("targets.staff", "targets.guests").replace(
        "object = \"User\"",
        "org = \"beta\"\nobject = \"User\"\nwhen = 'user.userType == \"Guest\"'",
    );
    let second = &second[..second.find("[[grants]]").unwrap()];
    let first = MAPPING.replace("object = \"User\"", "org = \"acme\"\nobject = \"User\"");
    let mapping = |more: &str| format!("{first}\n{second}\n{more}");
    let scene = Scene { other_orgs: vec!["beta".to_owned()], ..Scene::new(&mapping(""), ORG) };
    let world = World::of_scene(&scene, |_| ()).await;
    let tool = world.tool();
    world.org().fault(json!({"method": "GET", "path": "/data", "kind": "status", "status": 503})).await;
    world.remap(&mapping(&publishing("{org}: {label}"))).await;
    until("the other org's are there", async || id_of(&tool, "beta: Sales Operations").await.is_some()).await;
    assert_eq!(id_of(&tool, "acme: Sales Operations").await, None);
    world.org().heal().await;
    world.reload(|_| ());
    until("this one's are there", async || id_of(&tool, "acme: Sales Operations").await.is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_rename_or_delete_it_or_take_its_name() {
    let world = World::of_scene(&scene_with(&publishing("{label}")), |_| ()).await;
    let tool = world.tool();
    until("the group is there", async || id_of(&tool, "Sales Operations").await.is_some()).await;
    let sales = id_of(&tool, "Sales Operations").await.unwrap();
    let path = format!("/Groups/{sales}");
    let rename = |name: &str| json!([{"op": "replace", "value": {"displayName": name}}]);
    let answer = tool.patch(&path, rename("Mine")).await.expect(400);
    assert_eq!(answer.json()["scimType"], "mutability");
    let _ = tool.patch(&path, rename("Sales Operations")).await.expect(200);
    let answer = tool.delete(&path).await.expect(403);
    assert!(detail(&answer).contains("cannot delete it"), "{}", answer.text);
    let _ = tool.post("/Groups", &group_body("Sales Operations", &[])).await.expect(409);
}
