//! SIGKILL in the middle of a change of a group.

use std::{collections::BTreeSet, path::Path};

use e2e::{Process, Side, Tool};
use salesforce_sim::SimConfig;
use serde_json::json;
use tokio::task::JoinHandle;

use super::{
    elements, group, holders, join, members, names, people, scene, scene_that_rolls_back, set_of, somebody,
    somebody_with_less,
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
        let config = process.config_file();
        until("every change has ended", async || listed(&config, "changes").await.is_empty()).await;
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
        let config = process.config_file();
        until("every change has ended", async || listed(&config, "changes").await.is_empty()).await;
        assert_eq!(members(&process.tool(), &auditors).await, set_of(&[&ada]), "{side:?}");
        assert_eq!(holders(&process.org(), "Auditors").await, names(&["ada"]), "{side:?}");
    }
}

/// A request whose end nobody hears. Whether it was answered.
fn replace_members(tool: &Tool, group: &str, members: &[&str]) -> JoinHandle<bool> {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "members", "value": elements(members)}],
    });
    let (tool, path) = (tool.clone(), format!("/Groups/{group}"));
    tokio::spawn(async move {
        let headers = [("content-type", "application/scim+json")];
        tool.send("PATCH", &path, &headers, Some(body.to_string().into_bytes())).await.is_ok()
    })
}
