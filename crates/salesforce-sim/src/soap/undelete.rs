//! `undelete`: records come back from the recycle bin, each for itself.

use super::{Call, Element, Fault, convert_lead};
use crate::{errors::Refusal, ids::Id, rows};

/// Ids that one call takes.
const MAX_IDS: usize = 200;

/// How many records a call writes.
pub(super) fn records(operation: &Element) -> usize {
    ids(operation).count()
}

fn ids(operation: &Element) -> impl Iterator<Item = &str> {
    operation.children.iter().filter(|child| child.name == "ids").map(|child| child.text.trim())
}

pub(super) fn run(call: &mut Call) -> Result<Vec<Element>, Fault> {
    if records(call.operation) > MAX_IDS {
        let message =
            format!("record limit reached. cannot submit more than {MAX_IDS} records into this call");
        return Err(Fault::new("EXCEEDED_ID_LIMIT", message));
    }
    let mut results = Vec::new();
    for text in ids(call.operation) {
        let mark = call.org.mark();
        let done = match Id::parse(text) {
            Some(id) => rows::undelete(call.org, id, call.actor).map(|()| id),
            None => Err(vec![Refusal::malformed_id(text)]),
        };
        if done.is_err() {
            call.org.roll_back(mark);
        }
        results.push(match done {
            Ok(id) => Element::new("result").with("id", id.to_string()).with("success", "true"),
            Err(refusals) => refusals
                .iter()
                .fold(Element::new("result"), |result, refusal| {
                    result.with_child(convert_lead::error(refusal))
                })
                .with_some("id", None)
                .with("success", "false"),
        });
    }
    Ok(results)
}
