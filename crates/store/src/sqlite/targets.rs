//! Targets on `SQLite`.

use async_trait::async_trait;
use model::{ResourceId, TargetName, TenantId, Timestamp};
use rusqlite::{Connection, params};

use super::{
    SqliteStore,
    rows::{self, Doing, TenantKey, signed, tenant_key_or_new, to_json},
    writer::Durability,
};
use crate::{Cursor, LinkPage, RememberedTarget, StoreError, Targets};

const TABLE: &str = "targets";
const READ: &str = "read targets";
const WRITE: &str = "write targets";
const READ_LINKS: &str = "read links";

#[async_trait]
impl Targets for SqliteStore {
    async fn remember_targets(
        &self,
        tenant: &TenantId,
        targets: Vec<RememberedTarget>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.write(Durability::Power, move |connection| {
            let tenant = tenant_key_or_new(connection, &tenant)?;
            for target in &targets {
                remember(connection, tenant, target, now)?;
            }
            forget_unused(connection, tenant, &targets)
        })
        .await
    }

    async fn remembered_targets(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<(RememberedTarget, Timestamp)>, StoreError> {
        let tenant = tenant.clone();
        self.0
            .readers
            .read_long(move |reader| {
                let Some(tenant) = reader.tenant(&tenant)? else { return Ok(Vec::new()) };
                let mut select = reader.statement(
                    "SELECT target, policy, seen_ms FROM targets WHERE tenant = ?1 ORDER BY target",
                    READ,
                )?;
                let mut found = select.query([tenant.0]).doing(READ)?;
                let mut targets = Vec::new();
                while let Some(row) = found.next().doing(READ)? {
                    let policy: String = row.get(1).doing(READ)?;
                    let target = RememberedTarget {
                        name: rows::target(TABLE, row.get(0).doing(READ)?)?,
                        policy: rows::json(TABLE, "a policy", &policy)?,
                    };
                    targets.push((target, rows::time(TABLE, row.get(2).doing(READ)?)?));
                }
                Ok(targets)
            })
            .await
    }

    async fn links_of_target(
        &self,
        tenant: &TenantId,
        target: &TargetName,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<LinkPage, StoreError> {
        let (tenant, target) = (tenant.clone(), target.clone());
        self.0
            .readers
            .read_long(move |reader| {
                let mut page = LinkPage { links: Vec::new(), next: None };
                let Some(tenant) = reader.tenant(&tenant)? else { return Ok(page) };
                let mut select = reader.statement(
                    "SELECT l.resource, r.id, l.link FROM links l JOIN resources r ON r.key = l.resource
                     WHERE l.tenant = ?1 AND l.target = ?2 AND l.resource > ?3 ORDER BY l.resource LIMIT ?4",
                    READ_LINKS,
                )?;
                let after = after.map_or(0, |Cursor(key)| signed(key));
                // One more than was asked for tells whether there is a next page.
                let most = i64::from(limit) + 1;
                let mut found =
                    select.query(params![tenant.0, target.as_str(), after, most]).doing(READ_LINKS)?;
                let mut last = after;
                while let Some(row) = found.next().doing(READ_LINKS)? {
                    if page.links.len() as u64 == u64::from(limit) {
                        page.next = Some(Cursor(rows::unsigned("links", last)?));
                        break;
                    }
                    last = row.get(0).doing(READ_LINKS)?;
                    let id = ResourceId::from_text(row.get::<_, String>(1).doing(READ_LINKS)?);
                    let link: String = row.get(2).doing(READ_LINKS)?;
                    page.links.push((id, rows::json("links", "a link", &link)?));
                }
                Ok(page)
            })
            .await
    }
}

fn remember(
    connection: &Connection,
    tenant: TenantKey,
    target: &RememberedTarget,
    now: Timestamp,
) -> Result<(), StoreError> {
    let policy = to_json(TABLE, "a policy", &target.policy)?;
    connection
        .prepare_cached(
            "INSERT INTO targets (tenant, target, policy, seen_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant, target) DO UPDATE SET policy = excluded.policy, seen_ms = excluded.seen_ms",
        )
        .and_then(|mut upsert| {
            upsert.execute(params![tenant.0, target.name.as_str(), policy, now.as_millisecond()])
        })
        .map(|_| ())
        .doing(WRITE)
}

/// Forgets targets that are not configured any more and that nobody is linked through.
fn forget_unused(
    connection: &Connection,
    tenant: TenantKey,
    configured: &[RememberedTarget],
) -> Result<(), StoreError> {
    let mut select = connection
        .prepare_cached(
            "SELECT t.target FROM targets t
             WHERE t.tenant = ?1
                 AND NOT EXISTS (SELECT 1 FROM links l WHERE l.tenant = t.tenant AND l.target = t.target)",
        )
        .doing(READ)?;
    let unused: Vec<String> =
        select.query_map([tenant.0], |row| row.get(0)).and_then(Iterator::collect).doing(READ)?;
    for name in unused {
        if !configured.iter().any(|target| target.name.as_str() == name) {
            connection
                .prepare_cached("DELETE FROM targets WHERE tenant = ?1 AND target = ?2")
                .and_then(|mut delete| delete.execute(params![tenant.0, name]))
                .doing(WRITE)?;
        }
    }
    Ok(())
}
