//! Holds: what only a person can decide.

use async_trait::async_trait;
use model::{HoldId, ResourceId, TargetName, TenantId, Timestamp};
use salesforce_types::RecordId;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// Why a person is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HoldKind {
    /// Several records match one identity.
    AmbiguousMatch {
        /// The records.
        candidates: Vec<RecordId>,
    },
    /// The one record that matches is protected.
    ProtectedMatch {
        /// The record.
        record: RecordId,
    },
    /// The linked record was deleted by hand, and the target says that a person decides what then.
    DeletedByHand {
        /// The record that was.
        record: RecordId,
    },
    /// The identity is gone, and Salesforce keeps its record.
    NotDeleted {
        /// The record.
        record: RecordId,
    },
    /// A create was cut off, and nothing tells whether it landed: the object has no external id to ask by.
    UnknownCreate,
}

/// Something only a person can decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Whose.
    pub tenant: TenantId,
    /// The identity, where there is one already. A refused create leaves none.
    pub identity: Option<ResourceId>,
    /// SHA-256 (hex) of the folded `userName` that was asked for: one open hold per name and target.
    pub subject: String,
    /// The target.
    pub target: TargetName,
    /// Why.
    #[serde(flatten)]
    pub kind: HoldKind,
    /// When it was first raised.
    pub raised: Timestamp,
}

/// Holds.
#[async_trait]
pub trait Holds: Send + Sync {
    /// Raises a hold, or finds the open one for the same tenant, subject and target (whose kind is renewed).
    /// Answers its id.
    async fn raise_hold(&self, hold: Hold) -> Result<HoldId, StoreError>;

    /// Closes the hold for a subject and target because it was decided or went away. Without one nothing
    /// happens.
    async fn close_hold(
        &self,
        tenant: &TenantId,
        subject: &str,
        target: &TargetName,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Notes which record a person has chosen for an open hold: it is adopted when the request comes again. `false`: there
    /// is no such open hold.
    async fn decide_hold(&self, id: &HoldId, record: &RecordId) -> Result<bool, StoreError>;

    /// Closes an open hold because a person has looked, and there is nothing to choose. `false`: there is no such open hold.
    async fn dismiss_hold(&self, id: &HoldId, at: Timestamp) -> Result<bool, StoreError>;

    /// The open hold for a subject and target, and the record that a person has chosen for it, if one has.
    async fn hold_of(
        &self,
        tenant: &TenantId,
        subject: &str,
        target: &TargetName,
    ) -> Result<Option<(Hold, Option<RecordId>)>, StoreError>;

    /// Open holds, oldest first; of one tenant or of all.
    async fn open_holds(&self, tenant: Option<&TenantId>) -> Result<Vec<Hold>, StoreError>;
}
