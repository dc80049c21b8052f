//! Choices in fields of the person's records.

use salesforce_types::{FieldDescription, FieldType, Fields, Manner, ObjectDescription, References, Step};
use serde_json::Value;

use super::{
    FieldChoice, Problem, Run, Stance, Which,
    matching::Match,
    misconfigured,
    writing::{Changed, Write, made_as},
};
use crate::ProvisionError;

impl Run<'_> {
    /// What each record needs to say the choices; of each only the fields that differ. Where a field is missing in the org the
    /// opt-outs are written all the same, and the rest waits for it.
    pub(super) async fn in_fields(
        &self,
        chosen: &[(Match, Which)],
        choices: &[FieldChoice],
        problem: &mut Problem,
    ) -> Result<Vec<Write>, ProvisionError> {
        let mut writes = Vec::with_capacity(chosen.len());
        for (record, which) in chosen {
            let description = self.describe(record.object).await?;
            let wanted: Vec<&FieldChoice> =
                choices.iter().filter(|choice| which.takes(choice.stance)).collect();
            for choice in self.writable(&description, wanted, problem) {
                writes.push(self.in_field(record, &description, choice)?);
            }
        }
        Ok(together(writes))
    }

    /// What an earlier attempt of this event has written of these choices, and has no evidence of.
    pub(super) async fn landed_in_fields(
        &self,
        found: &[Match],
        choices: &[FieldChoice],
    ) -> Result<Vec<Write>, ProvisionError> {
        let mut landed = Vec::new();
        for record in found {
            let description = self.describe(record.object).await?;
            for choice in choices.iter().filter(|choice| description.field(&choice.field).is_some()) {
                let described = self.described(&description, &choice.field)?;
                let (new, held) = (fit(described, &choice.value), record.row.get(&choice.field));
                let is_it = |value: &Value| says_same(described, value, &new);
                let Some(old) = self.before(record.id.as_str(), record.object.as_str(), &choice.field) else {
                    continue;
                };
                if !is_it(old) && is_it(&self.held_since(&record.id, &choice.field, held).await?) {
                    landed.push(Write {
                        object: record.object.as_str().to_owned(),
                        name: String::new(),
                        record: Some(record.id.clone()),
                        step: None,
                        changed: vec![Changed {
                            field: choice.field.clone(),
                            old: old.clone(),
                            new,
                            stance: choice.stance,
                        }],
                    });
                }
            }
        }
        Ok(together(landed))
    }

    /// What one choice changes in a record.
    fn in_field(
        &self,
        record: &Match,
        description: &ObjectDescription,
        choice: &FieldChoice,
    ) -> Result<Write, ProvisionError> {
        let object = record.object.as_str();
        let described = self.described(description, &choice.field)?;
        let new = fit(described, &choice.value);
        let current = record.row.get(&choice.field).cloned().unwrap_or_default();
        let mut write = Write {
            object: object.to_owned(),
            name: String::new(),
            record: Some(record.id.clone()),
            step: None,
            changed: Vec::new(),
        };
        let changed =
            |old| Changed { field: choice.field.clone(), old, new: new.clone(), stance: choice.stance };
        if !says_same(described, &current, &new) {
            // Whatever an earlier attempt found: this is what is overwritten.
            write.changed.push(changed(current));
            write.step = Some(Step::Update {
                object: object.to_owned(),
                id: record.id.clone(),
                fields: Fields::from_iter([(choice.field.clone(), new)]),
                manner: Manner::default(),
            });
        } else if let Some(before) = self.before(record.id.as_str(), object, &choice.field) {
            // An earlier attempt has written it, and its evidence is missing.
            write.changed.push(changed(before.clone()));
        }
        Ok(write)
    }

    /// The record that is made for a person who has none. Empty where that cannot be.
    pub(super) async fn made(
        &self,
        choices: &[FieldChoice],
        problem: &mut Problem,
    ) -> Result<Vec<Write>, ProvisionError> {
        let object = self.target.object.as_str();
        let description = self.describe(self.target.object).await?;
        let key = &self.target.match_field;
        let key_described = self.described(&description, key)?;
        if !key_described.createable {
            return Err(misconfigured(format!(
                "a {object} cannot be made with a {key}: `upsert-mode` needs a `match` field that can be written"
            )));
        }
        let writable = self.writable(&description, choices.iter().collect(), problem);
        if writable.is_empty() && !choices.is_empty() {
            return Ok(Vec::new());
        }
        let mut fields = self.target.create.clone().unwrap_or_default();
        let mut changed = Vec::with_capacity(choices.len());
        for choice in writable {
            let value = fit(self.described(&description, &choice.field)?, &choice.value);
            fields.insert(choice.field.clone(), value.clone());
            let (field, stance) = (choice.field.clone(), choice.stance);
            changed.push(Changed { field, old: Value::Null, new: value, stance });
        }
        let (object, refers, manner) = (object.to_owned(), References::new(), Manner::default());
        let step = if key_described.external_id {
            // It never makes a second one, whoever else is making it.
            let value = self.consent.person.clone();
            fields.shift_remove(key);
            Step::Upsert { object: object.clone(), key: key.clone(), value, fields, refers, manner }
        } else {
            self.may_make(&made_as(&object, ""))?;
            fields.insert(key.clone(), Value::from(self.consent.person.as_str()));
            Step::Create { object: object.clone(), fields, refers, manner }
        };
        Ok(vec![Write { object, name: String::new(), record: None, step: Some(step), changed }])
    }

    /// The choices whose fields are there. Where one is missing only the opt-outs are written.
    fn writable<'c>(
        &self,
        description: &ObjectDescription,
        choices: Vec<&'c FieldChoice>,
        problem: &mut Problem,
    ) -> Vec<&'c FieldChoice> {
        let missing = choices.iter().find_map(|choice| self.described(description, &choice.field).err());
        let Some(missing) = missing else { return choices };
        problem.add(missing);
        let is_there = |choice: &&FieldChoice| description.field(&choice.field).is_some();
        choices.into_iter().filter(|choice| choice.stance == Stance::Out).filter(is_there).collect()
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

/// All that is written to a record in one step, and beside it what is there already.
fn together(writes: Vec<Write>) -> Vec<Write> {
    let mut joined: Vec<Write> = Vec::with_capacity(writes.len());
    for write in writes {
        let is_its = |other: &&mut Write| other.step.is_some() == write.step.is_some();
        // Those of one record follow each other, and there may be thousands of records.
        let mut of_record = joined.iter_mut().rev().take_while(|other| other.record == write.record);
        let Some(other) = of_record.find(is_its) else {
            joined.push(write);
            continue;
        };
        if let (Some(Step::Update { fields, .. }), Some(step)) = (&mut other.step, &write.step) {
            fields.extend(step.fields().clone());
        }
        other.changed.extend(write.changed);
    }
    joined
}

/// A value in the form of its field.
fn fit(field: &FieldDescription, value: &Value) -> Value {
    match (field.field_type, value) {
        // A moment in a field for days.
        (FieldType::Date, Value::String(text)) => {
            let day = text.get(..10).filter(|day| day.parse::<jiff::civil::Date>().is_ok());
            day.map_or_else(|| value.clone(), Value::from)
        }
        _ => value.clone(),
    }
}

/// Whether Salesforce holds the same. It tells the values of a multi-select picklist in its own order.
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
            // It keeps whole seconds.
            ("datetime", json!("2026-08-05T08:00:01.000+0000"), json!("2026-08-05T08:00:01.774Z"), true),
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
        // Salesforce refuses it, in its own words.
        for text in ["réponse à choix", "never", "äöüäöüäöü"] {
            assert_eq!(fit(&field("date"), &json!(text)), json!(text));
        }
    }
}
