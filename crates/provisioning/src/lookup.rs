//! Finding the record that was there before, and what really became of one that may have been written.

use model::{OrgName, ResourceId, TenantId};
use planning::{Found, FoundRecord, MatchKey};
use salesforce_client::{CallError, Org, Purpose, soql};
use salesforce_types::{Fields, Link, RecordId};
use serde_json::{Map, Value};
use store::{Directory, StoreError};

use crate::{Tenant, users::Bound};

/// Why a look into the org came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Name(#[from] soql::NotAName),
}

/// More records than this are as ambiguous as two.
const CANDIDATES: u32 = 20;

/// Whoever holds one of these through a profile can lock everybody else out.
pub(crate) const FAR_REACHING: [&str; 2] = ["PermissionsModifyAllData", "PermissionsManageUsers"];

/// The records of the target's object that have the value of at least one key, with `fields` as they are in the org. Leads
/// that were converted are not among them: they stand for nobody any more.
///
/// One call; none without keys.
pub(crate) async fn look(
    bound: &Bound<'_>,
    directory: &(dyn Directory + '_),
    identity: &ResourceId,
    keys: &[MatchKey],
    fields: &[String],
    purpose: Purpose<'_>,
) -> Result<Found, LookError> {
    if keys.is_empty() {
        return Ok(Found::Records(Vec::new()));
    }
    let (org, tenant, object) = (bound.org, bound.tenant, &bound.target.object);
    let mut select: Vec<String> = vec!["Id".into()];
    for field in keys.iter().map(|key| &key.field).chain(fields) {
        if !select.iter().any(|known| known.eq_ignore_ascii_case(field)) {
            select.push(field.clone());
        }
    }
    if object == "User" {
        select.extend(FAR_REACHING.map(|permission| format!("Profile.{permission}")));
    }
    let names: Vec<&str> = select.iter().map(String::as_str).collect();
    let any = keys.iter().map(|key| soql::Condition::eq(&key.field, literal(&key.value)));
    let any = soql::Condition::Or(any.collect::<Result<_, _>>()?);
    let query = soql::Query::select(object, &names)?
        .where_(if object == "Lead" { soql::Condition::And(vec![any, not_converted()?]) } else { any })
        .order_by("Id", soql::Order::Ascending)?
        .limit(CANDIDATES);
    let rows = org.query(&query, purpose).await?;
    let us = if rows.is_empty() || object != "User" { None } else { Some(org.identity().await?.user_id) };
    let mut records = Vec::new();
    for row in rows {
        let Some(id) = row.get("Id").and_then(Value::as_str).and_then(|id| RecordId::parse(id).ok()) else {
            continue;
        };
        let protected = us.as_ref() == Some(&id) || is_protected(tenant, &id, &row);
        let linked_to = linked_to(directory, &tenant.id, identity, org.name(), &id).await?;
        records.push(FoundRecord { id, actual: row, protected, linked_to });
    }
    Ok(Found::Records(records))
}

fn not_converted() -> Result<soql::Condition, soql::NotAName> {
    soql::Condition::eq("IsConverted", false)
}

/// The other identity that a record of this org is linked to, if any.
pub(crate) async fn linked_to(
    directory: &(dyn Directory + '_),
    tenant: &TenantId,
    identity: &ResourceId,
    org: &OrgName,
    record: &RecordId,
) -> Result<Option<ResourceId>, StoreError> {
    let linked = directory.linked_in(tenant, org, record).await?;
    Ok(linked.filter(|other| other != identity))
}

/// The records with this name, as many as tell whether there are several.
pub(crate) async fn by_name(
    org: &Org,
    object: &str,
    name: &str,
    purpose: Purpose<'_>,
) -> Result<Vec<RecordId>, CallError> {
    let query = soql::Query::select(object, &["Id"])?
        .where_(soql::Condition::eq("Name", name)?)
        .order_by("Id", soql::Order::Ascending)?
        .limit(CANDIDATES);
    Ok(ids(&org.query(&query, purpose).await?))
}

/// The leads with this key, converted ones too.
pub(crate) async fn leads(
    org: &Org,
    key: &MatchKey,
    purpose: Purpose<'_>,
) -> Result<Vec<RecordId>, CallError> {
    let query = soql::Query::select("Lead", &["Id"])?
        .where_(soql::Condition::eq(&key.field, literal(&key.value))?)
        .order_by("Id", soql::Order::Ascending)?
        .limit(CANDIDATES);
    Ok(ids(&org.query(&query, purpose).await?))
}

fn ids(rows: &[Map<String, Value>]) -> Vec<RecordId> {
    rows.iter().filter_map(|row| RecordId::parse(row.get("Id")?.as_str()?).ok()).collect()
}

fn literal(value: &Value) -> soql::Literal {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Number(number) if number.is_i64() => number.as_i64().unwrap_or_default().into(),
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

/// Holders of far-reaching permissions, and whom the tenant names (design: protected users).
fn is_protected(tenant: &Tenant, id: &RecordId, row: &Map<String, Value>) -> bool {
    is_far_reaching(row) || names(tenant, id, row.get("Username"))
}

/// Whether a User's profile gives him far-reaching permissions.
pub(crate) fn is_far_reaching(row: &Map<String, Value>) -> bool {
    let profile = row.get("Profile");
    FAR_REACHING
        .iter()
        .any(|permission| profile.and_then(|profile| profile.get(*permission)) == Some(&Value::Bool(true)))
}

/// Whether the tenant names the record of a link among those that no door may change.
pub(crate) fn is_named(tenant: &Tenant, link: &Link) -> bool {
    names(tenant, &link.record_id, link.written.get("Username"))
}

/// Whether the tenant names a User among those that no door may change.
pub(crate) fn names(tenant: &Tenant, id: &RecordId, username: Option<&Value>) -> bool {
    let username = username.and_then(Value::as_str).unwrap_or_default();
    tenant.protected.iter().any(|protected| {
        protected.eq_ignore_ascii_case(username) || RecordId::parse(protected).is_ok_and(|named| named == *id)
    })
}

/// What the org has in these fields now; `None` when the record is not there.
pub(crate) async fn read_back(
    org: &Org,
    object: &str,
    id: &RecordId,
    fields: &Fields,
    purpose: Purpose<'_>,
) -> Result<Option<Fields>, CallError> {
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    let row = org.read(object, id, &names, purpose).await?;
    Ok(row.map(|row| {
        fields.keys().map(|field| (field.clone(), row.get(field).cloned().unwrap_or_default())).collect()
    }))
}

/// Names the subject of a hold without saying it: SHA-256 of the folded userName within its tenant, in hex.
pub(crate) fn subject(tenant: &TenantId, user_name: &str) -> String {
    let mut text = tenant.to_string();
    text.push('\0');
    text.push_str(&scim_types::fold(user_name));
    crate::fingerprint::hex(&crate::fingerprint::sha256(text.as_bytes()))
}
