//! Whose word is taken.

use std::time::Duration;

use e2e::{
    Answered,
    sources::{
        akamai::{self, Token},
        http::{Reply, Server},
        token,
    },
};
use model::Clock;
use serde_json::json;

use crate::akamai::{AUDIENCE, Story, UUID, noor};

impl Story {
    /// What is refused leaves no trace in the org and asks nobody for anything.
    async fn refuses(&self, token: &str, status: u16, err: &str) -> Answered {
        let (calls, lookups) = (self.calls().await, self.lookups());
        let answer = akamai::send(&self.to(), token).await.expect(status);
        assert_eq!(answer.json()["err"], err, "{}", answer.text);
        assert!(answer.json()["description"].is_string());
        assert_eq!((self.calls().await, self.lookups()), (calls, lookups), "nothing is done for it");
        assert!(self.contacts().await.is_empty());
        answer
    }

    async fn knows_noor() -> Self {
        let story = Self::begin().await;
        story.akamai.profile(UUID, &noor());
        story
    }
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a06_a_flipped_byte_is_refused_and_counted() {
    let story = Story::knows_noor().await;
    let good = story.created(UUID).signed();
    let (head, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    // In the middle of a claim's value, where the payload stays JSON.
    let at = payload.len() / 2;
    let other = if payload.as_bytes()[at] == b'A' { 'B' } else { 'A' };
    let flipped = format!("{}{other}{}", &payload[..at], &payload[at + 1..]);
    story.refuses(&format!("{head}.{flipped}.{signature}"), 400, "invalid_key").await;
    assert_eq!(story.count("rejected", "signature").await, 1);
    // Unharmed it is taken.
    let _ = akamai::send(&story.to(), &good).await.expect(202);
    assert_eq!(story.contacts().await.len(), 1);
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a07_no_signature_a_confused_key_and_a_login_token_are_refused() {
    let story = Story::knows_noor().await;
    let Token { header, claims, .. } = story.created(UUID);
    let with = |member: &str, value: &str| {
        let mut header = header.clone();
        header[member] = json!(value);
        header
    };
    story.refuses(&token::unsigned(&with("alg", "none"), &claims), 400, "invalid_key").await;
    let confused = token::keys()[0].confuse(&with("alg", "HS256"), &claims);
    story.refuses(&confused, 400, "invalid_key").await;
    // Hosted Login signs with the same keys: it is the type that tells them apart.
    let login = token::keys()[0].sign(&with("typ", "JWT"), &claims);
    story.refuses(&login, 400, "invalid_request").await;
    let mut untyped = header.clone();
    untyped.as_object_mut().unwrap().remove("typ");
    story.refuses(&token::keys()[0].sign(&untyped, &claims), 400, "invalid_request").await;
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a08_the_keys_that_a_token_names_are_not_looked_at() {
    let story = Story::knows_noor().await;
    let attackers = token::keys()[2].jwk();
    let (visited, was_visited) = std::sync::mpsc::channel();
    let visited = std::sync::Mutex::new(visited);
    let attacker = Server::start(move |_| {
        let _ = visited.lock().unwrap().send(());
        Reply::json(&json!({"keys": [attackers]}))
    })
    .await;
    let mut token = story.created(UUID).by_key(2);
    token.header["jku"] = json!(format!("{}/keys", attacker.url()));
    token.header["x5u"] = token.header["jku"].clone();
    token.header["jwk"] = token::keys()[2].jwk();
    story.refuses(&token.signed(), 400, "invalid_key").await;
    assert!(was_visited.try_recv().is_err(), "nobody asked the attacker");
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a09_issuer_and_audience_are_those_of_the_configuration() {
    let story = Story::knows_noor().await;
    let from = |iss: &str| story.created(UUID).claim("iss", json!(iss)).signed();
    story.refuses(&from("https://v1.api.us.janrain.com/another/webhooks"), 400, "invalid_issuer").await;
    story.refuses(&from("Akamai Identity Cloud"), 400, "invalid_issuer").await;
    let to = |aud: serde_json::Value| story.created(UUID).claim("aud", aud);
    for elsewhere in [
        json!("https://gw.example.com/events/akamai/acme/test"),
        json!(["https://elsewhere.example/events/akamai/acme/prod"]),
        json!([]),
        json!(format!("{AUDIENCE}/more")),
    ] {
        story.refuses(&to(elsewhere).signed(), 400, "invalid_audience").await;
    }
    for here in [
        json!(AUDIENCE),
        json!([AUDIENCE]),
        json!(format!("{AUDIENCE}/")),
        json!(["https://x.example", AUDIENCE]),
    ] {
        story.sent(&to(here)).await;
    }
    assert_eq!(story.contacts().await.len(), 1);
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a10_an_event_of_another_environment_is_denied() {
    let story = Story::knows_noor().await;
    let elsewhere = format!("capture-v1://us.janraincapture.com/anotherapplication/user/{UUID}");
    for (member, value) in [("captureApplicationId", "anotherapplication"), ("globalSub", elsewhere.as_str())]
    {
        let token = story.created(UUID).saying(member, json!(value));
        story.refuses(&token.signed(), 403, "access_denied").await;
    }
    let somebody = story.created(UUID).saying("sub", json!("somebody-else"));
    story.refuses(&somebody.signed(), 400, "invalid_request").await;
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a16_a_new_key_is_read_once_and_unknown_ones_no_more_than_once_a_minute() {
    let story = Story::knows_noor().await;
    story.sent(&story.created(UUID)).await;
    assert_eq!(story.akamai.key_reads(), 1);
    // The sender has a new key. A minute has to lie between two readings.
    story.world.advance(Duration::from_secs(61));
    story.akamai.publish(&[1, 2]);
    story.sent(&story.updated(UUID).by_key(2)).await;
    assert_eq!(story.akamai.key_reads(), 2, "read once more, for the key that was not there");
    story.sent(&story.updated(UUID).by_key(2)).await;
    assert_eq!(story.akamai.key_reads(), 2);

    story.world.advance(Duration::from_secs(61));
    for number in 0..100 {
        let mut token = story.updated(UUID);
        token.header["kid"] = json!(format!("unheard-of-{number}"));
        let answer = story.send(&token).await.expect(400);
        assert_eq!(answer.json()["err"], "invalid_key");
    }
    assert_eq!(story.akamai.key_reads(), 3, "a flood reads the keys once a minute at most");

    // Who cannot be asked may have the key.
    story.world.advance(Duration::from_secs(61));
    for fault in [Reply::Cut, Reply::status(503, ""), Reply::status(200, "no keys")] {
        story.akamai.key_fault(Some(fault));
        let answer = story.send(&story.updated(UUID).by_key(0)).await.expect(503);
        assert!(answer.header("retry-after").is_some());
        story.world.advance(Duration::from_secs(61));
    }
    // Those that are known still are.
    story.sent(&story.updated(UUID).by_key(2)).await;
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a17_clocks_may_differ_a_little_and_events_may_be_ten_days_old() {
    let story = Story::knows_noor().await;
    let now = Clock::system().now().as_second();
    let (minute, day) = (60, 86_400);
    let issued = |at: i64| story.created(UUID).claim("iat", json!(now + at)).claim("toe", json!(now + at));
    for wrong in [10 * minute, -30 * day, -11 * day] {
        story.refuses(&issued(wrong).signed(), 400, "invalid_request").await;
    }
    let expired = story.created(UUID).claim("exp", json!(now - 1));
    story.refuses(&expired.signed(), 400, "invalid_request").await;
    for good in [4 * minute, -9 * day, 0] {
        story.sent(&issued(good)).await;
    }
}
