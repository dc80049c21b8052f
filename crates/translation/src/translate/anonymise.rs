//! What `on-leave = "anonymise"` writes into the record of somebody who has left.

use salesforce_types::{FieldType, Fields, ObjectDescription};
use serde_json::Value as Json;

use crate::mapping::{Meaning, Target};

/// Stands in text fields that may not be empty.
const WORD: &str = "Anonymised";

impl Target {
    /// The fields that no longer say who the person was: what the mapping takes from a person is emptied, and text that
    /// Salesforce requires becomes a word that is the same for everybody.
    ///
    /// What the mapping writes alike for all (a `default` alone, a queue, the identity's own records) stays, and so do
    /// switches, such as an opt-out, and choices that may not be empty.
    #[must_use]
    pub fn anonymised(&self, describe: &ObjectDescription) -> Fields {
        let mut fields = Fields::new();
        for rule in self.rules.iter().filter(|rule| rule.value.is_some()) {
            let keyed =
                describe.relationship(&rule.field).filter(|_| matches!(rule.meaning, Meaning::Key(_)));
            let field = keyed.or_else(|| describe.field(&rule.field));
            let Some(field) = field.filter(|field| field.updateable) else { continue };
            // By the name by which it was written.
            let name = keyed.and_then(|field| field.relationship_name.as_ref()).unwrap_or(&field.name);
            if field.field_type == FieldType::Boolean {
                continue;
            }
            if field.nillable {
                fields.insert(name.clone(), Json::Null);
            } else if matches!(field.field_type, FieldType::String | FieldType::TextArea) {
                let length =
                    if field.length == 0 { WORD.len() } else { WORD.len().min(field.length as usize) };
                fields.insert(name.clone(), Json::from(&WORD[..length]));
            }
        }
        fields
    }
}
