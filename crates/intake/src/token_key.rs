//! What access tokens of the event doors are signed with.

use std::fmt;

/// A key that is the same after a restart and on every replica. Cannot be printed.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// From a key that says nothing of any other.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey")
    }
}
