//! SIGKILL at any moment: nothing acknowledged is lost, nothing is there twice.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use e2e::Process;
use salesforce_sim::SimConfig;
use tokio::sync::Mutex;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gangway-under-test");
const ROUNDS: u64 = 5;
const CALLERS: usize = 16;

/// What the callers were told.
type Acknowledged = Arc<Mutex<HashMap<String, String>>>;

/// Callers create people without pause until the gateway is killed under them.
fn load(process: &Process, round: u64, acknowledged: &Acknowledged) -> Vec<tokio::task::JoinHandle<()>> {
    (0..CALLERS)
        .map(|caller| {
            let tool = process.tool();
            let acknowledged = Arc::clone(acknowledged);
            tokio::spawn(async move {
                for n in 0.. {
                    let name = format!("r{round}-c{caller}-{n}@acme.example");
                    let body = e2e::tool::person(&name).to_string().into_bytes();
                    let headers = [("content-type", "application/scim+json")];
                    // The connection breaks when the gateway is killed.
                    let Ok(answer) = tool.send("POST", "/Users", &headers, Some(body)).await else { return };
                    if answer.status == 201 {
                        acknowledged.lock().await.insert(name, answer.id());
                    }
                }
            })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill_under_load_every_acknowledged_user_is_there_exactly_once() {
    let sim = SimConfig { latency: Duration::from_millis(15), ..SimConfig::default() };
    let mut process = Process::start(Path::new(PROGRAM), sim).await;
    let acknowledged = Acknowledged::default();
    for round in 0..ROUNDS {
        let enough = acknowledged.lock().await.len() + 20 + 13 * usize::try_from(round).unwrap();
        let callers = load(&process, round, &acknowledged);
        while acknowledged.lock().await.len() < enough {
            tokio::task::yield_now().await;
        }
        process.kill().await;
        for caller in callers {
            caller.await.unwrap();
        }
        process.restart().await;
    }
    settle(&process).await;

    let (tool, org) = (process.tool(), process.org());
    let mut in_the_org: HashMap<String, u32> = HashMap::new();
    for user in org.records("User").await {
        *in_the_org.entry(user["Username"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let acknowledged = acknowledged.lock().await;
    for (name, id) in acknowledged.iter() {
        let found = tool.find_users(&format!("userName eq \"{name}\"")).await.expect(200).json();
        assert_eq!(found["totalResults"], 1, "{name} was acknowledged");
        assert_eq!(found["Resources"][0]["id"], id.as_str());
        assert_eq!(in_the_org.get(name), Some(&1), "{name} should be in the org once");
    }
    for (name, times) in &in_the_org {
        assert_eq!(*times, 1, "{name} is in the org more than once");
        if name.starts_with('r') && name.contains("-c") {
            let found = tool.find_users(&format!("userName eq \"{name}\"")).await.expect(200).json();
            assert_eq!(found["totalResults"], 1, "{name} is in the org and the store does not know it");
        }
    }
}

/// Open changes are finished at start: a name that is pending is found, and is recorded in the end.
async fn settle(process: &Process) {
    let tool = process.tool();
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    loop {
        let org = process.org().records("User").await;
        let ours = org.iter().filter(|user| user["Username"].as_str().unwrap().contains("-c")).count();
        let listed = tool.get("/Users?count=0").await.expect(200).json()["totalResults"].as_u64().unwrap();
        if usize::try_from(listed).unwrap() == ours {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{listed} in the store, {ours} in the org");
        tokio::task::yield_now().await;
    }
}
