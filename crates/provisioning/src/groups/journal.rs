//! Durable before the first child, and ended in one transaction.

use model::{ChangeId, ResourceId};
use scim_types::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{
    AuditEntry, ChangeOutcome, NewChange, Opened, Record, Recorded, ResourceWrite, StoreError, StoredResource,
};

use super::{
    GroupChange, Stop, as_requests_see_it, kind,
    members::{Wanted, as_wanted, with_members},
    standing::Standing,
};
use crate::{
    ProvisionError,
    users::{Entry, action, body_of, outcome_of},
    wish::Wish,
};

/// Where the journal has what a Group was before.
const BEFORE: &str = "before";

/// A Group as it was before a change: a new one was nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Before(pub(super) Option<Snapshot>);

/// A Group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// Without members.
    pub(super) body: Resource,
    pub(super) members: Vec<Wanted>,
}

/// What a Group was called and stood for before a change; a new one nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Former {
    pub(super) name: Option<String>,
    pub(super) standing: Standing,
}

impl Before {
    pub(super) fn of(stored: Option<&StoredResource>) -> Result<Self, ProvisionError> {
        let snapshot = |stored: &StoredResource| {
            let members = stored.members.iter().map(as_wanted).collect();
            Ok(Snapshot { body: body_of(stored)?, members })
        };
        stored.map(snapshot).transpose().map(Self)
    }

    pub(super) fn former(&self) -> Result<Former, ProvisionError> {
        let Some(Snapshot { body, .. }) = &self.0 else { return Ok(Former::default()) };
        Ok(Former { name: body.display_name().map(str::to_owned), standing: Standing::of(body)? })
    }

    /// As the journal has it, if it does.
    pub(super) fn journalled(request: &Value) -> Option<Self> {
        Self::deserialize(request.get(BEFORE)?).ok()
    }
}

/// How a change of a Group ended.
pub(super) struct Outcome {
    pub(super) result: &'static str,
    pub(super) status: u16,
    /// Of one that has not got everything. No personal data.
    pub(super) reason: Option<String>,
    /// The members of a new Group who could not join.
    pub(super) undone: Vec<ResourceId>,
    /// Why, in full, for a caller who did not wait.
    pub(super) detail: Option<String>,
}

impl GroupChange {
    /// The change has been checked, and goes on to its end from now on, whatever happens: the journal says so, with what the
    /// Group was before.
    pub(super) async fn begin(
        &self,
        takes_access_away: bool,
        stored: Option<&StoredResource>,
    ) -> Result<(), ProvisionError> {
        if !self.has_begun() {
            let before = Before::of(stored)?;
            self.write_down(takes_access_away, Some(&before)).await?;
            let _ = self.before.set(before);
        }
        Ok(())
    }

    /// Puts the request into the journal, if it is not there. A new Group is pending from then on.
    pub(super) async fn open(&self) -> Result<(), ProvisionError> {
        self.write_down(self.may_take_access_away(), None).await
    }

    async fn write_down(
        &self,
        takes_access_away: bool,
        before: Option<&Before>,
    ) -> Result<(), ProvisionError> {
        let mut entry = self.entry.lock().await;
        let unwritable = |error: serde_json::Error| ProvisionError::Misconfigured(error.to_string());
        let mut request = serde_json::to_value(&self.request).map_err(unwritable)?;
        if let Some(before) = before {
            request[BEFORE] = serde_json::to_value(before).map_err(unwritable)?;
        }
        match (*entry, before) {
            (Entry::None, _) => {}
            (Entry::Open, Some(_)) => return Ok(self.inner.store.amend(&self.change, &request).await?),
            (Entry::Open, None) | (Entry::Ended, _) => return Ok(()),
        }
        let reserve = match (&self.wish, before) {
            (Wish::Create(resource), None) => Some(resource.clone()),
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
                takes_access_away,
                plan: None,
                reserve,
                rename: None,
                asynchronous: self.request.asynchronous(&self.change, self.asynchronous.get()),
                at: self.accepted,
            })
            .await?;
        match opened {
            Opened::Opened => {
                *entry = Entry::Open;
                Ok(())
            }
            Opened::UserNameTaken { .. } => {
                Err(ProvisionError::Misconfigured("a Group has no userName to be taken".to_owned()))
            }
        }
    }

    /// Writes the Group while the change goes on.
    pub(super) async fn write(&self, write: ResourceWrite) -> Result<(), Stop> {
        let outcome =
            Outcome { result: "updated", status: 200, reason: None, undone: Vec::new(), detail: None };
        self.record(write, outcome, false).await
    }

    /// Begins a change that only gives the Group another name: what its change is journalled with. The name itself is written
    /// together with those of others.
    pub(super) async fn begin_renaming(&self) -> Result<Record, Stop> {
        let stored = self.stored().await?.ok_or_else(|| self.not_found())?;
        let current = as_requests_see_it(&stored)?;
        let wanted = self.wish.apply(kind(), Some(&current))?.ok_or(Stop::Again)?;
        let was = Standing::of(&current)?;
        let name = wanted.display_name().unwrap_or_default();
        let standing = self.standing(name, &was, current.display_name()).await?;
        let body = standing.written(&with_members(wanted, []))?;
        self.begin(true, Some(&stored)).await?;
        let outcome =
            Outcome { result: "updated", status: 200, reason: None, undone: Vec::new(), detail: None };
        Ok(self.record_of(ResourceWrite::Revise { expected: stored.version, body }, outcome, None))
    }

    /// Writes the Group, and with that the change has ended.
    pub(super) async fn end(&self, write: ResourceWrite, outcome: Outcome) -> Result<(), Stop> {
        self.record(write, outcome, true).await
    }

    async fn record(&self, write: ResourceWrite, outcome: Outcome, ends: bool) -> Result<(), Stop> {
        // Held until it is recorded: nobody may open the change meanwhile.
        let mut entry = self.entry.lock().await;
        let change = (ends && *entry == Entry::Open).then(|| self.change.clone());
        match self.inner.store.record(self.record_of(write, outcome, change)).await? {
            Recorded::Recorded(_) => {
                if ends {
                    *entry = Entry::Ended;
                }
                Ok(())
            }
            Recorded::Stale => Err(Stop::Again),
            Recorded::UserNameTaken { .. } => {
                Err(ProvisionError::Misconfigured("a Group has no userName to be taken".to_owned()).into())
            }
        }
    }

    /// The transaction; `change` is what ends with it.
    fn record_of(&self, write: ResourceWrite, outcome: Outcome, change: Option<ChangeId>) -> Record {
        Record {
            change,
            tenant: self.caller.tenant.clone(),
            kind: self.request.kind,
            resource: self.id.clone(),
            write,
            links: Vec::new(),
            grants: Vec::new(),
            memberships: Vec::new(),
            asked: None,
            tasks: None,
            audit: AuditEntry {
                client: self.caller.client.clone(),
                action: action(&self.request.operation).to_owned(),
                fields: Vec::new(),
                grants: Vec::new(),
                notes: Vec::new(),
                consents: Vec::new(),
                mapping: None,
            },
            answered: self.is_awaited() && outcome.reason.is_none(),
            outcome: ChangeOutcome {
                result: outcome.result.to_owned(),
                status: outcome.status,
                reason: outcome.reason,
                undone: outcome.undone,
                detail: outcome.detail,
            },
            at: self.inner.clock.now(),
        }
    }

    /// Nothing more is done: takes the change out of the journal, if it is there and open, and says why.
    pub(super) async fn give_up(&self, error: ProvisionError) -> ProvisionError {
        match self.withdraw(outcome_of(&error)).await {
            Ok(()) => error,
            Err(store) => store.into(),
        }
    }

    /// There was nothing to do.
    pub(super) async fn end_unchanged(&self) -> Result<(), StoreError> {
        self.withdraw(ChangeOutcome {
            result: "unchanged".to_owned(),
            status: 200,
            reason: None,
            ..ChangeOutcome::default()
        })
        .await
    }

    async fn withdraw(&self, outcome: ChangeOutcome) -> Result<(), StoreError> {
        let mut entry = self.entry.lock().await;
        if std::mem::replace(&mut *entry, Entry::Ended) != Entry::Open {
            return Ok(());
        }
        self.inner.store.withdraw(&self.change, outcome, self.is_awaited(), self.inner.clock.now()).await
    }
}
