//! The Outbox: what Gangway changed, for those who want to hear of it.
//!
//! ```text
//! record, withdraw ──► outgoing ──► each receiver, in order ──► acknowledge
//! ```
//!
//! What is outgoing is written in the transaction that changes it, with what the resource is then, and only where a tenant has
//! receivers. Each receiver has its own place in it: what is before it has been delivered. What all have got is forgotten.

use async_trait::async_trait;
use model::{ResourceId, ResourceKind, SourceName, TenantId, Timestamp, Version};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::StoreError;

/// A request whose caller did not wait, and hears of its end by an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asynchronous {
    /// What its caller knows it by (`Set-Txn`).
    pub txn: String,
    /// Its HTTP method.
    pub method: String,
    /// Of an operation of a bulk request: what its caller called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk_id: Option<String>,
}

/// Something that has happened to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Happening {
    /// It was made.
    Created {
        /// Its version then.
        version: Version,
    },
    /// It was changed.
    Changed {
        /// Its version then.
        version: Version,
    },
    /// It was taken away.
    Deleted,
    /// A request about it has ended, whose caller did not wait.
    Answered {
        /// Which request.
        request: Asynchronous,
        /// Its SCIM status.
        status: u16,
        /// Of one that changed something: the resource's version then.
        version: Option<Version>,
        /// Of one that failed: why, in full. Salesforce's words may quote a value.
        detail: Option<String>,
    },
}

/// What a resource was when something happened to it. However late that is told, it is told so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Told {
    /// Its `externalId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Of one that was made or changed: the names of its attributes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// All of it, as [`crate::StoredResource::attributes`] has it, where a receiver gets that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
}

/// Somebody who hears of what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Whose changes it hears of.
    pub tenant: TenantId,
    /// Its name.
    pub name: SourceName,
    /// Whether it gets whole resources. Otherwise the names of their attributes are enough.
    pub whole: bool,
}

/// Something that goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its place among those of all tenants.
    pub number: u64,
    /// Random: what tells it from another that had the same number before a power failure, or in another file.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// When it happened.
    pub at: Timestamp,
    /// User or Group.
    pub kind: ResourceKind,
    /// To which resource. Of a create that failed at once: an id that nothing has.
    pub resource: ResourceId,
    /// What.
    pub happening: Happening,
    /// What the resource was then.
    pub told: Told,
}

/// What a receiver has not got yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The first of it, in order.
    pub outgoing: Vec<Outgoing>,
    /// Whether there is more.
    pub more: bool,
}

/// How it stands with a receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverStatus {
    /// Whose changes it hears of.
    pub tenant: TenantId,
    /// Its name.
    pub name: SourceName,
    /// How much it has not got yet.
    pub waiting: u64,
    /// How much it has refused for good since it was configured.
    pub refused: u64,
    /// How often the next one was tried in vain.
    pub attempts: u32,
    /// Why it does not get on.
    pub reason: Option<String>,
    /// Why it refused last.
    pub refusal: Option<String>,
    /// Since when it does not get on.
    pub failing_since: Option<Timestamp>,
    /// When it is tried next.
    pub due: Option<Timestamp>,
}

/// What goes out.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// These are the receivers from now on. A new one hears of what happens from now on; what an old one has not got is forgotten
    /// with it; one that did not get on is tried at once.
    async fn keep_receivers(&self, receivers: &[Listener]) -> Result<(), StoreError>;

    /// Says that a request has ended that never came into the journal. Durable.
    async fn announce(
        &self,
        tenant: &TenantId,
        kind: ResourceKind,
        resource: &ResourceId,
        happening: &Happening,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// What a receiver has not got yet, in order; at most `limit`, and fewer where they are large.
    async fn outgoing(
        &self,
        tenant: &TenantId,
        receiver: &SourceName,
        limit: u32,
    ) -> Result<Waiting, StoreError>;

    /// A receiver has got these, or refused them for good. Each is its number and its id. What all have got is forgotten.
    /// Durable.
    async fn acknowledge(
        &self,
        tenant: &TenantId,
        receiver: &SourceName,
        which: &[(u64, String)],
        refused: Option<&str>,
    ) -> Result<(), StoreError>;

    /// A receiver did not get on: it is tried again when it is due.
    async fn put_off(
        &self,
        tenant: &TenantId,
        receiver: &SourceName,
        reason: &str,
        now: Timestamp,
        due: Timestamp,
    ) -> Result<(), StoreError>;

    /// How it stands with the receivers, of one tenant or of all.
    async fn receivers(&self, tenant: Option<&TenantId>) -> Result<Vec<ReceiverStatus>, StoreError>;

    /// Forgets what every receiver has got, and what is older than this; that is counted as refused by those who have not got it.
    async fn prune_outgoing(&self, before: Timestamp) -> Result<u64, StoreError>;
}
