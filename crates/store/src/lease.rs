use async_trait::async_trait;
use model::Timestamp;

use crate::StoreError;

/// Whether a lease was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It is the caller's until the time that was asked for.
    Taken,
    /// Somebody else has it.
    Busy {
        /// Until then, unless it is given back or extended.
        until: Timestamp,
    },
}

/// What one process may do at a time, such as `org/acme-prod/login`.
///
/// A lease keeps others away, it does not make its holder right: one that was suspended may wake up after its time. So
/// what is done under a lease is written by [`Vault::replace_secret`](crate::Vault::replace_secret), which takes nothing from
/// who does not know the newest version.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes a lease that is free or has run out at `now`, or extends the caller's own.
    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError>;

    /// Gives a lease back. One that is somebody else's by now stays theirs.
    async fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError>;
}
