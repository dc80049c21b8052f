//! An org that has few API calls left: what it still hears, and who is told.

use e2e::{Answered, World, world::table};
use serde_json::{Value, json};
use tokio::process::Command;

/// A gateway with a reserve and with metrics, whose org has no calls left beyond the reserve, and one person in it.
async fn near_its_limit() -> (World, String) {
    let world = World::with(|config| {
        table(table(config, "orgs"), "acme").insert("reserve-calls".into(), 1_000.into());
        // `check` finds the gateway by the address that stands in the configuration.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        table(config, "server").insert("metrics-listen".into(), free.to_string().into());
    })
    .await;
    let tool = world.tool();
    let path = format!("/Users/{}", tool.create("ada@acme.example").await.expect(201).id());
    assert_eq!(metric(&world, "gangway_salesforce_reserve_reached{org=\"acme\"}").await, "0");
    world.org().switch(json!({"daily-api-requests": 900})).await;
    // Any call tells how few are left.
    let _ = tool.patch(&path, replace("title", &json!("Countess"))).await.expect(200);
    (world, path)
}

fn replace(path: &str, value: &Value) -> Value {
    json!([{"op": "replace", "path": path, "value": value}])
}

async fn metric(world: &World, series: &str) -> String {
    let url = world.metrics_url().expect("metrics are served");
    let client = e2e::Tool::new(&url, "");
    let page = client.get("/metrics").await.expect(200).text;
    let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{series} is not in\n{page}")).to_owned()
}

fn told_to_wait(answer: &Answered) {
    assert_eq!(answer.status, 503, "{}", answer.text);
    let seconds: u64 = answer.header("retry-after").expect("it says when").parse().unwrap();
    assert!(seconds >= 60, "the day moves on slowly: {seconds}");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("reserve") && detail.contains("API calls"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_reserve_nobody_comes_aboard_and_everybody_can_go() {
    let (world, path) = near_its_limit().await;
    let (tool, org) = (world.tool(), world.org());
    let before = org.calls().await;

    told_to_wait(&tool.create("bob@acme.example").await);
    told_to_wait(&tool.patch(&path, replace("title", &json!("Mathematician"))).await);
    assert_eq!(org.calls().await, before, "nothing was asked of the org");
    assert!(org.users("bob@acme.example").await.is_empty());
    let found = tool.find_users("userName eq \"bob@acme.example\"").await.expect(200).json();
    assert_eq!(found["totalResults"], 0, "nothing is kept: a repeat is safe");

    // Reads cost no call, and whoever leaves is let go.
    assert_eq!(tool.get(&path).await.expect(200).json()["title"], "Countess");
    let gone = tool.patch(&path, replace("active", &json!(false))).await.expect(200);
    assert_eq!(gone.json()["active"], false);
    assert_eq!(org.user("ada@acme.example").await["IsActive"], false);
    assert_eq!(org.calls().await.api, before.api + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reserve_that_is_reached_shows_in_metrics_and_in_the_check() {
    let (world, _) = near_its_limit().await;
    let calls = world.org().calls().await;
    let (api, token) = (calls.api.to_string(), calls.token.to_string());
    for (series, value) in [
        ("gangway_salesforce_api_usage{org=\"acme\"}", api.as_str()),
        ("gangway_salesforce_api_limit{org=\"acme\"}", "900"),
        ("gangway_salesforce_reserve{org=\"acme\"}", "1000"),
        ("gangway_salesforce_reserve_reached{org=\"acme\"}", "1"),
        ("gangway_salesforce_calls_total{org=\"acme\",cause=\"token\"}", token.as_str()),
        ("gangway_org_parked{org=\"acme\"}", "0"),
    ] {
        assert_eq!(metric(&world, series).await, value, "{series}");
    }

    let output = Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["check", "--output", "json", "--config"])
        .arg(world.config_file())
        .output()
        .await
        .unwrap();
    let check: Value = serde_json::from_slice(&output.stdout).unwrap();
    let usage = format!("api-usage={api}/900: ");
    let findings = check["findings"].as_array().unwrap();
    let said = findings.iter().find(|finding| finding["what"].as_str().unwrap().starts_with(&usage));
    let said = said.unwrap_or_else(|| panic!("{check:#}"));
    assert_eq!(said["verdict"], "warning");
    assert!(said["advice"].as_str().unwrap().contains("only changes that take access away go out now"));
    let quota = &check["quotas"][0];
    assert_eq!((&quota["calls-since"], &quota["reserve-reached"]), (&json!("start"), &json!(true)));
    // One joiner and one change of a title.
    assert_eq!(quota["calls"]["write"], 2, "{quota}");
    assert_eq!(world.org().calls().await.token, calls.token, "the check shares the gateway's login");
}
