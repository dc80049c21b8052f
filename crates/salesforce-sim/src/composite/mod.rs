//! `/composite`: up to 25 calls in one, each able to use the answers of those before it. Its relatives
//! with many records stand beside it: graphs, batches, trees.

mod batch;
mod envelope;
mod graph;
mod references;
mod tree;

use serde_json::{Map, Value, json};

pub(crate) use batch::{calls as batch_calls, run as run_batch};
pub(crate) use graph::run as run_graphs;
pub(crate) use tree::run as run_tree;

use crate::{
    errors::Refusal,
    org::Org,
    request::{Headers, Reply, Request, split_path, split_query},
    rest,
};
use envelope::Envelope;
use references::Answers;

/// `GET /composite`
pub(crate) fn resources(request: &Request) -> Reply {
    let base = format!("/services/data/v{}.0/composite", request.version);
    Reply::json(
        200,
        json!({
            "tree": format!("{base}/tree"),
            "batch": format!("{base}/batch"),
            "sobjects": format!("{base}/sobjects"),
            "graph": format!("{base}/graph"),
        }),
    )
}

/// One call inside another.
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
    match Envelope::read(request) {
        Ok(Envelope { parts, all_or_none }) => {
            let done = if all_or_none {
                let mut locked = request.locked;
                run_together(org, parts, request, &mut locked).0
            } else {
                run_apart(org, parts, request)
            };
            Reply::json(200, json!({"compositeResponse": list(done)}))
        }
        Err(refusal) => refusal.into(),
    }
}

/// Each part is a transaction of its own; only what depends on a failed one fails with it.
fn run_apart(org: &mut Org, parts: Vec<Part>, request: &Request) -> Vec<Done> {
    let mut answers = Answers::new();
    let mut locked = request.locked;
    parts
        .into_iter()
        .map(|part| {
            org.end_transaction();
            one(org, part, &mut answers, &mut locked, request)
        })
        .collect()
}

/// All parts are one transaction: with the first that fails everything is taken back. Hands back
/// whether all is well.
fn run_together(org: &mut Org, parts: Vec<Part>, request: &Request, locked: &mut bool) -> (Vec<Done>, bool) {
    let mark = org.mark();
    let mut answers = Answers::new();
    let mut done: Vec<Done> = Vec::with_capacity(parts.len());
    let mut parts = parts.into_iter();
    for part in parts.by_ref() {
        let item = one(org, part, &mut answers, locked, request);
        let failed = item.status >= 400;
        done.push(item);
        if failed {
            org.roll_back(mark);
            return (halt(done, parts), false);
        }
    }
    (done, true)
}

/// The part that failed, the last of `done`, keeps its error; every other one, before and after it,
/// says it was halted.
fn halt(mut done: Vec<Done>, rest: impl Iterator<Item = Part>) -> Vec<Done> {
    let failed = done.pop();
    let halted = |reference: String| {
        let message =
            "The transaction was rolled back since another operation in the same transaction failed.";
        let body = json!([{"errorCode": "PROCESSING_HALTED", "message": message}]);
        Done { reference, status: 400, headers: Map::new(), body }
    };
    let mut all: Vec<Done> = done.into_iter().map(|item| halted(item.reference)).collect();
    all.extend(failed);
    all.extend(rest.map(|part| halted(part.reference)));
    all
}

/// Runs one part with the answers of those before it.
fn one(org: &mut Org, part: Part, answers: &mut Answers, locked: &mut bool, request: &Request) -> Done {
    let reference = part.reference.clone();
    let reply = match references::resolve(part, answers) {
        Ok(part) => {
            let writes = part.method != "GET";
            let locked = writes && std::mem::take(locked);
            part.answer(org, locked, request)
        }
        Err(refusal) => refusal.into(),
    };
    let succeeded = reply.is_success();
    let headers = reply.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let done = Done { reference, status: reply.status, headers, body: reply.body.into_json() };
    if succeeded {
        answers.insert(done.reference.clone(), done.body.clone());
    }
    done
}

impl Part {
    /// Runs it against the org; what it wrote is taken back if it fails.
    fn answer(self, org: &mut Org, locked: bool, request: &Request) -> Reply {
        let (path, query) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let mut path = split_path(path);
        let version = path.get(2).and_then(|version| crate::versions::supported(version));
        let ([services, data, ..], Some(version)) = (path.as_slice(), version) else {
            return Refusal::not_found().into();
        };
        if services != "services" || data != "data" {
            return Refusal::not_found().into();
        }
        if let Some(reply) = request.faults.strike_part(&self.method, &path) {
            return reply;
        }
        path.drain(..3);
        let is_composite = path.first().is_some_and(|first| first == "composite");
        if is_composite && path.get(1).is_none_or(|second| second != "sobjects") {
            let message = "A composite request cannot contain another composite request";
            return Refusal::call(400, "INVALID_BATCH_REQUEST", message).into();
        }
        let request = Request {
            query: split_query(query),
            method: self.method,
            path,
            version,
            headers: self.headers,
            body: self.body,
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
}

fn list(done: Vec<Done>) -> Vec<Value> {
    done.into_iter().map(Done::into_json).collect()
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
