//! How tools name what somebody is to have, and what he is to have no more: by id, in 15 characters or 18, by name, in any case,
//! as JSON text, alone or in lists.

use e2e::{Answered, Org, Scene, Tool, World, tool::person};
use serde_json::{Value, json};

use super::{ORG, STAFF, held, patch};

const ADA: &str = "ada@acme.example";

async fn world() -> World {
    World::of_scene(&Scene::new(STAFF, ORG), |_| ()).await
}

async fn ada(tool: &Tool) -> String {
    format!("/Users/{}", tool.post("/Users", &person(ADA)).await.expect(201).id())
}

async fn sets(org: &Org) -> Vec<String> {
    held(org, ADA, "permission-sets").await
}

async fn id_of(org: &Org, object: &str, name: &str) -> String {
    org.one(object, "Name", name).await["Id"].as_str().unwrap().to_owned()
}

async fn add(tool: &Tool, path: &str, value: Value) -> Answered {
    patch(tool, path, json!([{"op": "add", "path": "entitlements", "value": value}])).await
}

/// What Entra ID sends for an app role.
fn packed(name: &str) -> String {
    json!({"id": "06b07648-ecfe-589f-9d2f-6325724a46ee", "value": name, "displayName": name}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_entitlement_is_the_same_however_it_is_named() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let id = id_of(&org, "PermissionSet", "Dock_Reports").await;
    let named = [
        json!(id),
        json!(id[..15]),
        json!("Dock_Reports"),
        json!("dock_REPORTS"),
        json!("  Dock_Reports "),
        json!({"value": "Dock_Reports"}),
        json!({"display": "Dock_Reports"}),
        json!({"value": packed("Dock_Reports")}),
    ];
    for name in &named {
        let answer = add(&tool, &path, json!([name])).await.expect(200).json();
        assert_eq!(sets(&org).await, ["Dock_Reports"], "{name}");
        let shown = answer["entitlements"].as_array().unwrap().iter();
        assert_eq!(shown.filter(|one| one["type"] == "PermissionSet").count(), 1, "{name}: {answer}");
    }
    // All of them in one request are one.
    let before = org.calls().await.api;
    let _ = add(&tool, &path, json!(named)).await.expect(200);
    assert_eq!(org.calls().await.api, before);
    let grace = json!({"entitlements": named});
    let mut body = person("grace@acme.example");
    body["entitlements"] = grace["entitlements"].clone();
    let _ = tool.post("/Users", &body).await.expect(201);
    assert_eq!(held(&org, "grace@acme.example", "permission-sets").await, ["Dock_Reports"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_may_be_named_as_it_was_asked_for() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let id = id_of(&org, "PermissionSet", "Dock_Reports").await;
    let short = &id[..15];
    let entra = packed("Dock_Reports");
    let quoted = |text: &str| format!("entitlements[value eq {}]", Value::from(text));
    let removes = [
        json!({"op": "remove", "path": quoted(&id)}),
        json!({"op": "remove", "path": quoted(short)}),
        json!({"op": "remove", "path": quoted("Dock_Reports")}),
        json!({"op": "remove", "path": quoted("dock_reports")}),
        json!({"op": "remove", "path": format!("entitlements[display eq {}]", Value::from("Dock_Reports"))}),
        json!({"op": "remove", "path": quoted("nobody") .replace(']', &format!(" or value eq {}]", Value::from(short)))}),
        json!({"op": "remove", "path": "entitlements", "value": [{"value": id}]}),
        json!({"op": "remove", "path": "entitlements", "value": [{"value": short}]}),
        json!({"op": "remove", "path": "entitlements", "value": [{"value": "Dock_Reports"}]}),
        json!({"op": "remove", "path": "entitlements", "value": "Dock_Reports"}),
        json!({"op": "Remove", "path": "entitlements", "value": [{"value": entra}]}),
        json!({"op": "Remove", "path": quoted(&entra)}),
    ];
    for remove in removes {
        let _ = add(&tool, &path, json!(["Dock_Reports", "Dock_More"])).await.expect(200);
        assert_eq!(sets(&org).await, ["Dock_More", "Dock_Reports"]);
        let answer = patch(&tool, &path, json!([remove])).await.expect(200).json();
        assert_eq!(sets(&org).await, ["Dock_More"], "{remove}");
        assert!(!answer["entitlements"].to_string().contains("Dock_Reports"), "{remove}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_taken_away_by_name_from_whichever_list_it_was_asked_for_in() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let id = id_of(&org, "UserRole", "Pilot").await;
    for list in ["roles", "entitlements"] {
        for name in [id.as_str(), &id[..15], "Pilot", "pilot", &packed("Pilot")] {
            let ask = json!([{"op": "add", "path": list, "value": [{"value": name}]}]);
            let given = patch(&tool, &path, ask).await;
            if list == "entitlements" && given.status == 400 {
                // Another thing may be called so; a role among entitlements is known by its id.
                assert!(!name.starts_with("00E"), "{name}: {}", given.text);
                continue;
            }
            let _ = given.expect(200);
            assert_eq!(held(&org, ADA, "role").await, ["Pilot"], "{list} {name}");
            let remove = format!("{list}[value eq {}]", Value::from(name));
            let _ = patch(&tool, &path, json!([{"op": "remove", "path": remove}])).await.expect(200);
            assert_eq!(held(&org, ADA, "role").await, [""; 0], "{list} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn null_and_an_empty_list_take_everything_that_was_asked_for_and_what_is_absent_stays() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let taken = [
        json!([{"op": "replace", "path": "entitlements", "value": []}]),
        json!([{"op": "replace", "path": "entitlements", "value": null}]),
        json!([{"op": "remove", "path": "entitlements"}]),
        json!([{"op": "replace", "value": {"entitlements": []}}]),
        json!([{"op": "replace", "value": {"entitlements": null}}]),
    ];
    for operations in taken {
        let _ = add(&tool, &path, json!(["Dock_Reports", "Dock_More"])).await.expect(200);
        let _ = patch(&tool, &path, operations.clone()).await.expect(200);
        assert_eq!(sets(&org).await, [""; 0], "{operations}");
        assert_eq!(held(&org, ADA, "profile").await, ["Standard User"], "a profile is never taken");
    }
    let _ = add(&tool, &path, json!(["Dock_Reports"])).await.expect(200);
    let _ = patch(&tool, &path, json!([{"op": "replace", "value": {"title": "Countess"}}])).await.expect(200);
    assert_eq!(sets(&org).await, ["Dock_Reports"], "what a PATCH does not name stays");
    let _ = tool.put(&path, &person(ADA)).await.expect(200);
    assert_eq!(sets(&org).await, ["Dock_Reports"], "nor what a PUT does not name (C-62)");
    for entitlements in [Value::Null, json!([])] {
        let _ = add(&tool, &path, json!(["Dock_Reports"])).await.expect(200);
        let mut body = person(ADA);
        body["entitlements"] = entitlements.clone();
        let _ = tool.put(&path, &body).await.expect(200);
        assert_eq!(sets(&org).await, [""; 0], "{entitlements}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_with_spaces_and_other_letters_are_found() {
    let more = "[[permission-sets]]\nname = \"Zoe\"\nlabel = \"Zo\u{eb} \\\"B\\\" / \u{e9}t\u{e9} & co\"\n";
    let world = World::of_scene(&Scene::new(STAFF, &format!("{ORG}\n{more}")), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    for label in ["Zo\u{eb} \"B\" / \u{e9}t\u{e9} & co", " zO\u{cb} \"b\" / \u{c9}T\u{c9} & CO "] {
        let _ = add(&tool, &path, json!([{"value": label}])).await.expect(200);
        assert_eq!(sets(&org).await, ["Zoe"], "{label}");
        let remove = format!("entitlements[value eq {}]", Value::from(label));
        let _ = patch(&tool, &path, json!([{"op": "remove", "path": remove}])).await.expect(200);
        assert_eq!(sets(&org).await, [""; 0], "{label}");
    }
}

/// What nobody could name is refused when it is asked for, and no error where it is to go.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_taken_without_an_error_and_without_a_call() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let path = ada(&tool).await;
    let _ = add(&tool, &path, json!(["Dock_More"])).await.expect(200);
    let before = (org.calls().await.api, tool.get(&path).await.expect(200).json());
    for name in ["Dock_Reports", "Dock_Nothing", "0PS000000000001AAA", "Twins", ""] {
        for remove in [
            json!({"op": "remove", "path": format!("entitlements[value eq {}]", Value::from(name))}),
            json!({"op": "remove", "path": "entitlements", "value": [{"value": name}]}),
        ] {
            if name.is_empty() && remove.get("value").is_some() {
                continue;
            }
            let answer = patch(&tool, &path, json!([remove])).await;
            assert_eq!(answer.status, 200, "{remove}: {}", answer.text);
            assert_eq!(sets(&org).await, ["Dock_More"], "{remove}");
        }
    }
    assert_eq!(tool.get(&path).await.expect(200).json(), before.1);
    assert!(
        org.calls().await.api - before.0 < 20,
        "a name that is not there is not looked for again and again"
    );
}
