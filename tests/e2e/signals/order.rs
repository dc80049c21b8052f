//! Signals that come late, and incidents that happen again.

use std::time::Duration;

use serde_json::{Value, json};
use toml::Value as Toml;

use super::{NOOR, Story, by_email, org_file};

const IDP: &str = "https://idp.example";

fn by_federation(name: &str) -> Value {
    json!({"format": "iss_sub", "iss": IDP, "sub": format!("fed-{name}")})
}

async fn story() -> Story {
    Story::with(&org_file(0), |_, section| {
        section.insert("identity-providers".to_owned(), Toml::from(vec![IDP]));
    })
    .await
}

/// An administrator changes a login record.
async fn by_hand(story: &Story, is_frozen: bool) {
    let user = story.org.user(NOOR).await["Id"].as_str().unwrap().to_owned();
    let login = story.org.one("UserLogin", "UserId", &user).await["Id"].as_str().unwrap().to_owned();
    story.org.change_as_administrator("UserLogin", &login, &json!({"IsFrozen": is_frozen})).await;
}

/// §0.3: what is out of date is known of the User, whatever the source calls him.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_what_comes_late_is_out_of_date_under_every_name_of_the_person() {
    let story = story().await;
    story.pushed(&story.risc("account-disabled", &by_email("noor")).later(-5)).await;
    assert!(story.is_frozen(NOOR).await);
    let late = story.risc("account-enabled", &by_federation("noor")).later(-50);
    story.pushed(&late).await;
    assert!(story.is_frozen(NOOR).await, "it has happened before she was locked out");
    assert_eq!(story.listed(&late).await["reason"], "stale");
    story.pushed(&story.risc("account-enabled", &by_federation("noor"))).await;
    assert!(!story.is_frozen(NOOR).await);
    let late = story.risc("account-disabled", &by_email("noor")).later(-4);
    story.pushed(&late).await;
    assert!(!story.is_frozen(NOOR).await, "and the other way round");
    assert_eq!(story.listed(&late).await["reason"], "stale");
}

/// §0.3: only what says the opposite makes a signal out of date.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_who_was_purged_before_he_was_disabled_is_deactivated_all_the_same() {
    let story = story().await;
    story.pushed(&story.risc("account-disabled", &by_email("noor"))).await;
    story.pushed(&story.risc("account-purged", &by_email("noor")).later(-10)).await;
    assert_eq!(story.org.user(NOOR).await["IsActive"], false);
}

/// §0.3: who was let in since stays.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_who_was_enabled_since_is_not_purged() {
    let story = story().await;
    story.pushed(&story.risc("account-enabled", &by_federation("noor"))).await;
    let late = story.risc("account-purged", &by_email("noor")).later(-10);
    story.pushed(&late).await;
    assert_eq!(story.org.user(NOOR).await["IsActive"], true);
    assert_eq!(story.listed(&late).await["reason"], "stale");
}

/// B-4: the same again needs no calls; something new that has happened does.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b04_a_new_incident_freezes_again_whom_an_administrator_has_let_in() {
    let story = story().await;
    let disabled = |at: i64| story.risc("account-disabled", &by_email("noor")).later(at);
    story.pushed(&disabled(0)).await;
    by_hand(&story, false).await;
    let calls = story.calls().await;
    story.pushed(&disabled(-2)).await;
    assert!(!story.is_frozen(NOOR).await, "it is no new incident");
    assert_eq!(story.calls().await, calls);
    let new = disabled(2);
    story.pushed(&new).await;
    assert!(story.is_frozen(NOOR).await, "it is another one: {}", story.listed(&new).await);
    story.pushed(&story.risc("account-enabled", &by_email("noor")).later(4)).await;
    assert!(!story.is_frozen(NOOR).await);
}

/// B-5: an administrator lets somebody in, and freezes him again for a reason of his own.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_whom_an_administrator_has_frozen_since_no_signal_lets_in() {
    let story = story().await;
    story.pushed(&story.risc("account-disabled", &by_email("noor"))).await;
    by_hand(&story, false).await;
    by_hand(&story, true).await;
    let enabled = story.risc("account-enabled", &by_email("noor")).later(1);
    story.pushed(&enabled).await;
    assert!(story.is_frozen(NOOR).await, "she stays frozen");
    assert_eq!(story.listed(&enabled).await["reason"], "still frozen: somebody else has frozen him");
    // Nor after another incident, long after the first one.
    story.world.advance(Duration::from_mins(20));
    story.pushed(&story.risc("account-disabled", &by_email("noor")).later(2)).await;
    story.pushed(&story.risc("account-enabled", &by_email("noor")).later(3)).await;
    assert!(story.is_frozen(NOOR).await);
}
