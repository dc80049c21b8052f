//! API calls as an operator sees them: in `gangway check`, and on the metrics listener.

use std::net::{SocketAddr, TcpListener};

use crate::world::{World, complaint, gangway, json};
use serde_json::{Value, json as object};

/// An address that nobody listens on. The configuration has to name one, because `check` finds the gateway by it.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn with_metrics(world: &World, listen: &str) {
    let line = format!("[server]\nmetrics-listen = \"{listen}\"");
    world.write("gangway.toml", &world.config().replace("[server]", &line));
}

async fn get(url: String) -> reqwest::Response {
    reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap()
}

/// The value of a sample.
fn sample<'p>(page: &'p str, series: &str) -> &'p str {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in\n{page}"))
}

fn finding(check: &Value, about: &str, words: &str) -> Value {
    let findings = check["findings"].as_array().unwrap();
    let is_it = |finding: &&Value| {
        finding["about"] == about && finding["what"].as_str().is_some_and(|what| what.contains(words))
    };
    findings.iter().find(is_it).unwrap_or_else(|| panic!("nothing about {words} in {check:#}")).clone()
}

#[tokio::test]
async fn a_check_says_how_many_calls_are_left_and_what_it_took_itself() {
    let world = World::start().await;
    let check = json(&world.run(&["check", "--output", "json"]));
    let usage = finding(&check, "org acme", "api-usage=");
    assert_eq!(usage["verdict"], "ok");
    let own = finding(&check, "org acme", "calls of this check: ");
    assert!(own["what"].as_str().unwrap().contains("token 1"), "{own}");
    let quota = &check["quotas"][0];
    assert_eq!((&quota["org"], &quota["calls-since"]), (&object!("acme"), &object!("check")));
    assert_eq!((&quota["reserve"], &quota["reserve-reached"]), (&object!(0), &object!(false)));
    // The org counts the same calls, but for those that ask who we are, which are no API calls.
    let catalogue = quota["calls"]["catalogue"].as_u64().unwrap();
    let used = quota["api-usage"]["used"].as_u64().unwrap();
    assert!(used > 0 && used <= catalogue, "{quota}");
}

#[tokio::test]
async fn a_check_asks_the_running_gateway_what_its_calls_were_for() {
    let world = World::start().await;
    let listen = free();
    with_metrics(&world, &listen.to_string());
    let served = world.serve();
    let check = json(&world.run(&["check", "--output", "json"]));
    let _ = finding(&check, "org acme", "the running gateway has not asked it anything yet");
    assert_eq!(served.create("ada@acme.example").await.status(), 201);
    let check = json(&world.run(&["check", "--output", "json"]));
    let told = finding(&check, "org acme", "calls of the running gateway since its start: ");
    assert!(told["what"].as_str().unwrap().contains("write 1"), "{told}");
    let _ = finding(&check, "org acme", "api-usage=");
    assert_eq!(check["quotas"][0]["calls-since"], "start");
    assert_eq!(check["quotas"][0]["calls"]["write"], 1);
    // One that does not answer is said to.
    drop(served);
    let _holds_the_store = {
        with_metrics(&world, "127.0.0.1:0");
        let served = world.serve();
        with_metrics(&world, &listen.to_string());
        served
    };
    let check = json(&world.run(&["check", "--output", "json"]));
    assert_eq!(finding(&check, "metrics", "does not answer")["verdict"], "warning");
    assert_eq!(check["quotas"][0]["calls-since"], "check", "what the check itself has spent is known");
}

#[tokio::test]
async fn metrics_tell_of_orgs_and_clients_and_of_no_person() {
    let world = World::start().await;
    let listen = free();
    with_metrics(&world, &listen.to_string());
    let served = world.serve();
    let before = get(format!("http://{listen}/metrics")).await;
    assert_eq!(before.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let before = before.text().await.unwrap();
    assert!(
        !before.contains("gangway_salesforce_api_usage{"),
        "nothing is known of an org that was not asked"
    );
    assert_eq!(sample(&before, "gangway_salesforce_calls_total{org=\"acme\",cause=\"write\"}"), "0");

    assert_eq!(served.create("ada@acme.example").await.status(), 201);
    let page = get(format!("http://{listen}/metrics")).await.text().await.unwrap();
    let calls = |cause: &str| {
        sample(&page, &format!("gangway_salesforce_calls_total{{org=\"acme\",cause=\"{cause}\"}}"))
    };
    assert_eq!((calls("token"), calls("write")), ("1", "1"));
    let client = "gangway_salesforce_calls_by_client_total{org=\"acme\",tenant=\"acme/prod\",client=\"entra\",cause=\"write\"}";
    assert_eq!(sample(&page, client), "1");
    let handle = world.org.handle();
    let used = handle.api_calls().to_string();
    assert_eq!(sample(&page, "gangway_salesforce_api_usage{org=\"acme\"}"), used);
    let limit: u64 = sample(&page, "gangway_salesforce_api_limit{org=\"acme\"}").parse().unwrap();
    assert!(limit >= 1_000);
    for (series, value) in [
        ("gangway_salesforce_reserve{org=\"acme\"}", "0"),
        ("gangway_salesforce_reserve_reached{org=\"acme\"}", "0"),
        ("gangway_org_parked{org=\"acme\"}", "0"),
        ("gangway_salesforce_changes_waiting{org=\"acme\"}", "0"),
        ("gangway_salesforce_write_records_bucket{org=\"acme\",le=\"25\"}", "1"),
        ("gangway_salesforce_write_records_count{org=\"acme\"}", "1"),
        ("gangway_config_reload_refused", "0"),
    ] {
        assert_eq!(sample(&page, series), value, "{series}");
    }
    assert!(!page.contains("ada") && !page.contains("lovelace"), "{page}");
    // The public listener has none of it, and the other one nothing but.
    assert_eq!(get(format!("{}/metrics", served.root)).await.status(), 404);
    assert_eq!(get(format!("{}/usage", served.root)).await.status(), 404);
    assert_eq!(get(format!("http://{listen}/scim/v2/Users")).await.status(), 404);
}

#[tokio::test]
async fn metrics_for_other_machines_are_warned_about() {
    let world = World::start().await;
    with_metrics(&world, "0.0.0.0:9464");
    let check = json(&world.run(&["check", "--output", "json"]));
    assert_eq!(finding(&check, "configuration", "0.0.0.0:9464")["verdict"], "warning");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let world = World::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    with_metrics(&world, &listen);
    let config = world.path("gangway.toml");
    let output = gangway(&["serve", "--config"]).arg(config).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains(&format!("cannot listen on {listen}")), "{}", complaint(&output));
}
