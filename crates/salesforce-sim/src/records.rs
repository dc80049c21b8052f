//! Records as JSON.

use serde_json::{Map, Value, json};

use crate::{
    cell::{Cell, Row},
    schema::{Field, Kind, Object},
};

/// `{"type": "User", "url": "/services/data/v66.0/sobjects/User/005..."}`
pub(crate) fn attributes(object: &Object, row: &Row, version: u16) -> Value {
    let mut attributes = Map::with_capacity(2);
    attributes.insert("type".into(), Value::String(object.name.clone()));
    let url = match row.get(0).as_id() {
        Some(id) => format!("/services/data/v{version}.0/sobjects/{}/{id}", object.name),
        None => format!("/services/data/v{version}.0/sobjects/{}", object.name),
    };
    attributes.insert("url".into(), Value::String(url));
    Value::Object(attributes)
}

/// The value of one field. Compound addresses are made of their parts.
pub(crate) fn field(object: &Object, row: &Row, field: &Field) -> Value {
    match (field.kind, row.get(field.index)) {
        (Kind::Boolean, Cell::Null) => Value::Bool(false),
        (Kind::Address, _) => address(object, row, field.name.trim_end_matches("Address")),
        (_, cell) => cell.to_json(),
    }
}

/// `Mailing` for the parts of `MailingAddress`; a User has one address without such a prefix.
fn address(object: &Object, row: &Row, prefix: &str) -> Value {
    let parts = [
        "City",
        "Country",
        "CountryCode",
        "GeocodeAccuracy",
        "Latitude",
        "Longitude",
        "PostalCode",
        "State",
        "StateCode",
        "Street",
    ];
    let mut address = Map::new();
    let mut empty = true;
    for part in parts {
        let field = object.field(&format!("{prefix}{part}"));
        if field.is_none() && part.ends_with("Code") && part != "PostalCode" {
            // Only orgs with picklists of states and countries have codes.
            continue;
        }
        let value = field.map_or(Value::Null, |field| row.get(field.index).to_json());
        empty &= value.is_null();
        let name = part[..1].to_lowercase() + &part[1..];
        address.insert(name, value);
    }
    if empty { Value::Null } else { json!(address) }
}

/// A whole record, or the named fields and `Id`, `attributes` first.
pub(crate) fn record(
    object: &Object,
    row: &Row,
    fields: Option<&[&Field]>,
    version: u16,
) -> Map<String, Value> {
    let mut record = Map::with_capacity(object.fields.len() + 1);
    record.insert("attributes".into(), attributes(object, row, version));
    match fields {
        None => {
            for each in object.visible_fields() {
                record.insert(each.name.clone(), field(object, row, each));
            }
        }
        Some(fields) => {
            for each in fields {
                record.insert(each.name.clone(), field(object, row, each));
            }
            record.entry("Id").or_insert_with(|| row.get(0).to_json());
        }
    }
    record
}
