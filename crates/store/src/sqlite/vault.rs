//! The Vault on `SQLite`.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use model::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use secrecy::{ExposeSecret, SecretString};

use super::{
    SqliteStore, file, lease,
    rows::{self, Doing},
    writer::Durability,
};
use crate::{Lease, Leases, MasterKey, Secret, StoreError, Vault, vault::Place};

/// A known text under the key: whether a key is the right one can be told before any secret is needed.
const CHECK: Place<'static> = Place { table: "meta", owner: "", name: "key-check" };
const CHECK_TEXT: &[u8] = b"gangway";

#[async_trait]
impl Vault for SqliteStore {
    async fn secret(&self, owner: &str, name: &str) -> Result<Option<Secret>, StoreError> {
        let sealed = self.0.readers.read(|reader| read(reader.connection(), owner, name))?;
        let Some((version, sealed)) = sealed else { return Ok(None) };
        let key = self.0.key.as_ref().ok_or(StoreError::Sealed)?;
        unseal(key, owner, name, version, &sealed).map(Some)
    }

    async fn replace_secret(
        &self,
        owner: &str,
        name: &str,
        known: u64,
        text: &SecretString,
    ) -> Result<Option<u64>, StoreError> {
        let key: &Arc<MasterKey> = self.0.key.as_ref().ok_or(StoreError::ReadOnly)?;
        let sealed = key.seal(Place { table: "secrets", owner, name }, text.expose_secret().as_bytes())?;
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.write(Durability::Power, move |connection| replace(connection, &owner, &name, known, &sealed))
            .await
    }
}

/// The secrets and leases of a file, and nothing else of it: for a command that runs beside a gateway.
pub struct SqliteVault {
    connection: Arc<Mutex<Connection>>,
    key: MasterKey,
}

impl SqliteVault {
    /// Opens them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sealed`] for another key than the one they are encrypted with; [`StoreError::File`] when the file is
    /// not there; [`StoreError::Newer`] and [`StoreError::Older`] when another version wrote it.
    pub fn open(path: impl AsRef<Path>, key: MasterKey) -> Result<Self, StoreError> {
        let connection = file::open_beside(path.as_ref())?;
        if !is_key(&connection, &key)? {
            return Err(StoreError::Sealed);
        }
        Ok(Self { connection: Arc::new(Mutex::new(connection)), key })
    }

    /// On a thread that may wait: for the disk, and for a gateway that is writing.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.connection);
        tokio::task::spawn_blocking(move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
            .map_err(|_| StoreError::BrokeOff)?
    }
}

#[async_trait]
impl Vault for SqliteVault {
    async fn secret(&self, owner: &str, name: &str) -> Result<Option<Secret>, StoreError> {
        let (of, what) = (owner.to_owned(), name.to_owned());
        let sealed = self.with(move |connection| read(connection, &of, &what)).await?;
        sealed.map(|(version, sealed)| unseal(&self.key, owner, name, version, &sealed)).transpose()
    }

    async fn replace_secret(
        &self,
        owner: &str,
        name: &str,
        known: u64,
        text: &SecretString,
    ) -> Result<Option<u64>, StoreError> {
        let sealed =
            self.key.seal(Place { table: "secrets", owner, name }, text.expose_secret().as_bytes())?;
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.with(move |connection| replace(connection, &owner, &name, known, &sealed)).await
    }
}

#[async_trait]
impl Leases for SqliteVault {
    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.with(move |connection| lease::take(connection, &name, &holder, now, until, false)).await
    }

    async fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.with(move |connection| lease::release(connection, &name, &holder)).await
    }
}

impl std::fmt::Debug for SqliteVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteVault").finish_non_exhaustive()
    }
}

/// The version of a secret, and the sealed secret.
fn read(connection: &Connection, owner: &str, name: &str) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let found: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT version, sealed FROM secrets WHERE owner = ?1 AND name = ?2")
        .and_then(|mut select| {
            select.query_row([owner, name], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .doing("read secrets")?;
    found.map(|(version, sealed)| Ok((rows::unsigned("secrets", version)?, sealed))).transpose()
}

fn unseal(
    key: &MasterKey,
    owner: &str,
    name: &str,
    version: u64,
    sealed: &[u8],
) -> Result<Secret, StoreError> {
    let plain = key.unseal(Place { table: "secrets", owner, name }, sealed)?;
    let text =
        std::str::from_utf8(&plain).map_err(|source| StoreError::corrupt("secrets", "a secret", source))?;
    Ok(Secret { version, text: SecretString::from(text) })
}

/// Replaces the version that is known, in one statement so that of two who know it one finds it gone.
fn replace(
    connection: &Connection,
    owner: &str,
    name: &str,
    known: u64,
    sealed: &[u8],
) -> Result<Option<u64>, StoreError> {
    let sql = match known {
        0 => {
            "INSERT INTO secrets (owner, name, sealed, version) VALUES (?1, ?2, ?4, ?3 + 1)
             ON CONFLICT (owner, name) DO NOTHING"
        }
        _ => {
            "UPDATE secrets SET sealed = ?4, version = ?3 + 1
             WHERE owner = ?1 AND name = ?2 AND version = ?3"
        }
    };
    let replaced = connection
        .prepare_cached(sql)
        .and_then(|mut replace| replace.execute(params![owner, name, rows::signed(known), sealed]))
        .doing("write secrets")?;
    Ok((replaced == 1).then(|| known + 1))
}

/// Whether this is the key that the file's secrets were encrypted with. While there are none, any key will do
/// from now on.
pub fn check_key(connection: &Connection, key: &MasterKey) -> Result<(), StoreError> {
    if is_key(connection, key)? {
        return Ok(());
    }
    let secrets: bool = connection
        .query_row("SELECT EXISTS (SELECT 1 FROM secrets)", [], |row| row.get(0))
        .doing("read secrets")?;
    if secrets {
        return Err(StoreError::Sealed);
    }
    let sealed = key.seal(CHECK, CHECK_TEXT)?;
    connection
        .execute(
            "INSERT INTO meta (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![CHECK.name, sealed],
        )
        .map(|_| ())
        .doing("write meta")
}

/// Whether it opens the known text.
fn is_key(connection: &Connection, key: &MasterKey) -> Result<bool, StoreError> {
    let known: Option<Vec<u8>> = connection
        .query_row("SELECT value FROM meta WHERE name = ?1", [CHECK.name], |row| row.get(0))
        .optional()
        .doing("read meta")?;
    Ok(known.is_some_and(|sealed| key.unseal(CHECK, &sealed).is_ok()))
}
