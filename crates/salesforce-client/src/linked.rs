//! A record, and the reference to it from another one: both are written, or neither (REST API Developer Guide, "Composite",
//! `allOrNone`). The dispatcher's steps each stand for themselves: of them the first could stay behind alone.

use reqwest::Method;
use salesforce_types::{Fields, Manner, RecordId};
use serde_json::{Value, json};

use crate::{
    CallError, Org, Ticket,
    answer::{Trouble, is_halt, refusal_in, refused},
    dispatch::{REFERENCE, holds_reference},
    limits::Cause,
    org::{Purpose, RESERVE_FOR, Tries},
    soql::{Field, Object},
    transport::{Answer, Body, Request},
};

const MADE: &str = "made";
const LINKED: &str = "linked";

impl Org {
    /// Makes a record of `object` with these fields, and has the field `link.2` of the record `link.1` of the object `link.0` refer to
    /// it. Answers its id. A text with `@{` in it, which a Composite would take for a value of another record, is written as `@ {`.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`]: both are there or neither, and reading the field back tells. After any other nothing has changed.
    pub async fn create_linked(
        &self,
        object: &str,
        fields: &Fields,
        link: (&str, &RecordId, &str),
        ticket: &Ticket,
    ) -> Result<RecordId, CallError> {
        let (object, (linked, id, field)) = (Object::new(object)?, link);
        let (linked, field) = (Object::new(linked)?, Field::new(field)?);
        let mut reference = Fields::new();
        reference.insert(field.as_str().to_owned(), Value::from(format!("@{{{MADE}.id}}")));
        let parts = json!([
            { "method": "POST", "url": self.path(&format!("/sobjects/{}", object.as_str())), "referenceId": MADE,
              "body": literal(fields) },
            { "method": "PATCH", "url": self.path(&format!("/sobjects/{}/{id}", linked.as_str())), "referenceId": LINKED,
              "body": reference },
        ]);
        let body = json!({ "allOrNone": true, "compositeRequest": parts });
        let body = serde_json::to_vec(&body).map_err(|error| CallError::not_sent(error.to_string()))?;
        let purpose = Purpose { cause: Cause::Write, ticket: Some(ticket) };
        let request = Request {
            cause: Cause::Write,
            method: Method::POST,
            path: self.path("/composite"),
            object: object.as_str(),
            body: Body::Json(body),
            manner: Some(Manner::default()),
            if_modified_since: None,
            shares: purpose.shares(),
        };
        let mut tries = Tries::of_a_write();
        loop {
            if self.reserve_reached() {
                let why = "reserve: the org's API calls are nearly used up".to_owned();
                return Err(CallError::NotSent { why, retry_after: Some(RESERVE_FOR) });
            }
            match self.attempt(&request, purpose).await.and_then(|answer| made(&answer)) {
                Ok(id) => return Ok(id),
                Err(trouble) => self.pause_after(trouble, &mut tries).await?,
            }
        }
    }
}

/// The same fields with nothing in them that a Composite would put something else in the place of.
fn literal(fields: &Fields) -> Fields {
    let literal = |value: &Value| match value.as_str() {
        Some(text) if holds_reference(value) => Value::from(text.replace(REFERENCE, "@ {")),
        _ => value.clone(),
    };
    fields.iter().map(|(field, value)| (field.clone(), literal(value))).collect()
}

/// The id of the record that was made. What was refused is told by the part that failed; the other one was only taken back.
fn made(answer: &Answer) -> Result<RecordId, Trouble> {
    let unclear = |why: &str| Trouble::Unclear { why: why.to_owned() };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let parts = body.get("compositeResponse").and_then(Value::as_array);
    let parts = parts.ok_or_else(|| unclear("the answer of a Composite has no parts"))?;
    let status = |part: &Value| {
        part.get("httpStatusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok())
    };
    let failed = parts.iter().filter(|part| status(part).is_none_or(|status| status >= 300));
    let refusals = failed
        .map(|part| refusal_in(status(part).unwrap_or_default(), part.get("body").unwrap_or(&Value::Null)));
    let mut halted = false;
    for refusal in refusals {
        match refusal {
            Some(refusal) if is_halt(&refusal.code) => halted = true,
            Some(refusal) => return Err(refused(refusal)),
            None => return Err(unclear("a part of a Composite failed without an explanation")),
        }
    }
    if halted {
        return Err(unclear("a Composite was taken back without an explanation"));
    }
    let is_made = |part: &&Value| part.get("referenceId").and_then(Value::as_str) == Some(MADE);
    let id = parts.iter().find(is_made).and_then(|part| part.get("body")?.get("id")?.as_str());
    id.and_then(|id| RecordId::parse(id).ok())
        .ok_or_else(|| unclear("the answer of a Composite does not name the record that was made"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(parts: &Value) -> Answer {
        let body = json!({ "compositeResponse": parts }).to_string().into_bytes();
        Answer { status: 200, last_modified: None, body }
    }

    fn halted(reference: &str) -> Value {
        json!({ "referenceId": reference, "httpStatusCode": 400,
                "body": [{ "errorCode": "PROCESSING_HALTED", "message": "rolled back" }] })
    }

    #[test]
    fn what_looks_like_a_reference_stays_a_text() {
        let fields = |last: &str| Fields::from_iter([("LastName".to_owned(), json!(last))]);
        for (last, written) in
            [("@{made.id}", "@ {made.id}"), ("Noor @{x} @{", "Noor @ {x} @ {"), ("@ {x} {@}", "@ {x} {@}")]
        {
            let literal = literal(&fields(last));
            assert_eq!(literal, fields(written));
            assert!(!literal.values().any(holds_reference));
        }
    }

    #[test]
    fn the_record_is_named_by_the_part_that_made_it() {
        let id = RecordId::parse("0PK000000000001").unwrap();
        let parts = json!([
            { "referenceId": MADE, "httpStatusCode": 201, "body": { "id": id.as_str(), "success": true } },
            { "referenceId": LINKED, "httpStatusCode": 204, "body": null },
        ]);
        assert_eq!(made(&answer(&parts)).unwrap(), id);
    }

    #[test]
    fn the_part_that_failed_says_why() {
        let refused = json!({ "referenceId": LINKED, "httpStatusCode": 400,
            "body": [{ "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "no" }] });
        let trouble = made(&answer(&json!([halted(MADE), refused]))).unwrap_err();
        let Trouble::Final(CallError::Refused(refusal)) = trouble else { panic!("{trouble:?}") };
        assert_eq!(refusal.code, "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    }

    #[test]
    fn what_is_not_understood_is_of_unknown_end() {
        for parts in [json!(null), json!([]), json!([halted(MADE), halted(LINKED)])] {
            assert!(matches!(made(&answer(&parts)), Err(Trouble::Unclear { .. })), "{parts}");
        }
    }
}
