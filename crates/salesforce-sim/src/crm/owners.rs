//! Who owns a record: the running user unless the body says otherwise; an active user, or a queue
//! that takes such records.

use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    org::Org,
    rules::Write,
};

const OWNER: &str = "OwnerId";

/// A new record belongs to the running user.
pub(crate) fn complete(row: &mut Row, write: &Write<'_>) {
    let owner = write.object.at(OWNER);
    if write.before.is_none() && row.get(owner).is_null() {
        row.set(owner, Cell::Id(write.actor.user));
    }
}

/// A new owner is an active user, or a queue for this object.
pub(crate) fn check(org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
    let at = write.object.at(OWNER);
    let Some(owner) = row.get(at).as_id() else { return Ok(()) };
    if write.before.is_some_and(|before| before.get(at) == row.get(at)) {
        return Ok(());
    }
    let user = org.table_of("User").get(owner);
    match user {
        Some(user) if !user.get(org.user_fields.is_active).as_bool() => {
            let message = format!(
                "operation performed with inactive user [{owner}] as owner of {}",
                write.object.label.to_lowercase()
            );
            Err(vec![Refusal::record("INACTIVE_OWNER_OR_USER", message, &[OWNER])])
        }
        None if !is_queue_for(org, owner, &write.object.name) => {
            // Salesforce's words for a public group, or a queue of other objects.
            let message = "Queue not associated with this SObject type";
            Err(vec![Refusal::record("INVALID_OPERATION", message, &[OWNER])])
        }
        _ => Ok(()),
    }
}

/// Whether `group` is a queue that takes records of `object`.
pub(crate) fn is_queue_for(org: &Org, group: Id, object: &str) -> bool {
    let Some(queues) = org.schema.object("QueueSobject").map(|queues| org.table(queues)) else {
        return false;
    };
    let (queue, kind) = (queues.object.at("QueueId"), queues.object.at("SobjectType"));
    let is_it = |row: &Row| row.get(queue).as_id() == Some(group) && row.get(kind).as_text() == Some(object);
    queues.iter().any(|(_, row)| is_it(row))
}
