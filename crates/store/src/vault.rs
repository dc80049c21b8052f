//! The Vault: secrets, encrypted at rest with AES-256-GCM (aws-lc-rs).

use async_trait::async_trait;
use secrecy::SecretString;

use crate::StoreError;

/// The key that everything in the vault is encrypted with: 256 bits, from `GANGWAY_KEY` or a file outside the data
/// directory. Cannot be printed; wiped when dropped.
pub struct MasterKey(zeroize::Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Takes the key's bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(zeroize::Zeroizing::new(bytes))
    }
}

/// Secrets by owner and name, such as (`org/acme-prod`, `refresh-token`).
#[async_trait]
pub trait Vault: Send + Sync {
    /// The secret, or `None` where none was put.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sealed`] when it was encrypted with another key.
    async fn secret(&self, owner: &str, name: &str) -> Result<Option<SecretString>, StoreError>;

    /// Puts or replaces a secret; synced before it returns.
    async fn put_secret(&self, owner: &str, name: &str, secret: &SecretString) -> Result<(), StoreError>;
}
