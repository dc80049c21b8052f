//! Raises what a person has to decide.

use planning::Obstacle;
use salesforce_types::{Plan, PlannedStep, RecordId, Step};
use store::{Hold, HoldKind};

use super::{
    Progress, Stop, UserChange,
    progress::Failure,
    round::{Turnover, hold_subject},
    scene::Bound,
};
use crate::ProvisionError;

impl UserChange {
    /// Raises a hold for what stands in the way of a record; answers what its caller is told.
    pub(super) async fn hold(
        &self,
        bound: &Bound<'_>,
        turnover: &Turnover,
        obstacle: Obstacle,
        dry: bool,
    ) -> Result<ProvisionError, Stop> {
        let (org, object) = (bound.org.name(), &bound.target.object);
        let (kind, why, candidates) = match obstacle {
            Obstacle::Ambiguous(candidates) => (
                HoldKind::AmbiguousMatch { candidates: candidates.clone() },
                format!(
                    "{} {object}s of the org {org} match this identity ({})",
                    candidates.len(),
                    list(&candidates)
                ),
                candidates,
            ),
            Obstacle::Protected(record) => (
                HoldKind::ProtectedMatch { record: record.clone() },
                format!("the {object} {record} of the org {org} matches this identity and is protected"),
                vec![record],
            ),
            Obstacle::DeletedByHand(record) => (
                HoldKind::DeletedByHand { record: record.clone() },
                format!("the {object} {record} of the org {org} was deleted in Salesforce"),
                vec![record],
            ),
            // Two identities that claim one person: nothing to decide, the tool has to tell them apart.
            Obstacle::LinkedElsewhere(record, identity) => {
                return Ok(ProvisionError::LinkedElsewhere {
                    org: org.clone(),
                    object: object.clone(),
                    record,
                    identity,
                });
            }
        };
        // What is only asked raises nothing.
        let hold = if dry { self.inner.ids.hold() } else { self.raise(bound, turnover, kind).await? };
        Ok(ProvisionError::Held { hold, why, candidates })
    }

    /// A record without an external id that nobody knows the end of is not made a second time, until a person has looked.
    pub(super) async fn check_unknown_create(
        &self,
        bound: &Bound<'_>,
        turnover: &Turnover,
        plan: &Plan,
    ) -> Result<(), Stop> {
        let makes =
            |planned: &PlannedStep| matches!(&planned.step, Step::Create { object, .. } if object != "User");
        if !plan.steps.iter().any(makes) {
            return Ok(());
        }
        let subject = hold_subject(&self.caller.tenant, turnover);
        match self.inner.store.hold_of(&self.caller.tenant, &subject, bound.name()).await? {
            Some((hold, _)) if hold.kind == HoldKind::UnknownCreate => {
                Err(unknown_create(bound, hold.id).into())
            }
            _ => Ok(()),
        }
    }

    /// A create without an external id was cut off, and nothing is there that is all it has sent.
    pub(super) async fn hold_unknown_create(
        &self,
        bound: &Bound<'_>,
        turnover: &Turnover,
    ) -> Result<ProvisionError, Stop> {
        let hold = self.raise(bound, turnover, HoldKind::UnknownCreate).await?;
        Ok(unknown_create(bound, hold))
    }

    /// A record that Salesforce keeps although its identity is gone.
    pub(super) async fn hold_undeleted(
        &self,
        bound: &Bound<'_>,
        turnover: &Turnover,
        record: &RecordId,
    ) -> Result<(), Stop> {
        self.raise(bound, turnover, HoldKind::NotDeleted { record: record.clone() }).await.map(|_| ())
    }

    async fn raise(
        &self,
        bound: &Bound<'_>,
        turnover: &Turnover,
        kind: HoldKind,
    ) -> Result<model::HoldId, Stop> {
        let hold = Hold {
            id: self.inner.ids.hold(),
            tenant: self.caller.tenant.clone(),
            identity: (!self.is_create()).then(|| self.id.clone()),
            subject: hold_subject(&self.caller.tenant, turnover),
            target: bound.name().clone(),
            kind,
            raised: self.inner.clock.now(),
        };
        Ok(self.inner.store.raise_hold(hold).await?)
    }

    /// Notes a choice for a request that was held, and that has not come again yet. The target, if there is such a hold.
    pub(super) async fn keep_choice(&self, record: &RecordId) -> Result<Option<model::TargetName>, Stop> {
        let holds = self.inner.store.open_holds(Some(&self.caller.tenant)).await?;
        let asks_for = |hold: &Hold| match &hold.kind {
            HoldKind::AmbiguousMatch { candidates } => candidates.contains(record),
            _ => false,
        };
        let ours = holds.into_iter().find(|hold| hold.identity.as_ref() == Some(&self.id) && asks_for(hold));
        let Some(hold) = ours else { return Ok(None) };
        self.inner.store.decide_hold(&hold.id, record).await?;
        Ok(Some(hold.target))
    }

    /// The identity is there now, and what is held of it can be decided for it.
    pub(super) async fn claim_holds(&self, turnover: &Turnover, progress: &Progress) -> Result<(), Stop> {
        let subject = hold_subject(&self.caller.tenant, turnover);
        let is_held = |failure: &Failure| matches!(failure.error, ProvisionError::Held { .. });
        for (target, _) in progress.failed.iter().filter(|(_, failure)| is_held(failure)) {
            if let Some((hold, _)) = self.inner.store.hold_of(&self.caller.tenant, &subject, target).await? {
                self.inner.store.raise_hold(Hold { identity: Some(self.id.clone()), ..hold }).await?;
            }
        }
        Ok(())
    }

    /// The identity has its record: what a person had to decide for that has been decided.
    pub(super) async fn close_hold(&self, turnover: &Turnover, target: &model::TargetName) {
        let (tenant, now) = (&self.caller.tenant, self.inner.clock.now());
        let subject = hold_subject(tenant, turnover);
        if let Err(error) = self.inner.store.close_hold(tenant, &subject, target, now).await {
            // The change itself is recorded; a hold that stays is seen and does no harm.
            tracing::warn!(%tenant, change.id = %self.change, %error, "a hold could not be closed");
        }
    }
}

fn unknown_create(bound: &Bound<'_>, hold: model::HoldId) -> ProvisionError {
    let why = format!(
        "the connection to the org {} was cut while a {} was made, and nothing tells whether it is there",
        bound.org.name(),
        bound.target.object
    );
    ProvisionError::Held { hold, why, candidates: Vec::new() }
}

pub(super) fn list(records: &[RecordId]) -> String {
    records.iter().map(RecordId::as_str).collect::<Vec<_>>().join(", ")
}
