//! Getting, sharing, renewing and keeping tokens, against a scripted org.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;

use std::{sync::atomic::Ordering, time::Duration};

use salesforce_client::{CallError, Cause, Purpose};
use salesforce_types::{Manner, RecordId, References, Step, StepOutcome};
use script::{
    DESCRIBE, Gate, Record, Reply, Server, TOKEN, USERS, Vault, a_ticket, answer, clock, config, error, html,
    org, org_with, token, with_refresh_token,
};
use serde_json::json;

const ID: &str = "0055f000005mc66AAA";
const READ: &str = "GET /services/data/v66.0/sobjects/User/0055f000005mc66AAA";

fn id() -> RecordId {
    ID.parse().unwrap()
}

fn record() -> Reply {
    answer(200, &json!({ "attributes": {}, "Id": ID }))
}

fn expired() -> Reply {
    error(401, "INVALID_SESSION_ID", "Session expired or invalid")
}

/// An answer of the token endpoint with a new refresh token.
fn rotated(url: &str, access_token: &str, refresh_token: &str) -> Reply {
    answer(200, &json!({ "access_token": access_token, "refresh_token": refresh_token, "instance_url": url }))
}

fn refused_login() -> Reply {
    answer(400, &json!({ "error": "invalid_grant", "error_description": "expired access/refresh token" }))
}

#[tokio::test]
async fn twenty_calls_at_once_log_in_once() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "first"),
        _ => record(),
    })
    .await;
    let org = org(config(&server.url));
    let ids = vec![id(); 20];
    let answers =
        futures::future::join_all(ids.iter().map(|id| org.read("User", id, &["Id"], Purpose::catalogue())))
            .await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Some(_)))));
    assert_eq!(server.count(TOKEN), 1);
    assert_eq!(server.count(READ), 20);
    assert_eq!((org.calls().of(Cause::Token), org.calls().of(Cause::Catalogue)), (1, 20));
}

#[tokio::test]
async fn twenty_calls_at_once_share_a_login_that_fails() {
    let server = Server::start(|_, _| html(503)).await;
    let org = org(config(&server.url));
    let ids = vec![id(); 20];
    let answers =
        futures::future::join_all(ids.iter().map(|id| org.read("User", id, &["Id"], Purpose::catalogue())))
            .await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(CallError::NotSent { .. }))));
    assert_eq!(server.count(TOKEN), 1);
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_for_all_who_met_it() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, if seen.earlier == 0 { "old" } else { "new" }),
        _ if seen.header("authorization") == Some("Bearer new") => record(),
        _ => expired(),
    })
    .await;
    let org = org(config(&server.url));
    let ids = vec![id(); 20];
    let answers =
        futures::future::join_all(ids.iter().map(|id| org.read("User", id, &["Id"], Purpose::catalogue())))
            .await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Some(_)))), "{answers:?}");
    assert_eq!(server.count(TOKEN), 2);
}

#[tokio::test]
async fn a_late_401_does_not_throw_away_the_newer_token() {
    const OTHER: &str = "0055f000005mc67AAA";
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN => token(url, if seen.earlier == 0 { "old" } else { "new" }),
        _ if seen.header("authorization") == Some("Bearer new") => record(),
        READ => expired(),
        _ => expired().after(&held),
    })
    .await;
    let org = org(config(&server.url));
    let late = tokio::spawn({
        let org = org.clone();
        async move { org.read("User", &OTHER.parse().unwrap(), &["Id"], Purpose::catalogue()).await }
    });
    server.record.wait_for(&READ.replace(ID, OTHER)).await;
    org.read("User", &id(), &["Id"], Purpose::catalogue()).await.unwrap();
    gate.open();
    late.await.unwrap().unwrap();
    assert_eq!(server.count(TOKEN), 2);
}

#[tokio::test]
async fn a_token_that_is_always_expired_is_renewed_twice_and_no_more() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "any"),
        _ => expired(),
    })
    .await;
    let answered = org(config(&server.url)).read("User", &id(), &["Id"], Purpose::catalogue()).await;
    assert!(matches!(answered, Err(CallError::NotSent { .. })));
    assert_eq!((server.count(TOKEN), server.count(READ)), (3, 3));
}

#[tokio::test]
async fn the_two_other_texts_of_401_do_not_log_in_again() {
    for text in
        ["This session is not valid for use with the REST API", "Connected app is not attached to Agent"]
    {
        let server = Server::start(move |seen, url| match seen.line.as_str() {
            TOKEN => token(url, "fine"),
            _ => error(401, "INVALID_SESSION_ID", text),
        })
        .await;
        let answered = org(config(&server.url)).read("User", &id(), &["Id"], Purpose::catalogue()).await;
        assert!(matches!(answered, Err(CallError::Refused(_))), "{text}");
        assert_eq!((server.count(TOKEN), server.count(READ)), (1, 1), "{text}");
    }
}

#[tokio::test]
async fn a_rotated_token_is_saved_before_its_access_token_is_used() {
    let record_ = Record::default();
    let server = Server::recording(record_.clone(), |seen, url| match seen.line.as_str() {
        TOKEN => rotated(url, "access", "second"),
        _ => record(),
    })
    .await;
    let vault = Vault::with(Some("first"), record_.clone());
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());
    org.read("User", &id(), &["Id"], Purpose::catalogue()).await.unwrap();
    assert_eq!(record_.all(), [TOKEN, "save second", READ]);
    assert!(server.seen(TOKEN)[0].body.contains("refresh_token=first"));
}

#[tokio::test]
async fn a_token_that_stays_the_same_is_not_saved_again() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        _ => record(),
    })
    .await;
    let vault = Vault::with(Some("first"), server.record.clone());
    org_with(with_refresh_token(&server.url, Some("other")), vault, clock())
        .read("User", &id(), &["Id"], Purpose::catalogue())
        .await
        .unwrap();
    assert_eq!(server.record.all(), [TOKEN, READ]);
}

#[tokio::test]
async fn what_the_vault_cannot_keep_is_not_used_and_not_forgotten() {
    let server = Server::start(|seen, url| match (seen.line.as_str(), seen.body.as_str()) {
        (TOKEN, body) if body.contains("refresh_token=first") => rotated(url, "access", "second"),
        (TOKEN, _) => refused_login(),
        _ => record(),
    })
    .await;
    let vault = Vault::with(Some("first"), server.record.clone());
    vault.broken.store(1, Ordering::SeqCst);
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());

    let answered = org.read("User", &id(), &["Id"], Purpose::catalogue()).await;
    assert!(matches!(answered, Err(CallError::NotSent { .. })), "{answered:?}");
    assert_eq!(server.count(READ), 0, "the access token is not used");
    assert_eq!(vault.token().as_deref(), Some("first"));

    org.read("User", &id(), &["Id"], Purpose::catalogue()).await.unwrap();
    assert_eq!(
        server.record.all(),
        [TOKEN, "save second", READ],
        "its access token is used once it can be kept"
    );
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_lose_the_rotated_token() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN => rotated(url, "access", "second").after(&held),
        _ => record(),
    })
    .await;
    let vault = Vault::with(Some("first"), server.record.clone());
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());

    let caller = tokio::spawn({
        let org = org.clone();
        async move { org.read("User", &id(), &["Id"], Purpose::catalogue()).await }
    });
    server.record.wait_for(TOKEN).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    gate.open();
    server.record.wait_for("save second").await;

    org.read("User", &id(), &["Id"], Purpose::catalogue()).await.unwrap();
    assert_eq!(server.record.all(), [TOKEN, "save second", READ]);
}

#[tokio::test]
async fn an_org_is_closed_when_its_login_has_ended_and_none_begins_afterwards() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN => rotated(url, "access", "second").after(&held),
        _ => expired(),
    })
    .await;
    let vault = Vault::with(Some("first"), server.record.clone());
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());

    let caller = tokio::spawn({
        let org = org.clone();
        async move { org.read("User", &id(), &["Id"], Purpose::catalogue()).await }
    });
    server.record.wait_for(TOKEN).await;
    caller.abort();
    let closed = tokio::spawn({
        let org = org.clone();
        async move { org.close().await }
    });
    tokio::task::yield_now().await;
    assert!(!closed.is_finished(), "the new token has no place yet");
    gate.open();
    closed.await.unwrap();
    assert_eq!(vault.token().as_deref(), Some("second"));

    // The session is refused as expired, and would be renewed.
    assert!(matches!(
        org.read("User", &id(), &["Id"], Purpose::catalogue()).await,
        Err(CallError::NotSent { .. })
    ));
    assert_eq!(server.count(TOKEN), 1);
}

#[tokio::test]
async fn a_dead_token_parks_the_org_until_a_later_login_succeeds() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN if seen.earlier == 0 => refused_login(),
        TOKEN => token(url, "fine"),
        _ => record(),
    })
    .await;
    let clock = clock();
    let vault = Vault::with(Some("dead"), Record::default());
    let org = org_with(with_refresh_token(&server.url, None), vault, clock.clone());
    assert!(org.parked().is_none());

    for _ in 0..3 {
        match org.read("User", &id(), &["Id"], Purpose::catalogue()).await {
            Err(CallError::Parked { why, advice }) => {
                assert!(why.contains("expired access/refresh token"), "{why}");
                assert!(advice.contains("connect the org again"), "{advice}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(server.count(TOKEN), 1, "a parked org is left alone");
    let parked = org.parked().unwrap();
    assert_eq!(parked.reason, "token-dead");
    assert!(parked.to_string().contains("connect the org again"));
    let step = Step::Create {
        object: "User".into(),
        fields: [].into_iter().collect(),
        refers: References::new(),
        manner: Manner::default(),
    };
    assert!(matches!(
        org.act(&[step], &a_ticket(false)).await.as_slice(),
        [StepOutcome::NotSent { retry_after: Some(_), .. }]
    ));

    clock.advance(Duration::from_mins(5));
    org.read("User", &id(), &["Id"], Purpose::catalogue()).await.unwrap();
    assert_eq!(server.count(TOKEN), 2);
    assert!(org.parked().is_none());
}

#[tokio::test]
async fn a_dead_token_in_the_vault_gives_way_to_a_new_one_in_the_configuration() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN if seen.body.contains("refresh_token=new") => token(url, "fine"),
        TOKEN => refused_login(),
        _ => record(),
    })
    .await;
    let vault = Vault::with(Some("dead"), server.record.clone());
    let org = org_with(with_refresh_token(&server.url, Some("new")), vault.clone(), clock());
    org.read("User", &id(), &["Id"], Purpose::catalogue()).await.unwrap();
    assert_eq!(server.record.all(), [TOKEN, TOKEN, "save new", READ]);
    assert!(org.parked().is_none());
}

#[tokio::test]
async fn without_any_refresh_token_nothing_is_asked() {
    let server = Server::start(|_, _| refused_login()).await;
    let org = org_with(with_refresh_token(&server.url, None), Vault::with(None, Record::default()), clock());
    assert!(matches!(
        org.read("User", &id(), &[], Purpose::catalogue()).await,
        Err(CallError::Parked { .. })
    ));
    assert_eq!(server.record.all().len(), 0);
}

#[tokio::test]
async fn calls_go_where_the_last_token_answer_says() {
    let moved = Server::start(|_, _| record()).await;
    let new_home = moved.url.clone();
    let server = Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN if seen.earlier == 0 => token(url, "first"),
        TOKEN => token(&new_home, "second"),
        _ => expired(),
    })
    .await;
    let org = org(config(&server.url));
    org.read("User", &id(), &["Id"], Purpose::catalogue()).await.unwrap();
    assert_eq!((server.count(READ), moved.count(READ)), (1, 1));
    assert_eq!(moved.seen(READ)[0].header("authorization"), Some("Bearer second"));
}

#[tokio::test]
async fn a_token_is_never_sent_in_the_clear() {
    let server = Server::start(|_, _| token("http://instance.example", "first")).await;
    let answered = org(config(&server.url)).read("User", &id(), &["Id"], Purpose::catalogue()).await;
    assert!(matches!(answered, Err(CallError::NotSent { .. })), "{answered:?}");

    let answered =
        org(config("http://acme.my.salesforce.com")).read("User", &id(), &["Id"], Purpose::catalogue()).await;
    assert!(matches!(answered, Err(CallError::Parked { .. })), "{answered:?}");
}

#[tokio::test]
async fn a_login_that_gets_no_token_answer_is_not_sent() {
    for reply in [|| html(503), || Reply::Cut, || html(200), || answer(200, &json!({"no": "token"}))] {
        let server = Server::start(move |_, _| reply()).await;
        let ticket = a_ticket(false);
        let step = Step::Create {
            object: "User".into(),
            fields: [].into_iter().collect(),
            refers: References::new(),
            manner: Manner::default(),
        };
        let outcomes = org(config(&server.url)).act(&[step], &ticket).await;
        assert!(matches!(outcomes.as_slice(), [StepOutcome::NotSent { .. }]), "{outcomes:?}");
        assert_eq!(server.count(USERS), 0);
        assert!(ticket.withdraw(), "nothing has left");
    }
}

#[tokio::test]
async fn too_many_logins_are_given_a_rest() {
    let server = Server::start(|_, _| {
        answer(400, &json!({"error": "invalid_grant", "error_description": "login rate exceeded"}))
    })
    .await;
    let clock = clock();
    let org = org_with(config(&server.url), Vault::with(None, Record::default()), clock.clone());
    for _ in 0..3 {
        match org.read("User", &id(), &[], Purpose::catalogue()).await {
            Err(CallError::NotSent { retry_after, .. }) => {
                assert_eq!(retry_after, Some(Duration::from_mins(15)));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(server.count(TOKEN), 1);
    assert!(org.parked().is_none());
    clock.advance(Duration::from_mins(15));
    assert!(org.read("User", &id(), &[], Purpose::catalogue()).await.is_err());
    assert_eq!(server.count(TOKEN), 2);
}

#[tokio::test]
async fn who_we_are_is_known_even_without_the_scope_for_it() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "first"),
        _ => Reply::Answer { status: 403, headers: Vec::new(), body: "Missing_OAuth_Scope".to_owned() },
    })
    .await;
    let identity = org(config(&server.url)).identity().await.unwrap();
    assert_eq!((identity.org_id.prefix(), identity.user_id.as_str()), ("00D", ID));

    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "first"),
        "GET /services/oauth2/userinfo" => answer(
            200,
            &json!({"organization_id": "00D5f000005mc66EAA", "user_id": ID, "preferred_username": "i@acme"}),
        ),
        "GET /services/data/" => answer(200, &json!([{"version": "65.0", "url": "", "label": ""}])),
        DESCRIBE => error(404, "NOT_FOUND", "The requested resource does not exist"),
        other => panic!("{other}"),
    })
    .await;
    let checkup = org(config(&server.url)).check().await.unwrap();
    assert_eq!(checkup.identity.username.as_deref(), Some("i@acme"));
    assert!(!checkup.api_version_offered && !checkup.sees_users);
}
