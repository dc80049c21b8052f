//! The ways in which clients name members (C-52, C-53), kept for every multi-valued attribute.
//!
//! The dangerous one is `{"op": "remove", "path": "members", "value": [{"value": "a"}]}`, which Entra ID, `HelloID` and
//! `JumpCloud` send: by the letter of RFC 7644 it removes everyone. Here a `remove` that has a value removes what the
//! value names, and only a `remove` without one removes all.

use std::collections::HashSet;

use serde_json::Value;

use super::elements::Elements;

/// Takes the list out of `{"members": [...]}`, which the clients made for Salesforce put in `value` although the path says
/// `members` already: an object whose only member is the attribute itself.
pub(super) fn unwrap(attribute: &str, value: Value) -> Value {
    match value {
        Value::Object(mut members)
            if members.len() == 1 && members.keys().all(|name| name.eq_ignore_ascii_case(attribute)) =>
        {
            members.values_mut().next().map(Value::take).unwrap_or_default()
        }
        other => other,
    }
}

/// Removes the elements that the value of a `remove` names. Elements that name nothing remove nothing.
///
/// One that has a `value` names whoever has that value (and that `type`, if it has one and the type tells two values
/// apart); one without a `value` names what has all of its other members.
pub(super) fn remove(elements: &mut Elements, named: &[Value]) {
    let mut values: HashSet<&str> = HashSet::new();
    let mut typed: HashSet<(&str, &str)> = HashSet::new();
    for element in named {
        match (text(element, "value"), text(element, "type")) {
            (Some(value), Some(kind)) if !elements.are_ids() => drop(typed.insert((value, kind))),
            (Some(value), _) => drop(values.insert(value)),
            (None, _) => elements.remove_where(|other| has_all_of(other, element)),
        }
    }
    elements.remove_values(&values);
    if !typed.is_empty() {
        elements.remove_where(|other| {
            text(other, "value").zip(text(other, "type")).is_some_and(|pair| typed.contains(&pair))
        });
    }
}

fn has_all_of(element: &Value, parts: &Value) -> bool {
    parts.as_object().is_some_and(|parts| {
        !parts.is_empty() && parts.iter().all(|(name, part)| element.get(name) == Some(part))
    })
}

fn text<'v>(element: &'v Value, name: &str) -> Option<&'v str> {
    element.get(name)?.as_str()
}
