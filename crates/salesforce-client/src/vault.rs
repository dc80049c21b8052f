use async_trait::async_trait;
use model::{OrgName, Timestamp};
use secrecy::SecretString;

/// What the vault has for an org.
#[derive(Debug)]
pub struct Saved {
    /// Rises with each replacement.
    pub version: u64,
    /// The tokens, as this crate wrote them; for everybody else a text that nobody may see.
    pub grant: SecretString,
}

/// Where tokens live between starts, shared by all processes that use an org. The store stands behind it, encrypted.
#[async_trait]
pub trait TokenVault: Send + Sync {
    /// What was last saved for the org.
    async fn load(&self, org: &OrgName) -> Result<Option<Saved>, VaultError>;

    /// Replaces version `known`, 0 being nothing at all, durably: when this answers, a crash no longer loses it.
    /// Answers the new version, or `None` where another one is there and must be read first. With refresh token rotation
    /// what is overwritten may be the only token that is alive.
    async fn replace(
        &self,
        org: &OrgName,
        known: u64,
        grant: &SecretString,
    ) -> Result<Option<u64>, VaultError>;

    /// Takes the turn to log in to the org, or extends it where `holder` has it. False while it is somebody else's.
    async fn take_turn(
        &self,
        org: &OrgName,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, VaultError>;

    /// Gives the turn back.
    async fn end_turn(&self, org: &OrgName, holder: &str) -> Result<(), VaultError>;
}

/// The vault could not be read or written. The text says why and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the vault for refresh tokens is not available: {0}")]
pub struct VaultError(pub String);
