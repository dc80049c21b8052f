//! What a User can be given in an org beside its record: the kinds, what an org offers of them, and the ledger's rows.

use std::{collections::HashMap, fmt, str::FromStr, sync::OnceLock};

use model::{ChangeId, ClientName, OrgName, ResourceId, TargetName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::RecordId;

/// The kinds of entitlement, in the order in which they are granted: a licence before what needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntitlementKind {
    /// Exactly one per User.
    Profile,
    /// At most one per User.
    Role,
    /// A flag of the User, such as `UserPermissionsMarketingUser`.
    FeatureLicense,
    /// A seat of a managed package.
    PackageLicense,
    /// What some permission sets need.
    PermissionSetLicense,
    /// A permission set of its own, not the shadow of a profile or a group.
    PermissionSet,
    /// Several permission sets under one name.
    PermissionSetGroup,
    /// A group of Users, of type `Regular`.
    PublicGroup,
    /// A group that owns records, of type `Queue`.
    Queue,
    /// Sales territories (Enterprise Territory Management).
    Territory,
}

/// How a kind is given (Object Reference).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// By this field of the User.
    Field(&'static str),
    /// By a flag of the User, whose name is the entitlement's id.
    Flag,
    /// By a record of its own.
    Row(Assignment),
}

/// The object that gives something to a User.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Such as `PermissionSetAssignment`.
    pub object: &'static str,
    /// The field with the User.
    pub user: &'static str,
    /// The field with what he gets.
    pub entitlement: &'static str,
}

impl EntitlementKind {
    /// All of them, in the order in which they are granted.
    pub const ALL: [Self; 10] = [
        Self::Profile,
        Self::Role,
        Self::FeatureLicense,
        Self::PackageLicense,
        Self::PermissionSetLicense,
        Self::PermissionSet,
        Self::PermissionSetGroup,
        Self::PublicGroup,
        Self::Queue,
        Self::Territory,
    ];

    /// As it stands in configuration, logs and commands, such as `permission-set`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Role => "role",
            Self::FeatureLicense => "feature-license",
            Self::PackageLicense => "package-license",
            Self::PermissionSetLicense => "permission-set-license",
            Self::PermissionSet => "permission-set",
            Self::PermissionSetGroup => "permission-set-group",
            Self::PublicGroup => "public-group",
            Self::Queue => "queue",
            Self::Territory => "territory",
        }
    }

    /// The SCIM `type`, such as `PermissionSet`: as Salesforce's own SCIM API has it, where it has it.
    #[must_use]
    pub fn scim_type(self) -> &'static str {
        match self {
            Self::Profile => "Profile",
            Self::Role => "Role",
            Self::FeatureLicense => "FeatureLicense",
            Self::PackageLicense => "PackageLicense",
            Self::PermissionSetLicense => "PermissionSetLicense",
            Self::PermissionSet => "PermissionSet",
            Self::PermissionSetGroup => "PermissionSetGroup",
            Self::PublicGroup => "PublicGroup",
            Self::Queue => "Queue",
            Self::Territory => "Territory",
        }
    }

    /// Whether a User has at most one.
    #[must_use]
    pub fn is_single(self) -> bool {
        matches!(self, Self::Profile | Self::Role)
    }

    /// How it is given.
    #[must_use]
    pub fn given(self) -> Given {
        let row = |object, user, entitlement| Given::Row(Assignment { object, user, entitlement });
        match self {
            Self::Profile => Given::Field("ProfileId"),
            Self::Role => Given::Field("UserRoleId"),
            Self::FeatureLicense => Given::Flag,
            Self::PackageLicense => row("UserPackageLicense", "UserId", "PackageLicenseId"),
            Self::PermissionSetLicense => {
                row("PermissionSetLicenseAssign", "AssigneeId", "PermissionSetLicenseId")
            }
            Self::PermissionSet => row("PermissionSetAssignment", "AssigneeId", "PermissionSetId"),
            Self::PermissionSetGroup => row("PermissionSetAssignment", "AssigneeId", "PermissionSetGroupId"),
            Self::PublicGroup | Self::Queue => row("GroupMember", "UserOrGroupId", "GroupId"),
            Self::Territory => row("UserTerritory2Association", "UserId", "Territory2Id"),
        }
    }
}

impl fmt::Display for EntitlementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no kind of entitlement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no kind of entitlement: use profile, role, permission-set, permission-set-group, permission-set-license, public-group, queue, package-license, feature-license or territory"
)]
pub struct UnknownKind(pub String);

impl FromStr for EntitlementKind {
    type Err = UnknownKind;

    /// Takes both spellings, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let is = |kind: &Self| {
            text.eq_ignore_ascii_case(kind.as_str()) || text.eq_ignore_ascii_case(kind.scim_type())
        };
        Self::ALL.into_iter().find(is).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// One entitlement of an org: its kind and its id. The id is the record's, in 18 characters; of a feature licence it is the
/// name of the User's field.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntitlementRef {
    /// What it is.
    pub kind: EntitlementKind,
    /// Which one.
    pub id: String,
}

impl EntitlementRef {
    /// The field of the User that gives it. None: it has a row of its own.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self.kind.given() {
            Given::Field(field) => Some(field),
            Given::Flag => Some(&self.id),
            Given::Row(_) => None,
        }
    }

    /// Whether a text is its id in any spelling.
    #[must_use]
    pub fn has_id(&self, text: &str) -> bool {
        id_key(&self.id) == id_key(text.trim())
    }
}

impl fmt::Display for EntitlementRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

/// How many of something there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    /// Taken.
    pub used: u64,
    /// All; `None`: as many as there are Users (a site licence).
    pub total: Option<u64>,
}

impl Seats {
    /// How many are free; `None`: there is no end to them.
    #[must_use]
    pub fn free(self) -> Option<u64> {
        Some(self.total?.saturating_sub(self.used))
    }
}

/// What an org offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// Which one.
    #[serde(flatten)]
    pub of: EntitlementRef,
    /// The API name, where the kind has one; else the label. A packaged one has its namespace before it: `ns__Name`.
    pub name: String,
    /// As people see it.
    pub label: String,
    /// What it is for, where somebody has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the holder needs: of a profile its user licence; of a permission set a user licence or a permission set licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<RecordId>,
    /// Of a kind that has seats of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<Seats>,
    /// Of a permission set group: its permission sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<RecordId>,
    /// Whether it gives `Modify All Data` or `Manage Users`.
    #[serde(default)]
    pub far_reaching: bool,
    /// Of a profile: whose it is, such as `Standard`, `Guest`, `PowerPartner`. Of a role: its `PortalType`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_type: Option<String>,
}

/// A user licence of an org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLicense {
    /// Its id.
    pub id: RecordId,
    /// Such as `Salesforce`. In the org's language.
    pub name: String,
    /// Such as `SFDC`. In no language (`LicenseDefinitionKey`).
    pub key: String,
    /// How many Users may have it.
    pub seats: Seats,
}

/// All that an org offers. What it lacks is absent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Catalogue {
    entitlements: Vec<Entitlement>,
    licenses: Vec<UserLicense>,
    /// Made with the first question: an org may have thousands of permission sets.
    #[serde(skip)]
    index: OnceLock<Index>,
}

/// Where an entitlement stands in the list.
#[derive(Clone, Debug, Default)]
struct Index {
    refs: HashMap<EntitlementRef, usize>,
    ids: HashMap<String, Vec<usize>>,
    names: HashMap<String, Vec<usize>>,
    labels: HashMap<String, Vec<usize>>,
}

impl PartialEq for Catalogue {
    fn eq(&self, other: &Self) -> bool {
        self.entitlements == other.entitlements && self.licenses == other.licenses
    }
}

/// Why a name is not one entitlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOne {
    /// The org has none of that name.
    Unknown,
    /// Several have it: these.
    Ambiguous(Vec<EntitlementRef>),
}

impl Catalogue {
    /// Puts them in the order in which they are listed: by kind, then label, then id.
    #[must_use]
    pub fn new(mut entitlements: Vec<Entitlement>, licenses: Vec<UserLicense>) -> Self {
        entitlements.sort_by_cached_key(|one| (one.of.kind, one.label.to_lowercase(), one.of.id.clone()));
        Self { entitlements, licenses, index: OnceLock::new() }
    }

    /// What can be given, in the order in which it is listed.
    #[must_use]
    pub fn entitlements(&self) -> &[Entitlement] {
        &self.entitlements
    }

    /// The user licences.
    #[must_use]
    pub fn licenses(&self) -> &[UserLicense] {
        &self.licenses
    }

    /// The entitlement.
    #[must_use]
    pub fn get(&self, of: &EntitlementRef) -> Option<&Entitlement> {
        self.index().refs.get(of).map(|at| &self.entitlements[*at])
    }

    /// The one of these kinds (none: of any) that is called so: by its id in either spelling, else by its API name, else by its
    /// label, without regard to case.
    ///
    /// # Errors
    ///
    /// [`NotOne`]; nothing is ever guessed.
    pub fn named(&self, kinds: &[EntitlementKind], text: &str) -> Result<&Entitlement, NotOne> {
        let text = text.trim();
        let index = self.index();
        let id = id_key(text);
        let folded = text.to_lowercase();
        for (names, text) in [(&index.ids, &id), (&index.names, &folded), (&index.labels, &folded)] {
            let of_kind = |one: &&Entitlement| kinds.is_empty() || kinds.contains(&one.of.kind);
            let found: Vec<&Entitlement> = names
                .get(text)
                .map(|places| places.iter().map(|at| &self.entitlements[*at]).filter(of_kind).collect())
                .unwrap_or_default();
            match found.as_slice() {
                [] => {}
                [one] => return Ok(one),
                several => return Err(NotOne::Ambiguous(several.iter().map(|one| one.of.clone()).collect())),
            }
        }
        Err(NotOne::Unknown)
    }

    /// The user licence.
    #[must_use]
    pub fn license(&self, id: &RecordId) -> Option<&UserLicense> {
        self.licenses.iter().find(|license| license.id == *id)
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let mut index = Index::default();
            for (at, one) in self.entitlements.iter().enumerate() {
                index.refs.insert(one.of.clone(), at);
                index.ids.entry(id_key(&one.of.id)).or_default().push(at);
                index.names.entry(one.name.to_lowercase()).or_default().push(at);
                index.labels.entry(one.label.to_lowercase()).or_default().push(at);
            }
            index
        })
    }
}

/// Ids of records differ by case in 15 characters and not in 18, whose last three say what the case of the others is; names of
/// fields do not differ by case.
fn id_key(text: &str) -> String {
    RecordId::parse(text).map_or_else(|_| text.to_lowercase(), |id| id.as_str().to_lowercase())
}

/// An assignment as it stands in an org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Whose.
    pub user: RecordId,
    /// What.
    pub of: EntitlementRef,
    /// The record that gives it; `None`: a field of the User does.
    pub row: Option<RecordId>,
    /// When Salesforce ends it by itself.
    pub expires: Option<Timestamp>,
}

/// A row of the ledger: one entitlement of one identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Grant {
    /// In which org.
    pub org: OrgName,
    /// Of whose link.
    pub target: TargetName,
    /// What.
    #[serde(flatten)]
    pub of: EntitlementRef,
    /// What it was called then.
    pub name: String,
    /// Whether it is there, and whose it is.
    pub state: GrantState,
    /// Who asked for it. Nobody: it was found, or is kept although nobody asks any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Ask>,
    /// The record in Salesforce that gives it, where one does and its id is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<RecordId>,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Of one that is refused or waits: why. No personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether a grant is there, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantState {
    /// In Salesforce, and ours to take away.
    Granted,
    /// In Salesforce, given by somebody else: shown, and left alone.
    Found,
    /// Asked for, and Salesforce has said no.
    Refused,
    /// Asked for, and it comes when a seat is free.
    Waiting,
    /// Ours, and taken away for as long as the person is away.
    Stripped,
}

impl GrantState {
    /// Whether the person has it.
    #[must_use]
    pub fn is_held(self) -> bool {
        matches!(self, Self::Granted | Self::Found)
    }

    /// As it is kept and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Found => "found",
            Self::Refused => "refused",
            Self::Waiting => "waiting",
            Self::Stripped => "stripped",
        }
    }
}

/// Somebody who asks for a grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ask {
    /// By what.
    #[serde(flatten)]
    pub by: AskedBy,
    /// The client whose request it came with.
    pub client: ClientName,
    /// The change it came with.
    pub change: ChangeId,
    /// Since when.
    pub since: Timestamp,
}

/// By what a grant is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "by", content = "what", rename_all = "kebab-case")]
pub enum AskedBy {
    /// The identity's own `entitlements` or `roles`.
    Attribute,
    /// Membership of this SCIM Group.
    Group(ResourceId),
    /// A rule of the mapping.
    Rule(String),
    /// The tenant's default: every User has a profile.
    Default,
}

impl fmt::Display for AskedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute => f.write_str("the identity's entitlements or roles"),
            Self::Group(id) => write!(f, "membership of the group {id}"),
            Self::Rule(name) => write!(f, "the rule {name}"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// What a SCIM Group stands for: its members have this entitlement.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StandsFor {
    /// In which org.
    pub org: OrgName,
    /// What.
    #[serde(flatten)]
    pub of: EntitlementRef,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(id: &str, name: &str, label: &str) -> Entitlement {
        Entitlement {
            of: EntitlementRef { kind: EntitlementKind::PermissionSet, id: id.to_owned() },
            name: name.to_owned(),
            label: label.to_owned(),
            description: None,
            license: None,
            seats: None,
            contains: Vec::new(),
            far_reaching: false,
            user_type: None,
        }
    }

    #[test]
    fn a_name_is_one_entitlement_or_is_refused_with_the_candidates() {
        let sets = vec![
            set("0PS5f000000abcAAAQ", "Sales_Ops", "Sales"),
            set("0PS5f000000abdAAAQ", "Sales_EMEA", "Sales"),
        ];
        let catalogue = Catalogue::new(sets, Vec::new());
        let id = |found: Result<&Entitlement, NotOne>| found.map(|one| one.of.id.clone());
        assert_eq!(id(catalogue.named(&[], "sales_ops")), Ok("0PS5f000000abcAAAQ".to_owned()));
        assert_eq!(id(catalogue.named(&[EntitlementKind::Role], "sales_ops")), Err(NotOne::Unknown));
        assert_eq!(id(catalogue.named(&[], "Marketing")), Err(NotOne::Unknown));
        let Err(NotOne::Ambiguous(candidates)) = catalogue.named(&[], "SALES") else {
            panic!("it is guessed")
        };
        assert_eq!(candidates.len(), 2);
    }

    #[test]
    fn an_id_of_18_characters_is_the_same_in_any_case_and_one_of_15_is_not() {
        let one = set("0PS5f000000abcAGAQ", "Sales_Ops", "Sales");
        let other = set("0PS5f000000abCAGAY", "Sales_EMEA", "EMEA");
        let catalogue = Catalogue::new(vec![one.clone(), other.clone()], Vec::new());
        for text in ["0PS5f000000abcAGAQ", "0ps5f000000abcagaq", "0PS5F000000ABCAGAQ", "0PS5f000000abcA"] {
            assert_eq!(catalogue.named(&[], text), Ok(&one), "{text}");
            assert!(one.of.has_id(text) && !other.of.has_id(text), "{text}");
        }
        assert_eq!(catalogue.named(&[], "0ps5f000000abcagay"), Ok(&other));
        assert_eq!(catalogue.named(&[], "0ps5f000000abca"), Err(NotOne::Unknown));
    }

    #[test]
    fn a_kind_is_read_in_both_spellings() {
        for kind in EntitlementKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(kind.scim_type().to_lowercase().parse(), Ok(kind));
        }
        assert_eq!("user".parse::<EntitlementKind>(), Err(UnknownKind("user".into())));
    }
}
