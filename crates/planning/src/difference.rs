//! Desired fields against what the org has, as far as Gangway knows.

use indexmap::IndexMap;
use model::Timestamp;
use salesforce_types::{Fields, Plan, Step};
use serde_json::Value;
use translation::Desired;

/// The fields that have to be written so that a record with `known` fields has the desired ones.
///
/// What was never written and is not desired stays untouched: clearing is for what *became* unassigned.
pub(crate) fn difference(desired: &IndexMap<String, Desired>, known: &Fields) -> Fields {
    desired
        .iter()
        .filter_map(|(field, desired)| {
            let known = known.get(field).unwrap_or(&Value::Null);
            match desired {
                Desired::Set(value) if same_value(field, known, value) => None,
                Desired::Set(value) => Some((field.clone(), value.clone())),
                Desired::Clear if is_empty(known) => None,
                Desired::Clear => Some((field.clone(), Value::Null)),
            }
        })
        .collect()
}

/// All that a record is to have, as far as Gangway has a say in it: what is desired, and what became unassigned. Of fields that cannot
/// be changed only the difference, so that Salesforce says what is wrong with it.
pub(crate) fn restated(
    desired: &IndexMap<String, Desired>,
    known: &Fields,
    is_updateable: impl Fn(&str) -> bool,
) -> Fields {
    let mut fields = difference(desired, known);
    for (field, desired) in desired {
        if fields.contains_key(field) || !is_updateable(field) {
            continue;
        }
        match desired {
            Desired::Set(value) => fields.insert(field.clone(), value.clone()),
            Desired::Clear if known.contains_key(field) => fields.insert(field.clone(), Value::Null),
            Desired::Clear => None,
        };
    }
    fields
}

/// What is known of a linked record once `wrote` is there.
pub(crate) fn written(known: &Fields, wrote: &Fields) -> Fields {
    let mut written = known.clone();
    for (field, value) in wrote {
        written.insert(field.clone(), value.clone());
    }
    written
}

/// The desired fields that a record which is about to be adopted has already: all that is taken from it.
pub(crate) fn agreed(desired: &IndexMap<String, Desired>, actual: &Fields) -> Fields {
    desired
        .iter()
        .filter_map(|(field, desired)| match (desired, actual.get(field)) {
            (Desired::Set(value), Some(actual)) if same_value(field, actual, value) => {
                Some((field.clone(), value.clone()))
            }
            _ => None,
        })
        .collect()
}

/// Whether Salesforce holds the same in this field. It stores usernames and e-mail addresses without regard to
/// case, trims text, and makes no difference between empty and null.
#[must_use]
pub fn same_value(field: &str, actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (a, b) if is_empty(a) || is_empty(b) => is_empty(a) && is_empty(b),
        (Value::String(a), Value::String(b)) if matches!(field, "Username" | "Email") => {
            a.trim().to_lowercase() == b.trim().to_lowercase()
        }
        (Value::String(a), Value::String(b)) => a.trim_end() == b.trim_end() || is_same_moment(a, b),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

/// Salesforce writes moments otherwise than it is told them, and only keeps whole seconds.
fn is_same_moment(a: &str, b: &str) -> bool {
    let moment = |text: &str| {
        let begins = text.get(10..11) == Some("T");
        begins.then(|| text.parse::<Timestamp>().ok().map(Timestamp::as_second)).flatten()
    };
    moment(a).is_some_and(|a| moment(b) == Some(a))
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Whether a plan takes somebody's access away: such a change is always kept, and goes out first.
#[must_use]
pub fn takes_access_away(plan: &Plan) -> bool {
    plan.steps.iter().any(|planned| match &planned.step {
        Step::Update { object, fields, .. } => object == "User" && fields.iter().any(takes),
        Step::Create { .. } | Step::Upsert { .. } | Step::Convert { .. } => false,
        // Whoever loses a grant loses access.
        Step::Delete { .. } => true,
        Step::Freeze { frozen, .. } => *frozen,
    })
}

/// Whether a field of a User, once it is written so, takes something away: the User itself, its role, a feature licence.
fn takes((field, value): (&String, &Value)) -> bool {
    match field.as_str() {
        "IsActive" => *value == Value::Bool(false),
        "UserRoleId" => value.is_null(),
        flag => flag.starts_with("UserPermissions") && *value == Value::Bool(false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_restated_is_all_that_is_filled_and_nothing_that_never_was() {
        let set = |value: &str| Desired::Set(json!(value));
        let desired: IndexMap<String, Desired> = [
            ("Email", set("new@example.net")),
            ("LastName", set("Haddad")),
            ("Fixed__c", set("as it was")),
            ("Emptied__c", Desired::Clear),
            ("Never__c", Desired::Clear),
        ]
        .map(|(field, desired)| (field.to_owned(), desired))
        .into();
        let known: Fields = [
            ("Email", json!("old@example.net")),
            ("LastName", json!("Haddad")),
            ("Fixed__c", json!("as it was")),
            ("Emptied__c", Value::Null),
            ("Unmapped__c", json!("left alone")),
        ]
        .map(|(field, value)| (field.to_owned(), value))
        .into_iter()
        .collect();
        let restated = restated(&desired, &known, |field| field != "Fixed__c");
        let expected: Fields =
            [("Email", json!("new@example.net")), ("LastName", json!("Haddad")), ("Emptied__c", Value::Null)]
                .map(|(field, value)| (field.to_owned(), value))
                .into_iter()
                .collect();
        assert_eq!(restated, expected);
        assert!(difference(&desired, &written(&known, &restated)).is_empty());
    }
}
