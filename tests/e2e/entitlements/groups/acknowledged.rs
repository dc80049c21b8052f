//! `Prefer: respond-async`: answered once the request is in the journal.

use std::collections::BTreeSet;

use e2e::{Answered, Tool, World};
use serde_json::{Value, json};

use super::{add, group, group_body, holders, members, names, scene, set_of, somebody};
use crate::faults::until;

async fn send(tool: &Tool, method: &str, path: &str, body: &Value) -> Answered {
    let headers = [("prefer", "respond-async"), ("content-type", "application/scim+json")];
    tool.send(method, path, &headers, Some(body.to_string().into_bytes())).await.unwrap()
}

/// The path of the group that an answer is about.
fn place(accepted: &Answered) -> String {
    let location = accepted.header("location").unwrap();
    location[location.find("/Groups/").unwrap()..].to_owned()
}

fn away() -> Value {
    json!({"path": "/data", "kind": "status", "status": 503, "error_code": "SERVER_UNAVAILABLE"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_group_is_pending_until_its_members_have_what_it_stands_for() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let ada = somebody(&tool, "ada").await;
    // What the org offers is known from now on.
    let _ = group(&tool, "sf-ps-Service_Desk", &[]).await;
    org.fault(away()).await;
    let body = group_body("sf-ps-Sales_Ops", &[&ada]);
    let accepted = send(&tool, "POST", "/Groups", &body).await.expect(202);
    assert!(accepted.text.is_empty());
    assert_eq!(accepted.header("preference-applied"), Some("respond-async"));
    assert!(accepted.header("set-txn").is_some());
    let path = place(&accepted);
    let requested = tool.get(&path).await.expect(200).json();
    assert_eq!(requested["displayName"], "sf-ps-Sales_Ops");
    // The same request again is the same change.
    let again = send(&tool, "POST", "/Groups", &body).await.expect(202);
    assert_eq!(place(&again), path);
    let more = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "add", "path": "externalId", "value": "sales"}],
    });
    let _ = send(&tool, "PATCH", &path, &more).await.expect(202);
    org.heal().await;
    until("ada has it", async || holders(&org, "Sales_Ops").await == names(&["ada"])).await;
    let id = path.trim_start_matches("/Groups/").to_owned();
    until("she is a member", async || members(&tool, &id).await == set_of(&[&ada])).await;
    until("what came next is done", async || {
        tool.get(&path).await.expect(200).json()["externalId"] == "sales"
    })
    .await;
    assert_eq!(tool.get("/Groups").await.expect(200).json()["totalResults"], 2);
    let _ = send(&tool, "POST", "/Groups", &group_body("sf-ps-sales_ops", &[])).await.expect(409);
}

/// An acknowledged change is not lost when the org is away just then.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_done_when_the_org_is_back() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let ada = somebody(&tool, "ada").await;
    let sales = group(&tool, "sf-ps-Sales_Ops", &[]).await;
    let path = format!("/Groups/{sales}");
    let joins =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": add(&[&ada])});
    let before = org.calls().await.api;
    org.fault(away()).await;
    let accepted = send(&tool, "PATCH", &path, &joins).await.expect(202);
    assert_eq!(place(&accepted), path);
    until("the org was asked", async || org.calls().await.api > before + 4).await;
    assert_eq!(members(&tool, &sales).await, BTreeSet::new());
    org.heal().await;
    until("ada has it", async || holders(&org, "Sales_Ops").await == names(&["ada"])).await;
    until("she is a member", async || members(&tool, &sales).await == set_of(&[&ada])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_acknowledged() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let tool = world.tool();
    let _ = send(&tool, "DELETE", "/Groups/nobody", &Value::Null).await.expect(404);
    let _ = send(&tool, "POST", "/Groups", &json!({"displayName": ""})).await.expect(400);
    let plain = group(&tool, "Everybody", &[]).await;
    let _ = send(&tool, "DELETE", &format!("/Groups/{plain}"), &Value::Null).await.expect(202);
    until("it is gone", async || tool.get(&format!("/Groups/{plain}")).await.status == 404).await;
}
