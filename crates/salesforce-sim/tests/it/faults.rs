//! §9 "Test controls": faults, cut connections, latency.

use std::time::{Duration, Instant};

use reqwest::Method;
use salesforce_sim::SimConfig;
use serde_json::json;

use crate::world::{V, World, refresh_form};

const USERS: &str = "/services/data/v66.0/sobjects/User";

#[tokio::test]
async fn a_status_fault_refuses_without_effect() {
    let world = World::start().await;
    let person = world.person("a@example.com").await;
    world
        .control(
            "/faults",
            json!({"method": "POST", "path": "/data/v*/sobjects/User", "kind": "status", "count": 1}),
        )
        .await;
    let answer = world.post(USERS, person.clone()).await;
    answer.expect_error(503, "SERVER_UNAVAILABLE");
    assert_eq!(world.sim.handle().count("User"), 2);
    world.post(USERS, person).await.expect(201);
}

#[tokio::test]
async fn a_status_fault_says_what_it_is_told() {
    let world = World::start().await;
    for (fault, status, code) in [
        (json!({"kind": "status", "status": 403}), 403, "REQUEST_LIMIT_EXCEEDED"),
        (json!({"kind": "status", "status": 401}), 401, "INVALID_SESSION_ID"),
        (
            json!({"kind": "status", "status": 400, "error_code": "LICENSE_LIMIT_EXCEEDED"}),
            400,
            "LICENSE_LIMIT_EXCEEDED",
        ),
        (json!({"kind": "status", "status": 500}), 500, "UNKNOWN_EXCEPTION"),
    ] {
        world.control("/faults", fault).await;
        world.get(&format!("{V}/limits")).await.expect_error(status, code);
        world.delete("/_sim/faults").await.expect(200);
    }
    world.get(&format!("{V}/limits")).await.expect(200);
    // §9: HTML 503 mode.
    world.control("/faults", json!({"kind": "status", "error_code": "HTML", "count": 1})).await;
    let page = world.get(&format!("{V}/limits")).await;
    assert_eq!((page.status, page.header("content-type")), (503, "text/html;charset=UTF-8"));
    // §9: login-rate hook; the token endpoint's errors are objects.
    let limit = json!({"path": "/oauth2/token", "kind": "status", "status": 400, "error_code": "rate_limit_exceeded"});
    world.control("/faults", limit).await;
    let refused = world.token_call(&refresh_form("simulated-refresh-token")).await.expect(400);
    assert_eq!(refused, json!({"error": "rate_limit_exceeded"}));
}

/// §9: drop-connection-after-commit, to test non-idempotent POST. The caller sees a broken
/// connection, for real.
#[tokio::test]
async fn cut_after_commit_leaves_the_record_and_no_answer() {
    let world = World::start().await;
    let person = world.person("a@example.com").await;
    world.control("/faults", json!({"method": "POST", "path": "/data/v66.0/sobjects/User", "kind": "cut-after-commit", "count": 1})).await;
    let error = world.request(Method::POST, USERS).json(&person).send().await.unwrap_err();
    assert!(error.is_request() && !error.is_timeout() && error.status().is_none(), "{error:?}");
    assert_eq!(world.sim.handle().count("User"), 3);
    assert!(world.sim.handle().user("A@example.com").is_some());
    world.post(USERS, person).await.expect_error(400, "DUPLICATE_USERNAME");
}

#[tokio::test]
async fn cut_before_commit_leaves_nothing_and_no_answer() {
    let world = World::start().await;
    let person = world.person("a@example.com").await;
    world
        .control("/faults", json!({"path": "/data/v*/composite", "kind": "cut-before-commit", "count": 1}))
        .await;
    let part = json!({"method": "POST", "url": USERS, "referenceId": "a", "body": person});
    let body = json!({"compositeRequest": [part]});
    let error = world.request(Method::POST, &format!("{V}/composite")).json(&body).send().await.unwrap_err();
    assert!(error.is_request() && error.status().is_none(), "{error:?}");
    assert_eq!(world.sim.handle().count("User"), 2);
    world.post(&format!("{V}/composite"), body).await.expect(200);
    assert_eq!(world.sim.handle().count("User"), 3);
}

/// The same on the wire: not one byte comes back.
#[tokio::test]
async fn a_cut_connection_has_no_byte() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = World::start().await;
    world.control("/faults", json!({"path": "/data", "kind": "cut-after-commit"})).await;
    let mut stream = tokio::net::TcpStream::connect(world.sim.addr).await.unwrap();
    let head = format!("GET {V}/limits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", world.token);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    assert!(read.is_empty(), "{}", String::from_utf8_lossy(&read));
}

/// §9: lock errors. Retryable although 400.
#[tokio::test]
async fn a_lock_strikes_the_first_record_that_is_written() {
    let world = World::start().await;
    let id = world.create("a@example.com", json!({})).await;
    let other = world.create("b@example.com", json!({})).await;
    let lock = json!({"kind": "lock", "count": 1});
    world.control("/faults", lock.clone()).await;
    let error = world.patch(&format!("{USERS}/{id}"), json!({"Title": "x"})).await;
    let message = format!("unable to obtain exclusive access to this record or 1 records: {id}");
    assert_eq!(error.expect_error(400, "UNABLE_TO_LOCK_ROW")["message"], message);
    world.patch(&format!("{USERS}/{id}"), json!({"Title": "x"})).await.expect(204);

    world.control("/faults", lock.clone()).await;
    let records = json!({"records": [
        {"attributes": {"type": "User"}, "Id": id, "Title": "y"},
        {"attributes": {"type": "User"}, "Id": other, "Title": "z"},
    ]});
    let items = world.patch(&format!("{V}/composite/sobjects"), records).await.expect(200);
    assert_eq!(items[0]["errors"][0]["statusCode"], "UNABLE_TO_LOCK_ROW");
    assert_eq!(items[1]["success"], true);

    world.control("/faults", lock).await;
    let parts = json!({"allOrNone": true, "compositeRequest": [
        {"method": "GET", "url": format!("{USERS}/{id}"), "referenceId": "r"},
        {"method": "PATCH", "url": format!("{USERS}/{id}"), "referenceId": "u", "body": {"Title": "w"}},
    ]});
    let answer = world.post(&format!("{V}/composite"), parts).await.expect(200);
    assert_eq!(answer["compositeResponse"][0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(answer["compositeResponse"][1]["body"][0]["errorCode"], "UNABLE_TO_LOCK_ROW");
    assert_eq!(world.user(&id).await["Title"], "x");
}

/// A path that names a row strikes it inside a composite call too.
#[tokio::test]
async fn a_fault_finds_its_part_of_a_composite_call() {
    let world = World::start().await;
    let id = world.create("a@example.com", json!({})).await;
    let fault = json!({"method": "PATCH", "path": "/data/v*/sobjects/User", "kind": "status", "status": 400, "error_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "Titles are out of fashion"});
    world.control("/faults", fault).await;
    let parts = json!({"compositeRequest": [
        {"method": "PATCH", "url": format!("{USERS}/{id}"), "referenceId": "u", "body": {"Title": "w"}},
        {"method": "GET", "url": format!("{USERS}/{id}"), "referenceId": "r"},
    ]});
    let answer = world.post(&format!("{V}/composite"), parts).await.expect(200);
    let items = &answer["compositeResponse"];
    assert_eq!(items[0]["body"][0]["message"], "Titles are out of fashion");
    assert_eq!(items[1]["httpStatusCode"], 200);
}

#[tokio::test]
async fn a_delay_waits_and_then_answers() {
    let world = World::start().await;
    world.control("/faults", json!({"kind": "delay", "delay_ms": 60, "path": "/data/v*/limits"})).await;
    let start = Instant::now();
    world.get(&format!("{V}/limits")).await.expect(200);
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn faults_that_make_no_sense_are_refused() {
    let world = World::start().await;
    for fault in [
        json!({"kind": "explode"}),
        json!({}),
        json!({"kind": "status", "colour": 1}),
        json!({"kind": "status", "probability": 2}),
        json!({"kind": "status", "status": 42}),
    ] {
        assert_eq!(world.post("/_sim/faults", fault).await.status, 400);
    }
    assert_eq!(world.get("/_sim/faults").await.expect(200), json!({"faults": []}));
}

/// Calls overlap: ten of 100 ms side by side are over before they could be one after another.
#[tokio::test]
async fn latency_is_per_call_and_calls_wait_side_by_side() {
    let world = World::with(SimConfig { latency: Duration::from_millis(100), ..SimConfig::default() }).await;
    let start = Instant::now();
    let calls = (0..10).map(|_| world.get("/services/data/v66.0/limits"));
    for answer in futures_join(calls.collect()).await {
        answer.expect(200);
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(90), "{took:?}");
    assert!(took < Duration::from_millis(800), "{took:?}");
}

async fn futures_join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|f| Box::pin(tokio::task::unconstrained(f))).collect();
    let mut done: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(output) => *done = Some(output),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    done.into_iter().map(Option::unwrap).collect()
}

#[tokio::test]
async fn latency_per_record_counts_what_is_written() {
    let config = SimConfig { latency_per_record: Duration::from_millis(10), ..SimConfig::default() };
    let world = World::with(config).await;
    let ids: Vec<_> = std::iter::repeat_n("005000000000000AAA", 10).collect();
    let start = Instant::now();
    world
        .post(&format!("{V}/composite/sobjects/User"), json!({"ids": ids, "fields": ["Id"]}))
        .await
        .expect(200);
    assert!(start.elapsed() >= Duration::from_millis(90));
}

/// An org finishes what it began when its caller hangs up.
#[tokio::test]
async fn a_caller_who_leaves_does_not_stop_the_call() {
    let world = World::start().await;
    let person = world.person("a@example.com").await;
    world.control("/faults", json!({"kind": "delay", "delay_ms": 500, "method": "POST"})).await;
    let request = world.request(Method::POST, USERS).json(&person).timeout(Duration::from_millis(50));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(world.sim.handle().count("User"), 2, "not yet");
    let handle = world.sim.handle();
    tokio::time::timeout(Duration::from_secs(5), async {
        while handle.count("User") == 2 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}
