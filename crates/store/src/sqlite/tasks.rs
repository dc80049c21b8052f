//! Tasks on `SQLite`.

use async_trait::async_trait;
use model::{ClientName, ResourceId, TargetName, TaskId, TenantId, Timestamp};
use rusqlite::{Connection, Params, Row, params};

use super::{
    SqliteStore,
    links::Owner,
    readers::Reader,
    rows::{self, Doing, TenantKey, to_json},
    writer::Durability,
};
use crate::{NewTask, StoreError, Task, TaskKind, Tasks};

const TABLE: &str = "tasks";
const READ: &str = "read tasks";
const WRITE: &str = "write tasks";

/// What [`task`] reads; a condition and an order follow.
const SELECT: &str = "SELECT t.id, n.name, r.id, t.target, t.kind, t.reason, t.due_ms, t.attempts, t.raised_ms,
                             t.client
                      FROM tasks t JOIN resources r ON r.key = t.resource JOIN tenants n ON n.tenant = t.tenant";

#[async_trait]
impl Tasks for SqliteStore {
    async fn open_tasks(&self, tenant: Option<&TenantId>) -> Result<Vec<Task>, StoreError> {
        let tenant = tenant.cloned();
        self.0
            .readers
            .read_long(move |reader| {
                let tenant = tenant.as_ref().map(TenantId::as_str);
                select(reader, "WHERE ?1 IS NULL OR n.name = ?1 ORDER BY t.number", [tenant])
            })
            .await
    }

    async fn tasks_of(&self, tenant: &TenantId, identity: &ResourceId) -> Result<Vec<Task>, StoreError> {
        self.0.readers.read(|reader| {
            let Some(tenant) = reader.tenant(tenant)? else { return Ok(Vec::new()) };
            select(
                reader,
                "WHERE r.tenant = ?1 AND r.kind IN (1, 2) AND r.id = ?2 ORDER BY t.number",
                params![tenant.0, identity.as_str()],
            )
        })
    }

    async fn due_tasks(&self, now: Timestamp, limit: u32) -> Result<Vec<Task>, StoreError> {
        self.0
            .readers
            .read_long(move |reader| {
                select(
                    reader,
                    "WHERE t.due_ms <= ?1 ORDER BY t.due_ms, t.number LIMIT ?2",
                    params![now.as_millisecond(), limit],
                )
            })
            .await
    }

    async fn postpone_task(&self, id: &TaskId, reason: &str, due: Timestamp) -> Result<(), StoreError> {
        let (id, reason) = (id.clone(), reason.to_owned());
        // After a power failure the task is due as it was, and is tried once more.
        self.write(Durability::Process, move |connection| {
            connection
                .prepare_cached(
                    "UPDATE tasks SET attempts = attempts + 1, reason = ?2, due_ms = ?3, woken = 0 WHERE id = ?1",
                )
                .and_then(|mut update| update.execute(params![id.as_str(), reason, due.as_millisecond()]))
                .map(|_| ())
                .doing(WRITE)
        })
        .await
    }

    async fn explain_task(&self, id: &TaskId, reason: &str) -> Result<(), StoreError> {
        let (id, reason) = (id.clone(), reason.to_owned());
        self.write(Durability::Process, move |connection| {
            connection
                .prepare_cached("UPDATE tasks SET reason = ?2 WHERE id = ?1")
                .and_then(|mut update| update.execute(params![id.as_str(), reason]))
                .map(|_| ())
                .doing(WRITE)
        })
        .await
    }
}

/// Gives a resource these tasks and no others.
pub fn set(
    connection: &Connection,
    owner: Owner<'_>,
    tasks: &[NewTask],
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut wanted = Vec::with_capacity(tasks.len());
    for task in tasks {
        wanted.push((task, to_json(TABLE, "a kind of task", &task.kind)?));
    }
    let mut select = connection
        .prepare_cached("SELECT number, target, kind FROM tasks WHERE resource = ?1")
        .doing(READ)?;
    let there: Vec<(i64, String, String)> = select
        .query_map([owner.key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)
        .doing(READ)?;
    for (number, target, kind) in there {
        if !wanted.iter().any(|(task, same)| task.target.as_str() == target && *same == kind) {
            connection
                .prepare_cached("DELETE FROM tasks WHERE number = ?1")
                .and_then(|mut delete| delete.execute([number]))
                .doing(WRITE)?;
        }
    }
    for (task, kind) in wanted {
        raise(connection, owner, task, &kind, at)?;
    }
    Ok(())
}

/// Raises a task, or renews the one of the same target and kind.
fn raise(
    connection: &Connection,
    owner: Owner<'_>,
    task: &NewTask,
    kind: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (waits_for, through) = match &task.kind {
        TaskKind::Target
        | TaskKind::Removal
        | TaskKind::Deactivation
        | TaskKind::Seat { .. }
        | TaskKind::Expiry { .. }
        | TaskKind::HandOver => (None, None),
        TaskKind::Reference { waits_for, through, .. } => (Some(waits_for.as_str()), Some(through.as_str())),
    };
    connection
        .prepare_cached(
            "INSERT INTO tasks (id, tenant, resource, target, kind, waits_for, through, woken, reason, due_ms, attempts,
                 raised_ms, client)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8,
                 CASE WHEN EXISTS (
                     SELECT 1 FROM resources r JOIN links l ON l.resource = r.key
                     WHERE r.tenant = ?2 AND r.kind IN (1, 2) AND r.id = ?6 AND l.target = ?7
                         AND coalesce(l.link ->> '$.left', 0) = 0
                 ) THEN min(?9, ?10) ELSE ?9 END,
                 0, ?10, ?11)
             ON CONFLICT (resource, target, kind) DO UPDATE
             SET reason = excluded.reason, client = excluded.client, due_ms = CASE woken WHEN 1 THEN due_ms ELSE max(due_ms, ?9) END,
                 woken = 0",
        )
        .and_then(|mut upsert| {
            upsert.execute(params![
                task.id.as_str(),
                owner.tenant.0,
                owner.key,
                task.target.as_str(),
                kind,
                waits_for,
                through,
                task.reason,
                task.due.as_millisecond(),
                at.as_millisecond(),
                task.client.as_ref().map(ClientName::as_str)
            ])
        })
        .map(|_| ())
        .doing(WRITE)
}

/// Makes the tasks due that wait for this link. They are due since they were raised: whoever writes a link need not
/// know the time.
pub fn wake(
    connection: &Connection,
    tenant: TenantKey,
    identity: &ResourceId,
    through: &TargetName,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE tasks SET due_ms = min(due_ms, raised_ms), woken = 1
             WHERE tenant = ?1 AND waits_for = ?2 AND through = ?3",
        )
        .and_then(|mut update| update.execute(params![tenant.0, identity.as_str(), through.as_str()]))
        .map(|_| ())
        .doing(WRITE)
}

fn select(reader: &Reader, which: &str, params: impl Params) -> Result<Vec<Task>, StoreError> {
    let mut select = reader.statement(&format!("{SELECT} {which}"), READ)?;
    let mut found = select.query(params).doing(READ)?;
    let mut tasks = Vec::new();
    while let Some(row) = found.next().doing(READ)? {
        tasks.push(task(row)?);
    }
    Ok(tasks)
}

fn task(row: &Row<'_>) -> Result<Task, StoreError> {
    let text = |column| row.get::<_, String>(column).doing(READ);
    Ok(Task {
        id: TaskId::from_text(text(0)?),
        tenant: rows::tenant(TABLE, &text(1)?)?,
        identity: ResourceId::from_text(text(2)?),
        target: rows::target(TABLE, text(3)?)?,
        kind: rows::json(TABLE, "a kind of task", &text(4)?)?,
        reason: text(5)?,
        due: rows::time(TABLE, row.get(6).doing(READ)?)?,
        attempts: row.get(7).doing(READ)?,
        raised: rows::time(TABLE, row.get(8).doing(READ)?)?,
        client: row
            .get::<_, Option<String>>(9)
            .doing(READ)?
            .map(|client| rows::client(TABLE, client))
            .transpose()?,
    })
}
