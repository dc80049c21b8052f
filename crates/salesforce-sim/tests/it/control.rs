//! The control endpoints, and starting and stopping.

use std::{net::SocketAddr, time::Duration};

use salesforce_sim::{Fault, Sim, SimConfig, SimError};
use serde_json::{Value, json};

use crate::world::{V, World};

#[tokio::test]
async fn calls_are_counted_by_request() {
    let world = World::start().await;
    let id = world.create("a@example.com", json!({})).await;
    world.delete("/_sim/calls").await.expect(200);
    for _ in 0..2 {
        world.get(&format!("{V}/sobjects/User/{id}")).await.expect(200);
    }
    world.post(&format!("{V}/composite"), json!({})).await.expect(400);
    world.get("/services/data/").await.expect(200);
    let calls = world.get("/_sim/calls").await.expect(200);
    assert_eq!((&calls["api_calls"], &calls["token_calls"]), (&json!(3), &json!(0)));
    let by_request = json!({"GET /sobjects/User/{id}": 2, "POST /composite": 1});
    assert_eq!(calls["by_request"], by_request);
}

#[tokio::test]
async fn records_come_with_every_field() {
    let world = World::start().await;
    let id = world.create("a@example.com", json!({"Title": "x"})).await;
    let body = world.get("/_sim/records/user").await.expect(200);
    let records = body["records"].as_array().unwrap();
    assert_eq!(records.len(), 3);
    assert_eq!(records[2]["Id"], id);
    assert!(records[2].as_object().unwrap().len() > 90);
    for (query, expected) in [
        ("Username=A@example.com", 1),
        ("Title=X", 1),
        ("IsActive=false", 0),
        ("IsActive=true&Title=x", 1),
        ("Title=", 1),
    ] {
        let body = world.get(&format!("/_sim/records/User?{query}")).await.expect(200);
        assert_eq!(body["records"].as_array().unwrap().len(), expected, "{query}");
    }
    assert_eq!(world.get("/_sim/records/Nope").await.status, 400);
    assert_eq!(world.sim.handle().records("User").len(), 3);
}

/// §9 "Test controls": clock control.
#[tokio::test]
async fn the_clock_only_goes_forward() {
    let world = World::start().await;
    assert_eq!(world.post("/_sim/clock", json!({"advance_seconds": -1})).await.status, 400);
    assert_eq!(world.post("/_sim/clock", json!({})).await.status, 400);
    world.control("/clock", json!({"advance_seconds": 86_400})).await;
}

/// §9 "Test controls": licence totals.
#[tokio::test]
async fn licences_are_set_all_or_none() {
    let world = World::start().await;
    let body = json!({"Salesforce": 7, "Nope": 1});
    assert_eq!(world.post("/_sim/licenses", body).await.status, 400);
    let state = world.get("/_sim/state").await.expect(200);
    assert_eq!(state["licenses"]["Salesforce"], json!({"total": 10_000, "used": 2}));
    world.control("/licenses", json!({"Salesforce": 7})).await;
    let state = world.get("/_sim/state").await.expect(200);
    assert_eq!(state["licenses"]["Salesforce"], json!({"total": 7, "used": 2}));
    assert_eq!(state["records"]["User"], 2);
}

#[tokio::test]
async fn a_reset_is_a_new_org() {
    let mut world = World::start().await;
    world.create("a@example.com", json!({})).await;
    world.control("/faults", json!({"kind": "status", "path": "/data/v*/composite"})).await;
    world.control("/switches", json!({"is-active-default": false})).await;
    world.control("/reset", json!({})).await;
    world.get(&format!("{V}/limits")).await.expect_error(401, "INVALID_SESSION_ID");
    world.refresh().await;
    let state = world.get("/_sim/state").await.expect(200);
    assert_eq!(state["records"]["User"], 2);
    assert_eq!(state["faults"], json!([]));
    assert_eq!(state["switches"]["is-active-default"], true);
    world.create("a@example.com", json!({})).await;
}

/// §9 "Test controls": token revocation.
#[tokio::test]
async fn tokens_of_one_user_or_of_all_can_be_revoked() {
    let mut world = World::start().await;
    let limits = format!("{V}/limits");
    assert_eq!(world.post("/_sim/tokens/revoke", json!({"user": "nobody@example.com"})).await.status, 400);
    let other = json!({"user": "admin@harbour-lights.example"});
    assert_eq!(world.control("/tokens/revoke", other).await["revoked"], 0);
    world.get(&limits).await.expect(200);
    let token = json!({"token": world.token});
    assert_eq!(world.control("/tokens/revoke", token).await["revoked"], 1);
    world.get(&limits).await.expect(401);
    world.refresh().await;
    assert_eq!(world.get("/_sim/state").await.expect(200)["tokens"], json!({"access": 1, "refresh": 1}));
    let user = json!({"user": "integration@harbour-lights.example"});
    assert_eq!(world.control("/tokens/revoke", user).await["revoked"], 2);
    world.get(&limits).await.expect(401);
    world.token_call(&crate::world::refresh_form("simulated-refresh-token")).await.expect(400);
    world.control("/reset", json!({})).await;
    world.refresh().await;
    assert_eq!(world.control("/tokens/revoke", json!({})).await["revoked"], 2);
}

/// §9 "Test controls": FLS switches. A hidden field vanishes from describe and row and is no field to a query.
#[tokio::test]
async fn fields_can_be_hidden_and_shown_while_the_org_runs() {
    let world = World::start().await;
    let id = world.create("a@example.com", json!({"Division": "Harbour"})).await;
    let describe = format!("{V}/sobjects/User/describe");
    let etag = world.get(&describe).await.header("etag").to_owned();
    world.control("/fields", json!({"hide": ["User.Division"], "show": ["User.MiddleName"]})).await;
    let user = world.user(&id).await;
    assert!(!user.contains_key("Division") && user.contains_key("MiddleName"));
    world.query_answer("SELECT Division FROM User").await.expect_error(400, "INVALID_FIELD");
    let body = world.get(&describe).await;
    assert_ne!(body.header("etag"), etag);
    assert!(!body.text.contains("\"Division\""));
    let path = format!("{V}/sobjects/User/{id}");
    world.patch(&path, json!({"Division": "x"})).await.expect_error(400, "INVALID_FIELD");
    let wrong = json!({"show": ["User.Division", "User.Nope"]});
    assert_eq!(world.post("/_sim/fields", wrong).await.status, 400);
    assert!(!world.user(&id).await.contains_key("Division"), "all or none");
    world.control("/fields", json!({"show": ["User.Division"]})).await;
    assert_eq!(world.user(&id).await["Division"], "Harbour");
}

/// §9 "Test controls": seed.
#[tokio::test]
async fn a_seed_makes_what_follows_repeatable() {
    let mut world = World::start().await;
    let mut run = async || {
        world.control("/seed", json!({"seed": 5})).await;
        world.refresh().await;
        world.token.clone()
    };
    assert_eq!(run().await, run().await);
    assert_eq!(world.post("/_sim/seed", json!({"seed": -1})).await.status, 400);
}

#[tokio::test]
async fn switches_that_do_not_exist_are_refused() {
    let world = World::start().await;
    assert_eq!(world.post("/_sim/switches", json!({"nope": 1})).await.status, 400);
    assert_eq!(world.post("/_sim/switches", json!({"is-active-default": 1})).await.status, 400);
    assert_eq!(world.post("/_sim/nope", json!({})).await.status, 404);
}

/// Not loopback: refused unless allowed; then control calls need the token.
#[tokio::test]
async fn a_simulated_org_stays_on_loopback_unless_told() {
    let listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Sim::start(SimConfig { listen, ..SimConfig::default() }).await;
    assert!(matches!(refused, Err(SimError::Remote(_))));
    let config = SimConfig {
        listen,
        allow_remote: true,
        control_token: Some("secret".into()),
        ..SimConfig::default()
    };
    let sim = Sim::start(config).await.unwrap();
    let Some(address) = own_address() else { return };
    let url = format!("http://{address}:{}/_sim/calls", sim.addr.port());
    let http = reqwest::Client::new();
    assert_eq!(http.get(&url).send().await.unwrap().status(), 403);
    assert_eq!(http.get(&url).bearer_auth("wrong").send().await.unwrap().status(), 403);
    assert_eq!(http.get(&url).bearer_auth("secret").send().await.unwrap().status(), 200);
    let header = http.get(&url).header("X-Sim-Control-Token", "secret").send().await.unwrap();
    assert_eq!(header.status(), 200);
    let local = format!("http://127.0.0.1:{}/_sim/calls", sim.addr.port());
    assert_eq!(http.get(local).send().await.unwrap().status(), 200);
}

/// An address of this machine that is not loopback, if it has one.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    // Nothing is sent: this only asks which way a packet would go.
    socket.connect(("192.0.2.1", 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[tokio::test]
async fn a_stopped_org_is_gone_and_its_port_is_free() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let (addr, handle) = (sim.addr, sim.handle());
    sim.stop().await;
    assert!(reqwest::get(format!("http://{addr}/services/data/")).await.is_err());
    assert_eq!(handle.count("User"), 2, "the handle outlives the server");
    let again = Sim::start(SimConfig { listen: addr, ..SimConfig::default() }).await.unwrap();
    assert_eq!(again.addr, addr);
}

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let second = Sim::start(SimConfig { listen: sim.addr, ..SimConfig::default() }).await;
    assert!(matches!(second, Err(SimError::Listen { .. })));
}

/// It starts under any runtime, also beside another actix system.
#[test]
fn it_lives_inside_another_actix_server() {
    let status = actix_web::rt::System::new().block_on(async {
        let sim = Sim::start(SimConfig::default()).await.unwrap();
        let status = reqwest::get(format!("{}/services/data/", sim.url())).await.unwrap().status();
        sim.stop().await;
        status
    });
    assert_eq!(status, 200);
}

#[tokio::test]
async fn the_same_seed_is_the_same_org() {
    let ids = |seed| async move {
        let sim = Sim::start(SimConfig { seed, ..SimConfig::default() }).await.unwrap();
        sim.handle().records("User").into_iter().map(|user| user["Id"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(ids(7).await, ids(7).await);
    assert_ne!(ids(7).await, ids(8).await);
}

#[tokio::test]
async fn the_handle_does_what_the_endpoints_do() {
    let world = World::start().await;
    let handle = world.sim.handle();
    assert!(handle.set_licence_total("Salesforce", 2) && !handle.set_licence_total("Nope", 2));
    let person = world.person("a@example.com").await;
    world.post(&format!("{V}/sobjects/User"), person).await.expect_error(400, "LICENSE_LIMIT_EXCEEDED");
    let fault: Fault = serde_json::from_value(json!({"kind": "status"})).unwrap();
    handle.add_fault(fault);
    world.get(&format!("{V}/limits")).await.expect(503);
    handle.clear_faults();
    assert_eq!(handle.expire_tokens(), 1);
    handle.advance(Duration::from_secs(1));
    handle.forget_calls();
    assert_eq!((handle.api_calls(), handle.token_calls()), (0, 0));
    handle.reset().unwrap();
    assert!(handle.user("INTEGRATION@harbour-lights.example").is_some());
}
