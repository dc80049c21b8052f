//! What must hold when anything fails at any moment (design §3, §13): by seed where chance is needed.

mod chance;
mod crowd;
mod journal;
mod kill;
mod people;
mod stop;

pub(crate) use people::Chance;

use std::path::Path;

use e2e::{Tool, World, world::table};
use serde_json::{Value, json};

/// How long a state may take to come about. Nothing waits for so long unless it fails.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

/// Waits for a state, never for a duration.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come about");
        tokio::task::yield_now().await;
    }
}

/// What `gangway changes` or `gangway holds` lists, beside the running gateway.
pub(crate) async fn listed(config: &Path, command: &str) -> Vec<Value> {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args([command, "--output", "json", "--config"])
        .arg(config)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document[command].as_array().unwrap().clone()
}

async fn impatient() -> World {
    World::with(|config| {
        table(config, "server").insert("answer-within".into(), "1s".into());
    })
    .await
}

fn replace(path: &str, value: impl Into<Value>) -> Value {
    json!([{ "op": "replace", "path": path, "value": value.into() }])
}

/// A fault of updates of Users.
fn on_update(kind: &str, count: u32) -> Value {
    json!({"method": "PATCH", "path": "/data/v*/sobjects/User", "kind": kind, "count": count})
}

/// Where the one User of this name is.
async fn path_of(tool: &Tool, name: &str) -> String {
    let found = tool.find_users(&format!("userName eq \"{name}\"")).await.expect(200).json();
    assert_eq!(found["totalResults"], 1, "{name}: {found}");
    format!("/Users/{}", found["Resources"][0]["id"].as_str().unwrap())
}
