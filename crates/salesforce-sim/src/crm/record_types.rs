//! Record types: kinds of records of one object, each for the users of some profiles.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    org::Org,
    rules::Write,
    schema::Object,
};

/// The record type of records that have none.
const MASTER: &str = "012000000000000AAA";
const FIELD: &str = "RecordTypeId";

/// A record type, as the org file names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RecordType {
    pub(crate) object: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) developer_name: Option<String>,
    #[serde(default = "yes")]
    pub(crate) active: bool,
    /// What a new record gets.
    #[serde(default)]
    pub(crate) default: bool,
    /// Whose users may choose it; without any everybody's.
    #[serde(default)]
    pub(crate) profiles: Vec<String>,
}

fn yes() -> bool {
    true
}

/// For whom a record type of the org is.
#[derive(Clone, Debug)]
pub(crate) struct Assigned {
    pub(crate) profiles: Vec<Id>,
    pub(crate) default: bool,
}

/// A new record has the default type of the running user's profile, and a type that the body names must be
/// one that the user may choose.
pub(crate) fn complete(org: &Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
    let Some(field) = write.object.field(FIELD) else { return Ok(()) };
    if write.before.is_none() && row.get(field.index).is_null() {
        let mut choices = choices(org, write.object, write.actor.user);
        let default =
            choices.find(|(_, _, assigned)| assigned.default).map(|(id, ..)| id).or(Id::parse(MASTER));
        row.set(field.index, default.map_or(Cell::Null, Cell::Id));
        return Ok(());
    }
    let Some(id) = row.get(field.index).as_id().filter(|_| write.named.contains(&field.index)) else {
        return Ok(());
    };
    if choices(org, write.object, write.actor.user).any(|(choice, ..)| choice == id) {
        return Ok(());
    }
    let message = format!("Record Type ID: this ID value isn't valid for the user: {id}");
    Err(vec![Refusal::record("INVALID_CROSS_REFERENCE_KEY", message, &[FIELD])])
}

/// The active record types of an object that a user may choose.
fn choices<'a>(
    org: &'a Org,
    object: &'a Object,
    user: Id,
) -> impl Iterator<Item = (Id, &'a Row, &'a Assigned)> {
    let users = org.table_of("User");
    let profile = users.get(user).and_then(|row| row.get(org.user_fields.profile).as_id());
    of(org, object).filter(move |(_, row, assigned)| {
        row.get(org.table_of("RecordType").object.at("IsActive")).as_bool()
            && (assigned.profiles.is_empty() || profile.is_some_and(|id| assigned.profiles.contains(&id)))
    })
}

fn of<'a>(org: &'a Org, object: &'a Object) -> impl Iterator<Item = (Id, &'a Row, &'a Assigned)> {
    let table = org.table_of("RecordType");
    let kind = table.object.at("SobjectType");
    table.iter().filter_map(move |(_, row)| {
        let id = row.get(0).as_id()?;
        let is_of = row.get(kind).as_text() == Some(object.name.as_str());
        Some((id, row.as_ref(), org.crm.record_types.get(&id)?)).filter(|_| is_of)
    })
}

/// `recordTypeInfos` of a describe: the object's types and, last, that of records without one.
pub(crate) fn infos(org: &Org, object: &Object, user: Id, version: u16) -> Vec<Value> {
    let table = &org.table_of("RecordType").object;
    let available: Vec<Id> = choices(org, object, user).map(|(id, ..)| id).collect();
    let default = choices(org, object, user).find(|(_, _, assigned)| assigned.default).map(|(id, ..)| id);
    let info = |id: &str, name: &str, developer_name: &str, flags: [bool; 4]| {
        let [active, available, default, master] = flags;
        json!({
            "active": active,
            "available": available,
            "defaultRecordTypeMapping": default,
            "developerName": developer_name,
            "master": master,
            "name": name,
            "recordTypeId": id,
            "urls": {"layout": format!("/services/data/v{version}.0/sobjects/{}/describe/layouts/{id}", object.name)},
        })
    };
    let own = of(org, object).map(|(id, row, _)| {
        let text = |name: &str| row.get(table.at(name)).as_text().unwrap_or_default();
        let active = row.get(table.at("IsActive")).as_bool();
        let flags = [active, available.contains(&id), default == Some(id), false];
        info(&id.to_string(), text("Name"), text("DeveloperName"), flags)
    });
    let mut infos: Vec<Value> = own.collect();
    infos.push(info(MASTER, "Master", "Master", [true, true, default.is_none(), true]));
    infos
}
