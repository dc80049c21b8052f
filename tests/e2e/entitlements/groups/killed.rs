//! SIGKILL in the middle of a change of a group.

use std::{collections::BTreeSet, path::Path};

use e2e::{Process, Side};
use salesforce_sim::SimConfig;
use serde_json::json;

use super::{ORG, elements, group, holders, join, members, people, scene};
use crate::faults::{listed, until};

#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill_in_the_middle_of_a_change_everybody_is_where_they_should_be() {
    assert!(ORG.contains("Sales_Ops"));
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
        let path = format!("/Groups/{sales}");
        let replace = json!([{"op": "replace", "path": "members", "value": elements(joiners)}]);
        let request = tokio::spawn({
            let tool = tool.clone();
            async move {
                let body = json!({
                    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                    "Operations": replace,
                });
                let headers = [("content-type", "application/scim+json")];
                // Nobody hears its end.
                tool.send("PATCH", &path, &headers, Some(body.to_string().into_bytes())).await.is_ok()
            }
        });
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
