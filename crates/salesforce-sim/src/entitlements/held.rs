//! What a user has, by name: for tests and for whoever looks at the org from outside.

use serde::Serialize;

use crate::{cell::Cell, ids::Id, org::Org};

/// Everything that a user is given, by names, each list in the order of the alphabet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Grants {
    /// The profile's name.
    pub profile: String,
    /// The role's name.
    pub role: Option<String>,
    /// API names of permission sets, but not those of the profile and of groups.
    pub permission_sets: Vec<String>,
    /// API names of permission set groups.
    pub permission_set_groups: Vec<String>,
    /// API names of permission set licences.
    pub permission_set_licences: Vec<String>,
    /// Names of public groups of which he is a member himself.
    pub groups: Vec<String>,
    /// Names of queues.
    pub queues: Vec<String>,
    /// Namespaces of packages.
    pub packages: Vec<String>,
    /// Names of territories.
    pub territories: Vec<String>,
}

/// What a user has; `None` if there is no such user.
pub(crate) fn grants(org: &Org, user: Id) -> Option<Grants> {
    let person = org.table_of("User").get(user)?;
    let f = org.user_fields;
    let name_of = |id: &Cell, field: &str| Some(text(org, id.as_id()?, field));
    let through =
        |object: &str, user_field: &str, reference: &str| held(org, object, user_field, reference, user);
    let is = |group: &Id, kind: &str| text(org, *group, "Type") == kind;
    let groups = through("GroupMember", "UserOrGroupId", "GroupId");
    let sets = through("PermissionSetAssignment", "AssigneeId", "PermissionSetId");
    let plain = |set: &Id| matches!(text(org, *set, "Type").as_str(), "Regular" | "Standard" | "Session");
    let names = |ids: Vec<Id>, field: &str| {
        let mut names: Vec<String> = ids.into_iter().map(|id| text(org, id, field)).collect();
        names.sort();
        names
    };
    Some(Grants {
        profile: name_of(person.get(f.profile), "Name").unwrap_or_default(),
        role: name_of(person.get(f.role), "Name"),
        permission_sets: names(sets.into_iter().filter(plain).collect(), "Name"),
        permission_set_groups: names(
            through("PermissionSetAssignment", "AssigneeId", "PermissionSetGroupId"),
            "DeveloperName",
        ),
        permission_set_licences: names(
            through("PermissionSetLicenseAssign", "AssigneeId", "PermissionSetLicenseId"),
            "DeveloperName",
        ),
        groups: names(groups.iter().copied().filter(|id| is(id, "Regular")).collect(), "Name"),
        queues: names(groups.into_iter().filter(|id| is(id, "Queue")).collect(), "Name"),
        packages: names(through("UserPackageLicense", "UserId", "PackageLicenseId"), "NamespacePrefix"),
        territories: names(through("UserTerritory2Association", "UserId", "Territory2Id"), "Name"),
    })
}

/// What the rows of `object` that name the user refer to; nothing in an org without that object.
fn held(org: &Org, object: &str, user_field: &str, reference: &str, user: Id) -> Vec<Id> {
    let Some(object) = org.schema.object(object) else { return Vec::new() };
    let rows = org.table(object).referring(user_field, user);
    rows.filter_map(|row| object.get(row, reference).as_id()).collect()
}

fn text(org: &Org, id: Id, field: &str) -> String {
    let found = org.object_of(id).zip(org.record(id));
    let text = found.and_then(|(object, row)| object.get(row, field).as_text().map(ToOwned::to_owned));
    text.unwrap_or_default()
}
