//! Refresh tokens that rotate: what is written when, who may use which, and what a process that dies leaves behind.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use model::Clock;
use salesforce_client::{CallError, Flow, Org, OrgConfig, Purpose};
use salesforce_types::RecordId;
use script::{
    Gate, Record, Reply, Server, TOKEN, Vault, answer, clock, config, error, org_with, token,
    with_refresh_token,
};
use serde_json::json;

const ID: &str = "0055f000005mc66AAA";
const READ: &str = "GET /services/data/v66.0/sobjects/User/0055f000005mc66AAA";

/// An org that rotates: each refresh token is good once, and each use is counted.
#[derive(Clone, Default)]
struct Rotating(Arc<Mutex<Rotation>>);

#[derive(Default)]
struct Rotation {
    /// The refresh token in force.
    current: String,
    /// The access token in force.
    access: String,
    made: u32,
    /// How often each refresh token came.
    uses: HashMap<String, u32>,
}

impl Rotating {
    fn new(first: &str) -> Self {
        let org = Self::default();
        first.clone_into(&mut org.0.lock().unwrap().current);
        org
    }

    fn refresh(&self, body: &str, url: &str) -> Reply {
        let mut org = self.0.lock().unwrap();
        let sent = body.split('&').find_map(|pair| pair.strip_prefix("refresh_token=")).unwrap().to_owned();
        *org.uses.entry(sent.clone()).or_default() += 1;
        if sent != org.current {
            return dead();
        }
        org.made += 1;
        org.current = format!("token-{}", org.made);
        org.access = format!("access-{}", org.made);
        answer(200, &json!({ "access_token": org.access, "refresh_token": org.current, "instance_url": url }))
    }

    fn read(&self, authorization: Option<&str>) -> Reply {
        let org = self.0.lock().unwrap();
        if authorization == Some(&format!("Bearer {}", org.access)) { record() } else { expired() }
    }

    async fn serve(&self) -> Server {
        let org = self.clone();
        Server::start(move |seen, url| match seen.line.as_str() {
            TOKEN => org.refresh(&seen.body, url),
            _ => org.read(seen.header("authorization")),
        })
        .await
    }

    /// Every access token has expired.
    fn expire(&self) {
        "none".clone_into(&mut self.0.lock().unwrap().access);
    }

    fn rotations(&self) -> u32 {
        self.0.lock().unwrap().made
    }

    fn assert_each_token_came_once(&self) {
        let org = self.0.lock().unwrap();
        assert!(org.uses.values().all(|uses| *uses == 1), "{:?}", org.uses);
    }
}

fn dead() -> Reply {
    answer(400, &json!({ "error": "invalid_grant", "error_description": "expired access/refresh token" }))
}

fn expired() -> Reply {
    error(401, "INVALID_SESSION_ID", "Session expired or invalid")
}

fn record() -> Reply {
    answer(200, &json!({ "attributes": {}, "Id": ID }))
}

async fn read(org: &Org) -> Result<(), CallError> {
    let id: RecordId = ID.parse().unwrap();
    org.read("User", &id, &["Id"], Purpose::catalogue()).await.map(|found| assert!(found.is_some()))
}

fn parked_for(org: &Org) -> Option<&'static str> {
    org.parked().map(|parked| parked.reason)
}

#[tokio::test]
async fn it_is_written_down_that_a_refresh_begins_before_it_does() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access").after(&held),
        _ => record(),
    })
    .await;
    let vault = Vault::with(Some("first"), server.record.clone());
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());
    let reading = tokio::spawn({
        let org = org.clone();
        async move { read(&org).await }
    });
    server.record.wait_for(TOKEN).await;
    assert_eq!(vault.grant()["begun"]["with"], "first");
    assert_eq!(vault.grant()["refresh"]["token"], "first");
    assert!(!vault.is_free(), "nobody else may log in meanwhile");
    gate.open();
    reading.await.unwrap().unwrap();
    assert!(vault.grant()["begun"].is_null());
    assert!(vault.is_free());
}

#[tokio::test]
async fn the_token_before_stays_until_the_new_one_has_worked() {
    let org_ = Rotating::new("first");
    let server = org_.serve().await;
    let vault = Vault::with(Some("first"), Record::default());
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());
    org.try_credentials().await.unwrap();
    org.look_after().await;
    assert_eq!(vault.grant()["refresh"]["previous"], "first", "nothing has shown that the new one is good");
    read(&org).await.unwrap();
    org.look_after().await;
    assert!(vault.grant()["refresh"]["previous"].is_null(), "a call has");
    assert_eq!(vault.token().as_deref(), Some("token-1"));
    org_.assert_each_token_came_once();
}

#[tokio::test]
async fn a_new_token_that_the_org_does_not_know_gives_way_to_the_one_before() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN if seen.body.contains("refresh_token=first") => token(url, "fine"),
        TOKEN => dead(),
        _ if seen.header("authorization") == Some("Bearer fine") => record(),
        _ => expired(),
    })
    .await;
    let vault = Vault::with(None, Record::default());
    let grant = json!({ "refresh": { "token": "second", "previous": "first", "used": null, "spent": null } });
    vault.put(&grant.to_string());
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());
    read(&org).await.unwrap();
    assert_eq!(vault.token().as_deref(), Some("first"));
    assert_eq!(server.count(TOKEN), 2);
}

#[tokio::test]
async fn a_process_that_died_before_its_request_left_has_lost_nothing() {
    let org_ = Rotating::new("first");
    let server = org_.serve().await;
    let vault = Vault::with(None, Record::default());
    vault.put(&left_behind("first", None));
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());
    read(&org).await.unwrap();
    assert_eq!(vault.token().as_deref(), Some("token-1"));
    org_.assert_each_token_came_once();
}

/// What a process leaves that dies during a refresh.
fn left_behind(token: &str, previous: Option<&str>) -> String {
    json!({
        "refresh": { "token": token, "previous": previous, "used": null, "spent": null },
        "begun": { "with": token, "at": "2026-01-01T00:00:00Z" },
    })
    .to_string()
}

#[tokio::test]
async fn a_process_that_died_after_the_org_had_rotated_is_told_plainly_and_nothing_else_is_tried() {
    // The org has rotated `second` away, and nobody has its successor.
    let org_ = Rotating::new("lost");
    let server = org_.serve().await;
    let vault = Vault::with(None, Record::default());
    vault.put(&left_behind("second", Some("first")));
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());
    match read(&org).await {
        Err(CallError::Parked { advice, .. }) => assert!(advice.contains("gangway connect"), "{advice}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(parked_for(&org), Some("token-lost"));
    org_.assert_each_token_came_once();
    assert_eq!(server.count(TOKEN), 1, "the one before was rotated away long ago");
}

#[tokio::test]
async fn a_refusal_that_has_nothing_to_do_with_the_token_leaves_no_doubt() {
    let server = Server::start(|_, _| {
        answer(400, &json!({ "error": "invalid_grant", "error_description": "inactive user" }))
    })
    .await;
    let vault = Vault::with(Some("first"), Record::default());
    let org = org_with(with_refresh_token(&server.url, Some("other")), vault.clone(), clock());
    assert!(read(&org).await.is_err());
    assert_eq!(parked_for(&org), Some("user-inactive"));
    assert!(vault.grant()["begun"].is_null());
    assert_eq!(server.count(TOKEN), 1, "no other token is tried: it would fare no better");
}

#[tokio::test]
async fn a_cut_refresh_stays_in_doubt() {
    let server = Server::start(|seen, _| if seen.earlier == 0 { Reply::Cut } else { dead() }).await;
    let vault = Vault::with(Some("first"), Record::default());
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());
    assert!(matches!(read(&org).await, Err(CallError::NotSent { .. })));
    assert_eq!(vault.grant()["begun"]["with"], "first");
    assert!(matches!(read(&org).await, Err(CallError::Parked { .. })));
    assert_eq!(parked_for(&org), Some("token-lost"));
}

#[tokio::test]
async fn a_rotated_token_is_kept_even_when_the_rest_of_the_answer_is_no_use() {
    let server = Server::start(|_, _| {
        let body =
            json!({ "access_token": "a", "refresh_token": "second", "instance_url": "http://evil.example" });
        answer(200, &body)
    })
    .await;
    let vault = Vault::with(Some("first"), Record::default());
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());
    assert!(matches!(read(&org).await, Err(CallError::NotSent { .. })));
    assert_eq!(vault.token().as_deref(), Some("second"));
}

#[tokio::test]
async fn a_configured_token_that_was_rotated_away_is_never_sent_again() {
    let org_ = Rotating::new("first");
    let server = org_.serve().await;
    let vault = Vault::with(None, Record::default());
    let org = org_with(with_refresh_token(&server.url, Some("first")), vault.clone(), clock());
    read(&org).await.unwrap();
    org_.expire();
    read(&org).await.unwrap();
    // Somebody revokes everything.
    org_.expire();
    "revoked".clone_into(&mut org_.0.lock().unwrap().current);
    assert!(read(&org).await.is_err());
    assert_eq!(parked_for(&org), Some("token-dead"));
    assert_eq!(org_.0.lock().unwrap().uses["first"], 1);
}

#[tokio::test]
async fn a_second_process_uses_the_access_token_of_the_first() {
    let org_ = Rotating::new("first");
    let server = org_.serve().await;
    let vault = Vault::with(Some("first"), Record::default());
    let [one, two] =
        [(); 2].map(|()| org_with(with_refresh_token(&server.url, None), vault.clone(), clock()));
    read(&one).await.unwrap();
    read(&two).await.unwrap();
    assert_eq!(server.count(TOKEN), 1);
    org_.expire();
    read(&two).await.unwrap();
    read(&one).await.unwrap();
    assert_eq!(server.count(TOKEN), 2, "its own has expired too, but there is a newer one in the vault");
    org_.assert_each_token_came_once();
}

#[tokio::test]
async fn an_access_token_that_may_have_expired_too_is_not_tried_after_one_that_has() {
    let org_ = Rotating::new("first");
    let server = org_.serve().await;
    let clock = clock();
    let vault = Vault::with(Some("first"), Record::default());
    let [one, two] =
        [(); 2].map(|()| org_with(with_refresh_token(&server.url, None), vault.clone(), clock.clone()));
    read(&one).await.unwrap();
    read(&two).await.unwrap();
    org_.expire();
    clock.advance(Duration::from_mins(1));
    read(&two).await.unwrap();
    // A quiet night: the token of `two`, which `one` has not seen, has expired as well.
    org_.expire();
    clock.advance(Duration::from_hours(8));
    read(&one).await.unwrap();
    assert_eq!(server.count(TOKEN), 3);
}

#[tokio::test]
async fn an_access_token_of_other_credentials_is_not_taken() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        _ => record(),
    })
    .await;
    let vault = Vault::with(None, Record::default());
    read(&org_with(config(&server.url), vault.clone(), clock())).await.unwrap();
    let flow = Flow::ClientCredentials { client_id: "key".into(), client_secret: "other".into() };
    let other = OrgConfig { flow, ..config(&server.url) };
    read(&org_with(other, vault, clock())).await.unwrap();
    assert_eq!(server.count(TOKEN), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_threads_of_two_processes_refresh_once_each_time() {
    let org_ = Rotating::new("first");
    let server = org_.serve().await;
    let vault = Vault::with(Some("first"), Record::default());
    let processes = [(); 2].map(|()| org_with(with_refresh_token(&server.url, None), vault.clone(), clock()));
    for round in 1..=20 {
        let callers: Vec<_> = (0..50)
            .map(|n| {
                let org = processes[n % 2].clone();
                tokio::spawn(async move { read(&org).await })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap().unwrap();
        }
        assert_eq!(org_.rotations(), round);
        org_.expire();
    }
    org_.assert_each_token_came_once();
}

#[tokio::test]
async fn a_process_waits_for_the_turn_of_another_and_takes_what_that_one_brings() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "mine"),
        _ => record(),
    })
    .await;
    let clock = clock();
    let vault = Vault::with(Some("first"), Record::default());
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock.clone());
    vault.give_turn("another", clock.now() + Duration::from_secs(15));
    let reading = tokio::spawn({
        let org = org.clone();
        async move { read(&org).await }
    });
    // The other one dies; nobody extends its turn.
    clock.advance(Duration::from_secs(15));
    reading.await.unwrap().unwrap();
    assert_eq!(server.count(TOKEN), 1);
}

#[tokio::test]
async fn what_salesforce_answers_is_kept_even_when_the_turn_is_lost() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN if seen.earlier == 0 => {
            answer(200, &json!({ "access_token": "a", "refresh_token": "second", "instance_url": url }))
                .after(&held)
        }
        TOKEN => dead(),
        _ => record(),
    })
    .await;
    let clock = clock();
    let vault = Vault::with(Some("first"), server.record.clone());
    let [slow, quick] =
        [(); 2].map(|()| org_with(with_refresh_token(&server.url, None), vault.clone(), clock.clone()));
    let reading = tokio::spawn({
        let slow = slow.clone();
        async move { read(&slow).await }
    });
    server.record.wait_for(TOKEN).await;
    // The slow one was suspended: its turn is over, and the quick one tries the token that it sees.
    clock.advance(Duration::from_mins(1));
    assert!(matches!(read(&quick).await, Err(CallError::Parked { .. })));
    gate.open();
    reading.await.unwrap().unwrap();
    assert_eq!(vault.token().as_deref(), Some("second"));
    read(&quick).await.unwrap();
    assert_eq!(parked_for(&quick), None, "a newer token is there");
    assert_eq!(server.count(TOKEN), 2);
}

#[tokio::test]
async fn a_token_that_somebody_connected_meanwhile_is_not_overwritten() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN if seen.body.contains("refresh_token=first") => {
            answer(200, &json!({ "access_token": "old", "refresh_token": "second", "instance_url": url }))
                .after(&held)
        }
        TOKEN => token(url, "new"),
        _ if seen.header("authorization") == Some("Bearer new") => record(),
        _ => expired(),
    })
    .await;
    let vault = Vault::with(Some("first"), server.record.clone());
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());
    let reading = tokio::spawn({
        let org = org.clone();
        async move { read(&org).await }
    });
    server.record.wait_for(TOKEN).await;
    vault.put("connected");
    gate.open();
    reading.await.unwrap().unwrap();
    assert_eq!(vault.token().as_deref(), Some("connected"));
    assert!(server.seen(TOKEN)[1].body.contains("refresh_token=connected"));
}

#[tokio::test]
async fn connecting_a_parked_org_ends_that_at_once() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN if seen.body.contains("refresh_token=new") => token(url, "fine"),
        TOKEN => dead(),
        _ => record(),
    })
    .await;
    let vault = Vault::with(Some("dead"), Record::default());
    let [asked, idle] =
        [(); 2].map(|()| org_with(with_refresh_token(&server.url, None), vault.clone(), clock()));
    assert!(read(&asked).await.is_err() && read(&idle).await.is_err());
    asked.look_after().await;
    assert_eq!(parked_for(&asked), Some("token-dead"), "looking does not help");
    let before = server.count(TOKEN);
    vault.put("new");
    read(&asked).await.unwrap();
    idle.look_after().await;
    assert_eq!((parked_for(&asked), parked_for(&idle)), (None, None));
    assert_eq!(server.count(TOKEN), before + 1);
}

async fn idle(clock: &Clock, org: &Org, hours: u64) {
    clock.advance(Duration::from_hours(hours));
    org.look_after().await;
}

#[tokio::test]
async fn an_idle_token_is_used_within_the_day_and_by_one_process() {
    let org_ = Rotating::new("first");
    let server = org_.serve().await;
    let clock = clock();
    let vault = Vault::with(Some("first"), Record::default());
    let [one, two] =
        [(); 2].map(|()| org_with(with_refresh_token(&server.url, None), vault.clone(), clock.clone()));
    one.look_after().await;
    assert_eq!(server.count(TOKEN), 0, "the day has not gone by");
    read(&one).await.unwrap();
    idle(&clock, &one, 20).await;
    two.look_after().await;
    assert_eq!(server.count(TOKEN), 1);
    // A tenth earlier at most.
    idle(&clock, &one, 4).await;
    two.look_after().await;
    assert_eq!(server.count(TOKEN), 2, "one of them has used it");
    for _ in 0..10 {
        idle(&clock, &two, 24).await;
        one.look_after().await;
    }
    assert_eq!(server.count(TOKEN), 12);
    org_.assert_each_token_came_once();
}

#[tokio::test]
async fn a_token_that_was_never_used_is_kept_alive_too() {
    let server = Server::start(|_, url| token(url, "access")).await;
    let clock = clock();
    let vault = Vault::with(None, Record::default());
    let org = org_with(with_refresh_token(&server.url, Some("first")), vault, clock.clone());
    org.look_after().await;
    assert_eq!(server.count(TOKEN), 0, "nothing is asked at the start");
    idle(&clock, &org, 24).await;
    assert_eq!(server.count(TOKEN), 1);
}

#[tokio::test]
async fn keeping_alive_what_cannot_be_reached_is_not_tried_every_few_seconds() {
    let server = Server::start(|_, _| Reply::Cut).await;
    let clock = clock();
    let vault = Vault::with(Some("first"), Record::default());
    let org = org_with(with_refresh_token(&server.url, None), vault, clock.clone());
    idle(&clock, &org, 24).await;
    org.look_after().await;
    assert_eq!(server.count(TOKEN), 1);
    clock.advance(Duration::from_mins(5));
    org.look_after().await;
    assert_eq!(server.count(TOKEN), 2);
}

#[tokio::test]
async fn flows_without_a_refresh_token_have_nothing_to_keep_alive() {
    let server = Server::start(|_, url| token(url, "access")).await;
    let clock = clock();
    let org = org_with(config(&server.url), Vault::with(None, Record::default()), clock.clone());
    idle(&clock, &org, 48).await;
    assert_eq!(server.count(TOKEN), 0);
}

#[tokio::test]
async fn a_vault_that_is_away_for_a_moment_loses_no_token() {
    let org_ = Rotating::new("first");
    let server = org_.serve().await;
    let vault = Vault::with(Some("first"), Record::default());
    vault.broken.store(1, Ordering::SeqCst);
    let org = org_with(with_refresh_token(&server.url, None), vault.clone(), clock());
    assert!(matches!(read(&org).await, Err(CallError::NotSent { .. })));
    org.look_after().await;
    assert_eq!(vault.token().as_deref(), Some("token-1"));
    assert_eq!(server.count(READ), 0);
    read(&org).await.unwrap();
    org_.assert_each_token_came_once();
}
