//! Deleting a record: what forbids it, what goes with it, and what the recycle bin keeps.

use std::sync::Arc;

use serde_json::Map;

use super::mixed;
use crate::{
    automation::{self, Event},
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    locks,
    org::{Actor, Org},
    permissions, rules,
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
    permissions::check_write(org, object, None, &[], actor.user)?;
    mixed::check(org, object, Some(&row), None)?;
    automation::check(org, object, &row, Event::Delete, actor)?;
    delete_with_children(org, object, &row, id, actor)
}

/// Deletes a record with those that cannot be without it.
fn delete_with_children(
    org: &mut Org,
    object: &Arc<Object>,
    row: &Row,
    id: Id,
    actor: Actor,
) -> Result<(), Refusals> {
    let rules = rules::of(object);
    rules.check_delete(org, row, actor)?;
    let mut children = Vec::new();
    for (other, field, child) in references(org, object, id) {
        match consequence(object, field) {
            OnDelete::Block => return Err(vec![in_use(object)]),
            OnDelete::Restrict => return Err(vec![restricted(org, object, row, other, field, id)]),
            OnDelete::Cascade => children.push((Arc::clone(other), None, Arc::clone(child))),
            OnDelete::Clear => children.push((Arc::clone(other), Some(field.index), Arc::clone(child))),
        }
    }
    // First the record itself: rules of children let go what has lost its owner.
    bury(org, object, row, actor);
    for (other, cleared, child) in children {
        let Some(child_id) = child.get(0).as_id() else { continue };
        // It may be gone already, as a child of another child, or changed by an earlier step.
        let Some(current) = org.table(&other).get(child_id).cloned() else { continue };
        match cleared {
            None => delete_with_children(org, &other, &current, child_id, actor)?,
            Some(field) => {
                let mut current = Row::clone(&current);
                current.set(field, Cell::Null);
                org.replace(&other, current);
            }
        }
    }
    rules.deleted(org, row, actor);
    Ok(())
}

/// What the data says; where it says nothing, a lookup is cleared if it may be null. Setup objects in use
/// stay.
fn consequence(object: &Object, field: &Field) -> OnDelete {
    match field.on_delete {
        OnDelete::Block if field.nillable && !object.setup => OnDelete::Clear,
        on_delete => on_delete,
    }
}

fn in_use(object: &Object) -> Refusal {
    let message =
        format!("Your attempt to delete {} could not be completed because it is in use.", object.label);
    Refusal::record("DELETE_FAILED", message, &[])
}

/// The error lists the records that are in the way.
fn restricted(org: &Org, object: &Object, row: &Row, other: &Object, field: &Field, id: Id) -> Refusal {
    let name = |object: &Object, row: &Row| {
        let field = ["Name", "CaseNumber"].iter().find_map(|name| object.field(name));
        field.and_then(|field| row.get(field.index).as_text().map(ToOwned::to_owned)).unwrap_or_default()
    };
    let in_the_way = references(org, object, id).filter(|(_, by, _)| std::ptr::eq(*by, field));
    let names: Vec<String> = in_the_way.map(|(other, _, row)| name(other, row)).collect();
    let message = format!(
        "Your attempt to delete {} could not be completed because it is associated with the following {}.: {}\n",
        name(object, row),
        other.label_plural.to_lowercase(),
        names.join(", ")
    );
    Refusal::record("DELETE_FAILED", message, &[])
}

/// Every record that refers to `id`, with the field by which it does.
pub(super) fn references<'a>(
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
pub(super) fn bury(org: &mut Org, object: &Object, row: &Row, actor: Actor) {
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
