//! Somebody in the middle of several changes at once: whatever the order, ledger, org and SCIM agree.

use std::collections::BTreeSet;

use e2e::{Org, Tool, World};
use serde_json::{Value, json};

use super::{address, group, holders, join, leave, members, scene_with, set_of, shown, somebody};
use crate::faults::Chance;

/// Two groups that stand for one set.
const TWO: &str = r#"
[[groups.pushed]]
name = "also-sf-ps-*"
kind = "permission-set"
entitlement = "{1}"
"#;

fn active(active: bool) -> Value {
    json!([{"op": "replace", "path": "active", "value": active}])
}

/// What SCIM says of somebody's permission set is what the org says.
async fn agrees(tool: &Tool, org: &Org, name: &str, id: &str) -> bool {
    let has = holders(org, "Sales_Ops").await.contains(&address(name));
    assert_eq!(shown(tool, id).await.contains("Sales Operations"), has, "{name}: SCIM and the org differ");
    has
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_moves_between_groups_while_locked_out_has_what_is_right_in_every_order() {
    let world = World::of_scene(&scene_with(TWO), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let a = group(&tool, "sf-ps-Sales_Ops", &[]).await;
    let b = group(&tool, "also-sf-ps-Sales_Ops", &[]).await;
    for (n, order) in orders.into_iter().enumerate() {
        for at_once in [false, true] {
            let name = format!("x{n}{}", u8::from(at_once));
            let id = somebody(&tool, &name).await;
            let _ = join(&tool, &a, &[&id]).await.expect(200);
            let path = format!("/Users/{id}");
            let act = async |what: u8| match what {
                0 => leave(&tool, &a, &id).await.expect(200),
                1 => join(&tool, &b, &[&id]).await.expect(200),
                _ => tool.patch(&path, active(false)).await.expect(200),
            };
            if at_once {
                futures::future::join_all(order.map(&act)).await;
            } else {
                for what in order {
                    let _ = act(what).await;
                }
            }
            assert!(!members(&tool, &a).await.contains(&id));
            assert!(members(&tool, &b).await.contains(&id));
            agrees(&tool, &org, &name, &id).await;
            let user = org.user(&address(&name)).await;
            assert_eq!(user["IsActive"], false, "{order:?}");
            // Back again he has it, by the group that he is in.
            let _ = tool.patch(&path, active(true)).await.expect(200);
            assert!(agrees(&tool, &org, &name, &id).await, "{order:?}");
            let _ = leave(&tool, &b, &id).await.expect(200);
            assert!(!agrees(&tool, &org, &name, &id).await, "{order:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_storm_of_members_groups_and_lock_outs_everything_agrees_in_the_end() {
    let world = World::of_scene(&scene_with(TWO), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let mut crowd = Vec::new();
    for n in 0..6 {
        let name = format!("s{n}");
        let id = somebody(&tool, &name).await;
        crowd.push((name, id));
    }
    let groups = [
        group(&tool, "sf-ps-Sales_Ops", &[]).await,
        group(&tool, "also-sf-ps-Sales_Ops", &[]).await,
        group(&tool, "sf-ps-Service_Desk", &[]).await,
    ];
    let callers = (0..8_u64).map(|seed| {
        let (tool, crowd, groups) = (tool.clone(), crowd.clone(), groups.clone());
        tokio::spawn(async move {
            let mut chance = Chance::new(seed);
            for _ in 0..25 {
                let pick =
                    |chance: &mut Chance, count: usize| usize::try_from(chance.below(count as u64)).unwrap();
                let (_, id) = &crowd[pick(&mut chance, crowd.len())];
                let group = &groups[pick(&mut chance, groups.len())];
                let answer = match chance.below(5) {
                    0 | 1 => join(&tool, group, &[id]).await,
                    2 => leave(&tool, group, id).await,
                    3 => tool.patch(&format!("/Users/{id}"), active(chance.below(2) == 0)).await,
                    _ => {
                        let all: Vec<&str> = crowd.iter().take(3).map(|(_, id)| id.as_str()).collect();
                        let path = format!("/Groups/{group}");
                        tool.patch(
                            &path,
                            json!([{"op": "replace", "path": "members", "value": super::elements(&all)}]),
                        )
                        .await
                    }
                };
                let _ = answer.expect(200);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    for (name, id) in &crowd {
        let _ = tool.patch(&format!("/Users/{id}"), active(true)).await.expect(200);
        let in_sales =
            members(&tool, &groups[0]).await.contains(id) || members(&tool, &groups[1]).await.contains(id);
        assert_eq!(agrees(&tool, &org, name, id).await, in_sales, "{name}");
        let in_desk = members(&tool, &groups[2]).await.contains(id);
        assert_eq!(holders(&org, "Service_Desk").await.contains(&address(name)), in_desk, "{name}");
    }
    // Nobody stays behind in a group that is emptied.
    for group in &groups {
        let _ = tool.delete(&format!("/Groups/{group}")).await.expect(204);
    }
    assert_eq!(holders(&org, "Sales_Ops").await, BTreeSet::new());
    assert_eq!(holders(&org, "Service_Desk").await, set_of(&[]));
}
