//! The Ledger on `SQLite`.

use async_trait::async_trait;
use model::{ChangeId, ClientName, OrgName, ResourceId, TargetName, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use salesforce_types::{EntitlementRef, Grant, GrantState, Link, RecordId};

use super::{
    SqliteStore,
    links::Owner,
    readers::Reader,
    rows::{self, Doing, TenantKey, to_json},
};
use crate::{Ended, GrantWrite, Held, Ledger, StoreError};

const TABLE: &str = "grants";
const FORMER: &str = "former_grants";
const READ: &str = "read grants";
const WRITE: &str = "write grants";

#[async_trait]
impl Ledger for SqliteStore {
    async fn grants(&self, tenant: &TenantId, identity: &ResourceId) -> Result<Vec<Grant>, StoreError> {
        let rows = self.0.readers.read(|reader| {
            let Some(tenant) = reader.tenant(tenant)? else { return Ok(Vec::new()) };
            let open = "WHERE tenant = ?1 AND identity = ?2 AND ended_ms IS NULL";
            select(reader, open, params![tenant.0, identity.as_str()])
        })?;
        let mut grants: Vec<Grant> = rows.into_iter().map(|row| row.grant).collect();
        grants.sort_by(|one, other| {
            (&one.of, &one.org, &one.target).cmp(&(&other.of, &other.org, &other.target))
        });
        Ok(grants)
    }

    async fn holders(
        &self,
        tenant: &TenantId,
        org: Option<&OrgName>,
        of: &EntitlementRef,
        at: Option<Timestamp>,
    ) -> Result<Vec<Held>, StoreError> {
        let (tenant, org, of) = (tenant.clone(), org.cloned(), of.clone());
        let mut held = self
            .0
            .readers
            .read_long(move |reader| {
                let Some(tenant) = reader.tenant(&tenant)? else { return Ok(Vec::new()) };
                let then = "WHERE tenant = ?1 AND kind = ?2 AND entitlement = ?3 AND (?4 IS NULL OR org = ?4)
                     AND CASE WHEN ?5 IS NULL THEN ended_ms IS NULL
                         ELSE since_ms <= ?5 AND (ended_ms IS NULL OR ended_ms > ?5) END
                     ORDER BY since_ms, number";
                let (org, at) = (org.as_ref().map(OrgName::as_str), at.map(Timestamp::as_millisecond));
                select(reader, then, params![tenant.0, of.kind.as_str(), of.id, org, at])
            })
            .await?;
        held.retain(|held| held.grant.state.is_held());
        Ok(held)
    }

    async fn history(
        &self,
        tenant: &TenantId,
        identity: &ResourceId,
        of: &EntitlementRef,
    ) -> Result<Vec<Held>, StoreError> {
        let (tenant, identity, of) = (tenant.clone(), identity.clone(), of.clone());
        self.0
            .readers
            .read_long(move |reader| {
                let Some(tenant) = reader.tenant(&tenant)? else { return Ok(Vec::new()) };
                let all = "WHERE tenant = ?1 AND kind = ?2 AND entitlement = ?3 AND identity = ?4
                     ORDER BY since_ms, number";
                select(reader, all, params![tenant.0, of.kind.as_str(), of.id, identity.as_str()])
            })
            .await
    }

    async fn former_grants(
        &self,
        tenant: &TenantId,
        org: &OrgName,
        record: &RecordId,
    ) -> Result<Vec<Grant>, StoreError> {
        self.0.readers.read(|reader| {
            let Some(tenant) = reader.tenant(tenant)? else { return Ok(Vec::new()) };
            let mut select = reader.statement(
                "SELECT grants FROM former_grants WHERE tenant = ?1 AND org = ?2 AND record_id = ?3",
                READ,
            )?;
            let grants: Option<String> = select
                .query_row(params![tenant.0, org.as_str(), record.as_str()], |row| row.get(0))
                .optional()
                .doing(READ)?;
            grants.map_or(Ok(Vec::new()), |grants| rows::json(FORMER, "former grants", &grants))
        })
    }

    async fn in_state(
        &self,
        tenant: &TenantId,
        state: GrantState,
        limit: u32,
    ) -> Result<Vec<Held>, StoreError> {
        let tenant = tenant.clone();
        self.0
            .readers
            .read_long(move |reader| {
                let Some(tenant) = reader.tenant(&tenant)? else { return Ok(Vec::new()) };
                // The condition of the index, word for word: SQLite does not look at what is bound.
                let owed = if state.is_held() { "" } else { "AND state NOT IN ('granted', 'found')" };
                let open = format!(
                    "WHERE tenant = ?1 AND state = ?2 AND ended_ms IS NULL {owed}
                     ORDER BY since_ms, number LIMIT ?3"
                );
                select(reader, &open, params![tenant.0, state.as_str(), limit])
            })
            .await
    }
}

fn select(reader: &Reader, which: &str, params: impl Params) -> Result<Vec<Held>, StoreError> {
    let mut select = reader.statement(&format!("SELECT identity, entry, ended FROM grants {which}"), READ)?;
    let mut found = select.query(params).doing(READ)?;
    let mut all = Vec::new();
    while let Some(row) = found.next().doing(READ)? {
        all.push(held(row)?);
    }
    Ok(all)
}

fn held(row: &Row<'_>) -> Result<Held, StoreError> {
    let entry = row.get_ref(1).and_then(|text| Ok(text.as_str()?)).doing(READ)?;
    let ended = row.get_ref(2).and_then(|text| Ok(text.as_str_or_null()?)).doing(READ)?;
    Ok(Held {
        identity: ResourceId::from_text(row.get::<_, String>(0).doing(READ)?),
        grant: rows::json(TABLE, "a grant", entry)?,
        ended: ended.map(|ended| rows::json(TABLE, "the end of a grant", ended)).transpose()?,
    })
}

/// Whose ledger is written, and by whom.
#[derive(Clone, Copy)]
pub struct Writing<'a> {
    pub tenant: TenantKey,
    pub identity: &'a ResourceId,
    pub client: &'a ClientName,
    pub change: Option<&'a ChangeId>,
    pub at: Timestamp,
}

/// Writes what becomes of an identity's grants.
pub fn write(connection: &Connection, writing: Writing<'_>, grants: &[GrantWrite]) -> Result<(), StoreError> {
    for write in grants {
        match write {
            GrantWrite::Set(grant) => set(connection, writing, grant)?,
            GrantWrite::End { target, of, why } => {
                if let Some(open) = open(connection, writing, target, of)? {
                    end(connection, writing, open.number, why)?;
                }
            }
        }
    }
    Ok(())
}

/// Remembers what the Users of an identity have that is about to be removed, once these are written.
pub fn remember(
    connection: &Connection,
    identity: Owner<'_>,
    writes: &[GrantWrite],
) -> Result<(), StoreError> {
    let mut grants = open_rows(connection, identity)?;
    for write in writes {
        let (target, of) = match write {
            GrantWrite::Set(grant) => (&grant.target, &grant.of),
            GrantWrite::End { target, of, .. } => (target, of),
        };
        grants.retain(|known| known.target != *target || known.of != *of);
        if let GrantWrite::Set(grant) = write {
            grants.push(grant.clone());
        }
    }
    grants.retain(|grant| grant.state.is_held());
    let mut links = connection
        .prepare_cached(
            "SELECT target, record_id, link ->> '$.org' FROM links
             WHERE resource = ?1 AND link ->> '$.object' = 'User'",
        )
        .doing(READ)?;
    let mut found = links.query([identity.key]).doing(READ)?;
    while let Some(row) = found.next().doing(READ)? {
        let text = |at: usize| row.get::<_, String>(at).doing(READ);
        let (target, record, org) = (text(0)?, text(1)?, text(2)?);
        let of_target: Vec<&Grant> = grants.iter().filter(|grant| grant.target.as_str() == target).collect();
        let of_target = to_json(FORMER, "former grants", &of_target)?;
        connection
            .prepare_cached(
                "INSERT INTO former_grants (tenant, org, record_id, grants) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (tenant, org, record_id) DO UPDATE SET grants = excluded.grants",
            )
            .and_then(|mut upsert| upsert.execute(params![identity.tenant.0, org, record, of_target]))
            .doing(WRITE)?;
    }
    Ok(())
}

/// The record is of an identity again, which has taken up what is still there of what it had.
pub fn forget_former(connection: &Connection, tenant: TenantKey, link: &Link) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM former_grants WHERE tenant = ?1 AND org = ?2 AND record_id = ?3")
        .and_then(|mut delete| delete.execute(params![tenant.0, link.org.as_str(), link.record_id.as_str()]))
        .map(|_| ())
        .doing(WRITE)
}

/// The open rows of an identity, whose ledger is being written.
fn open_rows(connection: &Connection, identity: Owner<'_>) -> Result<Vec<Grant>, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT entry FROM grants WHERE tenant = ?1 AND identity = ?2 AND ended_ms IS NULL")
        .doing(READ)?;
    let entries = select
        .query_map(params![identity.tenant.0, identity.id.as_str()], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .doing(READ)?;
    entries.iter().map(|entry| rows::json(TABLE, "a grant", entry)).collect()
}

/// Ends all open rows of an identity.
pub fn end_all(connection: &Connection, writing: Writing<'_>, why: &str) -> Result<(), StoreError> {
    let ended = writing.ended(why)?;
    connection
        .prepare_cached(
            "UPDATE grants SET ended_ms = ?3, ended = ?4
             WHERE tenant = ?1 AND identity = ?2 AND ended_ms IS NULL",
        )
        .and_then(|mut update| {
            let (tenant, at) = (writing.tenant.0, writing.at.as_millisecond());
            update.execute(params![tenant, writing.identity.as_str(), at, ended])
        })
        .map(|_| ())
        .doing(WRITE)
}

impl Writing<'_> {
    fn ended(&self, why: &str) -> Result<String, StoreError> {
        let ended = Ended {
            at: self.at,
            why: why.to_owned(),
            client: self.client.clone(),
            change: self.change.cloned(),
        };
        to_json(TABLE, "the end of a grant", &ended)
    }
}

/// An open row.
struct Open {
    number: i64,
    entry: String,
}

fn open(
    connection: &Connection,
    writing: Writing<'_>,
    target: &TargetName,
    of: &EntitlementRef,
) -> Result<Option<Open>, StoreError> {
    let mut select = connection
        .prepare_cached(
            "SELECT number, entry FROM grants
             WHERE tenant = ?1 AND identity = ?2 AND kind = ?3 AND entitlement = ?4 AND target = ?5
                 AND ended_ms IS NULL",
        )
        .doing(READ)?;
    let identity = writing.identity.as_str();
    select
        .query_row(params![writing.tenant.0, identity, of.kind.as_str(), of.id, target.as_str()], |row| {
            Ok(Open { number: row.get(0)?, entry: row.get(1)? })
        })
        .optional()
        .doing(READ)
}

fn set(connection: &Connection, writing: Writing<'_>, grant: &Grant) -> Result<(), StoreError> {
    if let Some(open) = open(connection, writing, &grant.target, &grant.of)? {
        let before: Grant = rows::json(TABLE, "a grant", &open.entry)?;
        if before.state == grant.state {
            return update(connection, &open, &Grant { since: before.since, ..grant.clone() });
        }
        end(connection, writing, open.number, &format!("it is {} now", grant.state.as_str()))?;
    }
    let entry = to_json(TABLE, "a grant", grant)?;
    connection
        .prepare_cached(
            "INSERT INTO grants (tenant, identity, org, target, kind, entitlement, state, since_ms, entry)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                writing.tenant.0,
                writing.identity.as_str(),
                grant.org.as_str(),
                grant.target.as_str(),
                grant.of.kind.as_str(),
                grant.of.id,
                grant.state.as_str(),
                grant.since.as_millisecond(),
                entry
            ])
        })
        .map(|_| ())
        .doing(WRITE)
}

/// Writes what an open row says from now on, if it is something else.
fn update(connection: &Connection, open: &Open, grant: &Grant) -> Result<(), StoreError> {
    let entry = to_json(TABLE, "a grant", grant)?;
    if entry == open.entry {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE grants SET entry = ?2 WHERE number = ?1")
        .and_then(|mut update| update.execute(params![open.number, entry]))
        .map(|_| ())
        .doing(WRITE)
}

fn end(connection: &Connection, writing: Writing<'_>, number: i64, why: &str) -> Result<(), StoreError> {
    let ended = writing.ended(why)?;
    connection
        .prepare_cached("UPDATE grants SET ended_ms = ?2, ended = ?3 WHERE number = ?1")
        .and_then(|mut update| update.execute(params![number, writing.at.as_millisecond(), ended]))
        .map(|_| ())
        .doing(WRITE)
}
