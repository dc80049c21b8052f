//! What sources of events call identities, where that is no attribute of theirs: such as the id in a SCIM publisher's URIs.

use async_trait::async_trait;
use model::{ResourceId, SourceName, TenantId};

use crate::StoreError;

/// Names of Users by which a source of events knows them. They end with the User. `population` is where the Users are.
#[async_trait]
pub trait SourceNames: Send + Sync {
    /// Whom the source calls so.
    async fn identity_called(
        &self,
        population: &TenantId,
        source: &SourceName,
        name: &str,
    ) -> Result<Option<ResourceId>, StoreError>;

    /// What the source calls a User.
    async fn called(
        &self,
        population: &TenantId,
        source: &SourceName,
        identity: &ResourceId,
    ) -> Result<Option<String>, StoreError>;

    /// From now on the source calls this User so, and nobody else; what it was called before is forgotten. Nothing happens where
    /// there is no such User. Durable.
    async fn call(
        &self,
        population: &TenantId,
        source: &SourceName,
        name: &str,
        identity: &ResourceId,
    ) -> Result<(), StoreError>;
}
