//! SIGKILL at every call of every move: before the org has heard of it, and after it has done it and nobody hears.

use std::{path::Path, time::Duration};

use e2e::{Process, Scene, Side};
use salesforce_sim::SimConfig;

use super::{
    ORG, PROMOTIONS,
    moves::{Kind, MOVES, is, nobody_else},
    replace, someone,
};
use crate::faults::{listed, until};

/// More calls than any move takes.
const MOST_CALLS: u32 = 30;

async fn process() -> Process {
    let program = Path::new(env!("CARGO_BIN_EXE_gangway-under-test"));
    Process::of_scene(program, &Scene::new(PROMOTIONS, ORG), SimConfig::default()).await
}

/// Kills the gateway at each call of the move, one person for each, until a move is through without being held.
async fn killed_everywhere(from: Kind, to: Kind, side: Side) {
    let mut process = process().await;
    let mut people = 0;
    for nth in 1..MOST_CALLS {
        let name = format!("p{nth}@acme.example");
        let id = process.tool().post("/Users", &someone(&name, &from.to_string())).await.expect(201).id();
        people += 1;
        let path = format!("/Users/{id}");
        process.gate().hold(nth, side);
        let moving = tokio::spawn({
            let (tool, path) = (process.tool(), path.clone());
            let body = serde_json::json!({"Operations": replace("userType", to.to_string())});
            let headers = [("content-type", "application/scim+json")];
            // Whoever is killed answers nothing.
            async move { tool.send("PATCH", &path, &headers, Some(body.to_string().into_bytes())).await }
        });
        let through = tokio::select! {
            () = process.gate().held() => false,
            () = async { while !moving.is_finished() { tokio::time::sleep(Duration::from_millis(1)).await } } => true,
        };
        if !through {
            process.kill().await;
        }
        process.gate().open();
        let answer = moving.await.unwrap();
        if through {
            let _ = answer.unwrap().expect(200);
        } else {
            println!("{from} to {to}: killed {side:?} call {nth}");
            process.restart().await;
            let config = process.config_file();
            until("every change has ended", async || listed(&config, "changes").await.is_empty()).await;
            // Whoever was not answered asks again.
            let again = process.tool().patch(&path, replace("userType", to.to_string())).await;
            let _ = again.expect(200);
        }
        is(&process.tool(), &process.org(), &id, &name, to).await;
        nobody_else(&process.org(), people).await;
        if through {
            assert!(nth > 1, "a move takes a call");
            return;
        }
    }
    panic!("{from} to {to} took {MOST_CALLS} calls");
}

macro_rules! killed {
    ($($name:ident: $n:literal;)*) => {
        $(
            mod $name {
                #[tokio::test(flavor = "multi_thread")]
                async fn before_a_call() {
                    let (from, to) = super::MOVES[$n];
                    super::killed_everywhere(from, to, e2e::Side::Before).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn after_a_call() {
                    let (from, to) = super::MOVES[$n];
                    super::killed_everywhere(from, to, e2e::Side::After).await;
                }
            }
        )*
    };
}

killed! {
    prospect_to_customer: 0;
    customer_to_prospect: 1;
    customer_to_partner: 2;
    partner_to_customer: 3;
    prospect_to_partner: 4;
    partner_to_prospect: 5;
}

/// The first move of all is killed as well: somebody new who is both a contact and a user.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_partner_is_made_once_wherever_the_gateway_is_killed() {
    for side in [Side::Before, Side::After] {
        let mut process = process().await;
        for nth in 1..MOST_CALLS {
            let name = format!("p{nth}@acme.example");
            process.gate().hold(nth, side);
            let coming = tokio::spawn({
                let (tool, body) = (process.tool(), someone(&name, "Partner").to_string().into_bytes());
                let headers = [("content-type", "application/scim+json")];
                async move { tool.send("POST", "/Users", &headers, Some(body)).await }
            });
            let through = tokio::select! {
                () = process.gate().held() => false,
                () = async { while !coming.is_finished() { tokio::time::sleep(Duration::from_millis(1)).await } } => true,
            };
            if !through {
                process.kill().await;
            }
            process.gate().open();
            let answer = coming.await.unwrap();
            let id = if through {
                answer.unwrap().expect(201).id()
            } else {
                process.restart().await;
                let config = process.config_file();
                until("every change has ended", async || listed(&config, "changes").await.is_empty()).await;
                let again = process.tool().post("/Users", &someone(&name, "Partner")).await;
                assert!([201, 409].contains(&again.status), "{}", again.text);
                let found =
                    process.tool().find_users(&format!("userName eq \"{name}\"")).await.expect(200).json();
                assert_eq!(found["totalResults"], 1, "{side:?} call {nth}: {found}");
                found["Resources"][0]["id"].as_str().unwrap().to_owned()
            };
            is(&process.tool(), &process.org(), &id, &name, Kind::Partner).await;
            if through {
                break;
            }
        }
    }
}
