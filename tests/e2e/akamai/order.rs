//! The same event again, and events out of their order.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::akamai::{Story, UUID, ask, listed, noor};

fn with_address(address: &str) -> Value {
    let mut profile = noor();
    profile["email"] = json!(address);
    profile
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a11_an_event_that_comes_again_is_acknowledged_and_done_once() {
    let story = Story::begin().await;
    story.person("00000000-first", &json!({"familyName": "First"})).await;
    story.akamai.profile(UUID, &noor());
    let token = story.created(UUID);
    let calls = story.calls().await;
    story.sent(&token).await;
    assert_eq!(story.calls().await - calls, 1);
    let lookups = story.lookups();
    story.sent(&token).await;
    assert_eq!((story.calls().await - calls, story.lookups()), (1, lookups), "it is known");
    assert_eq!(story.count("duplicate", "").await, 1);

    story.akamai.profile(UUID, &with_address("noor@elsewhere.example"));
    let (token, calls) = (story.updated(UUID), story.calls().await);
    let answers = join_all((0..10).map(|_| story.send(&token))).await;
    let statuses: BTreeSet<u16> = answers.iter().map(|answer| answer.status).collect();
    assert!(
        statuses.contains(&202) && statuses.iter().all(|status| [202, 503].contains(status)),
        "{statuses:?}"
    );
    for busy in answers.iter().filter(|answer| answer.status == 503) {
        assert_eq!((busy.header("retry-after"), busy.text.as_str()), (Some("3"), ""));
    }
    assert_eq!((story.calls().await - calls, story.lookups()), (1, lookups + 1), "exactly one write");
    story.sent(&token).await;
    assert_eq!(story.calls().await - calls, 1);
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a12_an_event_that_is_delivered_anew_under_another_name_is_the_same() {
    let story = Story::that_deletes().await;
    story.person(UUID, &noor()).await;
    let token = story.updated(UUID);
    story.sent(&token).await;
    let (calls, lookups) = (story.calls().await, story.lookups());
    story.akamai.profile(UUID, &with_address("noor@elsewhere.example"));
    story.sent(&token.clone().claim("jti", json!("delivered-by-hand"))).await;
    assert_eq!((story.calls().await, story.lookups()), (calls, lookups));
    // Its outcome is found by either name.
    assert_eq!(listed(&story.world, "delivered-by-hand").await, story.listed(&token).await);
    // The same number of another kind of event is another event.
    let id = token.claims["events"]["entityUpdated"]["id"].clone();
    story.sent(&story.deleted(UUID).saying("id", id)).await;
    assert!(story.contacts().await.is_empty());
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a19_updates_in_any_order_end_at_what_is_true_and_nobody_comes_back() {
    let story = Story::that_deletes().await;
    story.person(UUID, &noor()).await;
    story.akamai.profile(UUID, &with_address("second@example.net"));
    story.sent(&story.updated(UUID).happened(200)).await;
    story.akamai.profile(UUID, &with_address("current@example.net"));
    let late = story.updated(UUID).happened(100);
    story.sent(&late).await;
    assert_eq!(
        story.contact(UUID).await["Email"],
        "current@example.net",
        "it is asked for, so it is current"
    );
    assert_eq!(story.listed(&late).await["state"], "applied");

    story.sent(&story.deleted(UUID).happened(300)).await;
    assert!(story.contacts().await.is_empty());
    // Its source may still answer with a copy.
    let late = story.updated(UUID).happened(250);
    story.sent(&late).await;
    assert!(story.contacts().await.is_empty(), "nobody comes back from the dead");
    assert_eq!(story.listed(&late).await["reason"], "stale-after-delete");
    // Somebody who registers anew is somebody else.
    story.person("another-uuid", &noor()).await;
    assert_eq!(story.contact("another-uuid").await["LastName"], "Haddad");

    // A deletion that comes later than what has happened since is none of whom is there now.
    let late = story.deleted("another-uuid").happened(-100);
    story.sent(&late).await;
    assert_eq!(story.contacts().await.len(), 1);
    assert_eq!(story.listed(&late).await["reason"], "stale");
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a20_a_deletion_before_its_creation_counts() {
    let story = Story::begin().await;
    let calls = story.calls().await;
    story.sent(&story.deleted(UUID).happened(0)).await;
    assert_eq!(story.calls().await, calls);
    story.akamai.profile(UUID, &noor());
    let older = story.created(UUID).happened(-10);
    story.sent(&older).await;
    assert!(story.contacts().await.is_empty());
    assert_eq!(story.listed(&older).await["reason"], "stale-after-delete");
    story.sent(&story.created(UUID).happened(10)).await;
    assert_eq!(story.contacts().await.len(), 1);
}

/// A delivery with several events has an outcome for each.
#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_delivery_is_found_by_its_jti() {
    let story = Story::that_deletes().await;
    story.person(UUID, &noor()).await;
    let mut token = story.updated(UUID);
    let mut gone = token.claims["events"]["entityUpdated"].clone();
    gone["id"] = json!("another-event");
    gone.as_object_mut().unwrap().remove("attributes");
    token.claims["events"]["entityDeleted"] = gone;
    story.sent(&token).await;
    let (said, _) = ask(&story.world.config_file(), &["events", "list", token.jti()]).await;
    let mut kinds: Vec<_> =
        said["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["entityDeleted", "entityUpdated"], "{said}");
}

/// times are of many clocks. A deletion that seems to be one of before is one, or it is not: its source knows.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a19_a_deletion_that_comes_too_late_counts_if_its_source_has_nobody() {
    let story = Story::that_deletes().await;
    story.akamai.profile(UUID, &noor());
    story.sent(&story.created(UUID).happened(-60)).await;
    let update = story.updated(UUID).happened(-20);
    story.sent(&update).await;
    story.akamai.forget(UUID);
    let late = story.deleted(UUID).happened(-50);
    story.sent(&late).await;
    assert!(story.contacts().await.is_empty());
    assert_eq!(story.listed(&late).await["state"], "applied");
    // What was applied before it was before it.
    let update = story.updated(UUID).claim("toe", update.claims["toe"].clone());
    story.sent(&update).await;
    assert_eq!(story.listed(&update).await["reason"], "stale-after-delete");
}

/// what says that it happens next year makes nothing out of date that happens now.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a19_an_event_of_the_future_outruns_no_other() {
    const YEAR: i64 = 365 * 24 * 3_600;
    let story = Story::that_deletes().await;
    story.person(UUID, &noor()).await;
    story.sent(&story.updated(UUID).happened(YEAR)).await;
    story.akamai.forget(UUID);
    story.sent(&story.deleted(UUID)).await;
    assert!(story.contacts().await.is_empty());
    // Nor does a deletion keep somebody away for a year.
    story.sent(&story.deleted("another").happened(YEAR)).await;
    story.akamai.profile("another", &noor());
    story.sent(&story.created("another").happened(400)).await;
    assert_eq!(story.contacts().await.len(), 1);
}
