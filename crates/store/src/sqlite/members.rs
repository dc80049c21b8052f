//! Who is in which group.

use std::collections::{HashMap, HashSet};

use model::{ResourceId, ResourceKind};
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, Doing, TenantKey};
use crate::{GroupRef, Member, MembershipWrite, StoreError};

const READ: &str = "read members";
const WRITE: &str = "write members";

/// A member as a body names it.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its SCIM id.
    pub id: String,
    /// What the tool calls it, if it does.
    pub display: Option<String>,
}

/// Gives a group these members and no others, writing only what differs. Who was a member stays where they
/// stood, new ones come last. An id that is not in the tenant (any more) is left out, as it would be if it
/// were deleted a moment later.
pub fn set(
    connection: &Connection,
    tenant: TenantKey,
    group: i64,
    members: &[Sent],
) -> Result<(), StoreError> {
    let mut wanted = HashMap::with_capacity(members.len());
    let mut last = 0;
    let mut current = connection
        .prepare_cached(
            "SELECT m.position, r.id, m.display FROM members m JOIN resources r ON r.key = m.member_key
             WHERE m.group_key = ?1 ORDER BY m.position",
        )
        .doing(READ)?;
    let current: Vec<(i64, String, Option<String>)> = current
        .query_map([group], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)
        .doing(READ)?;
    wanted.extend(members.iter().map(|member| (member.id.as_str(), &member.display)));
    let mut present = HashSet::with_capacity(current.len());
    for (position, id, display) in &current {
        last = *position;
        if let Some(&sent) = wanted.get(id.as_str()) {
            present.insert(id.as_str());
            if sent != display {
                connection
                    .prepare_cached("UPDATE members SET display = ?3 WHERE group_key = ?1 AND position = ?2")
                    .and_then(|mut update| update.execute(params![group, *position, sent]))
                    .doing(WRITE)?;
            }
        } else {
            connection
                .prepare_cached("DELETE FROM members WHERE group_key = ?1 AND position = ?2")
                .and_then(|mut delete| delete.execute([group, *position]))
                .doing(WRITE)?;
        }
    }
    for Sent { id, display } in members {
        if !present.insert(id.as_str()) {
            continue;
        }
        if let Some(member) = key_of(connection, tenant, id)? {
            last += 1;
            connection
                .prepare_cached(
                    "INSERT INTO members (group_key, position, member_key, display) VALUES (?1, ?2, ?3, ?4)",
                )
                .and_then(|mut insert| insert.execute(params![group, last, member, display]))
                .doing(WRITE)?;
        }
    }
    Ok(())
}

/// Lets a resource join and leave groups.
pub fn write(
    connection: &Connection,
    tenant: TenantKey,
    member: i64,
    memberships: &[MembershipWrite],
) -> Result<(), StoreError> {
    for MembershipWrite { group, joins, display } in memberships {
        let Some(group) = group_key(connection, tenant, group)? else { continue };
        if *joins {
            join(connection, group, member, display.as_deref())?;
        } else {
            connection
                .prepare_cached("DELETE FROM members WHERE member_key = ?1 AND group_key = ?2")
                .and_then(|mut delete| delete.execute([member, group]))
                .doing(WRITE)?;
        }
    }
    Ok(())
}

/// Who is a member already stays where they stand, and is called something else if a tool says so.
fn join(connection: &Connection, group: i64, member: i64, display: Option<&str>) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO members (group_key, position, member_key, display)
             SELECT ?1, coalesce(max(position), 0) + 1, ?2, ?3 FROM members WHERE group_key = ?1
             ON CONFLICT (member_key, group_key) DO UPDATE SET display = excluded.display
             WHERE excluded.display IS NOT NULL AND excluded.display IS NOT display",
        )
        .and_then(|mut upsert| upsert.execute(params![group, member, display]))
        .map(|_| ())
        .doing(WRITE)
}

fn group_key(
    connection: &Connection,
    tenant: TenantKey,
    group: &ResourceId,
) -> Result<Option<i64>, StoreError> {
    let kind = rows::kind_key(ResourceKind::Group);
    connection
        .prepare_cached("SELECT key FROM resources WHERE tenant = ?1 AND kind = ?2 AND id = ?3")
        .and_then(|mut select| {
            select.query_row(params![tenant.0, kind, group.as_str()], |row| row.get(0)).optional()
        })
        .doing("read resources")
}

fn key_of(connection: &Connection, tenant: TenantKey, id: &str) -> Result<Option<i64>, StoreError> {
    connection
        .prepare_cached("SELECT key FROM resources WHERE tenant = ?1 AND kind IN (1, 2) AND id = ?2 LIMIT 1")
        .and_then(|mut select| select.query_row(params![tenant.0, id], |row| row.get(0)).optional())
        .doing("read resources")
}

/// The groups that a user is a direct member of, in the order they were made. A group that is not recorded
/// yet does not show.
pub fn groups_of(connection: &Connection, member: i64) -> Result<Vec<GroupRef>, StoreError> {
    let mut select = connection
        .prepare_cached(
            "SELECT g.id, g.display, g.stands_for FROM members m JOIN resources g ON g.key = m.group_key
             WHERE m.member_key = ?1 AND g.seq IS NOT NULL ORDER BY m.group_key",
        )
        .doing(READ)?;
    let mut rows = select.query([member]).doing(READ)?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next().doing(READ)? {
        groups.push(GroupRef {
            id: ResourceId::from_text(row.get::<_, String>(0).doing(READ)?),
            display: row.get::<_, Option<String>>(1).doing(READ)?.unwrap_or_default(),
            stands_for: rows::stands_for(row, 2)?,
        });
    }
    Ok(groups)
}

/// The members of a group, in the order they joined; `None` if they are more than `most`.
pub fn members_of(
    connection: &Connection,
    group: i64,
    most: usize,
) -> Result<Option<Vec<Member>>, StoreError> {
    let mut select = connection
        .prepare_cached(
            "SELECT r.id, r.kind, r.display, m.display FROM members m JOIN resources r ON r.key = m.member_key
             WHERE m.group_key = ?1 ORDER BY m.position",
        )
        .doing(READ)?;
    let mut rows = select.query([group]).doing(READ)?;
    let mut members = Vec::new();
    while let Some(row) = rows.next().doing(READ)? {
        if members.len() == most {
            return Ok(None);
        }
        let sent: Option<String> = row.get(3).doing(READ)?;
        let display_as_sent = sent.is_some();
        members.push(Member {
            id: ResourceId::from_text(row.get::<_, String>(0).doing(READ)?),
            kind: rows::kind("resources", row.get(1).doing(READ)?)?,
            display: sent.map_or_else(|| row.get(2), |sent| Ok(Some(sent))).doing(READ)?,
            display_as_sent,
        });
    }
    Ok(Some(members))
}
