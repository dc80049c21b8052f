//! A crowd in bad weather: calls that many share are cut after the org has done them, and rows are locked.

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use e2e::World;
use salesforce_sim::SimConfig;
use serde_json::json;

const JOINERS: usize = 2_000;
const CONNECTIONS: usize = 50;

fn username(n: usize) -> String {
    format!("joiner{n}@acme.example")
}

/// Somebody in another org has the name of every hundredth.
fn is_taken(n: usize) -> bool {
    n % 100 == 7
}

/// What a tool does with one person: it repeats what it is told to repeat.
async fn join(tool: &e2e::Tool, n: usize) -> Result<String, String> {
    let person = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": username(n),
        "name": {"familyName": format!("Joiner {n}")},
        "emails": [{"value": username(n), "primary": true}],
    });
    for _ in 0..20 {
        let answered = tool.post("/Users", &person).await;
        match answered.status {
            201 => return Ok(answered.json()["id"].as_str().unwrap().to_owned()),
            503 => assert!(answered.header("retry-after").is_some(), "{}", answered.text),
            _ => return Err(answered.json()["detail"].as_str().unwrap_or_default().to_owned()),
        }
    }
    panic!("joiner {n} was put off twenty times");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_in_a_crowd_is_there_once_or_knows_why_not() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let taken: Vec<String> = (0..JOINERS).filter(|n| is_taken(*n)).map(username).collect();
    writeln!(file, "usernames-elsewhere = {}", json!(taken)).unwrap();
    let sim = SimConfig { seed: 5, org_file: Some(file.path().to_owned()), ..SimConfig::default() };
    let world = World::of(e2e::world::default_config(), sim).await;
    let org = world.org();
    for kind in ["cut-after-commit", "lock"] {
        for method in ["POST", "PATCH"] {
            org.fault(json!({"method": method, "path": "/data", "kind": kind, "probability": 0.05})).await;
        }
    }
    let next = Arc::new(AtomicUsize::new(0));
    let mut tools = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (tool, next) = (world.tool(), Arc::clone(&next));
        tools.spawn(async move {
            let mut ends = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= JOINERS {
                    return ends;
                }
                ends.push((n, join(&tool, n).await));
            }
        });
    }
    let ends: HashMap<usize, _> = tools.join_all().await.into_iter().flatten().collect();
    org.heal().await;
    assert_eq!(ends.len(), JOINERS);

    let mut there: HashMap<String, usize> = HashMap::new();
    for user in org.records("User").await {
        *there.entry(user["Username"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for (n, end) in &ends {
        let times = there.get(&username(*n)).copied().unwrap_or_default();
        match end {
            Ok(_) => assert_eq!(times, 1, "joiner {n} was acknowledged"),
            Err(reason) => {
                assert_eq!(times, 0, "joiner {n} was refused: {reason}");
                assert!(is_taken(*n) && reason.contains("DUPLICATE_USERNAME"), "{reason}");
            }
        }
    }
    assert_eq!(ends.values().filter(|end| end.is_err()).count(), JOINERS / 100);
}
