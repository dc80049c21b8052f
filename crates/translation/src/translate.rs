//! From a user and a target to the fields of a record.

mod address;
mod anonymise;
mod clear;
mod fit;
mod reference;

use indexmap::IndexMap;
use salesforce_types::{FieldDescription, FieldType, Fields, ObjectDescription};
use scim_types::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use fit::{Fitted, Misfit};
pub(crate) use fit::{fit, moment};
pub(crate) use reference::KEYS_OF_USER;
pub use reference::{Awaited, Reference, Resolved};

use crate::expression::{Evaluated, UserValue};
use crate::mapping::{Rule, Target, Value};
use crate::normalise::{Normalised, Picklist, Surroundings};
use crate::note::{FieldRefusal, Note, NoteCode, RefusalKind};

/// Required fields that need no rule: planning gives the profile and the state of a new User.
pub(crate) const GIVEN_BY_PLANNING: [&str; 2] = ["ProfileId", "IsActive"];

/// What a translation may know besides the user.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What the org says of the target's object.
    pub describe: &'a ObjectDescription,
    /// Whether the record is made or changed.
    pub action: Action,
    /// The environment's `username-domain`.
    pub username_domain: Option<&'a str>,
    /// What Gangway last wrote into the record; keeps the alias stable, and tells what became unassigned from what never
    /// was assigned. Empty for a record that is about to be adopted: its values are not replaced by defaults.
    pub written: Option<&'a Fields>,
    /// The records behind [`Target::references`], as far as they are known.
    pub resolved: &'a Resolved,
    /// The identity's own SCIM id, where it has one already: a person who is his own manager is told from others by it.
    pub identity: Option<&'a str>,
}

/// What is done with the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is there already.
    Update,
}

/// The desired fields of a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Translation {
    /// By the org's name of the field, in the order of the mapping. Fields that are not here are left alone.
    pub fields: IndexMap<String, Desired>,
    /// What was adapted.
    pub notes: Vec<Note>,
    /// What the org would refuse; if there is any, no call is worth making.
    pub refusals: Vec<FieldRefusal>,
    /// What is left alone because the record that it points to is not there yet.
    pub awaited: Vec<Awaited>,
}

/// What a field is to hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Desired {
    /// This value, never null.
    Set(Json),
    /// Nothing: the attribute is unassigned, the field may be empty, and there is no default. On create too, so that what
    /// was written and what is desired can be compared; it need not be sent then.
    Clear,
}

impl Target {
    /// Translates a user into the fields of this target's record.
    ///
    /// The same user and context always give the same translation. Every value fits its field; what does not is among the
    /// refusals.
    #[must_use]
    pub fn translate(&self, user: &Resource, context: &Context<'_>) -> Translation {
        let mut run =
            Run { user, user_value: UserValue::default(), context, translation: Translation::default() };
        let rules = || self.rules.iter().filter(|rule| rule.on.is_due(context.action));
        // Which states there are depends on the country, wherever its rule stands.
        let is_state = |rule: &&Rule| address::is_state(context.describe, &rule.field);
        for rule in rules().filter(|rule| !is_state(rule)).chain(rules().filter(is_state)) {
            if rule.is_reference() { run.reference(rule) } else { run.rule(rule) }
        }
        if rules().any(|rule| address::Place::of(context.describe, &rule.field).is_some()) {
            run.settle_addresses(&self.rules);
            let place =
                |name: &String| self.rules.iter().position(|rule| rule.field.eq_ignore_ascii_case(name));
            run.translation.fields.sort_by_cached_key(|name, _| place(name));
        }
        run.record_type(self);
        run.own_key(self);
        if context.action == Action::Create {
            run.required(&self.rules);
        }
        run.translation
    }
}

struct Run<'r> {
    user: &'r Resource,
    user_value: UserValue,
    context: &'r Context<'r>,
    translation: Translation,
}

/// What a rule comes to before the field has its say.
enum Outcome {
    Value(Json),
    Unassigned,
    /// Nothing fits; the default is to be taken, with a note of this kind.
    NoFit(NoteCode, String),
    Refused(RefusalKind, String),
}

impl<'r> Run<'r> {
    fn rule(&mut self, rule: &Rule) {
        let field = self.context.describe.field(&rule.field);
        let default = rule.default_now(self.context.action);
        let outcome = self.outcome(rule, field);
        let outcome = match (outcome, &rule.map) {
            (Outcome::Value(value), Some(map)) => look_up(map, &value),
            (outcome, _) => outcome,
        };
        let Some(field) = field else {
            if !rule.where_there && (!matches!(outcome, Outcome::Unassigned) || default.is_some()) {
                self.no_such_field(rule);
            }
            return;
        };
        if !self.is_writeable(field) {
            self.not_writeable(rule, field, &outcome);
            return;
        }
        match outcome {
            Outcome::Value(value) => match (self.fit(field, &value), default) {
                (Ok(fitted), _) => self.set(rule, field, fitted),
                (Err((RefusalKind::NotInPicklist, why)), Some(_)) => {
                    self.default(rule, field, Some((NoteCode::ValueDefaulted, why)));
                }
                (Err((kind, why)), _) => self.refuse(rule, &field.name, kind, &why),
            },
            Outcome::NoFit(code, why) if default.is_some() => {
                self.default(rule, field, Some((code, why)));
            }
            Outcome::NoFit(_, why) => self.refuse(rule, &field.name, RefusalKind::NotInPicklist, &why),
            Outcome::Unassigned if default.is_some() => {
                if !self.was_there_before(&field.name) {
                    self.default(rule, field, None);
                }
            }
            Outcome::Unassigned => self.unassigned(rule, field),
            Outcome::Refused(kind, why) => self.refuse(rule, &field.name, kind, &why),
        }
    }

    /// Whether a value fits: what the field takes, and in an address what the org's lists have.
    fn fit(&self, field: &'r FieldDescription, value: &Json) -> Result<Fitted, Misfit> {
        match address::Place::of(self.context.describe, &field.name) {
            Some(place) => self.fit_place(place, field, value),
            None => fit(field, value),
        }
    }

    /// Where the value comes from and what the normalisers make of it.
    fn outcome(&mut self, rule: &Rule, field: Option<&'r FieldDescription>) -> Outcome {
        let name = field.map_or(rule.field.as_str(), |field| &field.name);
        let around = Surroundings {
            picklist: Picklist::of(field),
            username_domain: self.context.username_domain,
            takes_code: name.ends_with("Code"),
            written: self.written(name).and_then(Json::as_str),
        };
        let evaluated = match &rule.value {
            None => return Outcome::Unassigned,
            Some(Value::Source(source)) => {
                let value = source.value(self.user).cloned().unwrap_or_default();
                let is_switch = field.is_some_and(|field| field.field_type == FieldType::Boolean);
                let is_told = is_switch && rule.map.is_none() && source.is_of_profile(self.user);
                let has_default = rule.default_now(self.context.action).is_some();
                let value = if is_told { fit::switch(value, has_default) } else { value };
                Evaluated::Value(value, Vec::new())
            }
            Some(Value::Expression(expression)) => expression.evaluate(self.user, &self.user_value, &around),
        };
        match evaluated {
            Evaluated::Value(value, said) => self.assigned(rule, value, said),
            Evaluated::Normalised(normalised) => self.normalised(rule, normalised),
            Evaluated::Failed(why) => {
                Outcome::Refused(RefusalKind::Malformed, format!("the mapping's expression failed: {why}"))
            }
        }
    }

    fn assigned(&mut self, rule: &Rule, value: Json, said: Vec<Normalised>) -> Outcome {
        let mut no_fit = None;
        for normalised in said {
            match normalised {
                Normalised::Adapted(_, code, detail) => self.note(rule, code, detail),
                // The expression went on with something else (`locale(a) or locale(b)`), which is worth a note.
                Normalised::Unknown(code, detail) if !is_unassigned(&value) => self.note(rule, code, detail),
                Normalised::Unknown(code, detail) => no_fit = Some(Outcome::NoFit(code, detail)),
                Normalised::Refused(detail) => return Outcome::Refused(RefusalKind::Malformed, detail),
                Normalised::Absent | Normalised::Value(_) => {}
            }
        }
        if is_unassigned(&value) { no_fit.unwrap_or(Outcome::Unassigned) } else { Outcome::Value(value) }
    }

    fn normalised(&mut self, rule: &Rule, normalised: Normalised) -> Outcome {
        match normalised {
            Normalised::Absent => Outcome::Unassigned,
            Normalised::Value(value) => Outcome::Value(Json::from(value)),
            Normalised::Adapted(value, code, detail) => {
                self.note(rule, code, detail);
                Outcome::Value(Json::from(value))
            }
            Normalised::Unknown(code, detail) => Outcome::NoFit(code, detail),
            Normalised::Refused(detail) => Outcome::Refused(RefusalKind::Malformed, detail),
        }
    }

    fn set(&mut self, rule: &Rule, field: &FieldDescription, fitted: Fitted) {
        // Text that Salesforce would store as nothing is nothing.
        let desired = if is_unassigned(&fitted.value) { Desired::Clear } else { Desired::Set(fitted.value) };
        self.translation.fields.insert(field.name.clone(), desired);
        if let Some((code, detail)) = fitted.note {
            self.note(rule, code, detail);
        }
    }

    /// Takes the default; with a note if it stands in for a value that was sent.
    fn default(&mut self, rule: &Rule, field: &'r FieldDescription, instead_of: Option<(NoteCode, String)>) {
        let Some(default) = rule.default_now(self.context.action) else { return };
        if is_unassigned(default) {
            self.unassigned(rule, field);
        } else {
            match self.fit(field, default) {
                Ok(fitted) => self.set(rule, field, fitted),
                Err((kind, why)) => {
                    let why = format!("the mapping's default does not fit: {why}");
                    self.refuse(rule, &field.name, kind, &why);
                    return;
                }
            }
        }
        if let Some((code, why)) = instead_of {
            self.note(rule, code, format!("{why}; the default `{}` is taken", plain(default)));
        }
    }

    /// What Gangway last wrote into a field, unless that was nothing.
    fn written(&self, field: &str) -> Option<&'r Json> {
        self.context.written?.get(field).filter(|written| !is_unassigned(written))
    }

    fn no_such_field(&mut self, rule: &Rule) {
        let why = format!(
            "{} has no field `{}` in this org, or the integration user may not see it",
            self.context.describe.name, rule.field
        );
        self.refuse(rule, &rule.field, RefusalKind::NotWriteable, &why);
    }

    fn is_writeable(&self, field: &FieldDescription) -> bool {
        match self.context.action {
            Action::Create => field.createable,
            Action::Update => field.updateable,
        }
    }

    /// A field that cannot be written is no trouble as long as there is nothing to write.
    fn not_writeable(&mut self, rule: &Rule, field: &'r FieldDescription, outcome: &Outcome) {
        let wanted = match outcome {
            Outcome::Value(value) => self.fit(field, value).ok(),
            Outcome::Unassigned => {
                let default = rule.default_now(self.context.action);
                default.and_then(|default| self.fit(field, default).ok())
            }
            Outcome::NoFit(..) | Outcome::Refused(..) => None,
        };
        let written = self.written(&field.name);
        match (outcome, wanted) {
            (Outcome::Unassigned, None) => self.kept(rule, &field.name, "it cannot be changed in this org"),
            (_, Some(wanted)) if Some(&wanted.value) == written => {}
            _ => {
                let name = &field.name;
                let why = match (field.field_type, self.context.action) {
                    (FieldType::Address | FieldType::Location, _) => {
                        format!(
                            "Salesforce puts `{name}` together from its parts; the mapping must fill those"
                        )
                    }
                    (_, Action::Create) => format!("`{name}` cannot be given when a record is made"),
                    (_, Action::Update) => format!("`{name}` cannot be changed in this org"),
                };
                self.refuse(rule, name, RefusalKind::NotWriteable, &why);
            }
        }
    }

    /// A record that is found by a value of its person is nobody's without it.
    fn own_key(&mut self, target: &Target) {
        let Some(rule) = target.own_key() else { return };
        let name = self.context.describe.field(&rule.field).map_or(rule.field.as_str(), |field| &field.name);
        let is_set = matches!(self.translation.fields.get(name), Some(Desired::Set(_)));
        let is_refused = self.translation.refusals.iter().any(|refusal| refusal.field == name);
        if is_set || is_refused {
            return;
        }
        self.translation.fields.shift_remove(name);
        let attribute = rule.attribute().map(ToOwned::to_owned);
        let detail = match &attribute {
            Some(attribute) => format!("the record is found by `{name}`, which is empty; send `{attribute}`"),
            None => format!("the record is found by `{name}`, and its rule gave no value"),
        };
        let field = name.to_owned();
        self.translation.refusals.push(FieldRefusal {
            field,
            attribute,
            detail,
            kind: RefusalKind::Required,
        });
    }

    /// What the org would miss in a new record.
    fn required(&mut self, rules: &[Rule]) {
        for field in self.context.describe.fields.iter().filter(|field| field.required_on_create()) {
            let names = [Some(&field.name), field.relationship_name.as_ref()];
            let mut names = names.into_iter().flatten();
            let is_set = names.any(|name| matches!(self.translation.fields.get(name), Some(Desired::Set(_))));
            let is_refused = self.translation.refusals.iter().any(|refusal| refusal.field == field.name);
            let rule = rules.iter().find(|rule| rule.field.eq_ignore_ascii_case(&field.name));
            if is_set || is_refused || (rule.is_none() && GIVEN_BY_PLANNING.contains(&field.name.as_str())) {
                continue;
            }
            let object = &self.context.describe.name;
            let attribute = rule.and_then(Rule::attribute);
            let detail = match (attribute, rule) {
                (Some(attribute), _) => {
                    format!("Salesforce makes no {object} without `{}`; send `{attribute}`", field.name)
                }
                (None, Some(_)) => format!(
                    "Salesforce makes no {object} without `{}`, and its rule gave no value",
                    field.name
                ),
                (None, None) => format!(
                    "Salesforce makes no {object} without `{}`, and the mapping does not fill it",
                    field.name
                ),
            };
            self.translation.refusals.push(FieldRefusal {
                field: field.name.clone(),
                attribute: attribute.map(ToOwned::to_owned),
                detail,
                kind: RefusalKind::Required,
            });
        }
    }

    fn note(&mut self, rule: &Rule, code: NoteCode, detail: String) {
        self.translation.notes.push(Note {
            code,
            field: rule.field.clone(),
            attribute: rule.attribute().map(ToOwned::to_owned),
            detail,
        });
    }

    fn refuse(&mut self, rule: &Rule, field: &str, kind: RefusalKind, why: &str) {
        let attribute = rule.attribute();
        let detail = match attribute {
            Some(attribute) => format!("`{attribute}` does not fit `{field}`: {why}"),
            None => format!("`{field}`: {why}"),
        };
        let attribute = attribute.map(ToOwned::to_owned);
        self.translation.refusals.push(FieldRefusal { field: field.to_owned(), attribute, detail, kind });
    }

    /// Refuses a field that no rule fills.
    fn refuse_field(&mut self, field: &str, kind: RefusalKind, detail: String) {
        self.translation.refusals.push(FieldRefusal {
            field: field.to_owned(),
            attribute: None,
            detail,
            kind,
        });
    }
}

/// Looks a value up in a rule's `map`.
fn look_up(map: &IndexMap<String, Json>, value: &Json) -> Outcome {
    let key = plain(value);
    match map.get(&key) {
        Some(found) if is_unassigned(found) => Outcome::Unassigned,
        Some(found) => Outcome::Value(found.clone()),
        None => {
            Outcome::NoFit(NoteCode::ValueDefaulted, format!("the mapping's `map` has no entry for `{key}`"))
        }
    }
}

/// Nothing, as SCIM counts it (RFC 7643 §2.5), and blank text, which Salesforce stores as nothing.
fn is_unassigned(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.trim().is_empty(),
        Json::Array(values) => values.is_empty(),
        Json::Object(members) => members.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

/// A value as text without quotes.
fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
