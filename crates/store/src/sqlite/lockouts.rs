//! Lockouts on `SQLite`.

use async_trait::async_trait;
use model::{OrgName, SourceName, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Rows, params};
use salesforce_types::RecordId;

use super::{
    SqliteStore,
    rows::{self, Doing, tenant_key, tenant_key_or_new},
    writer::Durability,
};
use crate::{BegunLockout, Lockout, LockoutKey, LockoutLimit, Lockouts, StoreError};

const TABLE: &str = "lockouts";
const READ: &str = "read lockouts";
const WRITE: &str = "write lockouts";

/// What [`lockout`] reads of the open ones; more conditions follow.
const SELECT: &str = "SELECT n.name, l.org, l.user, l.source, l.subject, l.jti, l.begun_ms, l.done_ms
                      FROM lockouts l JOIN tenants n ON n.tenant = l.tenant WHERE l.ended_ms IS NULL";

#[async_trait]
impl Lockouts for SqliteStore {
    async fn begin_lockout(
        &self,
        lockout: Lockout,
        limit: Option<LockoutLimit>,
    ) -> Result<BegunLockout, StoreError> {
        self.write(Durability::Power, move |connection| begin(connection, &lockout, limit)).await
    }

    async fn confirm_lockout(&self, key: &LockoutKey, at: Timestamp) -> Result<(), StoreError> {
        self.change_lockout(key, "UPDATE lockouts SET done_ms = coalesce(done_ms, ?5) WHERE", Some(at)).await
    }

    async fn withdraw_lockout(&self, key: &LockoutKey) -> Result<(), StoreError> {
        self.change_lockout(key, "DELETE FROM lockouts WHERE done_ms IS NULL AND", None).await
    }

    async fn end_lockout(&self, key: &LockoutKey, at: Timestamp) -> Result<(), StoreError> {
        self.change_lockout(key, "UPDATE lockouts SET ended_ms = ?5 WHERE", Some(at)).await
    }

    async fn lockouts_on(&self, org: &OrgName, user: &RecordId) -> Result<Vec<Lockout>, StoreError> {
        self.0.readers.read(|reader| {
            let text = format!("{SELECT} AND l.org = ?1 AND l.user = ?2 ORDER BY l.number");
            let mut select = reader.statement(&text, READ)?;
            let rows = select.query(params![org.as_str(), user.as_str()]).doing(READ)?;
            lockouts(rows)
        })
    }

    async fn lockouts_of(
        &self,
        tenant: &TenantId,
        source: &SourceName,
        subject: &str,
    ) -> Result<Vec<Lockout>, StoreError> {
        self.0.readers.read(|reader| {
            let text =
                format!("{SELECT} AND n.name = ?1 AND l.source = ?2 AND l.subject = ?3 ORDER BY l.number");
            let mut select = reader.statement(&text, READ)?;
            let rows = select.query(params![tenant.as_str(), source.as_str(), subject]).doing(READ)?;
            lockouts(rows)
        })
    }

    async fn prune_lockouts(&self, ended: Timestamp, begun: Timestamp) -> Result<u64, StoreError> {
        self.write(Durability::Process, move |connection| {
            connection
                .execute(
                    "DELETE FROM lockouts WHERE (ended_ms IS NOT NULL AND ended_ms < ?1)
                         OR (ended_ms IS NULL AND done_ms IS NULL AND begun_ms < ?2)",
                    [ended.as_millisecond(), begun.as_millisecond()],
                )
                .map(|pruned| pruned as u64)
                .doing(WRITE)
        })
        .await
    }
}

impl SqliteStore {
    /// Changes the open lockout of a User by a source, if there is one; `what` ends where conditions may follow, and may have a time as `?5`.
    async fn change_lockout(
        &self,
        key: &LockoutKey,
        what: &'static str,
        at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let key = key.clone();
        self.write(Durability::Power, move |connection| {
            let Some(tenant) = tenant_key(connection, &key.tenant)? else { return Ok(()) };
            let text =
                format!("{what} tenant = ?1 AND org = ?2 AND user = ?3 AND source = ?4 AND ended_ms IS NULL");
            let mut change = connection.prepare_cached(&text).doing(WRITE)?;
            let (org, user, source) = (key.org.as_str(), key.user.as_str(), key.source.as_str());
            match at {
                Some(at) => change.execute(params![tenant.0, org, user, source, at.as_millisecond()]),
                None => change.execute(params![tenant.0, org, user, source]),
            }
            .map(|_| ())
            .doing(WRITE)
        })
        .await
    }
}

fn begin(
    connection: &Connection,
    new: &Lockout,
    limit: Option<LockoutLimit>,
) -> Result<BegunLockout, StoreError> {
    let tenant = tenant_key_or_new(connection, &new.key.tenant)?;
    let (org, user, source) = (new.key.org.as_str(), new.key.user.as_str(), new.key.source.as_str());
    let open = || {
        let of_user = "l.tenant = ?1 AND l.org = ?2 AND l.user = ?3 AND l.source = ?4";
        let mut open = connection.prepare_cached(&format!("{SELECT} AND {of_user}")).doing(READ)?;
        let mut rows = open.query(params![tenant.0, org, user, source]).doing(READ)?;
        rows.next().doing(READ)?.map(lockout).transpose()
    };
    if let Some(open) = open()? {
        return Ok(BegunLockout::Open(open));
    }
    let goes_on = connection
        .prepare_cached(
            "UPDATE lockouts SET ended_ms = NULL
             WHERE tenant = ?1 AND org = ?2 AND user = ?3 AND source = ?4 AND jti = ?5 AND done_ms IS NULL",
        )
        .and_then(|mut update| update.execute(params![tenant.0, org, user, source, new.jti]))
        .doing(WRITE)?;
    if let (true, Some(open)) = (goes_on > 0, open()?) {
        return Ok(BegunLockout::Open(open));
    }
    if let Some(limit) = limit {
        let begun: Option<u32> = connection
            .prepare_cached(
                "SELECT count(*) FROM lockouts WHERE tenant = ?1 AND source = ?2 AND begun_ms >= ?3",
            )
            .and_then(|mut count| {
                count
                    .query_row(params![tenant.0, source, limit.since.as_millisecond()], |row| row.get(0))
                    .optional()
            })
            .doing(READ)?;
        if begun.unwrap_or_default() >= limit.most {
            return Ok(BegunLockout::TooMany);
        }
    }
    connection
        .prepare_cached(
            "INSERT INTO lockouts (tenant, org, user, source, subject, jti, begun_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .and_then(|mut insert| {
            let begun = new.begun.as_millisecond();
            insert.execute(params![tenant.0, org, user, source, new.subject, new.jti, begun])
        })
        .doing(WRITE)?;
    Ok(BegunLockout::New)
}

fn lockouts(mut rows: Rows<'_>) -> Result<Vec<Lockout>, StoreError> {
    let mut found = Vec::new();
    while let Some(row) = rows.next().doing(READ)? {
        found.push(lockout(row)?);
    }
    Ok(found)
}

fn lockout(row: &Row<'_>) -> Result<Lockout, StoreError> {
    let text = |column| row.get::<_, String>(column).doing(READ);
    let corrupt = |what| StoreError::Corrupt { table: TABLE, what, source: None };
    let key = LockoutKey {
        tenant: rows::tenant(TABLE, &text(0)?)?,
        source: SourceName::new(text(3)?).map_err(|_| corrupt("a source"))?,
        org: OrgName::new(text(1)?).map_err(|_| corrupt("an org"))?,
        user: RecordId::parse(&text(2)?).map_err(|_| corrupt("a record id"))?,
    };
    let done: Option<i64> = row.get(7).doing(READ)?;
    Ok(Lockout {
        key,
        subject: text(4)?,
        jti: text(5)?,
        begun: rows::time(TABLE, row.get(6).doing(READ)?)?,
        done: done.map(|ms| rows::time(TABLE, ms)).transpose()?,
    })
}
