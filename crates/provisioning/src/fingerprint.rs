//! Telling a repeated request from another one.

use aws_lc_rs::digest::{SHA256, digest};
use scim_types::Resource;
use serde::Serialize;
use serde_json::{Map, Value};

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    sum
}

/// Two hexadecimal digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// Equal for creates that ask for the same, whatever the order and spelling of their members.
pub(crate) fn of(resource: &Resource) -> [u8; 32] {
    let mut text = Vec::with_capacity(1024);
    object(resource.as_map(), &mut text);
    sha256(&text)
}

fn object(members: &Map<String, Value>, text: &mut Vec<u8>) {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    text.push(b'{');
    for (name, value) in sorted {
        write(name.as_str(), text);
        text.push(b':');
        canonical(value, text);
        text.push(b',');
    }
    text.push(b'}');
}

fn canonical(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Object(members) => object(members, text),
        Value::Array(elements) => {
            text.push(b'[');
            for element in elements {
                canonical(element, text);
                text.push(b',');
            }
            text.push(b']');
        }
        scalar => write(scalar, text),
    }
}

fn write<T: Serialize + ?Sized>(scalar: &T, text: &mut Vec<u8>) {
    serde_json::to_writer(text, scalar).expect("memory takes every scalar");
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

    #[test]
    fn a_fingerprint_that_is_stored_stays_the_same() {
        let resource = serde_json::from_value(json!({"b": [true, null, 1.5, "\"\u{1}é"], "a": {}})).unwrap();
        let text = r#"{"a":{},"b":[true,null,1.5,"\"\u0001é",],}"#;
        assert_eq!(of(&resource), sha256(text.as_bytes()));
    }

    #[test]
    fn every_byte_is_two_hexadecimal_digits() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }
}
