//! Everything fails at random, by seed. `GANGWAY_FAULT_SEED=7 cargo nextest run -p e2e a_seed_of_ones_own` runs another one.

use std::time::Duration;

use e2e::{Org, World, world::table};
use salesforce_sim::SimConfig;
use serde_json::json;

use super::{
    listed,
    people::{Chance, Crowd},
    until,
};

/// How many changes are acknowledged between two stops.
const BETWEEN_STOPS: u64 = 60;
const STOPS: u64 = 2;

/// Each call may be cut, locked, refused for the moment or late.
async fn storm(org: &Org) {
    for (method, path) in [
        ("POST", "/data/v*/sobjects/User"),
        ("POST", "/data/v*/composite"),
        ("PATCH", "/data/v*/sobjects/User"),
        ("GET", "/data/v*/sobjects/User"),
        ("GET", "/data/v*/query"),
    ] {
        for (kind, probability) in
            [("cut-before-commit", 0.06), ("cut-after-commit", 0.25), ("status", 0.02), ("lock", 0.04)]
        {
            org.fault(json!({"method": method, "path": path, "kind": kind, "status": 503,
                "error_code": "SERVER_UNAVAILABLE", "probability": probability}))
                .await;
        }
        org.fault(
            json!({"method": method, "path": path, "kind": "delay", "delay_ms": 40, "probability": 0.3}),
        )
        .await;
    }
}

async fn story(seed: u64) {
    // Shown when the test fails.
    println!("GANGWAY_FAULT_SEED={seed}");
    let mut config = e2e::world::default_config();
    table(&mut config, "server").insert("answer-within".into(), "1s".into());
    let sim = SimConfig { seed, latency: Duration::from_millis(2), ..SimConfig::default() };
    let mut world = World::of(config, sim).await;
    let org = world.org();
    storm(&org).await;
    let mut chance = Chance::new(seed);
    let crowd = Crowd::start(seed, world.tool());
    for _ in 0..STOPS {
        let enough = crowd.acknowledged() + u32::try_from(BETWEEN_STOPS + chance.below(20)).unwrap();
        until("more is acknowledged", async || crowd.acknowledged() >= enough).await;
        world.restart().await;
        crowd.moved(world.tool());
    }
    let promises = crowd.stop().await;
    org.heal().await;
    let config = world.config_file();
    until("every change has ended", async || listed(&config, "changes").await.is_empty()).await;
    assert!(listed(&config, "holds").await.is_empty(), "nobody is like somebody else");
    promises.hold(&world.tool(), &org).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promises_are_kept_in_the_first_storm() {
    story(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promises_are_kept_in_the_second_storm() {
    story(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promises_are_kept_in_the_third_storm() {
    story(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_of_ones_own() {
    if let Ok(seed) = std::env::var("GANGWAY_FAULT_SEED") {
        story(seed.parse().unwrap()).await;
    }
}
