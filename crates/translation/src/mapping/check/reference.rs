//! Rules that refer to other records: `link` and `by`.

use model::TargetName;
use salesforce_types::{FieldDescription, FieldType};

use super::{Checker, fills};
use crate::mapping::Rule;
use crate::mapping::parse::links::place_of;
use crate::suggest::nearest;
use crate::translate::KEYS_OF_USER;

impl Checker<'_> {
    /// `link`: the field can hold a record of that target's object.
    pub(super) fn linked(&mut self, rule: &Rule, field: &FieldDescription, linked: &TargetName) {
        let place = place_of(rule);
        if field.field_type != FieldType::Reference {
            let message = format!("`{}` refers to no record in this org", field.name);
            return self.refuse(place, message, None);
        }
        let other = self.mapping.targets.iter().find(|target| target.name == *linked);
        if let Some(other) = other
            && !field.reference_to.is_empty()
            && !field.reference_to.iter().any(|object| object.eq_ignore_ascii_case(&other.object))
        {
            let message = format!(
                "`{}` refers to {}, and the target `{linked}` makes a {}",
                field.name,
                field.reference_to.join(" or "),
                other.object
            );
            self.refuse(place, message, None);
        }
    }

    /// `by`: there is such a relationship, and the field is an external id at its other end.
    pub(super) fn keyed(&mut self, rule: &Rule, key: &str) {
        let Some(field) = self.describe.relationship(&rule.field) else {
            let message = format!(
                "{} has no relationship `{}` in this org, or the integration user may not see its field",
                self.describe.name, rule.field
            );
            let names = self.describe.fields.iter().filter_map(|field| field.relationship_name.as_deref());
            let suggestion = nearest(&rule.field, names);
            return self.refuse(rule.place.clone(), message, suggestion);
        };
        self.writeable(rule, field);
        let is_other = |other: &&Rule| other.place != rule.place && fills(other, field);
        if let Some(other) = self.target.rules.iter().find(is_other) {
            let message = format!("`{}` and `{}` write the same field; use one", rule.field, other.field);
            self.refuse(rule.place.clone(), message, None);
        }
        self.key(rule, field, key);
    }

    fn key(&mut self, rule: &Rule, field: &FieldDescription, key: &str) {
        if field.reference_to.len() > 1 && !KEYS_OF_USER.iter().any(|known| known.eq_ignore_ascii_case(key)) {
            let message = format!(
                "`{}` is a {}, and `{key}` does not tell which; users are found by {}",
                rule.field,
                field.reference_to.join(" or "),
                KEYS_OF_USER.map(|key| format!("`{key}`")).join(" or ")
            );
            return self.refuse(place_of(rule), message, None);
        }
        let refers_to = |object: &str| field.reference_to.iter().any(|it| it.eq_ignore_ascii_case(object));
        let mut at_hand = self.describes.iter().filter(|describe| refers_to(&describe.name)).peekable();
        if at_hand.peek().is_none() {
            return;
        }
        let place = place_of(rule);
        let found: Vec<&FieldDescription> = at_hand.clone().filter_map(|object| object.field(key)).collect();
        if found.iter().any(|field| field.external_id || field.id_lookup) {
            return;
        }
        let objects = field.reference_to.join(" or ");
        if found.is_empty() {
            let names = at_hand.flat_map(|object| &object.fields).map(|field| field.name.as_str());
            let suggestion = nearest(key, names);
            let message =
                format!("{objects} has no field `{key}` in this org, or the integration user may not see it");
            self.refuse(place, message, suggestion);
        } else {
            let message =
                format!("`{key}` is not marked as an external id of {objects}, so no record is found by it");
            self.refuse(place, message, None);
        }
    }
}
