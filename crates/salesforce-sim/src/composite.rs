//! `/composite`: up to 25 calls in one, each able to use the answers of those before it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::{
    errors::Refusal,
    org::Org,
    request::{Headers, Reply, Request, split_path, split_query},
    rest,
};

const MAX_PARTS: usize = 25;
/// Of those, queries and calls with several records.
const MAX_HEAVY_PARTS: usize = 5;

/// `GET /composite`
pub(crate) fn resources(request: &Request) -> Reply {
    let base = format!("/services/data/v{}.0/composite", request.version);
    Reply::json(200, json!({"sobjects": format!("{base}/sobjects")}))
}

/// One part of the body.
struct Part {
    method: String,
    url: String,
    reference: String,
    body: Option<Value>,
    headers: Headers,
}

/// What became of it.
struct Done {
    reference: String,
    status: u16,
    headers: Map<String, Value>,
    body: Value,
}

/// Runs the parts in their order. The answer is 200 as soon as the envelope could be read.
pub(crate) fn run(org: &mut Org, request: &Request) -> Reply {
    let (parts, all_or_none) = match parts(request) {
        Ok(parts) => parts,
        Err(refusal) => return refusal.into(),
    };
    let mark = org.mark();
    let mut done: Vec<Done> = Vec::with_capacity(parts.len());
    let mut answers: HashMap<String, Value> = HashMap::new();
    let mut locked = request.locked;
    for part in parts {
        let reference = part.reference.clone();
        let reply = match resolve(part, &answers) {
            Ok(part) => {
                let writes = part.method != "GET" && part.method != "HEAD";
                let locked = writes && std::mem::take(&mut locked);
                one(org, part, locked, request)
            }
            Err(refusal) => refusal.into(),
        };
        let failed = !reply.is_success();
        let item = item(reference, reply);
        if !failed {
            answers.insert(item.reference.clone(), item.body.clone());
        }
        done.push(item);
        if failed && all_or_none {
            break;
        }
    }
    let failed = all_or_none && done.last().is_some_and(|item| item.status >= 400);
    if failed {
        org.roll_back(mark);
        done = halt(done, request);
    }
    let items: Vec<Value> = done.into_iter().map(Done::into_json).collect();
    Reply::json(200, json!({"compositeResponse": items}))
}

/// Runs one part against the org, in a transaction of its own unless the whole call is one.
fn one(org: &mut Org, part: Part, locked: bool, request: &Request) -> Reply {
    let (path, query) = part.url.split_once('?').unwrap_or((&part.url, ""));
    let mut path = split_path(path);
    let version = path.get(2).and_then(|version| crate::versions::supported(version));
    let (["services", "data", _, ..], Some(version)) =
        (path.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), version)
    else {
        return Refusal::not_found().into();
    };
    if let Some(reply) = request.faults.strike_part(&part.method, &path) {
        return reply;
    }
    path.drain(..3);
    if path.first().is_some_and(|first| first == "composite") && path.len() == 1 {
        let message = "A composite request cannot contain another composite request";
        return Refusal::call(400, "INVALID_BATCH_REQUEST", message).into();
    }
    let request = Request {
        method: part.method,
        path,
        version,
        query: split_query(query),
        headers: part.headers,
        body: part.body,
        source: request.source.clone(),
        actor: request.actor,
        usage: request.usage,
        faults: request.faults.clone(),
        base: request.base.clone(),
        locked,
    };
    let mark = org.mark();
    let reply = rest::answer(org, &request);
    if !reply.is_success() {
        org.roll_back(mark);
    }
    reply
}

fn item(reference: String, reply: Reply) -> Done {
    let headers = reply.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    Done { reference, status: reply.status, headers, body: reply.body.into_json() }
}

impl Done {
    fn into_json(self) -> Value {
        json!({
            "body": self.body,
            "httpHeaders": self.headers,
            "httpStatusCode": self.status,
            "referenceId": self.reference,
        })
    }
}

/// The part that failed keeps its error; every other one, before and after it, says it was halted.
fn halt(mut done: Vec<Done>, request: &Request) -> Vec<Done> {
    let failed = done.pop();
    let halted = |reference: String| {
        let message =
            "The transaction was rolled back since another operation in the same transaction failed.";
        let body = json!([{"errorCode": "PROCESSING_HALTED", "message": message}]);
        Done { reference, status: 400, headers: Map::new(), body }
    };
    let mut all: Vec<Done> = done.into_iter().map(|item| halted(item.reference)).collect();
    all.extend(failed);
    let parts = parts(request).map(|parts| parts.0).unwrap_or_default();
    let rest = parts.into_iter().skip(all.len()).map(|part| halted(part.reference));
    all.extend(rest.collect::<Vec<_>>());
    all
}

/// Reads the envelope: the parts, and whether they are one transaction.
fn parts(request: &Request) -> Result<(Vec<Part>, bool), Refusal> {
    let body = request.object_body()?;
    let unknown = body
        .keys()
        .find(|key| !matches!(key.as_str(), "allOrNone" | "collateSubrequests" | "compositeRequest"));
    if let Some(name) = unknown {
        return Err(Refusal::json(format!("Unrecognized field \"{name}\" at [line:1, column:1]")));
    }
    let missing = |name: &str| Refusal::json(format!("{name} is missing at [line:1, column:1]"));
    let list = body.get("compositeRequest").and_then(Value::as_array);
    let list = list.ok_or_else(|| missing("compositeRequest"))?;
    if list.is_empty() {
        return Err(Refusal::call(400, "REQUIRED_FIELD_MISSING", "At least 1 subrequest is required"));
    }
    if list.len() > MAX_PARTS {
        let message = format!("Composite request cannot have more than {MAX_PARTS} subrequests");
        return Err(Refusal::call(400, "LIMIT_EXCEEDED", message));
    }
    let mut parts: Vec<Part> = Vec::with_capacity(list.len());
    for each in list {
        let text = |name: &str| each.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        let part = Part {
            method: text("method").ok_or_else(|| missing("method"))?.to_ascii_uppercase(),
            url: text("url").ok_or_else(|| missing("url"))?,
            reference: text("referenceId").ok_or_else(|| missing("referenceId"))?,
            body: each.get("body").filter(|body| !body.is_null()).cloned(),
            headers: headers(each.get("httpHeaders")),
        };
        check_reference(&part, &parts)?;
        parts.push(part);
    }
    if parts.iter().filter(|part| is_heavy(part)).count() > MAX_HEAVY_PARTS {
        let message = format!(
            "Composite request cannot have more than {MAX_HEAVY_PARTS} query or sObject Collections subrequests"
        );
        return Err(Refusal::call(400, "LIMIT_EXCEEDED", message));
    }
    Ok((parts, body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false)))
}

fn check_reference(part: &Part, before: &[Part]) -> Result<(), Refusal> {
    let reference = &part.reference;
    let well_formed = reference.starts_with(|c: char| c.is_ascii_alphabetic())
        && reference.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !well_formed {
        let message = format!(
            "Invalid referenceId {reference}: it starts with a letter and has only letters, digits and underscores"
        );
        return Err(Refusal::call(400, "INVALID_BATCH_REQUEST", message));
    }
    if before.iter().any(|other| other.reference == *reference) {
        let message = format!("Duplicate referenceId {reference}");
        return Err(Refusal::call(400, "INVALID_BATCH_REQUEST", message));
    }
    Ok(())
}

fn is_heavy(part: &Part) -> bool {
    let path = part.url.split('?').next().unwrap_or_default();
    ["/query", "/queryAll", "/composite/sobjects"].iter().any(|name| {
        path.find(name).is_some_and(|at| matches!(path[at + name.len()..].chars().next(), None | Some('/')))
    })
}

fn headers(sent: Option<&Value>) -> Headers {
    let header = |name: &str| {
        let headers = sent?.as_object()?;
        let found = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        found.1.as_str().map(ToOwned::to_owned)
    };
    Headers {
        if_none_match: header("If-None-Match"),
        if_modified_since: header("If-Modified-Since"),
        query_options: header("Sforce-Query-Options"),
        auto_assign: header("Sforce-Auto-Assign"),
        duplicate_rules: header("Sforce-Duplicate-Rule-Header"),
    }
}

/// Puts earlier answers in the place of `@{reference.path}` in the URL and the body.
fn resolve(mut part: Part, answers: &HashMap<String, Value>) -> Result<Part, Refusal> {
    part.url = replace(&part.url, answers)?;
    if let Some(body) = &mut part.body {
        resolve_value(body, answers, 0)?;
    }
    Ok(part)
}

fn resolve_value(value: &mut Value, answers: &HashMap<String, Value>, depth: usize) -> Result<(), Refusal> {
    match value {
        Value::String(text) if text.contains("@{") => *text = replace(text, answers)?,
        // The parser takes no deeper value than this.
        Value::Array(list) if depth < 128 => {
            for each in list {
                resolve_value(each, answers, depth + 1)?;
            }
        }
        Value::Object(map) if depth < 128 => {
            for each in map.values_mut() {
                resolve_value(each, answers, depth + 1)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn replace(text: &str, answers: &HashMap<String, Value>) -> Result<String, Refusal> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("@{") {
        out.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let Some(end) = inner.find('}') else {
            rest = &rest[start..];
            break;
        };
        out.push_str(&look_up(&inner[..end], answers)?);
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// `ref.records[0].Id`
fn look_up(expression: &str, answers: &HashMap<String, Value>) -> Result<String, Refusal> {
    let (reference, path) = expression.split_once('.').unwrap_or((expression, ""));
    let refusal = || {
        let message = format!("Invalid reference specified. No value for {expression} found in {reference}.");
        Refusal::call(400, "PROCESSING_HALTED", message)
    };
    let (name, index) = indexed(reference);
    let mut value = answers.get(name).ok_or_else(refusal)?;
    if let Some(index) = index {
        value = value.get(index).ok_or_else(refusal)?;
    }
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let (name, index) = indexed(step);
        value = value.get(name).ok_or_else(refusal)?;
        if let Some(index) = index {
            value = value.get(index).ok_or_else(refusal)?;
        }
    }
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(refusal()),
    }
}

/// `records[0]`
fn indexed(step: &str) -> (&str, Option<usize>) {
    let parts = step.strip_suffix(']').and_then(|step| step.split_once('['));
    match parts.and_then(|(name, index)| Some((name, index.parse().ok()?))) {
        Some((name, index)) => (name, Some(index)),
        None => (step, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_reach_into_earlier_answers() {
        let answers = HashMap::from([
            ("u".to_owned(), json!({"id": "005"})),
            ("q".to_owned(), json!({"records": [{"Id": "00e", "n": 3}]})),
            ("c".to_owned(), json!([{"id": "x"}])),
        ]);
        let replace = |text: &str| replace(text, &answers);
        assert_eq!(replace("/User/@{u.id}").unwrap(), "/User/005");
        assert_eq!(replace("@{q.records[0].Id}-@{q.records[0].n}").unwrap(), "00e-3");
        assert_eq!(replace("@{c[0].id}").unwrap(), "x");
        assert_eq!(replace("a @{ b").unwrap(), "a @{ b");
        let message = replace("@{u.name}").unwrap_err().message;
        assert_eq!(message, "Invalid reference specified. No value for u.name found in u.");
        assert!(replace("@{U.id}").is_err());
        assert!(replace("@{q.records[9].Id}").is_err());
    }
}
