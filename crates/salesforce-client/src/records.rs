//! Single records: create, update, read (REST API Developer Guide, "sObject Rows", "Composite").

use reqwest::Method;
use salesforce_types::{RecordId, Refusal, Step, StepOutcome};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    CallError, Org, Ticket,
    answer::{Trouble, refusal_in, refused},
    limits::Cause,
    org::Errand,
    soql::{Field, NotAName, Object},
    transport::Request,
};

/// Sub-requests that one Composite takes.
const COMPOSITE_SIZE: usize = 25;
/// Objects whose assignment rules would overwrite the owner.
const ASSIGNED: [&str; 3] = ["Lead", "Case", "Account"];

impl Org {
    /// Sends the steps of a change and tells what came of each, in the same order.
    ///
    /// One step is a row call. Several are one Composite, done in order and each for itself (`allOrNone` is
    /// false): a step that is refused stops no other. The ticket is taken directly before the first byte
    /// goes out, with slot and token at hand; if it is withdrawn by then, every step is
    /// [`StepOutcome::NotSent`] and nothing leaves. When no step had an effect, the ticket waits again.
    ///
    /// Tried again is only what certainly had no effect: connections that did not come about, an expired
    /// token (once), locked rows, 503 in Salesforce's own words. That a name is taken, or a record gone, is
    /// the caller's to decide about.
    ///
    /// Dropping the future after the ticket was sent leaves the outcome unknown.
    pub async fn act(&self, steps: &[Step], ticket: &Ticket) -> Vec<StepOutcome> {
        let mut outcomes = Vec::with_capacity(steps.len());
        for batch in batches(steps) {
            let under_way = outcomes.iter().any(may_have_landed);
            let errand = if under_way { Errand::Follow(ticket) } else { Errand::Write(ticket) };
            match batch {
                [step] => outcomes.push(self.write_row(step, errand).await),
                batch => outcomes.extend(self.write_composite(batch, errand, ticket).await),
            }
        }
        outcomes
    }

    async fn write_row(&self, step: &Step, errand: Errand<'_>) -> StepOutcome {
        let row = match row(step) {
            Ok(row) => row,
            Err(error) => return CallError::from(error).into(),
        };
        let request = Request {
            cause: Cause::Write,
            path: self.path(&row.path),
            method: row.method,
            object: step.object(),
            body: Some(
                serde_json::to_vec(step.fields()).expect("JSON values under text keys can be written"),
            ),
            if_modified_since: None,
        };
        match self.send(&request, errand).await {
            Ok(answer) => {
                let body = serde_json::from_slice(&answer.body).ok();
                landed(step, answer.status, body.as_ref(), answer.body.is_empty())
            }
            Err(error) => error.into(),
        }
    }

    async fn write_composite(&self, steps: &[Step], errand: Errand<'_>, ticket: &Ticket) -> Vec<StepOutcome> {
        let rows: Vec<_> = match steps.iter().map(row).collect::<Result<_, _>>() {
            Ok(rows) => rows,
            Err(error) => return vec![CallError::from(error).into(); steps.len()],
        };
        let items: Vec<Value> = rows
            .into_iter()
            .zip(steps)
            .enumerate()
            .map(|(at, (row, step))| {
                let mut item = json!({
                    "method": row.method.as_str(),
                    "url": self.path(&row.path),
                    "referenceId": reference(at),
                    "body": step.fields(),
                });
                if ASSIGNED.iter().any(|object| step.object().eq_ignore_ascii_case(object)) {
                    item["httpHeaders"] = json!({ "Sforce-Auto-Assign": "FALSE" });
                }
                item
            })
            .collect();
        let request = Request {
            cause: Cause::Write,
            path: self.path("/composite"),
            method: Method::POST,
            object: "composite",
            body: Some(json!({ "allOrNone": false, "compositeRequest": items }).to_string().into_bytes()),
            if_modified_since: None,
        };
        let answer = match self.send(&request, errand).await {
            Ok(answer) => answer,
            Err(error) => return vec![error.into(); steps.len()],
        };
        let items = serde_json::from_slice::<CompositeAnswer>(&answer.body)
            .map(|answer| answer.composite_response)
            .unwrap_or_default();
        let mut outcomes = Vec::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            outcomes.push(match items.iter().find(|item| item.reference_id == reference(at)) {
                None => StepOutcome::Unknown { why: "the answer of a Composite lacks this step".to_owned() },
                Some(item) => match item_outcome(step, item) {
                    Ok(outcome) => outcome,
                    // The others have landed: this row alone, and no way back for the change.
                    Err(Locked) => self.write_row(step, Errand::Follow(ticket)).await,
                },
            });
        }
        if !outcomes.iter().any(may_have_landed) {
            errand.rearm();
        }
        outcomes
    }

    /// Reads fields of a record; without any field, all that the integration user may see. `None` if there is no
    /// such record, or it is hidden or deleted.
    pub async fn read(
        &self,
        object: &str,
        id: &RecordId,
        fields: &[&str],
    ) -> Result<Option<Map<String, Value>>, CallError> {
        let object = Object::new(object)?;
        let fields: Vec<Field> = fields.iter().map(|name| Field::new(name)).collect::<Result<_, _>>()?;
        let mut path = self.path(&format!("/sobjects/{}/{id}", object.as_str()));
        if !fields.is_empty() {
            let names: Vec<&str> = fields.iter().map(Field::as_str).collect();
            path = format!("{path}?fields={}", names.join(","));
        }
        match self.send(&Request::get(Cause::Read, object.as_str(), path), Errand::Read).await {
            Ok(answer) => serde_json::from_slice::<Map<String, Value>>(&answer.body)
                .map(|mut record| {
                    record.shift_remove("attributes");
                    Some(record)
                })
                .map_err(|_| CallError::not_sent("the answer to a read is no record")),
            Err(CallError::Refused(Refusal { code, .. }))
                if code == "NOT_FOUND" || code == "ENTITY_IS_DELETED" =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn may_have_landed(outcome: &StepOutcome) -> bool {
    matches!(outcome, StepOutcome::Done { .. } | StepOutcome::Unknown { .. })
}

/// Cuts the steps into what goes in one call each.
///
/// In a Composite `@{ref.id}` means a value of an earlier step. A person's title that looks like that must
/// stay a title, so such steps go alone.
fn batches(steps: &[Step]) -> impl Iterator<Item = &[Step]> {
    let plain = |step: &Step| !step.fields().values().any(holds_reference);
    steps.chunk_by(move |a, b| plain(a) && plain(b)).flat_map(|run| run.chunks(COMPOSITE_SIZE))
}

fn holds_reference(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("@{"),
        Value::Array(values) => values.iter().any(holds_reference),
        Value::Object(values) => values.values().any(holds_reference),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn reference(at: usize) -> String {
    format!("step{at}")
}

struct Row {
    method: Method,
    path: String,
}

fn row(step: &Step) -> Result<Row, NotAName> {
    let object = Object::new(step.object())?;
    let object = object.as_str();
    Ok(match step {
        Step::Create { .. } => Row { method: Method::POST, path: format!("/sobjects/{object}") },
        Step::Update { id, .. } => Row { method: Method::PATCH, path: format!("/sobjects/{object}/{id}") },
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompositeAnswer {
    composite_response: Vec<CompositeItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompositeItem {
    #[serde(default)]
    body: Value,
    http_status_code: u16,
    reference_id: String,
}

/// `UNABLE_TO_LOCK_ROW` for one of several.
struct Locked;

fn item_outcome(step: &Step, item: &CompositeItem) -> Result<StepOutcome, Locked> {
    let status = item.http_status_code;
    if (200..300).contains(&status) {
        return Ok(landed(step, status, Some(&item.body), item.body.is_null()));
    }
    let Some(refusal) = refusal_in(status, &item.body) else {
        return Ok(StepOutcome::Unknown {
            why: format!("status {status} in a Composite, without an explanation"),
        });
    };
    if matches!(refusal.code.as_str(), "PROCESSING_HALTED" | "ALL_OR_NONE_OPERATION_ROLLED_BACK") {
        return Ok(StepOutcome::NotSent {
            why: format!("{}: another step of the same call failed", refusal.code),
            retry_after: None,
        });
    }
    match refused(refusal) {
        Trouble::Locked(_) => Err(Locked),
        trouble => Ok(trouble.give_up(true).into()),
    }
}

/// The outcome of a row that was answered with 2xx.
fn landed(step: &Step, status: u16, body: Option<&Value>, empty: bool) -> StepOutcome {
    if let Some(refusal) = body.and_then(|body| match body.get("success") {
        Some(Value::Bool(false)) => refusal_in(400, body),
        _ => None,
    }) {
        return match refused(refusal) {
            Trouble::Final(error) => error.into(),
            trouble => trouble.give_up(true).into(),
        };
    }
    match step {
        Step::Update { id, .. } if status == 204 || empty || body.is_some() => {
            StepOutcome::Done { id: id.clone() }
        }
        Step::Create { .. } | Step::Update { .. } => {
            match body.and_then(|body| body.get("id")?.as_str()).map(RecordId::parse) {
                Some(Ok(id)) => StepOutcome::Done { id },
                _ => StepOutcome::Unknown { why: format!("status {status}, but the answer names no record") },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(title: &str) -> Step {
        Step::Create {
            object: "User".into(),
            fields: [("Title".to_owned(), json!(title))].into_iter().collect(),
        }
    }

    #[test]
    fn a_value_that_looks_like_a_reference_goes_alone() {
        let steps = [step("a"), step("b"), step("@{step0.id}"), step("c")];
        let sizes: Vec<usize> = batches(&steps).map(<[Step]>::len).collect();
        assert_eq!(sizes, [2, 1, 1]);
    }

    #[test]
    fn a_composite_takes_twenty_five() {
        let steps = vec![step("a"); 60];
        let sizes: Vec<usize> = batches(&steps).map(<[Step]>::len).collect();
        assert_eq!(sizes, [25, 25, 10]);
        assert_eq!(batches(&[]).count(), 0);
    }

    #[test]
    fn a_success_without_an_id_is_not_believed() {
        for body in [json!({}), json!({"id": "short", "success": true}), json!("<html>")] {
            assert!(
                matches!(landed(&step("a"), 201, Some(&body), false), StepOutcome::Unknown { .. }),
                "{body}"
            );
        }
        assert!(matches!(landed(&step("a"), 200, None, false), StepOutcome::Unknown { .. }));
    }
}
