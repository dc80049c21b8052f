//! Many members at once, and Salesforce taking some of them only.

use std::collections::BTreeSet;

use e2e::{Scene, World};
use serde_json::json;

use super::{
    MAPPING, ORG, api_calls, detail, elements, group, group_body, holders, join, leave, members, names,
    people, scene, scene_that_rolls_back, set_of, somebody, somebody_with_less,
};
use crate::{entitlements::kinds::audited, faults::until};

const EXTENSION: &str = "urn:gangway:params:scim:schemas:extension:2.0:Group";

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_members_are_a_handful_of_calls() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let people = people(&tool, 1_000).await;
    let ids: Vec<&str> = people.iter().map(|(_, id)| id.as_str()).collect();
    let sales = group(&tool, "sf-ps-Sales_Ops", &[]).await;
    let before = api_calls(&org).await;
    let _ = join(&tool, &sales, &ids).await.expect(200);
    let joined = api_calls(&org).await;
    // How large calls may be is learned from those before.
    assert!(joined - before <= 8, "{} calls for a thousand who join", joined - before);
    assert_eq!(holders(&org, "Sales_Ops").await.len(), 1_000);
    assert_eq!(members(&tool, &sales).await.len(), 1_000);
    let empty = json!([{"op": "replace", "path": "members", "value": []}]);
    let _ = tool.patch(&format!("/Groups/{sales}"), empty).await.expect(200);
    let left = api_calls(&org).await;
    assert!(left - joined <= 8, "{} calls for a thousand who leave", left - joined);
    assert_eq!(holders(&org, "Sales_Ops").await, BTreeSet::new());
    assert_eq!(members(&tool, &sales).await, BTreeSet::new());
}

/// What else there is to do about him keeps nobody in.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_taken_out_leaves_although_his_record_is_refused() {
    const RULE: &str = "\n[[validation-rules]]\nobject = \"User\"\nwhen = \"Title = 'Forbidden'\"\nmessage = \"Not this title.\"\nfield = \"Title\"\n";
    for policy in ["", "[groups]\npartial = \"rollback\"\n"] {
        let scene = Scene::new(&format!("{MAPPING}\n{policy}"), &format!("{ORG}{RULE}"));
        let world = World::of_scene(&scene, |_| ()).await;
        let (tool, org) = (world.tool(), world.org());
        let (ada, bob) = (somebody(&tool, "ada").await, somebody(&tool, "bob").await);
        let sales = group(&tool, "sf-ps-Sales_Ops", &[&ada, &bob]).await;
        let titled = scene.mapping.replace("LastName  ", "Title = '\"Forbidden\"'\nLastName  ");
        world.remap(&titled).await;
        let left = leave(&tool, &sales, &ada).await.expect(200);
        assert!(left.header("x-gangway-warnings").unwrap_or_default().contains("target-failed"), "{left:?}");
        assert_eq!(holders(&org, "Sales_Ops").await, names(&["bob"]));
        assert_eq!(members(&tool, &sales).await, set_of(&[&bob]));
        let _ = tool.delete(&format!("/Groups/{sales}")).await.expect(204);
        assert_eq!(holders(&org, "Sales_Ops").await, BTreeSet::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_whom_salesforce_takes_stay_and_the_others_are_named() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let (ada, bob) = (somebody(&tool, "ada").await, somebody(&tool, "bob").await);
    let less = somebody_with_less(&tool, "less").await;
    let auditors = group(&tool, "sf-ps-Auditors", &[]).await;
    let path = format!("/Groups/{auditors}");
    let version = tool.get(&path).await.expect(200).json()["meta"]["version"].clone();

    let answer = join(&tool, &auditors, &[&ada, &less, &bob]).await.expect(400);
    assert!(detail(&answer).contains(&less), "{}", answer.text);
    assert!(detail(&answer).contains("license doesn't allow"), "{}", answer.text);
    assert!(detail(&answer).contains("2 others are done and kept"), "{}", answer.text);
    assert_eq!(members(&tool, &auditors).await, set_of(&[&ada, &bob]));
    assert_eq!(holders(&org, "Auditors").await, names(&["ada", "bob"]));
    assert_ne!(tool.get(&path).await.expect(200).json()["meta"]["version"], version);
    let told = tool.get(&format!("{path}?attributes={EXTENSION}")).await.expect(200).json();
    assert_eq!(told[EXTENSION]["refused"][0]["value"], less.as_str());

    let why = audited(&world, &["audit", "why", &less, "permission-set:Auditors"]).await;
    assert!(why.contains("refused") && why.contains(&auditors), "an auditor asks when that was: {why}");

    // A repeat sends only what is missing.
    let before = api_calls(&org).await;
    let _ = join(&tool, &auditors, &[&ada, &less, &bob]).await.expect(400);
    assert_eq!(api_calls(&org).await - before, 1);

    // The next change that succeeds has nothing to say of it.
    let cee = somebody(&tool, "cee").await;
    let _ = join(&tool, &auditors, &[&cee]).await.expect(200);
    let told = tool.get(&format!("{path}?attributes={EXTENSION}")).await.expect(200).json();
    assert_eq!(told[EXTENSION].get("refused"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_is_as_before() {
    let world = World::of_scene(&scene_that_rolls_back(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let (ada, bob) = (somebody(&tool, "ada").await, somebody(&tool, "bob").await);
    let less = somebody_with_less(&tool, "less").await;
    let auditors = group(&tool, "sf-ps-Auditors", &[&ada]).await;
    let path = format!("/Groups/{auditors}");
    let before = tool.get(&path).await.expect(200).json();
    let replace = json!([{"op": "replace", "path": "members", "value": elements(&[&bob, &less])}]);
    let answer = tool.patch(&path, replace).await.expect(400);
    assert!(detail(&answer).contains("as before"), "{}", answer.text);
    assert_eq!(tool.get(&path).await.expect(200).json(), before);
    assert_eq!(holders(&org, "Auditors").await, names(&["ada"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_group_that_nobody_could_join_is_not_there() {
    for scene in [scene(), scene_that_rolls_back()] {
        let world = World::of_scene(&scene, |_| ()).await;
        let tool = world.tool();
        let less = somebody_with_less(&tool, "less").await;
        let answer = tool.post("/Groups", &group_body("sf-ps-Auditors", &[&less])).await.expect(400);
        assert!(detail(&answer).contains(&less), "{}", answer.text);
        assert_eq!(tool.get("/Groups").await.expect(200).json()["totalResults"], 0);
        let _ = group(&tool, "sf-ps-Auditors", &[]).await;
    }
}

/// `SailPoint` sends one request per member, all at once, and repeats none of them.
#[tokio::test(flavor = "multi_thread")]
async fn one_request_per_member_in_parallel_loses_nobody() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let people = people(&tool, 30).await;
    let sales = group(&tool, "sf-ps-Sales_Ops", &[]).await;
    let requests = people.iter().map(async |(_, id)| join(&tool, &sales, &[id]).await.expect(200));
    futures::future::join_all(requests).await;
    let ids: BTreeSet<String> = people.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(members(&tool, &sales).await, ids);
    assert_eq!(holders(&org, "Sales_Ops").await.len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_is_away_changes_nothing_and_a_repeat_gets_there() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let ada = somebody(&tool, "ada").await;
    let sales = group(&tool, "sf-ps-Sales_Ops", &[]).await;
    org.fault(json!({"method": "POST", "path": "/data", "kind": "status", "status": 503, "error_code": "SERVER_UNAVAILABLE"})).await;
    let _ = join(&tool, &sales, &[&ada]).await.expect(503);
    assert_eq!(members(&tool, &sales).await, BTreeSet::new());
    org.heal().await;
    let _ = join(&tool, &sales, &[&ada]).await.expect(200);
    assert_eq!(holders(&org, "Sales_Ops").await, names(&["ada"]));
}

/// A rename that cannot be undone, because another group has the old name by now, is kept.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_does_not_take_a_name_that_another_has_by_now() {
    let world = World::of_scene(&scene_that_rolls_back(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let ada = somebody(&tool, "ada").await;
    let less = somebody_with_less(&tool, "less").await;
    let first = group(&tool, "sf-ps-Sales_Ops", &[&ada, &less]).await;
    let calls = api_calls(&org).await;
    org.fault(json!({"path": "/data", "kind": "delay", "delay_ms": 1_500, "count": 1})).await;
    let renamed = tokio::spawn({
        let (tool, path) = (tool.clone(), format!("/Groups/{first}"));
        let rename = json!([{"op": "replace", "path": "displayName", "value": "sf-ps-Auditors"}]);
        async move { tool.patch(&path, rename).await }
    });
    until("it has begun", async || api_calls(&org).await > calls).await;
    let second = group(&tool, "sf-ps-Sales_Ops", &[]).await;
    let answer = renamed.await.unwrap().expect(400);
    assert!(detail(&answer).contains(&less), "{}", answer.text);
    let name =
        async |id: &str| tool.get(&format!("/Groups/{id}")).await.expect(200).json()["displayName"].clone();
    assert_eq!(
        (name(&first).await, name(&second).await),
        ("sf-ps-Auditors".into(), "sf-ps-Sales_Ops".into())
    );
    assert_eq!(members(&tool, &first).await, set_of(&[&ada]));
    assert_eq!(holders(&org, "Auditors").await, names(&["ada"]));
    assert_eq!(holders(&org, "Sales_Ops").await, BTreeSet::new());
}

/// A tool that did not get all it asked for asks again.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_is_repeated_after_a_part_of_it_tries_who_is_missing() {
    let world = World::of_scene(&scene(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let ada = somebody(&tool, "ada").await;
    let less = somebody_with_less(&tool, "less").await;
    let body = group_body("sf-ps-Auditors", &[&ada, &less]);
    for _ in 0..3 {
        let before = api_calls(&org).await;
        let answer = tool.post("/Groups", &body).await.expect(400);
        assert!(detail(&answer).contains(&less), "{}", answer.text);
        assert!(api_calls(&org).await > before, "who is missing is tried");
        assert_eq!(holders(&org, "Auditors").await, names(&["ada"]));
        assert_eq!(tool.get("/Groups").await.expect(200).json()["totalResults"], 1);
    }
    // Who did join, and was taken out since, is nobody whom the request has left undone.
    let group =
        tool.get("/Groups").await.expect(200).json()["Resources"][0]["id"].as_str().unwrap().to_owned();
    let grace = somebody(&tool, "grace").await;
    let _ = join(&tool, &group, &[&grace]).await.expect(200);
    let out = json!([{"op": "remove", "path": format!("members[value eq \"{ada}\"]")}]);
    let _ = tool.patch(&format!("/Groups/{group}"), out).await.expect(200);
    let set = org.one("PermissionSet", "Name", "Auditors").await["Id"].as_str().unwrap().to_owned();
    org.change("PermissionSet", &set, &json!({"PermissionsViewAllData": false})).await;
    let made = tool.post("/Groups", &body).await.expect(201).id();
    assert_eq!(made, group);
    assert_eq!(members(&tool, &made).await, set_of(&[&grace, &less]));
    assert_eq!(holders(&org, "Auditors").await, names(&["grace", "less"]));
    let _ = tool.post("/Groups", &body).await.expect(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_was_given_by_hand_outlasts_a_change_that_is_rolled_back() {
    let world = World::of_scene(&scene_that_rolls_back(), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let (ada, bob) = (somebody(&tool, "ada").await, somebody(&tool, "bob").await);
    let less = somebody_with_less(&tool, "less").await;
    let user = org.user("ada@acme.example").await["Id"].clone();
    let set = org.one("PermissionSet", "Name", "Auditors").await["Id"].clone();
    org.make("PermissionSetAssignment", &json!({"AssigneeId": user, "PermissionSetId": set})).await;
    let auditors = group(&tool, "sf-ps-Auditors", &[]).await;
    let answer = join(&tool, &auditors, &[&ada, &bob, &less]).await.expect(400);
    assert!(detail(&answer).contains("as before"), "{}", answer.text);
    assert_eq!(holders(&org, "Auditors").await, names(&["ada"]));
    assert_eq!(members(&tool, &auditors).await, BTreeSet::new());
    let why = audited(&world, &["audit", "why", &ada, "permission-set:Auditors"]).await;
    assert!(why.contains("found"), "{why}");
    // Whoever joins for good and leaves loses it, as before: it has become Gangway's.
    let _ = join(&tool, &auditors, &[&ada]).await.expect(200);
    let empty = json!([{"op": "replace", "path": "members", "value": []}]);
    let _ = tool.patch(&format!("/Groups/{auditors}"), empty).await.expect(200);
    assert_eq!(holders(&org, "Auditors").await, BTreeSet::new());
}
