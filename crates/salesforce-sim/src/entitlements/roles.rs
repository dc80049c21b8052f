//! `UserRole`. Each role owns two groups, to which the sharing of records refers.

use std::sync::Arc;

use super::{groups::developer_name_of, permission_sets::check_name};
use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    org::{Actor, Org},
    rows,
    rules::{Rules, Write},
};

const GROUPS: [&str; 2] = ["Role", "RoleAndSubordinates"];

/// The rules of `UserRole`.
pub(super) struct Roles;

impl Rules for Roles {
    fn complete(&self, _: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        let (name, developer_name) = (write.object.at("Name"), write.object.at("DeveloperName"));
        if let (Some(name), true) = (row.get(name).as_text(), row.get(developer_name).is_null()) {
            let made = developer_name_of(name);
            row.set(developer_name, Cell::text(&made));
        }
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        check_name(org, row, write, "DeveloperName")?;
        let table = org.table(write.object);
        let mut next = write.object.get(row, "ParentRoleId").as_id();
        // More levels than any org has; a hierarchy without a loop ends sooner.
        for _ in 0..500 {
            let Some(id) = next else { return Ok(()) };
            if row.get(0).as_id() == Some(id) {
                let message = "Parent Role ID: a role cannot report to itself, directly or indirectly";
                return Err(vec![Refusal::record("CIRCULAR_DEPENDENCY", message, &["ParentRoleId"])]);
            }
            next = table.get(id).and_then(|row| write.object.get(row, "ParentRoleId").as_id());
        }
        Ok(())
    }

    fn saved(&self, org: &mut Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        if let (None, Some(role)) = (write.before, row.get(0).as_id()) {
            add_groups(org, role, write.actor);
        }
        Ok(())
    }

    fn check_delete(&self, org: &Org, row: &Row, _: Actor) -> Result<(), Refusals> {
        let Some(role) = row.get(0).as_id() else { return Ok(()) };
        let groups = org.table_of("Group");
        let members = org.table_of("GroupMember");
        let shared = groups
            .referring("RelatedId", role)
            .filter_map(|group| group.get(0).as_id())
            .any(|group| members.referring("UserOrGroupId", group).next().is_some());
        if shared {
            let message = "Your attempt to delete Role could not be completed because it is in use.";
            return Err(vec![Refusal::record("DELETE_FAILED", message, &[])]);
        }
        Ok(())
    }
}

/// The groups of a new role. They have no name of their own: readers ask for `Related.Name`.
pub(crate) fn add_groups(org: &mut Org, role: Id, actor: Actor) {
    let roles = Arc::clone(&org.table_of("UserRole").object);
    let name = org.table(&roles).get(role).map_or(Cell::Null, |row| roles.get(row, "DeveloperName").clone());
    for kind in GROUPS {
        let cells = [
            ("DeveloperName", name.clone()),
            ("RelatedId", Cell::Id(role)),
            ("Type", Cell::text(kind)),
            ("OwnerId", Cell::Id(org.id)),
            ("DoesIncludeBosses", Cell::Bool(false)),
        ];
        rows::add(org, "Group", None, &cells, actor);
    }
}
