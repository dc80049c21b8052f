//! What is owed later, done when it is due. A task holds no turn; each attempt is a change.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::SignedDuration;
use model::{ResourceKind, TaskId, TenantId, Timestamp};
use store::{NewTask, StoreError, Task, TaskKind};
use tokio::sync::Semaphore;

use crate::{Caller, Operation, Request, Tenant, provisioner::Inner, users::UserChange};

/// How often due tasks are looked for.
const EVERY: Duration = Duration::from_secs(5);
/// So many at once: what is due beyond them is due in the next look.
const AT_ONCE: usize = 50;
/// Pauses between attempts: the first, doubled up to the last.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);
/// Who waits for somebody is called when he arrives; this is for those who arrive unseen.
const LOOK_ANYWAY: SignedDuration = SignedDuration::from_hours(24);
/// A person confirms a new address when the mail is read; one who has not for so long is not asked about more often.
const CONFIRMATION: SignedDuration = SignedDuration::from_hours(1);
/// A seat is looked for with one call for all who wait.
const SEAT: SignedDuration = SignedDuration::from_mins(1);
/// A target that is not configured any more has no other.
const ALARM_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Whose changes these are, in the journal and in the audit.
pub(crate) const CLIENT: &str = "gangway-tasks";

/// The tasks that are being attempted: one that takes longer than its pause is not attempted twice at once.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashSet<TaskId>>);

/// A task that is being attempted, until this is dropped.
struct Attempt {
    inner: Arc<Inner>,
    task: TaskId,
}

impl Attempts {
    fn begin(inner: &Arc<Inner>, task: &TaskId) -> Option<Attempt> {
        let is_new = inner.attempts.0.lock().unwrap_or_else(PoisonError::into_inner).insert(task.clone());
        is_new.then(|| Attempt { inner: Arc::clone(inner), task: task.clone() })
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.inner.attempts.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.task);
    }
}

/// When what did not get there is tried for the first time again.
pub(crate) fn first_try(now: Timestamp) -> Timestamp {
    now.checked_add(FIRST_PAUSE).unwrap_or(now)
}

/// When it is worth looking whether a person has confirmed something.
pub(crate) fn confirmation(now: Timestamp) -> Timestamp {
    now.checked_add(CONFIRMATION).unwrap_or(now)
}

/// When it is worth looking whether a seat has come free.
pub(crate) fn seat(now: Timestamp) -> Timestamp {
    now.checked_add(SEAT).unwrap_or(now)
}

/// When a reference is looked at although nobody has called.
pub(crate) fn look_anyway(now: Timestamp) -> Timestamp {
    now.checked_add(LOOK_ANYWAY).unwrap_or(now)
}

/// When the next attempt is due.
fn next_try(task: &Task, now: Timestamp) -> Timestamp {
    if matches!(task.kind, TaskKind::Seat { .. }) {
        return seat(now);
    }
    let doublings = task.attempts.min(16);
    let pause = FIRST_PAUSE.checked_mul(1 << doublings).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
    now.checked_add(pause).unwrap_or(now)
}

/// Does what is due, until Gangway stops. An org that is slow keeps only its own tasks waiting.
pub(crate) async fn run(inner: &Arc<Inner>) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    while inner.pause(EVERY).await {
        let due = match take_due(inner, slots.available_permits()).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "due tasks could not be read");
                continue;
            }
        };
        for task in due {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            let inner = Arc::clone(inner);
            tokio::spawn(async move {
                attempt(&inner, &task).await;
                drop(slot);
            });
        }
    }
}

/// Tries every task that is due, once. Answers how many there were.
pub(crate) async fn run_due(inner: &Arc<Inner>) -> Result<usize, StoreError> {
    let due = take_due(inner, AT_ONCE).await?;
    futures::future::join_all(due.iter().map(|task| attempt(inner, task))).await;
    Ok(due.len())
}

/// The tasks that are due, put off before they are attempted: one that ends with the process has its pause all the same.
async fn take_due(inner: &Arc<Inner>, limit: usize) -> Result<Vec<Task>, StoreError> {
    let now = inner.clock.now();
    let due = inner.store.due_tasks(now, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
    for task in &due {
        inner.store.postpone_task(&task.id, &task.reason, next_try(task, now)).await?;
    }
    Ok(due)
}

/// One attempt. What becomes of the task is the change's to say; one that ends without a record leaves it for later.
async fn attempt(inner: &Arc<Inner>, task: &Task) {
    let Some(_attempt) = Attempts::begin(inner, &task.id) else { return };
    let Ok(client) = CLIENT.parse() else { return };
    let caller = Caller { tenant: task.tenant.clone(), client };
    if task.kind != TaskKind::HandOver {
        return change(inner, &caller, task).await;
    }
    if hand_over(inner, &caller, task).await {
        // Who was only kept for this goes now.
        match inner.store.tasks_of(&task.tenant, &task.identity).await {
            Ok(owed) => {
                let is_removal = |owed: &&Task| owed.kind == TaskKind::Removal && owed.target == task.target;
                if let Some(removal) = owed.iter().find(is_removal) {
                    change(inner, &caller, removal).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "whether somebody goes with a hand-over could not be read: he goes when it is due");
            }
        }
    }
}

async fn change(inner: &Arc<Inner>, caller: &Caller, task: &Task) {
    let request = Request {
        kind: ResourceKind::User,
        id: Some(task.identity.to_string()),
        // Of a removal too: it is one as long as it is owed, and nothing once the person is back.
        operation: Operation::Attempt(task.client.clone()),
        if_match: None,
        respond_async: false,
    };
    let answer = match UserChange::accept(inner, caller, request) {
        Ok(change) => change.answer().await,
        Err(error) => Err(error),
    };
    if task.kind == TaskKind::Deactivation {
        raise_alarm(inner, task).await;
    }
    match answer {
        Ok(_) => tracing::info!(tenant = %task.tenant, task.id = %task.id, "a task was tried"),
        Err(error) => {
            let reason = crate::users::reason_of(&error);
            tracing::warn!(tenant = %task.tenant, task.id = %task.id, attempts = task.attempts + 1, %reason, "a task was tried and is still open");
        }
    }
}

/// Gangway itself asks for nothing: what was owed before goes on being owed in the name of who asked for it.
pub(crate) fn keep_askers(tasks: &mut [NewTask], open: &[Task]) {
    for task in tasks {
        let known = open.iter().find(|open| open.target == task.target && open.kind == task.kind);
        if let Some(known) = known {
            task.client.clone_from(&known.client);
        }
    }
}

/// A leaver whom Salesforce has kept active for longer than the target allows: somebody has to see it. Said by each attempt.
async fn raise_alarm(inner: &Arc<Inner>, task: &Task) {
    let now = inner.clock.now();
    let is_late = inner.world().tenant_of_task(task).is_ok_and(|tenant| is_late(&tenant, task, now));
    let open = inner.store.tasks_of(&task.tenant, &task.identity).await.unwrap_or_default();
    let Some(open) = open.into_iter().find(|open| open.id == task.id).filter(|_| is_late) else { return };
    let days = now.duration_since(task.raised).as_hours() / 24;
    tracing::error!(tenant = %task.tenant, task.id = %task.id, identity = %task.identity, days, "ALARM: a leaver is still active in Salesforce: `gangway tasks` says what keeps him there");
    let reason = format!("ALARM, open for {days} days: {}", open.reason);
    if let Err(error) = inner.store.explain_task(&task.id, &reason).await {
        tracing::warn!(%error, task.id = %task.id, "an alarm could not be noted");
    }
}

/// Whether a deactivation is blocked for longer than its target's `alarm-after`.
pub(crate) fn is_late(tenant: &Tenant, task: &Task, now: Timestamp) -> bool {
    let target = tenant.mapping.targets.iter().find(|target| target.name == task.target);
    let after = target.map_or(ALARM_AFTER, |target| target.alarm_after);
    task.kind == TaskKind::Deactivation && now.duration_since(task.raised) >= after
}

/// Leavers whom Salesforce still keeps active, by tenant.
pub(crate) async fn leavers(inner: &Inner) -> Result<Vec<Leavers>, StoreError> {
    let now = inner.clock.now();
    let mut all: Vec<Leavers> = inner.world().tenants.keys().map(Leavers::none).collect();
    all.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    for task in inner.store.open_tasks(None).await? {
        let of_tenant = all.iter_mut().find(|of_tenant| of_tenant.tenant == task.tenant);
        let Some(of_tenant) = of_tenant.filter(|_| task.kind == TaskKind::Deactivation) else { continue };
        of_tenant.blocked += 1;
        of_tenant.alarms +=
            u64::from(inner.world().tenant_of_task(&task).is_ok_and(|tenant| is_late(&tenant, &task, now)));
    }
    Ok(all)
}

/// How many leavers of a tenant Salesforce still keeps active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leavers {
    /// Whose.
    pub tenant: TenantId,
    /// Deactivations that are blocked.
    pub blocked: u64,
    /// Those that are blocked for longer than the target's `alarm-after`.
    pub alarms: u64,
}

impl Leavers {
    fn none(tenant: &TenantId) -> Self {
        Self { tenant: tenant.clone(), blocked: 0, alarms: 0 }
    }
}

/// Whether nothing is left to hand over.
async fn hand_over(inner: &Arc<Inner>, caller: &Caller, task: &Task) -> bool {
    match crate::hand_over::attempt(inner, caller, task).await {
        Ok(()) => tracing::info!(tenant = %task.tenant, task.id = %task.id, "records were handed over"),
        Err(error) => {
            tracing::warn!(tenant = %task.tenant, task.id = %task.id, attempts = task.attempts + 1, %error, "a hand-over was tried and is still open");
            return false;
        }
    }
    true
}
