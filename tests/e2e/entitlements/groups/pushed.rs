//! Groups that a caller pushes, matched to an entitlement by their name.

use std::collections::BTreeSet;

use e2e::{World, world::TOKEN};
use serde_json::json;

use super::{
    address, api_calls, detail, group, group_body, holders, join, leave, members, names, scene, scene_with,
    set_of, shown, somebody, somebody_with_less,
};

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_has_the_permission_set_and_who_leaves_has_it_no_more() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let (ada, bob) = (somebody(&tool, "ada").await, somebody(&tool, "bob").await);
    let sales = group(&tool, "sf-ps-Sales_Ops", &[&ada]).await;
    assert_eq!(holders(&org, "Sales_Ops").await, names(&["ada"]));
    assert!(shown(&tool, &ada).await.contains("Sales Operations"));

    let before = api_calls(&org).await;
    let _ = join(&tool, &sales, &[&bob]).await.expect(200);
    assert_eq!(api_calls(&org).await - before, 1);
    assert_eq!(holders(&org, "Sales_Ops").await, names(&["ada", "bob"]));
    assert_eq!(members(&tool, &sales).await, set_of(&[&ada, &bob]));

    let _ = leave(&tool, &sales, &ada).await.expect(200);
    assert_eq!(holders(&org, "Sales_Ops").await, names(&["bob"]));
    assert_eq!(members(&tool, &sales).await, set_of(&[&bob]));
    assert!(!shown(&tool, &ada).await.contains("Sales Operations"));

    let before = api_calls(&org).await;
    let _ = leave(&tool, &sales, &ada).await.expect(200);
    let _ = join(&tool, &sales, &[&bob]).await.expect(200);
    assert_eq!(api_calls(&org).await, before, "what is as it should be costs nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_deleted_takes_its_permission_set_from_everybody() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let (ada, bob) = (somebody(&tool, "ada").await, somebody(&tool, "bob").await);
    let sales = group(&tool, "sf-ps-Sales_Ops", &[&ada, &bob]).await;
    let _ = tool.delete(&format!("/Groups/{sales}")).await.expect(204);
    let _ = tool.get(&format!("/Groups/{sales}")).await.expect(404);
    assert_eq!(holders(&org, "Sales_Ops").await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_matches_a_rule_and_nothing_in_the_org_is_refused() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let answer = world.tool().post("/Groups", &group_body("sf-ps-Sales_Opps", &[])).await.expect(400);
    assert_eq!(answer.json()["scimType"], "invalidValue");
    assert!(detail(&answer).contains("Sales_Opps"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_a_member_is_named_before_any_call_and_nothing_changes() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let ada = somebody(&tool, "ada").await;
    let platform = somebody_with_less(&tool, "platform").await;
    let nested = group(&tool, "Everybody", &[&ada]).await;
    let only = group(&tool, "sf-ps-Salesforce_Only", &[]).await;
    let before = api_calls(&org).await;
    for (members, why) in [
        (vec![ada.as_str(), "nobody", "no-one"], "no User or Group"),
        (vec![ada.as_str(), nested.as_str()], "only Users"),
        (vec![ada.as_str(), platform.as_str()], "Salesforce Platform"),
    ] {
        let answer = join(&tool, &only, &members).await.expect(400);
        assert_eq!(answer.json()["scimType"], "invalidValue");
        for offender in &members[1..] {
            assert!(detail(&answer).contains(offender), "{}", answer.text);
        }
        assert!(detail(&answer).contains(why), "{}", answer.text);
        assert!(detail(&answer).contains("nothing was changed"), "{}", answer.text);
    }
    assert_eq!(api_calls(&org).await, before);
    assert_eq!(members(&tool, &only).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_seats_are_missing_nobody_joins() {
    let org = format!(
        "{}\n[[permission-set-licences]]\nname = \"SalesConsoleUser\"\ntotal = 1\nassigned-by-need = true\n",
        super::ORG
    );
    let scene = e2e::Scene { org_file: org, ..scene() };
    let world = World::of_scene(&scene, |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let (ada, bob) = (somebody(&tool, "ada").await, somebody(&tool, "bob").await);
    let console = group(&tool, "sf-ps-Console", &[]).await;
    let answer = join(&tool, &console, &[&ada, &bob]).await.expect(400);
    assert!(detail(&answer).contains("free seats"), "{}", answer.text);
    assert_eq!(holders(&org, "Console").await, BTreeSet::new());
    let _ = join(&tool, &console, &[&ada]).await.expect(200);
    assert_eq!(holders(&org, "Console").await, names(&["ada"]));
}

/// Okta sends all three in one request, also where the name stays.
#[tokio::test(flavor = "multi_thread")]
async fn okta_removes_adds_and_renames_in_one_request() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let (ada, bob) = (somebody(&tool, "ada").await, somebody(&tool, "bob").await);
    let sales = group(&tool, "sf-ps-Sales_Ops", &[&ada]).await;
    let operations = |name: &str, goes: &str, comes: &str| {
        json!([
            {"op": "remove", "path": format!("members[value eq \"{goes}\"]")},
            {"op": "add", "path": "members", "value": [{"value": comes, "display": "t.okafor"}]},
            {"op": "replace", "value": {"id": sales, "displayName": name}},
        ])
    };
    let path = format!("/Groups/{sales}");
    let _ = tool.patch(&path, operations("sf-ps-Sales_Ops", &ada, &bob)).await.expect(200);
    assert_eq!(holders(&org, "Sales_Ops").await, names(&["bob"]));
    assert_eq!(members(&tool, &sales).await, set_of(&[&bob]));

    // Another name is another permission set, also for who stays.
    let rename = json!([
        {"op": "add", "path": "members", "value": [{"value": ada}]},
        {"op": "replace", "value": {"id": sales, "displayName": "sf-ps-Service_Desk"}},
    ]);
    let _ = tool.patch(&path, rename).await.expect(200);
    assert_eq!(holders(&org, "Sales_Ops").await, BTreeSet::new());
    assert_eq!(holders(&org, "Service_Desk").await, names(&["ada", "bob"]));
    assert_eq!(members(&tool, &sales).await, set_of(&[&ada, &bob]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_group_is_looked_at_by_a_rule() {
    let rule = "[[grants]]\nname = \"desk\"\nwhen = 'member_of(user, \"Service Desk\")'\npermission-sets = [\"Service_Desk\"]\n";
    let world = World::of_scene(&scene_with(rule), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let ada = somebody(&tool, "ada").await;
    let desk = group(&tool, "Service Desk", &[&ada]).await;
    assert_eq!(holders(&org, "Service_Desk").await, names(&["ada"]));
    let _ = leave(&tool, &desk, &ada).await.expect(200);
    assert_eq!(holders(&org, "Service_Desk").await, BTreeSet::new());
    // The name is what the rule looks at.
    let _ = join(&tool, &desk, &[&ada]).await.expect(200);
    let rename = json!([{"op": "replace", "path": "displayName", "value": "Help Desk"}]);
    let _ = tool.patch(&format!("/Groups/{desk}"), rename).await.expect(200);
    assert_eq!(holders(&org, "Service_Desk").await, BTreeSet::new());
    assert_eq!(members(&tool, &desk).await, set_of(&[&ada]));
}

#[tokio::test(flavor = "multi_thread")]
async fn public_groups_have_members_too_and_a_locked_out_member_gets_it_when_back() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let ada = somebody(&tool, "ada").await;
    let active = |active: bool| json!([{"op": "replace", "path": "active", "value": active}]);
    let path = format!("/Users/{ada}");
    let _ = tool.patch(&path, active(false)).await.expect(200);
    let dock = group(&tool, "sf-group-Dock Workers", &[&ada]).await;
    assert_eq!(members(&tool, &dock).await, set_of(&[&ada]));
    assert_eq!(org.grants_of(&address("ada")).await["groups"], json!([]));
    let _ = tool.patch(&path, active(true)).await.expect(200);
    assert_eq!(org.grants_of(&address("ada")).await["groups"], json!(["Dock Workers"]));
}

/// A record id names a User on the address for connectors made for Salesforce, there to join and to leave, and nobody elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_id_is_a_member_on_the_salesforce_address_alone() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let salesforce = world.tool_at("/services/scim/v2", TOKEN);
    let ada = somebody(&tool, "ada").await;
    let record = org.user(&address("ada")).await["Id"].as_str().unwrap().to_owned();
    let sales = group(&tool, "sf-ps-Sales_Ops", &[]).await;
    let answer = join(&tool, &sales, &[&record]).await.expect(400);
    assert!(detail(&answer).contains("no User or Group"), "{}", answer.text);
    let _ = join(&salesforce, &sales, &[&record]).await.expect(200);
    assert_eq!(members(&tool, &sales).await, set_of(&[&ada]));
    let _ = leave(&salesforce, &sales, &record).await.expect(200);
    assert_eq!(members(&tool, &sales).await, BTreeSet::new());
    assert_eq!(holders(&org, "Sales_Ops").await, BTreeSet::new());
}
