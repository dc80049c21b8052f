//! SIGKILL at every call of a joiner with everything, of a leaver and of his return: before the org has heard of it, and after it has
//! done it and nobody hears.

use std::path::Path;

use e2e::{Process, Scene, Side, tool::person};
use salesforce_sim::SimConfig;
use serde_json::{Value, json};

use super::{ORG, STAFF, held};
use crate::targets::moves_killed::{MOST_CALLS, Request, sent};

async fn process() -> Process {
    let program = Path::new(env!("CARGO_BIN_EXE_gangway-under-test"));
    let staff = STAFF.replace("object = \"User\"", "object = \"User\"\nstrip = [\"permission-set\"]");
    Process::of_scene(program, &Scene::new(&staff, ORG), SimConfig::default()).await
}

/// What somebody has, in the org and as SCIM shows it.
async fn has(process: &Process, path: &str, name: &str, sets: &[&str], active: bool) {
    let org = process.org();
    assert_eq!(held(&org, name, "permission-sets").await, sets, "{name}");
    assert_eq!(held(&org, name, "groups").await, ["Dock Workers"], "{name}");
    assert_eq!(held(&org, name, "role").await, ["Pilot"], "{name}");
    assert_eq!(org.user(name).await["IsActive"], active, "{name}");
    let shown = process.tool().get(path).await.expect(200).json();
    assert_eq!(shown["active"], active);
    let elements = shown["entitlements"].as_array().map(Vec::len);
    assert_eq!(elements, Some(2 + sets.len()), "the profile, the group and the sets: {shown}");
    assert_eq!(shown["roles"][0]["display"], "Pilot");
}

async fn killed_everywhere(side: Side) {
    let mut process = process().await;
    let (mut join, mut leave, mut back) = (true, true, true);
    for nth in 1..MOST_CALLS {
        let name = format!("p{nth}@acme.example");
        let mut body = person(&name);
        body["entitlements"] = json!([
            {"value": "Dock_Reports"}, {"value": "Dock_More"}, {"value": "Dock Workers", "type": "PublicGroup"},
        ]);
        body["roles"] = json!([{"value": "Pilot"}]);
        let all = ["Dock_More", "Dock_Reports"];
        let request =
            |method, path: &str, body: &Value| Request { method, path: path.to_owned(), body: body.clone() };
        let mut answer = None;
        if join {
            answer = sent(&mut process, nth, side, request("POST", "/Users", &body)).await;
            join = answer.is_none();
        }
        let answer = match answer {
            Some(answer) => answer,
            None => process.tool().post("/Users", &body).await,
        };
        let path = format!("/Users/{}", answer.expect(201).id());
        has(&process, &path, &name, &all, true).await;
        for (active, held, goes_on) in [(false, &[][..], &mut leave), (true, &all[..], &mut back)] {
            let body = json!({"Operations": [{"op": "replace", "path": "active", "value": active}]});
            if *goes_on {
                *goes_on = sent(&mut process, nth, side, request("PATCH", &path, &body)).await.is_none();
            }
            let _ = process.tool().patch(&path, body["Operations"].clone()).await.expect(200);
            has(&process, &path, &name, held, active).await;
        }
        if !(join || leave || back) {
            assert!(nth > 1, "each of it takes a call");
            return;
        }
    }
    panic!("it took {MOST_CALLS} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn joiners_leavers_and_returns_are_whole_wherever_the_gateway_is_killed_before_a_call() {
    killed_everywhere(Side::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joiners_leavers_and_returns_are_whole_wherever_the_gateway_is_killed_after_a_call() {
    killed_everywhere(Side::After).await;
}
