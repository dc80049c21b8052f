//! `/composite/tree/X`: records with their children, all created or none.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Map, Value, json};

use super::envelope::missing;
use crate::{
    errors::{Refusal, Refusals},
    ids::Id,
    org::Org,
    request::{Reply, Request},
    rows,
    schema::Object,
    sobjects,
    values::Source,
};

/// Of the whole tree.
const MAX_RECORDS: usize = 200;
const MAX_DEPTH: usize = 5;
const MAX_TYPES: usize = 5;

/// One record of the tree.
struct Node {
    reference: String,
    object: Arc<Object>,
    fields: Map<String, Value>,
    /// The node it is a child of, and the field that says so.
    parent: Option<(usize, String)>,
}

pub(crate) fn run(org: &mut Org, name: &str, request: &Request) -> Reply {
    let nodes = match read(org, name, request) {
        Ok(nodes) => nodes,
        Err(Problem::Call(refusal)) => return refusal.into(),
        Err(Problem::Record(reference, refusal)) => return failure(vec![(reference, vec![refusal])]),
    };
    let mark = org.mark();
    let mut ids: Vec<Option<Id>> = Vec::with_capacity(nodes.len());
    let mut failed = Vec::new();
    for node in &nodes {
        let created = create(org, node, &ids, request);
        ids.push(created.as_ref().ok().copied().flatten());
        if let Err(refusals) = created {
            failed.push((node.reference.clone(), refusals));
        }
    }
    if !failed.is_empty() {
        org.roll_back(mark);
        return failure(failed);
    }
    let results: Vec<Value> = nodes
        .iter()
        .zip(ids)
        .filter_map(|(node, id)| Some(json!({"referenceId": node.reference, "id": id?.to_string()})))
        .collect();
    Reply::json(201, json!({"hasErrors": false, "results": results}))
}

/// Creates one record. A child of a record that was refused is left out without a word of its own.
fn create(org: &mut Org, node: &Node, ids: &[Option<Id>], request: &Request) -> Result<Option<Id>, Refusals> {
    let mut fields = node.fields.clone();
    if let Some((parent, field)) = &node.parent {
        let Some(id) = ids.get(*parent).copied().flatten() else { return Ok(None) };
        fields.insert(field.clone(), json!(id.to_string()));
    }
    let mark = org.mark();
    let created =
        rows::create(org, &node.object, &fields, Source(&request.source), &request.headers, request.actor);
    if created.is_err() {
        org.roll_back(mark);
    }
    created.map(Some)
}

fn failure(failed: Vec<(String, Refusals)>) -> Reply {
    let results: Vec<Value> = failed
        .into_iter()
        .map(|(reference, refusals)| {
            let errors: Vec<Value> = refusals.iter().map(Refusal::to_item).collect();
            json!({"referenceId": reference, "errors": errors})
        })
        .collect();
    Reply::json(400, json!({"hasErrors": true, "results": results}))
}

/// Why a tree cannot be read.
enum Problem {
    Call(Refusal),
    Record(String, Refusal),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Call(refusal)
    }
}

/// The nodes level by level, which is the order of the answer.
fn read(org: &Org, name: &str, request: &Request) -> Result<Vec<Node>, Problem> {
    let object = sobjects::object(org, name)?;
    let list = |value: &Value| value.get("records").and_then(Value::as_array).cloned();
    let roots = request.body.as_ref().and_then(list).filter(|roots| !roots.is_empty());
    let roots = roots.ok_or_else(|| missing("records"))?;
    let mut nodes: Vec<Node> = Vec::new();
    let mut seen = HashSet::new();
    let mut level: Vec<Unread> = roots.into_iter().map(|root| (root, Arc::clone(&object), None)).collect();
    for depth in 1.. {
        let mut next = Vec::new();
        for (record, object, parent) in level {
            let (node, children) = read_node(org, record, object, parent)?;
            if !seen.insert(node.reference.clone()) {
                return Err(invalid(&node.reference, "Duplicate ReferenceId provided in the request."));
            }
            let at = nodes.len();
            for (field, child_object, records) in children {
                let children = records
                    .into_iter()
                    .map(|record| (record, Arc::clone(&child_object), Some((at, field.clone()))));
                next.extend(children);
            }
            nodes.push(node);
        }
        if next.is_empty() {
            break;
        }
        if depth == MAX_DEPTH {
            return Err(limit(format!("A tree cannot be deeper than {MAX_DEPTH}")));
        }
        level = next;
    }
    if nodes.len() > MAX_RECORDS {
        return Err(limit(format!("A tree cannot have more than {MAX_RECORDS} records")));
    }
    if nodes.iter().map(|node| &node.object.name).collect::<HashSet<_>>().len() > MAX_TYPES {
        return Err(limit(format!("A tree cannot have more than {MAX_TYPES} types of objects")));
    }
    Ok(nodes)
}

/// A record that is still JSON, its object, and what it is a child of.
type Unread = (Value, Arc<Object>, Option<(usize, String)>);

/// By the field of the child: its object and the records.
type Children = Vec<(String, Arc<Object>, Vec<Value>)>;

fn read_node(
    org: &Org,
    record: Value,
    object: Arc<Object>,
    parent: Option<(usize, String)>,
) -> Result<(Node, Children), Problem> {
    let Value::Object(record) = record else { return Err(missing("records").into()) };
    let attribute = |name: &str| record.get("attributes")?.get(name)?.as_str().map(ToOwned::to_owned);
    let reference = attribute("referenceId").ok_or_else(|| missing("referenceId"))?;
    let kind = attribute("type").unwrap_or_default();
    if !kind.eq_ignore_ascii_case(&object.name) {
        let message = format!("Invalid attributes.type {kind}: {} is expected", object.name);
        return Err(invalid(&reference, &message));
    }
    let mut fields = Map::new();
    let mut children = Children::new();
    for (name, value) in record {
        match (org.schema.children(&object.name, &name), value.get("records").and_then(Value::as_array)) {
            (Some((child, field)), Some(records)) => {
                children.push((field.name.clone(), Arc::clone(child), records.clone()));
            }
            _ => {
                fields.insert(name, value);
            }
        }
    }
    Ok((Node { reference, object, fields, parent }, children))
}

fn invalid(reference: &str, message: &str) -> Problem {
    Problem::Record(reference.to_owned(), Refusal::record("INVALID_INPUT", message, &[]))
}

fn limit(message: String) -> Problem {
    Problem::Call(Refusal::call(400, "LIMIT_EXCEEDED", message))
}
