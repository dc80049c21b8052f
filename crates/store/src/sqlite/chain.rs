//! The audit's hash chain on `SQLite`.

use model::ResourceId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    readers::Reader,
    rows::{self, Doing, TenantKey, signed, unsigned},
};
use crate::{
    StoreError,
    chain::{self, Broken, Chain, Content, Hash},
};

const READ: &str = "read audit";
const READ_CHAIN: &str = "read chains";
const WRITE: &str = "write audit";

/// A tenant's trail, in the order of the rows, so that nothing is sorted.
pub(super) const TRAIL: &str = "SELECT resource, at_ms, version, change, entry, hash FROM audit NOT INDEXED
                                WHERE tenant = ?1 ORDER BY number";

/// Entries that are taken in by one transaction: some megabytes of log.
const BATCH: u32 = 10_000;

/// Where a tenant's chain has come to.
#[derive(Clone, Copy)]
struct Head {
    entries: u64,
    hash: Hash,
}

impl Head {
    /// Of a trail that has no chained entry yet.
    fn start(connection: &Connection, tenant: TenantKey) -> Result<Self, StoreError> {
        let name: String = connection
            .prepare_cached("SELECT name FROM tenants WHERE tenant = ?1")
            .and_then(|mut select| select.query_row([tenant.0], |row| row.get(0)))
            .doing("read tenants")?;
        Ok(Self { entries: 0, hash: chain::start(&name) })
    }

    /// As it was last written.
    fn written(connection: &Connection, tenant: TenantKey) -> Result<Option<Self>, StoreError> {
        let written: Option<(i64, Hash)> = connection
            .prepare_cached("SELECT entries, head FROM chains WHERE tenant = ?1")
            .and_then(|mut select| {
                select.query_row([tenant.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .doing(READ_CHAIN)?;
        written.map(|(entries, hash)| Ok(Self { entries: unsigned("chains", entries)?, hash })).transpose()
    }

    fn of(connection: &Connection, tenant: TenantKey) -> Result<Self, StoreError> {
        Self::written(connection, tenant)?.map_or_else(|| Self::start(connection, tenant), Ok)
    }

    fn write(self, connection: &Connection, tenant: TenantKey) -> Result<(), StoreError> {
        connection
            .prepare_cached(
                "INSERT INTO chains (tenant, entries, head) VALUES (?1, ?2, ?3)
                 ON CONFLICT (tenant) DO UPDATE SET entries = excluded.entries, head = excluded.head",
            )
            .and_then(|mut upsert| upsert.execute(params![tenant.0, signed(self.entries), self.hash]))
            .map(|_| ())
            .doing("write chains")
    }

    fn follow(&mut self, content: &Content<'_>) -> Hash {
        self.hash = chain::next(&self.hash, content);
        self.entries += 1;
        self.hash
    }
}

/// Puts an entry at the end of its tenant's chain. Answers its hash, which is written with it.
pub fn append(connection: &Connection, tenant: TenantKey, content: &Content<'_>) -> Result<Hash, StoreError> {
    let mut head = Head::of(connection, tenant)?;
    let hash = head.follow(content);
    head.write(connection, tenant)?;
    Ok(hash)
}

/// Takes in the entries that a version without a chain has written. Only those behind the end: one without a hash elsewhere
/// has lost it, and is found by [`verify`].
pub fn take_in(connection: &Connection) -> Result<(), StoreError> {
    let tenants: Vec<i64> = connection
        .prepare("SELECT DISTINCT tenant FROM audit INDEXED BY audit_unchained WHERE hash IS NULL")
        .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
        .doing(READ)?;
    for tenant in tenants.into_iter().map(TenantKey) {
        let mut last = last_chained(connection, tenant)?;
        tracing::info!("entries of the audit are taken into the hash chain");
        loop {
            let transaction = connection.unchecked_transaction().doing("begin a transaction")?;
            let taken = take_in_some(connection, tenant, last)?;
            transaction.commit().doing("commit a transaction")?;
            let Some(taken) = taken else { break };
            last = taken;
            // Nobody makes checkpoints before the store is open.
            connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
                .doing("move the log into the database")?;
        }
    }
    Ok(())
}

fn last_chained(connection: &Connection, tenant: TenantKey) -> Result<i64, StoreError> {
    let last: Option<i64> = connection
        .query_row(
            "SELECT number FROM audit NOT INDEXED
             WHERE tenant = ?1 AND hash IS NOT NULL ORDER BY number DESC LIMIT 1",
            [tenant.0],
            |row| row.get(0),
        )
        .optional()
        .doing(READ)?;
    Ok(last.unwrap_or(0))
}

/// Takes in the next entries behind this one. Answers the last of them; `None`: there was none.
fn take_in_some(connection: &Connection, tenant: TenantKey, after: i64) -> Result<Option<i64>, StoreError> {
    let mut head = Head::of(connection, tenant)?;
    let mut hashes = Vec::new();
    {
        let mut select = connection
            .prepare_cached(
                "SELECT resource, at_ms, version, change, entry, number FROM audit INDEXED BY audit_unchained
                 WHERE tenant = ?1 AND hash IS NULL AND number > ?2 ORDER BY number LIMIT ?3",
            )
            .doing(READ)?;
        let mut found = select.query(params![tenant.0, after, BATCH]).doing(READ)?;
        while let Some(row) = found.next().doing(READ)? {
            let hash = head.follow(&content(row).doing(READ)?);
            hashes.push((row.get::<_, i64>(5).doing(READ)?, hash));
        }
    }
    let Some(&(last, _)) = hashes.last() else { return Ok(None) };
    for (number, hash) in hashes {
        connection
            .prepare_cached("UPDATE audit SET hash = ?2 WHERE number = ?1")
            .and_then(|mut update| update.execute(params![number, hash]))
            .doing(WRITE)?;
    }
    head.write(connection, tenant)?;
    Ok(Some(last))
}

/// The first five columns: resource, time, version, change, entry.
fn content<'row>(row: &'row Row<'_>) -> Result<Content<'row>, rusqlite::Error> {
    Ok(Content {
        resource: row.get_ref(0)?.as_str()?,
        at_ms: row.get(1)?,
        version: row.get(2)?,
        change: row.get_ref(3)?.as_str_or_null()?,
        entry: row.get_ref(4)?.as_str()?,
    })
}

/// Looks at every entry of a tenant's trail, in the order in which they were written.
pub fn verify(reader: &Reader, tenant: TenantKey, noted: Option<&str>) -> Result<Chain, StoreError> {
    let mut walk = Walk::begin(Head::start(reader.connection(), tenant)?, noted);
    let mut select = reader.statement(TRAIL, READ)?;
    let mut found = select.query([tenant.0]).doing(READ)?;
    while let Some(row) = found.next().doing(READ)? {
        let hash = row.get_ref(5).and_then(|hash| Ok(hash.as_blob_or_null()?)).doing(READ)?;
        let content = content(row).doing(READ)?;
        if let Err(broken) = walk.meet(&content, hash) {
            return Ok(walk.end(Some(broken)));
        }
    }
    let written = Head::written(reader.connection(), tenant)?;
    let ends_as_written = match written {
        Some(written) => (written.entries, written.hash) == (walk.head.entries, walk.head.hash),
        None => walk.head.entries == 0,
    };
    let broken = (!ends_as_written).then(|| Broken::End {
        written: written.map_or(0, |written| written.entries),
        found: walk.head.entries,
    });
    Ok(walk.end(broken))
}

/// A walk along a chain.
struct Walk<'a> {
    head: Head,
    unchained: u64,
    sought: Option<&'a str>,
    noted: Option<u64>,
}

impl<'a> Walk<'a> {
    fn begin(head: Head, sought: Option<&'a str>) -> Self {
        let mut walk = Self { head, unchained: 0, sought, noted: None };
        walk.look();
        walk
    }

    /// Whether the entry here is the one that is sought.
    fn look(&mut self) {
        if self.sought.is_some_and(|sought| sought.eq_ignore_ascii_case(&chain::hex(&self.head.hash))) {
            self.noted = Some(self.head.entries);
        }
    }

    /// Goes on to the next entry.
    fn meet(&mut self, content: &Content<'_>, hash: Option<&[u8]>) -> Result<(), Broken> {
        let Some(hash) = hash else {
            self.unchained += 1;
            return Ok(());
        };
        let before = self.head;
        // One without a hash can only stand at the end.
        if self.unchained > 0 || self.head.follow(content) != hash {
            self.head = before;
            return Err(Broken::Entry {
                place: self.head.entries + self.unchained + 1,
                at: rows::time("audit", content.at_ms).ok(),
                resource: ResourceId::from_text(content.resource),
            });
        }
        self.look();
        Ok(())
    }

    fn end(self, broken: Option<Broken>) -> Chain {
        Chain {
            entries: self.head.entries,
            head: chain::hex(&self.head.hash),
            unchained: self.unchained,
            noted: self.noted,
            broken,
        }
    }
}
