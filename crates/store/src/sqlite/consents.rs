//! Consents on `SQLite`.

use async_trait::async_trait;
use model::{ResourceId, Timestamp, Version};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{
    SqliteStore, audit,
    rows::{self, Doing, TenantKey, tenant_key_or_new, to_json},
    writer::Durability,
};
use crate::{AuditEntry, Consents, EventKey, StoreError};

const TABLE: &str = "consents";
const READ: &str = "read consents";
const WRITE: &str = "write consents";

#[async_trait]
impl Consents for SqliteStore {
    async fn begin_consent(&self, event: &EventKey, intent: &Value) -> Result<(), StoreError> {
        let (event, intent) = (event.clone(), to_json(TABLE, "an intent", intent)?);
        self.write(Durability::Power, move |connection| {
            let tenant = tenant_key_or_new(connection, &event.tenant)?;
            put(connection, tenant, &event, &intent)
        })
        .await
    }

    async fn consent_begun(&self, event: &EventKey) -> Result<Option<Value>, StoreError> {
        self.0.readers.read(|reader| {
            let mut select = reader.statement(
                "SELECT c.intent FROM consents c JOIN tenants n ON n.tenant = c.tenant
                 WHERE n.name = ?1 AND c.source = ?2 AND c.jti = ?3",
                READ,
            )?;
            let key = params![event.tenant.as_str(), event.source.as_str(), event.jti];
            let intent: Option<String> = select.query_row(key, |row| row.get(0)).optional().doing(READ)?;
            intent.map(|text| rows::json(TABLE, "an intent", &text)).transpose()
        })
    }

    async fn end_consent(
        &self,
        event: &EventKey,
        entries: Vec<(ResourceId, AuditEntry)>,
        open: Option<Value>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let event = event.clone();
        let open = open.map(|open| to_json(TABLE, "an intent", &open)).transpose()?;
        self.write(Durability::Power, move |connection| {
            let tenant = tenant_key_or_new(connection, &event.tenant)?;
            for (record, entry) in &entries {
                audit::write(connection, tenant, record, at, Version(0), None, entry)?;
            }
            match &open {
                Some(intent) => put(connection, tenant, &event, intent),
                None => forget(connection, &event),
            }
        })
        .await
    }
}

fn put(connection: &Connection, tenant: TenantKey, event: &EventKey, intent: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO consents (tenant, source, jti, intent) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant, source, jti) DO UPDATE SET intent = excluded.intent",
        )
        .and_then(|mut insert| insert.execute(params![tenant.0, event.source.as_str(), event.jti, intent]))
        .map(|_| ())
        .doing(WRITE)
}

/// An event is about to write nothing any more.
pub(super) fn forget(connection: &Connection, event: &EventKey) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM consents WHERE source = ?2 AND jti = ?3
                 AND tenant = (SELECT tenant FROM tenants WHERE name = ?1)",
        )
        .and_then(|mut delete| {
            delete.execute(params![event.tenant.as_str(), event.source.as_str(), event.jti])
        })
        .map(|_| ())
        .doing(WRITE)
}

/// Forgets the intents of events that nobody tries again.
pub(super) fn prune(connection: &Connection) -> Result<(), StoreError> {
    connection
        .execute(
            "DELETE FROM consents WHERE NOT EXISTS (
                 SELECT 1 FROM events e WHERE e.tenant = consents.tenant AND e.source = consents.source
                     AND e.jti = consents.jti AND e.state NOT IN ('applied', 'ignored', 'dismissed'))",
            [],
        )
        .map(|_| ())
        .doing(WRITE)
}
