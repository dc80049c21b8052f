use async_trait::async_trait;
use model::OrgName;
use secrecy::SecretString;

/// Where refresh tokens live between starts. The store stands behind it, encrypted.
#[async_trait]
pub trait TokenVault: Send + Sync {
    /// The token that was last saved for the org.
    async fn load(&self, org: &OrgName) -> Result<Option<SecretString>, VaultError>;

    /// Keeps the token, durably: when this answers, a crash no longer loses it. With refresh token
    /// rotation the one before it is dead already.
    async fn save(&self, org: &OrgName, token: &SecretString) -> Result<(), VaultError>;
}

/// The vault could not be read or written. The text says why and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the vault for refresh tokens is not available: {0}")]
pub struct VaultError(pub String);
