//! The Audit: who did what, when.

use async_trait::async_trait;
use model::{ChangeId, ClientName, ResourceId, TenantId, Timestamp, Version};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// Who did what; kept for the auditor. Values are not kept here yet, attribute and field names are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The client that asked.
    pub client: ClientName,
    /// `create`, `replace`, `patch`, `delete`, `resume`.
    pub action: String,
    /// Salesforce fields that were written, by `target.Field`.
    pub fields: Vec<String>,
    /// What was given and taken away and why, such as `granted staff permission-set:0PS5f000000abcAAAQ (the rule sales)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// Codes of the notes and warnings that came with it.
    pub notes: Vec<String>,
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
}
