//! Merging two records: the other one goes, and what referred to it refers to the one that stays.

use std::sync::Arc;

use super::{delete, stamp_update};
use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    org::{Actor, Org},
};

/// Merges `merged` into `master`: two accounts, two contacts or two leads. The master keeps its own values, as it does
/// when SOAP's `merge()` is given no others.
pub(crate) fn merge(org: &mut Org, master: Id, merged: Id, actor: Actor) -> Result<(), Refusals> {
    let Some(object) = org.object_of(master).cloned() else { return Err(vec![Refusal::invalid_reference()]) };
    let Some(master_field) = object.field("MasterRecordId") else {
        let message = format!("merge is not supported for {}", object.name);
        return Err(vec![Refusal::record("MERGE_FAILED", message, &[])]);
    };
    let row = |id: Id| org.table(&object).get(id).map(Arc::clone);
    let (Some(kept), Some(gone)) = (row(master), row(merged).filter(|_| master != merged)) else {
        return Err(vec![Refusal::invalid_reference()]);
    };
    let references: Vec<_> = delete::references(org, &object, merged)
        .map(|(other, field, row)| (Arc::clone(other), field.index, Arc::clone(row)))
        .collect();
    let mut gone = Row::clone(&gone);
    gone.set(master_field.index, Cell::Id(master));
    delete::bury(org, &object, &gone, actor);
    for (other, field, row) in references {
        // A record may refer to it by several fields.
        let current = row.get(0).as_id().and_then(|id| org.table(&other).get(id));
        let Some(mut row) = current.map(|row| Row::clone(row)) else { continue };
        row.set(field, Cell::Id(master));
        org.replace(&other, row);
    }
    let mut kept = Row::clone(&kept);
    stamp_update(org, &object, &mut kept, actor);
    org.replace(&object, kept);
    Ok(())
}
