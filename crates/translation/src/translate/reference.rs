//! Fields that point to other records: `link`, `queue` and `by` of a rule.
//!
//! What a `link` or a queue stands for is looked up before the translation ([`Target::references`]); what could not be found is
//! [`Awaited`]. A record that is named by an external id (`by`) is found by Salesforce itself.

use std::collections::HashMap;

use model::TargetName;
use salesforce_types::{FieldDescription, RecordId};
use scim_types::Resource;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::fit::{Misfit, fit};
use super::{Action, Desired, Outcome, Run, is_unassigned, look_up, plain};
use crate::expression::{Evaluated, UserValue};
use crate::mapping::{Meaning, Rule, Target, Value};
use crate::normalise::Normalised;
use crate::note::{NoteCode, RefusalKind};

/// A record that a field points to, by what is known of it before it is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// The identity's own record in another target.
    Own(TargetName),
    /// Another identity's record.
    Identity {
        /// In which target.
        target: TargetName,
        /// That identity's SCIM id, as the identity tool sent it.
        id: String,
    },
    /// The queue of this name or developer name.
    Queue(String),
}

/// The references whose records are known.
pub type Resolved = HashMap<Reference, RecordId>;

/// A field that was left alone because the record that it is to point to is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// The Salesforce field.
    pub field: String,
    /// What it waits for.
    pub reference: Reference,
}

/// The fields by which a User is found; they say which object a polymorphic owner is.
pub(crate) const KEYS_OF_USER: [&str; 2] = ["Username", "FederationIdentifier"];

impl Target {
    /// Everything that has to be looked up before this user is translated, each once, in the order of the mapping.
    #[must_use]
    pub fn references(&self, user: &Resource) -> Vec<Reference> {
        let mut references = Vec::new();
        for reference in self.rules.iter().filter_map(|rule| reference(rule, user)) {
            if !references.contains(&reference) {
                references.push(reference);
            }
        }
        references
    }
}

/// What a rule gives for a user, before it is looked up.
enum Wish {
    Nothing,
    /// From the person.
    Sent(String),
    /// The mapping's default; with what it stands in for, if something was sent.
    Default(String, Option<(NoteCode, String)>),
}

fn wish(rule: &Rule, user: &Resource) -> Result<Wish, Misfit> {
    let value = match &rule.value {
        None => Json::Null,
        Some(Value::Source(source)) => source.value(user).cloned().unwrap_or_default(),
        Some(Value::Expression(expression)) => match expression.evaluate_alone(user, &UserValue::default()) {
            Evaluated::Value(value, _) => value,
            Evaluated::Normalised(Normalised::Value(text) | Normalised::Adapted(text, ..)) => {
                Json::from(text)
            }
            Evaluated::Normalised(_) => Json::Null,
            Evaluated::Failed(why) => {
                return Err((RefusalKind::Malformed, format!("the mapping's expression failed: {why}")));
            }
        },
    };
    let outcome = match &rule.map {
        Some(map) if !is_unassigned(&value) => look_up(map, &value),
        _ => Outcome::Value(value),
    };
    let name = |value: &Json| Some(plain(value).trim().to_owned()).filter(|_| !is_unassigned(value));
    let default = rule.default.as_ref().and_then(name);
    match outcome {
        Outcome::Value(Json::Array(_) | Json::Object(_)) => {
            Err((RefusalKind::Malformed, "it has several parts, and a record has one name".to_owned()))
        }
        Outcome::Value(value) if !is_unassigned(&value) => Ok(Wish::Sent(plain(&value).trim().to_owned())),
        Outcome::NoFit(code, why) => match default {
            Some(default) => {
                let why = format!("{why}; the default `{default}` is taken");
                Ok(Wish::Default(default, Some((code, why))))
            }
            None => Err((RefusalKind::NotInPicklist, why)),
        },
        Outcome::Refused(kind, why) => Err((kind, why)),
        Outcome::Value(_) | Outcome::Unassigned => {
            Ok(default.map_or(Wish::Nothing, |default| Wish::Default(default, None)))
        }
    }
}

/// What a rule refers to for this user, if it is something to look up.
fn reference(rule: &Rule, user: &Resource) -> Option<Reference> {
    let name = || match wish(rule, user) {
        Ok(Wish::Sent(name) | Wish::Default(name, _)) => Some(name),
        Ok(Wish::Nothing) | Err(_) => None,
    };
    match &rule.meaning {
        Meaning::Identity(_) if rule.own_link().is_some() => rule.own_link().cloned().map(Reference::Own),
        Meaning::Identity(target) => name().map(|id| Reference::Identity { target: target.clone(), id }),
        Meaning::Queue => name().map(Reference::Queue),
        Meaning::Itself | Meaning::Key(_) => None,
    }
}

impl<'r> Run<'r> {
    /// Fills a field that points to another record.
    pub(super) fn reference(&mut self, rule: &'r Rule) {
        let described = match &rule.meaning {
            Meaning::Key(_) => self.context.describe.relationship(&rule.field),
            _ => self.context.describe.field(&rule.field),
        };
        let wish = match wish(rule, self.user) {
            Ok(wish) => wish,
            Err((kind, why)) => return self.refuse(rule, &rule.field, kind, &why),
        };
        let is_wanted = rule.own_link().is_some() || !matches!(wish, Wish::Nothing);
        let Some(field) = described else {
            if is_wanted {
                self.no_such_field(rule);
            }
            return;
        };
        // Of the two names of a reference the rule decides which is written and remembered.
        let name = match &rule.meaning {
            Meaning::Key(_) => field.relationship_name.as_ref().unwrap_or(&field.name),
            _ => &field.name,
        };
        let named = match (wish, &rule.meaning) {
            (Wish::Default(..), _) if self.was_there_before(name) => return,
            (Wish::Sent(text), _) => text,
            (Wish::Default(text, note), _) => {
                if let Some((code, why)) = note {
                    self.note(rule, code, why);
                }
                text
            }
            (Wish::Nothing, Meaning::Identity(_)) if rule.own_link().is_some() => String::new(),
            (Wish::Nothing, _) if self.is_writeable(field) => return self.unassigned_as(rule, field, name),
            (Wish::Nothing, _) => return self.kept(rule, name, "it cannot be changed in this org"),
        };
        match &rule.meaning {
            Meaning::Key(key) => self.keyed(rule, field, (name, key), &named),
            Meaning::Identity(_) if self.context.identity.is_some_and(|own| own == named) => {
                let detail = format!("`{name}` would refer to the record itself, so it is left empty");
                self.note(rule, NoteCode::ManagerCycle, detail);
                self.unassigned_as(rule, field, name);
            }
            Meaning::Identity(target) if rule.own_link().is_some() => {
                self.looked_up(rule, field, Reference::Own(target.clone()));
            }
            Meaning::Identity(target) => {
                self.looked_up(rule, field, Reference::Identity { target: target.clone(), id: named });
            }
            Meaning::Queue | Meaning::Itself => self.looked_up(rule, field, Reference::Queue(named)),
        }
    }

    fn looked_up(&mut self, rule: &Rule, field: &FieldDescription, reference: Reference) {
        let Some(record) = self.context.resolved.get(&reference) else {
            let what = match &reference {
                Reference::Own(target) => format!("the identity's record in `{target}`"),
                Reference::Identity { target, id } => format!("the record of `{id}` in `{target}`"),
                Reference::Queue(name) => format!("the queue `{name}`"),
            };
            let detail = format!("{what} is not there yet; `{}` is left as it is until then", field.name);
            self.note(rule, NoteCode::RecordAwaited, detail);
            self.translation.awaited.push(Awaited { field: field.name.clone(), reference });
            return;
        };
        let record = Json::from(record.as_str());
        if self.is_writeable(field) {
            match fit(field, &record) {
                Ok(fitted) => self.set(rule, field, fitted),
                Err((kind, why)) => self.refuse(rule, &field.name, kind, &why),
            }
        } else if self.context.action == Action::Update {
            // Such as the Contact of an external User, which Salesforce never changes.
            if self.written(&field.name).is_some_and(|written| *written != record) {
                let detail = format!("`{}` cannot be changed in this org; it is kept", field.name);
                self.note(rule, NoteCode::ValueKept, detail);
            }
        } else {
            let why = format!("`{}` cannot be given when a record is made", field.name);
            self.refuse(rule, &field.name, RefusalKind::NotWriteable, &why);
        }
    }

    /// `{"Account": {"ExtId__c": "..."}}`: Salesforce finds the record.
    fn keyed(&mut self, rule: &Rule, field: &FieldDescription, (name, key): (&str, &str), value: &str) {
        if !self.is_writeable(field) {
            let why = format!("`{}` cannot be written in this org", field.name);
            return self.refuse(rule, name, RefusalKind::NotWriteable, &why);
        }
        let mut parent = json!({ key: value });
        if field.reference_to.len() > 1 {
            let is_user = KEYS_OF_USER.iter().any(|known| known.eq_ignore_ascii_case(key));
            if !(is_user && field.reference_to.iter().any(|object| object == "User")) {
                let objects = field.reference_to.join(" or ");
                let why = format!("`{name}` is a {objects}, and `{key}` does not tell which");
                return self.refuse(rule, name, RefusalKind::NotWriteable, &why);
            }
            parent["attributes"] = json!({"type": "User"});
        }
        self.translation.fields.insert(name.to_owned(), Desired::Set(parent));
    }

    /// The record type of the target: of a new record, and of one whose type Gangway has written before.
    pub(super) fn record_type(&mut self, target: &Target) {
        const FIELD: &str = "RecordTypeId";
        let Some(wanted) = &target.record_type else { return };
        if target.maps(FIELD) || self.was_there_before(FIELD) {
            return;
        }
        let describe = self.context.describe;
        let found = describe.field(FIELD).and(describe.record_type(wanted));
        let refusal = match found {
            Some(found) if found.available => {
                let id = Json::from(found.id.as_str());
                self.translation.fields.insert(FIELD.to_owned(), Desired::Set(id));
                return;
            }
            Some(_) => format!("the integration user may not choose the record type `{wanted}`"),
            None => format!("{} has no record type `{wanted}` in this org", describe.name),
        };
        self.refuse_field(FIELD, RefusalKind::NotInPicklist, refusal);
    }
}
