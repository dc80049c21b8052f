//! A mapping against what an org says of its objects.

pub(super) mod catalogue;
mod record;
mod reference;

use std::ops::Range;

use model::OrgName;
use salesforce_types::{FieldDescription, ObjectDescription};

use super::parse::links::{other_org, place_of};
use super::{Mapping, MappingError, Meaning, On, Rule, Severity, Target};
use crate::suggest::nearest;
use crate::translate::{GIVEN_BY_PLANNING, fit};

pub(super) fn check(
    mapping: &Mapping,
    describes: &[&ObjectDescription],
    is_here: impl Fn(&Target) -> bool,
) -> Vec<MappingError> {
    let mut errors = Vec::new();
    for target in mapping.targets.iter().filter(|target| is_here(target)) {
        let own = describes.iter().find(|describe| target.object.eq_ignore_ascii_case(&describe.name));
        if let Some(describe) = own {
            let mut checker = Checker { mapping, describes, describe, target, errors };
            checker.run();
            errors = checker.errors;
        }
    }
    errors.sort_by_key(|error| error.span.start);
    errors
}

/// Targets that name no org are in the environment's, and refer to targets that name one.
pub(super) fn check_orgs(mapping: &Mapping, default: &OrgName) -> Vec<MappingError> {
    let mut errors = Vec::new();
    for target in &mapping.targets {
        for rule in &target.rules {
            let Meaning::Identity(name) = &rule.meaning else { continue };
            let linked = mapping.targets.iter().find(|target| target.name == *name);
            if let Some(message) = linked.and_then(|linked| other_org(target, linked, Some(default))) {
                errors.push(mapping.text.error(place_of(rule), message, None));
            }
        }
    }
    errors
}

struct Checker<'m> {
    mapping: &'m Mapping,
    /// All that is at hand of the org.
    describes: &'m [&'m ObjectDescription],
    /// The target's own object.
    describe: &'m ObjectDescription,
    target: &'m Target,
    errors: Vec<MappingError>,
}

impl Checker<'_> {
    fn refuse(&mut self, place: Range<usize>, message: impl Into<String>, suggestion: Option<String>) {
        self.errors.push(self.mapping.text.error(place, message.into(), suggestion));
    }

    fn warn(&mut self, place: Range<usize>, message: String) {
        let mut warning = self.mapping.text.error(place, message, None);
        warning.severity = Severity::Warning;
        self.errors.push(warning);
    }

    fn run(&mut self) {
        let target = self.target;
        for rule in &target.rules {
            self.rule(rule);
        }
        for (name, place) in target.matching.iter().zip(&target.place.matching) {
            if !target.maps(name) && self.describe.field(name).is_none() {
                self.no_such_field(name, place.clone());
            }
        }
        self.external_id();
        self.record_type();
        self.conversion();
        self.flag();
        if target.allow.create {
            self.required();
        }
    }

    fn no_such_field(&mut self, name: &str, place: Range<usize>) {
        let message = format!(
            "{} has no field `{name}` in this org, or the integration user may not see it (field-level security)",
            self.describe.name
        );
        let suggestion = nearest(name, self.describe.fields.iter().map(|field| field.name.as_str()));
        self.refuse(place, message, suggestion);
    }

    fn rule(&mut self, rule: &Rule) {
        if let Meaning::Key(key) = &rule.meaning {
            self.keyed(rule, key);
            return;
        }
        let Some(field) = self.describe.field(&rule.field) else {
            if rule.where_there {
                let message = format!(
                    "{} has no field `{}` in this org, so this default is not used for it",
                    self.describe.name, rule.field
                );
                self.warn(rule.place.clone(), message);
            } else {
                self.no_such_field(&rule.field, rule.place.clone());
            }
            return;
        };
        self.writeable(rule, field);
        match &rule.meaning {
            Meaning::Identity(linked) => self.linked(rule, field, linked),
            Meaning::Itself => self.default(rule, field),
            Meaning::Queue | Meaning::Key(_) => {}
        }
    }

    fn writeable(&mut self, rule: &Rule, field: &FieldDescription) {
        let name = &field.name;
        let create = rule.on != On::Update && !field.createable;
        let update = rule.on != On::Create && !field.updateable;
        let message = match (create, update) {
            (false, false) => return,
            // The person's own record stays the same, so there is nothing to change later.
            (false, true) if rule.own_link().is_some() => return,
            (true, true) => format!("`{name}` cannot be written in this org"),
            (true, false) if rule.on == On::Create => {
                format!("`{name}` cannot be given when a record is made")
            }
            (false, true) if rule.on == On::Update => format!("`{name}` cannot be changed in this org"),
            (true, false) => {
                format!("`{name}` cannot be given when a record is made; add `on = \"update\"`")
            }
            (false, true) => {
                format!("`{name}` can only be given when a record is made; add `on = \"create\"`")
            }
        };
        self.refuse(rule.place.clone(), message, None);
    }

    fn default(&mut self, rule: &Rule, field: &FieldDescription) {
        if let (Some(default), Some(place)) = (&rule.default, &rule.default_place)
            && let Err((_, why)) = fit(field, default)
        {
            let suggestion = default.as_str().and_then(|default| {
                nearest(default, field.picklist.iter().map(|entry| entry.value.as_str()))
            });
            let message = format!("the default does not fit `{}`: {why}", field.name);
            self.refuse(place.clone(), message, suggestion);
        }
    }

    /// Fields without which no record can be made.
    fn required(&mut self) {
        let (target, object) = (self.target, &self.describe.name);
        for field in self.describe.fields.iter().filter(|field| field.required_on_create()) {
            let name = &field.name;
            match target.rules.iter().find(|rule| fills(rule, field)) {
                Some(rule) if rule.on == On::Update => {
                    let message =
                        format!("no {object} can be made without `{name}`; it cannot be `on = \"update\"`");
                    self.refuse(rule.place.clone(), message, None);
                }
                None if !GIVEN_BY_PLANNING.contains(&name.as_str()) => {
                    let message = format!("no {object} can be made without `{name}`, and no rule fills it");
                    self.refuse(target.place.header.clone(), message, None);
                }
                _ => {}
            }
        }
    }
}

/// Whether a rule fills a field, by its name or by that of its relationship.
fn fills(rule: &Rule, field: &FieldDescription) -> bool {
    let name = match &rule.meaning {
        Meaning::Key(_) => field.relationship_name.as_ref(),
        _ => Some(&field.name),
    };
    name.is_some_and(|name| name.eq_ignore_ascii_case(&rule.field))
}
