//! The Inbox on `SQLite`.

use async_trait::async_trait;
use model::{SourceName, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value as Sql};

use super::{
    SqliteStore, consents,
    rows::{self, Doing, TenantKey, tenant_key, tenant_key_or_new, to_json},
    writer::Durability,
};
use crate::{
    EventFilter, EventKey, EventState, Inbox, NewEvent, OwnEvents, Received, Settled, StoreError,
    StoredEvent, SubjectClock,
};

const TABLE: &str = "events";
const READ: &str = "read events";
const WRITE: &str = "write events";

/// What [`event`] reads; a condition and an order follow.
const SELECT: &str =
    "SELECT n.name, e.source, e.jti, e.subject, e.kind, e.happened_ms, e.received_ms, e.state, e.reason,
                             e.attempts, e.due_ms, e.settled_ms, e.payload, e.approved
                      FROM events e JOIN tenants n ON n.tenant = e.tenant";

#[async_trait]
impl Inbox for SqliteStore {
    async fn receive(&self, event: NewEvent) -> Result<Received, StoreError> {
        // What is in flight needs no disk: its source waits, and sends it again if nobody answers.
        let durability = if event.stored { Durability::Power } else { Durability::Process };
        self.write(durability, move |connection| receive(connection, &event)).await
    }

    async fn settle(&self, key: &EventKey, settled: Settled) -> Result<(), StoreError> {
        let key = key.clone();
        self.write(Durability::Power, move |connection| settle(connection, &key, &settled)).await
    }

    async fn supersede(&self, events: &OwnEvents, settled: Settled) -> Result<u64, StoreError> {
        let events = events.clone();
        self.write(Durability::Process, move |connection| {
            let Some(tenant) = tenant_key(connection, &events.tenant)? else { return Ok(0) };
            let subjects = serde_json::Value::from(events.subjects.clone()).to_string();
            let superseded = connection
                .prepare_cached(
                    "UPDATE events SET state = ?5, reason = ?6, settled_ms = ?7, due_ms = NULL, payload = NULL
                     WHERE state IN ('dead', 'held', 'refused') AND state NOT IN ('applied', 'ignored')
                         AND tenant = ?1 AND source = ?2 AND kind = ?3
                         AND subject IN (SELECT value FROM json_each(?4))",
                )
                .and_then(|mut update| {
                    update.execute(params![
                        tenant.0,
                        events.source.as_str(),
                        events.kind,
                        subjects,
                        settled.state.as_str(),
                        settled.reason,
                        settled.at.as_millisecond()
                    ])
                })
                .doing(WRITE)?;
            advance(connection, tenant, &events.source, &settled.clocks)?;
            Ok(superseded as u64)
        })
        .await
    }

    async fn release(&self, key: &EventKey, reason: &str, at: Timestamp) -> Result<(), StoreError> {
        let (key, reason) = (key.clone(), reason.to_owned());
        self.write(Durability::Process, move |connection| {
            update(
                connection,
                &key,
                "SET state = 'refused', reason = ?4, attempts = attempts + 1, settled_ms = ?5, payload = NULL
                 WHERE state = 'in-flight'",
                vec![reason.into(), at.as_millisecond().into()],
            )
            .map(|_| ())
        })
        .await
    }

    async fn postpone(&self, key: &EventKey, reason: &str, due: Timestamp) -> Result<(), StoreError> {
        let (key, reason) = (key.clone(), reason.to_owned());
        // After a power failure it is due as it was, and is tried once more.
        self.write(Durability::Process, move |connection| {
            update(
                connection,
                &key,
                "SET reason = ?4, due_ms = ?5, attempts = attempts + 1 WHERE state = 'stored'",
                vec![reason.into(), due.as_millisecond().into()],
            )
            .map(|_| ())
        })
        .await
    }

    async fn due_events(
        &self,
        now: Timestamp,
        limit: u32,
        of_each: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.0
            .readers
            .read_long(move |reader| {
                // A later event of a subject waits for the earlier one, however long that is put off; of one time, for the one that
                // came first. Left to itself SQLite walks through all events that ever were.
                let mut select = reader.statement(
                    &format!(
                        "WITH due AS (
                             SELECT e.number, row_number() OVER (PARTITION BY e.tenant, e.source ORDER BY e.number) AS place
                             FROM events e INDEXED BY events_due
                             WHERE e.state = 'stored' AND e.due_ms <= ?1 AND NOT EXISTS (
                                 SELECT 1 FROM events f INDEXED BY events_waiting WHERE f.state = 'stored'
                                     AND f.tenant = e.tenant AND f.source = e.source AND f.subject = e.subject
                                     AND (f.happened_ms, f.number) < (e.happened_ms, e.number)))
                         {SELECT} JOIN due ON due.number = e.number WHERE due.place <= ?3 ORDER BY e.number LIMIT ?2"
                    ),
                    READ,
                )?;
                let mut found = select.query(params![now.as_millisecond(), limit, of_each]).doing(READ)?;
                let mut events = Vec::new();
                while let Some(row) = found.next().doing(READ)? {
                    events.push(event(row)?);
                }
                Ok(events)
            })
            .await
    }

    async fn forget_in_flight(&self, at: Timestamp) -> Result<u64, StoreError> {
        self.write(Durability::Process, move |connection| {
            connection
                .execute(
                    "UPDATE events SET state = 'refused', settled_ms = ?1, payload = NULL, reason = 'Gangway was stopped meanwhile'
                     WHERE state = 'in-flight'",
                    [at.as_millisecond()],
                )
                .map(|forgotten| forgotten as u64)
                .doing(WRITE)
        })
        .await
    }

    async fn subject(
        &self,
        tenant: &TenantId,
        source: &SourceName,
        subject: &str,
    ) -> Result<Option<SubjectClock>, StoreError> {
        self.0.readers.read(|reader| {
            let mut select = reader.statement(
                "SELECT s.happened_ms, s.version, s.deleted_ms FROM subjects s JOIN tenants n ON n.tenant = s.tenant
                 WHERE n.name = ?1 AND s.source = ?2 AND s.subject = ?3",
                READ,
            )?;
            let mut rows = select.query(params![tenant.as_str(), source.as_str(), subject]).doing(READ)?;
            let Some(row) = rows.next().doing(READ)? else { return Ok(None) };
            Ok(Some(SubjectClock {
                subject: subject.to_owned(),
                happened: rows::time("subjects", row.get(0).doing(READ)?)?,
                version: row.get(1).doing(READ)?,
                deleted: optional_time("subjects", row, 2)?,
            }))
        })
    }

    async fn advance_subjects(
        &self,
        tenant: &TenantId,
        source: &SourceName,
        clocks: Vec<SubjectClock>,
    ) -> Result<(), StoreError> {
        let (tenant, source) = (tenant.clone(), source.clone());
        self.write(Durability::Power, move |connection| {
            let tenant = tenant_key_or_new(connection, &tenant)?;
            advance(connection, tenant, &source, &clocks)
        })
        .await
    }

    async fn events(&self, filter: &EventFilter) -> Result<Vec<StoredEvent>, StoreError> {
        let filter = filter.clone();
        self.0
            .readers
            .read_long(move |reader| {
                // Those that somebody still has to look at have an index of their own, for whoever asks for no others.
                let owed = |state: &EventState| !matches!(state, EventState::Applied | EventState::Ignored);
                let states: Vec<_> =
                    filter.states.iter().map(|state| format!("'{}'", state.as_str())).collect();
                let mut which = String::new();
                if !states.is_empty() {
                    which = format!(" AND e.state IN ({})", states.join(", "));
                    if filter.states.iter().all(owed) {
                        which += " AND e.state NOT IN ('applied', 'ignored')";
                    }
                }
                which += if filter.jti.is_some() {
                    " AND e.number IN (SELECT number FROM events WHERE jti = ?3
                         UNION ALL SELECT number FROM event_names WHERE name = ?3)"
                } else {
                    " AND ?3 IS NULL"
                };
                let mut select = reader.statement(
                    &format!(
                        "{SELECT} WHERE (?1 IS NULL OR n.name = ?1) AND (?2 IS NULL OR e.source = ?2){which}
                         ORDER BY e.number DESC LIMIT ?4"
                    ),
                    READ,
                )?;
                let mut found = select
                    .query(params![
                        filter.tenant.as_ref().map(TenantId::as_str),
                        filter.source.as_ref().map(SourceName::as_str),
                        filter.jti,
                        filter.limit
                    ])
                    .doing(READ)?;
                let mut events = Vec::new();
                while let Some(row) = found.next().doing(READ)? {
                    events.push(event(row)?);
                }
                Ok(events)
            })
            .await
    }

    async fn retry_event(&self, key: &EventKey, at: Timestamp) -> Result<bool, StoreError> {
        let key = key.clone();
        self.write(Durability::Power, move |connection| {
            update(
                connection,
                &key,
                "SET state = 'stored', approved = approved OR state <> 'stored', due_ms = ?4, settled_ms = NULL, attempts = 0
                 WHERE state IN ('dead', 'held', 'stored')",
                vec![at.as_millisecond().into()],
            )
        })
        .await
    }

    async fn dismiss_event(&self, key: &EventKey, reason: &str, at: Timestamp) -> Result<bool, StoreError> {
        let (key, reason) = (key.clone(), reason.to_owned());
        self.write(Durability::Power, move |connection| {
            let is_dismissed = update(
                connection,
                &key,
                "SET state = 'dismissed', reason = ?4, settled_ms = ?5, due_ms = NULL, payload = NULL
                 WHERE state IN ('dead', 'held', 'stored')",
                vec![reason.into(), at.as_millisecond().into()],
            )?;
            if is_dismissed {
                consents::forget(connection, &key)?;
            }
            Ok(is_dismissed)
        })
        .await
    }

    async fn prune_events(&self, events: Timestamp, tombstones: Timestamp) -> Result<u64, StoreError> {
        self.write(Durability::Process, move |connection| {
            connection
                .execute(
                    "DELETE FROM subjects WHERE deleted_ms IS NOT NULL AND deleted_ms < ?1 AND happened_ms <= deleted_ms",
                    [tombstones.as_millisecond()],
                )
                .doing(WRITE)?;
            connection
                .execute(
                    "DELETE FROM events WHERE settled_ms IS NOT NULL AND settled_ms < ?1 AND state NOT IN ('dead', 'held')",
                    [events.as_millisecond()],
                )
                .doing(WRITE)
                .and_then(|pruned| consents::prune(connection).map(|()| pruned as u64))
        })
        .await
    }
}

fn receive(connection: &Connection, event: &NewEvent) -> Result<Received, StoreError> {
    let tenant = tenant_key_or_new(connection, &event.key.tenant)?;
    let source = event.key.source.as_str();
    // By whatever name it is known. One that was refused is to come again, unless it came under another name meanwhile.
    let known: Option<(i64, String, String)> = connection
        .prepare_cached(
            "SELECT number, state, jti FROM (
                 SELECT number, state, jti FROM events WHERE tenant = ?1 AND source = ?2 AND jti = ?3
                 UNION ALL
                 SELECT number, state, jti FROM events WHERE tenant = ?1 AND source = ?2 AND same_as = ?4 AND jti <> ?3
                     AND state <> 'refused')
             ORDER BY state = 'refused' LIMIT 1",
        )
        .and_then(|mut select| {
            select
                .query_row(params![tenant.0, source, event.key.jti, event.same_as], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
        })
        .doing(READ)?;
    let state = if event.stored { EventState::Stored } else { EventState::InFlight };
    let payload = to_json(TABLE, "an event", &event.payload)?;
    match known {
        None => {
            let number = insert(connection, tenant, event, state, &payload)?;
            name(connection, number, &event.key.jti, event)?;
        }
        Some((number, known, jti)) => {
            name(connection, number, &jti, event)?;
            match self::state(&known)? {
                EventState::InFlight => return Ok(Received::InFlight { jti }),
                EventState::Refused => again(connection, number, event, state, &payload)?,
                known => return Ok(Received::Known(known)),
            }
        }
    }
    Ok(Received::New)
}

/// One that was refused has come again.
fn again(
    connection: &Connection,
    number: i64,
    event: &NewEvent,
    state: EventState,
    payload: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE events SET state = ?2, due_ms = ?3, payload = ?4, settled_ms = NULL WHERE number = ?1",
        )
        .and_then(|mut again| {
            let due = event.stored.then(|| event.at.as_millisecond());
            again.execute(params![number, state.as_str(), due, payload])
        })
        .map(|_| ())
        .doing(WRITE)
}

/// Lets an event be looked up by all that it was sent under; its own `jti` is with it.
fn name(connection: &Connection, number: i64, own: &str, event: &NewEvent) -> Result<(), StoreError> {
    let sent = [Some(&event.key.jti), event.delivery.as_ref()];
    for name in sent.into_iter().flatten().filter(|name| *name != own) {
        connection
            .prepare_cached("INSERT INTO event_names (name, number) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .and_then(|mut insert| insert.execute(params![name, number]))
            .doing(WRITE)?;
    }
    Ok(())
}

fn insert(
    connection: &Connection,
    tenant: TenantKey,
    event: &NewEvent,
    state: EventState,
    payload: &str,
) -> Result<i64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO events (tenant, source, jti, same_as, subject, kind, happened_ms, received_ms, state, due_ms, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )
        .and_then(|mut insert| {
            insert.insert(params![
                tenant.0,
                event.key.source.as_str(),
                event.key.jti,
                event.same_as,
                event.subject,
                event.kind,
                event.happened.as_millisecond(),
                event.at.as_millisecond(),
                state.as_str(),
                event.stored.then(|| event.at.as_millisecond()),
                payload
            ])
        })
        .doing(WRITE)
}

fn settle(connection: &Connection, key: &EventKey, settled: &Settled) -> Result<(), StoreError> {
    let keeps_payload = matches!(settled.state, EventState::Dead | EventState::Held);
    update(
        connection,
        key,
        "SET state = ?4, reason = ?5, settled_ms = ?6, due_ms = NULL, payload = CASE WHEN ?7 THEN payload END
         WHERE state IN ('in-flight', 'stored', 'refused')",
        vec![
            settled.state.as_str().to_owned().into(),
            settled.reason.clone().into(),
            settled.at.as_millisecond().into(),
            keeps_payload.into(),
        ],
    )?;
    let Some(tenant) = tenant_key(connection, &key.tenant)? else { return Ok(()) };
    settle_refused(connection, tenant, key, settled)?;
    advance(connection, tenant, &key.source, &settled.clocks)
}

/// One that was refused for now has come under another name, and has its outcome there.
fn settle_refused(
    connection: &Connection,
    tenant: TenantKey,
    key: &EventKey,
    settled: &Settled,
) -> Result<(), StoreError> {
    let state = match settled.state {
        // A person looks at it once.
        EventState::Dead | EventState::Held => EventState::Ignored,
        state => state,
    };
    connection
        .prepare_cached(
            "UPDATE events SET state = ?4, reason = 'it came again as ' || ?3, settled_ms = ?5, payload = NULL
             WHERE state = 'refused' AND tenant = ?1 AND source = ?2 AND jti <> ?3 AND same_as IS NOT NULL
                 AND same_as = (SELECT same_as FROM events WHERE tenant = ?1 AND source = ?2 AND jti = ?3)",
        )
        .and_then(|mut update| {
            let (source, at) = (key.source.as_str(), settled.at.as_millisecond());
            update.execute(params![tenant.0, source, key.jti, state.as_str(), at])
        })
        .map(|_| ())
        .doing(WRITE)
}

fn advance(
    connection: &Connection,
    tenant: TenantKey,
    source: &SourceName,
    clocks: &[SubjectClock],
) -> Result<(), StoreError> {
    for clock in clocks {
        connection
            .prepare_cached(
                "INSERT INTO subjects (tenant, source, subject, happened_ms, version, deleted_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (tenant, source, subject) DO UPDATE SET
                     happened_ms = max(happened_ms, excluded.happened_ms),
                     -- Who is there again counts from the beginning.
                     version = CASE WHEN deleted_ms >= happened_ms AND excluded.happened_ms > deleted_ms
                         THEN excluded.version
                         ELSE max(coalesce(version, excluded.version), coalesce(excluded.version, version)) END,
                     deleted_ms = max(coalesce(deleted_ms, excluded.deleted_ms), coalesce(excluded.deleted_ms, deleted_ms))",
            )
            .and_then(|mut upsert| {
                upsert.execute(params![
                    tenant.0,
                    source.as_str(),
                    clock.subject,
                    clock.happened.as_millisecond(),
                    clock.version,
                    clock.deleted.map(Timestamp::as_millisecond)
                ])
            })
            .doing(WRITE)?;
    }
    Ok(())
}

/// Changes one event, if the condition behind `what` holds; its own parameters begin with `?4`.
fn update(connection: &Connection, key: &EventKey, what: &str, more: Vec<Sql>) -> Result<bool, StoreError> {
    let Some(tenant) = tenant_key(connection, &key.tenant)? else { return Ok(false) };
    let first: [Sql; 3] = [tenant.0.into(), key.source.as_str().to_owned().into(), key.jti.clone().into()];
    connection
        .prepare_cached(&format!("UPDATE events {what} AND tenant = ?1 AND source = ?2 AND jti = ?3"))
        .and_then(|mut update| update.execute(params_from_iter(first.into_iter().chain(more))))
        .map(|changed| changed > 0)
        .doing(WRITE)
}

fn event(row: &Row<'_>) -> Result<StoredEvent, StoreError> {
    let text = |column| row.get::<_, String>(column).doing(READ);
    let source =
        SourceName::new(text(1)?).map_err(|source| StoreError::corrupt(TABLE, "a source", source))?;
    let payload: Option<String> = row.get(12).doing(READ)?;
    Ok(StoredEvent {
        key: EventKey { tenant: rows::tenant(TABLE, &text(0)?)?, source, jti: text(2)? },
        subject: text(3)?,
        kind: text(4)?,
        happened: rows::time(TABLE, row.get(5).doing(READ)?)?,
        received: rows::time(TABLE, row.get(6).doing(READ)?)?,
        state: state(&text(7)?)?,
        reason: row.get(8).doing(READ)?,
        attempts: row.get(9).doing(READ)?,
        due: optional_time(TABLE, row, 10)?,
        settled: optional_time(TABLE, row, 11)?,
        approved: row.get(13).doing(READ)?,
        payload: payload.map(|text| rows::json(TABLE, "an event", &text)).transpose()?,
    })
}

fn state(text: &str) -> Result<EventState, StoreError> {
    let found = EventState::ALL.into_iter().find(|state| state.as_str() == text);
    found.ok_or(StoreError::Corrupt { table: TABLE, what: "a state", source: None })
}

fn optional_time(table: &'static str, row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, StoreError> {
    let ms: Option<i64> = row.get(column).doing(READ)?;
    ms.map(|ms| rows::time(table, ms)).transpose()
}
