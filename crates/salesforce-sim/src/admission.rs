//! What every call to the data API and to SOAP goes through before its work, and around it.

use std::time::Duration;

use crate::{
    World,
    errors::Refusal,
    faults::{Fault, FaultKind},
    oauth::OAuth,
    org::Actor,
    request::{Reply, Usage},
};

/// What is sent.
pub(crate) enum Outcome {
    Reply(Reply, Option<Usage>),
    /// Nothing: the connection is closed.
    Cut,
}

/// A call that may do its work.
pub(crate) struct Admitted {
    pub(crate) actor: Actor,
    pub(crate) usage: Usage,
    fault: Option<FaultKind>,
}

/// Why a call does not get that far.
pub(crate) enum Denied {
    Cut,
    Fault(Fault),
    Refused(Refusal, Option<Usage>),
}

/// Strikes a call with its faults, finds its session and takes it from the day's allowance, in the
/// order in which Salesforce does: a call without a session costs nothing.
pub(crate) async fn admit(
    world: &World,
    method: &str,
    path: &[String],
    token: Result<&str, Refusal>,
) -> Result<Admitted, Denied> {
    let fault = match strike(world, method, path).await {
        Ok(fault) => fault,
        Err(None) => return Err(Denied::Cut),
        Err(Some(fault)) => return Err(Denied::Fault(fault)),
    };
    let now = world.now();
    let refused = |refusal| Denied::Refused(refusal, None);
    let token = token.map_err(refused)?;
    let (session, max) = {
        let org = world.org();
        let session = world.oauth.session(&org, token, now).map_err(refused)?;
        (session, org.switches.daily_api_requests)
    };
    OAuth::for_data(&session).map_err(refused)?;
    let user = session.user;
    let usage = world.calls.spend(max, now).map_err(|usage| {
        let refusal = Refusal::call(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
        Denied::Refused(refusal, Some(usage))
    })?;
    Ok(Admitted { actor: Actor { user, now }, usage, fault: fault.map(|fault| fault.kind) })
}

/// Waits for the delay of a fault; hands back the fault itself unless it has already had its effect.
pub(crate) async fn strike(
    world: &World,
    method: &str,
    path: &[String],
) -> Result<Option<Fault>, Option<Fault>> {
    let strike = world.faults.strike(method, path);
    pause(strike.delay).await;
    match strike.hit {
        Some(fault) if fault.kind == FaultKind::CutBeforeCommit => Err(None),
        Some(fault) if fault.kind == FaultKind::Status => Err(Some(fault)),
        hit => Ok(hit),
    }
}

impl Admitted {
    /// Somebody else holds the row that this call writes first.
    pub(crate) fn is_locked(&self) -> bool {
        self.fault == Some(FaultKind::Lock)
    }

    /// Does the work in the middle of the time that a call with so many records takes: a caller who gives up
    /// while it waits cannot know whether it was done.
    pub(crate) async fn carry_out(
        &self,
        world: &World,
        records: usize,
        run: impl FnOnce() -> Reply,
    ) -> Outcome {
        let takes = world.latency.of(records, &world.random);
        pause(takes / 2).await;
        let reply = run();
        pause(takes / 2).await;
        if self.fault == Some(FaultKind::CutAfterCommit) {
            return Outcome::Cut;
        }
        Outcome::Reply(reply, Some(self.usage))
    }
}

pub(crate) async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
