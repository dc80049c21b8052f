//! `PermissionSetAssignment`: who has which permission set, and for how long.

use std::sync::Arc;

use serde_json::{Map, json};

use super::{is_active, permission_sets, permission_sets::set_of};
use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    licences::{self, Kind},
    org::{Actor, Org},
    rows,
    rules::{Rules, Write},
    schema::Object,
    values::Source,
};

/// The rules of `PermissionSetAssignment`.
pub(super) struct Assignments;

impl Rules for Assignments {
    /// Whoever assigns a group names the group alone, and the row has its set too.
    fn complete(&self, org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        let object = write.object;
        let (set, group) = (object.at("PermissionSetId"), object.at("PermissionSetGroupId"));
        if let (true, Some(id)) = (row.get(set).is_null(), row.get(group).as_id()) {
            row.set(set, set_of(org, "PermissionSetGroupId", id).map_or(Cell::Null, Cell::Id));
        }
        let ends = end(object, row);
        row.set(object.at("IsActive"), Cell::Bool(ends.is_none_or(|ends| ends > write.actor.now)));
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        check_end(org, row, write)?;
        if write.before.is_some() {
            return Ok(());
        }
        let id = |name: &str| write.object.get(row, name).as_id();
        let (Some(user), Some(set)) = (id("AssigneeId"), id("PermissionSetId")) else { return Ok(()) };
        check_duplicate(org, user, set)?;
        check_set(org, set, id("PermissionSetGroupId"))?;
        if !org.switches.inactive_users_take_permission_sets && !is_active(org, user) {
            return Err(vec![inactive(user, "AssigneeId")]);
        }
        for set in
            id("PermissionSetGroupId").map_or(vec![set], |group| permission_sets::components(org, group))
        {
            check_licence(org, user, set)?;
        }
        Ok(())
    }

    fn saved(&self, org: &mut Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        if let Some(ends) = end(write.object, row).filter(|ends| *ends > write.actor.now) {
            let next = &mut org.entitlements.next_end;
            *next = Some(next.map_or(ends, |next| next.min(ends)));
        }
        let id = |name: &str| write.object.get(row, name).as_id();
        let (None, Some(user), Some(set)) = (write.before, id("AssigneeId"), id("PermissionSetId")) else {
            return Ok(());
        };
        for set in
            id("PermissionSetGroupId").map_or(vec![set], |group| permission_sets::components(org, group))
        {
            take_needed_licence(org, user, set, write)?;
        }
        Ok(())
    }

    /// The set of the profile goes with the profile alone.
    fn check_delete(&self, org: &Org, row: &Row, _: Actor) -> Result<(), Refusals> {
        let object = &org.table_of("PermissionSetAssignment").object;
        let sets = org.table_of("PermissionSet");
        let set = object.get(row, "PermissionSetId").as_id().and_then(|set| sets.get(set));
        match set {
            Some(set) if sets.object.get(set, "IsOwnedByProfile").as_bool() => {
                Err(vec![Refusal::no_access()])
            }
            _ => Ok(()),
        }
    }
}

fn end(object: &Object, row: &Row) -> Option<i64> {
    match object.get(row, "ExpirationDate") {
        Cell::Time(at) => Some(*at),
        _ => None,
    }
}

fn check_end(org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
    let named = write.named.contains(&write.object.at("ExpirationDate"));
    let past = end(write.object, row).is_some_and(|ends| ends <= write.actor.now);
    if named && past && org.switches.refuse_past_expiration {
        let message = "Expiration Date: the expiration date must be in the future";
        return Err(vec![Refusal::record("FIELD_INTEGRITY_EXCEPTION", message, &["ExpirationDate"])]);
    }
    Ok(())
}

/// The recorded text: two blanks behind the full stop, ids of 15 characters.
fn check_duplicate(org: &Org, user: Id, set: Id) -> Result<(), Refusals> {
    let table = org.table_of("PermissionSetAssignment");
    let mut of_user = table.referring("AssigneeId", user);
    if !of_user.any(|row| table.object.get(row, "PermissionSetId").as_id() == Some(set)) {
        return Ok(());
    }
    let message = format!(
        "Duplicate PermissionSetAssignment.  Assignee: {}; Permission Set: {}",
        user.short(),
        set.short()
    );
    Err(vec![Refusal::record("DUPLICATE_VALUE", message, &["AssigneeId", "PermissionSetId"])])
}

/// Sets of profiles are not given by hand, those of groups through their group, and a group only when it
/// is calculated.
fn check_set(org: &Org, set: Id, group: Option<Id>) -> Result<(), Refusals> {
    let sets = org.table_of("PermissionSet");
    let Some(row) = sets.get(set) else { return Ok(()) };
    let owner = sets.object.get(row, "PermissionSetGroupId").as_id();
    if sets.object.get(row, "IsOwnedByProfile").as_bool() || owner != group {
        return Err(vec![Refusal::invalid_reference()]);
    }
    let groups = org.table_of("PermissionSetGroup");
    let status = group.and_then(|group| groups.get(group)).map(|row| groups.object.get(row, "Status"));
    let updated = status.is_none_or(|status| status.as_text() == Some("Updated"));
    if !updated && org.switches.refuse_outdated_groups {
        let message = "You can only assign users to permission set groups that have the \"Updated\" status.";
        return Err(vec![Refusal::record("FIELD_INTEGRITY_EXCEPTION", message, &["PermissionSetGroupId"])]);
    }
    Ok(())
}

/// A set is for one user license, for the holders of a permission set licence, or for everybody whose
/// licences allow its permissions.
fn check_licence(org: &Org, user: Id, set: Id) -> Result<(), Refusals> {
    let sets = org.table_of("PermissionSet");
    let Some(row) = sets.get(set) else { return Ok(()) };
    let users = org.table_of("User");
    let licence = users.get(user).and_then(|user| crate::users::licence(org, user));
    let held: Vec<Id> = held_licences(org, user);
    let needed = sets.object.get(row, "LicenseId").as_id();
    match needed {
        Some(needed) if org.object_of(needed).is_some_and(|object| object.name == "UserLicense") => {
            let fits = licence == Some(needed);
            return if fits { Ok(()) } else { Err(vec![mismatch(org, user, row, None)]) };
        }
        Some(needed) if held.contains(&needed) => return Ok(()),
        Some(needed) if org.entitlements.assigned_by_need.contains(&needed) => {
            return licences::check_seat(org, needed);
        }
        Some(_) => return Err(vec![mismatch(org, user, row, None)]),
        None => {}
    }
    let kind = licence.map(|licence| Kind::of(org, licence));
    let allowed = |permission: &str| {
        let by_licence = |held: &Id| {
            org.entitlements
                .allowed_by
                .get(held)
                .is_some_and(|names| names.iter().any(|name| name == permission))
        };
        kind.is_none_or(|kind| kind.allows(permission)) || held.iter().any(by_licence)
    };
    let refused = permission_sets::permissions(&sets.object, row).find(|(name, _)| !allowed(name));
    refused.map_or(Ok(()), |(_, label)| Err(vec![mismatch(org, user, row, Some(label))]))
}

/// The permission set licences of a user.
fn held_licences(org: &Org, user: Id) -> Vec<Id> {
    let table = org.table_of("PermissionSetLicenseAssign");
    let rows = table.referring("AssigneeId", user);
    rows.filter_map(|row| table.object.get(row, "PermissionSetLicenseId").as_id()).collect()
}

fn mismatch(org: &Org, user: Id, set: &Row, permission: Option<&str>) -> Refusal {
    let sets = org.table_of("PermissionSet");
    let users = org.table_of("User");
    let name = users.get(user).map(|row| row.get(org.user_fields.name).clone());
    let label = sets.object.get(set, "Label");
    // A set of another licence is refused for the first permission that it gives.
    let permission =
        permission.or_else(|| permission_sets::permissions(&sets.object, set).next().map(|(_, l)| l));
    let message = format!(
        "Can't assign permission set {} to user {}. The user license doesn't allow the permission: {}",
        label.as_text().unwrap_or_default(),
        name.as_ref().and_then(Cell::as_text).unwrap_or_default(),
        permission.unwrap_or("Use any API client"),
    );
    Refusal::record("FIELD_INTEGRITY_EXCEPTION", message, &["AssigneeId"])
}

pub(super) fn inactive(user: Id, field: &str) -> Refusal {
    let message = format!("operation performed with inactive user [{user}]");
    Refusal::record("INACTIVE_OWNER_OR_USER", message, &[field])
}

fn take_needed_licence(org: &mut Org, user: Id, set: Id, write: &Write<'_>) -> Result<(), Refusals> {
    let sets = org.table_of("PermissionSet");
    let needed = sets.get(set).and_then(|row| sets.object.get(row, "LicenseId").as_id());
    let Some(needed) = needed.filter(|needed| org.entitlements.assigned_by_need.contains(needed)) else {
        return Ok(());
    };
    if held_licences(org, user).contains(&needed) {
        return Ok(());
    }
    let object = Arc::clone(&org.table_of("PermissionSetLicenseAssign").object);
    let body = Map::from_iter([
        ("AssigneeId".to_owned(), json!(user.to_string())),
        ("PermissionSetLicenseId".to_owned(), json!(needed.to_string())),
    ]);
    rows::create(org, &object, &body, Source(""), write.headers, write.actor).map(|_| ())
}

/// Assignments whose time is over stay, and are active no more. Whoever looks at the org calls this
/// when [`next_end`](super::Facts::next_end) has come.
pub(crate) fn expire(org: &mut Org, now: i64) {
    let table = org.table_of("PermissionSetAssignment");
    let object = Arc::clone(&table.object);
    let (mut over, mut next) = (Vec::new(), None::<i64>);
    for (_, row) in table.iter() {
        match end(&object, row) {
            Some(ends) if ends > now => next = Some(next.map_or(ends, |next| next.min(ends))),
            Some(_) if object.get(row, "IsActive").as_bool() => over.push(Row::clone(row)),
            _ => {}
        }
    }
    for mut row in over {
        row.set(object.at("IsActive"), Cell::Bool(false));
        org.replace(&object, row);
    }
    org.entitlements.next_end = next;
    org.commit();
}
