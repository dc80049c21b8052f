//! The keys that outgoing events are signed with: made by Gangway, kept in the vault, replaced in time.
//!
//! ```text
//! published ──── a day ────► signs ──── 90 days ────► published only ──── 7 days ────► gone
//! ```
//!
//! A new key is published before it signs, because receivers keep a key set for up to a day; an old one stays for those who
//! look at an event late.

use std::{collections::HashMap, sync::Arc};

use jiff::SignedDuration;
use model::{TenantId, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{StoreError, Vault};
use tokio::sync::Mutex;

use crate::set::{InvalidSigningKey, SigningKey};

/// How long a key is published before it signs.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);
/// How long a key signs.
const SIGNS: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long a key is published after it has signed last.
const AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// What the keys are called in the vault.
const NAME: &str = "signing-keys";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    /// The vault fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key cannot be made, or used.
    #[error(transparent)]
    Key(#[from] InvalidSigningKey),
    /// What is in the vault is no set of keys.
    #[error("the signing keys in the vault cannot be read")]
    Corrupt,
}

/// A key as it is kept.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    kid: String,
    pem: String,
    /// From when on it signs.
    signs: Timestamp,
}

/// A key, ready to sign.
type Ready = (Timestamp, Arc<SigningKey>);

/// The keys of every tenant that has receivers.
pub(crate) struct Keys {
    vault: Arc<dyn Vault>,
    /// One at a time makes keys; all the others wait for it.
    ready: Mutex<HashMap<TenantId, Vec<Ready>>>,
}

/// What is to become of keys that sign from these times on: how many of the oldest are gone, and from when a new one signs.
fn renewal(signs: &[Timestamp], now: Timestamp) -> (usize, Option<Timestamp>) {
    // A key signs until the next one does.
    let gone = signs.windows(2).take_while(|pair| pair[1] + AFTER < now).count();
    let next = match signs.last() {
        // Nobody has the key set yet.
        None => Some(now),
        Some(newest) if *newest + SIGNS - BEFORE <= now => Some(now + BEFORE),
        Some(_) => None,
    };
    (gone, next)
}

impl Keys {
    pub(crate) fn new(vault: Arc<dyn Vault>) -> Self {
        Self { vault, ready: Mutex::default() }
    }

    /// The key that signs now.
    pub(crate) async fn signing(
        &self,
        home: &TenantId,
        now: Timestamp,
    ) -> Result<Arc<SigningKey>, KeysError> {
        let keys = self.current(home, now).await?;
        let signs = keys.iter().rev().find(|(signs, _)| *signs <= now).or(keys.first());
        signs.map(|(_, key)| Arc::clone(key)).ok_or(KeysError::Corrupt)
    }

    /// The public key set (RFC 7517).
    pub(crate) async fn published(&self, home: &TenantId, now: Timestamp) -> Result<Value, KeysError> {
        let keys = self.current(home, now).await?;
        Ok(json!({ "keys": keys.iter().map(|(_, key)| key.jwk()).collect::<Vec<_>>() }))
    }

    /// The keys, renewed if it is time.
    async fn current(&self, home: &TenantId, now: Timestamp) -> Result<Vec<Ready>, KeysError> {
        let mut ready = self.ready.lock().await;
        if let Some(keys) = ready.get(home) {
            let signs: Vec<Timestamp> = keys.iter().map(|(signs, _)| *signs).collect();
            if renewal(&signs, now) == (0, None) {
                return Ok(keys.clone());
            }
        }
        let kept = self.renew(home, now).await?;
        let keys: Vec<Ready> = kept.iter().map(open).collect::<Result<_, _>>()?;
        ready.insert(home.clone(), keys.clone());
        Ok(keys)
    }

    /// Reads the keys from the vault and renews them there. Another process may do the same: whoever comes second takes what
    /// the first has made.
    async fn renew(&self, home: &TenantId, now: Timestamp) -> Result<Vec<Kept>, KeysError> {
        let owner = format!("tenant/{home}");
        loop {
            let secret = self.vault.secret(&owner, NAME).await?;
            let version = secret.as_ref().map_or(0, |secret| secret.version);
            let mut kept: Vec<Kept> = match secret {
                None => Vec::new(),
                Some(secret) => {
                    serde_json::from_str(secret.text.expose_secret()).map_err(|_| KeysError::Corrupt)?
                }
            };
            let signs: Vec<Timestamp> = kept.iter().map(|key| key.signs).collect();
            let (gone, next) = renewal(&signs, now);
            if (gone, next) == (0, None) {
                return Ok(kept);
            }
            kept.drain(..gone);
            if let Some(signs) = next {
                // It takes some tenths of a second: not on the threads that answer.
                let pem = tokio::task::spawn_blocking(SigningKey::generate)
                    .await
                    .map_err(|_| InvalidSigningKey)??;
                let kid = format!("gangway-{}", signs.as_second());
                kept.push(Kept { kid, pem: pem.expose_secret().to_owned(), signs });
            }
            let text = serde_json::to_string(&kept).map_err(|_| KeysError::Corrupt)?;
            if self.vault.replace_secret(&owner, NAME, version, &SecretString::from(text)).await?.is_some() {
                tracing::info!(tenant = %home, keys = kept.len(), "the keys of outgoing events are renewed");
                return Ok(kept);
            }
        }
    }
}

fn open(kept: &Kept) -> Result<Ready, KeysError> {
    let key = SigningKey::from_pem(kept.kid.clone(), &SecretString::from(kept.pem.clone()))?;
    Ok((kept.signs, Arc::new(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever looks at any time: a key that signs was published for a day before, but for the first; and it stays for 7 days.
    #[test]
    fn a_key_is_published_a_day_before_it_signs_and_a_week_after() {
        let begin = Timestamp::from_second(1_800_000_000).unwrap();
        let mut keys: Vec<Timestamp> = Vec::new();
        let mut published: HashMap<Timestamp, (Timestamp, Timestamp)> = HashMap::new();
        let mut signed: HashMap<Timestamp, (Timestamp, Timestamp)> = HashMap::new();
        for hour in 0..(400 * 24) {
            let now = begin + SignedDuration::from_hours(hour);
            let (gone, next) = renewal(&keys, now);
            keys.drain(..gone);
            keys.extend(next);
            let signs = keys.iter().rev().find(|signs| **signs <= now).expect("one signs always");
            for key in &keys {
                published.entry(*key).or_insert((now, now)).1 = now;
            }
            signed.entry(*signs).or_insert((now, now)).1 = now;
            assert!(keys.len() <= 3, "{keys:?}");
        }
        assert!(signed.len() >= 4, "{signed:?}");
        let end = begin + SignedDuration::from_hours(399 * 24);
        for (key, (first, last)) in &signed {
            let (from, until) = published[key];
            assert!(*key == begin || first.duration_since(from) >= BEFORE, "{key} signs too early");
            assert!(until >= end - AFTER || until.duration_since(*last) >= AFTER, "{key} is gone too early");
            assert!(last.duration_since(*first) <= SIGNS, "{key} signs for too long");
        }
    }
}
