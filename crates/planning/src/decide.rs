//! Which case applies, and what the target allows in it.

use model::{OrgName, TargetName};
use salesforce_types::{Fields, Link, Manner, Plan, PlannedStep, RecordId, References, Step};
use serde_json::Value;
use translation::{Desired, FieldRefusal, Target, Translation};

use crate::{
    Found, MatchKey, Obstacle,
    difference::{agreed, difference, written},
    match_keys,
    matching::{actual_fields, choose},
    must_look_first,
};

/// All that a decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The rule.
    pub target: &'a Target,
    /// The org it writes to.
    pub org: &'a OrgName,
    /// What is wanted of it.
    pub wanted: Wanted<'a>,
    /// The identity's record, where it has one.
    pub link: Option<&'a Link>,
    /// What a look into the org has found, where it has none.
    pub found: &'a Found,
    /// The profile of a new User, where the mapping sets none.
    pub profile: Option<&'a RecordId>,
}

/// What is wanted of a target.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// A record like this.
    Record {
        /// What the mapping makes of the identity.
        translation: &'a Translation,
        /// Whether the person may work.
        active: bool,
    },
    /// No access: the identity was deleted, or the target's rule does not hold any more.
    NoAccess,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Nothing: there is no record and none is wanted.
    Nothing,
    /// Look for records with one of these values first, then decide again.
    LookUp(Vec<MatchKey>),
    /// Take these steps (perhaps none) and remember this.
    Steps(Steps),
    /// A person has to decide.
    Hold(Obstacle),
    /// The org would refuse what the mapping makes of the identity.
    Refuse(Vec<FieldRefusal>),
    /// The target does not allow it.
    NotAllowed(&'static str),
}

/// Steps to take and what is known once they are done.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    /// At most one step writes the record itself; it leads.
    pub plan: Plan,
    /// The link afterwards. Its record id is known beforehand unless the plan makes the record.
    pub link: LinkAfter,
}

/// The link once the steps are done.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkAfter {
    /// The record, unless the plan makes it.
    pub record_id: Option<RecordId>,
    /// What is known to be in it.
    pub written: Fields,
    /// Whether the record was there before Gangway.
    pub adopted: bool,
}

impl LinkAfter {
    /// The link, with the id of the record that was made or changed.
    #[must_use]
    pub fn into_link(self, target: TargetName, org: OrgName, object: String, done: &RecordId) -> Link {
        let record_id = self.record_id.unwrap_or_else(|| done.clone());
        Link { adopted: self.adopted, ..Link::new(target, org, object, record_id, self.written) }
    }
}

/// Decides what one target needs.
#[must_use]
pub fn plan(input: &Input<'_>) -> Decision {
    match (input.wanted, input.link) {
        (Wanted::NoAccess, None) => Decision::Nothing,
        (Wanted::NoAccess, Some(link)) => leave(input, link),
        (Wanted::Record { translation, active }, Some(link)) => update(
            input,
            translation,
            active,
            &Known { id: &link.record_id, fields: &link.written, adopted: link.adopted, linked: true },
        ),
        (Wanted::Record { translation, active }, None) => match_or_create(input, translation, active),
    }
}

/// No link yet: adopt what is there, or make a record.
fn match_or_create(input: &Input<'_>, translation: &Translation, active: bool) -> Decision {
    let keys = match_keys(&input.target.matching, translation);
    match input.found {
        Found::NotLooked if must_look_first(&keys) || !input.target.allow.create => Decision::LookUp(keys),
        Found::NotLooked => create(input, translation, active),
        Found::Records(records) => match choose(&keys, records) {
            Err(obstacle) => Decision::Hold(obstacle),
            Ok(None) => create(input, translation, active),
            Ok(Some(record)) => {
                let actual = actual_fields(record);
                let known = Known { id: &record.id, fields: &actual, adopted: true, linked: false };
                update(input, translation, active, &known)
            }
        },
    }
}

fn create(input: &Input<'_>, translation: &Translation, active: bool) -> Decision {
    if !input.target.allow.create {
        return Decision::NotAllowed("create");
    }
    if !translation.refusals.is_empty() {
        return Decision::Refuse(translation.refusals.clone());
    }
    let mut fields: Fields = translation
        .fields
        .iter()
        .filter_map(|(field, desired)| match desired {
            Desired::Set(value) => Some((field.clone(), value.clone())),
            Desired::Clear => None,
        })
        .collect();
    if let (false, Some(profile)) = (fields.contains_key("ProfileId"), input.profile) {
        fields.insert("ProfileId".to_owned(), Value::String(profile.to_string()));
    }
    // Always said: what Salesforce makes of a create without it differs between APIs.
    fields.insert("IsActive".to_owned(), Value::Bool(active));
    let link = LinkAfter { record_id: None, written: fields.clone(), adopted: false };
    let step = Step::Create {
        object: input.target.object.clone(),
        fields,
        refers: References::new(),
        manner: Manner::default(),
    };
    Decision::Steps(Steps { plan: one(input, step, "no record has this name yet"), link })
}

/// A record that is there, linked or about to be.
struct Known<'a> {
    id: &'a RecordId,
    fields: &'a Fields,
    adopted: bool,
    linked: bool,
}

fn update(input: &Input<'_>, translation: &Translation, active: bool, known: &Known<'_>) -> Decision {
    let allow = &input.target.allow;
    let mut fields = if known.linked {
        difference(&translation.fields, known.fields)
    } else {
        // What an adopted record holds in fields that the identity says nothing of is not ours to clear.
        let set = translation.fields.iter().filter(|(_, desired)| matches!(desired, Desired::Set(_)));
        difference(&set.map(|(field, desired)| (field.clone(), desired.clone())).collect(), known.fields)
    };
    let was_active = known.fields.get("IsActive").and_then(Value::as_bool).unwrap_or(true);
    let leaves = was_active && !active;
    if !fields.is_empty() && !allow.update {
        if !leaves {
            return Decision::NotAllowed("update");
        }
        fields.clear();
    }
    if active != was_active {
        if leaves && !allow.disable {
            return Decision::NotAllowed("disable");
        }
        if !leaves && !allow.update {
            return Decision::NotAllowed("update");
        }
        fields.insert("IsActive".to_owned(), Value::Bool(active));
    }
    // A value that the org would refuse stands in nobody's way when it is not about to be written: someone who leaves
    // with a title that is too long is locked out all the same.
    let mut refusals = translation.refusals.clone();
    if leaves {
        for refusal in refusals.drain(..) {
            fields.shift_remove(&refusal.field);
        }
    }
    if !refusals.is_empty() {
        return Decision::Refuse(refusals);
    }
    let base = if known.linked { known.fields.clone() } else { agreed(&translation.fields, known.fields) };
    let mut kept = written(&base, &fields);
    kept.entry("IsActive".to_owned()).or_insert(Value::Bool(active));
    let link = LinkAfter { record_id: Some(known.id.clone()), written: kept, adopted: known.adopted };
    let reason = match (leaves, known.linked) {
        (true, _) => "the identity is not active",
        (false, true) => "the identity was changed",
        (false, false) => "a record that was there before is adopted",
    };
    Decision::Steps(Steps { plan: update_step(input, known.id, fields, reason), link })
}

fn leave(input: &Input<'_>, link: &Link) -> Decision {
    let mut written = link.written.clone();
    let active = written.get("IsActive").and_then(Value::as_bool).unwrap_or(true);
    let mut fields = Fields::new();
    if active {
        if !input.target.allow.disable {
            return Decision::NotAllowed("disable");
        }
        fields.insert("IsActive".to_owned(), Value::Bool(false));
        written.insert("IsActive".to_owned(), Value::Bool(false));
    }
    let after = LinkAfter { record_id: Some(link.record_id.clone()), written, adopted: link.adopted };
    let plan = update_step(input, &link.record_id, fields, "the identity has no access any more");
    Decision::Steps(Steps { plan, link: after })
}

fn update_step(input: &Input<'_>, id: &RecordId, fields: Fields, reason: &str) -> Plan {
    if fields.is_empty() {
        return Plan::default();
    }
    one(
        input,
        Step::Update {
            object: input.target.object.clone(),
            id: id.clone(),
            fields,
            manner: Manner::default(),
        },
        reason,
    )
}

fn one(input: &Input<'_>, step: Step, reason: &str) -> Plan {
    let step = PlannedStep {
        target: input.target.name.clone(),
        org: input.org.clone(),
        step,
        leading: true,
        reason: reason.to_owned(),
    };
    Plan { steps: vec![step] }
}
