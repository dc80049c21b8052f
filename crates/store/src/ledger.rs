//! The Ledger: what each identity has been given, who asked for it, and what became of it.
//!
//! ```text
//! Set(grant) ──► a row is open ──► Set, same state:  the row says something else
//!                              ├─► Set, other state: the row ends, and another is open
//!                              └─► End, or the identity is removed: the row ends
//! ```
//!
//! A row that has ended stays for the auditor: together the rows of an entitlement are its history.
//! [`Record::grants`](crate::Record::grants) writes them.

use async_trait::async_trait;
use model::{ChangeId, ClientName, OrgName, ResourceId, TargetName, TenantId, Timestamp};
use salesforce_types::{EntitlementRef, Grant, GrantState, RecordId};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// A row of the ledger with whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Whose. It may be gone.
    pub identity: ResourceId,
    /// What; `since` is when the row began.
    pub grant: Grant,
    /// How the row ended, if it has.
    pub ended: Option<Ended>,
}

/// How a row ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why. No personal data.
    pub why: String,
    /// The client whose request it was.
    pub client: ClientName,
    /// The change it came with; absent where none was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
}

/// What becomes of a row of an identity's ledger.
#[derive(Clone, Debug, PartialEq)]
pub enum GrantWrite {
    /// The row of this entitlement and target is this from now on. A row in the same state is updated in place, and its
    /// `since` stays; one in another state ends, and a new one begins.
    Set(Grant),
    /// It is not there any more. Without an open row nothing happens.
    End {
        /// Of whose link: an identity may have had two Users in one org, of the company and of a portal.
        target: TargetName,
        /// What.
        of: EntitlementRef,
        /// Why. No personal data.
        why: String,
    },
}

/// What has been given. A row's time is from its `since` to its end, the end left out.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The open rows of an identity, by kind, then entitlement id, org and target.
    async fn grants(&self, tenant: &TenantId, identity: &ResourceId) -> Result<Vec<Grant>, StoreError>;

    /// Who had an entitlement at a moment (`None`: who has it now), in an org or in any: rows in a state that
    /// [is held](GrantState::is_held) whose time contains it, in the order in which they began.
    async fn holders(
        &self,
        tenant: &TenantId,
        org: Option<&OrgName>,
        of: &EntitlementRef,
        at: Option<Timestamp>,
    ) -> Result<Vec<Held>, StoreError>;

    /// Every row of an entitlement of an identity, whatever its state and its org, the oldest first.
    async fn history(
        &self,
        tenant: &TenantId,
        identity: &ResourceId,
        of: &EntitlementRef,
    ) -> Result<Vec<Held>, StoreError>;

    /// What a Salesforce User had when the last identity that it was of was removed: the rows that ended with it. Nothing: it was
    /// nobody's, or is somebody's again.
    async fn former_grants(
        &self,
        tenant: &TenantId,
        org: &OrgName,
        record: &RecordId,
    ) -> Result<Vec<Grant>, StoreError>;

    /// At most `limit` of the open rows that are in a state, the longest in it first: who waits for a seat, say.
    async fn in_state(
        &self,
        tenant: &TenantId,
        state: GrantState,
        limit: u32,
    ) -> Result<Vec<Held>, StoreError>;
}
