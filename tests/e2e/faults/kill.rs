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
