//! Record: what landed, in one transaction; then the answer.

use planning::Steps;
use salesforce_types::{Fields, Link};
use scim_types::Resource;
use store::{AuditEntry, ChangeOutcome, LinkWrite, Record, Recorded, ResourceWrite, StoredResource};
use translation::Note;

use super::{
    Entry, Stop, UserChange,
    decide::{Bound, Turnover},
};
use crate::{Answer, Operation, ProvisionError, Warning, Written, wish::Wish};

impl UserChange {
    /// Ends a change that asks nothing more of Salesforce. `wrote` is what has landed already without an answer.
    pub(super) async fn record_without_call(
        &self,
        turnover: &Turnover,
        link: Option<Link>,
        wrote: &Fields,
        notes: &[Note],
    ) -> Result<Answer, Stop> {
        let unchanged = turnover.wanted.is_some() && turnover.wanted == turnover.current && link.is_none();
        if let (true, Some(stored)) = (unchanged, &turnover.stored) {
            let mut entry = self.entry.lock().await;
            if std::mem::replace(&mut *entry, Entry::Ended) == Entry::Open {
                let outcome = ChangeOutcome { result: "unchanged".into(), status: 200, reason: None };
                let now = self.inner.clock.now();
                self.inner.store.withdraw(&self.change, outcome, self.is_awaited(), now).await?;
            }
            let resource = stored.clone();
            return Ok(self.success(Written { resource, warnings: Vec::new(), changed: false }));
        }
        // The caller's deadline may have come first.
        if !self.ticket.send() && self.ticket.is_withdrawn() {
            return Err(Stop::Withdrawn);
        }
        self.record(turnover, link, wrote, notes).await
    }

    /// Ends a change with what landed.
    pub(super) async fn record(
        &self,
        turnover: &Turnover,
        link: Option<Link>,
        wrote: &Fields,
        notes: &[Note],
    ) -> Result<Answer, Stop> {
        let now = self.inner.clock.now();
        let relevant = |note: &&Note| wrote.contains_key(&note.field);
        let target = link.as_ref().map(|link| link.target.clone());
        let (becomes, result, status) = resource_write(turnover);
        let links = match (link, &becomes) {
            (Some(link), ResourceWrite::Create(_) | ResourceWrite::Replace { .. } | ResourceWrite::Keep) => {
                vec![LinkWrite::Set(link)]
            }
            _ => Vec::new(),
        };
        let fields = wrote.keys().map(|field| match &target {
            Some(target) => format!("{target}.{field}"),
            None => field.clone(),
        });
        // Held until it is recorded: nobody may open the change again meanwhile.
        let mut entry = self.entry.lock().await;
        let record = Record {
            change: (*entry == Entry::Open).then(|| self.change.clone()),
            tenant: self.caller.tenant.clone(),
            kind: self.request.kind,
            resource: self.id.clone(),
            write: becomes,
            links,
            tasks: None,
            audit: AuditEntry {
                client: self.caller.client.clone(),
                action: action(&self.request.operation).to_owned(),
                fields: fields.collect(),
                notes: notes.iter().filter(relevant).map(|note| note.code.to_string()).collect(),
                mapping: None,
            },
            outcome: ChangeOutcome { result: result.to_owned(), status, reason: None },
            answered: self.is_awaited(),
            at: now,
        };
        let version = match self.inner.store.record(record).await? {
            Recorded::Recorded(version) => {
                *entry = Entry::Ended;
                version
            }
            Recorded::Stale => return Err(Stop::Again),
            Recorded::UserNameTaken { .. } => {
                let taken = ProvisionError::Taken { kind: self.request.kind, attribute: "userName" };
                return Err(Stop::Fail(taken));
            }
        };
        let Some(wanted) = &turnover.wanted else {
            return Ok(Answer::Deleted);
        };
        let before = turnover.stored.as_ref();
        let changed = before.is_none_or(|before| before.version != version);
        let resource = StoredResource {
            kind: self.request.kind,
            id: self.id.clone(),
            version,
            created: before.map_or(now, |before| before.created),
            modified: before.filter(|_| !changed).map_or(now, |before| before.modified),
            pending: false,
            body: text(wanted)?,
            groups: before.map(|before| before.groups.clone()).unwrap_or_default(),
            members: Vec::new(),
        };
        let warnings = notes.iter().filter(relevant).map(warning).collect();
        Ok(self.success(Written { resource, warnings, changed }))
    }

    fn success(&self, written: Written) -> Answer {
        match self.wish {
            Wish::Create(_) => Answer::Created(written),
            Wish::Delete => Answer::Deleted,
            Wish::Replace(_) | Wish::Patch(_) => Answer::Updated(written),
        }
    }
}

/// The link as the steps leave it, where that differs from what is stored.
pub(super) fn link_after(bound: &Bound<'_>, steps: &Steps, link: Option<&Link>) -> Option<Link> {
    let record_id = steps.link.record_id.clone()?;
    let after = steps.link.clone().into_link(
        bound.target.name.clone(),
        bound.org.name().clone(),
        bound.target.object.clone(),
        &record_id,
    );
    (link != Some(&after)).then_some(after)
}

/// What becomes of the resource, with the word and the status of it.
fn resource_write(turnover: &Turnover) -> (ResourceWrite, &'static str, u16) {
    match (&turnover.wanted, &turnover.stored) {
        (Some(wanted), None) => (ResourceWrite::Create(wanted.clone()), "created", 201),
        (Some(wanted), Some(_)) if turnover.current.as_ref() == Some(wanted) => {
            (ResourceWrite::Keep, "updated", 200)
        }
        (Some(wanted), Some(stored)) => {
            let body = wanted.clone();
            (ResourceWrite::Replace { expected: stored.version, body }, "updated", 200)
        }
        (None, Some(stored)) => (ResourceWrite::Delete { expected: stored.version }, "deleted", 204),
        (None, None) => (ResourceWrite::Keep, "deleted", 204),
    }
}

/// The audit's word for an operation.
pub(crate) fn action(operation: &Operation) -> &'static str {
    match operation {
        Operation::Create(_) => "create",
        Operation::Replace(_) => "replace",
        Operation::Patch(_) => "patch",
        Operation::Delete => "delete",
    }
}

/// The body as it is stored.
fn text(resource: &Resource) -> Result<String, ProvisionError> {
    serde_json::to_string(resource)
        .map_err(|error| ProvisionError::Misconfigured(format!("a resource cannot be written: {error}")))
}

fn warning(note: &Note) -> Warning {
    Warning { code: note.code.to_string(), attribute: note.attribute.clone(), detail: note.detail.clone() }
}
