//! Choices in fields of the person's records.

use model::Timestamp;
use salesforce_types::{FieldDescription, FieldType, Fields, Manner, ObjectDescription, References, Step};
use serde_json::Value;

use super::{
    FieldChoice, Run, Which,
    matching::Match,
    misconfigured,
    writing::{Changed, Write},
};
use crate::ProvisionError;

impl Run<'_> {
    /// What each record needs to say the choices; of each only the fields that differ.
    pub(super) async fn in_fields(
        &self,
        chosen: &[(Match, Which)],
        choices: &[FieldChoice],
    ) -> Result<Vec<Write>, ProvisionError> {
        let mut writes = Vec::with_capacity(chosen.len());
        for (record, which) in chosen {
            let object = record.object.as_str();
            let description = self.org.describe(object).await.map_err(|error| self.failed(error))?;
            let mut changed = Vec::new();
            let mut fields = Fields::new();
            for choice in choices.iter().filter(|choice| which.takes(choice.stance)) {
                let described = self.described(&description, &choice.field)?;
                let wanted = fit(described, &choice.value);
                let current = record.row.get(&choice.field).cloned().unwrap_or_default();
                let before = self.before(record.id.as_str(), object, &choice.field);
                let old = before.cloned().unwrap_or_else(|| current.clone());
                if says_same(described, &old, &wanted) {
                    continue;
                }
                if !says_same(described, &current, &wanted) {
                    fields.insert(choice.field.clone(), wanted.clone());
                }
                changed.push(Changed { field: choice.field.clone(), old, new: wanted });
            }
            let step = (!fields.is_empty()).then(|| Step::Update {
                object: object.to_owned(),
                id: record.id.clone(),
                fields,
                manner: Manner::default(),
            });
            let record = Some(record.id.clone());
            writes.push(Write { object: object.to_owned(), name: String::new(), record, step, changed });
        }
        Ok(writes)
    }

    /// The record that is made for a person who has none.
    pub(super) async fn made(&self, choices: &[FieldChoice]) -> Result<Write, ProvisionError> {
        let object = self.target.object.as_str();
        let description = self.org.describe(object).await.map_err(|error| self.failed(error))?;
        let key = &self.target.match_field;
        let key_described = self.described(&description, key)?;
        if !key_described.createable {
            return Err(misconfigured(format!(
                "a {object} cannot be made with a {key}: `upsert-mode` needs a `match` field that can be written"
            )));
        }
        let mut fields = self.target.create.clone().unwrap_or_default();
        let mut changed = Vec::with_capacity(choices.len());
        for choice in choices {
            let value = fit(self.described(&description, &choice.field)?, &choice.value);
            fields.insert(choice.field.clone(), value.clone());
            changed.push(Changed { field: choice.field.clone(), old: Value::Null, new: value });
        }
        let (object, refers, manner) = (object.to_owned(), References::new(), Manner::default());
        let step = if key_described.external_id {
            // It never makes a second one, whoever else is making it.
            let value = self.consent.person.clone();
            fields.shift_remove(key);
            Step::Upsert { object: object.clone(), key: key.clone(), value, fields, refers, manner }
        } else {
            fields.insert(key.clone(), Value::from(self.consent.person.as_str()));
            Step::Create { object: object.clone(), fields, refers, manner }
        };
        Ok(Write { object, name: String::new(), record: None, step: Some(step), changed })
    }

    fn described<'d>(
        &self,
        description: &'d ObjectDescription,
        field: &str,
    ) -> Result<&'d FieldDescription, ProvisionError> {
        description.field(field).ok_or_else(|| {
            misconfigured(format!(
                "{} of the org {} has no field {field} that the integration user may see: correct `mappings`, or give the \
                 permission set access to it",
                description.name,
                self.org.name()
            ))
        })
    }
}

/// A value in the form of its field.
fn fit(field: &FieldDescription, value: &Value) -> Value {
    match (field.field_type, value) {
        // A moment in a field for days.
        (FieldType::Date, Value::String(moment)) if moment.len() > 10 => Value::from(&moment[..10]),
        _ => value.clone(),
    }
}

/// A moment as Salesforce tells it: `2026-08-05T08:00:01.000+0000`.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    text.replace("+0000", "Z").parse().ok()
}

/// Whether Salesforce holds the same. It tells the values of a multi-select picklist in its own order, and a moment in its
/// own form.
fn says_same(field: &FieldDescription, held: &Value, wanted: &Value) -> bool {
    match (field.field_type, held, wanted) {
        (FieldType::MultiPicklist, Value::String(held), Value::String(wanted)) => {
            let values = |text: &str| {
                let mut values: Vec<String> = text.split(';').map(|value| value.trim().to_owned()).collect();
                values.sort_unstable();
                values
            };
            values(held) == values(wanted)
        }
        (FieldType::DateTime, Value::String(held), Value::String(wanted)) => {
            match (moment(held), moment(wanted)) {
                (Some(held), Some(wanted)) => held == wanted,
                _ => held == wanted,
            }
        }
        // A box that nobody has ticked is as good as none.
        (FieldType::Boolean, Value::Null, Value::Bool(wanted)) => !wanted,
        _ => planning::same_value(&field.name, held, wanted),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(kind: &str) -> FieldDescription {
        serde_json::from_value(json!({"name": "Field__c", "type": kind})).unwrap()
    }

    #[test]
    fn salesforce_says_the_same_in_its_own_form() {
        for (kind, held, wanted, same) in [
            ("multipicklist", json!("events;tech"), json!("tech;events"), true),
            ("multipicklist", json!("events"), json!("tech;events"), false),
            ("datetime", json!("2026-08-05T08:00:01.000+0000"), json!("2026-08-05T08:00:01Z"), true),
            ("datetime", json!("2026-08-05T08:00:01.000+0000"), json!("2026-08-05T08:00:02Z"), false),
            ("boolean", json!(null), json!(false), true),
            ("boolean", json!(false), json!(true), false),
            ("string", json!(null), json!(""), true),
        ] {
            assert_eq!(says_same(&field(kind), &held, &wanted), same, "{kind} {held} {wanted}");
        }
    }

    #[test]
    fn a_moment_fits_a_field_for_days() {
        let moment = json!("2026-08-05T08:00:01Z");
        assert_eq!(fit(&field("date"), &moment), json!("2026-08-05"));
        assert_eq!(fit(&field("datetime"), &moment), moment);
    }
}
