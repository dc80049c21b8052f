//! Groups that Gangway makes from what the org offers.

use e2e::{Tool, World, tool::encode};
use serde_json::json;

use super::{detail, group_body, holders, join, names, scene_with, somebody};
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
