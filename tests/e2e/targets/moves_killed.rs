//! SIGKILL at every call of every move: before the org has heard of it, and after it has done it and nobody hears.

use std::path::Path;

use e2e::{Answered, Process, Scene, Side, Tool};
use salesforce_sim::SimConfig;
use serde_json::{Value, json};

use super::{
    ORG, PROMOTIONS,
    moves::{Kind, MOVES, is, nobody_else},
    replace, someone,
};
use crate::faults::{listed, until};

/// More calls than any move takes.
pub(crate) const MOST_CALLS: u32 = 40;

async fn process() -> Process {
    let program = Path::new(env!("CARGO_BIN_EXE_gangway-under-test"));
    Process::of_scene(program, &Scene::new(PROMOTIONS, ORG), SimConfig::default()).await
}

/// Sends a request whose `nth` call to the org is held. When it is, the gateway is killed and started again, and what it
/// had accepted has ended. Answers the answer, if there was one.
pub(crate) async fn sent(process: &mut Process, nth: u32, side: Side, request: Request) -> Option<Answered> {
    process.gate().hold(nth, side);
    let mut sending = tokio::spawn(request.send(process.tool()));
    let answer = tokio::select! {
        () = process.gate().held() => None,
        answer = &mut sending => answer.unwrap(),
    };
    if answer.is_none() {
        process.kill().await;
        let _ = sending.await;
    }
    process.gate().open();
    if answer.is_none() {
        process.restart().await;
        let config = process.config_file();
        until("every change has ended", async || listed(&config, "changes").await.is_empty()).await;
    }
    answer
}

/// A request that may find nobody to answer it.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Value,
}

impl Request {
    async fn send(self, tool: Tool) -> Option<Answered> {
        let headers = [("content-type", "application/scim+json")];
        tool.send(self.method, &self.path, &headers, Some(self.body.to_string().into_bytes())).await.ok()
    }
}

/// Kills the gateway at each call of the move, one person for each, until a move is through without being held.
async fn killed_everywhere(from: Kind, to: Kind, side: Side) {
    let mut process = process().await;
    for nth in 1..MOST_CALLS {
        let name = format!("p{nth}@acme.example");
        let id = process.tool().post("/Users", &someone(&name, &from.to_string())).await.expect(201).id();
        let path = format!("/Users/{id}");
        let body = json!({"Operations": replace("userType", to.to_string())});
        let answer =
            sent(&mut process, nth, side, Request { method: "PATCH", path: path.clone(), body }).await;
        let is_through = answer.is_some();
        println!("{from} to {to}: {side:?} call {nth}, through: {is_through}");
        // Whoever was not answered asks again.
        let answer = match answer {
            Some(answer) => answer,
            None => process.tool().patch(&path, replace("userType", to.to_string())).await,
        };
        let _ = answer.expect(200);
        is(&process.tool(), &process.org(), &id, &name, to).await;
        // What came of it is known so well that the way back is open.
        let _ = process.tool().patch(&path, replace("userType", from.to_string())).await.expect(200);
        is(&process.tool(), &process.org(), &id, &name, from).await;
        nobody_else(&process.org(), usize::try_from(nth).unwrap()).await;
        if is_through {
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

/// Coming is a move as well: somebody new who is both a contact and a user.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_partner_is_made_once_wherever_the_gateway_is_killed() {
    for side in [Side::Before, Side::After] {
        let mut process = process().await;
        for nth in 1..MOST_CALLS {
            let name = format!("p{nth}@acme.example");
            let body = someone(&name, "Partner");
            let request = Request { method: "POST", path: "/Users".to_owned(), body: body.clone() };
            let answer = sent(&mut process, nth, side, request).await;
            let is_through = answer.is_some();
            // A repeat within a day joins what the first one has become.
            let answer = match answer {
                Some(answer) => answer,
                None => process.tool().post("/Users", &body).await,
            };
            let id = answer.expect(201).id();
            is(&process.tool(), &process.org(), &id, &name, Kind::Partner).await;
            nobody_else(&process.org(), usize::try_from(nth).unwrap()).await;
            if is_through {
                break;
            }
        }
    }
}

/// And so is going.
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_who_goes_is_gone_wherever_the_gateway_is_killed() {
    for side in [Side::Before, Side::After] {
        let mut process = process().await;
        for nth in 1..MOST_CALLS {
            let name = format!("p{nth}@acme.example");
            let id = process.tool().post("/Users", &someone(&name, "Partner")).await.expect(201).id();
            let path = format!("/Users/{id}");
            let request = Request { method: "DELETE", path: path.clone(), body: Value::Null };
            let answer = sent(&mut process, nth, side, request).await;
            let is_through = answer.is_some();
            let status = match answer {
                Some(answer) => answer.status,
                None => process.tool().delete(&path).await.status,
            };
            assert!(status == 204 || (!is_through && status == 404), "{status}");
            let org = process.org();
            assert!(org.records("Contact").await.is_empty());
            let users = org.find("User", "Email", &name).await;
            assert!(users.iter().all(|user| user["IsActive"] == false), "{users:#?}");
            if is_through {
                break;
            }
        }
    }
}
