//! What users are given beside their profile: permission sets, groups, queues, licences, territories.

mod assignments;
mod groups;
mod held;
mod permission_sets;
mod roles;
mod seats;
mod territories;

use std::collections::{HashMap, HashSet};

use crate::{ids::Id, org::Org, rules::Rules};

pub(crate) use assignments::expire;
pub(crate) use groups::{developer_name_of, leave_all};
pub use held::Grants;
pub(crate) use held::grants;
pub(crate) use permission_sets::{
    add_assignment, add_group_set, add_profile_set, follow_profile, recalculate, set_of,
};
pub(crate) use roles::add_groups as add_role_groups;
pub(crate) use seats::{check_reactivation, count_all};

/// The rules of an entitlement object.
pub(crate) fn rules(object: &str) -> Option<&'static dyn Rules> {
    Some(match object {
        "Profile" => &permission_sets::Profiles,
        "PermissionSet" => &permission_sets::Sets,
        "PermissionSetGroup" => &permission_sets::Groups,
        "PermissionSetGroupComponent" => &permission_sets::Components,
        "PermissionSetAssignment" => &assignments::Assignments,
        "PermissionSetLicenseAssign" => &seats::PERMISSION_SET_LICENCES,
        "UserPackageLicense" => &seats::PACKAGES,
        "Group" => &groups::Groups,
        "GroupMember" => &groups::Members,
        "QueueSobject" => &groups::QueueObjects,
        "UserRole" => &roles::Roles,
        "UserTerritory2Association" => &territories::Associations,
        _ => return None,
    })
}

/// What no object of the API shows, and rules go by.
#[derive(Default)]
pub(crate) struct Facts {
    /// Permission set licences that Salesforce assigns by itself to whoever gets a set that needs them.
    pub(crate) assigned_by_need: HashSet<Id>,
    /// What the holders of a permission set licence may be given beyond their user license.
    pub(crate) allowed_by: HashMap<Id, Vec<String>>,
    /// When the next assignment ends, in milliseconds; `None` if none does.
    pub(crate) next_end: Option<i64>,
}

fn is_active(org: &Org, user: Id) -> bool {
    org.table_of("User").get(user).is_some_and(|row| row.get(org.user_fields.is_active).as_bool())
}
