//! What an answer promises (design §3), line by line.

use e2e::{Org, Tool, World, tool::person, world::table};
use serde_json::json;

async fn impatient() -> World {
    World::with(|config| {
        table(config, "server").insert("answer-within".into(), "1s".into());
    })
    .await
}

/// Waits for a state, never for a duration.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come about");
        tokio::task::yield_now().await;
    }
}

async fn total(tool: &Tool, filter: &str) -> u64 {
    tool.find_users(filter).await.expect(200).json()["totalResults"].as_u64().unwrap()
}

async fn is_active(org: &Org, name: &str) -> bool {
    org.user(name).await["IsActive"].as_bool().unwrap()
}

/// Refused in the leading step: nothing is kept, and Salesforce's code and words are in the answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_salesforce_refuses_is_not_kept() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.create("ada@acme.example").await.expect(201);
    let path = format!("/Users/{}", ada.id());
    org.fault(json!({
        "method": "PATCH", "path": "/data/v*/sobjects/User", "kind": "status", "status": 400,
        "error_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "count": 1,
    }))
    .await;
    let refused = tool.patch(&path, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await;
    let refused = refused.expect(400).json();
    assert_eq!(refused["scimType"], "invalidValue");
    assert!(refused["detail"].as_str().unwrap().contains("FIELD_CUSTOM_VALIDATION_EXCEPTION"), "{refused}");
    let kept = tool.get(&path).await.json();
    assert_eq!(kept["meta"], ada.json()["meta"]);
    assert_eq!(kept.get("title"), None);
}

/// Nothing was sent: 503 with Retry-After, nothing kept, a repeat is safe.
#[tokio::test(flavor = "multi_thread")]
async fn when_the_org_cannot_be_reached_nothing_is_kept_and_a_repeat_is_safe() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.fault(json!({"kind": "status", "path": "/data/v*/sobjects/User", "method": "POST", "status": 503,
        "error_code": "SERVER_UNAVAILABLE", "count": 100}))
        .await;
    let busy = tool.create("ada@acme.example").await.expect(503);
    assert!(busy.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(total(&tool, r#"userName eq "ada@acme.example""#).await, 0);
    org.heal().await;
    let _ = tool.create("ada@acme.example").await.expect(201);
    assert_eq!(org.users("ada@acme.example").await.len(), 1);
}

/// The connection is cut before the org has done anything: found out and done, within the same request.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_before_the_commit_is_read_back_and_sent_again() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.fault_on_create("cut-before-commit", 1).await;
    let _ = tool.create("ada@acme.example").await.expect(201);
    assert_eq!(org.users("ada@acme.example").await.len(), 1);
}

/// The connection is cut after the org has done it: found, not repeated.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_after_the_commit_makes_no_second_record() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.create("ada@acme.example").await.expect(201);
    org.fault_on_create("cut-after-commit", 1).await;
    let _ = tool.create("bob@acme.example").await.expect(201);
    assert_eq!(org.users("bob@acme.example").await.len(), 1);

    org.fault(
        json!({"method": "PATCH", "path": "/data/v*/sobjects/User", "kind": "cut-after-commit", "count": 1}),
    )
    .await;
    let path = format!("/Users/{}", ada.id());
    let _ =
        tool.patch(&path, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await.expect(200);
    assert_eq!(org.user("ada@acme.example").await["Title"], "Countess");
}

/// Time is up while a step is under way: 503 that says so, the change rolls forward, and an equal POST gets its 201.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_joins_a_change_that_rolls_forward() {
    let world = impatient().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.fault(json!({"method": "POST", "path": "/data/v*/sobjects/User", "kind": "delay", "delay_ms": 3_000, "count": 1}))
        .await;
    let slow = tool.create("ada@acme.example").await.expect(503);
    assert!(slow.json()["detail"].as_str().unwrap().contains("goes on"), "{}", slow.text);

    let mut last = slow;
    while last.status == 503 {
        last = tool.create("ada@acme.example").await;
    }
    let joined = last.expect(201);
    assert_eq!(org.users("ada@acme.example").await.len(), 1);
    let found = tool.find_users(r#"userName eq "ada@acme.example""#).await.json();
    assert_eq!(found["Resources"][0]["id"], joined.id().as_str());
    let _ = tool.create("ada@acme.example").await.expect(409);
}

/// A different request for the same name is no repeat.
#[tokio::test(flavor = "multi_thread")]
async fn another_request_for_the_same_name_does_not_join() {
    let world = impatient().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.fault(json!({"method": "POST", "path": "/data/v*/sobjects/User", "kind": "delay", "delay_ms": 2_000, "count": 1}))
        .await;
    let _ = tool.create("ada@acme.example").await.expect(503);
    let mut other = person("ada@acme.example");
    other["name"]["familyName"] = json!("Somebody Else");
    let _ = tool.post("/Users", &other).await.expect(409);
}

/// A change that takes access away is kept whatever the org says, and done as soon as it can be.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_is_locked_out_even_if_the_org_was_away() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.create("ada@acme.example").await.expect(201);
    let bob = tool.create("bob@acme.example").await.expect(201);
    let away = json!({"method": "PATCH", "path": "/data/v*/sobjects/User", "kind": "status", "status": 503,
        "error_code": "SERVER_UNAVAILABLE", "count": 1_000});
    org.fault(away).await;
    let leaving = json!([{"op": "replace", "path": "active", "value": false}]);
    let kept = tool.patch(&format!("/Users/{}", ada.id()), leaving).await.expect(503);
    assert!(kept.json()["detail"].as_str().unwrap().contains("will be done"), "{}", kept.text);
    let kept = tool.delete(&format!("/Users/{}", bob.id())).await.expect(503);
    assert!(kept.json()["detail"].as_str().unwrap().contains("will be done"), "{}", kept.text);
    assert!(is_active(&org, "ada@acme.example").await);

    org.heal().await;
    until("ada is locked out", async || !is_active(&org, "ada@acme.example").await).await;
    until("bob is locked out", async || !is_active(&org, "bob@acme.example").await).await;
    let path = format!("/Users/{}", ada.id());
    until("SCIM says so", async || tool.get(&path).await.json()["active"] == false).await;
    let path = format!("/Users/{}", bob.id());
    until("bob is gone", async || tool.get(&path).await.status == 404).await;
}

/// The same across a restart: the journal remembers.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_is_locked_out_after_a_restart() {
    let mut world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.create("ada@acme.example").await.expect(201);
    org.fault(json!({"method": "PATCH", "path": "/data/v*/sobjects/User", "kind": "status", "status": 503,
        "error_code": "SERVER_UNAVAILABLE", "count": 1_000}))
        .await;
    let leaving = json!([{"op": "replace", "path": "active", "value": false}]);
    let _ = tool.patch(&format!("/Users/{}", ada.id()), leaving).await.expect(503);
    org.heal().await;
    world.restart().await;
    until("ada is locked out", async || !is_active(&org, "ada@acme.example").await).await;
}

/// `Prefer: respond-async`: 202 with Location and Set-Txn; the requested state is readable as pending, lists omit it.
#[tokio::test(flavor = "multi_thread")]
async fn respond_async_is_answered_once_the_request_is_in_the_journal() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.fault(json!({"method": "POST", "path": "/data/v*/sobjects/User", "kind": "delay", "delay_ms": 2_000, "count": 1}))
        .await;
    let headers = [("prefer", "respond-async"), ("content-type", "application/scim+json")];
    let body = person("ada@acme.example").to_string().into_bytes();
    let accepted = tool.send("POST", "/Users", &headers, Some(body)).await.unwrap().expect(202);
    assert!(accepted.text.is_empty());
    assert_eq!(accepted.header("preference-applied"), Some("respond-async"));
    assert!(accepted.header("set-txn").is_some());
    let location = accepted.header("location").unwrap();
    let path = &location[location.find("/Users/").unwrap()..];

    let pending = tool.get(path).await.expect(200).json();
    assert_eq!(pending["userName"], "ada@acme.example");
    assert_eq!(pending["urn:gangway:params:scim:schemas:extension:2.0:User"]["pending"], true);
    assert_eq!(total(&tool, r#"userName eq "ada@acme.example""#).await, 1);
    assert_eq!(tool.get("/Users").await.json()["totalResults"], 1);

    until("ada is recorded", async || tool.get("/Users").await.json()["totalResults"] == 2).await;
    let recorded = tool.get(path).await.expect(200).json();
    assert!(recorded["urn:gangway:params:scim:schemas:extension:2.0:User"]["pending"].is_null());
    assert_eq!(org.users("ada@acme.example").await.len(), 1);
}

/// A caller that hangs up cancels nothing, and finds its user when it asks again.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_cancels_nothing() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.fault(json!({"method": "POST", "path": "/data/v*/sobjects/User", "kind": "delay", "delay_ms": 1_500, "count": 1}))
        .await;
    let before = org.calls().await.api;
    let hasty = tokio::spawn({
        let tool = tool.clone();
        async move { tool.create("ada@acme.example").await }
    });
    until("the call is out", async || org.calls().await.api > before).await;
    hasty.abort();
    until("ada is there", async || tool.get("/Users").await.json()["totalResults"] == 2).await;
    assert_eq!(org.users("ada@acme.example").await.len(), 1);
}

/// An expired access token is renewed once, without the caller noticing.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_renewed_in_passing() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    let before = org.calls().await.token;
    org.expire_tokens().await;
    let many = (0..10).map(|n| {
        let tool = tool.clone();
        async move { tool.create(&format!("p{n}@acme.example")).await }
    });
    for answer in futures::future::join_all(many).await {
        let _ = answer.expect(201);
    }
    assert_eq!(org.calls().await.token - before, 1, "one renewal serves all");
}

/// Row locks are waited out.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_row_is_tried_again() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.fault_on_create("lock", 2).await;
    let _ = tool.create("ada@acme.example").await.expect(201);
    assert_eq!(org.users("ada@acme.example").await.len(), 1);
}

/// A lone change and one in a crowd end alike.
#[tokio::test(flavor = "multi_thread")]
async fn a_lone_change_and_one_in_a_crowd_end_alike() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let mut alone = tool.create("alone@acme.example").await.expect(201).json();
    let crowd = (0..40).map(|n| {
        let tool = tool.clone();
        async move { tool.create(&format!("p{n}@acme.example")).await }
    });
    for (n, answer) in futures::future::join_all(crowd).await.into_iter().enumerate() {
        let mut crowded = answer.expect(201).json();
        for body in [&mut alone, &mut crowded] {
            for member in ["id", "meta", "userName", "emails", "name"] {
                body[member].take();
            }
        }
        assert_eq!(alone, crowded);
        assert_eq!(org.user(&format!("p{n}@acme.example")).await["IsActive"], true);
    }
}
