//! What an operator asks of a gateway: to plan, apply, adopt and resync.
//!
//! A command asks the gateway that runs on the store, by a Unix socket beside the store's file; where none runs it does the same
//! in its own process. Both are [`Operations::carry_out`].
//!
//! | file | what it holds |
//! |---|---|
//! | `request.rs` | what is asked and answered, as it goes through the socket |
//! | `socket.rs` | the socket of a running gateway |
//! | `reach.rs` | how a command reaches a gateway, or is one for as long as it takes |

mod reach;
mod request;
mod socket;

use std::sync::Arc;

use futures::{StreamExt, stream};
use intake::Intake;
use model::{ClientName, HoldId, ResourceId, TenantId};
use provisioning::{Answer, Caller, ProvisionError, Provisioner};
use store::{EventKey, StoreError};

pub(crate) use reach::{Reach, ReachError};
pub(crate) use request::{Done, Planned, Refused, Reply, Request};
pub(crate) use socket::OperationsSocket;

/// The client that an operator's changes stand under in journal and audit.
const OPERATOR: &str = "gangway-operator";
/// How many identities are planned at once: each may have questions to its org.
const PLANNED_AT_ONCE: usize = 16;

/// Carries out what operators ask.
#[derive(Clone)]
pub(crate) struct Operations {
    provisioner: Provisioner,
    intake: Arc<Intake>,
}

impl Operations {
    pub(crate) fn new(provisioner: Provisioner, intake: Arc<Intake>) -> Self {
        Self { provisioner, intake }
    }

    /// Does what is asked.
    pub(crate) async fn carry_out(&self, request: Request) -> Result<Reply, Refused> {
        match request {
            Request::Plan { tenant, identities } => Ok(Reply::Plans(self.plan(&tenant, identities).await)),
            Request::Apply { plan } => {
                let caller = caller(plan.tenant.clone())?;
                answer(self.provisioner.apply(&caller, &plan).await, &plan.identity)
            }
            Request::Resync { tenant, identity } => {
                answer(self.provisioner.resync(&caller(tenant)?, &identity).await, &identity)
            }
            Request::Adopt { tenant, identity, record } => {
                answer(self.provisioner.adopt(&caller(tenant)?, &identity, &record).await, &identity)
            }
            Request::Decide { hold, record } => {
                decided(&hold, self.provisioner.decide_hold(&hold, &record).await)
            }
            Request::Dismiss { hold } => decided(&hold, self.provisioner.dismiss_hold(&hold).await),
            Request::RetryEvent { event } => of_event(&event, self.intake.retry(&event).await),
            Request::DismissEvent { event, reason } => {
                of_event(&event, self.intake.dismiss(&event, &reason).await)
            }
            Request::Rehearse { tenant, source } => {
                let rehearsal = self.intake.rehearse(&tenant, &source).await;
                rehearsal.map(Reply::Rehearsal).map_err(Refused::failed)
            }
            Request::CatchUp { tenant, source, asked } => {
                let caught_up = self.intake.catch_up(&tenant, &source, &asked).await;
                caught_up.map(Reply::CaughtUp).map_err(Refused::failed)
            }
        }
    }

    /// In the order of the identities.
    async fn plan(&self, tenant: &TenantId, identities: Vec<ResourceId>) -> Vec<Planned> {
        let plan = |identity: ResourceId| async move {
            match self.provisioner.plan(tenant, &identity).await {
                Ok(plan) => Planned::Plan(Box::new(plan)),
                Err(error) => Planned::Refused { identity, why: Refused::from(error) },
            }
        };
        stream::iter(identities).map(plan).buffered(PLANNED_AT_ONCE).collect().await
    }
}

fn caller(tenant: TenantId) -> Result<Caller, Refused> {
    let client = ClientName::new(OPERATOR).map_err(|error| Refused::failed(error.to_string()))?;
    Ok(Caller { tenant, client })
}

/// Whether an open hold was there to be decided.
fn decided(hold: &HoldId, was_open: Result<bool, ProvisionError>) -> Result<Reply, Refused> {
    match was_open {
        Ok(true) => Ok(Reply::Decided),
        Ok(false) => Err(Refused::failed(format!("the hold {hold} is not open any more"))),
        Err(error) => Err(error.into()),
    }
}

/// Whether a dead or held event was there to be decided.
fn of_event(event: &EventKey, was_owed: Result<bool, StoreError>) -> Result<Reply, Refused> {
    match was_owed {
        Ok(true) => Ok(Reply::Decided),
        Ok(false) => Err(Refused::failed(format!(
            "the event {} is neither dead nor held nor stored, or is being applied now",
            event.jti
        ))),
        Err(error) => Err(Refused::failed(error.to_string())),
    }
}

fn answer(answer: Result<Answer, ProvisionError>, identity: &ResourceId) -> Result<Reply, Refused> {
    let done = match answer? {
        Answer::Created(written) | Answer::Updated(written) => {
            Done { warnings: written.warnings, change: None }
        }
        Answer::Deleted(warnings) => Done { warnings, change: None },
        Answer::Accepted { change, .. } => Done { warnings: Vec::new(), change: Some(change) },
    };
    tracing::info!(resource.id = %identity, "an operator's change is done");
    Ok(Reply::Done(done))
}
