//! Reading the body of a composite call: its parts, and what an envelope may not be.

use serde_json::{Map, Value};

use super::Part;
use crate::{
    errors::Refusal,
    request::{Headers, Request},
};

const MAX_PARTS: usize = 25;
/// Of those, queries and calls with several records.
const MAX_HEAVY_PARTS: usize = 5;

/// The body of `/composite`.
pub(super) struct Envelope {
    pub(super) parts: Vec<Part>,
    /// The parts are one transaction.
    pub(super) all_or_none: bool,
}

impl Envelope {
    pub(super) fn read(request: &Request) -> Result<Self, Refusal> {
        let body = request.object_body()?;
        // Collating changes the speed of a real org, and nothing that a caller may rely on.
        check_keys(body, &["allOrNone", "collateSubrequests", "compositeRequest"])?;
        flag(body, "collateSubrequests")?;
        let all_or_none = flag(body, "allOrNone")?;
        let parts = parts(body)?;
        if parts.len() > MAX_PARTS {
            let message = format!("Composite request cannot have more than {MAX_PARTS} subrequests");
            return Err(Refusal::call(400, "LIMIT_EXCEEDED", message));
        }
        if parts.iter().filter(|part| is_heavy(part)).count() > MAX_HEAVY_PARTS {
            let message = format!(
                "Composite request cannot have more than {MAX_HEAVY_PARTS} query or sObject Collections \
                 subrequests"
            );
            return Err(Refusal::call(400, "LIMIT_EXCEEDED", message));
        }
        Ok(Self { parts, all_or_none })
    }
}

/// The list `compositeRequest`, of a composite call or of one graph.
pub(super) fn parts(body: &Map<String, Value>) -> Result<Vec<Part>, Refusal> {
    let list = body.get("compositeRequest").and_then(Value::as_array);
    let list = list.ok_or_else(|| missing("compositeRequest"))?;
    if list.is_empty() {
        return Err(Refusal::call(400, "REQUIRED_FIELD_MISSING", "At least 1 subrequest is required"));
    }
    let mut parts: Vec<Part> = Vec::with_capacity(list.len());
    for each in list {
        let each = each.as_object().ok_or_else(|| missing("compositeRequest"))?;
        check_keys(each, &["method", "url", "referenceId", "body", "httpHeaders"])?;
        let text = |name: &str| {
            let text = each.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
            text.ok_or_else(|| missing(name))
        };
        let part = Part {
            method: text("method")?.to_ascii_uppercase(),
            url: text("url")?,
            reference: text("referenceId")?,
            body: each.get("body").filter(|body| !body.is_null()).cloned(),
            headers: headers(each.get("httpHeaders"))?,
        };
        check_part(&part, &parts)?;
        parts.push(part);
    }
    Ok(parts)
}

pub(super) fn missing(name: &str) -> Refusal {
    Refusal::json(format!("{name} is missing at [line:1, column:1]"))
}

pub(super) fn check_keys(body: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    match body.keys().find(|key| !known.contains(&key.as_str())) {
        Some(name) => Err(Refusal::json(format!("Unrecognized field \"{name}\" at [line:1, column:1]"))),
        None => Ok(()),
    }
}

/// A boolean of an envelope; false where it is absent.
pub(super) fn flag(body: &Map<String, Value>, name: &str) -> Result<bool, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => {
            let message = format!("Cannot deserialize instance of boolean for {name} at [line:1, column:1]");
            Err(Refusal::json(message))
        }
    }
}

fn check_part(part: &Part, before: &[Part]) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::call(400, "INVALID_BATCH_REQUEST", message));
    let reference = &part.reference;
    if !matches!(part.method.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE") {
        return refuse(format!("Invalid method {} in the subrequest {reference}", part.method));
    }
    let well_formed = reference.starts_with(|c: char| c.is_ascii_alphabetic())
        && reference.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !well_formed {
        return refuse(format!(
            "Invalid referenceId {reference}: it starts with a letter and has only letters, digits and underscores"
        ));
    }
    if before.iter().any(|other| other.reference == *reference) {
        return refuse(format!("Duplicate referenceId {reference}"));
    }
    Ok(())
}

fn is_heavy(part: &Part) -> bool {
    let path = part.url.split('?').next().unwrap_or_default();
    ["/query", "/queryAll", "/composite/sobjects"].iter().any(|name| {
        path.find(name).is_some_and(|at| matches!(path[at + name.len()..].chars().next(), None | Some('/')))
    })
}

/// The headers of one part. Who calls and in which form is settled by the call around it.
fn headers(sent: Option<&Value>) -> Result<Headers, Refusal> {
    let Some(sent) = sent.and_then(Value::as_object) else { return Ok(Headers::default()) };
    let own = ["Accept", "Authorization", "Content-Type"];
    if let Some(name) = sent.keys().find(|name| own.iter().any(|own| own.eq_ignore_ascii_case(name))) {
        let message = format!("The header {name} is not allowed in a subrequest");
        return Err(Refusal::call(400, "INVALID_BATCH_REQUEST", message));
    }
    Ok(Headers::read(|name| {
        let found = sent.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        found.1.as_str().map(ToOwned::to_owned)
    }))
}
