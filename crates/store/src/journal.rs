//! The Journal: changes from acceptance to their end.
//!
//! ```text
//! open (Accepted | Planned) ── replan ──► … ──► record   what landed, one transaction
//!                                          └──► withdraw nothing is kept
//! ```
//!
//! A change that was opened is found again by [`Journal::open_changes`] after a crash. A stored plan is never
//! replayed: it only says what may have been sent.

use async_trait::async_trait;
use model::{
    ChangeId, ChangeState, ClientName, ResourceId, ResourceKind, TargetName, TenantId, Timestamp, Version,
};
use salesforce_types::{Link, Plan};
use scim_types::Resource;
use serde_json::Value;

use crate::{Asynchronous, AuditEntry, GrantWrite, NewTask, StoreError};

/// A request on its way into the journal.
#[derive(Clone, Debug)]
pub struct NewChange {
    /// Made by the caller.
    pub id: ChangeId,
    /// Whose.
    pub tenant: TenantId,
    /// Who asked.
    pub client: ClientName,
    /// User or Group.
    pub kind: ResourceKind,
    /// The identity (for a create: its new id, reserved).
    pub resource: ResourceId,
    /// The request as [`serde_json`] of `provisioning::Request`; opaque to the store.
    pub request: Value,
    /// SHA-256 of what was asked, equal for equal requests of one client. Only creates have one.
    pub fingerprint: Option<[u8; 32]>,
    /// Whether the change takes access away: such a one is always kept.
    pub takes_access_away: bool,
    /// The plan, when the change is opened at its turn; absent: [`ChangeState::Accepted`].
    pub plan: Option<Plan>,
    /// For a create: the resource as requested. Reserves the id and the folded `userName` as a pending
    /// resource.
    pub reserve: Option<Resource>,
    /// For an update that changes the `userName`: the new one, reserved until the change ends.
    pub rename: Option<String>,
    /// The caller does not wait, and hears of the end by an event.
    pub asynchronous: Option<Asynchronous>,
    /// When.
    pub at: Timestamp,
}

/// What came of [`Journal::open`].
#[derive(Clone, Debug, PartialEq)]
pub enum Opened {
    /// The change is durable.
    Opened,
    /// Another User has this `userName` (recorded, or reserved by an open change). Nothing was written.
    UserNameTaken {
        /// Who has it.
        by: ResourceId,
    },
}

/// An open change, for finishing it and for `gangway changes`.
#[derive(Clone, Debug)]
pub struct OpenChange {
    /// The change itself.
    pub change: Change,
    /// The request as it was given to [`Journal::open`].
    pub request: Value,
    /// The latest plan, if one was made: what may have been sent.
    pub plan: Option<Plan>,
    /// Whether earlier stages have landed, by [`Journal::replan`]: their links are written, so it cannot end as if
    /// nothing had happened.
    pub landed: bool,
}

/// What is known of a change, open or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// Whose.
    pub tenant: TenantId,
    /// Who asked.
    pub client: ClientName,
    /// User or Group.
    pub kind: ResourceKind,
    /// The identity.
    pub resource: ResourceId,
    /// How far it has come.
    pub state: ChangeState,
    /// Whether it takes access away.
    pub takes_access_away: bool,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Whether the caller was told how it ended.
    pub answered: bool,
    /// How it ended.
    pub outcome: Option<ChangeOutcome>,
}

/// How a change ended, as kept: `provisioning` writes it, the CLI shows it. No personal data.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ChangeOutcome {
    /// `created`, `updated`, `unchanged`, `deleted`, `refused`, `held`, `withdrawn`.
    pub result: String,
    /// The SCIM status of a failure, or that of the success.
    pub status: u16,
    /// Salesforce's code and field names, or our own reason.
    pub reason: Option<String>,
    /// Of a Group that was made without some of the members that were asked for: those. What is asked for once more completes
    /// them and nobody else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<ResourceId>,
    /// Of a failure: why, in full, for a caller who did not wait. Salesforce's words may quote a value: it goes out with the end of
    /// the request and is not kept with the change.
    #[serde(skip)]
    pub detail: Option<String>,
}

/// One transaction that ends a change (or, with `change: None`, makes one that needed no Salesforce call).
#[derive(Clone, Debug)]
pub struct Record {
    /// The journalled change that ends here. With one, the write need not be synced (it would be redone from
    /// the journal); without one it is synced.
    pub change: Option<ChangeId>,
    /// Whose.
    pub tenant: TenantId,
    /// User or Group.
    pub kind: ResourceKind,
    /// Which resource.
    pub resource: ResourceId,
    /// What becomes of the resource.
    pub write: ResourceWrite,
    /// What becomes of its links.
    pub links: Vec<LinkWrite>,
    /// What becomes of its grants. The open ones of a deleted User end in any case.
    pub grants: Vec<GrantWrite>,
    /// The Groups that it joins and leaves.
    pub memberships: Vec<MembershipWrite>,
    /// What was asked for where that differs from the body ([`StoredResource::asked`](crate::StoredResource::asked)). It is
    /// written with the body; a write without one leaves what is there.
    pub asked: Option<String>,
    /// The tasks that it has from now on: all others of it end. Absent: they stay as they are. A deleted resource has
    /// none.
    pub tasks: Option<Vec<NewTask>>,
    /// Who did what.
    pub audit: AuditEntry,
    /// How it ended.
    pub outcome: ChangeOutcome,
    /// Whether the caller is still there to hear it.
    pub answered: bool,
    /// When.
    pub at: Timestamp,
}

/// What becomes of a resource.
#[derive(Clone, Debug)]
pub enum ResourceWrite {
    /// It is made, or was pending and is now real. Version 1.
    Create(Resource),
    /// It is replaced; its version moves. For a Group the `members` in the body are what it has from now on.
    Replace {
        /// The version the change was decided on.
        expected: Version,
        /// The new body.
        body: Resource,
    },
    /// As `Replace`, but of a Group the members stay as they are.
    Revise {
        /// The version the change was decided on.
        expected: Version,
        /// The new body.
        body: Resource,
    },
    /// It is gone, with its links and memberships.
    Delete {
        /// The version the change was decided on.
        expected: Version,
    },
    /// It stays as it is, version included; only links, audit and outcome are written.
    Keep,
}

/// Joins or leaves a Group. The Group's version stays. Who is in it already, or is not, stays so; a Group that is not there
/// (any more) is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipWrite {
    /// The Group.
    pub group: ResourceId,
    /// Whether it joins; else it leaves.
    pub joins: bool,
    /// What the tool calls the member, if it does.
    pub display: Option<String>,
}

/// What becomes of a link.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a list of writes is short, and next to none of them removes")]
pub enum LinkWrite {
    /// Made or updated (keyed by target).
    Set(Link),
    /// Taken away.
    Remove(TargetName),
}

/// What came of [`Journal::record`].
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// Written; the resource's version now (for a delete: its last one).
    Recorded(Version),
    /// The stored version is not the expected one, or the resource is not there. Nothing was written.
    Stale,
    /// Another User has this `userName`. Nothing was written.
    UserNameTaken {
        /// Who has it.
        by: ResourceId,
    },
}

/// Changes, from acceptance to their end.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Makes a request (and its plan) durable: synced before it returns.
    async fn open(&self, change: NewChange) -> Result<Opened, StoreError>;

    /// Replaces the request of an open change by one that knows more of it, synced.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotOpen`].
    async fn amend(&self, change: &ChangeId, request: &Value) -> Result<(), StoreError>;

    /// Replaces the plan of an open change, synced; state becomes [`ChangeState::Planned`]. `rename` is what
    /// [`NewChange::rename`] is: it takes the place of an earlier one. `landed` are the links that earlier steps of
    /// the change have made, so that none of their records is made again; a pending resource can have links too.
    ///
    /// Where the name is taken `landed` is kept, because it has happened, and nothing else is written.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotOpen`]; [`StoreError::NoResource`] when something has landed and the resource that it
    /// belongs to is not there: nothing is written.
    async fn replan(
        &self,
        change: &ChangeId,
        plan: &Plan,
        rename: Option<&str>,
        landed: &[LinkWrite],
    ) -> Result<Opened, StoreError>;

    /// Ends a change with what landed: resource, links, audit entry and outcome, all or nothing. Readable by
    /// every later read when it returns.
    async fn record(&self, record: Record) -> Result<Recorded, StoreError>;

    /// Several of them at once, all or nothing: no reader sees one without the others. `false`: one of them could not be written,
    /// because it is stale or its `userName` is taken, and so none was.
    async fn record_together(&self, records: Vec<Record>) -> Result<bool, StoreError>;

    /// Ends a change of which nothing is kept: a pending resource is removed, with the links that it has. Synced.
    async fn withdraw(
        &self,
        change: &ChangeId,
        outcome: ChangeOutcome,
        answered: bool,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// One more caller, who does not wait, hears of the end of an open change. `false`: it has ended. Durable.
    async fn tell_also(&self, change: &ChangeId, also: &Asynchronous) -> Result<bool, StoreError>;

    /// Open changes, oldest first; of one tenant or of all.
    async fn open_changes(&self, tenant: Option<&TenantId>) -> Result<Vec<OpenChange>, StoreError>;

    /// A change by its id.
    async fn change(&self, tenant: &TenantId, id: &ChangeId) -> Result<Option<Change>, StoreError>;

    /// The newest change of this client with this fingerprint that was accepted at or after `since`: what a
    /// repeated POST joins. Of a withdrawn one there is nothing to join.
    async fn find_repeat(
        &self,
        tenant: &TenantId,
        client: &ClientName,
        fingerprint: &[u8; 32],
        since: Timestamp,
    ) -> Result<Option<Change>, StoreError>;

    /// Notes that the caller has now heard how an ended change ended.
    async fn mark_answered(&self, change: &ChangeId) -> Result<(), StoreError>;

    /// The newest ended changes first, for `gangway changes --all`.
    async fn recent_changes(&self, tenant: Option<&TenantId>, limit: u32) -> Result<Vec<Change>, StoreError>;
}
