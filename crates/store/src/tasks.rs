//! Tasks: what is owed later.
//!
//! ```text
//! record (raises) ──► due ──► postpone_task, then an attempt: a change ──► record without it: it has ended
//!                      ▲                                        └──► record with it, or withdraw ──┐
//!                      └───────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A task belongs to an identity and goes with it. It is the same one, however often it is raised, while its target
//! and its kind are the same.

use async_trait::async_trait;
use model::{ClientName, ResourceId, TargetName, TaskId, TenantId, Timestamp};
use salesforce_types::EntitlementRef;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// What is owed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum TaskKind {
    /// To bring the target into agreement.
    Target,
    /// To take leave of the target: the identity was deleted, and is only kept until that is done.
    Removal,
    /// To write the id of another identity's record into a field, once there is one.
    Reference {
        /// The Salesforce field.
        field: String,
        /// Whose record. It need not be an identity yet.
        waits_for: ResourceId,
        /// Through which target.
        through: TargetName,
    },
    /// To deactivate the record of somebody who has left: something in Salesforce does not let go of it yet.
    Deactivation,
    /// To grant what there was no free seat for.
    Seat {
        /// What.
        of: EntitlementRef,
    },
    /// To take away what is granted until a moment.
    Expiry {
        /// When.
        at: Timestamp,
    },
    /// To give the records of somebody who has left to somebody else.
    HandOver,
}

/// A task on its way into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// Made by the caller. A task that is there already keeps its own.
    pub id: TaskId,
    /// The target that it is about.
    pub target: TargetName,
    /// What is owed.
    pub kind: TaskKind,
    /// Why it could not be done yet. No personal data.
    pub reason: String,
    /// When to try next. A task that is there and due later stays so: raising it again does not shorten its pause.
    pub due: Timestamp,
    /// Who has asked for it: each attempt is in his name. A task that is there already is his from now on.
    pub client: Option<ClientName>,
}

/// Something owed later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Whose.
    pub tenant: TenantId,
    /// The identity.
    pub identity: ResourceId,
    /// The target that it is about.
    pub target: TargetName,
    /// What is owed.
    #[serde(flatten)]
    pub kind: TaskKind,
    /// Why it could not be done yet.
    pub reason: String,
    /// When to try next.
    pub due: Timestamp,
    /// How often it was postponed.
    pub attempts: u32,
    /// When it was first raised.
    pub raised: Timestamp,
    /// Who has asked for it, last. Nobody is known of one that an earlier version has raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientName>,
}

/// Tasks. [`Record::tasks`](crate::Record::tasks) raises and ends them.
///
/// One that waits for a record ([`TaskKind::Reference`]) becomes due by itself, in the transaction that writes the
/// link it waits for: when that link is made, moves to another record, or is back after it had left. Whoever was
/// deciding meanwhile may not have seen the link, so raising such a task again does not put it off, once; and one that
/// is raised when the link is there already is due at once.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// Open tasks, in the order in which they were raised; of one tenant or of all.
    async fn open_tasks(&self, tenant: Option<&TenantId>) -> Result<Vec<Task>, StoreError>;

    /// The open tasks of one identity, in the order in which they were raised.
    async fn tasks_of(&self, tenant: &TenantId, identity: &ResourceId) -> Result<Vec<Task>, StoreError>;

    /// The tasks that are due at `now`, the longest due first; at most `limit`.
    async fn due_tasks(&self, now: Timestamp, limit: u32) -> Result<Vec<Task>, StoreError>;

    /// Puts a task off because it is attempted now, and counts the attempt. It comes before the attempt, so that
    /// nothing is attempted twice at a time and a link that comes meanwhile is not missed. One that has ended stays so.
    async fn postpone_task(&self, id: &TaskId, reason: &str, due: Timestamp) -> Result<(), StoreError>;

    /// Says why a task is still open, in the middle of an attempt. One that has ended stays so.
    async fn explain_task(&self, id: &TaskId, reason: &str) -> Result<(), StoreError>;
}
