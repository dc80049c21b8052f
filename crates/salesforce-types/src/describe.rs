//! What an org says of its objects (REST API Developer Guide, "sObject Describe").

use serde::{Deserialize, Serialize};

/// One object with its fields, as `GET /sobjects/{name}/describe` tells it. Members that Gangway has no use for are
/// dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDescription {
    /// The API name, such as `User`.
    pub name: String,
    /// The name people see.
    #[serde(default)]
    pub label: String,
    /// The first three characters of its ids.
    #[serde(default)]
    pub key_prefix: Option<String>,
    /// Fields that the integration user may see; hidden ones are not in the list.
    pub fields: Vec<FieldDescription>,
}

impl ObjectDescription {
    /// A field by its API name, in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldDescription> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

/// One field.
#[expect(clippy::struct_excessive_bools, reason = "the members of a describe, as Salesforce names them")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldDescription {
    /// The API name.
    pub name: String,
    /// The name people see; Salesforce uses it in its messages.
    #[serde(default)]
    pub label: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// The most characters it takes; 0 where that means nothing.
    #[serde(default)]
    pub length: u32,
    /// Whether it may be empty.
    #[serde(default)]
    pub nillable: bool,
    /// Whether it can be given at creation.
    #[serde(default)]
    pub createable: bool,
    /// Whether it can be changed.
    #[serde(default)]
    pub updateable: bool,
    /// Whether Salesforce fills it in when it is left out.
    #[serde(default)]
    pub defaulted_on_create: bool,
    /// Whether only the values of its picklist are taken.
    #[serde(default)]
    pub restricted_picklist: bool,
    /// Whether a record can be looked up by it.
    #[serde(default)]
    pub id_lookup: bool,
    /// Whether it is marked as an external id.
    #[serde(default)]
    pub external_id: bool,
    /// Whether no two records may have the same value.
    #[serde(default)]
    pub unique: bool,
    /// Whether that comparison minds case.
    #[serde(default)]
    pub case_sensitive: bool,
    /// The objects a reference may point to.
    #[serde(default)]
    pub reference_to: Vec<String>,
    /// The values of a picklist, inactive ones included.
    #[serde(default, rename = "picklistValues")]
    pub picklist: Vec<PicklistValue>,
}

impl FieldDescription {
    /// Whether a create without it is refused.
    #[must_use]
    pub fn required_on_create(&self) -> bool {
        self.createable
            && !self.nillable
            && !self.defaulted_on_create
            && self.field_type != FieldType::Boolean
    }

    /// The picklist's own spelling of a value, in any case, if it is active.
    #[must_use]
    pub fn picklist_value(&self, value: &str) -> Option<&str> {
        self.picklist
            .iter()
            .filter(|entry| entry.active)
            .find(|entry| entry.value.eq_ignore_ascii_case(value))
            .map(|entry| entry.value.as_str())
    }
}

/// One value of a picklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PicklistValue {
    /// What is stored.
    pub value: String,
    /// What people see.
    #[serde(default)]
    pub label: Option<String>,
    /// Whether it can be chosen.
    #[serde(default = "yes")]
    pub active: bool,
}

fn yes() -> bool {
    true
}

/// What a field holds (Object Reference, "Field Types").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are Salesforce's own and say all there is to say")]
pub enum FieldType {
    Address,
    AnyType,
    Base64,
    Boolean,
    Combobox,
    Currency,
    Date,
    DateTime,
    Double,
    Email,
    EncryptedString,
    Id,
    Int,
    Location,
    Long,
    MultiPicklist,
    Percent,
    Phone,
    Picklist,
    Reference,
    String,
    TextArea,
    Time,
    Url,
    /// A type that this version of Gangway has no word for.
    #[serde(other)]
    Other,
}
