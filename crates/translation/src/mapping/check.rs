//! A mapping against what an org says of the object.

use salesforce_types::{FieldDescription, ObjectDescription};

use super::{Mapping, MappingError, On, Rule, Target};
use crate::suggest::nearest;
use crate::translate::{GIVEN_BY_PLANNING, fit};

pub(super) fn check(mapping: &Mapping, describe: &ObjectDescription) -> Vec<MappingError> {
    let mut checker = Checker { mapping, describe, errors: Vec::new() };
    for target in mapping.targets.iter().filter(|target| target.object.eq_ignore_ascii_case(&describe.name)) {
        checker.target(target);
    }
    checker.errors.sort_by_key(|error| error.span.start);
    checker.errors
}

struct Checker<'m> {
    mapping: &'m Mapping,
    describe: &'m ObjectDescription,
    errors: Vec<MappingError>,
}

impl Checker<'_> {
    fn refuse(&mut self, place: std::ops::Range<usize>, message: String, suggestion: Option<String>) {
        self.errors.push(self.mapping.text.error(place, message, suggestion));
    }

    fn target(&mut self, target: &Target) {
        for rule in &target.rules {
            match self.describe.field(&rule.field) {
                Some(field) => self.rule(rule, field),
                None => self.no_such_field(&rule.field, rule.place.clone()),
            }
        }
        for (name, place) in target.matching.iter().zip(&target.place.matching) {
            if !target.maps(name) && self.describe.field(name).is_none() {
                self.no_such_field(name, place.clone());
            }
        }
        if target.allow.create {
            self.required(target);
        }
    }

    fn no_such_field(&mut self, name: &str, place: std::ops::Range<usize>) {
        let object = &self.describe.name;
        let message = format!(
            "{object} has no field `{name}` in this org, or the integration user may not see it (field-level security)"
        );
        let suggestion = nearest(name, self.describe.fields.iter().map(|field| field.name.as_str()));
        self.refuse(place, message, suggestion);
    }

    fn rule(&mut self, rule: &Rule, field: &FieldDescription) {
        let name = &field.name;
        let create = rule.on != On::Update && !field.createable;
        let update = rule.on != On::Create && !field.updateable;
        match (create, update) {
            (false, false) => {}
            (true, true) => {
                self.refuse(rule.place.clone(), format!("`{name}` cannot be written in this org"), None);
            }
            (true, false) if rule.on == On::Create => {
                self.refuse(
                    rule.place.clone(),
                    format!("`{name}` cannot be given when a record is made"),
                    None,
                );
            }
            (false, true) if rule.on == On::Update => {
                self.refuse(rule.place.clone(), format!("`{name}` cannot be changed in this org"), None);
            }
            (true, false) => self.refuse(
                rule.place.clone(),
                format!("`{name}` cannot be given when a record is made; add `on = \"update\"`"),
                None,
            ),
            (false, true) => self.refuse(
                rule.place.clone(),
                format!("`{name}` can only be given when a record is made; add `on = \"create\"`"),
                None,
            ),
        }
        if let (Some(default), Some(place)) = (&rule.default, &rule.default_place)
            && let Err((_, why)) = fit(field, default)
        {
            let suggestion = default.as_str().and_then(|default| {
                nearest(default, field.picklist.iter().map(|entry| entry.value.as_str()))
            });
            self.refuse(place.clone(), format!("the default does not fit `{name}`: {why}"), suggestion);
        }
    }

    /// Fields without which no record can be made.
    fn required(&mut self, target: &Target) {
        for field in self.describe.fields.iter().filter(|field| field.required_on_create()) {
            let rule = target.rules.iter().find(|rule| rule.field.eq_ignore_ascii_case(&field.name));
            match rule {
                Some(rule) if rule.on == On::Update => self.refuse(
                    rule.place.clone(),
                    format!(
                        "no {} can be made without `{}`; it cannot be `on = \"update\"`",
                        self.describe.name, field.name
                    ),
                    None,
                ),
                None if !GIVEN_BY_PLANNING.contains(&field.name.as_str()) => self.refuse(
                    target.place.header.clone(),
                    format!(
                        "no {} can be made without `{}`, and no rule fills it",
                        self.describe.name, field.name
                    ),
                    None,
                ),
                _ => {}
            }
        }
    }
}
