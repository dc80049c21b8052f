//! Who is locked out, who is let in again, and who is left alone.

use e2e::{
    sources::transmitter::{RISC, push},
    world::TOKEN,
};
use serde_json::{Value, json};
use toml::{Table, Value as Toml};

use super::{NOOR, Story, ask, by_email, org_file, said};
use crate::faults::until;

/// B-2.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b02_a_push_without_the_right_authorization_is_401_and_salesforce_is_not_asked() {
    let story = Story::begin().await;
    let calls = story.calls().await;
    let set = story.risc("account-disabled", &by_email("noor"));
    for authorization in [None, Some("Bearer wrong"), Some("of-the-transmitter")] {
        let answer = push(&story.to(), &set.signed(), authorization).await.expect(401);
        assert_eq!(answer.json()["err"], "authentication_failed");
    }
    assert_eq!(story.calls().await, calls);
    assert!(!story.is_frozen(NOOR).await);
    assert_eq!(story.count("rejected", "authentication").await, 3);
    // It was not the token's fault.
    story.pushed(&set).await;
    assert!(story.is_frozen(NOOR).await);
}

/// B-3.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b03_a_token_with_sub_or_exp_is_invalid_and_so_is_one_of_somebody_else() {
    let story = Story::begin().await;
    let calls = story.calls().await;
    let set = || story.risc("account-disabled", &by_email("noor"));
    let cases = [
        (set().with("sub", json!("noor")), "invalid_request"),
        (set().with("exp", json!(4_000_000_000_i64)), "invalid_request"),
        (set().with("events", json!({})), "invalid_request"),
        (set().with("jti", Value::Null), "invalid_request"),
        (set().with("iss", json!("https://elsewhere.example")), "invalid_issuer"),
        (set().with("aud", json!("https://elsewhere.example")), "invalid_audience"),
        (set().signed_by(2), "invalid_key"),
    ];
    for (set, err) in cases {
        let answer = story.push(&set).await.expect(400);
        assert_eq!(answer.json()["err"], err, "{}", set.claims);
        assert!(answer.header("content-language").is_some());
    }
    assert_eq!(story.calls().await, calls);
    assert!(!story.is_frozen(NOOR).await);
}

/// B-4.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b04_a_disabled_account_is_frozen_its_sessions_end_and_it_stays_active() {
    let story = Story::begin().await;
    assert_eq!(story.sessions(NOOR).await, 2);
    let set = story.risc("account-disabled", &by_email("noor"));
    story.pushed(&set).await;
    assert!(story.is_frozen(NOOR).await);
    assert_eq!(story.sessions(NOOR).await, 0);
    assert_eq!(story.org.user(NOOR).await["IsActive"], true);
    let listed = story.listed(&set).await;
    assert_eq!(
        (&listed["state"], &listed["reason"]),
        (&json!("applied"), &json!("frozen, 2 sessions ended"))
    );

    // The same again, under its own name and under another one.
    let calls = story.calls().await;
    story.pushed(&set).await;
    let again = story.risc("account-disabled", &by_email("noor")).with("iat", set.claims["iat"].clone());
    story.pushed(&again).await;
    assert_eq!(story.calls().await, calls, "what was done a moment ago is not asked of Salesforce again");
}

/// B-4: by what the identity provider calls a person.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b04_a_subject_of_an_identity_provider_is_found_by_its_federation_identifier() {
    let idp = "https://idp.example";
    let story = Story::with(&org_file(1), |_, section| {
        section.insert("identity-providers".to_owned(), Toml::from(vec![idp]));
    })
    .await;
    let by = |iss: &str, sub: &str| json!({"format": "iss_sub", "iss": iss, "sub": sub});
    story.pushed(&story.risc("account-disabled", &by("https://elsewhere.example", "fed-noor"))).await;
    assert!(!story.is_frozen(NOOR).await);
    assert_eq!(story.count("ignored", "unresolved-subject").await, 1);
    story.pushed(&story.risc("account-disabled", &by(idp, "fed-noor"))).await;
    assert!(story.is_frozen(NOOR).await);
    assert!(!story.is_frozen("p0@acme.example").await);
    // Let in again by another name of the same person.
    story.pushed(&story.risc("account-enabled", &by_email("noor")).later(5)).await;
    assert!(!story.is_frozen(NOOR).await);
}

/// B-5.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_only_whom_a_signal_has_frozen_a_signal_lets_in_again() {
    let story = Story::with(&org_file(1), |_, _| ()).await;
    let (disabled, enabled) = (
        story.risc("account-disabled", &by_email("noor")),
        story.risc("account-enabled", &by_email("noor")).later(5),
    );
    story.pushed(&disabled).await;
    story.pushed(&enabled).await;
    assert!(!story.is_frozen(NOOR).await, "a signal has frozen her");
    // One that was held up on the way is out of date.
    let late = story.risc("account-disabled", &by_email("noor"));
    story.pushed(&late).await;
    assert!(!story.is_frozen(NOOR).await);
    assert_eq!(story.listed(&late).await["reason"], "stale");

    // An administrator has frozen him, before a signal says the same and after.
    let user = story.org.user("p0@acme.example").await["Id"].as_str().unwrap().to_owned();
    let login = story.org.one("UserLogin", "UserId", &user).await["Id"].as_str().unwrap().to_owned();
    story.org.change_as_administrator("UserLogin", &login, &json!({"IsFrozen": true})).await;
    story.pushed(&story.risc("account-enabled", &by_email("p0"))).await;
    assert!(story.is_frozen("p0@acme.example").await);
    story.pushed(&story.risc("account-disabled", &by_email("p0")).later(1)).await;
    story.pushed(&story.risc("account-enabled", &by_email("p0")).later(2)).await;
    assert!(story.is_frozen("p0@acme.example").await, "it is not ours to take back");
}

/// B-5: the leaver.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_a_leaver_stays_out_and_is_let_in_when_he_is_back() {
    let story = Story::begin().await;
    let tool = story.world.tool_at("/scim/v2", TOKEN);
    let id = tool.create("ada@acme.example").await.expect(201).id();
    let path = format!("/Users/{id}");
    let email = story.org.user("ada@acme.example").await["Email"].clone();
    let ada = json!({"format": "email", "email": email});
    let active = |is: bool| json!([{"op": "replace", "path": "active", "value": is}]);

    story.pushed(&story.risc("account-disabled", &ada)).await;
    assert!(story.is_frozen("ada@acme.example").await);
    assert_eq!(
        tool.get(&path).await.expect(200).json()["active"],
        true,
        "a signal does not change what SCIM says"
    );
    // What was done is in her history.
    let trail = said(&story.world.config_file(), &["audit", "export"]).await;
    let entry = trail.lines().find(|entry| entry.contains("\"signal\"")).unwrap_or_else(|| panic!("{trail}"));
    assert!(entry.contains(&id) && entry.contains("account-disabled: frozen"), "{entry}");
    assert!(!entry.contains("ada@"), "{entry}");

    // She leaves, and Salesforce does not let go of her yet.
    story.org.block("ada@acme.example", &["default-case-owner"]).await;
    let _ = tool.patch(&path, active(false)).await.expect(200);
    story.pushed(&story.risc("account-enabled", &ada).later(5)).await;
    let user = story.org.user("ada@acme.example").await;
    assert_eq!(user["IsActive"], true, "Salesforce keeps her");
    assert!(story.is_frozen("ada@acme.example").await, "she has left: a signal does not let her in");
    assert_eq!(tool.get(&path).await.expect(200).json()["active"], false);

    // She is back: the freeze ends with her absence.
    let _ = tool.patch(&path, active(true)).await.expect(200);
    assert!(!story.is_frozen("ada@acme.example").await);

    // And one who is inactive in Salesforce stays so.
    story.org.block("ada@acme.example", &[]).await;
    let _ = tool.patch(&path, active(false)).await.expect(200);
    assert_eq!(story.org.user("ada@acme.example").await["IsActive"], false);
    story.pushed(&story.risc("account-enabled", &ada).later(9)).await;
    assert_eq!(story.org.user("ada@acme.example").await["IsActive"], false);
}

/// B-6.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b06_of_a_complex_subject_the_user_counts_and_a_critical_member_discards_it() {
    let story = Story::begin().await;
    let complex =
        json!({"format": "complex", "user": by_email("noor"), "weather": {"format": "opaque", "id": "rain"}});
    story.pushed(&story.caep("session-revoked", &complex)).await;
    assert_eq!(story.sessions(NOOR).await, 0);
    assert!(!story.is_frozen(NOOR).await, "she may log in again");

    let transmitter = e2e::sources::transmitter::Transmitter::start().await;
    transmitter.critical(&["user", "weather"]);
    let story = Story::of(transmitter, &org_file(0), |_, _| ()).await;
    let calls = story.calls().await;
    let set = story.caep("session-revoked", &complex);
    story.pushed(&set).await;
    assert_eq!(story.sessions(NOOR).await, 2);
    assert_eq!(story.calls().await, calls);
    assert_eq!(story.listed(&set).await["reason"], "critical-subject-member");
    assert_eq!(story.count("ignored", "critical-subject-member").await, 1);
}

/// B-7.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b07_nobody_or_several_or_a_protected_user_is_not_frozen() {
    let twins = org_file(1).replace("p0@mail.example", "noor@mail.example");
    let story = Story::with(&twins, |_, _| ()).await;
    for (name, who) in [("nobody", by_email("nobody")), ("two", by_email("noor"))] {
        let set = story.risc("account-disabled", &who);
        story.pushed(&set).await;
        assert_eq!(story.listed(&set).await["reason"], "unresolved-subject", "{name}");
    }
    assert_eq!(story.count("ignored", "unresolved-subject").await, 2);

    let integration = "integration@harbour-lights.example";
    for address in [integration, "morgan.reyes@harbour-lights.example"] {
        let set = story.risc("account-disabled", &json!({"format": "email", "email": address}));
        story.pushed(&set).await;
        let listed = story.listed(&set).await;
        assert_eq!(listed["state"], "dead", "somebody has to see it: {listed}");
    }
    assert_eq!(story.count("alarm", "protected-user").await, 2);
    for username in [NOOR, "p0@acme.example", integration, "admin@harbour-lights.example"] {
        assert!(!story.is_frozen(username).await, "{username}");
    }
}

/// B-8.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b08_a_source_that_locks_out_too_many_is_held() {
    let story = Story::with(&org_file(30), |_, _| ()).await;
    let sets: Vec<_> =
        (0..30).map(|number| story.risc("account-disabled", &by_email(&format!("p{number}")))).collect();
    for answer in futures::future::join_all(sets.iter().map(|set| story.push(set))).await {
        let _ = answer.expect(202);
    }
    let frozen = || async {
        let logins = story.org.records("UserLogin").await;
        logins.iter().filter(|login| login["IsFrozen"] == true).count()
    };
    assert_eq!(frozen().await, 25);
    assert_eq!((story.count("applied", "").await, story.count("held", "").await), (25, 5));
    assert_eq!(story.count("alarm", "too-many-lockouts").await, 5);

    // A person approves one of those that are held.
    let mut held = None;
    for set in &sets {
        if story.listed(set).await["state"] == "held" {
            held = Some(set.jti().to_owned());
        }
    }
    let _ = ask(&story.world.config_file(), &["events", "retry", &held.unwrap()]).await;
    until("the one that is approved", || async { frozen().await == 26 }).await;
}

/// §2.5: what is configured, what has become better, and what has no login record.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b04_actions_are_configured_and_one_without_a_login_record_is_deactivated() {
    let without = org_file(1)
        .replace("username = \"p0@acme.example\"\n", "username = \"p0@acme.example\"\nlogin-row = false\n");
    let story = Story::with(&without, |_, section| {
        let actions = [("device-compliance-change", "freeze"), ("session-revoked", "none")];
        let actions = actions.map(|(name, action)| (name.to_owned(), Toml::from(action)));
        section.insert("actions".to_owned(), Toml::from(Table::from_iter(actions)));
    })
    .await;
    let compliance = |status: &str| {
        let mut set = story.caep("device-compliance-change", &by_email("noor"));
        let uri = set.claims["events"].as_object().unwrap().keys().next().unwrap().clone();
        set.claims["events"][uri] = json!({"current_status": status});
        set
    };
    story.pushed(&story.caep("session-revoked", &by_email("noor"))).await;
    story.pushed(&compliance("compliant")).await;
    assert_eq!((story.sessions(NOOR).await, story.is_frozen(NOOR).await), (2, false));
    story.pushed(&compliance("not-compliant").later(1)).await;
    assert!(story.is_frozen(NOOR).await);

    story.pushed(&story.risc("account-disabled", &by_email("p0"))).await;
    assert_eq!(story.org.user("p0@acme.example").await["IsActive"], false);
    let enabled = story.risc("account-enabled", &by_email("p0")).later(1);
    story.pushed(&enabled).await;
    let listed = story.listed(&enabled).await;
    assert_eq!(listed["state"], "dead", "somebody has to know that he stays out: {listed}");
    assert!(listed["reason"].as_str().unwrap().contains("no login record"), "{listed}");
    // An event that nobody knows is taken and left alone.
    let unknown =
        story.transmitter.event(&format!("{RISC}opt-in"), &by_email("noor"), json!({}), super::AUDIENCE);
    story.pushed(&unknown).await;
    assert_eq!(story.listed(&unknown).await["reason"], "event-type");
}

/// B-5: what is gone is gone, whatever was heard of it first.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_an_account_that_was_purged_before_it_was_disabled_is_purged() {
    let story = Story::with(&org_file(1), |_, _| ()).await;
    story.pushed(&story.risc("account-disabled", &by_email("noor")).later(10)).await;
    let purged = story.risc("account-purged", &by_email("noor"));
    story.pushed(&purged).await;
    assert_eq!(story.listed(&purged).await["state"], "applied");
    assert_eq!(story.org.user(NOOR).await["IsActive"], false);
}
