//! `/composite/graph`: several composite calls in one, each graph all or nothing for itself.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    Part,
    envelope::{check_keys, missing, parts},
    list, references, run_together,
};
use crate::{
    errors::Refusal,
    org::Org,
    request::{Reply, Request},
};

const MAX_GRAPHS: usize = 75;
/// Of all graphs together.
const MAX_NODES: usize = 500;
/// The longest chain of references.
const MAX_DEPTH: usize = 15;

struct Graph {
    id: String,
    parts: Vec<Part>,
}

pub(crate) fn run(org: &mut Org, request: &Request) -> Reply {
    let graphs = match read(request) {
        Ok(graphs) => graphs,
        Err(refusal) => return refusal.into(),
    };
    let mut locked = request.locked;
    let mut answers = Vec::with_capacity(graphs.len());
    for Graph { id, parts } in graphs {
        org.end_transaction();
        let (done, succeeded) = run_together(org, parts, request, &mut locked);
        answers.push(json!({
            "graphId": id,
            "graphResponse": {"compositeResponse": list(done)},
            "isSuccessful": succeeded,
        }));
    }
    Reply::json(200, json!({"graphs": answers}))
}

fn read(request: &Request) -> Result<Vec<Graph>, Refusal> {
    let body = request.object_body()?;
    check_keys(body, &["graphs"])?;
    let list = body.get("graphs").and_then(Value::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| missing("graphs"))?;
    let limit = |message: String| Err(Refusal::call(400, "LIMIT_EXCEEDED", message));
    if list.len() > MAX_GRAPHS {
        return limit(format!("A request cannot have more than {MAX_GRAPHS} graphs"));
    }
    let mut graphs: Vec<Graph> = Vec::with_capacity(list.len());
    for each in list {
        let each = each.as_object().ok_or_else(|| missing("graphs"))?;
        check_keys(each, &["graphId", "compositeRequest"])?;
        let id = each.get("graphId").and_then(Value::as_str).ok_or_else(|| missing("graphId"))?.to_owned();
        if graphs.iter().any(|graph| graph.id == id) {
            return Err(Refusal::call(400, "INVALID_BATCH_REQUEST", format!("Duplicate graphId {id}")));
        }
        let graph = Graph { id, parts: parts(each)? };
        if depth(&graph.parts) > MAX_DEPTH {
            return limit(format!("The graph {} is deeper than {MAX_DEPTH}", graph.id));
        }
        if let Some(part) = graph.parts.iter().find(|part| !is_record(part)) {
            let message =
                format!("The subrequest {} is not one of the sObject resources of a graph", part.reference);
            return Err(Refusal::call(400, "INVALID_BATCH_REQUEST", message));
        }
        graphs.push(graph);
    }
    if graphs.iter().map(|graph| graph.parts.len()).sum::<usize>() > MAX_NODES {
        return limit(format!("A request cannot have more than {MAX_NODES} nodes"));
    }
    Ok(graphs)
}

/// Graphs are for records: `/sobjects/X` and below.
fn is_record(part: &Part) -> bool {
    let path = part.url.split('?').next().unwrap_or_default();
    path.split('/').filter(|piece| !piece.is_empty()).nth(3) == Some("sobjects")
}

/// The number of nodes on the longest chain of references.
fn depth(parts: &[Part]) -> usize {
    let mut depths: HashMap<&str, usize> = HashMap::new();
    for part in parts {
        let before = references::named(part).into_iter().filter_map(|name| depths.get(name)).max();
        depths.insert(&part.reference, before.map_or(1, |depth| depth + 1));
    }
    depths.into_values().max().unwrap_or(0)
}
