//! Catalogues: what each org offered when it was last asked, so that a restart needs no org to answer reads.

use async_trait::async_trait;
use model::{OrgName, Timestamp};
use salesforce_types::Catalogue;

use crate::StoreError;

/// What is remembered of orgs. An org is nobody's own: several tenants may use it.
#[async_trait]
pub trait Catalogues: Send + Sync {
    /// Notes what an org offers at `at`, in place of what it offered before.
    async fn remember_catalogue(
        &self,
        org: &OrgName,
        catalogue: &Catalogue,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// What an org offered when it was last asked, and when that was; `None`: it never was.
    async fn catalogue(&self, org: &OrgName) -> Result<Option<(Catalogue, Timestamp)>, StoreError>;
}
