//! Stops, restarts and the tokens that must survive them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use e2e::{World, world::table};
use serde_json::{Value, json};

use super::{impatient, replace, until};

/// The org takes no such calls on Users.
fn away(method: &str) -> Value {
    json!({"method": method, "path": "/data/v*/sobjects/User", "kind": "status", "status": 503,
        "error_code": "SERVER_UNAVAILABLE"})
}

async fn rotate(world: &World) {
    world.org().switch(json!({"refresh-token-rotation": true, "revoke-family-on-reuse": true})).await;
}

/// SIGTERM: who has asked is answered before the gateway is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_answers_what_is_in_flight() {
    let mut world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.fault(json!({"method": "POST", "path": "/data", "kind": "delay", "delay_ms": 1_000})).await;
    let before = org.calls().await.api;
    // As many as calls may be under way.
    let asked: Vec<_> = (0..4)
        .map(|n| {
            let tool = tool.clone();
            tokio::spawn(async move { tool.create(&format!("p{n}@acme.example")).await })
        })
        .collect();
    until("all calls are out", async || org.calls().await.api >= before + 4).await;
    world.restart().await;
    for (n, answer) in asked.into_iter().enumerate() {
        let id = answer.await.unwrap().expect(201).id();
        assert_eq!(world.tool().get(&format!("/Users/{id}")).await.expect(200).id(), id);
        assert_eq!(org.users(&format!("p{n}@acme.example")).await.len(), 1);
    }
}

/// What was accepted before a stop has its turn before what is asked afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_change_is_not_overtaken_after_a_restart() {
    let mut world = World::start().await;
    let org = world.org();
    let path = format!("/Users/{}", world.tool().create("ada@acme.example").await.expect(201).id());
    org.fault(away("PATCH")).await;
    let _ = world.tool().patch(&path, replace("active", false)).await.expect(503);
    world.restart().await;
    let tool = world.tool();
    let back = tokio::spawn(async move { tool.patch(&path, replace("active", true)).await });
    org.heal().await;
    let back = back.await.unwrap().expect(200);
    // The second change of her, so she was away in between.
    assert_eq!(back.json()["meta"]["version"], "W/\"3\"");
    assert_eq!(org.user("ada@acme.example").await["IsActive"], true);
}

/// An operator corrects how an org is reached: what waited for it is done, without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_waits_takes_the_corrected_configuration() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create("ada@acme.example").await.expect(201).id());
    let reach = |url: String| {
        move |config: &mut toml::Table| {
            table(table(config, "orgs"), "acme").insert("url".into(), url.into());
        }
    };
    world.reload(reach("http://127.0.0.1:1".into()));
    let _ = tool.delete(&path).await.expect(503);
    world.reload(reach(org.url().to_owned()));
    until("ada is locked out", async || org.user("ada@acme.example").await["IsActive"] == false).await;
    until("ada is gone", async || tool.get(&path).await.status == 404).await;
}

/// A refresh token that is rotated during the stop is durable before the store is closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_rotated_during_a_stop_is_not_lost() {
    let mut world = impatient().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    rotate(&world).await;
    org.fault(
        json!({"method": "POST", "path": "/oauth2/token", "kind": "delay", "delay_ms": 4_000, "count": 1}),
    )
    .await;
    let before = org.calls().await.token;
    org.expire_tokens().await;
    let _ = tool.create("ada@acme.example").await.expect(503);
    until("the refresh is out", async || org.calls().await.token > before).await;
    world.restart().await;
    for name in ["bob@acme.example", "eve@acme.example"] {
        org.expire_tokens().await;
        let _ = world.tool().create(name).await.expect(201);
    }
}

/// Rotation, expiry under load and restarts: no token is ever lost, and nobody notices.
#[tokio::test(flavor = "multi_thread")]
async fn rotated_tokens_survive_expiry_and_restarts_under_load() {
    let mut world = World::start().await;
    let org = world.org();
    rotate(&world).await;
    let made = Arc::new(AtomicU32::new(0));
    for round in 0..4_u32 {
        let stop = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..8_u32)
            .map(|caller| {
                let (tool, stop, made) = (world.tool(), Arc::clone(&stop), Arc::clone(&made));
                tokio::spawn(async move {
                    for n in 0_u32.. {
                        if stop.load(Ordering::Acquire) {
                            return;
                        }
                        let _ =
                            tool.create(&format!("r{round}-c{caller}-{n}@acme.example")).await.expect(201);
                        made.fetch_add(1, Ordering::AcqRel);
                    }
                })
            })
            .collect();
        for _ in 0..3 {
            let enough = made.load(Ordering::Acquire) + 16;
            org.expire_tokens().await;
            until("more are made", async || made.load(Ordering::Acquire) >= enough).await;
        }
        stop.store(true, Ordering::Release);
        for caller in callers {
            caller.await.unwrap();
        }
        org.expire_tokens().await;
        world.restart().await;
    }
    let _ = world.tool().create("last@acme.example").await.expect(201);
    assert!(org.calls().await.token >= 12, "tokens were renewed all the time");
}
