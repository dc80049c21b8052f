//! Holds on `SQLite`.

use async_trait::async_trait;
use model::{HoldId, ResourceId, TargetName, TenantId, Timestamp};
use rusqlite::{Row, params};
use salesforce_types::RecordId;

use super::{
    SqliteStore,
    rows::{self, Doing, tenant_key, tenant_key_or_new, to_json},
    writer::Durability,
};
use crate::{Hold, Holds, StoreError};

const READ: &str = "read holds";
const WRITE: &str = "write holds";

#[async_trait]
impl Holds for SqliteStore {
    async fn raise_hold(&self, hold: Hold) -> Result<HoldId, StoreError> {
        // A hold that a power failure takes away is raised again when the request is repeated.
        self.write(Durability::Process, move |connection| {
            let tenant = tenant_key_or_new(connection, &hold.tenant)?;
            let kind = to_json("holds", "a reason", &hold.kind)?;
            connection
                .prepare_cached(
                    "INSERT INTO holds (id, tenant, subject, target, identity, kind, raised_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT (tenant, subject, target) WHERE closed_ms IS NULL
                     DO UPDATE SET kind = excluded.kind, identity = coalesce(excluded.identity, identity)
                     RETURNING id",
                )
                .and_then(|mut upsert| {
                    upsert.query_row(
                        params![
                            hold.id.as_str(),
                            tenant.0,
                            hold.subject,
                            hold.target.as_str(),
                            hold.identity.as_ref().map(ResourceId::as_str),
                            kind,
                            hold.raised.as_millisecond()
                        ],
                        |row| row.get::<_, String>(0),
                    )
                })
                .map(HoldId::from_text)
                .doing(WRITE)
        })
        .await
    }

    async fn close_hold(
        &self,
        tenant: &TenantId,
        subject: &str,
        target: &TargetName,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        // Every new link comes here and hardly any has a hold: looking costs less than writing.
        let is_held = self.0.readers.read(|reader| {
            let mut select = reader.statement(
                "SELECT 1 FROM holds h JOIN tenants t ON t.tenant = h.tenant
                 WHERE t.name = ?1 AND h.subject = ?2 AND h.target = ?3 AND h.closed_ms IS NULL",
                READ,
            )?;
            select.exists(params![tenant.as_str(), subject, target.as_str()]).doing(READ)
        })?;
        if !is_held {
            return Ok(());
        }
        let (tenant, subject, target) = (tenant.clone(), subject.to_owned(), target.clone());
        self.write(Durability::Process, move |connection| {
            let Some(tenant) = tenant_key(connection, &tenant)? else { return Ok(()) };
            connection
                .prepare_cached(
                    "UPDATE holds SET closed_ms = ?4
                     WHERE tenant = ?1 AND subject = ?2 AND target = ?3 AND closed_ms IS NULL",
                )
                .and_then(|mut update| {
                    update.execute(params![tenant.0, subject, target.as_str(), at.as_millisecond()])
                })
                .map(|_| ())
                .doing(WRITE)
        })
        .await
    }

    async fn decide_hold(&self, id: &HoldId, record: &RecordId) -> Result<bool, StoreError> {
        let (id, record) = (id.clone(), record.clone());
        self.write(Durability::Process, move |connection| {
            connection
                .prepare_cached("UPDATE holds SET decided = ?2 WHERE id = ?1 AND closed_ms IS NULL")
                .and_then(|mut update| update.execute(params![id.as_str(), record.as_str()]))
                .map(|decided| decided > 0)
                .doing(WRITE)
        })
        .await
    }

    async fn dismiss_hold(&self, id: &HoldId, at: Timestamp) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(Durability::Process, move |connection| {
            connection
                .prepare_cached("UPDATE holds SET closed_ms = ?2 WHERE id = ?1 AND closed_ms IS NULL")
                .and_then(|mut update| update.execute(params![id.as_str(), at.as_millisecond()]))
                .map(|closed| closed > 0)
                .doing(WRITE)
        })
        .await
    }

    async fn hold_of(
        &self,
        tenant: &TenantId,
        subject: &str,
        target: &TargetName,
    ) -> Result<Option<(Hold, Option<RecordId>)>, StoreError> {
        self.0.readers.read(|reader| {
            let mut select = reader.statement(
                "SELECT h.id, t.name, h.identity, h.subject, h.target, h.kind, h.raised_ms, h.decided
                 FROM holds h JOIN tenants t ON t.tenant = h.tenant
                 WHERE t.name = ?1 AND h.subject = ?2 AND h.target = ?3 AND h.closed_ms IS NULL",
                READ,
            )?;
            let mut rows = select.query(params![tenant.as_str(), subject, target.as_str()]).doing(READ)?;
            let Some(row) = rows.next().doing(READ)? else { return Ok(None) };
            let decided = row.get::<_, Option<String>>(7).doing(READ)?.map(|text| {
                RecordId::parse(&text).map_err(|source| StoreError::corrupt("holds", "a record id", source))
            });
            Ok(Some((hold(row)?, decided.transpose()?)))
        })
    }

    async fn open_holds(&self, tenant: Option<&TenantId>) -> Result<Vec<Hold>, StoreError> {
        let tenant = tenant.cloned();
        self.0
            .readers
            .read_long(move |reader| {
                let mut select = reader.statement(
                    "SELECT h.id, t.name, h.identity, h.subject, h.target, h.kind, h.raised_ms
                     FROM holds h JOIN tenants t ON t.tenant = h.tenant
                     WHERE h.closed_ms IS NULL AND (?1 IS NULL OR t.name = ?1)
                     ORDER BY h.raised_ms, h.number",
                    READ,
                )?;
                let mut found = select.query([tenant.as_ref().map(TenantId::as_str)]).doing(READ)?;
                let mut holds = Vec::new();
                while let Some(row) = found.next().doing(READ)? {
                    holds.push(hold(row)?);
                }
                Ok(holds)
            })
            .await
    }
}

fn hold(row: &Row<'_>) -> Result<Hold, StoreError> {
    let table = "holds";
    let text = |column| row.get::<_, String>(column).doing(READ);
    Ok(Hold {
        id: HoldId::from_text(text(0)?),
        tenant: rows::tenant(table, &text(1)?)?,
        identity: row.get::<_, Option<String>>(2).doing(READ)?.map(ResourceId::from_text),
        subject: text(3)?,
        target: rows::target(table, text(4)?)?,
        kind: rows::json(table, "a reason", &text(5)?)?,
        raised: rows::time(table, row.get(6).doing(READ)?)?,
    })
}
