//! The Journal on `SQLite`.

use async_trait::async_trait;
use model::{ChangeId, ChangeState, ClientName, ResourceId, ResourceKind, TenantId, Timestamp, Version};
use rusqlite::{Connection, OptionalExtension, Row, params};
use salesforce_types::Plan;
use scim_types::fold;
use serde_json::Value;

use super::{
    SqliteStore, audit,
    grants::{self, Writing},
    links::{self, Owner},
    members, outbox,
    resource::{self, Content, name_taken},
    rows::{self, Doing, TenantKey, kind_key, tenant_key_or_new, to_json},
    tasks,
    writer::Durability,
};
use crate::{
    Asynchronous, Change, ChangeOutcome, Happening, Journal, LinkWrite, NewChange, OpenChange, Opened,
    Record, Recorded, ResourceWrite, StoreError,
};

const READ: &str = "read changes";
const WRITE: &str = "write changes";

#[async_trait]
impl Journal for SqliteStore {
    async fn open(&self, change: NewChange) -> Result<Opened, StoreError> {
        self.write(Durability::Power, move |connection| open(connection, change)).await
    }

    async fn amend(&self, change: &ChangeId, request: &Value) -> Result<(), StoreError> {
        let change = change.clone();
        let request = to_json("changes", "a request", request)?;
        self.write(Durability::Power, move |connection| amend(connection, change, &request)).await
    }

    async fn replan(
        &self,
        change: &ChangeId,
        plan: &Plan,
        rename: Option<&str>,
        landed: &[LinkWrite],
    ) -> Result<Opened, StoreError> {
        let change = change.clone();
        let rename = rename.map(fold);
        let plan = to_json("changes", "a plan", plan)?;
        let landed = landed.to_vec();
        self.write(Durability::Power, move |connection| {
            replan(connection, change, &plan, rename.as_deref(), &landed)
        })
        .await
    }

    async fn record(&self, record: Record) -> Result<Recorded, StoreError> {
        let durability = if record.change.is_some() { Durability::Process } else { Durability::Power };
        self.write(durability, move |connection| self::record(connection, record)).await
    }

    async fn record_together(&self, records: Vec<Record>) -> Result<bool, StoreError> {
        self.write(Durability::Power, move |connection| self::record_together(connection, records)).await
    }

    async fn withdraw(
        &self,
        change: &ChangeId,
        outcome: ChangeOutcome,
        answered: bool,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let change = change.clone();
        self.write(Durability::Power, move |connection| withdraw(connection, &change, &outcome, answered, at))
            .await
    }

    async fn tell_also(&self, change: &ChangeId, also: &Asynchronous) -> Result<bool, StoreError> {
        let (change, also) = (change.clone(), also.clone());
        self.write(Durability::Power, move |connection| self::tell_also(connection, &change, also)).await
    }

    async fn open_changes(&self, tenant: Option<&TenantId>) -> Result<Vec<OpenChange>, StoreError> {
        let tenant = tenant.cloned();
        self.0
            .readers
            .read_long(move |reader| {
                let mut select = reader.statement(
                    &format!(
                        "SELECT {CHANGE_COLUMNS}, c.request, c.plan, c.landed
                         FROM changes c JOIN tenants t ON t.tenant = c.tenant
                         WHERE c.ended_ms IS NULL AND (?1 IS NULL OR t.name = ?1) ORDER BY c.number"
                    ),
                    READ,
                )?;
                let mut found = select.query([tenant.as_ref().map(TenantId::as_str)]).doing(READ)?;
                let mut changes = Vec::new();
                while let Some(row) = found.next().doing(READ)? {
                    changes.push(open_change(row)?);
                }
                Ok(changes)
            })
            .await
    }

    async fn change(&self, tenant: &TenantId, id: &ChangeId) -> Result<Option<Change>, StoreError> {
        self.0.readers.read(|reader| {
            let mut select = reader.statement(
                &format!(
                    "SELECT {CHANGE_COLUMNS} FROM changes c JOIN tenants t ON t.tenant = c.tenant
                     WHERE c.id = ?1 AND t.name = ?2"
                ),
                READ,
            )?;
            first(&mut select, params![id.as_str(), tenant.as_str()])
        })
    }

    async fn find_repeat(
        &self,
        tenant: &TenantId,
        client: &ClientName,
        fingerprint: &[u8; 32],
        since: Timestamp,
    ) -> Result<Option<Change>, StoreError> {
        self.0.readers.read(|reader| {
            let Some(tenant) = reader.tenant(tenant)? else { return Ok(None) };
            let mut select = reader.statement(
                &format!(
                    "SELECT {CHANGE_COLUMNS} FROM changes c JOIN tenants t ON t.tenant = c.tenant
                     WHERE c.tenant = ?1 AND c.client = ?2 AND c.fingerprint = ?3 AND c.accepted_ms >= ?4
                         AND c.state <> ?5
                     ORDER BY c.accepted_ms DESC, c.number DESC LIMIT 1"
                ),
                READ,
            )?;
            let (since, withdrawn) = (since.as_millisecond(), ChangeState::Withdrawn.as_str());
            first(&mut select, params![tenant.0, client.as_str(), fingerprint.as_slice(), since, withdrawn])
        })
    }

    async fn mark_answered(&self, change: &ChangeId) -> Result<(), StoreError> {
        let change = change.clone();
        self.write(Durability::Process, move |connection| {
            connection
                .prepare_cached("UPDATE changes SET answered = 1 WHERE id = ?1 AND ended_ms IS NOT NULL")
                .and_then(|mut update| update.execute([change.as_str()]))
                .map(|_| ())
                .doing(WRITE)
        })
        .await
    }

    async fn recent_changes(&self, tenant: Option<&TenantId>, limit: u32) -> Result<Vec<Change>, StoreError> {
        let tenant = tenant.cloned();
        self.0
            .readers
            .read_long(move |reader| {
                let mut select = reader.statement(
                    &format!(
                        "SELECT {CHANGE_COLUMNS} FROM changes c JOIN tenants t ON t.tenant = c.tenant
                         WHERE c.ended_ms IS NOT NULL AND (?1 IS NULL OR t.name = ?1)
                         ORDER BY c.ended_ms DESC, c.number DESC LIMIT ?2"
                    ),
                    READ,
                )?;
                let mut found =
                    select.query(params![tenant.as_ref().map(TenantId::as_str), limit]).doing(READ)?;
                let mut changes = Vec::new();
                while let Some(row) = found.next().doing(READ)? {
                    changes.push(change(row)?);
                }
                Ok(changes)
            })
            .await
    }
}

fn open(connection: &Connection, change: NewChange) -> Result<Opened, StoreError> {
    let tenant = tenant_key_or_new(connection, &change.tenant)?;
    let rename = change.rename.as_deref().map(fold);
    let asked =
        change.reserve.as_ref().and_then(|body| body.user_name()).map(fold).or_else(|| rename.clone());
    if let Some(asked) = asked
        && let Some(by) = name_taken(connection, tenant, &asked, &change.resource)?
    {
        return Ok(Opened::UserNameTaken { by });
    }
    let state = if change.plan.is_some() { ChangeState::Planned } else { ChangeState::Accepted };
    let request = to_json("changes", "a request", &change.request)?;
    let plan = change.plan.as_ref().map(|plan| to_json("changes", "a plan", plan)).transpose()?;
    let asynchronous = change
        .asynchronous
        .as_ref()
        .map(|asynchronous| to_json("changes", "who hears of its end", &[asynchronous]))
        .transpose()?;
    connection
        .prepare_cached(
            "INSERT INTO changes (id, tenant, client, kind, resource, state, takes_access_away, fingerprint,
                 rename_key, request, plan, accepted_ms, asynchronous, answered)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                change.id.as_str(),
                tenant.0,
                change.client.as_str(),
                kind_key(change.kind),
                change.resource.as_str(),
                state.as_str(),
                change.takes_access_away,
                change.fingerprint.as_ref().map(<[u8; 32]>::as_slice),
                rename,
                request,
                plan,
                change.at.as_millisecond(),
                asynchronous,
            ])
        })
        .doing(WRITE)?;
    if let Some(body) = change.reserve {
        let id = change.id.as_str();
        resource::reserve(connection, tenant, change.kind, &change.resource, body, id, change.at)?;
    }
    Ok(Opened::Opened)
}

fn record(connection: &Connection, record: Record) -> Result<Recorded, StoreError> {
    let tenant = tenant_key_or_new(connection, &record.tenant)?;
    if let Some(change) = &record.change {
        // Ended changes cannot end again, and nobody ends another tenant's.
        let mut select = connection
            .prepare_cached("SELECT 1 FROM changes WHERE id = ?1 AND tenant = ?2 AND ended_ms IS NULL")
            .doing(READ)?;
        if !select.exists(params![change.as_str(), tenant.0]).doing(READ)? {
            return Err(StoreError::NotOpen { change: change.clone() });
        }
    }
    let current = resource::find(connection, tenant, record.kind, &record.resource)?;
    let recorded = current.and_then(|row| row.version.map(|version| (row, version)));
    let body = match &record.write {
        ResourceWrite::Create(body)
        | ResourceWrite::Replace { body, .. }
        | ResourceWrite::Revise { body, .. } => Some(body),
        ResourceWrite::Delete { .. } | ResourceWrite::Keep => None,
    };
    if let Some(name) = body.and_then(|body| body.user_name()).map(fold)
        && let Some(by) = name_taken(connection, tenant, &name, &record.resource)?
    {
        return Ok(Recorded::UserNameTaken { by });
    }
    let content = |body| Content { body, asked: record.asked };
    let is_deleted = matches!(record.write, ResourceWrite::Delete { .. });
    // Nobody can say it afterwards.
    let before =
        if is_deleted { outbox::told(connection, tenant, record.kind, &record.resource)? } else { None };
    let (is_new, is_kept) =
        (matches!(record.write, ResourceWrite::Create(_)), matches!(record.write, ResourceWrite::Keep));
    let version = match (record.write, recorded) {
        (ResourceWrite::Create(body), None) => {
            let content = content(body);
            resource::create(connection, tenant, record.kind, &record.resource, current, content, record.at)?;
            Version::FIRST
        }
        (ResourceWrite::Replace { expected, body }, Some((row, version))) if expected == version => {
            resource::replace(connection, row, version.next(), content(body), record.at)?;
            version.next()
        }
        (ResourceWrite::Revise { expected, body }, Some((row, version))) if expected == version => {
            resource::revise(connection, row, version.next(), content(body), record.at)?;
            version.next()
        }
        (ResourceWrite::Delete { expected }, Some((row, version))) if expected == version => {
            if record.kind == ResourceKind::User {
                let identity = Owner { tenant, key: row.key, id: &record.resource };
                grants::remember(connection, identity, &record.grants)?;
            }
            resource::delete(connection, row)?;
            version
        }
        (ResourceWrite::Keep, _) if current.is_some() => recorded.map_or(Version(0), |(_, version)| version),
        (
            ResourceWrite::Create(_)
            | ResourceWrite::Replace { .. }
            | ResourceWrite::Revise { .. }
            | ResourceWrite::Delete { .. }
            | ResourceWrite::Keep,
            _,
        ) => return Ok(Recorded::Stale),
    };
    if let Some(row) = resource::find(connection, tenant, record.kind, &record.resource)? {
        let owner = Owner { tenant, key: row.key, id: &record.resource };
        links::write(connection, owner, &record.links)?;
        members::write(connection, tenant, row.key, &record.memberships)?;
        if let Some(tasks) = &record.tasks {
            tasks::set(connection, owner, tasks, record.at)?;
        }
    }
    let (change, at) = (record.change.as_ref(), record.at);
    let writing = Writing { tenant, identity: &record.resource, client: &record.audit.client, change, at };
    grants::write(connection, writing, &record.grants)?;
    if is_deleted && record.kind == ResourceKind::User {
        grants::end_all(connection, writing, "the identity was removed")?;
    }
    audit::write(connection, tenant, &record.resource, at, version, change, &record.audit)?;
    let happening = match version {
        _ if is_kept => None,
        _ if is_deleted => Some(Happening::Deleted),
        version if is_new => Some(Happening::Created { version }),
        version => Some(Happening::Changed { version }),
    };
    if let Some(happening) = happening {
        let which = (record.kind, &record.resource);
        let told = if is_deleted { before } else { outbox::told(connection, tenant, which.0, which.1)? };
        if let Some(told) = told {
            outbox::put(connection, tenant, which, &happening, told, record.at)?;
        }
    }
    if let Some(change) = &record.change {
        let version = (!is_deleted).then_some(version);
        let (outcome, answered) = (&record.outcome, record.answered);
        end(connection, change, ChangeState::Recorded, outcome, answered, version, record.at)?;
    }
    Ok(Recorded::Recorded(version))
}

fn record_together(connection: &Connection, records: Vec<Record>) -> Result<bool, StoreError> {
    let doing = |what: &str| connection.execute_batch(what).doing(WRITE);
    doing("SAVEPOINT together")?;
    for record in records {
        if !matches!(self::record(connection, record)?, Recorded::Recorded(_)) {
            doing("ROLLBACK TO together; RELEASE together")?;
            return Ok(false);
        }
    }
    doing("RELEASE together")?;
    Ok(true)
}

fn amend(connection: &Connection, change: ChangeId, request: &str) -> Result<(), StoreError> {
    let amended = connection
        .prepare_cached("UPDATE changes SET request = ?2 WHERE id = ?1 AND ended_ms IS NULL")
        .and_then(|mut update| update.execute([change.as_str(), request]))
        .doing(WRITE)?;
    if amended == 0 { Err(StoreError::NotOpen { change }) } else { Ok(()) }
}

fn replan(
    connection: &Connection,
    change: ChangeId,
    plan: &str,
    rename: Option<&str>,
    landed: &[LinkWrite],
) -> Result<Opened, StoreError> {
    let Some(open) = open_place(connection, &change)? else { return Err(StoreError::NotOpen { change }) };
    if !landed.is_empty() {
        let Some(row) = resource::find(connection, open.tenant, open.kind, &open.resource)? else {
            return Err(StoreError::NoResource { change });
        };
        links::write(connection, Owner { tenant: open.tenant, key: row.key, id: &open.resource }, landed)?;
        connection
            .prepare_cached("UPDATE changes SET landed = 1 WHERE id = ?1")
            .and_then(|mut update| update.execute([change.as_str()]))
            .doing(WRITE)?;
    }
    if let Some(name) = rename
        && let Some(by) = name_taken(connection, open.tenant, name, &open.resource)?
    {
        return Ok(Opened::UserNameTaken { by });
    }
    connection
        .prepare_cached("UPDATE changes SET plan = ?2, state = ?3, rename_key = ?4 WHERE id = ?1")
        .and_then(|mut update| {
            update.execute(params![change.as_str(), plan, ChangeState::Planned.as_str(), rename])
        })
        .doing(WRITE)?;
    Ok(Opened::Opened)
}

fn withdraw(
    connection: &Connection,
    change: &ChangeId,
    outcome: &ChangeOutcome,
    answered: bool,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(open) = open_place(connection, change)? else {
        return Err(StoreError::NotOpen { change: change.clone() });
    };
    let (tenant, identity) = (open.tenant, &open.resource);
    if resource::withdraw(connection, tenant, open.kind, identity.as_str(), change.as_str())? {
        let writing = Writing { tenant, identity, client: &open.client, change: Some(change), at };
        grants::end_all(connection, writing, "the identity was never made")?;
    }
    end(connection, change, ChangeState::Withdrawn, outcome, answered, None, at)
}

/// Whose an open change is.
struct Place {
    tenant: TenantKey,
    client: ClientName,
    kind: ResourceKind,
    resource: ResourceId,
}

/// Whose this change is; `None` when it is not there or has ended.
fn open_place(connection: &Connection, change: &ChangeId) -> Result<Option<Place>, StoreError> {
    let open: Option<(i64, String, i64, String)> = connection
        .prepare_cached(
            "SELECT tenant, client, kind, resource FROM changes WHERE id = ?1 AND ended_ms IS NULL",
        )
        .and_then(|mut select| {
            select
                .query_row([change.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                .optional()
        })
        .doing(READ)?;
    open.map(|(tenant, client, kind, resource)| {
        Ok(Place {
            tenant: TenantKey(tenant),
            client: rows::client("changes", client)?,
            kind: rows::kind("changes", kind)?,
            resource: ResourceId::from_text(resource),
        })
    })
    .transpose()
}

/// Ends a change. The request, the plan and the reserved name go: they are personal data, and nobody needs
/// them any more.
fn end(
    connection: &Connection,
    change: &ChangeId,
    state: ChangeState,
    outcome: &ChangeOutcome,
    answered: bool,
    version: Option<Version>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let told = to_json("changes", "an outcome", outcome)?;
    let mut update = connection
        .prepare_cached(
            "UPDATE changes SET state = ?2, outcome = ?3, answered = ?4, ended_ms = ?5,
                 request = NULL, plan = NULL, rename_key = NULL
             WHERE id = ?1 RETURNING tenant, kind, resource, asynchronous",
        )
        .doing(WRITE)?;
    let ended: (i64, i64, String, Option<String>) = update
        .query_row(params![change.as_str(), state.as_str(), told, answered, at.as_millisecond()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .doing(WRITE)?;
    let (tenant, kind, resource, Some(asynchronous)) = ended else { return Ok(()) };
    let requests: Vec<Asynchronous> = rows::json("changes", "who hears of its end", &asynchronous)?;
    let (kind, resource) = (rows::kind("changes", kind)?, ResourceId::from_text(resource));
    let tenant = TenantKey(tenant);
    let Some(told) = outbox::told(connection, tenant, kind, &resource)? else { return Ok(()) };
    for request in requests {
        let detail = outcome.detail.clone().or_else(|| outcome.reason.clone());
        let happening = Happening::Answered { request, status: outcome.status, version, detail };
        outbox::put(connection, tenant, (kind, &resource), &happening, told.clone(), at)?;
    }
    Ok(())
}

/// One more caller hears of the end of an open change. `false`: it has ended.
fn tell_also(connection: &Connection, change: &ChangeId, also: Asynchronous) -> Result<bool, StoreError> {
    let told: Option<Option<String>> = connection
        .prepare_cached("SELECT asynchronous FROM changes WHERE id = ?1 AND ended_ms IS NULL")
        .and_then(|mut select| select.query_row([change.as_str()], |row| row.get(0)).optional())
        .doing(READ)?;
    let Some(told) = told else { return Ok(false) };
    let mut requests: Vec<Asynchronous> = match told {
        Some(text) => rows::json("changes", "who hears of its end", &text)?,
        None => Vec::new(),
    };
    if requests.iter().any(|request| request.txn == also.txn) {
        return Ok(true);
    }
    requests.push(also);
    let requests = to_json("changes", "who hears of its end", &requests)?;
    connection
        .prepare_cached("UPDATE changes SET asynchronous = ?2 WHERE id = ?1")
        .and_then(|mut update| update.execute(params![change.as_str(), requests]))
        .map(|_| true)
        .doing(WRITE)
}

/// The columns that [`change`] reads, of `changes c` and `tenants t`.
const CHANGE_COLUMNS: &str = "c.id, t.name, c.client, c.kind, c.resource, c.state, c.takes_access_away, \
                              c.accepted_ms, c.ended_ms, c.answered, c.outcome";
/// The first column behind them.
const NEXT_COLUMN: usize = 11;

fn first(
    select: &mut rusqlite::Statement<'_>,
    params: impl rusqlite::Params,
) -> Result<Option<Change>, StoreError> {
    let mut found = select.query(params).doing(READ)?;
    found.next().doing(READ)?.map(change).transpose()
}

fn change(row: &Row<'_>) -> Result<Change, StoreError> {
    let table = "changes";
    let text = |column| row.get::<_, String>(column).doing(READ);
    let outcome: Option<String> = row.get(10).doing(READ)?;
    Ok(Change {
        id: ChangeId::from_text(text(0)?),
        tenant: rows::tenant(table, &text(1)?)?,
        client: rows::client(table, text(2)?)?,
        kind: rows::kind(table, row.get(3).doing(READ)?)?,
        resource: ResourceId::from_text(text(4)?),
        state: state(&text(5)?)?,
        takes_access_away: row.get(6).doing(READ)?,
        accepted: rows::time(table, row.get(7).doing(READ)?)?,
        ended: row.get::<_, Option<i64>>(8).doing(READ)?.map(|ms| rows::time(table, ms)).transpose()?,
        answered: row.get(9).doing(READ)?,
        outcome: outcome.map(|text| rows::json(table, "an outcome", &text)).transpose()?,
    })
}

fn open_change(row: &Row<'_>) -> Result<OpenChange, StoreError> {
    let request: String = row.get(NEXT_COLUMN).doing(READ)?;
    let plan: Option<String> = row.get(NEXT_COLUMN + 1).doing(READ)?;
    Ok(OpenChange {
        change: change(row)?,
        request: rows::json("changes", "a request", &request)?,
        plan: plan.map(|text| rows::json("changes", "a plan", &text)).transpose()?,
        landed: row.get(NEXT_COLUMN + 2).doing(READ)?,
    })
}

fn state(word: &str) -> Result<ChangeState, StoreError> {
    [ChangeState::Accepted, ChangeState::Planned, ChangeState::Recorded, ChangeState::Withdrawn]
        .into_iter()
        .find(|state| state.as_str() == word)
        .ok_or(StoreError::Corrupt { table: "changes", what: "a state", source: None })
}
