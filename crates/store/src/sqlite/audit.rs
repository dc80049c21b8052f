//! The Audit on `SQLite`.

use async_trait::async_trait;
use model::{ChangeId, ResourceId, TenantId, Timestamp, Version};
use rusqlite::{Connection, Row, params};

use super::{
    SqliteStore, chain,
    rows::{self, Doing, TenantKey, signed, to_json},
};
use crate::{
    Audit, AuditEntry, Audited, Chain, StoreError, TrailEntry,
    chain::{Content, hex},
};

const TABLE: &str = "audit";
const READ: &str = "read audit";

/// A part of a tenant's trail, in the order of the rows: by the index of resources each page would sort all of it.
pub(super) const PAGE: &str =
    "SELECT at_ms, version, change, entry, number, resource, hash FROM audit NOT INDEXED
                               WHERE tenant = ?1 AND number > ?2 ORDER BY number LIMIT ?3";

#[async_trait]
impl Audit for SqliteStore {
    async fn audit_of(&self, tenant: &TenantId, resource: &ResourceId) -> Result<Vec<Audited>, StoreError> {
        let (tenant, resource) = (tenant.clone(), resource.clone());
        self.0
            .readers
            .read_long(move |reader| {
                let Some(tenant) = reader.tenant(&tenant)? else { return Ok(Vec::new()) };
                let mut select = reader.statement(
                    "SELECT at_ms, version, change, entry FROM audit
                     WHERE tenant = ?1 AND resource = ?2 ORDER BY number",
                    READ,
                )?;
                let mut found = select.query(params![tenant.0, resource.as_str()]).doing(READ)?;
                let mut entries = Vec::new();
                while let Some(row) = found.next().doing(READ)? {
                    entries.push(audited(row)?);
                }
                Ok(entries)
            })
            .await
    }

    async fn writes_of(
        &self,
        tenant: &TenantId,
        resource: &ResourceId,
        field: &str,
        limit: u32,
    ) -> Result<Vec<Audited>, StoreError> {
        let (tenant, resource, field) = (tenant.clone(), resource.clone(), field.to_owned());
        self.0
            .readers
            .read_long(move |reader| {
                let mut entries = Vec::new();
                let Some(tenant) = reader.tenant(&tenant)? else { return Ok(entries) };
                let mut select = reader.statement(
                    "SELECT at_ms, version, change, entry FROM audit
                     WHERE tenant = ?1 AND resource = ?2 ORDER BY number DESC",
                    READ,
                )?;
                let mut found = select.query(params![tenant.0, resource.as_str()]).doing(READ)?;
                while (entries.len() as u64) < u64::from(limit)
                    && let Some(row) = found.next().doing(READ)?
                {
                    let audited = audited(row)?;
                    if audited.entry.fields.iter().any(|wrote| wrote.eq_ignore_ascii_case(&field)) {
                        entries.push(audited);
                    }
                }
                Ok(entries)
            })
            .await
    }

    async fn entries(
        &self,
        tenant: &TenantId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<TrailEntry>, StoreError> {
        let tenant = tenant.clone();
        self.0
            .readers
            .read_long(move |reader| {
                let mut entries = Vec::new();
                let Some(tenant) = reader.tenant(&tenant)? else { return Ok(entries) };
                let mut select = reader.statement(PAGE, READ)?;
                let after = after.map_or(0, signed);
                let mut found = select.query(params![tenant.0, after, limit]).doing(READ)?;
                while let Some(row) = found.next().doing(READ)? {
                    let hash = row.get_ref(6).and_then(|hash| Ok(hash.as_blob_or_null()?)).doing(READ)?;
                    entries.push(TrailEntry {
                        number: rows::unsigned(TABLE, row.get(4).doing(READ)?)?,
                        resource: ResourceId::from_text(row.get::<_, String>(5).doing(READ)?),
                        audited: audited(row)?,
                        hash: hash.map(hex),
                    });
                }
                Ok(entries)
            })
            .await
    }

    async fn verify(&self, tenant: &TenantId, noted: Option<&str>) -> Result<Chain, StoreError> {
        let (tenant, noted) = (tenant.clone(), noted.map(str::to_owned));
        self.0
            .readers
            .read_long(move |reader| match reader.tenant(&tenant)? {
                Some(key) => reader.snapshot(|reader| chain::verify(reader, key, noted.as_deref())),
                None => Ok(Chain::empty(tenant.as_str(), noted.as_deref())),
            })
            .await
    }
}

fn audited(row: &Row<'_>) -> Result<Audited, StoreError> {
    let entry: String = row.get(3).doing(READ)?;
    Ok(Audited {
        at: rows::time(TABLE, row.get(0).doing(READ)?)?,
        version: Version(rows::unsigned(TABLE, row.get(1).doing(READ)?)?),
        change: row.get::<_, Option<String>>(2).doing(READ)?.map(ChangeId::from_text),
        entry: rows::json(TABLE, "an audit entry", &entry)?,
    })
}

/// Adds an entry to a resource's history, at the end of the tenant's chain.
pub fn write(
    connection: &Connection,
    tenant: TenantKey,
    resource: &ResourceId,
    at: Timestamp,
    version: Version,
    change: Option<&ChangeId>,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    let entry = to_json("audit", "an audit entry", entry)?;
    let content = Content {
        resource: resource.as_str(),
        at_ms: at.as_millisecond(),
        version: signed(version.0),
        change: change.map(ChangeId::as_str),
        entry: &entry,
    };
    let hash = chain::append(connection, tenant, &content)?;
    connection
        .prepare_cached(
            "INSERT INTO audit (tenant, resource, at_ms, version, change, entry, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                tenant.0,
                content.resource,
                content.at_ms,
                content.version,
                content.change,
                content.entry,
                hash
            ])
        })
        .map(|_| ())
        .doing("write audit")
}
