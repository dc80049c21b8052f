//! Permission sets, permission set groups and their components. Every profile and every group owns a
//! permission set: assignments name that one, and a user's permissions are those of his sets.

use std::sync::Arc;

use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    org::{Actor, Org},
    rows,
    rules::{Rules, Write},
    schema::Object,
};

/// The rules of `Profile`.
pub(super) struct Profiles;

impl Rules for Profiles {
    fn saved(&self, org: &mut Org, row: &Row, _: &Write<'_>) -> Result<(), Refusals> {
        if let Some(set) = row.get(0).as_id().and_then(|profile| set_of(org, "ProfileId", profile)) {
            copy_permissions(org, "Profile", std::slice::from_ref(row), set);
        }
        Ok(())
    }
}

/// The rules of `PermissionSet`.
pub(super) struct Sets;

impl Rules for Sets {
    fn complete(&self, _: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        if write.before.is_none() {
            row.set(write.object.at("IsCustom"), Cell::Bool(true));
            let session = write.object.get(row, "HasActivationRequired").as_bool();
            let kind = if session { "Session" } else { "Regular" };
            row.set(write.object.at("Type"), Cell::text(kind));
        }
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        if is_owned(write.object, row) {
            return Err(vec![Refusal::no_access()]);
        }
        check_name(org, row, write, "Name")
    }

    fn saved(&self, org: &mut Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        let Some(set) = row.get(0).as_id() else { return Ok(()) };
        for group in groups_with(org, set) {
            outdate(org, group, write.actor);
        }
        Ok(())
    }

    /// The set of a group goes with the group, and only then.
    fn check_delete(&self, org: &Org, row: &Row, _: Actor) -> Result<(), Refusals> {
        let sets = &org.table_of("PermissionSet").object;
        let group = sets.get(row, "PermissionSetGroupId").as_id();
        let is_alone = group.is_some_and(|group| org.record(group).is_none());
        if is_owned(sets, row) && !is_alone { Err(vec![Refusal::no_access()]) } else { Ok(()) }
    }
}

/// The rules of `PermissionSetGroup`.
pub(super) struct Groups;

impl Rules for Groups {
    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        check_name(org, row, write, "DeveloperName")
    }

    fn saved(&self, org: &mut Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        let Some(group) = row.get(0).as_id() else { return Ok(()) };
        if write.before.is_none() {
            add_group_set(org, group, row, write.actor);
        } else if write.object.get(row, "Status").as_text() == Some("Updated") {
            recalculate(org, group);
        }
        Ok(())
    }
}

/// The rules of `PermissionSetGroupComponent`.
pub(super) struct Components;

impl Rules for Components {
    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        let table = org.table(write.object);
        let (group, set) =
            (write.object.get(row, "PermissionSetGroupId"), write.object.get(row, "PermissionSetId"));
        let sets = org.table_of("PermissionSet");
        let owned = set.as_id().and_then(|id| sets.get(id)).is_some_and(|row| is_owned(&sets.object, row));
        if owned {
            return Err(vec![Refusal::invalid_reference()]);
        }
        let same = set.as_id().is_some_and(|set| {
            table.referring("PermissionSetId", set).any(|other| {
                other.get(0) != row.get(0) && write.object.get(other, "PermissionSetGroupId") == group
            })
        });
        if same { Err(vec![Refusal::duplicate()]) } else { Ok(()) }
    }

    fn saved(&self, org: &mut Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        if let Some(group) = write.object.get(row, "PermissionSetGroupId").as_id() {
            outdate(org, group, write.actor);
        }
        Ok(())
    }

    fn deleted(&self, org: &mut Org, row: &Row, actor: Actor) {
        let object = Arc::clone(&org.table_of("PermissionSetGroupComponent").object);
        if let Some(group) = object.get(row, "PermissionSetGroupId").as_id() {
            outdate(org, group, actor);
        }
    }
}

fn is_owned(sets: &Object, row: &Row) -> bool {
    sets.get(row, "IsOwnedByProfile").as_bool() || !sets.get(row, "PermissionSetGroupId").is_null()
}

/// API names are unique in their object, in any case.
pub(super) fn check_name(org: &Org, row: &Row, write: &Write<'_>, field: &str) -> Result<(), Refusals> {
    let at = write.object.at(field);
    let table = org.table(write.object);
    let slots = table.find(at, row.get(at));
    let taken = slots.iter().filter_map(|slot| table.row(*slot)).any(|other| other.get(0) != row.get(0));
    let label = &write.object.fields[at].label;
    if taken { Err(vec![Refusal::duplicate_name(label, field)]) } else { Ok(()) }
}

/// The permission set that a profile (`ProfileId`) or a group (`PermissionSetGroupId`) owns.
pub(crate) fn set_of(org: &Org, by: &str, owner: Id) -> Option<Id> {
    org.table_of("PermissionSet").referring(by, owner).next()?.get(0).as_id()
}

/// The set of a new profile. Its name is an X and the profile's id.
pub(crate) fn add_profile_set(org: &mut Org, profile: Id, actor: Actor) {
    let profiles = org.table_of("Profile");
    let Some(row) = profiles.get(profile).map(|row| Row::clone(row)) else { return };
    let licence = profiles.object.get(&row, "UserLicenseId").clone();
    let cells = [
        ("Name", Cell::text(&format!("X{}", profile.short()))),
        ("Label", Cell::text(profile.short())),
        ("LicenseId", licence),
        ("ProfileId", Cell::Id(profile)),
        ("IsOwnedByProfile", Cell::Bool(true)),
        ("IsCustom", Cell::Bool(true)),
        ("Type", Cell::text("Profile")),
    ];
    let set = rows::add(org, "PermissionSet", None, &cells, actor);
    copy_permissions(org, "Profile", &[row], set);
}

/// The set of a new permission set group, named as the group is.
pub(crate) fn add_group_set(org: &mut Org, group: Id, row: &Row, actor: Actor) {
    let object = Arc::clone(&org.table_of("PermissionSetGroup").object);
    let cells = [
        ("Name", object.get(row, "DeveloperName").clone()),
        ("Label", object.get(row, "MasterLabel").clone()),
        ("PermissionSetGroupId", Cell::Id(group)),
        ("HasActivationRequired", object.get(row, "HasActivationRequired").clone()),
        ("Type", Cell::text("Group")),
    ];
    rows::add(org, "PermissionSet", None, &cells, actor);
}

fn groups_with(org: &Org, set: Id) -> Vec<Id> {
    let components = org.table_of("PermissionSetGroupComponent");
    let rows = components.referring("PermissionSetId", set);
    rows.filter_map(|row| components.object.get(row, "PermissionSetGroupId").as_id()).collect()
}

/// The sets of a group.
pub(super) fn components(org: &Org, group: Id) -> Vec<Id> {
    let components = org.table_of("PermissionSetGroupComponent");
    let rows = components.referring("PermissionSetGroupId", group);
    rows.filter_map(|row| components.object.get(row, "PermissionSetId").as_id()).collect()
}

/// A group whose sets have changed is calculated anew: at once, or when somebody sets it to `Updated`.
fn outdate(org: &mut Org, group: Id, actor: Actor) {
    if org.switches.permission_set_groups_recalculate {
        recalculate(org, group);
        return;
    }
    let object = Arc::clone(&org.table_of("PermissionSetGroup").object);
    let Some(mut row) = org.table(&object).get(group).map(|row| Row::clone(row)) else { return };
    row.set(object.at("Status"), Cell::text("Outdated"));
    let at = org.stamp(actor.now);
    row.set(object.at("SystemModstamp"), Cell::Time(at));
    org.replace(&object, row);
}

/// Gives the set of a group the permissions of its components.
pub(crate) fn recalculate(org: &mut Org, group: Id) {
    let Some(own) = set_of(org, "PermissionSetGroupId", group) else { return };
    let table = org.table_of("PermissionSet");
    let rows: Vec<Row> = components(org, group)
        .into_iter()
        .filter_map(|set| table.get(set).map(|row| Row::clone(row)))
        .collect();
    copy_permissions(org, "PermissionSet", &rows, own);
}

/// Makes the permissions of `set` those that any of the rows of `object` has.
fn copy_permissions(org: &mut Org, object: &str, rows: &[Row], set: Id) {
    let from = Arc::clone(&org.table_of(object).object);
    let sets = Arc::clone(&org.table_of("PermissionSet").object);
    let Some(mut target) = org.table(&sets).get(set).map(|row| Row::clone(row)) else { return };
    for field in sets.fields.iter().filter(|field| is_permission(&field.name)) {
        let has =
            from.field(&field.name).is_some_and(|from| rows.iter().any(|row| row.get(from.index).as_bool()));
        target.set(field.index, Cell::Bool(has));
    }
    org.replace(&sets, target);
}

fn is_permission(field: &str) -> bool {
    field.starts_with("Permissions")
}

/// The permissions that a set gives: API name without `Permissions`, and label.
pub(super) fn permissions<'a>(sets: &'a Object, row: &'a Row) -> impl Iterator<Item = (&'a str, &'a str)> {
    let given =
        sets.fields.iter().filter(|field| is_permission(&field.name) && row.get(field.index).as_bool());
    given.map(|field| (&field.name["Permissions".len()..], field.label.as_str()))
}

/// A user has the set of his profile, and no set of another.
pub(crate) fn follow_profile(org: &mut Org, user: Id, profile: Id, actor: Actor) {
    let Some(wanted) = set_of(org, "ProfileId", profile) else { return };
    let assignments = org.table_of("PermissionSetAssignment");
    let object = Arc::clone(&assignments.object);
    let sets = org.table_of("PermissionSet");
    let of_profile = |row: &&Arc<Row>| {
        let set = object.get(row, "PermissionSetId").as_id().and_then(|set| sets.get(set));
        set.is_some_and(|set| sets.object.get(set, "IsOwnedByProfile").as_bool())
    };
    let found = assignments.referring("AssigneeId", user).find(of_profile).map(|row| Row::clone(row));
    match found {
        None => add_assignment(org, user, wanted, None, actor),
        Some(row) if object.get(&row, "PermissionSetId").as_id() == Some(wanted) => {}
        Some(mut row) => {
            row.set(object.at("PermissionSetId"), Cell::Id(wanted));
            let at = org.stamp(actor.now);
            row.set(object.at("SystemModstamp"), Cell::Time(at));
            org.replace(&object, row);
        }
    }
}

/// Writes down an assignment that needs no check.
pub(crate) fn add_assignment(org: &mut Org, user: Id, set: Id, group: Option<Id>, actor: Actor) {
    let cells = [
        ("AssigneeId", Cell::Id(user)),
        ("PermissionSetId", Cell::Id(set)),
        ("PermissionSetGroupId", group.map_or(Cell::Null, Cell::Id)),
    ];
    rows::add(org, "PermissionSetAssignment", None, &cells, actor);
}
