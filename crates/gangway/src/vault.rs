//! The store's vault, as the Salesforce client wants one.

use std::sync::Arc;

use async_trait::async_trait;
use model::OrgName;
use salesforce_client::{TokenVault, VaultError};
use secrecy::SecretString;
use store::{StoreError, Vault};

/// What a refresh token is called in the vault of its org.
const REFRESH_TOKEN: &str = "refresh-token";

/// Keeps refresh tokens in the store, encrypted.
pub(crate) struct StoreVault(pub(crate) Arc<dyn Vault>);

fn owner(org: &OrgName) -> String {
    format!("org/{org}")
}

fn unavailable(error: &StoreError) -> VaultError {
    VaultError(error.to_string())
}

#[async_trait]
impl TokenVault for StoreVault {
    async fn load(&self, org: &OrgName) -> Result<Option<SecretString>, VaultError> {
        self.0.secret(&owner(org), REFRESH_TOKEN).await.map_err(|error| unavailable(&error))
    }

    async fn save(&self, org: &OrgName, token: &SecretString) -> Result<(), VaultError> {
        self.0.put_secret(&owner(org), REFRESH_TOKEN, token).await.map_err(|error| unavailable(&error))
    }
}
