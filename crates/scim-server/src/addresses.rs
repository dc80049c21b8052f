//! The addresses of what a User has been given: the `$ref` of each of its `entitlements` and `roles`.
//!
//! Stored elements have none, because an address depends on where the server is reached. A client that sends one back shows by
//! it that it repeats what it has read.

use std::str::FromStr;

use provisioning::EntitlementKind;
use serde_json::{Deserializer, Map, Value};

/// A list of a User, how its text begins, and where its elements are.
struct List {
    name: &'static str,
    text: &'static str,
    endpoint: &'static str,
}

const LISTS: [List; 2] = [
    List { name: "entitlements", text: "\"entitlements\":[", endpoint: "Entitlements" },
    List { name: "roles", text: "\"roles\":[", endpoint: "Roles" },
];

/// Copies the text of a stored User and puts the addresses in. No other member is read: a quote inside a text is written `\"`,
/// so what looks like the beginning of a list is one.
pub(crate) fn copy(out: &mut Vec<u8>, stored: &str, base: &str) {
    let mut lists: Vec<(usize, &List)> =
        LISTS.iter().filter_map(|list| Some((stored.find(list.text)? + list.text.len() - 1, list))).collect();
    lists.sort_by_key(|(start, _)| *start);
    let mut copied = 0;
    for (start, list) in lists {
        let mut values = Deserializer::from_str(&stored[start..]).into_iter::<Vec<Value>>();
        let Some(Ok(mut elements)) = values.next() else { continue };
        list.put_into(&mut elements, base);
        out.extend(&stored.as_bytes()[copied..start]);
        serde_json::to_writer(&mut *out, &elements).expect("JSON that was read is written to memory");
        copied = start + values.byte_offset();
    }
    out.extend(&stored.as_bytes()[copied..]);
}

/// Puts the addresses into a User that has been taken apart.
pub(crate) fn put_into(user: &mut Map<String, Value>, base: &str) {
    for list in &LISTS {
        if let Some(Value::Array(elements)) = user.get_mut(list.name) {
            list.put_into(elements, base);
        }
    }
}

impl List {
    fn put_into(&self, elements: &mut [Value], base: &str) {
        for element in elements.iter_mut().filter_map(Value::as_object_mut) {
            if let Some(id) = given(element) {
                let address = format!("{base}/{}/{id}", self.endpoint);
                element.insert("$ref".to_owned(), address.into());
            }
        }
    }
}

/// The id of something that an org has given: its kind says that it is no text of somebody's own.
fn given(element: &Map<String, Value>) -> Option<&str> {
    let text = |name: &str| element.get(name).and_then(Value::as_str);
    EntitlementKind::from_str(text("type")?).ok()?;
    text("value")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const BASE: &str = "https://scim.example.com/scim/v2";

    fn copied(stored: &str) -> String {
        let mut out = Vec::new();
        copy(&mut out, stored, BASE);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_an_org_has_given_has_an_address() {
        let stored = r#"{"userName":"ada","entitlements":[{"value":"00e1","display":"\"Standard\"","type":"Profile"},{"value":"x"}],"title":"a","roles":[{"value":"staff:00E1","type":"Role"}]}"#;
        let expected = r#"{"userName":"ada","entitlements":[{"value":"00e1","display":"\"Standard\"","type":"Profile","$ref":"https://scim.example.com/scim/v2/Entitlements/00e1"},{"value":"x"}],"title":"a","roles":[{"value":"staff:00E1","type":"Role","$ref":"https://scim.example.com/scim/v2/Roles/staff:00E1"}]}"#;
        assert_eq!(copied(stored), expected);
        // Whichever comes first.
        let swapped = stored
            .replace("entitlements", "x")
            .replace("roles", "entitlements")
            .replace("\"x\":[", "\"roles\":[");
        assert_eq!(copied(&swapped).matches("\"$ref\"").count(), 2);
    }

    #[test]
    fn a_text_that_looks_like_a_list_is_none() {
        for value in [r#""entitlements":[{"value":"a","type":"Profile"}]"#, r#"\"roles\":["#, "\\"] {
            let stored = json!({"title": value, "userName": "ada"}).to_string();
            assert_eq!(copied(&stored), stored);
        }
    }

    proptest! {
        /// Both ways of showing a User say the same, and nothing else is touched.
        #[test]
        fn copying_and_taking_apart_agree(
            title in ".{0,20}",
            ids in proptest::collection::vec(("[a-z:0-9\"\\\\]{0,6}", prop_oneof!["Profile", "Role", "work"]), 0..4),
            texts in proptest::collection::vec(".{0,5}", 0..3),
        ) {
            let elements: Vec<Value> =
                ids.iter().map(|(id, kind)| json!({"value": id, "type": kind})).collect();
            let user = json!({"title": title, "entitlements": elements, "x": texts, "roles": elements});
            let shown: Value = serde_json::from_str(&copied(&user.to_string())).unwrap();
            let Value::Object(mut apart) = user.clone() else { unreachable!() };
            put_into(&mut apart, BASE);
            prop_assert_eq!(&shown, &Value::Object(apart));
            prop_assert_eq!((&shown["title"], &shown["x"]), (&user["title"], &user["x"]));
        }
    }
}
