//! The PATCH of SCIM 1.1 (C-43): a partial resource without `Operations`, in which a member with
//! `"operation": "delete"` is to go, every other one is to be there, and `meta.attributes` names what to clear.
//!
//! `OneLogin`'s Core v1.1 application sends it for groups. What matters most is what it is not: a full replacement of
//! the members.

use serde_json::{Map, Value};

use super::Op;
use super::parse::{Named, Reader, take};
use crate::Error;

/// The schemas of SCIM 1.0 and 1.1 have URNs that start so.
const LEGACY_URN: &str = "urn:scim:schemas:";

/// Reads a body that has no `Operations`.
///
/// # Errors
///
/// 400 `invalidSyntax` when nothing in it says that it is of SCIM 1.1; else as for any operation.
pub(super) fn read(reader: &mut Reader<'_>, mut body: Map<String, Value>) -> Result<(), Error> {
    let schemas = take(&mut body, "schemas");
    let says_so = schemas.as_ref().and_then(Value::as_array).is_some_and(|schemas| {
        schemas.iter().filter_map(Value::as_str).any(|urn| {
            urn.get(..LEGACY_URN.len()).is_some_and(|start| start.eq_ignore_ascii_case(LEGACY_URN))
        })
    });
    if !says_so && !body.values().any(has_deletions) {
        return Err(Error::invalid_syntax("a PATCH has an array Operations"));
    }
    let cleared = take(&mut body, "meta").and_then(|meta| match meta {
        Value::Object(mut meta) => take(&mut meta, "attributes"),
        _ => None,
    });
    if let Some(Value::Array(cleared)) = cleared {
        for path in cleared.iter().filter_map(Value::as_str) {
            reader.at(Op::Remove, path, None, Named::InValue)?;
        }
    }
    for (name, value) in body {
        let Value::Array(values) = value else {
            reader.at(Op::Replace, &name, Some(value), Named::InValue)?;
            continue;
        };
        let (gone, present): (Vec<_>, Vec<_>) = values.into_iter().partition(is_deletion);
        if !gone.is_empty() {
            reader.at(Op::Remove, &name, Some(gone.into()), Named::InValue)?;
        }
        reader.at(Op::Add, &name, Some(present.into()), Named::InValue)?;
    }
    Ok(())
}

fn has_deletions(value: &Value) -> bool {
    value.as_array().is_some_and(|values| values.iter().any(is_deletion))
}

fn is_deletion(value: &Value) -> bool {
    value.as_object().is_some_and(|element| {
        element.iter().any(|(name, operation)| {
            name.eq_ignore_ascii_case("operation")
                && operation.as_str().is_some_and(|operation| operation.eq_ignore_ascii_case("delete"))
        })
    })
}
