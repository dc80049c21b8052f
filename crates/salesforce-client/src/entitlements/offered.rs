//! The catalogue: what an org offers.

use std::collections::{BTreeMap, HashSet};

use salesforce_types::{
    Catalogue, Entitlement, EntitlementKind, EntitlementRef, FieldType, RecordId, Seats, UserLicense,
};

use super::question::{Question, flag, id, number, text, unreadable};
use crate::{
    CallError, Org,
    org::Purpose,
    query::Row,
    soql::{Condition, NotAName},
};

/// Where a kind is listed, and how its rows are read.
struct Source {
    object: &'static str,
    fields: &'static [&'static str],
    optional: &'static [&'static str],
    /// Only these rows.
    only: fn() -> Result<Option<Condition>, NotAName>,
    /// Only these, where the others are too many.
    narrower: fn() -> Result<Option<Condition>, NotAName>,
    read: fn(&Row) -> Option<Entitlement>,
}

/// Every profile and every permission set group has a shadow permission set, which nobody can be given for itself.
const PERMISSION_SETS: Source = Source {
    object: "PermissionSet",
    fields: &["Id", "Name", "Label", "PermissionsModifyAllData", "PermissionsManageUsers"],
    optional: &["Description", "NamespacePrefix", "LicenseId"],
    only: || {
        let standing = Condition::eq("IsOwnedByProfile", false)?;
        Ok(Some(standing.and(Condition::not_eq("Type", "Group")?)))
    },
    narrower: nothing,
    read: |row| {
        let far_reaching = far_reaching(row)?;
        let license = id(row, "LicenseId");
        let one = packaged(row, EntitlementKind::PermissionSet, "Name", "Label")?;
        Some(Entitlement { license, far_reaching, ..one })
    },
};

const PROFILES: Source = Source {
    object: "Profile",
    fields: &["Id", "Name", "UserLicenseId", "PermissionsModifyAllData", "PermissionsManageUsers"],
    optional: &["Description", "UserType"],
    only: nothing,
    narrower: nothing,
    read: |row| {
        let far_reaching = far_reaching(row)?;
        let license = id(row, "UserLicenseId");
        let one = named(row, EntitlementKind::Profile, "Name", "Name")?;
        Some(Entitlement { license, far_reaching, user_type: owned(row, "UserType"), ..one })
    },
};

/// An org with many partner accounts has three roles for each of them, which Salesforce gives by itself.
const ROLES: Source = Source {
    object: "UserRole",
    fields: &["Id", "Name"],
    optional: &["DeveloperName", "PortalType"],
    only: nothing,
    narrower: || Condition::eq("PortalType", "None").map(Some),
    read: |row| {
        let one = named(row, EntitlementKind::Role, "DeveloperName", "Name")?;
        Some(Entitlement { user_type: owned(row, "PortalType"), ..one })
    },
};

const PERMISSION_SET_GROUPS: Source = Source {
    object: "PermissionSetGroup",
    fields: &["Id", "DeveloperName", "MasterLabel"],
    optional: &["Description", "NamespacePrefix"],
    only: nothing,
    narrower: nothing,
    read: |row| packaged(row, EntitlementKind::PermissionSetGroup, "DeveloperName", "MasterLabel"),
};

const PERMISSION_SET_LICENSES: Source = Source {
    object: "PermissionSetLicense",
    fields: &["Id", "DeveloperName", "MasterLabel", "TotalLicenses", "UsedLicenses"],
    optional: &[],
    only: nothing,
    narrower: nothing,
    read: |row| {
        let one = named(row, EntitlementKind::PermissionSetLicense, "DeveloperName", "MasterLabel")?;
        Some(Entitlement { seats: Some(seats(row, "TotalLicenses")?), ..one })
    },
};

const PACKAGE_LICENSES: Source = Source {
    object: "PackageLicense",
    fields: &["Id", "NamespacePrefix", "AllowedLicenses", "UsedLicenses"],
    optional: &[],
    only: nothing,
    narrower: nothing,
    read: |row| {
        let one = named(row, EntitlementKind::PackageLicense, "NamespacePrefix", "NamespacePrefix")?;
        Some(Entitlement { seats: Some(seats(row, "AllowedLicenses")?), ..one })
    },
};

/// Groups of other types are Salesforce's own: nobody becomes a member by hand.
const GROUPS: Source = Source {
    object: "Group",
    fields: &["Id", "Name", "Type"],
    optional: &["DeveloperName", "Description"],
    only: || Condition::is_in("Type", ["Regular", "Queue"]).map(Some),
    narrower: nothing,
    read: |row| {
        let kind = match text(row, "Type")? {
            "Queue" => EntitlementKind::Queue,
            _ => EntitlementKind::PublicGroup,
        };
        named(row, kind, "DeveloperName", "Name")
    },
};

/// Of planned and archived models nobody has anything.
const TERRITORIES: Source = Source {
    object: "Territory2",
    fields: &["Id", "Name"],
    optional: &["DeveloperName", "Description"],
    only: || Condition::eq("Territory2Model.State", "Active").map(Some),
    narrower: nothing,
    read: |row| named(row, EntitlementKind::Territory, "DeveloperName", "Name"),
};

/// All that rows are read of; feature licences are fields of User.
const SOURCES: [Source; 8] = [
    PROFILES,
    ROLES,
    PERMISSION_SETS,
    PERMISSION_SET_GROUPS,
    PERMISSION_SET_LICENSES,
    PACKAGE_LICENSES,
    GROUPS,
    TERRITORIES,
];

/// Those with seats of their own.
const SEATED: [Source; 2] = [PERMISSION_SET_LICENSES, PACKAGE_LICENSES];

#[expect(clippy::unnecessary_wraps, reason = "one of the ways in which a source is narrowed")]
fn nothing() -> Result<Option<Condition>, NotAName> {
    Ok(None)
}

impl Source {
    fn question(&self) -> Result<Question<'static>, CallError> {
        Ok(Question {
            object: self.object,
            fields: self.fields,
            optional: self.optional.to_vec(),
            only: (self.only)()?,
            narrower: (self.narrower)()?,
        })
    }

    fn read(&self, rows: Option<Vec<Row>>) -> Result<Vec<Entitlement>, CallError> {
        let rows = rows.unwrap_or_default();
        let read = rows.iter().map(|row| (self.read)(row).ok_or_else(|| unreadable(self.object)));
        read.collect()
    }
}

fn user_licenses() -> Question<'static> {
    Question {
        object: "UserLicense",
        fields: &["Id", "Name", "LicenseDefinitionKey", "TotalLicenses", "UsedLicenses"],
        optional: Vec::new(),
        only: None,
        narrower: None,
    }
}

fn components() -> Question<'static> {
    Question {
        object: "PermissionSetGroupComponent",
        fields: &["PermissionSetGroupId", "PermissionSetId"],
        optional: Vec::new(),
        only: None,
        narrower: None,
    }
}

impl Org {
    /// All that the org offers, sorted by kind, label and id. What it lacks is absent.
    ///
    /// Two calls, and one more per hour for the feature licences, which are fields of User; further ones for more than 2,000 of
    /// a kind, and where fields are hidden.
    ///
    /// # Errors
    ///
    /// A kind that the org has and does not tell fails all of it: what is missing would look as if it had been removed.
    pub async fn catalogue(&self, purpose: Purpose<'_>) -> Result<Catalogue, CallError> {
        let mut questions = vec![user_licenses(), components()];
        for source in &SOURCES {
            questions.push(source.question()?);
        }
        let mut answers = self.ask_each(questions, purpose).await?.into_iter();
        let licenses = read_licenses(answers.next().flatten())?;
        let components = read_components(answers.next().flatten())?;
        let mut entitlements = self.feature_licenses().await?;
        for (source, rows) in SOURCES.iter().zip(answers) {
            entitlements.extend(source.read(rows)?);
        }
        fill_groups(&mut entitlements, components);
        Ok(Catalogue::new(entitlements, licenses))
    }

    /// The same catalogue with its seats read anew: one call.
    ///
    /// # Errors
    ///
    /// As [`Org::catalogue`].
    pub async fn seats(&self, catalogue: &Catalogue, purpose: Purpose<'_>) -> Result<Catalogue, CallError> {
        let mut questions = vec![user_licenses()];
        for source in &SEATED {
            questions.push(source.question()?);
        }
        let mut answers = self.ask_each(questions, purpose).await?.into_iter();
        let licenses = read_licenses(answers.next().flatten())?;
        let mut counted: BTreeMap<EntitlementRef, Option<Seats>> = BTreeMap::new();
        for (source, rows) in SEATED.iter().zip(answers) {
            counted.extend(source.read(rows)?.into_iter().map(|one| (one.of, one.seats)));
        }
        let mut entitlements = catalogue.entitlements().to_vec();
        for one in &mut entitlements {
            if let Some(seats) = counted.get(&one.of) {
                one.seats = *seats;
            }
        }
        Ok(Catalogue::new(entitlements, licenses))
    }

    /// The flags of User that are feature licences, such as `UserPermissionsMarketingUser`, and that the integration user may
    /// set. How many of each there are no API tells.
    pub(super) async fn feature_licenses(&self) -> Result<Vec<Entitlement>, CallError> {
        let user = self.describe("User").await?;
        let flags = user.fields.iter().filter(|field| {
            let feature = field.name.strip_prefix(FLAG).is_some_and(|feature| feature.contains("User"));
            feature && field.updateable && field.field_type == FieldType::Boolean
        });
        Ok(flags
            .map(|field| {
                let of = EntitlementRef { kind: EntitlementKind::FeatureLicense, id: field.name.clone() };
                let name = field.name.trim_start_matches(FLAG).to_owned();
                entitlement(of, name, Some(field.label.clone()))
            })
            .collect())
    }
}

/// How the names of feature licences begin. `UserPermissionsCallCenterAutoLogin` is a preference: the names of licences have
/// `User` in them.
const FLAG: &str = "UserPermissions";

fn entitlement(of: EntitlementRef, name: String, label: Option<String>) -> Entitlement {
    Entitlement {
        of,
        label: label.filter(|label| !label.is_empty()).unwrap_or_else(|| name.clone()),
        name,
        description: None,
        license: None,
        seats: None,
        contains: Vec::new(),
        far_reaching: false,
        user_type: None,
    }
}

fn owned(row: &Row, field: &str) -> Option<String> {
    text(row, field).filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

fn named(row: &Row, kind: EntitlementKind, name: &str, label: &str) -> Option<Entitlement> {
    let of = EntitlementRef { kind, id: id(row, "Id")?.to_string() };
    let label = owned(row, label);
    let name = owned(row, name).or_else(|| label.clone())?;
    Some(Entitlement { description: owned(row, "Description"), ..entitlement(of, name, label) })
}

fn packaged(row: &Row, kind: EntitlementKind, name: &str, label: &str) -> Option<Entitlement> {
    let mut one = named(row, kind, name, label)?;
    if let Some(namespace) = owned(row, "NamespacePrefix") {
        one.name = format!("{namespace}__{}", one.name);
    }
    Some(one)
}

fn far_reaching(row: &Row) -> Option<bool> {
    Some(flag(row, "PermissionsModifyAllData")? || flag(row, "PermissionsManageUsers")?)
}

/// -1 stands for a site licence.
fn seats(row: &Row, total: &str) -> Option<Seats> {
    let used = number(row, "UsedLicenses").map_or(0, |used| u64::try_from(used).unwrap_or(0));
    Some(Seats { used, total: u64::try_from(number(row, total)?).ok() })
}

fn read_licenses(rows: Option<Vec<Row>>) -> Result<Vec<UserLicense>, CallError> {
    let license = |row: &Row| {
        Some(UserLicense {
            id: id(row, "Id")?,
            name: owned(row, "Name")?,
            key: owned(row, "LicenseDefinitionKey").or_else(|| owned(row, "Name"))?,
            seats: seats(row, "TotalLicenses")?,
        })
    };
    let rows = rows.unwrap_or_default();
    rows.iter().map(|row| license(row).ok_or_else(|| unreadable("UserLicense"))).collect()
}

/// The permission sets of each group.
type Components = BTreeMap<RecordId, Vec<RecordId>>;

fn read_components(rows: Option<Vec<Row>>) -> Result<Components, CallError> {
    let mut components = Components::new();
    for row in rows.unwrap_or_default() {
        let ids = id(&row, "PermissionSetGroupId").zip(id(&row, "PermissionSetId"));
        let (group, set) = ids.ok_or_else(|| unreadable("PermissionSetGroupComponent"))?;
        components.entry(group).or_default().push(set);
    }
    Ok(components)
}

/// Puts into every permission set group what it consists of. A set that mutes others is a component too, and gives nothing: it
/// is in no list of permission sets. What it takes away again counts as given, to be on the safe side.
fn fill_groups(entitlements: &mut [Entitlement], mut components: Components) {
    let sets = entitlements.iter().filter(|one| one.of.kind == EntitlementKind::PermissionSet);
    let sets: BTreeMap<String, bool> = sets.map(|set| (set.of.id.clone(), set.far_reaching)).collect();
    for group in entitlements.iter_mut().filter(|one| one.of.kind == EntitlementKind::PermissionSetGroup) {
        let Some(mut contains) = RecordId::parse(&group.of.id).ok().and_then(|id| components.remove(&id))
        else {
            continue;
        };
        let mut seen = HashSet::new();
        contains.retain(|set| sets.contains_key(set.as_str()) && seen.insert(set.clone()));
        contains.sort();
        group.far_reaching = contains.iter().any(|set| sets[set.as_str()]);
        group.contains = contains;
    }
}
