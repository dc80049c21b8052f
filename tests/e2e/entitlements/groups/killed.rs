//! SIGKILL in the middle of a change of a group.

use std::{collections::BTreeSet, fs, path::Path};

use e2e::{Process, Side, Tool, world::table};
use salesforce_sim::SimConfig;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{
    add, elements, group, holders, join, members, names, people, scene, scene_that_rolls_back, set_of,
    somebody, somebody_with_less,
};
use crate::faults::{listed, until};

#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill_in_the_middle_of_a_change_everybody_is_where_they_should_be() {
    for side in [Side::Before, Side::After] {
        let program = Path::new(env!("CARGO_BIN_EXE_gangway-under-test"));
        let mut process = Process::of_scene(program, &scene(), SimConfig::default()).await;
        let tool = process.tool();
        let people = people(&tool, 60).await;
        let ids: Vec<&str> = people.iter().map(|(_, id)| id.as_str()).collect();
        let (leavers, joiners) = ids.split_at(20);
        let sales = group(&tool, "sf-ps-Sales_Ops", &[]).await;
        let _ = join(&tool, &sales, leavers).await.expect(200);
        process.gate().hold(1, side);
        let request = replace_members(&tool, &sales, joiners);
        process.gate().held().await;
        process.kill().await;
        process.gate().open();
        assert!(!request.await.unwrap());
        process.restart().await;
        ended(&process).await;
        let wanted: BTreeSet<String> = joiners.iter().map(ToString::to_string).collect();
        assert_eq!(members(&process.tool(), &sales).await, wanted, "{side:?}");
        assert_eq!(holders(&process.org(), "Sales_Ops").await.len(), joiners.len(), "{side:?}");
    }
}

/// What the group was before is in the journal: the next start knows what to go back to.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_rolled_back_after_sigkill_leaves_the_group_as_before() {
    for side in [Side::Before, Side::After] {
        let program = Path::new(env!("CARGO_BIN_EXE_gangway-under-test"));
        let mut process = Process::of_scene(program, &scene_that_rolls_back(), SimConfig::default()).await;
        let tool = process.tool();
        let (ada, bob) = (somebody(&tool, "ada").await, somebody(&tool, "bob").await);
        let less = somebody_with_less(&tool, "less").await;
        let auditors = group(&tool, "sf-ps-Auditors", &[&ada]).await;
        process.gate().hold(1, side);
        let request = replace_members(&tool, &auditors, &[&bob, &less]);
        process.gate().held().await;
        process.kill().await;
        process.gate().open();
        assert!(!request.await.unwrap());
        process.restart().await;
        ended(&process).await;
        assert_eq!(members(&process.tool(), &auditors).await, set_of(&[&ada]), "{side:?}");
        assert_eq!(holders(&process.org(), "Auditors").await, names(&["ada"]), "{side:?}");
    }
}

/// Whoever is a member of what the group stands for from now on has it, also where the change began in another life.
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_have_what_a_renamed_group_stands_for_is_out_of_it_after_sigkill_too() {
    for side in [Side::Before, Side::After] {
        let program = Path::new(env!("CARGO_BIN_EXE_gangway-under-test"));
        let mut process = Process::of_scene(program, &scene(), SimConfig::default()).await;
        let tool = process.tool();
        let ada = somebody(&tool, "ada").await;
        let less = somebody_with_less(&tool, "less").await;
        let sales = group(&tool, "sf-ps-Sales_Ops", &[&ada, &less]).await;
        process.gate().hold(1, side);
        let request = patch(&tool, &sales, rename("sf-ps-Auditors"));
        process.gate().held().await;
        process.kill().await;
        process.gate().open();
        assert!(!request.await.unwrap());
        process.restart().await;
        ended(&process).await;
        assert_eq!(holders(&process.org(), "Auditors").await, names(&["ada"]), "{side:?}");
        assert_eq!(holders(&process.org(), "Sales_Ops").await, names(&[]), "{side:?}");
        assert_eq!(members(&process.tool(), &sales).await, set_of(&[&ada]), "{side:?}");
    }
}

/// A change that has waited for its turn, and was told to go on, was not checked by then: it is when its turn has come.
#[tokio::test(flavor = "multi_thread")]
async fn what_had_not_begun_is_checked_after_sigkill_as_it_would_have_been() {
    let program = Path::new(env!("CARGO_BIN_EXE_gangway-under-test"));
    let mut process = Process::of_scene(program, &scene(), SimConfig::default()).await;
    impatient(&mut process).await;
    let tool = process.tool();
    let (ada, bob) = (somebody(&tool, "ada").await, somebody(&tool, "bob").await);
    let sales = group(&tool, "sf-ps-Sales_Ops", &[]).await;
    process.gate().hold(1, Side::After);
    let first = patch(&tool, &sales, add(&[&ada]));
    process.gate().held().await;
    let _ = join(&tool, &sales, &[&bob, "nobody"]).await.expect(503);
    let headers = [("if-match", "W/\"99\""), ("content-type", "application/scim+json")];
    let body = operations(rename("sf-ps-Service_Desk")).to_string().into_bytes();
    let _ = tool.send("PATCH", &format!("/Groups/{sales}"), &headers, Some(body)).await.unwrap().expect(503);
    process.kill().await;
    process.gate().open();
    let _ = first.await.unwrap();
    process.restart().await;
    ended(&process).await;
    assert_eq!(members(&process.tool(), &sales).await, set_of(&[&ada]));
    assert_eq!(holders(&process.org(), "Sales_Ops").await, names(&["ada"]));
    assert_eq!(holders(&process.org(), "Service_Desk").await, names(&[]));
}

/// It was in the journal before it began: what the group was before is added there.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_caller_had_gone_when_it_began_is_rolled_back_after_sigkill() {
    for side in [Side::Before, Side::After] {
        let program = Path::new(env!("CARGO_BIN_EXE_gangway-under-test"));
        let mut process = Process::of_scene(program, &scene_that_rolls_back(), SimConfig::default()).await;
        impatient(&mut process).await;
        let tool = process.tool();
        let (ada, bob) = (somebody(&tool, "ada").await, somebody(&tool, "bob").await);
        let less = somebody_with_less(&tool, "less").await;
        let sales = group(&tool, "sf-ps-Sales_Ops", &[&ada, &less]).await;
        let calls = process.org().calls().await.api;
        process.org().fault(json!({"path": "/data", "kind": "delay", "delay_ms": 3_000, "count": 1})).await;
        let first = patch(&tool, &sales, add(&[&bob]));
        until("the first is out", async || process.org().calls().await.api > calls).await;
        let _ = tool.patch(&format!("/Groups/{sales}"), rename("sf-ps-Auditors")).await.expect(503);
        process.gate().hold(1, side);
        process.gate().held().await;
        process.kill().await;
        process.gate().open();
        let _ = first.await.unwrap();
        process.restart().await;
        ended(&process).await;
        let tool = process.tool();
        let now = tool.get(&format!("/Groups/{sales}")).await.expect(200).json();
        assert_eq!(now["displayName"], "sf-ps-Sales_Ops", "{side:?}");
        assert_eq!(members(&tool, &sales).await, set_of(&[&ada, &bob, &less]), "{side:?}");
        assert_eq!(holders(&process.org(), "Sales_Ops").await, names(&["ada", "bob", "less"]), "{side:?}");
        assert_eq!(holders(&process.org(), "Auditors").await, names(&[]), "{side:?}");
    }
}

/// Callers wait a second at the most.
async fn impatient(process: &mut Process) {
    let file = process.config_file();
    let mut config: toml::Table = toml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    table(&mut config, "server").insert("answer-within".into(), "1s".into());
    fs::write(&file, config.to_string()).unwrap();
    process.restart().await;
}

async fn ended(process: &Process) {
    let config = process.config_file();
    until("every change has ended", async || listed(&config, "changes").await.is_empty()).await;
}

fn rename(name: &str) -> Value {
    json!([{"op": "replace", "path": "displayName", "value": name}])
}

#[expect(clippy::needless_pass_by_value, reason = "stories are easier to read with values in their place")]
fn operations(operations: Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}

fn replace_members(tool: &Tool, group: &str, members: &[&str]) -> JoinHandle<bool> {
    patch(tool, group, json!([{"op": "replace", "path": "members", "value": elements(members)}]))
}

/// A request whose end nobody hears. Whether it was answered.
fn patch(tool: &Tool, group: &str, what: Value) -> JoinHandle<bool> {
    let (tool, path) = (tool.clone(), format!("/Groups/{group}"));
    tokio::spawn(async move {
        let headers = [("content-type", "application/scim+json")];
        tool.send("PATCH", &path, &headers, Some(operations(what).to_string().into_bytes())).await.is_ok()
    })
}
