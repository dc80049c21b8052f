//! What an identity is to have, against the ledger: what to give, what to take, and what the ledger says afterwards.
//!
//! Profile, role and feature licences are fields of the User and go with the step that writes it ([`fields`]). Everything else
//! has a row of its own in the org, and a step of its own ([`rows`]).

use indexmap::IndexMap;
use model::{OrgName, TargetName, Timestamp};
use salesforce_types::{
    AskedBy, Assigned, Catalogue, EntitlementKind, EntitlementRef, Fields, Given, Grant, GrantState, Manner,
    RecordId, References, Step,
};
use serde_json::Value;
use translation::{Desired, Ownership};

use crate::Wanted;

/// Where the identity stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// He works.
    Here,
    /// He is locked out: nothing new is given, and what is to be stripped is taken.
    Away,
}

/// All that a decision about grants rests on.
#[derive(Clone, Copy, Debug)]
pub struct GrantInput<'a> {
    /// Of whose link.
    pub target: &'a TargetName,
    /// In which org.
    pub org: &'a OrgName,
    /// The User; `None`: an earlier step makes it.
    pub user: Option<&'a RecordId>,
    /// What he is to have.
    pub wanted: &'a [Wanted],
    /// The ledger's rows of this org.
    pub ledger: &'a [Grant],
    /// What the org says that he has, where it was asked.
    pub actual: Option<&'a [Assigned]>,
    /// What is to become of what nobody asks for.
    pub ownership: &'a dyn OwnershipOf,
    /// Whether he works.
    pub presence: Presence,
    /// What a leaver loses.
    pub strip: &'a [EntitlementKind],
    /// What Salesforce has refused in this change, or gives only later: not tried again.
    pub set_aside: &'a [EntitlementRef],
    /// Whether what was refused before is tried once more.
    pub again: bool,
    /// What the mapping itself writes into the User's record; nothing of who leaves the target.
    pub mapped: Option<&'a IndexMap<String, Desired>>,
    /// The profile of somebody whose other one is not asked for any more.
    pub fallback: Option<&'a RecordId>,
    /// When.
    pub now: Timestamp,
}

/// What a tenant says of a kind.
pub trait OwnershipOf: std::fmt::Debug + Sync {
    /// What is to become of what nobody asks for.
    fn of(&self, kind: EntitlementKind) -> Ownership;
}

/// What becomes of a row of the ledger.
#[derive(Clone, Debug, PartialEq)]
pub enum LedgerChange {
    /// It is this from now on. Who asks is in `asked`; since when, and by which change, is the ledger's to keep.
    Set(LedgerRow),
    /// It is not there any more.
    End {
        /// What.
        of: EntitlementRef,
        /// Why, for an auditor.
        why: String,
    },
}

impl LedgerChange {
    /// What it is about.
    #[must_use]
    pub fn of(&self) -> &EntitlementRef {
        match self {
            Self::Set(row) => &row.of,
            Self::End { of, .. } => of,
        }
    }
}

/// A row of the ledger as a decision sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerRow {
    /// What.
    pub of: EntitlementRef,
    /// What it is called.
    pub name: String,
    /// Whether it is there, and whose it is.
    pub state: GrantState,
    /// Who asks.
    pub asked: Vec<AskedBy>,
    /// The record that gives it.
    pub row: Option<RecordId>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Why it is not there.
    pub reason: Option<String>,
}

/// A step that gives or takes something.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantStep {
    /// What.
    pub of: EntitlementRef,
    /// The write.
    pub step: Step,
    /// The ledger once it is done.
    pub after: LedgerChange,
    /// Why, for a person.
    pub reason: String,
}

/// What to do about the rows of a User.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GrantPlan {
    /// What to send: what is taken first, then what is given, licences before what needs them.
    pub steps: Vec<GrantStep>,
    /// What the ledger says without any step.
    pub ledger: Vec<LedgerChange>,
    /// A row has to be deleted whose id is not known: the org must be asked what he has, then this is decided again.
    pub look: bool,
}

/// The fields of the User that grants ask for, in the place of what the mapping says of them. What is taken is not taken from the
/// mapping, which has a value of its own.
#[must_use]
pub fn fields(input: &GrantInput<'_>) -> IndexMap<String, Desired> {
    let mut fields = IndexMap::new();
    let is_stripped = |kind| input.presence == Presence::Away && input.strip.contains(&kind);
    for wanted in input.wanted {
        let value = match wanted.of.kind.given() {
            Given::Field(field) => (field.to_owned(), Value::from(wanted.of.id.as_str())),
            Given::Flag => (wanted.of.id.clone(), Value::Bool(true)),
            Given::Row(_) => continue,
        };
        // Who is away is given nothing; what he has stays.
        let is_there = held(input.ledger, &wanted.of).is_some();
        let is_refused_before =
            wanted.of.kind == EntitlementKind::FeatureLicense && is_refused_for_good(input, wanted);
        let is_refused = !is_there && (input.set_aside.contains(&wanted.of) || is_refused_before);
        if is_stripped(wanted.of.kind)
            || is_refused
            || (input.presence == Presence::Away && !is_there && input.user.is_some())
        {
            continue;
        }
        fields.insert(value.0, Desired::Set(value.1));
    }
    let has_own = |field: &str| matches!(mapped(input, field), Some(Desired::Set(_)));
    for grant in input.ledger.iter().filter(|grant| grant.state.is_held()) {
        let stays = input.wanted.iter().any(|wanted| wanted.of == grant.of) && !is_stripped(grant.of.kind);
        let ownership = input.ownership.of(grant.of.kind);
        let is_ours = grant.state == GrantState::Granted;
        let is_strange = ownership == Ownership::Authoritative && input.presence == Presence::Here;
        if stays || ownership == Ownership::Merge || !(is_ours || is_strange) {
            continue;
        }
        match grant.of.kind.given() {
            Given::Field("ProfileId") => {
                // Whoever only had the default keeps it. A profile is never taken away, only replaced.
                if let (true, Some(profile), false) =
                    (is_asked(grant), input.fallback, fields.contains_key("ProfileId"))
                {
                    fields.insert("ProfileId".to_owned(), Desired::Set(Value::from(profile.as_str())));
                }
            }
            // What the mapping itself writes is not asked for, and its own to change.
            _ if is_ours && !is_asked(grant) => {}
            Given::Field(field) if !has_own(field) => {
                fields.entry(field.to_owned()).or_insert(Desired::Clear);
            }
            Given::Flag if !has_own(&grant.of.id) => {
                fields.entry(grant.of.id.clone()).or_insert(Desired::Set(Value::Bool(false)));
            }
            Given::Field(_) | Given::Flag | Given::Row(_) => {}
        }
    }
    fields
}

/// What the ledger says of profile, role and feature licences once the User's record has these fields.
#[must_use]
pub fn field_rows(input: &GrantInput<'_>, written: &Fields, catalogue: &Catalogue) -> Vec<LedgerChange> {
    let mut rows: Vec<LedgerRow> = Vec::new();
    let asks = |of: &EntitlementRef| input.wanted.iter().find(|wanted| wanted.of == *of);
    let row = |of: EntitlementRef, asked: Vec<AskedBy>, until| {
        let name = catalogue.get(&of).map_or_else(|| of.id.clone(), |entitlement| entitlement.label.clone());
        let state = if asked.is_empty() { GrantState::Found } else { GrantState::Granted };
        LedgerRow { of, name, state, asked, row: None, until, reason: None }
    };
    for kind in [EntitlementKind::Profile, EntitlementKind::Role] {
        let Given::Field(field) = kind.given() else { continue };
        let id = written.get(field).and_then(Value::as_str).and_then(|id| RecordId::parse(id).ok());
        let Some(id) = id else { continue };
        let of = EntitlementRef { kind, id: id.as_str().to_owned() };
        rows.push(match (asks(&of), held(input.ledger, &of)) {
            (Some(wanted), _) => row(of, wanted.asked.clone(), wanted.until),
            // Somebody else has given it, and nobody asks.
            (None, Some(known)) if known.state == GrantState::Found => row(of, Vec::new(), None),
            // It is still to be taken: until then it is whose it was.
            (None, Some(known)) if is_asked(known) && becomes_another(input, field, &id) => row_of(known),
            (None, Some(known)) if is_asked(known) && input.ownership.of(kind) == Ownership::Merge => {
                row(of, Vec::new(), None)
            }
            (None, _) => row(of, vec![AskedBy::Default], None),
        });
    }
    let flags = input.wanted.iter().filter(|wanted| wanted.of.kind == EntitlementKind::FeatureLicense);
    for wanted in flags.filter(|wanted| written.get(&wanted.of.id) == Some(&Value::Bool(true))) {
        rows.push(row(wanted.of.clone(), wanted.asked.clone(), wanted.until));
    }
    let mut changes = Vec::new();
    for grant in input.ledger.iter().filter(|grant| !matches!(grant.of.kind.given(), Given::Row(_))) {
        let is_set = grant.of.kind == EntitlementKind::FeatureLicense
            && grant.state.is_held()
            && written.get(&grant.of.id) == Some(&Value::Bool(true));
        let is_owed = matches!(grant.state, GrantState::Refused | GrantState::Waiting)
            && grant.of.kind == EntitlementKind::FeatureLicense
            && asks(&grant.of).is_some();
        let stays = is_set
            || is_owed
            || (!grant.state.is_held() && input.set_aside.contains(&grant.of))
            || rows.iter().any(|row| row.of == grant.of);
        if !stays {
            let stripped = input.presence == Presence::Away && asks(&grant.of).is_some();
            match grant.state {
                // It comes back with him.
                GrantState::Stripped if stripped => {}
                GrantState::Granted if stripped => changes
                    .push(LedgerChange::Set(LedgerRow { state: GrantState::Stripped, ..row_of(grant) })),
                _ => changes.push(end(grant, ended_because(input, grant))),
            }
        }
    }
    changes.extend(rows.into_iter().filter_map(|row| changed(input.ledger, row)));
    changes.retain(|change| !is_as_known(input.ledger, change));
    changes
}

/// Whether a field of the record that has this is still to become something else.
fn becomes_another(input: &GrantInput<'_>, field: &str, id: &RecordId) -> bool {
    let asked = fields(input);
    match asked.get(field).or_else(|| mapped(input, field)) {
        Some(Desired::Set(value)) => {
            value.as_str().and_then(|id| RecordId::parse(id).ok()).as_ref() != Some(id)
        }
        Some(Desired::Clear) => true,
        None => false,
    }
}

fn mapped<'a>(input: &GrantInput<'a>, field: &str) -> Option<&'a Desired> {
    input.mapped?.get(field)
}

/// Whether it is there for another reason than that the mapping, or the org, gives it by default.
fn is_asked(grant: &Grant) -> bool {
    grant.asked.iter().any(|by| by.by != AskedBy::Default)
}

/// What to do about the rows.
#[must_use]
pub fn rows(input: &GrantInput<'_>) -> GrantPlan {
    let mut plan = GrantPlan::default();
    let mut takes: Vec<GrantStep> = Vec::new();
    let mut gives: Vec<GrantStep> = Vec::new();
    for wanted in input.wanted.iter().filter(|wanted| is_row(wanted.of.kind)) {
        want(input, wanted, &mut plan, &mut gives);
    }
    for grant in input.ledger.iter().filter(|grant| is_row(grant.of.kind)) {
        if !input.wanted.iter().any(|wanted| wanted.of == grant.of) {
            unwanted(input, grant, &mut plan, &mut takes);
        }
    }
    for assigned in input.actual.unwrap_or_default() {
        let is_known = input.ledger.iter().any(|grant| grant.of == assigned.of && grant.state.is_held());
        let is_wanted = input.wanted.iter().any(|wanted| wanted.of == assigned.of);
        if is_row(assigned.of.kind) && !is_known && !is_wanted {
            found(input, assigned, &mut plan, &mut takes);
        }
    }
    strip(input, &mut plan, &mut takes);
    takes.sort_by(|a, b| b.of.cmp(&a.of));
    gives.sort_by(|a, b| a.of.cmp(&b.of));
    plan.steps = takes;
    plan.steps.extend(gives);
    plan.ledger.retain(|change| !is_as_known(input.ledger, change));
    plan
}

/// Something is asked for.
fn want(input: &GrantInput<'_>, wanted: &Wanted, plan: &mut GrantPlan, gives: &mut Vec<GrantStep>) {
    if input.set_aside.contains(&wanted.of) {
        return;
    }
    let known = input.ledger.iter().find(|grant| grant.of == wanted.of);
    let actual = input.actual.map(|actual| actual.iter().find(|assigned| assigned.of == wanted.of));
    let row = LedgerRow {
        of: wanted.of.clone(),
        name: wanted.name.clone(),
        state: GrantState::Granted,
        asked: wanted.asked.clone(),
        row: None,
        until: wanted.until,
        reason: None,
    };
    // What the org was seen to have is there, whoever has given it; else the ledger says so.
    let there = match actual {
        Some(actual) => actual.map(|assigned| assigned.row.clone()),
        None => known.filter(|grant| grant.state.is_held()).map(|grant| grant.row.clone()),
    };
    if let Some(record) = there {
        if input.presence == Presence::Away && input.strip.contains(&wanted.of.kind) {
            // What is ours is stripped; what somebody has given a leaver by hand is not.
            if known.is_none_or(|grant| grant.state != GrantState::Granted) {
                let found = LedgerRow {
                    state: GrantState::Found,
                    asked: Vec::new(),
                    until: None,
                    row: record,
                    ..row
                };
                plan.ledger.extend(changed(input.ledger, found));
            }
            return;
        }
        let ends_otherwise = known.is_some_and(|grant| grant.until != wanted.until);
        if ends_otherwise && record.is_none() && expires(wanted.of.kind) && input.actual.is_none() {
            plan.look = true;
            return;
        }
        if let (true, Some(id), true) = (ends_otherwise, &record, expires(wanted.of.kind)) {
            let fields = Fields::from_iter([(EXPIRATION.to_owned(), moment(wanted.until))]);
            let (object, id, manner) =
                (assignment(wanted.of.kind).object.to_owned(), id.clone(), Manner::default());
            let step = Step::Update { object, id, fields, manner };
            let after = LedgerChange::Set(LedgerRow { row: record, ..row });
            let reason = "it ends at another time".to_owned();
            gives.push(GrantStep { of: wanted.of.clone(), step, after, reason });
            return;
        }
        plan.ledger.extend(changed(input.ledger, LedgerRow { row: record, ..row }));
        return;
    }
    // Whom nobody lets in is given nothing. What Salesforce itself has taken with the deactivation comes back with him.
    if input.presence == Presence::Away {
        if known.is_some_and(|grant| grant.state.is_held()) {
            plan.ledger.extend(changed(input.ledger, LedgerRow { state: GrantState::Stripped, ..row }));
        }
        return;
    }
    if is_refused_for_good(input, wanted) {
        return;
    }
    let reason = wanted.asked.first().map(ToString::to_string).unwrap_or_default();
    let step = give(input, wanted);
    gives.push(GrantStep { of: wanted.of.clone(), step, after: LedgerChange::Set(row), reason });
}

/// Whether it was refused before, and nobody else asks for it now.
fn is_refused_for_good(input: &GrantInput<'_>, wanted: &Wanted) -> bool {
    let known = input.ledger.iter().find(|grant| grant.of == wanted.of);
    let refused = known.filter(|grant| grant.state == GrantState::Refused && !input.again);
    refused.is_some_and(|grant| asks_of(grant) == wanted.asked)
}

/// The ledger has what nobody asks for (any more).
fn unwanted(input: &GrantInput<'_>, grant: &Grant, plan: &mut GrantPlan, takes: &mut Vec<GrantStep>) {
    // What Salesforce does not let go of in this change is not asked for again and again.
    if input.set_aside.contains(&grant.of) {
        return;
    }
    let ownership = input.ownership.of(grant.of.kind);
    let actual = input.actual.map(|actual| actual.iter().find(|assigned| assigned.of == grant.of));
    if !grant.state.is_held() {
        plan.ledger.push(end(grant, ended_because(input, grant)));
        return;
    }
    if actual == Some(None) {
        plan.ledger.push(end(grant, "it was taken away in Salesforce"));
        return;
    }
    let there = actual.flatten().and_then(|assigned| assigned.row.clone());
    match (grant.state, ownership) {
        (GrantState::Found, Ownership::Managed | Ownership::Merge) => {}
        (_, Ownership::Managed) if is_given_again(grant, there.as_ref()) => {
            plan.ledger.push(by_somebody_else(grant, there));
        }
        (_, Ownership::Merge) => {
            plan.ledger.push(LedgerChange::Set(LedgerRow {
                state: GrantState::Found,
                asked: Vec::new(),
                until: None,
                ..row_of(grant)
            }));
        }
        (state, _) => {
            let why = if state == GrantState::Found { NOBODY_ASKED } else { ended_because(input, grant) };
            let record = there.or_else(|| grant.row.clone());
            take(&grant.of, record, end(grant, why), why, plan, takes);
        }
    }
}

/// Whether somebody has taken it and given it again since: there is another record that gives it.
fn is_given_again(grant: &Grant, there: Option<&RecordId>) -> bool {
    grant.row.as_ref().zip(there).is_some_and(|(known, there)| known != there)
}

/// It is somebody else's now.
fn by_somebody_else(grant: &Grant, row: Option<RecordId>) -> LedgerChange {
    let (state, asked) = (GrantState::Found, Vec::new());
    LedgerChange::Set(LedgerRow { state, asked, row, until: None, reason: None, ..row_of(grant) })
}

/// The org has what neither the ledger knows nor anybody asks for.
fn found(input: &GrantInput<'_>, assigned: &Assigned, plan: &mut GrantPlan, takes: &mut Vec<GrantStep>) {
    if input.set_aside.contains(&assigned.of) {
        return;
    }
    let (of, row) = (assigned.of.clone(), assigned.row.clone());
    if input.ownership.of(of.kind) == Ownership::Authoritative {
        let after = LedgerChange::End { of: of.clone(), why: NOBODY_ASKED.to_owned() };
        take(&of, row, after, NOBODY_ASKED, plan, takes);
        return;
    }
    let name = of.id.clone();
    plan.ledger.push(LedgerChange::Set(LedgerRow {
        of,
        name,
        state: GrantState::Found,
        asked: Vec::new(),
        row,
        until: None,
        reason: None,
    }));
}

/// A leaver loses what is configured, and gets it back when he is back.
fn strip(input: &GrantInput<'_>, plan: &mut GrantPlan, takes: &mut Vec<GrantStep>) {
    if input.presence == Presence::Here {
        return;
    }
    for grant in input.ledger {
        let goes = grant.state == GrantState::Granted
            && is_row(grant.of.kind)
            && input.strip.contains(&grant.of.kind)
            && input.wanted.iter().any(|wanted| wanted.of == grant.of)
            && !input.set_aside.contains(&grant.of);
        if goes {
            let after =
                LedgerChange::Set(LedgerRow { state: GrantState::Stripped, row: None, ..row_of(grant) });
            let actual =
                input.actual.and_then(|actual| actual.iter().find(|assigned| assigned.of == grant.of));
            let there = actual.and_then(|assigned| assigned.row.clone());
            if is_given_again(grant, there.as_ref()) {
                plan.ledger.push(by_somebody_else(grant, there));
                continue;
            }
            let record = grant.row.clone().or(there);
            if record.is_none() && input.actual.is_some() {
                plan.ledger.push(after);
                continue;
            }
            take(&grant.of, record, after, "the identity is not active", plan, takes);
        }
    }
}

const EXPIRATION: &str = "ExpirationDate";
const NOBODY_ASKED: &str = "nobody has asked for it, and Gangway is the authority of what is given";

fn take(
    of: &EntitlementRef,
    record: Option<RecordId>,
    after: LedgerChange,
    why: &str,
    plan: &mut GrantPlan,
    takes: &mut Vec<GrantStep>,
) {
    let Some(id) = record else {
        plan.look = true;
        return;
    };
    let step = Step::Delete { object: assignment(of.kind).object.to_owned(), id };
    takes.push(GrantStep { of: of.clone(), step, after, reason: why.to_owned() });
}

/// The row that gives it. Refers to the User's step where that makes him.
fn give(input: &GrantInput<'_>, wanted: &Wanted) -> Step {
    let assignment = assignment(wanted.of.kind);
    let mut fields =
        Fields::from_iter([(assignment.entitlement.to_owned(), Value::from(wanted.of.id.as_str()))]);
    let mut refers = References::new();
    match input.user {
        Some(user) => {
            fields.insert(assignment.user.to_owned(), Value::from(user.as_str()));
        }
        None => {
            refers.insert(assignment.user.to_owned(), 0);
        }
    }
    if wanted.until.is_some() && expires(wanted.of.kind) {
        fields.insert(EXPIRATION.to_owned(), moment(wanted.until));
    }
    Step::Create { object: assignment.object.to_owned(), fields, refers, manner: Manner::default() }
}

fn moment(until: Option<Timestamp>) -> Value {
    until.map_or(Value::Null, |until| Value::from(until.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()))
}

/// Whether Salesforce itself ends it (`PermissionSetAssignment.ExpirationDate`, API 52).
fn expires(kind: EntitlementKind) -> bool {
    assignment_of(kind).is_some_and(|assignment| assignment.object == "PermissionSetAssignment")
}

fn is_row(kind: EntitlementKind) -> bool {
    assignment_of(kind).is_some()
}

fn assignment_of(kind: EntitlementKind) -> Option<salesforce_types::Assignment> {
    match kind.given() {
        Given::Row(assignment) => Some(assignment),
        Given::Field(_) | Given::Flag => None,
    }
}

fn assignment(kind: EntitlementKind) -> salesforce_types::Assignment {
    assignment_of(kind).expect("only kinds with rows come here")
}

fn held<'a>(ledger: &'a [Grant], of: &EntitlementRef) -> Option<&'a Grant> {
    ledger.iter().find(|grant| grant.of == *of && grant.state.is_held())
}

fn asks_of(grant: &Grant) -> Vec<AskedBy> {
    let mut asked: Vec<AskedBy> = grant.asked.iter().map(|ask| ask.by.clone()).collect();
    asked.sort();
    asked
}

fn row_of(grant: &Grant) -> LedgerRow {
    LedgerRow {
        of: grant.of.clone(),
        name: grant.name.clone(),
        state: grant.state,
        asked: asks_of(grant),
        row: grant.row.clone(),
        until: grant.until,
        reason: grant.reason.clone(),
    }
}

fn end(grant: &Grant, why: &str) -> LedgerChange {
    LedgerChange::End { of: grant.of.clone(), why: why.to_owned() }
}

fn ended_because(input: &GrantInput<'_>, grant: &Grant) -> &'static str {
    if grant.state == GrantState::Found {
        let is_authority = input.ownership.of(grant.of.kind) == Ownership::Authoritative;
        if is_authority { NOBODY_ASKED } else { "it was taken away, or something else took its place" }
    } else if grant.until.is_some_and(|until| until <= input.now) {
        "its time was over"
    } else {
        "nobody asks for it any more"
    }
}

/// The row, unless the ledger has it like that. A record's id that is known is not forgotten.
fn changed(ledger: &[Grant], row: LedgerRow) -> Option<LedgerChange> {
    let known = ledger.iter().find(|grant| grant.of == row.of);
    let row = LedgerRow {
        row: row.row.clone().or_else(|| known.filter(|grant| grant.state.is_held())?.row.clone()),
        ..row
    };
    Some(LedgerChange::Set(row)).filter(|change| !is_as_known(ledger, change))
}

fn is_as_known(ledger: &[Grant], change: &LedgerChange) -> bool {
    let known = |of: &EntitlementRef| ledger.iter().find(|grant| grant.of == *of).map(row_of);
    match change {
        // What a name has become since is no change of the grant.
        LedgerChange::Set(row) => {
            known(&row.of).is_some_and(|known| LedgerRow { name: row.name.clone(), ..known } == *row)
        }
        LedgerChange::End { of, .. } => known(of).is_none(),
    }
}
