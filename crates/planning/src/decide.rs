//! What one record needs: which case applies, and what the target allows in it.

use indexmap::IndexMap;
use model::{OrgName, ResourceId, TargetName};
use salesforce_types::{
    Conversion, Duplicates, Fields, Link, Manner, ObjectDescription, Plan, PlannedStep, RecordId, References,
    Step,
};
use serde_json::Value;
use translation::{Desired, DuplicatePolicy, FieldRefusal, OnLeave, Target, Translation};

use crate::{
    Aim, Found, Frozen, MatchKey, Obstacle, Origin, Place,
    difference::{agreed, difference, restated, same_value, written},
    lockout::{Lockout, lockout},
    matching::{actual_fields, choose, keys_of, must_look_first},
};

/// All that a decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Whose record.
    pub identity: &'a ResourceId,
    /// The rule and its org.
    pub place: Place<'a>,
    /// What the org says of the object.
    pub describe: &'a ObjectDescription,
    /// What is to become of the record.
    pub aim: &'a Aim<'a>,
    /// What the mapping makes of the identity; needed where it holds the target.
    pub translation: Option<&'a Translation>,
    /// Whether the person may work.
    pub active: bool,
    /// Of a User that is there: whether it is frozen.
    pub frozen: Frozen,
    /// Of a User: Salesforce keeps it active for now.
    pub blocked: bool,
    /// What a look into the org has found.
    pub found: &'a Found,
    /// The profile of a new User, where the mapping sets none.
    pub profile: Option<&'a RecordId>,
    /// What the identity's lead is converted into.
    pub conversion: Option<&'a Conversion>,
    /// Of a User whose target is left: the fields that are taken with it.
    pub stripped: Option<&'a IndexMap<String, Desired>>,
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
    /// The target does not allow it, and somebody would keep an access that is taken from him.
    NotAllowed(&'static str),
    /// The target makes no records, and there is none to change: nothing is written.
    NoMatch,
}

/// Steps to take and what is known once they are done.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    /// At most one step writes the record itself; it leads. A User is frozen, or let in again, by one more, which leads where it is
    /// the only one.
    pub plan: Plan,
    /// What becomes of the link.
    pub link: LinkAfter,
    /// Changes that the target does not allow, and that are left out.
    pub left_out: bool,
    /// More is to be written, once these are done: whoever leaves is locked out first, by a step that nothing else can spoil.
    pub more: bool,
}

/// The link once the steps are done.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkAfter {
    /// There is none: the record is gone.
    Gone,
    /// It is this. The record id is known beforehand unless the plan makes the record.
    There {
        /// The record, unless the plan makes it.
        record_id: Option<RecordId>,
        /// What is known to be in it.
        written: Fields,
        /// Whether the record was there before Gangway.
        adopted: bool,
        /// The value of its external id.
        key: Option<String>,
        /// Whether the identity is gone from the target.
        left: bool,
        /// Of a lead: the contact that it became.
        became: Option<RecordId>,
    },
}

impl LinkAfter {
    /// The link, with the id of the record that was made or changed. None: it is gone, or nothing has made its record.
    #[must_use]
    pub fn into_link(
        self,
        target: TargetName,
        org: OrgName,
        object: String,
        done: Option<&RecordId>,
    ) -> Option<Link> {
        let Self::There { record_id, written, adopted, key, left, became } = self else { return None };
        let record_id = record_id.or_else(|| done.cloned())?;
        let link = Link::new(target, org, object, record_id, written);
        Some(Link { adopted, key, left, became, ..link })
    }
}

/// Decides what one record needs.
#[must_use]
pub fn plan(input: &Input<'_>) -> Decision {
    match (input.aim, input.translation) {
        (Aim::Leave(link), _) => leave(input, link),
        (Aim::Followed(_), _) | (Aim::Hold(_), None) => Decision::Nothing,
        (Aim::Hold(origin), Some(translation)) => {
            let key = external_id(input, origin, translation);
            let desired = with_external_id(input, translation, key.as_deref());
            let run = Run { input, translation, desired, key };
            match origin {
                Origin::Linked(link) => run.update(&Known {
                    id: &link.record_id,
                    fields: &link.written,
                    adopted: link.adopted,
                    linked: true,
                }),
                Origin::Lead(lead) => run.convert(lead),
                Origin::Named(record) => run.adopt_named(record),
                Origin::Unknown(_) => run.match_or_create(),
            }
        }
    }
}

/// The value of the record's external id: what the mapping says of that field, else the identity's own.
fn external_id(input: &Input<'_>, origin: &Origin<'_>, translation: &Translation) -> Option<String> {
    let target = input.place.target;
    let field = input.describe.field(target.external_id.as_deref()?)?;
    match (translation.fields.get(&field.name), origin) {
        (Some(Desired::Set(Value::String(value))), _) => Some(value.clone()),
        (Some(Desired::Set(value)), _) => Some(value.to_string()),
        (_, Origin::Linked(Link { key: Some(key), .. })) => Some(key.clone()),
        // Without the person's value there is none; the translation has refused that.
        _ if target.key_of_person().is_some() => None,
        (_, Origin::Unknown(key)) => Some(key.clone()),
        _ => Some(input.identity.to_string()),
    }
}

/// The desired fields, the external id among them.
fn with_external_id(
    input: &Input<'_>,
    translation: &Translation,
    key: Option<&str>,
) -> IndexMap<String, Desired> {
    let mut desired = translation.fields.clone();
    let field = input.place.target.external_id.as_deref().and_then(|name| input.describe.field(name));
    // A value of the person is among them already.
    if let (Some(field), Some(key), None) = (field, key, input.place.target.key_of_person()) {
        desired.insert(field.name.clone(), Desired::Set(Value::from(key)));
    }
    desired
}

/// A record that is there, linked or about to be.
struct Known<'a> {
    id: &'a RecordId,
    fields: &'a Fields,
    adopted: bool,
    linked: bool,
}

/// A target that the identity holds.
struct Run<'r> {
    input: &'r Input<'r>,
    translation: &'r Translation,
    desired: IndexMap<String, Desired>,
    key: Option<String>,
}

impl Run<'_> {
    fn target(&self) -> &Target {
        self.input.place.target
    }

    /// No link yet: adopt what is there, or make a record.
    fn match_or_create(&self) -> Decision {
        let keys = self.keys();
        match self.input.found {
            Found::NotLooked if must_look_first(self.target(), &keys) || !self.target().allow.create => {
                if keys.is_empty() {
                    self.create()
                } else {
                    Decision::LookUp(keys)
                }
            }
            Found::NotLooked => self.create(),
            Found::Records(records) => {
                let decisive = self.external_id_key();
                match choose(decisive.as_ref(), &keys, records) {
                    Err(obstacle) => Decision::Hold(obstacle),
                    Ok(None) => self.create(),
                    Ok(Some(record)) => self.adopt(&record.id, &actual_fields(record)),
                }
            }
        }
    }

    /// The record that Salesforce itself names, if it is still there.
    fn adopt_named(&self, id: &RecordId) -> Decision {
        let Found::Records(records) = self.input.found else {
            return Decision::LookUp(vec![MatchKey::id(id)]);
        };
        match records.iter().find(|record| record.id == *id) {
            None => self.create(),
            Some(record) if record.protected => Decision::Hold(Obstacle::Protected(id.clone())),
            Some(record) => match &record.linked_to {
                Some(other) if other != self.input.identity => {
                    Decision::Hold(Obstacle::LinkedElsewhere(id.clone(), other.clone()))
                }
                _ => self.adopt(id, &actual_fields(record)),
            },
        }
    }

    fn adopt(&self, id: &RecordId, actual: &Fields) -> Decision {
        self.update(&Known { id, fields: actual, adopted: true, linked: false })
    }

    fn keys(&self) -> Vec<MatchKey> {
        let mut keys: Vec<MatchKey> = self.external_id_key().into_iter().collect();
        keys.extend(keys_of(&self.target().matching, self.translation));
        keys
    }

    fn external_id_key(&self) -> Option<MatchKey> {
        let field = self.input.describe.field(self.target().external_id.as_deref()?)?;
        Some(MatchKey { field: field.name.clone(), value: Value::from(self.key.as_deref()?) })
    }

    fn create(&self) -> Decision {
        if !self.target().allow.create {
            return Decision::NoMatch;
        }
        if !self.translation.refusals.is_empty() {
            return Decision::Refuse(self.translation.refusals.clone());
        }
        let mut fields = set_fields(&self.desired);
        if self.is_user() {
            if let (false, Some(profile)) = (fields.contains_key("ProfileId"), self.input.profile) {
                fields.insert("ProfileId".to_owned(), Value::String(profile.to_string()));
            }
            // Always said: what Salesforce makes of a create without it differs between APIs.
            fields.insert("IsActive".to_owned(), Value::Bool(self.input.active));
        } else if self.target().on_leave == OnLeave::Flag {
            if !self.input.active {
                fields.extend(self.target().flag.clone());
            } else if self.may_be_back() {
                fields.extend(unflagged(self.target(), &self.desired));
            }
        }
        let link = self.link(None, fields.clone(), false);
        let manner = Manner { assignment_rules: self.target().assignment_rules, ..self.manner() };
        let object = self.target().object.clone();
        let refers = References::new();
        let step = match self.external_id_key() {
            Some(MatchKey { field, value }) => {
                fields.shift_remove(&field);
                let value = value.as_str().unwrap_or_default().to_owned();
                Step::Upsert { object, key: field, value, fields, refers, manner }
            }
            None => Step::Create { object, fields, refers, manner },
        };
        self.steps(Some(step), "there is no record yet", link)
    }

    /// The lead becomes the contact; what the contact lacks is written once its id is known.
    fn convert(&self, lead: &Link) -> Decision {
        if !self.target().allow.create {
            return Decision::NoMatch;
        }
        // Seen before anything is done that cannot be undone.
        if !self.translation.refusals.is_empty() {
            return Decision::Refuse(self.translation.refusals.clone());
        }
        let conversion = self.input.conversion.cloned().unwrap_or_default();
        let step = Step::Convert { lead: lead.record_id.clone(), conversion };
        let link = self.link(None, Fields::new(), lead.adopted);
        self.steps(Some(step), "the lead has become a contact", link)
    }

    fn update(&self, known: &Known<'_>) -> Decision {
        let allow = &self.target().allow;
        let mut fields = if known.linked {
            let new = difference(&self.desired, known.fields);
            if self.target().restates && !self.is_user() && !new.is_empty() {
                let describe = self.input.describe;
                restated(&self.desired, known.fields, |field| {
                    describe.field(field).is_some_and(|field| field.updateable)
                })
            } else {
                new
            }
        } else {
            // What an adopted record holds in fields that the identity says nothing of is not ours to clear.
            let set = self.desired.iter().filter(|(_, desired)| matches!(desired, Desired::Set(_)));
            difference(&set.map(|(field, desired)| (field.clone(), desired.clone())).collect(), known.fields)
        };
        let Lockout { fields: lifecycle, mut freeze, leaves, .. } = self.lifecycle(known);
        let mut left_out = false;
        if !fields.is_empty() && !allow.update {
            left_out = true;
            fields.clear();
        }
        if leaves && self.is_user() && !allow.disable {
            return Decision::NotAllowed("disable");
        }
        let locks_out = leaves && self.is_user() && (!lifecycle.is_empty() || freeze.is_some());
        let more = locks_out && !fields.is_empty();
        if locks_out {
            fields.clear();
        }
        if (leaves && self.is_user()) || allow.update {
            fields.extend(lifecycle);
        } else if !lifecycle.is_empty() || freeze.is_some() {
            left_out = true;
            freeze = None;
        }
        // A value that the org would refuse stands in nobody's way when it is not about to be written: someone who leaves
        // with a title that is too long is locked out all the same.
        let mut refusals = self.translation.refusals.clone();
        if leaves || left_out {
            for refusal in refusals.drain(..) {
                fields.shift_remove(&refusal.field);
            }
        }
        if !refusals.is_empty() {
            return Decision::Refuse(refusals);
        }
        let base = if known.linked { known.fields.clone() } else { agreed(&self.desired, known.fields) };
        let mut kept = written(&base, &fields);
        if self.is_user() {
            let was_active = known.fields.get("IsActive").and_then(Value::as_bool).unwrap_or(true);
            kept.entry("IsActive".to_owned()).or_insert(Value::Bool(was_active));
        }
        let link = self.link(Some(known.id.clone()), kept, known.adopted);
        let reason = match (leaves, known.linked) {
            (true, _) => "the identity is not active",
            (false, true) => "the identity was changed",
            (false, false) => "a record that was there before is adopted",
        };
        let step = (!fields.is_empty()).then(|| Step::Update {
            object: self.target().object.clone(),
            id: known.id.clone(),
            fields,
            manner: self.manner(),
        });
        let freeze = freeze.map(|frozen| Step::Freeze { user: known.id.clone(), frozen });
        let plan = planned(self.input, step.into_iter().chain(freeze), reason);
        Decision::Steps(Steps { plan, link, left_out, more })
    }

    /// What `active` asks of the record, and whether that takes something away.
    fn lifecycle(&self, known: &Known<'_>) -> Lockout {
        let active = self.input.active;
        if self.is_user() {
            let was_active = known.fields.get("IsActive").and_then(Value::as_bool).unwrap_or(true);
            return lockout(self.input, was_active, active);
        }
        if self.target().on_leave != OnLeave::Flag {
            return Lockout::default();
        }
        let has = |(field, value): (&String, &Value)| {
            same_value(field, known.fields.get(field).unwrap_or(&Value::Null), value)
        };
        let flagged = self.target().flag.iter().all(has);
        let fields = match (active, flagged) {
            (false, false) => self.target().flag.clone(),
            (true, true) if known.linked || self.may_be_back() => unflagged(self.target(), &self.desired),
            _ => Fields::new(),
        };
        Lockout { fields, leaves: !active && !flagged, ..Lockout::default() }
    }

    fn is_user(&self) -> bool {
        self.target().object == "User"
    }

    /// Whether a record that is found by its external id may be the person's from before he left.
    fn may_be_back(&self) -> bool {
        self.target().key_of_person().is_some()
    }

    fn manner(&self) -> Manner {
        manner(self.target())
    }

    fn link(&self, record_id: Option<RecordId>, written: Fields, adopted: bool) -> LinkAfter {
        LinkAfter::There { record_id, written, adopted, key: self.key.clone(), left: false, became: None }
    }

    fn steps(&self, step: Option<Step>, reason: &str, link: LinkAfter) -> Decision {
        Decision::Steps(Steps { plan: planned(self.input, step, reason), link, left_out: false, more: false })
    }
}

/// What is set of the desired fields.
fn set_fields(desired: &IndexMap<String, Desired>) -> Fields {
    let value = |(field, desired): (&String, &Desired)| match desired {
        Desired::Set(value) => Some((field.clone(), value.clone())),
        Desired::Clear => None,
    };
    desired.iter().filter_map(value).collect()
}

/// A flag taken back: the other truth value, else nothing. What the mapping fills is filled by it.
fn unflagged(target: &Target, desired: &IndexMap<String, Desired>) -> Fields {
    let back = |value: &Value| value.as_bool().map_or(Value::Null, |flag| Value::Bool(!flag));
    let own = target.flag.iter().filter(|(field, _)| !desired.contains_key(*field));
    own.map(|(field, value)| (field.clone(), back(value))).collect()
}

/// How the org is to take a write of this target; assignment rules are for new records alone.
#[must_use]
pub fn manner(target: &Target) -> Manner {
    let duplicates = match target.duplicates {
        DuplicatePolicy::Allow => Duplicates::Allow,
        DuplicatePolicy::Respect | DuplicatePolicy::Adopt => Duplicates::Respect,
    };
    Manner { duplicates, assignment_rules: false }
}

/// The identity is gone from the target.
fn leave(input: &Input<'_>, link: &Link) -> Decision {
    let target = input.place.target;
    let stripped = input.stripped.map(|stripped| difference(stripped, &link.written)).unwrap_or_default();
    if link.left && stripped.is_empty() {
        return Decision::Nothing;
    }
    let after = |fields: &Fields, left: bool| LinkAfter::There {
        record_id: Some(link.record_id.clone()),
        written: written(&link.written, fields),
        adopted: link.adopted,
        key: link.key.clone(),
        left,
        became: link.became.clone(),
    };
    let then = |steps: [Option<Step>; 2], link: LinkAfter, more: bool| {
        let reason = "the identity has no place in the target any more";
        let plan = planned(input, steps.into_iter().flatten(), reason);
        Decision::Steps(Steps { plan, link, left_out: false, more })
    };
    let steps = |steps, link| then(steps, link, false);
    // Nothing can be written into a lead that was converted.
    if link.became.is_some() {
        return steps([None, None], after(&Fields::new(), true));
    }
    let id = link.record_id.clone();
    let (object, manner) = (target.object.clone(), manner(target));
    // What it had until a time goes when that is over, and nothing else is done about it any more.
    if link.left {
        let link = after(&stripped, true);
        return steps([Some(Step::Update { object, id, fields: stripped, manner }), None], link);
    }
    let was_active = link.written.get("IsActive").and_then(Value::as_bool).unwrap_or(true);
    let access = match target.on_leave {
        OnLeave::Delete => {
            if !target.allow.delete {
                return Decision::NotAllowed("delete");
            }
            let delete = Step::Delete { object, id };
            return steps([Some(delete), None], LinkAfter::Gone);
        }
        OnLeave::Flag => Lockout { fields: target.flag.clone(), ..Lockout::default() },
        OnLeave::Anonymise => Lockout { fields: target.anonymised(input.describe), ..Lockout::default() },
        OnLeave::None | OnLeave::Disable | OnLeave::Freeze | OnLeave::FreezeThenDeactivate => {
            lockout(input, was_active, false)
        }
    };
    if access.leaves && !target.allow.disable {
        return Decision::NotAllowed("disable");
    }
    let Lockout { mut fields, freeze, is_blocked, leaves } = access;
    let locks_out = leaves && (!fields.is_empty() || freeze.is_some());
    let more = locks_out && !stripped.is_empty();
    if !more {
        fields.extend(stripped);
    }
    let freeze = freeze.map(|frozen| Step::Freeze { user: id.clone(), frozen });
    let update = (!fields.is_empty()).then(|| Step::Update { object, id, fields: fields.clone(), manner });
    then([update, freeze], after(&fields, !is_blocked && !more), more)
}

/// The steps of one record; the first of them leads.
fn planned(input: &Input<'_>, steps: impl IntoIterator<Item = Step>, reason: &str) -> Plan {
    let planned = |(at, step)| PlannedStep {
        target: input.place.target.name.clone(),
        org: input.place.org.clone(),
        step,
        leading: at == 0,
        reason: reason.to_owned(),
    };
    Plan { steps: steps.into_iter().enumerate().map(planned).collect() }
}
