//! SIGKILL while people are created, changed, locked out and deleted.

use std::{path::Path, time::Duration};

use e2e::Process;
use salesforce_sim::SimConfig;

use super::{listed, people::Crowd, until};

const ROUNDS: u32 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill_during_changes_of_all_kinds_everything_agrees() {
    let sim = SimConfig { latency: Duration::from_millis(15), ..SimConfig::default() };
    let mut process = Process::start(Path::new(env!("CARGO_BIN_EXE_gangway-under-test")), sim).await;
    let crowd = Crowd::start(11, process.tool());
    for round in 0..ROUNDS {
        let enough = crowd.acknowledged() + 25 + 13 * round;
        until("more is acknowledged", async || crowd.acknowledged() >= enough).await;
        process.kill().await;
        process.restart().await;
        crowd.moved(process.tool());
    }
    let promises = crowd.stop().await;
    let config = process.config_file();
    until("every change has ended", async || listed(&config, "changes").await.is_empty()).await;
    promises.hold(&process.tool(), &process.org()).await;
}

/// What was acknowledged as stored is done, however soon the gateway is killed.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_sigkill_is_done_after_it() {
    let sim = SimConfig { latency: Duration::from_millis(40), ..SimConfig::default() };
    let mut process = Process::start(Path::new(env!("CARGO_BIN_EXE_gangway-under-test")), sim).await;
    let tool = process.tool();
    let asked = (0..60).map(|n| {
        let tool = tool.clone();
        async move {
            let name = format!("p{n}@acme.example");
            let headers = [("prefer", "respond-async"), ("content-type", "application/scim+json")];
            let body = e2e::tool::person(&name).to_string().into_bytes();
            let answer = tool.send("POST", "/Users", &headers, Some(body)).await.unwrap().expect(202);
            let location = answer.header("location").unwrap();
            (name, location[location.find("/Users/").unwrap()..].to_owned())
        }
    });
    let accepted = futures::future::join_all(asked).await;
    process.kill().await;
    process.restart().await;
    let config = process.config_file();
    until("every change has ended", async || listed(&config, "changes").await.is_empty()).await;
    for (name, path) in accepted {
        assert_eq!(process.tool().get(&path).await.expect(200).json()["userName"], name.as_str());
        assert_eq!(process.org().users(&name).await.len(), 1, "{name}");
    }
}
