//! Public groups and queues, their members, and what queues may own.

use std::sync::Arc;

use super::{assignments::inactive, is_active};
use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    licences::Kind,
    org::{Actor, Org},
    rules::{Rules, Write},
};

/// The types of groups that callers make, and that have members; Salesforce makes all others.
const OF_CALLERS: [&str; 2] = ["Regular", "Queue"];

/// The rules of `Group`.
pub(super) struct Groups;

impl Rules for Groups {
    /// A group without an API name gets one from its name; the letters and digits of it.
    fn complete(&self, org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        if write.before.is_some() {
            return Ok(());
        }
        let (name, developer_name) = (write.object.at("Name"), write.object.at("DeveloperName"));
        if let (Some(name), true) = (row.get(name).as_text(), row.get(developer_name).is_null()) {
            let made = developer_name_of(name);
            row.set(developer_name, Cell::text(&made));
        }
        row.set(write.object.at("OwnerId"), Cell::Id(org.id));
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        check_type(org, row.get(0).as_id().and(write.before).unwrap_or(row))?;
        let table = org.table(write.object);
        let get = |row: &Row, name: &str| write.object.get(row, name).clone();
        let slots = table.find(write.object.at("DeveloperName"), &get(row, "DeveloperName"));
        let taken = slots
            .iter()
            .filter_map(|slot| table.row(*slot))
            .any(|other| other.get(0) != row.get(0) && get(other, "Type") == get(row, "Type"));
        if taken { Err(vec![Refusal::duplicate_name("Group Name", "DeveloperName")]) } else { Ok(()) }
    }

    /// The groups of a role go with the role, and only then.
    fn check_delete(&self, org: &Org, row: &Row, _: Actor) -> Result<(), Refusals> {
        let related = org.table_of("Group").object.get(row, "RelatedId").as_id();
        match related {
            Some(owner) if org.record(owner).is_none() => Ok(()),
            _ => check_type(org, row),
        }
    }
}

/// `Role` and its like belong to Salesforce.
fn check_type(org: &Org, group: &Row) -> Result<(), Refusals> {
    let object = &org.table_of("Group").object;
    let kind = object.get(group, "Type").as_text().unwrap_or_default();
    if OF_CALLERS.contains(&kind) { Ok(()) } else { Err(vec![Refusal::no_access()]) }
}

/// API names begin with a letter and have letters, digits and single underscores.
pub(crate) fn developer_name_of(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("_");
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("X{name}") }
}

/// The rules of `GroupMember`.
pub(super) struct Members;

impl Rules for Members {
    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        let id = |name: &str| write.object.get(row, name).as_id();
        let (Some(group), Some(member)) = (id("GroupId"), id("UserOrGroupId")) else { return Ok(()) };
        let groups = org.table_of("Group");
        if let Some(group) = groups.get(group) {
            check_type(org, group)?;
        }
        let refuses_duplicates = !org.switches.duplicate_group_members_succeed;
        if refuses_duplicates
            && memberships(org, member).any(|row| write.object.get(row, "GroupId").as_id() == Some(group))
        {
            return Err(vec![Refusal::duplicate()]);
        }
        match groups.get(member) {
            Some(nested) => check_nesting(org, group, member, nested),
            None => check_user(org, member),
        }
    }

    /// Where a duplicate succeeds, there is still one row.
    fn saved(&self, org: &mut Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        let Some(member) = write.object.get(row, "UserOrGroupId").as_id() else { return Ok(()) };
        let group = write.object.get(row, "GroupId");
        let older = memberships(org, member)
            .filter(|other| other.get(0) != row.get(0) && write.object.get(other, "GroupId") == group)
            .find_map(|other| other.get(0).as_id());
        if let Some(older) = older {
            org.remove(write.object, older);
        }
        Ok(())
    }
}

fn memberships(org: &Org, member: Id) -> impl Iterator<Item = &Arc<Row>> {
    org.table_of("GroupMember").referring("UserOrGroupId", member)
}

/// Users in groups of staff are active and of staff.
fn check_user(org: &Org, user: Id) -> Result<(), Refusals> {
    if !is_active(org, user) {
        return Err(vec![inactive(user, "UserOrGroupId")]);
    }
    let row = org.table_of("User").get(user);
    let licence = row.and_then(|row| crate::users::licence(org, row));
    let external = licence.is_some_and(|licence| Kind::of(org, licence).family == "community");
    if external && !org.switches.portal_users_join_groups {
        return Err(vec![Refusal::invalid_reference()]);
    }
    Ok(())
}

/// Public groups and the groups of roles can be members; queues cannot, nor a group of itself.
fn check_nesting(org: &Org, group: Id, member: Id, nested: &Row) -> Result<(), Refusals> {
    let object = &org.table_of("Group").object;
    if object.get(nested, "Type").as_text() == Some("Queue") {
        return Err(vec![Refusal::invalid_reference()]);
    }
    let members = org.table_of("GroupMember");
    let (mut seen, mut next) = (Vec::new(), vec![member]);
    while let Some(id) = next.pop() {
        if id == group {
            let message = "Group membership: a group cannot be a member of itself, directly or indirectly";
            return Err(vec![Refusal::record("CIRCULAR_DEPENDENCY", message, &["UserOrGroupId"])]);
        }
        if !seen.contains(&id) {
            seen.push(id);
            let inner = members.referring("GroupId", id);
            let inner = inner.filter_map(|row| members.object.get(row, "UserOrGroupId").as_id());
            next.extend(inner.filter(|id| id.prefix() == object.key_prefix));
        }
    }
    Ok(())
}

/// A user leaves all groups and queues, where an org does that to whoever is deactivated.
pub(crate) fn leave_all(org: &mut Org, user: Id) {
    let object = Arc::clone(&org.table_of("GroupMember").object);
    let rows: Vec<Id> = memberships(org, user).filter_map(|row| row.get(0).as_id()).collect();
    for row in rows {
        org.remove(&object, row);
    }
}

/// The rules of `QueueSobject`.
pub(super) struct QueueObjects;

impl Rules for QueueObjects {
    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        let object = write.object;
        let kind = object.get(row, "SobjectType").as_text().unwrap_or_default();
        let known = &object.fields[object.at("SobjectType")].picklist;
        let custom = org.schema.object(kind).is_some_and(|object| object.name.ends_with("__c"));
        if !custom && !known.iter().any(|known| known.value == kind) {
            let message = format!("Sobject Type: bad value for restricted picklist field: {kind}");
            return Err(vec![Refusal::record(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                message,
                &["SobjectType"],
            )]);
        }
        let groups = org.table_of("Group");
        let Some(queue) = object.get(row, "QueueId").as_id() else { return Ok(()) };
        let is_queue =
            groups.get(queue).is_some_and(|row| groups.object.get(row, "Type").as_text() == Some("Queue"));
        if !is_queue {
            return Err(vec![Refusal::invalid_reference()]);
        }
        let mut others = org.table(object).referring("QueueId", queue);
        if others.any(|other| object.get(other, "SobjectType") == object.get(row, "SobjectType")) {
            return Err(vec![Refusal::duplicate()]);
        }
        Ok(())
    }
}
