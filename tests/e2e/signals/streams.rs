//! The stream: made, verified, kept alive.

use std::time::Duration;

use e2e::sources::transmitter::{SSF, STREAM_AUDIENCE, Set, Transmitter};
use serde_json::{Value, json};
use toml::Value as Toml;

use super::{AUDIENCE, NOOR, Story, ask, by_email, listed, org_file};
use crate::faults::until;

/// Waits until the transmitter was asked so often.
async fn asked(transmitter: &Transmitter, path: &str, times: usize) -> Vec<Value> {
    until(path, || async { transmitter.bodies(path).len() >= times }).await;
    transmitter.bodies(path)
}

fn verification(story: &Story, said: Value) -> Set {
    let stream = json!({"format": "opaque", "id": "stream-1"});
    story.transmitter.event(&format!("{SSF}verification"), &stream, said, STREAM_AUDIENCE)
}

/// A gateway that makes its stream.
async fn managed(transmitter: Transmitter) -> Story {
    Story::of(transmitter, &org_file(0), |transmitter, section| {
        section.insert("transmitter".to_owned(), Toml::from(transmitter.api()));
    })
    .await
}

/// B-1: what the transmitter says that it cannot do is not asked for.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b01_no_stream_is_made_that_delivers_in_a_way_the_transmitter_has_not() {
    let transmitter = Transmitter::start().await;
    transmitter.delivers_by("urn:ietf:rfc:8936");
    let story = managed(transmitter).await;
    until("a failure", || async { story.count("stream-failed", "").await > 0 }).await;
    assert!(story.transmitter.streams().is_empty());
}

/// B-1.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b01_verification_has_the_state_that_was_asked_for_or_none() {
    let story = managed(Transmitter::start().await).await;
    let asked_for = asked(&story.transmitter, "/verify", 1).await;
    let state = asked_for[0]["state"].as_str().unwrap();
    assert_eq!(asked_for[0]["stream_id"], "stream-1");
    let other = json!({"format": "opaque", "id": "stream-of-somebody-else"});
    let uri = format!("{SSF}verification");
    let other = story.transmitter.event(&uri, &other, json!({"state": state}), STREAM_AUDIENCE);
    let other = story.push(&other).await.expect(400);
    assert_eq!(other.json()["err"], "invalid_request");
    let right = verification(&story, json!({"state": state}));
    story.pushed(&right).await;
    assert_eq!(story.listed(&right).await["reason"], "the stream is verified");
    let wrong = story.push(&verification(&story, json!({"state": "made up"}))).await.expect(400);
    assert_eq!(wrong.json()["err"], "invalid_state");
    story.pushed(&verification(&story, json!({}))).await;

    let stream = &story.transmitter.streams()[0];
    assert_eq!(stream["delivery"]["endpoint_url"], AUDIENCE);
    assert_eq!(stream["delivery"]["method"], "urn:ietf:rfc:8935");
    assert_eq!(stream["delivery"]["authorization_header"], "Bearer of-the-transmitter");
    let requested = stream["events_requested"].to_string();
    assert!(
        requested.contains("risc/event-type/account-disabled") && !requested.contains("token-claims-change")
    );
    // What the stream says its tokens are for is as good as what is configured.
    let disabled = story.risc("account-disabled", &by_email("noor")).with("aud", json!([STREAM_AUDIENCE]));
    story.pushed(&disabled).await;
    assert!(story.is_frozen(NOOR).await);

    // What becomes of another one is not about this one.
    let stream = json!({"format": "opaque", "id": "stream-of-another"});
    let paused = json!({"status": "paused"});
    let other = story.transmitter.event(&format!("{SSF}stream-updated"), &stream, paused, AUDIENCE);
    story.pushed(&other).await;
    assert_eq!(story.listed(&other).await["reason"], "another-stream");
    assert_eq!(story.count("alarm", "stream-not-enabled").await, 0);
    // A stream that is paused has to be seen by somebody.
    let stream = json!({"format": "opaque", "id": "stream-1"});
    let paused = story.transmitter.event(
        &format!("{SSF}stream-updated"),
        &stream,
        json!({"status": "paused", "reason": "maintenance"}),
        AUDIENCE,
    );
    story.pushed(&paused).await;
    assert_eq!(story.listed(&paused).await["reason"], "the stream is paused");
    assert_eq!(story.count("alarm", "stream-not-enabled").await, 1);
    // So has one that is back: what has happened meanwhile is not told again.
    let stream = json!({"format": "opaque", "id": "stream-1"});
    let enabled = json!({"status": "enabled"});
    let enabled = story.transmitter.event(&format!("{SSF}stream-updated"), &stream, enabled, AUDIENCE);
    story.pushed(&enabled).await;
    assert_eq!(story.listed(&enabled).await["reason"], "the stream is enabled");
    assert_eq!(story.count("alarm", "stream-enabled-again").await, 1);
}

/// An administrator tries whether events arrive, also where Gangway knows its own stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_arrives_by_a_stream_that_gangway_has_made() {
    let story = managed(Transmitter::start().await).await;
    asked(&story.transmitter, "/verify", 1).await;
    let to = story.to();
    let said =
        ask(&story.world.config_file(), &["events", "send-test", "shared-signals", "--url", &to]).await;
    assert_eq!(said["status"], 202, "{said}");
    assert_eq!(listed(&story.world, said["jti"].as_str().unwrap()).await["state"], "applied");
}

/// What somebody has to see is told as nothing before it happens, so that the first time is seen.
#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_counted_from_nothing() {
    let story = Story::begin().await;
    let url = format!("{}/metrics", story.world.metrics_url().unwrap());
    let page = e2e::Tool::new(&url, "").send("GET", "", &[], None).await.unwrap().text;
    let labels = [
        r#"outcome="dead",reason="""#,
        r#"outcome="held",reason="""#,
        r#"outcome="rejected",reason="signature""#,
        r#"outcome="alarm",reason="stream-not-enabled""#,
        r#"outcome="alarm",reason="credential-compromise""#,
        r#"outcome="alarm",reason="protected-user""#,
    ];
    for labels in labels {
        let line =
            page.lines().find(|line| line.starts_with("gangway_events_total{") && line.contains(labels));
        assert!(line.is_some_and(|line| line.ends_with(" 0")), "{labels}: {page}");
    }
}

/// B-1: a restart finds the stream that is there, and makes another one only when it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b01_a_stream_is_made_once() {
    let transmitter = Transmitter::start().await;
    transmitter.say_of_streams("inactivity_timeout", json!(1));
    let mut story = managed(transmitter).await;
    asked(&story.transmitter, "/verify", 1).await;
    let before = story.transmitter.asked("/streams").len();
    story.world.restart().await;
    asked(&story.transmitter, "/streams", before + 2).await;
    assert_eq!(story.transmitter.streams().len(), 1);
    story.transmitter.forget_streams();
    until("another stream", || async { story.transmitter.streams().len() == 1 }).await;
}

/// B-1: what was asked before a restart is asked again, and so is what was refused, or never came.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b01_a_verification_that_does_not_come_is_asked_for_again() {
    let transmitter = Transmitter::start().await;
    transmitter.say_of_streams("inactivity_timeout", json!(2));
    transmitter.refuse_to_verify(1);
    let mut story = managed(transmitter).await;
    let asked_for = asked(&story.transmitter, "/verify", 2).await;
    assert_ne!(asked_for[0]["state"], asked_for[1]["state"], "each request has its own");
    // Nothing comes: somebody has to know it.
    until("an alarm", || async { story.count("alarm", "stream-not-verified").await > 0 }).await;

    let before = story.transmitter.bodies("/verify").len();
    story.world.restart().await;
    let again = asked(&story.transmitter, "/verify", before + 1).await;
    let old = verification(&story, json!({"state": again[before - 1]["state"]}));
    let refused = story.push(&old).await.expect(400);
    assert_eq!(refused.json()["err"], "invalid_state", "nobody knows any more that it was asked for");
    let newest = story.transmitter.bodies("/verify").pop().unwrap();
    story.pushed(&verification(&story, json!({"state": newest["state"]}))).await;
    // It has come: it is not asked for, nor is there an alarm, for as long as before.
    let alarms = story.count("alarm", "stream-not-verified").await;
    let asked_for = story.transmitter.bodies("/verify").len();
    asked(&story.transmitter, "/status", story.transmitter.asked("/status").len() + 3).await;
    let now = (story.count("alarm", "stream-not-verified").await, story.transmitter.bodies("/verify").len());
    assert_eq!(now, (alarms, asked_for));
}

/// B-14.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b14_the_stream_is_looked_at_before_the_transmitter_gives_it_up() {
    let timeout = Duration::from_secs(2);
    let transmitter = Transmitter::start().await;
    transmitter.say_of_streams("inactivity_timeout", json!(timeout.as_secs()));
    let story = managed(transmitter).await;
    asked(&story.transmitter, "/status", 3).await;
    let managed = [story.transmitter.asked("/verify"), story.transmitter.asked("/status")].concat();
    let mut times: Vec<_> = managed.iter().map(|(at, _)| *at).collect();
    times.sort();
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] < timeout, "{:?} between two calls", pair[1] - pair[0]);
    }
    let path = &story.transmitter.asked("/status")[0].1.path;
    assert_eq!(path, "/status?stream_id=stream-1");
}
