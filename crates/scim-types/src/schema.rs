//! Schemas as data (RFC 7643 §7): what attributes there are and how each behaves.

use serde::{Deserialize, Serialize};

/// The URN of the User schema.
pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The URN of the Group schema.
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The URN of the enterprise extension of User.
pub const ENTERPRISE_USER_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The URN of Gangway's own extension of User: warnings and the state in Salesforce.
pub const GANGWAY_USER_URN: &str = "urn:gangway:params:scim:schemas:extension:2.0:User";
/// The URN of Gangway's own extension of Group.
pub const GANGWAY_GROUP_URN: &str = "urn:gangway:params:scim:schemas:extension:2.0:Group";
/// The URN of the extension of User that holds what a source of events calls by names of its own. It is free-form, and served
/// at no `/Schemas`: nobody but that source knows what is in it.
pub const PROFILE_USER_URN: &str = "urn:gangway:params:scim:schemas:extension:profile:2.0:User";
/// The URN of the Entitlement schema: Okta's, which finds the endpoint by it and is the one that is deployed.
pub const ENTITLEMENT_URN: &str = "urn:okta:scim:schemas:core:1.0:Entitlement";
/// The URN of the Role schema, by the same rule.
pub const ROLE_URN: &str = "urn:okta:scim:schemas:core:1.0:Role";
/// What draft-ietf-scim-roles-entitlements and Salesforce's own SCIM API call the Entitlement schema.
pub const ENTITLEMENT_ALIASES: [&str; 2] =
    ["urn:ietf:params:scim:schemas:core:2.0:Entitlement", "urn:salesforce:schemas:extension:1.0:Entitlement"];
/// What draft-ietf-scim-roles-entitlements calls the Role schema.
pub const ROLE_ALIASES: [&str; 1] = ["urn:ietf:params:scim:schemas:core:2.0:Role"];

/// One schema, in the form in which it is served at `/Schemas` (RFC 7643 §7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schema {
    /// The URN.
    pub id: String,
    /// A name for people, such as `User`.
    pub name: String,
    /// A sentence for people.
    pub description: String,
    /// The attributes in the order of the specification.
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// Whether it is one of Gangway's own, which say what came of a change and take nothing in.
    #[must_use]
    pub fn is_gangways(&self) -> bool {
        [GANGWAY_USER_URN, GANGWAY_GROUP_URN].contains(&self.id.as_str())
    }

    /// The attribute of this name, without regard to case.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }
}

/// One attribute or sub-attribute (RFC 7643 §7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attribute {
    /// The name in its canonical spelling; for the whole of an extension, its URN.
    pub name: String,
    /// The type of the value, or of each value.
    #[serde(rename = "type")]
    pub type_: AttributeType,
    /// The parts of a complex attribute, else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sub_attributes: Vec<Attribute>,
    /// Whether the value is an array.
    pub multi_valued: bool,
    /// A sentence for people.
    pub description: String,
    /// Whether a resource cannot be without it.
    pub required: bool,
    /// Values that clients should use; others are accepted too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canonical_values: Vec<String>,
    /// Whether upper and lower case make a different value.
    #[serde(default)]
    pub case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// When an answer contains it.
    pub returned: Returned,
    /// Whether two resources may have the same value.
    #[serde(default)]
    pub uniqueness: Uniqueness,
    /// What a reference may point to, such as `User` or `external`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference_types: Vec<String>,
}

impl Attribute {
    /// The sub-attribute of this name, without regard to case.
    #[must_use]
    pub fn sub_attribute(&self, name: &str) -> Option<&Attribute> {
        self.sub_attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }

    /// Whether it has sub-attributes.
    #[must_use]
    pub fn is_complex(&self) -> bool {
        self.type_ == AttributeType::Complex
    }

    /// Whether it takes any members, by any name: it has parts and names none.
    #[must_use]
    pub fn is_free_form(&self) -> bool {
        self.is_complex() && self.sub_attributes.is_empty()
    }

    /// Whether clients can never set it.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }

    /// The sub-attribute that a plain value of a complex attribute stands for: `emails eq "x"` means
    /// `emails.value eq "x"` (RFC 7643 §2.4). None without a sub-attribute `value`.
    #[must_use]
    pub fn value_attribute(&self) -> Option<&Attribute> {
        self.sub_attribute("value")
    }
}

/// The types of values (RFC 7643 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttributeType {
    /// Text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A real number.
    Decimal,
    /// A whole number.
    Integer,
    /// An instant, as xsd:dateTime text.
    DateTime,
    /// Base64 text.
    Binary,
    /// A URI.
    Reference,
    /// An object of sub-attributes.
    Complex,
}

/// Who may write an attribute (RFC 7643 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mutability {
    /// Only the server.
    ReadOnly,
    /// Anyone, at any time.
    ReadWrite,
    /// Anyone, once.
    Immutable,
    /// Anyone; it cannot be read back.
    WriteOnly,
}

/// When an answer contains an attribute (RFC 7643 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    /// In every answer.
    Always,
    /// In no answer.
    Never,
    /// Unless it is excluded.
    Default,
    /// Only where it is asked for.
    Request,
}

/// Whether two resources may have the same value (RFC 7643 §2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Uniqueness {
    /// They may.
    #[default]
    None,
    /// Not within the tenant.
    Server,
    /// Nowhere.
    Global,
}
