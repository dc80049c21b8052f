//! Leases on `SQLite`.

use async_trait::async_trait;
use model::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    SqliteStore,
    rows::{self, Doing},
    writer::Durability,
};
use crate::{Lease, Leases, StoreError};

const WRITE: &str = "write leases";

#[async_trait]
impl Leases for SqliteStore {
    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        // After a power failure nobody who held one is alive.
        self.write(Durability::Process, move |connection| take(connection, &name, &holder, now, until, true))
            .await
    }

    async fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.write(Durability::Process, move |connection| release(connection, &name, &holder)).await
    }
}

/// Takes a lease, in one statement so that two processes cannot both find it free.
pub(super) fn take(
    connection: &Connection,
    name: &str,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
    gateway: bool,
) -> Result<Lease, StoreError> {
    let taken = connection
        .prepare_cached(
            "INSERT INTO leases (name, holder, until_ms, gateway) VALUES (?1, ?2, ?4, ?5)
             ON CONFLICT (name) DO UPDATE
                SET holder = excluded.holder, until_ms = excluded.until_ms, gateway = excluded.gateway
                WHERE holder = excluded.holder OR until_ms <= ?3",
        )
        .and_then(|mut upsert| {
            upsert.execute(params![name, holder, now.as_millisecond(), until.as_millisecond(), gateway])
        })
        .doing(WRITE)?;
    if taken == 1 {
        return Ok(Lease::Taken);
    }
    let until = connection
        .prepare_cached("SELECT until_ms FROM leases WHERE name = ?1")
        .and_then(|mut select| select.query_row([name], |row| row.get(0)).optional())
        .doing("read leases")?;
    // Given back in between: it may be asked for again at once.
    Ok(Lease::Busy { until: until.map_or(Ok(now), |until| rows::time("leases", until))? })
}

pub(super) fn release(connection: &Connection, name: &str, holder: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM leases WHERE name = ?1 AND holder = ?2")
        .and_then(|mut delete| delete.execute([name, holder]))
        .map(|_| ())
        .doing(WRITE)
}

/// Ends the leases of gateways that had the file to themselves: whoever has it now knows that they are gone. A killed
/// gateway thus keeps its successor from nothing.
pub(super) fn forget_gateways(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("DELETE FROM leases WHERE gateway = 1", []).map(|_| ()).doing(WRITE)
}
