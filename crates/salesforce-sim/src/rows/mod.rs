//! The rules that hold for every record: what a body may say, what a field may hold, what a
//! reference may point to. What single objects add is in [`crate::rules`].

mod delete;
mod merge;
mod mixed;
mod parent;
mod undelete;

use std::sync::Arc;

pub(crate) use delete::delete;
pub(crate) use merge::merge;
pub(crate) use mixed::Written;
use serde_json::{Map, Value};
pub(crate) use undelete::undelete;

use crate::{
    automation::{self, Event},
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    locks,
    org::{Actor, Org},
    permissions,
    request::Headers,
    rules::{self, Write},
    schema::Object,
    values::{self, Source},
};

/// A body after it was read against the object: what is to be written, by field number.
struct Sent {
    cells: Vec<(usize, Cell)>,
    /// Named in the body, but not to be written by this operation.
    not_writable: Vec<String>,
    /// Ids that are no ids.
    malformed: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Create,
    Update,
}

/// Creates a record and hands back its id.
pub(crate) fn create(
    org: &mut Org,
    object: &Arc<Object>,
    body: &Map<String, Value>,
    source: Source<'_>,
    headers: &Headers,
    actor: Actor,
) -> Result<Id, Refusals> {
    if !object.createable {
        let message = format!("entity type cannot be inserted: {}", object.label);
        return Err(vec![Refusal::record("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message, &[])]);
    }
    locks::check(org, object, None, body)?;
    let sent = read_body(org, object, body, source, Operation::Create)?;
    let mut row = Row::default();
    for field in &object.fields {
        row.set(field.index, field.default.clone());
    }
    save(org, object, None, row, sent, headers, actor)
}

/// Changes what `body` names in the record `id`, which must be there.
pub(crate) fn update(
    org: &mut Org,
    object: &Arc<Object>,
    id: Id,
    body: &Map<String, Value>,
    source: Source<'_>,
    headers: &Headers,
    actor: Actor,
) -> Result<(), Refusals> {
    if !object.updateable {
        let message = format!("entity type cannot be updated: {}", object.label);
        return Err(vec![Refusal::record("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message, &[])]);
    }
    let Some(row) = org.table(object).get(id).map(|row| Row::clone(row)) else {
        return Err(vec![Refusal::gone(org, object, id, actor.now)]);
    };
    locks::check(org, object, Some(id), body)?;
    let sent = read_body(org, object, body, source, Operation::Update)?;
    save(org, object, Some(&row.clone()), row, sent, headers, actor).map(|_| ())
}

/// Adds a record that Salesforce makes by itself, or that was there before the org file was read: no rule is asked.
pub(crate) fn add(org: &mut Org, object: &str, id: Option<Id>, cells: &[(&str, Cell)], actor: Actor) -> Id {
    let object = Arc::clone(&org.table_of(object).object);
    let mut row = Row::default();
    for field in &object.fields {
        row.set(field.index, field.default.clone());
    }
    for (name, cell) in cells {
        row.set(object.at(name), cell.clone());
    }
    let at = Cell::Time(org.stamp(actor.now));
    let by = Cell::Id(actor.user);
    for (name, cell) in [
        ("CreatedDate", &at),
        ("LastModifiedDate", &at),
        ("SystemModstamp", &at),
        ("CreatedById", &by),
        ("LastModifiedById", &by),
    ] {
        if let Some(field) = object.field(name) {
            row.set(field.index, cell.clone());
        }
    }
    let id = id.unwrap_or_else(|| org.new_id(&object));
    row.set(0, Cell::Id(id));
    org.insert(&object, row);
    id
}

/// Checks and writes `row` with what was `sent`; `before` is what it was, `None` for a new record.
fn save(
    org: &mut Org,
    object: &Arc<Object>,
    before: Option<&Row>,
    mut row: Row,
    sent: Sent,
    headers: &Headers,
    actor: Actor,
) -> Result<Id, Refusals> {
    check_writable(&sent)?;
    let operation = if before.is_none() { Operation::Create } else { Operation::Update };
    let named: Vec<usize> = sent.cells.iter().map(|(field, _)| *field).collect();
    for (field, cell) in sent.cells {
        row.set(field, cell);
    }
    let id = before.and_then(|before| before.get(0).as_id());
    permissions::check_write(org, object, id, &named, actor.user)?;
    let write = Write { object, before, named: &named, actor, headers };
    let rules = rules::of(object);
    rules.complete(org, &mut row, &write)?;
    mixed::check(org, object, before, Some(&row))?;
    check_required(object, &row, &named, operation)?;
    check_values(object, &row, &named)?;
    rules.check_syntax(org, &row, &write)?;
    check_references(org, object, &row, &named)?;
    let event = if before.is_none() { Event::Insert } else { Event::Update };
    automation::check(org, object, &row, event, actor)?;
    check_unique(org, object, &row, before)?;
    rules.check(org, &row, &write)?;
    let id = before.and_then(|before| before.get(0).as_id()).unwrap_or_else(|| org.new_id(object));
    row.set(0, Cell::Id(id));
    stamp(org, object, &mut row, operation, actor);
    if before.is_none() {
        org.insert(object, row.clone());
    } else {
        org.replace(object, row.clone());
    }
    rules.saved(org, &row, &write)?;
    Ok(id)
}

fn read_body(
    org: &Org,
    object: &Arc<Object>,
    body: &Map<String, Value>,
    source: Source<'_>,
    operation: Operation,
) -> Result<Sent, Refusals> {
    let mut sent = Sent { cells: Vec::new(), not_writable: Vec::new(), malformed: Vec::new() };
    for (name, value) in body {
        if name == "attributes" {
            continue;
        }
        if name.eq_ignore_ascii_case("Id") {
            let message = "The Id field should not be specified in the sobject data.";
            return Err(vec![Refusal::call(400, "INVALID_FIELD", message)]);
        }
        let (field, cell) = match (object.field(name), object.relationship(name), value) {
            (Some(field), _, value) => (field, values::read(field, value, source, &org.switches)?),
            (None, Some(field), value) => (field, parent::by_key(org, object, field, value, body)?),
            _ => return Err(vec![Refusal::no_such_column(name, &object.name)]),
        };
        let writable = if operation == Operation::Create { field.createable } else { field.updateable };
        if !writable {
            sent.not_writable.push(field.name.clone());
        } else if let (true, Cell::Text(text)) = (field.kind.is_id(), &cell) {
            sent.malformed.push(text.to_string());
        } else {
            sent.cells.push((field.index, cell));
        }
    }
    Ok(sent)
}

fn check_writable(sent: &Sent) -> Result<(), Refusals> {
    if !sent.not_writable.is_empty() {
        let message = format!(
            "Unable to create/update fields: {}. Please check the security settings of this field and verify \
             that it is read/write for your profile or permission set.",
            sent.not_writable.join(", ")
        );
        let fields: Vec<&str> = sent.not_writable.iter().map(String::as_str).collect();
        return Err(vec![Refusal::record("INVALID_FIELD_FOR_INSERT_UPDATE", message, &fields)]);
    }
    match sent.malformed.first() {
        Some(text) => Err(vec![Refusal::malformed_id(text)]),
        None => Ok(()),
    }
}

/// One error names every required field that is missing, in the order of the object.
fn check_required(object: &Object, row: &Row, named: &[usize], operation: Operation) -> Result<(), Refusals> {
    let missing: Vec<&str> = object
        .visible_fields()
        .filter(|field| match operation {
            Operation::Create => field.required(),
            Operation::Update => named.contains(&field.index) && !field.nillable,
        })
        .filter(|field| field.kind != crate::schema::Kind::Boolean && row.get(field.index).is_null())
        .map(|field| field.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", missing.join(", "));
    Err(vec![Refusal::record("REQUIRED_FIELD_MISSING", message, &missing)])
}

/// Lengths, restricted picklists, e-mail addresses: one error for each field that is wrong.
fn check_values(object: &Object, row: &Row, named: &[usize]) -> Result<(), Refusals> {
    let refusals: Refusals = named
        .iter()
        .map(|field| &object.fields[*field])
        .filter_map(|field| values::check(field, row.get(field.index)))
        .collect();
    if refusals.is_empty() { Ok(()) } else { Err(refusals) }
}

/// `MALFORMED_ID` for an id of the wrong object, `INVALID_CROSS_REFERENCE_KEY` for one of the right
/// object that does not exist.
fn check_references(org: &Org, object: &Object, row: &Row, named: &[usize]) -> Result<(), Refusals> {
    for field in named.iter().map(|field| &object.fields[*field]).filter(|field| field.kind.is_id()) {
        let Some(id) = row.get(field.index).as_id() else { continue };
        let fits = |target: &&String| org.schema.prefix_of(target) == Some(id.prefix());
        let Some(target) = field.reference_to.iter().find(fits) else {
            let message = format!("{}: id value of incorrect type: {id}", field.label);
            return Err(vec![Refusal::record("MALFORMED_ID", message, &[&field.name])]);
        };
        let known = org.schema.object(target).is_some_and(|target| org.table(target).get(id).is_some());
        if !known {
            return Err(vec![Refusal::invalid_reference()]);
        }
    }
    Ok(())
}

/// Unique fields. Usernames and nicknames have words of their own.
fn check_unique(org: &Org, object: &Object, row: &Row, before: Option<&Row>) -> Result<(), Refusals> {
    let own = before.map(|before| before.get(0).clone());
    let table = org.table(object);
    for field in object.fields.iter().filter(|field| field.unique) {
        let value = row.get(field.index);
        if value.is_null() || before.is_some_and(|before| before.get(field.index) == value) {
            continue;
        }
        let slots = table.find(field.index, value);
        let other =
            slots.iter().filter_map(|slot| table.row(*slot)).find(|other| Some(other.get(0)) != own.as_ref());
        let other = other.and_then(|other| other.get(0).as_id());
        if let Some(refusal) = rules::of(object).duplicate(org, field, value, other) {
            return Err(vec![refusal]);
        }
        let Some(other) = other else { continue };
        let message = if field.custom || org.switches.name_duplicates {
            format!(
                "duplicate value found: {} duplicates value on record with id: {}",
                field.name,
                other.short()
            )
        } else {
            "duplicate value found: <unknown> duplicates value on record with id: <unknown>".to_owned()
        };
        return Err(vec![Refusal::record("DUPLICATE_VALUE", message, &[])]);
    }
    Ok(())
}

/// The system fields, at whole seconds, never before an earlier write.
fn stamp(org: &mut Org, object: &Object, row: &mut Row, operation: Operation, actor: Actor) {
    let at = Cell::Time(org.stamp(actor.now));
    let by = Cell::Id(actor.user);
    let mut set = |name: &str, cell: &Cell| {
        if let Some(field) = object.field(name) {
            row.set(field.index, cell.clone());
        }
    };
    if operation == Operation::Create {
        set("CreatedDate", &at);
        set("CreatedById", &by);
    }
    set("LastModifiedDate", &at);
    set("LastModifiedById", &by);
    set("SystemModstamp", &at);
}

/// The system fields of a change that no caller asked for.
pub(crate) fn stamp_update(org: &mut Org, object: &Object, row: &mut Row, actor: Actor) {
    stamp(org, object, row, Operation::Update, actor);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::org_file::OrgFile;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[a-zA-Z0-9]{15,18}".prop_map(Value::from),
            Just(json!("ada@example.com")),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::hash_map("[a-zA-Z]{1,8}|Username|attributes|type", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// A body of any JSON is a record or a refusal, and a refusal leaves nothing behind.
        #[test]
        fn no_body_is_a_panic(
            values in proptest::collection::vec((0_usize..120, value()), 0..12),
            update in any::<bool>(),
        ) {
            let mut org = OrgFile::read(None).unwrap().build(1, 0).unwrap();
            let user = Arc::clone(&org.table_of("User").object);
            let name = |n: usize| user.fields.get(n).map_or("Manager", |field| field.name.as_str()).to_owned();
            let body: Map<String, Value> = values.into_iter().map(|(n, value)| (name(n), value)).collect();
            let actor = Actor { user: org.run_as, now: 1 };
            let id = org.run_as;
            let before = org.table(&user).len();
            let done = if update {
                super::update(&mut org, &user, id, &body, Source(""), &Headers::default(), actor)
            } else {
                create(&mut org, &user, &body, Source(""), &Headers::default(), actor).map(|_| ())
            };
            match done {
                Ok(()) => prop_assert!(update || org.table(&user).len() == before + 1),
                Err(refusals) => {
                    prop_assert!(!refusals.is_empty());
                    prop_assert_eq!(org.table(&user).len(), before);
                }
            }
        }
    }
}
