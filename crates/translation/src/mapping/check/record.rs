//! What a target says of its records as a whole: the external id, the record type, the conversion, the flag.

use salesforce_types::FieldType;

use super::Checker;
use crate::mapping::Rule;
use crate::suggest::nearest;
use crate::translate::fit;

/// A SCIM id has 36 characters; the leads that follow a converted one add a number to it.
const LONGEST_KEY: u32 = 40;

impl Checker<'_> {
    pub(super) fn external_id(&mut self) {
        let target = self.target;
        if let Some(rule) = target.own_key() {
            return self.own_key(rule);
        }
        let Some(name) = &target.external_id else { return };
        let place = target.place.external_id.clone().unwrap_or_else(|| target.place.header.clone());
        let object = &self.describe.name;
        let Some(field) = self.describe.field(name) else {
            let message = format!(
                "{object} has no field `{name}` in this org, or the integration user may not see it: a create whose \
                 outcome is unknown is then held for a person instead of repeated. Deploy the metadata in \
                 `deploy/`, or write `external-id = false`"
            );
            return self.warn(place, message);
        };
        let what = if !(field.external_id && field.unique) {
            "is not marked as both unique and an external id"
        } else if !field.createable {
            "cannot be written by the integration user"
        } else if (1..LONGEST_KEY).contains(&field.length) {
            "takes less than the 40 characters that a key needs"
        } else {
            return;
        };
        let message = format!("`{}` of {object} {what}; deploy the metadata in `deploy/`", field.name);
        self.refuse(place, message, None);
    }

    /// An external id with a value of the person. That the org lacks the field is said of its rule.
    fn own_key(&mut self, rule: &Rule) {
        let object = &self.describe.name;
        let Some(field) = self.describe.field(&rule.field) else { return };
        let name = &field.name;
        if !(field.external_id && field.unique) {
            let message = format!(
                "records are found by `{name}`, which {object} does not have marked as both unique and an external id in this \
                 org; mark it so in Setup"
            );
            self.refuse(rule.place.clone(), message, None);
        } else if !field.case_sensitive {
            let message = format!(
                "`{name}` of {object} minds no case in this org: people whose values differ in case alone would share a record"
            );
            self.warn(rule.place.clone(), message);
        }
    }

    /// The status that a converted lead gets, where the org's leads are at hand.
    pub(super) fn conversion(&mut self) {
        let target = self.target;
        let (Some(status), Some(place)) = (&target.conversion.status, &target.place.status) else { return };
        let lead = self.describes.iter().find(|describe| describe.name == "Lead");
        let Some(field) = lead.and_then(|lead| lead.field("Status")) else { return };
        if !field.picklist.is_empty() && field.picklist_value(status).is_none() {
            let suggestion = nearest(status, field.picklist.iter().map(|entry| entry.value.as_str()));
            let message = format!("leads have no status `{status}` in this org");
            self.refuse(place.clone(), message, suggestion);
        }
    }

    pub(super) fn record_type(&mut self) {
        let (Some(name), Some(place)) = (&self.target.record_type, &self.target.place.record_type) else {
            return;
        };
        let object = &self.describe.name;
        match self.describe.record_type(name) {
            Some(record_type) if record_type.available => {
                let is_writeable = self.describe.field("RecordTypeId").is_some_and(|field| field.createable);
                if !is_writeable {
                    let message = format!(
                        "`RecordTypeId` of {object} cannot be written by the integration user, or it may not see it \
                         (field-level security)"
                    );
                    self.refuse(place.clone(), message, None);
                }
            }
            Some(_) => {
                let message = format!(
                    "the integration user may not choose the record type `{name}` of {object}; assign it to its profile or \
                     permission set"
                );
                self.refuse(place.clone(), message, None);
            }
            None => {
                let names =
                    self.describe.record_types.iter().filter_map(|kind| kind.developer_name.as_deref());
                let suggestion = nearest(name, names);
                self.refuse(
                    place.clone(),
                    format!("{object} has no record type `{name}` in this org"),
                    suggestion,
                );
            }
        }
    }

    pub(super) fn flag(&mut self) {
        let target = self.target;
        for ((name, value), place) in target.flag.iter().zip(&target.place.flag) {
            let Some(field) = self.describe.field(name) else {
                self.no_such_field(name, place.clone());
                continue;
            };
            if !field.updateable {
                let message = format!("`{}` cannot be changed in this org", field.name);
                self.refuse(place.clone(), message, None);
            } else if field.field_type != FieldType::Boolean && !field.nillable {
                let message = format!(
                    "`{}` cannot be emptied again when the person is back; flag with another field",
                    field.name
                );
                self.refuse(place.clone(), message, None);
            } else if let Err((_, why)) = fit(field, value) {
                let message = format!("the flag does not fit `{}`: {why}", field.name);
                self.refuse(place.clone(), message, None);
            }
        }
    }
}
