//! The Audit: who did what, when.

use async_trait::async_trait;
use model::{ChangeId, ClientName, ResourceId, TenantId, Timestamp, Version};
use serde::{Deserialize, Serialize};

use crate::{Chain, ConsentEvidence, StoreError};

/// Who did what; kept for the auditor. Values are kept of consents alone, of everything else attribute and field names are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The client that asked.
    pub client: ClientName,
    /// `create`, `replace`, `patch`, `delete`, `resume`, `consent`.
    pub action: String,
    /// Salesforce fields that were written, by `target.Field`.
    pub fields: Vec<String>,
    /// What was given and taken away and why, such as `granted staff permission-set:0PS5f000000abcAGAQ (the rule sales)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// Codes of the notes and warnings that came with it.
    pub notes: Vec<String>,
    /// What was written of somebody's consent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<ConsentEvidence>,
    /// The fingerprint of the mapping by which it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
}

/// An entry with its place in a resource's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// When.
    pub at: Timestamp,
    /// The version that it made or left.
    pub version: Version,
    /// The change that it ended; absent where none was needed.
    pub change: Option<ChangeId>,
    /// Who did what.
    pub entry: AuditEntry,
}

/// An entry with its place in a tenant's trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailEntry {
    /// Where it stands: later ones have higher numbers. Numbers are not without gaps.
    pub number: u64,
    /// Whose history it belongs to: a User or a Group, which may be gone; of a consent the id of the Salesforce record.
    pub resource: ResourceId,
    /// Who did what, when.
    pub audited: Audited,
    /// Its hash in the tenant's chain, in hexadecimal digits; absent: an earlier version wrote it, and it is not taken in yet.
    pub hash: Option<String>,
}

/// The history of resources. It outlives them; [`Journal::record`](crate::Journal::record) writes it.
#[async_trait]
pub trait Audit: Send + Sync {
    /// The entries of one resource, oldest first.
    async fn audit_of(&self, tenant: &TenantId, resource: &ResourceId) -> Result<Vec<Audited>, StoreError>;

    /// The newest entries of one resource that wrote this field, newest first; at most `limit`. Without regard to
    /// case, as Salesforce takes names of fields. It reads backwards and stops when it has enough.
    async fn writes_of(
        &self,
        tenant: &TenantId,
        resource: &ResourceId,
        field: &str,
        limit: u32,
    ) -> Result<Vec<Audited>, StoreError>;

    /// At most `limit` entries of a tenant, in the order in which they were written, those behind a
    /// [number](TrailEntry::number).
    async fn entries(
        &self,
        tenant: &TenantId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<TrailEntry>, StoreError>;

    /// Looks at every entry of a tenant: whether each is as it was written, behind the one that it was written behind, and the
    /// last one is there. `noted` is a head of the chain that was noted elsewhere: [`Chain::noted`] tells where it stands.
    async fn verify(&self, tenant: &TenantId, noted: Option<&str>) -> Result<Chain, StoreError>;
}
