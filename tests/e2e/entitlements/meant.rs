//! What a request means: what somebody has is called by any of its names, the newest of what can be only one takes the place of
//! the one before, and an empty list is empty.

use std::time::Duration;

use e2e::{Answered, Org, Scene, Tool, World, tool::person, world::environment};
use serde_json::{Value, json};

use super::{ORG, STAFF, held, patch, shown, world_of_two_orgs};

const ADA: &str = "ada@acme.example";

/// A world whose client has these settings.
async fn world(settings: &str) -> World {
    let settings: toml::Table = toml::from_str(settings).unwrap();
    World::of_scene(&Scene::new(STAFF, ORG), |config| {
        let client = environment(config)["clients"][0].as_table_mut().unwrap();
        client.extend(settings);
    })
    .await
}

/// Somebody who has all of this from the start.
async fn somebody(tool: &Tool, entitlements: Value, roles: Value) -> String {
    let mut ada = person(ADA);
    ada["entitlements"] = entitlements;
    ada["roles"] = roles;
    format!("/Users/{}", tool.post("/Users", &ada).await.expect(201).id())
}

/// The id of a permission set, a role or a profile of the org.
async fn id_of(org: &Org, object: &str, name: &str) -> String {
    let record = org.one(object, "Name", name).await;
    record["Id"].as_str().unwrap().to_owned()
}

fn add(list: &str, values: &[&str]) -> Value {
    let values: Vec<Value> = values.iter().map(|value| json!({"value": value})).collect();
    json!([{"op": "add", "path": list, "value": values}])
}

/// As `HelloID` says it: the whole list in the place of what there is, without a path.
fn replace(entitlements: &Value) -> Value {
    json!({"op": "Replace", "value": {"entitlements": entitlements}})
}

async fn sets(org: &Org) -> Vec<String> {
    let mut sets = held(org, ADA, "permission-sets").await;
    sets.sort();
    sets
}

async fn role(org: &Org) -> Vec<String> {
    held(org, ADA, "role").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_by_a_name_is_taken_by_it_and_by_any_other() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = somebody(&tool, json!([]), json!([])).await;
    let id = id_of(&org, "PermissionSet", "Dock_Access").await;
    let _ = patch(&tool, &path, add("entitlements", &["DockConsole"])).await.expect(200);
    for name in ["Dock_Access", "dock access", &id[..15], &id, &id.to_lowercase()] {
        for remove in [
            json!([{"op": "remove", "path": format!("entitlements[value eq \"{name}\"]")}]),
            json!([{"op": "remove", "path": "entitlements", "value": [{"value": name}]}]),
            json!([{"op": "Remove", "path": format!("entitlements[type eq \"PermissionSet\" and value eq \"{name}\"]")}]),
            json!([{"op": "remove", "path": format!("entitlements[type eq \"permission-set\" and value eq \"{name}\"]")}]),
            // Okta's type of everything.
            json!([{"op": "remove", "path": format!("entitlements[value eq \"{name}\" and type eq \"Entitlement\"]")}]),
        ] {
            let _ = patch(&tool, &path, add("entitlements", &[name])).await.expect(200);
            assert_eq!(sets(&org).await, ["Dock_Access"], "{name} is not given");
            let answer = patch(&tool, &path, remove.clone()).await.expect(200).json();
            assert_eq!(sets(&org).await, [""; 0], "{remove}");
            assert_eq!(shown(&answer, "entitlements", "PermissionSet"), None, "{answer}");
            let before = org.calls().await.api;
            let _ = patch(&tool, &path, remove).await.expect(200);
            assert_eq!(org.calls().await.api, before, "what is not there is not taken");
        }
    }
    assert!(
        shown(&tool.get(&path).await.expect(200).json(), "entitlements", "PermissionSetLicense").is_some()
    );
}

/// The catalogue is an hour old, and the org has given it another name meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_renamed_in_the_org_is_taken_by_its_new_name() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = somebody(&tool, json!([{"value": "Dock_Reports"}]), json!([])).await;
    let id = id_of(&org, "PermissionSet", "Dock_Reports").await;
    let renamed = json!({"Name": "Harbour_Reports", "Label": "Harbour reports"});
    org.change_as_administrator("PermissionSet", &id, &renamed).await;
    world.advance(Duration::from_mins(2));
    let remove = json!([{"op": "remove", "path": "entitlements[value eq \"Harbour_Reports\"]"}]);
    let _ = patch(&tool, &path, remove).await.expect(200);
    assert_eq!(sets(&org).await, [""; 0]);
}

/// `groups` says who is a member of what; the Groups themselves are the place to change it (RFC 7643 §4.1.2).
#[tokio::test(flavor = "multi_thread")]
async fn nobody_leaves_a_group_by_a_change_of_his_own_and_nobody_is_told_so() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = somebody(&tool, json!([]), json!([])).await;
    let group = json!({"displayName": "Crew", "members": [{"value": path.trim_start_matches("/Users/")}]});
    let group = tool.post("/Groups", &group).await.expect(201).id();
    let before = tool.get(&path).await.expect(200).json();
    for operation in [
        json!({"op": "remove", "path": format!("groups[value eq \"{group}\"]")}),
        json!({"op": "remove", "path": "groups", "value": [{"value": group}]}),
        json!({"op": "remove", "path": "groups"}),
        json!({"op": "replace", "path": "groups", "value": []}),
        json!({"op": "add", "path": "groups", "value": [{"value": "another"}]}),
    ] {
        let refused = patch(&tool, &path, json!([operation])).await.expect(400).json();
        assert_eq!(refused["scimType"], "mutability", "{operation}");
    }
    let as_it_is = json!([{"op": "replace", "path": "groups", "value": [{"value": group}]},
                          {"op": "add", "path": "groups", "value": [{"value": group}]},
                          {"op": "remove", "path": "groups[value eq \"another\"]"}]);
    let calls = org.calls().await.api;
    assert_eq!(patch(&tool, &path, as_it_is).await.expect(200).json(), before);
    assert_eq!(org.calls().await.api, calls);
    assert_eq!(tool.get(&path).await.expect(200).json(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_taken_by_any_of_its_names_among_the_entitlements_too() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = somebody(&tool, json!([{"value": "Dock_Reports"}]), json!([])).await;
    let id = id_of(&org, "UserRole", "Pilot").await;
    for remove in [
        json!({"op": "remove", "path": "roles[value eq \"pilot\"]"}),
        json!({"op": "remove", "path": "roles", "value": [{"value": &id[..15]}]}),
        json!({"op": "remove", "path": "entitlements[value eq \"Pilot\"]"}),
        json!({"op": "remove", "path": "entitlements", "value": [{"value": id}]}),
        json!({"op": "remove", "path": "entitlements", "value": [{"value": "Pilot"}]}),
    ] {
        let _ = patch(&tool, &path, add("entitlements", &[&id])).await.expect(200);
        assert_eq!(role(&org).await, ["Pilot"]);
        let _ = patch(&tool, &path, json!([remove])).await.expect(200);
        assert_eq!(role(&org).await, [""; 0], "{remove}");
        assert_eq!(sets(&org).await, ["Dock_Reports"], "{remove}");
    }
    let by_display = json!([{"op": "remove", "path": "entitlements[display eq \"Pilot\"]"}]);
    let _ = patch(&tool, &path, add("roles", &["Pilot"])).await.expect(200);
    let _ = patch(&tool, &path, by_display).await.expect(200);
    assert_eq!((role(&org).await, sets(&org).await), (vec![], vec!["Dock_Reports".to_owned()]));
    // What is not meant is no name of it, and what all have is none of anything.
    let _ = patch(&tool, &path, add("roles", &["Pilot"])).await.expect(200);
    for (filter, stays) in [
        ("value ne \"Dock_Reports\"", vec!["Dock_Reports".to_owned()]),
        ("primary eq \"True\"", vec!["Dock_Reports".to_owned()]),
        ("value pr", vec![]),
    ] {
        let others = json!([{"op": "remove", "path": format!("entitlements[{filter}]")}]);
        let _ = patch(&tool, &path, others).await.expect(200);
        assert_eq!((role(&org).await, sets(&org).await), (vec!["Pilot".to_owned()], stays), "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_several_takes_the_one_that_is_there_and_is_refused_where_both_are() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = somebody(&tool, json!([{"value": "Twin_One"}, {"value": "Twin_Two"}]), json!([])).await;
    let twins = json!([{"op": "remove", "path": "entitlements[value eq \"Twins\"]"}]);
    let refused = patch(&tool, &path, twins.clone()).await.expect(400).json();
    assert!(refused["detail"].as_str().unwrap().contains("ambiguous"), "{refused}");
    assert_eq!(sets(&org).await, ["Twin_One", "Twin_Two"]);
    let one = json!([{"op": "remove", "path": "entitlements", "value": [{"value": "Twin_One"}]}]);
    let _ = patch(&tool, &path, one).await.expect(200);
    let _ = patch(&tool, &path, twins).await.expect(200);
    assert_eq!(sets(&org).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_several_orgs_a_bare_id_takes_what_one_org_has_given() {
    let world = world_of_two_orgs().await;
    let (tool, org) = (world.tool(), world.org());
    let path = somebody(&tool, json!([]), json!([])).await;
    let id = id_of(&org, "PermissionSet", "Dock_Reports").await;
    for name in
        [id.clone(), id[..15].to_owned(), format!("acme:{}", &id[..15]), "acme:Dock_Reports".to_owned()]
    {
        let give = add("entitlements", &[&format!("acme:{id}")]);
        let _ = patch(&tool, &path, give).await.expect(200);
        assert_eq!(sets(&org).await, ["Dock_Reports"]);
        let remove = json!([{"op": "remove", "path": format!("entitlements[value eq \"{name}\"]")}]);
        let _ = patch(&tool, &path, remove).await.expect(200);
        assert_eq!(sets(&org).await, [""; 0], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_role_and_the_newest_profile_take_the_place_of_those_before() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = somebody(&tool, json!([{"value": "Dock_Reports"}]), json!([])).await;
    let by_primary =
        |value: &str| json!([{"op": "Replace", "path": "roles[primary eq \"True\"].value", "value": value}]);
    for (operations, expected) in [
        (add("roles", &["Pilot"]), "Pilot"),
        (add("roles", &["CEO"]), "CEO"),
        // The first has no `primary`.
        (by_primary("Pilot"), "Pilot"),
        (by_primary("CEO"), "CEO"),
        // As Entra ID packs it.
        (by_primary(r#"{"id": "5b1", "value": "Pilot", "displayName": "A pilot"}"#), "Pilot"),
        (by_primary("CEO"), "CEO"),
        (add("entitlements", &["Pilot"]), "Pilot"),
    ] {
        let answer = patch(&tool, &path, operations.clone()).await.expect(200).json();
        assert_eq!(role(&org).await, [expected], "{operations}");
        assert_eq!(answer["roles"].as_array().map(Vec::len), Some(1), "{answer}");
    }
    for profile in ["Dock Sales", "Contract Manager", "Dock Sales"] {
        let _ = patch(&tool, &path, add("entitlements", &[profile])).await.expect(200);
        assert_eq!(held(&org, ADA, "profile").await, [profile]);
    }
    assert_eq!(sets(&org).await, ["Dock_Reports"]);

    // Two in one request are one too many, the one that is there included.
    for two in [add("roles", &["CEO", "Pilot"]), add("entitlements", &["Dock Sales", "Contract Manager"])] {
        let refused = patch(&tool, &path, two).await.expect(400).json();
        assert!(refused["detail"].as_str().unwrap().contains("two are asked for"), "{refused}");
    }
    assert_eq!(
        (role(&org).await, held(&org, ADA, "profile").await),
        (vec!["Pilot".into()], vec!["Dock Sales".into()])
    );
}

/// The client may give other roles, and not take what it may not give.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_the_client_may_not_take_gives_way_to_no_other() {
    let world = world("").await;
    let path = somebody(&world.tool(), json!([]), json!([{"value": "CEO"}])).await;
    world.reload(|config| {
        let client = environment(config)["clients"][0].as_table_mut().unwrap();
        client.extend(toml::from_str::<toml::Table>("grants = { deny = [\"role:CEO\"] }").unwrap());
    });
    let _ = patch(&world.tool(), &path, add("roles", &["Pilot"])).await.expect(400);
    assert_eq!(role(&world.org()).await, ["CEO"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn helloid_changes_a_role_as_it_changes_a_profile_whoever_gave_the_first() {
    let world = world("dialect = \"helloid\"").await;
    let (tool, org) = (world.tool(), world.org());
    let path = somebody(&tool, json!([{"value": null}]), json!([{"value": "CEO"}])).await;
    let (pilot, ceo) = (id_of(&org, "UserRole", "Pilot").await, id_of(&org, "UserRole", "CEO").await);
    let grant =
        async |id: &str| patch(&tool, &path, json!([replace(&json!([{"value": id}]))])).await.expect(200);
    for (id, expected) in [(&pilot, "Pilot"), (&ceo, "CEO"), (&pilot, "Pilot")] {
        let _ = grant(id).await;
        assert_eq!(role(&org).await, [expected]);
    }
    // Who is not active gets it with his return.
    let active = |active: bool| json!([{"op": "Replace", "value": {"active": active}}]);
    let _ = patch(&tool, &path, active(false)).await.expect(200);
    let _ = grant(&ceo).await;
    let _ = grant(&pilot).await;
    let _ = grant(&ceo).await;
    let _ = patch(&tool, &path, active(true)).await.expect(200);
    assert_eq!(role(&org).await, ["CEO"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_helloid_has_lost_takes_nothing_away_and_two_replaces_are_both_given() {
    let world = world("dialect = \"helloid\"").await;
    let (tool, org) = (world.tool(), world.org());
    let path = somebody(&tool, json!([{"value": "Dock_Reports"}, {"value": "Dock_More"}]), json!([])).await;
    let before = org.calls().await.api;
    for lost in [json!([{"value": null}]), json!([{"value": ""}])] {
        let _ = patch(&tool, &path, json!([replace(&lost)])).await.expect(200);
        let mut body = person(ADA);
        body["entitlements"] = lost;
        let _ = tool.put(&path, &body).await.expect(200);
    }
    assert_eq!(org.calls().await.api, before);
    assert_eq!(sets(&org).await, ["Dock_More", "Dock_Reports"]);
    let both = json!([replace(&json!([{"value": "Dock_Most"}])), replace(&json!([{"value": "Dock Sales"}]))]);
    let _ = patch(&tool, &path, both).await.expect(200);
    assert_eq!(sets(&org).await, ["Dock_More", "Dock_Most", "Dock_Reports"]);
    assert_eq!(held(&org, ADA, "profile").await, ["Dock Sales"]);
    // Revoked as implementers add it: the rest of the list, down to none.
    let rest = replace(&json!([{"value": "Dock_Most"}, {"value": "Dock_More"}]));
    let _ = patch(&tool, &path, json!([rest])).await.expect(200);
    assert_eq!(sets(&org).await, ["Dock_More", "Dock_Most"]);
    let _ = patch(&tool, &path, json!([replace(&json!([]))])).await.expect(200);
    assert_eq!(sets(&org).await, [""; 0]);
}

/// What a PUT leaves out stays (C-62); what it sends empty is empty.
#[tokio::test(flavor = "multi_thread")]
async fn a_put_with_an_empty_list_takes_all_of_it_away() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let path = somebody(&tool, json!([]), json!([])).await;
    let put = async |lists: Value| -> Answered {
        let mut body = person(ADA);
        body.as_object_mut().unwrap().extend(lists.as_object().unwrap().clone());
        tool.put(&path, &body).await.expect(200)
    };
    let all = json!({"entitlements": [{"value": "Dock_Reports"}], "roles": [{"value": "Pilot"}]});
    for empty in [json!([]), json!(null), json!([{"value": null}]), json!([{"value": ""}])] {
        let _ = put(all.clone()).await;
        let _ = put(json!({})).await;
        assert_eq!((sets(&org).await, role(&org).await), (vec!["Dock_Reports".into()], vec!["Pilot".into()]));
        let _ = put(json!({"entitlements": [{"value": "Dock_Reports"}], "roles": empty})).await;
        assert_eq!((sets(&org).await, role(&org).await), (vec!["Dock_Reports".into()], vec![]), "{empty}");
        let answer = put(json!({"entitlements": empty})).await.json();
        assert_eq!(sets(&org).await, [""; 0], "{empty}");
        assert_eq!(shown(&answer, "entitlements", "PermissionSet"), None);
        let before = org.calls().await.api;
        let _ = put(json!({"entitlements": empty, "roles": empty})).await;
        assert_eq!(org.calls().await.api, before, "what is empty is empty");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_role_of_others_in_the_place_of_a_role_is_shown_as_what_it_is() {
    let world = world("dialect = \"entra\"\nunknown-entitlements = \"keep\"").await;
    let (tool, org) = (world.tool(), world.org());
    let primary = json!([{"value": "Pilot", "primary": true, "type": "WindowsAzureActiveDirectoryRole"}]);
    let path = somebody(&tool, json!([]), primary).await;
    assert_eq!(role(&org).await, ["Pilot"]);
    let portal =
        |value: &str| json!([{"op": "Replace", "path": "roles[primary eq \"True\"].value", "value": value}]);
    let answer = patch(&tool, &path, portal("Portal.Only")).await.expect(200).json();
    assert_eq!(answer["roles"], json!([{"value": "Portal.Only", "primary": true}]));
    assert_eq!(tool.get(&path).await.expect(200).json()["roles"], answer["roles"]);
    assert_eq!(role(&org).await, [""; 0]);
    // And back.
    let answer = patch(&tool, &path, portal("Pilot")).await.expect(200).json();
    let pilot = shown(&answer, "roles", "Role").unwrap_or_else(|| panic!("{answer}"));
    assert_eq!((&pilot["display"], answer["roles"].as_array().unwrap().len()), (&json!("Pilot"), 1));
    assert_eq!(role(&org).await, ["Pilot"]);
}
