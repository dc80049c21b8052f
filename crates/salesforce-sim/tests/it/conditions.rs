//! §2.13: conditional headers on records.

use reqwest::Method;
use serde_json::json;

use crate::world::{V, World};

/// Times work on any record, to the second.
#[tokio::test]
async fn a_record_can_be_read_and_written_on_condition_of_a_time() {
    let world = World::start().await;
    let id = world.create("ada@example.com", json!({})).await;
    let path = format!("{V}/sobjects/User/{id}");
    let seen = world.get(&path).await.header("last-modified").to_owned();
    assert!(seen.ends_with(" GMT"), "{seen}");
    let read = |since: &str| world.request(Method::GET, &path).header("If-Modified-Since", since);
    let unchanged = world.send(read(&seen)).await;
    assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""));
    let write = |since: &str| {
        world.request(Method::PATCH, &path).header("If-Unmodified-Since", since).json(&json!({"Title": "x"}))
    };
    world.send(write(&seen)).await.expect(204);
    world.control("/clock", json!({"advance_seconds": 5})).await;
    world.patch(&path, json!({"Title": "y"})).await.expect(204);
    world.send(read(&seen)).await.expect(200);
    world.send(write(&seen)).await.expect_error(412, "PRECONDITION_FAILED");
    assert_eq!(world.user(&id).await["Title"], "y");
    assert_eq!(world.send(write("soon")).await.status, 400);
}

/// Entity tags are for accounts alone.
#[tokio::test]
async fn an_account_has_an_entity_tag() {
    let world = World::start().await;
    let accounts = format!("{V}/sobjects/Account");
    let id = world.post(&accounts, json!({"Name": "Engines"})).await.expect(201)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("{accounts}/{id}");
    let tag = world.get(&path).await.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() == 30, "{tag}");
    let gzip = format!("{}-gzip\"", tag.trim_end_matches('"'));
    let read = world.request(Method::GET, &path).header("If-None-Match", &gzip);
    assert_eq!(world.send(read).await.status, 304);
    let write = |tag: &str, city: &str| {
        world.request(Method::PATCH, &path).header("If-Match", tag).json(&json!({"BillingCity": city}))
    };
    world.send(write(&tag, "London")).await.expect(204);
    world.send(write(&tag, "Turin")).await.expect_error(412, "PRECONDITION_FAILED");
    assert_eq!(world.get(&path).await.expect(200)["BillingCity"], "London");
    let user = world.create("ada@example.com", json!({})).await;
    assert_eq!(world.get(&format!("{V}/sobjects/User/{user}")).await.header("etag"), "");
}
