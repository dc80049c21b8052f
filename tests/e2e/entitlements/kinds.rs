//! Every kind of entitlement: given, given again, taken, taken when it is not there; what does not fit, what has no seat, and what
//! ends.

use e2e::{Answered, Org, Scene, Tool, World, tool::person};
use serde_json::{Value, json};

use super::{ORG, STAFF, held, patch, shown};
use crate::faults::{listed, until};

/// A kind with one of its entitlements, and where the org's control page lists it.
const KINDS: [(&str, &str, &str); 8] = [
    ("PermissionSet", "Dock_Reports", "permission-sets"),
    ("PermissionSetGroup", "Dock_Team", "permission-set-groups"),
    ("PermissionSetLicense", "DockConsole", "permission-set-licences"),
    ("PublicGroup", "Dock Workers", "groups"),
    ("Queue", "Dock Requests", "queues"),
    ("PackageLicense", "dock", "packages"),
    ("Territory", "Harbour", "territories"),
    ("Role", "Pilot", "role"),
];

async fn world(mapping: &str) -> World {
    World::of_scene(&Scene::new(&format!("{mapping}\n{STAFF}"), ORG), |_| ()).await
}

async fn ada(tool: &Tool) -> String {
    let id = tool.post("/Users", &person("ada@acme.example")).await.expect(201).id();
    format!("/Users/{id}")
}

fn ask(list: &str, kind: &str, name: &str) -> Value {
    json!([{"op": "add", "path": list, "value": [{"value": name, "type": kind}]}])
}

async fn give(tool: &Tool, path: &str, kind: &str, name: &str) -> Answered {
    tool.patch(path, ask(if kind == "Role" { "roles" } else { "entitlements" }, kind, name)).await
}

fn list_of(kind: &str) -> &'static str {
    if kind == "Role" { "roles" } else { "entitlements" }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_given_once_and_taken_once() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    for (kind, name, page) in KINDS {
        let answer = give(&tool, &path, kind, name).await.expect(200).json();
        assert!(held(&org, "ada@acme.example", page).await.contains(&name.to_owned()), "{kind} is not given");
        let element =
            shown(&answer, list_of(kind), kind).unwrap_or_else(|| panic!("{kind} is not shown: {answer}"));
        let id = element["value"].as_str().unwrap().to_owned();

        let before = org.calls().await.api;
        let _ = give(&tool, &path, kind, &id).await.expect(200);
        assert_eq!(org.calls().await.api, before, "{kind}: what is there costs no call");

        let remove = format!("{}[value eq \"{id}\"]", list_of(kind));
        let answer = patch(&tool, &path, json!([{"op": "remove", "path": remove}])).await.expect(200).json();
        assert!(
            !held(&org, "ada@acme.example", page).await.contains(&name.to_owned()),
            "{kind} is not taken"
        );
        assert_eq!(shown(&answer, list_of(kind), kind), None, "{kind} is shown");

        let before = org.calls().await.api;
        let _ = patch(&tool, &path, json!([{"op": "remove", "path": remove}])).await.expect(200);
        assert_eq!(org.calls().await.api, before, "{kind}: what is not there is not taken");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_gave_by_hand_becomes_ours_when_it_is_asked_for_and_is_left_alone_otherwise() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let by_hand = by_hand(&org, "ada@acme.example", "Dock_Reports").await;
    // Nobody asks for it: every kind of sync leaves it alone.
    let read = tool.get(&path).await.expect(200).json();
    let _ = tool.put(&path, &read).await.expect(200);
    let _ = patch(&tool, &path, json!([{"op": "replace", "path": "title", "value": "Countess"}]))
        .await
        .expect(200);
    let _ =
        patch(&tool, &path, json!([{"op": "replace", "path": "active", "value": false}])).await.expect(200);
    let _ =
        patch(&tool, &path, json!([{"op": "replace", "path": "active", "value": true}])).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, ["Dock_Reports"]);
    // Somebody does: the duplicate is a success, and from then on it is ours to take.
    let answer = give(&tool, &path, "PermissionSet", "Dock_Reports").await.expect(200).json();
    assert!(shown(&answer, "entitlements", "PermissionSet").is_some());
    let remove = json!([{"op": "remove", "path": format!("entitlements[value eq \"{by_hand}\"]")}]);
    let _ = patch(&tool, &path, remove).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_gangway_is_the_authority_what_nobody_asked_for_goes() {
    let world = world("[entitlements]\nownership = { permission-set = \"authoritative\" }\n").await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let _ = give(&tool, &path, "PublicGroup", "Dock Workers").await.expect(200);
    let _ = by_hand(&org, "ada@acme.example", "Dock_Reports").await;
    let _ = patch(&tool, &path, json!([{"op": "replace", "path": "title", "value": "Countess"}]))
        .await
        .expect(200);
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, [""; 0]);
    assert_eq!(held(&org, "ada@acme.example", "groups").await, ["Dock Workers"], "other kinds are managed");
    let id = path.trim_start_matches("/Users/");
    let why = audited(&world, &["audit", "why", id, "permission-set:Dock_Reports"]).await;
    assert!(why.contains("nobody has asked for it"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_salesforce_does_not_allow_is_refused_and_named_and_nothing_changes() {
    // A group whose sets are not calculated yet is given to nobody.
    const OUTDATED: &str =
        "[[permission-set-groups]]\nname = \"Dock_Crew\"\nsets = [\"Dock_More\"]\nstatus = \"Outdated\"\n";
    let world = World::of_scene(&Scene::new(STAFF, &format!("{ORG}\n{OUTDATED}")), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let before = tool.get(&path).await.expect(200).json();
    let answer = give(&tool, &path, "PermissionSetGroup", "Dock_Crew").await.expect(400).json();
    assert!(answer["detail"].as_str().unwrap().contains("\"Updated\" status"), "{answer}");
    assert_eq!(tool.get(&path).await.expect(200).json(), before);
    assert_eq!(held(&org, "ada@acme.example", "permission-set-groups").await, [""; 0]);
    // Beside something else it is a warning, and the rest lands.
    let both = json!([
        {"op": "replace", "path": "title", "value": "Countess"},
        {"op": "add", "path": "entitlements", "value": [{"value": "Dock_Crew"}]},
    ]);
    let answer = tool.patch(&path, both).await.expect(200);
    assert!(answer.header("x-gangway-warnings").unwrap_or_default().contains("grant-refused"));
    assert_eq!(answer.json()["title"], "Countess");
    assert_eq!(
        shown(&answer.json(), "entitlements", "PermissionSetGroup"),
        None,
        "reads show what has landed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unknown_ambiguous_or_one_too_many_is_refused_with_what_would_help() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let before = tool.get(&path).await.expect(200).json();
    let calls = org.calls().await.api;
    for (body, says) in [
        (
            json!([{"op": "add", "path": "entitlements", "value": [{"value": "Dock_Nothing"}]}]),
            "Dock_Nothing",
        ),
        (json!([{"op": "add", "path": "entitlements", "value": [{"value": "Twins"}]}]), "ambiguous"),
        (
            json!([{"op": "add", "path": "roles", "value": [{"value": "Pilot"}, {"value": "CEO"}]}]),
            "one role",
        ),
        (
            json!([{"op": "add", "path": "roles", "value": [{"value": "0PS000000000001AAA"}]}]),
            "0PS000000000001AAA",
        ),
    ] {
        let answer = tool.patch(&path, body).await.expect(400).json();
        assert_eq!(answer["scimType"], "invalidValue");
        assert!(answer["detail"].as_str().unwrap().contains(says), "{answer}");
    }
    assert_eq!(tool.get(&path).await.expect(200).json(), before);
    assert!(org.calls().await.api - calls < 30, "a name that is not there is not looked for again and again");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_seat_it_is_403_with_the_numbers_or_waits() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    org.seats(json!({"dock": 0})).await;
    let answer = give(&tool, &path, "PackageLicense", "dock").await.expect(403).json();
    assert!(answer["detail"].as_str().unwrap().contains("0 of 0 are taken"), "{answer}");
    assert_eq!(shown(&tool.get(&path).await.expect(200).json(), "entitlements", "PackageLicense"), None);
    org.set_seats(0).await;
    let answer = tool.post("/Users", &person("grace@acme.example")).await.expect(403).json();
    assert!(answer["detail"].as_str().unwrap().contains("user licence Salesforce"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joiner_with_everything_is_one_call() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let _ = ada(&tool).await;
    let before = org.calls().await.api;
    let mut grace = person("grace@acme.example");
    grace["entitlements"] = json!([
        {"value": "Dock Sales", "type": "Profile"}, {"value": "Dock_Reports"}, {"value": "Dock_More"}, {"value": "Dock_Most"},
        {"value": "Dock Workers", "type": "PublicGroup"}, {"value": "Dock Requests", "type": "Queue"},
    ]);
    grace["roles"] = json!([{"value": "Pilot"}]);
    let answer = tool.post("/Users", &grace).await.expect(201);
    assert_eq!(org.calls().await.api - before, 1);
    let body = answer.json();
    assert_eq!(body["entitlements"].as_array().map(Vec::len), Some(6), "{body}");
    assert_eq!(body["roles"][0]["display"], "Pilot");
    assert_eq!(held(&org, "grace@acme.example", "permission-sets").await.len(), 3);
    assert_eq!(held(&org, "grace@acme.example", "profile").await, ["Dock Sales"]);
    let again = tool.put(&format!("/Users/{}", answer.id()), &body).await.expect(200).json();
    assert_eq!(again["meta"]["version"], body["meta"]["version"]);
    assert_eq!(org.calls().await.api - before, 1, "an unchanged PUT costs nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_give_and_take_and_a_profile_that_nobody_asks_for_any_more_is_replaced() {
    let rules = r#"
[entitlements]
least-privileged = { Salesforce = "Standard User" }

[[grants]]
name = "docks"
when = 'user.title == "Docker"'
permission-sets = ["Dock_Reports"]
profile = "Dock Sales"
role = "Pilot"
"#;
    let world = world(rules).await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let _ =
        patch(&tool, &path, json!([{"op": "replace", "path": "title", "value": "Docker"}])).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, ["Dock_Reports"]);
    assert_eq!(held(&org, "ada@acme.example", "profile").await, ["Dock Sales"]);
    assert_eq!(held(&org, "ada@acme.example", "role").await, ["Pilot"]);
    let _ = patch(&tool, &path, json!([{"op": "replace", "path": "title", "value": "Countess"}]))
        .await
        .expect(200);
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, [""; 0]);
    assert_eq!(held(&org, "ada@acme.example", "profile").await, ["Standard User"]);
    assert_eq!(held(&org, "ada@acme.example", "role").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_keeps_what_he_had_and_has_it_when_he_is_back_and_what_is_stripped_comes_back_too() {
    let world = World::of_scene(
        &Scene::new(
            &STAFF.replace("object = \"User\"", "object = \"User\"\nstrip = [\"permission-set\"]"),
            ORG,
        ),
        |_| (),
    )
    .await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let _ = give(&tool, &path, "PermissionSet", "Dock_Reports").await.expect(200);
    let _ = give(&tool, &path, "PublicGroup", "Dock Workers").await.expect(200);
    let _ =
        patch(&tool, &path, json!([{"op": "replace", "path": "active", "value": false}])).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, [""; 0], "it is stripped");
    assert_eq!(held(&org, "ada@acme.example", "groups").await, ["Dock Workers"]);
    let back = patch(&tool, &path, json!([{"op": "replace", "path": "active", "value": true}]))
        .await
        .expect(200)
        .json();
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, ["Dock_Reports"]);
    assert!(shown(&back, "entitlements", "PermissionSet").is_some());
}

/// What an auditor is told.
pub(super) async fn audited(world: &World, arguments: &[&str]) -> String {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(arguments)
        .args(["--output", "json", "--config"])
        .arg(world.config_file())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An administrator gives ada a permission set, past Gangway. Answers the set's id.
async fn by_hand(org: &Org, username: &str, set: &str) -> String {
    let id = |record: &serde_json::Map<String, Value>| record["Id"].as_str().unwrap().to_owned();
    let (user, set) = (id(&org.user(username).await), id(&org.one("PermissionSet", "Name", set).await));
    org.make("PermissionSetAssignment", &json!({"AssigneeId": user, "PermissionSetId": set})).await;
    set
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_until_a_moment_ends_by_itself() {
    let ends = model::Clock::system().now() + jiff::SignedDuration::from_hours(2);
    let rule = format!(
        "[[grants]]\nname = \"visitors\"\nuntil = {ends}\npermission-sets = [\"Dock_Reports\"]\npublic-groups = [\"Dock Workers\"]\n"
    );
    let world = world(&rule).await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, ["Dock_Reports"]);
    assert_eq!(held(&org, "ada@acme.example", "groups").await, ["Dock Workers"]);
    let rows = org.records("PermissionSetAssignment").await;
    assert!(rows.iter().any(|row| row["ExpirationDate"].is_string()), "Salesforce ends it by itself, too");
    let owed = listed(&world.config_file(), "tasks").await;
    assert_eq!(owed.len(), 1, "{owed:?}");
    world.advance(std::time::Duration::from_hours(3));
    until("it has ended", async || held(&org, "ada@acme.example", "groups").await.is_empty()).await;
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, [""; 0]);
    until("reads show it", async || {
        let read = tool.get(&path).await.expect(200).json();
        let of = |kind| shown(&read, "entitlements", kind);
        of("PermissionSet").is_none() && of("PublicGroup").is_none()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_seat_is_served_when_one_comes_free() {
    let world = world("[entitlements]\nwaiting-list = true\n").await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    org.seats(json!({"dock": 0})).await;
    let answer = give(&tool, &path, "PackageLicense", "dock").await.expect(200);
    assert!(answer.header("x-gangway-warnings").unwrap_or_default().contains("seat-awaited"));
    assert_eq!(shown(&answer.json(), "entitlements", "PackageLicense"), None, "reads show what has landed");
    org.set_seats(3).await;
    let grace = tool.post("/Users", &person("grace@acme.example")).await.expect(201);
    assert!(grace.header("x-gangway-warnings").unwrap_or_default().contains("seat-awaited"));
    assert_eq!(org.user("grace@acme.example").await["IsActive"], false, "he has no seat yet");

    org.seats(json!({"dock": 1})).await;
    org.set_seats(20).await;
    world.advance(std::time::Duration::from_mins(2));
    let served = async || {
        let works = org.user("grace@acme.example").await["IsActive"] == true;
        works && held(&org, "ada@acme.example", "packages").await == ["dock"]
    };
    until("who waited is served", served).await;
    until("nothing is owed", async || listed(&world.config_file(), "tasks").await.is_empty()).await;
    let read = tool.get(&path).await.expect(200).json();
    assert!(shown(&read, "entitlements", "PackageLicense").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_salesforce_takes_with_a_deactivation_comes_back_with_the_person() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    org.switch(json!({"deactivation-ends-memberships": true})).await;
    let path = ada(&tool).await;
    let _ = give(&tool, &path, "PublicGroup", "Dock Workers").await.expect(200);
    let _ = give(&tool, &path, "Queue", "Dock Requests").await.expect(200);
    let _ =
        patch(&tool, &path, json!([{"op": "replace", "path": "active", "value": false}])).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", "groups").await, [""; 0]);
    let back = patch(&tool, &path, json!([{"op": "replace", "path": "active", "value": true}]))
        .await
        .expect(200)
        .json();
    assert_eq!(held(&org, "ada@acme.example", "groups").await, ["Dock Workers"]);
    assert_eq!(held(&org, "ada@acme.example", "queues").await, ["Dock Requests"]);
    assert!(shown(&back, "entitlements", "Queue").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_target_loses_the_fields_that_are_stripped_too_and_has_them_when_he_is_back() {
    let keys =
        "object = \"User\"\nwhen = 'user.userType != \"Gone\"'\nstrip = [\"role\", \"feature-license\"]";
    let staff = STAFF.replace("object = \"User\"", keys);
    let world = World::of_scene(&Scene::new(&staff, ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let _ = give(&tool, &path, "Role", "Pilot").await.expect(200);
    let _ = give(&tool, &path, "FeatureLicense", "UserPermissionsMarketingUser").await.expect(200);
    let becomes = |what: &str| json!([{"op": "replace", "path": "userType", "value": what}]);
    let gone = patch(&tool, &path, becomes("Gone")).await.expect(200).json();
    let user = org.user("ada@acme.example").await;
    assert_eq!(
        (&user["IsActive"], &user["UserRoleId"], &user["UserPermissionsMarketingUser"]),
        (&json!(false), &Value::Null, &json!(false))
    );
    assert_eq!((gone.get("roles"), shown(&gone, "entitlements", "FeatureLicense")), (None, None));
    let back = patch(&tool, &path, becomes("Employee")).await.expect(200).json();
    let user = org.user("ada@acme.example").await;
    assert_eq!((&user["IsActive"], &user["UserPermissionsMarketingUser"]), (&json!(true), &json!(true)));
    assert_eq!(held(&org, "ada@acme.example", "role").await, ["Pilot"]);
    assert_eq!(back["roles"][0]["display"], "Pilot");
}

/// What is stripped is known to be his, however many steps his departure takes.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_stripped_beside_fields_is_not_over() {
    let keys =
        "object = \"User\"\nwhen = 'user.userType != \"Gone\"'\nstrip = [\"role\", \"permission-set\"]";
    let world = World::of_scene(&Scene::new(&STAFF.replace("object = \"User\"", keys), ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let _ = give(&tool, &path, "Role", "Pilot").await.expect(200);
    let _ = give(&tool, &path, "PermissionSet", "Dock_Reports").await.expect(200);
    let gone = json!([{"op": "replace", "path": "userType", "value": "Gone"}]);
    let _ = patch(&tool, &path, gone).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, [""; 0]);
    let id = path.trim_start_matches("/Users/");
    for of in ["permission-set:Dock_Reports", "role:Pilot"] {
        let why = audited(&world, &["audit", "why", id, of]).await;
        assert!(why.contains("stripped") && !why.contains("nobody asks for it any more"), "{of}: {why}");
    }
}

/// Of every form: what is a row and ends by itself, what is a row, and what is a field of the User.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_had_until_a_time_ends_then_although_he_has_left() {
    const OF: [&str; 4] = [
        "public-group:Dock Workers",
        "role:Pilot",
        "permission-set:Dock_Reports",
        "feature-license:UserPermissionsMarketingUser",
    ];
    let ends = model::Clock::system().now() + jiff::SignedDuration::from_hours(2);
    let staff = STAFF.replace("object = \"User\"", "object = \"User\"\nwhen = 'user.userType != \"Gone\"'");
    let rule = format!(
        "[[grants]]\nname = \"visitors\"\nuntil = {ends}\npublic-groups = [\"Dock Workers\"]\nrole = \"Pilot\"\n\
         permission-sets = [\"Dock_Reports\"]\nfeature-licenses = [\"UserPermissionsMarketingUser\"]\n"
    );
    let world = World::of_scene(&Scene::new(&format!("{rule}\n{staff}"), ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let id = path.trim_start_matches("/Users/");
    let _ = give(&tool, &path, "PermissionSet", "Dock_More").await.expect(200);
    let _ = give(&tool, &path, "Profile", "Dock Sales").await.expect(200);
    let becomes = |what: &str| json!([{"op": "replace", "path": "userType", "value": what}]);
    let _ = patch(&tool, &path, becomes("Gone")).await.expect(200);
    let profile = async || audited(&world, &["audit", "why", id, "profile:Dock Sales"]).await;
    let asked = profile().await;
    assert_eq!(org.user("ada@acme.example").await["IsActive"], false);
    let has = async |of: &str| audited(&world, &["audit", "who-has", of]).await.contains(id);
    for of in OF {
        assert!(has(of).await, "{of}: nothing is stripped from who leaves this target");
    }
    world.advance(std::time::Duration::from_hours(3));
    until("nothing is owed", async || listed(&world.config_file(), "tasks").await.is_empty()).await;
    for of in OF {
        assert!(!has(of).await, "{of}: its time is over");
        let why = audited(&world, &["audit", "why", id, of]).await;
        assert!(why.contains("its time was over"), "{of}: {why}");
    }
    assert!(has("permission-set:Dock_More").await, "what had no end is as it was");
    let user = org.user("ada@acme.example").await;
    let fields = (&user["UserRoleId"], &user["UserPermissionsMarketingUser"]);
    assert_eq!(fields, (&Value::Null, &json!(false)));
    assert_eq!(held(&org, "ada@acme.example", "groups").await, [""; 0]);
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, ["Dock_More"]);
    assert_eq!(profile().await, asked, "who has asked for what he keeps is known");
    // So it goes when nobody asks for it any more.
    let _ = patch(&tool, &path, becomes("Employee")).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", "profile").await, ["Dock Sales"]);
    let none = json!([{"op": "replace", "path": "entitlements", "value": []}]);
    let _ = patch(&tool, &path, none).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", "profile").await, ["Standard User"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_works_waits_for_a_feature_licence_alone_where_the_user_licence_is_full_too() {
    let world = world("[entitlements]\nwaiting-list = true\n").await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    org.seats(json!({"Salesforce": 0, "UserPermissionsMarketingUser": 0})).await;
    let before = org.calls().await.api;
    let answer = give(&tool, &path, "FeatureLicense", "UserPermissionsMarketingUser").await.expect(200);
    assert!(answer.header("x-gangway-warnings").unwrap_or_default().contains("seat-awaited"));
    assert_eq!(shown(&answer.json(), "entitlements", "FeatureLicense"), None, "reads show what has landed");
    assert!(org.calls().await.api - before <= 3, "it is not sent again and again");
    assert_eq!(org.user("ada@acme.example").await["IsActive"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_changes_no_records_says_that_it_gives_nothing() {
    let staff = STAFF.replace("object = \"User\"", "object = \"User\"\nallow = [\"create\", \"disable\"]");
    let world = World::of_scene(&Scene::new(&staff, ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    for (kind, name) in [("PermissionSet", "Dock_Reports"), ("Role", "Pilot")] {
        let answer = give(&tool, &path, kind, name).await.expect(200);
        let codes = answer.header("x-gangway-warnings").unwrap_or_default();
        assert!(codes.contains("update-not-allowed"), "{kind}: {codes:?}");
    }
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, [""; 0]);
    assert_eq!(held(&org, "ada@acme.example", "role").await, [""; 0]);
}
