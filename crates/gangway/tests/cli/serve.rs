//! `gangway serve` as an operator meets it: health, reload, stop.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::world::{FIRST, SECOND, World, until};
use salesforce_sim::SimConfig;

#[tokio::test]
async fn a_gateway_says_that_it_lives_and_that_its_org_is_simulated() {
    let world = World::start().await;
    let served = world.serve();
    let live = reqwest::get(format!("{}/livez", served.root)).await.unwrap();
    assert_eq!(live.status(), 200);
    let ready = reqwest::get(format!("{}/readyz", served.root)).await.unwrap();
    assert_eq!(ready.headers()["x-gangway-simulated"], "true");
    insta::assert_snapshot!(ready.text().await.unwrap(), @r#"{"status":"ready","simulated":true,"checks":{"store":"ok","config":"ok","orgs":"ok"}}"#);
    assert_eq!(world.org.handle().api_calls(), 0, "a start asks nothing of the org");
    assert_eq!(served.stop(), Some(0));
}

#[tokio::test]
async fn a_new_configuration_is_taken_and_a_wrong_one_is_not() {
    let world = World::start().await;
    let served = world.serve();
    assert_eq!((served.status("first").await, served.status("second").await), (200, 401));

    world.write("gangway.toml", &world.config().replace(FIRST, SECOND));
    served.signal("-HUP");
    until("the second token", async || served.status("second").await == 200).await;
    assert_eq!(served.status("first").await, 401);

    world.write("gangway.toml", "[server]\nlistne = 1\n");
    served.signal("-HUP");
    until("the refusal", async || served.readiness().await["checks"]["config"] == "reload-refused").await;
    assert_eq!(served.status("second").await, 200, "the configuration before is in force");

    world.write("gangway.toml", &world.config());
    served.signal("-HUP");
    until("the first token", async || served.status("first").await == 200).await;
    assert_eq!(served.readiness().await["checks"]["config"], "ok");
}

#[tokio::test]
async fn what_needs_a_restart_is_refused_while_it_runs() {
    let world = World::start().await;
    let served = world.serve();
    world.write("gangway.toml", &world.config().replace("data/gangway.db", "data/other.db"));
    served.signal("-HUP");
    until("the refusal", async || served.readiness().await["checks"]["config"] == "reload-refused").await;
    assert!(!world.path("data/other.db").exists());
}

#[tokio::test]
async fn a_stop_answers_what_is_in_flight() {
    let world = World::with(SimConfig { latency: Duration::from_millis(500), ..SimConfig::default() }).await;
    let served = world.serve();
    let org = world.org.handle();
    let (answer, ()) = tokio::join!(served.create("ada@acme.example"), async {
        until("the request's call", async || org.token_calls() > 0).await;
        served.signal("-TERM");
    });
    assert_eq!(answer.status(), 201);
    assert!(org.user("ada@acme.example").is_some());
    assert_eq!(served.end(), Some(0));
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let world = World::start().await;
    let served = world.serve();
    assert_eq!(served.create("ada@acme.example").await.status(), 201);
    assert_eq!(served.stop(), Some(0));
    let served = world.serve();
    assert_eq!(served.create("ada@acme.example").await.status(), 409);
}

/// Design: header read 10 s. A client that drips its head does not hold a connection for longer.
#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_is_cut_off() {
    let world = World::start().await;
    let served = world.serve();
    let root = served.root.clone();
    let held = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(root.trim_start_matches("http://")).unwrap();
        stream.write_all(b"GET /scim/v2/Users HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
        let start = Instant::now();
        let mut answer = Vec::new();
        // Closed with 408 or without a word: either way it ends.
        let _ = stream.read_to_end(&mut answer);
        start.elapsed()
    })
    .await
    .unwrap();
    let limit = gangway::HEADER_READ;
    assert!(held >= limit / 2 && held <= limit * 2, "it was held for {held:?}");
}
