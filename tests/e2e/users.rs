//! Joiners, movers and leavers.

use e2e::{World, tool::person, world::environment};
use serde_json::json;

/// Budget: a lone joiner is one call (the catalogue is warm after the first).
#[tokio::test(flavor = "multi_thread")]
async fn a_joiner_costs_one_call_and_an_unchanged_put_none() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);

    let before = org.calls().await.api;
    let ada = tool.create("ada@acme.example").await.expect(201);
    assert_eq!(org.calls().await.api - before, 1);

    let path = format!("/Users/{}", ada.id());
    let again = tool.put(&path, &ada.json()).await.expect(200);
    assert_eq!(org.calls().await.api - before, 1, "a PUT of what was read costs nothing");
    assert_eq!(again.json()["meta"]["version"], ada.json()["meta"]["version"]);

    let _ =
        tool.patch(&path, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await.expect(200);
    assert_eq!(org.calls().await.api - before, 2);
    assert_eq!(org.user("ada@acme.example").await["Title"], "Countess");
}

/// C-30: 201, full body, id, meta, Location.
#[tokio::test(flavor = "multi_thread")]
async fn c30_a_create_answers_with_the_whole_resource_and_its_location() {
    let world = World::start().await;
    let answer = world.tool().create("ada@acme.example").await.expect(201);
    let body = answer.json();
    let location = answer.header("location").expect("a Location").to_owned();
    assert_eq!(body["meta"]["location"], location.as_str());
    assert!(location.ends_with(&format!("/Users/{}", answer.id())));
    assert_eq!(answer.header("etag"), body["meta"]["version"].as_str());
    assert_eq!(body["meta"]["resourceType"], "User");
}

/// C-31: the name is taken whatever its case, and the first is unchanged.
#[tokio::test(flavor = "multi_thread")]
async fn c31_a_duplicate_user_name_is_a_conflict_that_changes_nothing() {
    let world = World::start().await;
    let tool = world.tool();
    let ada = tool.create("ada@acme.example").await.expect(201);
    let other = tool.create("ADA@Acme.Example").await.expect(409).json();
    assert_eq!(other["scimType"], "uniqueness");
    assert!(other["detail"].as_str().unwrap().contains("userName"));
    let kept = tool.get(&format!("/Users/{}", ada.id())).await.expect(200).json();
    assert_eq!(kept["meta"], ada.json()["meta"]);
    assert_eq!(kept["userName"], "ada@acme.example");
    assert_eq!(world.org().users("ada@acme.example").await.len(), 1);
}

/// C-42: a name can be used again after DELETE, under a new id, and Salesforce's record is brought back.
#[tokio::test(flavor = "multi_thread")]
async fn c42_a_user_name_can_be_used_again_after_delete() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.create("ada@acme.example").await.expect(201);
    let _ = tool.delete(&format!("/Users/{}", ada.id())).await.expect(204);
    let _ = tool.get(&format!("/Users/{}", ada.id())).await.expect(404);
    assert_eq!(org.user("ada@acme.example").await["IsActive"], false);

    let again = tool.create("ada@acme.example").await.expect(201);
    assert_ne!(again.id(), ada.id());
    assert_eq!(org.user("ada@acme.example").await["IsActive"], true);
}

/// C-65: `scim-delete = "deactivate"` keeps the User readable.
#[tokio::test(flavor = "multi_thread")]
async fn c65_delete_can_mean_deactivate() {
    let world = World::with(|config| {
        environment(config).insert("scim-delete".into(), "deactivate".into());
    })
    .await;
    let tool = world.tool();
    let ada = tool.create("ada@acme.example").await.expect(201);
    let path = format!("/Users/{}", ada.id());
    let _ = tool.delete(&path).await.expect(204);
    assert_eq!(tool.get(&path).await.expect(200).json()["active"], false);
    assert_eq!(world.org().user("ada@acme.example").await["IsActive"], false);
    let _ = tool.delete(&path).await.expect(204);
}

/// C-66.
#[tokio::test(flavor = "multi_thread")]
async fn c66_delete_of_an_unknown_id_is_404() {
    let world = World::start().await;
    let _ = world.tool().delete("/Users/nobody").await.expect(404);
}

/// C-68: deactivation keeps the id and the memberships; reactivation restores access.
#[tokio::test(flavor = "multi_thread")]
async fn c68_a_leaver_who_comes_back_has_the_same_id_and_groups() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.create("ada@acme.example").await.expect(201);
    let path = format!("/Users/{}", ada.id());
    let group =
        tool.post("/Groups", &json!({"displayName": "Engine", "members": [{"value": ada.id()}]})).await;
    let group = group.expect(201);

    let _ = tool.patch(&path, json!([{"op": "replace", "value": {"active": false}}])).await.expect(200);
    assert_eq!(org.user("ada@acme.example").await["IsActive"], false);
    let _ = tool.patch(&path, json!([{"op": "replace", "value": {"active": true}}])).await.expect(200);

    let back = tool.get(&path).await.expect(200).json();
    assert_eq!(back["groups"][0]["value"], group.id().as_str());
    assert_eq!(org.user("ada@acme.example").await["IsActive"], true);
}

/// What the tool sent is what reads return; what Salesforce got differs, and the answer says so.
#[tokio::test(flavor = "multi_thread")]
async fn adaptations_are_warnings_and_never_change_what_reads_return() {
    let world = World::start().await;
    let mut body = person("ada");
    body["emails"][0]["value"] = json!("ada@acme.example");
    body["timezone"] = json!("Mars/Olympus_Mons");
    let extension = "urn:gangway:params:scim:schemas:extension:2.0:User";
    let path = format!("/Users?attributes=userName,timezone,{extension}");
    let answer = world.tool().post(&path, &body).await.expect(201);
    let created = answer.json();
    assert_eq!(created["userName"], "ada");
    assert_eq!(created["timezone"], "Mars/Olympus_Mons");
    let codes = answer.header("x-gangway-warnings").unwrap();
    assert!(codes.contains("timezone-defaulted"), "{codes}");
    let warnings = created[extension]["warnings"].to_string();
    assert!(warnings.contains("username-domain-added"), "{warnings}");
    assert!(warnings.contains("timezone-defaulted"), "{warnings}");
    assert_eq!(world.org().user("ada@acme.example").await["TimeZoneSidKey"], "GMT");
}

/// Refusal before the call: the attribute is named and no call is spent.
#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_is_too_long_is_refused_before_the_call() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    let before = org.calls().await;
    let mut body = person("ada@acme.example");
    body["title"] = json!("x".repeat(81));
    let refused = tool.post("/Users", &body).await.expect(400).json();
    assert_eq!(refused["scimType"], "invalidValue");
    assert!(refused["detail"].as_str().unwrap().contains("title"), "{refused}");
    assert_eq!(org.calls().await, before);
    assert_eq!(tool.find_users(r#"userName eq "ada@acme.example""#).await.json()["totalResults"], 0);
}

/// C-72: licence limit, duplicate name and missing field are told apart.
#[tokio::test(flavor = "multi_thread")]
async fn c72_no_free_licence_is_403_and_keeps_nothing() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.set_seats(1).await;
    let refused = tool.create("ada@acme.example").await.expect(403).json();
    assert!(refused["detail"].as_str().unwrap().to_lowercase().contains("licen"), "{refused}");
    assert_eq!(tool.find_users(r#"userName eq "ada@acme.example""#).await.json()["totalResults"], 0);

    org.set_seats(1_000).await;
    let _ = tool.create("ada@acme.example").await.expect(201);
}

/// What became unassigned is null in Salesforce.
#[tokio::test(flavor = "multi_thread")]
async fn attributes_can_be_cleared() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let mut body = person("ada@acme.example");
    body["title"] = json!("Countess");
    let ada = tool.post("/Users", &body).await.expect(201);
    let path = format!("/Users/{}", ada.id());
    assert_eq!(org.user("ada@acme.example").await["Title"], "Countess");

    for clearing in [
        json!([{"op": "remove", "path": "title"}]),
        json!([{"op": "replace", "path": "title", "value": ""}]),
        json!([{"op": "replace", "value": {"title": null}}]),
    ] {
        let _ =
            tool.patch(&path, json!([{"op": "add", "path": "title", "value": "Countess"}])).await.expect(200);
        assert_eq!(org.user("ada@acme.example").await["Title"], "Countess");
        let _ = tool.patch(&path, clearing).await.expect(200);
        assert!(org.user("ada@acme.example").await["Title"].is_null());
    }
}

/// A userName can change; the old one is free again and the new one is taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_can_be_renamed() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.create("ada@acme.example").await.expect(201);
    let bob = tool.create("bob@acme.example").await.expect(201);
    let rename = |name: &str| json!([{"op": "replace", "path": "userName", "value": name}]);
    let _ = tool.patch(&format!("/Users/{}", ada.id()), rename("BOB@acme.example")).await.expect(409);
    let _ = tool.patch(&format!("/Users/{}", ada.id()), rename("ada.king@acme.example")).await.expect(200);
    assert!(org.users("ada@acme.example").await.is_empty());
    let _ = org.user("ada.king@acme.example").await;
    let _ = tool.patch(&format!("/Users/{}", bob.id()), rename("ada@acme.example")).await.expect(200);
}

/// C-70 and the design's turns: nothing is lost when many change one group, or one person, at once.
#[tokio::test(flavor = "multi_thread")]
async fn c70_parallel_membership_changes_lose_nothing() {
    let world = World::start().await;
    let tool = world.tool();
    let group = tool.post("/Groups", &json!({"displayName": "Everyone"})).await.expect(201).id();
    let mut people = Vec::new();
    for n in 0..12 {
        people.push(tool.create(&format!("p{n}@acme.example")).await.expect(201).id());
    }
    let changes =
        people.iter().map(|id| {
            let (tool, path) = (tool.clone(), format!("/Groups/{group}"));
            async move {
                tool.patch(&path, json!([{"op": "add", "path": "members", "value": [{"value": id}]}])).await
            }
        });
    for answer in futures::future::join_all(changes).await {
        let _ = answer.expect(200);
    }
    let members = tool.get(&format!("/Groups/{group}")).await.json()["members"].as_array().unwrap().len();
    assert_eq!(members, 12);
}

/// C-74: If-Match is honoured and never required; If-None-Match answers 304.
#[tokio::test(flavor = "multi_thread")]
async fn c74_versions_guard_against_lost_updates() {
    let world = World::start().await;
    let tool = world.tool();
    let ada = tool.create("ada@acme.example").await.expect(201);
    let path = format!("/Users/{}", ada.id());
    let first = ada.header("etag").unwrap().to_owned();
    let _ =
        tool.patch(&path, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await.expect(200);

    let body = json!({"Operations": [{"op": "replace", "path": "title", "value": "Lady"}]}).to_string();
    let stale =
        tool.send("PATCH", &path, &[("if-match", &first)], Some(body.clone().into_bytes())).await.unwrap();
    let _ = stale.expect(412);
    assert_eq!(world.org().user("ada@acme.example").await["Title"], "Countess");

    let now = tool.get(&path).await.header("etag").unwrap().to_owned();
    let unchanged = tool.send("GET", &path, &[("if-none-match", &now)], None).await.unwrap().expect(304);
    assert!(unchanged.text.is_empty());
    let fresh = tool.send("PATCH", &path, &[("if-match", &now)], Some(body.into_bytes())).await.unwrap();
    let _ = fresh.expect(200);
}

/// Removing `active` is saying nothing of it: who was locked out stays so.
#[tokio::test(flavor = "multi_thread")]
async fn removing_active_lets_nobody_in() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.create("ada@acme.example").await.expect(201);
    let path = format!("/Users/{}", ada.id());
    let _ = tool.patch(&path, json!([{"op": "replace", "path": "active", "value": false}])).await.expect(200);
    let _ = tool.patch(&path, json!([{"op": "remove", "path": "active"}])).await.expect(200);
    let _ = tool.patch(&path, json!([{"op": "replace", "path": "title", "value": "Lady"}])).await.expect(200);
    let ada = org.user("ada@acme.example").await;
    assert_eq!((&ada["IsActive"], &ada["Title"]), (&json!(false), &json!("Lady")));
}
