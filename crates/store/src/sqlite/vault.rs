//! The Vault on `SQLite`.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use secrecy::{ExposeSecret, SecretString};

use super::{SqliteStore, rows::Doing, writer::Durability};
use crate::{MasterKey, StoreError, Vault, vault::Place};

/// A known text under the key: whether a key is the right one can be told before any secret is needed.
const CHECK: Place<'static> = Place { table: "meta", owner: "", name: "key-check" };
const CHECK_TEXT: &[u8] = b"gangway";

#[async_trait]
impl Vault for SqliteStore {
    async fn secret(&self, owner: &str, name: &str) -> Result<Option<SecretString>, StoreError> {
        let sealed: Option<Vec<u8>> = self.0.readers.read(|reader| {
            let doing = "read secrets";
            reader
                .statement("SELECT sealed FROM secrets WHERE owner = ?1 AND name = ?2", doing)?
                .query_row([owner, name], |row| row.get(0))
                .optional()
                .doing(doing)
        })?;
        let Some(sealed) = sealed else { return Ok(None) };
        let key = self.0.key.as_ref().ok_or(StoreError::Sealed)?;
        let plain = key.unseal(Place { table: "secrets", owner, name }, &sealed)?;
        let text = std::str::from_utf8(&plain)
            .map_err(|source| StoreError::corrupt("secrets", "a secret", source))?;
        Ok(Some(SecretString::from(text)))
    }

    async fn put_secret(&self, owner: &str, name: &str, secret: &SecretString) -> Result<(), StoreError> {
        let key: &Arc<MasterKey> = self.0.key.as_ref().ok_or(StoreError::ReadOnly)?;
        let sealed = key.seal(Place { table: "secrets", owner, name }, secret.expose_secret().as_bytes())?;
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.write(Durability::Power, move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO secrets (owner, name, sealed) VALUES (?1, ?2, ?3)
                     ON CONFLICT (owner, name) DO UPDATE SET sealed = excluded.sealed",
                )
                .and_then(|mut upsert| upsert.execute(params![owner, name, sealed]))
                .map(|_| ())
                .doing("write secrets")
        })
        .await
    }
}

/// Whether this is the key that the file's secrets were encrypted with. While there are none, any key will do
/// from now on.
pub fn check_key(connection: &Connection, key: &MasterKey) -> Result<(), StoreError> {
    let (read, write) = ("read meta", "write meta");
    let known: Option<Vec<u8>> = connection
        .query_row("SELECT value FROM meta WHERE name = ?1", [CHECK.name], |row| row.get(0))
        .optional()
        .doing(read)?;
    if known.is_some_and(|sealed| key.unseal(CHECK, &sealed).is_ok()) {
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
        .doing(write)
}
