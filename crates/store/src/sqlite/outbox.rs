//! The Outbox on `SQLite`.

use async_trait::async_trait;
use model::{ResourceId, ResourceKind, SourceName, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{
    SqliteStore,
    members::{groups_of, members_of},
    rows::{
        self, Doing, STORED_COLUMNS, Stored, TenantKey, kind_key, tenant_key, tenant_key_or_new, to_json,
    },
    writer::Durability,
};
use crate::{Happening, Listener, Outbox, Outgoing, ReceiverStatus, StoreError, Told, Waiting};

/// After so many bytes no more is read at once: a Group may have ten thousand members.
const AT_ONCE: usize = 4 << 20;
const TABLE: &str = "outgoing";
const READ: &str = "read what goes out";
const WRITE: &str = "write what goes out";

#[async_trait]
impl Outbox for SqliteStore {
    async fn keep_receivers(&self, receivers: &[Listener]) -> Result<(), StoreError> {
        let receivers = receivers.to_vec();
        self.write(Durability::Power, move |connection| keep(connection, &receivers)).await
    }

    async fn announce(
        &self,
        tenant: &TenantId,
        kind: ResourceKind,
        resource: &ResourceId,
        happening: &Happening,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (tenant, resource, happening) = (tenant.clone(), resource.clone(), happening.clone());
        self.write(Durability::Power, move |connection| {
            let tenant = tenant_key_or_new(connection, &tenant)?;
            let Some(told) = told(connection, tenant, kind, &resource)? else { return Ok(()) };
            put(connection, tenant, (kind, &resource), &happening, told, at)
        })
        .await
    }

    async fn outgoing(
        &self,
        tenant: &TenantId,
        receiver: &SourceName,
        limit: u32,
    ) -> Result<Waiting, StoreError> {
        self.0.readers.read(|reader| {
            let Some(key) = reader.tenant(tenant)? else { return Ok(Waiting::default()) };
            let mut select = reader.statement(
                "SELECT o.number, o.at_ms, o.kind, o.resource, o.happening, o.id, o.told
                 FROM outgoing o JOIN receivers r ON r.tenant = o.tenant AND r.name = ?2
                 WHERE o.tenant = ?1 AND o.number > r.got AND NOT EXISTS (
                     SELECT 1 FROM receiver_got g WHERE g.tenant = ?1 AND g.name = ?2 AND g.number = o.number)
                 ORDER BY o.number LIMIT ?3",
                READ,
            )?;
            let one_more = i64::from(limit) + 1;
            let mut found = select.query(params![key.0, receiver.as_str(), one_more]).doing(READ)?;
            let mut outgoing: Vec<Outgoing> = Vec::new();
            let mut bytes = 0;
            while let Some(row) = found.next().doing(READ)? {
                if outgoing.len() >= limit as usize || bytes >= AT_ONCE {
                    return Ok(Waiting { outgoing, more: true });
                }
                let happening: String = row.get(4).doing(READ)?;
                let told: Option<String> = row.get(6).doing(READ)?;
                bytes += happening.len() + told.as_ref().map_or(0, String::len);
                let told = told.map(|told| rows::json(TABLE, "what is told", &told)).transpose()?;
                outgoing.push(Outgoing {
                    number: rows::unsigned(TABLE, row.get(0).doing(READ)?)?,
                    id: row.get(5).doing(READ)?,
                    tenant: tenant.clone(),
                    at: rows::time(TABLE, row.get(1).doing(READ)?)?,
                    kind: rows::kind(TABLE, row.get(2).doing(READ)?)?,
                    resource: ResourceId::from_text(row.get::<_, String>(3).doing(READ)?),
                    happening: rows::json(TABLE, "what has happened", &happening)?,
                    told: told.unwrap_or_default(),
                });
            }
            Ok(Waiting { outgoing, more: false })
        })
    }

    async fn acknowledge(
        &self,
        tenant: &TenantId,
        receiver: &SourceName,
        which: &[(u64, String)],
        refused: Option<&str>,
    ) -> Result<(), StoreError> {
        let (tenant, receiver) = (tenant.clone(), receiver.clone());
        let (which, refused) = (which.to_vec(), refused.map(str::to_owned));
        self.write(Durability::Power, move |connection| {
            let Some(tenant) = tenant_key(connection, &tenant)? else { return Ok(()) };
            acknowledge(connection, tenant, receiver.as_str(), &which, refused.as_deref())
        })
        .await
    }

    async fn put_off(
        &self,
        tenant: &TenantId,
        receiver: &SourceName,
        reason: &str,
        now: Timestamp,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        let (tenant, receiver, reason) = (tenant.clone(), receiver.clone(), reason.to_owned());
        self.write(Durability::Process, move |connection| {
            let Some(tenant) = tenant_key(connection, &tenant)? else { return Ok(()) };
            connection
                .prepare_cached(
                    "UPDATE receivers SET reason = ?3, attempts = attempts + 1, due_ms = ?5,
                         failing_ms = coalesce(failing_ms, ?4)
                     WHERE tenant = ?1 AND name = ?2",
                )
                .and_then(|mut update| {
                    update.execute(params![
                        tenant.0,
                        receiver.as_str(),
                        reason,
                        now.as_millisecond(),
                        due.as_millisecond()
                    ])
                })
                .map(|_| ())
                .doing(WRITE)
        })
        .await
    }

    async fn receivers(&self, tenant: Option<&TenantId>) -> Result<Vec<ReceiverStatus>, StoreError> {
        let tenant = tenant.cloned();
        self.0
            .readers
            .read_long(move |reader| {
                let mut select = reader.statement(
                    "SELECT n.name, r.name, r.refused, r.attempts, r.reason, r.failing_ms, r.due_ms, r.refusal,
                         (SELECT count(*) FROM outgoing o WHERE o.tenant = r.tenant AND o.number > r.got)
                         - (SELECT count(*) FROM receiver_got g WHERE g.tenant = r.tenant AND g.name = r.name)
                     FROM receivers r JOIN tenants n ON n.tenant = r.tenant
                     WHERE ?1 IS NULL OR n.name = ?1 ORDER BY n.name, r.name",
                    READ,
                )?;
                let mut found = select.query([tenant.as_ref().map(TenantId::as_str)]).doing(READ)?;
                let mut receivers = Vec::new();
                while let Some(row) = found.next().doing(READ)? {
                    let time = |column| -> Result<Option<Timestamp>, StoreError> {
                        let ms: Option<i64> = row.get(column).doing(READ)?;
                        ms.map(|ms| rows::time("receivers", ms)).transpose()
                    };
                    let name = SourceName::new(row.get::<_, String>(1).doing(READ)?);
                    receivers.push(ReceiverStatus {
                        tenant: rows::tenant("receivers", &row.get::<_, String>(0).doing(READ)?)?,
                        name: name.map_err(|source| StoreError::corrupt("receivers", "a name", source))?,
                        refused: rows::unsigned("receivers", row.get(2).doing(READ)?)?,
                        attempts: row.get(3).doing(READ)?,
                        reason: row.get(4).doing(READ)?,
                        failing_since: time(5)?,
                        due: time(6)?,
                        refusal: row.get(7).doing(READ)?,
                        waiting: rows::unsigned("receivers", row.get(8).doing(READ)?)?,
                    });
                }
                Ok(receivers)
            })
            .await
    }

    async fn prune_outgoing(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.write(Durability::Process, move |connection| prune(connection, before)).await
    }
}

fn prune(connection: &Connection, before: Timestamp) -> Result<u64, StoreError> {
    let before = before.as_millisecond();
    connection
        .execute(
            "UPDATE receivers SET refused = refused + old.number, refusal = 'it was not taken for too long'
             FROM (SELECT r.tenant, r.name, count(*) AS number FROM receivers r
                   JOIN outgoing o ON o.tenant = r.tenant AND o.number > r.got AND o.at_ms < ?1
                   GROUP BY r.tenant, r.name) old
             WHERE old.tenant = receivers.tenant AND old.name = receivers.name",
            [before],
        )
        .doing(WRITE)?;
    let pruned = connection.execute("DELETE FROM outgoing WHERE at_ms < ?1", [before]).doing(WRITE)?;
    Ok((pruned + forget_what_nobody_waits_for(connection)?) as u64)
}

/// What is to be told of a resource as it is now; `None` where nobody wants to hear of it. Empty where it is not there.
pub(super) fn told(
    connection: &Connection,
    tenant: TenantKey,
    kind: ResourceKind,
    resource: &ResourceId,
) -> Result<Option<Told>, StoreError> {
    let whole: Option<bool> = connection
        .prepare_cached("SELECT max(whole) FROM receivers WHERE tenant = ?1")
        .and_then(|mut select| select.query_row([tenant.0], |row| row.get(0)))
        .doing(READ)?;
    let Some(whole) = whole else { return Ok(None) };
    let mut select = connection
        .prepare_cached(&format!(
            "SELECT {STORED_COLUMNS} FROM resources r WHERE r.tenant = ?1 AND r.kind = ?2 AND r.id = ?3"
        ))
        .doing(READ)?;
    let mut found = select.query(params![tenant.0, kind_key(kind), resource.as_str()]).doing(READ)?;
    let Some(row) = found.next().doing(READ)? else { return Ok(Some(Told::default())) };
    let Stored { key, resource: mut stored, .. } = Stored::read(kind, row)?;
    let mut has_members = false;
    match kind {
        ResourceKind::User => stored.groups = groups_of(connection, key)?,
        // A group may have ten thousand: where the names are enough it matters only whether it has any.
        ResourceKind::Group => match members_of(connection, key, if whole { usize::MAX } else { 1 })? {
            Some(members) => stored.members = members,
            None => has_members = true,
        },
    }
    let data = stored.attributes()?;
    let is_told = |name: &&String| !["id", "meta", "schemas"].contains(&name.as_str());
    let mut attributes: Vec<String> = data.keys().filter(is_told).cloned().collect();
    if has_members {
        attributes.push("members".to_owned());
    }
    let external_id = data.get("externalId").and_then(Value::as_str).map(str::to_owned);
    Ok(Some(Told { external_id, attributes, data: whole.then_some(data) }))
}

/// Lets something go out, with what is told of its resource.
pub(super) fn put(
    connection: &Connection,
    tenant: TenantKey,
    (kind, resource): (ResourceKind, &ResourceId),
    happening: &Happening,
    told: Told,
    at: Timestamp,
) -> Result<(), StoreError> {
    let told = match happening {
        Happening::Created { .. } | Happening::Changed { .. } => told,
        // Nothing more is told of these.
        Happening::Deleted | Happening::Answered { .. } => {
            Told { external_id: told.external_id, ..Told::default() }
        }
    };
    let told = to_json(TABLE, "what is told", &told)?;
    let happening = to_json(TABLE, "what has happened", happening)?;
    connection
        .prepare_cached(
            "INSERT INTO outgoing (tenant, at_ms, kind, resource, happening, id, told)
             VALUES (?1, ?2, ?3, ?4, ?5, lower(hex(randomblob(6))), ?6)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                tenant.0,
                at.as_millisecond(),
                kind_key(kind),
                resource.as_str(),
                happening,
                told
            ])
        })
        .map(|_| ())
        .doing(WRITE)
}

fn keep(connection: &Connection, receivers: &[Listener]) -> Result<(), StoreError> {
    let mut kept = Vec::with_capacity(receivers.len());
    for Listener { tenant, name, whole } in receivers {
        let tenant = tenant_key_or_new(connection, tenant)?;
        connection
            .execute(
                "INSERT INTO receivers (tenant, name, whole, got)
                 VALUES (?1, ?2, ?3, (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outgoing'))
                 ON CONFLICT DO UPDATE SET whole = excluded.whole, due_ms = NULL, failing_ms = NULL, attempts = 0",
                params![tenant.0, name.as_str(), whole],
            )
            .doing(WRITE)?;
        kept.push((tenant.0, name.as_str()));
    }
    let mut select = connection.prepare("SELECT tenant, name FROM receivers").doing(READ)?;
    let there: Vec<(i64, String)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).and_then(Iterator::collect).doing(READ)?;
    for (tenant, name) in there {
        if !kept.contains(&(tenant, name.as_str())) {
            connection
                .execute("DELETE FROM receivers WHERE tenant = ?1 AND name = ?2", params![tenant, name])
                .doing(WRITE)?;
        }
    }
    forget_what_nobody_waits_for(connection).map(|_| ())
}

/// Forgets what all receivers of its tenant have got, also where there is none any more: it is personal data.
fn forget_what_nobody_waits_for(connection: &Connection) -> Result<usize, StoreError> {
    let mut select = connection
        .prepare(
            "SELECT tenant, (SELECT coalesce(min(r.got), 9223372036854775807) FROM receivers r WHERE r.tenant = o.tenant)
             FROM (SELECT DISTINCT tenant FROM outgoing) o",
        )
        .doing(READ)?;
    let got: Vec<(i64, i64)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).and_then(Iterator::collect).doing(READ)?;
    let mut forgotten = 0;
    for (tenant, got) in got {
        forgotten += connection
            .execute("DELETE FROM outgoing WHERE tenant = ?1 AND number <= ?2", [tenant, got])
            .doing(WRITE)?;
    }
    Ok(forgotten)
}

fn acknowledge(
    connection: &Connection,
    tenant: TenantKey,
    receiver: &str,
    which: &[(u64, String)],
    refused: Option<&str>,
) -> Result<(), StoreError> {
    let got: Option<i64> = connection
        .prepare_cached("SELECT got FROM receivers WHERE tenant = ?1 AND name = ?2")
        .and_then(|mut select| select.query_row(params![tenant.0, receiver], |row| row.get(0)).optional())
        .doing(READ)?;
    let Some(got) = got else { return Ok(()) };
    let mut new = 0;
    for (number, id) in which.iter().filter(|(number, _)| rows::signed(*number) > got) {
        // Only what is there: nobody gets what does not exist yet, or what had the number before.
        new += connection
            .prepare_cached(
                "INSERT INTO receiver_got (tenant, name, number)
                 SELECT ?1, ?2, number FROM outgoing WHERE tenant = ?1 AND number = ?3 AND id = ?4
                 ON CONFLICT DO NOTHING",
            )
            .and_then(|mut insert| insert.execute(params![tenant.0, receiver, rows::signed(*number), id]))
            .doing(WRITE)?;
    }
    // As far as nothing is missing.
    connection
        .prepare_cached(
            "UPDATE receivers SET
                 got = coalesce(
                     (SELECT min(number) - 1 FROM outgoing o WHERE o.tenant = ?1 AND o.number > got AND NOT EXISTS (
                         SELECT 1 FROM receiver_got g WHERE g.tenant = ?1 AND g.name = ?2 AND g.number = o.number)),
                     (SELECT max(number) FROM outgoing o WHERE o.tenant = ?1), got),
                 attempts = 0, failing_ms = NULL, due_ms = NULL, reason = NULL, refusal = coalesce(?3, refusal),
                 refused = refused + CASE WHEN ?3 IS NULL THEN 0 ELSE ?4 END
             WHERE tenant = ?1 AND name = ?2",
        )
        .and_then(|mut update| {
            update.execute(params![tenant.0, receiver, refused, i64::try_from(new).unwrap_or(i64::MAX)])
        })
        .doing(WRITE)?;
    connection
        .prepare_cached(
            "DELETE FROM receiver_got WHERE tenant = ?1 AND name = ?2
                 AND number <= (SELECT got FROM receivers WHERE tenant = ?1 AND name = ?2)",
        )
        .and_then(|mut delete| delete.execute(params![tenant.0, receiver]))
        .doing(WRITE)?;
    // It is personal data, and nobody needs it any more.
    connection
        .prepare_cached(
            "DELETE FROM outgoing WHERE tenant = ?1 AND number <= (SELECT min(got) FROM receivers WHERE tenant = ?1)",
        )
        .and_then(|mut delete| delete.execute([tenant.0]))
        .map(|_| ())
        .doing(WRITE)
}
