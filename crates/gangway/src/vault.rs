//! The store's vault and leases, as the Salesforce client wants them.

use std::sync::Arc;

use async_trait::async_trait;
use model::{OrgName, Timestamp};
use salesforce_client::{Saved, TokenVault, VaultError};
use secrecy::SecretString;
use store::{Lease, Leases, StoreError, Vault};

use crate::{
    config::StoreSettings,
    key::{self, KeyError},
};

/// What an org's tokens are called in its part of the vault.
const GRANT: &str = "grant";

/// Keeps tokens in the store, encrypted.
pub(crate) struct StoreVault<S>(pub(crate) Arc<S>);

/// The vault of a store, and whether a gateway is running on it. For commands.
pub(crate) fn open(settings: &StoreSettings) -> Result<(Arc<dyn TokenVault>, bool), KeyError> {
    match key::open_store(settings) {
        Ok((store, _)) => Ok((Arc::new(StoreVault(Arc::new(store))), false)),
        Err(KeyError::Store(StoreError::InUse { .. })) => {
            Ok((Arc::new(StoreVault(Arc::new(key::open_beside(settings)?))), true))
        }
        Err(error) => Err(error),
    }
}

fn owner(org: &OrgName) -> String {
    format!("org/{org}")
}

/// The lease of whoever logs in to an org.
fn lease(org: &OrgName) -> String {
    format!("org/{org}/login")
}

fn unavailable(error: &StoreError) -> VaultError {
    VaultError(error.to_string())
}

#[async_trait]
impl<S: Vault + Leases> TokenVault for StoreVault<S> {
    async fn load(&self, org: &OrgName) -> Result<Option<Saved>, VaultError> {
        let secret = self.0.secret(&owner(org), GRANT).await.map_err(|error| unavailable(&error))?;
        Ok(secret.map(|secret| Saved { version: secret.version, grant: secret.text }))
    }

    async fn replace(
        &self,
        org: &OrgName,
        known: u64,
        grant: &SecretString,
    ) -> Result<Option<u64>, VaultError> {
        let replaced = self.0.replace_secret(&owner(org), GRANT, known, grant).await;
        replaced.map_err(|error| unavailable(&error))
    }

    async fn take_turn(
        &self,
        org: &OrgName,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, VaultError> {
        let lease = self.0.take_lease(&lease(org), holder, now, until).await;
        lease.map(|lease| lease == Lease::Taken).map_err(|error| unavailable(&error))
    }

    async fn end_turn(&self, org: &OrgName, holder: &str) -> Result<(), VaultError> {
        self.0.release_lease(&lease(org), holder).await.map_err(|error| unavailable(&error))
    }
}
