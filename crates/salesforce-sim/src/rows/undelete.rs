//! Bringing a record back from the recycle bin, with those that were deleted together with it.

use std::sync::Arc;

use super::{check_unique, stamp_update};
use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    org::{Actor, Org},
    schema::{Object, OnDelete},
};

/// Brings a record back. REST has no call for it; SOAP has.
pub(crate) fn undelete(org: &mut Org, id: Id, actor: Actor) -> Result<(), Refusals> {
    let Some(object) = org.object_of(id).cloned() else { return Err(vec![Refusal::invalid_reference()]) };
    let binned = org.table(&object).binned(id, actor.now).cloned();
    // Somebody else may have the value of a unique field by now.
    binned.map_or(Ok(()), |row| check_unique(org, &object, &row, None))?;
    if !org.restore(&object, id, actor.now) {
        let message = "Entity is not in the recycle bin";
        return Err(vec![Refusal::record("UNDELETE_FAILED", message, &[])]);
    }
    if let Some(mut row) = org.table(&object).get(id).map(|row| Row::clone(row)) {
        if let Some(deleted) = object.field("IsDeleted") {
            row.set(deleted.index, Cell::Bool(false));
        }
        stamp_update(org, &object, &mut row, actor);
        org.replace(&object, row);
    }
    for child in cascaded(org, &object, id, actor.now) {
        undelete(org, child, actor)?;
    }
    Ok(())
}

/// The records in the bin that went there because this one did.
fn cascaded(org: &Org, object: &Object, id: Id, now: i64) -> Vec<Id> {
    let mut found = Vec::new();
    for other in &org.schema.objects {
        let by = |field: &&crate::schema::Field| {
            field.on_delete == OnDelete::Cascade && field.reference_to.contains(&object.name)
        };
        for field in other.fields.iter().filter(by) {
            let binned = org.table(other).tombstones().filter_map(|(_, tombstone)| tombstone.binned(now));
            let children = binned.filter(|row: &&Arc<Row>| row.get(field.index).as_id() == Some(id));
            found.extend(children.filter_map(|row| row.get(0).as_id()));
        }
    }
    found
}
