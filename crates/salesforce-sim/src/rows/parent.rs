//! `{"Manager": {"Username": "ada@example.com"}}`: a reference by a key of the other record.

use serde_json::{Map, Value};

use crate::{
    cell::Cell,
    errors::{Refusal, Refusals},
    org::Org,
    schema::{Field, Object},
    values,
};

/// The value of `field` for what a body says of its relationship.
pub(super) fn by_key(
    org: &Org,
    object: &Object,
    field: &Field,
    parent: &Value,
    body: &Map<String, Value>,
) -> Result<Cell, Refusals> {
    let relationship = field.relationship.as_deref().unwrap_or_default();
    let refuse = |message: String| Err(vec![Refusal::call(400, "INVALID_FIELD", message)]);
    if body.keys().any(|name| name.eq_ignore_ascii_case(&field.name)) {
        return refuse(format!(
            "Cannot specify both an external ID reference {relationship} and a salesforce id, {}",
            field.name
        ));
    }
    let parent = match parent {
        Value::Null => return Ok(Cell::Null),
        Value::Object(parent) => parent,
        _ => return Err(vec![Refusal::no_such_column(relationship, &object.name)]),
    };
    let target = target(org, field, parent)?;
    let mut keys = parent.iter().filter(|(name, _)| *name != "attributes");
    let (Some((name, value)), None) = (keys.next(), keys.next()) else {
        return refuse(format!(
            "More than one field provided in an External Foreign Key reference in entity {}",
            target.name
        ));
    };
    let Some(key) = target.field(name) else { return Err(vec![Refusal::no_such_column(name, &target.name)]) };
    if !key.is_key() {
        return refuse(format!(
            "Field name provided, {name} is not an External ID or indexed field for {}",
            target.name
        ));
    }
    let text = match value {
        Value::Null => return Ok(Cell::Null),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    find(org, target, key, &text)
}

/// The object that the relationship leads to; a polymorphic one has to say which.
fn target<'a>(org: &'a Org, field: &Field, parent: &Map<String, Value>) -> Result<&'a Object, Refusals> {
    let named = parent.get("attributes").and_then(|a| a.get("type")).and_then(Value::as_str);
    let name = match (named, field.reference_to.as_slice()) {
        (Some(name), targets) => targets.iter().find(|target| target.eq_ignore_ascii_case(name)),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let object = name.and_then(|name| org.schema.object(name));
    object.map(std::convert::AsRef::as_ref).ok_or_else(|| {
        let message = match named {
            Some(name) => format!("{name} is not a type that {} can refer to", field.name),
            None => format!(
                "The relationship of {} leads to several types: attributes.type is required",
                field.name
            ),
        };
        vec![Refusal::call(400, "INVALID_FIELD", message)]
    })
}

fn find(org: &Org, target: &Object, key: &Field, text: &str) -> Result<Cell, Refusals> {
    let table = org.table(target);
    let cell = values::from_text(key, text);
    let ids: Vec<Cell> = table
        .find(key.index, &cell)
        .into_iter()
        .filter_map(|slot| Some(table.row(slot)?.get(0).clone()))
        .collect();
    match ids.as_slice() {
        [id] => Ok(id.clone()),
        [] => {
            let message = format!(
                "Foreign key external ID: {text} not found for field {} in entity {}",
                key.name, target.name
            );
            Err(vec![Refusal::call(400, "INVALID_FIELD", message)])
        }
        several => {
            let ids: Vec<String> = several.iter().filter_map(Cell::as_id).map(|id| id.to_string()).collect();
            let message = format!("more than one record found for external id field: [{}]", ids.join(", "));
            Err(vec![Refusal::record("DUPLICATE_EXTERNAL_ID", message, &[])])
        }
    }
}
