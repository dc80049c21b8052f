//! The limits, as a client meets them.

use std::time::Duration;

use scim_server::limits;
use serde_json::{Value, json};

use crate::harness::{READER, ROOT, World};

#[tokio::test]
async fn c13_too_many_requests_are_429_with_when_to_come_back() {
    let world = World::with(|settings| settings.requests_per_second = 5, |_| {});
    for _ in 0..5 {
        assert_eq!(world.get("/Users").await.status, 200);
    }
    let answer = world.get("/Users").await;
    answer.refused(429, None);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("x-rate-limit-limit"), Some("5"));
    assert_eq!(answer.header("x-rate-limit-remaining"), Some("0"));
    let reader = format!("Bearer {READER}");
    let other = world.send("GET", &format!("{ROOT}/Users"), &[("authorization", &reader)], "").await;
    assert_eq!(other.status, 200, "each client has its own");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.get("/Users").await.status, 200);
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_read_and_a_byte_more_is_not() {
    let world = World::start();
    let body = |bytes: usize| {
        let frame = json!({"displayName": "Crew", "x": ""}).to_string().len();
        json!({"displayName": "Crew", "x": "x".repeat(bytes - frame)})
    };
    world.call("POST", "/Groups", body(limits::BODY + 1)).await.refused(413, None);
    assert_eq!(world.call("POST", "/Groups", body(limits::BODY)).await.status, 201);
    world.call("POST", "/Groups/.search", body(limits::BODY + 1)).await.refused(413, None);
}

#[tokio::test]
async fn a_bulk_body_may_have_eight() {
    let world = World::start();
    let body = |bytes: usize| {
        let frame = json!({"Operations": [], "x": ""}).to_string().len();
        json!({"Operations": [], "x": "x".repeat(bytes - frame)})
    };
    assert_eq!(limits::BULK_BODY, 8 * 1024 * 1024);
    world.call("POST", "/Bulk", body(limits::BULK_BODY + 1)).await.refused(413, None);
    assert_eq!(world.call("POST", "/Bulk", body(limits::BULK_BODY)).await.status, 200);
}

#[tokio::test]
async fn a_bulk_request_has_at_most_a_thousand_operations() {
    let world = World::start();
    let bulk = |count: usize| {
        let one = json!({"method": "DELETE", "path": "/Groups/nobody"});
        json!({"Operations": vec![one; count]})
    };
    world.call("POST", "/Bulk", bulk(1_001)).await.refused(413, None);
    assert_eq!(
        world.call("POST", "/Bulk", bulk(1_000)).await.json()["Operations"].as_array().unwrap().len(),
        1_000
    );
}

#[tokio::test]
async fn headers_and_urls_have_a_limit() {
    let world = World::start();
    let long = "x".repeat(limits::HEADERS);
    world.call_with("GET", "/Users", &[("x-long", &long)], Value::Null).await.refused(431, None);
    let shorter = "x".repeat(limits::HEADERS - 1_000);
    assert_eq!(world.call_with("GET", "/Users", &[("x-long", &shorter)], Value::Null).await.status, 200);
    let detail = world.get(&format!("/Users?x={long}")).await.refused(414, None);
    assert!(detail.contains(".search"));
}

#[tokio::test]
async fn a_page_has_at_most_a_thousand() {
    let world = World::start();
    for number in 0..1_001 {
        world.user(&format!("user{number}"), json!({})).await;
    }
    let page = world.get("/Users?count=5000").await;
    assert_eq!((page.ids().len(), &page.json()["totalResults"]), (1_000, &json!(1_001)));
}
