//! Who has what.

use salesforce_types::{Assigned, Assignment, EntitlementKind, EntitlementRef, Given, RecordId};

use super::question::{Question, flag, id, text, unreadable};
use crate::{
    CallError, Org,
    org::Purpose,
    query::Row,
    soql::{Condition, Literal},
};

/// Users in one query. Their rows come in one page where each has four of a kind, and a crowd's pages share calls.
const USERS: usize = 500;

/// An object that says who has something of some kinds.
#[derive(Clone, Copy, Debug)]
struct Source<'a> {
    object: &'static str,
    /// The field with the User.
    user: &'static str,
    fields: &'a [&'a str],
    optional: &'a [&'a str],
    /// What of the asked kinds it tells.
    kinds: &'a [EntitlementKind],
}

const USER_FIELDS: [&str; 3] = ["Id", "ProfileId", "UserRoleId"];

const PERMISSION_SETS: Source<'static> = Source {
    object: "PermissionSetAssignment",
    user: "AssigneeId",
    fields: &["Id", "AssigneeId", "PermissionSetId", "PermissionSetGroupId"],
    optional: &["ExpirationDate", "IsActive"],
    kinds: &[EntitlementKind::PermissionSet, EntitlementKind::PermissionSetGroup],
};

const PERMISSION_SET_LICENSES: Source<'static> = Source {
    object: "PermissionSetLicenseAssign",
    user: "AssigneeId",
    fields: &["Id", "AssigneeId", "PermissionSetLicenseId"],
    optional: &[],
    kinds: &[EntitlementKind::PermissionSetLicense],
};

const PACKAGE_LICENSES: Source<'static> = Source {
    object: "UserPackageLicense",
    user: "UserId",
    fields: &["Id", "UserId", "PackageLicenseId"],
    optional: &[],
    kinds: &[EntitlementKind::PackageLicense],
};

const GROUPS: Source<'static> = Source {
    object: "GroupMember",
    user: "UserOrGroupId",
    fields: &["Id", "UserOrGroupId", "GroupId", "Group.Type"],
    optional: &[],
    kinds: &[EntitlementKind::PublicGroup, EntitlementKind::Queue],
};

const TERRITORIES: Source<'static> = Source {
    object: "UserTerritory2Association",
    user: "UserId",
    fields: &["Id", "UserId", "Territory2Id"],
    optional: &[],
    kinds: &[EntitlementKind::Territory],
};

impl Org {
    /// What these Users have of these kinds, by User, kind and id. Left out are what has expired, the permission sets that
    /// profiles and groups consist of, and territories of models that are not active.
    ///
    /// Up to five objects are read in one call for up to 500 Users; profile, role and feature licences stand in one, permission
    /// sets and their groups in one, public groups and queues in one, and each other kind in its own.
    ///
    /// # Errors
    ///
    /// As [`Org::query`]; an object that the org lacks is no error.
    pub async fn assigned(
        &self,
        users: &[RecordId],
        kinds: &[EntitlementKind],
        purpose: Purpose<'_>,
    ) -> Result<Vec<Assigned>, CallError> {
        let flags = if kinds.contains(&EntitlementKind::FeatureLicense) {
            self.feature_licenses().await?.into_iter().map(|one| one.of.id).collect()
        } else {
            Vec::new()
        };
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let of_users = Source {
            object: "User",
            user: "Id",
            fields: &USER_FIELDS,
            optional: &flags,
            kinds: &[EntitlementKind::Profile, EntitlementKind::Role, EntitlementKind::FeatureLicense],
        };
        let all = [of_users, PERMISSION_SETS, PERMISSION_SET_LICENSES, PACKAGE_LICENSES, GROUPS, TERRITORIES];
        let asked: Vec<Source<'_>> =
            all.into_iter().filter(|source| source.kinds.iter().any(|kind| kinds.contains(kind))).collect();
        let mut questions = Vec::new();
        for users in users.chunks(USERS) {
            for source in &asked {
                questions.push(source.question(users, kinds)?);
            }
        }
        let answers = self.ask_each(questions, purpose).await?;
        let mut assigned = Vec::new();
        for (rows, source) in answers.into_iter().zip(asked.iter().cycle()) {
            for row in rows.unwrap_or_default() {
                let read = match source.object {
                    "User" => of_user(&row, &flags),
                    _ => self.of_row(&row, source),
                };
                assigned.extend(read.ok_or_else(|| unreadable(source.object))?);
            }
        }
        assigned.retain(|one: &Assigned| kinds.contains(&one.of.kind));
        assigned.sort_by(|a, b| (&a.user, &a.of, &a.row).cmp(&(&b.user, &b.of, &b.row)));
        assigned.dedup();
        Ok(assigned)
    }

    /// What a row gives: nothing any more, where it has expired. `None`: it cannot be read.
    fn of_row(&self, row: &Row, source: &Source<'_>) -> Option<Vec<Assigned>> {
        let expires = match text(row, "ExpirationDate") {
            Some(at) => Some(at.parse().ok()?),
            None => None,
        };
        if flag(row, "IsActive") == Some(false) || expires.is_some_and(|at| at <= self.0.clock.now()) {
            return Some(Vec::new());
        }
        let kind = match source.object {
            "PermissionSetAssignment" if id(row, "PermissionSetGroupId").is_some() => {
                EntitlementKind::PermissionSetGroup
            }
            "GroupMember" if text(row, "Group.Type") == Some("Queue") => EntitlementKind::Queue,
            _ => *source.kinds.first()?,
        };
        let Given::Row(Assignment { user, entitlement, .. }) = kind.given() else { return None };
        let of = EntitlementRef { kind, id: id(row, entitlement)?.to_string() };
        Some(vec![Assigned { user: id(row, user)?, of, row: Some(id(row, "Id")?), expires }])
    }
}

impl<'a> Source<'a> {
    fn question(&self, users: &[RecordId], kinds: &[EntitlementKind]) -> Result<Question<'a>, CallError> {
        let of_these = Condition::is_in(self.user, users.iter().map(Literal::from))?;
        let only = match self.object {
            "PermissionSetAssignment" => {
                of_these.and(Condition::eq("PermissionSet.IsOwnedByProfile", false)?)
            }
            "GroupMember" => {
                let types = [(EntitlementKind::PublicGroup, "Regular"), (EntitlementKind::Queue, "Queue")];
                let types = types.into_iter().filter(|(kind, _)| kinds.contains(kind));
                of_these.and(Condition::is_in("Group.Type", types.map(|(_, name)| name))?)
            }
            "UserTerritory2Association" => {
                of_these.and(Condition::eq("Territory2.Territory2Model.State", "Active")?)
            }
            _ => of_these,
        };
        Ok(Question {
            object: self.object,
            fields: self.fields,
            optional: self.optional.to_vec(),
            only: Some(only),
            narrower: None,
        })
    }
}

/// What stands in fields of the User.
fn of_user(row: &Row, flags: &[&str]) -> Option<Vec<Assigned>> {
    let user = id(row, "Id")?;
    let one = |kind, id: String| Assigned {
        user: user.clone(),
        of: EntitlementRef { kind, id },
        row: None,
        expires: None,
    };
    let mut assigned = vec![one(EntitlementKind::Profile, id(row, "ProfileId")?.to_string())];
    assigned.extend(id(row, "UserRoleId").map(|role| one(EntitlementKind::Role, role.to_string())));
    let set = flags.iter().filter(|name| flag(row, name) == Some(true));
    assigned.extend(set.map(|name| one(EntitlementKind::FeatureLicense, (*name).to_owned())));
    Some(assigned)
}
