//! Writing links, and telling who has waited for one.

use model::{ResourceId, TargetName};
use rusqlite::{Connection, OptionalExtension, params};
use salesforce_types::Link;

use super::{
    grants,
    rows::{Doing, TenantKey, to_json},
    tasks,
};
use crate::{LinkWrite, StoreError};

const WRITE: &str = "write links";

/// Whose links are written.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    pub tenant: TenantKey,
    /// The row in `resources`.
    pub key: i64,
    pub id: &'a ResourceId,
}

/// Writes what becomes of the links of a resource. Tasks that wait for one of them become due.
pub fn write(connection: &Connection, owner: Owner<'_>, links: &[LinkWrite]) -> Result<(), StoreError> {
    for write in links {
        match write {
            LinkWrite::Set(link) => set(connection, owner, link)?,
            LinkWrite::Remove(target) => remove(connection, owner.key, target)?,
        }
    }
    Ok(())
}

fn set(connection: &Connection, owner: Owner<'_>, link: &Link) -> Result<(), StoreError> {
    let text = to_json("links", "a link", link)?;
    let before: Option<(String, bool)> = connection
        .prepare_cached(
            "SELECT record_id, coalesce(link ->> '$.left', 0) FROM links WHERE resource = ?1 AND target = ?2",
        )
        .and_then(|mut select| {
            select
                .query_row(params![owner.key, link.target.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .doing("read links")?;
    let same_record = before.as_ref().is_some_and(|(record, _)| record == link.record_id.as_str());
    if same_record {
        // The indexes are not touched.
        connection
            .prepare_cached("UPDATE links SET link = ?3 WHERE resource = ?1 AND target = ?2")
            .and_then(|mut update| update.execute(params![owner.key, link.target.as_str(), text]))
            .doing(WRITE)?;
    } else {
        connection
            .prepare_cached(
                "INSERT INTO links (resource, target, tenant, record_id, link) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (resource, target) DO UPDATE
                 SET record_id = excluded.record_id, link = excluded.link",
            )
            .and_then(|mut upsert| {
                let record = link.record_id.as_str();
                upsert.execute(params![owner.key, link.target.as_str(), owner.tenant.0, record, text])
            })
            .doing(WRITE)?;
        grants::forget_former(connection, owner.tenant, link)?;
    }
    let had_left = before.is_some_and(|(_, left)| left);
    // Only what is news wakes: two who wait for each other would otherwise wake each other for ever.
    if !link.left && (!same_record || had_left) {
        tasks::wake(connection, owner.tenant, owner.id, &link.target)?;
    }
    Ok(())
}

fn remove(connection: &Connection, key: i64, target: &TargetName) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM links WHERE resource = ?1 AND target = ?2")
        .and_then(|mut delete| delete.execute(params![key, target.as_str()]))
        .map(|_| ())
        .doing(WRITE)
}
