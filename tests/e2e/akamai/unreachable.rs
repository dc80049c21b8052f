//! Salesforce, or Akamai, does not answer: nothing is acknowledged that is neither written nor kept.

use std::time::{Duration, Instant};

use e2e::{
    Answered,
    sources::{
        akamai::{self, Token},
        http::Reply,
    },
    world::table,
};
use serde_json::{Value, json};

use crate::akamai::{Story, UUID, noor, noor_as};

impl Story {
    async fn told_to_send_again(&self, token: &Token) -> Answered {
        let started = Instant::now();
        let answer = self.send(token).await.expect(503);
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        assert!(started.elapsed() < Duration::from_secs(10), "it took {:?}", started.elapsed());
        answer
    }

    /// Sends it again and again, as its source does, until it is taken.
    async fn sent_again(&self, token: &Token) {
        for _ in 0..100 {
            let answer = self.send(token).await;
            if answer.status == 202 {
                return;
            }
            assert_eq!(answer.status, 503, "{}", answer.text);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{} is never taken", token.jti());
    }

    async fn fault(&self, fault: Value) {
        self.org.fault(fault).await;
    }
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a13_without_salesforce_an_event_is_refused_and_its_repeat_is_written_once() {
    let story = Story::begin().await;
    story.person("00000000-first", &json!({"familyName": "First"})).await;
    for (number, fault) in [
        json!({"kind": "status", "status": 503}),
        json!({"kind": "cut-before-commit"}),
        json!({"kind": "cut-after-commit"}),
        json!({"kind": "delay", "delay_ms": 20_000}),
    ]
    .into_iter()
    .enumerate()
    {
        let uuid = format!("person-{number}");
        story.akamai.profile(&uuid, &noor_as(&uuid));
        let token = story.created(&uuid);
        story.fault(fault).await;
        story.told_to_send_again(&token).await;
        story.org.heal().await;
        story.sent_again(&token).await;
        assert_eq!(story.contact(&uuid).await["LastName"], uuid);
        assert_eq!(story.listed(&token).await["state"], "applied");
    }

    // No token to be had.
    story.akamai.profile("person-x", &noor_as("person-x"));
    story.fault(json!({"path": "/oauth2/token", "kind": "status", "status": 503})).await;
    story.org.expire_tokens().await;
    let token = story.created("person-x");
    story.told_to_send_again(&token).await;
    story.org.heal().await;
    story.sent_again(&token).await;
    assert_eq!(story.contact("person-x").await["LastName"], "person-x");

    // Nobody listens.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = story.org.url().to_owned();
    let to = |url: String| {
        story.world.reload(|config| {
            table(table(config, "orgs"), "acme").insert("url".to_owned(), url.into());
        });
    };
    to(format!("http://{closed}"));
    story.akamai.profile(UUID, &noor());
    let token = story.created(UUID);
    story.told_to_send_again(&token).await;
    to(url);
    story.sent_again(&token).await;
    assert_eq!(story.contact(UUID).await["LastName"], "Haddad");
    assert_eq!(story.contacts().await.len(), 7);
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a14_what_may_pass_is_sent_again_and_what_never_will_is_kept_for_a_person() {
    let story = Story::begin().await;
    story.person(UUID, &noor()).await;
    let mut address = 0;
    let mut changed = || {
        address += 1;
        let mut profile = noor();
        profile["email"] = json!(format!("address-{address}@example.net"));
        story.akamai.profile(UUID, &profile);
        (story.updated(UUID), profile["email"].clone())
    };
    for passing in [
        json!({"kind": "status", "status": 403, "error_code": "REQUEST_LIMIT_EXCEEDED"}),
        json!({"kind": "lock"}),
    ] {
        let (token, email) = changed();
        story.fault(passing).await;
        story.told_to_send_again(&token).await;
        story.org.heal().await;
        story.sent_again(&token).await;
        assert_eq!(story.contact(UUID).await["Email"], email);
    }
    for code in ["FIELD_CUSTOM_VALIDATION_EXCEPTION", "REQUIRED_FIELD_MISSING"] {
        let (token, email) = changed();
        let dead = story.count("dead", "").await;
        let path = "/data/v*/sobjects/Contact";
        story.fault(json!({"path": path, "kind": "status", "status": 400, "error_code": code, "message": "Not like this"})).await;
        story.sent(&token).await;
        let listed = story.listed(&token).await;
        assert_eq!(listed["state"], "dead");
        let reason = listed["reason"].as_str().unwrap();
        assert!(reason.contains("Not like this"), "in Salesforce's words: {reason}");
        assert_eq!(story.count("dead", "").await, dead + 1, "an operator can be woken");
        story.org.heal().await;
        // It is known: its source has no more to do with it. A person has.
        story.sent(&token).await;
        assert_ne!(story.contact(UUID).await["Email"], email);
        let (said, code) = super::ask(&story.world.config_file(), &["events", "retry", token.jti()]).await;
        assert_eq!((&said["decided"], code), (&json!(true), Some(0)));
        story.ends(&token, "applied").await;
        assert_eq!(story.contact(UUID).await["Email"], email);
    }
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a15_what_the_lookup_answers_decides_what_the_event_is_answered() {
    let story = Story::that_deletes().await;
    story.person(UUID, &noor()).await;
    let token = story.updated(UUID);
    for fault in [
        Reply::Cut,
        Reply::status(500, ""),
        Reply::status(503, "<html>"),
        Reply::status(200, "<html>not json</html>"),
        Reply::json(&json!({"result": noor()})),
        Reply::json(&json!({"stat": "ok"})),
        Reply::json(&json!({"stat": "ok", "result": {"uuid": "somebody-else", "familyName": "Else"}})),
        Reply::status(301, "").with("location", "http://127.0.0.1:1/entity"),
        akamai::error(500, "unexpected_error"),
        akamai::error(510, "rate_limit"),
    ] {
        story.akamai.fault(Some(fault.clone()));
        let answer = story.send(&token).await;
        assert_eq!(answer.status, 503, "{fault:?}: {}", answer.text);
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(story.count("alarm", "source-credentials").await, 0);
    for (place, fault) in
        [akamai::error(403, "invalid_credentials"), Reply::status(401, "")].into_iter().enumerate()
    {
        story.akamai.fault(Some(fault));
        story.told_to_send_again(&token).await;
        assert_eq!(story.count("alarm", "source-credentials").await, place as u64 + 1, "somebody is woken");
    }
    story.akamai.fault(Some(akamai::error(100, "missing_argument")));
    let refused = story.updated(UUID);
    story.sent(&refused).await;
    assert_eq!(story.listed(&refused).await["state"], "dead");
    story.akamai.fault(None);
    assert_eq!(story.contact(UUID).await["LastName"], "Haddad", "none of it has changed anything");

    // It is gone at its source: as if that had been said.
    story.akamai.forget(UUID);
    story.sent(&token).await;
    assert!(story.contacts().await.is_empty());
    let listed = story.listed(&token).await;
    assert_eq!(listed["state"], "ignored");
    assert!(listed["reason"].as_str().unwrap().contains("no such profile"), "{listed}");
    // Of somebody who was never known there is nothing to take away.
    story.sent(&story.updated("never-known")).await;
    assert_eq!(story.count("ignored", "gone").await, 2);
}

/// a lookup that does not end.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a15_a_lookup_that_does_not_end_is_given_up_in_time() {
    let story = Story::begin().await;
    story.akamai.profile(UUID, &noor());
    story.akamai.fault(Some(Reply::Silence));
    let token = story.created(UUID);
    story.told_to_send_again(&token).await;
    story.akamai.fault(None);
    story.sent_again(&token).await;
    assert_eq!(story.contacts().await.len(), 1);
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a27_what_is_stored_is_acknowledged_survives_a_restart_and_is_written_once() {
    let mut story = Story::stored().await;
    story.akamai.profile(UUID, &noor());
    story.fault(json!({"kind": "status", "status": 503})).await;
    let token = story.created(UUID);
    story.sent(&token).await;
    story.sent(&token).await;
    assert!(story.contacts().await.is_empty());
    story.ends(&token, "stored").await;
    story.world.restart().await;
    story.sent(&token).await;
    assert!(story.contacts().await.is_empty());
    story.org.heal().await;
    story.ends(&token, "applied").await;
    assert_eq!(story.contact(UUID).await["LastName"], "Haddad");
    let calls = story.calls().await;
    story.sent(&token).await;
    assert_eq!((story.contacts().await.len(), story.calls().await), (1, calls));
}

impl Story {
    /// Ends when the event is in this state.
    async fn ends(&self, token: &Token, state: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let listed = self.listed(token).await;
            if listed["state"] == state {
                return;
            }
            assert!(Instant::now() < deadline, "{listed} should be {state}");
        }
    }
}

/// What Akamai allows at once is not documented: no more than `concurrency` are asked for, and the others wait for their place.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a15_no_more_profiles_are_asked_for_at_once_than_configured() {
    let story = Story::with(&super::mapping(), |section| {
        section.insert("concurrency".to_owned(), 2.into());
    })
    .await;
    story.person("00000000-first", &json!({"familyName": "First"})).await;
    story.akamai.takes(Duration::from_millis(200));
    let uuids: Vec<String> = (0..12).map(|number| format!("person-{number}")).collect();
    let sends = uuids.iter().map(|uuid| {
        story.akamai.profile(uuid, &noor_as(uuid));
        let token = story.created(uuid);
        let story = &story;
        async move { story.sent_again(&token).await }
    });
    futures::future::join_all(sends).await;
    assert_eq!(story.contacts().await.len(), 13);
    assert_eq!(story.akamai.most_at_once(), 2);
}

/// A source that floods its door keeps no other source waiting.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a_source_that_is_flooded_locks_no_other_out() {
    use tokio::{io::AsyncWriteExt, net::TcpStream};

    let story = Story::begin().await;
    let other = "https://gw.example.com/events/other/acme/prod";
    let mut section = story.akamai.section(other, "people.json");
    section.insert("name".to_owned(), "other".into());
    story.world.reload(|config| e2e::world::add(config, "akamai", section));
    let address = story.world.url().strip_prefix("http://").unwrap().to_owned();
    // Each says that there is more to come, and it does not come.
    let mut held = Vec::new();
    for _ in 0..600 {
        let mut one = TcpStream::connect(&address).await.unwrap();
        let begun = "POST /events/akamai/acme/prod HTTP/1.1\r\nhost: gw\r\ncontent-type: application/secevent+jwt\r\n\
                    content-length: 1000\r\n\r\nx";
        one.write_all(begun.as_bytes()).await.unwrap();
        held.push(one);
    }
    story.akamai.profile(UUID, &noor());
    let full = story.created(UUID);
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let answer = story.send(&full).await;
        if answer.status == 503 && answer.text.contains("too many deliveries at once") {
            assert!(answer.header("retry-after").is_some());
            break;
        }
        assert!(Instant::now() < deadline, "the door is never full: {}", answer.status);
    }
    let token = story.akamai.event("entityCreated", UUID, other);
    let _ =
        story.akamai.send(&format!("{}/events/other/acme/prod", story.world.url()), &token).await.expect(202);
    drop(held);
    story.sent_again(&full).await;
}

/// whoever stands before the source, or takes our credentials away, does not know who is there.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a15_nobody_is_gone_by_another_status_than_200() {
    let story = Story::that_deletes().await;
    story.person(UUID, &noor()).await;
    let Reply::Answer(_, headers, gone) = akamai::error(310, "record_not_found") else { unreachable!() };
    for status in [400, 401, 403, 404, 429, 500, 503] {
        story.akamai.fault(Some(Reply::Answer(status, headers.clone(), gone.clone())));
        story.told_to_send_again(&story.updated(UUID)).await;
        // Nor is a deletion that may be one of before.
        story.told_to_send_again(&story.deleted(UUID).happened(-100)).await;
        assert_eq!(story.contacts().await.len(), 1, "{status}");
    }
    assert_eq!(story.count("alarm", "source-credentials").await, 4, "twice with 401, and with 403");
    story.akamai.fault(Some(Reply::Answer(200, headers, gone)));
    story.sent(&story.updated(UUID)).await;
    assert!(story.contacts().await.is_empty());
}
