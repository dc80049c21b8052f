//! Events that Gangway fetches.

use std::{collections::BTreeMap, path::Path};

use e2e::{
    Process, World,
    sources::transmitter::{RISC, Transmitter},
    world::add,
};
use serde_json::{Value, json};
use toml::{Table, Value as Toml};

use super::{AUDIENCE, by_email, is_frozen, org_file, scene};
use crate::faults::until;

/// Waits until nothing is left to be fetched.
async fn drained(transmitter: &Transmitter) {
    until("the end of the queue", || async { transmitter.waiting() == 0 }).await;
}

fn configured(transmitter: &Transmitter, acknowledge: &str) -> Table {
    let mut section = transmitter.polled_section(AUDIENCE);
    section.insert("acknowledge".to_owned(), Toml::from(acknowledge));
    section.insert("max-freezes-per-hour".to_owned(), Toml::from(1_000));
    section
}

/// What was acknowledged, and how often.
fn acknowledged(polls: &[Value]) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for jti in polls.iter().flat_map(|poll| poll["ack"].as_array().unwrap()) {
        *times.entry(jti.as_str().unwrap().to_owned()).or_default() += 1;
    }
    times
}

/// B-11.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b11_a_hundred_and_twenty_events_are_fetched_in_three_rounds_and_a_bad_one_is_named() {
    for acknowledge in ["stored", "sync"] {
        let transmitter = Transmitter::start().await;
        let mut expected = Vec::new();
        for number in 0..120 {
            let who = by_email(&format!("p{}", number % 5));
            let set = transmitter.event(&format!("{RISC}sessions-revoked"), &who, json!({}), AUDIENCE);
            let set = if number == 60 { set.signed_by(2) } else { set };
            if number != 60 {
                expected.push(set.jti().to_owned());
            }
            transmitter.queue(&set);
        }
        let section = configured(&transmitter, acknowledge);
        let world =
            World::of_scene(&scene(&org_file(5)), |config| add(config, "shared-signals", section)).await;
        drained(&transmitter).await;
        let polls = transmitter.bodies("/poll");
        let fetching = polls.iter().take_while(|poll| poll["ack"].as_array().unwrap().len() != 20).count();
        assert_eq!(fetching, 3, "{acknowledge}: 50, 50 and 20");
        assert!(polls.iter().all(|poll| poll["maxEvents"] == 50 && poll["returnImmediately"].is_boolean()));
        let times = acknowledged(&polls);
        assert!(times.values().all(|times| *times == 1), "{times:?}");
        expected.sort();
        assert_eq!(times.into_keys().collect::<Vec<_>>(), expected);
        let wrong: Vec<_> = polls.iter().filter_map(|poll| poll["setErrs"].as_object()).flatten().collect();
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert_eq!(wrong[0].1["err"], "invalid_key");
        for number in 0..5 {
            let user = world.org().user(&format!("p{number}@acme.example")).await["Id"].clone();
            let id = user.as_str().unwrap().to_owned();
            let org = world.org();
            until("the end of the sessions", || async {
                org.find("AuthSession", "UsersId", &id).await.is_empty()
            })
            .await;
        }
    }
}

/// B-11: a transmitter that is away, and a stream that says where it is polled.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b11_a_stream_that_gangway_makes_is_polled_where_it_says() {
    let transmitter = Transmitter::start().await;
    let mut section = configured(&transmitter, "stored");
    section.remove("poll-url");
    section.insert("transmitter".to_owned(), Toml::from(transmitter.api()));
    transmitter.poll_fault(Some(e2e::sources::http::Reply::Cut));
    let world = World::of_scene(&scene(&org_file(1)), |config| add(config, "shared-signals", section)).await;
    transmitter.queue(&transmitter.event(
        &format!("{RISC}account-disabled"),
        &by_email("p0"),
        json!({}),
        AUDIENCE,
    ));
    until("a poll", || async { !transmitter.asked("/poll").is_empty() }).await;
    transmitter.poll_fault(None);
    drained(&transmitter).await;
    let org = world.org();
    until("the freeze", || is_frozen(&org, "p0@acme.example")).await;
    assert_eq!(transmitter.streams()[0]["delivery"]["method"], "urn:ietf:rfc:8936");
    // Nobody pushes to a source that is polled.
    let to = format!("{}/events/shared-signals/acme/prod", world.url());
    let set = transmitter.event(&format!("{RISC}account-disabled"), &by_email("noor"), json!({}), AUDIENCE);
    let _ = transmitter.push(&to, &set).await.expect(403);
}

/// B-11: killed between applying and acknowledging.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b11_what_was_applied_and_not_acknowledged_comes_again_and_is_not_applied_again() {
    let transmitter = Transmitter::start().await;
    let section = configured(&transmitter, "sync");
    let set = transmitter.event(&format!("{RISC}account-disabled"), &by_email("p0"), json!({}), AUDIENCE);
    let program = Path::new(env!("CARGO_BIN_EXE_gangway-under-test"));
    let sim = salesforce_sim::SimConfig::default();
    let mut process =
        Process::with(program, &scene(&org_file(1)), sim, |config| add(config, "shared-signals", section))
            .await;
    transmitter.queue(&set);
    let org = process.org();
    until("the freeze", || is_frozen(&org, "p0@acme.example")).await;
    // From now on no acknowledgement arrives.
    transmitter.poll_fault(Some(e2e::sources::http::Reply::Cut));
    process.kill().await;
    let writes =
        org.one("UserLogin", "UserId", org.user("p0@acme.example").await["Id"].as_str().unwrap()).await;
    if transmitter.waiting() == 0 {
        // It was faster than the kill: it is given out again all the same.
        transmitter.queue(&set);
    }
    transmitter.poll_fault(None);
    process.restart().await;
    drained(&transmitter).await;
    let after =
        org.one("UserLogin", "UserId", org.user("p0@acme.example").await["Id"].as_str().unwrap()).await;
    assert_eq!(after, writes, "nothing is written twice");
    assert_eq!(after["IsFrozen"], true);
}
