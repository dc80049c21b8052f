//! `SourceNames` on `SQLite`.

use async_trait::async_trait;
use model::{ResourceId, ResourceKind, SourceName, TenantId};
use rusqlite::{OptionalExtension, params};

use super::{
    SqliteStore,
    rows::{Doing, kind_key, tenant_key},
    writer::Durability,
};
use crate::{SourceNames, StoreError};

const READ: &str = "read what a source calls an identity";

#[async_trait]
impl SourceNames for SqliteStore {
    async fn identity_called(
        &self,
        population: &TenantId,
        source: &SourceName,
        name: &str,
    ) -> Result<Option<ResourceId>, StoreError> {
        self.0.readers.read(|reader| {
            let Some(tenant) = reader.tenant(population)? else { return Ok(None) };
            reader
                .statement(
                    "SELECT r.id FROM source_names s JOIN resources r ON r.key = s.resource
                     WHERE s.tenant = ?1 AND s.source = ?2 AND s.name = ?3",
                    READ,
                )?
                .query_row(params![tenant.0, source.as_str(), name], |row| row.get::<_, String>(0))
                .optional()
                .map(|id| id.map(ResourceId::from_text))
                .doing(READ)
        })
    }

    async fn called(
        &self,
        population: &TenantId,
        source: &SourceName,
        identity: &ResourceId,
    ) -> Result<Option<String>, StoreError> {
        self.0.readers.read(|reader| {
            let Some(tenant) = reader.tenant(population)? else { return Ok(None) };
            reader
                .statement(
                    "SELECT s.name FROM resources r JOIN source_names s ON s.resource = r.key
                     WHERE r.tenant = ?1 AND r.kind = ?2 AND r.id = ?3 AND s.source = ?4",
                    READ,
                )?
                .query_row(
                    params![tenant.0, kind_key(ResourceKind::User), identity.as_str(), source.as_str()],
                    |row| row.get(0),
                )
                .optional()
                .doing(READ)
        })
    }

    async fn call(
        &self,
        population: &TenantId,
        source: &SourceName,
        name: &str,
        identity: &ResourceId,
    ) -> Result<(), StoreError> {
        if self.identity_called(population, source, name).await?.as_ref() == Some(identity) {
            return Ok(());
        }
        let (population, source) = (population.clone(), source.clone());
        let (name, identity) = (name.to_owned(), identity.clone());
        self.write(Durability::Power, move |connection| {
            let Some(tenant) = tenant_key(connection, &population)? else { return Ok(()) };
            // Whom it called so before, and what it called this one, go.
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO source_names (tenant, source, name, resource)
                     SELECT tenant, ?2, ?3, key FROM resources WHERE tenant = ?1 AND kind = ?4 AND id = ?5",
                )
                .and_then(|mut insert| {
                    insert.execute(params![
                        tenant.0,
                        source.as_str(),
                        name,
                        kind_key(ResourceKind::User),
                        identity.as_str()
                    ])
                })
                .map(|_| ())
                .doing("write what a source calls an identity")
        })
        .await
    }
}
