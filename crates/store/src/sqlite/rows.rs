//! Between rows and values.

use std::sync::Arc;

use model::{ClientName, ResourceId, ResourceKind, TargetName, TenantId, Timestamp, Version};
use rusqlite::{Connection, OptionalExtension, Row};
use salesforce_types::StandsFor;
use serde::{Serialize, de::DeserializeOwned};

use crate::{StoreError, StoredResource};

/// Says what was attempted when `SQLite` fails.
pub trait Doing<T> {
    /// `doing` reads well after "could not".
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, rusqlite::Error> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Database { doing, source: Arc::new(source) })
    }
}

/// A tenant's number in this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantKey(pub i64);

/// The number of a tenant that has been written to; `None` for one of which nothing is known.
pub fn tenant_key(connection: &Connection, tenant: &TenantId) -> Result<Option<TenantKey>, StoreError> {
    connection
        .prepare_cached("SELECT tenant FROM tenants WHERE name = ?1")
        .and_then(|mut select| select.query_row([tenant.as_str()], |row| row.get(0)).optional())
        .map(|key| key.map(TenantKey))
        .doing("read tenants")
}

/// The number of a tenant, made if need be.
pub fn tenant_key_or_new(connection: &Connection, tenant: &TenantId) -> Result<TenantKey, StoreError> {
    if let Some(key) = tenant_key(connection, tenant)? {
        return Ok(key);
    }
    connection.execute("INSERT INTO tenants (name) VALUES (?1)", [tenant.as_str()]).doing("write tenants")?;
    Ok(TenantKey(connection.last_insert_rowid()))
}

/// A kind's number in the file.
pub const fn kind_key(kind: ResourceKind) -> i64 {
    match kind {
        ResourceKind::User => 1,
        ResourceKind::Group => 2,
    }
}

/// The kind of a number.
pub fn kind(table: &'static str, key: i64) -> Result<ResourceKind, StoreError> {
    match key {
        1 => Ok(ResourceKind::User),
        2 => Ok(ResourceKind::Group),
        _ => Err(StoreError::Corrupt { table, what: "a kind of resource", source: None }),
    }
}

/// An instant from its column.
pub fn time(table: &'static str, ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(|source| StoreError::corrupt(table, "a time", source))
}

/// JSON from its column.
pub fn json<T: DeserializeOwned>(
    table: &'static str,
    what: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    // The door has limited the depth of what it took; the store may have put it into something.
    reader.disable_recursion_limit();
    T::deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|source| StoreError::corrupt(table, what, source))
}

/// JSON for its column.
pub fn to_json(
    table: &'static str,
    what: &'static str,
    value: &impl Serialize,
) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::corrupt(table, what, source))
}

/// A client from its column.
pub fn client(table: &'static str, name: String) -> Result<ClientName, StoreError> {
    ClientName::new(name).map_err(|source| StoreError::corrupt(table, "a client", source))
}

/// A tenant from its column.
pub fn tenant(table: &'static str, name: &str) -> Result<TenantId, StoreError> {
    name.parse().map_err(|source: model::InvalidTenant| StoreError::corrupt(table, "a tenant", source))
}

/// A target's name from its column.
pub fn target(table: &'static str, name: String) -> Result<TargetName, StoreError> {
    TargetName::new(name).map_err(|source| StoreError::corrupt(table, "a target", source))
}

/// A count or number that is never negative.
pub fn unsigned(table: &'static str, value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|source| StoreError::corrupt(table, "a count", source))
}

/// A number for `SQLite`, whose integers are signed; what is larger than the largest of them means "all"
/// anyway.
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// What a Group stands for, from its column.
pub fn stands_for(row: &Row<'_>, column: usize) -> Result<Option<StandsFor>, StoreError> {
    let text = row.get_ref(column).and_then(|text| Ok(text.as_str_or_null()?)).doing("read resources")?;
    text.map(|text| json("resources", "what a group stands for", text)).transpose()
}

/// The columns that [`Stored::read`] takes, of a table named `r`.
pub const STORED_COLUMNS: &str = "r.key, r.id, r.seq, r.version, r.created_ms, r.modified_ms, r.body, \
                                  r.asked, r.stands_for";

/// A row of `resources` with the columns that stay inside.
pub struct Stored {
    pub key: i64,
    /// `None` while it is pending.
    pub seq: Option<i64>,
    pub resource: StoredResource,
}

impl Stored {
    /// Reads [`STORED_COLUMNS`] from the first columns of a row. Groups and members come later.
    pub fn read(kind: ResourceKind, row: &Row<'_>) -> Result<Self, StoreError> {
        let doing = "read resources";
        let seq: Option<i64> = row.get(2).doing(doing)?;
        Ok(Self {
            key: row.get(0).doing(doing)?,
            seq,
            resource: StoredResource {
                kind,
                id: ResourceId::from_text(row.get::<_, String>(1).doing(doing)?),
                version: Version(unsigned("resources", row.get(3).doing(doing)?)?),
                created: time("resources", row.get(4).doing(doing)?)?,
                modified: time("resources", row.get(5).doing(doing)?)?,
                pending: seq.is_none(),
                body: row.get(6).doing(doing)?,
                asked: row.get(7).doing(doing)?,
                stands_for: stands_for(row, 8)?,
                groups: Vec::new(),
                members: Vec::new(),
            },
        })
    }
}
