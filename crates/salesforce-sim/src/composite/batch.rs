//! `/composite/batch`: up to 25 calls that have nothing to do with each other, one after the other. Each
//! counts as a call.

use serde_json::{Value, json};

use super::{
    Part,
    envelope::{check_keys, flag, missing},
};
use crate::{
    errors::Refusal,
    org::Org,
    request::{Body, Headers, Reply, Request},
};

const MAX_PARTS: usize = 25;

pub(crate) fn run(org: &mut Org, request: &Request) -> Reply {
    let (parts, halt_on_error) = match read(request) {
        Ok(read) => read,
        Err(refusal) => return refusal.into(),
    };
    let mut results = Vec::with_capacity(parts.len());
    let mut failed = false;
    let mut locked = request.locked;
    for part in parts {
        if failed && halt_on_error {
            results.push(halted());
            continue;
        }
        org.end_transaction();
        let locked = part.method != "GET" && std::mem::take(&mut locked);
        let reply = part.answer(org, locked, request);
        failed |= !reply.is_success();
        let result = match reply.body {
            Body::Empty => Value::Null,
            body => body.into_json(),
        };
        results.push(json!({"statusCode": reply.status, "result": result}));
    }
    Reply::json(200, json!({"hasErrors": failed, "results": results}))
}

/// What a batch takes from the day's allowance.
pub(crate) fn calls(request: &Request) -> usize {
    read(request).map_or(1, |(parts, _)| parts.len())
}

fn halted() -> Value {
    let error =
        json!({"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"});
    json!({"statusCode": 412, "result": [error]})
}

fn read(request: &Request) -> Result<(Vec<Part>, bool), Refusal> {
    let body = request.object_body()?;
    check_keys(body, &["batchRequests", "haltOnError"])?;
    let halt_on_error = flag(body, "haltOnError")?;
    let list = body.get("batchRequests").and_then(Value::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| missing("batchRequests"))?;
    if list.len() > MAX_PARTS {
        let message = format!("Batch request cannot have more than {MAX_PARTS} subrequests");
        return Err(Refusal::call(400, "LIMIT_EXCEEDED", message));
    }
    let part = |each: &Value| {
        let each = each.as_object().ok_or_else(|| missing("batchRequests"))?;
        check_keys(each, &["method", "url", "richInput", "binaryPartName", "binaryPartNameAlias"])?;
        let text = |name: &str| each.get(name).and_then(Value::as_str).ok_or_else(|| missing(name));
        Ok(Part {
            method: text("method")?.to_ascii_uppercase(),
            url: absolute(text("url")?),
            reference: String::new(),
            body: each.get("richInput").filter(|body| !body.is_null()).cloned(),
            headers: Headers::default(),
        })
    };
    Ok((list.iter().map(part).collect::<Result<_, _>>()?, halt_on_error))
}

/// Batches name their calls from the version on: `v66.0/sobjects/User`.
fn absolute(url: &str) -> String {
    let url = url.trim_start_matches('/');
    let url = url.strip_prefix("services/data/").unwrap_or(url);
    format!("/services/data/{url}")
}
