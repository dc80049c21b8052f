//! Targets as they were configured: what is known of one that has been taken out of the configuration.

use async_trait::async_trait;
use model::{ResourceId, TargetName, TenantId, Timestamp};
use salesforce_types::Link;
use serde_json::Value;

use crate::{Cursor, StoreError};

/// A target that a tenant has, or had.
#[derive(Clone, Debug, PartialEq)]
pub struct RememberedTarget {
    /// Its name.
    pub name: TargetName,
    /// What the mapping says of it, as far as it is needed when the target is gone; opaque to the store.
    pub policy: Value,
}

/// A part of the links that go through a target.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPage {
    /// Identities with their links, in the order in which the identities were made; pending ones too.
    pub links: Vec<(ResourceId, Link)>,
    /// Where the next page starts, if there is one.
    pub next: Option<Cursor>,
}

/// What is remembered of targets, and who is linked through one.
#[async_trait]
pub trait Targets: Send + Sync {
    /// Notes that these are a tenant's targets at `now`. Of others the store remembers what it did, for as long as
    /// there are links through them. Synced.
    async fn remember_targets(
        &self,
        tenant: &TenantId,
        targets: Vec<RememberedTarget>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// All that are remembered, by name, each with when it was last configured.
    async fn remembered_targets(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<(RememberedTarget, Timestamp)>, StoreError>;

    /// At most `limit` of the links that go through a target. Exact under change.
    async fn links_of_target(
        &self,
        tenant: &TenantId,
        target: &TargetName,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<LinkPage, StoreError>;
}
