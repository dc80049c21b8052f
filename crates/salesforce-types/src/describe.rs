//! What an org says of its objects (REST API Developer Guide, "sObject Describe").

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::RecordId;

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
    /// Kinds of its records, the one of records without any (`Master`) included.
    #[serde(default, rename = "recordTypeInfos")]
    pub record_types: Vec<RecordType>,
}

impl ObjectDescription {
    /// A field by its API name, in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldDescription> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The field behind a relationship's name, such as `AccountId` for `Account`, in any case.
    #[must_use]
    pub fn relationship(&self, name: &str) -> Option<&FieldDescription> {
        let is_it = |known: &String| known.eq_ignore_ascii_case(name);
        self.fields.iter().find(|field| field.relationship_name.as_ref().is_some_and(is_it))
    }

    /// A record type by its developer name, in any case, or by its id in either spelling.
    #[must_use]
    pub fn record_type(&self, name_or_id: &str) -> Option<&RecordType> {
        let id = RecordId::parse(name_or_id).ok();
        self.record_types.iter().find(|record_type| {
            let is_named = |known: &String| known.eq_ignore_ascii_case(name_or_id);
            Some(&record_type.id) == id.as_ref() || record_type.developer_name.as_ref().is_some_and(is_named)
        })
    }
}

/// A kind of record of an object, as the integration user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordType {
    /// What `RecordTypeId` holds.
    #[serde(rename = "recordTypeId")]
    pub id: RecordId,
    /// The name people see.
    #[serde(default)]
    pub name: String,
    /// The API name.
    #[serde(default)]
    pub developer_name: Option<String>,
    /// Whether the integration user may choose it.
    #[serde(default)]
    pub available: bool,
    /// Whether a new record of the integration user has it when nothing is said.
    #[serde(default, rename = "defaultRecordTypeMapping")]
    pub default: bool,
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
    /// The most digits of a whole number; 0 where that means nothing.
    #[serde(default)]
    pub digits: u32,
    /// The most digits of any other number, those after the point included; 0 where that means nothing.
    #[serde(default)]
    pub precision: u32,
    /// How many of them stand after the point.
    #[serde(default)]
    pub scale: u32,
    /// Whether it may be empty.
    #[serde(default)]
    pub nillable: bool,
    /// Whether it can be given at creation.
    #[serde(default)]
    pub createable: bool,
    /// Whether it can be changed.
    #[serde(default)]
    pub updateable: bool,
    /// Whether records can be looked for by it.
    #[serde(default = "yes")]
    pub filterable: bool,
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
    /// What a reference is called where it stands for the record that it points to: `Account` for `AccountId`.
    #[serde(default)]
    pub relationship_name: Option<String>,
    /// What a new record has when nothing is sent.
    #[serde(default)]
    pub default_value: Option<Value>,
    /// The field whose value decides which values of this picklist there are: `CountryCode` for `StateCode`.
    #[serde(default)]
    pub controller_name: Option<String>,
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
#[serde(rename_all = "camelCase")]
pub struct PicklistValue {
    /// What is stored.
    pub value: String,
    /// What people see.
    #[serde(default)]
    pub label: Option<String>,
    /// Whether it can be chosen.
    #[serde(default = "yes")]
    pub active: bool,
    /// For which values of the controlling picklist this one is there: a bit for each in their order, the highest
    /// first, in Base64. Absent where none controls it.
    #[serde(default)]
    pub valid_for: Option<String>,
}

impl PicklistValue {
    /// Whether the value is there when the controlling picklist has the value at this place.
    #[must_use]
    pub fn is_valid_for(&self, place: usize) -> bool {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let Some(bits) = &self.valid_for else { return true };
        // Each character of Base64 holds six bits.
        let six = bits.as_bytes().get(place / 6).and_then(|c| ALPHABET.iter().position(|known| known == c));
        six.is_some_and(|six| six >> (5 - place % 6) & 1 == 1)
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dependent_value_is_there_for_some_values_of_the_controlling_one() {
        // The third and the ninth of the controlling values: 0010_0000 1000_0000.
        let value: PicklistValue =
            serde_json::from_value(json!({"value": "NB", "active": true, "validFor": "IIAA"})).unwrap();
        let places: Vec<usize> = (0..40).filter(|place| value.is_valid_for(*place)).collect();
        assert_eq!(places, [2, 8]);
        let free: PicklistValue = serde_json::from_value(json!({"value": "NB", "validFor": null})).unwrap();
        assert!(free.is_valid_for(0) && free.is_valid_for(400));
    }

    #[test]
    fn record_types_are_found_by_developer_name_and_id() {
        let object: ObjectDescription = serde_json::from_value(json!({
            "name": "Lead",
            "fields": [{"name": "OwnerId", "type": "reference", "relationshipName": "Owner"}],
            "recordTypeInfos": [
                {"recordTypeId": "0125f000000LpQbAAK", "name": "Partner Lead", "developerName": "Partner", "available": true,
                    "defaultRecordTypeMapping": false},
                {"recordTypeId": "012000000000000AAA", "name": "Master", "developerName": "Master", "available": true,
                    "defaultRecordTypeMapping": true},
            ],
        }))
        .unwrap();
        for name in ["Partner", "partner", "0125f000000LpQbAAK", "0125f000000LpQb"] {
            assert_eq!(
                object.record_type(name).map(|kind| kind.name.as_str()),
                Some("Partner Lead"),
                "{name}"
            );
        }
        assert_eq!(object.record_type("Partner Lead"), None, "the label can be translated");
        assert_eq!(object.relationship("owner").map(|field| field.name.as_str()), Some("OwnerId"));
    }
}
