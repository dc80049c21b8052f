//! Who may do what with setup objects: the permissions of profiles and permission sets, against
//! `data/permissions.tsv`. Objects without a line are everybody's; sharing is not simulated.

use crate::{
    cell::Row,
    errors::{Refusal, Refusals},
    ids::Id,
    org::Org,
    schema::Object,
};

/// Object, permissions of which one is needed to write it, and one to see it; the field by which users see
/// what is theirs without it. No permission stands for no need.
const NEEDS: &str = include_str!("../data/permissions.tsv");

/// What users change of themselves only with the right to manage users.
const NOT_ONES_OWN: [&str; 4] = ["IsActive", "ProfileId", "UserRoleId", "FederationIdentifier"];

struct Need {
    write: &'static str,
    read: &'static str,
    own: &'static str,
}

fn need(object: &Object) -> Option<Need> {
    NEEDS.lines().skip(1).find_map(|line| {
        let mut columns = line.split('\t');
        let name = columns.next()?;
        let mut column = || columns.next().unwrap_or_default();
        (name == object.name).then(|| Need { write: column(), read: column(), own: column() })
    })
}

fn has_any(org: &Org, user: Id, permissions: &str) -> bool {
    permissions.is_empty() || permissions.split(' ').any(|permission| may(org, user, permission))
}

/// Whether a user has a permission, named without `Permissions`. A user who is not there is Salesforce
/// itself, which makes what the org file says.
pub(crate) fn may(org: &Org, user: Id, permission: &str) -> bool {
    if org.table_of("User").get(user).is_none() {
        return true;
    }
    let sets = org.table_of("PermissionSet");
    let column = sets.object.at(&format!("Permissions{permission}"));
    let assignments = org.table_of("PermissionSetAssignment");
    let active = |row: &Row| assignments.object.get(row, "IsActive").as_bool();
    let gives = |set: &Row| {
        // Session-activated sets give nothing until a session activates them.
        set.get(column).as_bool() && !sets.object.get(set, "HasActivationRequired").as_bool()
    };
    assignments
        .referring("AssigneeId", user)
        .filter(|row| active(row))
        .filter_map(|row| sets.get(assignments.object.get(row, "PermissionSetId").as_id()?))
        .any(|set| gives(set))
}

/// Refuses a write that the user has no permission for; `named` are the fields that it names.
pub(crate) fn check_write(
    org: &Org,
    object: &Object,
    id: Option<Id>,
    named: &[usize],
    user: Id,
) -> Result<(), Refusals> {
    let Some(need) = need(object) else { return Ok(()) };
    let of_himself = id == Some(user)
        && !named.iter().any(|field| NOT_ONES_OWN.contains(&object.fields[*field].name.as_str()));
    if of_himself || has_any(org, user, need.write) { Ok(()) } else { Err(vec![Refusal::no_access()]) }
}

/// Which rows of an object a user sees.
#[derive(Clone, Copy)]
pub(crate) enum Sight {
    All,
    /// Those whose field has the user.
    Own(usize, Id),
}

impl Sight {
    pub(crate) fn of(org: &Org, object: &Object, user: Id) -> Self {
        match need(object) {
            Some(need) if !has_any(org, user, need.read) => Self::Own(object.at(need.own), user),
            _ => Self::All,
        }
    }

    pub(crate) fn sees(self, row: &Row) -> bool {
        match self {
            Self::All => true,
            Self::Own(field, user) => row.get(field).as_id() == Some(user),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    /// A line that names no object, field or permission would be a rule that never holds.
    #[test]
    fn every_line_names_what_there_is() {
        let schema = Schema::standard(&["territories".to_owned()]).unwrap();
        let sets = schema.object("PermissionSet").unwrap();
        for line in NEEDS.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let object = schema.object(columns[0]).unwrap_or_else(|| panic!("{line}"));
            for permission in
                columns[1].split(' ').chain(columns[2].split(' ')).filter(|name| !name.is_empty())
            {
                assert!(sets.field(&format!("Permissions{permission}")).is_some(), "{permission}");
            }
            assert!(columns[2].is_empty() || object.field(columns[3]).is_some(), "{line}");
        }
    }
}
