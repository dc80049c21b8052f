//! Consents: what an event is about to write of somebody's consent, and the evidence of what was written.
//!
//! ```text
//! begin_consent ──► Salesforce ──► end_consent: the evidence is in the audit
//!      └─ crash, or no answer: consent_begun says what stood there before, when the event is tried again
//! ```
//!
//! Of an event that is dismissed, or forgotten by the [`Inbox`](crate::Inbox), the intent is forgotten as well.

use async_trait::async_trait;
use model::{ResourceId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AuditEntry, EventKey, StoreError};

/// The evidence of one value that a consent event has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsentEvidence {
    /// The event, as its source calls it.
    pub event: String,
    /// When the choice was made, by the source's clock.
    pub given: Timestamp,
    /// Under which regulation, such as `gdpr`.
    pub regulation: String,
    /// The Salesforce object, such as `Contact`.
    pub object: String,
    /// The record.
    pub record: String,
    /// The field.
    pub field: String,
    /// What it held before.
    pub old: Value,
    /// What it holds since.
    pub new: Value,
}

/// What is written of consents. The evidence is in the [`Audit`](crate::Audit), as
/// [`AuditEntry::consents`], in the history of a resource that has the record's id.
#[async_trait]
pub trait Consents: Send + Sync {
    /// What an event is about to write; opaque to the store. Durable when it returns.
    async fn begin_consent(&self, event: &EventKey, intent: &Value) -> Result<(), StoreError>;

    /// What an event was about to write when it was tried before, if that did not end.
    async fn consent_begun(&self, event: &EventKey) -> Result<Option<Value>, StoreError>;

    /// What an event has written, and what of its intent is still open; none: it has ended. One transaction, durable.
    async fn end_consent(
        &self,
        event: &EventKey,
        entries: Vec<(ResourceId, AuditEntry)>,
        open: Option<Value>,
        at: Timestamp,
    ) -> Result<(), StoreError>;
}
