//! One call of the data API that carries the steps of a batch: how it is written, and what its answer says of each step.
//! Pure. (REST API Developer Guide, "sObject Rows", "Composite", "sObject Collections".)

use std::fmt::Write as _;

use reqwest::Method;
use salesforce_types::{EntitlementKind, Fields, Given, Manner, RecordId, Refusal, Step, StepOutcome};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    batch::{Kind, Lane, Operation, Place, Shape, is_odd},
    change::{Change, Landing},
    convert, freeze,
};
use crate::{
    CallError,
    answer::{self, Trouble, is_gone, is_halt, refusal_in, refused},
    limits::Cause,
    soap,
    transport::{Answer, Body, assignment_header, duplicates_header},
};

/// Objects whose assignment rules would overwrite the owner.
const ASSIGNED: [&str; 3] = ["Lead", "Case", "Account"];
/// Objects that give somebody something.
const GRANTS: [&str; 8] = [
    "PermissionSetAssignment",
    "PermissionSetLicenseAssign",
    "GroupMember",
    "UserPackageLicense",
    "UserTerritory2Association",
    "Group",
    "UserRole",
    "QueueSobject",
];

/// Method, path, body.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    /// For the log.
    pub(super) object: String,
    pub(super) body: Body,
    pub(super) manner: Option<Manner>,
    pub(super) cause: Cause,
}

/// Where the calls of an API version go.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// Such as `/services/data/v66.0`.
    pub(crate) data: String,
    /// Such as `/services/Soap/u/66.0`.
    pub(crate) soap: String,
}

impl Paths {
    /// Of an API version such as `v66.0`.
    pub(crate) fn of(version: &str) -> Self {
        Self {
            data: format!("/services/data/{version}"),
            soap: format!("/services/Soap/u/{}", version.trim_start_matches('v')),
        }
    }
}

/// Writes the call.
pub(super) fn write(paths: &Paths, changes: &[Change], shape: &Shape) -> Call {
    let base = paths.data.as_str();
    let step = |place: &Place| changes[place.0].step(place.1);
    let is_grant =
        |place: &Place| GRANTS.iter().any(|object| step(place).object().eq_ignore_ascii_case(object));
    let cause = if shape.places().iter().all(is_grant) { Cause::Grant } else { Cause::Write };
    if let (Shape::Rows(_), Some(place)) = (shape, shape.only(changes)) {
        let row = row(base, changes, place);
        let body = row.body.map_or(Body::Nothing, |body| Body::Json(to_bytes(&body)));
        let (object, manner) = (step(&place).object().to_owned(), Some(step(&place).manner()));
        return Call { method: row.method, path: row.path, object, body, manner, cause };
    }
    let items = match shape {
        Shape::Conversions(places) => {
            return Call {
                method: Method::POST,
                path: paths.soap.clone(),
                object: "convertLead".to_owned(),
                body: Body::Soap(convert::operation(changes, places)),
                manner: None,
                cause,
            };
        }
        Shape::Rows(places) => rows(base, changes, places),
        Shape::Lanes(lanes) => {
            lanes.iter().enumerate().map(|(at, lane)| lane_item(base, changes, at, lane)).collect::<Vec<_>>()
        }
    };
    // What is not known to reach the parts is not known to stay away from them either.
    let assigns = shape.places().iter().any(|place| step(place).manner().assignment_rules);
    Call {
        method: Method::POST,
        path: format!("{base}/composite"),
        object: "composite".to_owned(),
        body: Body::Json(to_bytes(&json!({ "allOrNone": false, "compositeRequest": items }))),
        manner: (!assigns).then(Manner::default),
        cause,
    }
}

fn to_bytes(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("JSON values under text keys can be written")
}

fn reference((change, step): Place) -> String {
    format!("c{change}s{step}")
}

/// The query for the login records of all Users that are frozen by rows.
const LOGINS: &str = "logins";

/// The query that finds the record of a step, where there is something to change.
fn guard_reference(place: Place) -> String {
    format!("{}find", reference(place))
}

fn lane_reference(at: usize) -> String {
    format!("lane{at}")
}

struct Row {
    method: Method,
    path: String,
    body: Option<Fields>,
}

fn row(base: &str, changes: &[Change], (number, at): Place) -> Row {
    let change = &changes[number];
    let step = change.step(at);
    let object = step.object();
    let made_here = |earlier: usize| {
        // The answer of a collection is a list.
        let first = if matches!(change.step(earlier), Step::Update { .. }) { "[0]" } else { "" };
        format!("@{{{}{first}.id}}", reference((number, earlier)))
    };
    let path = match step {
        Step::Create { .. } => format!("{base}/sobjects/{object}"),
        Step::Update { id, .. } | Step::Delete { id, .. } => format!("{base}/sobjects/{object}/{id}"),
        Step::Upsert { key, value, .. } => {
            format!("{base}/sobjects/{object}/{key}/{}", percent_encoded(value))
        }
        Step::Freeze { .. } => {
            format!("{base}/sobjects/{object}/@{{{}.records[0].Id}}", guard_reference((number, at)))
        }
        Step::Convert { .. } => unreachable!("conversions have a call of their own"),
    };
    let (method, body) = match step {
        Step::Create { .. } => (Method::POST, Some(change.body(at, made_here))),
        Step::Update { .. } | Step::Upsert { .. } => (Method::PATCH, Some(change.body(at, made_here))),
        Step::Freeze { frozen, .. } => {
            (Method::PATCH, Some([("IsFrozen".to_owned(), json!(frozen))].into_iter().collect()))
        }
        Step::Delete { .. } | Step::Convert { .. } => (Method::DELETE, None),
    };
    Row { method, path, body }
}

/// Row after row, each after the query that finds its record where that is not known.
fn rows(base: &str, changes: &[Change], places: &[Place]) -> Vec<Value> {
    let frozen = |(number, at): &Place| match changes[*number].step(*at) {
        Step::Freeze { user, frozen } => Some((user, *frozen)),
        _ => None,
    };
    let users: Vec<&RecordId> = places.iter().filter_map(frozen).map(|(user, _)| user).collect();
    let mut items = Vec::new();
    if !users.is_empty() {
        items.push(freeze::finding(base, users, LOGINS));
    }
    for place in places {
        if let Some((user, to)) = frozen(place) {
            items.push(freeze::guard(base, user, to, &guard_reference(*place)));
        }
        items.push(if is_named(changes, places, *place) {
            named_update(base, changes, *place)
        } else {
            row_item(base, changes, *place)
        });
    }
    items
}

/// Whether a step is an update that others of the same call refer to.
fn is_named(changes: &[Change], places: &[Place], (number, at): Place) -> bool {
    let change = &changes[number];
    let together = places.iter().filter(|(other, _)| *other == number).map(|(_, step)| *step);
    matches!(change.step(at), Step::Update { .. }) && change.is_referred_to(at, together)
}

/// An update in a collection of its own. The answer to a row names no record; this one does where it landed, so that what
/// refers to it does not land without it.
fn named_update(base: &str, changes: &[Change], place: Place) -> Value {
    let kind = Kind::of(changes[place.0].step(place.1)).expect("there are collections of updates");
    let mut item = lane_item(base, changes, 0, &Lane { kind, places: vec![place] });
    item["referenceId"] = json!(reference(place));
    item
}

fn row_item(base: &str, changes: &[Change], place: Place) -> Value {
    let row = row(base, changes, place);
    let mut item = json!({
        "method": row.method.as_str(),
        "url": row.path,
        "referenceId": reference(place),
    });
    if let Some(body) = row.body {
        item["body"] = json!(body);
    }
    let step = changes[place.0].step(place.1);
    say_how(&mut item, step.object(), step.manner());
    item
}

fn lane_item(base: &str, changes: &[Change], at: usize, lane: &Lane) -> Value {
    let url = format!("{base}/composite/sobjects");
    let record = |(number, at): &Place, object: &str| {
        let change = &changes[*number];
        let mut record = Map::new();
        record.insert("attributes".to_owned(), json!({ "type": object }));
        match change.step(*at) {
            Step::Update { id, .. } => {
                record.insert("id".to_owned(), json!(id.as_str()));
            }
            Step::Upsert { key, value, .. } => {
                record.insert(key.clone(), json!(value));
            }
            Step::Create { .. } | Step::Delete { .. } | Step::Convert { .. } | Step::Freeze { .. } => {}
        }
        // What a step of a collection refers to has landed: it is chosen so.
        record.extend(change.body(*at, |_| String::new()));
        Value::Object(record)
    };
    let records = |object: &str| -> Value {
        let all: Vec<Value> = lane.places.iter().map(|place| record(place, object)).collect();
        json!({ "allOrNone": false, "records": all })
    };
    let object = &lane.kind.object;
    let (method, url, body) = match &lane.kind.operation {
        Operation::Create => (Method::POST, url, Some(records(object))),
        Operation::Update => (Method::PATCH, url, Some(records(object))),
        Operation::Upsert { key } => (Method::PATCH, format!("{url}/{object}/{key}"), Some(records(object))),
        Operation::Delete => {
            let mut url = format!("{url}?allOrNone=false&ids=");
            for (n, (number, at)) in lane.places.iter().enumerate() {
                if let Step::Delete { id, .. } = changes[*number].step(*at) {
                    let comma = if n == 0 { "" } else { "," };
                    let _ = write!(url, "{comma}{id}");
                }
            }
            (Method::DELETE, url, None)
        }
        Operation::Find => {
            let users = lane.places.iter().filter_map(|(number, at)| match changes[*number].step(*at) {
                Step::Freeze { user, .. } => Some(user),
                _ => None,
            });
            return freeze::finding(base, users, &lane_reference(at));
        }
    };
    let mut item = json!({ "method": method.as_str(), "url": url, "referenceId": lane_reference(at) });
    if let Some(body) = body {
        item["body"] = body;
    }
    say_how(&mut item, object, lane.kind.manner);
    item
}

/// The headers of the outer call are not known to reach the parts, so they say it themselves.
fn say_how(item: &mut Value, object: &str, manner: Manner) {
    let is_assigned = ASSIGNED.iter().any(|assigned| object.eq_ignore_ascii_case(assigned));
    let headers = [is_assigned.then(|| assignment_header(manner)), duplicates_header(manner)];
    let headers = headers.into_iter().flatten().map(|(name, value)| (name.to_owned(), json!(value)));
    let headers: Map<String, Value> = headers.collect();
    if !headers.is_empty() {
        item["httpHeaders"] = headers.into();
    }
}

/// Everything but letters, digits, `-`, `_` and `~` (RFC 3986 §2.3, without the dot, which the edge may read as a
/// file extension).
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompositeAnswer {
    composite_response: Vec<CompositeItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompositeItem {
    #[serde(default)]
    pub(super) body: Value,
    pub(super) http_status_code: u16,
    reference_id: String,
}

/// What Salesforce said to a call that it took.
#[derive(Debug)]
pub(super) enum Said {
    Data(Answer),
    Soap(soap::Results),
}

/// Sorts the answer to a call of this shape.
pub(super) fn judge(answer: Answer, shape: &Shape) -> Result<Said, Trouble> {
    match shape {
        Shape::Rows(_) | Shape::Lanes(_) => answer::judge(answer).map(Said::Data),
        Shape::Conversions(_) => soap::judge(answer).map(Said::Soap),
    }
}

/// What Salesforce said of every step of the call.
pub(super) fn read(said: &Said, changes: &[Change], shape: &Shape) -> Vec<(Place, Landing)> {
    match said {
        Said::Data(answer) => read_data(answer, changes, shape),
        Said::Soap(soap::Results { results, .. }) => convert::read(results, changes, &shape.places()),
    }
}

fn read_data(answer: &Answer, changes: &[Change], shape: &Shape) -> Vec<(Place, Landing)> {
    let step = |place: Place| changes[place.0].step(place.1);
    if let Some(place) = shape.only(changes) {
        // No answer is one; a page from something in between is none.
        let body = match answer.body.as_slice() {
            [] => Value::Null,
            body => serde_json::from_slice(body).unwrap_or(Value::Bool(false)),
        };
        return vec![(place, Landing::Ended(landed(step(place), answer.status, &body)))];
    }
    let items = serde_json::from_slice::<CompositeAnswer>(&answer.body)
        .map(|answer| answer.composite_response)
        .unwrap_or_default();
    let item = |reference: &str| items.iter().find(|item| item.reference_id == reference);
    let lacking = || Landing::Ended(unknown("the answer of a Composite lacks this step".to_owned()));
    match shape {
        Shape::Rows(places) | Shape::Conversions(places) => places
            .iter()
            .map(|place| {
                let landing = match (step(*place), item(&reference(*place))) {
                    (freeze @ Step::Freeze { .. }, Some(own)) => {
                        match (item(LOGINS), item(&guard_reference(*place))) {
                            (Some(finding), Some(guard)) => freeze::landing(freeze, finding, guard, own),
                            _ => lacking(),
                        }
                    }
                    (step, Some(own)) if is_named(changes, places, *place) => {
                        let kind = Kind::of(step).expect("there are collections of updates");
                        lane_landing(step, 0, &Lane { kind, places: vec![*place] }, own)
                    }
                    (_, Some(own)) => row_landing(changes, *place, own),
                    (_, None) => lacking(),
                };
                (*place, landing)
            })
            .collect(),
        Shape::Lanes(lanes) => lanes
            .iter()
            .enumerate()
            .flat_map(|(at, lane)| {
                let item = item(&lane_reference(at));
                lane.places.iter().enumerate().map(move |(n, place)| {
                    (*place, item.map_or_else(lacking, |item| lane_landing(step(*place), n, lane, item)))
                })
            })
            .collect(),
    }
}

/// What an error of the whole call says of its step, if there is only one; otherwise it is no step's.
pub(super) fn read_refusal(
    trouble: Trouble,
    changes: &[Change],
    shape: &Shape,
) -> Result<(Place, Landing), Trouble> {
    let Some(place) = shape.only(changes) else { return Err(trouble) };
    let landing = match trouble {
        Trouble::Locked(refusal) => Landing::Locked(refusal),
        Trouble::Final(CallError::Refused(refusal)) => {
            let step = changes[place.0].step(place.1);
            let is_so = already_so(step, &refusal);
            Landing::Ended(is_so.unwrap_or_else(|| StepOutcome::Refused(in_one_tongue(step, refusal))))
        }
        trouble => return Err(trouble),
    };
    Ok((place, landing))
}

fn row_landing(changes: &[Change], (number, at): Place, item: &CompositeItem) -> Landing {
    let (change, status) = (&changes[number], item.http_status_code);
    if (200..300).contains(&status) {
        return Landing::Ended(landed(change.step(at), status, &item.body));
    }
    match refusal_in(status, &item.body) {
        Some(refusal) if is_halt(&refusal.code) && change.refers_to_this_call(at) => Landing::Halted,
        _ => failed(change.step(at), status, &item.body),
    }
}

fn lane_landing(step: &Step, n: usize, lane: &Lane, item: &CompositeItem) -> Landing {
    let status = item.http_status_code;
    if !(200..300).contains(&status) {
        return match refusal_in(status, &item.body).map(|refusal| (refused(refusal.clone()), refusal)) {
            Some((Trouble::Locked(_), refusal)) => Landing::Locked(refusal),
            Some((Trouble::Final(CallError::Refused(_)), _)) => Landing::WithOthers,
            Some((trouble, _)) => Landing::Ended(trouble.give_up(true).into()),
            None => {
                Landing::Ended(unknown(format!("status {status} for a collection, without an explanation")))
            }
        };
    }
    if freeze::must_be_found(step) {
        return freeze::found(step, item).unwrap_or(Landing::WithOthers);
    }
    match item.body.as_array() {
        Some(results) if results.len() == lane.places.len() => {
            let result = &results[n];
            if result.get("success") == Some(&Value::Bool(true)) {
                return Landing::Ended(landed(step, 200, result));
            }
            match failed(step, 400, result) {
                Landing::Ended(StepOutcome::Refused(refusal)) if says_less(step, &refusal) => {
                    Landing::WithOthers
                }
                landing => landing,
            }
        }
        _ => Landing::Ended(unknown(
            "the answer of a collection has not one result for each record".to_owned(),
        )),
    }
}

/// Whether a call of rows says more than a collection does of why it refused a record.
fn says_less(step: &Step, refusal: &Refusal) -> bool {
    match (step, refusal.code.as_str()) {
        // Said of a record that is gone as of a wrong value in it.
        (Step::Update { .. }, "INVALID_CROSS_REFERENCE_KEY") => true,
        // Which records stand in the way. A key that had better not be in a path does without.
        (_, "DUPLICATES_DETECTED") => refusal.records.is_empty() && !is_odd(step),
        (Step::Upsert { .. }, "DUPLICATE_EXTERNAL_ID") => !is_odd(step),
        _ => false,
    }
}

/// A step that Salesforce says it did not do.
pub(super) fn failed(step: &Step, status: u16, body: &Value) -> Landing {
    let Some(refusal) = refusal_in(status, body) else {
        return Landing::Ended(unknown(format!("status {status} in a Composite, without an explanation")));
    };
    if is_halt(&refusal.code) {
        let why = format!("{}: another step of the same call failed", refusal.code);
        return Landing::Ended(StepOutcome::NotSent { why, retry_after: None });
    }
    match already_so(step, &refusal) {
        Some(outcome) => Landing::Ended(outcome),
        None => ended(in_one_tongue(step, refusal)),
    }
}

/// What was refused because it is as the step would have it: the record is gone, or the assignment is there.
fn already_so(step: &Step, refusal: &Refusal) -> Option<StepOutcome> {
    match step {
        // Somebody may have given it again: whoever takes it is to know that this has taken nothing.
        Step::Delete { object, .. } if is_gone(&refusal.code) && is_assignment(object) => {
            Some(StepOutcome::There)
        }
        Step::Delete { id, .. } if is_gone(&refusal.code) => Some(StepOutcome::Done { id: id.clone() }),
        Step::Create { object, .. } if is_assignment(object) && is_duplicate(refusal) => {
            Some(match refusal.records.as_slice() {
                [id] => StepOutcome::Done { id: id.clone() },
                _ => StepOutcome::There,
            })
        }
        _ => None,
    }
}

/// Whether the records of an object give Users something that they have once or not at all.
fn is_assignment(object: &str) -> bool {
    let gives = |kind: &EntitlementKind| matches!(kind.given(), Given::Row(row) if row.object.eq_ignore_ascii_case(object));
    EntitlementKind::ALL.iter().any(gives)
}

/// Salesforce words it differently for every object; the text is that of permission sets, whatever its code.
fn is_duplicate(refusal: &Refusal) -> bool {
    refusal.code == "DUPLICATE_VALUE" || refusal.message.contains("Duplicate PermissionSetAssignment")
}

/// A step that was refused: for good, or because of a lock.
pub(super) fn ended(refusal: Refusal) -> Landing {
    match refused(refusal) {
        Trouble::Locked(refusal) => Landing::Locked(refusal),
        trouble => Landing::Ended(trouble.give_up(true).into()),
    }
}

/// An object that the org lacks is a path that is not found in a row call, and a wrong type in a collection.
fn in_one_tongue(step: &Step, refusal: Refusal) -> Refusal {
    if !matches!(step, Step::Create { .. }) || refusal.code != "NOT_FOUND" {
        return refusal;
    }
    Refusal {
        status: 400,
        code: "INVALID_TYPE".to_owned(),
        message: format!("sObject type '{}' is not supported.", step.object()),
        fields: Vec::new(),
        records: Vec::new(),
    }
}

/// Nobody knows whether Salesforce did it.
pub(super) fn unknown(why: String) -> StepOutcome {
    StepOutcome::Unknown { why }
}

/// The outcome of a record that was answered with 2xx.
pub(super) fn landed(step: &Step, status: u16, body: &Value) -> StepOutcome {
    if body.get("success") == Some(&Value::Bool(false))
        && let Some(refusal) = refusal_in(400, body)
    {
        return match refused(refusal) {
            Trouble::Final(error) => error.into(),
            trouble => trouble.give_up(true).into(),
        };
    }
    let named = body.get("id").and_then(Value::as_str).map(RecordId::parse);
    match (step, named) {
        (Step::Update { id, .. } | Step::Delete { id, .. }, _)
            if body.is_null() || body.get("success") == Some(&Value::Bool(true)) =>
        {
            StepOutcome::Done { id: id.clone() }
        }
        (Step::Update { .. } | Step::Delete { .. }, _) => {
            unknown(format!("status {status}, but the answer is none of Salesforce's"))
        }
        (Step::Create { .. } | Step::Upsert { .. } | Step::Convert { .. }, Some(Ok(id))) => {
            StepOutcome::Done { id }
        }
        (Step::Create { .. } | Step::Upsert { .. } | Step::Convert { .. } | Step::Freeze { .. }, _) => {
            unknown(format!("status {status}, but the answer names no record"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step() -> Step {
        let fields = [("Title".to_owned(), json!("a"))].into_iter().collect();
        Step::Create {
            object: "User".into(),
            fields,
            refers: salesforce_types::References::new(),
            manner: salesforce_types::Manner::default(),
        }
    }

    #[test]
    fn a_success_without_an_id_is_not_believed() {
        for body in [json!({}), json!({"id": "short", "success": true}), json!("<html>"), Value::Null] {
            assert!(matches!(landed(&step(), 201, &body), StepOutcome::Unknown { .. }), "{body}");
        }
    }

    fn create(object: &str) -> Step {
        Step::Create {
            object: object.into(),
            fields: Fields::new(),
            refers: salesforce_types::References::new(),
            manner: Manner::default(),
        }
    }

    #[test]
    fn a_duplicate_is_as_good_as_done_for_an_assignment_alone() {
        let error = |code: &str, message: &str| json!([{ "errorCode": code, "message": message }]);
        let ended = |object: &str, body: &Value| match failed(&create(object), 400, body) {
            Landing::Ended(outcome) => outcome,
            other => panic!("{other:?}"),
        };
        let nameless = error(
            "DUPLICATE_VALUE",
            "duplicate value found: <unknown> duplicates value on record with id: <unknown>",
        );
        let named = error(
            "DUPLICATE_VALUE",
            "duplicate value found: a duplicates value on record with id: 0115f000005mc66",
        );
        let worded = error(
            "FIELD_INTEGRITY_EXCEPTION",
            "Duplicate PermissionSetAssignment. Assignee: 005; Permission Set: 0PS",
        );
        for object in [
            "PermissionSetAssignment",
            "PermissionSetLicenseAssign",
            "GroupMember",
            "UserPackageLicense",
            "UserTerritory2Association",
        ] {
            assert_eq!(ended(object, &nameless), StepOutcome::There, "{object}");
            let id = RecordId::parse("0115f000005mc66").unwrap();
            assert_eq!(ended(object, &named), StepOutcome::Done { id }, "{object}");
        }
        assert_eq!(ended("PermissionSetAssignment", &worded), StepOutcome::There);
        for object in ["User", "Contact", "Group"] {
            assert!(matches!(ended(object, &nameless), StepOutcome::Refused(_)), "{object}");
        }
        let full = error("LICENSE_LIMIT_EXCEEDED", "License Limit Exceeded");
        assert!(matches!(ended("UserPackageLicense", &full), StepOutcome::Refused(_)));
    }

    #[test]
    fn a_key_stays_one_segment_of_the_path() {
        assert_eq!(percent_encoded("a/b.c é?"), "a%2Fb%2Ec%20%C3%A9%3F");
        assert_eq!(percent_encoded("0b0-4_F~"), "0b0-4_F~");
    }
}
