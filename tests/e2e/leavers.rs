//! People who leave: frozen at once, deactivated as soon as Salesforce lets go of them, and what they owned is somebody else's.

mod access;
mod hand_over;

use std::time::Duration;

use e2e::{Answered, Org, Scene, World};
use serde_json::{Map, Value, json};

use crate::faults::{listed, until};

const ADA: &str = "ada@acme.example";
/// Longer than the first pause of a task.
const A_WHILE: Duration = Duration::from_mins(1);

pub(super) fn active(is: bool) -> Value {
    json!([{ "op": "replace", "path": "active", "value": is }])
}

/// The login record of a User.
async fn login(org: &Org, username: &str) -> Map<String, Value> {
    let user = org.user(username).await;
    org.one("UserLogin", "UserId", user["Id"].as_str().unwrap()).await
}

async fn is_frozen(org: &Org, username: &str) -> bool {
    login(org, username).await["IsFrozen"] == true
}

#[track_caller]
fn warned(answer: &Answered, code: &str) {
    let codes = answer.header("x-gangway-warnings").unwrap_or_default();
    assert!(codes.contains(code), "no {code} in {codes:?}: {}", answer.text);
}

fn kinds(tasks: &[Value]) -> Vec<&str> {
    tasks.iter().map(|task| task["kind"].as_str().unwrap()).collect()
}

/// An org that has had enough calls for the day may have room a moment later: nobody stays logged in for a quarter of an hour.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_is_tried_again_within_a_minute_whatever_the_org_says() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    let used_up = json!({"kind": "status", "status": 403, "error_code": "REQUEST_LIMIT_EXCEEDED", "count": 1,
                         "method": "POST", "path": "/data/v*/composite"});
    org.fault(used_up).await;
    let answer = tool.patch(&ada, active(false)).await.expect(503);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

/// Issue "leavers that land": three blockers, frozen within one call, listed, and deactivated by itself.
#[tokio::test(flavor = "multi_thread")]
async fn whom_salesforce_keeps_active_is_frozen_in_one_call_and_deactivated_when_nothing_keeps_him() {
    let world = World::start().await;
    let (tool, org, config) = (world.tool(), world.org(), world.config_file());
    let id = tool.create(ADA).await.expect(201).id();
    let user = org.user(ADA).await["Id"].clone();
    let path = format!("/Users/{id}");
    org.switch(json!({"name-all-blockers": true})).await;
    org.block(ADA, &["default-case-owner", "default-workflow-user", "approval-process"]).await;

    let before = org.calls().await.api;
    let left = tool.patch(&path, active(false)).await.expect(200);
    assert_eq!(org.calls().await.api - before, 2, "one that freezes, and one that looks for her sessions");
    warned(&left, "deactivation-blocked");
    assert_eq!(left.json()["active"], false);
    assert!(is_frozen(&org, ADA).await);
    assert_eq!(org.user(ADA).await["IsActive"], true);
    assert_eq!(tool.get(&path).await.expect(200).json()["active"], false);

    let owed = listed(&config, "tasks").await;
    assert_eq!(kinds(&owed), ["deactivation"]);
    let reason = owed[0]["reason"].as_str().unwrap();
    for what in ["default-case-owner: Setup > Support Settings", "default-workflow-user", "approval-process"]
    {
        assert!(reason.contains(what), "{what}: {reason}");
    }
    // One is taken away: the others are still in the way.
    org.block(ADA, &["approval-process"]).await;
    world.advance(A_WHILE);
    until("the task says what is left", async || {
        let owed = listed(&config, "tasks").await;
        owed.iter().any(|task| !task["reason"].as_str().unwrap().contains("default-case-owner"))
    })
    .await;
    assert_eq!(org.user(ADA).await["IsActive"], true);
    org.block(ADA, &[]).await;
    world.advance(A_WHILE * 10);
    until("she is deactivated", async || org.user(ADA).await["IsActive"] == false).await;
    until("nothing is owed", async || listed(&config, "tasks").await.is_empty()).await;

    // Back under the same ids, in one call.
    let before = org.calls().await.api;
    let back = tool.patch(&path, active(true)).await.expect(200);
    assert_eq!(org.calls().await.api - before, 1);
    assert_eq!((back.json()["id"].clone(), back.json()["active"].clone()), (json!(id), json!(true)));
    assert_eq!((&org.user(ADA).await["Id"], &org.user(ADA).await["IsActive"]), (&user, &json!(true)));
    assert!(!is_frozen(&org, ADA).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_back_before_he_was_deactivated_is_only_let_in_again() {
    let world = World::start().await;
    let (tool, org, config) = (world.tool(), world.org(), world.config_file());
    let id = tool.create(ADA).await.expect(201).id();
    org.block(ADA, &["web-to-lead-creator"]).await;
    let _ = tool.patch(&format!("/Users/{id}"), active(false)).await.expect(200);
    assert!(is_frozen(&org, ADA).await);
    let _ = tool.patch(&format!("/Users/{id}"), active(true)).await.expect(200);
    assert!(!is_frozen(&org, ADA).await);
    assert_eq!(org.user(ADA).await["IsActive"], true);
    assert!(listed(&config, "tasks").await.is_empty(), "nothing is owed of somebody who is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_login_record_is_deactivated_all_the_same() {
    let scene = Scene::new(
        "",
        &format!("[[users]]\nusername = \"{ADA}\"\nprofile = \"Standard User\"\nlogin-row = false\n"),
    );
    let world = World::of_scene(&scene, |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.create(ADA).await.expect(201).id();
    let before = org.calls().await.api;
    let left = tool.patch(&format!("/Users/{id}"), active(false)).await.expect(200);
    assert_eq!(org.calls().await.api - before, 1);
    assert_eq!(left.header("x-gangway-warnings"), None);
    assert_eq!(org.user(ADA).await["IsActive"], false);
    let _ = tool.patch(&format!("/Users/{id}"), active(true)).await.expect(200);
    assert_eq!(org.user(ADA).await["IsActive"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_somebody_else_has_frozen_gangway_does_not_let_in() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.create(ADA).await.expect(201).id();
    let login_id = login(&org, ADA).await["Id"].as_str().unwrap().to_owned();
    org.change_as_administrator("UserLogin", &login_id, &json!({"IsFrozen": true})).await;
    for is_active in [false, true] {
        let _ = tool.patch(&format!("/Users/{id}"), active(is_active)).await.expect(200);
        assert_eq!(org.user(ADA).await["IsActive"], is_active);
        assert!(is_frozen(&org, ADA).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_identity_stays_until_its_user_is_deactivated_then_it_goes() {
    let world = World::start().await;
    let (tool, org, config) = (world.tool(), world.org(), world.config_file());
    let id = tool.create(ADA).await.expect(201).id();
    let path = format!("/Users/{id}");
    org.block(ADA, &["default-lead-owner"]).await;
    let _ = tool.delete(&path).await.expect(204);
    assert_eq!(tool.get(&path).await.expect(200).json()["active"], false);
    assert!(is_frozen(&org, ADA).await);
    assert_eq!(kinds(&listed(&config, "tasks").await), ["deactivation", "removal"]);
    let _ = tool.delete(&path).await.expect(204);
    org.block(ADA, &[]).await;
    world.advance(A_WHILE);
    until("the identity is gone", async || tool.get(&path).await.status == 404).await;
    assert_eq!(org.user(ADA).await["IsActive"], false);
    assert!(listed(&config, "tasks").await.is_empty());
    // Under the name that she had she gets her User back, and may log in.
    let _ = tool.create(ADA).await.expect(201);
    assert_eq!(org.user(ADA).await["IsActive"], true);
    assert!(!is_frozen(&org, ADA).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivation_that_is_blocked_for_a_week_is_an_alarm() {
    let world = World::start().await;
    let (tool, org, config) = (world.tool(), world.org(), world.config_file());
    let id = tool.create(ADA).await.expect(201).id();
    org.block(ADA, &["escalation-rule"]).await;
    let _ = tool.patch(&format!("/Users/{id}"), active(false)).await.expect(200);
    world.advance(Duration::from_hours(8 * 24));
    until("the alarm is raised", async || {
        let owed = listed(&config, "tasks").await;
        owed[0]["reason"].as_str().unwrap().starts_with("ALARM, open for 8 days: escalation-rule")
    })
    .await;
}
