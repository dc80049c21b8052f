//! What is not given, and what is not taken: a record that is refused takes its grants with it, a grant that is refused nothing, and
//! whatever comes to nothing is told.

use e2e::{Org, Scene, World, tool::person, world::environment};
use serde_json::{Value, json};

use super::{ORG, STAFF, held, kinds::audited, patch, shown};
use crate::faults::{listed, until};

const MARKETING: &str = "UserPermissionsMarketingUser";
const ADA: &str = "ada@acme.example";

/// No title of the org is `Forbidden`.
const RULE: &str = r#"
[[validation-rules]]
object = "User"
when = "Title = 'Forbidden'"
message = "This title is forbidden."
field = "Title"
"#;

async fn world(mapping: &str) -> World {
    World::of_scene(&Scene::new(&format!("{mapping}\n{STAFF}"), &format!("{ORG}\n{RULE}")), |_| ()).await
}

async fn everything(org: &Org) -> [Vec<String>; 3] {
    [held(org, ADA, "permission-sets").await, held(org, ADA, "groups").await, held(org, ADA, "role").await]
}

async fn has_flag(org: &Org, username: &str) -> bool {
    org.user(username).await[MARKETING] == json!(true)
}

fn warned(answer: &e2e::Answered, code: &str) {
    let codes = answer.header("x-gangway-warnings").unwrap_or_default();
    assert!(codes.contains(code), "no {code} in {codes:?}: {}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_refused_takes_the_grants_of_the_request_with_it() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["entitlements"] = json!([{"value": "Dock_More"}]);
    let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
    let before = tool.get(&path).await.expect(200).json();
    let asks = |title: &str| {
        json!([
            {"op": "replace", "path": "title", "value": title},
            {"op": "remove", "path": "entitlements"},
            {"op": "add", "path": "entitlements",
                "value": [{"value": "Dock_Reports"}, {"value": "Dock Workers", "type": "PublicGroup"}]},
        ])
    };
    let refused = patch(&tool, &path, asks("Forbidden")).await.expect(400).json();
    assert!(refused["detail"].as_str().unwrap().contains("This title is forbidden."), "{refused}");
    let nothing: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    assert_eq!(
        everything(&org).await,
        [vec!["Dock_More".to_owned()], nothing[0].clone(), nothing[1].clone()]
    );
    assert_eq!(org.user(ADA).await["Title"], Value::Null);
    assert_eq!(tool.get(&path).await.expect(200).json(), before, "nor does SCIM say anything else");

    // The record and what is given are one call; what is taken comes when the record is known to have landed.
    let calls = org.calls().await.api;
    let _ = patch(&tool, &path, asks("Captain")).await.expect(200);
    assert_eq!(org.calls().await.api - calls, 2);
    let sets = ["Dock_Reports".to_owned()].to_vec();
    assert_eq!(everything(&org).await, [sets, vec!["Dock Workers".to_owned()], Vec::new()]);
    assert_eq!(org.user(ADA).await["Title"], "Captain");
}

/// What has nothing to do with the record does not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_ends_ends_although_the_record_is_refused_for_another_reason() {
    let ends = model::Clock::system().now() + jiff::SignedDuration::from_hours(2);
    let rule =
        format!("[[grants]]\nname = \"visitors\"\nuntil = {ends}\npublic-groups = [\"Dock Workers\"]\n");
    let world = world(&rule).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.post("/Users", &person(ADA)).await.expect(201).id());
    assert_eq!(held(&org, ADA, "groups").await, ["Dock Workers"]);
    let forbidden = STAFF.replace("'user.title'", "'\"Forbidden\"'");
    world.remap(&format!("{rule}\n{forbidden}")).await;
    let refused = patch(&tool, &path, json!([{"op": "replace", "path": "nickName", "value": "A"}])).await;
    let _ = refused.expect(400);
    world.advance(std::time::Duration::from_hours(3));
    until("its time is over", async || held(&org, ADA, "groups").await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_and_finds_no_seat_is_as_he_was() {
    for on_leave in ["disable", "freeze-then-deactivate"] {
        let keys = format!("object = \"User\"\non-leave = \"{on_leave}\"\nstrip = [\"permission-set\"]");
        let staff = STAFF.replace("object = \"User\"", &keys);
        let world = World::of_scene(&Scene::new(&staff, ORG), |_| ()).await;
        let (tool, org) = (world.tool(), world.org());
        let mut ada = person(ADA);
        ada["entitlements"] = json!([{"value": "Dock_Reports"}]);
        let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
        let active = |active: bool| json!([{"op": "replace", "path": "active", "value": active}]);
        let _ = patch(&tool, &path, active(false)).await.expect(200);
        assert_eq!(held(&org, ADA, "permission-sets").await, [""; 0]);
        let before = tool.get(&path).await.expect(200).json();
        // Gangway thinks that there are seats.
        org.set_seats(0).await;
        let refused = patch(&tool, &path, active(true)).await.expect(403).json();
        assert!(refused["detail"].as_str().unwrap().contains("user licence Salesforce"), "{refused}");
        assert_eq!(held(&org, ADA, "permission-sets").await, [""; 0], "{on_leave}");
        assert_eq!(org.user(ADA).await["IsActive"], false);
        assert_eq!(tool.get(&path).await.expect(200).json(), before, "{on_leave}");

        org.set_seats(20).await;
        let _ = patch(&tool, &path, active(true)).await.expect(200);
        assert_eq!(held(&org, ADA, "permission-sets").await, ["Dock_Reports"]);
        assert_eq!(org.user(ADA).await["IsActive"], true);
        let user = org.user(ADA).await["Id"].clone();
        let logins = org.records("UserLogin").await;
        let login = logins.iter().find(|login| login["UserId"] == user).unwrap();
        assert_eq!(login["IsFrozen"], false, "{on_leave}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feature_licence_that_has_run_out_is_refused_as_other_grants_are() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.post("/Users", &person(ADA)).await.expect(201).id());
    org.seats(json!({MARKETING: 0})).await;
    // Where nothing else is asked for it is an error.
    let flag = json!([{"op": "add", "path": "entitlements", "value": [{"value": MARKETING}]}]);
    let before = tool.get(&path).await.expect(200).json();
    let _ = patch(&tool, &path, flag).await.expect(403);
    assert_eq!(tool.get(&path).await.expect(200).json(), before);
    // Else the rest lands, all of it.
    let mixed = json!([
        {"op": "add", "path": "entitlements", "value": [
            {"value": MARKETING}, {"value": "Dock_Reports"}, {"value": "Dock Workers", "type": "PublicGroup"},
            {"value": "Pilot"},
        ]},
        {"op": "replace", "path": "title", "value": "Captain"},
    ]);
    let answer = patch(&tool, &path, mixed).await.expect(200);
    warned(&answer, "grant-refused");
    let all = ["Dock_Reports", "Dock Workers", "Pilot"].map(|name| vec![name.to_owned()]);
    assert_eq!(everything(&org).await, all);
    assert!(!has_flag(&org, ADA).await);
    assert_eq!(org.user(ADA).await["Title"], "Captain");
    assert_eq!(answer.json()["title"], "Captain");
    assert_eq!(shown(&answer.json(), "entitlements", "FeatureLicense"), None, "reads show what has landed");
    // The next change tries it again.
    org.seats(json!({MARKETING: 5})).await;
    let _ =
        patch(&tool, &path, json!([{"op": "replace", "path": "title", "value": "Mate"}])).await.expect(200);
    assert!(has_flag(&org, ADA).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_gives_a_feature_licence_which_has_run_out_keeps_nobody_out() {
    let rule = |waits: bool| {
        format!(
            "[entitlements]\nwaiting-list = {waits}\n[[grants]]\nname = \"marketing\"\nwhen = 'user.title == \"Marketer\"'\n\
             feature-licenses = [\"{MARKETING}\"]\npermission-sets = [\"Dock_Reports\"]\n"
        )
    };
    for (waits, code) in [(false, "grant-refused"), (true, "seat-awaited")] {
        let world = world(&rule(waits)).await;
        let (tool, org) = (world.tool(), world.org());
        org.seats(json!({MARKETING: 0})).await;
        let mut ada = person(ADA);
        ada["title"] = json!("Marketer");
        warned(&tool.post("/Users", &ada).await.expect(201), code);
        // A mover into the rule.
        let grace = "grace@acme.example";
        let path = format!("/Users/{}", tool.post("/Users", &person(grace)).await.expect(201).id());
        let becomes = json!([{"op": "replace", "path": "title", "value": "Marketer"}]);
        warned(&patch(&tool, &path, becomes).await.expect(200), code);
        for name in [ADA, grace] {
            assert_eq!(held(&org, name, "permission-sets").await, ["Dock_Reports"], "{name}");
            let user = org.user(name).await;
            assert_eq!((&user["IsActive"], &user[MARKETING]), (&json!(true), &json!(false)), "{name}");
            assert_eq!(user["Title"], "Marketer");
        }
        if waits {
            let owed = async || listed(&world.config_file(), "tasks").await;
            assert_eq!(owed().await.len(), 2, "{:?}", owed().await);
            org.seats(json!({MARKETING: 5})).await;
            world.advance(std::time::Duration::from_mins(2));
            until("both have it", async || has_flag(&org, ADA).await && has_flag(&org, grace).await).await;
            until("nothing is owed", async || owed().await.is_empty()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_is_taken_for_sure_also_beside_what_is_given() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["roles"] = json!([{"value": "Pilot"}]);
    ada["entitlements"] = json!([{"value": "Dock_More"}]);
    let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
    let set = org.one("PermissionSet", "Name", "Dock_More").await["Id"].as_str().unwrap().to_owned();
    let role = json!([
        {"op": "add", "path": "entitlements", "value": [{"value": "Dock_Reports"}]},
        {"op": "remove", "path": "roles"},
    ]);
    let both = json!([
        {"op": "remove", "path": format!("entitlements[value eq \"{set}\"]")},
        {"op": "add", "path": "entitlements", "value": [{"value": "Dock Workers", "type": "PublicGroup"}]},
    ]);
    let after = [
        [vec!["Dock_More", "Dock_Reports"], vec![], vec![]],
        [vec!["Dock_Reports"], vec!["Dock Workers"], vec![]],
    ];
    for (operations, after) in [role, both].into_iter().zip(after) {
        org.fault(json!({"path": "/data/v*", "kind": "status", "status": 503, "count": 1_000})).await;
        let answer = patch(&tool, &path, operations).await.expect(503).json();
        assert!(
            answer["detail"].as_str().unwrap().contains("taking this access away is recorded"),
            "{answer}"
        );
        org.heal().await;
        until("it is taken, and the rest given", async || everything(&org).await == after).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_may_not_take_stays_and_it_is_told_so() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["entitlements"] = json!([{"value": "Dock_More"}, {"value": "Dock_Reports"}]);
    let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
    world.reload(|config| {
        let clients = environment(config)["clients"].as_array_mut().unwrap();
        let grants = toml::Table::from_iter([("deny".to_owned(), vec!["permission-set:Dock_More"].into())]);
        clients[0].as_table_mut().unwrap().insert("grants".into(), grants.into());
    });
    let none = json!([{"op": "replace", "path": "entitlements", "value": []}]);
    warned(&patch(&tool, &path, none).await.expect(200), "grant-kept");
    assert_eq!(held(&org, ADA, "permission-sets").await, ["Dock_More"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_in_an_org_without_a_user_is_told() {
    let beta = STAFF.replace("targets.staff", "targets.beta").replacen(
        "object =",
        "org = \"beta\"\nwhen = 'user.userType == \"Both\"'\nobject =",
        1,
    );
    let acme = STAFF.replacen("object =", "org = \"acme\"\nobject =", 1);
    let mapping = format!("{acme}\n{beta}");
    let scene = Scene { other_orgs: vec!["beta".to_owned()], ..Scene::new(&mapping, ORG) };
    let world = World::of_scene(&scene, |_| ()).await;
    let tool = world.tool();
    let path = format!("/Users/{}", tool.post("/Users", &person(ADA)).await.expect(201).id());
    let set = json!([{"op": "add", "path": "entitlements", "value": [{"value": "beta:Dock_Reports"}]}]);
    warned(&patch(&tool, &path, set).await.expect(200), "grant-unmet");
    // It is given when there is one.
    let both = json!([{"op": "replace", "path": "userType", "value": "Both"}]);
    let _ = patch(&tool, &path, both).await.expect(200);
    assert_eq!(held(&world.other_org(0), ADA, "permission-sets").await, ["Dock_Reports"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_gone_from_the_org_keeps_nobody_out() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["entitlements"] = json!([{"value": "Dock_Reports"}]);
    ada["roles"] = json!([{"value": "Pilot"}]);
    let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
    let (user, role) = (org.user(ADA).await["Id"].clone(), org.one("UserRole", "Name", "Pilot").await);
    org.change("User", user.as_str().unwrap(), &json!({"UserRoleId": null})).await;
    org.delete("UserRole", role["Id"].as_str().unwrap()).await;
    let active = |active: bool| json!([{"op": "replace", "path": "active", "value": active}]);
    let _ = patch(&tool, &path, active(false)).await.expect(200);
    let back = patch(&tool, &path, active(true)).await.expect(200);
    warned(&back, "grant-refused");
    assert_eq!(back.json().get("roles"), None, "reads show what has landed");
    assert_eq!(org.user(ADA).await["IsActive"], true);
    assert_eq!(held(&org, ADA, "permission-sets").await, ["Dock_Reports"]);
    // Nor does it keep anything else from being written, now that it is known to be gone.
    let title = json!([{"op": "replace", "path": "title", "value": "Captain"}]);
    let calls = org.calls().await.api;
    let _ = patch(&tool, &path, title).await.expect(200);
    assert_eq!((org.calls().await.api - calls, org.user(ADA).await["Title"].clone()), (1, json!("Captain")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_refused_concerns_only_who_asks_for_it() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = person(ADA);
    ada["entitlements"] = json!([{"value": "Dock_More"}]);
    let path = format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id());
    org.seats(json!({"dock": 0})).await;
    let add = |values: Value| json!([{"op": "add", "path": "entitlements", "value": values}]);
    let dock = json!({"value": "dock", "type": "PackageLicense"});
    // One of two: the other is kept.
    let _ = patch(&tool, &path, add(json!([dock, {"value": "Dock_Reports"}]))).await.expect(403);
    let again = patch(&tool, &path, add(json!([{"value": "Dock_Reports"}]))).await.expect(200);
    warned(&again, "grant-refused");
    let absent = json!([{"op": "remove", "path": "entitlements[value eq \"Dock_Most\"]"}]);
    let _ = patch(&tool, &path, absent).await.expect(200);
    for named in [dock, json!({"value": "dock"})] {
        let refused = patch(&tool, &path, add(json!([named]))).await.expect(403).json();
        assert!(refused["detail"].as_str().unwrap().contains("0 of 0 are taken"), "{refused}");
    }
    // An auditor is told by which change it was asked for no more, although that needed no step.
    let dock = json!([{"op": "remove", "path": "entitlements[type eq \"PackageLicense\"]"}]);
    let _ = patch(&tool, &path, dock).await.expect(200);
    let id = path.trim_start_matches("/Users/");
    let why: Value =
        serde_json::from_str(&audited(&world, &["audit", "why", id, "package-license:dock"]).await).unwrap();
    let ended = &why["periods"].as_array().unwrap().last().unwrap()["ended"];
    assert!(ended["change"].is_string(), "{why}");
}
