//! The sections of the org file for what users are given: permission sets, groups, queues, packages,
//! territories, and who has them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{OrgFile, OrgFileError, User, find_by, merge, missing, refused};
use crate::{
    cell::{Cell, Row},
    entitlements::{self, developer_name_of},
    ids::Id,
    licences,
    org::{Actor, Org},
    request::Headers,
    rows,
    values::Source,
};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PermissionSetLicence {
    /// The API name.
    name: String,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    key: Option<String>,
    total: i64,
    #[serde(default)]
    expires: Option<jiff::civil::Date>,
    /// Salesforce assigns it to whoever gets a set that needs it.
    #[serde(default)]
    assigned_by_need: bool,
    /// What its holders may be given beyond their user license.
    #[serde(default)]
    permissions: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PermissionSet {
    /// The API name.
    name: String,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    /// A user license or a permission set licence; absent for everybody's.
    #[serde(default)]
    licence: Option<String>,
    #[serde(default)]
    permissions: Vec<String>,
    #[serde(default)]
    session_activated: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PermissionSetGroup {
    /// The API name.
    name: String,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    sets: Vec<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    session_activated: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Group {
    name: String,
    #[serde(default)]
    developer_name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    /// Public groups that are members.
    #[serde(default)]
    groups: Vec<String>,
    /// Roles whose users are members, alone or with those below.
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    roles_and_subordinates: Vec<String>,
    /// What a queue may own: `Lead`, `Case`.
    #[serde(default)]
    objects: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Package {
    namespace: String,
    /// -1: a site licence.
    total: i64,
    #[serde(default)]
    status: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Territory {
    name: String,
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    model: Option<String>,
}

/// What a user has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Grants {
    permission_sets: Vec<String>,
    permission_set_groups: Vec<String>,
    permission_set_licences: Vec<String>,
    groups: Vec<String>,
    queues: Vec<String>,
    packages: Vec<String>,
    territories: Vec<String>,
}

impl OrgFile {
    /// What this file names wins; what only `base` has stays.
    pub(super) fn entitlements_over(&mut self, base: &mut Self) {
        fn join<T>(own: &mut Vec<T>, base: &mut Vec<T>, name: impl Fn(&T) -> &String) {
            *own = merge(std::mem::take(base), std::mem::take(own), name);
        }
        join(&mut self.permission_set_licences, &mut base.permission_set_licences, |item| &item.name);
        join(&mut self.permission_sets, &mut base.permission_sets, |item| &item.name);
        join(&mut self.permission_set_groups, &mut base.permission_set_groups, |item| &item.name);
        join(&mut self.groups, &mut base.groups, |item| &item.name);
        join(&mut self.queues, &mut base.queues, |item| &item.name);
        join(&mut self.packages, &mut base.packages, |item| &item.namespace);
        join(&mut self.territories, &mut base.territories, |item| &item.name);
    }

    /// Everything that can be given, before anybody has it.
    pub(super) fn add_entitlements(&self, org: &mut Org, actor: Actor) -> Result<(), OrgFileError> {
        for licence in &self.permission_set_licences {
            add_permission_set_licence(org, licence, actor);
        }
        for set in &self.permission_sets {
            add_permission_set(org, set, actor)?;
        }
        for group in &self.permission_set_groups {
            add_permission_set_group(org, group, actor)?;
        }
        for package in &self.packages {
            let cells = [
                ("NamespacePrefix", Cell::text(&package.namespace)),
                ("AllowedLicenses", Cell::Int(package.total)),
                ("UsedLicenses", Cell::Int(0)),
                ("Status", Cell::text(package.status.as_deref().unwrap_or("Active"))),
            ];
            rows::add(org, "PackageLicense", None, &cells, actor);
        }
        self.add_groups(org, actor)?;
        self.add_territories(org, actor)
    }

    fn add_groups(&self, org: &mut Org, actor: Actor) -> Result<(), OrgFileError> {
        let everybody = [
            ("DeveloperName", Cell::text("AllInternalUsers")),
            ("Type", Cell::text("Organization")),
            ("OwnerId", Cell::Id(org.id)),
        ];
        rows::add(org, "Group", None, &everybody, actor);
        let kinds = [("Regular", &self.groups), ("Queue", &self.queues)];
        for (kind, groups) in kinds {
            for group in groups {
                add_group(org, group, kind, actor);
            }
        }
        for (kind, groups) in kinds {
            for group in groups {
                let who = format!("the group {}", group.name);
                let id =
                    find_group(org, &group.name, kind).ok_or_else(|| missing(&who, "group", &group.name))?;
                for member in members(org, group, &who)? {
                    create(org, "GroupMember", &[("GroupId", id), ("UserOrGroupId", member)], &who, actor)?;
                }
            }
        }
        Ok(())
    }

    fn add_territories(&self, org: &mut Org, actor: Actor) -> Result<(), OrgFileError> {
        if self.territories.is_empty() {
            return Ok(());
        }
        if org.schema.object("Territory2").is_none() {
            return Err(missing("[[territories]]", "feature", "territories"));
        }
        let kind = [
            ("DeveloperName", Cell::text("Sales")),
            ("MasterLabel", Cell::text("Sales")),
            ("Priority", Cell::Int(1)),
        ];
        let kind = rows::add(org, "Territory2Type", None, &kind, actor);
        for territory in &self.territories {
            let who = format!("the territory {}", territory.name);
            let parent = match &territory.parent {
                None => Cell::Null,
                Some(name) => {
                    let found = find_by(org, "Territory2", "Name", name);
                    Cell::Id(found.ok_or_else(|| missing(&who, "territory", name))?)
                }
            };
            let model = territory.model.as_deref().unwrap_or("Territories");
            let model = find_by(org, "Territory2Model", "Name", model).unwrap_or_else(|| {
                let cells = [
                    ("Name", Cell::text(model)),
                    ("DeveloperName", Cell::text(&developer_name_of(model))),
                    ("State", Cell::text("Active")),
                    ("ActivatedDate", Cell::Time(actor.now)),
                ];
                rows::add(org, "Territory2Model", None, &cells, actor)
            });
            let cells = [
                ("Name", Cell::text(&territory.name)),
                ("DeveloperName", Cell::text(&developer_name_of(&territory.name))),
                ("Territory2ModelId", Cell::Id(model)),
                ("Territory2TypeId", Cell::Id(kind)),
                ("ParentTerritory2Id", parent),
            ];
            rows::add(org, "Territory2", None, &cells, actor);
        }
        Ok(())
    }
}

impl User {
    /// Gives a user what the file says he has, under the rules of the org.
    pub(super) fn grant(&self, org: &mut Org, id: Id, actor: Actor) -> Result<(), OrgFileError> {
        let who = format!("the user {}", self.username);
        for (object, user, field, found) in self.grants().rows(org, &who)? {
            create(org, object, &[(user, id), (field, found)], &who, actor)?;
        }
        Ok(())
    }

    fn grants(&self) -> Grants {
        Grants {
            permission_sets: self.permission_sets.clone(),
            permission_set_groups: self.permission_set_groups.clone(),
            permission_set_licences: self.permission_set_licences.clone(),
            groups: self.groups.clone(),
            queues: self.queues.clone(),
            packages: self.packages.clone(),
            territories: self.territories.clone(),
        }
    }
}

/// Object, field of the user, field of what he gets, its id.
type Grant = (&'static str, &'static str, &'static str, Id);

/// How the names of one key of [`Grants`] become rows.
struct Kind {
    label: &'static str,
    /// Where the name is found: object and field.
    named: (&'static str, &'static str),
    /// The row that is made: object, field of the user, field of what he gets.
    row: (&'static str, &'static str, &'static str),
}

const PERMISSION_SET_LICENCE: Kind = Kind {
    label: "permission set licence",
    named: ("PermissionSetLicense", "DeveloperName"),
    row: ("PermissionSetLicenseAssign", "AssigneeId", "PermissionSetLicenseId"),
};
const PACKAGE: Kind = Kind {
    label: "package",
    named: ("PackageLicense", "NamespacePrefix"),
    row: ("UserPackageLicense", "UserId", "PackageLicenseId"),
};
const PERMISSION_SET: Kind = Kind {
    label: "permission set",
    named: ("PermissionSet", "Name"),
    row: ("PermissionSetAssignment", "AssigneeId", "PermissionSetId"),
};
const PERMISSION_SET_GROUP: Kind = Kind {
    label: "permission set group",
    named: ("PermissionSetGroup", "DeveloperName"),
    row: ("PermissionSetAssignment", "AssigneeId", "PermissionSetGroupId"),
};
const TERRITORY: Kind = Kind {
    label: "territory",
    named: ("Territory2", "Name"),
    row: ("UserTerritory2Association", "UserId", "Territory2Id"),
};
const MEMBER: (&str, &str, &str) = ("GroupMember", "UserOrGroupId", "GroupId");

impl Grants {
    /// The rows that the names stand for; licences first, because sets may need them.
    fn rows(&self, org: &Org, who: &str) -> Result<Vec<Grant>, OrgFileError> {
        let kinds = [
            (PERMISSION_SET_LICENCE, &self.permission_set_licences),
            (PACKAGE, &self.packages),
            (PERMISSION_SET, &self.permission_sets),
            (PERMISSION_SET_GROUP, &self.permission_set_groups),
            (TERRITORY, &self.territories),
        ];
        let mut rows = Vec::new();
        for (kind, names) in kinds {
            let (row, user, what) = kind.row;
            for name in names {
                let found = find_by(org, kind.named.0, kind.named.1, name);
                rows.push((row, user, what, found.ok_or_else(|| missing(who, kind.label, name))?));
            }
        }
        // Public groups and queues are one object, and may have the same name.
        for (label, kind, names) in [("group", "Regular", &self.groups), ("queue", "Queue", &self.queues)] {
            let (row, user, what) = MEMBER;
            for name in names {
                let found = find_group(org, name, kind);
                rows.push((row, user, what, found.ok_or_else(|| missing(who, label, name))?));
            }
        }
        Ok(rows)
    }

    /// The same for made-up users, to write down with [`add_grants`].
    pub(super) fn prepare(&self, org: &Org) -> Result<Vec<Grant>, OrgFileError> {
        self.rows(org, "generate")
    }
}

/// Writes down what [`Grants::prepare`] found for one user, without asking any rule.
pub(super) fn add_grants(org: &mut Org, grants: &[Grant], user: Id, actor: Actor) {
    for (object, user_field, field, id) in grants {
        let mut cells = vec![(*user_field, Cell::Id(user)), (*field, Cell::Id(*id))];
        if *field == "PermissionSetGroupId" {
            let set = entitlements::set_of(org, field, *id);
            cells.push(("PermissionSetId", set.map_or(Cell::Null, Cell::Id)));
        }
        rows::add(org, object, None, &cells, actor);
    }
}

/// Counts the seats that many made-up users take.
pub(super) fn count_seats(org: &mut Org, grants: &[Grant], users: i64, now: i64) {
    for (.., id) in grants {
        licences::count_seats(org, *id, users, now);
    }
}

fn add_permission_set_licence(org: &mut Org, licence: &PermissionSetLicence, actor: Actor) {
    let text = |text: &Option<String>| Cell::text(text.as_deref().unwrap_or(&licence.name));
    let cells = [
        ("DeveloperName", Cell::text(&licence.name)),
        ("MasterLabel", text(&licence.label)),
        ("PermissionSetLicenseKey", text(&licence.key)),
        ("TotalLicenses", Cell::Int(licence.total)),
        ("UsedLicenses", Cell::Int(0)),
        ("ExpirationDate", licence.expires.map_or(Cell::Null, Cell::Date)),
    ];
    let id = rows::add(org, "PermissionSetLicense", None, &cells, actor);
    if licence.assigned_by_need {
        org.entitlements.assigned_by_need.insert(id);
    }
    org.entitlements.allowed_by.insert(id, licence.permissions.clone());
}

fn add_permission_set(org: &mut Org, set: &PermissionSet, actor: Actor) -> Result<(), OrgFileError> {
    let who = format!("the permission set {}", set.name);
    let licence = match &set.licence {
        None => Cell::Null,
        Some(name) => {
            let found = find_by(org, "UserLicense", "Name", name)
                .or_else(|| find_by(org, "PermissionSetLicense", "DeveloperName", name));
            Cell::Id(found.ok_or_else(|| missing(&who, "licence", name))?)
        }
    };
    let text = |text: &Option<String>| text.as_deref().map_or(Cell::Null, Cell::text);
    let object = Arc::clone(&org.table_of("PermissionSet").object);
    let permissions: Vec<String> = set.permissions.iter().map(|name| format!("Permissions{name}")).collect();
    let mut cells = vec![
        ("Name", Cell::text(&set.name)),
        ("Label", Cell::text(set.label.as_deref().unwrap_or(&set.name))),
        ("Description", text(&set.description)),
        ("NamespacePrefix", text(&set.namespace)),
        ("LicenseId", licence),
        ("IsCustom", Cell::Bool(true)),
        ("HasActivationRequired", Cell::Bool(set.session_activated)),
        ("Type", Cell::text(if set.session_activated { "Session" } else { "Regular" })),
    ];
    for name in &permissions {
        object.field(name).ok_or_else(|| missing(&who, "permission", name))?;
        cells.push((name, Cell::Bool(true)));
    }
    rows::add(org, "PermissionSet", None, &cells, actor);
    Ok(())
}

fn add_permission_set_group(
    org: &mut Org,
    group: &PermissionSetGroup,
    actor: Actor,
) -> Result<(), OrgFileError> {
    let cells = [
        ("DeveloperName", Cell::text(&group.name)),
        ("MasterLabel", Cell::text(group.label.as_deref().unwrap_or(&group.name))),
        ("HasActivationRequired", Cell::Bool(group.session_activated)),
        ("Status", Cell::text(group.status.as_deref().unwrap_or("Updated"))),
    ];
    let id = rows::add(org, "PermissionSetGroup", None, &cells, actor);
    if let Some(row) = org.table_of("PermissionSetGroup").get(id).map(|row| Row::clone(row)) {
        entitlements::add_group_set(org, id, &row, actor);
    }
    for name in &group.sets {
        let set = find_by(org, "PermissionSet", "Name", name);
        let who = || missing(&format!("the permission set group {}", group.name), "permission set", name);
        let cells =
            [("PermissionSetGroupId", Cell::Id(id)), ("PermissionSetId", Cell::Id(set.ok_or_else(who)?))];
        rows::add(org, "PermissionSetGroupComponent", None, &cells, actor);
    }
    entitlements::recalculate(org, id);
    Ok(())
}

fn add_group(org: &mut Org, group: &Group, kind: &str, actor: Actor) {
    let developer_name = group.developer_name.clone().unwrap_or_else(|| developer_name_of(&group.name));
    let cells = [
        ("Name", Cell::text(&group.name)),
        ("DeveloperName", Cell::text(&developer_name)),
        ("Email", group.email.as_deref().map_or(Cell::Null, Cell::text)),
        ("Type", Cell::text(kind)),
        ("OwnerId", Cell::Id(org.id)),
    ];
    let id = rows::add(org, "Group", None, &cells, actor);
    for object in &group.objects {
        let cells = [("QueueId", Cell::Id(id)), ("SobjectType", Cell::text(object))];
        rows::add(org, "QueueSobject", None, &cells, actor);
    }
}

fn members(org: &Org, group: &Group, who: &str) -> Result<Vec<Id>, OrgFileError> {
    let role_group = |name: &str, kind: &str| {
        let role = find_by(org, "UserRole", "Name", name)?;
        let groups = org.table_of("Group");
        let mut own = groups.referring("RelatedId", role);
        own.find(|row| groups.object.get(row, "Type").as_text() == Some(kind))?.get(0).as_id()
    };
    let mut members = Vec::new();
    for name in &group.groups {
        members.push(find_group(org, name, "Regular").ok_or_else(|| missing(who, "group", name))?);
    }
    for name in &group.roles {
        members.push(role_group(name, "Role").ok_or_else(|| missing(who, "role", name))?);
    }
    for name in &group.roles_and_subordinates {
        members.push(role_group(name, "RoleAndSubordinates").ok_or_else(|| missing(who, "role", name))?);
    }
    Ok(members)
}

/// A group or queue by its name.
fn find_group(org: &Org, name: &str, kind: &str) -> Option<Id> {
    let groups = org.table_of("Group");
    let slots = groups.find(groups.object.at("Name"), &Cell::text(name));
    let mut rows = slots.iter().filter_map(|slot| groups.row(*slot));
    rows.find(|row| groups.object.get(row, "Type").as_text() == Some(kind))?.get(0).as_id()
}

/// Creates a row of references as a caller would.
fn create(
    org: &mut Org,
    object: &str,
    references: &[(&str, Id)],
    who: &str,
    actor: Actor,
) -> Result<(), OrgFileError> {
    let object = org.schema.object(object).cloned().ok_or_else(|| missing(who, "object", object))?;
    let body: Map<String, Value> =
        references.iter().map(|(name, id)| ((*name).to_owned(), json!(id.to_string()))).collect();
    rows::create(org, &object, &body, Source(""), &Headers::default(), actor)
        .map_err(|refusals| refused(who, &refusals))?;
    Ok(())
}
