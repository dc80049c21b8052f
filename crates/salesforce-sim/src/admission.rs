//! What every call to the data API and to SOAP goes through before its work, and around it.

use std::{collections::HashSet, time::Duration};

use crate::{
    World,
    calls::Running,
    errors::Refusal,
    faults::{Fault, FaultKind, Slow},
    footprint::Footprint,
    locks::Lock,
    oauth::{OAuth, Session},
    org::Actor,
    request::{Reply, Usage},
};

/// What is sent.
pub(crate) enum Outcome {
    Reply(Reply, Option<Usage>),
    /// Nothing: the connection is closed.
    Cut,
}

/// A call that may do its work, and runs until this is dropped.
pub(crate) struct Admitted<'a> {
    running: Running<'a>,
    pub(crate) actor: Actor,
    pub(crate) usage: Usage,
    fault: Option<FaultKind>,
    slow: Option<Slow>,
}

/// Why a call does not get that far.
pub(crate) enum Denied {
    Cut,
    Fault(Fault),
    Refused(Refusal, Option<Usage>),
}

/// Strikes a call with its faults, finds its session and takes it from the day's allowance, in the
/// order in which Salesforce does: a call without a session costs nothing.
pub(crate) async fn admit<'a>(
    world: &'a World,
    method: &str,
    path: &[String],
    token: Result<&str, Refusal>,
) -> Result<Admitted<'a>, Denied> {
    let (fault, slow) = match strike(world, method, path).await {
        Ok(struck) => struck,
        Err(None) => return Err(Denied::Cut),
        Err(Some(fault)) => return Err(Denied::Fault(fault)),
    };
    let now = world.now();
    let refused = |refusal| Denied::Refused(refusal, None);
    let token = token.map_err(refused)?;
    let session = world.oauth.session(&world.org(), token, now).map_err(refused)?;
    OAuth::for_data(&session).map_err(refused)?;
    let writes = !matches!(method, "GET" | "HEAD");
    check_concurrency(world, writes, now).map_err(refused)?;
    let usage = spend(world, &session, now).map_err(|usage| {
        let refusal = Refusal::call(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
        Denied::Refused(refusal, Some(usage))
    })?;
    let actor = Actor { user: session.user, now };
    Ok(Admitted {
        running: world.calls.begin(writes, now),
        actor,
        usage,
        slow,
        fault: fault.map(|fault| fault.kind),
    })
}

/// A call counts as long-running from here on.
const LONG_MS: i64 = 20_000;
/// A transaction does.
const LONG_TRANSACTION_MS: i64 = 5_000;

/// While too many calls run long, no other is let in.
fn check_concurrency(world: &World, writes: bool, now: i64) -> Result<(), Refusal> {
    let (calls, transactions) = {
        let org = world.org();
        let usual = if org.is_developer() { 5 } else { 25 };
        (org.switches.concurrent_requests.unwrap_or(usual), org.switches.concurrent_long_transactions)
    };
    let refusal = |message: &'static str| Err(Refusal::call(403, "REQUEST_LIMIT_EXCEEDED", message));
    if world.calls.running_for(LONG_MS, false, now) >= calls {
        return refusal("ConcurrentRequests (Concurrent API Requests) Limit exceeded.");
    }
    let long = || world.calls.running_for(LONG_TRANSACTION_MS, true, now);
    if writes && transactions.is_some_and(|limit| long() >= limit) {
        return refusal("ConcurrentPerOrgLongTxn Limit exceeded.");
    }
    Ok(())
}

/// Takes one call from the allowance.
fn spend(world: &World, session: &Session, now: i64) -> Result<Usage, Usage> {
    let org = world.org();
    let index = org.apps.iter().position(|app| app.client_id == session.client_id);
    let app = org.switches.per_app_api_usage.zip(index);
    let app = app.map(|(max, index)| (session.client_id.as_str(), index, max));
    world.calls.spend(org.switches.daily_api_requests, app, now)
}

/// Waits for the delay of a fault; hands back the fault itself unless it has already had its effect.
pub(crate) async fn strike(
    world: &World,
    method: &str,
    path: &[String],
) -> Result<(Option<Fault>, Option<Slow>), Option<Fault>> {
    let strike = world.faults.strike(method, path);
    pause(strike.delay).await;
    match strike.hit {
        Some(fault) if fault.kind == FaultKind::CutBeforeCommit => Err(None),
        Some(fault) if fault.kind == FaultKind::Status => Err(Some(fault)),
        hit => Ok((hit, strike.slow)),
    }
}

impl Admitted<'_> {
    /// Somebody else holds the row that this call writes first.
    pub(crate) fn is_locked(&self) -> bool {
        self.fault == Some(FaultKind::Lock)
    }

    /// Does the work in the middle of the time that a call of this size takes: a caller who gives up while it
    /// waits cannot know whether it was done. Its locks are its own from the beginning to the end.
    pub(crate) async fn carry_out(
        self,
        world: &World,
        footprint: Footprint,
        run: impl FnOnce(&HashSet<Lock>) -> Reply,
    ) -> Outcome {
        self.running.is(footprint.writes, footprint.locks.contains(&Lock::Sharing));
        let patience = world.org().switches.patience();
        let held = world.locks.take(footprint.locks, patience).await;
        self.running.has_its_locks();
        let takes = world.latency.of(footprint.records, &world.random);
        pause(takes / 2).await;
        let reply = run(&held.contended);
        if let Some(slow) = self.slow {
            slow.wait().await;
        }
        pause(takes / 2).await;
        drop(held);
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
