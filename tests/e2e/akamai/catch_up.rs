//! What was lost while nobody took events.

use e2e::sources::akamai;
use serde_json::{Value, json};

use crate::akamai::{Story, ask};

/// More than two pages.
const PEOPLE: usize = 230;

fn person(number: usize) -> (String, Value) {
    let profile = json!({
        "email": format!("person-{number}@example.net"), "familyName": format!("Person {number}"),
        "emailVerified": "2026-08-04 09:12:44 +0000",
    });
    (format!("uuid-{number}"), profile)
}

impl Story {
    async fn catch_up(&self, since: &str) -> (Value, Option<i32>) {
        ask(&self.world.config_file(), &["events", "catch-up", "akamai", "--since", since]).await
    }
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_a_catch_up_reads_pages_and_writes_what_differs() {
    let story = Story::begin().await;
    for number in 0..PEOPLE {
        let (uuid, profile) = person(number);
        story.akamai.profile(&uuid, &profile);
    }
    // The first load.
    let (said, code) = story.catch_up("1h").await;
    assert_eq!(
        (&said["seen"], &said["applied"], &said["failed"]),
        (&json!(PEOPLE), &json!(PEOPLE), &json!(0))
    );
    assert_eq!(code, Some(0));
    assert_eq!(
        story.akamai.asked("/entity.find").len(),
        4,
        "three pages, and one that says that there is no more"
    );
    assert_eq!(story.lookups(), 0);
    assert_eq!(story.contacts().await.len(), PEOPLE);
    assert_eq!(story.contact("uuid-229").await["Email"], "person-229@example.net");

    // Nothing differs, nothing is written.
    let calls = story.calls().await;
    let (said, _) = story.catch_up("1h").await;
    assert_eq!((&said["seen"], &said["applied"]), (&json!(PEOPLE), &json!(PEOPLE)));
    assert_eq!(story.calls().await, calls);

    // An event arrives, another is lost, and somebody is new whom nobody has spoken of.
    let moved = json!({"email": "moved@example.net", "familyName": "Person"});
    story.akamai.profile("uuid-1", &moved);
    story.sent(&story.updated("uuid-1")).await;
    story.akamai.profile("uuid-2", &moved);
    story.akamai.profile("uuid-new", &moved);
    let before = story.calls().await;
    let (said, _) = story.catch_up("1h").await;
    assert_eq!((&said["applied"], &said["failed"]), (&json!(PEOPLE + 1), &json!(0)));
    assert!(story.calls().await - before <= 2, "only what differs is written");
    for uuid in ["uuid-1", "uuid-2", "uuid-new"] {
        assert_eq!(story.contact(uuid).await["Email"], "moved@example.net");
    }
    // Nobody new since then.
    let (said, _) = story.catch_up("2999-01-01T00:00:00Z").await;
    assert_eq!(said["seen"], 0);
}

/// what cannot be done is said.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_a_catch_up_says_what_failed_and_why() {
    let story = Story::begin().await;
    // What the org is like has been read.
    let (uuid, profile) = person(0);
    story.person(&uuid, &profile).await;
    for number in 1..4 {
        let (uuid, profile) = person(number);
        story.akamai.profile(&uuid, &profile);
    }
    let path = "/data/v*/sobjects/Contact";
    let refusal = json!({"path": path, "kind": "status", "status": 400, "count": 1,
        "error_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "Not like this"});
    story.org.fault(refusal).await;
    let (said, code) = story.catch_up("1h").await;
    let failed = said["failed"].as_u64().unwrap();
    assert!(failed > 0, "{said}");
    assert_eq!(code, Some(4));
    let (listed, _) = ask(&story.world.config_file(), &["events", "list", "--state", "dead"]).await;
    let listed = listed["events"].as_array().unwrap();
    assert_eq!(listed.len() as u64, failed);
    assert!(listed[0]["reason"].as_str().unwrap().contains("Not like this"), "{listed:#?}");
    story.org.heal().await;
    let (said, _) = story.catch_up("1h").await;
    assert_eq!((&said["applied"], &said["failed"]), (&json!(4), &json!(0)));
    assert_eq!(story.contacts().await.len(), 4);

    story.akamai.fault(Some(akamai::error(403, "invalid_credentials")));
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["events", "catch-up", "akamai", "--since", "1h", "--config"])
        .arg(story.world.config_file())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("403 invalid_credentials"), "{said}");
}
