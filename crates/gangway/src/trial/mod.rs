//! Trying a mapping on one person, without touching anything: for `gangway preview` and for the tests beside a mapping.
//!
//! | file | what it holds |
//! |---|---|
//! | `person.rs` | the person, as an identity tool would send them |
//! | `description.rs` | what the org says of an object, or what stands for it without an org |
//! | `holding.rs` | which targets the person holds, and why |
//! | `grants.rs` | which entitlements the rules give the person |
//! | `cases.rs`, `cases/` | `*.test.toml`: given this person, expect these fields |

mod cases;
mod description;
mod grants;
mod holding;
mod person;

use model::{TargetName, Timestamp};
use serde::Serialize;
use serde_json::Value;
use translation::{
    Action, Context, Desired, FieldRefusal, Mapping, Note, NoteCode, Reference, Resolved, RuleInFile, Target,
};

pub(crate) use cases::{CaseFile, Surroundings, test_files};
pub(crate) use description::{Against, Description, Descriptions};
pub(crate) use grants::TriedGrant;
pub(crate) use holding::{Holding, holdings};
pub(crate) use person::Person;

/// What a target makes of a person.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trial {
    /// The target.
    pub(crate) target: TargetName,
    /// Such as `User`.
    pub(crate) object: String,
    /// Whether the person holds it, and why.
    #[serde(flatten)]
    pub(crate) holding: Holding,
    /// The target's `when`, where it has one.
    pub(crate) when: Option<RuleInFile>,
    /// What its fields were checked against.
    pub(crate) against: Against,
    /// In the order of the mapping. Fields that are not here are left alone.
    pub(crate) fields: Vec<TriedField>,
    /// What the rules give the person's User.
    pub(crate) grants: Vec<TriedGrant>,
    /// What was adapted.
    pub(crate) notes: Vec<Note>,
    /// What Salesforce would refuse.
    pub(crate) refusals: Vec<FieldRefusal>,
}

/// A field that would be written.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TriedField {
    /// Its name.
    pub(crate) field: String,
    /// What would be written; null: the field is emptied.
    pub(crate) value: Value,
    /// The rule behind it, and the SCIM attribute.
    pub(crate) rule: Option<RuleInFile>,
    /// Whether something is known of the field: otherwise the org may still refuse the value.
    pub(crate) checked: bool,
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) person: &'a Person,
    /// Whether the record is made or changed.
    pub(crate) action: Action,
    /// The environment's `username-domain`.
    pub(crate) username_domain: Option<&'a str>,
    /// What time it is, for rules that end.
    pub(crate) now: Timestamp,
}

impl Attempt<'_> {
    /// What a target makes of the person.
    pub(crate) fn at(&self, target: &Target, holding: Holding, description: &Description) -> Trial {
        // Nobody has a record in a trial: references are shown by what they lead to.
        let resolved = Resolved::new();
        let context = Context {
            describe: description.object(),
            action: self.action,
            username_domain: self.username_domain,
            written: None,
            resolved: &resolved,
            identity: None,
        };
        let translation = target.translate(&self.person.resource, &context);
        let written = translation.fields.into_iter().map(|(field, desired)| match desired {
            Desired::Set(value) => (field, value),
            Desired::Clear => (field, Value::Null),
        });
        let references =
            translation.awaited.into_iter().map(|awaited| (awaited.field, named(&awaited.reference).into()));
        let fields = written
            .chain(references)
            .map(|(field, value)| TriedField {
                value,
                rule: self.mapping.rule_in_file(&target.name, &field),
                checked: description.knows(&field),
                field,
            })
            .collect();
        let (grants, said) = grants::grants(self, target);
        let notes = translation.notes.into_iter().filter(|note| note.code != NoteCode::RecordAwaited);
        Trial {
            target: target.name.clone(),
            object: target.object.clone(),
            holding,
            when: self.mapping.when_in_file(&target.name),
            against: description.against().clone(),
            fields,
            grants,
            notes: notes.chain(said).collect(),
            refusals: translation.refusals,
        }
    }
}

/// A record that nobody knows yet.
fn named(reference: &Reference) -> String {
    match reference {
        Reference::Own(target) => format!("the person's record in {target}"),
        Reference::Identity { target, id } => format!("the record of {id} in {target}"),
        Reference::Queue(name) => format!("the queue {name}"),
    }
}
