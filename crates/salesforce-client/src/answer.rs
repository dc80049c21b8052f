//! What an answer means: pure.
//!
//! Statuses and envelopes: REST API Developer Guide, "Status Codes and Error Responses". One rule stands
//! above all: only what Salesforce itself says, in its own error envelope, is proof that a write had
//! no effect. A 5xx written by something in between proves nothing.

use std::time::Duration;

use salesforce_types::{RecordId, Refusal, Retry, errors};
use serde_json::Value;

use crate::{
    CallError,
    transport::{Answer, Failure},
};

/// Pause after "too much at once": such calls are blocked for as long as the slow ones run, seconds.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// Pause when the calls of the rolling day are used up.
const LATER: Duration = Duration::from_mins(15);

/// 401s that say nothing about the token's age; a new token would get the same answer.
const NOT_EXPIRY: [&str; 2] =
    ["session is not valid for use with the rest api", "connected app is not attached to agent"];

/// Why an attempt brought nothing, sorted by what may be done about it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// No connection came about.
    Unsent { why: String },
    /// The access token has expired; the call was not taken.
    Expired,
    /// `UNABLE_TO_LOCK_ROW`: rolled back.
    Locked(Refusal),
    /// 503 in Salesforce's own words: not taken.
    Overloaded(Refusal),
    /// It may have been done or not.
    Unclear { why: String },
    /// Trying again now would not help.
    Final(CallError),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unsent { why } => Self::Unsent { why },
            Failure::Cut { why } => Self::Unclear { why },
        }
    }
}

impl Trouble {
    /// What is said when nothing more is tried.
    pub(crate) fn give_up(self, writes: bool) -> CallError {
        match self {
            Self::Final(error) => error,
            Self::Unclear { why } if writes => CallError::Unknown { why },
            // A read has no effect, whatever became of it.
            Self::Unclear { why } | Self::Unsent { why } => CallError::not_sent(why),
            Self::Expired => CallError::not_sent("a new access token was refused as expired"),
            Self::Locked(refusal) | Self::Overloaded(refusal) => {
                CallError::NotSent { why: in_short(&refusal), retry_after: Some(SOON) }
            }
        }
    }
}

/// Sorts an answer: 2xx and 304 are given back, everything else is trouble.
pub(crate) fn judge(answer: Answer) -> Result<Answer, Trouble> {
    if matches!(answer.status, 200..=299 | 304) {
        return Ok(answer);
    }
    Err(match refusal(answer.status, &answer.body) {
        Some(refusal) => refused(refusal),
        None => wordless(answer.status),
    })
}

/// Sorts an error that Salesforce wrote.
pub(crate) fn refused(refusal: Refusal) -> Trouble {
    let rule = errors::rule(&refusal.code, &refusal.message);
    match (refusal.code.as_str(), refusal.status) {
        (_, 401) if has_expired(&refusal) => Trouble::Expired,
        ("UNABLE_TO_LOCK_ROW", _) => Trouble::Locked(refusal),
        ("SERVER_UNAVAILABLE", _) | (_, 503) => Trouble::Overloaded(refusal),
        // An uncaught exception rolls its transaction back, but nobody promises that it was uncaught.
        ("UNKNOWN_EXCEPTION", _) | (_, 500..) => Trouble::Unclear { why: in_short(&refusal) },
        _ => Trouble::Final(match rule.retry {
            Retry::Backoff => CallError::NotSent { why: in_short(&refusal), retry_after: Some(SOON) },
            Retry::BackoffLong => CallError::NotSent { why: in_short(&refusal), retry_after: Some(LATER) },
            Retry::No | Retry::Fix | Retry::Reauthenticate => CallError::Refused(refusal),
        }),
    }
}

/// Sorts an answer without a Salesforce error in it: from a proxy, the edge, or a maintenance page.
fn wordless(status: u16) -> Trouble {
    match status {
        401 => Trouble::Expired,
        // 420: the edge does not know where the org is.
        300..=399 | 407 | 408 | 420 | 429 => Trouble::Final(CallError::NotSent {
            why: format!(
                "status {status} from something that is not Salesforce's API: check the org's url and proxies"
            ),
            retry_after: Some(SOON),
        }),
        400..=499 => Trouble::Final(CallError::Refused(Refusal {
            status,
            code: format!("HTTP_{status}"),
            message: format!("status {status} without an explanation"),
            fields: Vec::new(),
            records: Vec::new(),
        })),
        _ => Trouble::Unclear { why: format!("status {status} from something that is not Salesforce's API") },
    }
}

fn has_expired(refusal: &Refusal) -> bool {
    let message = refusal.message.to_lowercase();
    match refusal.code.as_str() {
        "INVALID_SESSION_ID" => !NOT_EXPIRY.iter().any(|text| message.contains(text)),
        // So says an org whose access tokens are JWTs.
        "INVALID_AUTH_HEADER" => message.contains("invalid_jwt_format"),
        _ => false,
    }
}

/// What Salesforce says to a delete of a record that somebody else has deleted.
pub(crate) fn is_gone(code: &str) -> bool {
    matches!(code, "NOT_FOUND" | "ENTITY_IS_DELETED" | "INVALID_CROSS_REFERENCE_KEY")
}

/// What Salesforce says to a part of a Composite that another part has taken back.
pub(crate) fn is_halt(code: &str) -> bool {
    matches!(code, "PROCESSING_HALTED" | "ALL_OR_NONE_OPERATION_ROLLED_BACK")
}

/// Code and advice, without Salesforce's words: they may quote values.
pub(crate) fn in_short(refusal: &Refusal) -> String {
    let rule = errors::rule(&refusal.code, &refusal.message);
    format!("{}: {}", refusal.code, rule.advice)
}

/// Reads the first error of an error body, in each of the envelopes that occur: an array, a single object,
/// the `errors` of a row result; with `errorCode` or `statusCode` (Collections). An `error` is not Salesforce's: so do proxies
/// word theirs.
pub(crate) fn refusal(status: u16, body: &[u8]) -> Option<Refusal> {
    refusal_in(status, &serde_json::from_slice(body).ok()?)
}

/// The same from a body that is parsed already.
pub(crate) fn refusal_in(status: u16, body: &Value) -> Option<Refusal> {
    if status == 300 {
        return several(body);
    }
    let entry = match body {
        Value::Array(entries) => entries.first()?,
        Value::Object(object) => match object.get("errors") {
            Some(Value::Array(entries)) => entries.first()?,
            _ => body,
        },
        _ => return None,
    };
    let text = |names: &[&str]| names.iter().find_map(|name| entry.get(name)?.as_str().map(str::to_owned));
    let fields = entry.get("fields").and_then(Value::as_array).map_or_else(Vec::new, |fields| {
        fields.iter().filter_map(|field| field.as_str().map(str::to_owned)).collect()
    });
    let code = text(&["errorCode", "statusCode"])?;
    let message = text(&["message"]).unwrap_or_default();
    let mut records = records_in(&message);
    records.extend(duplicates(entry));
    Some(Refusal { status, code, message, fields, records })
}

/// Status 300: an external id that several records have. The body is a list of their addresses.
fn several(body: &Value) -> Option<Refusal> {
    let last = |address: &Value| RecordId::parse(address.as_str()?.rsplit('/').next()?).ok();
    Some(Refusal {
        status: 300,
        code: "MULTIPLE_CHOICES".to_owned(),
        message: "several records have this external id".to_owned(),
        fields: Vec::new(),
        records: body.as_array()?.iter().map(last).collect::<Option<_>>()?,
    })
}

/// The records that a duplicate rule found. REST misspells the name of the result, and nobody knows for how long.
fn duplicates(entry: &Value) -> Vec<RecordId> {
    let list =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let found = ["duplicateResut", "duplicateResult"].into_iter().find_map(|name| entry.get(name));
    let rules = found.map(|found| list(found, "matchResults")).unwrap_or_default();
    let records = rules.iter().flat_map(|rule| list(rule, "matchRecords"));
    records.filter_map(|found| RecordId::parse(found.get("record")?.get("Id")?.as_str()?).ok()).collect()
}

/// The records that an error's text names as those which have a value already: `... duplicates value on record with id:
/// 003...`. Where the integration user may not see it, `<unknown>` stands in the place of the id.
pub(crate) fn records_in(message: &str) -> Vec<RecordId> {
    const BEFORE: &str = "duplicates value on record with id: ";
    let after = message.split(BEFORE).skip(1);
    let ids = after.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default());
    ids.filter_map(|id| RecordId::parse(id).ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(status: u16, body: &str) -> Trouble {
        judge(Answer { status, last_modified: None, body: body.into() }).unwrap_err()
    }

    fn error(status: u16, code: &str, message: &str) -> Trouble {
        judged(status, &json!([{ "message": message, "errorCode": code }]).to_string())
    }

    #[test]
    fn every_envelope_is_read() {
        let expected = Refusal {
            status: 400,
            code: "STRING_TOO_LONG".into(),
            message: "too long".into(),
            fields: vec!["Alias".into()],
            records: Vec::new(),
        };
        for body in [
            json!([{"message": "too long", "errorCode": "STRING_TOO_LONG", "fields": ["Alias"]}]),
            json!({"errorCode": "STRING_TOO_LONG", "message": "too long", "fields": ["Alias"]}),
            json!({"success": false, "errors": [{"statusCode": "STRING_TOO_LONG", "message": "too long", "fields": ["Alias"]}]}),
        ] {
            assert_eq!(refusal_in(400, &body).as_ref(), Some(&expected), "{body}");
        }
        for none in ["", "<html>", "[]", "{}", "null", "7", "[7]", r#"["/services/data"]"#] {
            assert_eq!(refusal(400, none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn the_records_that_stand_in_the_way_are_named() {
        let (one, two) = ("0035500001H9cakAAB", "0035500001H9calAAB");
        let ids = |ids: &[&str]| ids.iter().map(|id| RecordId::parse(id).unwrap()).collect::<Vec<_>>();
        let rule = |ids: &[&str]| {
            let records: Vec<_> =
                ids.iter().map(|id| json!({"record": {"attributes": {}, "Id": id}})).collect();
            json!({"matchResults": [{"matchRecords": records, "size": ids.len()}]})
        };
        for (body, expected) in [
            (
                json!([{"errorCode": "DUPLICATES_DETECTED", "duplicateResut": rule(&[one, two])}]),
                ids(&[one, two]),
            ),
            (json!([{"errorCode": "DUPLICATES_DETECTED", "duplicateResult": rule(&[one])}]), ids(&[one])),
            (
                json!([{"errorCode": "DUPLICATES_DETECTED", "duplicateResut": {"matchResults": null}}]),
                ids(&[]),
            ),
            (
                json!({"success": false, "errors": [{"statusCode": "DUPLICATE_VALUE",
                    "message": "duplicate value found: A__c duplicates value on record with id: 0035500001H9cak"}]}),
                ids(&[one]),
            ),
            (
                json!([{"errorCode": "DUPLICATE_VALUE",
                    "message": "duplicate value found: <unknown> duplicates value on record with id: <unknown>"}]),
                ids(&[]),
            ),
        ] {
            assert_eq!(refusal_in(400, &body).unwrap().records, expected, "{body}");
        }
        let addresses = json!([format!("/services/data/v66.0/sobjects/Contact/{one}"), format!("/x/{two}")]);
        let refusal = refusal_in(300, &addresses).unwrap();
        assert_eq!((refusal.code.as_str(), refusal.records), ("MULTIPLE_CHOICES", ids(&[one, two])));
        for none in [json!(["/services/data"]), json!([7]), json!({}), Value::Null] {
            assert_eq!(refusal_in(300, &none), None, "{none}");
        }
    }

    #[test]
    fn two_texts_of_401_are_no_expiry() {
        assert_eq!(error(401, "INVALID_SESSION_ID", "Session expired or invalid"), Trouble::Expired);
        for text in
            ["This session is not valid for use with the REST API", "Connected app is not attached to Agent"]
        {
            assert!(
                matches!(error(401, "INVALID_SESSION_ID", text), Trouble::Final(CallError::Refused(_))),
                "{text}"
            );
        }
        assert_eq!(error(401, "INVALID_AUTH_HEADER", "INVALID_JWT_FORMAT"), Trouble::Expired);
        assert!(matches!(
            error(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"),
            Trouble::Final(CallError::Refused(_))
        ));
    }

    #[test]
    fn limits_say_when_to_come_back() {
        let after = |message| match error(403, "REQUEST_LIMIT_EXCEEDED", message) {
            Trouble::Final(CallError::NotSent { retry_after, .. }) => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("TotalRequests Limit exceeded."), Some(Duration::from_mins(15)));
        assert_eq!(after("ConcurrentPerOrgLongTxn Limit exceeded."), Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_server_error_is_proof_only_in_salesforces_own_words() {
        assert!(matches!(error(503, "SERVER_UNAVAILABLE", "busy"), Trouble::Overloaded(_)));
        for (status, body) in [
            (503, "<html>Down for Maintenance</html>"),
            (503, r#"{"status":503,"error":"Service Unavailable","message":"upstream timed out"}"#),
            (502, ""),
            (500, "{}"),
        ] {
            let trouble = judged(status, body);
            assert!(matches!(trouble, Trouble::Unclear { .. }), "{status}");
            assert!(matches!(trouble.clone().give_up(true), CallError::Unknown { .. }));
            assert!(matches!(trouble.give_up(false), CallError::NotSent { .. }));
        }
        assert!(matches!(error(500, "UNKNOWN_EXCEPTION", "ErrorId 1"), Trouble::Unclear { .. }));
    }

    #[test]
    fn what_is_gone_is_refused() {
        for (status, code) in [(404, "NOT_FOUND"), (404, "ENTITY_IS_DELETED"), (400, "DUPLICATE_USERNAME")] {
            match error(status, code, "") {
                Trouble::Final(CallError::Refused(refusal)) => assert_eq!(refusal.code, code),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn texts_for_the_log_quote_no_values() {
        let trouble = error(400, "UNABLE_TO_LOCK_ROW", "unable to lock ada@example.com");
        assert!(!trouble.give_up(true).to_string().contains("ada"));
    }
}
