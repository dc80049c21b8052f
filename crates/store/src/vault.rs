//! The Vault: secrets, encrypted at rest with AES-256-GCM (aws-lc-rs).

use async_trait::async_trait;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use secrecy::SecretString;
use zeroize::{Zeroize, Zeroizing};

use crate::StoreError;

/// The key that everything in the vault is encrypted with: 256 bits, from `GANGWAY_KEY` or a file outside the
/// data directory. Cannot be printed; wiped when dropped.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Takes the key's bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Encrypts `plain` for one place: nonce (96 bits, random), ciphertext, tag (128 bits).
    ///
    /// Random nonces are safe for 2^32 messages under one key (NIST SP 800-38D §8.3); a vault holds a few
    /// refresh tokens, each renewed some times a day.
    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .cipher()?
            .seal_in_place_append_tag(Aad::from(place.bytes()), &mut sealed)
            .map_err(|_| StoreError::BrokeOff)?;
        sealed.splice(0..0, nonce.as_ref().iter().copied());
        Ok(sealed)
    }

    /// Decrypts what [`seal`](Self::seal) made for the same place.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sealed`] for another key, another place, or altered bytes; which of them cannot be told.
    pub(crate) fn unseal(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(StoreError::Sealed)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .cipher()?
            .open_in_place(nonce, Aad::from(place.bytes()), &mut text)
            .map_err(|_| StoreError::Sealed)?
            .len();
        text[length..].zeroize();
        text.truncate(length);
        Ok(text)
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, StoreError> {
        RandomizedNonceKey::new(&AES_256_GCM, self.0.as_slice()).map_err(|_| StoreError::BrokeOff)
    }
}

/// Where a sealed value lies. It is authenticated with the value, so that nobody can move one secret into the
/// place of another.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub table: &'a str,
    pub owner: &'a str,
    pub name: &'a str,
}

impl Place<'_> {
    /// The parts with their lengths before them, so that no two places have the same bytes.
    fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [self.table, self.owner, self.name] {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes
    }
}

/// A secret as it is kept.
#[derive(Debug)]
pub struct Secret {
    /// Rises with each replacement.
    pub version: u64,
    /// What is kept.
    pub text: SecretString,
}

/// Secrets by owner and name, such as (`org/acme-prod`, `grant`).
#[async_trait]
pub trait Vault: Send + Sync {
    /// The secret, or `None` where none was put.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sealed`] when it was encrypted with another key.
    async fn secret(&self, owner: &str, name: &str) -> Result<Option<Secret>, StoreError>;

    /// Replaces version `known` of a secret, 0 being none at all; synced before it returns. Answers the new version, or
    /// `None` where another version is there: nothing is changed then, and it must be read first.
    async fn replace_secret(
        &self,
        owner: &str,
        name: &str,
        known: u64,
        text: &SecretString,
    ) -> Result<Option<u64>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place { table: "secrets", owner: "org/a", name: "refresh-token" };

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let key = MasterKey::new([7; 32]);
        let sealed = key.seal(HERE, b"5Aep861").unwrap();
        assert_eq!(key.unseal(HERE, &sealed).unwrap().as_slice(), b"5Aep861");
        assert!(!sealed.windows(7).any(|part| part == b"5Aep861"));

        for there in [
            Place { owner: "org/b", ..HERE },
            Place { name: "x", ..HERE },
            Place { table: "meta", ..HERE },
            Place { owner: "org/are", name: "fresh-token", ..HERE },
        ] {
            assert!(matches!(key.unseal(there, &sealed), Err(StoreError::Sealed)));
        }
        assert!(matches!(MasterKey::new([8; 32]).unseal(HERE, &sealed), Err(StoreError::Sealed)));
    }

    #[test]
    fn altered_or_short_bytes_do_not_open() {
        let key = MasterKey::new([7; 32]);
        let sealed = key.seal(HERE, b"").unwrap();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(matches!(key.unseal(HERE, &altered), Err(StoreError::Sealed)), "byte {at}");
            assert!(matches!(key.unseal(HERE, &sealed[..at]), Err(StoreError::Sealed)), "{at} bytes");
        }
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        let key = MasterKey::new([7; 32]);
        assert_ne!(key.seal(HERE, b"x").unwrap(), key.seal(HERE, b"x").unwrap());
    }
}
