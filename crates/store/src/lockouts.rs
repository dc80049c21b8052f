//! Lockouts: Users whom a source's signals have locked out of Salesforce.
//!
//! ```text
//! begin ──► begun ──► confirm ──► done ──► end      let in again
//!    │        └─────► withdraw                      it has not come about, or was not ours
//!    └─► too many: none is begun
//! ```
//!
//! A lockout is begun before Salesforce hears of it: after a crash it is known whose it may be, and nobody is counted twice.

use async_trait::async_trait;
use model::{OrgName, SourceName, TenantId, Timestamp};
use salesforce_types::RecordId;

use crate::StoreError;

/// By which source which User of which org is locked out. Each source has one open lockout of him at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LockoutKey {
    /// Whose door the signal came through.
    pub tenant: TenantId,
    /// Who said so.
    pub source: SourceName,
    /// Where the User is.
    pub org: OrgName,
    /// Who.
    pub user: RecordId,
}

/// A User whom a signal has locked out, or is locking out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// Who, and who said so.
    pub key: LockoutKey,
    /// A digest of what the source calls the person.
    pub subject: String,
    /// By which event.
    pub jti: String,
    /// When it was begun.
    pub begun: Timestamp,
    /// When it was known to have landed; absent: it may have, or not.
    pub done: Option<Timestamp>,
}

/// How many lockouts a source may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutLimit {
    /// So many at most.
    pub most: u32,
    /// In the time since.
    pub since: Timestamp,
}

/// What came of [`Lockouts::begin_lockout`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BegunLockout {
    /// It is the caller's to carry out.
    New,
    /// The source has an open one of this User already.
    Open(Lockout),
    /// The source has begun too many.
    TooMany,
}

/// Lockouts.
#[async_trait]
pub trait Lockouts: Send + Sync {
    /// Begins a lockout, unless the source has an open one of the User, or has begun too many. Those that have ended count too:
    /// a source that locks out and lets in again in turn is no better. One that has ended before it landed goes on where its event
    /// is tried again, and counts once. Durable when it returns.
    async fn begin_lockout(
        &self,
        lockout: Lockout,
        limit: Option<LockoutLimit>,
    ) -> Result<BegunLockout, StoreError>;

    /// The User is locked out, and it was the open lockout that did it.
    async fn confirm_lockout(&self, key: &LockoutKey, at: Timestamp) -> Result<(), StoreError>;

    /// The open lockout has not come about: nothing is known of it any more, and it does not count. One that was confirmed stays.
    async fn withdraw_lockout(&self, key: &LockoutKey) -> Result<(), StoreError>;

    /// The source does not keep the User out any more.
    async fn end_lockout(&self, key: &LockoutKey, at: Timestamp) -> Result<(), StoreError>;

    /// The open lockouts of a User, whoever said so and through whichever door, in the order in which they were begun.
    async fn lockouts_on(&self, org: &OrgName, user: &RecordId) -> Result<Vec<Lockout>, StoreError>;

    /// The open lockouts by a source of whom it calls so, in the order in which they were begun.
    async fn lockouts_of(
        &self,
        tenant: &TenantId,
        source: &SourceName,
        subject: &str,
    ) -> Result<Vec<Lockout>, StoreError>;

    /// Forgets lockouts that ended before the first moment, and those begun before the second of which nothing came.
    async fn prune_lockouts(&self, ended: Timestamp, begun: Timestamp) -> Result<u64, StoreError>;
}
