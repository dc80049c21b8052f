//! Durable before anything is sent, and gone again when nothing is kept.

use salesforce_types::Plan;
use store::{ChangeOutcome, LinkWrite, NewChange, Opened};

use super::{Entry, REPEAT_WITHIN, Stop, UserChange};
use crate::{ProvisionError, wish::Wish};

impl UserChange {
    /// Puts the change into the journal with its plan, or gives the plan to the one that is there. `rename` is the new
    /// userName of an update that changes it, `landed` what earlier stages have made of its links.
    pub(super) async fn open(
        &self,
        plan: Option<&Plan>,
        rename: Option<String>,
        landed: &[LinkWrite],
    ) -> Result<(), Stop> {
        let mut entry = self.entry.lock().await;
        match (*entry, plan) {
            (Entry::None, _) => {}
            (Entry::Open, Some(plan)) => {
                return match self.inner.store.replan(&self.change, plan, rename.as_deref(), landed).await? {
                    Opened::Opened => Ok(()),
                    Opened::UserNameTaken { by } => Err(self.taken(&by).await),
                };
            }
            (Entry::Open, None) | (Entry::Ended, _) => return Ok(()),
        }
        let request = serde_json::to_value(&self.request)
            .map_err(|error| Stop::Fail(ProvisionError::Misconfigured(error.to_string())))?;
        let reserve = match &self.wish {
            Wish::Create(resource) => Some(resource.clone()),
            _ => None,
        };
        let opened = self
            .inner
            .store
            .open(NewChange {
                id: self.change.clone(),
                tenant: self.caller.tenant.clone(),
                client: self.caller.client.clone(),
                kind: self.request.kind,
                resource: self.id.clone(),
                request,
                fingerprint: self.fingerprint,
                takes_access_away: self.ticket.takes_access_away(),
                plan: plan.cloned(),
                reserve,
                rename,
                asynchronous: self.request.asynchronous(&self.change, self.asynchronous.get()),
                at: self.accepted,
            })
            .await?;
        match opened {
            Opened::Opened => {
                *entry = Entry::Open;
                Ok(())
            }
            Opened::UserNameTaken { by } => Err(self.taken(&by).await),
        }
    }

    /// Another has the name. It may be ourselves: the same request, repeated.
    async fn taken(&self, by: &model::ResourceId) -> Stop {
        let taken = ProvisionError::Taken { kind: self.request.kind, attribute: "userName" };
        let Some(fingerprint) = &self.fingerprint else {
            return Stop::Fail(taken);
        };
        let since = self.inner.clock.now().saturating_sub(REPEAT_WITHIN).unwrap_or(self.accepted);
        match self.inner.store.find_repeat(&self.caller.tenant, &self.caller.client, fingerprint, since).await
        {
            Ok(Some(earlier))
                if earlier.resource == *by && (earlier.state.is_open() || !earlier.answered) =>
            {
                Stop::Join(Box::new(earlier))
            }
            Ok(_) => match self.inner.store.get(&self.caller.tenant, self.request.kind, by.as_str()).await {
                // Withdrawn between the two looks: the name is free again.
                Ok(None) => Stop::Again,
                Ok(Some(_)) => Stop::Fail(taken),
                Err(error) => error.into(),
            },
            Err(error) => error.into(),
        }
    }

    /// Keeps a change that takes access away, whatever the org says.
    pub(super) async fn keep(&self) -> Result<(), ProvisionError> {
        match self.open(None, None, &[]).await {
            Ok(()) => Ok(()),
            Err(Stop::Fail(error)) => Err(error),
            Err(_) => Err(self.rolling_forward()),
        }
    }

    /// Nothing is kept: takes the change out of the journal, if it is there, and says why.
    pub(super) async fn give_up(&self, error: ProvisionError) -> ProvisionError {
        let mut entry = self.entry.lock().await;
        if std::mem::replace(&mut *entry, Entry::Ended) != Entry::Open {
            return error;
        }
        let outcome = outcome_of(&error);
        let awaited = self.is_awaited();
        match self.inner.store.withdraw(&self.change, outcome, awaited, self.inner.clock.now()).await {
            Ok(()) => error,
            Err(store) => store.into(),
        }
    }
}

/// How a failure is kept: codes and field names, no values; and in full for a caller who did not wait.
pub(crate) fn outcome_of(error: &ProvisionError) -> ChangeOutcome {
    let (result, status, reason) = match error {
        ProvisionError::Refused { refusal, .. } => {
            let rule = salesforce_types::errors::rule(&refusal.code, &refusal.message);
            ("refused", rule.status, format!("{} {}", refusal.code, refusal.fields.join(" ")))
        }
        ProvisionError::Held { hold, .. } => ("held", 409, hold.to_string()),
        ProvisionError::LinkedElsewhere { record, .. } => ("refused", 409, record.to_string()),
        ProvisionError::Busy { why, .. } => ("withdrawn", 503, why.clone()),
        ProvisionError::Untranslatable(refusals) => {
            let fields: Vec<_> = refusals.iter().map(|refusal| refusal.field.as_str()).collect();
            ("refused", 400, fields.join(" "))
        }
        ProvisionError::Taken { attribute, .. } => ("refused", 409, (*attribute).to_owned()),
        ProvisionError::NotFound { .. } => ("refused", 404, String::new()),
        ProvisionError::VersionMismatch { .. } => ("refused", 412, String::new()),
        ProvisionError::Invalid(invalid) => ("refused", invalid.status, String::new()),
        ProvisionError::NotAllowed { what, .. } => ("refused", 403, (*what).to_owned()),
        ProvisionError::RollingForward { .. } | ProvisionError::WillBeDone { .. } => {
            ("withdrawn", 503, String::new())
        }
        ProvisionError::PlanMoved { .. } => ("refused", 409, String::new()),
        ProvisionError::Partly { failed, .. } => {
            let failed: Vec<_> = failed.iter().map(|(target, _)| target.as_str()).collect();
            ("refused", 409, failed.join(" "))
        }
        ProvisionError::MayNotGrant { of, .. } => ("refused", 403, of.to_string()),
        ProvisionError::NoSeat { what, .. } => ("refused", 403, format!("no free seat: {what}")),
        ProvisionError::NotAllGranted { refused, .. } => {
            let names: Vec<_> = refused.iter().map(|(name, _)| name.as_str()).collect();
            ("refused", 409, names.join(", "))
        }
        ProvisionError::NotAllMembers { refused, .. } => {
            let first = refused.first().map(|(_, error)| outcome_of(error));
            let status = first.as_ref().map_or(409, |first| first.status);
            let why = first.and_then(|first| first.reason).unwrap_or_default();
            ("refused", status, format!("{} members were refused: {why}", refused.len()))
        }
        ProvisionError::Published => ("refused", 403, String::new()),
        ProvisionError::Store(_) | ProvisionError::Misconfigured(_) => ("withdrawn", 500, error.to_string()),
    };
    let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    ChangeOutcome {
        result: result.to_owned(),
        status,
        reason,
        detail: Some(error.to_string()),
        ..ChangeOutcome::default()
    }
}
