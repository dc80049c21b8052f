//! Who has frozen a leaver, what becomes of his sessions, and what is left of it when he is back.

use e2e::{Org, Scene, World};
use serde_json::{Value, json};

use super::{A_WHILE, ADA, active, is_frozen, login, warned};
use crate::faults::{listed, until};

/// The staff, with what becomes of those who leave.
fn staff(on_leave: &str) -> String {
    format!(
        r#"
[targets.staff]
object = "User"
on-leave = "{on_leave}"

[targets.staff.fields]
Username          = 'username(user.userName)'
Email             = {{ from = 'emails[primary eq true].value' }}
LastName          = 'user.name.familyName'
Title             = 'user.title'
Alias             = {{ value = 'alias(user)', on = "create" }}
TimeZoneSidKey    = {{ default = "GMT" }}
LocaleSidKey      = {{ default = "en_US" }}
LanguageLocaleKey = {{ default = "en_US" }}
EmailEncodingKey  = {{ default = "UTF-8" }}
"#
    )
}

async fn frozen_by_somebody(org: &Org) {
    let login_id = login(org, ADA).await["Id"].as_str().unwrap().to_owned();
    org.change_as_administrator("UserLogin", &login_id, &json!({"IsFrozen": true})).await;
}

async fn sessions(org: &Org) -> usize {
    let user = org.user(ADA).await["Id"].clone();
    org.find("AuthSession", "UsersId", user.as_str().unwrap()).await.len()
}

/// A call that locks somebody out, or lets him in, is cut off after Salesforce has done it.
fn cut() -> Value {
    json!({"method": "POST", "path": "/data/v*/composite", "kind": "cut-after-commit", "count": 1})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_of_somebody_else_is_not_taken_for_ours_after_a_cut_call() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    frozen_by_somebody(&org).await;
    org.fault(cut()).await;
    let _ = tool.patch(&path, active(false)).await.expect(200);
    assert_eq!(org.user(ADA).await["IsActive"], false);
    let _ = tool.patch(&path, active(true)).await.expect(200);
    assert_eq!(org.user(ADA).await["IsActive"], true);
    assert!(is_frozen(&org, ADA).await, "somebody else decides when that ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_gangway_has_frozen_it_lets_in_after_a_cut_call() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    org.fault(cut()).await;
    let _ = tool.patch(&path, active(false)).await.expect(200);
    assert!(is_frozen(&org, ADA).await);
    let _ = tool.patch(&path, active(true)).await.expect(200);
    assert!(!is_frozen(&org, ADA).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_hire_is_let_in_again_where_leavers_are_only_frozen() {
    let world = World::of_scene(&Scene::new(&staff("freeze"), ""), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.create(ADA).await.expect(201).id();
    let _ = tool.delete(&format!("/Users/{id}")).await.expect(204);
    assert!(is_frozen(&org, ADA).await);
    assert_eq!(org.user(ADA).await["IsActive"], true);
    let _ = tool.create(ADA).await.expect(201);
    assert!(!is_frozen(&org, ADA).await);
}

/// Adopted while he is still out, and back later.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_adopted_as_a_leaver_is_let_in_when_he_is_back() {
    for on_leave in ["freeze", "freeze-then-deactivate"] {
        let world = World::of_scene(&Scene::new(&staff(on_leave), ""), |_| ()).await;
        let (tool, org) = (world.tool(), world.org());
        let id = tool.create(ADA).await.expect(201).id();
        let _ = tool.delete(&format!("/Users/{id}")).await.expect(204);
        let mut body = e2e::tool::person(ADA);
        body["active"] = json!(false);
        let id = tool.post("/Users", &body).await.expect(201).id();
        assert!(is_frozen(&org, ADA).await);
        let _ = tool.patch(&format!("/Users/{id}"), active(true)).await.expect(200);
        assert!(!is_frozen(&org, ADA).await, "{on_leave}");
        assert_eq!(org.user(ADA).await["IsActive"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_hire_whom_somebody_else_has_frozen_stays_so() {
    for on_leave in ["freeze", "freeze-then-deactivate"] {
        let world = World::of_scene(&Scene::new(&staff(on_leave), ""), |_| ()).await;
        let (tool, org) = (world.tool(), world.org());
        let id = tool.create(ADA).await.expect(201).id();
        frozen_by_somebody(&org).await;
        org.fault(cut()).await;
        let _ = tool.delete(&format!("/Users/{id}")).await.expect(204);
        let _ = tool.create(ADA).await.expect(201);
        assert!(is_frozen(&org, ADA).await, "{on_leave}");
    }
}

/// Sessions that could not be ended at once are ended by the task, whether Salesforce keeps the User active or is meant to.
#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_a_leaver_are_ended_as_soon_as_that_can_be() {
    for (on_leave, blockers) in [("freeze", &[][..]), ("freeze-then-deactivate", &["escalation-rule"])] {
        let logged_in =
            format!("[[users]]\nusername = \"{ADA}\"\nprofile = \"Standard User\"\nsessions = 2\n");
        let world = World::of_scene(&Scene::new(&staff(on_leave), &logged_in), |_| ()).await;
        let (tool, org, config) = (world.tool(), world.org(), world.config_file());
        let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
        org.block(ADA, blockers).await;
        let no_session = json!({"method": "DELETE", "path": "/data/v*/composite/sobjects", "kind": "status",
            "status": 400, "error_code": "DELETE_FAILED"});
        org.fault(no_session).await;
        let _ = tool.patch(&path, active(false)).await.expect(200);
        assert!(is_frozen(&org, ADA).await);
        assert_eq!(sessions(&org).await, 2);
        let owed = listed(&config, "tasks").await;
        let says = |task: &Value| task["reason"].as_str().unwrap().contains("sessions");
        assert!(owed.iter().any(says), "{on_leave}: {owed:?}");
        org.heal().await;
        world.advance(A_WHILE);
        until("they are ended", async || sessions(&org).await == 0).await;
        let is_over = async || !listed(&config, "tasks").await.iter().any(says);
        until("they are owed no more", is_over).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_identity_stays_until_the_sessions_of_its_user_are_ended() {
    let logged_in = format!("[[users]]\nusername = \"{ADA}\"\nprofile = \"Standard User\"\nsessions = 2\n");
    let world = World::of_scene(&Scene::new(&staff("freeze"), &logged_in), |_| ()).await;
    let (tool, org, config) = (world.tool(), world.org(), world.config_file());
    let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    let no_session = json!({"method": "DELETE", "path": "/data/v*/composite/sobjects", "kind": "status",
        "status": 400, "error_code": "DELETE_FAILED"});
    org.fault(no_session).await;
    let _ = tool.delete(&path).await.expect(204);
    assert!(is_frozen(&org, ADA).await);
    assert_eq!(tool.get(&path).await.expect(200).json()["active"], false);
    assert_eq!(sessions(&org).await, 2);
    org.heal().await;
    world.advance(A_WHILE);
    until("they are ended", async || sessions(&org).await == 0).await;
    until("the identity is gone", async || tool.get(&path).await.status == 404).await;
    assert!(listed(&config, "tasks").await.is_empty());
}

/// Let in by hand and frozen again by hand: it is not ours to end.
#[tokio::test(flavor = "multi_thread")]
async fn whom_somebody_has_frozen_again_gangway_does_not_let_in() {
    let world = World::of_scene(&Scene::new(&staff("freeze"), ""), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.create(ADA).await.expect(201).id();
    let path = format!("/Users/{id}");
    let _ = tool.patch(&path, active(false)).await.expect(200);
    let login_id = login(&org, ADA).await["Id"].as_str().unwrap().to_owned();
    org.change_as_administrator("UserLogin", &login_id, &json!({"IsFrozen": false})).await;
    frozen_by_somebody(&org).await;
    let resync = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["resync", &id, "--config"])
        .arg(world.config_file())
        .output()
        .await
        .unwrap();
    assert!(resync.status.success(), "{}", String::from_utf8_lossy(&resync.stderr));
    let _ = tool.patch(&path, active(true)).await.expect(200);
    assert!(is_frozen(&org, ADA).await);
}

/// What is not known of a leaver's User is not asked for ever.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_were_ended_are_not_looked_for_again() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    org.block(ADA, &["escalation-rule"]).await;
    let _ = tool.patch(&path, active(false)).await.expect(200);
    let before = org.calls().await.api;
    world.advance(A_WHILE);
    until("it is tried again", async || org.calls().await.api > before).await;
    let again = tool.patch(&path, active(false)).await.expect(200);
    warned(&again, "deactivation-blocked");
    assert_eq!(org.calls().await.api - before, 2, "each attempt is one call");
}

/// Removing `active` says nothing of him: he was to be deactivated, and is.
#[tokio::test(flavor = "multi_thread")]
async fn removing_active_of_a_blocked_leaver_lets_nobody_in() {
    for by_somebody in [false, true] {
        let world = World::start().await;
        let (tool, org, config) = (world.tool(), world.org(), world.config_file());
        let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
        if by_somebody {
            frozen_by_somebody(&org).await;
        }
        org.block(ADA, &["escalation-rule"]).await;
        let _ = tool.patch(&path, active(false)).await.expect(200);
        let removed = tool.patch(&path, json!([{ "op": "remove", "path": "active" }])).await;
        let removed = removed.expect(200).json();
        assert_eq!(removed.get("active"), None, "{removed}");
        assert!(is_frozen(&org, ADA).await);
        let owed = listed(&config, "tasks").await;
        assert!(
            owed.iter().any(|task| task["kind"] == "deactivation"),
            "by somebody: {by_somebody}: {owed:?}"
        );
        org.block(ADA, &[]).await;
        world.advance(A_WHILE);
        until("she is deactivated", async || org.user(ADA).await["IsActive"] == false).await;
    }
}

/// Somebody else's freeze of a person who works is no departure, whatever SCIM says of `active`.
#[tokio::test(flavor = "multi_thread")]
async fn removing_active_of_whom_somebody_else_has_frozen_deactivates_nobody() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    frozen_by_somebody(&org).await;
    let _ = tool.patch(&path, json!([{ "op": "remove", "path": "active" }])).await.expect(200);
    let _ = tool.patch(&path, json!([{ "op": "replace", "path": "name.familyName", "value": "King" }])).await;
    assert_eq!(org.user(ADA).await["IsActive"], true);
    assert_eq!(org.user(ADA).await["LastName"], "King");
}

/// Who leaves is locked out first, by a step that nothing else can spoil. What comes apart behind it is told and owed,
/// whether Salesforce refuses it or Gangway does.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_beside_a_departure_is_told_and_tried_again() {
    let no_title = "[[triggers]]\nobject = \"User\"\nname = \"Titles\"\non = [\"update\"]\n\
        when = \"Title = 'Former'\"\nmessage = \"no such title\"\n";
    for title in ["Former", &"x".repeat(81)] {
        let world = World::of_scene(&Scene::new(&staff("freeze-then-deactivate"), no_title), |_| ()).await;
        let (tool, org, config) = (world.tool(), world.org(), world.config_file());
        let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
        let leaves = json!([
            { "op": "replace", "path": "active", "value": false },
            { "op": "replace", "path": "title", "value": title },
        ]);
        let told = tool.patch(&path, leaves.clone()).await.expect(400).json();
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.contains("begun and kept: staff"), "{detail}");
        assert!(is_frozen(&org, ADA).await);
        assert_eq!(org.user(ADA).await["IsActive"], false);
        assert_eq!(tool.get(&path).await.expect(200).json()["active"], false);
        let owed = listed(&config, "tasks").await;
        assert_eq!(owed.iter().map(|task| task["kind"].clone()).collect::<Vec<_>>(), ["target"]);
        let _ = tool.patch(&path, leaves).await.expect(400);
        assert_eq!(org.user(ADA).await["IsActive"], false);
        let other = json!([{ "op": "replace", "path": "title", "value": "Clerk" }]);
        let _ = tool.patch(&path, other).await.expect(200);
        assert_eq!(org.user(ADA).await["Title"], "Clerk");
        assert!(listed(&config, "tasks").await.is_empty());
    }
}
