//! Telling a repeated request from another one.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use scim_types::Resource;

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    sum
}

/// Two hexadecimal digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Equal for creates that ask for the same, whatever the order and spelling of their members.
pub(crate) fn of(resource: &Resource) -> [u8; 32] {
    let mut text = String::new();
    canonical(&serde_json::Value::Object(resource.as_map().clone()), &mut text);
    sha256(text.as_bytes())
}

fn canonical(value: &serde_json::Value, text: &mut String) {
    match value {
        serde_json::Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in sorted {
                text.push_str(&serde_json::Value::from(name.as_str()).to_string());
                text.push(':');
                canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        serde_json::Value::Array(elements) => {
            text.push('[');
            for element in elements {
                canonical(element, text);
                text.push(',');
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_members_does_not_matter_and_that_of_elements_does() {
        let of_json = |value: serde_json::Value| of(&serde_json::from_value(value).unwrap());
        assert_eq!(of_json(json!({"a": 1, "b": [1, 2]})), of_json(json!({"b": [1, 2], "a": 1})));
        assert_ne!(of_json(json!({"b": [1, 2]})), of_json(json!({"b": [2, 1]})));
        assert_ne!(of_json(json!({"a": "1"})), of_json(json!({"a": 1})));
    }
}
