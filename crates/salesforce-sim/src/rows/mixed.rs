//! Mixed DML: one transaction cannot write setup objects and others.

use crate::{
    cell::Row,
    errors::{Refusal, Refusals},
    org::Org,
    schema::Object,
};

/// A change of one of these makes the update of a User a setup operation; other updates may stand
/// beside anything.
const USER_SETUP_FIELDS: [&str; 6] =
    ["UserRoleId", "IsActive", "ForecastEnabled", "IsPortalEnabled", "Username", "ProfileId"];

/// What a transaction has written so far: the first object of either side.
#[derive(Debug, Default)]
pub(crate) struct Written {
    setup: Option<String>,
    other: Option<String>,
}

/// Refuses a write to the other side than that of an earlier write of the transaction, and remembers it
/// otherwise. `before` is `None` for a create, `after` for a delete.
pub(super) fn check(
    org: &mut Org,
    object: &Object,
    before: Option<&Row>,
    after: Option<&Row>,
) -> Result<(), Refusals> {
    let side = if !object.setup {
        Side::Other
    } else if may_stand_beside_anything(object, before, after) {
        return Ok(());
    } else {
        Side::Setup
    };
    // An org that is being built knows no transactions.
    let Some(written) = &mut org.written else { return Ok(()) };
    let (own, opposite) = match side {
        Side::Setup => (&mut written.setup, &written.other),
        Side::Other => (&mut written.other, &written.setup),
    };
    if let Some(first) = opposite {
        let message = format!(
            "DML operation on setup object is not permitted after you have updated a non-setup object (or vice \
             versa): {}, original object: {first}",
            object.name
        );
        return Err(vec![Refusal::record("MIXED_DML_OPERATION", message, &[])]);
    }
    own.get_or_insert_with(|| object.name.clone());
    Ok(())
}

enum Side {
    Setup,
    Other,
}

/// The exceptions: a new User without a role, an update of a User that leaves certain fields alone,
/// everything but the delete of a Group.
fn may_stand_beside_anything(object: &Object, before: Option<&Row>, after: Option<&Row>) -> bool {
    let field = |name: &str| object.field(name).map(|field| field.index);
    match (object.name.as_str(), before, after) {
        ("User", None, Some(after)) => field("UserRoleId").is_none_or(|role| after.get(role).is_null()),
        ("User", Some(before), Some(after)) => USER_SETUP_FIELDS
            .iter()
            .filter_map(|name| field(name))
            .all(|field| before.get(field) == after.get(field)),
        ("Group", _, Some(_)) => true,
        _ => false,
    }
}
