//! What becomes of a field whose attribute has no value (RFC 7643 §2.5: null, `""` and `[]` are all *unassigned*).

use salesforce_types::{FieldDescription, FieldType};
use serde_json::Value as Json;

use super::{Action, Desired, Run};
use crate::mapping::Rule;
use crate::note::NoteCode;

impl Run<'_> {
    /// Whether the record holds a value of its own in a field that Gangway never wrote: a person chose it, and a default
    /// is no reason to change it.
    pub(super) fn was_there_before(&self, field: &str) -> bool {
        self.context.action == Action::Update
            && self.context.written.is_some()
            && self.written(field).is_none()
    }

    /// Unassigned, and no default: cleared where that is possible and wanted, else left as it is.
    pub(super) fn unassigned(&mut self, rule: &Rule, field: &FieldDescription) {
        self.unassigned_as(rule, field, &field.name);
    }

    /// The same for a field that is written by another name: that of its relationship.
    pub(super) fn unassigned_as(&mut self, rule: &Rule, field: &FieldDescription, name: &str) {
        if !rule.clear {
            self.kept(rule, name, "the mapping says `clear = false`");
        } else if field.field_type == FieldType::Boolean {
            self.switched_off(rule, field);
        } else if field.nillable {
            self.translation.fields.insert(name.to_owned(), Desired::Clear);
        } else {
            self.kept(rule, name, "Salesforce requires a value");
        }
    }

    /// Salesforce has no empty boolean. One that Gangway wrote goes back to false; of any other nothing is known.
    fn switched_off(&mut self, rule: &Rule, field: &FieldDescription) {
        if self.context.action == Action::Create {
            return;
        }
        let Some(written) = self.written(&field.name) else { return };
        self.translation.fields.insert(field.name.clone(), Desired::Set(Json::Bool(false)));
        if *written != Json::Bool(false) {
            let detail = format!(
                "nothing was sent for `{}`; Salesforce has no empty switches, so it is off",
                field.name
            );
            self.note(rule, NoteCode::BooleanCleared, detail);
        }
    }

    /// Notes that a field keeps its value, if Gangway wrote one.
    pub(super) fn kept(&mut self, rule: &Rule, field: &str, why: &str) {
        if self.context.action == Action::Update && self.written(field).is_some() {
            let detail = format!("nothing was sent for `{field}`; it is kept: {why}");
            self.note(rule, NoteCode::ValueKept, detail);
        }
    }
}
