//! The records of somebody who has left, given to somebody else (`[targets.x.hand-over]`).
//!
//! A task of its own, raised when the person is locked out and never before. An attempt is claimed in the store, so that no two
//! gateways hand over beside each other; it counts first, then moves owners in
//! batches. It needs no journal: what has a new owner is not found again, so an attempt that was cut short is taken up by the
//! next one, and nothing is written twice. Records that Salesforce does not let go of keep the task open.

use std::{collections::BTreeMap, sync::Arc};

use indexmap::IndexMap;
use model::{ResourceId, ResourceKind};
use salesforce_client::{Asker, CallError, Org, Purpose, Ticket, soql};
use salesforce_types::{
    Duplicates, EntitlementKind, Fields, GrantState, Link, Manner, RecordId, References, Step, StepOutcome,
};
use scim_types::Registry;
use serde_json::Value;
use store::{AuditEntry, ChangeOutcome, Lease, NewTask, Record, ResourceWrite, StoreError, Task, TaskKind};
use translation::{HandOver, HandOverTo};

use crate::{
    Caller, Operation, ProvisionError,
    provisioner::Inner,
    users::{Bound, Scene, body_of},
};

/// Records that are read and written at once: one Collection.
const BATCH: u32 = 200;
/// A claim is held for so long from one batch to the next: a batch has a minute, and what is asked before it as much.
const CLAIM: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
/// A place in a queue.
const MEMBERSHIP: &str = "GroupMember";
/// The manager (RFC 7643 §4.3).
const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value";

/// Why an attempt did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandOverError {
    /// The org cannot be asked now.
    #[error("{0}")]
    Call(#[from] CallError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Misconfigured(#[from] ProvisionError),
    #[error("a name is none: {0}")]
    Name(#[from] soql::NotAName),
    /// Nobody takes the records.
    #[error("{0}")]
    NoHeir(&'static str),
    /// The org stopped answering, or Gangway is stopping.
    #[error("{0}")]
    Stalled(String),
    /// Another gateway does it.
    #[error("another gateway is handing them over")]
    Elsewhere,
    /// Salesforce does not let go of some.
    #[error("Salesforce keeps {0}")]
    Kept(String),
}

/// What an attempt has found and moved, by object.
#[derive(Debug, Default)]
struct Tally {
    found: IndexMap<&'static str, u64>,
    moved: IndexMap<&'static str, u64>,
    /// How many were refused, by object and code.
    kept: BTreeMap<(&'static str, String), u64>,
}

/// One kind of record that is handed over.
#[derive(Debug)]
struct Kind {
    object: &'static str,
    /// A field that tells those that are done with.
    done: Option<&'static str>,
}

/// Accounts first: the contact of a person account goes with it, and cannot be moved by itself.
const KINDS: [Kind; 5] = [
    Kind { object: "Account", done: None },
    Kind { object: "Contact", done: None },
    Kind { object: "Lead", done: Some("IsConverted") },
    Kind { object: "Opportunity", done: Some("IsClosed") },
    Kind { object: "Task", done: Some("IsClosed") },
];

/// One attempt of a task. The task ends, or its reason says why it has not.
pub(crate) async fn attempt(inner: &Arc<Inner>, caller: &Caller, task: &Task) -> Result<(), HandOverError> {
    let scene = Scene::of(inner, caller, &Operation::Attempt(task.client.clone()))?;
    let bounds = scene.bind()?;
    let bound = bounds.iter().find(|bound| *bound.name() == task.target);
    let policy = bound.and_then(|bound| bound.target.hand_over.as_ref());
    let (Some(bound), Some(policy)) = (bound, policy) else {
        // The configuration asks for it no more.
        return end(inner, caller, task, &Tally::default()).await;
    };
    let Some(link) = leaver(inner, task).await? else {
        return end(inner, caller, task, &Tally::default()).await;
    };
    let mut run = Run {
        inner,
        caller,
        task,
        bound,
        policy,
        link,
        claim: Claim::of(inner, task),
        tally: Tally::default(),
    };
    run.claim.hold(inner).await?;
    let ended = run.carry_out().await;
    // Whatever has failed: the next attempt need not wait until the claim runs out.
    let released = inner.store.release_lease(&run.claim.name, &run.claim.holder).await;
    ended?;
    Ok(released?)
}

/// The link of somebody who is (still) locked out.
async fn leaver(inner: &Inner, task: &Task) -> Result<Option<Link>, StoreError> {
    let links = inner.store.links(&task.tenant, &task.identity).await?;
    Ok(links.into_iter().find(|link| link.target == task.target && is_locked_out(link)))
}

/// Whether the person cannot log in any more, because Gangway has seen to it.
fn is_locked_out(link: &Link) -> bool {
    link.left || link.froze || link.written.get("IsActive") == Some(&Value::Bool(false))
}

/// The right to hand over, which one gateway has at a time.
struct Claim {
    name: String,
    holder: String,
}

impl Claim {
    fn of(inner: &Inner, task: &Task) -> Self {
        let Task { tenant, identity, target, .. } = task;
        Self { name: format!("hand-over/{tenant}/{identity}/{target}"), holder: inner.ids.task().to_string() }
    }

    /// Takes it, or goes on holding it.
    async fn hold(&self, inner: &Inner) -> Result<(), HandOverError> {
        let now = inner.clock.now();
        let until = now.checked_add(CLAIM).unwrap_or(now);
        match inner.store.take_lease(&self.name, &self.holder, now, until).await? {
            Lease::Taken => Ok(()),
            Lease::Busy { .. } => Err(HandOverError::Elsewhere),
        }
    }
}

struct Run<'a> {
    inner: &'a Arc<Inner>,
    caller: &'a Caller,
    task: &'a Task,
    bound: &'a Bound<'a>,
    policy: &'a HandOver,
    link: Link,
    claim: Claim,
    tally: Tally,
}

impl Run<'_> {
    fn org(&self) -> &Org {
        self.bound.org
    }

    fn ticket(&self) -> Ticket {
        let asker = Asker {
            tenant: self.task.tenant.clone(),
            client: self.caller.client.clone(),
            identity: self.task.identity.clone(),
        };
        Ticket::new(asker, false)
    }

    fn kinds(&self) -> impl Iterator<Item = &'static Kind> {
        KINDS.iter().filter(|kind| self.policy.objects.iter().any(|object| object == kind.object))
    }

    /// Hands over, and writes down what came of it.
    async fn carry_out(&mut self) -> Result<(), HandOverError> {
        let ended = self.run().await;
        match &ended {
            Ok(()) => end(self.inner, self.caller, self.task, &self.tally).await?,
            Err(error) => {
                self.inner.store.explain_task(&self.task.id, &error.to_string()).await?;
                if self.tally.moved.values().any(|moved| *moved > 0) {
                    audit(self.inner, self.caller, self.task, &self.tally, None).await?;
                }
            }
        }
        ended
    }

    async fn run(&mut self) -> Result<(), HandOverError> {
        let places = self.queues_of_the_leaver().await?;
        self.count(&places).await?;
        if self.tally.found.values().all(|found| *found == 0) {
            return Ok(());
        }
        let heir = self.heir().await?;
        let queues = self.without_those_of(&heir, places).await?;
        let found = self.tally.found.iter().filter(|(_, count)| **count > 0);
        let found: Vec<String> = found.map(|(object, count)| format!("{object} {count}")).collect();
        if !found.is_empty() {
            let reason = format!("{} go to the User {heir}", found.join(", "));
            self.inner.store.explain_task(&self.task.id, &reason).await?;
        }
        let with_some: Vec<&Kind> = self.kinds().filter(|kind| self.tally.found[kind.object] > 0).collect();
        for kind in with_some {
            self.hand_over(kind, &heir).await?;
        }
        self.take_places(&queues, &heir).await?;
        if self.tally.kept.is_empty() {
            return Ok(());
        }
        let kept = self.tally.kept.iter().map(|((object, code), count)| format!("{object} {count} ({code})"));
        Err(HandOverError::Kept(kept.collect::<Vec<_>>().join(", ")))
    }

    /// Who takes the records: a User of the org who can log in.
    async fn heir(&self) -> Result<RecordId, HandOverError> {
        let ticket = self.ticket();
        let purpose = Purpose::matching(&ticket);
        let heir = match &self.policy.to {
            HandOverTo::Named(name) => match RecordId::parse(name) {
                Ok(id) => Some(id),
                Err(_) => self.user_named(name, purpose).await?,
            },
            HandOverTo::Manager => match self.manager().await? {
                Some(id) => Some(id),
                None => self.manager_in_salesforce(purpose).await?,
            },
        };
        let heir = heir.ok_or(HandOverError::NoHeir(match self.policy.to {
            HandOverTo::Named(_) => "the org has no User with this Username: see `hand-over.to`",
            HandOverTo::Manager => "the person has no manager with a User in the org",
        }))?;
        let row = self.org().read("User", &heir, &["Id", "IsActive"], purpose).await?;
        let Some(row) = row else {
            return Err(HandOverError::NoHeir("the User who is to take the records is not in the org"));
        };
        if heir == self.link.record_id || row.get("IsActive") != Some(&Value::Bool(true)) {
            return Err(HandOverError::NoHeir("the User who is to take the records is not active"));
        }
        let frozen = soql::Condition::eq("UserId", &heir)?.and(soql::Condition::eq("IsFrozen", true)?);
        let frozen = soql::Query::select("UserLogin", &["Id"])?.where_(frozen);
        if !self.org().query(&frozen, purpose).await?.is_empty() {
            return Err(HandOverError::NoHeir("the User who is to take the records is frozen"));
        }
        Ok(heir)
    }

    async fn user_named(
        &self,
        username: &str,
        purpose: Purpose<'_>,
    ) -> Result<Option<RecordId>, HandOverError> {
        let query = soql::Query::select("User", &["Id"])?.where_(soql::Condition::eq("Username", username)?);
        Ok(ids(&self.org().query(&query.limit(1), purpose).await?).into_iter().next())
    }

    /// The User of the identity's manager in this org.
    async fn manager(&self) -> Result<Option<RecordId>, HandOverError> {
        let (store, tenant) = (&self.inner.store, &self.task.tenant);
        let stored = store.get(tenant, ResourceKind::User, self.task.identity.as_str()).await?;
        let Some(stored) = stored else { return Ok(None) };
        let person = body_of(&stored)?;
        let path = Registry::standard().user().find(MANAGER);
        let manager = path.and_then(|path| person.values(&path).first()?.as_str().map(str::to_owned));
        let Some(manager) = manager else { return Ok(None) };
        let links = store.links(tenant, &ResourceId::from_text(manager)).await?;
        let link =
            links.into_iter().find(|link| link.object == "User" && link.org == self.link.org && !link.left);
        Ok(link.map(|link| link.record_id))
    }

    async fn manager_in_salesforce(&self, purpose: Purpose<'_>) -> Result<Option<RecordId>, HandOverError> {
        let row = self.org().read("User", &self.link.record_id, &["Id", "ManagerId"], purpose).await?;
        let id = row.as_ref().and_then(|row| row.get("ManagerId")?.as_str());
        Ok(id.and_then(|id| RecordId::parse(id).ok()))
    }

    /// How many there are of each, in one call.
    async fn count(&mut self, queues: &[RecordId]) -> Result<(), HandOverError> {
        let kinds: Vec<&Kind> = self.kinds().collect();
        let queries: Result<Vec<_>, _> = kinds.iter().map(|kind| self.owned(kind)).collect();
        let ticket = self.ticket();
        let counts = self.org().count(&queries?, Purpose::matching(&ticket)).await?;
        for (kind, count) in kinds.iter().zip(counts) {
            let count = match count {
                // What the org does not have nobody owns.
                Err(refusal) if refusal.code == "INVALID_TYPE" => 0,
                Err(refusal) => return Err(CallError::Refused(refusal).into()),
                Ok(count) => count,
            };
            self.tally.found.insert(kind.object, count);
        }
        if self.policy.queues {
            self.tally.found.insert(MEMBERSHIP, u64::try_from(queues.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// What the leaver owns and is not done with.
    fn owned(&self, kind: &Kind) -> Result<soql::Query, soql::NotAName> {
        let mut owned = soql::Condition::eq("OwnerId", &self.link.record_id)?;
        if let Some(done) = kind.done {
            owned = owned.and(soql::Condition::eq(done, false)?);
        }
        Ok(soql::Query::select(kind.object, &["Id"])?.where_(owned))
    }

    /// Batch after batch, by id: what is refused is passed over, and found again by the next attempt.
    async fn hand_over(&mut self, kind: &'static Kind, heir: &RecordId) -> Result<(), HandOverError> {
        let mut after: Option<RecordId> = None;
        loop {
            let mut query = self.owned(kind)?.order_by("Id", soql::Order::Ascending)?.limit(BATCH);
            if let Some(after) = &after {
                query = query.where_(soql::Condition::Gt(soql::Field::new("Id")?, after.into()));
            }
            let ticket = self.ticket();
            let records = ids(&self.org().query(&query, Purpose::matching(&ticket)).await?);
            let Some(last) = records.last().cloned() else { return Ok(()) };
            let steps = records.into_iter().map(|id| Step::Update {
                object: kind.object.to_owned(),
                id,
                fields: Fields::from_iter([("OwnerId".to_owned(), Value::from(heir.as_str()))]),
                // Whoever owns it, it is the duplicate that it was.
                manner: Manner { duplicates: Duplicates::Allow, ..Manner::default() },
            });
            self.act(kind.object, steps.collect()).await?;
            after = Some(last);
        }
    }

    /// Sends a batch. The person may be back, or Gangway about to stop: then no further one goes out.
    async fn act(&mut self, object: &'static str, steps: Vec<Step>) -> Result<(), HandOverError> {
        if !self.inner.pause(std::time::Duration::ZERO).await {
            return Err(HandOverError::Stalled("Gangway is stopping".to_owned()));
        }
        if leaver(self.inner, self.task).await?.is_none() {
            return Err(HandOverError::Stalled("the person is back".to_owned()));
        }
        self.claim.hold(self.inner).await?;
        let mut stalled = None;
        for outcome in self.org().act(&steps, &self.ticket()).await {
            match outcome {
                StepOutcome::Done { .. } | StepOutcome::There => {
                    *self.tally.moved.entry(object).or_default() += 1;
                }
                StepOutcome::Refused(refusal) => {
                    *self.tally.kept.entry((object, refusal.code)).or_default() += 1;
                }
                StepOutcome::Unknown { why } | StepOutcome::NotSent { why, .. } => stalled = Some(why),
            }
        }
        stalled.map_or(Ok(()), |why| Err(HandOverError::Stalled(why)))
    }

    /// The queues that he was a member of when he left.
    async fn queues_of_the_leaver(&self) -> Result<Vec<RecordId>, HandOverError> {
        if !self.policy.queues {
            return Ok(Vec::new());
        }
        let mut queues = self.queues_of(&self.link.record_id).await?;
        // What was stripped from him, or what Salesforce has taken from him when he was deactivated, is in the ledger.
        let ledger = self.inner.store.grants(&self.task.tenant, &self.task.identity).await?;
        let of_ledger = ledger
            .iter()
            .filter(|grant| grant.target == self.task.target && grant.of.kind == EntitlementKind::Queue)
            .filter(|grant| grant.state.is_held() || grant.state == GrantState::Stripped);
        queues.extend(of_ledger.filter_map(|grant| RecordId::parse(&grant.of.id).ok()));
        queues.sort_unstable();
        queues.dedup();
        Ok(queues)
    }

    /// Those of the queues that the heir is not a member of yet.
    async fn without_those_of(
        &mut self,
        heir: &RecordId,
        mut queues: Vec<RecordId>,
    ) -> Result<Vec<RecordId>, HandOverError> {
        if !queues.is_empty() {
            let has = self.queues_of(heir).await?;
            queues.retain(|queue| !has.contains(queue));
            self.tally.found.insert(MEMBERSHIP, u64::try_from(queues.len()).unwrap_or(u64::MAX));
        }
        Ok(queues)
    }

    async fn queues_of(&self, user: &RecordId) -> Result<Vec<RecordId>, HandOverError> {
        let ticket = self.ticket();
        let purpose = Purpose::matching(&ticket);
        let there =
            self.org().assigned(std::slice::from_ref(user), &[EntitlementKind::Queue], purpose).await?;
        Ok(there.iter().filter_map(|assigned| RecordId::parse(&assigned.of.id).ok()).collect())
    }

    /// The heir becomes a member of these queues. The leaver's own places are not touched: what he loses is for `strip` to say.
    async fn take_places(&mut self, queues: &[RecordId], heir: &RecordId) -> Result<(), HandOverError> {
        if queues.is_empty() {
            return Ok(());
        }
        let place = |queue: &RecordId| Step::Create {
            object: MEMBERSHIP.to_owned(),
            fields: Fields::from_iter([
                ("GroupId".to_owned(), Value::from(queue.as_str())),
                ("UserOrGroupId".to_owned(), Value::from(heir.as_str())),
            ]),
            refers: References::new(),
            manner: Manner::default(),
        };
        self.act(MEMBERSHIP, queues.iter().map(place).collect()).await
    }
}

fn ids(rows: &[serde_json::Map<String, Value>]) -> Vec<RecordId> {
    rows.iter().filter_map(|row| RecordId::parse(row.get("Id")?.as_str()?).ok()).collect()
}

/// Nothing is left to hand over.
async fn end(inner: &Inner, caller: &Caller, task: &Task, tally: &Tally) -> Result<(), HandOverError> {
    // Nobody raises or ends another one meanwhile.
    let _turn = inner.turns.enter(format!("{}/{}", task.tenant, task.identity)).await;
    let open = inner.store.tasks_of(&task.tenant, &task.identity).await?;
    let rest = open.into_iter().filter(|open| open.kind != TaskKind::HandOver || open.target != task.target);
    let rest = rest.map(|open| NewTask {
        id: open.id,
        target: open.target,
        kind: open.kind,
        reason: open.reason,
        due: open.due,
        client: open.client,
    });
    audit(inner, caller, task, tally, Some(rest.collect())).await
}

/// What was found and moved, for the auditor.
async fn audit(
    inner: &Inner,
    caller: &Caller,
    task: &Task,
    tally: &Tally,
    tasks: Option<Vec<NewTask>>,
) -> Result<(), HandOverError> {
    let notes = tally.found.iter().filter(|(_, found)| **found > 0).map(|(object, found)| {
        let moved = tally.moved.get(object).copied().unwrap_or_default();
        format!("handed over {moved} of {found} {object}")
    });
    let fields =
        tally.moved.keys().filter(|object| **object != MEMBERSHIP).map(|object| format!("{object}.OwnerId"));
    let record = Record {
        change: None,
        tenant: task.tenant.clone(),
        kind: ResourceKind::User,
        resource: task.identity.clone(),
        write: ResourceWrite::Keep,
        links: Vec::new(),
        grants: Vec::new(),
        memberships: Vec::new(),
        asked: None,
        tasks,
        audit: AuditEntry {
            client: caller.client.clone(),
            action: "hand-over".to_owned(),
            fields: fields.collect(),
            notes: notes.collect(),
            grants: Vec::new(),
            consents: Vec::new(),
            mapping: None,
        },
        outcome: ChangeOutcome {
            result: "updated".to_owned(),
            status: 200,
            reason: None,
            ..ChangeOutcome::default()
        },
        answered: true,
        at: inner.clock.now(),
    };
    inner.store.record(record).await?;
    Ok(())
}
