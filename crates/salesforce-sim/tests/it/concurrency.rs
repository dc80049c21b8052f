//! §9 "Transport" and "Entitlements": what calls that overlap do to each other.

use std::time::Duration;

use reqwest::Method;
use salesforce_sim::SimConfig;
use serde_json::{Value, json};

use crate::world::{Answer, V, World};

async fn role(world: &World, name: &str) -> String {
    let rows = world.query(&format!("SELECT Id FROM UserRole WHERE Name = '{name}'")).await;
    rows[0]["Id"].as_str().unwrap().to_owned()
}

/// Sends a request that stays at work, with its locks, until [`end`]; comes back when it is there.
async fn begin(world: &World, method: Method, path: &str, body: Value) -> tokio::task::JoinHandle<Answer> {
    let working =
        async || world.get("/_sim/calls").await.expect(200)["in_flight"]["working"].as_u64().unwrap();
    let before = working().await;
    world.control("/faults", json!({"kind": "slow", "delay_ms": 60_000, "count": 1})).await;
    let request = world.request(method, path).json(&body);
    let call = tokio::spawn(async move { Answer::read(request.send().await.unwrap()).await });
    while working().await == before {
        tokio::task::yield_now().await;
    }
    call
}

/// Lets a call that began come to its end.
async fn end(world: &World, call: tokio::task::JoinHandle<Answer>) -> Answer {
    world.delete("/_sim/faults").await.expect(200);
    call.await.unwrap()
}

/// §9: lock errors under concurrency. §9: lock contention.
#[tokio::test]
async fn two_calls_that_change_roles_exclude_each_other() {
    let world = World::start().await;
    let ceo = role(&world, "CEO").await;
    let (ada, bob) = (
        world.create("a@example.com", json!({})).await,
        world.create("b@example.com", json!({"Alias": "b"})).await,
    );
    let other = world.sim.handle().user("admin@harbour-lights.example").unwrap()["Id"].clone();
    world.control("/switches", json!({"sharing-lock-wait-ms": 20})).await;
    world.delete("/_sim/calls").await.expect(200);
    let path = |id: &str| format!("{V}/sobjects/User/{id}");
    let first = begin(&world, Method::PATCH, &path(&ada), json!({"UserRoleId": ceo})).await;
    // Only the record that needs the lock is refused.
    let records = json!({"records": [
        {"attributes": {"type": "User"}, "Id": bob, "UserRoleId": ceo},
        {"attributes": {"type": "User"}, "Id": other, "Title": "x"},
    ]});
    let items = world.patch(&format!("{V}/composite/sobjects"), records).await.expect(200);
    assert_eq!(items[0]["errors"][0]["statusCode"], "UNABLE_TO_LOCK_ROW");
    let message = format!("unable to obtain exclusive access to this record or 1 records: {bob}");
    assert_eq!(items[0]["errors"][0]["message"], message);
    assert_eq!(items[1]["success"], true);
    end(&world, first).await.expect(204);
    let calls = world.get("/_sim/calls").await.expect(200);
    assert_eq!(calls["sharing_locks"]["peak"], 2);
    assert_eq!(calls["in_flight"], json!({"now": 0, "working": 0, "peak": 2}));
    assert_eq!(calls["records_per_write"], json!({"calls_by_size": {"1": 1, "2": 1}, "last": [1, 2]}));

    // With more patience the second one waits and is done.
    world.control("/switches", json!({"sharing-lock-wait-ms": 10_000})).await;
    let first = begin(&world, Method::PATCH, &path(&ada), json!({"UserRoleId": null})).await;
    let bob = path(&bob);
    let second = world.patch(&bob, json!({"UserRoleId": ceo}));
    let (second, first) = tokio::join!(second, async {
        while world.get("/_sim/calls").await.expect(200)["in_flight"]["now"] != 2 {
            tokio::task::yield_now().await;
        }
        end(&world, first).await
    });
    first.expect(204);
    second.expect(204);
}

/// §2.12: so do two that write the same row; others do not notice.
#[tokio::test]
async fn two_calls_that_write_one_row_exclude_each_other() {
    let world = World::start().await;
    let ada = world.create("a@example.com", json!({})).await;
    let bob = world.create("b@example.com", json!({"Alias": "b"})).await;
    world.control("/switches", json!({"lock-wait-ms": 20})).await;
    let path = |id: &str| format!("{V}/sobjects/User/{id}");
    let first = begin(&world, Method::PATCH, &path(&ada), json!({"Title": "first"})).await;
    let (by_id, by_name) = (path(&ada), path("Username/a@example.com"));
    let other = path(&bob);
    let (same, by_key, other, read) = tokio::join!(
        world.patch(&by_id, json!({"Title": "second"})),
        world.patch(&by_name, json!({"Title": "third"})),
        world.patch(&other, json!({"Title": "fourth"})),
        world.get(&by_id),
    );
    same.expect_error(400, "UNABLE_TO_LOCK_ROW");
    by_key.expect_error(400, "UNABLE_TO_LOCK_ROW");
    other.expect(204);
    read.expect(200);
    end(&world, first).await.expect(204);
    assert_eq!(world.user(&ada).await["Title"], "first");
}

/// In one transaction a row that cannot be had takes everything back.
#[tokio::test]
async fn a_contended_row_takes_back_its_transaction() {
    let world = World::start().await;
    let ada = world.create("a@example.com", json!({})).await;
    let bob = world.create("b@example.com", json!({"Alias": "b"})).await;
    world.control("/switches", json!({"lock-wait-ms": 20})).await;
    let path = |id: &str| format!("{V}/sobjects/User/{id}");
    let first = begin(&world, Method::PATCH, &path(&ada), json!({"Title": "first"})).await;
    let part = |id: &str, reference: &str| json!({"method": "PATCH", "url": path(id), "referenceId": reference, "body": {"Title": "x"}});
    let body = json!({"allOrNone": true, "compositeRequest": [part(&bob, "b"), part(&ada, "a")]});
    let answer = world.post(&format!("{V}/composite"), body).await.expect(200);
    assert_eq!(answer["compositeResponse"][0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(answer["compositeResponse"][1]["body"][0]["errorCode"], "UNABLE_TO_LOCK_ROW");
    end(&world, first).await.expect(204);
    assert_eq!(world.user(&bob).await["Title"], Value::Null);
}

/// §9: 403 Concurrent; latency (20 s). Only what runs for 20 seconds counts.
#[tokio::test]
async fn calls_that_run_long_keep_others_out() {
    let world = World::start().await;
    world.control("/switches", json!({"concurrent-requests": 2})).await;
    let limits = format!("{V}/limits");
    let first = begin(&world, Method::GET, &limits, json!({})).await;
    let second = begin(&world, Method::GET, &limits, json!({})).await;
    world.control("/clock", json!({"advance_seconds": 19})).await;
    let third = begin(&world, Method::GET, &limits, json!({})).await;
    world.control("/clock", json!({"advance_seconds": 1})).await;
    let refused = world.get(&limits).await;
    let message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
    assert_eq!(refused.expect_error(403, "REQUEST_LIMIT_EXCEEDED")["message"], message);
    assert_eq!(refused.header("retry-after"), "");
    for call in [first, second, third] {
        end(&world, call).await.expect(200);
    }
    world.get(&limits).await.expect(200);
}

/// §2.7: 5 in place of 25 in a Developer Edition.
#[tokio::test]
async fn a_developer_edition_has_five() {
    let file = "[org]\nedition = \"Developer Edition\"";
    let world = World::from_file(file).await;
    let limits = format!("{V}/limits");
    let mut running = Vec::new();
    for _ in 0..5 {
        running.push(begin(&world, Method::GET, &limits, json!({})).await);
    }
    world.control("/clock", json!({"advance_seconds": 20})).await;
    world.get(&limits).await.expect_error(403, "REQUEST_LIMIT_EXCEEDED");
    for call in running {
        end(&world, call).await.expect(200);
    }
}

/// §9: 403 `LongTxn`. Only writes count, and only writes are refused.
#[tokio::test]
async fn transactions_that_run_long_keep_other_writes_out() {
    let world = World::start().await;
    let ada = world.create("a@example.com", json!({})).await;
    world.control("/switches", json!({"concurrent-long-transactions": 1})).await;
    let path = format!("{V}/sobjects/User/{ada}");
    let first = begin(&world, Method::PATCH, &path, json!({"Title": "x"})).await;
    world.control("/clock", json!({"advance_seconds": 5})).await;
    let (write, read) = tokio::join!(world.patch(&path, json!({"Title": "y"})), world.get(&path));
    let message = "ConcurrentPerOrgLongTxn Limit exceeded.";
    assert_eq!(write.expect_error(403, "REQUEST_LIMIT_EXCEEDED")["message"], message);
    read.expect(200);
    end(&world, first).await.expect(204);
}

/// The time of a call is that of all records in it, also of those in collections within a composite.
#[tokio::test]
async fn records_in_collections_of_a_composite_take_their_time() {
    let config = SimConfig { latency_per_record: Duration::from_millis(10), ..SimConfig::default() };
    let world = World::with(config).await;
    let records: Vec<_> = (0..20).map(|_| json!({"attributes": {"type": "User"}, "LastName": "x"})).collect();
    let url = format!("{V}/composite/sobjects");
    let part = json!({"method": "POST", "url": url, "referenceId": "a", "body": {"records": records}});
    let start = std::time::Instant::now();
    world.post(&format!("{V}/composite"), json!({"compositeRequest": [part]})).await.expect(200);
    assert!(start.elapsed() >= Duration::from_millis(180));
    let calls = world.get("/_sim/calls").await.expect(200);
    assert_eq!(calls["records_per_write"]["last"], json!([20]));
}
