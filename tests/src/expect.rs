//! "The answer has at least this": how sequences and stories compare JSON.

use serde_json::Value;

/// Checks that `actual` has what `expected` says; answers with the first difference.
///
/// Objects may have more members than expected; arrays have exactly the expected elements. Some texts are rules:
/// `"<any>"` anything but null, `"<absent>"` no such member, `"<null>"` null, `"<empty>"` absent, null or an empty array.
pub fn contains(actual: &Value, expected: &Value) -> Result<(), String> {
    check(Some(actual), expected, "$")
}

fn check(actual: Option<&Value>, expected: &Value, at: &str) -> Result<(), String> {
    let fail = |what: &str| {
        let found = actual.map_or_else(|| "nothing".to_owned(), Value::to_string);
        Err(format!("at {at}: expected {what}, found {found}"))
    };
    match (expected, actual) {
        (Value::String(rule), actual) if rule.starts_with('<') && rule.ends_with('>') => {
            let holds = match rule.as_str() {
                "<any>" => actual.is_some_and(|actual| !actual.is_null()),
                "<absent>" => actual.is_none(),
                "<null>" => actual.is_some_and(Value::is_null),
                "<empty>" => actual
                    .is_none_or(|actual| actual.is_null() || actual.as_array().is_some_and(Vec::is_empty)),
                other => return Err(format!("at {at}: there is no rule {other}")),
            };
            if holds { Ok(()) } else { fail(rule) }
        }
        (Value::Object(members), Some(Value::Object(actual))) => members
            .iter()
            .try_for_each(|(name, value)| check(actual.get(name), value, &format!("{at}.{name}"))),
        (Value::Array(elements), Some(Value::Array(actual))) => {
            if elements.len() != actual.len() {
                return fail(&format!("{} elements", elements.len()));
            }
            elements
                .iter()
                .zip(actual)
                .enumerate()
                .try_for_each(|(n, (element, actual))| check(Some(actual), element, &format!("{at}[{n}]")))
        }
        (expected, Some(actual)) if expected == actual => Ok(()),
        (expected, _) => fail(&expected.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::contains;

    #[test]
    fn a_difference_is_named_with_its_place() {
        let actual = json!({"a": [{"b": 1}, {"b": 2}], "n": null});
        assert_eq!(contains(&actual, &json!({"a": [{"b": 1}, {"b": 2}]})), Ok(()));
        assert_eq!(
            contains(&actual, &json!({"a": [{"b": 1}, {"b": 3}]})),
            Err("at $.a[1].b: expected 3, found 2".to_owned())
        );
        assert!(contains(&actual, &json!({"a": []})).is_err());
        assert!(contains(&actual, &json!({"n": "<null>", "x": "<absent>", "a": "<any>"})).is_ok());
        assert!(contains(&actual, &json!({"n": "<any>"})).is_err());
    }
}
