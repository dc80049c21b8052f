//! Deleting a record: what forbids it, what goes with it, and what the recycle bin keeps.

use std::sync::Arc;

use serde_json::Map;

use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    locks,
    org::{Actor, Org},
    rules,
    schema::{Field, Object, OnDelete},
};

/// Deletes a record, which must be there.
pub(crate) fn delete(org: &mut Org, object: &Arc<Object>, id: Id, actor: Actor) -> Result<(), Refusals> {
    if !object.deletable {
        let message = format!("entity type cannot be deleted: {}", object.label);
        return Err(vec![Refusal::record("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message, &[])]);
    }
    let Some(row) = org.table(object).get(id).cloned() else {
        return Err(vec![Refusal::gone(org, object, id, actor.now)]);
    };
    locks::check(org, object, Some(id), &Map::new())?;
    let rules = rules::of(object);
    rules.check_delete(org, &row, actor)?;
    if references(org, object, id).any(|(_, field, _)| field.on_delete != OnDelete::Cascade) {
        let message =
            format!("Your attempt to delete {} could not be completed because it is in use.", object.label);
        return Err(vec![Refusal::record("DELETE_FAILED", message, &[])]);
    }
    bury(org, object, &row, actor);
    rules.deleted(org, &row, actor);
    Ok(())
}

/// Every record that refers to `id`, with the field by which it does.
fn references<'a>(
    org: &'a Org,
    object: &'a Object,
    id: Id,
) -> impl Iterator<Item = (&'a Arc<Object>, &'a Field, &'a Arc<Row>)> {
    let all =
        org.schema.objects.iter().flat_map(|other| other.fields.iter().map(move |field| (other, field)));
    let fields = all.filter(|(_, field)| field.reference_to.contains(&object.name));
    fields.flat_map(move |(other, field)| {
        let table = org.table(other);
        let rows: Vec<&Arc<Row>> = if table.is_indexed(field.index) {
            table.find(field.index, &Cell::Id(id)).into_iter().filter_map(|slot| table.row(slot)).collect()
        } else {
            table.iter().map(|(_, row)| row).filter(|row| row.get(field.index).as_id() == Some(id)).collect()
        };
        rows.into_iter().map(move |row| (other, field, row))
    })
}

/// Objects that can be undeleted keep the record as it was, marked as deleted; of others only the id and
/// the time are known.
fn bury(org: &mut Org, object: &Object, row: &Row, actor: Actor) {
    let Some(id) = row.get(0).as_id() else { return };
    let at = org.stamp(actor.now);
    let kept = object.field("IsDeleted").filter(|_| object.undeletable).map(|is_deleted| {
        let mut row = row.clone();
        row.set(is_deleted.index, Cell::Bool(true));
        for (name, cell) in [
            ("LastModifiedDate", Cell::Time(at)),
            ("LastModifiedById", Cell::Id(actor.user)),
            ("SystemModstamp", Cell::Time(at)),
        ] {
            if let Some(field) = object.field(name) {
                row.set(field.index, cell);
            }
        }
        row
    });
    org.bury(object, id, at, kept);
}
