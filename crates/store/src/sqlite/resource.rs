//! Writing resources: the row, what is searched for, and the counter.

use model::{ResourceId, ResourceKind, Timestamp, Version};
use rusqlite::{Connection, OptionalExtension, Params, ToSql as _, params};
use salesforce_types::StandsFor;
use scim_types::{
    Resource, fold,
    schema::{ENTERPRISE_USER_URN, GANGWAY_GROUP_URN},
};
use serde::Deserialize as _;
use serde_json::Value;

use super::{
    members::{self, Sent},
    rows::{Doing, TenantKey, kind_key, signed, to_json, unsigned},
};
use crate::StoreError;

const READ: &str = "read resources";
const WRITE: &str = "write resources";

/// Writes the folded name where it is another one.
const RENAME: &str = "UPDATE resources SET user_name_key = ?2 WHERE key = ?1 AND user_name_key IS NOT ?2";

/// A resource's place in the file.
#[derive(Clone, Copy)]
pub struct Row {
    pub tenant: TenantKey,
    pub kind: ResourceKind,
    pub key: i64,
    /// `None` while it is pending.
    pub version: Option<Version>,
}

/// The row of a resource, pending or recorded.
pub fn find(
    connection: &Connection,
    tenant: TenantKey,
    kind: ResourceKind,
    id: &ResourceId,
) -> Result<Option<Row>, StoreError> {
    let mut select = connection
        .prepare_cached(
            "SELECT key, seq IS NULL, version FROM resources WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
        )
        .doing(READ)?;
    let found: Option<(i64, bool, i64)> = select
        .query_row(params![tenant.0, kind_key(kind), id.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()
        .doing(READ)?;
    found
        .map(|(key, pending, version)| {
            let version = Version(unsigned("resources", version)?);
            Ok(Row { tenant, kind, key, version: (!pending).then_some(version) })
        })
        .transpose()
}

/// Who else in the tenant has this folded `userName`: a resource, pending or recorded, or an open change that
/// renames one.
pub fn name_taken(
    connection: &Connection,
    tenant: TenantKey,
    user_name_key: &str,
    except: &ResourceId,
) -> Result<Option<ResourceId>, StoreError> {
    connection
        .prepare_cached(
            "SELECT id FROM resources WHERE tenant = ?1 AND user_name_key = ?2 AND id <> ?3
             UNION ALL
             SELECT resource FROM changes WHERE tenant = ?1 AND rename_key = ?2 AND resource <> ?3
             LIMIT 1",
        )
        .and_then(|mut select| {
            select
                .query_row(params![tenant.0, user_name_key, except.as_str()], |row| row.get::<_, String>(0))
                .optional()
        })
        .map(|id| id.map(ResourceId::from_text))
        .doing(READ)
}

/// What is written of a resource.
pub struct Content {
    pub body: Resource,
    /// What was asked for, where that differs from what the body shows.
    pub asked: Option<String>,
}

/// Writes a new resource that is reserved by a change: `GET` shows it, lists do not.
pub fn reserve(
    connection: &Connection,
    tenant: TenantKey,
    kind: ResourceKind,
    id: &ResourceId,
    body: Resource,
    change: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let columns = Columns::of(kind, Content { body, asked: None })?;
    // Only its id and its names are searched before it is recorded.
    let found_by_names = Columns { display_name: None, employee_number: None, active: None, ..columns };
    let key = insert(connection, tenant, id, &found_by_names, &Visible::Pending { change }, at)?;
    set_members(connection, tenant, key, &found_by_names)
}

/// Makes a resource, or makes the pending one real, at the end of the creation sequence.
pub fn create(
    connection: &Connection,
    tenant: TenantKey,
    kind: ResourceKind,
    id: &ResourceId,
    pending: Option<Row>,
    content: Content,
    at: Timestamp,
) -> Result<(), StoreError> {
    let columns = Columns::of(kind, content)?;
    let seq = count_one_more(connection, tenant, kind)?;
    let key = if let Some(row) = pending {
        make_visible(connection, row.key, seq, &columns, at)?;
        row.key
    } else {
        insert(connection, tenant, id, &columns, &Visible::Recorded { seq }, at)?
    };
    set_emails(connection, tenant, key, &columns.emails)?;
    set_members(connection, tenant, key, &columns)
}

/// A pending row is searched by nothing but its id and its names, so all the rest is written at once.
fn make_visible(
    connection: &Connection,
    key: i64,
    seq: i64,
    columns: &Columns,
    at: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE resources SET seq = ?2, pending = NULL, version = ?3, created_ms = ?4, modified_ms = ?4,
                 display = ?5, external_id = ?6, display_name_key = ?7, employee_number_key = ?8, active = ?9,
                 body = ?10, asked = ?11, stands_for = ?12
             WHERE key = ?1",
        )
        .and_then(|mut update| {
            update.execute(params![
                key,
                seq,
                signed(Version::FIRST.0),
                at.as_millisecond(),
                columns.display,
                columns.external_id,
                columns.display_name,
                columns.employee_number,
                columns.active,
                columns.body,
                columns.asked,
                columns.stands_for
            ])
        })
        .doing(WRITE)?;
    execute(connection, RENAME, params![key, columns.user_name])
}

/// Replaces the body of a recorded resource, a Group's members included, and moves its version.
pub fn replace(
    connection: &Connection,
    row: Row,
    version: Version,
    content: Content,
    at: Timestamp,
) -> Result<(), StoreError> {
    let columns = Columns::of(row.kind, content)?;
    revise_columns(connection, row, version, &columns, at)?;
    set_members(connection, row.tenant, row.key, &columns)
}

/// Replaces the body of a recorded resource and moves its version. A Group's members stay as they are.
pub fn revise(
    connection: &Connection,
    row: Row,
    version: Version,
    content: Content,
    at: Timestamp,
) -> Result<(), StoreError> {
    revise_columns(connection, row, version, &Columns::of(row.kind, content)?, at)
}

fn revise_columns(
    connection: &Connection,
    row: Row,
    version: Version,
    columns: &Columns,
    at: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE resources SET version = ?2, modified_ms = ?3 WHERE key = ?1")
        .and_then(|mut update| update.execute(params![row.key, signed(version.0), at.as_millisecond()]))
        .doing(WRITE)?;
    update(connection, row.key, columns)?;
    set_emails(connection, row.tenant, row.key, &columns.emails)
}

fn set_members(
    connection: &Connection,
    tenant: TenantKey,
    key: i64,
    columns: &Columns,
) -> Result<(), StoreError> {
    match columns.kind {
        ResourceKind::User => Ok(()),
        ResourceKind::Group => members::set(connection, tenant, key, &columns.members),
    }
}

/// Removes a recorded resource. Its links, memberships, members and addresses go with it (`ON DELETE
/// CASCADE`).
pub fn delete(connection: &Connection, row: Row) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM resources WHERE key = ?1")
        .and_then(|mut delete| delete.execute([row.key]))
        .doing("delete from resources")?;
    connection
        .prepare_cached("UPDATE resource_counts SET count = count - 1 WHERE tenant = ?1 AND kind = ?2")
        .and_then(|mut update| update.execute(params![row.tenant.0, kind_key(row.kind)]))
        .doing("write resource_counts")?;
    Ok(())
}

/// Removes what a change has reserved. Whether it has reserved anything.
pub fn withdraw(
    connection: &Connection,
    tenant: TenantKey,
    kind: ResourceKind,
    id: &str,
    change: &str,
) -> Result<bool, StoreError> {
    connection
        .prepare_cached("DELETE FROM resources WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND pending = ?4")
        .and_then(|mut delete| delete.execute(params![tenant.0, kind_key(kind), id, change]))
        .map(|removed| removed > 0)
        .doing("delete from resources")
}

/// Counts a resource and answers its number in the creation sequence.
fn count_one_more(connection: &Connection, tenant: TenantKey, kind: ResourceKind) -> Result<i64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO resource_counts (tenant, kind, count, last_seq) VALUES (?1, ?2, 1, 1)
             ON CONFLICT (tenant, kind) DO UPDATE SET count = count + 1, last_seq = last_seq + 1
             RETURNING last_seq",
        )
        .and_then(|mut upsert| upsert.query_row(params![tenant.0, kind_key(kind)], |row| row.get(0)))
        .doing("write resource_counts")
}

/// Whether lists show a new row.
enum Visible<'a> {
    Pending { change: &'a str },
    Recorded { seq: i64 },
}

fn insert(
    connection: &Connection,
    tenant: TenantKey,
    id: &ResourceId,
    columns: &Columns,
    visible: &Visible<'_>,
    at: Timestamp,
) -> Result<i64, StoreError> {
    let (seq, pending, version) = match visible {
        Visible::Pending { change } => (None, Some(*change), 0),
        Visible::Recorded { seq } => (Some(*seq), None, signed(Version::FIRST.0)),
    };
    connection
        .prepare_cached(
            "INSERT INTO resources (tenant, kind, id, seq, pending, version, created_ms, modified_ms, display,
                 user_name_key, external_id, display_name_key, employee_number_key, active, body, asked, stands_for)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )
        .and_then(|mut insert| {
            insert.insert(params![
                tenant.0,
                kind_key(columns.kind),
                id.as_str(),
                seq,
                pending,
                version,
                at.as_millisecond(),
                columns.display,
                columns.user_name,
                columns.external_id,
                columns.display_name,
                columns.employee_number,
                columns.active,
                columns.body,
                columns.asked,
                columns.stands_for
            ])
        })
        .doing(WRITE)
}

/// Writes the body, and what it is searched by where that differs: an index that is not touched is not written.
fn update(connection: &Connection, key: i64, columns: &Columns) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE resources SET display = ?2, body = ?3, asked = ?4 WHERE key = ?1")
        .and_then(|mut update| update.execute(params![key, columns.display, columns.body, columns.asked]))
        .doing(WRITE)?;
    for (sql, value) in [
        (RENAME, columns.user_name.to_sql()),
        (
            "UPDATE resources SET external_id = ?2 WHERE key = ?1 AND external_id IS NOT ?2",
            columns.external_id.to_sql(),
        ),
        (
            "UPDATE resources SET display_name_key = ?2 WHERE key = ?1 AND display_name_key IS NOT ?2",
            columns.display_name.to_sql(),
        ),
        (
            "UPDATE resources SET employee_number_key = ?2 WHERE key = ?1 AND employee_number_key IS NOT ?2",
            columns.employee_number.to_sql(),
        ),
        ("UPDATE resources SET active = ?2 WHERE key = ?1 AND active IS NOT ?2", columns.active.to_sql()),
    ] {
        execute(connection, sql, params![key, value.doing(WRITE)?])?;
    }
    if columns.kind == ResourceKind::Group {
        let sql = "UPDATE resources SET stands_for = ?2 WHERE key = ?1 AND stands_for IS NOT ?2";
        execute(connection, sql, params![key, columns.stands_for])?;
    }
    Ok(())
}

fn execute(connection: &Connection, sql: &'static str, params: impl Params) -> Result<(), StoreError> {
    connection.prepare_cached(sql).and_then(|mut write| write.execute(params)).map(|_| ()).doing(WRITE)
}

/// What a body is searched by, and the body as it is stored.
struct Columns {
    kind: ResourceKind,
    display: Option<String>,
    user_name: Option<String>,
    external_id: Option<String>,
    display_name: Option<String>,
    employee_number: Option<String>,
    active: Option<bool>,
    emails: Vec<String>,
    members: Vec<Sent>,
    body: String,
    asked: Option<String>,
    stands_for: Option<String>,
}

impl Columns {
    fn of(kind: ResourceKind, Content { mut body, asked }: Content) -> Result<Self, StoreError> {
        let members = match kind {
            ResourceKind::User => Vec::new(),
            ResourceKind::Group => body.as_map_mut().shift_remove("members").map(sent).unwrap_or_default(),
        };
        let user = kind == ResourceKind::User;
        let user_name = body.user_name().filter(|_| user);
        Ok(Self {
            kind,
            display: body.display_name().or(user_name).map(str::to_owned),
            user_name: user_name.map(fold),
            external_id: body.external_id().map(str::to_owned),
            display_name: body.display_name().map(fold),
            employee_number: body
                .get(ENTERPRISE_USER_URN)
                .and_then(|enterprise| enterprise.get("employeeNumber"))
                .and_then(Value::as_str)
                .map(fold),
            active: user.then(|| body.active()),
            emails: body
                .get("emails")
                .cloned()
                .map(values)
                .unwrap_or_default()
                .iter()
                .map(|email| fold(email))
                .collect(),
            members,
            stands_for: stands_for(&body).filter(|_| !user).transpose()?,
            asked,
            body: to_json("resources", "a resource", &body)?,
        })
    }
}

/// What the body of a Group says that it stands for, checked, so that it can be read again.
fn stands_for(body: &Resource) -> Option<Result<String, StoreError>> {
    let what = "what a group stands for";
    let said = body.get(GANGWAY_GROUP_URN)?.get("standsFor").filter(|said| !said.is_null())?;
    let said = StandsFor::deserialize(said).map_err(|source| StoreError::corrupt("resources", what, source));
    Some(said.and_then(|said| to_json("resources", what, &said)))
}

/// The members that a body names.
fn sent(elements: Value) -> Vec<Sent> {
    let Value::Array(elements) = elements else { return Vec::new() };
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    elements
        .into_iter()
        .filter_map(|mut element| {
            let mut take = |name| element.get_mut(name).map(Value::take).and_then(text);
            Some(Sent { id: take("value")?, display: take("display") })
        })
        .collect()
}

/// The `value` of each element.
fn values(elements: Value) -> Vec<String> {
    let Value::Array(elements) = elements else { return Vec::new() };
    elements
        .into_iter()
        .filter_map(|mut element| match element.get_mut("value").map(Value::take) {
            Some(Value::String(value)) => Some(value),
            _ => None,
        })
        .collect()
}

fn set_emails(
    connection: &Connection,
    tenant: TenantKey,
    key: i64,
    emails: &[String],
) -> Result<(), StoreError> {
    let doing = "write resource_emails";
    let mut select = connection
        .prepare_cached("SELECT email_key FROM resource_emails WHERE resource = ?1")
        .doing(doing)?;
    let current: Vec<String> = select
        .query_map([key], |row| row.get(0))
        .and_then(Iterator::collect)
        .doing("read resource_emails")?;
    for gone in current.iter().filter(|email| !emails.contains(email)) {
        connection
            .prepare_cached("DELETE FROM resource_emails WHERE resource = ?1 AND email_key = ?2")
            .and_then(|mut delete| delete.execute(params![key, gone]))
            .doing(doing)?;
    }
    for new in emails.iter().filter(|email| !current.contains(email)) {
        // The same address may stand in the body twice, as work and as home.
        connection
            .prepare_cached(
                "INSERT INTO resource_emails (resource, tenant, email_key) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
            )
            .and_then(|mut insert| insert.execute(params![key, tenant.0, new]))
            .doing(doing)?;
    }
    Ok(())
}
